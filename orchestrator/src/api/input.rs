//! Bodies of requests, read into what the workflows want. Everything wrong with a body is told at once.

use super::ids::last_segment;
use crate::catalogue::machine::BAD_REQUEST;
use crate::config::Settings;
use crate::journal::{Input, Item, Leg, Plan, PointChoice, Target, Verb};
use crate::service::{Action, Refusal, not_allowed};
use bytes::Bytes;
use failback_wire::arm::asr::{
    Body, DisableInput, EnableInput, IN_MAGE, IN_MAGE_AZURE_V2, MoveInput, OneOrMany, OperationInput,
    PRIMARY_TO_RECOVERY, ProviderInput, RECOVERY_TO_PRIMARY,
};
use failback_wire::error::Report;
use failback_wire::http::StatusCode;
use failback_wire::ids::{DiskId, GroupName, MachineName, PointId};
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What was asked for each machine.
pub(super) type Asked = BTreeMap<MachineName, Input>;

/// Problems of one body, each a sentence.
struct Problems {
    entity: String,
    found: Vec<String>,
}

impl Problems {
    fn new(entity: &str) -> Self {
        Self { entity: entity.to_owned(), found: Vec::new() }
    }
    fn check(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        if !holds {
            self.found.push(otherwise());
        }
    }
    fn none(self) -> Result<(), Refusal> {
        if self.found.is_empty() {
            return Ok(());
        }
        let report = |problem: &String| Report::new(&BAD_REQUEST, self.entity.as_str(), problem.as_str());
        Err(Refusal { status: StatusCode::BAD_REQUEST, reports: self.found.iter().map(report).collect() })
    }
}

fn read<T: DeserializeOwned + Default>(body: &Bytes, entity: &str) -> Result<T, Refusal> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(T::default());
    }
    let parsed: Result<Body<T>, _> = serde_json::from_slice(body);
    parsed.map(|body| body.properties).map_err(|error| Refusal::bad(entity, error.to_string()))
}

/// Body of a `PUT` of a replicated item.
pub(super) fn enable(body: &Bytes, name: &str) -> Result<Asked, Refusal> {
    let input: EnableInput = read(body, name)?;
    let provider = input.provider_specific_details;
    let mut problems = Problems::new(name);
    problems.check(provider.instance_type.eq_ignore_ascii_case(IN_MAGE_AZURE_V2), || {
        format!("instanceType is {:?}, expected {IN_MAGE_AZURE_V2}", provider.instance_type)
    });
    problems.check(input.policy_id.is_some(), || "policyId is missing".into());
    problems.none()?;
    // An item outside every group is given a GUID of its own as group, with the same name (G2).
    let alone = provider.multi_vm_group_name == provider.multi_vm_group_id;
    let group = provider.multi_vm_group_name.as_deref().filter(|_| !alone).map(GroupName::new);
    let asked = Input {
        vm_name: Some(input.protectable_item_id.as_deref().map_or(name, last_segment).to_owned()),
        azure_name: provider.target_azure_vm_name.clone(),
        group,
        keep_address: provider.retain_ip_address.unwrap_or_default(),
        network: provider.target_azure_network_id.as_deref().map(named),
        policy: input.policy_id.as_deref().map(named),
        ..servers(&provider)
    };
    Ok([(MachineName::new(name), asked)].into())
}

/// Body of `reassociateGateway`: which machines leave which process server, and for which (P13). None named: all that
/// it serves and that replicate.
pub(super) fn moving(
    body: &Bytes,
    items: &BTreeMap<MachineName, Arc<Item>>,
) -> Result<(Target, Asked), Refusal> {
    const ENTITY: &str = "reassociateGateway";
    let input: MoveInput = read(body, ENTITY)?;
    let id = |id: &Option<String>| id.as_deref().map(named).unwrap_or_default();
    let (from, to) = (id(&input.source_process_server_id), id(&input.target_process_server_id));
    let mut problems = Problems::new(ENTITY);
    problems.check(!from.is_empty(), || "sourceProcessServerId is missing".into());
    problems.check(!to.is_empty(), || "targetProcessServerId is missing".into());
    problems.check(from != to || from.is_empty(), || "source and target are one process server".into());
    let served = |item: &&Arc<Item>| {
        item.replicates() && item.process_server.as_ref().is_some_and(|server| server.id == from)
    };
    let known = |name: &str| items.keys().find(|known| known.as_str().eq_ignore_ascii_case(name)).cloned();
    let names: Vec<MachineName> = match input.vms_to_migrate.as_slice() {
        [] => items.values().filter(served).map(|item| item.name.clone()).collect(),
        named => {
            let named = named.iter().map(|id| last_segment(id));
            named.map(|name| known(name).unwrap_or_else(|| MachineName::new(name))).collect()
        }
    };
    problems.check(!names.is_empty(), || format!("{from} serves no machine that replicates"));
    problems.check(names.len() <= MOST_MOVED, || format!("at most {MOST_MOVED} machines move at once"));
    problems.none()?;
    let target = match names.as_slice() {
        [one] => Target::Item(one.clone()),
        _ => Target::ProcessServer(from.clone()),
    };
    let asked = Input { process_server: Some(to), from_server: Some(from), ..Input::default() };
    Ok((target, names.into_iter().map(|name| (name, asked.clone())).collect()))
}

/// The most machines that one request moves: no process server serves more (section 5).
const MOST_MOVED: usize = 225;

/// Body of a request to end the protection of an item: why tells what it is.
pub(super) fn leaving(body: &Bytes, name: &str) -> Result<Action, Refusal> {
    let input: DisableInput = read(body, name)?;
    match input.disable_protection_reason.as_deref().unwrap_or("NotSpecified").to_ascii_lowercase().as_str() {
        "notspecified" => Ok(Action::Disable),
        "migrationcomplete" => Ok(Action::CompleteMigration),
        other => Err(Refusal::bad(name, format!("disableProtectionReason {other} is unknown"))),
    }
}

/// Body of an operation on one item.
pub(super) fn single(
    body: &Bytes,
    action: Action,
    item: &Item,
    settings: &Settings,
) -> Result<Asked, Refusal> {
    let name = item.name.as_str();
    let input: OperationInput = read(body, name)?;
    let provider = match &input.provider_specific_details {
        OneOrMany::None(()) => None,
        OneOrMany::One(provider) => Some(provider.as_ref()),
        OneOrMany::Many(_) => return Err(Refusal::bad(name, "one providerSpecificDetails is expected")),
    };
    let other_leg = match item.leg {
        Leg::Forward => Leg::Reverse,
        Leg::Reverse => Leg::Forward,
    };
    // Whoever names the provider of the other direction asks for what the item's state does not allow (C7).
    let asks_other_way = provider.is_some_and(|provider| {
        let is = |leg: Leg| provider.instance_type.eq_ignore_ascii_case(wanted_type(action, leg));
        is(other_leg) && !is(item.leg)
    });
    if asks_other_way && !item.may_replicate_home_anew() {
        let report = not_allowed(&item.name, item, settings);
        return Err(Refusal { status: StatusCode::BAD_REQUEST, reports: vec![report] });
    }
    let mut problems = Problems::new(name);
    // What replicates home already is asked to do so anew as it was asked the first time.
    let anew = action == Action::Reprotect && item.may_replicate_home_anew();
    let leg = if anew { Leg::Forward } else { item.leg };
    direction(&mut problems, &input, wanted_direction(action, leg, false));
    if let Some(provider) = provider {
        fitting(&mut problems, provider, action, leg);
    }
    let to_premises = action == Action::Reprotect && leg == Leg::Forward;
    if to_premises {
        let given = provider.cloned().unwrap_or_default();
        for (field, value) in [
            ("masterTargetId", &given.master_target_id),
            ("processServerId", &given.process_server_id),
            ("retentionDrive", &given.retention_drive),
            ("profileId", &given.profile_id),
            // Even where it is ignored (C9).
            ("datastoreName", &given.datastore_name),
        ] {
            problems.check(value.is_some(), || format!("{field} is missing"));
        }
    }
    let mut asked = asked(&mut problems, action, &input, provider);
    if action == Action::ChangePoint {
        let id = input.recovery_point_id.as_deref();
        problems.check(id.is_some(), || "recoveryPointId is missing".into());
        asked.point = PointChoice::Custom(PointId::new(id.map(last_segment).unwrap_or_default()));
    }
    problems.none()?;
    Ok([(item.name.clone(), asked)].into())
}

/// Body of an operation on a recovery plan. A machine for which nothing fits gets no inputs: whether it
/// needed any is for the rules to say, together with everything else (G3).
pub(super) fn plan(
    body: &Bytes,
    action: Action,
    plan: &Plan,
    items: &BTreeMap<MachineName, Arc<Item>>,
) -> Result<Asked, Refusal> {
    let input: OperationInput = read(body, &plan.name)?;
    let providers = match &input.provider_specific_details {
        OneOrMany::None(()) => Vec::new(),
        OneOrMany::One(provider) => vec![provider.as_ref()],
        OneOrMany::Many(providers) => providers.iter().collect(),
    };
    let mut problems = Problems::new(&plan.name);
    let members: Vec<&MachineName> = plan.groups.iter().flatten().collect();
    for named in providers.iter().filter_map(|provider| provider.replicated_item.as_deref()) {
        let known = members.iter().any(|member| member.as_str().eq_ignore_ascii_case(last_segment(named)));
        problems.check(known, || format!("{named} is not a machine of the plan"));
    }
    let mut all = Asked::new();
    for item in members.iter().filter_map(|name| items.get(*name)) {
        // Passed over, whatever the request says of it: asked again after some machines got through, the
        // same request must still do for the others (L1).
        if action.already(item) {
            all.insert(item.name.clone(), asked(&mut problems, action, &input, None));
            continue;
        }
        direction(&mut problems, &input, wanted_direction(action, item.leg, true));
        let own = |provider: &&&ProviderInput| {
            let named = provider.replicated_item.as_deref().map(last_segment);
            named.is_some_and(|named| named.eq_ignore_ascii_case(item.name.as_str()))
        };
        let common = |provider: &&&ProviderInput| {
            let fits = provider.instance_type.eq_ignore_ascii_case(wanted_type(action, item.leg));
            provider.replicated_item.is_none() && fits
        };
        let provider = providers.iter().find(own).or_else(|| providers.iter().find(common)).copied();
        if let Some(provider) = provider {
            fitting(&mut problems, provider, action, item.leg);
        }
        all.insert(item.name.clone(), asked(&mut problems, action, &input, provider));
    }
    problems.found.dedup();
    problems.none()?;
    Ok(all)
}

fn direction(problems: &mut Problems, input: &OperationInput, wanted: Option<&str>) {
    if let (Some(given), Some(wanted)) = (&input.failover_direction, wanted) {
        problems.check(given.eq_ignore_ascii_case(wanted), || {
            format!("failoverDirection is {given}, expected {wanted}")
        });
    }
}

/// A single item's failback is `PrimaryToRecovery`: after reprotect the roles are swapped. A plan keeps the directions it
/// was made with (G3).
fn wanted_direction(action: Action, leg: Leg, of_plan: bool) -> Option<&'static str> {
    let fails_over = matches!(action, Action::Failover(_));
    let home = match leg {
        Leg::Forward => action == Action::Reprotect,
        Leg::Reverse => fails_over && of_plan,
    };
    let to_azure = fails_over || action == Action::TestFailover;
    home.then_some(RECOVERY_TO_PRIMARY).or_else(|| to_azure.then_some(PRIMARY_TO_RECOVERY))
}

/// Classic reprotect names the provider of the new direction, everything else the present one's.
fn wanted_type(action: Action, leg: Leg) -> &'static str {
    match leg {
        // On the way home no provider knows how to change the point (C18).
        Leg::Forward | Leg::Reverse if action == Action::ChangePoint => IN_MAGE_AZURE_V2,
        Leg::Forward if action == Action::Reprotect => IN_MAGE,
        Leg::Reverse if action == Action::Reprotect => IN_MAGE_AZURE_V2,
        Leg::Forward | Leg::Reverse => leg.instance_type(),
    }
}

fn fitting(problems: &mut Problems, provider: &ProviderInput, action: Action, leg: Leg) {
    let wanted = wanted_type(action, leg);
    problems.check(provider.instance_type.eq_ignore_ascii_case(wanted), || {
        format!("instanceType is {:?}, expected {wanted}", provider.instance_type)
    });
}

fn asked(
    problems: &mut Problems,
    action: Action,
    input: &OperationInput,
    provider: Option<&ProviderInput>,
) -> Input {
    let verb = if let Action::Failover(verb) = action { verb } else { Verb::Unplanned };
    let wants = input.source_site_operations.as_deref();
    let required = wants.is_some_and(|wants| wants.eq_ignore_ascii_case("Required"));
    // Whoever plans a failover has no such choice: nothing may be lost (C4; ours).
    let shutdown = required || verb == Verb::Planned;
    let known = required || wants.is_none_or(|wants| wants.eq_ignore_ascii_case("NotRequired"));
    problems.check(known, || "sourceSiteOperations is neither Required nor NotRequired".into());
    let network = input.network_id.as_deref().map(named);
    let Some(provider) = provider else { return Input { verb, shutdown, network, ..Input::default() } };
    let address = provider.replica_ip_address.clone();
    Input { verb, shutdown, network, address, point: point(problems, provider), ..servers(provider) }
}

fn servers(provider: &ProviderInput) -> Input {
    let policy = provider.policy_id.as_deref().or(provider.profile_id.as_deref());
    Input {
        process_server: provider.process_server_id.as_deref().map(named),
        master_target: provider.master_target_id.as_deref().map(named),
        datastore: provider.datastore_name.clone(),
        retention: provider.retention_drive.clone(),
        policy: policy.map(named),
        storage_account: provider.storage_account_id.as_deref().map(named),
        exclude: excluded(provider),
        include: provider.disks_to_include.as_ref().map(|ids| ids.iter().map(DiskId::new).collect()),
        ..Input::default()
    }
}

/// Labels of volumes; only those that count for disks without other volumes can be asked for.
fn excluded(provider: &ProviderInput) -> Vec<String> {
    let options = provider.disk_exclusion_input.iter().flat_map(|input| &input.volume_options);
    let sole = options.filter(|option| option.only_exclude_if_single_volume.eq_ignore_ascii_case("Yes"));
    sole.map(|option| option.volume_label.clone()).collect()
}

fn named(id: &str) -> String {
    last_segment(id).to_owned()
}

fn point(problems: &mut Problems, provider: &ProviderInput) -> PointChoice {
    if let Some(id) = &provider.recovery_point_id {
        return PointChoice::Custom(PointId::new(last_segment(id)));
    }
    let word = provider.recovery_point_type.as_deref().unwrap_or("Latest");
    let multi_vm = provider.use_multi_vm_sync_point.as_deref();
    let multi_vm = multi_vm.is_some_and(|wanted| wanted.eq_ignore_ascii_case("true"));
    match word.to_ascii_lowercase().as_str() {
        "latestprocessed" if multi_vm => PointChoice::MultiVmProcessed,
        "latesttag" | "latestapplicationconsistent" | "applicationconsistent" if multi_vm => {
            PointChoice::MultiVmApplication
        }
        _ if multi_vm => {
            problems.check(false, || format!("useMultiVmSyncPoint does not go with {word}"));
            PointChoice::Latest
        }
        "latesttime" | "latest" => PointChoice::Latest,
        "latestprocessed" => PointChoice::LatestProcessed,
        "latestcrashconsistent" | "crashconsistent" => PointChoice::Crash,
        "latesttag" | "latestapplicationconsistent" | "applicationconsistent" => PointChoice::Application,
        "custom" => {
            problems.check(false, || "recoveryPointType Custom needs a recoveryPointId".into());
            PointChoice::Latest
        }
        _ => {
            problems.check(false, || format!("recoveryPointType {word} is unknown"));
            PointChoice::Latest
        }
    }
}
