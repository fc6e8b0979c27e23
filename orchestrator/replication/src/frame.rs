//! The binary form in which data and marks travel from the source to the target.
//!
//! A frame is `magic, length, epoch, sequence number, kind, session, body, digest`, little endian. Every run
//! of blocks carries the crc32c of its bytes, the frame ends with the xxh3-128 of all that precedes it (E16).
//! Runs of zeros carry no bytes. Decoding is bounded by the input and never panics: whatever does not hold
//! together is a [`FrameError`].

use crate::disk::{BLOCK, Page};
use failback_wire::clock::VirtualMs;
use failback_wire::event::{ContentHash, Mark, PointKind};
use failback_wire::ids::{DiskId, SessionId};
use xxhash_rust::xxh3::xxh3_128;

const MAGIC: u32 = 0x3152_4246;
/// Bytes before the session's name: magic, length, epoch, sequence number, kind.
const FIXED: usize = 4 + 4 + 8 + 8 + 1;
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
    /// The digest over the frame does not match.
    #[error("the digest of the frame does not match")]
    Digest,
    /// The checksum of a run does not match.
    #[error("the checksum of the blocks at {0} does not match")]
    Checksum(u64),
    /// The digest holds, yet the content makes no sense.
    #[error("malformed: {0}")]
    Malformed(&'static str),
}

/// Encodes the frame, appending it to `out`.
pub fn encode(frame: &Frame, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend(MAGIC.to_le_bytes());
    out.extend([0; 4]);
    out.extend(frame.epoch.to_le_bytes());
    out.extend(frame.seq.to_le_bytes());
    out.push(match &frame.body {
        Body::Data { .. } => 1,
        Body::SyncDone { .. } => 2,
        Body::Mark { .. } => 3,
    });
    put_name(out, frame.session.as_str());
    match &frame.body {
        Body::Data { disk, runs } => {
            put_name(out, disk.as_str());
            out.extend((runs.len() as u32).to_le_bytes());
            for run in runs {
                put_run(out, run);
            }
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
    }
    let len = (out.len() - start + DIGEST) as u32;
    out[start + 4..start + 8].copy_from_slice(&len.to_le_bytes());
    let digest = xxh3_128(&out[start..]);
    out.extend(digest.to_le_bytes());
}

fn put_name(out: &mut Vec<u8>, name: &str) {
    let name = &name.as_bytes()[..name.len().min(MAX_NAME)];
    out.extend((name.len() as u16).to_le_bytes());
    out.extend(name);
}

fn put_run(out: &mut Vec<u8>, run: &Run) {
    out.extend(run.first.to_le_bytes());
    out.extend((run.count() as u32).to_le_bytes());
    match &run.content {
        Content::Zero(_) => out.push(1),
        Content::Pages(pages) => {
            out.push(0);
            let crc_at = out.len();
            out.extend([0; 4]);
            for page in pages {
                out.extend(page.bytes());
            }
            let crc = crc32c::crc32c(&out[crc_at + 4..]);
            out[crc_at..crc_at + 4].copy_from_slice(&crc.to_le_bytes());
        }
    }
}

/// Decodes the first frame of `bytes`; also says how long it is.
///
/// # Errors
/// When the bytes are not a whole, intact frame.
pub fn decode(bytes: &[u8]) -> Result<(Frame, usize), FrameError> {
    let len = check(bytes)?;
    let mut reader = Reader(&bytes[8..len - DIGEST]);
    let (epoch, seq, kind) = (reader.u64()?, reader.u64()?, reader.u8()?);
    let session = SessionId::new(reader.name()?);
    let body = match kind {
        1 => Body::Data { disk: DiskId::new(reader.name()?), runs: reader.runs()? },
        2 => Body::SyncDone { disk: DiskId::new(reader.name()?) },
        3 => reader.mark()?,
        _other => return Err(FrameError::Malformed("unknown kind of frame")),
    };
    if !reader.0.is_empty() {
        return Err(FrameError::Malformed("bytes after the end of the body"));
    }
    Ok((Frame { session, epoch, seq, body }, len))
}

/// Verifies the first frame of `bytes` and says what a relay needs to know of it.
///
/// # Errors
/// When the bytes are not a whole, intact frame.
pub fn inspect(bytes: &[u8]) -> Result<Head, FrameError> {
    let len = check(bytes)?;
    let mut reader = Reader(&bytes[8..len - DIGEST]);
    let (epoch, seq, kind) = (reader.u64()?, reader.u64()?, reader.u8()?);
    let session = SessionId::new(reader.name()?);
    let mut head = Head { session, epoch, seq, disk: None, mark: None, synced: None, len };
    match kind {
        1 => head.disk = Some(DiskId::new(reader.name()?)),
        2 => head.synced = Some(DiskId::new(reader.name()?)),
        3 => {
            reader.take(9)?;
            head.mark = Some(VirtualMs(reader.u64()?));
        }
        _other => return Err(FrameError::Malformed("unknown kind of frame")),
    }
    Ok(head)
}

/// Length of the first frame once magic, length and digest hold.
fn check(bytes: &[u8]) -> Result<usize, FrameError> {
    let mut reader = Reader(bytes);
    if reader.u32()? != MAGIC {
        return Err(FrameError::Magic);
    }
    let len = reader.u32()? as usize;
    if len > MAX_FRAME {
        return Err(FrameError::TooLong(len));
    }
    if len < FIXED + DIGEST {
        return Err(FrameError::Malformed("shorter than its own head"));
    }
    let frame = bytes.get(..len).ok_or(FrameError::Truncated)?;
    let (body, digest) = frame.split_at(len - DIGEST);
    if xxh3_128(body).to_le_bytes() != digest {
        return Err(FrameError::Digest);
    }
    Ok(len)
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], FrameError> {
        let (head, rest) = self.0.split_at_checked(count).ok_or(FrameError::Truncated)?;
        self.0 = rest;
        Ok(head)
    }
    fn array<const N: usize>(&mut self) -> Result<[u8; N], FrameError> {
        self.take(N)?.try_into().map_err(|_| FrameError::Truncated)
    }
    fn u8(&mut self) -> Result<u8, FrameError> {
        Ok(self.array::<1>()?[0])
    }
    fn u16(&mut self) -> Result<u16, FrameError> {
        Ok(u16::from_le_bytes(self.array()?))
    }
    fn u32(&mut self) -> Result<u32, FrameError> {
        Ok(u32::from_le_bytes(self.array()?))
    }
    fn u64(&mut self) -> Result<u64, FrameError> {
        Ok(u64::from_le_bytes(self.array()?))
    }
    fn u128(&mut self) -> Result<u128, FrameError> {
        Ok(u128::from_le_bytes(self.array()?))
    }
    fn name(&mut self) -> Result<&'a str, FrameError> {
        let len = usize::from(self.u16()?);
        if len > MAX_NAME {
            return Err(FrameError::Malformed("a name is too long"));
        }
        std::str::from_utf8(self.take(len)?).map_err(|_| FrameError::Malformed("a name is not UTF-8"))
    }
    fn runs(&mut self) -> Result<Vec<Run>, FrameError> {
        let count = self.u32()?;
        // No allocation by the stated count: each run must be there to be counted.
        let mut runs = Vec::new();
        for _ in 0..count {
            runs.push(self.run()?);
        }
        Ok(runs)
    }
    fn run(&mut self) -> Result<Run, FrameError> {
        let (first, count, zero) = (self.u64()?, self.u32()?, self.u8()?);
        if count == 0 || first.checked_add(u64::from(count)).is_none() {
            return Err(FrameError::Malformed("a run of blocks that cannot be"));
        }
        match zero {
            1 => return Ok(Run { first, content: Content::Zero(count) }),
            0 => {}
            _other => return Err(FrameError::Malformed("unknown kind of run")),
        }
        let crc = self.u32()?;
        let bytes = self.take((count as usize).checked_mul(BLOCK).ok_or(FrameError::Truncated)?)?;
        if crc32c::crc32c(bytes) != crc {
            return Err(FrameError::Checksum(first));
        }
        let pages = bytes.chunks_exact(BLOCK).filter_map(Page::from_slice).collect();
        Ok(Run { first, content: Content::Pages(pages) })
    }
    fn mark(&mut self) -> Result<Body, FrameError> {
        let mark = Mark(self.u64()?);
        let kind = match self.u8()? {
            0 => PointKind::Crash,
            1 => PointKind::Application,
            _other => return Err(FrameError::Malformed("unknown consistency")),
        };
        let time = VirtualMs(self.u64()?);
        let group = match self.u8()? {
            0 => false,
            1 => true,
            _other => return Err(FrameError::Malformed("a flag is neither 0 nor 1")),
        };
        let count = self.u16()?;
        let mut roots = Vec::new();
        for _ in 0..count {
            roots.push((DiskId::new(self.name()?), ContentHash(self.u128()?)));
        }
        Ok(Body::Mark { mark, kind, time, group, roots })
    }
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
