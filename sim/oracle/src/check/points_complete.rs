//! A recovery point is stored only for a mark that was cut, and offered only when it is stored: complete
//! on every disk, of the kind that was cut, for the machine it was cut on (R2, E1, E11).

use super::Check;
use crate::facts::Facts;
use crate::violation::Report;
use failback_wire::event::{Event, Mark, PointKind, What};
use failback_wire::ids::{PointId, SessionId};

pub(crate) struct PointsComplete;

impl Check for PointsComplete {
    fn on(&self, facts: &Facts, event: &Event, report: &mut Report<'_>) {
        if let What::MarkCut { copy, session, mark, .. } = &event.what {
            if let Some(other) = facts.session_of(session).filter(|m| m.name != copy.machine) {
                report.say(format!("{copy} cut a mark in session {session}, which is {}'s", other.name));
            }
            if let Some(machine) = facts.machine(&copy.machine)
                && let Some(cut) = machine.find_cut(session, *mark)
                && machine.moved_since(copy.site, cut)
            {
                report.say(format!("{copy} cut mark {} of {session} twice, with writes between", mark.0));
            }
        }
        if let What::PointStored { session, point, mark, kind } = &event.what {
            cut(facts, session, point, *mark, *kind, "stored", report);
            if facts.sessions.get(session).is_some_and(|known| known.holds(point, *mark).is_some()) {
                report.say(format!("point {point} of {session} is stored twice"));
            }
        }
        if let What::PointOffered { item, session, point, mark, kind } = &event.what {
            if facts.machine(item).is_some_and(|m| m.find_cut(session, *mark).is_none()) {
                report.say(format!("point {point} is offered for {item}, whose copies never cut its mark"));
            }
            let since = facts.sight(event.at);
            match facts.sessions.get(session).and_then(|s| s.held(point, *mark, since)) {
                None => report.say(format!("point {point} of {session} is offered, but the target does not hold it")),
                Some(stored) if stored != (*mark, *kind) => report.say(format!(
                    "point {point} of {session} is offered as mark {} ({kind:?}), but stored as mark {} ({:?})",
                    mark.0, stored.0.0, stored.1
                )),
                Some(_) => {}
            }
        }
    }
}

fn cut(
    facts: &Facts,
    session: &SessionId,
    point: &PointId,
    mark: Mark,
    kind: PointKind,
    verb: &str,
    report: &mut Report<'_>,
) {
    match facts.session_of(session).and_then(|m| m.find_cut(session, mark)) {
        None => report
            .say(format!("point {point} of {session} is {verb} for mark {}, which was never cut", mark.0)),
        Some(cut) if cut.kind != kind => report.say(format!(
            "point {point} of {session} is {verb} as {kind:?}, but its mark was cut as {:?}",
            cut.kind
        )),
        Some(_) => {}
    }
}
