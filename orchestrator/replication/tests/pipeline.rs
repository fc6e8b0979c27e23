//! The whole pipeline (source, relay, target) over a network that loses, repeats, reorders and garbles,
//! against an independent model that only replays the write log.

// `cfg(test)` tells the lints that these helpers are tests as well.
#[cfg(test)]
#[path = "pipeline/world.rs"]
mod world;

use failback_replication::disk::Disk;
use failback_replication::target::TargetError;
use failback_wire::event::PointKind;
use failback_wire::proto::session::SyncMode;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use world::{Fate, Op, World};

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        6 => Just(Fate::Arrives),
        1 => Just(Fate::Lost),
        2 => Just(Fate::ReplyLost),
        1 => any::<u16>().prop_map(Fate::Truncated),
        1 => any::<u16>().prop_map(Fate::Garbled),
        1 => any::<u16>().prop_map(Fate::Beheaded),
    ]
}

/// Few blocks, so that they are written again and again; at both ends of the disk.
fn block() -> impl Strategy<Value = u64> {
    prop_oneof![0..24u64, world::BLOCKS - 24..world::BLOCKS]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => (0..2usize, block(), any::<bool>())
            .prop_map(|(disk, block, zero)| Op::Write { disk, block, zero }),
        2 => any::<bool>().prop_map(|app| Op::Cut { app }),
        1 => block().prop_map(|first| Op::Backlog { first }),
        6 => fate().prop_map(Op::SourceStep),
        6 => fate().prop_map(Op::RelayStep),
        2 => any::<prop::sample::Index>().prop_map(Op::RepeatToRelay),
        2 => any::<prop::sample::Index>().prop_map(Op::RepeatToTarget),
        1 => Just(Op::SenderCrash),
        1 => Just(Op::CacheLost),
        1 => Just(Op::TargetCrash),
    ]
}

/// Trouble at the target's end, which may cost points and resynchronisations.
fn harsh_op() -> impl Strategy<Value = Op> {
    prop_oneof![
        40 => op(),
        1 => (0..2usize, block()).prop_map(|(disk, block)| Op::Rot { disk, block }),
        2 => any::<u16>().prop_map(Op::Verify),
        1 => (0..60u64).prop_map(Op::Room),
    ]
}

type Order = Vec<prop::sample::Index>;

/// Runs the operations, lets the trouble end, and holds every point on offer against the write log, in any order
/// of rolling (E1, E6, E9, E10, E11).
fn hold(full: bool, ops: Vec<Op>, order: &Order) -> Result<(), TestCaseError> {
    let mut world = World::new(if full { SyncMode::Full } else { SyncMode::Checksum });
    for op in ops {
        world.run(op);
    }
    world.settle();
    let points: Vec<_> = world.target.journal().points().cloned().collect();
    prop_assert!(!points.is_empty());
    prop_assert_eq!(world.target.view().resync_required, None);
    for (a, b) in world.source_disks.values().zip(world.target_disks.values()) {
        prop_assert_eq!(a.root_hash(), b.root_hash());
    }
    for index in order {
        let point = index.get(&points);
        for _again in 0..2 {
            match world.target.roll(&point.point, &world.target_disks) {
                // What rotted before it was kept is gone for the points that need it: refused, never served.
                Err(TargetError::Corrupt { .. }) if world.troubled => break,
                rolled => drop(rolled.map_err(|error| TestCaseError::fail(error.to_string()))?),
            }
            let model = world.replayed(point.mark);
            for (id, disk) in &world.target_disks {
                prop_assert_eq!(disk.root_hash(), model[id].root_hash(), "{} at {:?}", id, point);
            }
        }
    }
    Ok(())
}

/// How many operations each of the two long tests runs: 50,000, or what `FAILBACK_OPERATIONS` says (a million at
/// night).
fn operations() -> usize {
    std::env::var("FAILBACK_OPERATIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(50_000)
}

/// Runs histories of these operations until there were enough of them.
fn run_for(wanted: usize, op: impl Strategy<Value = Op> + Clone) {
    let done = std::cell::Cell::new(0);
    let order = prop::collection::vec(any::<prop::sample::Index>(), 1..6);
    let histories = (any::<bool>(), prop::collection::vec(op, 0..400), order);
    while done.get() < wanted {
        let mut runner = TestRunner::new(ProptestConfig { cases: 64, ..ProptestConfig::default() });
        let outcome = runner.run(&histories, |(full, ops, order)| {
            done.set(done.get() + ops.len());
            hold(full, ops, &order)
        });
        outcome.unwrap_or_else(|failure| panic!("{failure}\n{runner}"));
    }
}

#[test]
fn target_equals_source_at_every_mark() {
    run_for(operations(), op().boxed());
}

#[test]
fn no_trouble_at_the_target_makes_it_serve_what_the_source_never_held() {
    run_for(operations(), harsh_op().boxed());
}

#[test]
fn marks_are_cut_at_one_instant_whatever_is_written_while_frames_are_on_their_way() {
    let mut world = World::new(SyncMode::Full);
    world.run(Op::Write { disk: 0, block: 3, zero: false });
    world.settle();
    world.run(Op::Write { disk: 0, block: 5, zero: false });
    world.run(Op::Write { disk: 1, block: 7, zero: false });
    world.run(Op::Cut { app: true });
    let cut: Vec<Disk> = world.source_disks.values().map(Disk::fork).collect();
    // Between the cut and the sending, the guest goes on.
    world.run(Op::Write { disk: 0, block: 5, zero: false });
    world.run(Op::Write { disk: 1, block: 7, zero: true });
    for _ in 0..4 {
        world.run(Op::SourceStep(Fate::Arrives));
        world.run(Op::RelayStep(Fate::Arrives));
    }
    let point = world.target.journal().points().last().unwrap().clone();
    assert_eq!(point.kind, PointKind::Application);
    for (disk, cut) in world.target_disks.values().zip(&cut) {
        assert_eq!(disk.root_hash(), cut.root_hash());
    }
}

#[test]
fn a_rotten_block_is_found_by_the_last_comparison_and_healed_by_a_new_epoch() {
    let mut world = World::new(SyncMode::Checksum);
    world.settle();
    world.troubled = true;
    let disk = world.target_disks.values().next().unwrap().clone();
    let mut bytes = *disk.read(0).bytes();
    bytes[9] ^= 1;
    disk.write(0, failback_replication::disk::Page::new(&bytes));
    let before = world.target.journal().points().count();
    world.last_cut();
    world.run(Op::SourceStep(Fate::Arrives));
    world.run(Op::RelayStep(Fate::Arrives));
    assert!(world.target.view().resync_required.is_some());
    assert_eq!(world.target.journal().points().count(), before, "no point may hold the rotten block");
    world.settle();
    assert_eq!(world.target.view().resync_required, None);
    assert_eq!(disk.root_hash(), world.source_disks.values().next().unwrap().root_hash());
}

#[test]
fn a_checksum_synchronisation_moves_only_what_differs() {
    let mut world = World::new(SyncMode::Checksum);
    for (id, disk) in &world.source_disks {
        world.target_disks[id].become_copy_of(disk);
    }
    world.run(Op::Write { disk: 0, block: 11, zero: false });
    world.settle();
    let moved: u64 = world.source.progress().iter().map(|p| p.sync_transferred).sum();
    assert_eq!(moved, 4096);
    let processed: u64 = world.source.progress().iter().map(|p| p.sync_processed).sum();
    assert_eq!(processed, 2 * world::BLOCKS * 4096);
}
