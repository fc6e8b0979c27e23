//! Slots of a long row of which few are taken: memory and time go by what is taken, not by how long the row is.

/// What lies at some numbers below 2^64, ascending. A row without gaps is as quick as a plain list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sparse<T>(Vec<(u64, T)>);

impl<T> Default for Sparse<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Sparse<T> {
    /// Where the number is, or where it would be.
    fn find(&self, at: u64) -> Result<usize, usize> {
        // Nothing lies behind the place that it has in a row without gaps.
        let last = usize::try_from(at).unwrap_or(usize::MAX).min(self.0.len());
        match self.0.get(last) {
            Some((there, _)) if *there == at => Ok(last),
            Some(_) | None => self.0[..last].binary_search_by_key(&at, |(there, _)| *there),
        }
    }
    /// What lies there.
    pub(crate) fn get(&self, at: u64) -> Option<&T> {
        self.find(at).ok().map(|n| &self.0[n].1)
    }
    /// The same, to be changed.
    pub(crate) fn get_mut(&mut self, at: u64) -> Option<&mut T> {
        self.find(at).ok().map(|n| &mut self.0[n].1)
    }
    /// The same, put there first where nothing is.
    pub(crate) fn or_insert_with(&mut self, at: u64, new: impl FnOnce() -> T) -> &mut T {
        let n = match self.find(at) {
            Ok(n) => n,
            Err(n) => {
                self.0.insert(n, (at, new()));
                n
            }
        };
        &mut self.0[n].1
    }
    /// Takes away what lies there.
    pub(crate) fn remove(&mut self, at: u64) {
        if let Ok(n) = self.find(at) {
            self.0.remove(n);
        }
    }
    /// All from this number on, ascending.
    pub(crate) fn from(&self, at: u64) -> impl Iterator<Item = (u64, &T)> {
        let (Ok(n) | Err(n)) = self.find(at);
        self.0[n..].iter().map(|(at, it)| (*at, it))
    }
}

#[cfg(test)]
mod tests {
    use super::Sparse;

    #[test]
    fn numbers_are_found_wherever_the_gaps_are() {
        let mut row = Sparse::default();
        for at in [0, 1, 2, 7, 1 << 40, 5] {
            *row.or_insert_with(at, || 0) += at;
        }
        let all = |row: &Sparse<u64>, from| row.from(from).map(|(at, _)| at).collect::<Vec<_>>();
        assert_eq!(all(&row, 0), [0, 1, 2, 5, 7, 1 << 40]);
        assert_eq!(all(&row, 3), [5, 7, 1 << 40]);
        assert_eq!(all(&row, 8), [1 << 40]);
        assert_eq!(all(&row, u64::MAX), [0; 0]);
        for at in 0..10 {
            assert_eq!(row.get(at).copied(), all(&row, 0).contains(&at).then_some(at), "{at}");
        }
        row.remove(1);
        row.remove(6);
        assert_eq!(all(&row, 0), [0, 2, 5, 7, 1 << 40]);
        *row.get_mut(5).unwrap() = 1;
        assert_eq!((row.get(5), row.get(1)), (Some(&1), None));
    }
}
