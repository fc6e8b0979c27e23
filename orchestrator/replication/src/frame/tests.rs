//! The codec: what goes in comes out, and nothing else gets through.

use super::*;
use proptest::prelude::*;
use rand::{Rng, SeedableRng};

fn page(fill: u8) -> Page {
    let mut bytes = [0; BLOCK];
    bytes[7] = fill;
    Page::new(&bytes)
}

fn body() -> impl Strategy<Value = Body> {
    let disk = "[a-z0-9-]{1,20}".prop_map(DiskId::new);
    let pages = prop::collection::vec(any::<u8>().prop_map(page), 1..4).prop_map(Content::Pages);
    let content = prop_oneof![(1u32..).prop_map(Content::Zero), pages];
    let run = (0u64..1 << 40, content).prop_map(|(first, content)| Run { first, content });
    let data =
        (disk.clone(), prop::collection::vec(run, 0..5)).prop_map(|(disk, runs)| Body::Data { disk, runs });
    let roots = prop::collection::vec((disk.clone(), any::<u128>().prop_map(ContentHash)), 0..3);
    let mark = (any::<u64>(), any::<bool>(), any::<u64>(), any::<bool>(), roots).prop_map(
        |(mark, app, time, group, roots)| Body::Mark {
            mark: Mark(mark),
            kind: if app { PointKind::Application } else { PointKind::Crash },
            time: VirtualMs(time),
            group,
            roots,
        },
    );
    let seam = (any::<u64>(), any::<u64>())
        .prop_map(|(mark, time)| Body::Seam { mark: Mark(mark), time: VirtualMs(time) });
    prop_oneof![data, disk.prop_map(|disk| Body::SyncDone { disk }), mark, seam]
}

fn any_frame() -> impl Strategy<Value = Frame> {
    ("[a-z0-9-]{0,20}", any::<u64>(), any::<u64>(), body()).prop_map(|(session, epoch, seq, body)| Frame {
        session: SessionId::new(session),
        epoch,
        seq,
        body,
    })
}

proptest! {
    #[test]
    fn round_trip(frames in prop::collection::vec((any_frame(), any::<bool>()), 1..4)) {
        let mut bytes = Vec::new();
        frames.iter().for_each(|(f, pack)| encode_as(f, *pack, &mut bytes));
        let mut rest = Bytes::from(bytes);
        for (frame, _) in &frames {
            let head = inspect(&rest).unwrap();
            let (decoded, len) = decode(&rest).unwrap();
            prop_assert_eq!(&decoded, frame);
            prop_assert_eq!((head.len, head.epoch, head.seq), (len, frame.epoch, frame.seq));
            prop_assert_eq!(head.disk.is_some(), matches!(frame.body, Body::Data { .. }));
            if let Body::Mark { time, .. } = frame.body {
                prop_assert_eq!(head.mark, Some(time));
            }
            rest = rest.slice(len..);
        }
        prop_assert!(rest.is_empty());
    }

    #[test]
    fn any_change_and_any_cut_is_noticed(
        frame in any_frame(),
        pack in any::<bool>(),
        at in any::<prop::sample::Index>(),
        flip in 1u8..,
    ) {
        let mut bytes = Vec::new();
        encode_as(&frame, pack, &mut bytes);
        let at = at.index(bytes.len());
        prop_assert!(decode(&Bytes::copy_from_slice(&bytes[..at])).is_err());
        bytes[at] ^= flip;
        prop_assert!(decode(&Bytes::copy_from_slice(&bytes)).is_err());
        prop_assert!(inspect(&bytes).is_err());
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        decode(&Bytes::copy_from_slice(&bytes)).ok();
        inspect(&bytes).ok();
    }

    /// Arbitrary content under a digest that holds reaches the parser behind it.
    #[test]
    fn arbitrary_content_never_panics(
        content in prop::collection::vec(any::<u8>(), 0..300),
        payload in 0usize..3,
        kind in 0u8..5,
    ) {
        let mut bytes = Vec::new();
        bytes.extend(MAGIC.to_le_bytes());
        let head = FIXED + content.len();
        bytes.extend(((head + DIGEST + payload * BLOCK) as u32).to_le_bytes());
        bytes.extend((head as u32).to_le_bytes());
        bytes.extend([0; 16]);
        bytes.push(kind);
        bytes.extend(&content);
        let digest = xxh3_128(&bytes);
        bytes.extend(digest.to_le_bytes());
        bytes.resize(bytes.len() + payload * BLOCK, 1);
        if let Ok((frame, _)) = decode(&Bytes::copy_from_slice(&bytes)) {
            let mut again = Vec::new();
            encode(&frame, &mut again);
            prop_assert_eq!(decode(&again.into()).unwrap().0, frame);
        }
        inspect(&bytes).ok();
    }

    #[test]
    fn packing_keeps_every_block(picks in prop::collection::btree_map(0u64..400, 0u8..3, 0..400)) {
        let disk = DiskId::new("d");
        let blocks: Vec<_> = picks.into_iter().map(|(block, fill)| (block, page(fill))).collect();
        let bodies = pack(&disk, blocks.clone());
        let mut unpacked = Vec::new();
        for body in &bodies {
            let Body::Data { runs, .. } = body else { panic!("only data") };
            let bytes: usize = runs.iter().map(|r| match &r.content {
                Content::Zero(_) => 0,
                Content::Pages(pages) => pages.len() * BLOCK,
            }).sum();
            prop_assert!(bytes <= MAX_PAYLOAD);
            unpacked.extend(runs.iter().flat_map(|r| r.blocks().collect::<Vec<_>>()));
        }
        prop_assert_eq!(unpacked, blocks);
    }
}

#[test]
fn neighbours_travel_in_one_run_and_zeros_carry_no_bytes() {
    let bodies = pack(&DiskId::new("d"), (10..20).map(|b| (b, page(u8::from(b < 15)))));
    assert_eq!(bodies.len(), 1);
    let Body::Data { runs, .. } = &bodies[0] else { panic!("only data") };
    assert_eq!(runs.iter().map(|r| (r.first, r.count())).collect::<Vec<_>>(), [(10, 5), (15, 5)]);
    assert_eq!(runs[1].content, Content::Zero(5));
    let (mut small, session) = (Vec::new(), SessionId::new("s"));
    let zeros =
        Body::Data { disk: DiskId::new("d"), runs: vec![Run { first: 0, content: Content::Zero(9999) }] };
    encode(&Frame { session, epoch: 1, seq: 1, body: zeros }, &mut small);
    assert!(small.len() < 100);
}

#[test]
fn what_can_be_packed_travels_small_and_noise_does_not() {
    let frame = |page: Page| {
        let runs = vec![Run { first: 3, content: Content::Pages(vec![page; 16]) }];
        let body = Body::Data { disk: DiskId::new("d"), runs };
        Frame { session: SessionId::new("s"), epoch: 1, seq: 1, body }
    };
    let mut noise = [0; BLOCK];
    rand_chacha::ChaCha8Rng::seed_from_u64(1).fill_bytes(&mut noise);
    for (page, small) in [(page(9), true), (Page::new(&noise), false)] {
        let (mut raw, mut packed) = (Vec::new(), Vec::new());
        encode(&frame(page.clone()), &mut raw);
        encode_as(&frame(page.clone()), true, &mut packed);
        assert_eq!(packed.len() < raw.len() / 4, small);
        assert!(packed.len() <= raw.len());
        assert_eq!(decode(&packed.into()).unwrap().0, frame(page));
    }
}

#[test]
fn a_packed_run_that_claims_to_be_huge_is_refused_unread() {
    let body = Body::Data {
        disk: DiskId::new("d"),
        runs: vec![Run { first: 0, content: Content::Pages(vec![page(1)]) }],
    };
    let mut bytes = Vec::new();
    encode_as(&Frame { session: SessionId::new("s"), epoch: 1, seq: 1, body }, true, &mut bytes);
    let head = u32::from_le_bytes(*bytes[8..].first_chunk().unwrap()) as usize;
    // The count lies before kind, checksum, hash and packed length.
    let at = head - 4 - 16 - 4 - 1 - 4;
    bytes[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    let digest = xxh3_128(&bytes[..head]).to_le_bytes();
    bytes[head..head + DIGEST].copy_from_slice(&digest);
    assert!(matches!(decode(&bytes.into()), Err(FrameError::TooLong(_))));
}

#[test]
fn a_frame_that_claims_to_be_too_long_is_refused_before_the_rest_has_come() {
    let begin = |len: usize| {
        let numbers = [MAGIC, len as u32, FIXED as u32];
        Bytes::from(numbers.map(u32::to_le_bytes).concat())
    };
    assert_eq!(decode(&begin(MAX_FRAME + 1)).unwrap_err(), FrameError::TooLong(MAX_FRAME + 1));
    assert_eq!(decode(&begin(MAX_FRAME)).unwrap_err(), FrameError::Truncated, "the rest may still come");
}
