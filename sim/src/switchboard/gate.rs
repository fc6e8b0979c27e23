//! Lets in what is due in one millisecond in the order of its keys, whatever order the scheduler woke it in.

use failback_wire::clock::{Clock, VirtualMs};
use failback_wire::ids::NodeName;
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use tokio::sync::Notify;

/// Who calls (or is called) for what, the number of what is asked, and the how-manieth time: unique, and the same on both
/// wires. Calls are counted by operation, so the count alone would not do: who leaves would take another one's place
/// along. Nor would it without what is asked: of two tasks of one node that call in one millisecond the scheduler says
/// which is first.
pub(super) type Key = (NodeName, &'static str, u64, u64);

/// A door of a node: one for what is asked of it, one for what it is answered. Clones are the same door.
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
    fn is_the_only_one(&self) -> bool {
        self.0.out.load(Ordering::Relaxed) == 1
    }

    /// Waits until `at`, then until nobody with a smaller key waits at this door.
    pub(super) async fn pass(self, clock: &Clock, at: VirtualMs, key: Key) {
        tokio::time::sleep_until(clock.instant(at)).await;
        if self.is_the_only_one() {
            // Nobody else can come in this millisecond: only the node's own timers go first.
            return behind_the_others().await;
        }
        self.queue(&key).await;
    }

    /// The same, and until nobody waits at `other` any more: what follows from a request and from a reply may meet in
    /// one place, so requests go first. Who waits there must pass whatever becomes of this one's node.
    pub(super) async fn pass_behind(self, other: &Gate, clock: &Clock, at: VirtualMs, key: Key) {
        tokio::time::sleep_until(clock.instant(at)).await;
        if self.is_the_only_one() && other.0.out.load(Ordering::Relaxed) == 0 {
            // As late as if the tickets were out that somebody may take in this millisecond.
            behind_the_others().await;
            return behind_the_others().await;
        }
        let _leaves = self.queue(&key).await;
        // Who is alone at the other door does not queue there.
        behind_the_others().await;
        while !other.0.queue().is_empty() {
            behind_the_others().await;
        }
    }

    async fn queue<'a>(&'a self, key: &'a Key) -> Leaves<'a> {
        let turn = Arc::new(Notify::new());
        self.0.queue().insert(key.clone(), turn.clone());
        let leaves = Leaves { door: &self.0, key };
        // All whose timers fired in this millisecond register before the first one goes.
        behind_the_others().await;
        while !self.0.is_first(key) {
            turn.notified().await;
        }
        leaves
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

#[cfg(test)]
mod tests {
    use super::Gate;
    use failback_wire::clock::Clock;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn what_comes_in_one_millisecond_passes_in_one_order_whoever_woke_first() {
        let asked = [("a", 1), ("a", 3), ("b", 2)].map(|key| (false, key));
        let answered = [("a", 2), ("c", 1)].map(|key| (true, key));
        for (few, turn) in [1, 2, 3].into_iter().flat_map(|few| (0..5).map(move |turn| (few, turn))) {
            let all: Vec<_> = asked.into_iter().take(few).chain(answered).collect();
            let mut order = all.clone();
            order.rotate_left(turn % all.len());
            let (requests, replies, clock) = (Gate::default(), Gate::default(), Clock::default());
            let (at, passed) = (clock.now().plus(Duration::from_millis(3)), Arc::new(Mutex::new(Vec::new())));
            #[expect(clippy::disallowed_methods, reason = "the network itself outlives every node")]
            let tasks: Vec<_> = order
                .into_iter()
                .map(|(is_reply, (node, nth))| {
                    let ticket = if is_reply { replies.ticket() } else { requests.ticket() };
                    let (requests, passed, key) =
                        (requests.clone(), passed.clone(), (node.into(), "do", 0, nth));
                    tokio::spawn(async move {
                        match is_reply {
                            true => ticket.pass_behind(&requests, &clock, at, key).await,
                            false => ticket.pass(&clock, at, key).await,
                        }
                        passed.lock().unwrap().push((is_reply, (node, nth)));
                    })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
            assert_eq!(*passed.lock().unwrap(), all, "turned by {turn}");
        }
    }
}
