//! What is known of the world: folded from the events, and from nothing else.

mod apply;
mod branch;
mod inventory;
mod jobs;
mod late;
mod left;
mod machine;
mod points;

pub use branch::{Content, Loss};
pub(crate) use inventory::{Inventory, Kind};
pub(crate) use jobs::{Job, Jobs, MOVES, REPROTECT_HOME, operation_behind, short};
pub use machine::Choice;
pub(crate) use machine::{Machine, ModelDisk, Origin};
pub(crate) use points::{Offers, Session};

use crate::setup::{MachineSetup, PlanSetup, Setup};
use failback_wire::clock::VirtualMs;
use failback_wire::event::{Actor, ContentHash, DiskRef, Event, Mark, VmRef, What};
use failback_wire::ids::{GroupName, MachineName, PointId, SessionId, Site};
use std::collections::{BTreeMap, BTreeSet};
use xxhash_rust::xxh3::xxh3_128;

/// Everything known.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    /// Hash of a block of zeros.
    pub(crate) zero: ContentHash,
    pub(crate) machines: Vec<Machine>,
    index: BTreeMap<MachineName, usize>,
    copies: BTreeMap<VmRef, (usize, Site)>,
    /// The machine whose marks a session carries.
    session_of: BTreeMap<SessionId, usize>,
    pub(crate) inventory: Inventory,
    pub(crate) jobs: Jobs,
    pub(crate) sessions: BTreeMap<SessionId, Session>,
    pub(crate) offers: BTreeMap<MachineName, Offers>,
    /// Items of which a product that was started again has not seen a point yet.
    pub(crate) unseen: BTreeSet<MachineName>,
    /// Members of each replication group.
    pub(crate) groups: BTreeMap<GroupName, BTreeSet<MachineName>>,
    pub(crate) split_brain_codes: Vec<String>,
    pub(crate) group_codes: Vec<String>,
    pub(crate) sight_lag_ms: u64,
    pub(crate) rest_states: Vec<String>,
    pub(crate) tally: Tally,
}

/// How much the oracle had to judge; a verdict over nothing is worth nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Tally {
    /// Events taken.
    pub events: u64,
    /// Writes that went into the model.
    pub writes: u64,
    /// Writes of machines, copies or disks the oracle was not told of.
    pub unplaced_writes: u64,
    /// Marks that went into the model.
    pub marks: u64,
    /// Disks compared byte for byte.
    pub disks_compared: u64,
    /// Blocks hashed for that.
    pub blocks_hashed: u64,
}

impl Tally {
    fn wrote(&mut self, placed: bool) {
        self.writes += u64::from(placed);
        self.unplaced_writes += u64::from(!placed);
    }
}

impl Facts {
    /// What is known before the run.
    pub(crate) fn new(setup: &Setup) -> Self {
        let mut facts = Self {
            zero: ContentHash(xxh3_128(&[0; crate::BLOCK as usize])),
            machines: Vec::new(),
            index: BTreeMap::new(),
            copies: BTreeMap::new(),
            session_of: BTreeMap::new(),
            inventory: Inventory::default(),
            jobs: Jobs::default(),
            sessions: BTreeMap::new(),
            offers: BTreeMap::new(),
            unseen: BTreeSet::new(),
            groups: BTreeMap::new(),
            split_brain_codes: setup.split_brain_codes.clone(),
            group_codes: setup.group_codes.clone(),
            sight_lag_ms: setup.sight_lag_ms,
            rest_states: setup.rest_states.clone(),
            tally: Tally::default(),
        };
        for machine in &setup.machines {
            facts.add_machine(machine);
        }
        for vm in &setup.foreign_vms {
            facts.inventory.vm_mut(vm).kind = Kind::Foreign;
        }
        for vm in &setup.infrastructure_vms {
            facts.inventory.vm_mut(vm).kind = Kind::Infrastructure;
        }
        for disk in &setup.foreign_disks {
            facts.inventory.disk_mut(disk).foreign = true;
        }
        setup.plans.iter().for_each(|plan| facts.add_plan(plan));
        facts
    }
    /// Makes a plan known, instead of one of this name.
    pub(crate) fn add_plan(&mut self, plan: &PlanSetup) {
        let known =
            |group: &Vec<MachineName>| group.iter().filter_map(|m| self.index.get(m).copied()).collect();
        let groups: Vec<Vec<usize>> = plan.groups.iter().map(known).collect();
        self.jobs.add_plan(&plan.name, &groups);
    }
    fn add_machine(&mut self, setup: &MachineSetup) {
        let n = self.machines.len();
        self.index.insert(setup.name.clone(), n);
        self.jobs.add_machine(setup.name.as_str(), n);
        self.copies.insert(setup.onprem_vm.clone(), (n, Site::OnPremises));
        self.copies.insert(setup.azure_vm.clone(), (n, Site::Azure));
        if let Some(group) = &setup.group {
            self.groups.entry(group.clone()).or_default().insert(setup.name.clone());
        }
        let machine = Machine::new(setup);
        self.inventory.vm_mut(machine.vm(setup.runs_at)).on = setup.powered_on;
        for disk in setup.disks.iter().take(setup.disks.len() - setup.outside) {
            let disk = DiskRef::Vmdk(disk.vmdk.clone());
            // While the machine runs in Azure its VMDKs may be anywhere: the events say.
            if setup.runs_at == Site::OnPremises && !setup.physical {
                self.inventory.attached(&disk, &setup.onprem_vm, Some(n));
            }
            self.inventory.disk_mut(&disk).home = Some(n);
        }
        for disk in &setup.excluded {
            let disk = DiskRef::Vmdk(disk.vmdk.clone());
            if setup.runs_at == Site::OnPremises && !setup.physical {
                self.inventory.attached(&disk, &setup.onprem_vm, Some(n));
            }
            self.inventory.disk_mut(&disk).home = Some(n);
        }
        self.machines.push(machine);
    }
    /// True when the disk is a VMDK that was left out: of the protection, or of the way home (P37).
    pub(crate) fn left_out(&self, disk: &DiskRef) -> bool {
        let DiskRef::Vmdk(vmdk) = disk else { return false };
        self.home_of(disk).is_some_and(|n| self.machines[n].leaves_out(vmdk))
    }
    /// The machine of this name.
    pub(crate) fn machine(&self, name: &MachineName) -> Option<&Machine> {
        self.machines.get(*self.index.get(name)?)
    }
    pub(crate) fn machine_mut(&mut self, name: &MachineName) -> Option<&mut Machine> {
        self.machines.get_mut(*self.index.get(name)?)
    }
    /// The machine, one of whose copies `vm` is, and the side of that copy.
    pub(crate) fn copy_of(&self, vm: &VmRef) -> Option<(usize, Site)> {
        self.copies.get(vm).copied()
    }
    /// The machine whose marks this session carries.
    pub(crate) fn session_of(&self, session: &SessionId) -> Option<&Machine> {
        self.machines.get(*self.session_of.get(session)?)
    }
    /// Machines that a job or request on this target concerns.
    pub(crate) fn concerned(&self, target: &str) -> impl Iterator<Item = &Machine> {
        self.jobs.concerned(target).into_iter().map(|n| &self.machines[n])
    }
    /// The machine the disk belongs to.
    pub(crate) fn home_of(&self, disk: &DiskRef) -> Option<usize> {
        self.inventory.disks.get(disk)?.home
    }
    /// Points of this item that are offered and held, the newest first.
    pub(crate) fn usable_points(&self, item: &MachineName) -> impl Iterator<Item = &PointId> {
        let held = |(session, mark, point): &(&SessionId, Mark, &PointId)| {
            self.sessions.get(session).is_some_and(|known| known.holds(point, *mark).is_some())
        };
        self.offers.get(item).into_iter().flat_map(Offers::all).filter(held).map(|(.., point)| point)
    }
    /// The earliest moment that the product's knowledge of points at `now` may stem from.
    pub(crate) fn sight(&self, now: VirtualMs) -> VirtualMs {
        VirtualMs(now.0.saturating_sub(self.sight_lag_ms))
    }
    /// True when this warning says that two copies may be running.
    pub(crate) fn is_split_brain(&self, code: &str) -> bool {
        code.contains("split") || self.split_brain_codes.iter().any(|c| c == code)
    }
}

/// What an event did to the inventories, by whom.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Touch<'a> {
    pub(crate) by: Actor,
    pub(crate) vm: Option<&'a VmRef>,
    pub(crate) disk: Option<&'a DiskRef>,
}

impl<'a> Touch<'a> {
    /// The event as an effect on the inventories; `None` when it is something else.
    pub(crate) fn of(event: &'a Event) -> Option<Self> {
        match &event.what {
            What::VmCreated { vm, by }
            | What::VmDeleted { vm, by }
            | What::PowerChanged { vm, by, .. }
            | What::VmChanged { vm, by, .. }
            | What::SnapshotTaken { vm, by, .. }
            | What::SnapshotRemoved { vm, by, .. } => Some(Self { by: *by, vm: Some(vm), disk: None }),
            What::DiskCreated { disk, by } | What::DiskDeleted { disk, by } => {
                Some(Self { by: *by, vm: None, disk: Some(disk) })
            }
            What::DiskAttached { disk, vm, by }
            | What::DiskDetached { disk, vm, by }
            | What::DiskExtended { disk, vm, by, .. } => {
                Some(Self { by: *by, vm: Some(vm), disk: Some(disk) })
            }
            What::GuestBooted { .. }
            | What::GuestStopped { .. }
            | What::GuestWrote { .. }
            | What::DiskAdded { .. }
            | What::MarkCut { .. }
            | What::AgentRegistered { .. }
            | What::ToolsChanged { .. }
            | What::GuestChanged { .. }
            | What::GuestLogged { .. }
            | What::DiskWritten { .. }
            | What::SessionPhase { .. }
            | What::PointStored { .. }
            | What::PointPruned { .. }
            | What::Rolled { .. }
            | What::RequestAccepted { .. }
            | What::RequestRefused { .. }
            | What::JobStarted { .. }
            | What::TaskStarted { .. }
            | What::TaskEnded { .. }
            | What::JobEnded { .. }
            | What::ItemChanged { .. }
            | What::PointOffered { .. }
            | What::PointWithdrawn { .. }
            | What::PointChosen { .. }
            | What::Warned { .. }
            | What::StepStarted { .. }
            | What::StepEnded { .. }
            | What::FaultArmed { .. }
            | What::FaultFired { .. }
            | What::FaultCleared { .. }
            | What::NodeCrashed { .. }
            | What::NodeStarted { .. }
            | What::Note { .. } => None,
        }
    }
    /// The machine it was done to: whose disk it is, else whose copy the virtual machine is.
    pub(crate) fn machine(&self, facts: &Facts) -> Option<usize> {
        let by_disk = self.disk.and_then(|disk| facts.home_of(disk));
        by_disk.or_else(|| Some(facts.copy_of(self.vm?)?.0))
    }
}
