//! vCenter: errors, and moving a machine's disks between two virtual machines by UUID.

use super::super::{StepCtx, StepError};
use super::{defect, note};
use crate::catalogue::documented::{HOST_MEMORY, VM_NAME_TAKEN};
use crate::catalogue::execution::LICENCE_FORBIDS;
use crate::catalogue::machine::DISK_MISMATCH;
use crate::catalogue::target::MT_NOT_A_VM;
use crate::clients::vcenter::{VcenterClient, VcenterError, VmFacts};
use crate::journal::{Fact, Item};
use failback_wire::canary::Canary;
use failback_wire::error::{Class, ErrorDoc};
use failback_wire::ids::{DiskId, VmdkUuid};

/// Note: the machine is to come home to the other vCenter (P5).
pub(in crate::workflow) const ELSEWHERE: &str = "elsewhere";

/// True when the machine is in the other vCenter.
pub(in crate::workflow) fn is_elsewhere(c: &StepCtx<'_>) -> bool {
    c.item.vm.as_ref().is_some_and(|vm| vm.alternate)
}

/// The vCenter that the machine is in, or is coming to.
pub(in crate::workflow) fn of<'a>(c: &StepCtx<'a>) -> &'a VcenterClient {
    c.services.vcenter_at(is_elsewhere(c) || c.item.notes.contains_key(ELSEWHERE))
}

/// Faults that pass by themselves.
const PASSING: &[&str] = &[
    "TaskInProgress",
    "ConcurrentAccess",
    "HostCommunication",
    "HostNotConnected",
    "HostNotReachable",
    "Timedout",
    "RequestCanceled",
];

/// A call to vCenter failed during what `doc` describes. Documented numbers take the place of `doc` where
/// the fault has one.
pub(in crate::workflow) fn error(doc: &ErrorDoc, entity: &str, error: &VcenterError) -> StepError {
    let doc = match error.fault() {
        Some("InsufficientHostMemoryCapacityFault" | "InsufficientMemoryResourcesFault") => &HOST_MEMORY,
        Some("DuplicateName") => &VM_NAME_TAKEN,
        Some("RestrictedVersion") => &LICENCE_FORBIDS,
        Some(_) | None => doc,
    };
    let class = match error {
        VcenterError::Unavailable(_)
        | VcenterError::Ambiguous(_)
        | VcenterError::Garbled(_)
        | VcenterError::NotAuthenticated => Class::Retry,
        VcenterError::TaskFailed { fault, .. } | VcenterError::Fault { fault, .. } => {
            if PASSING.contains(&fault.as_str()) { Class::Retry } else { Class::Operator }
        }
        VcenterError::InvalidLogin { .. }
        | VcenterError::NoPermission { .. }
        | VcenterError::NotFound(_)
        | VcenterError::Snapshots { .. } => Class::Operator,
    };
    StepError::new(doc, entity, error.to_string()).with_class(class)
}

/// `Ok(None)` for what does not exist.
pub(in crate::workflow) fn found(
    result: Result<VmFacts, VcenterError>,
) -> Result<Option<VmFacts>, VcenterError> {
    match result {
        Ok(vm) => Ok(Some(vm)),
        Err(VcenterError::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The machine's own virtual machine, if it exists.
pub(in crate::workflow) async fn own_vm(
    c: &StepCtx<'_>,
    vcenter: &VcenterClient,
    doc: &ErrorDoc,
) -> Result<Option<VmFacts>, StepError> {
    let known = match &c.item.vm {
        Some(known) => known,
        None if c.item.platform.physical => return Ok(None),
        None => return Err(defect(c, "the virtual machine")),
    };
    let seen = match c.ctx.env.planted(Canary::AttachesByName) {
        true => vcenter.vm_by_name(&known.name).await,
        false => vcenter.vm_by_uuid(&known.uuid).await,
    };
    found(seen).map_err(|e| error(doc, &known.name, &e))
}

/// The master target's virtual machine: it bears the master target's id as its name.
pub(in crate::workflow) async fn target_vm(
    vcenter: &VcenterClient,
    id: &str,
    doc: &ErrorDoc,
) -> Result<VmFacts, StepError> {
    let vm = found(vcenter.vm_by_name(id).await).map_err(|e| error(doc, id, &e))?;
    vm.ok_or_else(|| StepError::new(&MT_NOT_A_VM, id, id))
}

/// Name of the note that holds where a disk's file lies: needed once no machine holds the disk.
fn path_key(disk: &DiskId) -> String {
    format!("path/{disk}")
}

/// Where a disk's file lies, when an attempt noted it.
pub(crate) fn noted_path<'a>(item: &'a Item, disk: &DiskId) -> Option<&'a String> {
    item.notes.get(&path_key(disk))
}

/// Notes where the files of the item's disks lie, as the machines that hold them say. While one has a snapshot, what is
/// attached to it is a delta, which is gone once the snapshot is (P17): then this fails as the machine's own error says,
/// or notes nothing where there is none, for a machine that is to keep the disks. Disks nobody holds were noted by an
/// earlier attempt; else they are lost, which `doc` reports.
pub(in crate::workflow) fn note_paths(
    c: &StepCtx<'_>,
    holders: &[(&VmFacts, Option<&ErrorDoc>)],
    doc: &ErrorDoc,
) -> Result<Vec<Fact>, StepError> {
    let merges = c.ctx.env.planted(Canary::MergesForeignSnapshots);
    let mut facts = Vec::new();
    let mut lost = Vec::new();
    for disk in &c.item.disks {
        let held = holders.iter().find_map(|(vm, snapshot)| Some((vm, snapshot, vm.disk(&disk.vmdk)?)));
        match held {
            Some((vm, snapshot, _)) if !vm.snapshots.is_empty() && !merges => {
                let Some(snapshot) = snapshot else { continue };
                let why = VcenterError::Snapshots { vm: vm.name.clone(), names: vm.snapshots.join(", ") };
                return Err(error(snapshot, &vm.name, &why));
            }
            Some((.., vmdk)) => facts.push(note(path_key(&disk.disk), vmdk.path.clone())),
            None if noted_path(c.item, &disk.disk).is_some() => {}
            None => lost.push(format!("{} ({})", disk.disk, disk.vmdk)),
        }
    }
    if lost.is_empty() { Ok(facts) } else { Err(StepError::new(doc, c.item.name.as_str(), lost.join(", "))) }
}

/// UUIDs of the item's disks that hang on `vm`.
fn held_by(c: &StepCtx<'_>, vm: &VmFacts) -> Vec<VmdkUuid> {
    c.item.disks.iter().map(|disk| disk.vmdk.clone()).filter(|uuid| vm.disk(uuid).is_some()).collect()
}

/// Detaches the item's disks, and no others, from `vm` (I3). Refuses, as `snapshot` says, while `vm` has a
/// snapshot: what is attached then is a delta, and its parent would be left behind (P17).
pub(in crate::workflow) async fn detach(
    c: &StepCtx<'_>,
    vcenter: &VcenterClient,
    vm: &VmFacts,
    doc: &ErrorDoc,
    snapshot: &ErrorDoc,
) -> Result<(), StepError> {
    let disks = held_by(c, vm);
    if disks.is_empty() {
        return Ok(());
    }
    if !vm.snapshots.is_empty() && c.ctx.env.planted(Canary::MergesForeignSnapshots) {
        vcenter.remove_all_snapshots(vm).await.map_err(|e| error(doc, &vm.name, &e))?;
    }
    let done = vcenter.detach_disks(vm, &disks).await;
    done.map_err(|e| {
        let taken = matches!(e, VcenterError::Snapshots { .. });
        error(if taken { snapshot } else { doc }, &vm.name, &e)
    })
}

/// Attaches the item's disks to `vm` by the noted files; those that hang there already are passed over. A
/// file that holds another disk is refused by the client, so nothing is attached by name alone (I3). Answers what `vm` is
/// like then.
pub(in crate::workflow) async fn attach(
    c: &StepCtx<'_>,
    vcenter: &VcenterClient,
    vm: &VmFacts,
    doc: &ErrorDoc,
) -> Result<VmFacts, StepError> {
    let mut disks = Vec::new();
    for disk in c.item.disks.iter().filter(|disk| vm.disk(&disk.vmdk).is_none()) {
        let path = noted_path(c.item, &disk.disk);
        let missing = || StepError::new(&DISK_MISMATCH, c.item.name.as_str(), disk.disk.as_str());
        disks.push((disk.vmdk.clone(), path.ok_or_else(missing)?.clone()));
    }
    if disks.is_empty() {
        return Ok(vm.clone());
    }
    if c.ctx.env.planted(Canary::AttachesOne) {
        disks.truncate(1);
    }
    vcenter.attach_disks(vm, &disks).await.map_err(|e| error(doc, &vm.name, &e))
}
