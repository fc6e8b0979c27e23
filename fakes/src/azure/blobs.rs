//! Page blobs as data: content, snapshots, and which pages differ between two of them.
//!
//! Contents are copy-on-write disks, so a snapshot costs nothing until someone writes. Containers exist
//! as soon as they are named. A page of zeros is no page: unlike at the real service, zeros written and
//! pages cleared cannot be told apart.

use super::config::AzureConfig;
use super::refusal::Refusal;
use bytes::Bytes;
use failback_replication::disk::{BLOCK, Disk, Page};
use failback_wire::arm::page_blob::{ByteRange, PAGE, PageList};
use failback_wire::arm::percent_decode;
use failback_wire::clock::VirtualMs;
use failback_wire::http::StatusCode;
use failback_wire::ids::Label;
use std::collections::BTreeMap;
use std::ops::Range;

/// Bytes of a block of a [`Disk`].
const BLOCK_BYTES: u64 = BLOCK as u64;

/// A blob by container and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct BlobName {
    pub(super) blob: Label,
    pub(super) container: String,
}

impl BlobName {
    /// Reads `/container/blob`; the blob's name may hold slashes.
    pub(super) fn from_path(path: &str) -> Option<Self> {
        let (container, blob) = path.trim_start_matches('/').split_once('/')?;
        let whole = !container.is_empty() && !blob.is_empty();
        whole.then(|| Self { container: percent_decode(container), blob: percent_decode(blob).into() })
    }
    /// Reads a URL of this account, and the snapshot it names.
    pub(super) fn from_url(config: &AzureConfig, url: &str) -> Option<(Self, Option<String>)> {
        let (_scheme, rest) = url.split_once("://")?;
        let (address, query) = rest.split_once('?').map_or((rest, None), |(a, q)| (a, Some(q)));
        let (host, path) = address.split_once('/')?;
        let ours = host.eq_ignore_ascii_case(&config.blob_host);
        let snapshot = failback_wire::arm::query_value(query, "snapshot");
        ours.then(|| Self::from_path(path)).flatten().map(|name| (name, snapshot))
    }
    /// How signatures name it.
    pub(super) fn canonical(&self, config: &AzureConfig) -> String {
        format!("/blob/{}/{}/{}", config.account(), self.container, self.blob)
    }
    /// Where it is.
    pub(super) fn url(&self, config: &AzureConfig) -> String {
        format!("{}://{}/{}/{}", config.scheme, config.blob_host, self.container, self.blob)
    }
    /// How events name it.
    pub(super) fn label(&self) -> String {
        format!("{}/{}", self.container, self.blob)
    }
}

/// A page blob as it was.
#[derive(Clone, Debug)]
pub(super) struct BlobSnapshot {
    pub(super) content: Disk,
    pub(super) length: u64,
    pub(super) metadata: Metadata,
}

/// What whoever wrote a blob noted about it, in the order of the names. Snapshots are kept by the hundred thousand: a
/// list, not a map.
pub(super) type Metadata = Vec<(String, String)>;

/// A page blob.
#[derive(Clone, Debug)]
pub(super) struct Blob {
    pub(super) content: Disk,
    /// Bytes; a multiple of 512, not always of a block.
    pub(super) length: u64,
    pub(super) metadata: Metadata,
    pub(super) snapshots: BTreeMap<String, BlobSnapshot>,
    /// Counts changes; shown as ETag.
    pub(super) version: u64,
    pub(super) modified: VirtualMs,
}

/// All page blobs of the account.
#[derive(Default)]
pub(super) struct Blobs(pub(super) BTreeMap<BlobName, Blob>);

impl Blobs {
    /// The blob, or the refusal that there is none.
    pub(super) fn get(&self, name: &BlobName) -> Result<&Blob, Refusal> {
        self.0.get(name).ok_or_else(|| not_found(name))
    }
    /// The same, to be changed.
    pub(super) fn get_mut(&mut self, name: &BlobName) -> Result<&mut Blob, Refusal> {
        self.0.get_mut(name).ok_or_else(|| not_found(name))
    }
    /// Content of a blob or of a snapshot of it.
    pub(super) fn content(&self, name: &BlobName, snapshot: Option<&str>) -> Option<&Disk> {
        let blob = self.0.get(name)?;
        match snapshot {
            None => Some(&blob.content),
            Some(id) => blob.snapshots.get(id).map(|s| &s.content),
        }
    }
}

impl Blob {
    /// A blob of `length` bytes of zeros.
    pub(super) fn new(length: u64, now: VirtualMs) -> Self {
        Self {
            content: Disk::new(length.div_ceil(BLOCK_BYTES)),
            length,
            metadata: Metadata::new(),
            snapshots: BTreeMap::new(),
            version: 1,
            modified: now,
        }
    }
    /// Notes a change.
    pub(super) fn touch(&mut self, now: VirtualMs) {
        self.version += 1;
        self.modified = now;
    }
    /// Makes it larger; what is new reads as zeros. False when it is as large already.
    pub(super) fn grow(&mut self, length: u64) -> bool {
        self.length = self.length.max(length);
        self.content.grow(length.div_ceil(BLOCK_BYTES))
    }

    /// Keeps the content as it is now. `date` names the moment; a second snapshot of it gets the next
    /// 100 ns.
    pub(super) fn snapshot(&mut self, date: &str, metadata: Metadata) -> String {
        let moment = date.get(..23).unwrap_or(date);
        let earlier = match self.snapshots.last_key_value() {
            Some((last, _)) if last.as_str() >= moment => {
                let since = self.snapshots.range(moment.to_owned()..);
                since.take_while(|(id, _)| id.starts_with(moment)).count()
            }
            Some(_) | None => 0,
        };
        let id = format!("{moment}{earlier:04}Z");
        let metadata = if metadata.is_empty() { self.metadata.clone() } else { metadata };
        let kept = BlobSnapshot { content: self.content.fork(), length: self.length, metadata };
        self.snapshots.insert(id.clone(), kept);
        id
    }
}

/// 404: no such blob.
pub(super) fn not_found(name: &BlobName) -> Refusal {
    let message = format!("The specified blob {} does not exist.", name.label());
    Refusal::new(StatusCode::NOT_FOUND, "BlobNotFound", message)
}

/// Writes `data` (or, without it, zeros) over `range`; returns how many blocks were touched.
pub(super) fn write(disk: &Disk, range: ByteRange, data: Option<&Bytes>) -> u64 {
    let (first, last) = (range.start / BLOCK_BYTES, range.end / BLOCK_BYTES);
    for block in first..=last {
        let base = block * BLOCK_BYTES;
        if range.start <= base && base + BLOCK_BYTES - 1 <= range.end {
            let at = (base - range.start) as usize;
            let page = data.and_then(|data| Page::all_of(&data.slice(at..at + BLOCK)).next());
            disk.write(block, page.unwrap_or_else(Page::zero));
            continue;
        }
        let from = range.start.max(base) - base;
        let to = range.end.min(base + BLOCK_BYTES - 1) - base + 1;
        let mut bytes = *disk.read(block).bytes();
        let target = &mut bytes[from as usize..to as usize];
        match data {
            Some(data) => {
                let at = (base + from - range.start) as usize;
                target.copy_from_slice(&data[at..at + target.len()]);
            }
            None => target.fill(0),
        }
        disk.write(block, Page::new(&bytes));
    }
    last - first + 1
}

/// Reads `range`; zeros beyond the end.
pub(super) fn read(disk: &Disk, range: ByteRange) -> Vec<u8> {
    let mut out = Vec::with_capacity(range.len() as usize);
    let (first, last) = (range.start / BLOCK_BYTES, range.end / BLOCK_BYTES);
    for (block, page) in (first..).zip(disk.pages(first..last + 1)) {
        let base = block * BLOCK_BYTES;
        let from = range.start.max(base) - base;
        let to = range.end.min(base + BLOCK_BYTES - 1) - base + 1;
        match page {
            Some(page) => out.extend_from_slice(&page.bytes()[from as usize..to as usize]),
            None => out.resize(out.len() + (to - from) as usize, 0),
        }
    }
    out
}

/// How many blocks differ between two contents.
pub(super) fn differing(a: &Disk, b: &Disk) -> u64 {
    pairs(a, Some(b), 0..a.blocks().max(b.blocks())).filter(|(_, a, b)| a != b).count() as u64
}

/// Blocks of a range that either side holds, with both pages.
fn pairs(a: &Disk, b: Option<&Disk>, range: Range<u64>) -> impl Iterator<Item = (u64, Page, Page)> {
    let held = |disk: Option<&Disk>| disk.map(|disk| disk.held(range.clone())).unwrap_or_default();
    let mut both: BTreeMap<u64, (Option<Page>, Option<Page>)> = BTreeMap::new();
    held(Some(a)).into_iter().for_each(|(block, page)| both.entry(block).or_default().0 = Some(page));
    held(b).into_iter().for_each(|(block, page)| both.entry(block).or_default().1 = Some(page));
    let or_zero = |page: Option<Page>| page.unwrap_or_else(Page::zero);
    both.into_iter().map(move |(block, (a, b))| (block, or_zero(a), or_zero(b)))
}

/// What of `disk` holds data within `range`; with `previous`, what was written and cleared since.
pub(super) fn page_list(disk: &Disk, previous: Option<&Disk>, range: ByteRange) -> PageList {
    let mut list = PageList::default();
    let zero = [0u8; PAGE as usize];
    let (first, last) = (range.start / BLOCK_BYTES, range.end / BLOCK_BYTES);
    for (block, now, before) in pairs(disk, previous, first..last + 1) {
        if previous.is_some() && now == before {
            continue;
        }
        for (at, (now, before)) in
            now.bytes().chunks(PAGE as usize).zip(before.bytes().chunks(PAGE as usize)).enumerate()
        {
            let start = block * BLOCK_BYTES + at as u64 * PAGE;
            let changed = previous.is_none() || now != before;
            // Nearly all data shows in its first byte.
            let held = now[0] != 0 || now != zero;
            let counts = changed && (held || previous.is_some());
            if counts && start >= range.start && start + PAGE - 1 <= range.end {
                extend(if held { &mut list.pages } else { &mut list.cleared }, start);
            }
        }
    }
    list
}

/// Adds the page at `start` to ascending ranges.
fn extend(ranges: &mut Vec<ByteRange>, start: u64) {
    let end = start + PAGE - 1;
    match ranges.last_mut() {
        Some(last) if last.end + 1 == start => last.end = end,
        Some(_) | None => ranges.push(ByteRange { start, end }),
    }
}

/// Cuts a list to at most `max` ranges from `marker` (an offset) on, as one page of it.
pub(super) fn one_page(list: PageList, marker: u64, max: usize) -> PageList {
    let mut all: Vec<(ByteRange, bool)> = list.pages.into_iter().map(|r| (r, true)).collect();
    all.extend(list.cleared.into_iter().map(|r| (r, false)));
    all.sort();
    all.retain(|(r, _)| r.start >= marker);
    let mut page = PageList::default();
    if let Some((next, _)) = all.get(max) {
        page.next_marker = Some(next.start.to_string());
    }
    for (range, held) in all.into_iter().take(max) {
        if held { page.pages.push(range) } else { page.cleared.push(range) }
    }
    page
}
