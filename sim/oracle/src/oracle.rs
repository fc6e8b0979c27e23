//! The oracle itself: takes events, observations and the end, and collects what is broken.

use crate::check::{CHECKS, Scope, World};
use crate::facts::{Choice, Content, Facts, Loss};
use crate::observe::Observation;
use crate::setup::{PlanSetup, Setup};
use crate::violation::{Found, Violation};
use failback_wire::clock::VirtualMs;
use failback_wire::event::{Event, Mark, What};
use failback_wire::ids::{DiskId, GroupName, MachineName, PointId, SessionId, Site};
use std::collections::BTreeMap;

pub use crate::facts::Tally;

/// Judges one run. A clone goes on from the same moment, which is how a world is checkpointed.
#[derive(Clone, Debug)]
pub struct Oracle {
    facts: Facts,
    found: Found,
}

impl Oracle {
    /// An oracle for a world that begins like this.
    pub fn new(setup: &Setup) -> Self {
        Self { facts: Facts::new(setup), found: Found::default() }
    }

    /// Takes one event, in the order in which things happened.
    pub fn take(&mut self, event: &Event) {
        // A guest's write only extends the model: nothing else can break by it.
        if !matches!(event.what, What::GuestWrote { .. }) {
            for invariant in CHECKS.iter().filter(|i| i.scope == Scope::Always) {
                let mut report = self.found.reporter(invariant.name, event.at, Some(event));
                invariant.check.on(&self.facts, event, &mut report);
            }
        }
        self.facts.apply(event);
    }

    /// Somebody is about to ask to protect this machine in a group, or in none (G1).
    pub fn asks_group(&mut self, item: &MachineName, group: Option<GroupName>) {
        if let Some(machine) = self.facts.machine_mut(item) {
            machine.asks_group(group);
        }
    }

    /// Somebody is about to ask to protect this machine without these disks: one that was left out before and is not now
    /// belongs to the machine once that is accepted (P37).
    pub fn asks_protection_without(&mut self, item: &MachineName, disks: &[DiskId]) {
        if let Some(machine) = self.facts.machine_mut(item) {
            machine.late(Site::OnPremises).asks_without(disks);
        }
    }

    /// A plan was saved, new or instead of one of this name.
    pub fn saves_plan(&mut self, plan: &PlanSetup) {
        self.facts.add_plan(plan);
    }

    /// Somebody is about to ask to reprotect this machine home, alone or with others, without these disks: once that is
    /// accepted, what they hold stays in Azure (P37). Holds for every attempt, until something else is asked.
    pub fn asks_home_without(&mut self, item: &MachineName, disks: &[DiskId]) {
        if let Some(machine) = self.facts.machine_mut(item) {
            machine.asks_without(disks);
        }
    }

    /// Nothing is going on: judges everything with scope `AtRest`, and settles what `Always` left open.
    pub fn at_rest(&mut self, now: VirtualMs, seen: &Observation) {
        self.judge(now, seen, &[Scope::Always, Scope::AtRest]);
    }

    /// The run is over: compares disks. A run that ended at rest is also given to [`Oracle::at_rest`].
    pub fn end(&mut self, now: VirtualMs, seen: &Observation) {
        self.judge(now, seen, &[Scope::Always, Scope::End]);
    }

    fn judge(&mut self, now: VirtualMs, seen: &Observation, scopes: &[Scope]) {
        let world = World::new(&self.facts, now, seen, scopes.contains(&Scope::End));
        for invariant in CHECKS.iter().filter(|i| scopes.contains(&i.scope)) {
            let mut report = self.found.reporter(invariant.name, now, None);
            invariant.check.settle(&world, &mut report);
        }
        let (disks, blocks) = world.compared();
        self.facts.tally.disks_compared += disks;
        self.facts.tally.blocks_hashed += blocks;
    }

    /// Everything broken so far, in the order it was found.
    pub fn violations(&self) -> &[Violation] {
        self.found.list()
    }

    /// How much there was to judge.
    pub fn tally(&self) -> Tally {
        self.facts.tally
    }

    /// The choice of a recovery point that counts for this item: the one being carried out, else the one
    /// its production copy was made from.
    pub fn chosen(&self, item: &MachineName) -> Option<&Choice> {
        self.facts.machine(item)?.choice()
    }

    /// What that choice cost: the old copy's writes after the point.
    pub fn loss(&self, item: &MachineName) -> Option<Loss> {
        self.facts.machine(item)?.loss()
    }

    /// The side this item's production copy runs on.
    pub fn production(&self, item: &MachineName) -> Option<Site> {
        Some(self.facts.machine(item)?.production)
    }

    /// What every disk held when the source cut this mark.
    pub fn content_at(
        &self,
        item: &MachineName,
        session: &SessionId,
        mark: Mark,
    ) -> Option<BTreeMap<DiskId, Content>> {
        let machine = self.facts.machine(item)?;
        let content = machine.content_at(session, mark, self.facts.zero)?;
        Some(machine.disks.iter().map(|d| d.id.clone()).zip(content).collect())
    }

    /// What every disk of the production copy must hold now.
    pub fn production_content(&self, item: &MachineName) -> Option<BTreeMap<DiskId, Content>> {
        let machine = self.facts.machine(item)?;
        let content = machine.production_content(self.facts.zero)?;
        Some(machine.disks.iter().map(|d| d.id.clone()).zip(content).collect())
    }

    /// Somebody is about to ask that this machine comes up from its newest recovery point, or from another one (R5). Holds
    /// for every attempt, until something else is asked.
    pub fn asks_newest(&mut self, item: &MachineName, newest: bool) {
        if let Some(machine) = self.facts.machine_mut(item) {
            machine.asks_newest(newest);
        }
    }

    /// Recovery points of this item that are offered and that the target still holds, the newest first.
    pub fn usable_points(&self, item: &MachineName) -> Vec<PointId> {
        self.facts.usable_points(item).cloned().collect()
    }
}
