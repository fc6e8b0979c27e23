//! The explorer: every kind of fault at every point of a run.
//!
//! A scenario is played once without a fault, which gives every call and every journal write ([`point`]). Then it is
//! played again once for each point and each kind of fault that can strike there ([`kind`]), by an operator who asks
//! again until faults are over ([`trial`]). Nothing here knows what a right run looks like: the oracle and what must
//! hold in the end judge, as in any other run.

#[cfg(unix)]
pub mod branch;
mod course;
pub mod kind;
pub mod point;
pub mod report;
pub mod state;
pub mod table;
pub mod trial;

#[cfg(test)]
mod tests;

use kind::Kind;
use point::{Class, Point, pruned};
use std::collections::{BTreeMap, BTreeSet};
use trial::{Base, Blow};

/// What to explore.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which kinds of faults.
    pub kinds: Vec<Kind>,
    /// One point of each class, or every one.
    pub prune: bool,
}

/// The runs with one fault, in order, and how many points there are of each class.
pub fn singles(base: &Base, options: &Options) -> (Vec<Blow>, BTreeMap<Class, usize>) {
    let (first, counts) = pruned(&base.points);
    let points: Vec<&Point> = if options.prune { first } else { base.points.iter().collect() };
    let mut blows = Vec::new();
    for point in points {
        for kind in &options.kinds {
            let blow = Blow { point: point.clone(), kind: *kind };
            if base.with(std::slice::from_ref(&blow)).is_some() {
                blows.push(blow);
            }
        }
    }
    (blows, counts)
}

/// What can strike after a first fault did: points at or behind it that are of another class, one of each class or all of
/// them, each with every kind.
pub fn seconds(base: &Base, options: &Options, first: &Blow, further: &[Point]) -> Vec<Blow> {
    let behind = further.iter().position(|point| point.place == first.point.place).unwrap_or_default();
    let behind = further.get(behind..).unwrap_or_default();
    let points: Vec<&Point> = if options.prune { pruned(behind).0 } else { behind.iter().collect() };
    let own = first.point.class();
    let others = points.into_iter().filter(|point| point.class() != own);
    let blows = others.flat_map(|point| {
        let point = point.clone();
        options.kinds.iter().map(move |kind| Blow { point: point.clone(), kind: *kind })
    });
    blows.filter(|blow| base.with(&[first.clone(), blow.clone()]).is_some()).collect()
}

/// Spreads a budget: so many of these, one of each of as many equal parts; `turn` says which of its part, so that
/// several spreads together come past all of them.
pub fn spread<T>(all: Vec<T>, most: usize, turn: usize) -> Vec<T> {
    /// Turns one after the other fall far apart.
    const STRIDE: usize = 0x9E37_79B1;
    let count = all.len();
    if count <= most {
        return all;
    }
    let of_part = |n: usize| {
        let (from, to) = (n * count / most, (n + 1) * count / most);
        from + turn.wrapping_mul(STRIDE) % (to - from)
    };
    let taken: BTreeSet<usize> = (0..most).map(of_part).collect();
    all.into_iter().enumerate().filter(|(n, _)| taken.contains(n)).map(|(_, one)| one).collect()
}
