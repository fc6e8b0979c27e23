//! Recovery points that an asker knows, and an answer that leaves those out. A day of points is long, and is asked for
//! every five minutes, of every machine.

use super::session::Point;
use crate::event::Mark;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What a view says of points it leaves out because the asker knows them: enough to tell whether the asker
/// still knows exactly those that are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Points up to this mark are left out.
    pub after: Mark,
    /// The oldest mark that is kept, left out or not.
    pub oldest: Option<Mark>,
    /// Marks between the two that were let go of since `after` was the newest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gone: Vec<Mark>,
    /// [`digest`] of the marks that are left out.
    pub digest: u64,
}

impl Kept {
    /// What is said of points up to `after` that are left out, where the target holds these `marks`, oldest first, and
    /// let the `thinned` ones go, each with the newest mark there was then.
    pub fn of(
        mut marks: impl Iterator<Item = Mark>,
        thinned: impl Iterator<Item = (Mark, Mark)>,
        after: Mark,
    ) -> Self {
        let oldest = marks.next();
        let digest = digest(oldest.into_iter().chain(marks).filter(|mark| *mark <= after));
        let gone = thinned.filter(|(newest, gone)| *newest >= after && *gone <= after).map(|(_, gone)| gone);
        Self { after, oldest, gone: gone.collect(), digest }
    }
}

/// One number for a set of marks, whatever their order.
fn digest(marks: impl Iterator<Item = Mark>) -> u64 {
    marks.map(|mark| xxhash_rust::xxh3::xxh3_64(&mark.0.to_le_bytes())).fold(0, u64::wrapping_add)
}

/// How the points of a session changed between two answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// Those that are no more.
    pub gone: Vec<Arc<Point>>,
    /// Those that were not there before.
    pub new: Vec<Arc<Point>>,
}

impl Changed {
    /// What lies between two lists, both in the order of their marks.
    fn between(before: &[Arc<Point>], now: &[Arc<Point>]) -> Self {
        let mut changed = Self::default();
        let mut before = before.iter().peekable();
        for point in now {
            while let Some(gone) = before.next_if(|old| old.mark < point.mark) {
                changed.gone.push(gone.clone());
            }
            if before.next_if(|old| old.mark == point.mark).is_none() {
                changed.new.push(point.clone());
            }
        }
        changed.gone.extend(before.cloned());
        changed
    }
}

/// Points that were brought by earlier answers, in the order of their marks. Most answers change one or two of them:
/// the others are not so much as looked at.
#[derive(Clone, Debug, Default)]
pub struct Known {
    points: Vec<Arc<Point>>,
    /// [`digest`] of their marks.
    digest: u64,
}

impl Known {
    /// The points, in the order of their marks.
    pub fn points(&self) -> &[Arc<Point>] {
        &self.points
    }
    /// These and no others from now on.
    pub fn replace(&mut self, points: Vec<Arc<Point>>) -> Changed {
        let changed = Changed::between(&self.points, &points);
        self.digest = digest(points.iter().map(|point| point.mark));
        self.points = points;
        changed
    }
    /// True when an answer that leaves points out leaves out what is known here.
    pub fn fits(&self, kept: &Kept) -> bool {
        self.outdated(kept).is_some()
    }
    /// Takes in an answer that leaves points out; `None`, and nothing changes, when those it leaves out are others.
    pub fn take(&mut self, kept: &Kept, new: Vec<Arc<Point>>) -> Option<Changed> {
        let outdated = self.outdated(kept)?;
        let upto = self.upto(kept);
        if upto < self.points.len() {
            // More is known by now than when the question was asked.
            let mut points = self.points[..upto].to_vec();
            outdated.iter().rev().for_each(|place| drop(points.remove(*place)));
            points.extend(new);
            return Some(self.replace(points));
        }
        let mut gone: Vec<_> = outdated.iter().rev().map(|place| self.points.remove(*place)).collect();
        gone.reverse();
        self.digest = self.digest.wrapping_sub(digest(gone.iter().map(|point| point.mark)));
        self.digest = self.digest.wrapping_add(digest(new.iter().map(|point| point.mark)));
        self.points.extend(new.iter().cloned());
        Some(Changed { gone, new })
    }
    /// How many of the points an answer may leave out.
    fn upto(&self, kept: &Kept) -> usize {
        match self.points.last() {
            Some(newest) if newest.mark > kept.after => {
                self.points.partition_point(|point| point.mark <= kept.after)
            }
            Some(_) | None => self.points.len(),
        }
    }
    /// Places, ascending, of points that are no more; `None` when what is left is not what the target keeps.
    fn outdated(&self, kept: &Kept) -> Option<Vec<usize>> {
        let (asked, later) = self.points.split_at(self.upto(kept));
        let old =
            asked.iter().take_while(|point| kept.oldest.is_none_or(|oldest| point.mark < oldest)).count();
        let place = |mark: &Mark| asked.binary_search_by_key(mark, |point| point.mark).ok();
        let mut places: Vec<usize> = (0..old).chain(kept.gone.iter().filter_map(place)).collect();
        places.sort_unstable();
        places.dedup();
        let out = places.iter().map(|place| &asked[*place]).chain(later);
        let left = self.digest.wrapping_sub(digest(out.map(|point| point.mark)));
        (left == kept.digest).then_some(places)
    }
}
