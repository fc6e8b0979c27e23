//! Compression of blocks on their way, only where it pays (E17): a probe of the first block decides whether a run
//! is tried at all, and what does not become clearly smaller travels as it is.

use crate::disk::BLOCK;
use lz4_flex::block::{compress, decompress_into};

/// `raw` in LZ4; `None` when that does not save at least an eighth.
pub(crate) fn packed(raw: &[u8]) -> Option<Vec<u8>> {
    let pays = |packed: &Vec<u8>, raw: &[u8]| packed.len() <= raw.len() / 8 * 7;
    let probe = &raw[..raw.len().min(BLOCK)];
    let first = compress(probe);
    if !pays(&first, probe) {
        return None;
    }
    if probe.len() == raw.len() {
        return Some(first);
    }
    Some(compress(raw)).filter(|packed| pays(packed, raw))
}

/// The `len` bytes that were packed; `None` when it is not they.
pub(crate) fn unpacked(packed: &[u8], len: usize) -> Option<Vec<u8>> {
    let mut raw = vec![0; len];
    (decompress_into(packed, &mut raw).ok()? == len).then_some(raw)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::{Rng, SeedableRng};

    fn noise(blocks: usize) -> Vec<u8> {
        let mut bytes = vec![0; blocks * BLOCK];
        rand_chacha::ChaCha8Rng::seed_from_u64(1).fill_bytes(&mut bytes);
        bytes
    }

    #[test]
    fn noise_travels_as_it_is_and_text_does_not() {
        let text = b"a line of a log, more or less the same as the next one\n".repeat(BLOCK);
        let text = &text[..8 * BLOCK];
        let small = packed(text).unwrap();
        assert!(small.len() < text.len() / 4);
        assert_eq!(unpacked(&small, text.len()).unwrap(), text);
        assert_eq!(packed(&noise(8)), None);
        let late: Vec<u8> = [&text[..BLOCK], &noise(7)].concat();
        assert_eq!(packed(&late), None, "the probe was wrong, the whole decides");
        let early: Vec<u8> = [&noise(1), text].concat();
        assert_eq!(packed(&early), None, "the probe decides");
    }

    #[test]
    fn another_length_is_noticed() {
        let small = packed(&[7; 2 * BLOCK]).unwrap();
        assert!(unpacked(&small, BLOCK).is_none());
        assert!(unpacked(&small, 3 * BLOCK).is_none());
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            unpacked(&bytes, BLOCK);
        }
    }
}
