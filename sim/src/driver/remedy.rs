//! What the texts of errors and alerts ask of a person, where no waiting helps.

use crate::scenario::fault::{
    Change, ConfigurationServerFault, MasterTargetFault, OnMasterTarget, VcenterFault,
};
use crate::scenario::inventory::{Inventory, MasterTarget};
use crate::scenario::text::Spanned;
use failback_orchestrator::catalogue::{
    control::STALE_ROW, documented::MT_HEARTBEAT, execution::STOP_FAILED,
};
use failback_wire::error::ErrorDoc;

/// What to change in the world after something asked of these machines ended with these codes, or while they show them.
pub(super) fn of(codes: &[String], machines: &[&str], inventory: &Inventory) -> Vec<Change> {
    let told = |doc: &ErrorDoc| codes.iter().any(|code| code == doc.code);
    let mut changes = Vec::new();
    if told(&STALE_ROW) {
        changes.extend(machines.iter().map(|machine| row_deleted(machine)));
    }
    if told(&MT_HEARTBEAT) || told(&STOP_FAILED) {
        let dumb = inventory.master_targets.iter().filter(|target| !target.setup.nic_onboot);
        changes.extend(dumb.flat_map(brought_up));
    }
    changes
}

/// What to change first where this could not be changed: a disk that is to be attached comes off the master target that
/// still holds it.
pub(super) fn before(change: &Change, inventory: &Inventory) -> Vec<Change> {
    let Change::Vcenter(Spanned { value: VcenterFault::AttachDisk { file, .. }, .. }) = change else {
        return Vec::new();
    };
    let off = |target: &MasterTarget| VcenterFault::DetachDisk { vm: target.id.clone(), file: file.clone() };
    inventory.master_targets.iter().map(|target| Change::Vcenter(Spanned::unplaced(off(target)))).collect()
}

fn row_deleted(machine: &str) -> Change {
    let delete = ConfigurationServerFault::DeleteMachine { machine: machine.to_owned() };
    Change::ConfigurationServer(Spanned::unplaced(delete))
}

/// Its network card comes up at boot from now on, and it boots (P28).
fn brought_up(target: &MasterTarget) -> [Change; 3] {
    let (name, vm) = (Spanned::unplaced(target.id.clone()), target.id.clone());
    let onboot = OnMasterTarget { name, change: Spanned::unplaced(MasterTargetFault::NicOnboot) };
    let off = VcenterFault::PowerOff { vm: vm.clone() };
    let on = VcenterFault::PowerOn { vm };
    [
        Change::MasterTarget(onboot),
        Change::Vcenter(Spanned::unplaced(off)),
        Change::Vcenter(Spanned::unplaced(on)),
    ]
}
