//! Reprotect to on-premises: the Azure virtual machine replicates home (C9 to C14).
//!
//! Order: decide between original and alternate location (does the virtual machine still exist?) and, by the
//! generations of its disks' copies, how they will be synchronised (E8), power it off, merge its snapshots, or create
//! it anew on the master target's host, note where its disks lie, move the disks by UUID to the master target, agree
//! on a session, set it up at master target and process server, start the agent in Azure, tell the configuration
//! server.
//!
//! There is no point of no return: production stays in Azure. Sessions, attachments and a machine created
//! here are taken back in reverse. Not taken back: powering off (two running copies would be worse, I2) and
//! merging snapshots (cannot be).

use super::commit::drop_points;
use super::ops::vcenter::{self, own_vm, target_vm};
use super::ops::{added, agent, copies, defect, note, put_row, put_row_of, session};
use super::step::Recovery::{Nothing, Operator, Undo};
use super::step::{Step, StepCtx, StepError, StepResult, Workflow};
use crate::catalogue::control::PS_UNKNOWN;
use crate::catalogue::execution::{
    ATTACH_FAILED, DETACH_FAILED, MERGE_FAILED, POWER_OFF_FAILED, RELEASE_FAILED, VM_CREATE_FAILED,
};
use crate::catalogue::machine::DISK_MISMATCH;
use crate::catalogue::target::{DATASTORE_UNKNOWN, MT_FULL, MT_SNAPSHOT, MT_UNKNOWN};
use crate::catalogue::warning::{SOURCE_NOT_SHUT_DOWN, SPLIT_BRAIN};
use crate::clients::vcenter::{NewVm, Power, VcenterClient, VmFacts};
use crate::journal::{Fact, Leg, OnPremVm, Operation, ProtectionState, Rest};
use crate::rules::MAX_DISKS;
use crate::rules::effects::takes_place;
use failback_wire::canary::Canary;
use failback_wire::error::ErrorDoc;
use failback_wire::ids::Site;
use failback_wire::proto::cs::{Component, OsFamily};
use failback_wire::proto::session::{Direction, SessionDisk, SessionSpec, TargetDisk};
use std::collections::BTreeMap;

const REQUIREMENTS: (&str, &str) =
    ("GetSwitchProtectionRequirementsTask", "Getting reprotection requirements");
const PROTECT: (&str, &str) = ("ProtectReplicaTask", "Reprotecting virtual machine (1)");

/// Note: `original` or `alternate`.
const LOCATION: &str = "location";
/// Note: UUID of the virtual machine before an alternate one took its place.
const VM_BEFORE: &str = "vm-before";
/// Note: that was in the other vCenter.
const ELSEWHERE_BEFORE: &str = "vm-before/elsewhere";
/// Memory of a machine created at an alternate location, MiB, where nobody knows what it had (ours): a physical one.
const MEMORY_MB: u64 = 4096;

/// The workflow.
pub static WORKFLOW: Workflow = Workflow {
    operation: Operation::Reprotect,
    scenario: "SwitchReplicationGroupProtection",
    friendly: "Reprotect",
    precheck: ("SwitchReplicationGroupProtectionPreflightTask", "Prerequisite check"),
    running: ProtectionState::ReprotectInProgress,
    success: Rest {
        state: ProtectionState::InitialReplicationInProgress,
        leg: Leg::Reverse,
        active: Site::Azure,
    },
    failure: Some(ProtectionState::ReprotectFailed),
    boot_from: None,
    steps: &[
        Step::new(
            "locate",
            ("DiscoverReplicaTask", "Discovering the replica"),
            |c| Box::pin(locate(c)),
            Nothing,
        ),
        Step::new("power-off", REQUIREMENTS, |c| Box::pin(power_off(c)), Operator),
        Step::new("merge-snapshots", REQUIREMENTS, |c| Box::pin(merge_snapshots(c)), Operator),
        Step::new(
            "create-vm",
            REQUIREMENTS,
            |c| Box::pin(create_vm(c)),
            Undo(|c| Box::pin(undo_create_vm(c))),
        ),
        Step::new("map-disks", REQUIREMENTS, |c| Box::pin(map_disks(c)), Nothing),
        Step::new("detach", PROTECT, |c| Box::pin(detach(c)), Undo(|c| Box::pin(undo_detach(c)))),
        Step::new("attach", PROTECT, |c| Box::pin(attach(c)), Undo(|c| Box::pin(undo_attach(c)))),
        Step::new("plan-session", PROTECT, |c| Box::pin(plan_session(c)), Undo(|c| Box::pin(undo_plan(c)))),
        Step::new("session", PROTECT, |c| Box::pin(open(c)), Undo(|c| Box::pin(undo_open(c)))),
        Step::new("agent", PROTECT, |c| Box::pin(start(c)), Undo(|c| Box::pin(undo_start(c)))),
        Step::new("row", PROTECT, |c| Box::pin(row(c)), Undo(|c| Box::pin(undo_row(c)))),
    ],
};

fn master_target<'a>(c: &'a StepCtx<'_>) -> Result<&'a str, StepError> {
    let known = c.item.master_target.as_ref().map(|server| server.id.as_str());
    let id = c.input.master_target.as_deref().or(known);
    id.ok_or_else(|| StepError::new(&MT_UNKNOWN, c.item.name.as_str(), "none was chosen"))
}

/// Where a setting lets a failover be reprotected that nobody committed, this is its commit (C8). It shows under the
/// task of that name, and is taken back no more than any other.
async fn commit_first(c: &StepCtx<'_>) -> StepResult {
    if c.item.forward.is_none() || !takes_place(&c.ctx.env, Operation::Commit, "drop-points") {
        return Ok(Vec::new());
    }
    drop_points(c).await
}

async fn locate(c: &StepCtx<'_>) -> StepResult {
    let known = c.services.vcenter_at(vcenter::is_elsewhere(c));
    let found = own_vm(c, known, &DISK_MISMATCH).await?;
    let location = if found.is_some() { "original" } else { "alternate" };
    let mut facts = commit_first(c).await?;
    facts.extend(copies::decide_home(c, found.as_ref(), added::find(c).await?).await?);
    facts.push(note(LOCATION, location));
    facts.push(match found.is_none() && leads_elsewhere(c).await? {
        true => note(vcenter::ELSEWHERE, "yes"),
        false => Fact::NoteCleared(vcenter::ELSEWHERE.to_owned()),
    });
    Ok(facts)
}

/// True when the master target is in the other vCenter, and not in the one that the machine came from (P5).
async fn leads_elsewhere(c: &StepCtx<'_>) -> Result<bool, StepError> {
    if c.services.alternate_vcenter.is_none() || vcenter::is_elsewhere(c) {
        return Ok(false);
    }
    let id = master_target(c)?;
    let fail = |e| vcenter::error(&VM_CREATE_FAILED, id, &e);
    let in_original = vcenter::found(c.services.vcenter_at(false).vm_by_name(id).await).map_err(fail)?;
    Ok(in_original.is_none()
        && vcenter::found(c.services.vcenter_at(true).vm_by_name(id).await).map_err(fail)?.is_some())
}

fn is_alternate(c: &StepCtx<'_>) -> bool {
    c.item.notes.get(LOCATION).is_some_and(|location| location == "alternate")
}

async fn power_off(c: &StepCtx<'_>) -> StepResult {
    let v = vcenter::of(c);
    let runs = |vm: &VmFacts| vm.power != Power::Off && !c.ctx.env.planted(Canary::StaleInventory);
    if let Some(vm) = own_vm(c, v, &POWER_OFF_FAILED).await?.filter(runs) {
        let done = v.power_off(&vm).await;
        done.map_err(|e| vcenter::error(&POWER_OFF_FAILED, &vm.name, &e))?;
    }
    // Nothing switches a physical machine off: the warnings stay until its successor runs.
    if c.item.platform.physical {
        return Ok(Vec::new());
    }
    let cleared = [SPLIT_BRAIN.code, SOURCE_NOT_SHUT_DOWN.code];
    Ok(cleared.map(|code| Fact::WarningCleared(code.to_owned())).into())
}

async fn merge_snapshots(c: &StepCtx<'_>) -> StepResult {
    let v = vcenter::of(c);
    let Some(vm) = own_vm(c, v, &MERGE_FAILED).await? else { return Ok(Vec::new()) };
    if !vm.snapshots.is_empty() {
        let done = v.remove_all_snapshots(&vm).await;
        done.map_err(|e| vcenter::error(&MERGE_FAILED, &vm.name, &e))?;
    }
    Ok(Vec::new())
}

/// At the original location only disks that were added in Azure need new VMDKs (P37).
async fn make_added(c: &StepCtx<'_>) -> StepResult {
    if c.item.disks.iter().all(|disk| !disk.vmdk.as_str().is_empty()) {
        return Ok(Vec::new());
    }
    added::make(c, vcenter::of(c)).await
}

async fn unmake_added(c: &StepCtx<'_>) -> StepResult {
    if !added::any(c) {
        return Ok(Vec::new());
    }
    added::unmake(c, vcenter::of(c)).await
}

async fn create_vm(c: &StepCtx<'_>) -> StepResult {
    if !is_alternate(c) {
        return make_added(c).await;
    }
    let mut facts = give_up_left(c).await?;
    // A physical machine had none.
    let before = c.item.vm.as_ref();
    let name = before.map_or(c.item.name.as_str(), |vm| vm.name.as_str());
    let missing = || StepError::new(&DATASTORE_UNKNOWN, name, "none was chosen");
    let datastore = c.input.datastore.clone().ok_or_else(missing)?;
    let v = vcenter::of(c);
    let target = target_vm(v, master_target(c)?, &VM_CREATE_FAILED).await?;
    let new = NewVm {
        name: name.to_owned(),
        uuid: c.id("vm"),
        host: target.host_ref,
        datastore,
        guest_id: match c.item.os {
            Some(OsFamily::Linux) => "otherLinux64Guest".to_owned(),
            Some(OsFamily::Windows) | None => "windows9Server64Guest".to_owned(),
        },
        memory_mb: c.item.platform.memory_mb.unwrap_or(MEMORY_MB),
        disks: c.item.disks.iter().map(|disk| disk.size).collect(),
        extra_config: BTreeMap::from([("disk.EnableUUID".to_owned(), "TRUE".to_owned())]),
    };
    let vm = v.create_vm(&new).await.map_err(|e| vcenter::error(&VM_CREATE_FAILED, name, &e))?;
    facts.extend(before.map(|vm| note(VM_BEFORE, vm.uuid.clone())));
    facts.extend(before.filter(|vm| vm.alternate).map(|_| note(ELSEWHERE_BEFORE, "yes")));
    for (disk, vmdk) in c.item.disks.iter().zip(&vm.disks) {
        facts.push(note(format!("vmdk-before/{}", disk.disk), disk.vmdk.as_str()));
        facts.push(Fact::Vmdk { disk: disk.disk.clone(), vmdk: vmdk.uuid.clone() });
    }
    let alternate = vcenter::is_elsewhere(c) || c.item.notes.contains_key(vcenter::ELSEWHERE);
    facts.push(Fact::Vm(OnPremVm { name: vm.name, uuid: vm.uuid, alternate }));
    Ok(facts)
}

/// What an earlier reprotect left: the machine was deleted since, and its disks have nowhere to go. Its session ends,
/// and they leave the master target; their files stay (*ours*, C12).
async fn give_up_left(c: &StepCtx<'_>) -> StepResult {
    let (Some(spec), Some(server)) = (&c.item.reverse, &c.item.master_target) else { return Ok(Vec::new()) };
    agent::stop_if_reachable(c, Site::Azure, spec).await?;
    session::leave(c, spec).await?;
    let known = c.services.vcenter_at(vcenter::is_elsewhere(c));
    let found = vcenter::found(known.vm_by_name(&server.id).await);
    if let Some(target) = found.map_err(|e| vcenter::error(&DETACH_FAILED, &server.id, &e))? {
        vcenter::detach(c, known, &target, &DETACH_FAILED, &MT_SNAPSHOT).await?;
    }
    Ok(vec![Fact::SessionClosed(Direction::Reverse), Fact::MasterTarget(None)])
}

/// Deletes the machine this job created, told by the UUID that only this job could give it.
async fn undo_create_vm(c: &StepCtx<'_>) -> StepResult {
    if !is_alternate(c) {
        return unmake_added(c).await;
    }
    let uuid = c.id("vm");
    let name = c.item.name.as_str();
    let fail = |e| vcenter::error(&VM_CREATE_FAILED, name, &e);
    let v = vcenter::of(c);
    if let Some(vm) = vcenter::found(v.vm_by_uuid(&uuid).await).map_err(fail)? {
        v.destroy_vm(&vm).await.map_err(fail)?;
    }
    let (Some(vm), Some(before)) = (&c.item.vm, c.item.notes.get(VM_BEFORE)) else { return Ok(Vec::new()) };
    let mut facts = vec![Fact::Vm(OnPremVm {
        name: vm.name.clone(),
        uuid: before.clone(),
        alternate: c.item.notes.contains_key(ELSEWHERE_BEFORE),
    })];
    for disk in &c.item.disks {
        if let Some(vmdk) = c.item.notes.get(&format!("vmdk-before/{}", disk.disk)) {
            facts.push(Fact::Vmdk { disk: disk.disk.clone(), vmdk: vmdk.as_str().into() });
        }
    }
    facts.push(Fact::NoteCleared(VM_BEFORE.to_owned()));
    Ok(facts)
}

async fn map_disks(c: &StepCtx<'_>) -> StepResult {
    let v = vcenter::of(c);
    let own = own_vm(c, v, &DISK_MISMATCH).await?;
    let target = target_vm(v, master_target(c)?, &DISK_MISMATCH).await?;
    let former = former(c, v, &DISK_MISMATCH).await?;
    let targets = [&target].into_iter().chain(&former).map(|vm| (vm, Some(&MT_SNAPSHOT)));
    let holders: Vec<_> = own.iter().map(|vm| (vm, Some(&MERGE_FAILED))).chain(targets).collect();
    vcenter::note_paths(c, &holders, &DISK_MISMATCH)
}

async fn detach(c: &StepCtx<'_>) -> StepResult {
    let v = vcenter::of(c);
    if let Some(vm) = own_vm(c, v, &RELEASE_FAILED).await? {
        vcenter::detach(c, v, &vm, &RELEASE_FAILED, &MERGE_FAILED).await?;
    }
    if let Some(vm) = former(c, v, &RELEASE_FAILED).await? {
        vcenter::detach(c, v, &vm, &RELEASE_FAILED, &MT_SNAPSHOT).await?;
    }
    Ok(Vec::new())
}

/// The master target that an earlier attempt left the disks on, when this one goes through another: it may be dead, but
/// its virtual machine must let them go.
async fn former(c: &StepCtx<'_>, v: &VcenterClient, doc: &ErrorDoc) -> Result<Option<VmFacts>, StepError> {
    let chosen = master_target(c)?;
    match c.item.master_target.as_ref().filter(|server| server.id != chosen) {
        Some(server) => {
            vcenter::found(v.vm_by_name(&server.id).await).map_err(|e| vcenter::error(doc, &server.id, &e))
        }
        None => Ok(None),
    }
}

async fn undo_detach(c: &StepCtx<'_>) -> StepResult {
    let v = vcenter::of(c);
    if let Some(vm) = own_vm(c, v, &ATTACH_FAILED).await? {
        vcenter::attach(c, v, &vm, &ATTACH_FAILED).await?;
    }
    Ok(Vec::new())
}

async fn attach(c: &StepCtx<'_>) -> StepResult {
    let id = master_target(c)?;
    let server = session::server(c, Component::MasterTarget, id).await?;
    let v = vcenter::of(c);
    let target = target_vm(v, id, &ATTACH_FAILED).await?;
    room_for(c, &target)?;
    vcenter::attach(c, v, &target, &ATTACH_FAILED).await?;
    let files = c.item.disks.iter().filter_map(|disk| {
        let path = vcenter::noted_path(c.item, &disk.disk)?;
        Some((disk.disk.clone(), path.clone()))
    });
    Ok(vec![Fact::MasterTarget(Some(server)), Fact::Attached(files.collect())])
}

/// Other jobs may have taken the places that were free when the preconditions were looked at (P19).
fn room_for(c: &StepCtx<'_>, target: &VmFacts) -> Result<(), StepError> {
    let wanted = c.item.disks.iter().filter(|disk| target.disk(&disk.vmdk).is_none()).count();
    let taken = target.disks.len();
    if wanted == 0 || taken + wanted <= MAX_DISKS || !c.ctx.env.holds("P19") {
        return Ok(());
    }
    Err(StepError::new(&MT_FULL, &target.name, format!("{taken} attached, {wanted} more needed")))
}

async fn undo_attach(c: &StepCtx<'_>) -> StepResult {
    let v = vcenter::of(c);
    let target = target_vm(v, master_target(c)?, &DETACH_FAILED).await?;
    if c.ctx.env.planted(Canary::UndoesWithoutOwnership) {
        let all: Vec<_> = target.disks.iter().map(|disk| disk.uuid.clone()).collect();
        let done = v.detach_disks(&target, &all).await;
        done.map_err(|e| vcenter::error(&DETACH_FAILED, &target.name, &e))?;
    } else {
        vcenter::detach(c, v, &target, &DETACH_FAILED, &MT_SNAPSHOT).await?;
    }
    Ok(vec![Fact::MasterTarget(None), Fact::Attached(BTreeMap::new())])
}

/// Agrees on the session before anybody hears of it, so that every attempt sets up the same one (C11).
async fn plan_session(c: &StepCtx<'_>) -> StepResult {
    session::forget_leftover(c, c.item.reverse.as_ref()).await?;
    let target = c.item.master_target.as_ref().ok_or_else(|| defect(c, "the master target"))?;
    let known = c.item.process_server.as_ref().map(|server| server.id.clone());
    let id = c.input.process_server.clone().or(known);
    let id = id.ok_or_else(|| StepError::new(&PS_UNKNOWN, c.item.name.as_str(), "none was chosen"))?;
    let relay = session::server(c, Component::ProcessServer, &id).await?;
    let disks = c.item.disks.iter().map(|disk| SessionDisk {
        disk: disk.disk.clone(),
        size: disk.size,
        target: TargetDisk::Vmdk(disk.vmdk.clone()),
    });
    let sync = copies::sync_mode(c);
    let spec = session::plan(c, Direction::Reverse, sync, disks.collect(), &relay, &target.address);
    Ok(session::planned(c, spec, relay))
}

async fn undo_plan(c: &StepCtx<'_>) -> StepResult {
    Ok(session::unplanned(c, Direction::Reverse))
}

fn spec<'a>(c: &'a StepCtx<'_>) -> Result<&'a SessionSpec, StepError> {
    c.item.reverse.as_ref().ok_or_else(|| defect(c, "the session to on-premises"))
}

async fn open(c: &StepCtx<'_>) -> StepResult {
    let spec = spec(c)?;
    for host in session::servers(spec) {
        session::open(c, host, spec).await?;
    }
    Ok(Vec::new())
}

async fn undo_open(c: &StepCtx<'_>) -> StepResult {
    session::forget(c, spec(c)?).await?;
    Ok(Vec::new())
}

async fn start(c: &StepCtx<'_>) -> StepResult {
    agent::start(c, Site::Azure, spec(c)?).await?;
    Ok(agent::seen_to(c, Site::Azure).await)
}

async fn undo_start(c: &StepCtx<'_>) -> StepResult {
    agent::stop_if_reachable(c, Site::Azure, spec(c)?).await?;
    Ok(Vec::new())
}

async fn row(c: &StepCtx<'_>) -> StepResult {
    put_row(c, "reverse", &c.services.config.vault.failback_policy).await?;
    Ok(Vec::new())
}

/// Puts the row back as the protection towards Azure left it: under that policy, and with the virtual machine
/// that was known before an alternate one took its place.
async fn undo_row(c: &StepCtx<'_>) -> StepResult {
    let policy = c.item.policy.as_ref().unwrap_or(&c.services.config.vault.policy);
    let now = c.item.vm.as_ref().map_or(c.item.name.as_str(), |vm| vm.uuid.as_str());
    let before = c.item.notes.get(VM_BEFORE).map_or(now, String::as_str);
    put_row_of(c, before, "forward", policy).await?;
    Ok(Vec::new())
}
