//! Recovery plans: made, read and checked (L1).

use super::ids::last_segment;
use super::policies::{done, is_done};
use super::{Call, actions};
use crate::catalogue::machine::{BAD_REQUEST, NOT_FOUND, PLAN_ACTION_UNFIT, PLAN_BUSY};
use crate::journal::{Allowed, Edge, Item, Job, Plan, PlanAction, Record, Stage, State};
use crate::rules::shape::{Planned, Shape, check_shape};
use crate::service::Refusal;
use failback_wire::arm::asr::{Body, CurrentScenario, PlanGroup, PlanItem, PlanProperties, Resource};
use failback_wire::error::{ErrorDoc, Report};
use failback_wire::http::StatusCode;
use failback_wire::ids::MachineName;
use std::collections::BTreeSet;
use std::sync::Arc;

const KIND: &str = "Microsoft.RecoveryServices/vaults/replicationRecoveryPlans";

/// Types of groups; a Boot group's stage follows from its place.
const STAGES: [(&str, Option<Stage>); 3] =
    [("Shutdown", Some(Stage::Shutdown)), ("Failover", Some(Stage::Failover)), ("Boot", None)];

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

/// Creates a plan, or replaces it; or else updates one that is there, as the portal does when it is edited.
pub(super) fn save(call: &Call, name: &str, update: bool) -> Result<Resource<PlanProperties>, Refusal> {
    let body: Body<PlanProperties> =
        serde_json::from_slice(&call.body).map_err(|error| Refusal::bad(name, error.to_string()))?;
    let known = match find(call, name) {
        Ok(plan) => plan.name,
        Err(missing) if update => return Err(missing),
        Err(_) => name.to_owned(),
    };
    let at = call.me.now();
    let plan = call.me.journal().append(|state| {
        if let Some(plan) = state.plans.get(&known).filter(|_| is_done(call, state)) {
            return Ok::<_, Refusal>((Vec::new(), plan.clone()));
        }
        let plan = checked(call, state, &known, &body.properties.groups)?;
        Ok((done(call, vec![Record::PlanSaved { at, plan: plan.clone() }]), plan))
    })?;
    Ok(view(call, &plan))
}

/// Deletes a plan, unless a job of it has not ended. Its machines stay as they are.
pub(super) fn delete(call: &Call, name: &str) -> Result<(), Refusal> {
    let at = call.me.now();
    call.me.journal().append(|state| {
        if is_done(call, state) {
            return Ok((Vec::new(), ()));
        }
        let same = |plan: &&Plan| plan.name.eq_ignore_ascii_case(name);
        let plan = state.plans.values().find(same).ok_or_else(|| Refusal::missing(name))?;
        if let Some(job) = open_job(state, plan) {
            let detail = job.request.job.as_str();
            return Err(Refusal::new(StatusCode::CONFLICT, &PLAN_BUSY, &plan.name, detail));
        }
        Ok((done(call, vec![Record::PlanDeleted { at, name: plan.name.clone() }]), ()))
    })
}

/// What the groups of a body say, and what is wrong with them.
#[derive(Default)]
struct Draft {
    groups: Vec<Vec<Planned>>,
    actions: Vec<PlanAction>,
    reports: Vec<Report>,
}

/// Reads the groups, and refuses what no plan may be. Everything that is wrong is told.
fn checked(call: &Call, state: &State, name: &str, groups: &[PlanGroup]) -> Result<Plan, Refusal> {
    let mut draft = Draft::default();
    for group in groups {
        draft.group(state, name, group);
    }
    draft.actions.sort_by_key(|action| (action.stage, action.edge));
    let shape = Shape { plan: name, groups: &draft.groups };
    draft.reports.extend(check_shape(&shape, &call.me.services().ctx.env));
    if !draft.reports.is_empty() {
        return Err(Refusal { status: StatusCode::BAD_REQUEST, reports: draft.reports });
    }
    let names = |group: Vec<Planned>| group.into_iter().map(|machine| machine.name).collect();
    let groups = draft.groups.into_iter().map(names).collect();
    Ok(Plan { name: name.to_owned(), groups, actions: draft.actions })
}

impl Draft {
    fn say(&mut self, doc: &ErrorDoc, entity: &str, detail: impl Into<String>) {
        self.reports.push(Report::new(doc, entity, detail));
    }

    fn group(&mut self, state: &State, plan: &str, group: &PlanGroup) {
        let members = self.members(state, group);
        let kind = STAGES.iter().find(|(word, _)| group.group_type.eq_ignore_ascii_case(word));
        let stage = match kind {
            Some((_, Some(stage))) if members.is_empty() => *stage,
            Some((_, None)) if members.is_empty() => {
                // A group of nothing is none, and has nothing before or after it.
                if let Some(action) = group.start_group_actions.iter().chain(&group.end_group_actions).next()
                {
                    self.say(
                        &PLAN_ACTION_UNFIT,
                        plan,
                        format!("the group of {} is empty", action.action_name),
                    );
                }
                return;
            }
            Some((_, None)) => {
                self.groups.push(members);
                Stage::Boot(self.groups.len() - 1)
            }
            Some(_) => {
                let detail = format!("machines belong in Boot groups, not in {}", group.group_type);
                return self.say(&BAD_REQUEST, plan, detail);
            }
            None => {
                return self.say(&BAD_REQUEST, plan, format!("groupType {:?} is unknown", group.group_type));
            }
        };
        let edges = [(Edge::Before, &group.start_group_actions), (Edge::After, &group.end_group_actions)];
        for (edge, action) in edges.into_iter().flat_map(|(edge, all)| all.iter().map(move |a| (edge, a))) {
            match actions::read(action, stage, edge) {
                Ok(action) if self.actions.iter().any(|other| other.name == action.name) => {
                    self.say(&PLAN_ACTION_UNFIT, plan, format!("there are two of name {}", action.name));
                }
                Ok(action) => self.actions.push(action),
                Err(why) => self.say(&PLAN_ACTION_UNFIT, plan, why),
            }
        }
    }

    fn members(&mut self, state: &State, group: &PlanGroup) -> Vec<Planned> {
        let mut members = Vec::new();
        for id in group.replication_protected_items.iter().map(|item| last_segment(&item.id)) {
            let same = |item: &&Arc<Item>| item.name.as_str().eq_ignore_ascii_case(id);
            match state.items.values().find(same) {
                None => self.say(&NOT_FOUND, id, id),
                Some(item) => {
                    let (name, group) = (item.name.clone(), item.group.clone());
                    members.push(Planned { name, leg: item.leg, group });
                }
            }
        }
        members
    }
}

fn view(call: &Call, plan: &Plan) -> Resource<PlanProperties> {
    let items: Vec<Arc<Item>> = call.me.journal().read(|state| {
        plan.groups.iter().flatten().filter_map(|name| state.items.get(name).cloned()).collect()
    });
    let providers: BTreeSet<&str> = items.iter().map(|item| item.leg.instance_type()).collect();
    let settings = &call.me.services().config.knobs.settings;
    let offers: BTreeSet<&str> = call.me.journal().read(|state| {
        let offered = |allowed: &Allowed| {
            // Machines leave protection, and change their points, one by one.
            let single = [Allowed::DisableProtection, Allowed::CompleteMigration, Allowed::ChangePit];
            !single.contains(allowed)
        };
        let of = |item: &Arc<Item>| state.allowed(&item.name, settings).into_iter().filter(offered);
        items.iter().flat_map(of).map(|allowed| allowed.as_str()).collect()
    });
    let texts = |words: BTreeSet<&str>| words.into_iter().map(str::to_owned).collect::<Vec<_>>();
    let group = |kind: &str, stage: Stage, members: &[MachineName]| PlanGroup {
        group_type: kind.to_owned(),
        replication_protected_items: members.iter().map(|name| item(call, &items, name)).collect(),
        start_group_actions: actions::show(&plan.actions, stage, Edge::Before),
        end_group_actions: actions::show(&plan.actions, stage, Edge::After),
    };
    // Groups without machines are shown when something is done there.
    let shared = STAGES.iter().filter_map(|(kind, stage)| Some((*kind, (*stage)?)));
    let shared = shared.filter(|(_, stage)| plan.actions.iter().any(|action| action.stage == *stage));
    let boot = plan.groups.iter().enumerate().map(|(place, all)| group("Boot", Stage::Boot(place), all));
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
            groups: shared.map(|(kind, stage)| group(kind, stage, &[])).chain(boot).collect(),
        },
    }
}

fn item(call: &Call, items: &[Arc<Item>], name: &MachineName) -> PlanItem {
    let found = items.iter().find(|item| item.name == *name);
    let vm = found.and_then(|item| item.vm.as_ref()).map(|vm| vm.uuid.clone());
    PlanItem { id: call.names.item(name.as_str()), virtual_machine_id: vm }
}

/// The plan's job that has not ended.
fn open_job<'a>(state: &'a State, plan: &Plan) -> Option<&'a Job> {
    let mut jobs = state.order.iter().rev().filter_map(|id| state.jobs.get(id));
    jobs.find(|job| job.is_open() && job.request.target.plan() == Some(plan.name.as_str()))
}

/// The plan's job that runs now.
fn scenario(call: &Call, plan: &Plan) -> CurrentScenario {
    match call.me.journal().read(|state| open_job(state, plan).cloned()) {
        None => CurrentScenario { job_id: call.names.job("None"), ..CurrentScenario::default() },
        Some(job) => CurrentScenario {
            scenario_name: call.me.workflow(&job).scenario_under(job.verb()).to_owned(),
            job_id: call.names.job(job.request.job.as_str()),
            start_time: call.date(job.accepted),
        },
    }
}
