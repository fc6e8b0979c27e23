//! Recovery points: what a step's word is on the wire, and which one of the list it picks.

use super::play::Driver;
use super::steps::LOOK;
use crate::scenario::model::{PointPick, RecoveryPoint, Step, TestFailover};
use crate::scenario::step::Operation;
use crate::scenario::text::{Name, Spanned};
use failback_orchestrator::config::FinalChanges;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long a persistent operator asks for a list that nobody tells.
const INSISTS: Duration = Duration::from_secs(15 * 60);

/// `providerSpecificDetails` of a failover to Azure, or of a test failover. `id`: of the point that is picked.
fn forward(point: RecoveryPoint, id: Option<String>) -> Value {
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
    if let Some(id) = id {
        details["recoveryPointId"] = json!(id);
    }
    details
}

/// The same with the static address of the network card; that a request for one failover may give it is ours.
pub(super) fn to(point: RecoveryPoint, id: Option<String>, address: &Option<Name>) -> Value {
    let mut details = forward(point, id);
    if let Some(address) = address {
        details["replicaIpAddress"] = json!(address.value);
    }
    details
}

/// The same of a failback.
pub(super) fn backward(point: RecoveryPoint, id: Option<String>) -> Value {
    let mut details = forward(point, id);
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

    /// The id of the point that is picked from the list, if one is. For a plan that is a point of its first machine.
    pub(super) async fn picked(
        &self,
        item: &Option<Name>,
        plan: &Option<Name>,
        point: RecoveryPoint,
    ) -> Option<String> {
        let RecoveryPoint::Custom(pick) = point else { return None };
        let first = plan.as_ref().and_then(|name| self.plan_now(name));
        let first = first.and_then(|plan| plan.members().next());
        let item = item.as_ref().map(|name| name.as_str()).or(first).unwrap_or_default();
        Some(self.listed(item, pick).await)
    }

    /// The id of a point on the item's list, which is asked for until it is told; one of nobody's when it does not help.
    pub(super) async fn listed(&self, item: &str, pick: PointPick) -> String {
        let deadline = Instant::now() + INSISTS;
        let points = loop {
            match self.client.points(item).await {
                Ok(points) => break points,
                Err(_) if self.persists() && Instant::now() < deadline => sleep(LOOK).await,
                Err(_) => break Vec::new(),
            }
        };
        let mut app = points.iter().filter(|(_, kind)| kind.contains("Application"));
        let found = match pick {
            PointPick::Oldest => points.first(),
            PointPick::AppConsistent => app.next_back(),
            PointPick::Unlisted => None,
        };
        found.map_or_else(|| "no-such-point".to_owned(), |(id, _)| id.clone())
    }

    /// Tells the oracle whether the step asks for the newest point, as far as it asks for one. Where the last changes of a
    /// machine that is shut down stay behind, the newest point is not what comes home.
    pub(super) fn tell_whether_newest(&self, step: &Step, operation: &Operation<'_>) {
        let drains = self.world.product_config().knobs.settings.final_changes == FinalChanges::Drain;
        let newest = if let Step::Failover(failover) = step {
            failover.point == RecoveryPoint::Latest
        } else if let Step::Failback(failback) = step {
            failback.point == RecoveryPoint::Latest && drains
        } else if let Step::ChangeRecoveryPoint(_) = step {
            false
        } else {
            return;
        };
        for machine in operation.machines(&self.checked.inventory) {
            let item = machine.into();
            self.world.recorder.oracle(|oracle| oracle.asks_newest(&item, newest));
        }
    }
}
