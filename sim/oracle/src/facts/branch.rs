//! One copy's life as an ordered write log: what the copy began with, and each write since.

use failback_wire::clock::VirtualMs;
use failback_wire::event::ContentHash;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Content of one disk: its blocks that are not zero.
pub type Content = BTreeMap<u64, ContentHash>;

/// One acknowledged write.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Write {
    /// Position of the disk among the machine's disks.
    pub(crate) disk: u32,
    /// Block of 4 KiB.
    pub(crate) block: u64,
    /// What it holds now.
    pub(crate) content: ContentHash,
    /// When.
    pub(crate) at: VirtualMs,
}

/// A copy from the moment it became one: base and writes since. Any content it ever had is a prefix.
#[derive(Clone, Debug)]
pub(crate) struct Branch {
    base: Arc<Vec<Content>>,
    log: Vec<Write>,
    /// Positions of the machine's disks that this copy came up without (P37).
    pub(crate) absent: BTreeSet<usize>,
    /// The branch it was made from, and how many of that one's writes it began with.
    pub(crate) parent: Option<(usize, usize)>,
}

impl Branch {
    /// A copy that begins with this content, one map per disk.
    pub(crate) fn new(base: Vec<Content>, parent: Option<(usize, usize)>) -> Self {
        Self { base: Arc::new(base), log: Vec::new(), absent: BTreeSet::new(), parent }
    }
    /// The same without the disks at these positions.
    pub(crate) fn without(self, absent: BTreeSet<usize>) -> Self {
        Self { absent, ..self }
    }
    /// The copy has one more disk, which was empty from the first.
    pub(crate) fn add_disk(&mut self) {
        Arc::make_mut(&mut self.base).push(Content::new());
    }
    /// Appends a write.
    pub(crate) fn push(&mut self, write: Write) {
        self.log.push(write);
    }
    /// How many writes there were: the position of a mark cut now.
    pub(crate) fn len(&self) -> usize {
        self.log.len()
    }
    /// Writes from `from` on.
    pub(crate) fn since(&self, from: usize) -> &[Write] {
        self.log.get(from..).unwrap_or_default()
    }
    /// Content of every disk after the first `len` writes. `zero` is the hash of a block of zeros.
    pub(crate) fn content_at(&self, len: usize, zero: ContentHash) -> Vec<Content> {
        let mut disks = (*self.base).clone();
        for write in &self.log[..len.min(self.log.len())] {
            if let Some(disk) = disks.get_mut(write.disk as usize) {
                if write.content == zero {
                    disk.remove(&write.block);
                } else {
                    disk.insert(write.block, write.content);
                }
            }
        }
        disks
    }
    /// Content of every disk now.
    pub(crate) fn content(&self, zero: ContentHash) -> Vec<Content> {
        self.content_at(self.log.len(), zero)
    }
    /// All contents that a block had, oldest first, each with the number of writes after which it appeared.
    pub(crate) fn history(&self, disk: u32, block: u64, zero: ContentHash) -> Vec<(usize, ContentHash)> {
        let first = self.base.get(disk as usize).and_then(|d| d.get(&block)).copied().unwrap_or(zero);
        let mut all = vec![(0, first)];
        let writes = self.log.iter().enumerate().filter(|(_, w)| w.disk == disk && w.block == block);
        all.extend(writes.map(|(n, w)| (n + 1, w.content)));
        all
    }
    /// What the writes from `from` on amount to; `cut` is when the cut before them was made.
    pub(crate) fn loss_since(&self, from: usize, cut: VirtualMs) -> Loss {
        let lost = self.since(from);
        let blocks: BTreeSet<(u32, u64)> = lost.iter().map(|w| (w.disk, w.block)).collect();
        let ms = lost.last().map_or(0, |w| w.at.0.saturating_sub(cut.0));
        let blocks = blocks.len() as u64;
        Loss {
            writes: lost.len() as u64,
            blocks,
            bytes: blocks * crate::BLOCK,
            ms,
            seconds: ms.div_ceil(1000),
        }
    }
}

/// What a failover cost: the old copy's writes after the chosen point.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Loss {
    /// Writes.
    pub writes: u64,
    /// Different blocks they went to.
    pub blocks: u64,
    /// Those blocks in bytes.
    pub bytes: u64,
    /// From the chosen point's cut to the last write after it, in milliseconds; 0 when none was lost.
    pub ms: u64,
    /// The same in seconds, rounded up.
    pub seconds: u64,
}
