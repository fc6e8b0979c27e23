//! Change of the recovery point after a failover to Azure, before its commit (C7).
//!
//! Order: pick the point, make disks of it beside those of the machine that runs, shut that machine down, settle on
//! the point, delete the machine, make it anew from the new disks and start it, adapt its guest, delete the
//! old disks. What was written in Azure since the failover is given up: the operator asked for another past.
//!
//! The point of no return is the choice: from there on only a further attempt leads on, with the same point. Until
//! then the machine that ran is started again.

use super::failover;
use super::ops::{azure, defect, note, points, session};
use super::step::Recovery::{Forward, Nothing, Undo};
use super::step::{Step, StepCtx, StepError, StepResult, Workflow};
use crate::catalogue::execution::{AZURE_DELETE_FAILED, AZURE_START_FAILED, AZURE_STOP_FAILED};
use crate::clients::azure::NewDisk;
use crate::journal::{Chosen, Fact, Leg, Operation, ProtectionState, Rest};
use failback_wire::ids::{DiskId, PointId, Site};

/// Note: the point that was asked for.
const POINT: &str = "change/point";
/// Note: what tells the names of the new disks from those of the old.
const SUFFIX: &str = "change/suffix";
/// Note: the machine ran when it was shut down for the change.
const RAN: &str = "change/ran";

const FAILOVER: (&str, &str) = ("ChangePitTask", "Changing the recovery point");
const START: (&str, &str) = ("StartVmOnSecondary", "Start the virtual machine");

/// The workflow. The item's state is the same throughout: `running` and `success` only name it.
pub static WORKFLOW: Workflow = Workflow {
    operation: Operation::ChangePoint,
    scenario: "ChangePit",
    friendly: "Change recovery point",
    precheck: ("ChangePitPreflightChecksTask", "Prerequisites check for changing the recovery point"),
    running: ProtectionState::UnplannedFailoverCommitPendingStatesBegin,
    success: Rest {
        state: ProtectionState::UnplannedFailoverCommitPendingStatesBegin,
        leg: Leg::Forward,
        active: Site::Azure,
    },
    failure: None,
    boot_from: None,
    steps: &[
        Step::new("pick-point", FAILOVER, |c| Box::pin(pick_point(c)), Undo(|c| Box::pin(forget_point(c)))),
        Step::new("create-disks", FAILOVER, |c| Box::pin(create_disks(c)), Undo(|c| Box::pin(undo_disks(c)))),
        Step::new("stop-azure", FAILOVER, |c| Box::pin(stop_azure(c)), Undo(|c| Box::pin(undo_stop(c)))),
        Step::new("settle", FAILOVER, |c| Box::pin(settle(c)), Forward),
        Step::new("delete-vm", FAILOVER, |c| Box::pin(delete_vm(c)), Forward),
        Step::new("create-vm", START, |c| Box::pin(create_vm(c)), Forward),
        Step::new("adapt-guest", START, |c| Box::pin(failover::adapt_guest(c)), Nothing),
        Step::new("delete-old-disks", START, |c| Box::pin(delete_old_disks(c)), Forward),
    ],
};

/// True while an earlier attempt stands past the point of no return: point and names are settled.
fn resuming(c: &StepCtx<'_>) -> bool {
    c.item.halfway == Some(Operation::ChangePoint)
}

async fn pick_point(c: &StepCtx<'_>) -> StepResult {
    if resuming(c) {
        return Ok(Vec::new());
    }
    let spec = failover::spec(c)?;
    let view = session::view(c, &spec.target, spec).await?;
    let point = points::pick(c, &view.points)?;
    let suffix: String = c.job.as_str().chars().take(8).collect();
    Ok(vec![note(POINT, point.point.as_str()), note(SUFFIX, suffix)])
}

async fn forget_point(_: &StepCtx<'_>) -> StepResult {
    Ok([POINT, SUFFIX].map(|key| Fact::NoteCleared(key.to_owned())).into())
}

fn noted<'a>(c: &'a StepCtx<'_>, key: &str) -> Result<&'a str, StepError> {
    c.item.notes.get(key).map(String::as_str).ok_or_else(|| defect(c, key))
}

/// Names of the new disks differ from those of the machine that still runs.
fn disk_name(c: &StepCtx<'_>, suffix: &str, disk: &DiskId) -> String {
    format!("{}-{suffix}", azure::managed_disk(c.item, disk))
}

async fn new_disks(c: &StepCtx<'_>) -> Result<Vec<NewDisk>, StepError> {
    let (point, suffix) = (PointId::new(noted(c, POINT)?), noted(c, SUFFIX)?);
    failover::disks_of(c, &point, |disk| disk_name(c, suffix, disk)).await
}

async fn create_disks(c: &StepCtx<'_>) -> StepResult {
    failover::make_disks(c, &new_disks(c).await?).await?;
    Ok(Vec::new())
}

async fn undo_disks(c: &StepCtx<'_>) -> StepResult {
    failover::unmake_disks(c, &new_disks(c).await?).await?;
    Ok(Vec::new())
}

async fn stop_azure(c: &StepCtx<'_>) -> StepResult {
    let name = &c.item.azure_name;
    let fail = |e| azure::error(&AZURE_STOP_FAILED, name, &e);
    let seen = c.services.azure.vm(name).await.map_err(fail)?;
    let ran = seen.as_ref().is_some_and(|vm| !vm.power.is_off());
    if seen.is_some() {
        c.services.azure.stop_vm(name, true, &c.id("stop")).await.map_err(fail)?;
        c.services.azure.deallocate_vm(name, &c.id("deallocate")).await.map_err(fail)?;
    }
    azure::confirm_off(c, &AZURE_STOP_FAILED).await?;
    Ok(if ran { vec![note(RAN, "")] } else { Vec::new() })
}

/// Also after an attempt that failed half-way, and so noted nothing: what was up shall be up again.
async fn undo_stop(c: &StepCtx<'_>) -> StepResult {
    let name = &c.item.azure_name;
    let started = c.services.azure.start_vm(name, &c.id("start-again")).await;
    started.map_err(|e| azure::error(&AZURE_START_FAILED, name, &e))?;
    Ok(vec![Fact::NoteCleared(RAN.to_owned())])
}

async fn settle(c: &StepCtx<'_>) -> StepResult {
    let (spec, wanted) = (failover::spec(c)?, noted(c, POINT)?);
    let view = session::view(c, &spec.target, spec).await?;
    let point = view.points.iter().find(|point| point.point.as_str() == wanted);
    let point = point.ok_or_else(|| defect(c, "the recovery point"))?;
    Ok(vec![Fact::Chosen(Chosen {
        session: spec.session.clone(),
        point: point.point.clone(),
        mark: point.mark,
        kind: point.kind,
        time: point.time,
        to: Site::Azure,
    })])
}

/// The machine only: its disks go last, when nobody needs them any more. One that was made anew stays.
async fn delete_vm(c: &StepCtx<'_>) -> StepResult {
    let Some(vm) = c.item.azure.as_ref().filter(|vm| !is_new(c, &vm.disks)) else { return Ok(Vec::new()) };
    let fail = |e| azure::error(&AZURE_DELETE_FAILED, &vm.name, &e);
    let seen = c.services.azure.vm(&vm.name).await.map_err(fail)?;
    if seen.is_some_and(|seen| vm.disks.values().any(|disk| seen.disks.contains(disk))) {
        c.services.azure.delete_vm(&vm.name, &c.id("delete")).await.map_err(fail)?;
    }
    Ok(Vec::new())
}

fn is_new(c: &StepCtx<'_>, disks: &std::collections::BTreeMap<DiskId, String>) -> bool {
    let suffix = c.item.notes.get(SUFFIX);
    suffix.is_some_and(|suffix| disks.iter().all(|(disk, name)| *name == disk_name(c, suffix, disk)))
}

/// Notes the old disks before the new machine takes their place in the item.
async fn create_vm(c: &StepCtx<'_>) -> StepResult {
    let suffix = noted(c, SUFFIX)?.to_owned();
    let subnet = failover::own_subnet(c);
    let named = |disk: &DiskId| disk_name(c, &suffix, disk);
    let vm = failover::make_vm(c, &c.item.azure_name, Some(subnet), named).await?;
    let old = c.item.azure.iter().filter(|vm| !is_new(c, &vm.disks)).flat_map(|vm| &vm.disks);
    let old = old.map(|(disk, name)| note(old_key(disk), name.as_str()));
    Ok(old.chain([Fact::AzureVm(vm)]).collect())
}

fn old_key(disk: &DiskId) -> String {
    format!("change/old/{disk}")
}

async fn delete_old_disks(c: &StepCtx<'_>) -> StepResult {
    for disk in &c.item.disks {
        let Some(name) = c.item.notes.get(&old_key(&disk.disk)) else { continue };
        let done = c.services.azure.delete_disk(name, &c.id(name)).await;
        done.map_err(|e| azure::error(&AZURE_DELETE_FAILED, name, &e))?;
    }
    Ok(Vec::new())
}
