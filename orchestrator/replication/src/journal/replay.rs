//! Opening a journal: its records are read again, and the index follows from them.

use super::record::{self, FIXED, Old, Record, RecordError, Stamp};
use super::volume::{Volume, VolumeError};
use super::{Entry, Journal, Kept, Place};
use failback_wire::ids::PointId;
use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

/// A journal that was opened.
#[derive(Clone, Debug)]
pub struct Opened<V> {
    /// The journal.
    pub journal: Journal<V>,
    /// Points that are gone because their records, or later ones, have rotted.
    pub damaged: Vec<PointId>,
    /// Bytes of a torn tail that were cut.
    pub torn: u64,
}

/// A record as it lies in the log.
struct Found {
    stamp: Stamp,
    record: Record,
    /// Of its page.
    page_at: u64,
    end: u64,
}

/// Reads the record at a position of a segment.
fn read<V: Volume>(volume: &V, at: u64, segment: &Range<u64>) -> Result<Found, RecordError> {
    let left = (segment.end - at) as usize;
    let part = |at, len| volume.read(at, len).map_err(|_| RecordError::Truncated);
    let lengths = record::lengths(&part(at, FIXED.min(left))?)?;
    if lengths.head + lengths.page > left {
        return Err(RecordError::Truncated);
    }
    let (stamp, mut record) = record::decode_head(&part(at, lengths.head)?)?;
    let page_at = at + lengths.head as u64;
    let end = page_at + lengths.page as u64;
    if lengths.page > 0 {
        record = record::with_page(record, part(page_at, lengths.page)?);
        // A page that rotted in the midst of the log costs its block; at the end of the log it is torn.
        if end == segment.end && matches!(record, Record::Undo { old: Old::Lost, .. }) {
            return Err(RecordError::Page);
        }
    }
    Ok(Found { stamp, record, page_at, end })
}

impl<V: Volume> Journal<V> {
    /// Opens what lies on the volume. `each` is told every record in order, to rebuild what else follows from
    /// them. Reading stops at the first record that does not verify; in the last segment that is a torn tail,
    /// and is cut. In an earlier one something rotted: the points whose way back leads through it are gone.
    ///
    /// # Errors
    /// When the volume is gone.
    pub fn open(volume: V, mut each: impl FnMut(Stamp, &Record)) -> Result<Opened<V>, VolumeError> {
        let mut journal = Self { volume, entries: VecDeque::new(), state_at: 0, failed: None };
        let (mut damaged, mut torn) = (Vec::new(), 0);
        let segments = journal.volume.segments();
        let last = segments.last().map_or(0, |s| s.start);
        for segment in &segments {
            let mut at = segment.start;
            while at < segment.end {
                match read(&journal.volume, at, segment) {
                    Ok(found) => {
                        journal.learn(at, &found);
                        each(found.stamp, &found.record);
                        at = found.end;
                    }
                    Err(_) if segment.start == last => {
                        torn = segment.end - at;
                        journal.volume.truncate(at)?;
                        break;
                    }
                    Err(_) => {
                        damaged.extend(journal.entries.drain(..).map(|e| e.point.point.clone()));
                        break;
                    }
                }
            }
        }
        // What a crash kept from being dropped.
        let keep = journal.entries.front().map_or(journal.state_at, |oldest| oldest.at);
        journal.volume.drop_front(keep)?;
        Ok(Opened { journal, damaged, torn })
    }

    /// Adds a record to the index.
    fn learn(&mut self, at: u64, found: &Found) {
        match &found.record {
            Record::Undo { disk, block, key, old } => {
                let Some(entry) = self.entries.back_mut() else { return };
                let place = match old {
                    Old::Zeros => Place::Zeros,
                    Old::Page(_) => Place::At(found.page_at),
                    Old::Lost => Place::Lost,
                };
                let blocks = entry.undo.entry(disk.clone()).or_default();
                blocks.entry(*block).or_insert(Kept { key: *key, place });
            }
            Record::Point { point, sums, .. } => self.entries.push_back(Entry {
                point: Arc::new(point.clone()),
                sums: sums.iter().cloned().collect(),
                at,
                undo: BTreeMap::new(),
            }),
            Record::State(_) => self.state_at = at,
            Record::Wrote { .. }
            | Record::Applied(_)
            | Record::RollBegin(_)
            | Record::RollDone(_)
            | Record::Stopped => {}
        }
    }
}
