//! Where a journal lies: an append-only log in segments.
//!
//! Positions count bytes from the log's beginning and stay what they are while segments in front are dropped.
//! An append never crosses a segment. What an append leaves behind when it fails is a prefix of its bytes.

use bytes::Bytes;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

/// Why a volume does not do as asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VolumeError {
    /// It is gone, in the middle of the operation or before; what was appended may be there in part.
    #[error("the retention volume is gone")]
    Gone,
    /// These bytes are not there.
    #[error("the log holds no {1} bytes at {0}")]
    Missing(u64, usize),
}

/// The log of one journal on a retention volume.
pub trait Volume {
    /// Appends the parts back to back, as one write into the last segment; the position of the first byte.
    ///
    /// # Errors
    /// When the volume is gone; then a prefix may have been written.
    fn append(&mut self, parts: &[Bytes]) -> Result<u64, VolumeError>;
    /// The next append begins a new segment.
    ///
    /// # Errors
    /// When the volume is gone.
    fn cut(&mut self) -> Result<(), VolumeError>;
    /// Bytes at a position, within one segment. Shares memory where it can.
    ///
    /// # Errors
    /// When they are not there.
    fn read(&self, at: u64, len: usize) -> Result<Bytes, VolumeError>;
    /// The segments that are not empty, oldest first.
    fn segments(&self) -> Vec<Range<u64>>;
    /// Drops the segments that end at or before this position, the oldest first.
    ///
    /// # Errors
    /// When the volume is gone; then the oldest ones may be dropped already.
    fn drop_front(&mut self, before: u64) -> Result<(), VolumeError>;
    /// Takes back what lies at this position, in the last segment, and after it.
    ///
    /// # Errors
    /// When the volume is gone.
    fn truncate(&mut self, at: u64) -> Result<(), VolumeError>;
    /// Where the next append begins.
    fn end(&self) -> u64;
    /// Bytes that all segments take.
    fn used(&self) -> u64;
}

/// A segment in memory: what was appended, as it was handed over.
#[derive(Clone, Debug)]
struct Segment {
    start: u64,
    len: u64,
    /// Position and bytes of each part, ascending.
    parts: Arc<Vec<(u64, Bytes)>>,
}

impl Segment {
    fn end(&self) -> u64 {
        self.start + self.len
    }
    fn push(&mut self, part: Bytes) {
        let at = self.end();
        self.len += part.len() as u64;
        Arc::make_mut(&mut self.parts).push((at, part));
    }
    fn read(&self, at: u64, len: usize) -> Option<Bytes> {
        if at < self.start || at.checked_add(len as u64)? > self.end() {
            return None;
        }
        let mut index = self.parts.partition_point(|(from, _)| *from <= at).checked_sub(1)?;
        let (from, part) = self.parts.get(index)?;
        let skip = (at - from) as usize;
        if part.len() - skip >= len {
            return Some(part.slice(skip..skip + len));
        }
        let mut whole = Vec::with_capacity(len);
        whole.extend_from_slice(&part[skip..]);
        while whole.len() < len {
            index += 1;
            let (_, part) = self.parts.get(index)?;
            whole.extend_from_slice(&part[..part.len().min(len - whole.len())]);
        }
        Some(whole.into())
    }
}

/// A log in memory. It keeps what it is handed without copying it; a clone is its durable image.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    segments: VecDeque<Segment>,
    /// Where the log begins while it has no segment.
    origin: u64,
    /// The next append begins a new segment.
    cut: bool,
    /// What may still happen before the volume is gone: bytes appended, segments dropped, cuts.
    fuel: Option<u64>,
    spent: u64,
}

impl Memory {
    /// Lets the volume go after `fuel` more units of work: a byte appended, a segment dropped, a cut, a
    /// truncation. The append during which it happens leaves the bytes before it (a torn write).
    #[must_use]
    pub fn with_fuel(mut self, fuel: u64) -> Self {
        self.fuel = Some(fuel);
        self
    }
    /// The same volume after whatever ended it: with what was written.
    #[must_use]
    pub fn back(mut self) -> Self {
        self.fuel = None;
        self.cut = false;
        self
    }
    /// Units of work done so far, as [`Memory::with_fuel`] counts them.
    pub fn spent(&self) -> u64 {
        self.spent
    }
    /// Flips the bits of `mask` in one byte: it rots. False when there is no such byte.
    pub fn rot(&mut self, at: u64, mask: u8) -> bool {
        let Some(segment) = self.segments.iter_mut().find(|s| s.start <= at && at < s.end()) else {
            return false;
        };
        let parts = Arc::make_mut(&mut segment.parts);
        let index = parts.partition_point(|(from, _)| *from <= at).saturating_sub(1);
        let Some((from, part)) = parts.get_mut(index) else { return false };
        let mut bytes = part.to_vec();
        bytes[(at - *from) as usize] ^= mask;
        *part = bytes.into();
        true
    }
    /// How many of `wanted` units may still happen.
    fn burn(&mut self, wanted: u64) -> u64 {
        let granted = self.fuel.map_or(wanted, |fuel| fuel.min(wanted));
        self.fuel = self.fuel.map(|fuel| fuel - granted);
        self.spent += granted;
        granted
    }
    fn step(&mut self) -> Result<(), VolumeError> {
        if self.burn(1) == 1 { Ok(()) } else { Err(VolumeError::Gone) }
    }
    /// The segment to append to.
    fn last(&mut self) -> &mut Segment {
        let start = self.end();
        if std::mem::take(&mut self.cut) || self.segments.is_empty() {
            self.segments.push_back(Segment { start, len: 0, parts: Arc::default() });
        }
        let last = self.segments.len() - 1;
        &mut self.segments[last]
    }
}

impl Volume for Memory {
    fn append(&mut self, parts: &[Bytes]) -> Result<u64, VolumeError> {
        let (at, total) = (self.end(), parts.iter().map(|p| p.len() as u64).sum::<u64>());
        if total == 0 {
            return Ok(at);
        }
        let granted = self.burn(total);
        let mut left = granted as usize;
        let segment = self.last();
        for part in parts {
            let len = part.len().min(left);
            if len > 0 {
                segment.push(part.slice(..len));
            }
            left -= len;
        }
        if granted == total { Ok(at) } else { Err(VolumeError::Gone) }
    }
    fn cut(&mut self) -> Result<(), VolumeError> {
        self.step()?;
        self.cut = self.segments.back().is_some_and(|last| last.len > 0);
        Ok(())
    }
    fn read(&self, at: u64, len: usize) -> Result<Bytes, VolumeError> {
        let after = self.segments.partition_point(|s| s.start <= at);
        let segment = after.checked_sub(1).and_then(|index| self.segments.get(index));
        segment.and_then(|s| s.read(at, len)).ok_or(VolumeError::Missing(at, len))
    }
    fn segments(&self) -> Vec<Range<u64>> {
        self.segments.iter().filter(|s| s.len > 0).map(|s| s.start..s.end()).collect()
    }
    fn drop_front(&mut self, before: u64) -> Result<(), VolumeError> {
        while self.segments.front().is_some_and(|s| s.end() <= before) {
            self.step()?;
            self.origin = self.segments.pop_front().map_or(self.origin, |s| s.end());
        }
        Ok(())
    }
    fn truncate(&mut self, at: u64) -> Result<(), VolumeError> {
        self.step()?;
        while let Some(last) = self.segments.back_mut().filter(|last| at < last.end()) {
            if at <= last.start {
                self.origin = last.start;
                self.segments.pop_back();
                continue;
            }
            let parts = Arc::make_mut(&mut last.parts);
            parts.retain(|(from, _)| *from < at);
            if let Some((from, part)) = parts.last_mut() {
                part.truncate((at - *from) as usize);
            }
            last.len = at - last.start;
        }
        Ok(())
    }
    fn end(&self) -> u64 {
        self.segments.back().map_or(self.origin, Segment::end)
    }
    fn used(&self) -> u64 {
        self.segments.iter().map(|s| s.len).sum()
    }
}

#[cfg(test)]
mod tests;
