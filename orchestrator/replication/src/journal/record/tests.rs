//! What goes in comes out, and whatever comes in, nothing breaks.

use super::*;
use proptest::prelude::*;

fn name() -> impl Strategy<Value = String> {
    "[a-z0-9-]{0,12}"
}

fn disk() -> impl Strategy<Value = DiskId> {
    name().prop_map(DiskId::new)
}

fn standing() -> impl Strategy<Value = Standing> {
    let synced = prop::collection::vec((disk(), any::<bool>(), any::<u64>()), 0..4);
    (synced, any::<Option<u64>>())
        .prop_map(|(synced, last)| Standing { synced, last_mark: last.map(VirtualMs) })
}

fn point() -> impl Strategy<Value = Point> {
    (name(), any::<u64>(), any::<bool>(), any::<u64>(), any::<bool>()).prop_map(
        |(id, mark, app, time, group)| Point {
            point: PointId::new(id),
            mark: Mark(mark),
            kind: if app { PointKind::Application } else { PointKind::Crash },
            time: VirtualMs(time),
            group,
            snapshots: Vec::new(),
        },
    )
}

fn record() -> impl Strategy<Value = Record> {
    let old = prop_oneof![
        Just(Old::Zeros),
        Just(Old::Lost),
        any::<u8>().prop_map(|fill| Old::Page(vec![fill; BLOCK].into())),
    ];
    let undo = (disk(), any::<u64>(), any::<u128>(), old);
    let keyed = |ought: u128, old: &Old| match old {
        Old::Page(page) => key(Page::all_of(page).next().as_ref()),
        Old::Zeros | Old::Lost => ought,
    };
    let blocks = prop::collection::vec((any::<u64>(), any::<u128>()), 0..9);
    let sums = prop::collection::vec((disk(), any::<u128>()), 0..4);
    prop_oneof![
        undo.prop_map(move |(disk, block, ought, old)| {
            Record::Undo { disk, block, key: keyed(ought, &old), old }
        }),
        (disk(), blocks).prop_map(|(disk, blocks)| Record::Wrote { disk, blocks }),
        (disk(), any::<u64>()).prop_map(|(disk, blocks)| Record::Applied(Step::Data(disk, blocks))),
        disk().prop_map(|disk| Record::Applied(Step::Synced(disk))),
        any::<u64>().prop_map(|time| Record::Applied(Step::Mark(VirtualMs(time)))),
        (point(), standing(), sums).prop_map(|(point, standing, sums)| Record::Point {
            point,
            standing,
            sums
        }),
        standing().prop_map(Record::State),
        name().prop_map(|p| Record::RollBegin(PointId::new(p))),
        name().prop_map(|p| Record::RollDone(PointId::new(p))),
        Just(Record::Stopped),
    ]
}

fn bytes(stamp: Stamp, record: &Record) -> Vec<u8> {
    let mut out = Vec::new();
    encode_head(stamp, record, &mut out);
    if let Record::Undo { old: Old::Page(page), .. } = record {
        out.extend_from_slice(page);
    }
    out
}

proptest! {
    #[test]
    fn records_come_back_and_no_damage_goes_unseen(
        record in record(),
        epoch in any::<u64>(),
        seq in any::<u64>(),
        at in any::<prop::sample::Index>(),
        bit in 0u8..8,
        more in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let stamp = Stamp { epoch, seq };
        let mut whole = bytes(stamp, &record);
        let len = whole.len();
        whole.extend(&more);
        prop_assert_eq!(decode(&whole.clone().into()), Ok((stamp, record, len)));
        let cut = at.index(len);
        prop_assert!(decode(&Bytes::copy_from_slice(&whole[..cut])).is_err(), "cut at {}", cut);
        whole[cut] ^= 1 << bit;
        prop_assert!(decode(&whole.into()).is_err(), "flipped a bit at {}", cut);
    }

    #[test]
    fn arbitrary_bytes_are_refused_in_peace(junk in prop::collection::vec(any::<u8>(), 0..6000)) {
        prop_assert!(decode(&junk.into()).is_err());
    }

    /// With the checksums made right, so that the details are reached.
    #[test]
    fn arbitrary_details_are_refused_or_make_a_record(
        kind in 0u8..12,
        details in prop::collection::vec(any::<u8>(), 0..200),
        page in any::<bool>(),
    ) {
        let mut out = Vec::new();
        encode_head(Stamp::default(), &Record::Stopped, &mut out);
        out.extend(&details);
        out[4] = kind;
        let len = out.len() as u32;
        out[5..9].copy_from_slice(&len.to_le_bytes());
        if page {
            out[9..13].copy_from_slice(&(BLOCK as u32).to_le_bytes());
        }
        let crc = head_crc(&out);
        out[CRC..FIXED].copy_from_slice(&crc.to_le_bytes());
        if page {
            out.extend([7; BLOCK]);
        }
        if let Ok((stamp, record, len)) = decode(&out.clone().into()) {
            prop_assert_eq!(len, out.len());
            prop_assert_eq!(bytes(stamp, &record), out);
        }
    }
}
