//! At most one request at a time works on an item. Jobs that a plan's job made for its members belong to
//! that one request.

use super::Check;
use crate::facts::{Facts, short};
use crate::violation::Report;
use failback_wire::event::{Event, What};

pub(crate) struct OneJobPerItem;

impl Check for OneJobPerItem {
    fn on(&self, facts: &Facts, event: &Event, report: &mut Report<'_>) {
        let What::RequestAccepted { target, job, operation } = &event.what else { return };
        for n in facts.jobs.named(&short(target)).unwrap_or_default() {
            let mut others = facts.jobs.open_on(n).filter(|(id, other)| {
                let asked_for = other.operation.is_some() && facts.jobs.named(&other.target).is_some();
                *id != job && asked_for && !other.doubtful
            });
            if let Some((other, _)) = others.next() {
                let name = &facts.machines[n].name;
                report.say(format!(
                    "{operation} of {target} was accepted as {job} while {other} works on {name}"
                ));
            }
        }
    }
}
