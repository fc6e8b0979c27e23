//! Where an image holds data, and where it is a hole; how a hole is made.

use super::error::Error;
use super::file::Image;
use crate::disk::BLOCK;
use nix::errno::Errno;
use nix::unistd::{Whence, lseek};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::Path;

/// The next range at or behind `from` that may hold data, on block boundaries (the end of the image aside);
/// `None` when only a hole follows. Where the system knows no holes, all is data.
pub(super) fn next_data(file: &File, from: u64, size: u64) -> io::Result<Option<Range<u64>>> {
    if from >= size {
        return Ok(None);
    }
    let start = match seek(file, from, Whence::SeekData) {
        Ok(at) => at,
        Err(Errno::ENXIO) => return Ok(None),
        Err(Errno::EINVAL | Errno::EOPNOTSUPP) => return Ok(Some(from..size)),
        Err(error) => return Err(error.into()),
    };
    let end = match seek(file, start, Whence::SeekHole) {
        Ok(at) => at,
        // Cut off behind our back: reading will tell.
        Err(Errno::ENXIO) => size,
        Err(error) => return Err(error.into()),
    };
    let block = BLOCK as u64;
    let start = (start / block * block).max(from);
    let end = end.next_multiple_of(block).min(size);
    Ok((start < end).then_some(start..end))
}

fn seek(file: &File, from: u64, whence: Whence) -> nix::Result<u64> {
    lseek(file, from.cast_signed(), whence).map(i64::cast_unsigned)
}

/// Makes a range read as zeros, as a hole where the file system can; answers how many bytes were not one before.
pub(super) fn clear(file: &File, range: Range<u64>) -> io::Result<u64> {
    let (mut at, mut cleared) = (range.start, 0);
    while let Some(data) = next_data(file, at, range.end)? {
        punch(file, &data)?;
        cleared += data.end - data.start;
        at = data.end;
    }
    Ok(cleared)
}

fn punch(file: &File, range: &Range<u64>) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use nix::fcntl::{FallocateFlags, fallocate};
        let flags = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
        match fallocate(file, flags, range.start.cast_signed(), (range.end - range.start).cast_signed()) {
            // A device takes only whole sectors of its own.
            Err(Errno::EOPNOTSUPP | Errno::ENOSYS | Errno::EINVAL) => {}
            other => return other.map_err(Into::into),
        }
    }
    write_zeros(file, range)
}

fn write_zeros(file: &File, range: &Range<u64>) -> io::Result<()> {
    use std::os::unix::fs::FileExt as _;
    let mut at = range.start;
    while at < range.end {
        let len = (range.end - at).min(ZEROS.len() as u64);
        file.write_all_at(&ZEROS[..len as usize], at)?;
        at += len;
    }
    Ok(())
}

static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

/// True when all bytes are zero. Data gives itself away early, mostly in its first word.
pub(super) fn is_zero(bytes: &[u8]) -> bool {
    let begins_with_data = bytes.first_chunk().is_some_and(|word| u64::from_ne_bytes(*word) != 0);
    !begins_with_data && bytes.chunks(ZEROS.len()).all(|chunk| *chunk == ZEROS[..chunk.len()])
}

/// What an image allocates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allocation {
    /// The image's size in bytes.
    pub size: u64,
    /// How many extents hold data.
    pub extents: u64,
    /// How many bytes they have.
    pub bytes: u64,
}

/// What an image allocates; a file system that knows no holes allocates everything.
///
/// # Errors
/// When the image cannot be read or is no raw image.
pub fn allocated(path: &Path) -> Result<Allocation, Error> {
    let image = Image::open(path, true)?;
    let (mut at, mut sum) = (0, Allocation { size: image.size, extents: 0, bytes: 0 });
    while let Some(data) = image.next_allocated(at)? {
        sum.extents += 1;
        sum.bytes += data.end - data.start;
        at = data.end;
    }
    Ok(sum)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use nix::sys::memfd::{MFdFlags, memfd_create};
    use std::os::unix::fs::FileExt as _;

    /// What happens where no hole can be made: the zeros are written, and end where they should.
    #[test]
    fn zeros_that_are_written_end_where_the_range_does() {
        let file = File::from(memfd_create("image", MFdFlags::empty()).unwrap());
        let mut wanted = vec![7; 200_000];
        file.write_all_at(&wanted, 0).unwrap();
        write_zeros(&file, &(4096..143_360)).unwrap();
        wanted[4096..143_360].fill(0);
        let mut held = vec![1; wanted.len()];
        file.read_exact_at(&mut held, 0).unwrap();
        assert!(held == wanted);
        assert_eq!(file.metadata().unwrap().len(), 200_000);
    }
}
