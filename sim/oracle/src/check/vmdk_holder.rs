//! A VMDK has at most one holder, and exactly one when no job has a detach or attach open (I4, P20).
//!
//! A job that failed and said why may leave its machine's VMDKs between holders: what happens then is not
//! documented, retrying is (domain section 7, conflict 7). Who removes the machine from the vault alone instead finds
//! them there, for nothing but the vault is touched (C23). Double attachments by others are their doing.

use super::{Check, World};
use crate::facts::Facts;
use crate::violation::Report;
use failback_wire::event::{Actor, DiskRef, Event, What};

pub(crate) struct VmdkHolder;

impl Check for VmdkHolder {
    fn on(&self, facts: &Facts, event: &Event, report: &mut Report<'_>) {
        if let What::DiskAttached { disk, vm, by: Actor::Product } = &event.what
            && Facts::is_vmdk(disk)
            && let Some(holder) = facts.inventory.holders(disk).iter().find(|h| *h != vm)
        {
            report.say(format!("{disk:?} is attached to {} while {} still holds it", vm.name, holder.name));
        }
        if let What::JobEnded { job, state, code } = &event.what
            && !(state == "Failed" && code.is_some())
            && let Some(job) = facts.jobs.all.get(job).filter(|job| !job.touches_the_vault_alone())
        {
            for (disk, n) in unheld(facts) {
                let only = facts.jobs.open_on(n).count() <= 1;
                if only && facts.jobs.concerned(&job.target).contains(&n) {
                    let machine = &facts.machines[n].name;
                    report.say(format!("{disk:?} of {machine} has no holder after a job that {state}"));
                }
            }
        }
    }
    fn settle(&self, world: &World<'_>, report: &mut Report<'_>) {
        for (disk, n) in unheld(world.facts) {
            let machine = &world.facts.machines[n];
            if !world.facts.jobs.is_busy(n) && !machine.last_failed() && !machine.left_between {
                report.say(format!("{disk:?} of {} has no holder, and no job is at it", machine.name));
            }
        }
    }
}

/// Protected machines' VMDKs that the product left without a holder.
fn unheld(facts: &Facts) -> impl Iterator<Item = (&DiskRef, usize)> {
    let kept = |disk: &&DiskRef| {
        !facts.left_out(disk) && facts.inventory.disks.get(disk).is_none_or(|fact| !fact.abandoned)
    };
    facts.inventory.loose().filter(kept).filter_map(|disk| Some((disk, facts.home_of(disk)?)))
}
