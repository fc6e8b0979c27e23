//! Sessions and their recovery points as the events show them.

use crate::series::Series;
use failback_wire::clock::VirtualMs;
use failback_wire::event::{Mark, PointKind};
use failback_wire::ids::{NodeName, PointId, SessionId};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A point the target said it holds.
#[derive(Clone, Debug)]
struct Held {
    point: PointId,
    kind: PointKind,
    /// When it let it go.
    gone: Option<VirtualMs>,
}

/// One direction of replication of one machine.
#[derive(Clone, Debug, Default)]
pub(crate) struct Session {
    /// Points the target holds, and those it let go so lately that the product may not know.
    points: Series<Mark, Held>,
    /// The latter, in the order in which they went.
    going: VecDeque<(VirtualMs, Mark)>,
    /// The machine that holds them.
    pub(crate) keeper: Option<NodeName>,
    /// When the keeper forgot the session.
    pub(crate) ended: Option<VirtualMs>,
    /// What its disks hold, once rolled.
    pub(crate) rolled: Option<(PointId, Mark)>,
}

impl Session {
    /// The target holds one more.
    pub(crate) fn store(&mut self, point: &PointId, mark: Mark, kind: PointKind) {
        self.points.insert(mark, Held { point: point.clone(), kind, gone: None });
    }
    /// The target let one go. Those that had gone before `since` are forgotten: nobody may speak of them any more.
    pub(crate) fn prune(&mut self, point: &PointId, at: VirtualMs, since: VirtualMs) -> Vec<(PointId, Mark)> {
        let mark = self.points.iter().find(|(_, held)| held.point == *point).map(|(mark, _)| *mark);
        if let Some(mark) = mark
            && let Some(held) = self.points.get_mut(&mark)
        {
            held.gone = Some(at);
            self.going.push_back((at, mark));
        }
        let mut forgotten = Vec::new();
        while let Some((went, mark)) = self.going.pop_front_if(|(went, _)| *went < since) {
            // It may have been stored again.
            if self.points.get(&mark).is_some_and(|held| held.gone == Some(went))
                && let Some(held) = self.points.remove(&mark)
            {
                forgotten.push((held.point, mark));
            }
        }
        forgotten
    }
    /// The point, wherever it is: at the mark that is spoken of, if all is well.
    fn find(&self, point: &PointId, mark: Mark) -> Option<(Mark, &Held)> {
        let there = self.points.get(&mark).filter(|held| held.point == *point).map(|held| (mark, held));
        let mut all = self.points.iter().map(|(mark, held)| (*mark, held));
        there.or_else(|| all.find(|(_, held)| held.point == *point))
    }
    /// The mark and kind of a point that is said to be of `mark`, if the target holds it.
    pub(crate) fn holds(&self, point: &PointId, mark: Mark) -> Option<(Mark, PointKind)> {
        let (mark, held) = self.find(point, mark)?;
        self.gone(held).is_none().then_some((mark, held.kind))
    }
    /// The same if the target held it at `since` or later.
    pub(crate) fn held(&self, point: &PointId, mark: Mark, since: VirtualMs) -> Option<(Mark, PointKind)> {
        let (mark, held) = self.find(point, mark)?;
        self.gone(held).is_none_or(|at| at >= since).then_some((mark, held.kind))
    }
    /// All that the target held at `since` or later.
    pub(crate) fn all_held(&self, since: VirtualMs) -> impl Iterator<Item = &PointId> {
        let is_held = move |held: &Held| self.gone(held).is_none_or(|at| at >= since);
        self.points.values().filter(move |held| is_held(held)).map(|held| &held.point)
    }
    /// The newest point that the target holds.
    pub(crate) fn newest(&self) -> Option<(Mark, &PointId)> {
        let mut held = self.points.iter().rev().filter(|(_, held)| self.gone(held).is_none());
        held.next().map(|(mark, held)| (*mark, &held.point))
    }
    /// True while the target holds a point, offered or not.
    pub(crate) fn holds_any(&self) -> bool {
        self.points.values().any(|held| self.gone(held).is_none())
    }
    /// True while something is known of the point.
    pub(crate) fn knows(&self, point: &PointId, mark: Mark) -> bool {
        self.find(point, mark).is_some()
    }
    fn gone(&self, held: &Held) -> Option<VirtualMs> {
        held.gone.into_iter().chain(self.ended).min()
    }
}

/// What one item offers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Offers {
    /// Points the operator may choose, by session.
    now: BTreeMap<SessionId, Series<Mark, PointId>>,
    /// Points that were offered and are no more, as long as their target knows of them.
    pub(crate) withdrawn: BTreeSet<(SessionId, PointId)>,
}

impl Offers {
    /// Offered.
    pub(crate) fn offer(&mut self, session: &SessionId, point: &PointId, mark: Mark) {
        if !self.withdrawn.is_empty() {
            self.withdrawn.remove(&(session.clone(), point.clone()));
        }
        self.now.entry(session.clone()).or_default().insert(mark, point.clone());
    }
    /// No longer offered; the session and mark it was offered with.
    pub(crate) fn withdraw(&mut self, point: &PointId) -> Option<(SessionId, Mark)> {
        let place = |(session, points): (&SessionId, &Series<Mark, PointId>)| {
            let mark = points.iter().find(|(_, known)| *known == point).map(|(mark, _)| *mark);
            mark.map(|mark| (session.clone(), mark))
        };
        let (session, mark) = self.now.iter().find_map(place)?;
        self.now.get_mut(&session)?.remove(&mark);
        Some((session, mark))
    }
    /// All that is offered, of each session the newest first.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&SessionId, Mark, &PointId)> {
        let of = |(session, points)| {
            let points: &Series<Mark, PointId> = points;
            points.iter().rev().map(move |(mark, point)| (session, *mark, point))
        };
        self.now.iter().flat_map(of)
    }
}
