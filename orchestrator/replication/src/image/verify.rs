//! Reading images without writing: where two differ, and the hash of all of one.

use super::crew::{Buffers, Crew};
use super::error::Error;
use super::file::Image;
use super::plan::{Plan, Work};
use super::{Options, Step, Watch};
use crate::disk::{BLOCK, RootHasher, hash_unless_zero};
use failback_wire::event::ContentHash;
use std::ops::{ControlFlow, Range};
use std::path::Path;

/// How two images differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Where they first do, in bytes: the first block that differs, or where the shorter one ends.
    pub first: u64,
    /// How many 4 KiB blocks differ, as far as both go.
    pub blocks: u64,
    /// The sizes of both, in bytes.
    pub sizes: (u64, u64),
}

/// Compares every byte of two images; `None` when they are equal. Holes are zeros.
///
/// # Errors
/// When one cannot be read or is no raw image.
pub fn verify(a: &Path, b: &Path, options: &Options, watch: Watch<'_>) -> Result<Option<Difference>, Error> {
    let (a, b) = (Image::open(a, true)?, Image::open(b, true)?);
    let total = a.size.min(b.size);
    let begun = Step::Begun { what: "verify", why: "comparing both images", total, resumed: 0 };
    if watch(begun).is_break() {
        return Err(Error::Stopped);
    }
    let (mut first, mut blocks) = (None, 0);
    let mut plan = Plan::of_pair(&a, &b);
    let crew = Crew::new(options.threads);
    while let Some(works) = plan.window(options.window)? {
        let start = works[0].range().start;
        let compare = |work: &Work, buffers: &mut Buffers| differing(&a, &b, work, buffers);
        let runs = crew.each(&works, &compare, &mut |done| watch(Step::Done(start + done)))?;
        for range in runs.into_iter().flatten() {
            first.get_or_insert(range.start);
            blocks += (range.end - range.start).div_ceil(BLOCK as u64);
        }
    }
    if a.size != b.size {
        first.get_or_insert(total);
    }
    Ok(first.map(|first| Difference { first, blocks, sizes: (a.size, b.size) }))
}

/// Runs of blocks in which two images differ, within one range.
pub(super) fn differing(
    a: &Image,
    b: &Image,
    work: &Work,
    buffers: &mut Buffers,
) -> Result<Vec<Range<u64>>, Error> {
    let Work::Data(range) = work else { return Ok(Vec::new()) };
    let len = (range.end - range.start) as usize;
    let (ours, theirs) = (buffers.source.first(len), buffers.destination.first(len));
    a.read(ours, range.start)?;
    b.read(theirs, range.start)?;
    if ours == theirs {
        return Ok(Vec::new());
    }
    let mut runs = unequal_runs(ours, theirs);
    for run in &mut runs {
        *run = run.start + range.start..run.end + range.start;
    }
    Ok(runs)
}

/// Runs of 4 KiB blocks in which two pieces of one length differ.
pub(super) fn unequal_runs(a: &[u8], b: &[u8]) -> Vec<Range<u64>> {
    let mut runs: Vec<Range<u64>> = Vec::new();
    let mut at = 0;
    for (ours, theirs) in a.chunks(BLOCK).zip(b.chunks(BLOCK)) {
        let end = at + ours.len() as u64;
        if ours != theirs {
            match runs.last_mut() {
                Some(last) if last.end == at => last.end = end,
                Some(_) | None => runs.push(at..end),
            }
        }
        at = end;
    }
    runs
}

/// The root hash of an image: that of a [`crate::disk::Disk`] with this content, zeros filling up the last block.
///
/// # Errors
/// When it cannot be read or is no raw image.
pub fn root_hash(path: &Path, options: &Options) -> Result<ContentHash, Error> {
    let image = Image::open(path, true)?;
    root(&image, image.size, options, &mut |_| ControlFlow::Continue(()))
}

/// The same, of the first `size` bytes; `tick` is told how many are done.
pub(super) fn root(
    image: &Image,
    size: u64,
    options: &Options,
    tick: &mut dyn FnMut(u64) -> ControlFlow<()>,
) -> Result<ContentHash, Error> {
    let mut hasher = RootHasher::new(size.div_ceil(BLOCK as u64));
    let mut plan = Plan::of_image(image, 0);
    let crew = Crew::new(options.threads);
    while let Some(mut works) = plan.window(options.window)? {
        let start = works[0].range().start;
        works.retain_mut(|work| cut(work, size));
        let hash = |work: &Work, buffers: &mut Buffers| hashes(image, work, buffers);
        for (block, hash) in crew.each(&works, &hash, &mut |done| tick(start + done))?.into_iter().flatten() {
            hasher.add(block, hash);
        }
        if works.is_empty() {
            break;
        }
    }
    Ok(hasher.finish())
}

/// Cuts a work off at a size; false when nothing of it is left.
fn cut(work: &mut Work, size: u64) -> bool {
    match work {
        Work::Data(range) | Work::Hole(range) => {
            range.end = range.end.min(size);
            range.start < range.end
        }
    }
}

/// Hashes of the blocks of one range that are not all zeros.
fn hashes(image: &Image, work: &Work, buffers: &mut Buffers) -> Result<Vec<(u64, ContentHash)>, Error> {
    let Work::Data(range) = work else { return Ok(Vec::new()) };
    let len = (range.end - range.start) as usize;
    let bytes = buffers.source.first(len.next_multiple_of(BLOCK));
    image.read(&mut bytes[..len], range.start)?;
    bytes[len..].fill(0);
    let first = range.start / BLOCK as u64;
    let blocks = bytes.as_chunks::<BLOCK>().0.iter();
    Ok((first..).zip(blocks).filter_map(|(at, block)| Some((at, hash_unless_zero(block)?))).collect())
}
