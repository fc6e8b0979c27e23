//! Rules about vCenter, hosts, datastores and the on-premises virtual machine.

use super::{DISKS, RETURN, Rule, VCENTER, VM, rule, warning};
use crate::catalogue::beside::DISKS_UNFIT;
use crate::catalogue::{control, documented, machine, target as doc, warning};
use crate::config::Vsan;
use crate::facts::{DatastoreFacts, DiskFacts, Facts, Seen, VcenterFacts, VmFacts};
use crate::journal::Operation::{CommitBack, Reprotect};
use failback_wire::error::Report;
use failback_wire::ids::{DiskId, Site};

/// Rules of this topic, in check order.
pub(super) static RULES: &[Rule] = &[
    rule("P1", "vCenter is connected", VCENTER, vcenter_connected),
    rule("P8", "vCenter accepts the login", VCENTER, vcenter_login),
    rule("P8", "the vCenter account may write", DISKS, vcenter_writable),
    rule("P23", "the master target's host has a usable datastore", &[Reprotect], datastores),
    rule("P23", "disks may lie on the datastore's type", &[Reprotect], vsan),
    rule("P24", "the datastore is mounted read/write there", &[Reprotect], datastore_writable),
    rule("C9", "the chosen datastore exists", &[Reprotect], datastore_known),
    rule("P21", "the machine's disks match its virtual machine", &[Reprotect], disks_match),
    warning("P21", "no disk needs an extra one", &[Reprotect], extra_disks),
    rule("P37", "protected disks replicate home, and no others", &[Reprotect], disks_asked_for),
    warning("P37", "no protected disk is left out", &[Reprotect], left_out),
    rule("E21", "each disk has the size of its copy in Azure", &[Reprotect], sizes_match),
    warning(
        "C19",
        "the on-premises virtual machine has not run since the failover",
        &[Reprotect],
        home_stayed_off,
    ),
    rule("C12", "the on-premises virtual machine exists", VM, vm_exists),
    // Else the commit would delete the last copy.
    rule("C20", "the on-premises virtual machine exists", &[CommitBack], vm_exists),
    rule("P39", "the host of the virtual machine is connected", DISKS, host_connected),
    rule("C12", "the on-premises virtual machine is off", RETURN, vm_off),
];

fn vcenter_connected(f: &Facts) -> Option<Report> {
    f.vcenter.silent().map(|why| Report::new(&control::VCENTER_DISCONNECTED, "vCenter", why))
}

fn vcenter_login(f: &Facts) -> Option<Report> {
    match &f.vcenter {
        Seen::Refused(why) => Some(Report::new(&control::VCENTER_LOGIN, "vCenter", why.as_str())),
        Seen::Unasked | Seen::Silent(_) | Seen::Known(_) => None,
    }
}

fn vcenter_writable(f: &Facts) -> Option<Report> {
    (!f.vcenter.known()?.can_write).then(|| Report::new(&control::VCENTER_READ_ONLY, "vCenter", ""))
}

fn supported(vcenter: &VcenterFacts) -> impl Iterator<Item = &DatastoreFacts> {
    vcenter.datastores.iter().filter(|datastore| datastore.supported())
}

/// Without VMware Tools on the master target the list is empty anyway, and P22 reports that.
fn datastores(f: &Facts) -> Option<Report> {
    let vcenter = f.vcenter.known()?;
    let target = vcenter.target_vm.as_ref().filter(|vm| vm.tools)?;
    if !target.host_connected || supported(vcenter).next().is_some() {
        return None;
    }
    let seen: Vec<_> = vcenter.datastores.iter().map(|d| format!("{} ({})", d.name, d.kind)).collect();
    Some(Report::new(&doc::NO_DATASTORE, "datastore", seen.join(", ")))
}

/// Datastores the operation will write to: those of the machine's disks, or the chosen one.
fn wanted(f: &Facts) -> Option<Vec<&str>> {
    let vcenter = f.vcenter.known()?;
    Some(match &vcenter.vm {
        Some(vm) => vm.datastores.iter().map(String::as_str).collect(),
        None => f.request.datastore.as_deref().into_iter().collect(),
    })
}

/// The sources disagree about vSAN; a setting decides.
fn vsan(f: &Facts) -> Option<Report> {
    let vcenter = f.vcenter.known()?;
    match (f.settings.vsan, vcenter.vm.is_some()) {
        (Vsan::Allow, _) | (Vsan::OriginalOnly, true) => return None,
        (Vsan::OriginalOnly, false) | (Vsan::Refuse, _) => {}
    }
    let names = wanted(f)?;
    let on_vsan =
        |d: &&DatastoreFacts| d.kind.eq_ignore_ascii_case("vsan") && names.contains(&d.name.as_str());
    let store = vcenter.datastores.iter().find(on_vsan)?;
    Some(Report::new(&doc::VSAN_REFUSED, store.name.as_str(), store.name.as_str()))
}

fn datastore_writable(f: &Facts) -> Option<Report> {
    let vcenter = f.vcenter.known()?;
    if !vcenter.target_vm.as_ref()?.host_connected {
        return None;
    }
    let found = |name: &str| vcenter.datastores.iter().find(|datastore| datastore.name == name);
    let bad = wanted(f)?.into_iter().find(|name| match found(name) {
        Some(datastore) => !datastore.usable() || !datastore.supported() && vcenter.vm.is_none(),
        // At the original location a datastore that the host does not list is not mounted there.
        None => vcenter.vm.is_some() || vcenter.unmounted.iter().any(|other| other == name),
    })?;
    Some(Report::new(&documented::DATASTORE_INACCESSIBLE, bad, bad))
}

/// At the original location the datastore must be given but is ignored (C9).
fn datastore_known(f: &Facts) -> Option<Report> {
    let vcenter = f.vcenter.known()?;
    if vcenter.vm.is_some() {
        return None;
    }
    let wanted = f.request.datastore.as_deref().unwrap_or_default();
    let mut there = vcenter.datastores.iter().map(|datastore| &datastore.name).chain(&vcenter.unmounted);
    let found = there.any(|name| name == wanted);
    (!found).then(|| Report::new(&doc::DATASTORE_UNKNOWN, wanted, wanted))
}

/// Every disk under protection hangs on the machine, or (an earlier attempt) on the master target, or on
/// nobody while its file is noted: the UUID of that file is looked at before it is attached.
fn disks_match(f: &Facts) -> Option<Report> {
    let vm = f.vcenter.known()?.vm.as_ref().filter(|vm| vm.enable_uuid)?;
    unmatched(f, vm).map(|names| Report::new(&machine::DISK_MISMATCH, f.item.name.as_str(), names))
}

/// Without `disk.EnableUUID` on the machine matching is best effort: what is missed comes home on an extra disk (P21).
fn extra_disks(f: &Facts) -> Option<Report> {
    let vm = f.vcenter.known()?.vm.as_ref().filter(|vm| !vm.enable_uuid)?;
    unmatched(f, vm).map(|names| Report::new(&warning::EXTRA_DISK, f.item.name.as_str(), names))
}

fn unmatched(f: &Facts, vm: &VmFacts) -> Option<String> {
    let target = f.vcenter.known()?.target_vm.as_ref();
    let on_target = target.map(|target| target.disks.as_slice()).unwrap_or_default();
    let held = |disk: &DiskFacts| vm.disks.contains(&disk.uuid) || on_target.contains(&disk.uuid);
    let lost = |disk: &&DiskFacts| !held(disk) && !disk.noted;
    let names: Vec<_> =
        f.item.disks.iter().filter(lost).map(|d| format!("{} ({})", d.disk, d.uuid)).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

/// A request may leave disks out, but for the one that the machine boots from (*ours*); it cannot name others. What was
/// added to a Linux machine comes home unasked.
fn disks_asked_for(f: &Facts) -> Option<Report> {
    let asked = f.request.include.as_ref()?;
    let added = f.azure.known().map(|azure| azure.added.as_slice()).unwrap_or_default();
    let known = |id: &DiskId| {
        f.item.disks.iter().any(|disk| disk.disk == *id) || added.iter().any(|(added, _)| added == id)
    };
    let first = f.item.left_out.iter().find(|disk| disk.number() == Some(0));
    let detail = match (first, asked.iter().find(|id| !known(id))) {
        (Some(disk), _) => format!("{disk} is left out, which the machine boots from"),
        (None, Some(disk)) => format!("{disk} is not protected"),
        (None, None) => return None,
    };
    Some(Report::new(&DISKS_UNFIT, f.item.name.as_str(), detail))
}

/// A disk that is left out stays in Azure, and the machine comes home without it.
fn left_out(f: &Facts) -> Option<Report> {
    let names: Vec<String> = f.item.left_out.iter().map(ToString::to_string).collect();
    (!names.is_empty()).then(|| Report::new(&warning::DISK_LEFT_OUT, f.item.name.as_str(), names.join(", ")))
}

/// What home holds and what Azure holds are copies of one disk only while they have one size; a reprotect neither
/// cuts nor stretches. At an alternate location the new disks get the size that Azure's have.
fn sizes_match(f: &Facts) -> Option<Report> {
    let (vcenter, azure) = (f.vcenter.known()?, f.azure.known()?);
    vcenter.vm.as_ref()?;
    let differs = |disk: &DiskFacts| {
        let (home, there) = (vcenter.sizes.get(&disk.uuid)?, azure.sizes.get(&disk.disk)?);
        (home != there).then(|| format!("{} has {home} bytes on-premises and {there} in Azure", disk.disk))
    };
    let all: Vec<_> = f.item.disks.iter().filter_map(differs).collect();
    let report = || Report::new(&machine::DISK_RESIZED, f.item.name.as_str(), all.join(", "));
    (!all.is_empty()).then(report)
}

/// It runs, or its agent registered after the failover: what it wrote since will be given up (E8).
fn home_stayed_off(f: &Facts) -> Option<Report> {
    let on = f.vcenter.known().and_then(|vcenter| vcenter.vm.as_ref()).is_some_and(|vm| vm.on);
    let registered =
        f.cs.known().and_then(|cs| cs.registration(Site::OnPremises)).map(|row| row.registered_at);
    let since = f.item.source_since.filter(|since| registered.is_some_and(|at| at > *since));
    let why = match (on, since) {
        (true, _) => "it is powered on",
        (false, Some(_)) => "its agent registered after the failover",
        (false, None) => return None,
    };
    Some(Report::new(&warning::SPLIT_BRAIN, f.item.name.as_str(), why))
}

fn vm_exists(f: &Facts) -> Option<Report> {
    let name = f.item.name.as_str();
    // A physical machine is known by its agent (P35).
    let physical = f.agent.known().is_some_and(|agent| agent.registered && agent.hardware.is_some());
    let missing = f.vcenter.known()?.vm.is_none() && !physical;
    missing.then(|| Report::new(&machine::ONPREM_VM_MISSING, name, name))
}

fn host_connected(f: &Facts) -> Option<Report> {
    let vcenter = f.vcenter.known()?;
    let vm_lost = vcenter.vm.as_ref().is_some_and(|vm| !vm.host_connected);
    let target_lost = vcenter.target_vm.as_ref().is_some_and(|vm| !vm.host_connected);
    let entity = match (vm_lost, target_lost) {
        (true, _) => f.item.name.as_str(),
        (false, true) => f.request.master_target.as_deref().unwrap_or("master target"),
        (false, false) => return None,
    };
    Some(Report::new(&machine::ONPREM_HOST_DOWN, entity, entity))
}

/// An earlier attempt may have come as far as powering it on.
fn vm_off(f: &Facts) -> Option<Report> {
    let vm = f.vcenter.known()?.vm.as_ref()?;
    let name = f.item.name.as_str();
    (vm.on && !f.item.resuming).then(|| Report::new(&machine::ONPREM_VM_ON, name, name))
}
