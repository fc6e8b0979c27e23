//! A crash at every write of the journal, torn or whole, with the disk ahead or behind: what opens again holds
//! every kept point, as an independent model that only replays the frames knows them.

// `cfg(test)` tells the lints that these helpers are tests as well.
#[cfg(test)]
#[path = "crash/bench.rs"]
mod bench;

use bench::{Act, BLOCKS, Life};
use proptest::prelude::*;

/// Two points of two disks, holes made and filled, a resynchronisation, rolls back, forward and to the newest.
fn script() -> Vec<Act> {
    let write = |disk, first, fills: &[u8]| Act::Write { disk, first, fills: fills.to_vec() };
    vec![
        write(0, 0, &[1, 2, 3]),
        write(1, 5, &[4]),
        Act::Synced,
        Act::Mark,
        write(0, 1, &[5, 0, 6]),
        write(1, 5, &[7, 8]),
        write(0, 1, &[9]),
        Act::Mark,
        write(0, 0, &[0, 0, 0, 0]),
        Act::Epoch,
        write(0, 3, &[1]),
        Act::Synced,
        write(1, 0, &[2, 3, 4, 5, 6, 7]),
        Act::Mark,
        write(0, 2, &[8, 8]),
        Act::Prune { keep: 2 },
        write(1, 2, &[1, 0]),
        Act::Roll { back: 1 },
        Act::Roll { back: 0 },
        Act::Epoch,
        write(0, 0, &[3, 3, 3]),
        Act::Synced,
        Act::Mark,
        Act::Roll { back: 2 },
    ]
}

fn act() -> impl Strategy<Value = Act> {
    let fills = prop::collection::vec(0u8..6, 1..5);
    prop_oneof![
        8 => (0usize..2, 0..BLOCKS - 4, fills)
            .prop_map(|(disk, first, fills)| Act::Write { disk, first, fills }),
        3 => Just(Act::Synced),
        4 => Just(Act::Mark),
        1 => Just(Act::Epoch),
        1 => (1usize..4).prop_map(|keep| Act::Prune { keep }),
        2 => (0usize..4).prop_map(|back| Act::Roll { back }),
    ]
}

#[test]
fn a_crash_anywhere_in_the_script_loses_nothing() {
    let acts = script();
    let moments = Life::moments(&acts);
    assert!(moments.len() > 600, "{} moments", moments.len());
    for fuel in moments {
        Life::crashed(&acts, fuel, fuel).goes_on(&acts);
    }
}

proptest! {
    #[test]
    fn a_crash_anywhere_in_a_history_loses_nothing(
        acts in prop::collection::vec(act(), 1..40),
        picks in prop::collection::vec((any::<prop::sample::Index>(), any::<u64>()), 24),
    ) {
        let moments = Life::moments(&acts);
        for (pick, seed) in picks.iter().filter(|_| !moments.is_empty()) {
            Life::crashed(&acts, *pick.get(&moments), *seed).goes_on(&acts);
        }
    }

    /// Crashes after crashes, the recovery included.
    #[test]
    fn crashes_upon_crashes_lose_nothing(
        acts in prop::collection::vec(act(), 1..30),
        fuels in prop::collection::vec((0u64..40_000, any::<u64>()), 1..6),
    ) {
        let mut life = Life::new(None);
        for (fuel, seed) in fuels {
            life.refuel(fuel);
            life.run_from(&acts);
            life.crash(&acts, seed);
        }
        life.goes_on(&acts);
    }
}
