//! What the target refuses, and that a refusal writes nothing.

use super::*;
use crate::frame::{Content, Run};
use failback_wire::event::{Mark, PointKind};
use failback_wire::ids::{SessionId, VmdkUuid};
use failback_wire::proto::session::{Direction, SessionDisk, SyncMode, TargetDisk};

fn spec(epoch: u64) -> SessionSpec {
    let disk = |name: &str| SessionDisk {
        disk: DiskId::new(name),
        size: 8 * BLOCK as u64,
        target: TargetDisk::Vmdk(VmdkUuid::new(name)),
    };
    SessionSpec {
        session: SessionId::new("s"),
        machine: "web01".into(),
        direction: Direction::Reverse,
        epoch,
        disks: vec![disk("a"), disk("b")],
        sync: SyncMode::Full,
        relay: "ps".to_owned(),
        target: "mt".to_owned(),
        crash_interval_s: 300,
        app_interval_s: 0,
        retention_s: 86_400,
        resync: Default::default(),
        compress: false,
        group: None,
    }
}

mod growth;

struct Bench {
    target: Target,
    disks: Attached,
    seq: u64,
}

impl Bench {
    fn new() -> Self {
        let disks = ["a", "b"].map(|name| (DiskId::new(name), Disk::new(8)));
        Self { target: Target::new(spec(1)), disks: BTreeMap::from(disks), seq: 0 }
    }
    fn frame(&self, body: Body) -> Frame {
        let intake = self.target.intake();
        Frame { session: SessionId::new("s"), epoch: intake.spec.epoch, seq: intake.applied + 1, body }
    }
    fn apply(&mut self, body: Body, budget: u64) -> Result<Applied, TargetError> {
        let frame = self.frame(body);
        self.seq = frame.seq;
        self.target.apply(&frame, &self.disks, budget)
    }
    fn put(&mut self, disk: &str, block: u64, fill: u8) -> Result<Applied, TargetError> {
        self.apply(data(disk, block, fill), u64::MAX)
    }
    fn synced(mut self) -> Self {
        for disk in ["a", "b"] {
            self.apply(Body::SyncDone { disk: DiskId::new(disk) }, u64::MAX).unwrap();
        }
        self
    }
    fn mark(&mut self, n: u64) -> Option<Arc<Point>> {
        self.apply(mark(n, Vec::new()), u64::MAX).unwrap().stored
    }
}

fn data(disk: &str, block: u64, fill: u8) -> Body {
    let content = Content::Pages(vec![Page::new(&[fill; BLOCK])]);
    Body::Data { disk: DiskId::new(disk), runs: vec![Run { first: block, content }] }
}

fn mark(n: u64, roots: Vec<(DiskId, ContentHash)>) -> Body {
    Body::Mark { mark: Mark(n), kind: PointKind::Crash, time: VirtualMs(n * 300_000), group: false, roots }
}

#[test]
fn a_point_needs_every_disk() {
    let mut bench = Bench::new();
    bench.put("a", 0, 1).unwrap();
    bench.apply(Body::SyncDone { disk: DiskId::new("a") }, u64::MAX).unwrap();
    assert_eq!(bench.mark(1), None, "disk b is not there yet");
    assert_eq!(bench.target.intake().phase, Phase::Synchronising);
    bench.apply(Body::SyncDone { disk: DiskId::new("b") }, u64::MAX).unwrap();
    let point = bench.mark(2).unwrap();
    assert_eq!((point.mark, point.point.as_str()), (Mark(2), "s-2"));
    assert_eq!(bench.target.intake().phase, Phase::Replicating);
}

#[test]
fn what_a_synchronisation_moved_is_counted_and_what_comes_later_is_not() {
    let mut bench = Bench::new();
    (0..3).for_each(|block| drop(bench.put("a", block, 1).unwrap()));
    let synced = |name| Body::SyncDone { disk: DiskId::new(name) };
    assert!(!bench.apply(synced("a"), u64::MAX).unwrap().phase_changed);
    bench.put("a", 5, 1).unwrap();
    bench.apply(synced("b"), u64::MAX).unwrap();
    assert!(bench.apply(mark(1, Vec::new()), u64::MAX).unwrap().phase_changed, "replication begins");
    let view = bench.target.view();
    let moved = view.disks.iter().map(|disk| (disk.sync_processed, disk.sync_transferred));
    assert_eq!(moved.collect::<Vec<_>>(), [(3 * 4096, 3 * 4096), (0, 0)]);
}

#[test]
fn refusals_write_nothing_and_do_not_advance() {
    let mut bench = Bench::new().synced();
    let applied = bench.target.intake().applied;
    let beyond = Content::Zero(u32::MAX);
    let runs = vec![Run { first: 0, content: Content::Zero(1) }, Run { first: 1, content: beyond }];
    let far = bench.apply(Body::Data { disk: DiskId::new("a"), runs }, u64::MAX);
    assert_eq!(far, Err(TargetError::OutOfRange(DiskId::new("a"))));
    assert_eq!(bench.put("c", 0, 1), Err(TargetError::UnknownDisk(DiskId::new("c"))));
    let b = bench.disks.remove(&DiskId::new("b")).unwrap();
    assert_eq!(bench.put("b", 0, 1), Err(TargetError::NotAttached(DiskId::new("b"))));
    bench.disks.insert(DiskId::new("b"), Disk::new(9));
    assert_eq!(bench.put("b", 0, 1), Err(TargetError::Resized(DiskId::new("b"))));
    bench.disks.insert(DiskId::new("b"), b);
    let mut stale = bench.frame(data("a", 0, 1));
    stale.epoch = 0;
    assert_eq!(bench.target.apply(&stale, &bench.disks, 0), Err(TargetError::StaleEpoch(0)));
    stale.epoch = 2;
    assert_eq!(bench.target.apply(&stale, &bench.disks, 0), Err(TargetError::EpochAhead(2)));
    stale.session = SessionId::new("other");
    assert_eq!(bench.target.apply(&stale, &bench.disks, 0), Err(TargetError::OtherSession));
    assert_eq!(bench.target.intake().applied, applied);
    assert!(bench.disks.values().all(|d| d.allocated().is_empty()));
}

#[test]
fn frames_again_or_ahead_change_nothing() {
    let mut bench = Bench::new().synced();
    bench.put("a", 0, 1).unwrap();
    let mut frame = bench.frame(data("a", 0, 9));
    frame.seq -= 1;
    assert_eq!(bench.target.apply(&frame, &bench.disks, u64::MAX), Ok(Applied::default()));
    frame.seq += 2;
    assert_eq!(bench.target.apply(&frame, &bench.disks, u64::MAX), Ok(Applied::default()));
    assert_eq!(bench.disks[&DiskId::new("a")].read(0), Page::new(&[1; BLOCK]));
}

#[test]
fn a_full_volume_drops_old_points_then_stops_mirroring_until_there_is_room() {
    let mut bench = Bench::new();
    (0..8).for_each(|block| drop(bench.put("a", block, 9).unwrap()));
    let mut bench = bench.synced();
    bench.mark(1);
    bench.put("a", 0, 1).unwrap();
    bench.mark(2);
    bench.put("a", 1, 1).unwrap();
    let room = bench.target.journal().least() + 6000;
    let pruned = bench.apply(data("a", 2, 1), room).unwrap().pruned;
    assert_eq!(pruned, [PointId::new("s-1")]);
    let before = bench.disks[&DiskId::new("a")].root_hash();
    let stopped = bench.apply(data("a", 3, 1), room);
    assert!(matches!(stopped, Err(TargetError::ResyncRequired(_))), "{stopped:?}");
    assert_eq!(bench.disks[&DiskId::new("a")].root_hash(), before);
    assert_eq!(bench.target.refused(&DiskId::new("a")).unwrap().iter().collect::<Vec<_>>(), [3]);
    let waiting: Vec<u64> = bench.target.view().disks.iter().map(|disk| disk.at_target).collect();
    assert_eq!(waiting, [4096, 0], "one block of one disk is not on it");
    // The next epoch is taken up, and held off as long as nothing has changed.
    assert_eq!(bench.target.take_up(spec(2)), Ok(true));
    assert!(bench.target.view().resync_required.is_some());
    assert_eq!(bench.target.resume(room), Err(TargetError::RetentionFull));
    assert_eq!(bench.apply(data("a", 4, 1), room), Err(TargetError::RetentionFull));
    assert_eq!(bench.target.view().points.len(), 1);
    let wider = room + 5000;
    assert_eq!(bench.target.resume(wider), Ok(()));
    assert_eq!(bench.target.view().resync_required, None);
    bench.apply(data("a", 3, 1), wider).unwrap();
    assert!(bench.target.refused(&DiskId::new("a")).unwrap().is_empty());
    // A resynchronisation that runs out of room keeps what it has moved and needs more than before.
    let again = bench.apply(data("a", 5, 1), wider);
    assert!(matches!(again, Err(TargetError::ResyncRequired(_))), "{again:?}");
    assert_eq!(bench.target.take_up(spec(3)), Ok(true));
    assert_eq!(bench.target.resume(wider), Err(TargetError::RetentionFull));
    // All the while the newest point is there to be rolled to.
    bench.target.roll(&PointId::new("s-2"), &bench.disks).unwrap();
    let disk = &bench.disks[&DiskId::new("a")];
    let held: Vec<u8> = (0..8).map(|block| disk.read(block).bytes()[0]).collect();
    assert_eq!(held, [1, 9, 9, 9, 9, 9, 9, 9]);
}

#[test]
fn a_failed_comparison_makes_no_point_and_asks_for_a_new_epoch() {
    let mut bench = Bench::new().synced();
    bench.mark(1);
    let wrong = vec![(DiskId::new("a"), ContentHash(1))];
    let refused = bench.apply(mark(2, wrong), u64::MAX);
    assert!(matches!(refused, Err(TargetError::ResyncRequired(_))));
    assert!(matches!(bench.put("a", 0, 1), Err(TargetError::ResyncRequired(_))));
    assert_eq!(bench.target.take_up(spec(1)), Ok(false));
    assert!(bench.target.view().resync_required.is_some());
    assert_eq!(bench.target.take_up(spec(2)), Ok(true));
    let view = bench.target.view();
    assert_eq!((view.resync_required, view.points.len(), view.phase), (None, 1, Phase::Waiting));
    assert_eq!(bench.target.take_up(spec(1)), Err(TargetError::StaleEpoch(1)));
}

#[test]
fn rolling_needs_all_disks_and_stops_the_stream() {
    let mut bench = Bench::new().synced();
    let first = bench.mark(1).unwrap().point.clone();
    bench.put("a", 0, 1).unwrap();
    let second = bench.mark(2).unwrap().point.clone();
    bench.put("a", 0, 2).unwrap();
    let b = bench.disks.remove(&DiskId::new("b")).unwrap();
    let missing = bench.target.roll(&first, &bench.disks);
    assert_eq!(missing, Err(TargetError::NotAttached(DiskId::new("b"))));
    assert_eq!(bench.disks[&DiskId::new("a")].read(0), Page::new(&[2; BLOCK]));
    bench.disks.insert(DiskId::new("b"), b);
    for (point, fill, blocks) in [(&first, 0, 1), (&first, 0, 0), (&second, 1, 1), (&first, 0, 1)] {
        let written = bench.target.roll(point, &bench.disks).unwrap();
        assert_eq!(written.values().sum::<u64>(), blocks);
        assert_eq!(bench.disks[&DiskId::new("a")].read(0), Page::new(&[fill; BLOCK]));
    }
    assert_eq!(bench.put("a", 0, 3), Err(TargetError::Stopped));
    let unknown = PointId::new("s-9");
    assert_eq!(bench.target.roll(&unknown, &bench.disks), Err(TargetError::NoSuchPoint(unknown)));
}

fn rot(disk: &Disk, block: u64) {
    let mut bytes = *disk.read(block).bytes();
    bytes[7] ^= 4;
    disk.write(block, Page::new(&bytes));
}

/// Two points, then a change of block 0 and an untouched block 1.
fn with_points() -> (Bench, Disk) {
    let mut bench = Bench::new().synced();
    bench.put("a", 0, 1).unwrap();
    bench.put("a", 1, 1).unwrap();
    bench.mark(1);
    bench.put("a", 0, 2).unwrap();
    bench.mark(2);
    bench.put("a", 0, 3).unwrap();
    let disk = bench.disks[&DiskId::new("a")].clone();
    (bench, disk)
}

#[test]
fn verification_finds_rot_in_bounded_steps_and_a_repair_loses_no_point() {
    let (mut bench, disk) = with_points();
    for step in 0..8 {
        let seen = bench.target.verify(&bench.disks, 3).unwrap();
        assert!(seen.checked <= 3 && seen.rotten.is_empty(), "step {step}: {seen:?}");
    }
    rot(&disk, 1);
    let mut found = Vec::new();
    for _ in 0..8 {
        found.extend(bench.target.verify(&bench.disks, 3).unwrap().rotten);
    }
    assert_eq!(found, [(DiskId::new("a"), 1)], "once, though it was seen more than once");
    assert!(matches!(bench.put("a", 2, 1), Err(TargetError::ResyncRequired(_))));
    let corrupt = TargetError::Corrupt { disk: DiskId::new("a"), blocks: 1 };
    let before = disk.root_hash();
    assert_eq!(bench.target.roll(&PointId::new("s-2"), &bench.disks), Err(corrupt));
    assert_eq!(disk.root_hash(), before, "nothing was written");
    // The resynchronisation brings what the block held all along: there is nothing to undo.
    bench.target.take_up(spec(2)).unwrap();
    let healed = bench.put("a", 1, 1).unwrap();
    assert_eq!((healed.repaired, healed.lost), (1, 0));
    assert!(bench.target.rotten(&DiskId::new("a")).unwrap().is_empty());
    for (point, fill) in [("s-1", 1), ("s-2", 2)] {
        bench.target.roll(&PointId::new(point), &bench.disks).unwrap();
        assert_eq!((disk.read(0), disk.read(1)), (Page::new(&[fill; BLOCK]), Page::new(&[1; BLOCK])));
    }
}

#[test]
fn verification_in_small_steps_comes_to_the_last_block_of_every_disk() {
    let mut bench = Bench::new().synced();
    for disk in ["a", "b"] {
        bench.put(disk, 0, 1).unwrap();
        bench.put(disk, 7, 1).unwrap();
        rot(&bench.disks[&DiskId::new(disk)], 7);
    }
    let (mut found, mut complete) = (Vec::new(), false);
    while !complete {
        let seen = bench.target.verify(&bench.disks, 3).unwrap();
        found.extend(seen.rotten);
        complete = seen.complete;
    }
    assert_eq!(found, [(DiskId::new("a"), 7), (DiskId::new("b"), 7)]);
}

#[test]
fn a_rotten_block_that_is_overwritten_costs_the_points_that_lack_it_and_no_later_one() {
    let (mut bench, disk) = with_points();
    rot(&disk, 1);
    let lost = bench.put("a", 1, 7).unwrap();
    assert_eq!((lost.repaired, lost.lost), (0, 1));
    bench.mark(3);
    bench.put("a", 1, 8).unwrap();
    let corrupt = TargetError::Corrupt { disk: DiskId::new("a"), blocks: 1 };
    for point in ["s-1", "s-2"] {
        assert_eq!(bench.target.roll(&PointId::new(point), &bench.disks), Err(corrupt.clone()));
        assert_eq!(disk.read(1), Page::new(&[8; BLOCK]));
    }
    bench.target.roll(&PointId::new("s-3"), &bench.disks).unwrap();
    assert_eq!((disk.read(0), disk.read(1)), (Page::new(&[3; BLOCK]), Page::new(&[7; BLOCK])));
}

#[test]
fn disks_that_rot_after_the_roll_count_as_rolled_no_more() {
    let (mut bench, disk) = with_points();
    bench.target.roll(&PointId::new("s-1"), &bench.disks).unwrap();
    rot(&disk, 1);
    let mut target = bench.target.clone();
    assert_eq!(target.verify(&bench.disks, 1024).unwrap().rotten.len(), 1);
    assert_eq!((target.view().phase, target.view().rolled_to), (Phase::Stopped, None));
    // The same when it rotted while nobody looked.
    let volume = bench.target.into_journal().into_volume();
    let (mut target, damaged) = Target::open(spec(1), volume).unwrap();
    assert_eq!((target.view().rolled_to, damaged.len()), (Some(PointId::new("s-1")), 0));
    target.verify(&bench.disks, 1).unwrap();
    assert_eq!((target.view().phase, target.view().rolled_to), (Phase::Stopped, None));
}

#[test]
fn a_kept_block_that_rots_is_not_served() {
    let (bench, disk) = with_points();
    let mut volume = bench.target.into_journal().into_volume();
    let first = volume.segments()[0].clone();
    // The page of the one old block of the first point.
    assert!(volume.rot(first.start + 1000, 1));
    let (mut target, _) = Target::open(spec(1), volume).unwrap();
    let corrupt = TargetError::Corrupt { disk: DiskId::new("a"), blocks: 1 };
    assert_eq!(target.roll(&PointId::new("s-1"), &bench.disks), Err(corrupt));
    assert_eq!(disk.read(0), Page::new(&[3; BLOCK]));
    target.roll(&PointId::new("s-2"), &bench.disks).unwrap();
    assert_eq!(disk.read(0), Page::new(&[2; BLOCK]));
}

#[test]
fn what_is_stopped_or_of_a_later_epoch_stays_so_when_opened_again() {
    let (mut bench, _) = with_points();
    bench.target.take_up(spec(2)).unwrap();
    bench.put("a", 5, 5).unwrap();
    bench.target.stop();
    let view = bench.target.view();
    let volume = bench.target.into_journal().into_volume();
    // The host remembers the epoch, or one before.
    for epoch in [2, 1] {
        let (target, _) = Target::open(spec(epoch), volume.clone()).unwrap();
        assert_eq!(target.view(), view);
    }
    let (target, _) = Target::open(spec(3), volume).unwrap();
    assert_eq!((target.view().phase, target.view().applied), (Phase::Waiting, 0));
}
