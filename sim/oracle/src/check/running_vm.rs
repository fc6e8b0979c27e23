//! Nothing is written to a VMDK under a running virtual machine, and the product takes none away from
//! one; a master target runs, of course (E18, C12).

use super::Check;
use crate::facts::{Facts, Kind};
use crate::violation::Report;
use failback_wire::event::{Actor, DiskRef, Event, What};

pub(crate) struct RunningVm;

impl Check for RunningVm {
    fn on(&self, facts: &Facts, event: &Event, report: &mut Report<'_>) {
        let runs = |vm| facts.inventory.is_on(vm) && facts.inventory.kind(vm) != Kind::Infrastructure;
        if let What::DiskWritten { disk: disk @ DiskRef::Vmdk(uuid), writer, .. } = &event.what
            && let Some(vm) = facts.inventory.holders(disk).iter().find(|vm| runs(*vm))
        {
            report.say(format!("{writer} wrote to VMDK {uuid} under the running {}", vm.name));
        }
        if let What::DiskDetached { disk: DiskRef::Vmdk(uuid), vm, by: Actor::Product } = &event.what
            && runs(vm)
        {
            report.say(format!("VMDK {uuid} was detached from the running {}", vm.name));
        }
    }
}
