//! The product touches nothing foreign, and of a master target nothing but the replicated disks it
//! attaches and detaches there (P17: it does not even remove its snapshots). A disk that was left out of the protection
//! or of a way home may be taken off its machine, but its file stays (P37).

use super::Check;
use crate::facts::{Facts, Kind, Touch};
use crate::violation::Report;
use failback_wire::event::{Actor, DiskRef, Event, What};

pub(crate) struct ForeignUntouched;

impl Check for ForeignUntouched {
    fn on(&self, facts: &Facts, event: &Event, report: &mut Report<'_>) {
        if let What::DiskWritten { disk, writer, .. } = &event.what
            && facts.inventory.disks.get(disk).is_some_and(|d| d.foreign)
        {
            report.say(format!("{writer} wrote to {disk:?}, which is foreign"));
        }
        if let What::DiskDeleted { disk, by: Actor::Product } = &event.what
            && facts.left_out(disk)
        {
            report.say(format!("the product deleted {disk:?}, which was left out"));
        }
        if let What::DiskDeleted { disk: disk @ DiskRef::Managed(_), by: Actor::Product } = &event.what
            && !facts.inventory.disks.get(disk).is_some_and(|d| d.made_by_product)
        {
            report.say(format!("the product deleted {disk:?}, which it had not made"));
        }
        let Some(touch) = Touch::of(event).filter(|t| t.by == Actor::Product) else { return };
        if let Some(disk) = touch.disk
            && facts.inventory.disks.get(disk).is_some_and(|d| d.foreign)
        {
            report.say(format!("the product touched {disk:?}, which is foreign"));
        }
        let Some(vm) = touch.vm else { return };
        match facts.inventory.kind(vm) {
            Kind::Own => {}
            Kind::Foreign => {
                report.say(format!("the product touched {} at {}, which is foreign", vm.name, vm.site))
            }
            Kind::Infrastructure => {
                let replicated = touch.disk.is_some_and(|disk| {
                    let fact = facts.inventory.disks.get(disk);
                    fact.is_some_and(|f| f.home.is_some() || f.made_by_product)
                });
                if !replicated {
                    report
                        .say(format!("the product changed the master target {}: {:?}", vm.name, event.what));
                }
            }
        }
    }
}
