//! What stays, what goes, and what it costs.

use super::*;
use crate::disk::Disk;
use failback_wire::event::{Mark, PointKind};
use proptest::prelude::*;

fn point(n: u64, seconds: u64, app: bool) -> Arc<Point> {
    Arc::new(Point {
        point: PointId::new(format!("p{n}")),
        mark: Mark(n),
        kind: if app { PointKind::Application } else { PointKind::Crash },
        time: VirtualMs(seconds * 1000),
        group: false,
        snapshots: Vec::new(),
    })
}

fn page(fill: u8) -> Page {
    Page::new(&[fill; BLOCK])
}

/// One disk with a journal, written as a target does.
struct Bench {
    journal: Journal,
    disk: Disk,
    id: DiskId,
}

impl Bench {
    fn new() -> Self {
        Self { journal: Journal::default(), disk: Disk::new(8), id: DiskId::new("d") }
    }
    fn write(&mut self, block: u64, fill: u8) {
        let old = self.disk.pages(block..block + 1).remove(0);
        if self.journal.needs(&self.id, block) {
            let kept = old.as_ref().map_or(Old::Zeros, |page| Old::Page(page.shared()));
            let undo = vec![(block, key(old.as_ref()), kept)];
            self.journal.keep(Stamp::default(), &self.id, undo).unwrap();
        }
        self.disk.write(block, page(fill));
        self.journal.wrote(Stamp::default(), &self.id, &[(block, key(Some(&page(fill))))], None).unwrap();
    }
    fn store(&mut self, point: Arc<Point>) {
        let sums = vec![(self.id.clone(), 0)];
        self.journal.store(Stamp::default(), point, Standing::default(), sums).unwrap();
    }
    /// What block 0 held at a point; `None` when it holds that now.
    fn back(&self, point: &str) -> Option<Page> {
        let rollback = self.journal.rollback(&PointId::new(point)).expect("it is kept");
        rollback.get(&self.id)?.get(&0).and_then(|kept| self.journal.page(kept))
    }
    fn marks(&self) -> Vec<u64> {
        self.journal.points().map(|p| p.mark.0).collect()
    }
    fn reopened(&self) -> Opened<Memory> {
        Journal::open(self.journal.volume().clone(), |_, _| {}).unwrap()
    }
}

#[test]
fn blocks_are_kept_once_a_point_and_their_room_is_given_back() {
    let mut bench = Bench::new();
    bench.write(0, 1);
    assert_eq!(bench.journal.used(), 0, "before the first point nothing needs to be kept");
    bench.store(point(1, 0, false));
    let empty = bench.journal.used();
    bench.write(0, 2);
    let one = bench.journal.used();
    assert!((4096..4096 + 300).contains(&(one - empty)), "{one} - {empty}");
    bench.write(0, 3);
    assert!(bench.journal.used() - one < 100, "the block is kept already");
    bench.store(point(2, 300, false));
    bench.write(0, 4);
    assert_eq!((bench.back("p1"), bench.back("p2")), (Some(page(1)), Some(page(3))));
    let least = bench.journal.least();
    assert!(least < bench.journal.used());
    assert_eq!(bench.journal.drop_oldest(), Ok(Some(PointId::new("p1"))));
    assert_eq!((bench.journal.used(), bench.journal.least()), (least, least));
    assert_eq!(bench.journal.drop_oldest(), Ok(None), "the newest stays");
    assert!(bench.journal.rollback(&PointId::new("p1")).is_none());
    assert_eq!(bench.back("p2"), Some(page(3)));
}

#[test]
fn keeping_costs_what_was_said_before() {
    let mut bench = Bench::new();
    bench.store(point(1, 0, false));
    let before = bench.journal.used();
    let old = Old::Page(Bytes::copy_from_slice(page(1).bytes()));
    bench.journal.keep(Stamp::default(), &bench.id, vec![(0, 7, old), (1, 0, Old::Zeros)]).unwrap();
    let said = Journal::<Memory>::cost(&bench.id, 2, 1);
    assert_eq!(bench.journal.used() - before, said, "a block with its bytes, and one of zeros");
}

#[test]
fn age_prunes_from_the_old_end_and_leaves_the_newest() {
    let mut bench = Bench::new();
    (0..5).for_each(|n| bench.store(point(n, n * 300, false)));
    let gone = bench.journal.prune(VirtualMs(1_500_000), 900);
    assert_eq!(gone, [PointId::new("p0"), PointId::new("p1")], "1500 s and 1200 s old");
    bench.journal.prune(VirtualMs(u64::MAX), 900);
    assert_eq!(bench.marks(), [4]);
}

#[test]
fn an_index_follows_from_the_records_alone() {
    let mut bench = Bench::new();
    for n in 0..4 {
        bench.store(point(n, n * 300, n == 2));
        bench.write(0, n as u8 + 1);
        bench.write(n, 9);
    }
    bench.journal.drop_oldest().unwrap();
    let opened = bench.reopened();
    assert_eq!((opened.torn, opened.damaged.len()), (0, 0));
    assert!(opened.journal.points().eq(bench.journal.points()));
    for point in bench.journal.points() {
        assert_eq!(opened.journal.rollback(&point.point), bench.journal.rollback(&point.point));
    }
    assert_eq!(opened.journal.used(), bench.journal.used());
}

#[test]
fn records_without_a_point_are_condensed() {
    let mut bench = Bench::new();
    for seq in 1..=5000 {
        let step = Step::Data(bench.id.clone(), 1);
        bench.journal.wrote(Stamp { epoch: 1, seq }, &DiskId::new("d"), &[], Some(step)).unwrap();
        bench.journal.condense(Stamp { epoch: 1, seq }, Standing::default).unwrap();
    }
    assert!(bench.journal.used() < 2 * STATE_EVERY, "{}", bench.journal.used());
    let mut last = Stamp::default();
    Journal::open(bench.journal.volume().clone(), |stamp, _| last = stamp).unwrap();
    assert_eq!(last, Stamp { epoch: 1, seq: 5000 });
    bench.store(point(1, 0, false));
    assert_eq!(bench.journal.used(), bench.journal.least(), "a point stands for all before it");
}

#[test]
fn rot_in_a_page_costs_that_block_and_rot_in_a_head_the_points_behind_it() {
    let mut bench = Bench::new();
    for n in 0..3 {
        bench.store(point(n, n * 300, false));
        bench.write(0, n as u8 + 1);
    }
    let second = bench.journal.volume().segments()[1].clone();
    // The page of the second point's old block lies in the middle of its segment.
    let mut volume = bench.journal.volume().clone();
    assert!(volume.rot((second.start + second.end) / 2, 0x10));
    let opened = Journal::open(volume, |_, _| {}).unwrap();
    bench.journal = opened.journal;
    assert_eq!((bench.marks(), opened.damaged.len(), opened.torn), (vec![0, 1, 2], 0, 0));
    assert_eq!((bench.back("p1"), bench.back("p2")), (None, Some(page(2))));

    let mut volume = bench.journal.volume().clone();
    assert!(volume.rot(second.start + 5, 0x10));
    let opened = Journal::open(volume, |_, _| {}).unwrap();
    assert_eq!(opened.damaged, [PointId::new("p0")], "the way back to it leads through the second segment");
    assert_eq!(opened.journal.points().map(|p| p.mark.0).collect::<Vec<_>>(), [2]);
}

fn ages(points: &[Arc<Point>]) -> impl DoubleEndedIterator<Item = (VirtualMs, PointKind)> {
    points.iter().map(|point| (point.time, point.kind))
}

#[test]
fn the_grid_keeps_the_hours_application_consistent_point() {
    let app_at = 5;
    let points: Vec<_> = (0..60).map(|n| point(n, n * 300, n % 12 == app_at)).collect();
    let now = VirtualMs(60 * 300_000);
    let gone = thinned(ages(&points), now, 86_400);
    let kept = points.iter().enumerate().filter(|(place, _)| !gone.contains(place));
    let kept: Vec<_> = kept.map(|(_, point)| point.mark.0).collect();
    let old: Vec<_> = kept.iter().copied().filter(|n| *n < 36).collect();
    assert_eq!(old, [5, 17, 29]);
    assert_eq!(kept.iter().filter(|n| **n >= 36).count(), 24, "two hours are kept whole");
}

proptest! {
    /// Thinning again and again while time passes never loses the newest, and ends where thinning once does.
    #[test]
    fn thinning_is_stable(apps in prop::collection::vec(any::<bool>(), 1..400), days in 0u64..16) {
        let retention = days * 86_400;
        let all: Vec<_> = (0..).zip(&apps).map(|(n, app)| point(n, n * 900, *app)).collect();
        let mut kept: Vec<Arc<Point>> = Vec::new();
        for new in &all {
            kept.push(new.clone());
            let gone = thinned(ages(&kept), new.time, retention);
            gone.iter().rev().for_each(|place| drop(kept.remove(*place)));
            prop_assert_eq!(kept.last(), Some(new));
        }
        let now = all[all.len() - 1].time;
        prop_assert!(thinned(ages(&kept), now, retention).is_empty());
        if days == 0 {
            prop_assert_eq!(kept.len(), 1);
        }
        if days > 0 && all.len() > 9 {
            prop_assert!(kept.len() >= 9, "two hours of quarters");
        }
    }
}

#[test]
fn a_long_retention_keeps_a_point_every_two_hours_for_a_week_and_then_every_four() {
    let hours = 10 * 24;
    let points: Vec<_> = (0..=hours).map(|n| point(n, n * 3600, false)).collect();
    let gone = thinned(ages(&points), VirtualMs(hours * 3_600_000), 15 * 86_400);
    let kept: Vec<u64> = (0..=hours).filter(|n| !gone.contains(&(*n as usize))).collect();
    let week_ago = hours - 7 * 24;
    let older = (0..week_ago).filter(|n| n % 4 == 0);
    let newer = (week_ago..hours - 2).filter(|n| n % 2 == 0);
    assert_eq!(kept, older.chain(newer).chain(hours - 2..=hours).collect::<Vec<_>>());
}
