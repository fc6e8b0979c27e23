//! What there is to do, as a stream of ranges in ascending order: never a list as long as the disk.

use super::CHUNK;
use super::error::Error;
use super::file::Image;
use std::iter::Peekable;
use std::ops::Range;

/// Works in a window at most: bounds its memory when extents are small.
const WORKS: usize = 16_384;

/// What to do with one range of the image, in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// Move these bytes; at most [`CHUNK`] of them.
    Data(Range<u64>),
    /// A hole of the source (or of both sides): there is nothing to read.
    Hole(Range<u64>),
}

impl Work {
    pub(super) fn range(&self) -> &Range<u64> {
        match self {
            Self::Data(range) | Self::Hole(range) => range,
        }
    }
}

type Ranges<'a> = Box<dyn Iterator<Item = Result<Range<u64>, Error>> + 'a>;

/// The work that is left.
pub(super) struct Plan<'a> {
    /// Data, ascending, not touching the place we are at from behind.
    data: Peekable<Ranges<'a>>,
    at: u64,
    end: u64,
    /// Whether what is no data is a hole to be told, or nothing to do at all.
    holes: bool,
}

impl<'a> Plan<'a> {
    /// All of an image from a place on.
    pub(super) fn of_image(image: &'a Image, from: u64) -> Self {
        let data: Ranges<'_> = Box::new(data(from, move |at| image.next_data(at)));
        Self { data: data.peekable(), at: from, end: image.size, holes: true }
    }
    /// What is data in either of two images, as far as both go.
    pub(super) fn of_pair(a: &'a Image, b: &'a Image) -> Self {
        let either = move |at| {
            Ok(match (a.next_data(at)?, b.next_data(at)?) {
                (Some(a), Some(b)) if a.end < b.start => Some(a),
                (Some(a), Some(b)) if b.end < a.start => Some(b),
                (Some(a), Some(b)) => Some(a.start.min(b.start)..a.end.max(b.end)),
                (a, b) => a.or(b),
            })
        };
        let data: Ranges<'_> = Box::new(data(0, either));
        Self { data: data.peekable(), at: 0, end: a.size.min(b.size), holes: true }
    }
    /// These extents, as far as they lie at or behind a place.
    pub(super) fn of_extents(extents: impl Iterator<Item = Range<u64>> + 'a, from: u64) -> Self {
        let rest = extents.filter(move |range| range.end > from);
        let data: Ranges<'_> = Box::new(rest.map(move |range| Ok(range.start.max(from)..range.end)));
        Self { data: data.peekable(), at: from, end: 0, holes: false }
    }
    /// The next works, about `bytes` of data; `None` when nothing is left.
    pub(super) fn window(&mut self, bytes: u64) -> Result<Option<Vec<Work>>, Error> {
        let (mut works, mut sum) = (Vec::new(), 0);
        while sum < bytes && works.len() < WORKS {
            match self.next()? {
                Some(work) => {
                    if let Work::Data(range) = &work {
                        sum += range.end - range.start;
                    }
                    self.at = work.range().end;
                    works.push(work);
                }
                None => break,
            }
        }
        Ok((!works.is_empty()).then_some(works))
    }
    fn next(&mut self) -> Result<Option<Work>, Error> {
        // What lies behind us has been handed out, as has all beyond the end.
        while let Some(Ok(range)) = self.data.peek() {
            if range.end > self.at {
                break;
            }
            self.data.next();
        }
        match self.data.peek() {
            Some(Ok(range)) => {
                let start = range.start.max(self.at);
                if self.holes && self.end <= start {
                    return Ok(self.hole(self.end));
                }
                if self.holes && self.at < start {
                    return Ok(self.hole(start));
                }
                let end = if self.holes { range.end.min(self.end) } else { range.end };
                Ok(Some(Work::Data(start..end.min(start + CHUNK))))
            }
            Some(Err(_)) => match self.data.next() {
                Some(Err(error)) => Err(error),
                Some(Ok(_)) | None => Ok(None),
            },
            None => Ok(self.hole(self.end)),
        }
    }
    fn hole(&self, end: u64) -> Option<Work> {
        (self.at < end).then_some(Work::Hole(self.at..end))
    }
}

/// Data as `next` finds it, from a place on.
fn data(
    from: u64,
    next: impl Fn(u64) -> Result<Option<Range<u64>>, Error>,
) -> impl Iterator<Item = Result<Range<u64>, Error>> {
    let mut at = Some(from);
    std::iter::from_fn(move || {
        let found = next(at?).transpose();
        at = match &found {
            Some(Ok(range)) => Some(range.end),
            Some(Err(_)) | None => None,
        };
        found
    })
}

#[cfg(test)]
mod tests;
