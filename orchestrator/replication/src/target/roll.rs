//! Bringing the disks to a point, exactly and in spite of crashes (E11, E20).

use super::{Attached, Target, TargetError};
use crate::disk::{Disk, Page};
use crate::journal::KeptBlocks;
use crate::journal::record::Record;
use crate::journal::volume::Volume;
use crate::ledger::{Ledger, exchanged, key};
use failback_wire::canary::Canary;
use failback_wire::ids::{DiskId, PointId};
use failback_wire::proto::session::Phase;
use std::collections::BTreeMap;

/// Blocks that one write of the journal stands for.
const CHUNK: usize = 256;

/// What a roll writes, per disk, verified.
type Laid = Vec<(DiskId, Disk, Vec<(u64, Page)>)>;

impl<V: Volume> Target<V> {
    /// Completes a roll that a crash interrupted. `None` when none was.
    ///
    /// # Errors
    /// As for [`Target::roll`]; the roll stays interrupted, and the session takes no frames.
    pub fn recover(&mut self, disks: &Attached) -> Result<Option<PointId>, TargetError> {
        let Some(point) = self.rolling.clone() else { return Ok(None) };
        self.roll(&point, disks)?;
        Ok(Some(point))
    }

    /// Brings the disks to a point, exactly; may be repeated, also with another point. Says how many blocks
    /// of each disk were written. What it overwrites is kept for the newest point, whatever the budget: at
    /// most as much again as the journal holds for the points after the chosen one. For want of history nobody is
    /// to be kept from going home.
    ///
    /// # Errors
    /// When the point is not kept, a disk is not attached, or the disks would not be what they were at the
    /// point: then nothing was written. When the volume fails; then [`Target::open`] and [`Target::recover`]
    /// go on.
    pub fn roll(&mut self, point: &PointId, disks: &Attached) -> Result<BTreeMap<DiskId, u64>, TargetError> {
        self.journal.sound()?;
        let newest = self.journal.points().next_back().map(|newest| newest.point.clone());
        let newest = newest.filter(|_| self.intake.planted.is(Canary::RollsToNewest));
        let laid = self.lay(newest.as_ref().unwrap_or(point), disks)?;
        let stamp = self.stamp();
        self.journal.note(stamp, Record::RollBegin(point.clone()))?;
        (self.intake.phase, self.intake.rolled_to) = (Phase::Stopped, None);
        self.rolling = Some(point.clone());
        let mut written = BTreeMap::new();
        for (id, disk, blocks) in &laid {
            let mut count = 0;
            for chunk in blocks.chunks(CHUNK) {
                let old = |block: u64| disk.pages(block..block + 1).pop().flatten();
                let plan = self.plan(id, chunk.iter().map(|(b, page)| (*b, page.clone(), old(*b))));
                count += self.carry_out(stamp, id, disk, plan, None)?;
            }
            self.read_back(point, id, disk, blocks)?;
            if !blocks.is_empty() {
                written.insert(id.clone(), count);
            }
        }
        self.journal.note(stamp, Record::RollDone(point.clone()))?;
        self.rolling = None;
        (self.intake.phase, self.intake.rolled_to) = (Phase::Rolled, Some(point.clone()));
        Ok(written)
    }

    /// What the roll must write, once it is certain that the disks then are the point.
    fn lay(&mut self, point: &PointId, disks: &Attached) -> Result<Laid, TargetError> {
        let missing = || TargetError::NoSuchPoint(point.clone());
        let mut rollback = self.journal.rollback(point).ok_or_else(missing)?;
        let ids: Vec<DiskId> = self.intake.spec.disks.iter().map(|d| d.disk.clone()).collect();
        let mut attached = Vec::new();
        for id in &ids {
            if self.journal.sum_at(point, id).is_none() {
                return Err(missing());
            }
            attached.push(self.roomy(id, disks)?.clone());
        }
        let mut laid = Laid::new();
        for (id, disk) in ids.into_iter().zip(attached) {
            self.settle(&id, &disk);
            let over = rollback.remove(&id).unwrap_or_default();
            let blocks = self.lay_disk(point, &id, &disk, &over)?;
            laid.push((id, disk, blocks));
        }
        Ok(laid)
    }

    fn lay_disk(
        &self,
        point: &PointId,
        id: &DiskId,
        disk: &Disk,
        over: &KeptBlocks,
    ) -> Result<Vec<(u64, Page)>, TargetError> {
        let corrupt = |blocks: u64| TargetError::Corrupt { disk: id.clone(), blocks: blocks.max(1) };
        let empty = Ledger::default();
        let ledger = self.ledgers.get(id).unwrap_or(&empty);
        let (mut blocks, mut wrong) = (Vec::with_capacity(over.len()), 0);
        let mut sum = ledger.sum();
        for (block, kept) in over {
            match self.journal.page(kept) {
                Some(page) => blocks.push((*block, page)),
                None => wrong += 1,
            }
            sum = exchanged(sum, *block, ledger.get(*block), kept.key);
        }
        let all = 0..disk.blocks();
        let stays = |block, page: Option<&Page>| !over.contains_key(&block) && key(page) != ledger.get(block);
        wrong += disk.blocks_where(all.clone(), ledger.held(all), stays).len() as u64;
        match self.journal.sum_at(point, id) {
            Some(then) if then == sum && wrong == 0 => Ok(blocks),
            Some(_) if self.intake.planted.is(Canary::ChecksumNotVerified) => Ok(blocks),
            Some(_) | None => Err(corrupt(wrong)),
        }
    }

    /// Reads what was written again: the disk is the point, or is not served.
    fn read_back(
        &self,
        point: &PointId,
        id: &DiskId,
        disk: &Disk,
        blocks: &[(u64, Page)],
    ) -> Result<(), TargetError> {
        let is = |block: u64| disk.pages(block..block + 1).into_iter().flatten().next();
        let wrong = blocks.iter().filter(|(block, page)| key(is(*block).as_ref()) != key(Some(page))).count();
        let sum = self.ledgers.get(id).map(Ledger::sum);
        let verified = !self.intake.planted.is(Canary::ChecksumNotVerified);
        if verified && (wrong > 0 || sum != self.journal.sum_at(point, id)) {
            return Err(TargetError::Corrupt { disk: id.clone(), blocks: (wrong as u64).max(1) });
        }
        Ok(())
    }
}
