//! Disks that somebody added to the machine while it ran in Azure (P37). A Windows machine leaves them behind; a Linux
//! machine brings them home, each as a new VMDK beside the machine's others, and from then on they are protected like
//! these. The managed disks stay in Azure, also after the commit: the product did not make them.

use super::super::{StepCtx, StepError, StepResult};
use super::vcenter::{error, noted_path, own_vm};
use super::{agent, azure, defect, note, peer_error};
use crate::catalogue::execution::{AGENT_FAILED, SESSION_FAILED, VM_CREATE_FAILED};
use crate::catalogue::warning::ADDED_DISK_RETURNS;
use crate::clients::vcenter::{VcenterClient, VmFacts};
use crate::journal::{Fact, Item, ItemDisk};
use failback_wire::ids::{DiskId, Site, VmdkUuid};
use failback_wire::proto::agent::AgentStatus;
use failback_wire::proto::cs::OsFamily;
use std::collections::BTreeMap;

/// The disks among `held` that were added to the item's machine and are not known to come home yet, by the id and name.
/// All that the product did not make have the numbers that no disk of the machine has, in the machine's order.
pub(crate) fn added_disks(item: &Item, held: &[String]) -> Vec<(DiskId, String)> {
    let Some(vm) = &item.azure else { return Vec::new() };
    let made = |name: &String| vm.disks.values().any(|other| other.eq_ignore_ascii_case(name));
    let others = held.iter().filter(|name| !made(name));
    let free = (0..).map(|n| DiskId::added(&item.name, n)).filter(|disk| !vm.disks.contains_key(disk));
    let named = free.zip(others.cloned());
    named.filter(|(disk, _)| !item.added.contains_key(disk)).collect()
}

/// True when the disk's only volume bears one of these labels (C9). Azure's temporary disk does, and never comes home.
pub(crate) fn left_out(exclude: &[String], status: &AgentStatus, disk: &DiskId) -> bool {
    match status.volumes.get(disk).map(Vec::as_slice) {
        Some([label]) => exclude.contains(label),
        Some(_) | None => false,
    }
}

/// The disks that come home with the item's: those without a VMDK yet, and where all of them lie in Azure.
#[derive(Default)]
pub(in crate::workflow) struct Added {
    pub(in crate::workflow) new: Vec<ItemDisk>,
    pub(in crate::workflow) managed: BTreeMap<DiskId, String>,
}

/// Looks for added disks, when the preconditions saw some that come home.
pub(in crate::workflow) async fn find(c: &StepCtx<'_>) -> Result<Added, StepError> {
    match c.item.warnings.contains_key(ADDED_DISK_RETURNS.code) {
        true => look(c, &c.input.exclude).await,
        false => Ok(Added { new: Vec::new(), managed: c.item.added.clone() }),
    }
}

/// Looks for disks that were added since the replication home began: a Linux machine brings them home too (*ours*).
pub(in crate::workflow) async fn find_late(c: &StepCtx<'_>) -> Result<Added, StepError> {
    match c.item.os {
        Some(OsFamily::Linux) => look(c, &["Temporary Storage".to_owned()]).await,
        Some(OsFamily::Windows) | None => Ok(Added { new: Vec::new(), managed: c.item.added.clone() }),
    }
}

async fn look(c: &StepCtx<'_>, exclude: &[String]) -> Result<Added, StepError> {
    let mut added = Added { new: Vec::new(), managed: c.item.added.clone() };
    let Some(vm) = &c.item.azure else { return Ok(added) };
    let seen =
        c.services.azure.vm(&vm.name).await.map_err(|e| azure::error(&SESSION_FAILED, &vm.name, &e))?;
    let host = agent::address(c.services, &c.item.name, Site::Azure).await;
    let status = c.services.agents.status(&host).await;
    let status = status.map_err(|e| peer_error(&AGENT_FAILED, c.item.name.as_str(), &e))?;
    for (disk, name) in added_disks(c.item, &seen.map(|seen| seen.disks).unwrap_or_default()) {
        if !left_out(exclude, &status, &disk) {
            // Its size is Azure's to say.
            added.new.push(ItemDisk { disk: disk.clone(), size: 0, vmdk: VmdkUuid::new(""), rdm: false });
            added.managed.insert(disk, name);
        }
    }
    Ok(added)
}

/// Name of the note that says which VMDK a disk had before an extra one took its place.
fn lost_key(disk: &DiskId) -> String {
    format!("vmdk-lost/{disk}")
}

/// The disk's VMDK was not found on a machine whose disks can only be guessed: an extra one takes its place (P21).
pub(super) fn needs_extra(c: &StepCtx<'_>, own: &VmFacts, disk: &ItemDisk) -> bool {
    let known = noted_path(c.item, &disk.disk).is_some() || c.item.attached.contains_key(&disk.disk);
    own.disk(&disk.vmdk).is_none() && !known && !own.enable_uuid() && !disk.vmdk.as_str().is_empty()
}

/// True when this attempt has to make VMDKs at the original location.
pub(in crate::workflow) fn any(c: &StepCtx<'_>) -> bool {
    let new = |disk: &ItemDisk| {
        let noted = |key: String| c.item.notes.contains_key(&key);
        disk.vmdk.as_str().is_empty() || noted(lost_key(&disk.disk)) || noted(made_key(&disk.disk))
    };
    !c.item.added.is_empty() || c.item.disks.iter().any(new)
}

/// Notes which VMDK was not found.
pub(super) fn lost(disk: &ItemDisk) -> Fact {
    note(lost_key(&disk.disk), disk.vmdk.as_str())
}

/// Name of the note that says where the new VMDK of a disk was made.
pub(in crate::workflow) fn made_key(disk: &DiskId) -> String {
    format!("made/{disk}")
}

/// Where a new disk's file goes: beside the machine's first.
fn path(own: &VmFacts, disk: &DiskId) -> String {
    beside(own.disks.first().map(|disk| disk.path.as_str()).unwrap_or_default(), disk)
}

/// The file of a new disk beside another one.
pub(in crate::workflow) fn beside(first: &str, disk: &DiskId) -> String {
    let directory = first.rsplit_once('/').map_or(first, |(directory, _)| directory);
    format!("{directory}/{disk}.vmdk")
}

/// Makes VMDKs on the machine for disks that have none.
pub(in crate::workflow) async fn make(c: &StepCtx<'_>, v: &VcenterClient) -> StepResult {
    let disks: Vec<&ItemDisk> = c.item.disks.iter().filter(|disk| disk.vmdk.as_str().is_empty()).collect();
    if disks.is_empty() {
        return Ok(Vec::new());
    }
    let own = own_vm(c, v, &VM_CREATE_FAILED).await?;
    let own = own.ok_or_else(|| defect(c, "the virtual machine"))?;
    let wanted: Vec<_> = disks.iter().map(|disk| (path(&own, &disk.disk), disk.size)).collect();
    let made = v.add_disks(&own, &wanted).await;
    let made = made.map_err(|e| error(&VM_CREATE_FAILED, &own.name, &e))?;
    let mut facts = Vec::new();
    for ((disk, (path, _)), vmdk) in disks.iter().zip(wanted).zip(made) {
        facts.push(note(made_key(&disk.disk), path));
        facts.push(Fact::Vmdk { disk: disk.disk.clone(), vmdk });
    }
    Ok(facts)
}

/// Deletes the VMDKs that this job made.
pub(in crate::workflow) async fn unmake(c: &StepCtx<'_>, v: &VcenterClient) -> StepResult {
    let own_making =
        |disk: &&ItemDisk| disk.vmdk.as_str().is_empty() || c.item.notes.contains_key(&made_key(&disk.disk));
    let disks: Vec<&ItemDisk> = c.item.disks.iter().filter(own_making).collect();
    if disks.is_empty() {
        return Ok(Vec::new());
    }
    if let Some(own) = own_vm(c, v, &VM_CREATE_FAILED).await? {
        let paths: Vec<_> = disks.iter().map(|disk| path(&own, &disk.disk)).collect();
        let done = v.delete_disks(&own, &paths).await;
        done.map_err(|e| error(&VM_CREATE_FAILED, &own.name, &e))?;
    }
    let mut facts = Vec::new();
    for disk in disks {
        let before = c.item.notes.get(&lost_key(&disk.disk)).map(String::as_str).unwrap_or_default();
        facts.push(Fact::Vmdk { disk: disk.disk.clone(), vmdk: VmdkUuid::new(before) });
        facts.push(Fact::NoteCleared(made_key(&disk.disk)));
    }
    Ok(facts)
}
