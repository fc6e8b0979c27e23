//! One range of work: read, compared, written.

use super::crew::Buffers;
use super::error::Error;
use super::extent::{clear, is_zero};
use super::file::Image;
use super::plan::Work;
use super::state::Kind;
use super::verify::unequal_runs;
use crate::crc::crc32c;
use crate::disk::BLOCK;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;

/// Zeros amid data become a hole when there are so many bytes of them; fewer are cheaper to write.
const HOLE: usize = 64 << 10;

/// What became of some work, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Done {
    /// Read at the source.
    pub(super) read: u64,
    /// Written to the destination.
    pub(super) written: u64,
    /// Turned from data into a hole at the destination.
    pub(super) cleared: u64,
    /// crc32c of what the source holds here, in a full copy; holes are zeros, and counted by the caller.
    pub(super) crc: u32,
}

/// From where to where, and how.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair<'a> {
    pub(super) source: &'a Image,
    pub(super) destination: &'a Image,
    pub(super) kind: Kind,
}

impl Pair<'_> {
    /// Does one piece of work.
    pub(super) fn perform(&self, work: &Work, buffers: &mut Buffers) -> Result<Done, Error> {
        let range = match work {
            Work::Hole(range) => {
                return Ok(Done { cleared: self.clear(range.clone())?, ..Done::default() });
            }
            Work::Data(range) => range,
        };
        let len = (range.end - range.start) as usize;
        let source = buffers.source.first(len);
        self.source.read(source, range.start)?;
        let mut done = Done { read: len as u64, ..Done::default() };
        match self.kind {
            Kind::Full => {
                // While the bytes are hot in the cache this costs less than a tenth of moving them.
                done.crc = crc32c(source);
                self.put(source, range.start, &mut done)?;
            }
            Kind::Map => self.put(source, range.start, &mut done)?,
            Kind::Checksum => {
                let theirs = buffers.destination.first(len);
                self.destination.read(theirs, range.start)?;
                if source != theirs {
                    for run in unequal_runs(source, theirs) {
                        let bytes = &source[run.start as usize..run.end as usize];
                        self.put(bytes, range.start + run.start, &mut done)?;
                    }
                }
            }
        }
        Ok(done)
    }
    /// Makes the destination hold these bytes; long runs of zeros as holes.
    fn put(&self, bytes: &[u8], at: u64, done: &mut Done) -> Result<(), Error> {
        if bytes.len() < HOLE && !is_zero(bytes) {
            return self.write(bytes, at, done);
        }
        let (mut from, mut end) = (0, 0);
        // Grows `from..end` while it may be written in one go; a hole cuts it.
        for zeros in zero_runs(bytes) {
            end = end.max(zeros.start);
            self.write(&bytes[from..end], at + from as u64, done)?;
            done.cleared += self.clear(at + zeros.start as u64..at + zeros.end as u64)?;
            (from, end) = (zeros.end, zeros.end);
        }
        self.write(&bytes[from..], at + from as u64, done)
    }
    fn write(&self, bytes: &[u8], at: u64, done: &mut Done) -> Result<(), Error> {
        if bytes.is_empty() {
            return Ok(());
        }
        done.written += bytes.len() as u64;
        let file = &self.destination.file;
        file.write_all_at(bytes, at).map_err(Error::io("write", &self.destination.path))
    }
    fn clear(&self, range: Range<u64>) -> Result<u64, Error> {
        clear(&self.destination.file, range).map_err(Error::io("write", &self.destination.path))
    }
}

/// Runs of zero blocks worth a hole: long ones, and one that is all of the bytes.
fn zero_runs(bytes: &[u8]) -> Vec<Range<usize>> {
    let (mut runs, mut start): (Vec<Range<usize>>, Option<usize>) = (Vec::new(), None);
    let mut close = |start: &mut Option<usize>, end: usize| {
        if let Some(start) = start.take()
            && (end - start >= HOLE || end - start == bytes.len())
        {
            runs.push(start..end);
        }
    };
    for (block, at) in bytes.chunks(BLOCK).zip((0..).step_by(BLOCK)) {
        if is_zero(block) {
            start.get_or_insert(at);
        } else {
            close(&mut start, at);
        }
    }
    close(&mut start, bytes.len());
    runs
}

#[cfg(test)]
mod tests;
