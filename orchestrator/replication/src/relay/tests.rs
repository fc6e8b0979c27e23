//! What the relay takes, refuses and passes on.

use super::*;
use crate::frame::{Body, Content, Frame, Run, encode};
use failback_wire::event::{Mark, PointKind};
use failback_wire::ids::SessionId;
use failback_wire::proto::session::{Direction, SyncMode};

fn spec(epoch: u64) -> SessionSpec {
    SessionSpec {
        session: SessionId::new("s"),
        machine: "web01".into(),
        direction: Direction::Reverse,
        epoch,
        disks: Vec::new(),
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

fn marks(epoch: u64, numbers: std::ops::RangeInclusive<u64>) -> Bytes {
    let mut out = Vec::new();
    for seq in numbers {
        let (mark, kind, time) = (Mark(seq), PointKind::Crash, VirtualMs(seq));
        let body = Body::Mark { mark, kind, time, group: false, roots: Vec::new() };
        encode(&Frame { session: SessionId::new("s"), epoch, seq, body }, &mut out);
    }
    out.into()
}

#[test]
fn frames_are_taken_once_and_in_turn() {
    let mut relay = Relay::new(spec(1));
    assert_eq!(relay.accept(&marks(1, 2..=3), u64::MAX).unwrap().received, 0, "the first is missing");
    assert_eq!(relay.accept(&marks(1, 1..=2), u64::MAX).unwrap().received, 2);
    assert_eq!(relay.accept(&marks(1, 1..=4), u64::MAX).unwrap().received, 4);
    assert_eq!(relay.next().unwrap(), marks(1, 1..=4));
    assert!(relay.on_applied(1, 3));
    assert_eq!(relay.next().unwrap(), marks(1, 4..=4));
    assert_eq!(relay.bytes(), marks(1, 4..=4).len() as u64);
    assert_eq!(relay.view().last_mark, Some(VirtualMs(4)));
}

#[test]
fn copies_cut_short_in_the_same_memory_are_passed_on_whole() {
    let mut relay = Relay::new(spec(1));
    let body = marks(1, 1..=3);
    let two = marks(1, 1..=2).len();
    relay.accept(&body.slice(..two), u64::MAX).unwrap();
    relay.accept(&body, u64::MAX).unwrap();
    assert_eq!(relay.next().unwrap(), body);
}

#[test]
fn a_full_cache_takes_what_fits_then_nothing() {
    let mut relay = Relay::new(spec(1));
    let room = marks(1, 1..=2).len() as u64;
    assert_eq!(relay.accept(&marks(1, 1..=3), room).unwrap().received, 2);
    assert_eq!(relay.accept(&marks(1, 3..=3), 0), Err(RelayError::Busy));
    assert_eq!(relay.accept(&marks(1, 1..=2), 0).unwrap().received, 2, "what is known costs nothing");
}

#[test]
fn a_new_epoch_forgets_the_queue_and_fences_the_old_one() {
    let mut relay = Relay::new(spec(1));
    relay.accept(&marks(1, 1..=2), u64::MAX).unwrap();
    assert_eq!(relay.accept(&marks(2, 1..=1), u64::MAX), Err(RelayError::EpochAhead(2)));
    assert_eq!(relay.take_up(spec(2)), Ok(true));
    assert_eq!(relay.take_up(spec(2)), Ok(false));
    assert_eq!(relay.take_up(spec(1)), Err(RelayError::StaleEpoch(1)));
    assert!(relay.drained() && relay.bytes() == 0);
    assert_eq!(relay.accept(&marks(1, 3..=3), u64::MAX), Err(RelayError::StaleEpoch(1)));
    assert!(relay.on_applied(1, 2), "a late word about the old epoch is no contradiction");
    assert_eq!(relay.view().resync_required, None);
}

#[test]
fn a_target_that_forgot_asks_for_a_resynchronisation() {
    let mut relay = Relay::new(spec(1));
    relay.accept(&marks(1, 1..=4), u64::MAX).unwrap();
    relay.on_applied(1, 3);
    assert!(!relay.on_applied(1, 1));
    let refused = relay.accept(&marks(1, 5..=5), u64::MAX);
    assert!(matches!(refused, Err(RelayError::ResyncRequired(_))));
    assert!(relay.drained());
}

#[test]
fn marks_do_not_count_as_data() {
    let mut relay = Relay::new(spec(1));
    let mut data = Vec::new();
    let body = Body::Data { disk: DiskId::new("d"), runs: vec![Run { first: 0, content: Content::Zero(1) }] };
    encode(&Frame { session: SessionId::new("s"), epoch: 1, seq: 1, body }, &mut data);
    let body = Bytes::from([data.clone(), marks(1, 2..=2).to_vec()].concat());
    relay.accept(&body, u64::MAX).unwrap();
    assert_eq!(relay.data_in(body.len()), data.len() as u64);
    assert_eq!(relay.data_in(data.len() - 1), 0);
}

#[test]
fn a_stop_ends_the_intake_and_not_the_passing_on() {
    let mut relay = Relay::new(spec(1));
    relay.accept(&marks(1, 1..=2), u64::MAX).unwrap();
    relay.stop();
    assert_eq!(relay.accept(&marks(1, 3..=3), u64::MAX), Err(RelayError::Stopped));
    assert_eq!(relay.accept(&marks(1, 1..=2), u64::MAX).unwrap().received, 2, "a lost answer is repeated");
    assert_eq!(relay.next().unwrap(), marks(1, 1..=2));
    assert_eq!(relay.view().phase, Phase::Stopped);
}
