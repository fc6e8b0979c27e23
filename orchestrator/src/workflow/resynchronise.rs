//! Resynchronisation begun by a person (C2): the agent of the source begins a new epoch and compares everything with
//! the target, whatever it waited for. Recovery points are kept.
//!
//! On the way home the disks at the master target are made to fit those in Azure first (P37): one that was made larger
//! there is extended, and one that was added to a Linux machine gets a VMDK and joins the session (*ours*, that it takes
//! a person: a VMDK never shrinks again). Points from before lack a disk that joins, and are not offered any more.
//!
//! Taken back: the VMDKs that were made. Comparing is right at any time, and a larger disk is as good at every point.

use super::ops::vcenter::{self, target_vm};
use super::ops::{added, agent, copies, defect, note, session};
use super::step::Recovery::Undo;
use super::step::{Step, StepCtx, StepError, StepResult, Workflow};
use crate::catalogue::disks::NOT_FITTED;
use crate::catalogue::target::MT_FULL;
use crate::catalogue::warning::ADDED_DISK_LATE;
use crate::clients::vcenter::VmFacts;
use crate::journal::{Fact, ItemDisk, Leg, Operation, ProtectionState, Rest};
use crate::rules::MAX_DISKS;
use failback_wire::ids::{DiskId, Site, VmdkUuid};
use failback_wire::proto::cs::OsFamily;
use failback_wire::proto::session::{SessionDisk, SessionSpec, TargetDisk};

const REPAIR: (&str, &str) = ("RepairReplicationTask", "Starting the resynchronization");

/// The workflow. The item's state is the same throughout: `running` and `success` only name it.
pub static WORKFLOW: Workflow = Workflow {
    operation: Operation::Resynchronise,
    scenario: "RepairReplication",
    friendly: "Resynchronize",
    precheck: ("RepairReplicationPreflightTask", "Prerequisite check"),
    running: ProtectionState::Protected,
    success: Rest { state: ProtectionState::Protected, leg: Leg::Forward, active: Site::OnPremises },
    failure: None,
    boot_from: None,
    steps: &[
        Step::new("fit", REPAIR, |c| Box::pin(fit(c)), Undo(|c| Box::pin(unfit(c)))),
        Step::new("agent", REPAIR, |c| Box::pin(begin(c)), Undo(|c| Box::pin(call_back(c)))),
    ],
};

/// Disks at the master target that do not fit.
struct Misfits {
    /// VMDKs that are too small, and how large they must be.
    small: Vec<(VmdkUuid, u64)>,
    /// Disks that have no VMDK yet, with the size they have in Azure.
    missing: Vec<ItemDisk>,
}

async fn fit(c: &StepCtx<'_>) -> StepResult {
    if c.item.leg == Leg::Forward {
        return Ok(Vec::new());
    }
    let found = added::find_late(c).await?;
    let (mut disks, mut misfits) = (c.item.disks.clone(), Misfits { small: Vec::new(), missing: Vec::new() });
    for disk in &mut disks {
        let (_, size) = copies::managed(c, disk, &found.managed).await?;
        if size > disk.size {
            misfits.small.push((disk.vmdk.clone(), size));
            disk.size = size;
        }
    }
    for disk in found.new {
        let (_, size) = copies::managed(c, &disk, &found.managed).await?;
        misfits.missing.push(ItemDisk { size, ..disk });
    }
    if misfits.small.is_empty() && misfits.missing.is_empty() {
        return Ok(Vec::new());
    }
    let mut attached = c.item.attached.clone();
    let mut facts = Vec::new();
    for (disk, path) in make_fit(c, &misfits).await? {
        facts.push(note(added::made_key(&disk.disk), path.clone()));
        attached.insert(disk.disk.clone(), path);
        disks.push(disk);
    }
    facts.extend([Fact::Disks(disks), Fact::Added(found.managed), Fact::Attached(attached)]);
    Ok(facts)
}

/// Extends and makes VMDKs at the master target; answers those that were made, each with its file.
async fn make_fit(c: &StepCtx<'_>, misfits: &Misfits) -> Result<Vec<(ItemDisk, String)>, StepError> {
    let server = c.item.master_target.as_ref().ok_or_else(|| defect(c, "the master target"))?;
    let v = vcenter::of(c);
    let fail = |e| vcenter::error(&NOT_FITTED, c.item.name.as_str(), &e);
    let target = target_vm(v, &server.id, &NOT_FITTED).await?;
    let paths = places(c, &target, &misfits.missing)?;
    let target = v.extend_disks(&target, &misfits.small).await.map_err(fail)?;
    if paths.is_empty() {
        return Ok(Vec::new());
    }
    let wanted = paths.iter().zip(&misfits.missing).map(|(path, disk)| (path.clone(), disk.size));
    let made = v.add_disks(&target, &wanted.collect::<Vec<_>>()).await.map_err(fail)?;
    let disks = misfits.missing.iter().zip(made).map(|(disk, vmdk)| ItemDisk { vmdk, ..disk.clone() });
    Ok(disks.zip(paths).collect())
}

/// Files of new disks, beside the machine's first.
fn beside_first(c: &StepCtx<'_>, target: &VmFacts, new: &[ItemDisk]) -> Vec<String> {
    let first = c.item.disks.iter().find_map(|disk| target.disk(&disk.vmdk));
    let first = first.map(|disk| disk.path.as_str()).unwrap_or_default();
    new.iter().map(|disk| added::beside(first, &disk.disk)).collect()
}

/// Files for the missing disks; the master target must have places for them (P19).
fn places(c: &StepCtx<'_>, target: &VmFacts, missing: &[ItemDisk]) -> Result<Vec<String>, StepError> {
    let paths = beside_first(c, target, missing);
    let there = |path: &&String| target.disks.iter().any(|disk| disk.path == **path);
    let (taken, more) = (target.disks.len(), paths.iter().filter(|path| !there(path)).count());
    if more > 0 && taken + more > MAX_DISKS && c.ctx.env.holds("P19") {
        return Err(StepError::new(&MT_FULL, &target.name, format!("{taken} attached, {more} more needed")));
    }
    Ok(paths)
}

/// Deletes the VMDKs that this job made, whether it could say so or not; their disks do not come home.
async fn unfit(c: &StepCtx<'_>) -> StepResult {
    let Some(server) = c.item.master_target.as_ref().filter(|_| c.item.leg == Leg::Reverse) else {
        return Ok(Vec::new());
    };
    let is_made = |disk: &&ItemDisk| c.item.notes.contains_key(&added::made_key(&disk.disk));
    let (mut made, disks): (Vec<ItemDisk>, Vec<ItemDisk>) =
        c.item.disks.iter().cloned().partition(|disk| is_made(&disk));
    made.extend(added::find_late(c).await?.new);
    if made.is_empty() {
        return Ok(Vec::new());
    }
    let v = vcenter::of(c);
    let target = target_vm(v, &server.id, &NOT_FITTED).await?;
    let done = v.delete_disks(&target, &beside_first(c, &target, &made)).await;
    done.map_err(|e| vcenter::error(&NOT_FITTED, c.item.name.as_str(), &e))?;
    let (mut managed, mut attached) = (c.item.added.clone(), c.item.attached.clone());
    let mut facts = Vec::new();
    for disk in &made {
        managed.remove(&disk.disk);
        attached.remove(&disk.disk);
        facts.push(Fact::NoteCleared(added::made_key(&disk.disk)));
    }
    facts.extend([Fact::Disks(disks), Fact::Added(managed), Fact::Attached(attached)]);
    Ok(facts)
}

/// The item's session, over the disks that the item has now.
fn fitted(c: &StepCtx<'_>) -> Result<SessionSpec, StepError> {
    let spec = c.item.session().ok_or_else(|| defect(c, "the session"))?;
    let disk = |disk: &ItemDisk| SessionDisk {
        disk: disk.disk.clone(),
        size: disk.size,
        target: TargetDisk::Vmdk(disk.vmdk.clone()),
    };
    let disks = match c.item.leg {
        Leg::Forward => spec.disks.clone(),
        Leg::Reverse => c.item.disks.iter().map(disk).collect(),
    };
    Ok(SessionSpec { disks, ..spec.clone() })
}

async fn begin(c: &StepCtx<'_>) -> StepResult {
    let spec = agent::begin_anew(c, c.item.leg.source(), &fitted(c)?).await?;
    let mut facts = vec![Fact::SessionOpened(spec)];
    // What a failback that failed has said of them: they come home now.
    let joined = c.item.os == Some(OsFamily::Linux) && c.item.warnings.contains_key(ADDED_DISK_LATE.code);
    facts.extend(joined.then(|| Fact::WarningCleared(ADDED_DISK_LATE.code.to_owned())));
    Ok(facts)
}

/// An agent that was told of a VMDK that is about to go goes on without it.
async fn call_back(c: &StepCtx<'_>) -> StepResult {
    let is_made = |disk: &DiskId| c.item.notes.contains_key(&added::made_key(disk));
    if !c.item.disks.iter().any(|disk| is_made(&disk.disk)) {
        return Ok(Vec::new());
    }
    let mut spec = c.item.session().ok_or_else(|| defect(c, "the session"))?.clone();
    spec.disks.retain(|disk| !is_made(&disk.disk));
    let done = session::unless_gone(c, agent::begin_anew(c, c.item.leg.source(), &spec).await)?;
    Ok(done.map(Fact::SessionOpened).into_iter().collect())
}
