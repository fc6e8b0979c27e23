//! What was counted over many runs. It does not grow with them.

use crate::driver::Played;
use crate::explore::trial::Blow;
use std::collections::{BTreeMap, BTreeSet};

/// Sums.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Cases that were drawn.
    pub cases: u64,
    /// Runs, those without faults at points included.
    pub runs: u64,
    /// Faults that waited for their moment.
    pub armed: u64,
    /// Their moment came.
    pub reached: u64,
    /// They changed something. The others wait for what their run, which took another course, did not come to.
    pub fired: u64,
    /// The product met them, or others of their run.
    pub observed: u64,
    /// All came home in spite of them.
    pub recovered: u64,
    /// Times that operators asked again.
    pub again: u64,
    /// Virtual time, in ms.
    pub virtual_ms: u64,
    /// What struck, by the operation or record at whose moment it did.
    pub struck: BTreeMap<String, BTreeSet<&'static str>>,
}

impl Tally {
    /// Counts a run; true when the first of these faults struck, or one of several that were to strike first together.
    pub(super) fn run(&mut self, played: &Played, blows: &[Blow], observed: bool, held: bool) -> bool {
        self.runs += 1;
        self.again += u64::from(played.toil.again);
        self.virtual_ms += played.ended.0;
        for entry in &played.ledger {
            self.armed += 1;
            self.reached += u64::from(entry.reached);
            self.fired += u64::from(entry.fired);
            self.observed += u64::from(entry.fired && observed);
            self.recovered += u64::from(entry.fired && held);
        }
        let first = blows.iter().map(|blow| blow.point.order).min();
        let mut struck = false;
        for (n, blow) in blows.iter().enumerate() {
            let id = format!("fault-{}", n + 1);
            if played.ledger.iter().any(|entry| entry.id == id && entry.fired) {
                struck |= Some(blow.point.order) == first;
                self.struck.entry(blow.point.operation().to_owned()).or_default().insert(blow.kind.name());
            }
        }
        struck
    }

    /// Adds what was counted elsewhere.
    pub fn add(&mut self, other: Self) {
        let Self { cases, runs, armed, reached, fired, observed, recovered, again, virtual_ms, struck } =
            other;
        self.cases += cases;
        self.runs += runs;
        self.armed += armed;
        self.reached += reached;
        self.fired += fired;
        self.observed += observed;
        self.recovered += recovered;
        self.again += again;
        self.virtual_ms += virtual_ms;
        for (operation, kinds) in struck {
            self.struck.entry(operation).or_default().extend(kinds);
        }
    }
}
