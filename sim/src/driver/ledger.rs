//! What became of the faults of a run. A fault that never fired turns it red.

use super::play::Driver;
use crate::fault::Entry;
use crate::report::outcome::{Finding, FindingKind};
use crate::scenario::fault::{Change, LinkChange};

/// A fault that does nothing by itself: it has fired once a call has met it, which the switchboard knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// Something befalls calls.
    Call,
    /// A way is gone.
    Link,
}

impl Rule {
    /// What a change is of these.
    pub(super) fn of(change: &Change) -> Option<Self> {
        match change {
            Change::Call(_) => Some(Self::Call),
            Change::Link(link) => match **link {
                LinkChange::VpnDown | LinkChange::BlockPort { .. } | LinkChange::Cut { .. } => {
                    Some(Self::Link)
                }
                LinkChange::VpnUp
                | LinkChange::Build
                | LinkChange::OpenPort { .. }
                | LinkChange::Join { .. } => None,
            },
            Change::Vcenter(_)
            | Change::ConfigurationServer(_)
            | Change::Azure(_)
            | Change::MasterTarget(_)
            | Change::ProcessServer(_)
            | Change::Guest(_) => None,
        }
    }
}

impl Driver<'_> {
    /// What became of faults so far.
    pub(super) fn ledger(&self) -> Vec<Entry> {
        let hit = self.world.net.rules(|r| r.fired().clone());
        let mut ledger = self.world.board.ledger();
        for entry in &mut ledger {
            let Some(rule) = self.rules.get(&entry.id) else { continue };
            entry.fired = hit.contains(&entry.id);
            // A call is the moment of its own fault; a way that is gone waits for one.
            entry.reached = if *rule == Rule::Call { entry.fired } else { entry.reached };
        }
        ledger
    }

    /// Faults that never changed anything turn the run red.
    pub(super) fn settle_ledger(&mut self) {
        for entry in self.ledger().into_iter().filter(|entry| !entry.fired) {
            let why = entry.error.unwrap_or_else(|| "its moment never came".to_owned());
            let text = format!("fault {} never struck: {why}", entry.id);
            let finding = Finding::new(FindingKind::FaultUnfired, text);
            self.findings.push(finding.at(entry.step.0, entry.step.1));
        }
    }
}
