//! The codec of maps against whatever bytes come.

use super::*;
use proptest::prelude::*;

fn identity(seed: u64, size: u64) -> Identity {
    let time = (seed as i64 - 7, 13);
    Identity { place: (seed, seed / 2), size, modified: time, changed: time }
}

fn map(size: u64, picks: &[u64]) -> ChangeMap {
    let mut changed = Bitmap::new(blocks(size));
    for pick in picks {
        changed.set(pick % blocks(size).max(1));
    }
    ChangeMap { size, base: identity(1, size), image: identity(2, size), changed }
}

proptest! {
    #[test]
    fn comes_back(size in 0u64..5_000_000, picks in prop::collection::vec(any::<u64>(), 0..50)) {
        let map = map(size, &picks);
        prop_assert_eq!(ChangeMap::decode(&map.encode()), Ok(map.clone()));
        let mut covered = Bitmap::new(blocks(size));
        let mut last = None;
        for range in map.extents() {
            prop_assert!(last < Some(range.start) && range.start < range.end && range.end <= size);
            last = Some(range.end);
            (range.start / 4096..range.end.div_ceil(4096)).for_each(|at| { covered.set(at); });
        }
        prop_assert_eq!(covered, map.changed);
    }

    #[test]
    fn any_change_is_found(size in 0u64..500_000, picks in prop::collection::vec(any::<u64>(), 0..9), bit: usize) {
        let mut bytes = map(size, &picks).encode();
        let bit = bit % (bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(ChangeMap::decode(&bytes).is_err());
    }

    #[test]
    fn a_part_is_no_map(size in 0u64..500_000, cut: usize) {
        let bytes = map(size, &[1, 2, 77]).encode();
        prop_assert!(ChangeMap::decode(&bytes[..cut % bytes.len()]).is_err());
    }

    /// Whoever can compute a digest can claim any size; memory is not given for a claim.
    #[test]
    fn arbitrary_bytes_are_no_map(size: u64, count: u64, rest in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut bytes = [&MAGIC[..], &VERSION.to_le_bytes(), &(BLOCK as u32).to_le_bytes()].concat();
        bytes.extend_from_slice(&size.to_le_bytes());
        bytes.extend_from_slice(&count.to_le_bytes());
        bytes.extend_from_slice(&rest);
        if let Ok(map) = ChangeMap::decode(&digest::sealed(bytes)) {
            prop_assert_eq!((map.size, map.changed.count()), (size, count));
        }
        prop_assert_eq!(ChangeMap::decode(&rest), Err(MapError::NotAMap));
    }
}

#[test]
fn bits_beyond_the_end_are_damage() {
    let mut bytes = map(5 * 4096, &[1]).encode();
    bytes.truncate(bytes.len() - digest::LEN);
    bytes[HEADER] |= 1 << 5;
    assert_eq!(ChangeMap::decode(&digest::sealed(bytes)), Err(MapError::Damaged));
}
