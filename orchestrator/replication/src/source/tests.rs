//! What the source refuses, captures and gives back.

use super::*;
use failback_wire::ids::VmdkUuid;
use failback_wire::proto::session::{Direction, SessionDisk, TargetDisk};

fn spec(blocks: u64, epoch: u64) -> SessionSpec {
    let disk = SessionDisk {
        disk: DiskId::new("d"),
        size: blocks * BLOCK as u64,
        target: TargetDisk::Vmdk(VmdkUuid::new("u")),
    };
    SessionSpec {
        session: SessionId::new("s"),
        machine: "web01".into(),
        direction: Direction::Reverse,
        epoch,
        disks: vec![disk],
        sync: SyncMode::Full,
        relay: "ps".to_owned(),
        target: Some("mt".to_owned()),
        crash_interval_s: 300,
        app_interval_s: 0,
        retention_s: 86_400,
        group: None,
    }
}

fn disks(blocks: u64) -> BTreeMap<DiskId, Disk> {
    BTreeMap::from([(DiskId::new("d"), Disk::new(blocks))])
}

/// A source that is synchronised and has sent everything.
fn ready(disks: &BTreeMap<DiskId, Disk>, epoch: u64, cap: usize) -> Source {
    let mut source = Source::new(&spec(disks[&DiskId::new("d")].blocks(), epoch), disks, cap).unwrap();
    loop {
        match source.select() {
            Action::Send(_) => {
                let received = source.next_seq - 1;
                assert_eq!(source.on_ack(Ack { received, applied: 0 }), Acked::Progress);
            }
            Action::FirstCut => drop(source.cut(PointKind::Crash, VirtualMs(0), false, false).unwrap()),
            Action::Hashes { .. } => panic!("a full synchronisation asks for no hashes"),
            Action::Idle => return source,
        }
    }
}

#[test]
fn a_missing_or_resized_disk_is_refused() {
    let missing = Source::new(&spec(8, 1), &BTreeMap::new(), 0).unwrap_err();
    assert_eq!(missing, SourceError::NoSuchDisk(DiskId::new("d")));
    let resized = Source::new(&spec(8, 1), &disks(9), 0).unwrap_err();
    assert!(matches!(resized, SourceError::Resized { actual: 36_864, stated: 32_768, .. }));
}

#[test]
fn no_mark_is_cut_before_the_synchronisation_is_through() {
    let disks = disks(SYNC_STEP + 1);
    let id = DiskId::new("d");
    disks[&id].write(0, Page::new(&[1; BLOCK]));
    let mut source = Source::new(&spec(SYNC_STEP + 1, 1), &disks, 1 << 20).unwrap();
    assert!(matches!(source.select(), Action::Send(_)));
    assert!(!source.synced());
    assert_eq!(source.cut(PointKind::Crash, VirtualMs(0), false, true), None);
    source.wrote(&id, 0);
    source.wrote(&id, SYNC_STEP);
    assert_eq!(source.progress()[0].at_source, 2 * 4096, "one queued, one changed behind the cursor");
}

#[test]
fn marks_of_later_epochs_have_other_numbers() {
    let disks = disks(4);
    let mut first = ready(&disks, 1, 1 << 20);
    let mut second = ready(&disks, 2, 1 << 20);
    assert_eq!(first.cut(PointKind::Crash, VirtualMs(1), false, false), Some(Mark(2)));
    assert_eq!(second.cut(PointKind::Crash, VirtualMs(1), false, false), Some(Mark(1_000_002)));
}

#[test]
fn beyond_the_cap_marks_are_left_out_and_nothing_is_forgotten() {
    let (disks, id) = (disks(64), DiskId::new("d"));
    let mut source = ready(&disks, 1, 10 * BLOCK);
    for block in 0..8 {
        disks[&id].write(block, Page::new(&[7; BLOCK]));
        source.wrote(&id, block);
    }
    assert!(source.cut(PointKind::Crash, VirtualMs(1), false, false).is_some());
    (8..16).for_each(|block| source.wrote(&id, block));
    assert_eq!(source.cut(PointKind::Crash, VirtualMs(2), false, false), None);
    assert_eq!(source.progress()[0].at_source, 16 * 4096);
    assert!(source.drained(), "what never left went back to the map");
    assert!(
        source.cut(PointKind::Crash, VirtualMs(3), false, false).is_some(),
        "an empty queue takes any mark"
    );
    assert_eq!(source.progress()[0].at_source, 16 * 4096);
}

#[test]
fn an_acknowledgement_that_goes_backwards_or_too_far_means_a_new_epoch() {
    let disks = disks(4);
    let acked = ready(&disks, 1, 0).acked();
    for received in [acked - 1, acked + 1] {
        let mut source = ready(&disks, 1, 0);
        assert_eq!(source.on_ack(Ack { received, applied: 0 }), Acked::Lost);
    }
}
