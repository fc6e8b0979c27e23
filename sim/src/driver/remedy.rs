//! What the texts of refusals ask of a person, where no waiting helps.

use crate::scenario::fault::{
    Change, ConfigurationServerFault, MasterTargetFault, OnMasterTarget, VcenterFault,
};
use crate::scenario::inventory::{Inventory, MasterTarget};
use crate::scenario::text::Spanned;
use failback_orchestrator::catalogue::{control::STALE_ROW, documented::MT_HEARTBEAT};

/// What to change in the world after something asked of these machines was refused with these codes.
pub(super) fn of(codes: &[String], machines: &[&str], inventory: &Inventory) -> Vec<Change> {
    let refused_with = |code: &str| codes.iter().any(|refused| refused == code);
    let mut changes = Vec::new();
    if refused_with(STALE_ROW.code) {
        changes.extend(machines.iter().map(|machine| row_deleted(machine)));
    }
    if refused_with(MT_HEARTBEAT.code) {
        let dumb = inventory.master_targets.iter().filter(|target| !target.setup.nic_onboot);
        changes.extend(dumb.flat_map(brought_up));
    }
    changes
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
