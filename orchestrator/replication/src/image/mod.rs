//! The engine on real images: raw disk images in files or on block devices, sparse kept; qcow2 images as sources.
//!
//! [`sync`] makes a destination equal to a source, [`verify`] says where two images differ, and
//! [`map::ChangeMap`] says which 4 KiB blocks of one image differ from another. The work is planned as a stream
//! of ranges ([`plan`]), done by a few threads a window at a time ([`crew`]), and made durable window by window
//! ([`state`]): a sync that was killed goes on behind the last window that reached the disk.
//!
//! This is where the engine meets files; the rest of the crate does no IO.

mod copy;
mod crew;
mod digest;
mod error;
mod extent;
mod file;
mod format;
pub mod map;
mod plan;
mod qcow2;
mod state;
mod sum;
mod sync;
mod verify;

pub use error::{Error, Refusal};
pub use extent::{Allocation, allocated};
pub use file::Identity;
pub use sync::{Mode, Report, sync};
pub use verify::{Difference, root_hash, verify};

use std::ops::ControlFlow;

/// Bytes read, compared and written at a time: two buffers of it stay in a core's second-level cache.
pub const CHUNK: u64 = 256 << 10;

/// How work is done; the default suits images of any size.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Read both sides again at the end and compare root hashes (E16).
    pub verify: bool,
    /// Take block devices, and a change map whose images changed since it was made.
    pub force: bool,
    /// Threads that move bytes, at least one.
    pub threads: usize,
    /// Bytes of the image after which what was written is made durable and the place is noted.
    pub window: u64,
}

impl Default for Options {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self { verify: false, force: false, threads: cores.min(4), window: 256 << 20 }
    }
}

/// What whoever watches is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// Work begins; nothing has been written yet.
    Begun {
        /// How the sync goes about it: `full`, `checksum` or `map`; `verify` or `map` where no sync runs.
        what: &'a str,
        /// Why so.
        why: &'a str,
        /// Bytes of work in all, holes included.
        total: u64,
        /// Where an earlier sync that did not end had come to; 0 for a fresh start.
        resumed: u64,
    },
    /// So many bytes of work are done, of the total that was told.
    Done(u64),
    /// All before this place in the image is on stable storage, and will not be done again.
    Durable(u64),
    /// Both sides are read again; `Done` counts from zero.
    Verifying,
}

/// Is told every step; `Break` ends the work where it stands, like a kill would ([`Error::Stopped`]).
pub type Watch<'a> = &'a mut dyn FnMut(Step<'_>) -> ControlFlow<()>;
