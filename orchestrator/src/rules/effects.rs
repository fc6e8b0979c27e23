//! What follows from a rule while an operation runs: the steps of workflows by the keys that ask for them.

use crate::journal::Operation::{
    self, Commit, CommitBack, Disable, Failback, Failover, MoveServer, Purge, Reprotect, ReprotectForward,
    Resynchronise,
};
use failback_wire::env::Env;

/// A step that there is because of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effect {
    /// Key of `KEYS.md`.
    pub key: &'static str,
    /// In which operation.
    pub operation: Operation,
    /// Which of its steps.
    pub step: &'static str,
}

const fn effect(key: &'static str, operation: Operation, step: &'static str) -> Effect {
    Effect { key, operation, step }
}

/// Every effect, in the order of the life of an item.
pub static EFFECTS: &[Effect] = &[
    effect("P13", MoveServer, "agent"),
    effect("P37", Resynchronise, "fit"),
    effect("C2", Resynchronise, "agent"),
    effect("C3", Failover, "shut-down-source"),
    effect("C4", Failover, "shut-down-source"),
    effect("C4", Failover, "stop-replication"),
    effect("C5", Failover, "adapt-guest"),
    effect("C8", Commit, "drop-points"),
    effect("C11", Reprotect, "power-off"),
    effect("P17", Reprotect, "merge-snapshots"),
    effect("P35", Reprotect, "create-vm"),
    effect("P36", Reprotect, "create-vm"),
    effect("C11", Reprotect, "detach"),
    effect("C11", Reprotect, "attach"),
    effect("C12", Reprotect, "attach"),
    effect("C16", Failback, "stop-azure"),
    effect("C16", Failback, "drain"),
    effect("C16", Failback, "roll"),
    effect("C16", Failback, "detach"),
    effect("C17", Failback, "power-on"),
    effect("C5", Failback, "enable-tools"),
    effect("P38", Failback, "enable-tools"),
    effect("C20", CommitBack, "delete-vm"),
    effect("C21", ReprotectForward, "agent"),
    effect("C23", Disable, "forget-session"),
    effect("C12", Disable, "return-disks"),
    effect("C23", Disable, "row"),
    effect("C23", Purge, "leave-behind"),
];

/// True unless the step is there for a rule that does not hold in this run.
pub(crate) fn takes_place(env: &Env, operation: Operation, step: &str) -> bool {
    EFFECTS.iter().all(|e| e.operation != operation || e.step != step || env.holds(e.key))
}
