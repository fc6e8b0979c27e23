//! Disks that a way home leaves out (P37): what the operator asked counts from the accepted reprotect on, until the next one.

use std::collections::BTreeSet;

/// Positions of one machine's disks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Left {
    /// Those that the last request leaves out.
    pub(crate) asked: BTreeSet<usize>,
    /// Those that do not come home, and before the last reprotect did not.
    now: BTreeSet<usize>,
    before: BTreeSet<usize>,
}

impl Left {
    /// The request was accepted. `absent` are disks that there are none of in Azure.
    pub(crate) fn accept(&mut self, absent: BTreeSet<usize>) {
        self.before = std::mem::replace(&mut self.now, &absent | &self.asked);
    }
    /// The preconditions refused it after all: what held before holds.
    pub(crate) fn refuse(&mut self) {
        self.now.clone_from(&self.before);
    }
    /// Those that do not come home.
    pub(crate) fn disks(&self) -> impl Iterator<Item = usize> {
        self.now.iter().copied()
    }
}
