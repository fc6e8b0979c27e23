//! What can go wrong with images, and what to do about it.

use super::map::MapError;
use std::io;
use std::path::{Path, PathBuf};

/// Why work on images ended early.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It was refused before anything was touched.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The machine could not read or write.
    #[error("cannot {doing} {}: {cause}", path.display())]
    Io {
        /// What was tried, as a verb.
        doing: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// The source was written while it was read; the destination is a copy of no single moment.
    #[error("{} was written while it was read; the destination stays marked as incomplete", .0.display())]
    SourceChanged(PathBuf),
    /// What was read back is not what the source holds (E16).
    #[error("after the sync {} differs from the source; it stays marked as incomplete", .0.display())]
    Differs(PathBuf),
    /// Whoever watched ended it.
    #[error("stopped")]
    Stopped,
}

impl Error {
    /// Turns what the system said about `path` into an error.
    pub(super) fn io(doing: &'static str, path: &Path) -> impl Fn(io::Error) -> Self {
        move |cause| Self::Io { doing, path: path.to_path_buf(), cause }
    }
    /// What to do about it, when there is something to say.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Refused(refusal) => Some(refusal.hint()),
            Self::SourceChanged(_) => Some(
                "stop whatever writes the source, or copy a snapshot of it, then run the same command again"
                    .to_owned(),
            ),
            Self::Differs(_) => Some(
                "run it again with --checksum --verify; if that fails too, suspect the storage".to_owned(),
            ),
            Self::Io { .. } | Self::Stopped => None,
        }
    }
}

/// Why a piece of work was not begun. Nothing has been touched.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Refusal {
    /// Source and destination are one file, perhaps by another name.
    #[error("{} is the source itself", .0.display())]
    SameFile(PathBuf),
    /// The source does not fit.
    #[error("{} holds {size} bytes, the source {needed}", path.display())]
    Smaller {
        /// The destination.
        path: PathBuf,
        /// Its size in bytes.
        size: u64,
        /// The source's size in bytes.
        needed: u64,
    },
    /// Somebody else uses it.
    #[error("{} is in use", .0.display())]
    Busy(PathBuf),
    /// A block device, and nobody said that this is meant.
    #[error("{} is a block device", .0.display())]
    Device(PathBuf),
    /// Neither a regular file nor a block device.
    #[error("{} is {what}, not a disk image", path.display())]
    NotADisk {
        /// What was named.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// In a format that is not read, or not written.
    #[error("{} is a {format} image; raw images are read and written, qcow2 is only read", path.display())]
    Format {
        /// The image.
        path: PathBuf,
        /// Its format.
        format: &'static str,
    },
    /// A qcow2 image that cannot be read by itself.
    #[error("{} {why}", path.display())]
    Qcow2 {
        /// The image.
        path: PathBuf,
        /// What is the matter with it.
        why: &'static str,
    },
    /// The source is the destination of a sync that did not end.
    #[error("{} is an unfinished copy: a sync to it did not end", .0.display())]
    SourceUnfinished(PathBuf),
    /// A map describes steps from a whole base; the destination is none.
    #[error("{} is an unfinished copy: a map cannot bring it up to date", .0.display())]
    Unfinished(PathBuf),
    /// A map describes steps from a base, and there is none.
    #[error("{} holds nothing that a map could bring up to date", .0.display())]
    NoBase(PathBuf),
    /// The file is no sound map.
    #[error("{}: {why}", path.display())]
    BadMap {
        /// The map.
        path: PathBuf,
        /// What is wrong with it.
        why: MapError,
    },
    /// The map is of a disk of another size (E21).
    #[error("{} maps a disk of {mapped} bytes, the image has {size}", path.display())]
    MapSize {
        /// The map.
        path: PathBuf,
        /// The size it was made for.
        mapped: u64,
        /// The size of the image.
        size: u64,
    },
    /// Only images of one size can be mapped (E21).
    #[error("{} has {size} bytes, {} has {theirs}", path.display(), other.display())]
    Sizes {
        /// The base.
        path: PathBuf,
        /// Its size in bytes.
        size: u64,
        /// The image.
        other: PathBuf,
        /// Its size in bytes.
        theirs: u64,
    },
    /// The image is not, or no longer, the one the map was made of (E7).
    #[error("{} is not as it was when the map was made", .0.display())]
    MapStale(PathBuf),
    /// The file that a map should be written to holds something else.
    #[error("{} exists and is no change map", .0.display())]
    WouldOverwrite(PathBuf),
}

impl Refusal {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::SameFile(_) => "name another destination".to_owned(),
            Self::Smaller { path, needed, .. } => {
                format!("make it larger (truncate -s {needed} {}) or remove it", path.display())
            }
            Self::Busy(_) => {
                "end the other sync, unmount it, or shut down the machine that uses it".to_owned()
            }
            Self::Device(_) => "if its content may be lost, say --force".to_owned(),
            Self::NotADisk { .. } => "name a raw image in a regular file, or a block device".to_owned(),
            Self::Format { path, format } if format.starts_with("VMDK descriptor") => {
                format!("name the file beside it that it describes, like {}", flat(path).display())
            }
            Self::Format { path, .. } | Self::Qcow2 { path, .. } => {
                format!("convert it first: qemu-img convert -O raw {0} {0}.raw", path.display())
            }
            Self::SourceUnfinished(path) => {
                format!(
                    "finish that sync first; {}{} says how far it came",
                    path.display(),
                    super::state::SUFFIX
                )
            }
            Self::Unfinished(_) | Self::NoBase(_) => "sync with --checksum instead".to_owned(),
            Self::BadMap { .. } => "make it again with `disk map`, or sync with --checksum".to_owned(),
            Self::MapSize { .. } | Self::Sizes { .. } => {
                "a resized disk needs --full or --checksum".to_owned()
            }
            Self::MapStale(_) => {
                "make the map again, or sync with --checksum; --force trusts the map all the same".to_owned()
            }
            Self::WouldOverwrite(_) => "name another file for the map, or remove that one".to_owned(),
        }
    }
}

/// What the data of a VMDK descriptor is usually called.
fn flat(descriptor: &Path) -> PathBuf {
    let mut name = descriptor.file_stem().unwrap_or_default().to_owned();
    name.push("-flat.vmdk");
    descriptor.with_file_name(name)
}
