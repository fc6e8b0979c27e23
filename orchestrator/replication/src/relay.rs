//! The relay's half, as the process server runs it: a bounded queue of frames that are passed on in order.
//!
//! A frame is taken once, however often it comes, and only in turn: one that is ahead is left to be
//! sent again.
//! The queue is part of the server's cache and outlives its software.

use crate::frame::{self, FrameError, Head};
use bytes::Bytes;
use failback_wire::canary::{Canary, Planted};
use failback_wire::clock::VirtualMs;
use failback_wire::ids::DiskId;
use failback_wire::proto::session::{Ack, DiskProgress, Phase, SessionSpec, SessionView};
use std::collections::{BTreeMap, VecDeque};

/// Bytes of frames that one call passes on, at most (unless one frame alone is longer).
const BATCH: usize = 320 << 10;

/// Why frames are not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RelayError {
    /// The bytes are not whole, intact frames.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// A frame names another session.
    #[error("the frame belongs to another session")]
    OtherSession,
    /// The sender was superseded.
    #[error("epoch {0} has been superseded")]
    StaleEpoch(u64),
    /// The sender is ahead: this relay was not told of its epoch.
    #[error("epoch {0} is not known here yet")]
    EpochAhead(u64),
    /// Stopped: no more frames.
    #[error("the session is stopped")]
    Stopped,
    /// The cache is full; later.
    #[error("the cache is full")]
    Busy,
    /// The target asks for a resynchronisation.
    #[error("a resynchronisation is required: {0}")]
    ResyncRequired(String),
}

/// A frame where it lies in the body of the call that brought it. The cache keeps a body until its last
/// frame is passed on: at most one call's worth more than is accounted for.
#[derive(Clone, Debug)]
struct Held {
    head: Head,
    body: Bytes,
    at: usize,
}

impl Held {
    fn end(&self) -> usize {
        self.at + self.head.len
    }
    /// True when `next` follows right behind in the same body.
    fn adjoins(&self, next: &Self) -> bool {
        // Of two copies in the same memory, one may have been cut short.
        let same = self.body.as_ptr() == next.body.as_ptr() && self.body.len() == next.body.len();
        same && self.end() == next.at
    }
}

/// The relay half of one session. A clone is its durable image.
#[derive(Clone, Debug)]
pub struct Relay {
    spec: SessionSpec,
    phase: Phase,
    queue: VecDeque<Held>,
    bytes: u64,
    received: u64,
    passed: u64,
    synced: BTreeMap<DiskId, bool>,
    last_mark: Option<VirtualMs>,
    resync_required: Option<String>,
    planted: Planted,
}

impl Relay {
    /// A new session.
    pub fn new(spec: SessionSpec) -> Self {
        let synced = spec.disks.iter().map(|d| (d.disk.clone(), false)).collect();
        Self {
            spec,
            phase: Phase::Waiting,
            queue: VecDeque::new(),
            bytes: 0,
            received: 0,
            passed: 0,
            synced,
            last_mark: None,
            resync_required: None,
            planted: Planted::default(),
        }
    }
    /// The same with this bug planted in it.
    #[must_use]
    pub fn with_planted(self, planted: Planted) -> Self {
        Self { planted, ..self }
    }
    /// What was agreed on.
    pub fn spec(&self) -> &SessionSpec {
        &self.spec
    }
    /// Where it stands.
    pub fn phase(&self) -> Phase {
        self.phase
    }
    /// Bytes in the cache.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
    /// True when everything received has been passed on.
    pub fn drained(&self) -> bool {
        self.queue.is_empty()
    }

    /// Takes the session up: nothing for the epoch in force, a new beginning for a higher one.
    ///
    /// # Errors
    /// For a lower epoch.
    pub fn take_up(&mut self, spec: SessionSpec) -> Result<bool, RelayError> {
        if spec.epoch < self.spec.epoch {
            return Err(RelayError::StaleEpoch(spec.epoch));
        }
        let fresh = spec.epoch > self.spec.epoch;
        if fresh {
            // Until the target has the new epoch's first mark, the last one that arrived is the old one's.
            let (last_mark, planted) = (self.last_mark, self.planted);
            *self = Self { last_mark, planted, ..Self::new(spec) };
        }
        Ok(fresh)
    }

    /// Takes the frames of one call, as far as they are intact, new and in turn, and `room` bytes last.
    ///
    /// # Errors
    /// When the first frame that is not taken is wrong; frames before it are kept.
    pub fn accept(&mut self, body: &Bytes, mut room: u64) -> Result<Ack, RelayError> {
        let (mut next, before) = (0, self.received);
        while next < body.len() {
            let head = frame::inspect(&body[next..])?;
            let at = next;
            next += head.len;
            self.admit(&head)?;
            if head.seq != self.received + 1 {
                continue;
            }
            if head.len as u64 > room && self.planted.is(Canary::BusyCounts) {
                self.received = head.seq;
                continue;
            }
            if head.len as u64 > room {
                // Half a call taken is progress: the sender comes back with the rest at once.
                return if self.received > before { Ok(self.ack()) } else { Err(RelayError::Busy) };
            }
            room -= head.len as u64;
            self.received = head.seq;
            self.bytes += head.len as u64;
            if self.phase == Phase::Waiting {
                self.phase = Phase::Synchronising;
            }
            if let Some(disk) = &head.synced {
                self.synced.insert(disk.clone(), true);
            }
            if let Some(time) = head.mark {
                self.last_mark = Some(time);
                self.phase = Phase::Replicating;
            }
            self.queue.push_back(Held { head, body: body.clone(), at });
        }
        Ok(self.ack())
    }

    fn admit(&self, head: &Head) -> Result<(), RelayError> {
        if head.session != self.spec.session {
            return Err(RelayError::OtherSession);
        }
        if head.epoch < self.spec.epoch {
            return Err(RelayError::StaleEpoch(head.epoch));
        }
        if head.epoch > self.spec.epoch {
            return Err(RelayError::EpochAhead(head.epoch));
        }
        if let Some(why) = &self.resync_required {
            return Err(RelayError::ResyncRequired(why.clone()));
        }
        match self.phase {
            Phase::Stopped | Phase::Rolled if head.seq > self.received => Err(RelayError::Stopped),
            Phase::Stopped | Phase::Rolled => Ok(()),
            Phase::Waiting | Phase::Synchronising | Phase::Replicating => Ok(()),
        }
    }

    /// What is held and passed on.
    pub fn ack(&self) -> Ack {
        Ack { received: self.received, applied: self.passed }
    }
    /// The frames to pass on next, back to back; `None` when there is nothing. What came in one call and is
    /// still whole goes on as it came; only a backlog of several calls is copied together.
    pub fn next(&self) -> Option<Bytes> {
        let mut pieces = Vec::<Bytes>::new();
        let (mut first, mut total) = (self.queue.front()?, 0);
        let mut last = first;
        for held in &self.queue {
            if total > 0 && total + held.head.len > BATCH {
                break;
            }
            if total > 0 && !last.adjoins(held) {
                pieces.push(first.body.slice(first.at..last.end()));
                first = held;
            }
            total += held.head.len;
            last = held;
        }
        pieces.push(first.body.slice(first.at..last.end()));
        Some(match pieces.as_slice() {
            [whole] => whole.clone(),
            several => several.concat().into(),
        })
    }
    /// How many of the first `bytes` of the queue are blocks' frames: what a limit of bandwidth counts.
    pub fn data_in(&self, bytes: usize) -> u64 {
        let mut end = 0;
        let first = self.queue.iter().take_while(|held| {
            end += held.head.len;
            end <= bytes
        });
        first.filter(|held| held.head.disk.is_some()).map(|held| held.head.len as u64).sum()
    }
    /// The target of `epoch` holds everything up to `applied`. False when it misses frames that are gone from
    /// here: then the session needs a resynchronisation, and says so.
    pub fn on_applied(&mut self, epoch: u64, applied: u64) -> bool {
        if epoch != self.spec.epoch {
            return true;
        }
        if applied < self.passed || applied > self.received {
            self.require_resync("the target and the process server disagree on what was applied");
            return false;
        }
        self.passed = applied;
        while self.queue.front().is_some_and(|h| h.head.seq <= applied) {
            if let Some(gone) = self.queue.pop_front() {
                self.bytes -= gone.head.len as u64;
            }
        }
        true
    }
    /// The session cannot go on in this epoch.
    pub fn require_resync(&mut self, why: &str) {
        self.resync_required = Some(why.to_owned());
        self.queue.clear();
        self.bytes = 0;
    }
    /// Takes no more frames; what was received is passed on.
    pub fn stop(&mut self) {
        self.phase = Phase::Stopped;
    }
    /// The session as the relay sees it.
    pub fn view(&self) -> SessionView {
        let in_relay = |disk: &DiskId| {
            let of = |h: &&Held| h.head.disk.as_ref() == Some(disk);
            self.queue.iter().filter(of).map(|h| h.head.len as u64).sum()
        };
        let progress = |(disk, synced): (&DiskId, &bool)| DiskProgress {
            disk: Some(disk.clone()),
            synced: *synced,
            in_relay: in_relay(disk),
            ..DiskProgress::default()
        };
        SessionView {
            session: self.spec.session.clone(),
            epoch: self.spec.epoch,
            phase: self.phase,
            applied: self.passed,
            received: self.received,
            last_mark: self.last_mark,
            points: Vec::new(),
            disks: self.synced.iter().map(progress).collect(),
            rolled_to: None,
            resync_required: self.resync_required.clone(),
            refuses: None,
            thinned: Vec::new(),
            kept: None,
        }
    }
}

#[cfg(test)]
mod tests;
