//! Randomness and ids, from one seed, by name.
//!
//! Each consumer asks for its own named stream, so that a new consumer shifts nobody else's draws.

use crate::canary::{Canary, Planted};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use std::sync::{Arc, Mutex, PoisonError};
use xxhash_rust::xxh3::xxh3_128_with_seed;

/// The seed of a run and what is drawn from it; and, in a test, the rule that does not hold in this
/// run, or the bug that is planted in it.
#[derive(Clone, Copy, Debug)]
pub struct Env {
    seed: u64,
    without: Option<&'static str>,
    planted: Planted,
}

impl Env {
    /// Everything random in the run follows from `seed`.
    pub fn new(seed: u64) -> Self {
        Self { seed, without: None, planted: Planted::default() }
    }
    /// The same world without the rule of this key: a test learns from it which scenarios prove the rule.
    #[must_use]
    pub fn without(self, key: Option<&'static str>) -> Self {
        Self { without: key, ..self }
    }
    /// True when the rule of this key holds: always, but in such a test. Whoever enforces a rule, or lets its
    /// cause have consequences, asks here.
    pub fn holds(&self, key: &str) -> bool {
        self.without != Some(key)
    }
    /// The same world with this bug planted in it.
    #[must_use]
    pub fn with_planted(self, planted: Planted) -> Self {
        Self { planted, ..self }
    }
    /// True when this bug is planted: never, but in a test build of its own.
    pub fn planted(&self, canary: Canary) -> bool {
        self.planted.is(canary)
    }
    /// The planted bug, for those that have no environment.
    pub fn bug(&self) -> Planted {
        self.planted
    }
    /// The run's seed.
    pub fn seed(&self) -> u64 {
        self.seed
    }
    /// The random stream of this name. Asking twice gives the same stream from its beginning.
    pub fn stream(&self, name: &str) -> ChaCha8Rng {
        let low = xxh3_128_with_seed(name.as_bytes(), self.seed).to_le_bytes();
        let high = xxh3_128_with_seed(name.as_bytes(), !self.seed).to_le_bytes();
        let mut key = [0; 32];
        key[..16].copy_from_slice(&low);
        key[16..].copy_from_slice(&high);
        ChaCha8Rng::from_seed(key)
    }
    /// A number that depends on the seed and on `name` alone: for draws that must not depend on order.
    pub fn draw(&self, name: &str) -> u64 {
        xxh3_128_with_seed(name.as_bytes(), self.seed) as u64
    }
    /// A maker of ids from the stream of this name.
    pub fn ids(&self, name: &str) -> Ids {
        Ids(Arc::new(Mutex::new(self.stream(name))))
    }
}

/// Makes GUIDs, deterministically. Clones share one stream.
#[derive(Clone, Debug)]
pub struct Ids(Arc<Mutex<ChaCha8Rng>>);

impl Ids {
    /// A version 4 GUID in the usual lower-case form.
    pub fn guid(&self) -> String {
        let mut rng = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (a, b) = (rng.next_u64(), rng.next_u64());
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            a >> 32,
            (a >> 16) & 0xffff,
            a & 0xfff,
            0x8000 | ((b >> 48) & 0x3fff),
            b & 0xffff_ffff_ffff
        )
    }
}
