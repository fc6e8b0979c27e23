//! Which blocks of a disk changed: one bit per 4 KiB block, 32 KiB per GiB of disk.

/// A set of block numbers below a fixed bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bitmap {
    words: Vec<u64>,
    blocks: u64,
    count: u64,
}

impl Bitmap {
    /// The empty set over `blocks` blocks.
    pub fn new(blocks: u64) -> Self {
        Self { words: vec![0; blocks.div_ceil(64) as usize], blocks, count: 0 }
    }
    /// Adds a block; numbers beyond the bound are ignored. True when it was not there.
    pub fn set(&mut self, block: u64) -> bool {
        if block >= self.blocks {
            return false;
        }
        let (word, bit) = (&mut self.words[(block / 64) as usize], 1u64 << (block % 64));
        let fresh = *word & bit == 0;
        *word |= bit;
        self.count += u64::from(fresh);
        fresh
    }
    /// Takes a block out. True when it was there.
    pub fn clear(&mut self, block: u64) -> bool {
        let there = self.contains(block);
        if there {
            self.words[(block / 64) as usize] &= !(1 << (block % 64));
            self.count -= 1;
        }
        there
    }
    /// True when the block is in the set.
    pub fn contains(&self, block: u64) -> bool {
        block < self.blocks && self.words[(block / 64) as usize] & (1 << (block % 64)) != 0
    }
    /// How many blocks are in the set.
    pub fn count(&self) -> u64 {
        self.count
    }
    /// True when the set is empty.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
    /// The blocks, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        self.words.iter().enumerate().filter(|(_, word)| **word != 0).flat_map(|(at, word)| {
            let mut rest = *word;
            std::iter::from_fn(move || {
                (rest != 0).then(|| {
                    let bit = rest.trailing_zeros();
                    rest &= rest - 1;
                    at as u64 * 64 + u64::from(bit)
                })
            })
        })
    }
    /// Takes the set, leaving the empty one: the active map becomes the frozen one.
    pub fn freeze(&mut self) -> Self {
        let empty = Self::new(self.blocks);
        std::mem::replace(self, empty)
    }
    /// Adds all of `other`: a frozen map whose blocks did not get through merges back (E6).
    pub fn merge(&mut self, other: &Self) {
        for block in other.iter() {
            self.set(block);
        }
    }
}

#[cfg(test)]
mod tests;
