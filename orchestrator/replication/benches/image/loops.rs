//! The same work without everything that makes it safe: what the engine is measured against.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use xxhash_rust::xxh3::xxh3_128;

fn open(from: &Path, to: &Path) -> (File, File) {
    let to = File::options().read(true).write(true).open(to);
    (File::open(from).expect("an image"), to.expect("an image"))
}

/// Reads and writes all of an image, 1 MiB at a time.
pub(crate) fn copy(from: &Path, to: &Path, size: u64) {
    let (from, to) = open(from, to);
    let mut bytes = vec![0; 1 << 20];
    for at in (0..size).step_by(bytes.len()) {
        let len = (size - at).min(1 << 20) as usize;
        from.read_exact_at(&mut bytes[..len], at).expect("readable");
        to.write_all_at(&bytes[..len], at).expect("writable");
    }
}

/// Reads and writes exactly these extents, each in one go.
pub(crate) fn extents(from: &Path, to: &Path, extents: &[Range<u64>]) {
    let (from, to) = open(from, to);
    let mut bytes = vec![0; 64 << 10];
    for range in extents {
        let bytes = &mut bytes[..(range.end - range.start) as usize];
        from.read_exact_at(bytes, range.start).expect("readable");
        to.write_all_at(bytes, range.start).expect("writable");
    }
}

/// Hashes both sides in blocks of 64 KiB, with so many threads; answers how many blocks differ.
pub(crate) fn scan(a: &Path, b: &Path, size: u64, threads: usize) -> u64 {
    const LEN: u64 = 64 << 10;
    let (a, b) = (File::open(a).expect("an image"), File::open(b).expect("an image"));
    let (next, unequal) = (AtomicU64::new(0), AtomicU64::new(0));
    let work = || {
        let mut bytes = vec![0; LEN as usize];
        loop {
            let at = next.fetch_add(LEN, Ordering::Relaxed);
            if at >= size {
                return;
            }
            let mut hash = |file: &File| {
                file.read_exact_at(&mut bytes, at).expect("readable");
                xxh3_128(&bytes)
            };
            unequal.fetch_add(u64::from(hash(&a) != hash(&b)), Ordering::Relaxed);
        }
    };
    #[expect(clippy::disallowed_methods, reason = "what is measured against uses threads too")]
    std::thread::scope(|scope| {
        (1..threads).for_each(|_| {
            scope.spawn(work);
        });
        work();
    });
    unequal.into_inner()
}
