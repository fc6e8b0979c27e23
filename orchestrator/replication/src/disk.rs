//! Virtual disks: sparse, copy-on-write, shared by handle between who holds them.
//!
//! A disk is cut into 4 KiB pages, held in chunks of 1 MiB that forks share until one side writes.
//! Pages are immutable and know their hash once someone asked for it. Only chunks that were written to take memory:
//! how large a disk is costs nothing.

use crate::sparse::Sparse;
use bytes::{Bytes, BytesMut};
use failback_wire::event::ContentHash;
use failback_wire::proto::session::Hashes;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

/// Bytes per block, the grain of tracking and hashing.
pub const BLOCK: usize = 4096;
/// Blocks per copy-on-write chunk.
const CHUNK: u64 = 256;

/// One immutable 4 KiB block. Clones share the bytes. A page may share them with the message that brought it,
/// of at most a few MiB, which lives as long as one of its pages does.
#[derive(Clone)]
pub struct Page(Arc<PageInner>);

struct PageInner {
    /// What holds the page, and maybe its neighbours; at least up to the page's end.
    memory: Bytes,
    /// Where the page begins in it.
    at: usize,
    hash: OnceLock<ContentHash>,
}

impl Page {
    /// The page of all zeros; what a hole reads as.
    pub fn zero() -> Self {
        static ZERO: OnceLock<Page> = OnceLock::new();
        ZERO.get_or_init(|| Self::new(&[0; BLOCK])).clone()
    }
    /// A page with these bytes.
    pub fn new(bytes: &[u8; BLOCK]) -> Self {
        Self::within(Bytes::copy_from_slice(bytes), 0)
    }
    fn within(memory: Bytes, at: usize) -> Self {
        Self(Arc::new(PageInner { memory, at, hash: OnceLock::new() }))
    }
    /// The blocks of `bytes`, without a rest that is shorter. Zeros take no memory, others share that of `bytes`.
    pub fn all_of(bytes: &Bytes) -> impl Iterator<Item = Self> + '_ {
        bytes.chunks_exact(BLOCK).enumerate().map(|(at, block)| match block == [0; BLOCK] {
            true => Self::zero(),
            false => Self::within(bytes.clone(), at * BLOCK),
        })
    }
    /// The pages' bytes, back to back: shared when they lie so in memory, as those of one message do.
    pub fn joined(pages: &[Self]) -> Bytes {
        let Some(first) = pages.first() else { return Bytes::new() };
        let (start, memory) = (first.bytes().as_ptr(), first.0.memory.as_ptr());
        let follows = |(at, page): (usize, &Self)| {
            page.0.memory.as_ptr() == memory && page.bytes().as_ptr() == start.wrapping_add(at * BLOCK)
        };
        let range = first.0.at..first.0.at + pages.len() * BLOCK;
        if range.end <= first.0.memory.len() && pages.iter().enumerate().all(follows) {
            return first.0.memory.slice(range);
        }
        let mut bytes = BytesMut::with_capacity(pages.len() * BLOCK);
        pages.iter().for_each(|page| bytes.extend_from_slice(page.bytes()));
        bytes.freeze()
    }
    /// The bytes.
    pub fn bytes(&self) -> &[u8; BLOCK] {
        self.0.memory[self.0.at..].first_chunk().unwrap_or(&[0; BLOCK])
    }
    /// The bytes as a handle that shares them.
    pub fn shared(&self) -> Bytes {
        self.0.memory.slice(self.0.at..self.0.at + BLOCK)
    }
    /// xxh3-128 of the bytes.
    pub fn hash(&self) -> ContentHash {
        *self.0.hash.get_or_init(|| ContentHash(xxh3_128(self.bytes())))
    }
    /// True when all bytes are zero.
    pub fn is_zero(&self) -> bool {
        Arc::ptr_eq(&self.0, &Self::zero().0) || self.bytes() == &[0; BLOCK]
    }
}

impl PartialEq for Page {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.bytes() == other.bytes()
    }
}
impl Eq for Page {}
impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Page({:?})", self.hash())
    }
}

type Chunk = Arc<Vec<Option<Page>>>;

struct Inner {
    blocks: u64,
    /// Those that are no holes.
    chunks: Sparse<Chunk>,
    /// The root hash, while nobody has written since it was asked for.
    root: Option<ContentHash>,
}

impl Inner {
    fn page(&self, block: u64) -> Option<&Page> {
        self.chunks.get(block / CHUNK)?[(block % CHUNK) as usize].as_ref()
    }
    /// Blocks from `first` on that are not holes, ascending.
    fn held(&self, first: u64) -> impl Iterator<Item = (u64, &Page)> {
        let all = self.chunks.from(first / CHUNK).flat_map(|(chunk, pages)| {
            let pages = (chunk * CHUNK..).zip(pages.iter());
            pages.filter_map(|(block, page)| Some((block, page.as_ref()?)))
        });
        all.skip_while(move |(block, _)| *block < first)
    }
}

/// Gathers a disk's root hash from the hashes of its blocks.
pub struct RootHasher(Xxh3);

impl RootHasher {
    /// Of a disk of so many blocks.
    pub fn new(blocks: u64) -> Self {
        let mut hasher = Xxh3::new();
        hasher.update(&blocks.to_le_bytes());
        Self(hasher)
    }
    /// The next block that is not all zeros; blocks come ascending.
    pub fn add(&mut self, block: u64, hash: ContentHash) {
        self.0.update(&block.to_le_bytes());
        self.0.update(&hash.0.to_le_bytes());
    }
    /// The root hash.
    pub fn finish(self) -> ContentHash {
        ContentHash(self.0.digest128())
    }
}

/// The hash of a block whose bytes are all that is at hand; `None` for zeros.
pub fn hash_unless_zero(bytes: &[u8; BLOCK]) -> Option<ContentHash> {
    (bytes != &[0; BLOCK]).then(|| ContentHash(xxh3_128(bytes)))
}

/// A virtual disk. Clones are handles to the same disk; [`Disk::fork`] makes another one.
#[derive(Clone)]
pub struct Disk(Arc<Mutex<Inner>>);

impl Disk {
    /// An empty disk of `blocks` blocks of 4 KiB.
    pub fn new(blocks: u64) -> Self {
        Self(Arc::new(Mutex::new(Inner { blocks, chunks: Sparse::default(), root: None })))
    }
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// Size in blocks.
    pub fn blocks(&self) -> u64 {
        self.lock().blocks
    }
    /// Size in bytes.
    pub fn bytes(&self) -> u64 {
        self.blocks() * BLOCK as u64
    }
    /// Reads one block; zeros beyond what was written, and beyond the end.
    pub fn read(&self, block: u64) -> Page {
        self.lock().page(block).cloned().unwrap_or_else(Page::zero)
    }
    /// Writes one block. Writing zeros makes a hole.
    ///
    /// # Panics
    /// Beyond the end: whoever writes knows the size.
    pub fn write(&self, block: u64, page: Page) {
        let mut inner = self.lock();
        assert!(block < inner.blocks, "block {block} beyond the end of a disk of {} blocks", inner.blocks);
        let (chunk, at) = (block / CHUNK, (block % CHUNK) as usize);
        inner.root = None;
        if page.is_zero() {
            if let Some(pages) = inner.chunks.get_mut(chunk) {
                Arc::make_mut(pages)[at] = None;
            }
            return;
        }
        let pages = inner.chunks.or_insert_with(chunk, || Arc::new(vec![None; CHUNK as usize]));
        Arc::make_mut(pages)[at] = Some(page);
    }
    /// Makes the disk larger, for all who hold it; what is new reads as zeros. False when `blocks` is not more than it
    /// has: a disk never shrinks.
    pub fn grow(&self, blocks: u64) -> bool {
        let mut inner = self.lock();
        let grows = blocks > inner.blocks;
        if grows {
            inner.blocks = blocks;
            inner.root = None;
        }
        grows
    }
    /// Another disk with the same content, sharing what neither side has written since.
    pub fn fork(&self) -> Self {
        let inner = self.lock();
        Self(Arc::new(Mutex::new(Inner {
            blocks: inner.blocks,
            chunks: inner.chunks.clone(),
            root: inner.root,
        })))
    }
    /// Makes this disk's content that of `other`, which must have the same size.
    ///
    /// # Panics
    /// When the sizes differ.
    pub fn become_copy_of(&self, other: &Self) {
        let (blocks, chunks, root) = {
            let inner = other.lock();
            (inner.blocks, inner.chunks.clone(), inner.root)
        };
        let mut inner = self.lock();
        assert_eq!(inner.blocks, blocks, "sizes of disk and copy differ");
        inner.chunks = chunks;
        inner.root = root;
    }
    /// Blocks that are not holes, ascending.
    pub fn allocated(&self) -> Vec<(u64, Page)> {
        self.held(0..u64::MAX)
    }
    /// Those of a range.
    pub fn held(&self, range: Range<u64>) -> Vec<(u64, Page)> {
        let inner = self.lock();
        let held = inner.held(range.start).take_while(|(block, _)| *block < range.end);
        held.map(|(block, page)| (block, page.clone())).collect()
    }
    /// The blocks of a range, as they are at one instant; `None` for holes and beyond the end.
    pub fn pages(&self, range: Range<u64>) -> Vec<Option<Page>> {
        let inner = self.lock();
        range.map(|block| inner.page(block).cloned()).collect()
    }
    /// The first block from this one on that is not a hole.
    pub fn next_held(&self, first: u64) -> Option<u64> {
        self.lock().held(first).next().map(|(block, _)| block)
    }
    /// The blocks of a range of which this holds, ascending: those that are not holes, and of the holes (`None`) those
    /// that are among `besides`.
    pub fn blocks_where(
        &self,
        range: Range<u64>,
        besides: impl Iterator<Item = u64>,
        holds: impl Fn(u64, Option<&Page>) -> bool,
    ) -> Vec<u64> {
        let inner = self.lock();
        let held = inner.held(range.start).take_while(|(block, _)| *block < range.end);
        let mut found: Vec<u64> =
            held.filter(|(block, page)| holds(*block, Some(page))).map(|(block, _)| block).collect();
        let besides = besides.filter(|block| range.contains(block) && inner.page(*block).is_none());
        found.extend(besides.filter(|block| holds(*block, None)));
        found.sort_unstable();
        found
    }
    /// The hashes of so many blocks, fewer at the end, and where the next one is behind them that is not a hole.
    pub fn hashes(&self, first: u64, count: u64) -> Hashes {
        let (inner, zero) = (self.lock(), Page::zero().hash());
        let end = first.saturating_add(count).min(inner.blocks);
        let hashes = (first..end).map(|block| inner.page(block).map_or(zero, Page::hash)).collect();
        let next = inner.held(end).next().map_or(inner.blocks, |(block, _)| block);
        Hashes { first, next, hashes }
    }
    /// One hash over size and content: equal for equal disks, whatever their history.
    pub fn root_hash(&self) -> ContentHash {
        let mut inner = self.lock();
        if let Some(root) = inner.root {
            return root;
        }
        let mut hasher = RootHasher::new(inner.blocks);
        for (block, page) in inner.held(0) {
            hasher.add(block, page.hash());
        }
        let root = hasher.finish();
        inner.root = Some(root);
        root
    }
    /// A name of the disk that does not keep it.
    pub fn downgrade(&self) -> WeakDisk {
        WeakDisk(Arc::downgrade(&self.0))
    }
    /// True when both handles name the same disk.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// The name of a disk that may be gone.
#[derive(Clone, Debug)]
pub struct WeakDisk(Weak<Mutex<Inner>>);

impl WeakDisk {
    /// True when it names this disk.
    pub fn is(&self, disk: &Disk) -> bool {
        std::ptr::eq(self.0.as_ptr(), Arc::as_ptr(&disk.0))
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Disk({} blocks, {:?})", self.blocks(), self.root_hash())
    }
}

#[cfg(test)]
mod tests;
