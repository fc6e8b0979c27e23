//! The states a replicated item can be in, and what may be asked of it there.

use super::record::Verb;
use failback_wire::ids::Site;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Which way an item replicates; the provider on the wire follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Leg {
    /// On-premises to Azure: `InMageAzureV2`.
    Forward,
    /// Azure to on-premises: `InMage`.
    Reverse,
}

impl Leg {
    /// `providerSpecificDetails.instanceType` of an item on this leg.
    pub fn instance_type(self) -> &'static str {
        match self {
            Self::Forward => "InMageAzureV2",
            Self::Reverse => "InMage",
        }
    }
    /// The side whose copy is the source of replication on this leg.
    pub fn source(self) -> Site {
        match self {
            Self::Forward => Site::OnPremises,
            Self::Reverse => Site::Azure,
        }
    }
}

/// Health of an item; derived from what the monitor sees, never set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Health {
    /// All is well.
    #[default]
    Normal,
    /// Something deserves a look.
    Warning,
    /// Replication does not work.
    Critical,
}

impl Health {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "Normal",
            Self::Warning => "Warning",
            Self::Critical => "Critical",
        }
    }
}

/// Protection state. Variants are named as the wire names them; those that no recording shows (the
/// in-progress words and `ReprotectFailed`) are the lab's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ProtectionState {
    /// Enable protection runs.
    EnablingInProgress,
    /// Enable protection failed; it may be asked for again.
    EnablingFailed,
    /// The session is set up, no recovery point exists yet.
    InitialReplicationInProgress,
    /// Recovery points exist.
    Protected,
    /// A failover (or failback) runs.
    UnplannedFailoverInProgress,
    /// The same, asked for as planned.
    PlannedFailoverInProgress,
    /// A failover (or failback) failed; it may be asked for again.
    UnplannedFailoverFailed,
    /// The same, asked for as planned.
    PlannedFailoverFailed,
    /// A failover to Azure was cancelled after it had stopped the replication, which nothing starts again (C6).
    /// The name is ours.
    ReplicationStopped,
    /// Failed over (or back), not committed.
    UnplannedFailoverCommitPendingStatesBegin,
    /// The same, asked for as planned.
    CommitPendingStatesBegin,
    /// Commit runs.
    CommitInProgress,
    /// Committed, and not protected.
    UnplannedFailoverCommitted,
    /// Reprotect runs.
    ReprotectInProgress,
    /// Reprotect failed; it may be asked for again.
    ReprotectFailed,
    /// Protection comes to its end.
    DisablingInProgress,
    /// Protection did not come to its end; only a further attempt leads on.
    DisablingFailed,
    /// Not under protection any more: the last that is heard of an item.
    UnprotectedStatesBegin,
}

/// What an item may be asked for, in the wire's words (`allowedOperations`). Only what the product does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Allowed {
    /// Fail over, or back.
    UnplannedFailover,
    /// The same workflow under the other verb (section 6: classic accepts both).
    PlannedFailover,
    /// Commit.
    Commit,
    /// Reprotect, as recorded for VMware items.
    SwitchProtection,
    /// Disable protection, with or without cleaning up.
    DisableProtection,
    /// Complete the migration.
    CompleteMigration,
    /// Bring up a copy beside the replication.
    TestFailover,
    /// Delete that copy.
    TestFailoverCleanup,
    /// Another recovery point, before the commit of a failover to Azure.
    ChangePit,
    /// Compare with the target again; shown while the health is critical.
    RepairReplication,
}

impl Allowed {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnplannedFailover => "UnplannedFailover",
            Self::PlannedFailover => "PlannedFailover",
            Self::Commit => "Commit",
            Self::SwitchProtection => "SwitchProtection",
            Self::DisableProtection => "DisableProtection",
            Self::CompleteMigration => "CompleteMigration",
            Self::TestFailover => "TestFailover",
            Self::TestFailoverCleanup => "TestFailoverCleanup",
            Self::ChangePit => "ChangePit",
            Self::RepairReplication => "RepairReplication",
        }
    }
}

impl ProtectionState {
    /// Every state.
    pub const ALL: [Self; 18] = [
        Self::EnablingInProgress,
        Self::EnablingFailed,
        Self::InitialReplicationInProgress,
        Self::Protected,
        Self::UnplannedFailoverInProgress,
        Self::PlannedFailoverInProgress,
        Self::UnplannedFailoverFailed,
        Self::PlannedFailoverFailed,
        Self::ReplicationStopped,
        Self::UnplannedFailoverCommitPendingStatesBegin,
        Self::CommitPendingStatesBegin,
        Self::CommitInProgress,
        Self::UnplannedFailoverCommitted,
        Self::ReprotectInProgress,
        Self::ReprotectFailed,
        Self::DisablingInProgress,
        Self::DisablingFailed,
        Self::UnprotectedStatesBegin,
    ];

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EnablingInProgress => "EnablingInProgress",
            Self::EnablingFailed => "EnablingFailed",
            Self::InitialReplicationInProgress => "InitialReplicationInProgress",
            Self::Protected => "Protected",
            Self::UnplannedFailoverInProgress => "UnplannedFailoverInProgress",
            Self::PlannedFailoverInProgress => "PlannedFailoverInProgress",
            Self::UnplannedFailoverFailed => "UnplannedFailoverFailed",
            Self::PlannedFailoverFailed => "PlannedFailoverFailed",
            Self::ReplicationStopped => "ReplicationStopped",
            Self::UnplannedFailoverCommitPendingStatesBegin => "UnplannedFailoverCommitPendingStatesBegin",
            Self::CommitPendingStatesBegin => "CommitPendingStatesBegin",
            Self::CommitInProgress => "CommitInProgress",
            Self::UnplannedFailoverCommitted => "UnplannedFailoverCommitted",
            Self::ReprotectInProgress => "ReprotectInProgress",
            Self::ReprotectFailed => "ReprotectFailed",
            Self::DisablingInProgress => "DisablingInProgress",
            Self::DisablingFailed => "DisablingFailed",
            Self::UnprotectedStatesBegin => "UnprotectedStatesBegin",
        }
    }

    /// The sentence beside it.
    pub fn description(self) -> &'static str {
        match self {
            Self::EnablingInProgress => "Enabling protection",
            Self::EnablingFailed => "Protection couldn't be enabled",
            Self::InitialReplicationInProgress => "Initial replication is in progress",
            Self::Protected => "Protected",
            Self::UnplannedFailoverInProgress => "Failover is in progress",
            Self::PlannedFailoverInProgress => "Planned failover is in progress",
            Self::UnplannedFailoverFailed => "Failover failed",
            Self::PlannedFailoverFailed => "Planned failover failed",
            Self::ReplicationStopped => "Failover cancelled, replication stopped",
            Self::UnplannedFailoverCommitPendingStatesBegin => "Failover completed",
            Self::CommitPendingStatesBegin => "Planned failover finished",
            Self::CommitInProgress => "Committing failover",
            Self::UnplannedFailoverCommitted => "Failover committed",
            Self::ReprotectInProgress => "Reprotect is in progress",
            Self::ReprotectFailed => "Reprotect failed",
            Self::DisablingInProgress => "Disabling protection",
            Self::DisablingFailed => "Protection couldn't be disabled",
            Self::UnprotectedStatesBegin => "Not protected",
        }
    }

    /// The same state as a failover under `verb` shows it.
    #[must_use]
    pub fn under(self, verb: Verb) -> Self {
        match (verb, self) {
            (Verb::Planned, Self::UnplannedFailoverInProgress) => Self::PlannedFailoverInProgress,
            (Verb::Planned, Self::UnplannedFailoverFailed) => Self::PlannedFailoverFailed,
            (Verb::Planned, Self::UnplannedFailoverCommitPendingStatesBegin) => {
                Self::CommitPendingStatesBegin
            }
            (Verb::Planned | Verb::Unplanned, state) => state,
        }
    }

    /// True when no operation runs: a state in which an item may stay.
    pub fn is_rest(self) -> bool {
        match self {
            Self::EnablingInProgress
            | Self::UnplannedFailoverInProgress
            | Self::PlannedFailoverInProgress
            | Self::CommitInProgress
            | Self::ReprotectInProgress
            | Self::DisablingInProgress => false,
            Self::EnablingFailed
            | Self::InitialReplicationInProgress
            | Self::Protected
            | Self::UnplannedFailoverFailed
            | Self::PlannedFailoverFailed
            | Self::ReplicationStopped
            | Self::UnplannedFailoverCommitPendingStatesBegin
            | Self::CommitPendingStatesBegin
            | Self::UnplannedFailoverCommitted
            | Self::ReprotectFailed
            | Self::DisablingFailed
            | Self::UnprotectedStatesBegin => true,
        }
    }

    /// What may be asked of an item on `leg` in this state, as recorded for VMware items (section 3 of the wire).
    pub fn allowed(self, leg: Leg) -> &'static [Allowed] {
        use Allowed::{
            Commit, CompleteMigration, DisableProtection, PlannedFailover, SwitchProtection,
            UnplannedFailover,
        };
        match (self, leg) {
            // As a recorded sample has it: the verb that failed may be repeated.
            (Self::UnplannedFailoverFailed, Leg::Forward) => &[UnplannedFailover, DisableProtection],
            (
                Self::Protected
                | Self::UnplannedFailoverFailed
                | Self::PlannedFailoverFailed
                | Self::ReplicationStopped,
                _,
            ) => &[UnplannedFailover, PlannedFailover, DisableProtection],
            (
                Self::UnplannedFailoverCommitPendingStatesBegin | Self::CommitPendingStatesBegin,
                Leg::Forward,
            ) => &[CompleteMigration, Commit, DisableProtection],
            (
                Self::UnplannedFailoverCommitPendingStatesBegin | Self::CommitPendingStatesBegin,
                Leg::Reverse,
            ) => &[Commit, DisableProtection],
            // Only on the way to Azure there is something to migrate (ours: the recorded list does not tell legs apart).
            (Self::UnplannedFailoverCommitted | Self::ReprotectFailed, Leg::Forward) => {
                &[CompleteMigration, DisableProtection, SwitchProtection]
            }
            (Self::UnplannedFailoverCommitted | Self::ReprotectFailed, Leg::Reverse) => {
                &[DisableProtection, SwitchProtection]
            }
            // Whatever way out was begun may be repeated.
            (Self::DisablingFailed, Leg::Forward) => &[CompleteMigration, DisableProtection],
            (Self::EnablingFailed | Self::InitialReplicationInProgress, _)
            | (Self::DisablingFailed, Leg::Reverse) => &[DisableProtection],
            (
                Self::EnablingInProgress
                | Self::UnplannedFailoverInProgress
                | Self::PlannedFailoverInProgress
                | Self::CommitInProgress
                | Self::ReprotectInProgress
                | Self::DisablingInProgress
                | Self::UnprotectedStatesBegin,
                _,
            ) => &[],
        }
    }

    /// True after a failover, or failback, until its commit.
    pub fn is_uncommitted(self) -> bool {
        matches!(self, Self::UnplannedFailoverCommitPendingStatesBegin | Self::CommitPendingStatesBegin)
    }

    /// True while a session should feed recovery points.
    pub fn is_replicating(self) -> bool {
        matches!(self, Self::InitialReplicationInProgress | Self::Protected)
    }
}

impl fmt::Display for ProtectionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
