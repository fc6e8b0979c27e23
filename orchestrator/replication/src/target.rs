//! The target's half, as the master target runs it: frames become blocks, marks become recovery points.
//!
//! [`Intake`] decides which frame is due; it is shared with the recovery service on the way to Azure. [`Target`]
//! applies frames to disks, keeps the journal and rolls. Old blocks are in the journal before a block is
//! overwritten, and the durable position follows after it; so a crash anywhere leaves a journal from which
//! [`Target::open`] goes on, and a frame that was applied in part comes again.
//!
//! **When the retention volume is full** (E12) history shrinks first, point by point, with events. When only
//! the newest point is left and what a frame overwrites does not fit, mirroring stops: the frame's blocks are
//! marked, nothing of the frame is written, the newest point stays as it is and can be rolled to, and the session
//! asks for a new epoch. The relay then lets go of its queue and the source of its own, so nothing piles up and
//! nobody is held up; as the next epoch compares all blocks, the source need not even track. That epoch is
//! taken up but gets no hashes, and its frames are refused with [`TargetError::RetentionFull`], until there is
//! room for what all marked blocks hold ([`Target::resume`]). A resynchronisation that runs out of room
//! itself stops in the same way and marks more: every attempt needs more room than the one before, so there
//! are never more attempts than times the room has grown, and each keeps what it has moved.
//! Refusing the frame and letting the relay repeat it would need no new epoch, but where one interval's changes
//! outgrow the volume it would repeat it for ever.

mod intake;
mod roll;
mod verify;
mod write;

pub use intake::{Due, Intake, TargetError};
pub use verify::Verified;

use crate::bitmap::Bitmap;
use crate::disk::{BLOCK, Disk, Page};
use crate::frame::{Body, Frame};
use crate::journal::Journal;
use crate::journal::record::{Record, Stamp, Step};
use crate::journal::volume::{Memory, Volume};
use crate::ledger::{Key, Ledger};
use crate::source::Marks;
use failback_wire::canary::Planted;
use failback_wire::clock::VirtualMs;
use failback_wire::event::ContentHash;
use failback_wire::ids::{DiskId, PointId};
use failback_wire::proto::session::{Hashes, Phase, Point, SessionSpec, SessionView};
use std::collections::BTreeMap;
use std::sync::Arc;

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
    /// Blocks that had rotted and hold again what they ought to.
    pub repaired: u64,
    /// Blocks that had rotted and were overwritten: the points before that lack them and cannot be rolled to.
    pub lost: u64,
}

/// The target half of one session with its recovery points. A clone is its durable image.
#[derive(Clone, Debug)]
pub struct Target<V = Memory> {
    intake: Intake,
    journal: Journal<V>,
    /// What each disk ought to hold; built when a disk is first touched.
    ledgers: BTreeMap<DiskId, Ledger>,
    /// What blocks ought to hold by the records since the newest point, until the disk's ledger is built.
    replayed: BTreeMap<DiskId, BTreeMap<u64, Key>>,
    /// Blocks of frames that were refused for want of room (E12).
    refused: BTreeMap<DiskId, Bitmap>,
    /// Mirroring has stopped for want of room.
    stalled: bool,
    /// Blocks that were found not to hold what they ought to.
    rotten: BTreeMap<DiskId, Bitmap>,
    /// Where verification goes on: index of the disk, block.
    cursor: (usize, u64),
    /// A roll that a crash interrupted.
    rolling: Option<PointId>,
}

/// The disks a target may touch now.
pub type Attached = BTreeMap<DiskId, Disk>;

impl Target {
    /// A new session, with its journal in memory.
    pub fn new(spec: SessionSpec) -> Self {
        Self::on(spec, Memory::default())
    }
}

impl<V> Target<V> {
    /// Where it stands.
    pub fn intake(&self) -> &Intake {
        &self.intake
    }
    /// The same, with points that cover so many disks (R2).
    #[must_use]
    pub fn covering(mut self, covered: Marks) -> Self {
        self.intake.covered = covered;
        self
    }
    /// The same with this bug planted in it.
    #[must_use]
    pub fn with_planted(mut self, planted: Planted) -> Self {
        self.intake.planted = planted;
        self
    }
    /// The points and what leads back to them.
    pub fn journal(&self) -> &Journal<V> {
        &self.journal
    }
    /// The journal, to take its volume elsewhere.
    pub fn into_journal(self) -> Journal<V> {
        self.journal
    }
    /// True while mirroring has stopped for want of room (E12).
    pub fn stalled(&self) -> bool {
        self.stalled
    }
    /// Blocks of a disk that were refused for want of room and not received since (E12).
    pub fn refused(&self, disk: &DiskId) -> Option<&Bitmap> {
        self.refused.get(disk)
    }
    /// Blocks of a disk that were found not to hold what they ought to, and do not yet.
    pub fn rotten(&self, disk: &DiskId) -> Option<&Bitmap> {
        self.rotten.get(disk)
    }
    /// Takes the session up: nothing for the epoch in force, a new beginning for a higher one. Points of
    /// earlier epochs stay, and stay good: the journal keeps what the resynchronisation overwrites (E10).
    ///
    /// # Errors
    /// For a lower epoch or another session.
    pub fn take_up(&mut self, spec: SessionSpec) -> Result<bool, TargetError> {
        let fresh = self.intake.take_up(spec)?;
        if fresh {
            self.rolling = None;
        }
        Ok(fresh)
    }

    fn disk<'a>(&self, id: &DiskId, disks: &'a Attached) -> Result<&'a Disk, TargetError> {
        self.sized(id, disks, |bytes, stated| bytes == stated)
    }

    /// The same where a larger one does: what it has more was never written, and stays as it is (P37).
    fn roomy<'a>(&self, id: &DiskId, disks: &'a Attached) -> Result<&'a Disk, TargetError> {
        self.sized(id, disks, |bytes, stated| bytes >= stated)
    }

    fn sized<'a>(
        &self,
        id: &DiskId,
        disks: &'a Attached,
        fits: impl Fn(u64, u64) -> bool,
    ) -> Result<&'a Disk, TargetError> {
        let stated = self.intake.spec.disks.iter().find(|d| d.disk == *id);
        let stated = stated.ok_or_else(|| TargetError::UnknownDisk(id.clone()))?;
        let disk = disks.get(id).ok_or_else(|| TargetError::NotAttached(id.clone()))?;
        if fits(disk.bytes(), stated.size) { Ok(disk) } else { Err(TargetError::Resized(id.clone())) }
    }

    /// The points that cover every disk of the session (R2). Older ones lack a disk that joined it later (P37): they
    /// are kept, for a session without that disk, and not offered.
    fn offered(&self) -> impl Iterator<Item = &Arc<Point>> {
        let disks = &self.intake.spec.disks;
        let lacking = self.journal.points().take_while(|point| {
            disks.iter().any(|disk| self.journal.sum_at(&point.point, &disk.disk).is_none())
        });
        self.journal.points().skip(lacking.count())
    }

    /// The records of a frame bear this.
    fn stamp(&self) -> Stamp {
        Stamp { epoch: self.intake.spec.epoch, seq: self.intake.applied }
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

    /// Hashes of blocks of a disk, for a synchronisation of `epoch`; fewer than asked for at the disk's end. And where
    /// it holds something next.
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
    ) -> Result<Hashes, TargetError> {
        self.intake.check_epoch(epoch)?;
        Ok(self.disk(disk, disks)?.hashes(first, count))
    }

    /// The session as the target sees it.
    pub fn view(&self) -> SessionView {
        let mut view = self.intake.view(self.offered().cloned().collect());
        if self.stalled {
            view.resync_required.get_or_insert_with(|| STALLED.to_owned());
        }
        for disk in &mut view.disks {
            let refused = disk.disk.as_ref().and_then(|id| self.refused.get(id));
            disk.at_target = refused.map_or(0, Bitmap::count) * BLOCK as u64;
        }
        view
    }
}

/// Why mirroring has stopped (E12).
const STALLED: &str = "mirroring has stopped: the retention volume is full";

impl<V: Volume> Target<V> {
    /// A new session, with its journal on this empty volume.
    pub fn on(spec: SessionSpec, volume: V) -> Self {
        Self::with(Intake::new(spec), Journal::on(volume))
    }
    fn with(intake: Intake, journal: Journal<V>) -> Self {
        Self {
            intake,
            journal,
            ledgers: BTreeMap::new(),
            replayed: BTreeMap::new(),
            refused: BTreeMap::new(),
            stalled: false,
            rotten: BTreeMap::new(),
            cursor: (0, 0),
            rolling: None,
        }
    }
    /// Opens the session again from its volume, after a crash anywhere (E11). `spec` is the last one that was
    /// taken up. [`Target::recover`] completes what was interrupted once the disks are there. Also says which
    /// points are gone because the journal rotted.
    ///
    /// # Errors
    /// When the volume cannot be read.
    pub fn open(spec: SessionSpec, volume: V) -> Result<(Self, Vec<PointId>), TargetError> {
        let mut intake = Intake::new(spec);
        let mut replayed: BTreeMap<DiskId, BTreeMap<u64, Key>> = BTreeMap::new();
        let mut rolling = None;
        let opened = Journal::open(volume, |stamp, record| {
            intake.learn(stamp, record);
            match record {
                Record::Point { .. } => replayed.clear(),
                Record::Wrote { disk, blocks } => {
                    replayed.entry(disk.clone()).or_default().extend(blocks.iter().copied());
                }
                Record::RollBegin(point) => rolling = Some((stamp.epoch, point.clone())),
                Record::RollDone(_) => rolling = None,
                Record::Undo { .. } | Record::Applied(_) | Record::State(_) | Record::Stopped => {}
            }
        })?;
        let epoch = intake.spec.epoch;
        let rolling = rolling.filter(|(begun, _)| *begun == epoch).map(|(_, point)| point);
        Ok((Self { replayed, rolling, ..Self::with(intake, opened.journal) }, opened.damaged))
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
        self.journal.sound()?;
        self.resume(budget)?;
        let stamp = Stamp { epoch: frame.epoch, seq: frame.seq };
        match &frame.body {
            Body::Data { disk, runs } => applied = self.data(stamp, disk, runs, disks, budget)?,
            Body::SyncDone { disk } => {
                let there = self.disk(disk, disks)?.clone();
                self.settle(disk, &there);
                self.journal.note(stamp, Record::Applied(Step::Synced(disk.clone())))?;
                self.refused.remove(disk);
            }
            Body::Mark { time, roots, .. } => {
                self.compare(roots, disks)?;
                match self.intake.point(frame) {
                    Some(point) => applied.stored = Some(self.store(stamp, point, disks)?),
                    None => self.journal.note(stamp, Record::Applied(Step::Mark(*time)))?,
                }
            }
            // On the way home nobody cuts any: marks are enough for what drains to the end.
            Body::Seam { .. } => self.journal.note(stamp, Record::State(self.intake.standing()))?,
        }
        applied.phase_changed = self.intake.advance(frame);
        let intake = &self.intake;
        self.journal.condense(stamp, || intake.standing())?;
        Ok(applied)
    }

    /// The disks are this point: signs it with what each disk ought to hold.
    fn store(&mut self, stamp: Stamp, point: Point, disks: &Attached) -> Result<Arc<Point>, TargetError> {
        let point = Arc::new(point);
        let ids: Vec<DiskId> = self.intake.spec.disks.iter().map(|d| d.disk.clone()).collect();
        let mut sums = Vec::with_capacity(ids.len());
        for id in ids {
            if !self.ledgers.contains_key(&id) {
                let disk = self.disk(&id, disks)?.clone();
                self.settle(&id, &disk);
            }
            let sum = self.ledgers.get(&id).map_or(0, Ledger::sum);
            sums.push((id, sum));
        }
        if let Some(why) = &self.intake.resync_required {
            return Err(TargetError::ResyncRequired(why.clone()));
        }
        let mut standing = self.intake.standing();
        standing.last_mark = Some(point.time);
        self.journal.store(stamp, point.clone(), standing, sums)?;
        self.refused.clear();
        Ok(point)
    }

    /// Lets go of points older than the session's retention, never of the newest one. While it is stopped all of them
    /// stay: somebody is choosing one, or has chosen one and may have to go on from there (E12).
    pub fn prune(&mut self, now: VirtualMs) -> Vec<PointId> {
        if matches!(self.intake.phase, Phase::Stopped | Phase::Rolled) {
            return Vec::new();
        }
        self.journal.prune(now, self.intake.spec.retention_s)
    }

    /// Takes no more frames.
    pub fn stop(&mut self) {
        if !matches!(self.intake.phase, Phase::Rolled | Phase::Stopped) {
            self.intake.phase = Phase::Stopped;
            // A volume that fails says so to whoever writes next.
            self.journal.note(self.stamp(), Record::Stopped).ok();
        }
    }
}

/// The hash of a block of zeros, which holes and fresh blobs have.
pub fn zero_hash() -> ContentHash {
    Page::zero().hash()
}

#[cfg(test)]
mod tests;
