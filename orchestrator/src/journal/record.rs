//! What the journal holds: one record for everything that was decided, begun, done, failed or undone.

use super::item::Fact;
use super::plan::{Plan, PlanAction};
use super::policy::Policy;
use super::state::{Leg, ProtectionState};
use failback_wire::clock::VirtualMs;
use failback_wire::error::Report;
use failback_wire::event::PointKind;
use failback_wire::ids::{DiskId, GroupName, JobId, MachineName, PointId, Site};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// What the product can be asked to do with an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// Bring a machine under protection: replicate it to Azure.
    EnableProtection,
    /// Fail over to Azure.
    Failover,
    /// Commit a failover to Azure.
    Commit,
    /// Reprotect: replicate from Azure to on-premises.
    Reprotect,
    /// Fail back from Azure.
    Failback,
    /// Commit a failback: deletes the Azure VM.
    CommitBack,
    /// Reprotect: replicate from on-premises to Azure again.
    ReprotectForward,
    /// Disable protection "and remove": ends it and cleans up (C23).
    Disable,
    /// "Remove": ends it in the vault alone, for a source that cannot be reached (C23).
    Purge,
    /// Complete the migration: the machine stays in Azure for good (C23).
    CompleteMigration,
    /// Bring up a copy of a recovery point in Azure beside the replication, to look at it.
    TestFailover,
    /// Delete what a test failover made.
    CleanUpTest,
    /// Make the machine in Azure anew from another recovery point, before the commit.
    ChangePoint,
    /// Let another process server carry the replication (P13).
    MoveServer,
    /// Compare everything with the target again (C2).
    Resynchronise,
}

impl Operation {
    /// Every operation.
    pub const ALL: [Self; 15] = [
        Self::EnableProtection,
        Self::Failover,
        Self::Commit,
        Self::Reprotect,
        Self::Failback,
        Self::CommitBack,
        Self::ReprotectForward,
        Self::Disable,
        Self::Purge,
        Self::CompleteMigration,
        Self::TestFailover,
        Self::CleanUpTest,
        Self::ChangePoint,
        Self::MoveServer,
        Self::Resynchronise,
    ];
    /// Its name in events and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EnableProtection => "enable-protection",
            Self::Failover => "failover",
            Self::Commit => "commit",
            Self::Reprotect => "reprotect",
            Self::Failback => "failback",
            Self::CommitBack => "commit-back",
            Self::ReprotectForward => "reprotect-forward",
            Self::Disable => "disable-protection",
            Self::Purge => "remove-protection",
            Self::CompleteMigration => "complete-migration",
            Self::TestFailover => "test-failover",
            Self::CleanUpTest => "clean-up-test-failover",
            Self::ChangePoint => "change-recovery-point",
            Self::MoveServer => "move-process-server",
            Self::Resynchronise => "resynchronise",
        }
    }
    /// How an item leaves the vault when this operation succeeds; `None` for those that keep it.
    pub fn ends(self) -> Option<Leaving> {
        match self {
            Self::Disable => Some(Leaving::Disabled),
            Self::Purge => Some(Leaving::Removed),
            Self::CompleteMigration => Some(Leaving::Migrated),
            Self::EnableProtection
            | Self::Failover
            | Self::Commit
            | Self::Reprotect
            | Self::Failback
            | Self::CommitBack
            | Self::ReprotectForward
            | Self::TestFailover
            | Self::CleanUpTest
            | Self::ChangePoint
            | Self::MoveServer
            | Self::Resynchronise => None,
        }
    }
    /// True when the item shows the same protection state before, meanwhile and afterwards.
    pub fn keeps_state(self) -> bool {
        self.is_aside() || self == Self::ChangePoint
    }
    /// True when it has nothing to do with where production runs: what other operations noted stays.
    pub fn is_aside(self) -> bool {
        matches!(self, Self::TestFailover | Self::CleanUpTest | Self::MoveServer | Self::Resynchronise)
    }
}

/// How a machine left protection (C23).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Leaving {
    /// Protection was disabled, and everything cleaned up.
    Disabled,
    /// It was removed from the vault alone.
    Removed,
    /// Its migration was completed.
    Migrated,
}

/// The verb a failover was asked for with; classic does the same under both (section 6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verb {
    /// `unplannedFailover`.
    #[default]
    Unplanned,
    /// `plannedFailover`.
    Planned,
}

/// Which recovery point a failover is to settle on (R3, R4, R5).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PointChoice {
    /// Process what was received, then take the newest (`LatestTime`, `Latest`).
    #[default]
    Latest,
    /// The newest that exists already (`LatestProcessed`).
    LatestProcessed,
    /// The newest crash-consistent one (`LatestCrashConsistent`).
    Crash,
    /// The newest application-consistent one; for a group the newest common one (`LatestTag`).
    Application,
    /// For a group the newest common point that exists already, for others their newest (`LatestProcessed` with
    /// `useMultiVmSyncPoint`).
    MultiVmProcessed,
    /// The same of application-consistent points (`LatestApplicationConsistent` with it).
    MultiVmApplication,
    /// This very point; never offered for plans.
    Custom(PointId),
}

impl PointChoice {
    /// For reports.
    pub fn words(&self) -> &'static str {
        match self {
            Self::Latest => "latest",
            Self::LatestProcessed => "latest processed",
            Self::Crash => "crash-consistent",
            Self::Application => "application-consistent",
            Self::MultiVmProcessed => "multi-VM processed",
            Self::MultiVmApplication => "multi-VM application-consistent",
            Self::Custom(_) => "a point by its id",
        }
    }
    /// The kind of point it wants, if only one will do.
    pub fn kind(&self) -> Option<PointKind> {
        match self {
            Self::Crash => Some(PointKind::Crash),
            Self::Application | Self::MultiVmApplication => Some(PointKind::Application),
            Self::Latest | Self::LatestProcessed | Self::MultiVmProcessed | Self::Custom(_) => None,
        }
    }
    /// True when it is offered only where there are replication groups (R5).
    pub fn is_multi_vm(&self) -> bool {
        matches!(self, Self::MultiVmProcessed | Self::MultiVmApplication)
    }
    /// True when all members of a group go to one common point (R4).
    pub fn is_common(&self) -> bool {
        self.is_multi_vm() || *self == Self::Application
    }
    /// True when it takes what there is, without any processing (R5).
    pub fn is_processed(&self) -> bool {
        matches!(self, Self::LatestProcessed | Self::MultiVmProcessed)
    }
}

/// What an operator asked for one item; fields an operation does not use are at their defaults.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// Failover, failback: the verb.
    pub verb: Verb,
    /// Failover: try to shut the source down first (C3). A failback always does.
    pub shutdown: bool,
    /// Failover, failback: which point.
    pub point: PointChoice,
    /// Enable, reprotect: id of the process server; of a move: the one that is to serve the item.
    pub process_server: Option<String>,
    /// Of a move: id of the process server that serves the item now (P13).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_server: Option<String>,
    /// Reprotect to on-premises: id of the master target.
    pub master_target: Option<String>,
    /// Reprotect to on-premises: datastore for new disks; required even where it is ignored (C9).
    pub datastore: Option<String>,
    /// Reprotect to on-premises: mount of the retention volume (P27).
    pub retention: Option<String>,
    /// Enable, reprotect: name of the replication policy (P10).
    pub policy: Option<String>,
    /// Enable, reprotect to Azure: storage account of the seed blobs.
    pub storage_account: Option<String>,
    /// Enable: name of the virtual machine in vCenter.
    pub vm_name: Option<String>,
    /// Enable: name the machine gets in Azure.
    pub azure_name: Option<String>,
    /// Enable: replication group (G1).
    pub group: Option<GroupName>,
    /// Reprotect to on-premises: labels of volumes whose disks, when they hold nothing else, are left out (C9).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
    /// Enable, reprotect to on-premises: the disks, all when none are named (P37, C9).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub include: Option<Vec<DiskId>>,
    /// Failover, test failover: the static address of the network card in Azure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Test failover: the virtual network it comes up in; in none without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// Enable: the machine keeps its on-premises address in Azure (P7).
    #[serde(default)]
    pub keep_address: bool,
}

/// What a job works on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// One replicated item.
    Item(MachineName),
    /// A recovery plan.
    Plan(String),
    /// A process server, of whose machines several are moved to another one.
    ProcessServer(String),
}

impl Target {
    /// The target's name.
    pub fn name(&self) -> &str {
        match self {
            Self::Item(name) => name.as_str(),
            Self::Plan(name) | Self::ProcessServer(name) => name,
        }
    }
    /// The plan's name, when it is one.
    pub fn plan(&self) -> Option<&str> {
        match self {
            Self::Item(_) | Self::ProcessServer(_) => None,
            Self::Plan(name) => Some(name),
        }
    }
}

/// Everything about a request that its job needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// The job it became.
    pub job: JobId,
    /// What is to be done.
    pub operation: Operation,
    /// To what.
    pub target: Target,
    /// Members in boot order: one group with one member for an item.
    pub groups: Vec<Vec<MachineName>>,
    /// What was asked for each member.
    pub inputs: BTreeMap<MachineName, Input>,
    /// Members of a plan that are already where the operation would bring them (L1).
    pub skipped: Vec<MachineName>,
    /// What the plan asks for beside its machines (L3).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<PlanAction>,
    /// `x-ms-client-request-id`, and the key under which a repeated request finds this job again.
    pub client_request: Option<String>,
    /// See `client_request`.
    pub dedupe: Option<String>,
}

/// How a member of a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// All steps done.
    Succeeded,
    /// A step failed; what could be undone was.
    Failed,
    /// Somebody asked it to stop, and it did; what could be undone was.
    Cancelled,
}

/// Where an item comes to rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rest {
    /// Protection state.
    pub state: ProtectionState,
    /// Leg.
    pub leg: Leg,
    /// The side that carries production.
    pub active: Site,
}

/// One entry of the journal.
#[expect(missing_docs, reason = "the fields are named by what they hold; each variant says what happened")]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Record {
    /// A request became a job.
    Accepted { at: VirtualMs, request: Accepted },
    /// The job's preconditions do not hold; the job is over and touched nothing.
    Refused { at: VirtualMs, job: JobId, reports: Vec<Report> },
    /// The job's preconditions hold: its members enter `running`, from now on it has effects.
    Prechecked {
        at: VirtualMs,
        job: JobId,
        scenario: String,
        running: ProtectionState,
        warnings: BTreeMap<MachineName, Vec<Report>>,
    },
    /// Somebody asked the job to stop; `dedupe` is the key under which the same request, sent again, finds that out.
    CancelAsked { at: VirtualMs, job: JobId, dedupe: Option<String> },
    /// A step began; `key` is the same for every attempt.
    StepStarted { at: VirtualMs, job: JobId, member: MachineName, step: String, key: String },
    /// A step is done.
    StepDone { at: VirtualMs, job: JobId, member: MachineName, step: String, facts: Vec<Fact> },
    /// A step failed for good: its member unwinds.
    StepFailed { at: VirtualMs, job: JobId, member: MachineName, step: String, report: Report },
    /// What a step did was taken back.
    StepUndone { at: VirtualMs, job: JobId, member: MachineName, step: String, facts: Vec<Fact> },
    /// What a step did could not be taken back; unwinding stops there.
    UndoFailed { at: VirtualMs, job: JobId, member: MachineName, step: String, report: Report },
    /// A member of the job is through; its item comes to rest, or stays `halfway` for a further attempt.
    MemberEnded {
        at: VirtualMs,
        job: JobId,
        member: MachineName,
        outcome: Outcome,
        rest: Rest,
        halfway: bool,
    },
    /// The job is over.
    JobEnded { at: VirtualMs, job: JobId, outcome: Outcome },
    /// An item changed outside a job: its first recovery point came.
    ItemChanged { at: VirtualMs, item: MachineName, state: ProtectionState },
    /// An action of the job's plan, by its place among them, began.
    ActionStarted { at: VirtualMs, job: JobId, action: usize },
    /// An action is over: done, or `passed_over` for this reason. `comment` is what the person said who confirmed it,
    /// `request` that person's `x-ms-client-request-id`.
    ActionEnded {
        at: VirtualMs,
        job: JobId,
        action: usize,
        passed_over: Option<String>,
        comment: Option<String>,
        request: Option<String>,
    },
    /// A recovery plan was created or replaced.
    PlanSaved { at: VirtualMs, plan: Plan },
    /// A recovery plan was deleted.
    PlanDeleted { at: VirtualMs, name: String },
    /// A replication policy was created, replaced, associated or dissociated.
    PolicySaved { at: VirtualMs, policy: Policy },
    /// A replication policy was deleted.
    PolicyDeleted { at: VirtualMs, name: String },
    /// A request that becomes no job was done; sent again under this key, it is not done again (I7).
    Answered { at: VirtualMs, key: String },
}

/// The names of all kinds of records.
pub const KINDS: [&str; 19] = [
    "accepted",
    "action-ended",
    "action-started",
    "answered",
    "cancel-asked",
    "item-changed",
    "job-ended",
    "member-ended",
    "plan-deleted",
    "plan-saved",
    "policy-deleted",
    "policy-saved",
    "prechecked",
    "refused",
    "step-done",
    "step-failed",
    "step-started",
    "step-undone",
    "undo-failed",
];

impl Record {
    /// What its commit is called: its kind, and behind a slash the step that it is of, if it is of one.
    pub fn label(&self) -> Cow<'static, str> {
        match self {
            Self::StepStarted { step, .. }
            | Self::StepDone { step, .. }
            | Self::StepFailed { step, .. }
            | Self::StepUndone { step, .. }
            | Self::UndoFailed { step, .. } => format!("{}/{step}", self.kind()).into(),
            Self::Accepted { .. }
            | Self::Refused { .. }
            | Self::Prechecked { .. }
            | Self::CancelAsked { .. }
            | Self::MemberEnded { .. }
            | Self::JobEnded { .. }
            | Self::ItemChanged { .. }
            | Self::ActionStarted { .. }
            | Self::ActionEnded { .. }
            | Self::PlanSaved { .. }
            | Self::PlanDeleted { .. }
            | Self::PolicySaved { .. }
            | Self::PolicyDeleted { .. }
            | Self::Answered { .. } => self.kind().into(),
        }
    }
    /// Its name, one of [`KINDS`]; crash points are told apart by it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Accepted { .. } => "accepted",
            Self::Refused { .. } => "refused",
            Self::Prechecked { .. } => "prechecked",
            Self::CancelAsked { .. } => "cancel-asked",
            Self::StepStarted { .. } => "step-started",
            Self::StepDone { .. } => "step-done",
            Self::StepFailed { .. } => "step-failed",
            Self::StepUndone { .. } => "step-undone",
            Self::UndoFailed { .. } => "undo-failed",
            Self::MemberEnded { .. } => "member-ended",
            Self::JobEnded { .. } => "job-ended",
            Self::ItemChanged { .. } => "item-changed",
            Self::ActionStarted { .. } => "action-started",
            Self::ActionEnded { .. } => "action-ended",
            Self::PlanSaved { .. } => "plan-saved",
            Self::PlanDeleted { .. } => "plan-deleted",
            Self::PolicySaved { .. } => "policy-saved",
            Self::PolicyDeleted { .. } => "policy-deleted",
            Self::Answered { .. } => "answered",
        }
    }
}
