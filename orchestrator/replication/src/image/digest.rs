//! The one place where images meet a hash function that is not per block.

use xxhash_rust::xxh3::xxh3_128;

/// Bytes of a digest.
pub(super) const LEN: usize = 16;

/// xxh3-128 of some bytes.
pub(super) fn digest(bytes: &[u8]) -> u128 {
    xxh3_128(bytes)
}

/// The same bytes with their digest behind them.
pub(super) fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let seal = digest(&bytes);
    bytes.extend_from_slice(&seal.to_le_bytes());
    bytes
}

/// What stands before a digest that is right; `None` when it is not, or nothing is there.
pub(super) fn unsealed(bytes: &[u8]) -> Option<&[u8]> {
    let (body, seal) = bytes.split_last_chunk::<LEN>()?;
    (digest(body) == u128::from_le_bytes(*seal)).then_some(body)
}

/// Takes fixed fields off the front of untrusted bytes.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl Fields<'_> {
    /// The next `N` bytes, if there are so many.
    pub(super) fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*field)
    }
    /// The next number.
    pub(super) fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }
    /// The next number.
    pub(super) fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }
}
