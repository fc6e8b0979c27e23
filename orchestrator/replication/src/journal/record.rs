//! The records of a journal as bytes.
//!
//! A record is a head and, for a block that was overwritten, its page. The head is `magic, kind, length of the
//! head, length of the page, epoch, sequence number, crc32c of the head without this field, details`, little
//! endian. A page is verified by its hash, which the details hold and which was known when the block was
//! written: nothing is summed twice. As the head has a checksum of its own, a page that rotted costs that
//! page only. Decoding is bounded by the input and never panics.

use crate::crc::crc32c_of;
use crate::disk::{BLOCK, Page};
use crate::ledger::{Key, key};
use bytes::Bytes;
use failback_wire::clock::VirtualMs;
use failback_wire::event::{Mark, PointKind};
use failback_wire::ids::{DiskId, PointId};
use failback_wire::proto::session::Point;

const MAGIC: u32 = 0x314a_4246;
/// Bytes of a head before its details.
pub const FIXED: usize = 4 + 1 + 4 + 4 + 8 + 8 + 4;
/// Where the head's own checksum lies.
const CRC: usize = FIXED - 4;
/// The longest head, in bytes.
pub const MAX_HEAD: usize = 64 << 10;
const MAX_NAME: usize = 256;
/// The most blocks that one [`Record::Wrote`] names.
pub const MAX_WROTE: usize = 1024;

/// Where the session stood when the record was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// The sender's epoch.
    pub epoch: u64,
    /// The frame that was being applied.
    pub seq: u64,
}

/// What an overwritten block held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Old {
    /// Zeros.
    Zeros,
    /// These bytes.
    Page(Bytes),
    /// Nobody knows: it had rotted before it was overwritten.
    Lost,
}

/// What a frame without blocks of its own did, or that its blocks are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// So many blocks of a disk were received; those that changed are on the disk.
    Data(DiskId, u64),
    /// The synchronisation of the disk is complete.
    Synced(DiskId),
    /// A mark that completed no point.
    Mark(VirtualMs),
}

/// How far each disk is, so that older records can go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Synchronised, and blocks received by the synchronisation, per disk.
    pub synced: Vec<(DiskId, bool, u64)>,
    /// Time of the last complete mark.
    pub last_mark: Option<VirtualMs>,
}

/// One step of a journal's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A block is about to be overwritten for the first time since the newest point.
    Undo {
        /// The disk.
        disk: DiskId,
        /// The block.
        block: u64,
        /// What it ought to hold until then.
        key: Key,
        /// What it held.
        old: Old,
    },
    /// These blocks of a disk hold this now.
    Wrote {
        /// The disk.
        disk: DiskId,
        /// Block and what it ought to hold; at most [`MAX_WROTE`].
        blocks: Vec<(u64, Key)>,
    },
    /// The frame of the stamp is applied: the durable position.
    Applied(Step),
    /// The disks are this recovery point, and the frame of the stamp is applied.
    Point {
        /// The point.
        point: Point,
        /// How far each disk is.
        standing: Standing,
        /// The sum of each disk's ledger.
        sums: Vec<(DiskId, u128)>,
    },
    /// Everything before this record may go, while there is no point.
    State(Standing),
    /// The disks are about to be brought to this point.
    RollBegin(PointId),
    /// The disks are this point; no more frames.
    RollDone(PointId),
    /// No more frames in this epoch.
    Stopped,
}

/// Why bytes are not a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The bytes end early.
    #[error("the record is truncated")]
    Truncated,
    /// They begin with something else.
    #[error("not a record")]
    Magic,
    /// The head's checksum does not match.
    #[error("the checksum of the record's head does not match")]
    Head,
    /// The page's hash does not match.
    #[error("the hash of the record's page does not match")]
    Page,
    /// The checksums hold, yet the content makes no sense.
    #[error("malformed: {0}")]
    Malformed(&'static str),
}

/// Lengths that the fixed part of a head states; bounded, not yet verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lengths {
    /// Of the head.
    pub head: usize,
    /// Of the page.
    pub page: usize,
}

/// Appends the head of a record to `out`; its page, if it has one, follows it.
pub fn encode_head(stamp: Stamp, record: &Record, out: &mut Vec<u8>) {
    let start = out.len();
    let page = match record {
        Record::Undo { old: Old::Page(page), .. } => &page[..],
        Record::Undo { .. }
        | Record::Wrote { .. }
        | Record::Applied(_)
        | Record::Point { .. }
        | Record::State(_)
        | Record::RollBegin(_)
        | Record::RollDone(_)
        | Record::Stopped => &[],
    };
    out.extend(MAGIC.to_le_bytes());
    out.push(kind(record));
    out.extend([0; 4]);
    out.extend((page.len() as u32).to_le_bytes());
    out.extend(stamp.epoch.to_le_bytes());
    out.extend(stamp.seq.to_le_bytes());
    out.extend([0; 4]);
    put_details(out, record);
    let len = (out.len() - start) as u32;
    out[start + 5..start + 9].copy_from_slice(&len.to_le_bytes());
    let crc = head_crc(&out[start..]);
    out[start + CRC..start + FIXED].copy_from_slice(&crc.to_le_bytes());
}

fn head_crc(head: &[u8]) -> u32 {
    let (fixed, details) = head.split_at(FIXED.min(head.len()));
    crc32c_of([&fixed[..CRC.min(fixed.len())], details])
}

fn kind(record: &Record) -> u8 {
    match record {
        Record::Undo { .. } => 1,
        Record::Wrote { .. } => 2,
        Record::Applied(_) => 3,
        Record::Point { .. } => 4,
        Record::State(_) => 5,
        Record::RollBegin(_) => 6,
        Record::RollDone(_) => 7,
        Record::Stopped => 8,
    }
}

fn put_details(out: &mut Vec<u8>, record: &Record) {
    match record {
        Record::Undo { disk, block, key, old } => {
            put_name(out, disk.as_str());
            out.extend(block.to_le_bytes());
            out.extend(key.to_le_bytes());
            out.push(match old {
                Old::Zeros => 0,
                Old::Page(_) => 1,
                Old::Lost => 2,
            });
        }
        Record::Wrote { disk, blocks } => {
            put_name(out, disk.as_str());
            let blocks = &blocks[..blocks.len().min(MAX_WROTE)];
            out.extend((blocks.len() as u16).to_le_bytes());
            for (block, key) in blocks {
                out.extend(block.to_le_bytes());
                out.extend(key.to_le_bytes());
            }
        }
        Record::Applied(Step::Data(disk, blocks)) => {
            out.push(0);
            put_name(out, disk.as_str());
            out.extend(blocks.to_le_bytes());
        }
        Record::Applied(Step::Synced(disk)) => {
            out.push(1);
            put_name(out, disk.as_str());
        }
        Record::Applied(Step::Mark(time)) => {
            out.push(2);
            out.extend(time.0.to_le_bytes());
        }
        Record::Point { point, standing, sums } => {
            put_point(out, point);
            put_standing(out, standing);
            out.extend((sums.len() as u16).to_le_bytes());
            for (disk, sum) in sums {
                put_name(out, disk.as_str());
                out.extend(sum.to_le_bytes());
            }
        }
        Record::State(standing) => put_standing(out, standing),
        Record::RollBegin(point) | Record::RollDone(point) => put_name(out, point.as_str()),
        Record::Stopped => {}
    }
}

fn put_name(out: &mut Vec<u8>, name: &str) {
    let name = &name.as_bytes()[..name.len().min(MAX_NAME)];
    out.extend((name.len() as u16).to_le_bytes());
    out.extend(name);
}

fn put_point(out: &mut Vec<u8>, point: &Point) {
    put_name(out, point.point.as_str());
    out.extend(point.mark.0.to_le_bytes());
    out.push(match point.kind {
        PointKind::Crash => 0,
        PointKind::Application => 1,
    });
    out.extend(point.time.0.to_le_bytes());
    out.push(u8::from(point.group));
}

fn put_standing(out: &mut Vec<u8>, standing: &Standing) {
    out.push(u8::from(standing.last_mark.is_some()));
    out.extend(standing.last_mark.unwrap_or_default().0.to_le_bytes());
    out.extend((standing.synced.len() as u16).to_le_bytes());
    for (disk, done, moved) in &standing.synced {
        put_name(out, disk.as_str());
        out.push(u8::from(*done));
        out.extend(moved.to_le_bytes());
    }
}

/// The lengths that the fixed part of a head states.
///
/// # Errors
/// When these bytes do not begin a record.
pub fn lengths(fixed: &[u8]) -> Result<Lengths, RecordError> {
    let mut reader = Reader(fixed);
    if reader.u32()? != MAGIC {
        return Err(RecordError::Magic);
    }
    reader.take(1)?;
    let (head, page) = (reader.u32()? as usize, reader.u32()? as usize);
    if !(FIXED..=MAX_HEAD).contains(&head) {
        return Err(RecordError::Malformed("the length of the head"));
    }
    if page != 0 && page != BLOCK {
        return Err(RecordError::Malformed("the length of the page"));
    }
    Ok(Lengths { head, page })
}

/// Decodes the first record of `bytes`; also says how long it is.
///
/// # Errors
/// When the bytes are not a whole, intact record.
pub fn decode(bytes: &Bytes) -> Result<(Stamp, Record, usize), RecordError> {
    let Lengths { head, page } = lengths(bytes)?;
    if bytes.len() < head {
        return Err(RecordError::Truncated);
    }
    let (stamp, record) = decode_head(&bytes[..head])?;
    let len = head + page;
    if page == 0 {
        return Ok((stamp, record, len));
    }
    if bytes.len() < len {
        return Err(RecordError::Truncated);
    }
    let record = with_page(record, bytes.slice(head..len));
    let torn = matches!(record, Record::Undo { old: Old::Lost, .. });
    if torn { Err(RecordError::Page) } else { Ok((stamp, record, len)) }
}

/// The record with its page in place; [`Old::Lost`] when that is not what the head says.
pub(super) fn with_page(record: Record, page: Bytes) -> Record {
    match record {
        Record::Undo { disk, block, key: ought, .. } => {
            let is = key(Page::all_of(&page).next().as_ref());
            let old = if is == ought { Old::Page(page) } else { Old::Lost };
            Record::Undo { disk, block, key: ought, old }
        }
        other @ (Record::Wrote { .. }
        | Record::Applied(_)
        | Record::Point { .. }
        | Record::State(_)
        | Record::RollBegin(_)
        | Record::RollDone(_)
        | Record::Stopped) => other,
    }
}

/// Decodes exactly one head. An [`Record::Undo`] with a page comes as [`Old::Lost`].
pub(super) fn decode_head(head: &[u8]) -> Result<(Stamp, Record), RecordError> {
    let Lengths { page, .. } = lengths(head)?;
    let mut reader = Reader(head);
    reader.take(4)?;
    let kind = reader.u8()?;
    reader.take(8)?;
    let stamp = Stamp { epoch: reader.u64()?, seq: reader.u64()? };
    if reader.u32()? != head_crc(head) {
        return Err(RecordError::Head);
    }
    let record = match kind {
        1 => reader.undo(page)?,
        2 => reader.wrote()?,
        3 => Record::Applied(reader.step()?),
        4 => Record::Point { point: reader.point()?, standing: reader.standing()?, sums: reader.sums()? },
        5 => Record::State(reader.standing()?),
        6 => Record::RollBegin(PointId::new(reader.name()?)),
        7 => Record::RollDone(PointId::new(reader.name()?)),
        8 => Record::Stopped,
        _other => return Err(RecordError::Malformed("unknown kind of record")),
    };
    if !reader.0.is_empty() || (page > 0 && kind != 1) {
        return Err(RecordError::Malformed("bytes after the end of the record"));
    }
    Ok((stamp, record))
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], RecordError> {
        let (head, rest) = self.0.split_at_checked(count).ok_or(RecordError::Truncated)?;
        self.0 = rest;
        Ok(head)
    }
    fn array<const N: usize>(&mut self) -> Result<[u8; N], RecordError> {
        self.take(N)?.try_into().map_err(|_| RecordError::Truncated)
    }
    fn u8(&mut self) -> Result<u8, RecordError> {
        Ok(self.array::<1>()?[0])
    }
    fn u16(&mut self) -> Result<u16, RecordError> {
        Ok(u16::from_le_bytes(self.array()?))
    }
    fn u32(&mut self) -> Result<u32, RecordError> {
        Ok(u32::from_le_bytes(self.array()?))
    }
    fn u64(&mut self) -> Result<u64, RecordError> {
        Ok(u64::from_le_bytes(self.array()?))
    }
    fn u128(&mut self) -> Result<u128, RecordError> {
        Ok(u128::from_le_bytes(self.array()?))
    }
    fn flag(&mut self) -> Result<bool, RecordError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _other => Err(RecordError::Malformed("a flag is neither 0 nor 1")),
        }
    }
    fn name(&mut self) -> Result<&'a str, RecordError> {
        let len = usize::from(self.u16()?);
        if len > MAX_NAME {
            return Err(RecordError::Malformed("a name is too long"));
        }
        std::str::from_utf8(self.take(len)?).map_err(|_| RecordError::Malformed("a name is not UTF-8"))
    }
    fn disk(&mut self) -> Result<DiskId, RecordError> {
        self.name().map(DiskId::new)
    }
    fn undo(&mut self, page: usize) -> Result<Record, RecordError> {
        let (disk, block, key) = (self.disk()?, self.u64()?, self.u128()?);
        let old = match (self.u8()?, page) {
            (0, 0) => Old::Zeros,
            (1, BLOCK) | (2, 0) => Old::Lost,
            _other => return Err(RecordError::Malformed("an old block with a page of another kind")),
        };
        Ok(Record::Undo { disk, block, key, old })
    }
    fn wrote(&mut self) -> Result<Record, RecordError> {
        let (disk, count) = (self.disk()?, self.u16()?);
        if usize::from(count) > MAX_WROTE {
            return Err(RecordError::Malformed("too many blocks"));
        }
        let mut blocks = Vec::new();
        for _ in 0..count {
            blocks.push((self.u64()?, self.u128()?));
        }
        Ok(Record::Wrote { disk, blocks })
    }
    fn step(&mut self) -> Result<Step, RecordError> {
        match self.u8()? {
            0 => Ok(Step::Data(self.disk()?, self.u64()?)),
            1 => Ok(Step::Synced(self.disk()?)),
            2 => Ok(Step::Mark(VirtualMs(self.u64()?))),
            _other => Err(RecordError::Malformed("unknown step")),
        }
    }
    fn point(&mut self) -> Result<Point, RecordError> {
        let (point, mark) = (PointId::new(self.name()?), Mark(self.u64()?));
        let kind = if self.flag()? { PointKind::Application } else { PointKind::Crash };
        let (time, group) = (VirtualMs(self.u64()?), self.flag()?);
        Ok(Point { point, mark, kind, time, group, snapshots: Vec::new() })
    }
    fn standing(&mut self) -> Result<Standing, RecordError> {
        let (marked, time) = (self.flag()?, VirtualMs(self.u64()?));
        if !marked && time.0 != 0 {
            return Err(RecordError::Malformed("the time of no mark"));
        }
        let mut synced = Vec::new();
        for _ in 0..self.u16()? {
            synced.push((self.disk()?, self.flag()?, self.u64()?));
        }
        Ok(Standing { synced, last_mark: marked.then_some(time) })
    }
    fn sums(&mut self) -> Result<Vec<(DiskId, u128)>, RecordError> {
        let mut sums = Vec::new();
        for _ in 0..self.u16()? {
            sums.push((self.disk()?, self.u128()?));
        }
        Ok(sums)
    }
}

#[cfg(test)]
mod tests;
