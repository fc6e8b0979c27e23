//! Which frame is due, and where a session stands in its stream of frames.

use crate::disk::BLOCK;
use crate::frame::{Body, Frame, Run};
use crate::journal::record::{Record, Stamp, Standing, Step};
use crate::journal::volume::VolumeError;
use crate::source::Marks;
use failback_wire::canary::{Canary, Planted};
use failback_wire::clock::VirtualMs;
use failback_wire::event::{Mark, PointKind};
use failback_wire::ids::{DiskId, PointId, SessionId};
use failback_wire::proto::session::{Ack, DiskProgress, Phase, Point, SessionSpec, SessionView};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Why a target does not do as asked. Nothing was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// The frame or request names another session.
    #[error("it belongs to another session")]
    OtherSession,
    /// The sender was superseded.
    #[error("epoch {0} has been superseded")]
    StaleEpoch(u64),
    /// The target was not told of this epoch.
    #[error("epoch {0} is not known here yet")]
    EpochAhead(u64),
    /// Stopped or rolled: no more frames.
    #[error("the session is stopped")]
    Stopped,
    /// The disks differ from the source; only a new epoch helps.
    #[error("a resynchronisation is required: {0}")]
    ResyncRequired(String),
    /// A disk of the session is not there.
    #[error("disk {0} is not attached")]
    NotAttached(DiskId),
    /// The session does not know this disk.
    #[error("the session has no disk {0}")]
    UnknownDisk(DiskId),
    /// The disk has another size than agreed (E21).
    #[error("disk {0} has changed its size")]
    Resized(DiskId),
    /// Blocks beyond the disk's end.
    #[error("blocks beyond the end of disk {0}")]
    OutOfRange(DiskId),
    /// Mirroring has stopped, for the retention volume is full with only the newest point left (E12), and
    /// still is.
    #[error("the retention volume is full")]
    RetentionFull,
    /// What the disk would hold is not what it ought to: nothing of it is served.
    #[error("{blocks} blocks of disk {disk} are not what they ought to be")]
    Corrupt {
        /// The disk.
        disk: DiskId,
        /// How many, as far as known; at least one.
        blocks: u64,
    },
    /// The journal cannot be written: it must be opened again.
    #[error("the journal cannot be written: {0}")]
    Journal(#[from] VolumeError),
    /// No such point is kept.
    #[error("recovery point {0} is not kept")]
    NoSuchPoint(PointId),
}

/// Whether a frame is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Apply it.
    Now,
    /// It was applied before.
    Already,
    /// Others must come first.
    NotYet,
}

/// Where a session stands in its stream of frames: the durable position at the target.
#[derive(Clone, Debug)]
pub struct Intake {
    /// What was agreed on.
    pub spec: SessionSpec,
    /// Where it stands.
    pub phase: Phase,
    /// Highest frame number applied in this epoch.
    pub applied: u64,
    /// Which disks' synchronisation is complete in this epoch, and blocks received by it.
    pub synced: BTreeMap<DiskId, (bool, u64)>,
    /// Time of the last complete mark, of whichever epoch.
    pub last_mark: Option<VirtualMs>,
    /// Why only a new epoch helps.
    pub resync_required: Option<String>,
    /// The point the disks hold, once rolled.
    pub rolled_to: Option<PointId>,
    /// How many disks a point must cover (R2).
    pub covered: Marks,
    /// The last frame was a seam: this mark, cut at this time.
    pub seam: Option<(Mark, VirtualMs)>,
    /// The bug that is planted in this world.
    pub planted: Planted,
}

impl Intake {
    /// A new session.
    pub fn new(spec: SessionSpec) -> Self {
        let synced = spec.disks.iter().map(|d| (d.disk.clone(), (false, 0))).collect();
        Self {
            spec,
            phase: Phase::Waiting,
            applied: 0,
            synced,
            last_mark: None,
            resync_required: None,
            rolled_to: None,
            covered: Marks::AllDisks,
            seam: None,
            planted: Planted::default(),
        }
    }
    /// Takes the session up: nothing for the epoch in force, a new beginning for a higher one.
    ///
    /// # Errors
    /// For a lower epoch or another session.
    pub fn take_up(&mut self, spec: SessionSpec) -> Result<bool, TargetError> {
        if spec.session != self.spec.session {
            return Err(TargetError::OtherSession);
        }
        if spec.epoch < self.spec.epoch {
            return Err(TargetError::StaleEpoch(spec.epoch));
        }
        let fresh = spec.epoch > self.spec.epoch;
        if fresh {
            let (last_mark, covered, planted) = (self.last_mark, self.covered, self.planted);
            *self = Self { last_mark, covered, planted, ..Self::new(spec) };
        } else {
            self.spec.retention_s = spec.retention_s;
        }
        Ok(fresh)
    }
    /// True when `epoch` is the one in force.
    ///
    /// # Errors
    /// When it is not.
    pub fn check_epoch(&self, epoch: u64) -> Result<(), TargetError> {
        match epoch.cmp(&self.spec.epoch) {
            std::cmp::Ordering::Less => Err(TargetError::StaleEpoch(epoch)),
            std::cmp::Ordering::Greater => Err(TargetError::EpochAhead(epoch)),
            std::cmp::Ordering::Equal => Ok(()),
        }
    }
    /// Whether a frame is due.
    ///
    /// # Errors
    /// When it never will be.
    pub fn due(&self, session: &SessionId, epoch: u64, seq: u64) -> Result<Due, TargetError> {
        if *session != self.spec.session {
            return Err(TargetError::OtherSession);
        }
        self.check_epoch(epoch)?;
        if seq <= self.applied && !self.planted.is(Canary::DuplicateApplied) {
            return Ok(Due::Already);
        }
        if let Some(why) = &self.resync_required {
            return Err(TargetError::ResyncRequired(why.clone()));
        }
        match self.phase {
            Phase::Stopped | Phase::Rolled => Err(TargetError::Stopped),
            Phase::Waiting | Phase::Synchronising | Phase::Replicating if seq > self.applied + 1 => {
                Ok(Due::NotYet)
            }
            Phase::Waiting | Phase::Synchronising | Phase::Replicating => Ok(Due::Now),
        }
    }
    /// True when every disk's synchronisation is complete.
    pub fn all_synced(&self) -> bool {
        self.synced.values().all(|(done, _)| *done)
    }
    /// True when enough disks are synchronised for a point (R2).
    fn complete(&self) -> bool {
        self.covered.cover(self.synced.values().map(|(done, _)| *done))
    }
    /// A due frame was applied: moves on. True when the phase changed.
    pub fn advance(&mut self, frame: &Frame) -> bool {
        self.applied = self.applied.max(frame.seq);
        let before = self.phase;
        self.seam = None;
        match &frame.body {
            Body::Data { disk, runs } => self.received(disk, runs.iter().map(Run::count).sum()),
            Body::SyncDone { disk } => self.done(disk),
            Body::Mark { time, .. } => self.last_mark = Some(*time),
            Body::Seam { mark, time } => self.seam = Some((*mark, *time)),
        }
        let marked = matches!(frame.body, Body::Mark { .. }) && self.all_synced();
        match self.phase {
            Phase::Waiting | Phase::Synchronising if marked => self.phase = Phase::Replicating,
            Phase::Waiting => self.phase = Phase::Synchronising,
            Phase::Synchronising | Phase::Replicating | Phase::Stopped | Phase::Rolled => {}
        }
        before != self.phase
    }
    /// The point that this frame completes, if it does: a mark reached with every disk synchronised (R2).
    pub fn point(&self, frame: &Frame) -> Option<Point> {
        let Body::Mark { mark, kind, time, group, .. } = &frame.body else { return None };
        let kind = if self.planted.is(Canary::KindMixedUp) { PointKind::Application } else { *kind };
        self.complete().then(|| self.point_of(*mark, kind, *time, *group))
    }
    /// The point that all that was received makes, when it came after the last mark and goes up to a seam (R5).
    pub fn received_point(&self) -> Option<Point> {
        let (mark, time) = self.seam.filter(|_| self.complete() && self.resync_required.is_none())?;
        Some(self.point_of(mark, PointKind::Crash, time, false))
    }
    fn point_of(&self, mark: Mark, kind: PointKind, time: VirtualMs, group: bool) -> Point {
        let point = PointId::new(format!("{}-{}", self.spec.session, mark.0));
        Point { point, mark, kind, time, group, snapshots: Vec::new() }
    }
    /// How far each disk is, for the journal.
    pub(super) fn standing(&self) -> Standing {
        let synced = self.synced.iter().map(|(disk, (done, moved))| (disk.clone(), *done, *moved));
        Standing { synced: synced.collect(), last_mark: self.last_mark }
    }
    /// Takes in a record that an earlier life of this session wrote.
    pub(super) fn learn(&mut self, stamp: Stamp, record: &Record) {
        if stamp.epoch > self.spec.epoch {
            // Whoever keeps the spec forgot the last epoch; its frames were taken all the same.
            let last_mark = self.last_mark;
            let spec = SessionSpec { epoch: stamp.epoch, ..self.spec.clone() };
            *self = Self { last_mark, ..Self::new(spec) };
        }
        let current = stamp.epoch == self.spec.epoch;
        let marked = match record {
            Record::Point { standing, .. } | Record::State(standing) => standing.last_mark,
            Record::Applied(Step::Mark(time)) => Some(*time),
            Record::Applied(Step::Data(..) | Step::Synced(_))
            | Record::Undo { .. }
            | Record::Wrote { .. }
            | Record::RollBegin(_)
            | Record::RollDone(_)
            | Record::Stopped => None,
        };
        self.last_mark = marked.or(self.last_mark);
        if current {
            self.learn_step(stamp, record);
        }
    }
    fn learn_step(&mut self, stamp: Stamp, record: &Record) {
        match record {
            Record::Point { standing, .. } | Record::State(standing) => {
                for (disk, done, moved) in &standing.synced {
                    if let Some(seat) = self.synced.get_mut(disk) {
                        *seat = (*done, *moved);
                    }
                }
            }
            Record::Applied(Step::Data(disk, blocks)) => self.received(disk, *blocks),
            Record::Applied(Step::Synced(disk)) => self.done(disk),
            Record::RollBegin(_) | Record::Stopped => {
                (self.phase, self.rolled_to) = (Phase::Stopped, None);
                return;
            }
            Record::RollDone(point) => {
                (self.phase, self.rolled_to) = (Phase::Rolled, Some(point.clone()));
                return;
            }
            Record::Undo { .. } | Record::Wrote { .. } => return,
            Record::Applied(Step::Mark(_)) => {}
        }
        self.applied = stamp.seq;
        self.phase = match self.phase {
            _ if matches!(record, Record::Point { .. }) => Phase::Replicating,
            Phase::Waiting => Phase::Synchronising,
            other @ (Phase::Synchronising | Phase::Replicating | Phase::Stopped | Phase::Rolled) => other,
        };
    }
    fn received(&mut self, disk: &DiskId, blocks: u64) {
        if let Some((false, moved)) = self.synced.get_mut(disk) {
            *moved += blocks;
        }
    }
    fn done(&mut self, disk: &DiskId) {
        if let Some((done, _)) = self.synced.get_mut(disk) {
            *done = true;
        }
    }
    /// What was applied.
    pub fn ack(&self) -> Ack {
        Ack { received: self.applied, applied: self.applied }
    }
    /// The session as seen here.
    pub fn view(&self, points: Vec<Arc<Point>>) -> SessionView {
        let progress = |(disk, (synced, moved)): (&DiskId, &(bool, u64))| DiskProgress {
            disk: Some(disk.clone()),
            sync_processed: moved * BLOCK as u64,
            sync_transferred: moved * BLOCK as u64,
            synced: *synced,
            ..DiskProgress::default()
        };
        SessionView {
            session: self.spec.session.clone(),
            epoch: self.spec.epoch,
            phase: self.phase,
            applied: self.applied,
            received: self.applied,
            last_mark: self.last_mark,
            points,
            disks: self.synced.iter().map(progress).collect(),
            rolled_to: self.rolled_to.clone(),
            resync_required: self.resync_required.clone(),
            refuses: None,
            thinned: Vec::new(),
            kept: None,
        }
    }
}
