//! What every block of a target's disk ought to hold: one hash a block, and a sum over all of them.
//!
//! The sum changes by what changes, so that a recovery point costs nothing to sign: each block that is not
//! all zeros adds its hash times an odd number of its own. It takes 4 MiB of memory per GiB that holds data.

use crate::disk::{Disk, Page};
use std::sync::{Arc, OnceLock};

/// Blocks per copy-on-write chunk.
const CHUNK: usize = 256;

/// What a block holds, as a number: 0 for zeros, else the hash of its page.
pub type Key = u128;

/// The key of a page; `None` is a hole.
pub fn key(page: Option<&Page>) -> Key {
    static ZERO: OnceLock<Key> = OnceLock::new();
    // By its hash, which is known, and not by its bytes, which are far away.
    let hash = page.map_or(0, |page| page.hash().0);
    if hash == *ZERO.get_or_init(|| Page::zero().hash().0) { 0 } else { hash }
}

fn term(block: u64, key: Key) -> u128 {
    key.wrapping_mul(u128::from(block) << 1 | 1)
}

/// The sum of a disk after some of its blocks were exchanged.
pub fn exchanged(sum: u128, block: u64, old: Key, new: Key) -> u128 {
    sum.wrapping_sub(term(block, old)).wrapping_add(term(block, new))
}

/// The keys of a disk's blocks. A clone shares what neither side has changed since.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    chunks: Vec<Option<Arc<Vec<Key>>>>,
    sum: u128,
}

impl Ledger {
    /// What the disk holds now.
    pub fn of(disk: &Disk) -> Self {
        let chunks = (disk.blocks() as usize).div_ceil(CHUNK);
        let mut ledger = Self { chunks: vec![None; chunks], sum: 0 };
        for (block, page) in disk.allocated() {
            ledger.set(block, key(Some(&page)));
        }
        ledger
    }
    /// What the block ought to hold.
    pub fn get(&self, block: u64) -> Key {
        let (chunk, at) = (block as usize / CHUNK, block as usize % CHUNK);
        self.chunks.get(chunk).and_then(Option::as_ref).map_or(0, |keys| keys[at])
    }
    /// The block ought to hold this from now on; numbers beyond the disk's end are ignored.
    pub fn set(&mut self, block: u64, key: Key) {
        let (chunk, at) = (block as usize / CHUNK, block as usize % CHUNK);
        let Some(slot) = self.chunks.get_mut(chunk) else { return };
        if slot.is_none() && key == 0 {
            return;
        }
        let keys = Arc::make_mut(slot.get_or_insert_with(|| Arc::new(vec![0; CHUNK])));
        self.sum = exchanged(self.sum, block, keys[at], key);
        keys[at] = key;
    }
    /// The disk has so many blocks now, at least; what is new holds zeros.
    pub fn reach(&mut self, blocks: u64) {
        let chunks = (blocks as usize).div_ceil(CHUNK).max(self.chunks.len());
        self.chunks.resize(chunks, None);
    }
    /// One number over all blocks: equal for equal content, whatever its history.
    pub fn sum(&self) -> u128 {
        self.sum
    }
}

#[cfg(test)]
mod tests;
