//! Recovery points: what a step's word is on the wire, and which one of the list it picks.

use super::play::Driver;
use crate::scenario::model::{PointPick, RecoveryPoint, Step, TestFailover};
use crate::scenario::text::{Name, Spanned};
use serde_json::{Value, json};

/// `providerSpecificDetails` of a failover to Azure, or of a test failover. The id of a picked point is filled in later.
pub(super) fn forward(point: RecoveryPoint) -> Value {
    let multi_vm = matches!(point, RecoveryPoint::MultiVmProcessed | RecoveryPoint::MultiVmAppConsistent);
    let mut details = json!({ "instanceType": "InMageAzureV2", "recoveryPointType": match point {
        RecoveryPoint::Latest => "Latest",
        RecoveryPoint::LatestProcessed | RecoveryPoint::MultiVmProcessed => "LatestProcessed",
        RecoveryPoint::CrashConsistent => "LatestCrashConsistent",
        RecoveryPoint::AppConsistent | RecoveryPoint::MultiVmAppConsistent => "LatestApplicationConsistent",
        RecoveryPoint::Custom(_) => "Custom",
    }});
    if multi_vm {
        details["useMultiVmSyncPoint"] = json!("true");
    }
    details
}

/// The same with the static address of the network card; that a request for one failover may give it is ours.
pub(super) fn to(point: RecoveryPoint, address: &Option<Name>) -> Value {
    let mut details = forward(point);
    if let Some(address) = address {
        details["replicaIpAddress"] = json!(address.value);
    }
    details
}

/// The same of a failback.
pub(super) fn backward(point: RecoveryPoint) -> Value {
    let mut details = forward(point);
    details["instanceType"] = json!("InMage");
    match point {
        RecoveryPoint::Latest => details["recoveryPointType"] = json!("LatestTime"),
        RecoveryPoint::AppConsistent => details["recoveryPointType"] = json!("LatestTag"),
        RecoveryPoint::LatestProcessed
        | RecoveryPoint::CrashConsistent
        | RecoveryPoint::MultiVmProcessed
        | RecoveryPoint::MultiVmAppConsistent
        | RecoveryPoint::Custom(_) => {}
    }
    details
}

/// Item, plan and pick of a step that takes a point by its id.
fn picked(step: &Step) -> Option<(&Option<Name>, &Option<Name>, PointPick)> {
    let (item, plan, point) = match step {
        Step::ChangeRecoveryPoint(s) => return Some((&s.item, &None, s.point)),
        Step::Failover(s) => (&s.item, &s.plan, s.point),
        Step::Failback(s) => (&s.item, &s.plan, s.point),
        Step::TestFailover(s) => (&s.item, &s.plan, s.point),
        Step::Commit(_)
        | Step::Reprotect(_)
        | Step::CleanUpTestFailover(_)
        | Step::RestartJob(_)
        | Step::Cancel(_)
        | Step::EnableProtection(_)
        | Step::DisableProtection(_)
        | Step::RemoveProtection(_)
        | Step::CompleteMigration(_)
        | Step::Policy(_)
        | Step::RenewCertificate(_)
        | Step::SavePlan(_)
        | Step::Confirm(_)
        | Step::Wait(_)
        | Step::WaitUntil(_)
        | Step::Write(_)
        | Step::Inject(_)
        | Step::Arm(_)
        | Step::Clear(_)
        | Step::Operator(_)
        | Step::Crash(_)
        | Step::Restart(_)
        | Step::MoveProcessServer(_)
        | Step::Resynchronise(_)
        | Step::Check(_) => return None,
    };
    match point {
        RecoveryPoint::Custom(pick) => Some((item, plan, pick)),
        RecoveryPoint::Latest
        | RecoveryPoint::LatestProcessed
        | RecoveryPoint::CrashConsistent
        | RecoveryPoint::AppConsistent
        | RecoveryPoint::MultiVmProcessed
        | RecoveryPoint::MultiVmAppConsistent => None,
    }
}

impl Driver<'_> {
    /// The address of a machine's card in Azure: the one that is given, or the one that it keeps (P7). The lab's guests go
    /// by host names, so which address that is, is ours: that of its place in the estate.
    pub(super) fn address(&self, item: Option<&Name>, given: Option<&Name>) -> Option<Name> {
        let machines = &self.checked.inventory.machines;
        let kept = |item: &Name| machines.iter().position(|m| m.name == item.value && m.retain_address);
        let kept = || item.and_then(kept).map(|n| format!("10.0.{}.{}", 1 + n / 250, 1 + n % 250));
        given.cloned().or_else(|| kept().map(Spanned::unplaced))
    }

    /// ARM id of the network that a test comes up in.
    pub(super) fn network(step: &TestFailover) -> Option<String> {
        let name = &step.network.as_ref()?.value;
        let azure = failback_orchestrator::config::Config::default().azure;
        let id = failback_wire::arm::network::network_id(&azure.subscription, &azure.resource_group, name);
        Some(id.to_string())
    }

    /// Fills the id of the picked point in. For a plan that is a point of its first machine.
    pub(super) async fn fill_in_point(&self, step: &Step, body: &mut Value) {
        let Some((item, plan, pick)) = picked(step) else { return };
        let first = plan.as_ref().and_then(|name| self.plan_now(&name.value));
        let first = first.and_then(|plan| plan.members().next());
        let item = item.as_ref().map(|name| name.value.as_str()).or(first).unwrap_or_default();
        let id = json!(self.listed(item, pick).await);
        let properties = &mut body["properties"];
        match matches!(step, Step::ChangeRecoveryPoint(_)) {
            true => properties["recoveryPointId"] = id,
            false => properties["providerSpecificDetails"]["recoveryPointId"] = id,
        }
    }

    /// The id of a point on the item's list; one of nobody's when the list does not help.
    async fn listed(&self, item: &str, pick: PointPick) -> String {
        let points = self.client.points(item).await.unwrap_or_default();
        let mut app = points.iter().filter(|(_, kind)| kind.contains("Application"));
        let found = match pick {
            PointPick::Oldest => points.first(),
            PointPick::AppConsistent => app.next_back(),
            PointPick::Unlisted => None,
        };
        found.map_or_else(|| "no-such-point".to_owned(), |(id, _)| id.clone())
    }
}
