//! Reading a frame: every length is checked against what is there.

use super::{Body, Content, FrameError, MAX_FRAME, MAX_NAME, PACKED, RAW, Run, ZEROS, hash_of};
use crate::crc::crc32c;
use crate::disk::{BLOCK, Page};
use crate::packing;
use bytes::Bytes;
use failback_wire::clock::VirtualMs;
use failback_wire::event::{ContentHash, Mark, PointKind};
use failback_wire::ids::DiskId;

/// A run as the head states it.
pub(super) struct Stated {
    first: u64,
    count: u32,
    /// What is said of the blocks; `None` for zeros.
    sums: Option<Sums>,
}

struct Sums {
    /// Of the bytes that travel.
    crc: u32,
    /// Over the hashes of the blocks.
    hash: u128,
    /// How many bytes travel, when they are packed.
    packed: Option<u32>,
}

impl Stated {
    /// Length of the blocks.
    fn unpacked(&self) -> Result<usize, FrameError> {
        (self.count as usize).checked_mul(BLOCK).ok_or(FrameError::Truncated)
    }
    fn bytes<'a>(&self, sums: &Sums, payload: &mut Reader<'a>) -> Result<&'a [u8], FrameError> {
        let len = sums.packed.map_or_else(|| self.unpacked(), |len| Ok(len as usize));
        payload.take(len?)
    }
    /// The run with its pages, which share the memory of `frame`, or that of what was packed.
    pub(super) fn unpack(&self, frame: &Bytes, payload: &mut Reader<'_>) -> Result<Run, FrameError> {
        let first = self.first;
        let Some(sums) = &self.sums else {
            return Ok(Run { first, content: Content::Zero(self.count) });
        };
        let mut bytes = frame.slice_ref(self.bytes(sums, payload)?);
        if sums.packed.is_some() {
            let len = self.unpacked()?;
            if len > MAX_FRAME {
                return Err(FrameError::TooLong(len));
            }
            // A change that unpacks to the same blocks is noticed too.
            let intact = Some(bytes).filter(|bytes| crc32c(bytes) == sums.crc);
            let raw = intact.and_then(|bytes| packing::unpacked(&bytes, len));
            bytes = raw.ok_or(FrameError::Checksum(first))?.into();
        }
        let pages: Vec<Page> = Page::all_of(&bytes).collect();
        if hash_of(&pages) != sums.hash {
            return Err(FrameError::Checksum(first));
        }
        Ok(Run { first, content: Content::Pages(pages) })
    }
    /// Checks what is passed on unread.
    pub(super) fn pass(&self, payload: &mut Reader<'_>) -> Result<(), FrameError> {
        let Some(sums) = &self.sums else { return Ok(()) };
        let intact = crc32c(self.bytes(sums, payload)?) == sums.crc;
        if intact { Ok(()) } else { Err(FrameError::Checksum(self.first)) }
    }
}

/// What is still to be read.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], FrameError> {
        let (head, rest) = self.0.split_at_checked(count).ok_or(FrameError::Truncated)?;
        self.0 = rest;
        Ok(head)
    }
    fn array<const N: usize>(&mut self) -> Result<[u8; N], FrameError> {
        self.take(N)?.try_into().map_err(|_| FrameError::Truncated)
    }
    pub(super) fn u8(&mut self) -> Result<u8, FrameError> {
        Ok(self.array::<1>()?[0])
    }
    fn u16(&mut self) -> Result<u16, FrameError> {
        Ok(u16::from_le_bytes(self.array()?))
    }
    pub(super) fn u32(&mut self) -> Result<u32, FrameError> {
        Ok(u32::from_le_bytes(self.array()?))
    }
    pub(super) fn u64(&mut self) -> Result<u64, FrameError> {
        Ok(u64::from_le_bytes(self.array()?))
    }
    fn u128(&mut self) -> Result<u128, FrameError> {
        Ok(u128::from_le_bytes(self.array()?))
    }
    pub(super) fn name(&mut self) -> Result<&'a str, FrameError> {
        let len = usize::from(self.u16()?);
        if len > MAX_NAME {
            return Err(FrameError::Malformed("a name is too long"));
        }
        std::str::from_utf8(self.take(len)?).map_err(|_| FrameError::Malformed("a name is not UTF-8"))
    }
    /// Hands the stated runs over, one by one: no allocation by a stated count, each must be there to be
    /// counted.
    pub(super) fn runs(
        &mut self,
        mut take: impl FnMut(Stated) -> Result<(), FrameError>,
    ) -> Result<(), FrameError> {
        for _ in 0..self.u32()? {
            take(self.run()?)?;
        }
        Ok(())
    }
    fn run(&mut self) -> Result<Stated, FrameError> {
        let (first, count, kind) = (self.u64()?, self.u32()?, self.u8()?);
        if count == 0 || first.checked_add(u64::from(count)).is_none() {
            return Err(FrameError::Malformed("a run of blocks that cannot be"));
        }
        let sums = match kind {
            ZEROS => None,
            RAW => Some(self.sums()?),
            PACKED => {
                let sums = self.sums()?;
                Some(Sums { packed: Some(self.u32()?), ..sums })
            }
            _other => return Err(FrameError::Malformed("unknown kind of run")),
        };
        Ok(Stated { first, count, sums })
    }
    fn sums(&mut self) -> Result<Sums, FrameError> {
        Ok(Sums { crc: self.u32()?, hash: self.u128()?, packed: None })
    }
    pub(super) fn mark(&mut self) -> Result<Body, FrameError> {
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
