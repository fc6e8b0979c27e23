//! What can be wrong with an estate.

use super::{Spelling, schema};
use crate::scenario::diagnostic::{Problem, SourceFile};
use crate::scenario::estate::{DiskSpec, Estate, Machine, Plan, Source};
use crate::scenario::inventory::{
    ALTERNATE_VCENTER, AZURE, CONFIGURATION_SERVER, Inventory, ORCHESTRATOR, VCENTER,
};
use crate::scenario::plans::{PlanAction, Stage};
use crate::scenario::text::{Name, Place, Spanned};
use crate::scenario::units::{Period, Size};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Bytes per block of the engine.
const BLOCK: u64 = 4096;
/// The largest VMDK that vSphere makes (ours: no rule of the domain says it).
const LARGEST: Size = Size::gib(62 << 10);

/// What all disks of an estate hold when the run begins, at most: every byte of it lives in memory.
const HELD: Size = Size::gib(4);
/// The most machines of an estate.
const MACHINES: usize = 10_000;

/// The longest retention that is offered on the way to Azure (R7).
const LONGEST: Period = Period::hours(15 * 24);

pub(super) fn check(file: &Arc<SourceFile>, estate: &Estate) -> Vec<Problem> {
    let mut check = Check { file, out: Vec::new() };
    check.names(estate);
    check.machines(estate);
    check.servers(estate);
    check.periods(estate);
    for plan in &estate.plans {
        check.plan(estate, plan);
    }
    let mut out = check.out;
    super::clashes::check(file, estate, &Inventory::from(estate), &mut out);
    out
}

/// As [`check`], for a file of its own: it says its version.
pub(super) fn check_file(file: &Arc<SourceFile>, estate: &Estate) -> Vec<Problem> {
    let mut out = Vec::new();
    schema(file, estate.schema.as_ref(), &mut out);
    out.extend(check(file, estate));
    out
}

/// What can be wrong with the actions of a plan of so many groups.
pub(super) fn actions(file: &Arc<SourceFile>, actions: &[PlanAction], groups: usize, out: &mut Vec<Problem>) {
    for action in actions {
        let mut wrong = |title: String, label: &str| {
            out.push(Problem::at(file, action.name.at, title, label));
        };
        let stage = match (action.before, action.after) {
            (Some(stage), None) | (None, Some(stage)) => stage,
            (Some(_), Some(_)) | (None, None) => {
                wrong(format!("when is `{}`?", action.name), "either `before` or `after` a group");
                continue;
            }
        };
        if let Stage::Group(number) = stage
            && !(1..=groups).contains(&(number as usize))
        {
            wrong(format!("`{}` is at group {number}", action.name), "the plan has no such group");
        }
    }
}

struct Check<'a> {
    file: &'a Arc<SourceFile>,
    out: Vec<Problem>,
}

impl Check<'_> {
    fn wrong(&mut self, at: Place, title: String, label: &str) {
        self.out.push(Problem::at(self.file, at, title, label));
    }

    /// Every name is well-formed and used once among its like.
    fn names(&mut self, estate: &Estate) {
        let reserved = [VCENTER, ALTERNATE_VCENTER, CONFIGURATION_SERVER, AZURE, ORCHESTRATOR];
        let mut nodes: Vec<&Name> = estate.machines.iter().map(|m| &m.name).collect();
        nodes.extend(estate.process_servers.iter().flatten().map(|p| &p.id));
        nodes.extend(estate.master_targets.iter().flatten().map(|m| &m.id));
        nodes.extend(estate.bystanders.iter().map(|b| &b.name));
        for name in &nodes {
            if reserved.iter().any(|own| own.eq_ignore_ascii_case(name)) {
                self.wrong(name.at, format!("`{name}` is the lab's own name"), "choose another");
            }
        }
        let machines = nodes.iter().take(estate.machines.len()).copied().collect();
        self.spelt(machines, Spelling::Azure);
        self.spelt(nodes.iter().skip(estate.machines.len()).copied().collect(), Spelling::Host);
        self.distinct(nodes);
        let other = estate.vcenter.alternate.iter();
        let hosts = estate.vcenter.hosts.iter().chain(other.clone().map(|other| &other.hosts));
        let hosts: Vec<&Name> = hosts.flatten().map(|h| &h.name).collect();
        self.spelt(hosts.clone(), Spelling::Host);
        self.distinct(hosts);
        let stores = estate.vcenter.datastores.iter().chain(other.map(|other| &other.datastores));
        let stores: Vec<&Name> = stores.flatten().map(|d| &d.name).collect();
        self.spelt(stores.clone(), Spelling::Label);
        self.distinct(stores);
        let plans: Vec<&Name> = estate.plans.iter().map(|p| &p.name).collect();
        self.spelt(plans.clone(), Spelling::Azure);
        self.distinct(plans);
    }

    fn spelt(&mut self, names: Vec<&Name>, spelling: Spelling) {
        for name in names.into_iter().filter(|name| !spelling.allows(name)) {
            self.wrong(name.at, format!("`{name}` cannot be a name"), spelling.says());
        }
    }

    /// No two have one name: Azure, vCenter and the names of hosts make no difference between capitals and others.
    fn distinct(&mut self, names: Vec<&Name>) {
        let mut seen: BTreeMap<String, Place> = BTreeMap::new();
        for name in names {
            match seen.get(&name.to_ascii_lowercase()) {
                Some(first) => {
                    let title = format!("`{name}` is there twice");
                    let problem = Problem::at(self.file, name.at, title, "for the second time here");
                    self.out.push(problem.and(self.file, *first, "for the first time here"));
                }
                None => {
                    seen.insert(name.to_ascii_lowercase(), name.at);
                }
            }
        }
    }

    fn machines(&mut self, estate: &Estate) {
        if estate.machines.is_empty() {
            let problem = Problem::of_file(&self.file.path, "the estate protects no machine");
            self.out.push(problem.help("list at least one under `machines:`"));
        }
        let mut counted = 0;
        let too_many = estate.machines.iter().find(|machine| {
            counted += machine.count.as_ref().map_or(1, |count| count.value as usize);
            counted > MACHINES
        });
        if let Some(machine) = too_many {
            let all: usize =
                estate.machines.iter().map(|m| m.count.as_ref().map_or(1, |n| n.value as usize)).sum();
            let title = format!("the estate protects {all} machines");
            self.wrong(machine.name.at, title, &format!("the first one of too many: at most {MACHINES}"));
            return;
        }
        let inventory = Inventory::from(estate);
        self.held(estate, &inventory);
        for machine in &estate.machines {
            self.place(&inventory, machine.host.as_ref(), machine.datastore.as_ref());
            if machine.count.as_ref().is_some_and(|count| count.value == 0) {
                self.wrong(
                    machine.name.at,
                    format!("no machine `{}`", machine.name),
                    "`count` is at least 1",
                );
            }
            if let Some([]) = machine.disks.as_deref() {
                let title = format!("`{}` has no disk", machine.name);
                self.wrong(machine.name.at, title, "leave `disks` out for one of 16 MiB");
            }
            let disks = machine.disks.as_deref().unwrap_or_default();
            for disk in disks {
                self.disk(disk);
            }
            self.iscsi(machine, disks);
            let last = disks.iter().rposition(|disk| !disk.excluded).unwrap_or_default();
            if let Some(disk) = disks.iter().take(last + 1).find(|disk| disk.excluded) {
                let title =
                    format!("`{}` boots from its first disk, and excluded disks come last", machine.name);
                self.wrong(disk.size.at, title, "cannot be excluded here");
            }
        }
    }

    /// Disks over iSCSI come last; no machine boots from one, and none is anything else besides.
    fn iscsi(&mut self, machine: &Machine, disks: &[DiskSpec]) {
        let Some(outside) = disks.iter().position(|disk| disk.iscsi) else { return };
        let odd = |(n, disk): &(usize, &DiskSpec)| {
            let other = disk.excluded || disk.rdm || machine.source == Source::Physical;
            match disk.iscsi {
                true => *n == 0 || other,
                false => *n >= outside || disk.excluded,
            }
        };
        if let Some((_, disk)) = disks.iter().enumerate().find(odd) {
            let title = format!("`{}` cannot have this disk beside one over iSCSI", machine.name);
            self.wrong(disk.size.at, title, "those come last, never first, and are neither excluded nor raw");
        }
    }

    /// All disks together fit into memory.
    fn held(&mut self, estate: &Estate, inventory: &Inventory) {
        let mut held = 0_u64;
        let entries = estate.machines.iter().flat_map(|m| m.names().into_iter().map(move |_| m));
        for (machine, full) in entries.zip(&inventory.machines) {
            held = full.disks.iter().map(|disk| disk.allocated.0).fold(held, u64::saturating_add);
            if held > HELD.0 {
                let title = format!("the estate's disks hold more than {HELD} when the run begins");
                let problem = Problem::at(self.file, machine.name.at, title, "up to this machine they do");
                self.out.push(
                    problem.help(
                        "what disks hold lives in memory; give less of it as `allocated`, such as 64MiB",
                    ),
                );
                return;
            }
        }
    }

    fn disk(&mut self, disk: &DiskSpec) {
        let Size(bytes) = disk.size.value;
        if bytes == 0 || !bytes.is_multiple_of(BLOCK) {
            let title = format!("a disk of {} is not made of blocks", disk.size.value);
            self.wrong(disk.size.at, title, "not a multiple of 4KiB");
        }
        if disk.size.value > LARGEST {
            let title = format!("vSphere makes no disk of {}", disk.size.value);
            self.wrong(disk.size.at, title, &format!("at most {LARGEST}"));
        }
        if let Some(share) =
            disk.allocated.as_ref().filter(|share| share.value.of(disk.size.value) > disk.size.value)
        {
            let title = format!("a disk of {} cannot hold {}", disk.size.value, share.value);
            self.wrong(share.at, title, "more than the disk");
        }
    }

    fn servers(&mut self, estate: &Estate) {
        let inventory = Inventory::from(estate);
        for mt in estate.master_targets.iter().flatten() {
            self.place(&inventory, mt.host.as_ref(), mt.datastore.as_ref());
            if let Some(name) = &mt.template_of {
                let names = super::names::Names::of(&inventory);
                names.need(self.file, super::names::Kind::Machine, name, name.at, &mut self.out);
            }
        }
        for store in estate.vcenter.datastores.iter().flatten() {
            for host in store.hosts.iter().flatten() {
                self.place(&inventory, Some(host), None);
            }
        }
        for (list, what) in [
            (estate.vcenter.hosts.as_ref().map(Vec::len), "ESXi host"),
            (estate.vcenter.datastores.as_ref().map(Vec::len), "datastore"),
            (
                estate.vcenter.alternate.as_ref().map(|other| other.hosts.len()),
                "ESXi host in its other vCenter",
            ),
            (
                estate.vcenter.alternate.as_ref().map(|other| other.datastores.len()),
                "datastore in its other vCenter",
            ),
        ] {
            if list == Some(0) {
                let problem = Problem::of_file(&self.file.path, format!("the estate has no {what}"));
                self.out.push(problem.help("leave the list out for the default"));
            }
        }
    }

    fn place(&mut self, inventory: &Inventory, host: Option<&Name>, datastore: Option<&Name>) {
        if host.is_none() && datastore.is_none() {
            return;
        }
        let names = super::names::Names::of(inventory);
        if let Some(host) = host {
            names.need(self.file, super::names::Kind::Host, host, host.at, &mut self.out);
        }
        if let Some(store) = datastore {
            names.need(self.file, super::names::Kind::Datastore, store, store.at, &mut self.out);
        }
    }

    fn periods(&mut self, estate: &Estate) {
        let policy = &estate.policy;
        let mut positive = |period: &Spanned<Period>, what: &str| {
            if period.value == Period(0) {
                self.wrong(period.at, format!("`{what}` of no time"), "must be longer than 0s");
            }
        };
        positive(&policy.app_consistent_every, "app-consistent-every");
        positive(&policy.crash_consistent_every, "crash-consistent-every");
        if let Some(backup) = &estate.configuration_server.backup_every {
            positive(backup, "backup-every");
        }
        if policy.retention.value > LONGEST {
            self.wrong(policy.retention.at, "points are kept for too long".to_owned(), "at most 15d (R7)");
        }
        let offered = policy.app_consistent_every.value <= Period::hours(12);
        if offered
            && policy.app_consistent_every.value >= policy.retention.value
            && policy.retention.value > Period(0)
        {
            let at = super::first_known(&[policy.app_consistent_every.at, policy.retention.at]);
            let title = "application-consistent points are further apart than they are kept".to_owned();
            self.wrong(at, title, "must be shorter than `retention` (R1)");
        }
    }

    fn plan(&mut self, estate: &Estate, plan: &Plan) {
        actions(self.file, &plan.actions, plan.groups.len(), &mut self.out);
        let copies: Vec<String> = estate.machines.iter().flat_map(|m| m.names()).collect();
        let entries = estate.machines.iter().map(|m| m.name.as_str());
        let machines: Vec<&str> = entries.chain(copies.iter().map(String::as_str)).collect();
        let mut seen: BTreeMap<String, Place> = BTreeMap::new();
        for member in plan.groups.iter().flatten() {
            if !machines.contains(&member.as_str()) {
                let title = format!("plan `{}` names `{member}`, which is no machine", plan.name);
                let problem = Problem::at(self.file, member.at, title, "not in `machines`");
                self.out.push(problem.suggest(member, machines.iter().copied()));
            }
            let set =
                estate.machines.iter().find(|machine| machine.count.is_some() && machine.name == *member);
            let names = set.map_or_else(|| vec![member.value.clone()], Machine::names);
            if let Some(first) = names.iter().find_map(|name| seen.get(name.as_str())).copied() {
                let title = format!("`{member}` is in plan `{}` twice", plan.name);
                let problem = Problem::at(self.file, member.at, title, "for the second time here");
                let problem = problem.and(self.file, first, "for the first time here");
                self.out.push(problem.help("a machine is in one boot group of a plan (L1)"));
            }
            seen.extend(names.into_iter().map(|name| (name, member.at)));
        }
        if plan.groups.iter().all(Vec::is_empty) {
            self.wrong(
                plan.name.at,
                format!("plan `{}` has no machines", plan.name),
                "list them in `groups`",
            );
        }
    }
}
