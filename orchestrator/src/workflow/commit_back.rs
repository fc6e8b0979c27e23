//! Commit a failback: deletes what the failover made in Azure (C20).
//!
//! Order: make sure that production really is on-premises, delete the Azure virtual machine, delete the
//! managed disks the product made for it (and only those), forget the session at master target and process
//! server, mark the machine unprotected at the configuration server. Nobody else's machine or disk is named
//! anywhere in here (I1).
//!
//! The point of no return is the first deletion. A commit that failed is repeated; it goes on where it
//! stopped.

use super::ops::{azure, put_row, session};
use super::step::Recovery::Forward;
use super::step::{Step, StepCtx, StepResult, Workflow};
use crate::catalogue::execution::AZURE_DELETE_FAILED;
use crate::catalogue::warning::DISK_LEFT_OUT;
use crate::journal::{Fact, Leg, Operation, Platform, ProtectionState, Rest};
use failback_wire::canary::Canary;
use failback_wire::ids::{DiskId, Site};
use failback_wire::proto::session::Direction;

const COMMIT: (&str, &str) = ("VmCommit", "Committing failback");

/// The workflow.
pub static WORKFLOW: Workflow = Workflow {
    operation: Operation::CommitBack,
    scenario: "CommitFailover",
    friendly: "Commit",
    precheck: ("VmCommitPrerequisitesCheck", "Prerequisites check for commit"),
    running: ProtectionState::CommitInProgress,
    success: Rest {
        state: ProtectionState::UnplannedFailoverCommitted,
        leg: Leg::Reverse,
        active: Site::OnPremises,
    },
    failure: None,
    boot_from: None,
    steps: &[
        Step::new("delete-vm", COMMIT, |c| Box::pin(delete_vm(c)), Forward),
        Step::new("delete-disks", COMMIT, |c| Box::pin(delete_disks(c)), Forward),
        Step::new("forget-session", COMMIT, |c| Box::pin(forget_session(c)), Forward),
        Step::new("row", COMMIT, |c| Box::pin(row(c)), Forward),
    ],
};

async fn delete_vm(c: &StepCtx<'_>) -> StepResult {
    let Some(vm) = &c.item.azure else { return Ok(Vec::new()) };
    let fail = |e| azure::error(&AZURE_DELETE_FAILED, &vm.name, &e);
    let hang = match c.ctx.env.planted(Canary::CommitDeletesAll) {
        true => c.services.azure.vm(&vm.name).await.map_err(fail)?.map(|seen| seen.disks),
        false => None,
    };
    c.services.azure.delete_vm(&vm.name, &c.id(&vm.name)).await.map_err(fail)?;
    for name in hang.iter().flatten() {
        c.services.azure.delete_disk(name, &c.id(name)).await.map_err(fail)?;
    }
    Ok(Vec::new())
}

async fn delete_disks(c: &StepCtx<'_>) -> StepResult {
    // What a disk holds that did not come home is nowhere else (P37).
    let left = |disk: &DiskId| c.item.left.iter().any(|left| left.disk == *disk) && c.ctx.env.holds("P37");
    let made = c.item.azure.iter().flat_map(|vm| &vm.disks);
    for (_, name) in made.filter(|(disk, _)| !left(disk)) {
        if c.ctx.env.planted(Canary::WorksInBackground) {
            let (azure, name, key) = (c.services.azure.clone(), name.clone(), c.id(name));
            c.ctx.spawn(async move { drop(azure.delete_disk(&name, &key).await) });
            continue;
        }
        let done = c.services.azure.delete_disk(name, &c.id(name)).await;
        done.map_err(|e| azure::error(&AZURE_DELETE_FAILED, name, &e))?;
    }
    Ok(vec![Fact::AzureVmGone])
}

async fn forget_session(c: &StepCtx<'_>) -> StepResult {
    if let Some(spec) = c.item.reverse.as_ref().filter(|_| !c.ctx.env.planted(Canary::ReplicationLeft)) {
        session::leave(c, spec).await?;
    }
    Ok(vec![Fact::SessionClosed(Direction::Reverse), Fact::MasterTarget(None)])
}

async fn row(c: &StepCtx<'_>) -> StepResult {
    put_row(c, "none", &c.services.config.vault.failback_policy).await?;
    // What was a physical machine is a virtual one from now on (P35).
    let virtual_now = || Fact::Platform(Platform { physical: false, ..c.item.platform.clone() });
    let mut facts: Vec<Fact> = c.item.platform.physical.then(virtual_now).into_iter().collect();
    if !c.item.left.is_empty() {
        let left = c.item.left.iter().map(|disk| disk.vmdk.clone());
        facts.push(Fact::Excluded(c.item.excluded.iter().cloned().chain(left).collect()));
        facts.extend([Fact::Left(Vec::new()), Fact::WarningCleared(DISK_LEFT_OUT.code.to_owned())]);
    }
    Ok(facts)
}
