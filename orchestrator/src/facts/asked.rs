//! What a request asks for, against what the item's state and its disks allow.

use crate::config::Settings;
use crate::journal::{Allowed, Input, Item, ItemDisk, Operation, ProtectionState};

use Operation::{ChangePoint, CleanUpTest, TestFailover};
use Operation::{CommitBack, Disable, EnableProtection, Failback, Failover, Reprotect, ReprotectForward};
use Operation::{MoveServer, Resynchronise};

/// True when the item's state allows the operation.
pub(super) fn allowed(operation: Operation, item: Option<&Item>, settings: &Settings) -> bool {
    let Some(item) = item else { return operation == EnableProtection };
    let has = |wanted: Allowed| item.allowed(settings).contains(&wanted);
    match operation {
        EnableProtection => item.state == ProtectionState::EnablingFailed,
        Failover | Failback => has(Allowed::UnplannedFailover) || has(Allowed::PlannedFailover),
        Operation::Commit | CommitBack => has(Allowed::Commit),
        Reprotect => has(Allowed::SwitchProtection) || item.may_replicate_home_anew(),
        ReprotectForward => has(Allowed::SwitchProtection),
        Disable | Operation::Purge => has(Allowed::DisableProtection),
        Operation::CompleteMigration => has(Allowed::CompleteMigration),
        TestFailover => has(Allowed::TestFailover),
        CleanUpTest => has(Allowed::TestFailoverCleanup),
        ChangePoint => has(Allowed::ChangePit),
        MoveServer | Resynchronise => item.replicates(),
    }
}

/// The item's protected disks, and those among them that a reprotect home is asked for without. An earlier one may have
/// left some out that this one brings along (P37).
pub(super) fn asked_for<'a>(
    operation: Operation,
    item: Option<&'a Item>,
    input: &Input,
) -> (Vec<&'a ItemDisk>, Vec<&'a ItemDisk>) {
    let Some(item) = item else { return (Vec::new(), Vec::new()) };
    let (home, include) = (operation == Reprotect, input.include.as_ref());
    let named = |disk: &&ItemDisk| {
        let added = item.added.contains_key(&disk.disk);
        !home || added || include.is_none_or(|include| include.contains(&disk.disk))
    };
    item.disks.iter().chain(item.left.iter().filter(|_| home)).partition(named)
}
