//! In a recovery plan no machine is started before those of earlier boot groups (L2).

use super::Check;
use crate::facts::Facts;
use crate::violation::Report;
use failback_wire::event::{Actor, Event, What};

pub(crate) struct BootOrder;

impl Check for BootOrder {
    fn on(&self, facts: &Facts, event: &Event, report: &mut Report<'_>) {
        let What::PowerChanged { vm, on: true, by: Actor::Product } = &event.what else { return };
        let Some((n, site)) = facts.copy_of(vm) else { return };
        for (group, latest) in facts.jobs.boots(n, site) {
            if latest > group {
                let name = &facts.machines[n].name;
                report.say(format!(
                    "{name} of boot group {} was started after a machine of group {}",
                    group + 1,
                    latest + 1
                ));
            }
        }
    }
}
