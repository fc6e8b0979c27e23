//! Rules about Azure and the agent of the copy that is to be the source.

use super::{AGENT, AZURE, BACK, HOME, Rule, TOLD, rule, warning};
use crate::catalogue::disks::ISCSI_AS_VMDK;
use crate::catalogue::protection::COPY_LEFT;
use crate::catalogue::{control, documented, machine, warning};
use crate::facts::{AzureFacts, Facts};
use crate::journal::Operation;
use crate::journal::Operation::{EnableProtection, Failback, Reprotect, ReprotectForward};
use crate::workflow::left_out;
use failback_wire::error::Report;
use failback_wire::ids::{DiskId, Site};
use failback_wire::proto::cs::{OsFamily, RegistrationRow};
use std::time::Duration;

use super::control::private_link;
use super::target::late;

/// Rules of this topic, in check order.
pub(super) static RULES: &[Rule] = &[
    rule("P40", "the source is registered once", AGENT, registered_once),
    rule("C14", "the registration of the source is that of this copy", AGENT, own_registration),
    rule("C16", "Azure answers", AZURE, reachable),
    rule("C23", "no earlier copy of the machine is left in Azure", &[EnableProtection], nothing_left),
    rule("P33", "the Azure virtual machine exists", HOME, vm_exists),
    warning("P33", "the Azure virtual machine can still send what it wrote", &[Failback], vm_still_there),
    rule("P33", "the Azure virtual machine is in its resource group", BACK, vm_in_its_group),
    warning("P37", "no disk of a Windows machine was added in Azure", &[Reprotect], added_stay),
    warning("P37", "no disk of a Linux machine was added in Azure", &[Reprotect], added_return),
    warning("P37", "no disk was reached over iSCSI", &[Reprotect], over_iscsi),
    warning("P37", "no disk was added in Azure since the reprotect", &[Failback], added_late),
    rule("P31", "the Azure virtual machine runs", &[Reprotect], vm_running),
    rule("P31", "the guest of the Azure virtual machine answers", &[Reprotect], vm_answers),
    rule("P31", "the Azure virtual machine is on its network", &[Reprotect], on_its_network),
    rule("P32", "the agent of the source is registered", &[Reprotect], agent_registered),
    rule("C21", "the agent at home is registered", &[ReprotectForward], agent_registered),
    rule("P32", "the agent of the source can reach the configuration server", AGENT, agent_connected),
    rule("P32", "the agent of the source has a heartbeat, and answers", TOLD, agent_heartbeat),
];

/// How long an agent may take to register after its machine booted (P32).
pub(super) const REGISTRATION_GRACE: Duration = Duration::from_secs(15 * 60);

fn reachable(f: &Facts) -> Option<Report> {
    f.azure.silent().map(|why| Report::new(&control::AZURE_UNREACHABLE, "Azure", why))
}

fn vm(f: &Facts) -> Option<&AzureFacts> {
    f.azure.known()
}

/// Gone for good: not where it was made, and nowhere else.
fn is_gone(f: &Facts) -> bool {
    vm(f).is_some_and(|vm| !vm.exists && vm.moved_to.is_none())
}

/// Without its machine in Azure an item fails back only to a point that the master target holds already; that it may
/// is ours.
fn vm_exists(f: &Facts) -> Option<Report> {
    let name = f.item.name.as_str();
    let has_point = f.points.known().is_some_and(|points| !points.is_empty());
    let lost = is_gone(f) && !(f.operation == Operation::Failback && has_point);
    lost.then(|| Report::new(&machine::AZURE_VM_MISSING, name, name))
}

/// Says that what the machine wrote after the last point is lost.
fn vm_still_there(f: &Facts) -> Option<Report> {
    is_gone(f).then(|| Report::new(&warning::AZURE_VM_GONE, f.item.name.as_str(), ""))
}

/// Disks of the Azure machine that were added to it, but for those that the request leaves out.
fn added(f: &Facts, os: OsFamily) -> Option<String> {
    let status = f.agent.known();
    let counts =
        |(disk, _): &&(DiskId, String)| !status.is_some_and(|s| left_out(&f.request.exclude, s, disk));
    let names: Vec<&str> = vm(f)?.added.iter().filter(counts).map(|(_, name)| name.as_str()).collect();
    (f.item.os == os && !names.is_empty()).then(|| names.join(", "))
}

/// A Windows machine leaves disks that were added in Azure behind.
fn added_stay(f: &Facts) -> Option<Report> {
    Some(Report::new(&warning::ADDED_DISK_STAYS, f.item.name.as_str(), added(f, OsFamily::Windows)?))
}

/// A Linux machine brings them home.
fn added_return(f: &Facts) -> Option<Report> {
    Some(Report::new(&warning::ADDED_DISK_RETURNS, f.item.name.as_str(), added(f, OsFamily::Linux)?))
}

/// Such a disk comes home as a VMDK of the machine; what it was at home stays as it was.
fn over_iscsi(f: &Facts) -> Option<Report> {
    let names: Vec<&str> = f.item.without_vmdk.iter().map(DiskId::as_str).collect();
    (!names.is_empty()).then(|| Report::new(&ISCSI_AS_VMDK, f.item.name.as_str(), names.join(", ")))
}

/// Whatever its system, a machine brings home the disks with which its replication home began (ours, for Linux).
fn added_late(f: &Facts) -> Option<Report> {
    if f.item.leaves_disks {
        return None;
    }
    let lent = ["Temporary Storage".to_owned()];
    let status = f.agent.known()?;
    let counts = |(disk, _): &&(DiskId, String)| !left_out(&lent, status, disk);
    let late: Vec<&str> = vm(f)?.added.iter().filter(counts).map(|(_, name)| name.as_str()).collect();
    if late.is_empty() {
        return None;
    }
    let late = late.join(", ");
    Some(Report::new(&warning::ADDED_DISK_LATE, f.item.name.as_str(), late))
}

/// A machine in another resource group is another machine to whoever goes by its id.
fn vm_in_its_group(f: &Facts) -> Option<Report> {
    let group = vm(f)?.moved_to.as_ref()?;
    Some(Report::new(&machine::AZURE_VM_MOVED, f.item.name.as_str(), group.as_str()))
}

fn vm_running(f: &Facts) -> Option<Report> {
    let vm = vm(f).filter(|vm| vm.exists && !vm.running)?;
    Some(Report::new(&documented::AZURE_VM_DOWN, f.item.name.as_str(), vm.power.as_str()))
}

/// Asked only about a machine that left protection in Azure (ours): two copies of it would go apart, and the next
/// failover would find its name taken.
fn nothing_left(f: &Facts) -> Option<Report> {
    let name = f.item.name.as_str();
    vm(f)?.exists.then(|| Report::new(&COPY_LEFT, name, name))
}

/// A guest that hangs does not answer although its machine runs. One that boots has the grace of its registration.
fn vm_answers(f: &Facts) -> Option<Report> {
    hangs(f).then(|| {
        Report::new(
            &documented::AZURE_VM_DOWN,
            f.item.name.as_str(),
            "it runs, but its guest does not answer",
        )
    })
}

fn hangs(f: &Facts) -> bool {
    let silent = vm(f).is_some_and(|vm| vm.exists && vm.running && !vm.answers);
    silent && (registration(f).is_some() || !in_grace(f))
}

/// In another subnet, from where nobody hears of its agent. One that the process server still reaches lacks no more than
/// the way to the site (95226).
fn on_its_network(f: &Facts) -> Option<Report> {
    let subnet = cut_off(f)?;
    let detail = format!("it is in the subnet {subnet}, where it cannot be reached");
    Some(Report::new(&documented::AZURE_VM_DOWN, f.item.name.as_str(), detail))
}

fn cut_off(f: &Facts) -> Option<&str> {
    let vm = vm(f).filter(|vm| vm.exists && vm.running && f.agent.silent().is_some() && !hangs(f))?;
    let asked = f.operation == Operation::Reprotect;
    vm.misplaced.as_deref().filter(|_| asked && !vm.nearby && (registration(f).is_some() || !in_grace(f)))
}

/// The site of the copy that is to be the source.
fn source(f: &Facts) -> Site {
    match f.operation {
        Operation::MoveServer | Operation::Resynchronise => f.item.leg.source(),
        Operation::Reprotect
        | Operation::Failback
        | Operation::CommitBack
        | Operation::Commit
        | Operation::ChangePoint => Site::Azure,
        Operation::EnableProtection
        | Operation::Failover
        | Operation::ReprotectForward
        | Operation::Disable
        | Operation::Purge
        | Operation::CompleteMigration
        | Operation::TestFailover
        | Operation::CleanUpTest => Site::OnPremises,
    }
}

/// The registration of the source, made since it became the source, or heard of since: a server that was restored
/// knows the registration its backup knew, and the agent that lives has no reason to make another. The other copy's
/// does not count (C14).
fn registration(f: &Facts) -> Option<&RegistrationRow> {
    let cs = f.cs.known()?;
    let row = if f.env.holds("C14") { cs.registration(source(f)) } else { cs.newest_registration() }?;
    let since = f.item.registered_after.unwrap_or_default();
    (row.registered_at.max(row.last_heartbeat) >= since).then_some(row)
}

/// Copies are told apart by their host ids, and the one at home was noted when its protection began (C14).
fn own_registration(f: &Facts) -> Option<Report> {
    let site = source(f);
    let (row, home) = (f.cs.known()?.registration(site)?, f.item.home_host.as_deref()?);
    let mixed_up = registered_once(f).is_none() && (row.host_id == home) != (site == Site::OnPremises);
    let detail = format!("{} is registered as the copy {site}", row.host_id);
    mixed_up.then(|| Report::new(&control::WRONG_REGISTRATION, f.item.name.as_str(), detail))
}

/// Nobody can tell which of two entries is the stale one.
fn registered_once(f: &Facts) -> Option<Report> {
    let rows = &f.cs.known()?.row.as_ref()?.registrations;
    let hosts: Vec<&str> =
        rows.iter().filter(|row| row.site == source(f)).map(|row| row.host_id.as_str()).collect();
    let name = f.item.name.as_str();
    (hosts.len() > 1).then(|| Report::new(&control::DUPLICATE_REGISTRATION, name, hosts.join(" and ")))
}

/// True when it makes sense to ask about the agent: its guest runs, and the database can say.
fn askable(f: &Facts) -> bool {
    if own_registration(f).is_some() || registered_once(f).is_some() {
        return false;
    }
    let azure_ok = source(f) == Site::OnPremises
        || vm(f).is_none_or(|vm| vm.exists && vm.running && !hangs(f) && cut_off(f).is_none());
    f.cs.known().is_some_and(|cs| cs.row.is_some()) && azure_ok
}

fn in_grace(f: &Facts) -> bool {
    f.item.source_since.is_some_and(|since| f.now.since(since) < REGISTRATION_GRACE)
}

fn agent_registered(f: &Facts) -> Option<Report> {
    let name = f.item.name.as_str();
    if !askable(f) || registration(f).is_some() || !in_grace(f) {
        return None;
    }
    Some(Report::new(&machine::AGENT_NOT_INSTALLED, name, name))
}

/// An agent in Azure that registered once may have lost its way to the configuration server since, or a service: it says
/// so (95226). After the grace, one that still has not registered is silent, or says so too. One that knows of no
/// trouble, or is at home, where the way is short, just has not been heard of (78174).
fn agent_connected(f: &Facts) -> Option<Report> {
    if !askable(f) {
        return None;
    }
    if let Some(why) = lost_its_way(f) {
        return Some(Report::new(&documented::CS_UNREACHABLE_FROM_AZURE, f.item.name.as_str(), why));
    }
    if registration(f).is_some() || in_grace(f) {
        return None;
    }
    let troubled = f.agent.known().is_none_or(|agent| agent.unheard_because.is_some());
    let doc = match source(f) {
        Site::Azure if troubled => &documented::CS_UNREACHABLE_FROM_AZURE,
        Site::Azure | Site::OnPremises => &documented::AGENT_HEARTBEAT,
    };
    Some(Report::new(doc, f.item.name.as_str(), "its agent has not registered since it was started"))
}

/// Why a registered agent in Azure does not reach the configuration server any more. A link that is down is another
/// rule's, and says enough.
fn lost_its_way(f: &Facts) -> Option<&str> {
    let linked = f.operation == Operation::Reprotect && private_link(f).is_none();
    if !linked || registration(f).is_none() {
        return None;
    }
    let no_way = vm(f).filter(|vm| vm.nearby).map(|_| "only the process server in Azure reaches its agent");
    f.agent.known().and_then(|agent| agent.unheard_because.as_deref()).or(no_way)
}

fn agent_heartbeat(f: &Facts) -> Option<Report> {
    if !askable(f) || lost_its_way(f).is_some() {
        return None;
    }
    let late = late(f.now, registration(f)?.last_heartbeat);
    let detail = late.or_else(|| f.agent.silent().map(str::to_owned))?;
    Some(Report::new(&documented::AGENT_HEARTBEAT, f.item.name.as_str(), detail))
}
