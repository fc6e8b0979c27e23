//! Lets in what is due in one millisecond in the order of its keys, whatever order the scheduler woke it in.

use failback_wire::clock::{Clock, VirtualMs};
use failback_wire::ids::NodeName;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Who calls (or is called) for what, and the how-manieth time: unique, and the same on both wires. Calls are
/// counted by operation, so the number alone would not do: who leaves would take another one's place along.
pub(super) type Key = (NodeName, &'static str, u64);

/// One door. Clones are the same door.
#[derive(Clone, Default)]
pub(super) struct Gate(Arc<Mutex<BTreeMap<Key, Arc<Notify>>>>);

impl Gate {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, Arc<Notify>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `at`, then until nobody with a smaller key waits at this door.
    pub(super) async fn pass(&self, clock: &Clock, at: VirtualMs, key: Key) {
        tokio::time::sleep_until(clock.instant(at)).await;
        let turn = Arc::new(Notify::new());
        self.lock().insert(key.clone(), turn.clone());
        let _leaves = Leaves { gate: self, key: &key };
        // All whose timers fired in this millisecond register before the first one goes.
        tokio::task::yield_now().await;
        while !self.is_first(&key) {
            turn.notified().await;
        }
    }

    fn is_first(&self, key: &Key) -> bool {
        self.lock().first_key_value().is_none_or(|(first, _)| first == key)
    }
}

/// Leaves the queue, also when the caller gave up waiting, and tells the next one.
struct Leaves<'a> {
    gate: &'a Gate,
    key: &'a Key,
}
impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        let mut queue = self.gate.lock();
        queue.remove(self.key);
        if let Some((_, turn)) = queue.first_key_value() {
            turn.notify_one();
        }
    }
}
