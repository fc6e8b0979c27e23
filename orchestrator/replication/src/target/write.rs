//! Blocks of frames on their way to the disk: what they overwrite, whether that fits, in which order.

use super::{Applied, Attached, STALLED, Target, TargetError};
use crate::bitmap::Bitmap;
use crate::disk::{Disk, Page};
use crate::frame::Run;
use crate::journal::Journal;
use crate::journal::record::{Old, Stamp, Step};
use crate::journal::volume::Volume;
use crate::ledger::{Key, Ledger, exchanged, key};
use failback_wire::ids::{DiskId, PointId};
use failback_wire::proto::session::Phase;

/// Blocks looked at under one lock of a disk.
const LOOK: u64 = 1024;
/// What the records of a frame may take beside old blocks, in bytes: a fixed part, and for each block.
const RECORDS: (u64, u64) = (1024, 24);

/// What a set of blocks changes.
#[derive(Default)]
pub(super) struct Plan {
    /// What to write.
    pub(super) writes: Vec<(u64, Page)>,
    /// What each of these ought to hold then.
    pub(super) keys: Vec<(u64, Key)>,
    /// What must be kept first.
    undo: Vec<(u64, Key, Old)>,
    repaired: u64,
    lost: u64,
}

/// The blocks of a run with what the disk holds now; the disk is asked for many at once.
fn with_old<'a>(disk: &'a Disk, run: &'a Run) -> impl Iterator<Item = (u64, Page, Option<Page>)> + 'a {
    let end = run.first + run.count();
    let starts = (run.first..end).step_by(LOOK as usize);
    let old = starts.flat_map(move |from| disk.pages(from..(from + LOOK).min(end)));
    run.blocks().zip(old).map(|((block, page), old)| (block, page, old))
}

impl<V: Volume> Target<V> {
    /// Builds what this disk ought to hold, when it is touched for the first time: what it does hold, but for
    /// the blocks that records speak of. The newest point's sum tells whether the rest is right.
    pub(super) fn settle(&mut self, id: &DiskId, disk: &Disk) {
        if let Some(ledger) = self.ledgers.get_mut(id) {
            ledger.reach(disk.blocks());
            return;
        }
        let mut ledger = Ledger::of(disk);
        for (block, key) in self.replayed.remove(id).unwrap_or_default() {
            ledger.set(block, key);
        }
        if let Some((sum, undo)) = self.journal.newest(id) {
            let back = undo.into_iter().flatten();
            let then = back.fold(ledger.sum(), |sum, (block, kept)| {
                exchanged(sum, *block, ledger.get(*block), kept.key)
            });
            if then != sum {
                self.distrust(format!("disk {id} does not hold what its journal says"));
            }
        }
        self.ledgers.insert(id.clone(), ledger);
    }

    /// A disk is not what it ought to be: it is not served, and only a resynchronisation helps.
    pub(super) fn distrust(&mut self, why: String) {
        match self.intake.phase {
            Phase::Rolled => (self.intake.phase, self.intake.rolled_to) = (Phase::Stopped, None),
            // The synchronisation that runs ends with a comparison of its own.
            Phase::Waiting | Phase::Synchronising => {}
            Phase::Replicating | Phase::Stopped => {
                self.intake.resync_required.get_or_insert(why);
            }
        }
    }

    /// Applies the blocks of a frame.
    pub(super) fn data(
        &mut self,
        stamp: Stamp,
        id: &DiskId,
        runs: &[Run],
        disks: &Attached,
        budget: u64,
    ) -> Result<Applied, TargetError> {
        let disk = self.disk(id, disks)?.clone();
        let end = |run: &Run| run.first.saturating_add(run.count());
        if runs.iter().any(|run| end(run) > disk.blocks()) {
            return Err(TargetError::OutOfRange(id.clone()));
        }
        self.settle(id, &disk);
        let plan = self.plan(id, runs.iter().flat_map(|run| with_old(&disk, run)));
        let pruned = self.make_room(id, &plan, budget)?;
        let (repaired, lost) = (plan.repaired, plan.lost);
        let blocks = runs.iter().map(Run::count).sum();
        let written = self.carry_out(stamp, id, &disk, plan, Some(Step::Data(id.clone(), blocks)))?;
        if let Some(refused) = self.refused.get_mut(id) {
            runs.iter().flat_map(|run| run.first..run.first + run.count()).for_each(|block| {
                refused.clear(block);
            });
        }
        Ok(Applied { written: Some((id.clone(), written)), pruned, repaired, lost, ..Applied::default() })
    }

    /// What these blocks change, and what must be kept first. Each comes with what the disk holds now.
    pub(super) fn plan(&self, id: &DiskId, blocks: impl Iterator<Item = (u64, Page, Option<Page>)>) -> Plan {
        let (mut plan, empty) = (Plan::default(), Ledger::default());
        let ledger = self.ledgers.get(id).unwrap_or(&empty);
        for (block, page, old) in blocks {
            let (is, ought, new) = (key(old.as_ref()), ledger.get(block), key(Some(&page)));
            if is == new && is == ought {
                // A crash may have come between the disk and the record of what it holds.
                if self.journal.has_points() && !self.journal.needs(id, block) {
                    plan.keys.push((block, new));
                }
                continue;
            }
            // A rotten block that gets back what it ought to hold was never changed: there is nothing to keep.
            let heals = is != ought && new == ought;
            if !heals && self.journal.needs(id, block) {
                let old = match old {
                    _ if is != ought => Old::Lost,
                    Some(page) if is != 0 => Old::Page(page.shared()),
                    Some(_) | None => Old::Zeros,
                };
                plan.lost += u64::from(old == Old::Lost);
                plan.undo.push((block, ought, old));
            }
            plan.repaired += u64::from(heals);
            plan.keys.push((block, new));
            plan.writes.push((block, page));
        }
        plan
    }

    /// Old blocks first, then the disk, then the position. Says how many blocks were written.
    pub(super) fn carry_out(
        &mut self,
        stamp: Stamp,
        id: &DiskId,
        disk: &Disk,
        plan: Plan,
        step: Option<Step>,
    ) -> Result<u64, TargetError> {
        self.journal.keep(stamp, id, plan.undo)?;
        let written = plan.writes.len() as u64;
        for (block, page) in plan.writes {
            disk.write(block, page);
        }
        self.journal.wrote(stamp, id, &plan.keys, step)?;
        let ledger = self.ledgers.entry(id.clone()).or_default();
        for (block, key) in plan.keys {
            ledger.set(block, key);
            if let Some(rotten) = self.rotten.get_mut(id) {
                rotten.clear(block);
            }
        }
        Ok(written)
    }

    /// Lets go of the oldest points until what the plan overwrites fits (E12). When it does not fit with only
    /// the newest one left, mirroring stops.
    fn make_room(&mut self, id: &DiskId, plan: &Plan, budget: u64) -> Result<Vec<PointId>, TargetError> {
        let mut pruned = Vec::new();
        if plan.undo.is_empty() {
            return Ok(pruned);
        }
        let pages = plan.undo.iter().filter(|(_, _, old)| matches!(old, Old::Page(_))).count() as u64;
        let cost = Self::cost(id, plan.undo.len() as u64, pages, plan.keys.len() as u64);
        if self.journal.least().saturating_add(cost) > budget {
            let blocks = self.disk_blocks(id);
            let refused = self.refused.entry(id.clone()).or_insert_with(|| Bitmap::new(blocks));
            plan.keys.iter().for_each(|(block, _)| {
                refused.set(*block);
            });
            self.stalled = true;
            self.intake.resync_required = Some(STALLED.to_owned());
            return Err(TargetError::ResyncRequired(STALLED.to_owned()));
        }
        while self.journal.used().saturating_add(cost) > budget {
            match self.journal.drop_oldest()? {
                Some(point) => pruned.push(point),
                None => break,
            }
        }
        Ok(pruned)
    }

    fn cost(id: &DiskId, undo: u64, pages: u64, blocks: u64) -> u64 {
        Journal::<V>::cost(id, undo, pages) + RECORDS.0 + RECORDS.1 * blocks
    }

    fn disk_blocks(&self, id: &DiskId) -> u64 {
        let stated = self.intake.spec.disks.iter().find(|d| d.disk == *id);
        stated.map_or(0, |d| d.size / crate::disk::BLOCK as u64)
    }

    /// Mirroring that has stopped goes on, in a new epoch, once there is room for what all refused blocks hold
    /// (E12).
    ///
    /// # Errors
    /// [`TargetError::ResyncRequired`] in the epoch in which it stopped, [`TargetError::RetentionFull`] while
    /// there is no room.
    pub fn resume(&mut self, budget: u64) -> Result<(), TargetError> {
        if !self.stalled {
            return Ok(());
        }
        if let Some(why) = &self.intake.resync_required {
            return Err(TargetError::ResyncRequired(why.clone()));
        }
        let cost = |(id, refused): (&DiskId, &Bitmap)| {
            let undo = refused.iter().filter(|block| self.journal.needs(id, *block)).count() as u64;
            Self::cost(id, undo, undo, refused.count())
        };
        let cost: u64 = self.refused.iter().map(cost).sum();
        if self.journal.least().saturating_add(cost) > budget {
            return Err(TargetError::RetentionFull);
        }
        self.stalled = false;
        Ok(())
    }
}
