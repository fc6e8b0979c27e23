//! Sessions and their recovery points as the events show them.

use failback_wire::clock::VirtualMs;
use failback_wire::event::{Mark, PointKind};
use failback_wire::ids::{NodeName, PointId, SessionId};
use std::collections::{BTreeMap, BTreeSet};

/// One direction of replication of one machine.
#[derive(Clone, Debug, Default)]
pub(crate) struct Session {
    /// Points the target said it holds, those it let go included.
    pub(crate) stored: BTreeMap<PointId, (Mark, PointKind)>,
    /// The machine that holds them.
    pub(crate) keeper: Option<NodeName>,
    /// Points it let go, and when.
    pub(crate) pruned: BTreeMap<PointId, VirtualMs>,
    /// When the keeper forgot the session.
    pub(crate) ended: Option<VirtualMs>,
    /// What its disks hold, once rolled.
    pub(crate) rolled: Option<(PointId, Mark)>,
}

impl Session {
    /// True when the target holds this point.
    pub(crate) fn holds(&self, point: &PointId) -> bool {
        self.stored.contains_key(point) && self.gone(point).is_none()
    }
    /// True when the target held this point at `since` or later.
    pub(crate) fn held(&self, point: &PointId, since: VirtualMs) -> bool {
        self.stored.contains_key(point) && self.gone(point).is_none_or(|at| at >= since)
    }
    /// True while the target holds a point, offered or not.
    pub(crate) fn holds_any(&self) -> bool {
        self.stored.keys().any(|point| self.gone(point).is_none())
    }
    fn gone(&self, point: &PointId) -> Option<VirtualMs> {
        self.pruned.get(point).copied().into_iter().chain(self.ended).min()
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
    /// Points that were offered and are no more.
    pub(crate) withdrawn: BTreeSet<(SessionId, PointId)>,
}

impl Offers {
    /// Offered.
    pub(crate) fn offer(&mut self, point: &PointId, offer: Offer) {
        self.withdrawn.remove(&(offer.session.clone(), point.clone()));
        self.now.insert(point.clone(), offer);
    }
    /// No longer offered.
    pub(crate) fn withdraw(&mut self, point: &PointId) {
        if let Some(offer) = self.now.remove(point) {
            self.withdrawn.insert((offer.session, point.clone()));
        }
    }
}
