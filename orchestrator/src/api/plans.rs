//! Recovery plans: made, read and checked (L1).

use super::Call;
use super::ids::last_segment;
use crate::catalogue::machine::{
    BAD_REQUEST, NOT_FOUND, PLAN_DUPLICATE, PLAN_EMPTY, PLAN_TOO_LARGE, PLAN_TOO_MANY_GROUPS,
};
use crate::journal::{Allowed, Item, Plan, Record, State};
use crate::service::Refusal;
use failback_wire::arm::asr::{Body, CurrentScenario, PlanGroup, PlanItem, PlanProperties, Resource};
use failback_wire::error::{ErrorDoc, Report};
use failback_wire::http::StatusCode;
use failback_wire::ids::MachineName;
use std::collections::BTreeSet;
use std::sync::Arc;

const KIND: &str = "Microsoft.RecoveryServices/vaults/replicationRecoveryPlans";

/// The plan of this name, in any case.
pub(super) fn find(call: &Call, name: &str) -> Result<Plan, Refusal> {
    let same = |plan: &&Plan| plan.name.eq_ignore_ascii_case(name);
    let found = call.me.journal().read(|state| state.plans.values().find(same).cloned());
    found.ok_or_else(|| Refusal::missing(name))
}

/// All plans, by name.
pub(super) fn list(call: &Call) -> Vec<Resource<PlanProperties>> {
    let plans: Vec<Plan> = call.me.journal().read(|state| state.plans.values().cloned().collect());
    plans.iter().map(|plan| view(call, plan)).collect()
}

/// One of them.
pub(super) fn get(call: &Call, name: &str) -> Result<Resource<PlanProperties>, Refusal> {
    Ok(view(call, &find(call, name)?))
}

/// Creates or replaces a plan.
pub(super) fn put(call: &Call, name: &str) -> Result<Resource<PlanProperties>, Refusal> {
    let body: Body<PlanProperties> =
        serde_json::from_slice(&call.body).map_err(|error| Refusal::bad(name, error.to_string()))?;
    let known = find(call, name).map_or_else(|_| name.to_owned(), |plan| plan.name);
    let at = call.me.now();
    let plan = call.me.journal().append(|state| {
        let plan = checked(call, state, &known, &body.properties.groups)?;
        Ok::<_, Refusal>((vec![Record::PlanSaved { at, plan: plan.clone() }], plan))
    })?;
    Ok(view(call, &plan))
}

fn checked(call: &Call, state: &State, name: &str, groups: &[PlanGroup]) -> Result<Plan, Refusal> {
    let knobs = &call.me.services().config.knobs;
    let mut reports = Vec::new();
    let mut say =
        |doc: &ErrorDoc, entity: &str, detail: String| reports.push(Report::new(doc, entity, detail));
    let mut seen = BTreeSet::new();
    let mut boot: Vec<Vec<MachineName>> = Vec::new();
    for group in groups {
        if !group.start_group_actions.is_empty() || !group.end_group_actions.is_empty() {
            say(&BAD_REQUEST, name, "actions before or after a group are not run".into());
        }
        let is_boot = group.group_type.eq_ignore_ascii_case("Boot");
        if !is_boot && !group.replication_protected_items.is_empty() {
            say(&BAD_REQUEST, name, format!("machines belong in Boot groups, not in {}", group.group_type));
        }
        let mut members = Vec::new();
        for id in group.replication_protected_items.iter().map(|item| last_segment(&item.id)) {
            let same = |item: &&Arc<Item>| item.name.as_str().eq_ignore_ascii_case(id);
            match state.items.values().find(same) {
                None => say(&NOT_FOUND, id, id.into()),
                Some(item) if !seen.insert(item.name.clone()) => say(&PLAN_DUPLICATE, id, id.into()),
                Some(item) => members.push(item.name.clone()),
            }
        }
        if is_boot {
            boot.push(members);
        }
    }
    boot.retain(|members| !members.is_empty());
    if boot.is_empty() {
        say(&PLAN_EMPTY, name, String::new());
    }
    if boot.len() > knobs.plan_groups {
        say(&PLAN_TOO_MANY_GROUPS, name, format!("{} groups", boot.len()));
    }
    if seen.len() > knobs.plan_instances {
        say(&PLAN_TOO_LARGE, name, format!("{} machines", seen.len()));
    }
    if reports.is_empty() {
        Ok(Plan { name: name.to_owned(), groups: boot })
    } else {
        Err(Refusal { status: StatusCode::BAD_REQUEST, reports })
    }
}

fn view(call: &Call, plan: &Plan) -> Resource<PlanProperties> {
    let items: Vec<Arc<Item>> = call.me.journal().read(|state| {
        plan.groups.iter().flatten().filter_map(|name| state.items.get(name).cloned()).collect()
    });
    let providers: BTreeSet<&str> = items.iter().map(|item| item.leg.instance_type()).collect();
    let offers: BTreeSet<&str> = call.me.journal().read(|state| {
        let offered = |allowed: &Allowed| {
            // Machines leave protection, and change their points, one by one.
            let single = [Allowed::DisableProtection, Allowed::CompleteMigration, Allowed::ChangePit];
            !single.contains(allowed)
        };
        let of = |item: &Arc<Item>| state.allowed(&item.name).into_iter().filter(offered);
        items.iter().flat_map(of).map(|allowed| allowed.as_str()).collect()
    });
    let texts = |words: BTreeSet<&str>| words.into_iter().map(str::to_owned).collect::<Vec<_>>();
    let group = |members: &Vec<MachineName>| PlanGroup {
        group_type: "Boot".to_owned(),
        replication_protected_items: members.iter().map(|name| item(call, &items, name)).collect(),
        ..PlanGroup::default()
    };
    Resource {
        id: call.names.plan(&plan.name),
        name: plan.name.clone(),
        kind: KIND.to_owned(),
        properties: PlanProperties {
            friendly_name: Some(plan.name.clone()),
            primary_fabric_id: Some(call.names.fabric()),
            recovery_fabric_id: Some("Microsoft Azure".to_owned()),
            failover_deployment_model: Some("ResourceManager".to_owned()),
            replication_providers: texts(providers),
            allowed_operations: texts(offers),
            current_scenario: scenario(call, plan),
            groups: plan.groups.iter().map(group).collect(),
        },
    }
}

fn item(call: &Call, items: &[Arc<Item>], name: &MachineName) -> PlanItem {
    let found = items.iter().find(|item| item.name == *name);
    let vm = found.and_then(|item| item.vm.as_ref()).map(|vm| vm.uuid.clone());
    PlanItem { id: call.names.item(name.as_str()), virtual_machine_id: vm }
}

/// The plan's job that runs now.
fn scenario(call: &Call, plan: &Plan) -> CurrentScenario {
    let open = call.me.journal().read(|state| {
        let mut jobs = state.order.iter().rev().filter_map(|id| state.jobs.get(id));
        jobs.find(|job| job.is_open() && job.request.target.plan() == Some(plan.name.as_str())).cloned()
    });
    match open {
        None => CurrentScenario { job_id: call.names.job("None"), ..CurrentScenario::default() },
        Some(job) => CurrentScenario {
            scenario_name: call.me.workflow(&job).scenario_under(job.verb()).to_owned(),
            job_id: call.names.job(job.request.job.as_str()),
            start_time: call.date(job.accepted),
        },
    }
}
