//! What is drawn for a case: each decision from the seed, the case's number and the decision's own name.
//!
//! No decision hangs on how many were made before it, so that one more of them somewhere shifts nothing elsewhere. From
//! a list the one is taken whose name draws lowest: a list that grows changes only what its new member wins.

use failback_wire::env::Env;

/// Decisions below one name.
#[derive(Clone, Debug)]
pub struct Draw {
    env: Env,
    path: String,
}

impl Draw {
    /// All of one case.
    pub fn new(seed: u64, number: u64) -> Self {
        Self { env: Env::new(Env::new(seed).draw(&format!("case/{number}"))), path: String::new() }
    }
    /// Those of one part of it.
    #[must_use]
    pub fn part(&self, name: &str) -> Self {
        Self { env: self.env, path: format!("{}{name}/", self.path) }
    }
    fn raw(&self, what: &str) -> u64 {
        self.env.draw(&format!("{}{what}", self.path))
    }
    /// A number below `n`; 0 when that is 0.
    pub fn below(&self, what: &str, n: u64) -> u64 {
        self.raw(what).checked_rem(n).unwrap_or_default()
    }
    /// A number from `low` to `high`.
    pub fn between(&self, what: &str, low: u64, high: u64) -> u64 {
        low + self.below(what, high.saturating_sub(low) + 1)
    }
    /// True once in `n` times.
    pub fn one_in(&self, what: &str, n: u64) -> bool {
        self.below(what, n) == 0
    }
    /// One of these, by name.
    pub fn pick<T>(
        &self,
        what: &str,
        all: impl IntoIterator<Item = T>,
        name: impl Fn(&T) -> String,
    ) -> Option<T> {
        let part = self.part(what);
        all.into_iter().min_by_key(|one| part.raw(&name(one)))
    }
    /// Those of these, each once in `n` times.
    pub fn some<T>(
        &self,
        what: &str,
        n: u64,
        all: impl IntoIterator<Item = T>,
        name: impl Fn(&T) -> String,
    ) -> Vec<T> {
        let part = self.part(what);
        all.into_iter().filter(|one| part.one_in(&name(one), n)).collect()
    }
}
