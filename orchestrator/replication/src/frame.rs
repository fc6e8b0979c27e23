//! The binary form in which data and marks travel from the source to the target.
//!
//! A frame is `magic, length, length of the head, epoch, sequence number, kind, session, body`, the xxh3-128
//! of all these, and then the bytes of its blocks; little endian. For every run of blocks the head holds the
//! crc32c of its bytes, which a relay checks, and the xxh3-128 of its pages' hashes, which who unpacks it
//! checks (E16): the pages carry their hashes along, so neither end hashes a block twice. Runs of zeros carry
//! no bytes; others may be packed (E17), and then the checksum is that of the packed bytes. Decoding is bounded by the input and never panics: whatever does not hold together is a
//! [`FrameError`].

use crate::crc::{crc32c, crc32c_of};
use crate::disk::{BLOCK, Page};
use crate::packing;
use bytes::Bytes;
use failback_wire::clock::VirtualMs;
use failback_wire::event::{ContentHash, Mark, PointKind};
use failback_wire::ids::{DiskId, SessionId};
use read::Reader;
use xxhash_rust::xxh3::xxh3_128;

mod read;

const MAGIC: u32 = 0x3252_4246;
/// Bytes before the session's name: magic, length, length of the head, epoch, sequence number, kind.
const FIXED: usize = 4 + 4 + 4 + 8 + 8 + 1;
const DIGEST: usize = 16;
/// The longest frame, in bytes; a longer one is refused before it is read.
pub const MAX_FRAME: usize = 4 << 20;
/// The most block bytes that [`pack`] puts into one frame.
pub const MAX_PAYLOAD: usize = 256 << 10;
const MAX_NAME: usize = 256;

/// What a run of consecutive blocks holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// So many blocks of zeros; at least one.
    Zero(u32),
    /// These blocks; at least one.
    Pages(Vec<Page>),
}

/// Consecutive blocks of one disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Number of the first block.
    pub first: u64,
    /// What they hold.
    pub content: Content,
}

impl Run {
    /// How many blocks.
    pub fn count(&self) -> u64 {
        match &self.content {
            Content::Zero(count) => u64::from(*count),
            Content::Pages(pages) => pages.len() as u64,
        }
    }
    /// The blocks with their numbers, ascending.
    pub fn blocks(&self) -> impl Iterator<Item = (u64, Page)> + '_ {
        let zero = Page::zero();
        (0..self.count()).map(move |at| match &self.content {
            Content::Zero(_) => (self.first + at, zero.clone()),
            Content::Pages(pages) => (self.first + at, pages[at as usize].clone()),
        })
    }
}

/// What a frame says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// Blocks of a disk.
    Data {
        /// The disk.
        disk: DiskId,
        /// Which blocks, what they hold.
        runs: Vec<Run>,
    },
    /// The synchronisation of this disk is complete: from here on only changes follow.
    SyncDone {
        /// The disk.
        disk: DiskId,
    },
    /// Everything before this frame, on all disks, is the source at one instant.
    Mark {
        /// Its number.
        mark: Mark,
        /// Consistency.
        kind: PointKind,
        /// When it was cut.
        time: VirtualMs,
        /// Cut together with the other members of the replication group.
        group: bool,
        /// Root hashes the target must have now; empty unless a comparison is asked for.
        roots: Vec<(DiskId, ContentHash)>,
    },
    /// The same between two marks: everything before this frame, on all disks, is the source at one instant. It becomes
    /// a point only when nothing follows it (R5).
    Seam {
        /// Its number among the marks.
        mark: Mark,
        /// When it was cut.
        time: VirtualMs,
    },
}

/// One numbered step of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The session.
    pub session: SessionId,
    /// The sender's epoch.
    pub epoch: u64,
    /// Counts from 1 within the epoch, without gaps.
    pub seq: u64,
    /// What it says.
    pub body: Body,
}

/// What a relay needs to know of a frame it passes on unread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The session.
    pub session: SessionId,
    /// The sender's epoch.
    pub epoch: u64,
    /// Number within the epoch.
    pub seq: u64,
    /// The disk whose blocks it carries, if it carries any.
    pub disk: Option<DiskId>,
    /// When the mark it carries was cut, if it carries one.
    pub mark: Option<VirtualMs>,
    /// The disk whose synchronisation it ends, if it does.
    pub synced: Option<DiskId>,
    /// Length in bytes.
    pub len: usize,
}

/// Why bytes are not a frame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The bytes end early.
    #[error("the frame is truncated")]
    Truncated,
    /// They begin with something else.
    #[error("not a frame")]
    Magic,
    /// Longer than [`MAX_FRAME`].
    #[error("a frame of {0} bytes is too long")]
    TooLong(usize),
    /// The digest over the head does not match.
    #[error("the digest of the frame's head does not match")]
    Digest,
    /// The checksum of a run does not match.
    #[error("the checksum of the blocks at {0} does not match")]
    Checksum(u64),
    /// The digest holds, yet the content makes no sense.
    #[error("malformed: {0}")]
    Malformed(&'static str),
}

/// Encodes the frame as it is, appending it to `out`.
pub fn encode(frame: &Frame, out: &mut Vec<u8>) {
    encode_as(frame, false, out);
}

/// Encodes the frame, appending it to `out`; with `pack`, blocks are compressed where that pays (E17).
pub fn encode_as(frame: &Frame, pack: bool, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend(MAGIC.to_le_bytes());
    out.extend([0; 8]);
    out.extend(frame.epoch.to_le_bytes());
    out.extend(frame.seq.to_le_bytes());
    out.push(match &frame.body {
        Body::Data { .. } => 1,
        Body::SyncDone { .. } => 2,
        Body::Mark { .. } => 3,
        Body::Seam { .. } => 4,
    });
    put_name(out, frame.session.as_str());
    let mut payload = Vec::new();
    match &frame.body {
        Body::Data { disk, runs } => {
            put_name(out, disk.as_str());
            out.extend((runs.len() as u32).to_le_bytes());
            payload = runs.iter().map(|run| put_run(out, run, pack)).collect();
        }
        Body::SyncDone { disk } => put_name(out, disk.as_str()),
        Body::Mark { mark, kind, time, group, roots } => {
            out.extend(mark.0.to_le_bytes());
            out.push(match kind {
                PointKind::Crash => 0,
                PointKind::Application => 1,
            });
            out.extend(time.0.to_le_bytes());
            out.push(u8::from(*group));
            out.extend((roots.len() as u16).to_le_bytes());
            for (disk, root) in roots {
                put_name(out, disk.as_str());
                out.extend(root.0.to_le_bytes());
            }
        }
        Body::Seam { mark, time } => {
            out.extend(mark.0.to_le_bytes());
            out.extend(time.0.to_le_bytes());
        }
    }
    let head = out.len() - start;
    let len = head + DIGEST + payload.iter().map(Payload::len).sum::<usize>();
    out[start + 4..start + 8].copy_from_slice(&(len as u32).to_le_bytes());
    out[start + 8..start + 12].copy_from_slice(&(head as u32).to_le_bytes());
    let digest = xxh3_128(&out[start..]);
    out.extend(digest.to_le_bytes());
    payload.iter().for_each(|run| run.put(out));
}

fn put_name(out: &mut Vec<u8>, name: &str) {
    let name = &name.as_bytes()[..name.len().min(MAX_NAME)];
    out.extend((name.len() as u16).to_le_bytes());
    out.extend(name);
}

/// What a run adds behind the head.
enum Payload<'a> {
    Nothing,
    Pages(&'a [Page]),
    Packed(Vec<u8>),
}

impl Payload<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::Pages(pages) => pages.len() * BLOCK,
            Self::Packed(bytes) => bytes.len(),
        }
    }
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Nothing => {}
            Self::Pages(pages) => pages.iter().for_each(|page| out.extend_from_slice(page.bytes())),
            Self::Packed(bytes) => out.extend_from_slice(bytes),
        }
    }
}

/// How a run says what its blocks are.
const RAW: u8 = 0;
const ZEROS: u8 = 1;
const PACKED: u8 = 2;

fn put_run<'a>(out: &mut Vec<u8>, run: &'a Run, pack: bool) -> Payload<'a> {
    out.extend(run.first.to_le_bytes());
    out.extend((run.count() as u32).to_le_bytes());
    let Content::Pages(pages) = &run.content else {
        out.push(ZEROS);
        return Payload::Nothing;
    };
    let hash = hash_of(pages).to_le_bytes();
    if let Some(bytes) = pack.then(|| packing::packed(&Page::joined(pages))).flatten() {
        out.push(PACKED);
        out.extend(crc32c(&bytes).to_le_bytes());
        out.extend(hash);
        out.extend((bytes.len() as u32).to_le_bytes());
        return Payload::Packed(bytes);
    }
    out.push(RAW);
    let crc = crc32c_of(pages.iter().map(|page| page.bytes().as_slice()));
    out.extend(crc.to_le_bytes());
    out.extend(hash);
    Payload::Pages(pages)
}

/// The hash of a run: over the hashes of its pages.
fn hash_of(pages: &[Page]) -> u128 {
    let hashes: Vec<u8> = pages.iter().flat_map(|page| page.hash().0.to_le_bytes()).collect();
    xxh3_128(&hashes)
}

/// Decodes the first frame of `bytes`; also says how long it is.
///
/// # Errors
/// When the bytes are not a whole, intact frame.
pub fn decode(bytes: &Bytes) -> Result<(Frame, usize), FrameError> {
    let (mut head, payload, len) = check(bytes)?;
    let (epoch, seq, kind) = (head.u64()?, head.u64()?, head.u8()?);
    let session = SessionId::new(head.name()?);
    let mut payload = Reader(payload);
    let body = match kind {
        1 => {
            let disk = DiskId::new(head.name()?);
            let mut runs = Vec::new();
            head.runs(|run| {
                runs.push(run.unpack(bytes, &mut payload)?);
                Ok(())
            })?;
            Body::Data { disk, runs }
        }
        2 => Body::SyncDone { disk: DiskId::new(head.name()?) },
        3 => head.mark()?,
        4 => Body::Seam { mark: Mark(head.u64()?), time: VirtualMs(head.u64()?) },
        _other => return Err(FrameError::Malformed("unknown kind of frame")),
    };
    if !head.0.is_empty() || !payload.0.is_empty() {
        return Err(FrameError::Malformed("bytes after the end of the body"));
    }
    Ok((Frame { session, epoch, seq, body }, len))
}

/// Verifies the first frame of `bytes`, its blocks by their checksums, and says what a relay needs to know
/// of it.
///
/// # Errors
/// When the bytes are not a whole, intact frame.
pub fn inspect(bytes: &[u8]) -> Result<Head, FrameError> {
    let (mut reader, payload, len) = check(bytes)?;
    let (epoch, seq, kind) = (reader.u64()?, reader.u64()?, reader.u8()?);
    let session = SessionId::new(reader.name()?);
    let mut head = Head { session, epoch, seq, disk: None, mark: None, synced: None, len };
    let mut payload = Reader(payload);
    match kind {
        1 => {
            head.disk = Some(DiskId::new(reader.name()?));
            reader.runs(|run| run.pass(&mut payload))?;
        }
        2 => head.synced = Some(DiskId::new(reader.name()?)),
        3 => {
            reader.take(9)?;
            head.mark = Some(VirtualMs(reader.u64()?));
        }
        4 => {}
        _other => return Err(FrameError::Malformed("unknown kind of frame")),
    }
    if !payload.0.is_empty() {
        return Err(FrameError::Malformed("bytes after the end of the body"));
    }
    Ok(head)
}

/// What follows the lengths in the head, the bytes of the blocks, and the length of the first frame, once
/// magic, lengths and digest hold.
fn check(bytes: &[u8]) -> Result<(Reader<'_>, &[u8], usize), FrameError> {
    let mut reader = Reader(bytes);
    if reader.u32()? != MAGIC {
        return Err(FrameError::Magic);
    }
    let (len, head) = (reader.u32()? as usize, reader.u32()? as usize);
    if len > MAX_FRAME {
        return Err(FrameError::TooLong(len));
    }
    if head < FIXED || len < head.saturating_add(DIGEST) {
        return Err(FrameError::Malformed("shorter than its own head"));
    }
    let frame = bytes.get(..len).ok_or(FrameError::Truncated)?;
    let (head, rest) = frame.split_at(head);
    let (digest, payload) = rest.split_at(DIGEST);
    if xxh3_128(head).to_le_bytes() != digest {
        return Err(FrameError::Digest);
    }
    Ok((Reader(&head[12..]), payload, len))
}

/// Coalesces blocks (ascending) into runs and runs into bodies of at most [`MAX_PAYLOAD`] bytes of blocks.
pub fn pack(disk: &DiskId, blocks: impl IntoIterator<Item = (u64, Page)>) -> Vec<Body> {
    let (mut bodies, mut runs, mut room) = (Vec::new(), Vec::<Run>::new(), MAX_PAYLOAD / BLOCK);
    for (block, page) in blocks {
        let zero = page.is_zero();
        if !zero && room == 0 {
            bodies.push(Body::Data { disk: disk.clone(), runs: std::mem::take(&mut runs) });
            room = MAX_PAYLOAD / BLOCK;
        }
        room -= usize::from(!zero);
        let next_to = runs.last_mut().filter(|last| last.first + last.count() == block);
        match next_to.map(|run| &mut run.content) {
            Some(Content::Zero(count)) if zero && *count < u32::MAX => *count += 1,
            Some(Content::Pages(pages)) if !zero => pages.push(page),
            Some(_) | None => {
                let content = if zero { Content::Zero(1) } else { Content::Pages(vec![page]) };
                runs.push(Run { first: block, content });
            }
        }
        if runs.len() > MAX_RUNS {
            bodies.push(Body::Data { disk: disk.clone(), runs: std::mem::take(&mut runs) });
            room = MAX_PAYLOAD / BLOCK;
        }
    }
    if !runs.is_empty() {
        bodies.push(Body::Data { disk: disk.clone(), runs });
    }
    bodies
}

/// Runs after which [`pack`] begins a new frame, so that scattered zeros stay bounded too.
const MAX_RUNS: usize = 4096;

#[cfg(test)]
mod tests;
