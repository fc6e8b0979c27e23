//! The product neither deletes nor overwrites the Azure virtual machine or its disks before a commit of
//! the way home was accepted (I1, C20). Rebuilding it for another recovery point is not that, nor is
//! taking back one whose guest never came up.

use super::Check;
use crate::facts::Facts;
use crate::violation::Report;
use failback_wire::event::{Actor, DiskRef, Event, What};
use failback_wire::ids::Site;

pub(crate) struct AzureKept;

impl Check for AzureKept {
    fn on(&self, facts: &Facts, event: &Event, report: &mut Report<'_>) {
        if let What::VmDeleted { vm, by: Actor::Product } = &event.what
            && let Some((n, Site::Azure)) = facts.copy_of(vm)
            && kept(facts, n)
        {
            report.say(format!("the Azure virtual machine of {} was deleted before commit", vm.name));
        }
        if let What::DiskDeleted { disk: disk @ DiskRef::Managed(name), by: Actor::Product } = &event.what
            && let Some(n) = facts.home_of(disk)
            && kept(facts, n)
        {
            let machine = &facts.machines[n].name;
            report.say(format!("the Azure disk {name} of {machine} was deleted before commit"));
        }
        if let What::DiskWritten { disk: disk @ DiskRef::Managed(name), writer, .. } = &event.what
            && let Some(n) = facts.home_of(disk)
            && kept(facts, n)
        {
            let machine = &facts.machines[n].name;
            report
                .say(format!("the Azure disk {name} of {machine} was overwritten by {writer} before commit"));
        }
    }
}

fn kept(facts: &Facts, n: usize) -> bool {
    let machine = &facts.machines[n];
    machine.azure_live && !machine.azure_released && !changes_point(facts, n)
}

/// Words of operations that put a failed-over machine on another recovery point (C7).
const CHANGES: &[&str] =
    &["changepit", "change recovery", "changerecovery", "change-recovery", "applyrecovery"];

fn changes_point(facts: &Facts, n: usize) -> bool {
    facts.jobs.open_on(n).any(|(_, job)| {
        let words = format!("{} {}", job.operation.as_deref().unwrap_or_default(), job.scenario);
        let words = words.to_ascii_lowercase();
        CHANGES.iter().any(|known| words.contains(known))
    })
}
