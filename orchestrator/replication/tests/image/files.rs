//! Image files for tests.

use failback_replication::disk::BLOCK;
use nix::unistd::{Whence, lseek};
use proptest::prelude::*;
use std::fs;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A folder of its own for one case; goes with it.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("image-{name}-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a folder for the test");
        Self(path)
    }
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
    pub(crate) fn source(&self) -> PathBuf {
        self.file("source.img")
    }
    pub(crate) fn destination(&self) -> PathBuf {
        self.file("destination.img")
    }
    pub(crate) fn state(&self) -> PathBuf {
        self.file("destination.img.failback-sync")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Some blocks of an image.
#[derive(Clone, Debug)]
pub(crate) enum Piece {
    /// Never written.
    Hole(u64),
    /// Written, with zeros.
    Zero(u64),
    /// Written, with one byte all over; zero would be [`Piece::Zero`].
    Data(u8, u64),
}

pub(crate) fn pieces() -> impl Strategy<Value = Vec<Piece>> {
    let len = || prop_oneof![3 => 1u64..6, 1 => 1u64..120];
    let piece = prop_oneof![
        len().prop_map(Piece::Hole),
        len().prop_map(Piece::Zero),
        (1u8..4, len()).prop_map(|(byte, len)| Piece::Data(byte, len)),
    ];
    prop::collection::vec(piece, 1..10)
}

/// Writes an image of these pieces and so many bytes more, which are a hole.
pub(crate) fn make(path: &Path, pieces: &[Piece], tail: u64) {
    let file = fs::File::create(path).expect("an image");
    let mut at = 0;
    for piece in pieces {
        let (len, byte) = match piece {
            Piece::Hole(len) => (len, None),
            Piece::Zero(len) => (len, Some(0)),
            Piece::Data(byte, len) => (len, Some(*byte)),
        };
        if let Some(byte) = byte {
            file.write_all_at(&vec![byte; *len as usize * BLOCK], at).expect("room");
        }
        at += len * BLOCK as u64;
    }
    file.set_len(at + tail).expect("room");
}

pub(crate) fn content(path: &Path) -> Vec<u8> {
    fs::read(path).expect("an image")
}

/// The holes of a file, but for its end.
pub(crate) fn holes(path: &Path) -> Vec<Range<u64>> {
    let file = fs::File::open(path).expect("an image");
    let (mut at, mut holes) = (0, Vec::new());
    while let Ok(hole) = lseek(&file, at, Whence::SeekHole) {
        let Ok(data) = lseek(&file, hole, Whence::SeekData) else { break };
        holes.push(hole.cast_unsigned()..data.cast_unsigned());
        at = data;
    }
    holes
}
