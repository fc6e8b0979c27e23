//! Parts of an estate that contradict each other: what would only show as a strange run.

use crate::scenario::diagnostic::{Problem, SourceFile};
use crate::scenario::estate::{Estate, Lifetime, Machine, Plan};
use crate::scenario::inventory::{Datastore, Inventory};
use crate::scenario::text::{Name, Place};
use crate::scenario::units::Period;
use failback_orchestrator::rules::shape::{MAX_GROUPS, MAX_MEMBERS};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Application-consistent points are made every hour at most (R1).
const MOST_OFTEN: Period = Period::hours(1);
/// ... and every 12 hours at least.
const RAREST: Period = Period::hours(12);

pub(super) fn check(file: &Arc<SourceFile>, estate: &Estate, inventory: &Inventory, out: &mut Vec<Problem>) {
    let mut check = Check { file, estate, inventory, out };
    check.application_points();
    check.certificate();
    check.groups();
    for machine in &estate.machines {
        check.elsewhere(machine);
        check.within_reach(&machine.name, machine.host.as_ref(), machine.datastore.as_ref());
    }
    for target in estate.master_targets.iter().flatten().filter(|target| !target.physical) {
        check.within_reach(&target.id, target.host.as_ref(), target.datastore.as_ref());
    }
    estate.plans.iter().for_each(|plan| check.plan(plan));
}

struct Check<'a> {
    file: &'a Arc<SourceFile>,
    estate: &'a Estate,
    inventory: &'a Inventory,
    out: &'a mut Vec<Problem>,
}

impl Check<'_> {
    fn wrong(&mut self, at: Place, title: String, label: &str, help: &str) {
        self.out.push(Problem::at(self.file, at, title, label).help(help));
    }

    fn application_points(&mut self) {
        let every = &self.estate.policy.app_consistent_every;
        let help = "from 1h to 12h (R1)";
        if (Period(1)..MOST_OFTEN).contains(&every.value) {
            let title = "application-consistent points are made more often than is offered".to_owned();
            self.wrong(every.at, title, "every hour at most", help);
        }
        if every.value > RAREST {
            let title = "application-consistent points are made more rarely than is offered".to_owned();
            self.wrong(every.at, title, "every 12 hours at least", help);
        }
    }

    fn certificate(&mut self) {
        let certificate = &self.estate.configuration_server.certificate;
        let Some(age) = certificate.age.as_ref().filter(|_| self.inventory.cs_certificate_left == Period(0))
        else {
            return;
        };
        let lives = match certificate.lifetime {
            Lifetime::ThreeYears => "it lives for 1095 days",
            Lifetime::OneYear => "it lives for 365 days",
        };
        let title = "the configuration server's certificate has expired before the run begins".to_owned();
        self.wrong(age.at, title, lives, "nothing can be protected then; let it expire while the steps wait");
    }

    /// No replication group is larger than it may be (G1).
    fn groups(&mut self) {
        let most = self.estate.settings.group_size;
        let mut sizes: BTreeMap<&str, u32> = BTreeMap::new();
        for machine in self.estate.machines.iter().filter(|machine| machine.protected) {
            let Some(group) = &machine.group else { continue };
            let size = sizes.entry(group.as_str()).or_default();
            let before = *size;
            *size += machine.count.as_ref().map_or(1, |count| count.value);
            if before <= most && *size > most {
                let title = format!("more than {most} machines are in the replication group `{group}`");
                let help = "`settings: {group-size: …}` allows more";
                self.wrong(group.at, title, "the first one of too many", help);
            }
        }
    }

    /// Protected machines begin at home (P5).
    fn elsewhere(&mut self, machine: &Machine) {
        let Some(host) = machine.host.as_ref().filter(|host| self.inventory.is_elsewhere(host)) else {
            return;
        };
        let title = format!("`{}` begins in another vCenter than the one that protects it", machine.name);
        let help = "place it on a host of `vcenter: {hosts: …}`; master targets may be elsewhere";
        self.wrong(host.at, title, "a host of `alternate`", help);
    }

    /// Whoever stands on a host has its disks where that host sees them.
    fn within_reach(&mut self, who: &str, host: Option<&Name>, datastore: Option<&Name>) {
        let Some(datastore) = datastore else { return };
        let first = self.inventory.hosts.first().map(|host| host.name.as_str());
        let Some(host_name) = host.map(|host| host.as_str()).or(first) else { return };
        let stores = match &self.inventory.alternate {
            Some((_, stores)) if self.inventory.is_elsewhere(host_name) => stores,
            Some(_) | None => &self.inventory.datastores,
        };
        let other = self.inventory.alternate.iter().flat_map(|(_, stores)| stores);
        let known = self.inventory.datastores.iter().chain(other).any(|store| store.name == datastore.value);
        // What is not there at all is reported as that.
        if !known || stores.iter().any(|store| store.name == datastore.value && mounts(store, host_name)) {
            return;
        }
        let title = format!("the disks of `{who}` lie where its host cannot reach them");
        let label = format!("`{host_name}` does not mount it");
        let problem = Problem::at(self.file, datastore.at, title, label);
        let problem = problem.and(self.file, host.map(|host| host.at).unwrap_or_default(), "its host");
        self.out.push(problem.help("name a datastore that the host mounts, or leave it out"));
    }

    /// What the product would refuse when the plan is saved (L1).
    fn plan(&mut self, plan: &Plan) {
        let help = "a step `save-plan` may ask for it and expect `refused`";
        let used = plan.groups.iter().filter(|group| !group.is_empty());
        if let Some(member) = used.clone().nth(MAX_GROUPS).and_then(|group| group.first()) {
            let title = format!("plan `{}` has {} boot groups", plan.name, used.clone().count());
            self.wrong(member.at, title, &format!("the first one of too many: at most {MAX_GROUPS}"), help);
        }
        let of = |name: &Name| self.inventory.sets.get(&name.value).map_or(1, Vec::len);
        let all: usize = plan.groups.iter().flatten().map(of).sum();
        let mut counted = 0;
        let too_many = plan.groups.iter().flatten().find(|member| {
            counted += of(member);
            counted > MAX_MEMBERS
        });
        if let Some(member) = too_many {
            let title = format!("plan `{}` has {all} machines", plan.name);
            self.wrong(member.at, title, &format!("the first one of too many: at most {MAX_MEMBERS}"), help);
        }
        self.divided(plan, help);
        let unprotected = |name: &Name| self.entry(name).is_some_and(|machine| !machine.protected);
        if let Some(member) = plan.groups.iter().flatten().find(|member| unprotected(member)) {
            let title = format!("plan `{}` names `{member}`, which is not protected yet", plan.name);
            let help = "protect it with a step `enable-protection`, then save the plan with `save-plan`";
            self.wrong(member.at, title, "`protected: false`", help);
        }
    }

    /// A replication group is in one boot group (L1).
    fn divided(&mut self, plan: &Plan, help: &str) {
        let mut places: BTreeMap<&str, (usize, Place)> = BTreeMap::new();
        for (place, member) in
            plan.groups.iter().enumerate().flat_map(|(n, all)| all.iter().map(move |m| (n, m)))
        {
            let Some(group) = self.entry(member).and_then(|machine| machine.group.as_ref()) else { continue };
            let (first, at) = *places.entry(group.as_str()).or_insert((place, member.at));
            if first != place {
                let title = format!("plan `{}` divides the replication group `{group}`", plan.name);
                let problem =
                    Problem::at(self.file, member.at, title, "in another boot group than the first one");
                self.out.push(problem.and(self.file, at, "the first one").help(help));
                return;
            }
        }
    }

    /// The entry of the estate that a member of a plan is of.
    fn entry(&self, member: &str) -> Option<&Machine> {
        let of = |machine: &&Machine| {
            machine.name.value == member || machine.names().iter().any(|name| name == member)
        };
        self.estate.machines.iter().find(of)
    }
}

fn mounts(store: &Datastore, host: &str) -> bool {
    store.hosts.as_ref().is_none_or(|hosts| hosts.iter().any(|known| known == host))
}
