//! Lets in what is due in one millisecond in the order of its keys, whatever order the scheduler woke it in.

use failback_wire::clock::{Clock, VirtualMs};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Who calls (or is called) for what, and the how-manieth time: unique, and the same on both wires. Calls are
/// counted by operation, so the number alone would not do: who leaves would take another one's place along.
type Key = (String, u64);

/// One door. Clones are the same door.
#[derive(Clone, Default)]
pub(super) struct Gate(Arc<Mutex<BTreeSet<Key>>>);

impl Gate {
    fn lock(&self) -> MutexGuard<'_, BTreeSet<Key>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `at`, then until nobody with a smaller key waits at this door.
    pub(super) async fn pass(&self, clock: &Clock, at: VirtualMs, key: Key) {
        tokio::time::sleep_until(clock.instant(at)).await;
        self.lock().insert(key.clone());
        let _leaves = Leaves { gate: self, key: &key };
        // All whose timers fired in this millisecond register before the first one goes.
        tokio::task::yield_now().await;
        while self.lock().first() != Some(&key) {
            tokio::task::yield_now().await;
        }
    }
}

/// Leaves the queue, also when the caller gave up waiting.
struct Leaves<'a> {
    gate: &'a Gate,
    key: &'a Key,
}
impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        self.gate.lock().remove(self.key);
    }
}
