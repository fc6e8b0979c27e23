//! Rules about where a machine comes home to: the master target's host, and what may stand there.

use crate::catalogue::{documented, machine, placement as doc};
use crate::config::{AlternateVcenter, Uefi, VmSnapshots};
use crate::facts::Facts;
use crate::journal::Verb;
use failback_wire::error::Report;
use failback_wire::ids::Site;

use super::target::late;

/// The way home ends at VMware alone (P34).
pub(super) fn esxi(f: &Facts) -> Option<Report> {
    let target = f.vcenter.known()?.target_vm.as_ref()?;
    let known = target.hypervisor.as_str();
    let other = !known.is_empty() && !known.contains("ESX");
    let id = f.request.master_target.as_deref().unwrap_or("master target");
    other.then(|| Report::new(&doc::NOT_ESXI, id, known))
}

/// A machine of ours from an attempt that failed is found by UUID, and so is no stranger.
pub(super) fn name_free(f: &Facts) -> Option<Report> {
    let vcenter = f.vcenter.known().filter(|vcenter| vcenter.vm.is_none())?;
    let name = f.item.name.as_str();
    let taken = vcenter.names_on_host.iter().any(|other| other == name);
    taken.then(|| Report::new(&documented::VM_NAME_TAKEN, name, name))
}

/// A machine that replicates home is there to be failed back; only when it was deleted there must it replicate anew,
/// to a new one (*ours*).
pub(super) fn gone_when_anew(f: &Facts) -> Option<Report> {
    let there = f.item.anew && f.vcenter.known()?.vm.is_some();
    let name = f.item.name.as_str();
    there.then(|| Report::new(&machine::NOT_ALLOWED, name, format!("{name} replicates home already")))
}

/// A raw device cannot be made anew elsewhere: it is a piece of the old storage (P36).
pub(super) fn no_raw_device(f: &Facts) -> Option<Report> {
    let alternate = f.vcenter.known()?.vm.is_none();
    let raw: Vec<&str> = f.item.disks.iter().filter(|disk| disk.rdm).map(|disk| disk.disk.as_str()).collect();
    let report = || Report::new(&doc::RAW_DEVICE, f.item.name.as_str(), raw.join(", "));
    (alternate && !raw.is_empty()).then(report)
}

/// Where the setting says so, snapshots of the machine are not merged but refused (P17).
pub(super) fn no_snapshot_of_the_machine(f: &Facts) -> Option<Report> {
    let vm = f.vcenter.known()?.vm.as_ref()?;
    if f.settings.vm_snapshots == VmSnapshots::Merge || vm.snapshots.is_empty() {
        return None;
    }
    Some(Report::new(&doc::VM_SNAPSHOT, f.item.name.as_str(), vm.snapshots.join(", ")))
}

/// Windows Server 2008 R2 SP1 comes home only when it was protected as a virtual machine (P33).
pub(super) fn system_returns(f: &Facts) -> Option<Report> {
    let platform = &f.item.platform;
    let version = platform.os_version.as_deref().filter(|_| platform.physical)?;
    let version = version.to_ascii_lowercase();
    let stays = ["2008", "r2", "sp1"].iter().all(|part| version.contains(part));
    stays.then(|| Report::new(&doc::SYSTEM_STAYS, f.item.name.as_str(), version))
}

/// A machine that boots by UEFI is replicated for a migration only, as the 2019 matrix has it (P33).
pub(super) fn boots_by_bios(f: &Facts) -> Option<Report> {
    let stays = f.item.platform.uefi && f.settings.uefi == Uefi::Refuse;
    stays.then(|| Report::new(&doc::FIRMWARE_STAYS, f.item.name.as_str(), "it boots by UEFI"))
}

/// A physical machine is failed over unplanned, either way (P35).
pub(super) fn not_planned(f: &Facts) -> Option<Report> {
    let planned = f.item.platform.physical && f.request.verb == Verb::Planned;
    planned.then(|| Report::new(&doc::PHYSICAL_PLANNED, f.item.name.as_str(), f.item.name.as_str()))
}

/// Nobody but a person can switch a physical machine off: its agent tells that it runs (C12).
pub(super) fn physical_off(f: &Facts) -> Option<Report> {
    let heard = f.cs.known()?.registration(Site::OnPremises)?.last_heartbeat;
    let runs = f.item.platform.physical && !f.item.resuming && late(f.now, heard).is_none();
    let ago = f.now.since(heard).as_secs() / 60;
    let detail = format!("its agent was heard of {ago} min ago");
    runs.then(|| Report::new(&doc::PHYSICAL_RUNS, f.item.name.as_str(), detail))
}

/// Only the vCenter that the machine came from (P5). Where the setting allows another one, the machine must be gone
/// from the first: nothing would move its disks from one to the other (*ours*).
pub(super) fn original_vcenter(f: &Facts) -> Option<Report> {
    let vcenter = f.vcenter.known().filter(|vcenter| vcenter.elsewhere)?;
    let allowed = f.settings.alternate_vcenter == AlternateVcenter::Allow && vcenter.vm.is_none();
    let id = f.request.master_target.as_deref().unwrap_or("master target");
    (!allowed).then(|| Report::new(&doc::OTHER_VCENTER, id, id))
}
