//! The state file beside a destination: that it is incomplete, and up to where it is done.
//!
//! It is there before the first byte of the destination changes and goes when the sync is complete. Its cursor
//! moves only after all before it is on stable storage. One record, sealed by its digest, in one sector: a torn
//! or foreign one says only that the destination is incomplete, and the work starts from zero.

use super::digest::{self, Fields};
use super::error::Error;
use super::file::Identity;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

/// What the state file is called, after its destination.
pub(super) const SUFFIX: &str = ".failback-sync";
const MAGIC: [u8; 8] = *b"FBLABSYN";
const VERSION: u32 = 1;
/// Magic, version, kind, source, place and size of the destination, map, cursor, checksum, digest.
pub(super) const LEN: usize = 8 + 4 + 4 + Identity::LEN + 3 * 8 + 16 + 8 + 4 + digest::LEN;
const _: () = assert!(LEN <= 512, "a record is written in one sector");

/// Ways to bring a destination up to date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Full,
    Checksum,
    Map,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Checksum => "checksum",
            Self::Map => "map",
        }
    }
    fn of(number: u32) -> Option<Self> {
        [Self::Full, Self::Checksum, Self::Map].into_iter().find(|kind| *kind as u32 == number)
    }
}

/// Which sync this is; another one cannot go on where this one stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Task {
    pub(super) kind: Kind,
    pub(super) source: Identity,
    /// Where the destination lies.
    pub(super) place: (u64, u64),
    /// The destination's size in bytes.
    pub(super) size: u64,
    /// Names the map; 0 without one.
    pub(super) map: u128,
}

/// What a state file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) task: Task,
    /// All before this place is done and durable.
    pub(super) cursor: u64,
    /// crc32c of the source up to the cursor, in a full copy.
    pub(super) crc: u32,
}

impl Record {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(LEN);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&(self.task.kind as u32).to_le_bytes());
        self.task.source.encode(&mut bytes);
        for word in [self.task.place.0, self.task.place.1, self.task.size] {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        bytes.extend_from_slice(&self.task.map.to_le_bytes());
        bytes.extend_from_slice(&self.cursor.to_le_bytes());
        bytes.extend_from_slice(&self.crc.to_le_bytes());
        digest::sealed(bytes)
    }
    /// Reads untrusted bytes; `None` when they are not one whole record of this version.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != LEN {
            return None;
        }
        let mut fields = Fields(digest::unsealed(bytes)?);
        if fields.take() != Some(MAGIC) || fields.u32() != Some(VERSION) {
            return None;
        }
        let kind = Kind::of(fields.u32()?)?;
        let source = Identity::decode(&mut fields)?;
        let (place, size) = ((fields.u64()?, fields.u64()?), fields.u64()?);
        let map = fields.take().map(u128::from_le_bytes)?;
        let task = Task { kind, source, place, size, map };
        Some(Self { task, cursor: fields.u64()?, crc: fields.u32()? })
    }
}

/// What lies beside a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing: whatever the destination holds, no sync of ours left it half-done.
    Nothing,
    /// A state file that cannot be believed.
    Torn,
    /// How far a sync came.
    Record(Record),
}

/// Where the state of a destination lies: beside the file itself, whatever link led there.
pub(super) fn beside(destination: &Path) -> PathBuf {
    let real = fs::canonicalize(destination).unwrap_or_else(|_| destination.to_path_buf());
    let mut path = real.into_os_string();
    path.push(SUFFIX);
    path.into()
}

/// What the state file says, if there is one.
pub(super) fn find(path: &Path) -> Result<Found, Error> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(cause) => return Err(Error::io("read", path)(cause)),
    };
    let mut bytes = Vec::with_capacity(LEN + 1);
    file.take(LEN as u64 + 1).read_to_end(&mut bytes).map_err(Error::io("read", path))?;
    Ok(Record::decode(&bytes).map_or(Found::Torn, Found::Record))
}

/// The state file of a running sync.
#[derive(Debug)]
pub(super) struct State {
    path: PathBuf,
    file: File,
}

impl State {
    /// Marks the destination as incomplete, durably. The file appears whole or not at all: a kill in between
    /// leaves what was there before, which a map can still go on from.
    pub(super) fn begin(path: PathBuf, record: &Record) -> Result<Self, Error> {
        let mut aside = path.clone().into_os_string();
        aside.push(".part");
        let aside = PathBuf::from(aside);
        let file = File::create(&aside).map_err(Error::io("write", &aside))?;
        let state = Self { path, file };
        state.note(record)?;
        fs::rename(&aside, &state.path).map_err(Error::io("write", &state.path))?;
        sync_folder(&state.path)?;
        Ok(state)
    }
    /// Notes how far the work is durable. The caller has made it so.
    pub(super) fn note(&self, record: &Record) -> Result<(), Error> {
        let fail = Error::io("write", &self.path);
        self.file.write_all_at(&record.encode(), 0).and_then(|()| self.file.sync_data()).map_err(fail)
    }
    /// The destination is complete.
    pub(super) fn end(self) -> Result<(), Error> {
        fs::remove_file(&self.path).map_err(Error::io("remove", &self.path))?;
        sync_folder(&self.path)
    }
}

/// Makes the names in the folder of a file durable.
pub(super) fn sync_folder(file: &Path) -> Result<(), Error> {
    let folder = file.parent().filter(|f| !f.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match File::open(folder).and_then(|f| f.sync_all()) {
        // Some file systems cannot; there is nothing else to try.
        Err(cause) if [io::ErrorKind::InvalidInput, io::ErrorKind::Unsupported].contains(&cause.kind()) => {
            Ok(())
        }
        other => other.map_err(Error::io("sync", folder)),
    }
}

#[cfg(test)]
mod tests;
