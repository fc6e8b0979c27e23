//! Requests and jobs as the events show them.

use failback_wire::clock::VirtualMs;
use failback_wire::ids::{JobId, NodeName, Site};
use std::collections::{BTreeMap, BTreeSet};

/// The operation that starts a way home.
pub(crate) const REPROTECT_HOME: &str = "reprotect";
/// Operations that settle on a recovery point.
pub(crate) const MOVES: [&str; 3] = ["failover", "failback", "change-recovery-point"];

/// The request behind a job that begins unannounced: the product had noted it, and died before it told that it takes it on.
/// `from` is where production runs.
pub(crate) fn operation_behind(scenario: &str, from: Site) -> Option<&'static str> {
    Some(match (scenario, from) {
        ("SwitchReplicationGroupProtection", Site::Azure) => REPROTECT_HOME,
        ("SwitchReplicationGroupProtection", Site::OnPremises) => "reprotect-forward",
        ("UnplannedFailover" | "PlannedFailover", Site::OnPremises) => "failover",
        ("UnplannedFailover" | "PlannedFailover", Site::Azure) => "failback",
        ("CommitFailover", Site::Azure) => "commit",
        ("CommitFailover", Site::OnPremises) => "commit-back",
        ("ChangePit", _) => "change-recovery-point",
        ("EnableDr", _) => "enable-protection",
        ("RepairReplication", _) => "resynchronise",
        _ => return None,
    })
}

/// A job.
#[derive(Clone, Debug, Default)]
pub(crate) struct Job {
    /// Operation of the request that it came from; `None`: nobody told of one.
    pub(crate) operation: Option<String>,
    /// What it is called.
    pub(crate) scenario: String,
    /// Item or plan, as [`short`] names it.
    pub(crate) target: String,
    pub(crate) started: bool,
    /// When it was first heard of.
    pub(crate) since: VirtualMs,
    /// Who told of it last.
    pub(crate) node: Option<NodeName>,
    /// Who told of it died since: its end may have been lost with the teller.
    pub(crate) doubtful: bool,
    /// The product touched a machine it concerns while it was open.
    pub(crate) touched: bool,
    /// The request it came from was refused with these codes.
    pub(crate) refused: Option<Vec<String>>,
    /// State it ended in.
    pub(crate) ended: Option<String>,
    /// Machines that had a usable point when it began.
    pub(crate) had_points: Vec<usize>,
    /// The latest boot group of which it started a machine.
    pub(crate) booted: usize,
}

impl Job {
    /// True when machines come up at this site because of it; what is started while it is taken back is not.
    fn boots_at(&self, site: Site) -> bool {
        let operation = match site {
            Site::Azure => "failover",
            Site::OnPremises => "failback",
        };
        self.operation.as_deref() == Some(operation)
    }
    /// True when it starts a way home.
    pub(crate) fn goes_home(&self) -> bool {
        self.operation.as_deref() == Some(REPROTECT_HOME)
    }
    /// True when it takes the machine out of the vault, and asks nobody else (C23).
    pub(crate) fn touches_the_vault_alone(&self) -> bool {
        self.operation.as_deref() == Some("remove-protection")
    }
    /// True when it ends because its preconditions refused the request.
    pub(crate) fn was_refused(&self, state: &str, code: Option<&String>) -> bool {
        state == "Failed" && code.is_some() && self.refused.as_ref().is_some_and(|r| r.first() == code)
    }
}

/// All jobs, and what became of the last request of each target. Machines are named by their index.
#[derive(Clone, Debug, Default)]
pub(crate) struct Jobs {
    pub(crate) all: BTreeMap<JobId, Job>,
    /// Targets whose last request was refused, with the codes.
    refused: BTreeMap<String, Vec<String>>,
    /// Plans and their members.
    plans: BTreeMap<String, Vec<usize>>,
    /// Boot group of each member of a plan, from 0.
    boot_groups: BTreeMap<(String, usize), usize>,
    /// Plans that a machine is in.
    plans_of: BTreeMap<usize, BTreeSet<String>>,
    /// Machines' names, as [`short`] names them.
    machines: BTreeMap<String, usize>,
    /// Jobs that have not ended, by the machine they concern; those that concern all beside.
    open: BTreeMap<usize, BTreeSet<JobId>>,
    open_on_all: BTreeSet<JobId>,
}

/// The last segment of a resource path, in lower case: `…/replicationProtectedItems/Web01` is `web01`.
pub(crate) fn short(target: &str) -> String {
    target.trim_end_matches('/').rsplit('/').next().unwrap_or(target).to_ascii_lowercase()
}

impl Jobs {
    /// Makes a machine known.
    pub(crate) fn add_machine(&mut self, name: &str, n: usize) {
        self.machines.insert(short(name), n);
    }
    /// Makes a plan known, instead of one of this name.
    pub(crate) fn add_plan(&mut self, name: &str, groups: &[Vec<usize>]) {
        if self.plans.contains_key(&short(name)) {
            self.plans_of.values_mut().for_each(|plans| {
                plans.remove(&short(name));
            });
            self.boot_groups.retain(|(plan, _), _| *plan != short(name));
        }
        for (group, n) in
            groups.iter().enumerate().flat_map(|(group, all)| all.iter().map(move |n| (group, *n)))
        {
            self.plans_of.entry(n).or_default().insert(short(name));
            self.boot_groups.insert((short(name), n), group);
        }
        self.plans.insert(short(name), groups.concat());
    }
    /// Open jobs of plans that may start this machine at this site, each with the machine's boot group and the latest
    /// one it has started a machine of.
    pub(crate) fn boots(&self, machine: usize, site: Site) -> impl Iterator<Item = (usize, usize)> {
        // One that nobody has gone on with since the product died may be over, and its end untold.
        let booting = self.open_on(machine).filter(move |(_, job)| job.boots_at(site) && !job.doubtful);
        booting.filter_map(move |(_, job)| {
            Some((*self.boot_groups.get(&(job.target.clone(), machine))?, job.booted))
        })
    }
    /// The product started this machine at this site.
    pub(crate) fn started(&mut self, machine: usize, site: Site) {
        let ids: Vec<JobId> = self.open_on(machine).map(|(id, _)| id.clone()).collect();
        for id in ids {
            let Some(job) = self.all.get_mut(&id).filter(|job| job.boots_at(site)) else { continue };
            if let Some(group) = self.boot_groups.get(&(job.target.clone(), machine)) {
                job.booted = job.booted.max(*group);
            }
        }
    }
    /// Machines that a target names: a machine itself or a listed plan's members. `None`: it is neither, and
    /// so concerns all.
    pub(crate) fn named(&self, target: &str) -> Option<Vec<usize>> {
        match self.machines.get(target) {
            Some(n) => Some(vec![*n]),
            None => self.plans.get(target).cloned(),
        }
    }
    /// Machines that a job or request on this target concerns.
    pub(crate) fn concerned(&self, target: &str) -> Vec<usize> {
        self.named(target).unwrap_or_else(|| self.machines.values().copied().collect())
    }
    /// Jobs that have not ended.
    pub(crate) fn open(&self) -> impl Iterator<Item = (&JobId, &Job)> {
        self.all.iter().filter(|(_, job)| job.ended.is_none())
    }
    /// Jobs that have not ended and concern this machine.
    pub(crate) fn open_on(&self, machine: usize) -> impl Iterator<Item = (&JobId, &Job)> {
        let ids = self.open.get(&machine).into_iter().flatten().chain(&self.open_on_all);
        ids.filter_map(|id| Some((id, self.all.get(id)?)))
    }
    /// True when a job that has not ended concerns this machine.
    pub(crate) fn is_busy(&self, machine: usize) -> bool {
        self.open_on(machine).next().is_some()
    }
    /// The refused request that concerns this machine, if its last one was refused.
    pub(crate) fn refused_on(&self, machine: usize, name: &str) -> Option<(&str, &[String])> {
        let own = self.refused.get_key_value(&short(name));
        let by_plan =
            || self.plans_of.get(&machine)?.iter().find_map(|plan| self.refused.get_key_value(plan));
        let (target, codes) = own.or_else(by_plan)?;
        Some((target, codes))
    }
    fn open_ids(&self, target: &str) -> Vec<JobId> {
        let ids = match self.named(target) {
            Some(members) => members.first().and_then(|n| self.open.get(n)),
            None => Some(&self.open_on_all),
        };
        let same = |id: &&JobId| self.all.get(*id).is_some_and(|job| job.target == target);
        ids.into_iter().flatten().filter(same).cloned().collect()
    }
    fn open_up(&mut self, id: &JobId, target: &str) {
        match self.named(target) {
            Some(members) => {
                for n in members {
                    self.open.entry(n).or_default().insert(id.clone());
                }
            }
            None => drop(self.open_on_all.insert(id.clone())),
        }
    }
    fn close(&mut self, id: &JobId, state: &str) {
        let Some(job) = self.all.get_mut(id) else { return };
        job.ended = Some(state.to_owned());
        self.open_on_all.remove(id);
        let target = job.target.clone();
        for n in self.named(&target).unwrap_or_default() {
            if let Some(open) = self.open.get_mut(&n) {
                open.remove(id);
            }
        }
    }
    /// The request was refused, perhaps by the preconditions of the job it had become.
    pub(crate) fn refuse(&mut self, operation: &str, target: &str, codes: &[String]) {
        let target = short(target);
        for id in self.open_ids(&target) {
            let job = self.all.get_mut(&id).filter(|job| job.operation.as_deref() == Some(operation));
            if let Some(job) = job {
                job.refused = Some(codes.to_vec());
            }
        }
        self.refused.insert(target, codes.to_vec());
    }
    /// The request became a job.
    pub(crate) fn accept(
        &mut self,
        id: &JobId,
        operation: &str,
        target: &str,
        at: VirtualMs,
        node: &NodeName,
    ) {
        let target = short(target);
        self.refused.remove(&target);
        if self.plans.contains_key(&target) {
            let machines = &self.machines;
            let members = self.plans.get(&target).into_iter().flatten().copied().collect::<BTreeSet<_>>();
            self.refused.retain(|refused, _| machines.get(refused).is_none_or(|n| !members.contains(n)));
        }
        // The product takes the next request: jobs whose end nobody heard are over.
        for open in self.open_ids(&target) {
            if self.all.get(&open).is_some_and(|job| job.doubtful) {
                self.close(&open, "Lost");
            }
        }
        self.open_up(id, &target);
        let entry = self.all.entry(id.clone()).or_default();
        entry.operation = Some(operation.to_owned());
        entry.target = target;
        entry.since = at;
        entry.node = Some(node.clone());
    }
    /// The job began, or was taken up again. `had_points`: machines it concerns that had a usable point.
    pub(crate) fn start(&mut self, id: &JobId, started: Job) {
        match self.all.get_mut(id) {
            Some(known) => {
                if !known.started {
                    known.had_points = started.had_points;
                }
                known.started = true;
                known.doubtful = false;
                known.node = started.node;
                known.scenario = started.scenario;
            }
            None => {
                self.open_up(id, &started.target);
                self.all.insert(id.clone(), started);
            }
        }
    }
    /// The job ended. Machines it concerned, and whether its preconditions had refused it.
    pub(crate) fn end(&mut self, id: &JobId, state: &str, code: Option<&String>) -> (Vec<usize>, bool) {
        let Some(job) = self.all.get(id) else { return (Vec::new(), false) };
        let (refused, target) = (job.was_refused(state, code), job.target.clone());
        self.close(id, state);
        (self.concerned(&target), refused)
    }
    /// The node is the product: jobs run on it.
    pub(crate) fn are_of(&self, node: &NodeName) -> bool {
        self.all.values().any(|job| job.node.as_ref() == Some(node))
    }
    /// A node died: the ends of its open jobs may be lost.
    pub(crate) fn crashed(&mut self, node: &NodeName) {
        for job in self.all.values_mut().filter(|j| j.ended.is_none() && j.node.as_ref() == Some(node)) {
            job.doubtful = true;
        }
    }
    /// The product touched a machine.
    pub(crate) fn touched(&mut self, machine: usize) {
        let ids: Vec<JobId> =
            self.open_on(machine).filter(|(_, job)| !job.touched).map(|(id, _)| id.clone()).collect();
        for id in ids {
            if let Some(job) = self.all.get_mut(&id) {
                job.touched = true;
            }
        }
    }
}
