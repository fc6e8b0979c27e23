//! Streams of work cover what they should, once.

use super::*;
use proptest::prelude::*;

proptest! {
    #[test]
    fn extents_are_cut_and_covered_once(
        gaps in prop::collection::vec((0u64..3, 1u64..200), 0..30),
        from in 0u64..4000,
        window in 1u64..(1 << 21),
    ) {
        let (mut at, mut extents) = (0, Vec::new());
        for (gap, len) in gaps {
            let start = at + gap * 4096;
            at = start + len * 4096;
            extents.push(start..at);
        }
        let from = from * 4096;
        let mut plan = Plan::of_extents(extents.iter().cloned(), from);
        let mut works = Vec::new();
        while let Some(window) = plan.window(window).unwrap() {
            works.extend(window);
        }
        let blocks = |ranges: Vec<Range<u64>>| -> Vec<u64> {
            ranges.into_iter().flat_map(|r| r.start / 4096..r.end / 4096).collect()
        };
        prop_assert!(works.iter().all(|w| matches!(w, Work::Data(r) if r.start < r.end && r.end - r.start <= CHUNK)));
        let planned = blocks(works.into_iter().map(|w| w.range().clone()).collect());
        let wanted: Vec<u64> = blocks(extents.clone()).into_iter().filter(|b| b * 4096 >= from).collect();
        prop_assert_eq!(planned, wanted);
    }
}
