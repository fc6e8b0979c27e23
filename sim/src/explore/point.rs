//! Where faults can strike: every call of a run and every write of its journal, and which of them are of one kind.

use crate::driver::Played;
use crate::scenario::inventory::{
    ALTERNATE_VCENTER, AZURE, CONFIGURATION_SERVER, Inventory, OPERATOR, ORCHESTRATOR, VCENTER,
};
use crate::switchboard::{Heard, Passed};
use crate::world::Written;
use failback_wire::ids::{Label, NodeName};
use failback_wire::operation::Role;
use std::collections::BTreeMap;
use std::fmt;

/// What a fault strikes at. Both are counted from the first step on, each kind by itself, so that what an unrelated
/// change brings more or less of shifts nothing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A call.
    Call {
        /// The caller's node.
        from: NodeName,
        /// The callee's node.
        to: NodeName,
        /// The operation, in the words of its protocol.
        operation: &'static str,
        /// The how-manieth of these, from 1.
        nth: u32,
    },
    /// A write of the orchestrator's journal.
    Write {
        /// The kind of record.
        kind: String,
        /// The how-manieth of these, from 1.
        nth: u32,
    },
}

/// A place in a run, and what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    /// The place.
    pub place: Place,
    /// The how-manieth of these to take effect: a call to arrive, a write to be committed; nothing when it does not.
    pub before: Option<u32>,
    /// The how-manieth of these that took effect; nothing when it did not.
    pub after: Option<u32>,
    /// The step that a write is of.
    pub step: Option<String>,
    /// What the caller and the callee are; nothing for a write.
    pub roles: Option<(Role, Role)>,
    /// What went on.
    pub during: Label,
    /// The same was asked before, and answered otherwise.
    pub was_other: bool,
    /// Its place among all that was noted.
    pub order: u64,
}

impl Point {
    /// The same, counted from a moment at which so many of its kind had passed.
    #[must_use]
    pub fn counted_from(&self, passed: Passed) -> Self {
        let mut point = self.clone();
        let (Place::Call { nth, .. } | Place::Write { nth, .. }) = &mut point.place;
        *nth = nth.saturating_sub(passed.begun);
        point.before = point.before.map(|nth| nth.saturating_sub(passed.before));
        point.after = point.after.map(|nth| nth.saturating_sub(passed.after));
        point
    }
    /// Points of one class are moments of one kind: the same operation between the same kinds of nodes, or the same record
    /// of the same step, while the same goes on.
    pub fn class(&self) -> Class {
        let what = match &self.step {
            Some(step) => format!("{} of {step}", self.operation()),
            None => self.operation().to_owned(),
        };
        Class { roles: self.roles, what, during: self.during.clone() }
    }
    /// The operation, or `journal` with the kind of record.
    pub fn operation(&self) -> &str {
        match &self.place {
            Place::Call { operation, .. } => operation,
            Place::Write { kind, .. } => kind,
        }
    }
}

/// A kind of moments.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Class {
    roles: Option<(Role, Role)>,
    what: String,
    during: Label,
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.roles {
            Some((from, to)) => write!(f, "{}: {from} asks {to}", self.what)?,
            None => write!(f, "journal: {}", self.what)?,
        }
        write!(f, " ({})", self.during)
    }
}

/// All places of a run, in the order in which they came.
pub fn index(played: &Played, inventory: &Inventory) -> Vec<Point> {
    let (calls, writes) = &played.heard;
    let mut points = of_calls(calls, inventory);
    points.extend(of_writes(writes));
    points.sort_by_key(|point| point.order);
    points
}

fn of_calls(calls: &[Heard], inventory: &Inventory) -> Vec<Point> {
    let mut counts: BTreeMap<(&NodeName, &NodeName, &str), u32> = BTreeMap::new();
    let mut answers: BTreeMap<u64, u64> = BTreeMap::new();
    let mut points = Vec::with_capacity(calls.len());
    for call in calls {
        let nth = counts.entry((&call.from, &call.to, call.operation)).or_default();
        *nth += 1;
        let earlier = call.answered.and_then(|now| answers.insert(call.asked, now));
        let (Some(from), Some(to)) = (role(&call.from, inventory), role(&call.to, inventory)) else {
            continue;
        };
        let (caller, callee) = (call.from.clone(), call.to.clone());
        let point = Point {
            place: Place::Call { from: caller, to: callee, operation: call.operation, nth: *nth },
            before: call.arrived,
            after: call.done,
            step: None,
            roles: Some((from, to)),
            during: call.during.clone(),
            was_other: earlier.is_some() && earlier != call.answered,
            order: call.order,
        };
        points.push(point);
    }
    points
}

fn of_writes(writes: &[Written]) -> impl Iterator<Item = Point> {
    let mut counts: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
    writes.iter().map(move |write| {
        let (nth, done) = counts.entry(&write.kind).or_default();
        *nth += 1;
        *done += u32::from(write.done);
        Point {
            place: Place::Write { kind: write.kind.clone(), nth: *nth },
            before: Some(*nth),
            after: write.done.then_some(*done),
            step: write.step.clone(),
            roles: None,
            during: write.during.clone(),
            was_other: false,
            order: write.order,
        }
    })
}

/// What a node is to the others; `None` for a name behind which nobody is.
fn role(node: &NodeName, inventory: &Inventory) -> Option<Role> {
    Some(match node.as_str() {
        OPERATOR => Role::Operator,
        ORCHESTRATOR => Role::Orchestrator,
        VCENTER | ALTERNATE_VCENTER => Role::Vcenter,
        CONFIGURATION_SERVER => Role::ConfigurationServer,
        AZURE => Role::Azure,
        name if inventory.process_servers.iter().any(|server| server.id == name) => Role::ProcessServer,
        name if inventory.master_targets.iter().any(|server| server.id == name) => Role::MasterTarget,
        name if name.contains('@') => Role::Agent,
        _ => return None,
    })
}

/// One point of each class, the first, in order; and how many there are of each.
pub fn pruned(points: &[Point]) -> (Vec<&Point>, BTreeMap<Class, usize>) {
    let mut counts: BTreeMap<Class, usize> = BTreeMap::new();
    let mut first = Vec::new();
    for point in points {
        let count = counts.entry(point.class()).or_default();
        *count += 1;
        if *count == 1 {
            first.push(point);
        }
    }
    (first, counts)
}
