//! What `failback-lab disk` understands.

use clap::{ArgGroup, Args, Subcommand};
use std::path::PathBuf;

const SYNC_EXAMPLES: &str = "\
Examples:
  failback-lab disk sync a.img b.img                     copy a.img, or bring b.img up to date
  failback-lab disk sync a.img b.img --checksum --verify
  failback-lab disk map b.img a.img --out changes.map    which blocks of a.img differ from b.img
  failback-lab disk sync a.img b.img --map changes.map   copy only these

Raw images are read and written, in files or (with --force) on block devices; qcow2 images are read, when
they need no other file and are not encrypted. Of a VMDK with a -flat.vmdk file, that file is raw. Other
formats are converted with `qemu-img convert -O raw`. Holes stay holes.";

const SYNC_LONG: &str = "\
Without --map, --checksum or --full: goes on with a sync that did not end; copies in full to a destination
that does not exist or is empty; else compares, like --checksum.

Until it is complete DST is marked by a file beside it, DST.failback-sync. Killed at any moment, the same
command goes on behind the last 256 MiB that were safe on the disk; if the source changed since, or the
mark cannot be believed, it starts from zero. Nothing else may write DST meanwhile.

A destination is refused, untouched, when it is smaller than the source, the source itself by any name, in
use, a block device without --force, or in another format. A larger one keeps what lies beyond the
source's end.

Exit codes:
   0  DST equals SRC
   2  refused, or wrong usage
  20  the source was written meanwhile, or --verify found a difference; DST stays marked
  74  input or output failed; DST stays marked";

const VERIFY_LONG: &str = "\
Compares every byte; what is a hole in both is not read. Images of different sizes differ.

Exit codes:
   0  equal
   2  refused, or wrong usage
  20  they differ
  74  input failed";

const MAP_EXAMPLES: &str = "\
Examples:
  failback-lab disk map old.img new.img --out changes.map   write which 4 KiB blocks of new.img differ
  failback-lab disk map old.img new.img                     only say how much differs
  failback-lab disk map changes.map                         what a map holds
  failback-lab disk map new.img                             what an image allocates";

const MAP_LONG: &str = "\
A map takes 32 KiB per GiB. It holds between these two images as they are now: `disk sync --map` refuses it
when the source has been written since, when the destination is not (a copy, with its times, of) the base,
or when a size differs. --force trusts it all the same; --verify tells whether that was right.";

#[derive(Debug, Args)]
pub(in crate::cli) struct DiskArgs {
    #[command(subcommand)]
    pub(super) command: DiskCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum DiskCommand {
    /// Make a raw disk image equal to another one; can be killed and run again.
    #[command(after_help = SYNC_EXAMPLES, after_long_help = format!("{SYNC_EXAMPLES}\n\n{SYNC_LONG}"))]
    Sync(SyncArgs),
    /// Compare two raw disk images; ends with 20 when they differ.
    #[command(after_long_help = VERIFY_LONG)]
    Verify(VerifyArgs),
    /// Write or show which blocks of an image differ from another one, or what an image allocates.
    #[command(after_help = MAP_EXAMPLES, after_long_help = format!("{MAP_EXAMPLES}\n\n{MAP_LONG}"))]
    Map(MapArgs),
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("mode"))]
pub(super) struct SyncArgs {
    /// The image to copy from.
    #[arg(value_name = "SRC")]
    pub(super) source: PathBuf,
    /// The image to bring up to date, or to create.
    #[arg(value_name = "DST")]
    pub(super) destination: PathBuf,
    /// Copy the blocks of this change map, and nothing else.
    #[arg(long, value_name = "FILE", group = "mode")]
    pub(super) map: Option<PathBuf>,
    /// Read both sides and write what differs. As both are local, bytes are compared, not hashes of them.
    #[arg(long, group = "mode")]
    pub(super) checksum: bool,
    /// Copy everything that is no hole.
    #[arg(long, group = "mode")]
    pub(super) full: bool,
    /// Read both sides again at the end and compare their root hashes.
    #[arg(long)]
    pub(super) verify: bool,
    /// Take block devices, and a map although the images changed since it was made.
    #[arg(long)]
    pub(super) force: bool,
    #[command(flatten)]
    pub(super) threads: Threads,
    /// For tests: make what was written durable every so many bytes.
    #[arg(long, value_name = "BYTES", hide = true, value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) window: Option<u64>,
    /// For tests: say `held` on standard error once so many bytes are done, and wait to be killed.
    #[arg(long, value_name = "BYTES", hide = true)]
    pub(super) hold_at: Option<u64>,
}

#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    /// One image.
    pub(super) a: PathBuf,
    /// The other image.
    pub(super) b: PathBuf,
    #[command(flatten)]
    pub(super) threads: Threads,
}

#[derive(Debug, Args)]
pub(super) struct MapArgs {
    /// The base to compare with; or, alone, a map or an image to describe.
    #[arg(value_name = "BASE")]
    pub(super) base: PathBuf,
    /// The image whose changes are wanted.
    #[arg(value_name = "IMAGE")]
    pub(super) image: Option<PathBuf>,
    /// Write the map to this file; it may replace a map, nothing else.
    #[arg(long, value_name = "FILE", requires = "image")]
    pub(super) out: Option<PathBuf>,
    #[command(flatten)]
    pub(super) threads: Threads,
}

#[derive(Debug, Args)]
pub(super) struct Threads {
    /// Work with this many threads; default: as many as there are cores, at most 4.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(super) threads: Option<u16>,
}
