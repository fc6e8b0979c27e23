//! The target's recovery points and the old blocks that lead back to them.
//!
//! Each point keeps what later writes have overwritten, up to the next point. The disks at a point are the
//! disks now, with the oldest kept block of this and all later points laid over them. So the oldest point
//! goes without touching any other, and rolling is itself a journalled write: it can be repeated, and rolled
//! forward again.

use crate::disk::{BLOCK, Disk, Page};
use failback_wire::clock::VirtualMs;
use failback_wire::event::PointKind;
use failback_wire::ids::{DiskId, PointId};
use failback_wire::proto::session::Point;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// What one kept block costs on the retention volume: the block and its place.
const KEPT: u64 = BLOCK as u64 + 32;

#[derive(Clone, Debug)]
struct Entry {
    point: Arc<Point>,
    /// What writes since this point, up to the next one, overwrote first.
    undo: BTreeMap<(DiskId, u64), Page>,
}

/// Points, oldest first, and what leads back to them.
#[derive(Clone, Debug, Default)]
pub struct Journal {
    entries: VecDeque<Entry>,
    kept: u64,
}

/// Blocks that a roll must write, per disk.
pub type Rollback = BTreeMap<DiskId, BTreeMap<u64, Page>>;

impl Journal {
    /// Points, oldest first.
    pub fn points(&self) -> impl DoubleEndedIterator<Item = &Arc<Point>> {
        self.entries.iter().map(|e| &e.point)
    }
    /// The point of this id.
    pub fn point(&self, id: &PointId) -> Option<&Arc<Point>> {
        self.points().find(|p| p.point == *id)
    }
    /// Bytes used on the retention volume.
    pub fn used(&self) -> u64 {
        self.kept * KEPT
    }
    /// Bytes used once only the newest point is left.
    pub fn least(&self) -> u64 {
        self.entries.back().map_or(0, |e| e.undo.len() as u64) * KEPT
    }
    /// What keeping the old content of these blocks would add, in bytes.
    pub fn cost(&self, disk: &DiskId, blocks: impl Iterator<Item = u64>) -> u64 {
        let Some(last) = self.entries.back() else { return 0 };
        blocks.filter(|b| !last.undo.contains_key(&(disk.clone(), *b))).count() as u64 * KEPT
    }
    /// Writes a block, keeping what it overwrites for the newest point. False when it changes nothing.
    pub fn write(&mut self, id: &DiskId, disk: &Disk, block: u64, page: Page) -> bool {
        let old = disk.read(block);
        if old == page {
            return false;
        }
        if let Some(last) = self.entries.back_mut() {
            last.undo.entry((id.clone(), block)).or_insert_with(|| {
                self.kept += 1;
                old
            });
        }
        disk.write(block, page);
        true
    }
    /// The disks now are this point.
    pub fn store(&mut self, point: Arc<Point>) {
        self.entries.push_back(Entry { point, undo: BTreeMap::new() });
    }
    /// Lets go of the oldest point; never of the only one.
    pub fn drop_oldest(&mut self) -> Option<PointId> {
        if self.entries.len() < 2 {
            return None;
        }
        let entry = self.entries.pop_front()?;
        self.kept -= entry.undo.len() as u64;
        Some(entry.point.point.clone())
    }
    /// Lets go of points cut more than `retention_s` seconds before `now`; the newest one stays (E12).
    pub fn prune(&mut self, now: VirtualMs, retention_s: u64) -> Vec<PointId> {
        let old = |p: &Point| now.since(p.time).as_secs() > retention_s;
        let mut gone = Vec::new();
        while self.entries.front().is_some_and(|e| old(&e.point)) {
            match self.drop_oldest() {
                Some(point) => gone.push(point),
                None => break,
            }
        }
        gone
    }
    /// What must be written so that the disks are this point; `None` when it is not kept.
    pub fn rollback(&self, point: &PointId) -> Option<Rollback> {
        let from = self.entries.iter().position(|e| e.point.point == *point)?;
        let mut rollback = Rollback::new();
        for entry in self.entries.range(from..) {
            for ((disk, block), page) in &entry.undo {
                rollback.entry(disk.clone()).or_default().entry(*block).or_insert_with(|| page.clone());
            }
        }
        Some(rollback)
    }
}

/// Points that the forward retention lets go of (R7): all but the newest past `retention_s`; of those older
/// than two hours, all but one an hour (retention up to a day), two hours (up to a week) or, past a week,
/// four hours. The one that stays is the first application-consistent one, else the first. `points` are
/// oldest first.
pub fn thinned<'a>(
    points: impl DoubleEndedIterator<Item = &'a Arc<Point>>,
    now: VirtualMs,
    retention_s: u64,
) -> Vec<PointId> {
    const HOUR: u64 = 3600;
    let mut gone = Vec::new();
    let mut keeper: Option<(u64, &Point)> = None;
    let mut rest = points;
    // The newest stays, whatever its age.
    let Some(_newest) = rest.next_back() else { return gone };
    for point in rest {
        let age = now.since(point.time).as_secs();
        if age > retention_s {
            gone.push(point.point.clone());
            continue;
        }
        let step = match (retention_s, age) {
            (_, age) if age <= 2 * HOUR => break,
            (keep, _) if keep <= 24 * HOUR => HOUR,
            (_, age) if age <= 7 * 24 * HOUR => 2 * HOUR,
            (_, _) => 4 * HOUR,
        };
        let bucket = point.time.0 / 1000 / step;
        match keeper {
            Some((b, kept)) if b == bucket => {
                let better = point.kind == PointKind::Application && kept.kind == PointKind::Crash;
                gone.push(if better { kept.point.clone() } else { point.point.clone() });
                if better {
                    keeper = Some((bucket, point));
                }
            }
            Some(_) | None => keeper = Some((bucket, point)),
        }
    }
    gone
}

#[cfg(test)]
mod tests;
