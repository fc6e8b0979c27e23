//! Who listens: every call since then, and where each one's moments come among those of its kind.

use failback_wire::clock::VirtualMs;
use failback_wire::ids::{Label, NodeName};
use std::collections::BTreeMap;

/// A call, as somebody who listens hears it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// When it left.
    pub at: VirtualMs,
    /// The caller's node.
    pub from: NodeName,
    /// The callee's node.
    pub to: NodeName,
    /// The operation, in the words of its protocol.
    pub operation: &'static str,
    /// Its place among all that was noted.
    pub order: u64,
    /// What went on when it left.
    pub during: Label,
    /// The how-manieth it was to arrive, of its caller, callee and operation; `None` for one that did not.
    pub arrived: Option<u32>,
    /// The same of those that were carried out.
    pub done: Option<u32>,
    /// Number of what was asked: the same twice is the same.
    pub asked: u64,
    /// Number of the reply's body; `None` when none came.
    pub answered: Option<u64>,
}

/// How many of one kind have come to which of their moments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// Calls that have left; writes that were begun.
    pub begun: u32,
    /// Those that were about to take effect.
    pub before: u32,
    /// Those that took effect.
    pub after: u32,
}

pub(super) type Kind = (NodeName, NodeName, &'static str);

/// Calls since somebody listens.
#[derive(Default)]
pub(super) struct Listening {
    /// Calls that were heard before.
    before: usize,
    calls: Vec<Heard>,
    arrived: BTreeMap<Kind, u32>,
    done: BTreeMap<Kind, u32>,
}

impl Listening {
    /// What was noted so far; listening begins anew. Calls that are under way then still count as they arrive.
    pub(super) fn renew(&mut self) -> Vec<Heard> {
        let calls = std::mem::take(&mut self.calls);
        *self = Self { before: self.before + calls.len(), ..Self::default() };
        calls
    }

    /// Notes a call that leaves; answers its number.
    pub(super) fn leaves(&mut self, heard: Heard) -> usize {
        self.calls.push(heard);
        self.before + self.calls.len() - 1
    }

    /// How many calls of a kind have left, have arrived and were carried out.
    pub(super) fn passed(&self, kind: &Kind) -> Passed {
        let of = |call: &&Heard| (&call.from, &call.to, call.operation) == (&kind.0, &kind.1, kind.2);
        let count = |counts: &BTreeMap<Kind, u32>| counts.get(kind).copied().unwrap_or_default();
        Passed {
            begun: self.calls.iter().filter(of).count() as u32,
            before: count(&self.arrived),
            after: count(&self.done),
        }
    }

    fn call(&mut self, number: Option<usize>) -> Option<&mut Heard> {
        self.calls.get_mut(number?.checked_sub(self.before)?)
    }

    /// A call is about to take effect, or just did.
    pub(super) fn passes(&mut self, number: Option<usize>, kind: Kind, done: bool) {
        let counts = if done { &mut self.done } else { &mut self.arrived };
        let count = counts.entry(kind).or_default();
        *count += 1;
        let count = *count;
        if let Some(heard) = self.call(number) {
            *(if done { &mut heard.done } else { &mut heard.arrived }) = Some(count);
        }
    }

    /// A reply came back.
    pub(super) fn answers(&mut self, number: Option<usize>, reply: u64) {
        if let Some(heard) = self.call(number) {
            heard.answered = Some(reply);
        }
    }
}
