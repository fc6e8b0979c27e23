//! A refused request has no effect (I8): nothing of its target is touched before the next request is
//! accepted, nor was while its preconditions were looked at.

use super::Check;
use crate::facts::{Facts, Touch};
use crate::violation::Report;
use failback_wire::event::{Actor, Event, What};

pub(crate) struct RefusalTouchesNothing;

impl Check for RefusalTouchesNothing {
    fn on(&self, facts: &Facts, event: &Event, report: &mut Report<'_>) {
        if let What::JobEnded { job: id, state, code } = &event.what
            && let Some(job) = facts.jobs.all.get(id)
            && job.touched
            && job.was_refused(state, code.as_ref())
        {
            report.say(format!("{} was touched before its request ({id}) was refused", job.target));
        }
        let Some(touch) = Touch::of(event).filter(|t| t.by == Actor::Product) else { return };
        let Some(n) = touch.machine(facts).filter(|n| !facts.jobs.is_busy(*n)) else { return };
        let machine = &facts.machines[n].name;
        if let Some((target, codes)) = facts.jobs.refused_on(n, machine.as_str()) {
            let codes = codes.join(", ");
            report.say(format!("the request on {target} was refused ({codes}), yet {machine} was touched"));
        }
    }
}
