//! What every block of a target's disk ought to hold: one hash a block, and a sum over all of them.
//!
//! The sum changes by what changes, so that a recovery point costs nothing to sign: each block that is not
//! all zeros adds its hash times an odd number of its own. It takes 4 MiB of memory per GiB that holds data.

use crate::disk::{Disk, Page};
use crate::sparse::Sparse;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

/// Blocks per copy-on-write chunk.
const CHUNK: u64 = 256;

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
    chunks: Sparse<Arc<Vec<Key>>>,
    blocks: u64,
    sum: u128,
}

impl Ledger {
    /// What the disk holds now.
    pub fn of(disk: &Disk) -> Self {
        let mut ledger = Self { blocks: disk.blocks(), ..Self::default() };
        for (block, page) in disk.allocated() {
            ledger.set(block, key(Some(&page)));
        }
        ledger
    }
    /// What the block ought to hold.
    pub fn get(&self, block: u64) -> Key {
        self.chunks.get(block / CHUNK).map_or(0, |keys| keys[(block % CHUNK) as usize])
    }
    /// The blocks of a range that ought to hold something, ascending.
    pub fn held(&self, range: Range<u64>) -> impl Iterator<Item = u64> {
        let all = self.chunks.from(range.start / CHUNK);
        let chunks = all.take_while(move |(chunk, _)| chunk * CHUNK < range.end);
        let keys = chunks.flat_map(|(chunk, keys)| (chunk * CHUNK..).zip(keys.iter()));
        keys.filter(move |(block, key)| **key != 0 && range.contains(block)).map(|(block, _)| block)
    }
    /// The block ought to hold this from now on; numbers beyond the disk's end are ignored.
    pub fn set(&mut self, block: u64, key: Key) {
        let (chunk, at) = (block / CHUNK, (block % CHUNK) as usize);
        if block >= self.blocks || key == 0 && self.chunks.get(chunk).is_none() {
            return;
        }
        let keys = Arc::make_mut(self.chunks.or_insert_with(chunk, || Arc::new(vec![0; CHUNK as usize])));
        self.sum = exchanged(self.sum, block, keys[at], key);
        keys[at] = key;
    }
    /// The disk has so many blocks now, at least; what is new holds zeros.
    pub fn reach(&mut self, blocks: u64) {
        self.blocks = self.blocks.max(blocks);
    }
    /// One number over all blocks: equal for equal content, whatever its history.
    pub fn sum(&self) -> u128 {
        self.sum
    }
}

#[cfg(test)]
mod tests;
