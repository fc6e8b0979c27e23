//! What expectations ask about and only events tell: stored points, choices, warnings, how much guests wrote.

use failback_oracle::Series;
use failback_wire::event::{Mark, PointKind, What};
use failback_wire::ids::{MachineName, PointId, SessionId};
use std::collections::{BTreeMap, BTreeSet};

/// A failover's choice, and what there was to choose from.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// The session whose point was chosen.
    pub session: SessionId,
    /// The chosen mark.
    pub mark: Mark,
    /// The newest stored mark at that moment.
    pub newest: Option<Mark>,
    /// The newest stored application-consistent mark at that moment.
    pub newest_app: Option<Mark>,
    /// The oldest stored mark at that moment.
    pub oldest: Option<Mark>,
}

/// Remembers them.
#[derive(Debug, Default)]
pub struct Witness {
    points: BTreeMap<SessionId, Series<Mark, (PointId, PointKind)>>,
    choices: BTreeMap<MachineName, Choice>,
    warnings: BTreeMap<MachineName, BTreeSet<String>>,
    /// Blocks of 4 KiB that guests wrote.
    pub guest_writes: u64,
}

impl Witness {
    #[expect(clippy::wildcard_enum_match_arm, reason = "of all events only these few matter here")]
    pub(super) fn take(&mut self, what: &What) {
        match what {
            What::GuestWrote { .. } => self.guest_writes += 1,
            What::PointStored { session, point, mark, kind } => {
                self.points.entry(session.clone()).or_default().insert(*mark, (point.clone(), *kind));
            }
            What::PointPruned { session, point, .. } => {
                if let Some(points) = self.points.get_mut(session) {
                    let mark = points.iter().find(|(_, (known, _))| known == point).map(|(mark, _)| *mark);
                    mark.and_then(|mark| points.remove(&mark));
                }
            }
            What::Warned { item, code } => {
                self.warnings.entry(item.clone()).or_default().insert(code.clone());
            }
            What::PointChosen { item, session, mark, .. } => {
                let choice = Choice {
                    session: session.clone(),
                    mark: *mark,
                    newest: self.newest(session, None),
                    newest_app: self.newest(session, Some(PointKind::Application)),
                    oldest: self
                        .points
                        .get(session)
                        .and_then(|points| points.iter().next())
                        .map(|(mark, _)| *mark),
                };
                self.choices.insert(item.clone(), choice);
            }
            _ => {}
        }
    }

    fn newest(&self, session: &SessionId, kind: Option<PointKind>) -> Option<Mark> {
        let mut points = self.points.get(session)?.iter().rev();
        points.find(|(_, (_, k))| kind.is_none_or(|kind| kind == *k)).map(|(mark, _)| *mark)
    }

    /// The last failover's choice for this item.
    pub fn choice(&self, item: &MachineName) -> Option<&Choice> {
        self.choices.get(item)
    }
    /// Codes of the warnings this item has shown.
    pub fn warnings(&self, item: &MachineName) -> BTreeSet<String> {
        self.warnings.get(item).cloned().unwrap_or_default()
    }
}
