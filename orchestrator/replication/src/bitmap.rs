//! Which blocks of a disk changed: one bit per 4 KiB block, kept where bits are set.

use crate::sparse::Sparse;

/// Words of 64 bits that lie together.
const WORDS: usize = 4;
/// Blocks that they stand for.
const SPAN: u64 = 64 * WORDS as u64;

/// A set of block numbers below a fixed bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bitmap {
    /// Those with a bit set.
    spans: Sparse<[u64; WORDS]>,
    blocks: u64,
    count: u64,
}

/// The word of a span, and the bit in it.
fn place(block: u64) -> (usize, u64) {
    ((block % SPAN / 64) as usize, 1 << (block % 64))
}

impl Bitmap {
    /// The empty set over `blocks` blocks.
    pub fn new(blocks: u64) -> Self {
        Self { spans: Sparse::default(), blocks, count: 0 }
    }
    /// Adds a block; numbers beyond the bound are ignored. True when it was not there.
    pub fn set(&mut self, block: u64) -> bool {
        if block >= self.blocks {
            return false;
        }
        let (word, bit) = place(block);
        let word = &mut self.spans.or_insert_with(block / SPAN, || [0; WORDS])[word];
        let fresh = *word & bit == 0;
        *word |= bit;
        self.count += u64::from(fresh);
        fresh
    }
    /// Takes a block out. True when it was there.
    pub fn clear(&mut self, block: u64) -> bool {
        let (word, bit) = place(block);
        let Some(span) = self.spans.get_mut(block / SPAN).filter(|span| span[word] & bit != 0) else {
            return false;
        };
        span[word] &= !bit;
        let empty = *span == [0; WORDS];
        self.count -= 1;
        if empty {
            self.spans.remove(block / SPAN);
        }
        true
    }
    /// True when the block is in the set.
    pub fn contains(&self, block: u64) -> bool {
        let (word, bit) = place(block);
        self.spans.get(block / SPAN).is_some_and(|span| span[word] & bit != 0)
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
        let words = self.spans.from(0).flat_map(|(at, span)| (at * SPAN..).step_by(64).zip(span));
        words.filter(|(_, word)| **word != 0).flat_map(|(first, word)| {
            let mut rest = *word;
            std::iter::from_fn(move || {
                (rest != 0).then(|| {
                    let bit = rest.trailing_zeros();
                    rest &= rest - 1;
                    first + u64::from(bit)
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
