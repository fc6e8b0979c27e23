//! Rules about the master target.

use super::versions::compare;
use super::{DISKS, HOME, Rule, TARGET, rule, warning};
use crate::catalogue::disks::MT_OS_OLDER;
use crate::catalogue::{documented, target as doc};
use crate::facts::{Facts, Slots, TargetVmFacts};
use crate::journal::Operation::Reprotect;
use failback_wire::clock::VirtualMs;
use failback_wire::error::{ErrorDoc, Report};
use failback_wire::proto::cs::{self, OsFamily};
use failback_wire::proto::target::{Obstacle, Refusing, Unfit};
use std::cmp::Ordering;
use std::time::Duration;

/// Rules of this topic, in check order.
pub(super) static RULES: &[Rule] = &[
    rule("P9", "the master target can register with the configuration server", HOME, can_register),
    rule("P25", "the configuration server knows the master target", HOME, known),
    rule("P30", "the master target has a heartbeat", TARGET, heartbeat),
    rule("P30", "the master target answers", TARGET, answers),
    rule("P25", "the master target is a virtual machine of this vCenter", HOME, is_a_vm),
    rule("P15", "the master target is of the machine's family", HOME, os_family),
    rule("P15", "the master target's system is not older than the machine's", &[Reprotect], os_version),
    warning("P16", "the master target is not newer than its servers", &[Reprotect], version),
    rule("P17", "the master target has no snapshot", DISKS, no_snapshot),
    rule("P18", "the master target's controller is LSI Logic", &[Reprotect], controller),
    rule("P21", "disk.EnableUUID is TRUE on the master target", &[Reprotect], enable_uuid),
    rule("P22", "VMware Tools run on the master target", &[Reprotect], tools),
    rule("P19", "the master target has room for the disks", &[Reprotect], slots),
    rule("P26", "no disk UUID is the master target's own", &[Reprotect], uuid_clash),
    rule("P28", "the master target does not lie on LVM", &[Reprotect], no_lvm),
    rule("P28", "the master target is adapted to its kernel", &[Reprotect], adapted),
    rule("P27", "the master target has a retention volume", &[Reprotect], retention),
];

/// A server or machine without a sign of life for this long counts as lost (806, 78022, 78174).
pub(super) const HEARTBEAT_LIMIT: Duration = Duration::from_secs(15 * 60);
/// Disks one master target may hold for replication (P19).
pub(crate) const MAX_DISKS: usize = 60;

/// Says how late a heartbeat is, when it is too late.
pub(super) fn late(now: VirtualMs, last: VirtualMs) -> Option<String> {
    let age = now.since(last);
    (age >= HEARTBEAT_LIMIT).then(|| format!("the last one came {} min ago", age.as_secs() / 60))
}

fn id(f: &Facts) -> &str {
    f.request.master_target.as_deref().unwrap_or("master target")
}

fn report(f: &Facts, doc: &ErrorDoc, detail: impl Into<String>) -> Option<Report> {
    Some(Report::new(doc, id(f), detail))
}

fn vm(f: &Facts) -> Option<&TargetVmFacts> {
    f.vcenter.known()?.target_vm.as_ref()
}

/// A plan that gives the machine no master target says so itself (G3).
fn named(f: &Facts) -> Option<()> {
    (f.request.master_target.is_some() || !f.request.by_plan).then_some(())
}

/// Quiet when the master target itself says why it is not registered: one cause, one report.
fn known(f: &Facts) -> Option<Report> {
    named(f)?;
    let listed = f.cs.known()?.server(id(f)).is_some();
    (!listed && can_register(f).is_none()).then(|| Report::new(&doc::MT_UNKNOWN, id(f), id(f)))
}

fn can_register(f: &Facts) -> Option<Report> {
    let doc = match f.target.known()?.unregistered? {
        Obstacle::AuthenticatedProxy => &doc::MT_PROXY,
        Obstacle::HostsFile => &doc::MT_HOSTS_FILE,
    };
    report(f, doc, id(f))
}

fn heartbeat(f: &Facts) -> Option<Report> {
    let detail = late(f.now, f.cs.known()?.server(id(f))?.last_heartbeat)?;
    report(f, &documented::MT_HEARTBEAT, detail)
}

/// Quiet when the heartbeat or the whole machine is missing too: one cause, one report.
fn answers(f: &Facts) -> Option<Report> {
    let why = f.target.silent()?;
    if heartbeat(f).is_some() || known(f).is_some() || is_a_vm(f).is_some() {
        return None;
    }
    report(f, &doc::MT_SILENT, why)
}

fn is_a_vm(f: &Facts) -> Option<Report> {
    named(f)?;
    let vcenter = f.vcenter.known()?;
    let hidden = f.cs.known().map(|cs| cs.status.hidden.as_slice()).unwrap_or_default();
    if hidden.iter().any(|hidden| hidden.vm == id(f)) {
        return report(f, &doc::MT_NOT_A_VM, "it has not been discovered yet");
    }
    // In another one P5 reports it.
    (vcenter.target_vm.is_none() && !vcenter.elsewhere).then(|| Report::new(&doc::MT_NOT_A_VM, id(f), id(f)))
}

fn family(os: OsFamily) -> &'static str {
    match os {
        OsFamily::Windows => "Windows",
        OsFamily::Linux => "Linux",
    }
}

fn os_family(f: &Facts) -> Option<Report> {
    let row = f.cs.known().and_then(|cs| cs.server(id(f))).map(|server| server.os);
    let os = f.target.known().map(|health| health.os).or(row)?;
    if os == f.item.os {
        return None;
    }
    let detail = format!("{} is {}, {} is {}", id(f), family(os), f.item.name, family(f.item.os));
    report(f, &doc::MT_OS_FAMILY, detail)
}

/// Versions of different products, as of two distributions of Linux, are not compared (*ours*); nor is one that nobody
/// tells.
fn os_version(f: &Facts) -> Option<Report> {
    let told = f.agent.known().and_then(|agent| agent.os_version.as_ref());
    let own = told.or(f.item.platform.os_version.as_ref())?;
    let target = f.target.known()?.os_version.as_ref()?;
    if os_family(f).is_some() || compare(target, own) != Some(Ordering::Less) {
        return None;
    }
    report(f, &MT_OS_OLDER, format!("{} runs {target}, {} runs {own}", id(f), f.item.name))
}

fn version(f: &Facts) -> Option<Report> {
    let (cs, target) = (f.cs.known()?, f.target.known()?);
    let relay = f.relay.known().map_or(cs.status.version.as_str(), |relay| relay.version.as_str());
    let oldest = cs::version(relay).min(cs::version(&cs.status.version));
    if cs::version(&target.version) <= oldest {
        return None;
    }
    let detail = format!(
        "master target {}, process server {relay}, configuration server {}",
        target.version, cs.status.version
    );
    report(f, &doc::MT_VERSION, detail)
}

fn no_snapshot(f: &Facts) -> Option<Report> {
    let vm = vm(f)?;
    if vm.snapshots.is_empty() {
        return None;
    }
    report(f, &doc::MT_SNAPSHOT, format!("{} on {}", vm.snapshots.join(", "), id(f)))
}

fn controller(f: &Facts) -> Option<Report> {
    let vm = vm(f)?;
    if vm.controllers.iter().any(|kind| kind.contains("LsiLogic")) {
        return None;
    }
    report(f, &doc::MT_CONTROLLER, vm.controllers.join(", "))
}

fn enable_uuid(f: &Facts) -> Option<Report> {
    (!vm(f)?.enable_uuid).then(|| Report::new(&doc::MT_ENABLE_UUID, id(f), ""))
}

/// In a machine that is off nothing runs: that is its heartbeat's business.
fn tools(f: &Facts) -> Option<Report> {
    let without = vm(f).is_some_and(|vm| vm.on && !vm.tools);
    without.then(|| Report::new(&doc::MT_NO_TOOLS, id(f), ""))
}

fn slots(f: &Facts) -> Option<Report> {
    let Slots { taken, wanted } = f.slots()?;
    if wanted == 0 || taken + wanted <= MAX_DISKS {
        return None;
    }
    report(f, &doc::MT_FULL, format!("{taken} attached, {wanted} more needed"))
}

/// That it is refused is ours: the pages only say that LVM is not supported.
fn no_lvm(f: &Facts) -> Option<Report> {
    f.target.known()?.lvm.then(|| Report::new(&doc::MT_LVM, id(f), ""))
}

/// For a master target that is newer than its servers a warning must do (P16); one that malfunctions takes nothing.
fn adapted(f: &Facts) -> Option<Report> {
    match f.target.known()?.refuses.as_ref()? {
        Refusing::KernelUpdated => report(f, &doc::MT_KERNEL_OLD, ""),
        Refusing::NewerThanServers { .. } | Refusing::DisksGone(_) | Refusing::DisksResized(_) => None,
    }
}

/// One disk hangs on one machine (I4): the same UUID on both means that both were made from one template.
fn uuid_clash(f: &Facts) -> Option<Report> {
    let vcenter = f.vcenter.known()?;
    let (own, vm) = (vcenter.target_vm.as_ref()?, vcenter.vm.as_ref()?);
    let disk = vm.disks.iter().find(|uuid| own.disks.contains(uuid))?;
    report(f, &doc::MT_UUID_CLASH, disk.as_str())
}

fn retention(f: &Facts) -> Option<Report> {
    let Some(volume) = f.target.known()?.retention.as_ref() else {
        return report(f, &doc::NO_RETENTION, "it has none");
    };
    if let Some(why) = volume.unfit.or_else(|| (volume.capacity == 0).then_some(Unfit::Empty)) {
        return report(f, &doc::NO_RETENTION, format!("{} is not listed: {why}", volume.mount));
    }
    let wanted = f.request.retention_drive.as_deref()?;
    if wanted.trim_end_matches(['\\', '/', ':']) == volume.mount.trim_end_matches(['\\', '/', ':']) {
        return None;
    }
    report(f, &doc::NO_RETENTION, format!("{wanted} was asked for, {} is listed", volume.mount))
}
