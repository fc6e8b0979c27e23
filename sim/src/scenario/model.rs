//! Scenario files (`*.scenario.yaml`) as written.
//!
//! Enums are tagged from outside (`failover: {…}`), never by a field, so that errors keep their place.

use super::asks::asks;
pub use super::beside::{MoveProcessServer, Resynchronise};
use super::estate::{Estate, Side};
pub use super::expect::{
    DataExpect, Equals, EventExpect, Expect, ItemExpect, Lost, Power, ProtectableExpect, Row, ServerExpect,
    Shown, Takes, VaultExpect, VmExpect, Waiting,
};
use super::fault::{Change, When};
pub use super::plans::{Confirm, DeletePlan, MemberInputs, Paused, SavePlan};
pub use super::points::{PointPick, RecoveryPoint};
pub use super::protection::{
    Cancel, CancelBy, EnableProtection, Leave, PolicyChange, PolicySettings, PolicyStep, RenewCertificate,
};
use super::text::{Name, Spanned};
use super::units::Period;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version of the format this build reads.
pub const SCHEMA: &str = "failback-lab/1";
/// How long an operation may take when its step does not say.
pub const DEFAULT_WITHIN: Period = Period::hours(2);

/// A scenario: an estate, what happens to it, and what must hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Scenario {
    /// Version of the format: `failback-lab/1`.
    pub schema: Name,
    /// Name, as results show it: `happy/windows-original-location`.
    pub name: Name,
    /// What it shows, in a paragraph.
    pub about: String,
    /// Why nothing leads on from where it ends, when the domain knows no remedy: what must hold there says that
    /// nothing is lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead_end: Option<String>,
    /// Keys of the facts it covers: `P17`, `C16`.
    #[serde(default)]
    pub covers: Vec<Name>,
    /// The estate file, relative to this file: `../estates/small.estate.yaml`. It must lie in the scenarios'
    /// folder: the nearest one above this file that is named `scenarios`, or else the current directory or the
    /// folder above this file's own, whichever is wider. No link leads out of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estate: Option<Name>,
    /// The estate itself, instead of a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inline_estate: Option<Estate>,
    /// Seed of everything random; default 1.
    #[serde(default = "one")]
    pub seed: u64,
    /// How calls travel.
    #[serde(default)]
    pub wire: Wire,
    /// Who asks for what steps say.
    #[serde(default)]
    pub operator: Operator,
    /// Virtual time after which the run counts as stuck; default 72 h.
    #[serde(default = "three_days")]
    pub horizon: Spanned<Period>,
    /// What happens, in order.
    pub steps: Vec<Spanned<Step>>,
    /// What must hold at the end.
    #[serde(default)]
    pub expect: Expect,
}

/// How calls travel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Wire {
    /// Straight into the callee's router.
    #[default]
    Direct,
    /// As HTTP/1.1 over a pipe in memory.
    Http1,
}

impl Wire {
    /// The other one.
    pub fn other(self) -> Self {
        match self {
            Self::Direct => Self::Http1,
            Self::Http1 => Self::Direct,
        }
    }
}

/// One thing that happens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Fail over to Azure.
    Failover(Failover),
    /// Commit the failover or failback.
    Commit(Commit),
    /// Replicate the other way round.
    Reprotect(Reprotect),
    /// Fail over from Azure.
    Failback(Failback),
    /// Bring up a copy in Azure beside the replication.
    TestFailover(TestFailover),
    /// Delete what a test failover made.
    CleanUpTestFailover(CleanUpTestFailover),
    /// Make the machine in Azure anew from another recovery point.
    ChangeRecoveryPoint(ChangeRecoveryPoint),
    /// Let another process server carry the replication (P13).
    MoveProcessServer(MoveProcessServer),
    /// Compare a machine with its target again (C2).
    Resynchronise(Resynchronise),
    /// Ask again for what the last job did not do.
    RestartJob(RestartJob),
    /// Ask a running operation to stop.
    Cancel(Cancel),
    /// Bring a machine under protection.
    EnableProtection(EnableProtection),
    /// Disable its protection "and remove": clean up.
    DisableProtection(Leave),
    /// Remove it from the vault alone.
    RemoveProtection(Leave),
    /// Complete its migration to Azure.
    CompleteMigration(Leave),
    /// Change a replication policy, or its association with the configuration server.
    Policy(PolicyStep),
    /// Renew the certificate of the configuration server in the portal (P6).
    RenewCertificate(RenewCertificate),
    /// Save a recovery plan.
    SavePlan(SavePlan),
    /// Delete a recovery plan.
    DeletePlan(DeletePlan),
    /// Confirm the manual action that a plan waits for.
    Confirm(Confirm),
    /// Let virtual time pass.
    Wait(Spanned<Period>),
    /// Let virtual time pass until something is so.
    WaitUntil(WaitUntil),
    /// A guest writes more than its workload does.
    Write(Write),
    /// A fault strikes now.
    Inject(Change),
    /// A fault waits for its moment.
    Arm(Box<Arm>),
    /// An armed fault is taken away.
    Clear(Name),
    /// The operator changes the world at its own consoles.
    Operator(Change),
    /// A node's software dies.
    Crash(Crash),
    /// A node's software starts again.
    Restart(NodeStep),
    /// What must hold now.
    Check(Expect),
}

asks! {
    /// Fail over to Azure (C3 to C7).
    pub struct Failover of an item or a plan {
        /// Which recovery point.
        #[serde(default)]
        pub point: RecoveryPoint,
        /// Whether the source is shut down first (C4); default true.
        #[serde(default = "yes")]
        pub shutdown_source: bool,
        /// The static address of its network card in Azure; default: the network gives it one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub address: Option<Name>,
        /// Planned or unplanned.
        #[serde(default)]
        pub verb: Verb,
    }
}

asks! {
    /// Commit (C8, C20).
    pub struct Commit of an item or a plan {}
}

asks! {
    /// Replicate the other way round (C9 to C14, C21).
    pub struct Reprotect of an item or a plan {
        /// Where to.
        pub to: Side,
        /// Through what; what is left out is chosen to fit each machine.
        #[serde(default)]
        pub using: ReprotectInputs,
        /// Other inputs for single members of a plan, or `none` (G3).
        #[serde(default)]
        pub members: BTreeMap<Name, MemberInputs>,
    }
}

/// Inputs of a reprotect (C9). The name `none` leaves an input out of the request.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ReprotectInputs {
    /// The master target; default: the first of the machine's operating system family.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub master_target: Option<Name>,
    /// The process server; default: the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process_server: Option<Name>,
    /// The datastore; default: the machine's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datastore: Option<Name>,
    /// The retention volume; default: the master target's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<Name>,
    /// The disks, by their ids (`web01-disk0`); default: none are named, which means all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disks: Option<Vec<Name>>,
}

asks! {
    /// Fail over from Azure (C15 to C18).
    pub struct Failback of an item or a plan {
        /// Which recovery point (R3).
        #[serde(default)]
        pub point: RecoveryPoint,
        /// Planned or unplanned; a classic item accepts both.
        #[serde(default)]
        pub verb: Verb,
    }
}

asks! {
    /// Bring up a copy in Azure beside the replication, which goes on.
    pub struct TestFailover of an item or a plan {
        /// Which recovery point.
        #[serde(default)]
        pub point: RecoveryPoint,
        /// The virtual network it comes up in (`failover-vnet`); default: in none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub network: Option<Name>,
        /// The static address of its network card there; default: the network gives it one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub address: Option<Name>,
    }
}

asks! {
    /// Delete what a test failover made, and nothing else.
    pub struct CleanUpTestFailover of an item or a plan {}
}

asks! {
    /// Make the machine in Azure anew from another recovery point, before the commit (C7).
    pub struct ChangeRecoveryPoint {
        /// The item.
        pub item: Option<Name>,
        /// Which of the points on offer.
        pub point: PointPick,
    }
}

asks! {
    /// Ask again, through the last job of an item or a plan, for what it did not do.
    pub struct RestartJob of an item or a plan {}
}

/// Which call the operator makes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verb {
    /// `plannedFailover`.
    Planned,
    /// `unplannedFailover`.
    #[default]
    Unplanned,
}

/// How an operation must end.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// The job succeeds.
    #[default]
    Succeeded,
    /// The request is refused and touches nothing.
    Refused(Refused),
    /// The job starts and fails.
    Failed(Failed),
    /// The job starts; the next step comes while it runs.
    Started,
    /// The job of a plan waits for a person; `confirm` lets it go on.
    Paused(Paused),
    /// However it ends, or is refused.
    Anything,
}

/// Who asks for what steps say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Operator {
    /// Does each step once, and expects what the step says.
    #[default]
    Strict,
    /// Asks again for what was to succeed and did not, until faults are over and it does. Meanwhile machines, servers
    /// and jobs may show anything.
    Persistent,
}

impl Ending {
    /// Every code that it names.
    pub fn codes(&self) -> Vec<&Name> {
        match self {
            Self::Refused(refused) => {
                refused.codes.iter().chain(&refused.includes).chain(&refused.beneath).collect()
            }
            Self::Failed(failed) => [&failed.code].into_iter().chain(&failed.also).collect(),
            Self::Succeeded | Self::Started | Self::Paused(_) | Self::Anything => Vec::new(),
        }
    }
}

/// A refusal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Refused {
    /// Exactly these codes, in any order; or else `includes`. `failback-lab explain --list` lists them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub codes: Vec<Name>,
    /// Codes that the first of them stands for, each once, with causes and what to do; default: whatever it does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub beneath: Vec<Name>,
    /// At least these codes, whatever else does not hold; or else `codes`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub includes: Vec<Name>,
}

/// A failed job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Failed {
    /// The job's error. `failback-lab explain --list` lists them.
    pub code: Name,
    /// The task that failed; default: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<Name>,
    /// Codes that the job shows besides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<Name>,
}

/// Let virtual time pass until all that is given here is so.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct WaitUntil {
    /// The item.
    pub item: Name,
    /// Its state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<ItemState>,
    /// Its health.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
    /// It offers at least this many recovery points.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub points: Option<Spanned<u32>>,
    /// It offers at least this many application-consistent recovery points.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_points: Option<Spanned<u32>>,
    /// Within which virtual time; default 2 h.
    #[serde(default = "default_within")]
    pub within: Spanned<Period>,
}

/// A guest writes more than its workload does, in the copy that runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Write {
    /// The machine.
    pub machine: Name,
    /// How many blocks of 4 KiB, spread over its disks.
    pub blocks: Spanned<u32>,
}

/// A fault that waits for its moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Arm {
    /// A name for it, for `clear` and for reports; default: its step's number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Name>,
    /// What happens; or else `crash`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<Change>,
    /// Whose software dies; or else `fault`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crash: Option<Crash>,
    /// When. A `call` fault needs none: the call it names is the moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<When>,
    /// What ends it, and when; default: nothing does but later steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends: Option<Ends>,
}

/// What ends a fault that has struck. Where there is nothing left to end, nothing happens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Ends {
    /// How long after it struck.
    pub after: Spanned<Period>,
    /// What is done.
    pub by: Change,
}

/// A node's software dies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Crash {
    /// Its name: `orchestrator`, `cs`, `ps-azure`, `mt-windows`, `web01@azure`.
    pub node: Name,
    /// It starts again by itself after this time; default: at a `restart` step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart_after: Option<Spanned<Period>>,
}

/// A node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct NodeStep {
    /// Its name: `orchestrator`, `cs`, `ps-azure`, `mt-windows`, `web01@azure`.
    pub node: Name,
}

/// States of a replicated item, in the lab's own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ItemState {
    /// Is not under protection: there is no such item.
    Unprotected,
    /// Its protection comes to its end.
    Disabling,
    /// Its protection did not come to its end.
    DisablingFailed,
    /// Comes under protection.
    Enabling,
    /// Did not come under protection.
    EnablingFailed,
    /// A commit, in either direction, runs.
    Committing,
    /// Replicates to Azure.
    Protected,
    /// Fails over to Azure.
    FailingOver,
    /// A failover to Azure failed; it may be asked for again.
    FailoverFailed,
    /// A failover to Azure was cancelled after it had stopped the replication.
    ReplicationStopped,
    /// Runs in Azure, the point may still change.
    FailedOver,
    /// Runs in Azure, unprotected.
    FailoverCommitted,
    /// Prepares to replicate home.
    Reprotecting,
    /// A reprotect, in either direction, failed; it may be asked for again.
    ReprotectFailed,
    /// Copies home, without a recovery point yet.
    ReverseSyncing,
    /// Replicates home.
    ReverseProtected,
    /// Fails over from Azure.
    FailingBack,
    /// A failback failed; it may be asked for again.
    FailbackFailed,
    /// Runs at home, Azure's copy still exists.
    FailedBack,
    /// Runs at home, unprotected.
    FailbackCommitted,
    /// Prepares to replicate to Azure again.
    ForwardReprotecting,
    /// Copies to Azure again, without a recovery point yet.
    ForwardSyncing,
}

/// Replication health of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Health {
    /// Nothing to report.
    Normal,
    /// Something to look at.
    Warning,
    /// Something that stops a failback (C15).
    Critical,
}

fn one() -> u64 {
    1
}
fn yes() -> bool {
    true
}
fn three_days() -> Spanned<Period> {
    Spanned::unplaced(Period::hours(72))
}
pub(super) fn default_within() -> Spanned<Period> {
    Spanned::unplaced(DEFAULT_WITHIN)
}
