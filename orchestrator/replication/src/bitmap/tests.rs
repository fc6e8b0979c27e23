//! The bitmap against an ordered set.

use super::Bitmap;
use proptest::prelude::*;
use std::collections::BTreeSet;

proptest! {
    #[test]
    fn holds_what_was_set(blocks in 1u64..300, picks in prop::collection::vec(0u64..320, 0..80)) {
        let mut map = Bitmap::new(blocks);
        let mut model = BTreeSet::new();
        for pick in picks {
            prop_assert_eq!(map.set(pick), pick < blocks && model.insert(pick));
        }
        prop_assert_eq!(map.iter().collect::<Vec<_>>(), model.iter().copied().collect::<Vec<_>>());
        prop_assert_eq!(map.count(), model.len() as u64);
        prop_assert!((0..320).all(|b| map.contains(b) == model.contains(&b)));
        for pick in (0..320).step_by(3) {
            prop_assert_eq!(map.clear(pick), model.remove(&pick));
        }
        prop_assert_eq!((map.iter().collect::<BTreeSet<_>>(), map.count()), (model.clone(), model.len() as u64));
        let frozen = map.freeze();
        prop_assert!(map.is_empty());
        map.merge(&frozen);
        prop_assert_eq!(map, frozen);
    }
}
