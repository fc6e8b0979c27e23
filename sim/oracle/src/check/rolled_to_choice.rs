//! The target is rolled to a point it holds, and the copy that is powered on is the point that was chosen
//! (C16, E20).

use super::Check;
use crate::facts::Facts;
use crate::violation::Report;
use failback_wire::event::{Actor, Event, What};
use failback_wire::ids::Site;

pub(crate) struct RolledToChoice;

impl Check for RolledToChoice {
    fn on(&self, facts: &Facts, event: &Event, report: &mut Report<'_>) {
        if let What::Rolled { session, point, mark } = &event.what {
            let held = facts.sessions.get(session).and_then(|s| s.holds(point, *mark));
            if held.is_none_or(|(stored, _)| stored != *mark) {
                let mark = mark.0;
                report.say(format!(
                    "{session} was rolled to point {point} (mark {mark}), which it does not hold"
                ));
            }
        }
        let What::PowerChanged { vm, on: true, by: Actor::Product } = &event.what else { return };
        let Some((n, site)) = facts.copy_of(vm) else { return };
        let machine = &facts.machines[n];
        let Some(choice) = machine.pending.as_ref().filter(|c| c.to == site) else { return };
        let rolled = facts.sessions.get(&choice.session).and_then(|s| s.rolled.as_ref());
        let (name, point, session) = (&machine.name, &choice.point, &choice.session);
        match rolled {
            Some((rolled, mark)) if (rolled, *mark) != (point, choice.mark) => report.say(format!(
                "{name} was powered on at {site}: point {point} of {session} was chosen, {rolled} is on its disks"
            )),
            Some(_) => {}
            // On the way to Azure disks are made from the point's own copy; nothing need be rolled.
            None if site == Site::Azure => {}
            None => report.say(format!(
                "{name} was powered on at {site}: point {point} of {session} was chosen, its disks were never rolled"
            )),
        }
    }
}
