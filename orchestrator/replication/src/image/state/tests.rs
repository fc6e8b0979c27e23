//! The record against whatever bytes come.

use super::*;
use proptest::prelude::*;

fn record(numbers: [u64; 6], kind: u32) -> Record {
    let [place, size, seconds, cursor, map, crc] = numbers;
    let time = (seconds.cast_signed(), 999_999_999);
    let source = Identity { place: (place, !place), size, modified: time, changed: (-1, 0) };
    let kind = Kind::of(kind % 3).expect("there are three");
    let task = Task { kind, source, place: (!place, place), size, map: u128::from(map) << 64 };
    Record { task, cursor, crc: crc as u32 }
}

proptest! {
    #[test]
    fn comes_back(numbers: [u64; 6], kind: u32) {
        let record = record(numbers, kind);
        let bytes = record.encode();
        prop_assert_eq!(bytes.len(), LEN);
        prop_assert_eq!(Record::decode(&bytes), Some(record));
    }

    /// A record half overwritten by the next one is no record.
    #[test]
    fn torn_is_nothing(old: [u64; 6], new: [u64; 6], at in 1..LEN) {
        let (old, new) = (record(old, 0), record(new, 0));
        let mut bytes = new.encode();
        bytes[at..].copy_from_slice(&old.encode()[at..]);
        prop_assert!([None, Some(old), Some(new)].contains(&Record::decode(&bytes)));
        prop_assert_eq!(Record::decode(&new.encode()[..at]), None);
    }

    #[test]
    fn any_change_is_found(numbers: [u64; 6], kind: u32, bit in 0..LEN * 8) {
        let mut bytes = record(numbers, kind).encode();
        bytes[bit / 8] ^= 1 << (bit % 8);
        prop_assert_eq!(Record::decode(&bytes), None);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..2 * LEN)) {
        prop_assert_eq!(Record::decode(&bytes), None);
        let sealed = digest::sealed([&MAGIC[..], &VERSION.to_le_bytes(), &bytes].concat());
        if let Some(record) = Record::decode(&sealed) {
            prop_assert_eq!(record.encode(), sealed);
        }
    }
}
