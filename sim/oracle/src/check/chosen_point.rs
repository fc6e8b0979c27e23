//! A failover goes to a point of that item which the target holds and which was not withdrawn (R6, E12); to the newest
//! one, when that was asked for (R5).

use super::Check;
use crate::facts::Facts;
use crate::violation::Report;
use failback_wire::event::{Event, What};

pub(crate) struct ChosenPoint;

impl Check for ChosenPoint {
    fn on(&self, facts: &Facts, event: &Event, report: &mut Report<'_>) {
        let What::PointChosen { item, session, point, mark, .. } = &event.what else { return };
        if facts.machine(item).is_some_and(|m| m.find_cut(session, *mark).is_none()) {
            report.say(format!("point {point} was chosen for {item}, whose copies never cut its mark"));
        }
        let since = facts.sight(event.at);
        match facts.sessions.get(session).and_then(|s| s.held(point, *mark, since)) {
            None => {
                report.say(format!("point {point} of {session} was chosen, but the target does not hold it"))
            }
            Some((stored, _)) if stored != *mark => report.say(format!(
                "point {point} of {session} was chosen as mark {}, but is mark {}",
                mark.0, stored.0
            )),
            Some(_) => {}
        }
        let newest = facts.sessions.get(session).and_then(|s| s.newest());
        let asked = facts.machine(item).is_some_and(|machine| machine.wants_newest());
        if let Some((_, newest)) = newest.filter(|(newest, _)| asked && newest > mark) {
            report.say(format!(
                "point {point} was chosen for {item}, which was to come up from the newest: {newest}"
            ));
        }
        let withdrawn = (session.clone(), point.clone());
        if facts.offers.get(item).is_some_and(|o| o.withdrawn.contains(&withdrawn)) {
            report.say(format!("point {point} of {session} was chosen after it was withdrawn"));
        }
    }
}
