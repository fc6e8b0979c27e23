//! Lets in what is due in one millisecond in the order of its keys, whatever order the scheduler woke it in.

use failback_wire::clock::{Clock, VirtualMs};
use failback_wire::ids::NodeName;
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use tokio::sync::Notify;

/// What comes to a node. In one millisecond it hears answers before it is asked anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Way {
    Reply,
    Request,
}

/// What comes, who calls (or is called) for what, and the how-manieth time: unique, and the same on both wires. Calls
/// are counted by operation, so the number alone would not do: who leaves would take another one's place along.
pub(super) type Key = (Way, NodeName, &'static str, u64);

/// The door of a node: requests and replies come through one, for what follows from either may meet in one place.
/// Clones are the same door.
#[derive(Clone, Default)]
pub(super) struct Gate(Arc<Door>);

#[derive(Default)]
struct Door {
    /// Tickets that are out: who is under way, or waits here.
    out: AtomicUsize,
    queue: Mutex<BTreeMap<Key, Arc<Notify>>>,
}

impl Door {
    fn queue(&self) -> MutexGuard<'_, BTreeMap<Key, Arc<Notify>>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
    fn is_first(&self, key: &Key) -> bool {
        self.queue().first_key_value().is_none_or(|(first, _)| first == key)
    }
}

impl Gate {
    /// To be had when the way to the door begins, at least one millisecond before it is reached.
    pub(super) fn ticket(&self) -> Ticket {
        self.0.out.fetch_add(1, Ordering::Relaxed);
        Ticket(self.0.clone())
    }
}

/// Lets one through.
pub(super) struct Ticket(Arc<Door>);

impl Drop for Ticket {
    fn drop(&mut self) {
        self.0.out.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Ticket {
    /// Waits until `at`, then until nobody with a smaller key waits at this door.
    pub(super) async fn pass(self, clock: &Clock, at: VirtualMs, key: Key) {
        tokio::time::sleep_until(clock.instant(at)).await;
        if self.0.out.load(Ordering::Relaxed) == 1 {
            // Nobody else can come in this millisecond: only the node's own timers go first.
            return behind_the_others().await;
        }
        let turn = Arc::new(Notify::new());
        self.0.queue().insert(key.clone(), turn.clone());
        let _leaves = Leaves { door: &self.0, key: &key };
        // All whose timers fired in this millisecond register before the first one goes.
        behind_the_others().await;
        while !self.0.is_first(&key) {
            turn.notified().await;
        }
    }
}

/// Lets all tasks go first that are ready now. Unlike `yield_now`, it does not look at the clock in between.
async fn behind_the_others() {
    let mut queued = false;
    poll_fn(|context| {
        if std::mem::replace(&mut queued, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Leaves the queue, also when the caller gave up waiting, and tells the next one.
struct Leaves<'a> {
    door: &'a Door,
    key: &'a Key,
}
impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        let mut queue = self.door.queue();
        queue.remove(self.key);
        if let Some((_, turn)) = queue.first_key_value() {
            turn.notify_one();
        }
    }
}
