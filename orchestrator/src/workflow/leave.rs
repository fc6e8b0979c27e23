//! The ways out of protection (C23): disable "and remove", remove, complete the migration.
//!
//! - **Disable and remove** cleans up. Order: stop the agent, forget the sessions, give the disks that hang on a
//!   master target back to the virtual machine (I4), delete the machine's row at the configuration server.
//! - **Remove** is for a source or a site that cannot be reached. The vault forgets the machine and the sessions it
//!   can reach; rows at the configuration server and disks on a master target stay, which a warning says.
//! - **Complete the migration** keeps the machine in Azure for good, whatever has become of the site.
//!
//! None of them touches the virtual machine in Azure, starts or stops a machine, or uninstalls an agent. There is no
//! way back: a further attempt goes on where one stopped. When all is done the item is no more.

use super::ops::vcenter::{self, own_vm, target_vm};
use super::ops::{agent, peer_error, session};
use super::step::Recovery::Forward;
use super::step::{Step, StepCtx, StepResult, Workflow};
use crate::catalogue::execution::{ATTACH_FAILED, CS_UPDATE_FAILED, DETACH_FAILED};
use crate::catalogue::machine::DISK_MISMATCH;
use crate::catalogue::target::MT_SNAPSHOT;
use crate::catalogue::warning::{DISKS_LEFT, ROWS_LEFT};
use crate::journal::{Fact, Leg, Operation, ProtectionState, Rest};
use failback_wire::error::Report;
use failback_wire::ids::Site;
use failback_wire::proto::session::Direction;

const STOP: (&str, &str) = ("StopReplicationTask", "Stopping replication");
const CLEAN: (&str, &str) = ("CleanUpReplicationTask", "Cleaning up");

/// Disable "and remove".
pub static DISABLE: Workflow = Workflow {
    operation: Operation::Disable,
    scenario: "DisableDr",
    friendly: "Disable replication",
    precheck: ("DisableDrPreflightTask", "Prerequisite check"),
    running: ProtectionState::DisablingInProgress,
    // Leg and active side of an item that is no more mean nothing.
    success: Rest {
        state: ProtectionState::UnprotectedStatesBegin,
        leg: Leg::Forward,
        active: Site::OnPremises,
    },
    failure: Some(ProtectionState::DisablingFailed),
    boot_from: None,
    steps: &[
        Step::new("stop-agent", STOP, |c| Box::pin(stop_agent(c)), Forward),
        Step::new("forget-session", STOP, |c| Box::pin(forget_session(c)), Forward),
        Step::new("map-disks", CLEAN, |c| Box::pin(map_disks(c)), Forward),
        Step::new("return-disks", CLEAN, |c| Box::pin(return_disks(c)), Forward),
        Step::new("row", CLEAN, |c| Box::pin(delete_row(c)), Forward),
    ],
};

/// "Remove".
pub static PURGE: Workflow = Workflow {
    operation: Operation::Purge,
    friendly: "Remove replication",
    steps: &[
        Step::new("forget-session", STOP, |c| Box::pin(forget_session(c)), Forward),
        Step::new("leave-behind", CLEAN, |c| Box::pin(leave_behind(c)), Forward),
    ],
    ..DISABLE
};

/// Complete the migration.
pub static MIGRATE: Workflow = Workflow {
    operation: Operation::CompleteMigration,
    friendly: "Complete migration",
    steps: &[
        Step::new("forget-session", STOP, |c| Box::pin(forget_session(c)), Forward),
        Step::new("row", CLEAN, |c| Box::pin(delete_row_if_reachable(c)), Forward),
    ],
    ..DISABLE
};

/// An agent that cannot be told goes on sending what nobody takes; its next session replaces this one.
async fn stop_agent(c: &StepCtx<'_>) -> StepResult {
    let source = c.item.leg.source();
    if let Some(spec) = c.item.session().filter(|_| c.item.active == source) {
        agent::stop_if_reachable(c, source, spec).await?;
    }
    Ok(Vec::new())
}

async fn forget_session(c: &StepCtx<'_>) -> StepResult {
    for spec in c.item.forward.iter().chain(&c.item.reverse) {
        session::leave(c, spec).await?;
    }
    Ok([Direction::Forward, Direction::Reverse].map(Fact::SessionClosed).into())
}

/// Notes where the disks' files lie while somebody still holds them, as a failback does (I4).
async fn map_disks(c: &StepCtx<'_>) -> StepResult {
    let Some(server) = c.item.disks_away() else { return Ok(Vec::new()) };
    let v = &c.services.vcenter;
    let own = own_vm(c, v, &DISK_MISMATCH).await?;
    let target = target_vm(v, &server.id, &DISK_MISMATCH).await?;
    let holders: Vec<_> = own.iter().map(|vm| (vm, None)).chain([(&target, Some(&MT_SNAPSHOT))]).collect();
    vcenter::note_paths(c, &holders, &DISK_MISMATCH)
}

/// From the master target to the machine at home. What they hold is what replication brought so far.
async fn return_disks(c: &StepCtx<'_>) -> StepResult {
    let Some(server) = c.item.disks_away() else { return Ok(Vec::new()) };
    let v = &c.services.vcenter;
    let target = target_vm(v, &server.id, &DETACH_FAILED).await?;
    vcenter::detach(c, v, &target, &DETACH_FAILED, &MT_SNAPSHOT).await?;
    if let Some(own) = own_vm(c, v, &ATTACH_FAILED).await? {
        vcenter::attach(c, v, &own, &ATTACH_FAILED).await?;
    }
    Ok(vec![Fact::MasterTarget(None)])
}

async fn delete_row(c: &StepCtx<'_>) -> StepResult {
    let done = c.services.cs.delete_machine(&c.item.name).await;
    done.map_err(|e| peer_error(&CS_UPDATE_FAILED, c.item.name.as_str(), &e))?;
    Ok(Vec::new())
}

/// A site that was left for good may be gone (ours: the migration does not wait for it).
async fn delete_row_if_reachable(c: &StepCtx<'_>) -> StepResult {
    match session::unless_gone(c, delete_row(c).await)? {
        Some(facts) => Ok(facts),
        None => Ok(vec![Fact::Warning(Report::new(&ROWS_LEFT, c.item.name.as_str(), ""))]),
    }
}

/// Says what stays.
async fn leave_behind(c: &StepCtx<'_>) -> StepResult {
    let name = c.item.name.as_str();
    let mut facts = vec![Fact::Warning(Report::new(&ROWS_LEFT, name, ""))];
    if let Some(server) = c.item.disks_away() {
        facts.push(Fact::Warning(Report::new(&DISKS_LEFT, name, server.id.as_str())));
    }
    Ok(facts)
}
