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
    /// They changed something.
    pub fired: u64,
    /// Times that operators asked again.
    pub again: u64,
    /// Virtual time, in ms.
    pub virtual_ms: u64,
    /// What struck, by the operation or record at whose moment it did.
    pub struck: BTreeMap<String, BTreeSet<&'static str>>,
}

impl Tally {
    /// Counts a run; true when one of these faults struck.
    pub(super) fn run(&mut self, played: &Played, blows: &[Blow]) -> bool {
        self.runs += 1;
        self.again += u64::from(played.toil.again);
        self.virtual_ms += played.ended.0;
        for entry in &played.ledger {
            self.armed += 1;
            self.reached += u64::from(entry.fired || entry.error.is_some());
            self.fired += u64::from(entry.fired);
        }
        let mut any = false;
        for (n, blow) in blows.iter().enumerate() {
            let id = format!("fault-{}", n + 1);
            if played.ledger.iter().any(|entry| entry.id == id && entry.fired) {
                any = true;
                self.struck.entry(blow.point.operation().to_owned()).or_default().insert(blow.kind.name());
            }
        }
        any
    }

    /// Adds what was counted elsewhere.
    pub fn add(&mut self, other: Self) {
        let Self { cases, runs, armed, reached, fired, again, virtual_ms, struck } = other;
        self.cases += cases;
        self.runs += runs;
        self.armed += armed;
        self.reached += reached;
        self.fired += fired;
        self.again += again;
        self.virtual_ms += virtual_ms;
        for (operation, kinds) in struck {
            self.struck.entry(operation).or_default().extend(kinds);
        }
    }
}
