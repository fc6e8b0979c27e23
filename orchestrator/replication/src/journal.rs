//! The target's recovery points and the old blocks that lead back to them, on a volume (E11, E12).
//!
//! The journal is an append-only log of [`Record`]s. Each point begins a segment, which then takes what
//! later writes overwrite, up to the next point. The disks at a point are the disks now, with the oldest kept
//! block of this and all later points laid over them. So the oldest point goes with its segment and touches
//! no other (dropping the segment is the record of it, and needs no room), and rolling is itself a journalled
//! write: it can be repeated, and rolled forward again.
//!
//! The order of writes is: old blocks, then the disk, then the durable position. A crash in between leaves
//! old blocks that are kept twice over or of blocks that were never overwritten; both lead back to the same
//! disks, and the frame comes again. What a [`Journal`] knows it knows from its records alone:
//! [`Journal::open`] reads them, cuts a torn tail and rebuilds the index.

pub mod record;
mod replay;
mod thin;
pub mod volume;

pub use replay::Opened;
pub use thin::thinned;

use crate::disk::{BLOCK, Page};
use crate::ledger::{Key, key};
use bytes::Bytes;
use failback_wire::clock::VirtualMs;
use failback_wire::ids::{DiskId, PointId};
use failback_wire::proto::session::Point;
use record::{FIXED, MAX_WROTE, Old, Record, Stamp, Standing, Step};
use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;
use volume::{Memory, Volume, VolumeError};

/// Bytes of records without blocks after which a journal without a point begins anew.
const STATE_EVERY: u64 = 64 << 10;

/// What an overwritten block held, and where that lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Zeros,
    /// Position of the page in the log.
    At(u64),
    /// Rotten before it was overwritten, or rotten in the journal.
    Lost,
}

/// One kept block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// What the block ought to have held.
    pub key: Key,
    place: Place,
}

/// Kept blocks of one disk by number.
pub type KeptBlocks = BTreeMap<u64, Kept>;

#[derive(Clone, Debug)]
struct Entry {
    point: Arc<Point>,
    /// The sum of each disk's ledger at the point.
    sums: BTreeMap<DiskId, u128>,
    /// Where its record begins, which is where its segment begins.
    at: u64,
    /// What writes since this point, up to the next one, overwrote first.
    undo: BTreeMap<DiskId, KeptBlocks>,
}

impl Entry {
    fn kept(&self, disk: &DiskId, block: u64) -> bool {
        self.undo.get(disk).is_some_and(|blocks| blocks.contains_key(&block))
    }
}

/// Points, oldest first, and what leads back to them. A clone is its durable image.
#[derive(Clone, Debug, Default)]
pub struct Journal<V = Memory> {
    volume: V,
    entries: VecDeque<Entry>,
    /// Where records without a point begin that the last [`Record::State`] does not stand for yet.
    state_at: u64,
    /// The volume failed: nothing more is written before the journal is opened again.
    failed: Option<VolumeError>,
}

/// What a roll lays over the disks, per disk.
pub type Rollback = BTreeMap<DiskId, KeptBlocks>;

/// Records on their way into one append: heads, encoded into one buffer, and pages, shared.
#[derive(Default)]
struct Batch {
    heads: Vec<u8>,
    parts: Vec<Part>,
}

enum Part {
    Head(Range<usize>),
    Page(Bytes),
}

impl Batch {
    fn add(&mut self, stamp: Stamp, record: Record) {
        let start = self.heads.len();
        record::encode_head(stamp, &record, &mut self.heads);
        let end = self.heads.len();
        match self.parts.last_mut() {
            Some(Part::Head(last)) => last.end = end,
            Some(Part::Page(_)) | None => self.parts.push(Part::Head(start..end)),
        }
        if let Record::Undo { old: Old::Page(page), .. } = record {
            self.parts.push(Part::Page(page));
        }
    }
    fn into_parts(self) -> Vec<Bytes> {
        let heads = Bytes::from(self.heads);
        let part = |part| match part {
            Part::Head(range) => heads.slice(range),
            Part::Page(page) => page,
        };
        self.parts.into_iter().map(part).collect()
    }
}

impl<V> Journal<V> {
    /// Points, oldest first.
    pub fn points(&self) -> impl DoubleEndedIterator<Item = &Arc<Point>> {
        self.entries.iter().map(|e| &e.point)
    }
    /// The point of this id.
    pub fn point(&self, id: &PointId) -> Option<&Arc<Point>> {
        self.points().find(|p| p.point == *id)
    }
    /// True when there is a point, and what it held of this block is not kept yet.
    pub fn needs(&self, disk: &DiskId, block: u64) -> bool {
        self.entries.back().is_some_and(|last| !last.kept(disk, block))
    }
    /// True once there is a point.
    pub fn has_points(&self) -> bool {
        !self.entries.is_empty()
    }
    /// The newest point's sum of a disk's ledger, and what was kept since.
    pub fn newest(&self, disk: &DiskId) -> Option<(u128, Option<&KeptBlocks>)> {
        let last = self.entries.back()?;
        Some((*last.sums.get(disk)?, last.undo.get(disk)))
    }
    /// The sum of a disk's ledger at a point.
    pub fn sum_at(&self, point: &PointId, disk: &DiskId) -> Option<u128> {
        self.entries.iter().find(|e| e.point.point == *point)?.sums.get(disk).copied()
    }
    /// What must be laid over the disks now so that they are this point; `None` when it is not kept.
    pub fn rollback(&self, point: &PointId) -> Option<Rollback> {
        let from = self.entries.iter().position(|e| e.point.point == *point)?;
        let mut rollback = Rollback::new();
        for entry in self.entries.range(from..) {
            for (disk, blocks) in &entry.undo {
                let over = rollback.entry(disk.clone()).or_default();
                for (block, kept) in blocks {
                    over.entry(*block).or_insert(*kept);
                }
            }
        }
        Some(rollback)
    }
    /// What keeping the old content of so many blocks of this disk adds, in bytes, when so many of them are not
    /// all zeros.
    pub fn cost(disk: &DiskId, blocks: u64, pages: u64) -> u64 {
        blocks * (FIXED + 2 + disk.as_str().len() + 8 + 16 + 1) as u64 + pages * BLOCK as u64
    }
}

impl<V: Volume> Journal<V> {
    /// An empty journal on an empty volume.
    pub fn on(volume: V) -> Self {
        Self { volume, entries: VecDeque::new(), state_at: 0, failed: None }
    }
    /// The volume.
    pub fn volume(&self) -> &V {
        &self.volume
    }
    /// The volume, to take it elsewhere.
    pub fn into_volume(self) -> V {
        self.volume
    }
    /// Bytes used on the retention volume.
    pub fn used(&self) -> u64 {
        self.volume.used()
    }
    /// Bytes used once only the newest point is left.
    pub fn least(&self) -> u64 {
        self.entries.back().map_or(0, |e| self.volume.end() - e.at)
    }
    /// Nothing failed so far.
    ///
    /// # Errors
    /// When the volume did: then the journal must be opened again.
    pub fn sound(&self) -> Result<(), VolumeError> {
        self.failed.map_or(Ok(()), Err)
    }
    fn guard<T>(&mut self, done: Result<T, VolumeError>) -> Result<T, VolumeError> {
        self.failed = self.failed.or(done.as_ref().err().copied());
        done
    }
    fn append(&mut self, batch: Batch) -> Result<u64, VolumeError> {
        self.sound()?;
        let parts = batch.into_parts();
        if parts.is_empty() {
            return Ok(self.volume.end());
        }
        let done = self.volume.append(&parts);
        self.guard(done)
    }

    /// Keeps what blocks hold that are about to be overwritten; the caller asked [`Journal::needs`] for each.
    ///
    /// # Errors
    /// When the volume fails: then nothing may be overwritten.
    pub fn keep(
        &mut self,
        stamp: Stamp,
        disk: &DiskId,
        blocks: Vec<(u64, Key, Old)>,
    ) -> Result<(), VolumeError> {
        let mut batch = Batch::default();
        let mut kept = Vec::with_capacity(blocks.len());
        let (start, mut pages) = (self.volume.end(), 0);
        for (block, key, old) in blocks {
            let place = match &old {
                Old::Zeros => Place::Zeros,
                Old::Page(_) => Place::At(0),
                Old::Lost => Place::Lost,
            };
            batch.add(stamp, Record::Undo { disk: disk.clone(), block, key, old });
            let place = match place {
                Place::At(_) => {
                    let at = start + batch.heads.len() as u64 + pages;
                    pages += BLOCK as u64;
                    Place::At(at)
                }
                other @ (Place::Zeros | Place::Lost) => other,
            };
            kept.push((block, Kept { key, place }));
        }
        self.append(batch)?;
        if let Some(last) = self.entries.back_mut().filter(|_| !kept.is_empty()) {
            last.undo.entry(disk.clone()).or_default().extend(kept);
        }
        Ok(())
    }

    /// These blocks are on the disk; the durable position moves with them when `step` says so.
    ///
    /// # Errors
    /// When the volume fails.
    pub fn wrote(
        &mut self,
        stamp: Stamp,
        disk: &DiskId,
        blocks: &[(u64, Key)],
        step: Option<Step>,
    ) -> Result<(), VolumeError> {
        let mut batch = Batch::default();
        // Before the first point nothing can be rolled to, and nothing need be known of single blocks.
        if self.has_points() {
            for blocks in blocks.chunks(MAX_WROTE) {
                batch.add(stamp, Record::Wrote { disk: disk.clone(), blocks: blocks.to_vec() });
            }
        }
        if let Some(step) = step {
            batch.add(stamp, Record::Applied(step));
        }
        self.append(batch).map(drop)
    }

    /// Writes a record that has no blocks.
    ///
    /// # Errors
    /// When the volume fails.
    pub fn note(&mut self, stamp: Stamp, record: Record) -> Result<(), VolumeError> {
        let mut batch = Batch::default();
        batch.add(stamp, record);
        self.append(batch).map(drop)
    }

    /// While there is no point: lets older records go once they have grown, for this one stands for all.
    ///
    /// # Errors
    /// When the volume fails.
    pub fn condense(&mut self, stamp: Stamp, standing: impl FnOnce() -> Standing) -> Result<(), VolumeError> {
        if self.has_points() || self.volume.end() - self.state_at < STATE_EVERY {
            return Ok(());
        }
        self.sound()?;
        let cut = self.volume.cut();
        self.guard(cut)?;
        let at = self.volume.end();
        self.note(stamp, Record::State(standing()))?;
        self.state_at = at;
        let dropped = self.volume.drop_front(at);
        self.guard(dropped)
    }

    /// The disks now are this point, and the frame of the stamp is applied.
    ///
    /// # Errors
    /// When the volume fails.
    pub fn store(
        &mut self,
        stamp: Stamp,
        point: Arc<Point>,
        standing: Standing,
        sums: Vec<(DiskId, u128)>,
    ) -> Result<(), VolumeError> {
        self.sound()?;
        let cut = self.volume.cut();
        self.guard(cut)?;
        let at = self.volume.end();
        let record = Record::Point { point: Point::clone(&point), standing, sums: sums.clone() };
        self.note(stamp, record)?;
        let first = self.entries.is_empty();
        self.entries.push_back(Entry { point, sums: sums.into_iter().collect(), at, undo: BTreeMap::new() });
        if first {
            let dropped = self.volume.drop_front(at);
            self.guard(dropped)?;
        }
        Ok(())
    }

    /// Lets go of the oldest point; never of the only one.
    ///
    /// # Errors
    /// When the volume fails.
    pub fn drop_oldest(&mut self) -> Result<Option<PointId>, VolumeError> {
        self.sound()?;
        let Some(next) = self.entries.get(1).map(|e| e.at) else { return Ok(None) };
        let dropped = self.volume.drop_front(next);
        self.guard(dropped)?;
        Ok(self.entries.pop_front().map(|entry| entry.point.point.clone()))
    }

    /// Lets go of points cut more than `retention_s` seconds before `now`; the newest one stays (E12).
    pub fn prune(&mut self, now: VirtualMs, retention_s: u64) -> Vec<PointId> {
        let old = |p: &Point| now.since(p.time).as_secs() > retention_s;
        let mut gone = Vec::new();
        while self.entries.front().is_some_and(|e| old(&e.point)) {
            // A volume that fails says so to whoever writes next.
            match self.drop_oldest() {
                Ok(Some(point)) => gone.push(point),
                Ok(None) | Err(_) => break,
            }
        }
        gone
    }

    /// The page of a kept block, verified; `None` when it is lost or has rotted.
    pub fn page(&self, kept: &Kept) -> Option<Page> {
        match kept.place {
            Place::Zeros => Some(Page::zero()),
            Place::Lost => None,
            Place::At(at) => {
                let bytes = self.volume.read(at, BLOCK).ok()?;
                let page = Page::all_of(&bytes).next()?;
                (key(Some(&page)) == kept.key).then_some(page)
            }
        }
    }
}

#[cfg(test)]
mod tests;
