//! What the guest wrote, in the order in which it did: the log behind which a bitmap stands.
//!
//! The log keeps every write with its content, up to a bound its holder sets. Beyond it, order and content are
//! given up and only the places are kept, in a [`crate::bitmap::Bitmap`] per disk: what they hold is read later,
//! and no point is made until all of it has been (E5, E14).

use crate::disk::{BLOCK, Page};
use failback_wire::ids::DiskId;
use std::collections::{BTreeMap, VecDeque};

/// What an entry costs beside its page, in bytes.
const ENTRY: usize = 32;

/// One write of one block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The disk.
    pub disk: DiskId,
    /// Which block.
    pub block: u64,
    /// What it held after the write.
    pub page: Page,
}

/// An ordered log of writes.
#[derive(Debug, Default)]
pub struct ChangeLog {
    changes: VecDeque<Change>,
}

impl ChangeLog {
    /// Appends a write.
    pub fn push(&mut self, change: Change) {
        self.changes.push_back(change);
    }
    /// Bytes kept.
    pub fn bytes(&self) -> usize {
        self.changes.len() * (BLOCK + ENTRY)
    }
    /// True when nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
    /// Writes that are kept, by disk.
    pub fn counts(&self) -> BTreeMap<&DiskId, u64> {
        let mut counts = BTreeMap::new();
        self.changes.iter().for_each(|change| *counts.entry(&change.disk).or_default() += 1);
        counts
    }
    /// Takes all writes out: what each block of each disk held last, ascending. Whoever holds what the source held
    /// before the first of them, and applies all, holds what it held after the last.
    pub fn drain(&mut self) -> BTreeMap<DiskId, BTreeMap<u64, Page>> {
        let mut latest: BTreeMap<DiskId, BTreeMap<u64, Page>> = BTreeMap::new();
        for Change { disk, block, page } in self.changes.drain(..) {
            latest.entry(disk).or_default().insert(block, page);
        }
        latest
    }
    /// Gives up order and content; what remains to be told is the places.
    pub fn give_up(&mut self) -> impl Iterator<Item = (DiskId, u64)> + '_ {
        self.changes.drain(..).map(|change| (change.disk, change.block))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_write_of_a_block_wins_and_nothing_stays() {
        let (a, b) = (DiskId::new("a"), DiskId::new("b"));
        let page = |fill: u8| Page::new(&[fill; BLOCK]);
        let mut log = ChangeLog::default();
        for (disk, block, fill) in [(&a, 3, 1), (&b, 3, 2), (&a, 3, 3), (&a, 1, 4)] {
            log.push(Change { disk: disk.clone(), block, page: page(fill) });
        }
        assert_eq!(log.bytes(), 4 * (BLOCK + ENTRY));
        assert_eq!(log.counts(), BTreeMap::from([(&a, 3), (&b, 1)]));
        let drained = log.drain();
        assert_eq!(drained[&a], BTreeMap::from([(1, page(4)), (3, page(3))]));
        assert_eq!(drained[&b], BTreeMap::from([(3, page(2))]));
        assert!(log.is_empty() && log.bytes() == 0);
    }
}
