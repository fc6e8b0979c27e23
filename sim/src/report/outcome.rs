//! What a run found out, and what that means for the exit code.

use crate::scenario::model::Wire;
use failback_wire::error::Report;
use failback_wire::event::Event;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// What one run of one scenario found out.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Outcome {
    /// The scenario's name.
    pub name: String,
    /// Its file, as the command line found it.
    pub path: String,
    /// The seed it ran with.
    pub seed: u64,
    /// The wire it ran over.
    pub wire: Wire,
    /// What went wrong; empty when all held.
    pub findings: Vec<Finding>,
    /// What the last failover or failback of each machine cost, where it cost something (R4, R5).
    pub lost: Vec<Lost>,
    /// Virtual time when it ended, in ms.
    pub virtual_ms: u64,
    /// How many events it counted.
    pub events: u64,
    /// How many calls crossed the switchboard.
    pub calls: u64,
    /// Hash of the event stream: equal for equal runs.
    #[serde(serialize_with = "hex")]
    pub hash: u128,
    /// What happened, one line per noteworthy event, for people and snapshots.
    pub timeline: Vec<String>,
    /// Events: the last ones, or all when the options asked for all.
    pub tail: Vec<Event>,
    /// Wall time it took. Not part of any hash.
    #[serde(skip)]
    pub wall: Duration,
}

fn hex<S: serde::Serializer>(hash: &u128, s: S) -> Result<S::Ok, S::Error> {
    s.collect_str(&format_args!("{hash:032x}"))
}

impl Outcome {
    /// An outcome in which nothing has happened yet.
    pub fn new(name: impl Into<String>, path: impl Into<String>, seed: u64, wire: Wire) -> Self {
        Self {
            name: name.into(),
            path: path.into(),
            seed,
            wire,
            findings: Vec::new(),
            lost: Vec::new(),
            virtual_ms: 0,
            events: 0,
            calls: 0,
            hash: 0,
            timeline: Vec::new(),
            tail: Vec::new(),
            wall: Duration::ZERO,
        }
    }
    /// True when all held.
    pub fn passed(&self) -> bool {
        self.findings.is_empty()
    }
    /// The exit code this outcome alone would give.
    pub fn exit(&self) -> Exit {
        self.findings.iter().map(|f| f.kind.exit()).fold(Exit::Held, Exit::worst)
    }
}

/// What a machine lost: writes of the copy that stopped, behind the recovery point that was chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Lost {
    /// The machine.
    pub machine: String,
    /// Bytes of the blocks that these writes went to.
    pub bytes: u64,
    /// From the chosen point to the last of them, in seconds, rounded up.
    pub seconds: u64,
}

/// One thing that went wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Finding {
    /// What kind of thing.
    pub kind: FindingKind,
    /// The step it belongs to, if any: its number from 1, and its line in the file.
    pub step: Option<(u32, u32)>,
    /// What, in one sentence.
    pub message: String,
    /// What was expected, when there is something to compare.
    pub expected: Option<String>,
    /// What was seen instead.
    pub actual: Option<String>,
    /// The job's error, as the portal would show it.
    pub error: Option<Report>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.title(), self.message)?;
        if let (Some(expected), Some(actual)) = (&self.expected, &self.actual) {
            write!(f, ": expected {expected}, was {actual}")?;
        }
        Ok(())
    }
}

impl Finding {
    /// A finding that is only a sentence.
    pub fn new(kind: FindingKind, message: impl Into<String>) -> Self {
        Self { kind, step: None, message: message.into(), expected: None, actual: None, error: None }
    }
    /// The same, at this step.
    #[must_use]
    pub fn at(mut self, step: u32, line: u32) -> Self {
        self.step = Some((step, line));
        self
    }
    /// The same, with what was expected and what was seen.
    #[must_use]
    pub fn compared(mut self, expected: impl Into<String>, actual: impl Into<String>) -> Self {
        self.expected = Some(expected.into());
        self.actual = Some(actual.into());
        self
    }
    /// The same, with the job's error.
    #[must_use]
    pub fn because(mut self, error: Option<Report>) -> Self {
        self.error = error;
        self
    }
}

/// Kinds of findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FindingKind {
    /// The file expects otherwise.
    ExpectationFailed,
    /// The oracle found a broken invariant.
    InvariantBroken,
    /// Two runs of one seed differ.
    Nondeterminism,
    /// A fault of the file never struck.
    FaultUnfired,
    /// The horizon passed, or nothing waits for a time any more.
    Stuck,
    /// The lab itself is at fault.
    LabBug,
}

impl FindingKind {
    /// The exit code of this kind.
    pub const fn exit(self) -> Exit {
        match self {
            Self::ExpectationFailed | Self::Stuck => Exit::ExpectationFailed,
            Self::InvariantBroken => Exit::InvariantBroken,
            Self::Nondeterminism => Exit::Nondeterminism,
            Self::FaultUnfired => Exit::FaultUnfired,
            Self::LabBug => Exit::LabBug,
        }
    }
    /// As reports head it.
    pub const fn title(self) -> &'static str {
        match self {
            Self::ExpectationFailed => "expectation failed",
            Self::InvariantBroken => "invariant broken",
            Self::Nondeterminism => "nondeterminism",
            Self::FaultUnfired => "fault unfired",
            Self::Stuck => "stuck",
            Self::LabBug => "bug of the lab",
        }
    }
}

/// Exit codes of `failback-lab`. The numbers are a promise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[repr(u8)]
pub enum Exit {
    /// All held.
    #[default]
    Held = 0,
    /// The command line was wrong.
    Usage = 2,
    /// A scenario file is invalid.
    Invalid = 3,
    /// Nothing ran.
    NothingRan = 4,
    /// An expectation failed.
    ExpectationFailed = 10,
    /// An invariant broke.
    InvariantBroken = 11,
    /// Two runs of one seed differed.
    Nondeterminism = 12,
    /// A fault never struck.
    FaultUnfired = 13,
    /// A gate was breached.
    GateBreached = 14,
    /// A timeline or replay differs.
    TimelineDiffers = 15,
    /// A shard is missing or torn.
    ShardMissing = 16,
    /// Disks differ.
    DisksDiffer = 20,
    /// A bug of the lab.
    LabBug = 70,
    /// Input or output failed.
    Io = 74,
}

/// From worst to best; what is not here never meets another code in one invocation.
const WORST_FIRST: [Exit; 10] = [
    Exit::LabBug,
    Exit::Io,
    Exit::Invalid,
    Exit::ShardMissing,
    Exit::Nondeterminism,
    Exit::InvariantBroken,
    Exit::ExpectationFailed,
    Exit::FaultUnfired,
    Exit::GateBreached,
    Exit::TimelineDiffers,
];

impl Exit {
    /// The number.
    pub const fn code(self) -> u8 {
        self as u8
    }
    /// The worse of the two.
    #[must_use]
    pub fn worst(self, other: Self) -> Self {
        let rank = |e: Self| WORST_FIRST.iter().position(|w| *w == e).unwrap_or(usize::MAX);
        if rank(other) < rank(self) || self == Self::Held { other } else { self }
    }
}
