//! Rules about where a machine comes home to: the master target's host, and what may stand there.

use super::target::late;
use super::{HOME, POINTS, Rule, own, rule};
use crate::catalogue::{documented, machine};
use crate::config::{AlternateVcenter, Uefi, VmSnapshots};
use crate::facts::Facts;
use crate::journal::Operation::{Failback, Reprotect};
use crate::journal::Verb;
use failback_wire::error::Report;
use failback_wire::ids::Site;

/// Rules of this topic, in check order.
#[rustfmt::skip]
pub(super) static RULES: &[Rule] = &[
    // Where the setting allows another one, the machine must be gone from the first: nothing would move its disks from
    // one to the other (*ours*).
    own!(Refuse "P5" "the master target is in the machine's own vCenter" HOME;
        "FB1022" Operator "the master target is in another vCenter than the machine came from";
        "the master target was set up at another site, or in a vCenter that was added for the failback"
        => "Use a master target in the original vCenter.";
        |f| {
            let vcenter = f.vcenter.known().filter(|vcenter| vcenter.elsewhere)?;
            let allowed = f.settings.alternate_vcenter == AlternateVcenter::Allow && vcenter.vm.is_none();
            let id = f.request.master_target.as_deref().unwrap_or("master target");
            (!allowed).then(|| (id.to_owned(), id.to_owned()))
        }),
    own!(Refuse "P34" "the master target's host is an ESXi host" &[Reprotect];
        "FB1020" Operator "the host that the machine would come home to is no ESXi host";
        "the master target stands on Hyper-V, or on another hypervisor than VMware ESXi"
        => "Use a master target on an ESXi host.";
        |f| {
            let known = f.vcenter.known()?.target_vm.as_ref()?.hypervisor.as_str();
            let other = !known.is_empty() && !known.contains("ESX");
            let id = f.request.master_target.as_deref().unwrap_or("master target");
            other.then(|| (id.to_owned(), known.to_owned()))
        }),
    rule("P36", "the name is free on the master target's host", &[Reprotect], name_free),
    // 2008 R2 SP1 comes home only when it was protected as a virtual machine.
    own!(Refuse "P33" "its operating system can come home" &[Reprotect];
        "FB1510" Fatal "the machine's operating system cannot come home from a physical machine";
        "Windows Server 2008 R2 SP1 was protected as a physical machine"
        => "Keep the machine in Azure: complete its migration.";
        |f| {
            let platform = &f.item.platform;
            let version = platform.os_version.as_deref().filter(|_| platform.physical)?.to_ascii_lowercase();
            let stays = ["2008", "r2", "sp1"].iter().all(|part| version.contains(part));
            stays.then(|| (f.item.name.to_string(), version))
        }),
    // Such a machine is replicated for a migration only, as the 2019 matrix has it.
    own!(Refuse "P33" "it boots by BIOS" &[Reprotect];
        "FB1511" Fatal "a machine that boots by UEFI cannot come home";
        "its replication is for a migration to Azure only"
        => "Keep the machine in Azure: complete its migration.";
        |f| {
            let stays = f.item.platform.uefi && f.settings.uefi == Uefi::Refuse;
            stays.then(|| (f.item.name.to_string(), "it boots by UEFI".to_owned()))
        }),
    // Unplanned, either way.
    own!(Refuse "P35" "a physical machine is not failed over planned" POINTS;
        "FB1512" Operator "a physical machine cannot be failed over planned";
        "planned failover was asked for"
        => "Ask for an unplanned failover; it does the same.";
        |f| {
            let planned = f.item.platform.physical && f.request.verb == Verb::Planned;
            planned.then(|| (f.item.name.to_string(), f.item.name.to_string()))
        }),
    // Nobody but a person can switch it off: its agent tells that it runs.
    own!(Refuse "C12" + "P35" + "I2" "the physical machine is off" &[Failback];
        "FB1513" Operator "the physical machine still runs";
        "nobody has switched it off since the failover, or somebody has switched it on again"
        => "Switch it off, wait 15 minutes until it counts as gone, then fail back again.";
        |f| {
            let heard = f.cs.known()?.registration(Site::OnPremises)?.last_heartbeat;
            let runs = f.item.platform.physical && !f.item.resuming && late(f.now, heard).is_none();
            let ago = f.now.since(heard).as_secs() / 60;
            runs.then(|| (f.item.name.to_string(), format!("its agent was heard of {ago} min ago")))
        }),
    rule("C12", "one that replicates home does so anew only when its machine is gone", &[Reprotect], gone_when_anew),
    // A raw device cannot be made anew elsewhere: it is a piece of the old storage.
    own!(Refuse "P36" "no disk is a raw device, at an alternate location" &[Reprotect];
        "FB1515" Operator "a raw device mapping cannot be recovered to an alternate location";
        "the virtual machine on-premises was deleted or unregistered, and one of its disks was a raw device mapping"
        => "Register the original virtual machine with its raw devices again, or leave the raw devices out of the reprotect; production goes on in Azure meanwhile.";
        |f| {
            let alternate = f.vcenter.known()?.vm.is_none();
            let raw = f.item.disks.iter().filter(|disk| disk.rdm).map(|disk| disk.disk.as_str());
            let raw: Vec<&str> = raw.collect();
            (alternate && !raw.is_empty()).then(|| (f.item.name.to_string(), raw.join(", ")))
        }),
    // Where the setting says so; else they are merged.
    own!(Refuse "P17" "the machine has no snapshot, where none is merged" &[Reprotect];
        "FB1516" Operator "the on-premises virtual machine has snapshots";
        "somebody, or a backup product, took a snapshot of it"
        => "Remove all its snapshots, then reprotect again.";
        |f| {
            let vm = f.vcenter.known()?.vm.as_ref()?;
            let kept = f.settings.vm_snapshots != VmSnapshots::Merge && !vm.snapshots.is_empty();
            kept.then(|| (f.item.name.to_string(), vm.snapshots.join(", ")))
        }),
    // Merging is documented, a warning before it is not (*ours*).
    own!(Warn "P17" "the machine has no snapshot that will be merged" &[Reprotect];
        "FB2115" Operator "the reprotect merges the machine's snapshots: nobody can go back to them";
        "somebody, or a backup product, took a snapshot of it"
        => "Nothing stops. Where a snapshot must be kept, clone the machine as it was then, before the next reprotect.";
        |f| {
            let vm = f.vcenter.known()?.vm.as_ref()?;
            let merged = f.settings.vm_snapshots == VmSnapshots::Merge && !vm.snapshots.is_empty();
            merged.then(|| (f.item.name.to_string(), vm.snapshots.join(", ")))
        }),
];

/// A machine of ours from an attempt that failed is found by UUID, and so is no stranger.
fn name_free(f: &Facts) -> Option<Report> {
    let vcenter = f.vcenter.known().filter(|vcenter| vcenter.vm.is_none())?;
    let name = f.item.name.as_str();
    let taken = vcenter.names_on_host.iter().any(|other| other == name);
    taken.then(|| Report::new(&documented::VM_NAME_TAKEN, name, name))
}

/// A machine that replicates home is there to be failed back; only when it was deleted there must it replicate anew,
/// to a new one (*ours*).
fn gone_when_anew(f: &Facts) -> Option<Report> {
    let there = f.item.anew && f.vcenter.known()?.vm.is_some();
    let name = f.item.name.as_str();
    there.then(|| Report::new(&machine::NOT_ALLOWED, name, format!("{name} replicates home already")))
}
