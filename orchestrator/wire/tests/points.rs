//! A view that leaves out known points and those points give the whole view again, or nothing: never a mix.

use failback_wire::clock::VirtualMs;
use failback_wire::event::{ContentHash, Mark, PointKind};
use failback_wire::proto::known::Known;
use failback_wire::proto::session::{Hashes, Phase, Point, SessionView};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::sync::Arc;

fn points(marks: &BTreeSet<u64>) -> Vec<Arc<Point>> {
    let point = |mark: &u64| Point {
        point: format!("s-{mark}").into(),
        mark: Mark(*mark),
        kind: PointKind::Crash,
        time: VirtualMs(*mark),
        group: false,
        snapshots: Vec::new(),
    };
    marks.iter().map(point).map(Arc::new).collect()
}

fn view(marks: &BTreeSet<u64>) -> SessionView {
    SessionView {
        session: "s".into(),
        epoch: 1,
        phase: Phase::Replicating,
        applied: 0,
        received: 0,
        last_mark: None,
        points: points(marks),
        disks: Vec::new(),
        rolled_to: None,
        resync_required: None,
        refuses: None,
        thinned: Vec::new(),
        kept: None,
    }
}

/// What is known after this answer to somebody who knew these marks; nothing when what it leaves out is something else.
fn completed(sent: SessionView, known: &BTreeSet<u64>) -> Option<Vec<Arc<Point>>> {
    let before = points(known);
    let mut book = Known::default();
    book.replace(before.clone());
    let kept = sent.kept.expect("it leaves points out");
    assert_eq!(book.fits(&kept), book.clone().take(&kept, sent.points.clone()).is_some());
    let Some(changed) = book.take(&kept, sent.points) else {
        assert_eq!(book.points(), before, "nothing changes");
        return None;
    };
    let now = book.points().to_vec();
    assert_eq!(changed.gone, before.iter().filter(|p| !now.contains(p)).cloned().collect::<Vec<_>>());
    assert_eq!(changed.new, now.iter().filter(|p| !before.contains(p)).cloned().collect::<Vec<_>>());
    let mut fresh = Known::default();
    fresh.replace(now.clone());
    assert_eq!(format!("{book:?}"), format!("{fresh:?}"), "its digest is that of its points");
    Some(now)
}

#[test]
fn a_day_that_grows_and_loses_its_oldest_crosses_the_wire_as_its_newest_alone() {
    let (known, now) = (BTreeSet::from([1, 2, 3]), BTreeSet::from([2, 3, 4]));
    let sent = view(&now).only_after(Mark(3));
    assert_eq!(sent.points, points(&BTreeSet::from([4])));
    assert_eq!(completed(sent, &known), Some(points(&now)));
    // One that was thinned out of the middle cannot be told from the digest: everything is asked for again ...
    let thinned = view(&BTreeSet::from([1, 3, 4]));
    assert_eq!(completed(thinned.clone().only_after(Mark(3)), &known), None);
    // ... unless it is remembered, with the newest mark there was then: who knew that mark may still know it.
    for (newest, complete) in [(4, true), (3, true), (2, false)] {
        let remembers = SessionView { thinned: vec![(Mark(newest), Mark(2))], ..thinned.clone() };
        let completed = completed(remembers.only_after(Mark(3)), &known);
        assert_eq!(completed, complete.then(|| thinned.points.clone()));
    }
    // All were let go.
    assert_eq!(completed(view(&BTreeSet::new()).only_after(Mark(3)), &known), Some(Vec::new()));
}

proptest! {
    #[test]
    fn what_is_completed_is_the_whole_view(
        known in prop::collection::btree_set(1_u64..40, 1..20),
        now in prop::collection::btree_set(1_u64..60, 0..30),
        asked in any::<prop::sample::Index>(),
    ) {
        // The question may have been asked when less was known.
        let newest = Mark(*known.iter().nth(asked.index(known.len())).expect("at least one"));
        if let Some(completed) = completed(view(&now).only_after(newest), &known) {
            prop_assert_eq!(completed, points(&now));
        }
    }
}

#[test]
fn hashes_arrive_as_they_left_and_nothing_else_does() {
    let sent = Hashes {
        first: 7,
        next: 1 << 50,
        hashes: vec![ContentHash(0), ContentHash(u128::MAX), ContentHash(9 << 70)],
    };
    let bytes = sent.to_bytes();
    assert_eq!(bytes.len(), 16 + 3 * 16);
    assert_eq!(Hashes::from_bytes(&bytes), Some(sent));
    assert_eq!(Hashes::from_bytes(&bytes[..bytes.len() - 1]), None);
    assert_eq!(Hashes::from_bytes(&bytes[..15]), None);
}
