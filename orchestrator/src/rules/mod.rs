//! The preconditions of every operation, as data: one small function per rule, one table in check order.
//!
//! [`check`] evaluates all rules that apply and reports every violation, not only the first. Rules look at
//! a snapshot of facts and ask nothing, so a refusal touches nothing. A rule whose facts are missing
//! because a system did not answer stays quiet: the rule about that system reports it.

use crate::facts::Facts;
use crate::journal::Operation;
use failback_wire::error::Report;

mod azure;
mod control;
pub(crate) mod cs;
pub mod effects;
mod item;
mod limits;
mod moving;
mod placement;
pub mod plan;
mod points;
mod policy;
pub mod privileges;
pub mod shape;
mod site;
mod target;

pub(crate) use target::MAX_DISKS;

#[cfg(test)]
mod tests;

/// Keys that no scenario can prove, and why.
pub static NOT_MODELLED: &[(&str, &str)] = &[
    ("C22", "it belongs to the modernized appliance, which is not modelled"),
    ("P41", "there is one vault"),
];

/// Keys of the domain's rules, and what each says. I and E are promises of the lab; tests of their own hold them.
pub fn keys() -> impl Iterator<Item = (&'static str, &'static str)> {
    let rows = include_str!("KEYS.md").lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| ")?.strip_suffix(" |")?.splitn(2, " | ");
        Some((cells.next()?, cells.next()?))
    });
    rows.filter(|(key, _)| key.starts_with(['C', 'P', 'R', 'G', 'L']) && key[1..].parse::<u8>().is_ok())
}

use Operation::{ChangePoint, CleanUpTest, MoveServer, Resynchronise, TestFailover};
use Operation::{CommitBack, Disable, EnableProtection, Failback, Failover, Reprotect, ReprotectForward};

/// What breaking a rule means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The request is refused.
    Refuse,
    /// The operation goes on; the item carries a warning.
    Warn,
}

/// One precondition.
pub struct Rule {
    /// Key of `KEYS.md`.
    pub key: &'static str,
    /// What must hold.
    pub name: &'static str,
    /// Operations it is checked for.
    pub applies: &'static [Operation],
    /// What breaking it means.
    pub severity: Severity,
    /// The violation, if the facts show one.
    pub check: fn(&Facts) -> Option<Report>,
}

/// What the rules say about a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Why it is refused; empty when it is not.
    pub refusals: Vec<Report>,
    /// What the item shall carry as warnings.
    pub warnings: Vec<Report>,
}

const fn rule(
    key: &'static str,
    name: &'static str,
    applies: &'static [Operation],
    check: fn(&Facts) -> Option<Report>,
) -> Rule {
    Rule { key, name, applies, severity: Severity::Refuse, check }
}

/// One that only warns.
const fn warning(
    key: &'static str,
    name: &'static str,
    applies: &'static [Operation],
    check: fn(&Facts) -> Option<Report>,
) -> Rule {
    Rule { key, name, applies, severity: Severity::Warn, check }
}

const ALL: &[Operation] = &Operation::ALL;
/// Disks change hands between a machine and its master target.
const DISKS: &[Operation] = &[Reprotect, Failback, Disable];
/// Disks go from the master target back to the machine.
const RETURN: &[Operation] = &[Failback, Disable];
/// vCenter has something to say, or to do.
const VCENTER: &[Operation] = &[EnableProtection, Reprotect, Failback, Disable];
const HOME: &[Operation] = &[Reprotect, Failback];
const BACK: &[Operation] = &[Reprotect, Failback, CommitBack];
const CS: &[Operation] = &[EnableProtection, Reprotect, Failback, ReprotectForward, MoveServer];
/// A machine is chosen from what discovery shows.
const SHOWN: &[Operation] = &[EnableProtection, Reprotect, Failback, ReprotectForward];
/// The configuration server's database is read or written.
const DATABASE: &[Operation] = &[EnableProtection, Reprotect, Failback, ReprotectForward, Disable];
/// A process server carries it, or is to carry it.
const SERVED: &[Operation] =
    &[EnableProtection, Reprotect, Failback, ReprotectForward, MoveServer, Resynchronise];
/// A failover does without it: what it holds may be lost with the site (C4).
const RELAY: &[Operation] =
    &[EnableProtection, Reprotect, Failback, ReprotectForward, MoveServer, Resynchronise];
const FORWARD: &[Operation] = &[EnableProtection, ReprotectForward];
const ROW: &[Operation] = &[Reprotect, Failback, ReprotectForward];
const POINTS: &[Operation] = &[Failover, Failback, TestFailover, ChangePoint];
/// Without the machine at home there is nothing to protect, or to give disks back to.
const VM: &[Operation] = &[EnableProtection, Failback, Disable];
/// Follow a replication policy.
const POLICY: &[Operation] = &[EnableProtection, Reprotect, ReprotectForward];
const MOVES: &[Operation] = &[Failover, Reprotect, Failback, ReprotectForward];
const AGENT: &[Operation] = &[Reprotect, ReprotectForward];
/// The agent of the source is told something.
const TOLD: &[Operation] = &[Reprotect, ReprotectForward, MoveServer, Resynchronise];
/// The master target takes what comes home.
const TARGET: &[Operation] = &[Reprotect, Failback, MoveServer, Resynchronise];
const AZURE: &[Operation] =
    &[EnableProtection, Failover, Reprotect, Failback, CommitBack, TestFailover, CleanUpTest, ChangePoint];

/// Every rule, in check order (1.10).
pub static RULES: &[Rule] = &[
    rule("C7", "the state allows the operation", ALL, item::state),
    rule("P10", "the replication policy can be used", POLICY, policy::usable),
    rule("G2", "a group member moves only by plan", MOVES, item::group_by_plan),
    rule("C15", "the replication health is not critical", &[Failback], item::health),
    rule("C23", "no other operation stands half-way", &[Disable], item::nothing_halfway),
    rule("P2", "the configuration server is connected", CS, control::cs_connected),
    rule("C23", "the configuration server is connected", &[Disable], control::cs_connected),
    rule("C23", "the configuration server is registered in this vault", DATABASE, control::cs_in_this_vault),
    rule("P4", "the configuration server has its registered address", CS, control::cs_address),
    rule("P4", "it is the configuration server the machine is protected under", CS, cs::same_installation),
    rule("P4", "the configuration server has no clone", CS, cs::no_clone),
    rule("P6", "the configuration server's certificate is valid", CS, cs::certificate),
    rule(
        "P7",
        "the configuration server has an adapter for addresses that were kept",
        HOME,
        cs::second_adapter,
    ),
    rule("P7", "the process server stands in Azure where addresses were kept", HOME, cs::relay_in_azure),
    rule("P3", "the machine's row is in the database", ROW, control::cs_row),
    rule("P40", "the database has no stale row of the machine", &[EnableProtection], cs::no_stale_row),
    rule("P25", "the virtual machine has been discovered", &[EnableProtection], cs::discovered),
    rule("P40", "no other virtual machine has its instance UUID", SHOWN, cs::no_twin),
    rule("P40", "the source is registered once", AGENT, azure::registered_once),
    rule("C14", "the registration of the source is that of this copy", AGENT, azure::own_registration),
    rule("P1", "vCenter is connected", VCENTER, site::vcenter_connected),
    rule("P8", "vCenter accepts the login", VCENTER, site::vcenter_login),
    rule("P8", "the vCenter account may write", DISKS, site::vcenter_writable),
    rule("P8", "the vCenter account has every privilege", HOME, privileges::all),
    rule("P9", "the master target can register with the configuration server", HOME, target::can_register),
    rule("P25", "the configuration server knows the master target", HOME, target::known),
    rule("P30", "the master target has a heartbeat", TARGET, target::heartbeat),
    rule("P30", "the master target answers", TARGET, target::answers),
    rule("P25", "the master target is a virtual machine of this vCenter", HOME, target::is_a_vm),
    rule("P5", "the master target is in the machine's own vCenter", HOME, placement::original_vcenter),
    rule("P34", "the master target's host is an ESXi host", &[Reprotect], placement::esxi),
    rule("P15", "the master target is of the machine's family", HOME, target::os_family),
    Rule {
        key: "P16",
        name: "the master target is not newer than its servers",
        applies: &[Reprotect],
        severity: Severity::Warn,
        check: target::version,
    },
    rule("P17", "the master target has no snapshot", DISKS, target::no_snapshot),
    rule("P18", "the master target's controller is LSI Logic", &[Reprotect], target::controller),
    rule("P21", "disk.EnableUUID is TRUE on the master target", &[Reprotect], target::enable_uuid),
    rule("P22", "VMware Tools run on the master target", &[Reprotect], target::tools),
    rule("P19", "the master target has room for the disks", &[Reprotect], target::slots),
    rule("P26", "no disk UUID is the master target's own", &[Reprotect], target::uuid_clash),
    rule("P28", "the master target does not lie on LVM", &[Reprotect], target::no_lvm),
    rule("P28", "the master target is adapted to its kernel", &[Reprotect], target::adapted),
    Rule {
        key: "P28",
        name: "a Linux master target has memory and retention enough",
        applies: &[Reprotect],
        severity: Severity::Warn,
        check: target::large_enough,
    },
    rule("P27", "the master target has a retention volume", &[Reprotect], target::retention),
    rule("P23", "the master target's host has a usable datastore", &[Reprotect], site::datastores),
    rule("P23", "disks may lie on the datastore's type", &[Reprotect], site::vsan),
    rule("P24", "the datastore is mounted read/write there", &[Reprotect], site::datastore_writable),
    rule("C9", "the chosen datastore exists", &[Reprotect], site::datastore_known),
    rule("P36", "the name is free on the master target's host", &[Reprotect], placement::name_free),
    rule("P33", "its operating system can come home", &[Reprotect], placement::system_returns),
    rule("P33", "it boots by BIOS", &[Reprotect], placement::boots_by_bios),
    rule("P35", "a physical machine is not failed over planned", POINTS, placement::not_planned),
    rule("C12", "the physical machine is off", &[Failback], placement::physical_off),
    rule(
        "C12",
        "one that replicates home does so anew only when its machine is gone",
        &[Reprotect],
        placement::gone_when_anew,
    ),
    rule("P36", "no disk is a raw device, at an alternate location", &[Reprotect], placement::no_raw_device),
    rule(
        "P17",
        "the machine has no snapshot, where none is merged",
        &[Reprotect],
        placement::no_snapshot_of_the_machine,
    ),
    rule("P21", "the machine's disks match its virtual machine", &[Reprotect], site::disks_match),
    warning("P21", "no disk needs an extra one", &[Reprotect], site::extra_disks),
    rule("P37", "all protected disks replicate home, and no others", &[Reprotect], site::all_disks_asked_for),
    rule("E21", "each disk has the size of its copy in Azure", &[Reprotect], site::sizes_match),
    Rule {
        key: "C19",
        name: "the on-premises virtual machine has not run since the failover",
        applies: &[Reprotect],
        severity: Severity::Warn,
        check: site::home_stayed_off,
    },
    rule("C12", "the on-premises virtual machine exists", VM, site::vm_exists),
    // Else the commit would delete the last copy.
    rule("C20", "the on-premises virtual machine exists", &[CommitBack], site::vm_exists),
    rule("P39", "the host of the virtual machine is connected", DISKS, site::host_connected),
    rule("C12", "the on-premises virtual machine is off", RETURN, site::vm_off),
    rule("P13", "the machine is served by the process server it leaves", &[MoveServer], moving::served_there),
    rule("P11", "a private link leads from the process server to the site", HOME, control::private_link),
    rule(
        "P11",
        "a private link leads from the new process server to the site",
        &[MoveServer],
        moving::private_link,
    ),
    rule("P13", "the configuration server knows the process server", SERVED, control::relay_known),
    rule("P13", "the process server has a heartbeat", SERVED, control::relay_heartbeat),
    rule("P12", "the process server answers", RELAY, control::relay_answers),
    rule("P11", "the process server of the way to Azure is on-premises", FORWARD, control::relay_at_the_site),
    rule(
        "P11",
        "the new process server of the way to Azure is on-premises",
        &[MoveServer],
        moving::at_the_site,
    ),
    rule(
        "P7",
        "the new process server stands in Azure where addresses were kept",
        &[MoveServer],
        moving::in_azure,
    ),
    rule("P12", "the process server has a static address", CS, control::relay_address),
    Rule {
        key: "P12",
        name: "the process server of the way home is near",
        applies: &[Reprotect],
        severity: Severity::Warn,
        check: control::relay_near,
    },
    rule("C16", "Azure answers", AZURE, azure::reachable),
    rule("C23", "no earlier copy of the machine is left in Azure", &[EnableProtection], azure::nothing_left),
    rule("P33", "the Azure virtual machine exists", HOME, azure::vm_exists),
    warning(
        "P33",
        "the Azure virtual machine can still send what it wrote",
        &[Failback],
        azure::vm_still_there,
    ),
    rule("P33", "the Azure virtual machine is in its resource group", BACK, azure::vm_in_its_group),
    rule("C4", "the machine fits what Azure can run", &[EnableProtection], limits::of_azure),
    warning("P37", "no disk of a Windows machine was added in Azure", &[Reprotect], azure::added_stay),
    warning("P37", "no disk of a Linux machine was added in Azure", &[Reprotect], azure::added_return),
    warning("P37", "no disk was added in Azure since the reprotect", &[Failback], azure::added_late),
    rule("P31", "the Azure virtual machine runs", &[Reprotect], azure::vm_running),
    rule("P31", "the guest of the Azure virtual machine answers", &[Reprotect], azure::vm_answers),
    rule("P31", "the Azure virtual machine is on its network", &[Reprotect], azure::on_its_network),
    rule("P32", "the agent of the source is registered", &[Reprotect], azure::agent_registered),
    rule("C21", "the agent at home is registered", &[ReprotectForward], azure::agent_registered),
    rule("P32", "the agent of the source can reach the configuration server", AGENT, azure::agent_connected),
    rule("P32", "the agent of the source has a heartbeat, and answers", TOLD, azure::agent_heartbeat),
    rule("R6", "there is a recovery point", POINTS, points::has_point),
    rule("R3", "there is a recovery point of the requested kind", POINTS, points::has_kind),
    rule("R3", "the requested recovery point exists", POINTS, points::has_requested),
    rule("R3", "the choice of the recovery point is offered", POINTS, points::offered),
    rule("R5", "multi-VM points are for plans", POINTS, points::not_for_groups),
];

/// Operations whose preconditions, all together, are a rule of their own.
pub static WHOLE: &[(&str, Operation)] = &[("C10", Reprotect), ("C15", Failback)];

/// The rules of one operation, in check order.
pub fn rules_for(operation: Operation) -> impl Iterator<Item = &'static Rule> {
    RULES.iter().filter(move |rule| rule.applies.contains(&operation))
}

/// Evaluates every rule of the operation; reports all violations, in check order.
pub fn check(facts: &Facts) -> Verdict {
    let mut verdict = Verdict::default();
    if WHOLE.iter().any(|(key, operation)| *operation == facts.operation && !facts.env.holds(key)) {
        return verdict;
    }
    for rule in rules_for(facts.operation).filter(|rule| facts.env.holds(rule.key)) {
        if let Some(report) = (rule.check)(facts) {
            match rule.severity {
                Severity::Refuse => verdict.refusals.push(report),
                Severity::Warn => verdict.warnings.push(report),
            }
        }
    }
    verdict
}
