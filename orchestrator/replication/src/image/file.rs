//! Opening images: what may be read or written, and what is refused before anything is touched.

use super::digest::Fields;
use super::error::{Error, Refusal};
use super::qcow2::{self, Qcow2};
use super::{extent, format};
use crate::disk::BLOCK;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::libc;
use std::fs::{File, FileType, Metadata, OpenOptions, TryLockError};
use std::io::{self, Seek as _, SeekFrom};
use std::ops::Range;
use std::os::unix::fs::{FileExt as _, FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// What tells whether a file is still the same one, unwritten: where it lies, its size, when it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Device and inode number; for a block device, its own number and 0.
    pub place: (u64, u64),
    /// Size in bytes.
    pub size: u64,
    /// When it was last written: seconds and nanoseconds.
    pub modified: (i64, i64),
    /// When anything about it last changed, which nobody can set: seconds and nanoseconds.
    pub changed: (i64, i64),
}

impl Identity {
    /// Bytes of the encoded form.
    pub(super) const LEN: usize = 56;

    fn of(meta: &Metadata, size: u64) -> Self {
        let device = meta.file_type().is_block_device();
        Self {
            place: if device { (meta.rdev(), 0) } else { (meta.dev(), meta.ino()) },
            size,
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
        }
    }
    /// Whether a file with this identity holds what one with the other did, as far as size and time of writing
    /// tell: it may have been moved, or copied with its times.
    pub fn same_content(&self, other: &Self) -> bool {
        (self.size, self.modified) == (other.size, other.modified)
    }
    pub(super) fn encode(&self, to: &mut Vec<u8>) {
        for word in [self.place.0, self.place.1, self.size] {
            to.extend_from_slice(&word.to_le_bytes());
        }
        for word in [self.modified.0, self.modified.1, self.changed.0, self.changed.1] {
            to.extend_from_slice(&word.to_le_bytes());
        }
    }
    pub(super) fn decode(from: &mut Fields<'_>) -> Option<Self> {
        let place = (from.u64()?, from.u64()?);
        let size = from.u64()?;
        let mut time = || Some((from.u64()?.cast_signed(), from.u64()?.cast_signed()));
        Some(Self { place, size, modified: time()?, changed: time()? })
    }
}

/// An open image.
#[derive(Debug)]
pub(super) struct Image {
    pub(super) path: PathBuf,
    pub(super) file: File,
    /// Of the disk, in bytes.
    pub(super) size: u64,
    /// How the file holds the disk; `None`: as it is.
    qcow2: Option<Qcow2>,
    /// As it was when it was opened.
    pub(super) identity: Identity,
    /// As much is allocated as the size says: there is no use in looking for holes, which is not free.
    dense: bool,
}

impl Image {
    /// Opens an image for reading.
    ///
    /// # Errors
    /// [`Refusal`] for what is no image, for one that somebody writes, and for a device without `devices`.
    pub(super) fn open(path: &Path, devices: bool) -> Result<Self, Error> {
        let kind = std::fs::metadata(path).map_err(Error::io("read", path))?.file_type();
        refuse_kind(path, kind, devices)?;
        let file = File::open(path).map_err(Error::io("read", path))?;
        locked(path, file.try_lock_shared())?;
        Self::of(path, file, true)
    }
    /// Opens an image for reading and writing, alone.
    ///
    /// # Errors
    /// As for reading, and [`Refusal::Busy`] when anybody else has it open with a lock, or it is mounted.
    pub(super) fn open_to_write(path: &Path, devices: bool) -> Result<Self, Error> {
        let kind = std::fs::metadata(path).map_err(Error::io("write", path))?.file_type();
        refuse_kind(path, kind, devices)?;
        let mut options = OpenOptions::new();
        options.read(true).write(true);
        if kind.is_block_device() {
            // Linux lets nobody have a mounted device alone.
            options.custom_flags(OFlag::O_EXCL.bits());
        }
        let file = options.open(path).map_err(|cause| {
            if cause.kind() == io::ErrorKind::ResourceBusy {
                return Refusal::Busy(path.to_path_buf()).into();
            }
            Error::io("write", path)(cause)
        })?;
        locked(path, file.try_lock())?;
        if locked_otherwise(&file) {
            return Err(Refusal::Busy(path.to_path_buf()).into());
        }
        Self::of(path, file, false)
    }
    /// Takes a file that nobody else can know of yet.
    pub(super) fn create(path: &Path) -> Result<Self, Error> {
        let fail = Error::io("create", path);
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path).map_err(&fail)?;
        locked(path, file.try_lock())?;
        Self::of(path, file, false)
    }
    fn of(path: &Path, mut file: File, only_read: bool) -> Result<Self, Error> {
        let fail = Error::io("read", path);
        let size = file.seek(SeekFrom::End(0)).map_err(&fail)?;
        let meta = file.metadata().map_err(&fail)?;
        let (identity, dense) = (Identity::of(&meta, size), meta.blocks() * 512 >= size);
        let mut begin = vec![0; size.min(format::PROBE as u64) as usize];
        file.read_exact_at(&mut begin, 0).map_err(&fail)?;
        match format::other_than_raw(&begin) {
            Some(_) if only_read && begin.starts_with(qcow2::MAGIC) => {
                let qcow2 = Qcow2::open(path, &file, &begin)?;
                let (size, qcow2, path) = (qcow2.size(), Some(qcow2), path.to_path_buf());
                Ok(Self { path, file, size, qcow2, identity, dense: false })
            }
            Some(format) => Err(Refusal::Format { path: path.to_path_buf(), format }.into()),
            None => Ok(Self { path: path.to_path_buf(), file, size, qcow2: None, identity, dense }),
        }
    }
    /// Fills `to` from `at` on.
    pub(super) fn read(&self, to: &mut [u8], at: u64) -> Result<(), Error> {
        let read = match &self.qcow2 {
            Some(qcow2) => qcow2.read(to, at),
            None => self.file.read_exact_at(to, at),
        };
        read.map_err(Error::io("read", &self.path))
    }
    /// The next range at or behind `from` that may hold data, on block boundaries (the end of the disk aside);
    /// `None` when only zeros follow. Where the system knows no holes, all is data.
    pub(super) fn next_data(&self, from: u64) -> Result<Option<Range<u64>>, Error> {
        if self.dense && from < self.size {
            return Ok(Some(from..self.size));
        }
        self.next_allocated(from)
    }
    /// The same, and exactly so even where it takes long to tell.
    pub(super) fn next_allocated(&self, from: u64) -> Result<Option<Range<u64>>, Error> {
        let found = match &self.qcow2 {
            Some(qcow2) => qcow2.next_data(from).map(|found| {
                found.map(|range| {
                    let block = BLOCK as u64;
                    let end = range.end.next_multiple_of(block).min(self.size);
                    (range.start / block * block).max(from)..end
                })
            }),
            None => extent::next_data(&self.file, from, self.size),
        };
        found.map_err(Error::io("read", &self.path))
    }
    /// What it is now.
    pub(super) fn identity_now(&self) -> Result<Identity, Error> {
        let fail = Error::io("read", &self.path);
        let meta = self.file.metadata().map_err(&fail)?;
        let size = if meta.file_type().is_block_device() { self.identity.size } else { meta.len() };
        Ok(Identity::of(&meta, size))
    }
}

fn refuse_kind(path: &Path, kind: FileType, devices: bool) -> Result<(), Refusal> {
    let what = match () {
        () if kind.is_file() => return Ok(()),
        () if kind.is_block_device() && devices => return Ok(()),
        () if kind.is_block_device() => return Err(Refusal::Device(path.to_path_buf())),
        () if kind.is_dir() => "a folder",
        () if kind.is_char_device() => "a character device",
        () if kind.is_fifo() => "a pipe",
        () => "a socket",
    };
    Err(Refusal::NotADisk { path: path.to_path_buf(), what })
}

fn locked(path: &Path, lock: Result<(), TryLockError>) -> Result<(), Error> {
    match lock {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(Refusal::Busy(path.to_path_buf()).into()),
        // Some file systems know no locks.
        Err(TryLockError::Error(cause)) if cause.kind() == io::ErrorKind::Unsupported => Ok(()),
        Err(TryLockError::Error(cause)) => Err(Error::io("lock", path)(cause)),
    }
}

/// Whether anybody holds a record lock on some of the file. QEMU does on the images of running machines, and
/// those are not the locks of whole files that syncs take.
fn locked_otherwise(file: &File) -> bool {
    let mut lock = libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    // Becomes the first lock in the way, or says that there is none.
    let asked = fcntl(file, FcntlArg::F_GETLK(&mut lock));
    asked.is_ok() && lock.l_type != libc::F_UNLCK as libc::c_short
}
