//! The product powers on at most one copy of a machine (I2).
//!
//! When the source outlives a failed shutdown, failover goes on (C4), but the item must carry a
//! split-brain warning by the end of the job, until reprotect powers the source off. A person who powers
//! on a second copy is not the product.

use super::{Check, World};
use crate::facts::{Facts, Machine};
use crate::violation::Report;
use failback_wire::event::{Event, What};

pub(crate) struct OneCopyOn;

impl Check for OneCopyOn {
    fn on(&self, facts: &Facts, event: &Event, report: &mut Report<'_>) {
        let What::JobEnded { job, .. } = &event.what else { return };
        let Some(job) = facts.jobs.all.get(job) else { return };
        for machine in facts.concerned(&job.target) {
            judge(machine, report);
        }
    }
    fn settle(&self, world: &World<'_>, report: &mut Report<'_>) {
        for (n, machine) in world.facts.machines.iter().enumerate() {
            if !world.facts.jobs.is_busy(n) {
                judge(machine, report);
            }
        }
    }
}

fn judge(machine: &Machine, report: &mut Report<'_>) {
    if machine.beside_source && !machine.split_warned {
        let name = &machine.name;
        report
            .say(format!("{name} was powered on in Azure beside its running source, and nobody was warned"));
    }
}
