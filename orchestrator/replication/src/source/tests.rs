//! What the source refuses, captures and gives back.

use super::*;
use failback_wire::ids::VmdkUuid;
use failback_wire::proto::session::{SessionDisk, TargetDisk};

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
        target: "mt".to_owned(),
        crash_interval_s: 300,
        app_interval_s: 0,
        retention_s: 86_400,
        resync: Default::default(),
        compress: false,
        group: None,
    }
}

fn disks(blocks: u64) -> BTreeMap<DiskId, Disk> {
    BTreeMap::from([(DiskId::new("d"), Disk::new(blocks))])
}

/// A source that is synchronised and has sent everything.
fn ready(disks: &BTreeMap<DiskId, Disk>, epoch: u64, cap: usize) -> Source {
    ready_for(&spec(disks[&DiskId::new("d")].blocks(), epoch), disks, cap)
}

fn ready_for(spec: &SessionSpec, disks: &BTreeMap<DiskId, Disk>, cap: usize) -> Source {
    let mut source = Source::new(spec, disks, cap).unwrap();
    loop {
        match source.select() {
            Action::Send(_) => {
                let received = source.next_seq - 1;
                assert_eq!(source.on_ack(Ack { received, applied: 0 }), Acked::Progress);
            }
            Action::FirstCut => drop(source.cut(PointKind::Crash, VirtualMs(0), false, false).unwrap()),
            Action::Hashes { .. } => panic!("a full synchronisation asks for no hashes"),
            Action::Seam => panic!("nothing was written since"),
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
    disks[&id].write(SYNC_STEP, Page::new(&[1; BLOCK]));
    let mut source = Source::new(&spec(SYNC_STEP + 1, 1), &disks, 1 << 20).unwrap();
    assert!(matches!(source.select(), Action::Send(_)));
    assert!(!source.synced());
    assert_eq!(source.cut(PointKind::Crash, VirtualMs(0), false, true), None);
    source.wrote(&id, 0);
    source.wrote(&id, SYNC_STEP);
    assert_eq!(source.progress()[0].at_source, 2 * 4096, "one queued, one changed behind the cursor");
}

/// 62 TiB on either side: only where one of them holds something is anything looked at.
#[test]
fn what_both_sides_have_as_holes_costs_nothing() {
    const BLOCKS: u64 = 62 << 28;
    let (home, id) = (disks(BLOCKS), DiskId::new("d"));
    let (source_disk, target_disk) = (&home[&id], Disk::new(BLOCKS));
    let page = |fill| Page::new(&[fill; BLOCK]);
    for block in [3, 5 * SYNC_STEP, BLOCKS - 1] {
        source_disk.write(block, page(1));
        target_disk.write(block, page(1));
    }
    source_disk.write(1 << 30, page(2));
    target_disk.write((1 << 31) + 7, page(3));

    let mut full = Source::new(&spec(BLOCKS, 1), &home, 1 << 20).unwrap();
    assert_eq!(send_all(&mut full), [(3, 1), (5 * SYNC_STEP, 1), (1 << 30, 2), (BLOCKS - 1, 1)]);
    assert!(full.synced());

    let compares = SessionSpec { sync: SyncMode::Checksum, ..spec(BLOCKS, 1) };
    let mut source = Source::new(&compares, &home, 1 << 20).unwrap();
    let (mut asked, mut sent) = (Vec::new(), Vec::new());
    while !source.synced() {
        sent.extend(send_all(&mut source));
        if let Action::Hashes { disk, first, count } = source.select() {
            asked.push(first / SYNC_STEP);
            source.on_hashes(&disk, &target_disk.hashes(first, count));
        }
    }
    sent.extend(send_all(&mut source));
    assert_eq!(asked, [0, 5, (1 << 30) / SYNC_STEP, (1 << 31) / SYNC_STEP, BLOCKS / SYNC_STEP - 1]);
    assert_eq!(sent, [(1 << 30, 2), ((1 << 31) + 7, 0)]);
}

#[test]
fn marks_of_later_epochs_have_other_numbers() {
    let disks = disks(4);
    let mut first = ready(&disks, 1, 1 << 20);
    let mut second = ready(&disks, 2, 1 << 20);
    assert_eq!(first.cut(PointKind::Crash, VirtualMs(1), false, false), Some(Mark(2)));
    assert_eq!(second.cut(PointKind::Crash, VirtualMs(1), false, false), Some(Mark(1_000_002)));
}

fn write(
    disks: &BTreeMap<DiskId, Disk>,
    source: &mut Source,
    blocks: std::ops::Range<u64>,
    fill: u8,
) -> bool {
    let id = DiskId::new("d");
    let mut worth = false;
    for block in blocks {
        disks[&id].write(block, Page::new(&[fill; BLOCK]));
        worth = source.wrote(&id, block);
    }
    worth
}

fn cut(source: &mut Source) -> Option<Mark> {
    source.cut(PointKind::Crash, VirtualMs(1), false, false)
}

/// Sends everything there is; says what the frames hold, block by block, in order.
fn send_all(source: &mut Source) -> Vec<(u64, u8)> {
    let mut sent = Vec::new();
    while let Action::Send(bytes) = source.select() {
        let mut rest = bytes::Bytes::from(bytes);
        let mut received = 0;
        while !rest.is_empty() {
            let (frame, len) = frame::decode(&rest).unwrap();
            if let Body::Data { runs, .. } = &frame.body {
                let blocks = runs.iter().flat_map(|run| run.blocks().collect::<Vec<_>>());
                sent.extend(blocks.map(|(block, page)| (block, page.bytes()[0])));
            }
            (received, rest) = (frame.seq, rest.slice(len..));
        }
        assert_eq!(source.on_ack(Ack { received, applied: 0 }), Acked::Progress);
    }
    sent
}

#[test]
fn a_block_written_after_the_cut_is_sent_as_it_was_at_the_cut() {
    let disks = disks(64);
    let mut source = ready(&disks, 1, 1 << 20);
    write(&disks, &mut source, 3..5, 1);
    write(&disks, &mut source, 3..4, 2);
    assert!(cut(&mut source).is_some());
    write(&disks, &mut source, 3..5, 9);
    assert_eq!(send_all(&mut source), [(3, 2), (4, 1)], "the last write before the mark, once");
}

#[test]
fn beyond_the_cap_places_are_marked_and_no_mark_is_cut_until_all_is_caught_up() {
    let disks = disks(600);
    let mut source = ready(&disks, 1, 10 * BLOCK);
    assert!(!write(&disks, &mut source, 0..2, 1), "two writes are not worth a call");
    assert!(cut(&mut source).is_some());
    assert!(!write(&disks, &mut source, 100..101, 1), "the mark is on its way first");
    assert_eq!(source.mode(), Mode::Logging);
    write(&disks, &mut source, 100..400, 1);
    assert_eq!(source.mode(), Mode::Marking);
    assert!(source.drained(), "what never left went back to the map, the mark with it");
    assert_eq!(source.progress()[0].at_source, 302 * 4096);
    assert_eq!(cut(&mut source), None);
    assert!(write(&disks, &mut source, 0..1, 2), "there is something to read and send");
    // The first blocks are read; what is written behind them is logged, what lies ahead is read later.
    assert!(matches!(source.select(), Action::Send(_)));
    assert_eq!(source.mode(), Mode::CatchingUp);
    source.on_failure();
    assert_eq!(cut(&mut source), None);
    write(&disks, &mut source, 399..400, 3);
    let sent = send_all(&mut source);
    assert_eq!(source.mode(), Mode::Logging);
    let last: BTreeMap<u64, u8> = sent.into_iter().collect();
    let held = (0..600).map(|block| (block, disks[&DiskId::new("d")].read(block).bytes()[0]));
    assert_eq!(last, held.filter(|(_, byte)| *byte != 0).collect());
    assert!(cut(&mut source).is_some());
}

#[test]
fn what_waits_to_be_read_is_not_logged_as_well() {
    let disks = disks(600);
    let mut source = ready(&disks, 1, 400 * BLOCK);
    write(&disks, &mut source, 0..500, 1);
    assert!(matches!(source.select(), Action::Send(_)));
    assert_eq!(source.mode(), Mode::CatchingUp);
    let waiting = source.progress()[0].at_source;
    write(&disks, &mut source, 499..500, 2);
    assert_eq!(source.progress()[0].at_source, waiting, "it is read when its turn comes");
    write(&disks, &mut source, 0..1, 2);
    assert_eq!(source.progress()[0].at_source, waiting + 4096, "that one was read before");
}

#[test]
fn the_last_mark_takes_along_what_is_only_marked() {
    let disks = disks(600);
    let mut source = ready(&disks, 1, 10 * BLOCK);
    write(&disks, &mut source, 0..300, 1);
    assert_eq!(source.mode(), Mode::Marking);
    assert!(source.cut(PointKind::Crash, VirtualMs(1), false, true).is_some());
    assert_eq!(send_all(&mut source).len(), 300);
}

#[test]
fn a_long_log_is_sent_on_before_a_mark_is_due() {
    let disks = disks(600);
    let mut source = ready(&disks, 1, 1 << 30);
    assert!(!write(&disks, &mut source, 0..200, 1));
    assert_eq!(send_all(&mut source), []);
    assert!(write(&disks, &mut source, 200..300, 1));
    assert_eq!(send_all(&mut source).len(), 300);
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

#[test]
fn a_disk_that_grows_ends_the_marks() {
    let disks = disks(64);
    let mut source = ready(&disks, 1, 1 << 20);
    assert!(cut(&mut source).is_some());
    assert!(disks[&DiskId::new("d")].grow(65));
    write(&disks, &mut source, 60..65, 1);
    assert!(source.resized());
    assert_eq!(cut(&mut source), None);
    assert_eq!(source.cut(PointKind::Crash, VirtualMs(1), false, true), None);
    assert_eq!(source.progress()[0].at_source, 4 * 4096, "beyond the old end nothing is sent");
    assert!(source.progress()[0].resized);
}

#[test]
fn what_leaves_between_two_marks_on_the_way_to_azure_ends_with_a_seam() {
    let disks = disks(512);
    let forward = SessionSpec { direction: Direction::Forward, ..spec(512, 1) };
    let mut source = ready_for(&forward, &disks, 4 << 20);
    let id = DiskId::new("d");
    for block in 0..(STREAM / BLOCK) as u64 {
        source.wrote(&id, block);
    }
    assert_eq!(source.select(), Action::Seam);
    assert_eq!(source.seam(VirtualMs(7)), Some(Mark(2)), "marks and seams are counted together");
    let seam = Body::Seam { mark: Mark(2), time: VirtualMs(7) };
    assert_eq!(source.queue.back().map(|queued| &queued.frame.body), Some(&seam));
    assert_eq!(source.cut(PointKind::Crash, VirtualMs(9), false, false), Some(Mark(3)));
}

#[test]
fn hashes_are_asked_for_up_to_the_end_of_the_disk() {
    let blocks = SYNC_STEP + 3;
    let (disks, id) = (disks(blocks), DiskId::new("d"));
    (0..blocks).for_each(|block| disks[&id].write(block, Page::new(&[1; BLOCK])));
    let compares = SessionSpec { sync: SyncMode::Checksum, ..spec(blocks, 1) };
    let mut source = Source::new(&compares, &disks, 1 << 20).unwrap();
    let mut asked = Vec::new();
    while let Action::Hashes { disk, first, count } = source.select() {
        asked.push((first, count));
        source.on_hashes(&disk, &disks[&id].hashes(first, count));
    }
    assert_eq!(asked, [(0, SYNC_STEP), (SYNC_STEP, 3)]);
}

#[test]
fn a_comparison_that_never_left_is_asked_for_again() {
    let disks = disks(600);
    let mut source = ready(&disks, 1, 10 * BLOCK);
    assert!(source.cut(PointKind::Crash, VirtualMs(1), false, true).is_some());
    write(&disks, &mut source, 0..300, 1);
    assert_eq!(source.mode(), Mode::Marking, "the mark was taken back with everything else");
    send_all(&mut source);
    assert!(cut(&mut source).is_some());
    let Some(Body::Mark { roots, .. }) = source.queue.back().map(|queued| &queued.frame.body) else {
        panic!("no mark")
    };
    assert_eq!(roots.len(), 1, "the next mark compares instead");
}
