//! A broken invariant, and how checks report one.

use failback_wire::clock::VirtualMs;
use failback_wire::event::Event;
use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt;

/// An invariant that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// Name of the invariant in [`CHECKS`](crate::CHECKS).
    pub invariant: &'static str,
    /// When it was seen.
    pub at: VirtualMs,
    /// What is wrong, for people.
    pub text: String,
    /// The event that broke it, when one did.
    pub event: Option<Event>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}] {}", self.at, self.invariant, self.text)
    }
}

/// Violations found so far. The same sentence about the same invariant is kept once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Found {
    list: Vec<Violation>,
    said: BTreeSet<(&'static str, String)>,
}

impl Found {
    /// All violations, in the order they were found.
    pub(crate) fn list(&self) -> &[Violation] {
        &self.list
    }
    /// A reporter for one invariant at one moment.
    pub(crate) fn reporter<'a>(
        &'a mut self,
        invariant: &'static str,
        at: VirtualMs,
        event: Option<&'a Event>,
    ) -> Report<'a> {
        Report { found: self, invariant, at, event }
    }
}

/// Reports violations of one invariant.
pub(crate) struct Report<'a> {
    found: &'a mut Found,
    invariant: &'static str,
    at: VirtualMs,
    event: Option<&'a Event>,
}

impl Report<'_> {
    /// The invariant is broken: `text` says how.
    pub(crate) fn say(&mut self, text: String) {
        if self.found.said.insert((self.invariant, text.clone())) {
            let event = self.event.cloned();
            self.found.list.push(Violation { invariant: self.invariant, at: self.at, text, event });
        }
    }
}
