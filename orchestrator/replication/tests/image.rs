//! Real image files: whatever the holes, the mode and the moment it is stopped, one sync after another ends with
//! an equal destination, and what is refused is not touched.
#![cfg(unix)]

#[path = "image/files.rs"]
mod files;
#[cfg(test)]
#[path = "image/qcow2.rs"]
mod qcow2;
#[cfg(test)]
#[path = "image/refusals.rs"]
mod refusals;

use failback_replication::disk::{BLOCK, Disk, Page};
use failback_replication::image::{self, Error, Mode, Options, Refusal, Step, map};
use files::{Folder, Piece, content, holes, make, pieces};
use proptest::prelude::*;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

/// Which mode a case runs in; a map is made before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Default,
    Full,
    Checksum,
    Map,
}

fn way() -> impl Strategy<Value = Way> {
    prop_oneof![Just(Way::Default), Just(Way::Full), Just(Way::Checksum), Just(Way::Map)]
}

/// What becomes of the state file after a stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Harm {
    None,
    Cut(usize),
    Flip(usize),
    Grow,
}

fn harm() -> impl Strategy<Value = Harm> {
    let harmed =
        prop_oneof![(0usize..200).prop_map(Harm::Cut), any::<usize>().prop_map(Harm::Flip), Just(Harm::Grow)];
    prop_oneof![4 => Just(Harm::None), 1 => harmed]
}

fn do_harm(state: &Path, harm: Harm) -> bool {
    let Ok(mut bytes) = fs::read(state) else { return false };
    let before = bytes.clone();
    match harm {
        Harm::None => {}
        Harm::Cut(at) => bytes.truncate(at),
        Harm::Flip(bit) => {
            let bit = bit % (bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        Harm::Grow => bytes.push(0),
    }
    fs::write(state, &bytes).expect("room");
    bytes != before
}

fn model_root(bytes: &[u8]) -> failback_wire::event::ContentHash {
    let disk = Disk::new(bytes.len().div_ceil(BLOCK) as u64);
    for (at, block) in (0..).zip(bytes.chunks(BLOCK)) {
        let mut page = [0; BLOCK];
        page[..block.len()].copy_from_slice(block);
        disk.write(at, Page::new(&page));
    }
    disk.root_hash()
}

/// Runs a sync that is stopped at its `stop`-th step.
fn stopped(
    folder: &Folder,
    mode: Option<Mode<'_>>,
    options: &Options,
    stop: usize,
) -> Result<image::Report, Error> {
    let mut left = stop;
    image::sync(&folder.source(), &folder.destination(), mode, options, &mut |_| {
        let go = left > 0;
        left = left.saturating_sub(1);
        if go { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })
}

fn go(folder: &Folder, mode: Option<Mode<'_>>, options: &Options) -> Result<image::Report, Error> {
    image::sync(&folder.source(), &folder.destination(), mode, options, &mut |_| ControlFlow::Continue(()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn any_sync_ends_equal(
        source in pieces(),
        destination in pieces(),
        tail in 0u64..5000,
        way in way(),
        threads in 1usize..4,
        window in 1u64..400_000,
        stops in prop::collection::vec((0usize..30, harm()), 0..4),
    ) {
        let folder = Folder::new("ends-equal");
        make(&folder.source(), &source, tail);
        let size = fs::metadata(folder.source()).unwrap().len();
        make(&folder.destination(), &destination, 0);
        fs::File::options().write(true).open(folder.destination()).unwrap().set_len(size).unwrap();
        let wanted = content(&folder.source());
        let options = Options { verify: true, threads, window, ..Options::default() };
        let map_file = folder.file("map");
        if way == Way::Map {
            let map = map::compare(
                &folder.destination(), &folder.source(), &options, &mut |_| ControlFlow::Continue(()),
            ).unwrap();
            map.save(&map_file).unwrap();
            prop_assert_eq!(map::ChangeMap::load(&map_file).unwrap(), map);
        }
        let mode = match way {
            Way::Default => None,
            Way::Full => Some(Mode::Full),
            Way::Checksum => Some(Mode::Checksum),
            Way::Map => Some(Mode::Map(&map_file)),
        };
        let mut lost = false;
        for (stop, harm) in stops {
            match stopped(&folder, mode, &options, stop) {
                Ok(_) => break,
                Err(Error::Stopped) => {
                    prop_assert!(folder.state().exists(), "incomplete, and not marked as such");
                }
                Err(Error::Refused(Refusal::Unfinished(_))) if lost && way == Way::Map => break,
                Err(other) => return Err(TestCaseError::fail(format!("{other}"))),
            }
            lost |= do_harm(&folder.state(), harm);
        }
        let report = match go(&folder, mode, &options) {
            // The map was used up; one that was made of what is there now would do.
            Err(Error::Refused(Refusal::Unfinished(_))) if lost && way == Way::Map => {
                go(&folder, Some(Mode::Checksum), &options).unwrap()
            }
            Err(Error::Refused(Refusal::MapStale(_))) if way == Way::Map && !folder.state().exists() => {
                // It had come to its end before a stop could meet it.
                go(&folder, Some(Mode::Checksum), &options).unwrap()
            }
            other => other.unwrap(),
        };
        prop_assert!(content(&folder.destination()) == wanted, "{way:?} ended unequal");
        prop_assert!(!folder.state().exists(), "complete, and still marked as incomplete");
        prop_assert_eq!(report.root, Some(model_root(&wanted)));
        if let Some(crc) = report.crc32c {
            prop_assert_eq!(crc, crc32c::crc32c(&wanted), "put together over {} resumed bytes", report.resumed);
        }
        let told = image::verify(
            &folder.source(), &folder.destination(), &options, &mut |_| ControlFlow::Continue(()),
        ).unwrap();
        prop_assert_eq!(told, None);
    }

    #[test]
    fn differences_are_those_of_the_bytes(a in pieces(), b in pieces(), threads in 1usize..3) {
        let folder = Folder::new("differences");
        make(&folder.source(), &a, 0);
        make(&folder.destination(), &b, 0);
        let (a, b) = (content(&folder.source()), content(&folder.destination()));
        let blocks = a.chunks(BLOCK).zip(b.chunks(BLOCK)).enumerate();
        let unequal: Vec<usize> = blocks.filter(|(_, (a, b))| a != b).map(|(at, _)| at * BLOCK).collect();
        let shorter = (a.len() != b.len()).then_some(a.len().min(b.len()));
        let options = Options { threads, window: 30_000, ..Options::default() };
        let told = image::verify(
            &folder.source(), &folder.destination(), &options, &mut |_| ControlFlow::Continue(()),
        ).unwrap();
        prop_assert_eq!(told.map(|d| d.first as usize), unequal.first().copied().or(shorter));
        prop_assert_eq!(told.map_or(0, |d| d.blocks as usize), unequal.len());
    }
}

#[test]
fn every_moment_to_stop_at_leads_to_the_same_end() {
    let source: Vec<_> =
        [Piece::Data(3, 40), Piece::Hole(9), Piece::Data(7, 80), Piece::Zero(30), Piece::Data(1, 5)].into();
    let options = Options { threads: 1, window: 64 << 10, verify: true, ..Options::default() };
    for mode in [Mode::Full, Mode::Checksum] {
        for stop in 0.. {
            let folder = Folder::new("every-moment");
            make(&folder.source(), &source, 100);
            let done = stopped(&folder, Some(mode), &options, stop);
            if done.is_ok() {
                assert!(stop > 8, "there were moments to stop at");
                break;
            }
            assert!(folder.state().exists(), "{mode:?}, stopped at step {stop}");
            let durable = fs::read(folder.state()).unwrap();
            let report = go(&folder, Some(mode), &options).unwrap();
            assert!(content(&folder.source()) == content(&folder.destination()), "{mode:?} at {stop}");
            // Behind the first durable step, something is never done again.
            assert_eq!(report.resumed > 0, durable_cursor(&durable) > 0, "{mode:?} at {stop}");
        }
    }
}

/// The cursor of a record, by its place in the file.
fn durable_cursor(record: &[u8]) -> u64 {
    let at = record.len() - 16 - 4 - 8;
    u64::from_le_bytes(*record[at..].first_chunk().expect("a whole record"))
}

#[test]
fn a_source_that_changed_starts_from_zero() {
    let folder = Folder::new("changed-source");
    let options = Options { threads: 1, window: 64 << 10, ..Options::default() };
    make(&folder.source(), &[Piece::Data(3, 400)], 0);
    assert!(matches!(stopped(&folder, Some(Mode::Full), &options, 4), Err(Error::Stopped)));
    make(&folder.source(), &[Piece::Data(4, 400)], 0);
    let report = go(&folder, Some(Mode::Full), &options).unwrap();
    assert_eq!(report.resumed, 0);
    assert!(content(&folder.source()) == content(&folder.destination()));
}

#[test]
fn a_destination_that_was_replaced_starts_from_zero() {
    let folder = Folder::new("replaced");
    let options = Options { threads: 1, window: 64 << 10, ..Options::default() };
    make(&folder.source(), &[Piece::Data(3, 400)], 0);
    assert!(matches!(stopped(&folder, None, &options, 4), Err(Error::Stopped)));
    make(&folder.file("other"), &[Piece::Hole(400)], 0);
    fs::rename(folder.file("other"), folder.destination()).unwrap();
    assert_eq!(go(&folder, None, &options).unwrap().resumed, 0);
    assert!(content(&folder.source()) == content(&folder.destination()));
}

#[test]
fn a_source_written_meanwhile_is_told() {
    let folder = Folder::new("written-meanwhile");
    make(&folder.source(), &[Piece::Data(3, 40)], 0);
    let source = folder.source();
    let ended = image::sync(&source, &folder.destination(), None, &Options::default(), &mut |step| {
        if matches!(step, Step::Durable(_)) {
            make(&source, &[Piece::Data(9, 40)], 0);
        }
        ControlFlow::Continue(())
    });
    assert!(matches!(ended, Err(Error::SourceChanged(_))), "{ended:?}");
    assert!(folder.state().exists());
}

#[test]
fn bytes_that_change_on_the_way_are_found_by_verify() {
    use std::os::unix::fs::FileExt as _;
    let folder = Folder::new("rot");
    make(&folder.source(), &[Piece::Data(3, 400)], 0);
    let (destination, options) = (folder.destination(), Options { verify: true, ..Options::default() });
    let ended = image::sync(&folder.source(), &destination, None, &options, &mut |step| {
        if step == Step::Verifying {
            let file = fs::File::options().write(true).open(&destination).unwrap();
            file.write_all_at(b"rot", 70_000).unwrap();
        }
        ControlFlow::Continue(())
    });
    assert!(matches!(ended, Err(Error::Differs(_))), "{ended:?}");
    assert!(folder.state().exists());
    let told = image::verify(&folder.source(), &destination, &options, &mut |_| ControlFlow::Continue(()));
    assert_eq!(told.unwrap().map(|d| (d.first, d.blocks)), Some((69_632, 1)));
    assert_eq!(go(&folder, None, &options).unwrap().resumed, 0, "none of it is believed");
    assert!(content(&folder.source()) == content(&destination));
}

#[test]
fn holes_stay_and_zeros_become_some() {
    let folder = Folder::new("holes");
    make(
        &folder.source(),
        &[
            Piece::Data(1, 3),
            Piece::Hole(5),
            Piece::Data(2, 1),
            Piece::Zero(20),
            Piece::Data(3, 2),
            Piece::Zero(18),
            Piece::Data(4, 1),
        ],
        0,
    );
    make(&folder.destination(), &[Piece::Data(9, 50)], 0);
    let report = go(&folder, Some(Mode::Full), &Options::default()).unwrap();
    assert!(content(&folder.source()) == content(&folder.destination()));
    let block = BLOCK as u64;
    assert_eq!(
        holes(&folder.destination()),
        [3 * block..8 * block, 9 * block..29 * block, 31 * block..49 * block]
    );
    assert_eq!((report.written, report.cleared), (7 * block, 43 * block));
    let again = go(&folder, None, &Options::default()).unwrap();
    assert_eq!((again.mode, again.written, again.cleared), ("checksum", 0, 0));
}

#[test]
fn what_lies_beyond_the_source_stays() {
    let folder = Folder::new("beyond");
    make(&folder.source(), &[Piece::Data(1, 3)], 0);
    make(&folder.destination(), &[Piece::Data(9, 5)], 0);
    let report = go(&folder, None, &Options { verify: true, ..Options::default() }).unwrap();
    assert_eq!(report.beyond, 2 * BLOCK as u64);
    let (ours, theirs) = (content(&folder.source()), content(&folder.destination()));
    assert!(theirs.starts_with(&ours) && theirs.ends_with(&[9; 2 * BLOCK]));
}
