//! The sum follows the content alone.

use super::*;
use crate::disk::BLOCK;
use proptest::prelude::*;

fn page(fill: u8) -> Page {
    Page::new(&[fill; BLOCK])
}

proptest! {
    #[test]
    fn the_sum_is_that_of_the_content_and_tells_every_difference(
        writes in prop::collection::vec((0u64..600, 0u8..4), 0..80),
        other in (0u64..600, 1u8..4),
    ) {
        let disk = Disk::new(600);
        let mut ledger = Ledger::of(&disk);
        for (block, fill) in &writes {
            disk.write(*block, page(*fill));
            ledger.set(*block, key(Some(&page(*fill))));
        }
        prop_assert_eq!(ledger.sum(), Ledger::of(&disk).sum());
        for block in 0..600 {
            prop_assert_eq!(ledger.get(block), key(disk.pages(block..block + 1)[0].as_ref()));
        }
        let before = disk.read(other.0);
        disk.write(other.0, page(other.1));
        let same = before == page(other.1);
        prop_assert_eq!(ledger.sum() == Ledger::of(&disk).sum(), same);
    }
}

#[test]
fn exchanging_two_blocks_changes_the_sum() {
    let sum = |order: [u8; 2]| {
        let disk = Disk::new(600);
        disk.write(1, page(order[0]));
        disk.write(513, page(order[1]));
        Ledger::of(&disk).sum()
    };
    assert_ne!(sum([1, 2]), sum([2, 1]));
}

#[test]
fn a_block_beyond_the_end_is_ignored() {
    let mut ledger = Ledger::of(&Disk::new(3));
    ledger.set(100_000, 7);
    assert_eq!((ledger.get(100_000), ledger.sum()), (0, 0));
}

#[test]
fn what_a_range_ought_to_hold_is_asked_chunk_by_chunk() {
    let disk = Disk::new(3 * CHUNK);
    for block in [0, 7, CHUNK - 1, CHUNK, 2 * CHUNK + 5] {
        disk.write(block, page(1));
    }
    let ledger = Ledger::of(&disk);
    let held = |range| ledger.held(range).collect::<Vec<_>>();
    assert_eq!(held(0..8), [0, 7], "a few blocks of one chunk");
    assert_eq!(held(8..CHUNK + 1), [CHUNK - 1, CHUNK], "across the edge of two");
    assert!(held(CHUNK + 1..2 * CHUNK + 5).is_empty(), "up to the end, and without it");
    assert_eq!(held(0..3 * CHUNK), [0, 7, CHUNK - 1, CHUNK, 2 * CHUNK + 5]);
}
