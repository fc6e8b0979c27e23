//! Recovery plans, and what they ask for beside their machines.

use super::record::{Operation, Verb};
use super::state::Leg;
use failback_wire::clock::VirtualMs;
use failback_wire::ids::MachineName;
use serde::{Deserialize, Serialize};

/// A recovery plan: which machines, in which order they boot (L1, L2), and what is done in between (L3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Name.
    pub name: String,
    /// Boot groups, first to boot first; each machine in exactly one.
    pub groups: Vec<Vec<MachineName>>,
    /// Actions, in the order in which they come.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<PlanAction>,
}

/// Something that is done before or after a group of a plan (L3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanAction {
    /// Name; one of its kind in the plan.
    pub name: String,
    /// The group it belongs to.
    pub stage: Stage,
    /// Before that group, or after it.
    pub edge: Edge,
    /// What it is.
    pub kind: ActionKind,
    /// Manual: what a person is to do. Script: its path. Runbook: its ARM id.
    pub text: String,
    /// Operations it belongs to.
    pub types: Vec<FailoverType>,
    /// Directions it belongs to, by the leg on which the plan's machines are before.
    pub legs: Vec<Leg>,
}

/// A group of a plan: all machines together until they boot, then group by group (L2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// The sources of all machines are shut down.
    Shutdown,
    /// All machines fail over, up to their start.
    Failover,
    /// The boot group at this place, from 0.
    Boot(usize),
}

/// Where an action stands to its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Edge {
    /// Before it.
    Before,
    /// After it.
    After,
}

/// Kinds of actions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActionKind {
    /// A person does something and confirms it; the plan waits.
    Manual,
    /// A script runs.
    Script,
    /// An Azure Automation runbook runs.
    Runbook,
}

/// Operations with actions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailoverType {
    /// Unplanned failover, or failback.
    Unplanned,
    /// The same, asked for as planned.
    Planned,
    /// Test failover.
    Test,
}

impl PlanAction {
    /// True when it belongs to this operation under this verb.
    pub fn belongs_to(&self, operation: Operation, verb: Verb) -> bool {
        let of_verb = match verb {
            Verb::Unplanned => FailoverType::Unplanned,
            Verb::Planned => FailoverType::Planned,
        };
        let (leg, wanted) = if operation == Operation::Failover {
            (Leg::Forward, of_verb)
        } else if operation == Operation::Failback {
            (Leg::Reverse, of_verb)
        } else if operation == Operation::TestFailover {
            (Leg::Forward, FailoverType::Test)
        } else {
            return false;
        };
        self.legs.contains(&leg) && self.types.contains(&wanted)
    }
}

/// How far an action of a job is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionProgress {
    /// When it began.
    pub started: Option<VirtualMs>,
    /// When it was over.
    pub ended: Option<VirtualMs>,
    /// Why it was passed over, if it was.
    pub passed_over: Option<String>,
    /// What the person who confirmed it said.
    pub comment: Option<String>,
    /// Names the request that confirmed it.
    pub request: Option<String>,
}
