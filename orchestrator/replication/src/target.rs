//! The target's half, as the master target runs it: frames become blocks, marks become recovery points.
//!
//! [`Intake`] decides which frame is due; it is shared with the uploader on the way to Azure. [`Target`]
//! applies frames to disks in memory, keeps the journal and rolls. Everything is one synchronous step per frame, so a
//! crash finds a frame applied or not applied.

use crate::disk::{BLOCK, Disk, Page};
use crate::frame::{Body, Frame};
use crate::journal::Journal;
use failback_wire::clock::VirtualMs;
use failback_wire::event::ContentHash;
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
    /// The retention volume is full, and only the newest point is left (E12).
    #[error("the retention volume is full")]
    RetentionFull,
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
            let last_mark = self.last_mark;
            *self = Self { last_mark, ..Self::new(spec) };
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
        if seq <= self.applied {
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
    /// A due frame was applied: moves on. True when the phase changed.
    pub fn advance(&mut self, frame: &Frame) -> bool {
        self.applied = frame.seq;
        let before = self.phase;
        match &frame.body {
            Body::Data { disk, runs } => {
                if let Some((false, moved)) = self.synced.get_mut(disk) {
                    *moved += runs.iter().map(|r| r.count()).sum::<u64>();
                }
            }
            Body::SyncDone { disk } => {
                if let Some((done, _)) = self.synced.get_mut(disk) {
                    *done = true;
                }
            }
            Body::Mark { time, .. } => self.last_mark = Some(*time),
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
        let point = PointId::new(format!("{}-{}", self.spec.session, mark.0));
        self.all_synced().then(|| Point {
            point,
            mark: *mark,
            kind: *kind,
            time: *time,
            group: *group,
            snapshots: BTreeMap::new(),
        })
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
            kept: None,
        }
    }
}

/// What applying a frame did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Blocks written, of which disk.
    pub written: Option<(DiskId, u64)>,
    /// The point that now exists.
    pub stored: Option<Arc<Point>>,
    /// Points let go of to make room, oldest first.
    pub pruned: Vec<PointId>,
    /// True when the session entered another phase.
    pub phase_changed: bool,
}

/// The target half of one session with its recovery points. A clone is its durable image.
#[derive(Clone, Debug)]
pub struct Target {
    intake: Intake,
    journal: Journal,
}

/// The disks a target may touch now.
pub type Attached = BTreeMap<DiskId, Disk>;

impl Target {
    /// A new session.
    pub fn new(spec: SessionSpec) -> Self {
        Self { intake: Intake::new(spec), journal: Journal::default() }
    }
    /// Where it stands.
    pub fn intake(&self) -> &Intake {
        &self.intake
    }
    /// The points and what leads back to them.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }
    /// Takes the session up: nothing for the epoch in force, a new beginning for a higher one. Points of
    /// earlier epochs stay, and stay good: the journal keeps what the resynchronisation overwrites (E10).
    ///
    /// # Errors
    /// For a lower epoch or another session.
    pub fn take_up(&mut self, spec: SessionSpec) -> Result<bool, TargetError> {
        self.intake.take_up(spec)
    }

    /// Applies a frame if it is due. `budget` is what the journal may use of the retention volume, in bytes.
    ///
    /// # Errors
    /// When the frame is refused; then nothing was written.
    pub fn apply(&mut self, frame: &Frame, disks: &Attached, budget: u64) -> Result<Applied, TargetError> {
        let mut applied = Applied::default();
        if self.intake.due(&frame.session, frame.epoch, frame.seq)? != Due::Now {
            return Ok(applied);
        }
        match &frame.body {
            Body::Data { disk: id, runs } => {
                let disk = self.disk(id, disks)?;
                let end = |run: &crate::frame::Run| run.first.saturating_add(run.count());
                if runs.iter().any(|run| end(run) > disk.blocks()) {
                    return Err(TargetError::OutOfRange(id.clone()));
                }
                applied.pruned = self.make_room(id, runs, budget)?;
                let blocks = runs.iter().flat_map(|run| run.blocks());
                let mut written = 0;
                for (block, page) in blocks {
                    written += u64::from(self.journal.write(id, disk, block, page));
                }
                applied.written = Some((id.clone(), written));
            }
            Body::SyncDone { disk } => {
                self.disk(disk, disks)?;
            }
            Body::Mark { roots, .. } => {
                self.compare(roots, disks)?;
                if let Some(point) = self.intake.point(frame) {
                    let point = Arc::new(point);
                    self.journal.store(point.clone());
                    applied.stored = Some(point);
                }
            }
        }
        applied.phase_changed = self.intake.advance(frame);
        Ok(applied)
    }

    fn disk<'a>(&self, id: &DiskId, disks: &'a Attached) -> Result<&'a Disk, TargetError> {
        let stated = self.intake.spec.disks.iter().find(|d| d.disk == *id);
        let stated = stated.ok_or_else(|| TargetError::UnknownDisk(id.clone()))?;
        let disk = disks.get(id).ok_or_else(|| TargetError::NotAttached(id.clone()))?;
        if disk.bytes() != stated.size {
            return Err(TargetError::Resized(id.clone()));
        }
        Ok(disk)
    }

    /// Lets go of the oldest points until the frame's old blocks fit (E12).
    fn make_room(
        &mut self,
        id: &DiskId,
        runs: &[crate::frame::Run],
        budget: u64,
    ) -> Result<Vec<PointId>, TargetError> {
        let cost = self.journal.cost(id, runs.iter().flat_map(|r| r.first..r.first + r.count()));
        if self.journal.least() + cost > budget {
            return Err(TargetError::RetentionFull);
        }
        let mut pruned = Vec::new();
        while self.journal.used() + cost > budget {
            pruned.extend(self.journal.drop_oldest());
        }
        Ok(pruned)
    }

    /// Compares the disks with the source's root hashes.
    fn compare(&mut self, roots: &[(DiskId, ContentHash)], disks: &Attached) -> Result<(), TargetError> {
        for (id, root) in roots {
            if self.disk(id, disks)?.root_hash() != *root {
                let why = format!("disk {id} differs from its source");
                self.intake.resync_required = Some(why.clone());
                return Err(TargetError::ResyncRequired(why));
            }
        }
        Ok(())
    }

    /// Lets go of points older than the session's retention, never of the newest one.
    pub fn prune(&mut self, now: VirtualMs) -> Vec<PointId> {
        self.journal.prune(now, self.intake.spec.retention_s)
    }

    /// Takes no more frames.
    pub fn stop(&mut self) {
        if self.intake.phase != Phase::Rolled {
            self.intake.phase = Phase::Stopped;
        }
    }

    /// Brings the disks to a point, exactly; may be repeated, also with another point. Says how many blocks
    /// of each disk were written.
    ///
    /// # Errors
    /// When the point is not kept or a disk is not attached; then nothing was written.
    pub fn roll(&mut self, point: &PointId, disks: &Attached) -> Result<BTreeMap<DiskId, u64>, TargetError> {
        let missing = || TargetError::NoSuchPoint(point.clone());
        let rollback = self.journal.rollback(point).ok_or_else(missing)?;
        for stated in &self.intake.spec.disks {
            self.disk(&stated.disk, disks)?;
        }
        let mut written = BTreeMap::new();
        for (id, blocks) in rollback {
            let disk = self.disk(&id, disks)?;
            let write = |(block, page)| u64::from(self.journal.write(&id, disk, block, page));
            let count = blocks.into_iter().map(write).sum();
            written.insert(id, count);
        }
        self.intake.phase = Phase::Rolled;
        self.intake.rolled_to = Some(point.clone());
        Ok(written)
    }

    /// Hashes of blocks of a disk, for a synchronisation of `epoch`; fewer than asked for at the disk's end.
    ///
    /// # Errors
    /// When the epoch is not the one in force, or the disk is not attached.
    pub fn hashes(
        &self,
        epoch: u64,
        disk: &DiskId,
        first: u64,
        count: u64,
        disks: &Attached,
    ) -> Result<Vec<ContentHash>, TargetError> {
        self.intake.check_epoch(epoch)?;
        let disk = self.disk(disk, disks)?;
        let end = first.saturating_add(count).min(disk.blocks());
        Ok(disk.hashes(first..end))
    }

    /// The session as the target sees it.
    pub fn view(&self) -> SessionView {
        self.intake.view(self.journal.points().cloned().collect())
    }
}

/// The hash of a block of zeros, which holes and fresh blobs have.
pub fn zero_hash() -> ContentHash {
    Page::zero().hash()
}

#[cfg(test)]
mod tests;
