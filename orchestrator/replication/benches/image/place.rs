//! Where the images of the benchmark lie, and what they hold.

use failback_replication::image::{Options, map, sync};
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::env;
use std::fs::{self, File};
use std::ops::{ControlFlow, Range};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

const CHILD: &str = "FAILBACK_BENCH_CHILD";

/// A folder with a source, its base (5 % of the source lies otherwise there), and a destination to work on.
pub(crate) struct Place {
    folder: PathBuf,
    /// In bytes.
    pub(crate) size: u64,
    /// Where source and base differ: runs of 4 to 64 KiB.
    pub(crate) dirty: Vec<Range<u64>>,
}

fn number(name: &str, default: u64) -> u64 {
    env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default)
}

/// How often each contestant has its turn.
pub(crate) fn rounds() -> u64 {
    number("FAILBACK_BENCH_ROUNDS", 7)
}

fn room(folder: &Path) -> u64 {
    let Ok(stat) = nix::sys::statvfs::statvfs(folder) else { return 0 };
    stat.blocks_available() * stat.fragment_size()
}

impl Place {
    pub(crate) fn new() -> Self {
        let size = number("FAILBACK_BENCH_MIB", 1024) << 20;
        let tmpfs = Path::new("/dev/shm");
        let above = match env::var_os("FAILBACK_BENCH_DIR") {
            Some(folder) => folder.into(),
            None if room(tmpfs) > 5 * size => tmpfs.to_path_buf(),
            None => env::temp_dir(),
        };
        let folder = above.join(format!("failback-bench-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder for images");
        let place = Self { folder, size, dirty: dirty(size) };
        place.fill();
        place
    }
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
    pub(crate) fn source(&self) -> PathBuf {
        self.file("source.img")
    }
    pub(crate) fn base(&self) -> PathBuf {
        self.file("base.img")
    }
    pub(crate) fn destination(&self) -> PathBuf {
        self.file("destination.img")
    }
    pub(crate) fn map(&self) -> PathBuf {
        self.file("changes.map")
    }
    fn fill(&self) {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut bytes = vec![0; 1 << 20];
        let base = File::create(self.base()).expect("room");
        for at in (0..self.size).step_by(bytes.len()) {
            rng.fill_bytes(&mut bytes);
            base.write_all_at(&bytes, at).expect("room");
        }
        for copy in [self.source(), self.destination()] {
            fs::copy(self.base(), copy).expect("room");
        }
        let source = File::options().write(true).open(self.source()).expect("just made");
        for range in &self.dirty {
            let bytes = &mut bytes[..(range.end - range.start) as usize];
            rng.fill_bytes(bytes);
            source.write_all_at(bytes, range.start).expect("room");
        }
        let go = &mut |_: failback_replication::image::Step<'_>| ControlFlow::Continue(());
        let map = map::compare(&self.base(), &self.source(), &Options::default(), go).expect("two images");
        map.save(&self.map()).expect("room");
    }
    /// Takes the changes back out of the destination.
    pub(crate) fn stale(&self) {
        crate::loops::extents(&self.base(), &self.destination(), &self.dirty);
    }
    /// The destination holds what the source does.
    pub(crate) fn equal(&self) -> bool {
        let go = &mut |_: failback_replication::image::Step<'_>| ControlFlow::Continue(());
        let told =
            failback_replication::image::verify(&self.source(), &self.destination(), &Options::default(), go);
        told.expect("two images").is_none()
    }
    /// What a sync of a sparse image of 1 TiB with 1 GiB of data takes: resident memory at most, in KiB.
    pub(crate) fn resident(&self) -> Option<u64> {
        let (huge, copy) = (self.file("huge.img"), self.file("copy.img"));
        let file = File::create(&huge).expect("room");
        file.set_len(1 << 40).ok()?;
        let (pieces, bytes) = (self.size >> 20, vec![7; 1 << 20]);
        (0..pieces).for_each(|n| file.write_all_at(&bytes, n * ((1 << 40) / pieces)).expect("room"));
        let paths = format!("{}\n{}", huge.display(), copy.display());
        let child = Command::new(env::current_exe().ok()?).env(CHILD, paths).output().ok()?;
        let _ = (fs::remove_file(huge), fs::remove_file(copy));
        String::from_utf8(child.stdout).ok()?.trim().parse().ok()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// 5 % of an image in runs of 4 to 64 KiB, spread over all of it.
fn dirty(size: u64) -> Vec<Range<u64>> {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let (mut at, mut ranges) = (0, Vec::new());
    loop {
        let len = rng.random_range(1..=16) * 4096u64;
        // On average a run of 34 KiB in 680 KiB.
        at += rng.random_range(1..=316) * 4096;
        if at + len > size {
            return ranges;
        }
        ranges.push(at..at + len);
        at += len;
    }
}

/// Whether this process only measures its own memory for another one.
pub(crate) fn is_child() -> bool {
    env::var_os(CHILD).is_some()
}

/// Syncs what it was told, and says how much memory that took.
pub(crate) fn child() {
    let paths = env::var(CHILD).expect("two paths");
    let (source, copy) = paths.split_once('\n').expect("two paths");
    let options = Options { verify: true, ..Options::default() };
    let go = &mut |_: failback_replication::image::Step<'_>| ControlFlow::Continue(());
    sync(Path::new(source), Path::new(copy), None, &options, go).expect("room");
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    println!("{}", peak.unwrap_or_default().trim_end_matches("kB").trim());
}
