//! What stays, what goes, and what it costs.

use super::*;
use failback_wire::event::Mark;
use proptest::prelude::*;

fn point(n: u64, seconds: u64, app: bool) -> Arc<Point> {
    Arc::new(Point {
        point: PointId::new(format!("p{n}")),
        mark: Mark(n),
        kind: if app { PointKind::Application } else { PointKind::Crash },
        time: VirtualMs(seconds * 1000),
        group: false,
        snapshots: BTreeMap::new(),
    })
}

fn page(fill: u8) -> Page {
    Page::new(&[fill; BLOCK])
}

#[test]
fn costs_are_counted_once_a_block_and_given_back() {
    let (id, disk, mut journal) = (DiskId::new("d"), Disk::new(8), Journal::default());
    assert!(journal.write(&id, &disk, 0, page(1)));
    assert_eq!(journal.used(), 0, "before the first point nothing needs to be kept");
    journal.store(point(1, 0, false));
    assert!(!journal.write(&id, &disk, 0, page(1)), "the same content changes nothing");
    assert_eq!(journal.cost(&id, [0, 1].into_iter()), 2 * KEPT);
    journal.write(&id, &disk, 0, page(2));
    journal.write(&id, &disk, 0, page(3));
    assert_eq!((journal.used(), journal.cost(&id, [0, 1].into_iter())), (KEPT, KEPT));
    journal.store(point(2, 300, false));
    journal.write(&id, &disk, 0, page(4));
    assert_eq!((journal.used(), journal.least()), (2 * KEPT, KEPT));
    assert_eq!(journal.drop_oldest(), Some(PointId::new("p1")));
    assert_eq!(journal.used(), KEPT);
    assert_eq!(journal.drop_oldest(), None, "the newest stays");
    assert_eq!(journal.rollback(&PointId::new("p1")), None);
    assert_eq!(journal.rollback(&PointId::new("p2")).unwrap()[&id][&0], page(3));
}

#[test]
fn age_prunes_from_the_old_end_and_leaves_the_newest() {
    let mut journal = Journal::default();
    (0..5).for_each(|n| journal.store(point(n, n * 300, false)));
    let gone = journal.prune(VirtualMs(1_500_000), 900);
    assert_eq!(gone, [PointId::new("p0"), PointId::new("p1")], "1500 s and 1200 s old");
    journal.prune(VirtualMs(u64::MAX), 900);
    assert_eq!(journal.points().map(|p| p.mark.0).collect::<Vec<_>>(), [4]);
}

#[test]
fn the_grid_keeps_the_hours_application_consistent_point() {
    let app_at = 5;
    let points: Vec<_> = (0..60).map(|n| point(n, n * 300, n % 12 == app_at)).collect();
    let now = VirtualMs(60 * 300_000);
    let gone = thinned(points.iter(), now, 86_400);
    let kept: Vec<_> = points.iter().filter(|p| !gone.contains(&p.point)).map(|p| p.mark.0).collect();
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
            let gone = thinned(kept.iter(), new.time, retention);
            kept.retain(|p| !gone.contains(&p.point));
            prop_assert_eq!(kept.last(), Some(new));
        }
        let now = all[all.len() - 1].time;
        prop_assert!(thinned(kept.iter(), now, retention).is_empty());
        if days == 0 {
            prop_assert_eq!(kept.len(), 1);
        }
        if days > 0 && all.len() > 9 {
            prop_assert!(kept.len() >= 9, "two hours of quarters");
        }
    }
}
