//! The seams' promises: a dead epoch is inert, a commit is the only way to change a store's image, streams are
//! independent of each other.

use failback_wire::clock::{Clock, VirtualMs};
use failback_wire::env::Env;
use failback_wire::ids::NodeName;
use failback_wire::node::Fence;
use failback_wire::store::{CommitHook, NoHook, Store, StoreError};
use rand::Rng;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

fn fence() -> Fence {
    Fence::new(NodeName::from("node"), 1)
}

const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS t (n INTEGER PRIMARY KEY)";

fn insert(store: &Store, n: i64) -> Result<usize, StoreError> {
    store.write("insert", |tx| tx.execute("INSERT INTO t VALUES (?1)", [n]))
}

fn rows(store: &Store) -> Vec<i64> {
    store
        .read(|c| c.prepare("SELECT n FROM t ORDER BY n")?.query_map([], |r| r.get(0))?.collect())
        .expect("a readable table")
}

#[tokio::test(start_paused = true)]
async fn a_dead_epoch_is_never_polled_again_and_its_destructors_do_not_run() {
    struct SetOnDrop(Arc<AtomicBool>);
    impl Drop for SetOnDrop {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let (fence, dropped, ran) = (fence(), Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (guard, flag) = (SetOnDrop(dropped.clone()), ran.clone());
    let task = fence.guard(async move {
        let _guard = guard;
        tokio::time::sleep(Duration::from_secs(1)).await;
        flag.store(true, Ordering::Relaxed);
    });
    #[expect(clippy::disallowed_methods, reason = "the test is no node")]
    let handle = tokio::spawn(task);
    tokio::time::sleep(Duration::from_millis(500)).await;
    fence.kill();
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(!ran.load(Ordering::Relaxed), "a dead task went on");
    assert!(!dropped.load(Ordering::Relaxed), "a crash is not an abort: no destructor at the await point");
    handle.abort();
}

#[test]
fn an_image_holds_what_was_committed_and_nothing_else() {
    let fence = fence();
    let store = Store::open(fence.clone(), Arc::new(NoHook), None, SCHEMA).expect("a store");
    insert(&store, 1).expect("a commit");
    let failed: Result<(), _> = store.write("fails", |tx| {
        tx.execute("INSERT INTO t VALUES (2)", [])?;
        Err(rusqlite::Error::InvalidQuery)
    });
    assert!(matches!(failed, Err(StoreError::Sqlite(_))));
    fence.kill();
    assert!(matches!(insert(&store, 3), Err(StoreError::Dead)));
    let image = store.image().expect("an image");
    let again =
        Store::open(Fence::new("node".into(), 2), Arc::new(NoHook), Some(&image), SCHEMA).expect("reopens");
    assert_eq!(rows(&again), [1]);
}

/// Kills the node at the second write, before or after its commit.
struct CrashAt {
    before: bool,
}
impl CommitHook for CrashAt {
    fn before(&self, fence: &Fence, nth: u64, _: &str) {
        if self.before && nth == 2 {
            fence.kill();
        }
    }
    fn after(&self, fence: &Fence, nth: u64, _: &str) {
        if !self.before && nth == 2 {
            fence.kill();
        }
    }
}

#[test]
fn a_crash_at_a_commit_loses_or_keeps_exactly_that_write() {
    for (before, kept) in [(true, vec![1]), (false, vec![1, 2])] {
        let store = Store::open(fence(), Arc::new(CrashAt { before }), None, SCHEMA).expect("a store");
        insert(&store, 1).expect("the first write");
        assert!(matches!(insert(&store, 2), Err(StoreError::Dead)), "nobody may act on it");
        let image = store.image().expect("an image");
        let again = Store::open(fence(), Arc::new(NoHook), Some(&image), SCHEMA).expect("reopens");
        assert_eq!(rows(&again), kept);
    }
}

#[test]
fn named_streams_do_not_shift_each_other() {
    let env = Env::new(42);
    let first = env.stream("a").next_u64();
    env.stream("b").next_u64();
    assert_eq!(env.stream("a").next_u64(), first);
    assert_ne!(env.stream("b").next_u64(), first);
    assert_ne!(Env::new(43).stream("a").next_u64(), first);
    let ids = env.ids("jobs");
    let (one, two) = (ids.guid(), ids.guid());
    assert_ne!(one, two);
    assert_eq!(env.ids("jobs").guid(), one);
    assert_eq!((one.len(), one.as_bytes()[14]), (36, b'4'));
}

#[tokio::test(start_paused = true)]
async fn the_clock_counts_virtual_milliseconds_and_prints_the_wires_dates() {
    let clock = Clock::default();
    tokio::time::sleep(Duration::from_secs(90_000)).await;
    let now = clock.now();
    assert_eq!(now, VirtualMs(90_000_000));
    assert_eq!(now.to_string(), "t+25:00:00.000");
    assert_eq!(clock.dotnet(now), "2026-01-06T09:00:00.0000000Z");
    assert_eq!(clock.iso(now), "2026-01-06T09:00:00.000000Z");
}
