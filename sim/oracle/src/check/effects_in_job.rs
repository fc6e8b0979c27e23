//! The product touches a machine only while a job on it is open: a job that succeeded has no late effects.
//! One that failed may: a request that it gave up on can still reach the other side.

use super::Check;
use crate::facts::{Facts, Touch};
use crate::violation::Report;
use failback_wire::event::{Actor, Event};

pub(crate) struct EffectsInJob;

impl Check for EffectsInJob {
    fn on(&self, facts: &Facts, event: &Event, report: &mut Report<'_>) {
        let Some(touch) = Touch::of(event).filter(|t| t.by == Actor::Product) else { return };
        let Some(n) = touch.machine(facts).filter(|n| !facts.jobs.is_busy(*n)) else { return };
        let machine = &facts.machines[n];
        let gave_up = machine.last_end.as_ref().is_some_and(|(state, _)| state != "Succeeded");
        // After a refusal the other invariant speaks.
        if !gave_up && facts.jobs.refused_on(n, machine.name.as_str()).is_none() {
            let name = &machine.name;
            report.say(format!("{name} was touched while no job on it was open: {:?}", event.what));
        }
    }
}
