//! Paths of the API. Literal segments, and the names of vault, fabric and container, match in any case.

use super::ids::Names;
use crate::journal::Verb;
use crate::service::Action;
use failback_wire::arm::ResourceId;
use failback_wire::arm::asr::NAMESPACE;

/// Asks a running failover to stop.
const CANCEL: &str = "failoverCancel";

/// What a path means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// All replicated items.
    Items,
    /// One of them.
    Item(String),
    /// An operation on it.
    ItemAction(String, Action),
    /// `failoverCancel` of it.
    CancelItem(String),
    /// Its recovery points.
    Points(String),
    /// One of them.
    Point(String, String),
    /// Status document of an operation.
    Status(String),
    /// Result of an operation.
    Results(String),
    /// All jobs.
    Jobs,
    /// One of them.
    Job(String),
    /// `cancel`, `restart` or `resume` of it.
    JobAction(String, String),
    /// A fabric: a configuration server and its servers.
    Fabric(String),
    /// Health of the vault.
    VaultHealth,
    /// What could be protected.
    Protectables,
    /// One of them.
    Protectable(String),
    /// The vault's events.
    Events,
    /// One of them.
    Event(String),
    /// All replication policies.
    Policies,
    /// One of them.
    Policy(String),
    /// All mappings of the protection container.
    Mappings,
    /// One of them; true to take it away by `remove`.
    Mapping(String, bool),
    /// The certificate of the configuration server, to be renewed.
    RenewCertificate,
    /// Machines are to move to another process server.
    MoveServer,
    /// All recovery plans.
    Plans,
    /// One of them.
    Plan(String),
    /// `failoverCancel` of it.
    CancelPlan(String),
    /// An operation on it.
    PlanAction(String, Action),
}

impl Route {
    /// It lists what could be protected.
    pub(crate) fn is_protectable(&self) -> bool {
        matches!(self, Self::Protectables | Self::Protectable(_))
    }

    /// What `path` means in this vault; `None` when nothing.
    pub(crate) fn parse(path: &str, names: &Names) -> Option<Self> {
        let id = ResourceId::parse(path)?;
        let vault = names.config();
        let same = |a: &str, b: &str| a.eq_ignore_ascii_case(b);
        let mine = same(&id.subscription, &vault.subscription)
            && id.group.as_deref().is_some_and(|group| same(group, &vault.resource_group))
            && same(&id.namespace, NAMESPACE);
        let (kind, rest) = id.path.split_first()?;
        let (name, rest) = rest.split_first()?;
        if !mine || !same(kind, "vaults") || !same(name, &vault.name) {
            return None;
        }
        let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
        let (kind, rest) = rest.split_first()?;
        match (kind.to_ascii_lowercase().as_str(), rest) {
            ("replicationprotecteditems", []) => Some(Self::Items),
            ("replicationoperationstatus", [op]) => Some(Self::Status((*op).to_owned())),
            ("replicationjobs", []) => Some(Self::Jobs),
            ("replicationjobs", [job]) => Some(Self::Job((*job).to_owned())),
            ("replicationjobs", [job, verb]) => {
                Some(Self::JobAction((*job).to_owned(), verb.to_ascii_lowercase()))
            }
            ("replicationfabrics", [fabric]) => Some(Self::Fabric((*fabric).to_owned())),
            ("replicationvaulthealth", [] | ["default"]) => Some(Self::VaultHealth),
            ("replicationevents", []) => Some(Self::Events),
            ("replicationevents", [event]) => Some(Self::Event((*event).to_owned())),
            ("replicationpolicies", []) => Some(Self::Policies),
            ("replicationpolicies", [policy]) => Some(Self::Policy((*policy).to_owned())),
            ("replicationprotectioncontainermappings", []) => Some(Self::Mappings),
            ("replicationrecoveryplans", []) => Some(Self::Plans),
            ("replicationrecoveryplans", [plan]) => Some(Self::Plan((*plan).to_owned())),
            ("replicationrecoveryplans", [_, results, op]) if same(results, "operationresults") => {
                Some(Self::Results((*op).to_owned()))
            }
            ("replicationrecoveryplans", [plan, verb]) if same(verb, CANCEL) => {
                Some(Self::CancelPlan((*plan).to_owned()))
            }
            ("replicationrecoveryplans", [plan, verb]) => {
                Some(Self::PlanAction((*plan).to_owned(), plan_action(verb)?))
            }
            ("replicationfabrics", [fabric, verb])
                if same(fabric, &vault.fabric) && same(verb, "renewCertificate") =>
            {
                Some(Self::RenewCertificate)
            }
            ("replicationfabrics", [fabric, verb])
                if same(fabric, &vault.fabric) && same(verb, "reassociateGateway") =>
            {
                Some(Self::MoveServer)
            }
            ("replicationfabrics", [fabric, results, op])
                if same(fabric, &vault.fabric) && same(results, "operationresults") =>
            {
                Some(Self::Results((*op).to_owned()))
            }
            ("replicationfabrics", [fabric, containers, container, kind, rest @ ..])
                if same(fabric, &vault.fabric)
                    && same(containers, "replicationProtectionContainers")
                    && same(container, &vault.container) =>
            {
                match kind.to_ascii_lowercase().as_str() {
                    "replicationprotecteditems" => Self::item(rest),
                    "replicationprotectableitems" => Self::protectable(rest),
                    "replicationprotectioncontainermappings" => Self::mapping(rest),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn protectable(rest: &[&str]) -> Option<Self> {
        match rest {
            [] => Some(Self::Protectables),
            [name] => Some(Self::Protectable((*name).to_owned())),
            _ => None,
        }
    }

    fn mapping(rest: &[&str]) -> Option<Self> {
        match rest {
            [] => Some(Self::Mappings),
            [mapping] => Some(Self::Mapping((*mapping).to_owned(), false)),
            [mapping, verb] if verb.eq_ignore_ascii_case("remove") => {
                Some(Self::Mapping((*mapping).to_owned(), true))
            }
            _ => None,
        }
    }

    fn item(rest: &[&str]) -> Option<Self> {
        let same = |a: &str, b: &str| a.eq_ignore_ascii_case(b);
        match rest {
            [] => Some(Self::Items),
            [item] => Some(Self::Item((*item).to_owned())),
            [item, points] if same(points, "recoveryPoints") => Some(Self::Points((*item).to_owned())),
            [item, points, point] if same(points, "recoveryPoints") => {
                Some(Self::Point((*item).to_owned(), (*point).to_owned()))
            }
            [_, results, op] if same(results, "operationresults") => Some(Self::Results((*op).to_owned())),
            [item, verb] if same(verb, CANCEL) => Some(Self::CancelItem((*item).to_owned())),
            [item, verb] => Some(Self::ItemAction((*item).to_owned(), action(verb)?)),
            _ => None,
        }
    }
}

fn action(verb: &str) -> Option<Action> {
    match verb.to_ascii_lowercase().as_str() {
        "unplannedfailover" => Some(Action::Failover(Verb::Unplanned)),
        "plannedfailover" => Some(Action::Failover(Verb::Planned)),
        "failovercommit" => Some(Action::Commit),
        "reprotect" => Some(Action::Reprotect),
        // The body says whether it is this or the end of a migration.
        "remove" => Some(Action::Disable),
        "testfailover" => Some(Action::TestFailover),
        "testfailovercleanup" => Some(Action::CleanUpTest),
        "applyrecoverypoint" => Some(Action::ChangePoint),
        "repairreplication" => Some(Action::Resynchronise),
        _ => None,
    }
}

/// Machines leave protection one by one.
fn plan_action(verb: &str) -> Option<Action> {
    action(verb).filter(|action| !matches!(action, Action::Disable | Action::Resynchronise))
}
