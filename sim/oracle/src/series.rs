//! Values by key, for keys that grow: nearly always one of the newest is asked for.

use std::collections::VecDeque;

/// Values in the order of their keys. A list and not a tree: a run has millions of recovery points, each event speaks of
/// one of the newest, and of a list only its end is looked at for that.
#[derive(Clone, Debug)]
pub struct Series<K, V>(VecDeque<(K, V)>);

impl<K, V> Default for Series<K, V> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<K: Ord, V> Series<K, V> {
    /// Where the key is, or where it belongs.
    fn place(&self, key: &K) -> Result<usize, usize> {
        match self.0.back() {
            Some((newest, _)) if newest < key => Err(self.0.len()),
            Some((newest, _)) if newest == key => Ok(self.0.len() - 1),
            Some(_) | None => self.0.binary_search_by(|(known, _)| known.cmp(key)),
        }
    }
    /// The value of this key.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.place(key).ok().and_then(|n| self.0.get(n)).map(|(_, value)| value)
    }
    /// The same, to be changed.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.place(key).ok().and_then(|n| self.0.get_mut(n)).map(|(_, value)| value)
    }
    /// Puts a value in, in the place of an earlier one of this key.
    pub fn insert(&mut self, key: K, value: V) {
        match self.place(&key) {
            Ok(n) => self.0[n] = (key, value),
            Err(n) => self.0.insert(n, (key, value)),
        }
    }
    /// Takes a value out.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        self.place(key).ok().and_then(|n| self.0.remove(n)).map(|(_, value)| value)
    }
    /// All of them in the order of their keys.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&K, &V)> {
        self.0.iter().map(|(key, value)| (key, value))
    }
    /// The values.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &V> {
        self.0.iter().map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::Series;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[derive(Clone, Debug)]
    enum Op {
        Insert(u8, u16),
        Remove(u8),
        Double(u8),
    }

    fn op() -> impl Strategy<Value = Op> {
        let key = 0_u8..24;
        prop_oneof![
            (key.clone(), any::<u16>()).prop_map(|(key, value)| Op::Insert(key, value)),
            key.clone().prop_map(Op::Remove),
            key.prop_map(Op::Double),
        ]
    }

    proptest! {
        #[test]
        fn holds_what_a_map_holds(ops in prop::collection::vec(op(), 0..80)) {
            let (mut series, mut map) = (Series::default(), BTreeMap::new());
            for op in ops {
                match op {
                    Op::Insert(key, value) => {
                        series.insert(key, value);
                        map.insert(key, value);
                    }
                    Op::Remove(key) => prop_assert_eq!(series.remove(&key), map.remove(&key)),
                    Op::Double(key) => {
                        let double = |value: &mut u16| *value = value.wrapping_mul(2);
                        series.get_mut(&key).map(double);
                        map.get_mut(&key).map(double);
                    }
                }
                prop_assert!((0..24).all(|key| series.get(&key) == map.get(&key)));
            }
            prop_assert_eq!(series.iter().collect::<Vec<_>>(), map.iter().collect::<Vec<_>>());
        }
    }
}
