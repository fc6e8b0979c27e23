//! Sessions and their recovery points as the events show them.

use failback_wire::clock::VirtualMs;
use failback_wire::event::{Mark, PointKind};
use failback_wire::ids::{NodeName, PointId, SessionId};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A point the target said it holds.
#[derive(Clone, Copy, Debug)]
struct Held {
    mark: Mark,
    kind: PointKind,
    /// When it let it go.
    gone: Option<VirtualMs>,
}

/// One direction of replication of one machine.
#[derive(Clone, Debug, Default)]
pub(crate) struct Session {
    /// Points the target holds, and those it let go so lately that the product may not know.
    points: BTreeMap<PointId, Held>,
    /// The latter, in the order in which they went.
    going: VecDeque<(VirtualMs, PointId)>,
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
        self.points.insert(point.clone(), Held { mark, kind, gone: None });
    }
    /// The target let one go. Those that had gone before `since` are forgotten: nobody may speak of them any more.
    pub(crate) fn prune(&mut self, point: &PointId, at: VirtualMs, since: VirtualMs) -> Vec<(PointId, Mark)> {
        if let Some(held) = self.points.get_mut(point) {
            held.gone = Some(at);
            self.going.push_back((at, point.clone()));
        }
        let mut forgotten = Vec::new();
        while let Some((went, point)) = self.going.pop_front_if(|(went, _)| *went < since) {
            // It may have been stored again.
            if self.points.get(&point).is_some_and(|held| held.gone == Some(went))
                && let Some(held) = self.points.remove(&point)
            {
                forgotten.push((point, held.mark));
            }
        }
        forgotten
    }
    /// The point's mark and kind, if the target holds it.
    pub(crate) fn holds(&self, point: &PointId) -> Option<(Mark, PointKind)> {
        let held = self.points.get(point)?;
        self.gone(held).is_none().then_some((held.mark, held.kind))
    }
    /// The same if the target held it at `since` or later.
    pub(crate) fn held(&self, point: &PointId, since: VirtualMs) -> Option<(Mark, PointKind)> {
        let held = self.points.get(point)?;
        self.gone(held).is_none_or(|at| at >= since).then_some((held.mark, held.kind))
    }
    /// True while the target holds a point, offered or not.
    pub(crate) fn holds_any(&self) -> bool {
        self.points.values().any(|held| self.gone(held).is_none())
    }
    /// True while something is known of the point.
    pub(crate) fn knows(&self, point: &PointId) -> bool {
        self.points.contains_key(point)
    }
    fn gone(&self, held: &Held) -> Option<VirtualMs> {
        held.gone.into_iter().chain(self.ended).min()
    }
}

/// A point the operator may choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(crate) session: SessionId,
    pub(crate) mark: Mark,
    pub(crate) kind: PointKind,
}

/// What one item offers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Offers {
    pub(crate) now: BTreeMap<PointId, Offer>,
    /// Points that were offered and are no more, as long as their target knows of them.
    pub(crate) withdrawn: BTreeSet<(SessionId, PointId)>,
}

impl Offers {
    /// Offered.
    pub(crate) fn offer(&mut self, point: &PointId, offer: Offer) {
        self.withdrawn.remove(&(offer.session.clone(), point.clone()));
        self.now.insert(point.clone(), offer);
    }
    /// No longer offered.
    pub(crate) fn withdraw(&mut self, point: &PointId) -> Option<Offer> {
        self.now.remove(point)
    }
}
