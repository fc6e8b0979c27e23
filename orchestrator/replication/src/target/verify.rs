//! Verification while replication goes on: what the disks hold against what they ought to hold.

use super::{Attached, Target, TargetError};
use crate::bitmap::Bitmap;
use crate::journal::volume::Volume;
use crate::ledger::{Ledger, key};
use failback_wire::canary::Canary;
use failback_wire::ids::DiskId;

/// Holes are passed over in steps of so many blocks.
const CHUNK: u64 = 256;

/// What a step of verification found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Blocks looked at.
    pub checked: u64,
    /// Blocks that do not hold what they ought to and were not known to.
    pub rotten: Vec<(DiskId, u64)>,
    /// True when the step reached the end of the last disk; the next one begins anew.
    pub complete: bool,
}

impl<V: Volume> Target<V> {
    /// Looks at the next blocks, at most `limit` of them and none twice, beside wide holes, and marks those that do not hold what was written.
    /// A session that replicates then asks for a new epoch, whose comparison of hashes repairs from the source
    /// exactly what is marked; disks that were rolled count as rolled no more. Disks that are not attached
    /// are passed over. With `u64::MAX` all blocks are looked at.
    ///
    /// # Errors
    /// When a disk has another size than agreed.
    pub fn verify(&mut self, disks: &Attached, limit: u64) -> Result<Verified, TargetError> {
        let mut out = Verified::default();
        let ids: Vec<DiskId> = self.intake.spec.disks.iter().map(|d| d.disk.clone()).collect();
        let mut wrong = None;
        if limit == u64::MAX {
            self.cursor = (0, 0);
        }
        while out.checked < limit && !out.complete {
            let (index, from) = self.cursor;
            let Some(id) = ids.get(index) else {
                (self.cursor, out.complete) = ((0, 0), true);
                break;
            };
            let disk = match self.disk(id, disks) {
                Ok(disk) => disk.clone(),
                Err(TargetError::NotAttached(_)) => {
                    self.cursor = (index + 1, 0);
                    continue;
                }
                Err(error) => return Err(error),
            };
            self.settle(id, &disk);
            let end = from.saturating_add(limit - out.checked).min(disk.blocks());
            out.checked += end - from;
            let empty = Ledger::default();
            let ledger = self.ledgers.get(id).unwrap_or(&empty);
            let next = [disk.next_held(end), ledger.held(end..u64::MAX).next()];
            let next = next.into_iter().flatten().min().unwrap_or(u64::MAX);
            self.cursor =
                if next < disk.blocks() { (index, end.max(next - next % CHUNK)) } else { (index + 1, 0) };
            let ought = ledger.held(from..end);
            let found = disk.blocks_where(from..end, ought, |block, page| key(page) != ledger.get(block));
            if found.is_empty() || self.intake.planted.is(Canary::ChecksumNotVerified) {
                continue;
            }
            wrong.get_or_insert_with(|| id.clone());
            let map = self.rotten.entry(id.clone()).or_insert_with(|| Bitmap::new(disk.blocks()));
            out.rotten.extend(found.into_iter().filter(|block| map.set(*block)).map(|b| (id.clone(), b)));
        }
        if let Some(id) = wrong {
            self.distrust(format!("blocks of disk {id} do not hold what was written"));
        }
        Ok(out)
    }
}
