//! What can be seen of the subscription without a hash of anything: for the oracle's plain observations.

use super::Azure;
use super::model::Power;
use failback_replication::disk::Disk;

impl Azure {
    /// All virtual machines by their guests' names, and whether each has power.
    pub fn vms(&self) -> Vec<(String, bool)> {
        self.with(|m| m.vms.values().map(|vm| (vm.known_as.clone(), vm.power == Power::Running)).collect())
    }
    /// All managed disks with their content.
    pub fn disks(&self) -> Vec<(String, Disk)> {
        self.with(|m| m.disks.values().map(|v| (v.name.clone(), v.content.clone())).collect())
    }
    /// Operations that nobody finished and access that nobody took back.
    pub fn leftovers(&self) -> Vec<String> {
        self.with(|m| {
            // One that is stuck is Azure's own affair.
            let stuck = |id: &String| m.operations.get(id).is_some_and(|operation| operation.stuck);
            let busy = m.busy.iter().filter(|(_, id)| !stuck(id)).map(|(target, _)| target);
            let busy = busy.map(|target| format!("Azure operation on {target:?}"));
            let granted = m.disks.values().filter(|v| v.access.is_some());
            busy.chain(granted.map(|v| format!("access granted to disk {}", v.name))).collect()
        })
    }
}
