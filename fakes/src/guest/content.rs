//! What lies on a guest's disks: real bytes, generated, so that a run is the same every time.
//!
//! Our own layout: it looks like a partitioned disk with a file system, but no operating system reads it.

use failback_replication::bitmap::Bitmap;
use failback_replication::disk::{BLOCK, Disk, Page};
use failback_wire::env::Env;
use failback_wire::ids::{DiskId, MachineName};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Bytes of a page that are generated; the page repeats them, as compressible as ordinary data.
const GRAIN: usize = 512;
/// Blocks between two metadata regions of the file system.
const GROUP: u64 = 512;
/// Blocks of such a region.
const METADATA: u64 = 1 + GROUP / 64;
/// Sectors are counted in 512 bytes.
const SECTORS_PER_BLOCK: u64 = 8;

/// The content a guest writes as the `version`-th write of the machine: differs for every argument.
pub fn written_page(seed: u64, machine: &MachineName, disk: &DiskId, block: u64, version: u64) -> Page {
    let label = format!("{machine} {disk} block {block} version {version}\n");
    labelled_page(seed, &label)
}

/// A page that begins with its label and goes on with bytes drawn from label and seed.
fn labelled_page(seed: u64, label: &str) -> Page {
    let mut bytes = [0; BLOCK];
    let mut state = xxh3_64_with_seed(label.as_bytes(), seed);
    for word in bytes[..GRAIN].chunks_exact_mut(8) {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        word.copy_from_slice(&mix(state).to_le_bytes());
    }
    for at in (GRAIN..BLOCK).step_by(GRAIN) {
        bytes.copy_within(..GRAIN, at);
    }
    let label = &label.as_bytes()[..label.len().min(GRAIN / 2)];
    bytes[..label.len()].copy_from_slice(label);
    Page::new(&bytes)
}

/// The finaliser of splitmix64.
fn mix(state: u64) -> u64 {
    let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Lays out the first content of an empty disk: partition tables at both ends, a boot sector, file system
/// metadata at the head of each group of 2 MiB (of more on a disk that is nearly empty), and data extents between holes,
/// until at least `wanted` blocks hold something, or all. The same arguments give the same bytes.
pub fn fill(disk: &Disk, seed: u64, wanted: u64) {
    let blocks = disk.blocks();
    if blocks == 0 {
        return;
    }
    let wanted = wanted.min(blocks);
    let mut rng = Env::new(seed).stream("guest/fill");
    let mut layout = Layout { disk, seed, blocks, used: Bitmap::new(blocks) };
    layout.put(0, partition_table(seed, blocks));
    layout.put(blocks - 1, backup_header(seed, blocks));
    let first = first_partition_block(blocks);
    // About half of it is metadata, at most.
    let apart = (blocks / (wanted / (2 * METADATA)).max(1)).next_multiple_of(GROUP);
    for group in (first..blocks).step_by(apart as usize) {
        if layout.used.count() >= wanted {
            break;
        }
        layout.label(group, "superblock");
        for block in group + 1..(group + METADATA).min(blocks) {
            layout.label(block, "inode table");
        }
    }
    layout.extents(&mut rng, first, wanted);
}

/// A disk while it is filled.
struct Layout<'a> {
    disk: &'a Disk,
    seed: u64,
    blocks: u64,
    used: Bitmap,
}

impl Layout<'_> {
    fn put(&mut self, block: u64, page: Page) {
        self.used.set(block);
        self.disk.write(block, page);
    }

    /// Writes a page of this kind, unless something is there already.
    fn label(&mut self, block: u64, kind: &str) {
        if !self.used.contains(block) {
            self.put(block, labelled_page(self.seed, &format!("{kind} {block}\n")));
        }
    }

    /// Data extents of 4 to 67 blocks at drawn places; the last resort is the first hole, so it ends.
    fn extents(&mut self, rng: &mut ChaCha8Rng, first: u64, wanted: u64) {
        let span = (self.blocks - first).max(1);
        for _ in 0..self.blocks {
            if self.used.count() >= wanted {
                return;
            }
            let (start, length) = (first + rng.next_u64() % span, 4 + rng.next_u64() % 64);
            for block in start..(start + length).min(self.blocks) {
                if self.used.count() < wanted {
                    self.label(block, "file data");
                }
            }
        }
        for block in 0..self.blocks {
            if self.used.count() < wanted {
                self.label(block, "file data");
            }
        }
    }
}

/// Where the only partition begins: at 1 MiB on a disk that has room for that.
fn first_partition_block(blocks: u64) -> u64 {
    if blocks > 512 { 256 } else { blocks / 8 }
}

/// Block 0: a protective MBR in sector 0, a GPT header in sector 1, the partition entries from sector 2.
fn partition_table(seed: u64, blocks: u64) -> Page {
    let sectors = blocks * SECTORS_PER_BLOCK;
    let mut bytes = [0; BLOCK];
    bytes[446 + 4] = 0xee;
    bytes[446 + 8..446 + 12].copy_from_slice(&1_u32.to_le_bytes());
    bytes[446 + 12..446 + 16].copy_from_slice(&u32::try_from(sectors - 1).unwrap_or(u32::MAX).to_le_bytes());
    bytes[510..512].copy_from_slice(&[0x55, 0xaa]);
    gpt_header(&mut bytes[512..1024], seed, 1, sectors);
    let entry = &mut bytes[1024..1152];
    entry[..8].copy_from_slice(&mix(seed).to_le_bytes());
    entry[16..24].copy_from_slice(&mix(seed ^ 1).to_le_bytes());
    let start = first_partition_block(blocks) * SECTORS_PER_BLOCK;
    entry[32..40].copy_from_slice(&start.to_le_bytes());
    entry[40..48].copy_from_slice(&sectors.saturating_sub(SECTORS_PER_BLOCK + 1).to_le_bytes());
    Page::new(&bytes)
}

/// The last block: the backup GPT header in the last sector.
fn backup_header(seed: u64, blocks: u64) -> Page {
    let sectors = blocks * SECTORS_PER_BLOCK;
    let mut bytes = [0; BLOCK];
    gpt_header(&mut bytes[BLOCK - 512..], seed, sectors - 1, sectors);
    Page::new(&bytes)
}

fn gpt_header(sector: &mut [u8], seed: u64, at: u64, sectors: u64) {
    sector[..8].copy_from_slice(b"EFI PART");
    sector[8..12].copy_from_slice(&0x0001_0000_u32.to_le_bytes());
    sector[12..16].copy_from_slice(&92_u32.to_le_bytes());
    sector[24..32].copy_from_slice(&at.to_le_bytes());
    sector[32..40].copy_from_slice(&(sectors - at).to_le_bytes());
    sector[56..64].copy_from_slice(&mix(seed ^ 2).to_le_bytes());
}
