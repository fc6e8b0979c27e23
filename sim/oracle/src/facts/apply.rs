//! Folding one event into the facts.

use super::machine::Choice;
use super::{Facts, Job, MOVES, REPROTECT_HOME, Touch, operation_behind, short};
use failback_wire::clock::VirtualMs;
use failback_wire::event::{Actor, DiskRef, Event, VmRef, What};
use failback_wire::ids::{DiskId, MachineCopy, MachineName, NodeName, PointId, SessionId, Site};

impl Facts {
    /// Takes one event.
    pub(crate) fn apply(&mut self, event: &Event) {
        self.tally.events += 1;
        if let Some(touch) = Touch::of(event) {
            if touch.by == Actor::Product
                && let Some(n) = touch.machine(self)
            {
                self.jobs.touched(n);
            }
            self.apply_inventory(event);
            return;
        }
        let at = event.at;
        match &event.what {
            What::GuestWrote { copy, disk, block, content } => {
                let machine = self.index.get(&copy.machine).map(|n| &mut self.machines[*n]);
                self.tally.wrote(machine.is_some_and(|m| m.wrote(copy.site, disk, *block, *content, at)));
            }
            What::DiskAdded { copy, disk, blocks, volumes } => {
                self.disk_added(copy, disk, *blocks, volumes);
            }
            What::MarkCut { copy, session, mark, kind, group } => {
                if let Some(n) = self.index.get(&copy.machine) {
                    let machine = &mut self.machines[*n];
                    self.session_of.entry(session.clone()).or_insert(*n);
                    let placed = machine.cut(copy.site, session, *mark, *kind, group.as_ref(), at);
                    self.tally.marks += u64::from(placed);
                }
            }
            What::GuestBooted { copy } => self.booted(copy, event),
            What::SessionPhase { session, machine, phase } => self.phase(session, machine, phase, event),
            What::NodeCrashed { node } => self.jobs.crashed(node),
            What::NodeStarted { node, .. } => self.started(node),
            What::PointStored { .. }
            | What::PointPruned { .. }
            | What::Rolled { .. }
            | What::PointOffered { .. }
            | What::PointWithdrawn { .. }
            | What::PointChosen { .. } => self.apply_points(event),
            What::RequestAccepted { .. }
            | What::RequestRefused { .. }
            | What::JobStarted { .. }
            | What::JobEnded { .. }
            | What::Warned { .. } => self.apply_jobs(event),
            What::VmCreated { .. }
            | What::VmDeleted { .. }
            | What::PowerChanged { .. }
            | What::VmChanged { .. }
            | What::DiskCreated { .. }
            | What::DiskDeleted { .. }
            | What::DiskAttached { .. }
            | What::DiskDetached { .. }
            | What::DiskExtended { .. }
            | What::SnapshotTaken { .. }
            | What::SnapshotRemoved { .. }
            | What::GuestStopped { .. }
            | What::AgentRegistered { .. }
            | What::ToolsChanged { .. }
            | What::GuestChanged { .. }
            | What::GuestLogged { .. }
            | What::DiskWritten { .. }
            | What::TaskStarted { .. }
            | What::TaskEnded { .. }
            | What::ItemChanged { .. }
            | What::StepStarted { .. }
            | What::StepEnded { .. }
            | What::FaultArmed { .. }
            | What::FaultFired { .. }
            | What::FaultCleared { .. }
            | What::Note { .. } => {}
        }
    }

    /// A product that was started again has seen no point of any item yet.
    fn started(&mut self, node: &NodeName) {
        if self.jobs.are_of(node) {
            self.unseen = self.offers.keys().cloned().collect();
        }
    }

    /// A Linux machine brings home what was added to it before it replicates home; all else stays in Azure (P37).
    fn disk_added(&mut self, copy: &MachineCopy, disk: &DiskId, blocks: u64, volumes: &[String]) {
        // What Azure lends is not the machine's.
        if matches!(volumes, [label] if label == "Temporary Storage") {
            return;
        }
        let Some(n) = self.index.get(&copy.machine).copied() else { return };
        let replicates = self.machines[n]
            .reverse_sessions()
            .any(|session| self.sessions.get(session).is_none_or(|known| known.ended.is_none()));
        match copy.site {
            Site::Azure if !replicates => self.machines[n].disk_added(disk, blocks),
            site @ (Site::Azure | Site::OnPremises) => self.machines[n].disk_late(site, disk, blocks),
        }
    }

    /// A guest came up: the copy that was chosen becomes the production copy.
    fn booted(&mut self, copy: &MachineCopy, event: &Event) {
        let Some(n) = self.index.get(&copy.machine).copied() else { return };
        let machine = &self.machines[n];
        let expected = machine.pending.as_ref().is_some_and(|c| c.to == copy.site);
        let comes_home = copy.site == Site::OnPremises && machine.production == Site::Azure;
        if !expected && comes_home && !self.inventory.is_on(&machine.azure_vm) {
            // The product died before it could tell its choice; what the target was rolled to tells it.
            let rolled = machine.reverse_sessions().find_map(|session| {
                let (point, mark) = self.sessions.get(session)?.rolled.clone()?;
                Some(Choice { session: session.clone(), point, mark, to: copy.site, at: event.at })
            });
            if let Some(choice) = rolled {
                self.machines[n].choose(choice);
            }
        }
        self.machines[n].booted(copy.site, self.zero);
    }

    /// A session changed phase: when its keeper forgets it, its points are gone.
    fn phase(&mut self, session: &SessionId, machine: &MachineName, phase: &str, event: &Event) {
        if let Some(n) = self.index.get(machine).filter(|_| phase == "waiting") {
            let machine = &mut self.machines[*n];
            machine.late(machine.production).begun();
        }
        if let Some(known) = self.sessions.get_mut(session)
            && known.keeper.as_ref() == Some(&event.node)
        {
            known.ended = (phase == "ended").then_some(event.at);
        }
    }

    /// The target let a point go; what nobody may speak of any more is forgotten, or a long run would fill the memory.
    fn pruned(&mut self, session: &SessionId, point: &PointId, at: VirtualMs) {
        let since = self.sight(at);
        let Some(known) = self.sessions.get_mut(session) else { return };
        let forgotten = known.prune(point, at, since);
        let Some(n) = self.session_of.get(session) else { return };
        let machine = &mut self.machines[*n];
        for (point, mark) in forgotten {
            machine.forget_cut(session, mark);
            if let Some(offers) = self.offers.get_mut(&machine.name) {
                offers.withdrawn.remove(&(session.clone(), point));
            }
        }
    }

    /// The product offers a point no longer.
    fn withdrawn(&mut self, item: &MachineName, point: &PointId) {
        let Some(offers) = self.offers.get_mut(item) else { return };
        let Some((session, mark)) = offers.withdraw(point) else { return };
        if self.sessions.get(&session).is_some_and(|known| known.knows(point, mark)) {
            offers.withdrawn.insert((session, point.clone()));
        }
    }

    /// The product has taken on what was asked for: from now on that counts.
    fn takes_on(&mut self, operation: &str, target: &str) {
        self.join_group(operation, target);
        self.take_in_late(operation, target);
        self.reprotects_home(operation, target);
        self.fails_over(operation, target);
        self.release_azure(operation, target);
    }

    /// A machine comes under protection in the group that was asked for.
    fn join_group(&mut self, operation: &str, target: &str) {
        if operation != "enable-protection" {
            return;
        }
        for n in self.jobs.concerned(&short(target)) {
            let machine = &mut self.machines[n];
            let Some(group) = machine.asked_group.take() else { continue };
            machine.group.clone_from(&group);
            self.groups.values_mut().for_each(|members| {
                members.remove(&machine.name);
            });
            if let Some(group) = group {
                self.groups.entry(group).or_default().insert(machine.name.clone());
            }
        }
    }

    /// The product made a virtual machine for the copy at home, or that is gone.
    fn succeeded(&mut self, vm: &VmRef, made: bool) {
        if let Some((n, Site::OnPremises)) = self.copy_of(vm) {
            self.machines[n].has_successor = made;
        }
    }

    /// True when a physical machine tells of its own power, after a virtual one was made for it (P35).
    fn is_metal_replaced(&self, vm: &VmRef, event: &Event) -> bool {
        let Some((n, Site::OnPremises)) = self.copy_of(vm) else { return false };
        let machine = &self.machines[n];
        let own = MachineCopy { machine: machine.name.clone(), site: Site::OnPremises };
        machine.has_successor && event.node.as_str() == own.to_string()
    }

    /// Disks that came late are covered when this has brought them into the replication (P37).
    fn take_in_late(&mut self, operation: &str, target: &str) {
        let site = match operation {
            "resynchronise" => Site::Azure,
            "enable-protection" => Site::OnPremises,
            _ => return,
        };
        for n in self.jobs.concerned(&short(target)) {
            self.machines[n].late(site).asked();
        }
    }

    /// A way home begins, with the disks that were asked for (P37).
    fn reprotects_home(&mut self, operation: &str, target: &str) {
        if operation != REPROTECT_HOME {
            return;
        }
        for n in self.jobs.concerned(&short(target)) {
            self.machines[n].reprotects_home();
        }
    }

    /// From now on what was asked for counts: the newest point, or another one.
    fn fails_over(&mut self, operation: &str, target: &str) {
        if !MOVES.contains(&operation) {
            return;
        }
        for n in self.jobs.concerned(&short(target)) {
            self.machines[n].fails_over();
        }
    }

    /// A commit of the way home lets go of Azure's copy.
    fn release_azure(&mut self, operation: &str, target: &str) {
        if !operation.to_ascii_lowercase().contains("commit") {
            return;
        }
        for n in self.jobs.concerned(&short(target)) {
            let machine = &mut self.machines[n];
            let home = match &machine.pending {
                None => machine.production == Site::OnPremises,
                // Powered on; its guest is still coming up.
                Some(choice) => choice.to == Site::OnPremises && self.inventory.is_on(&machine.onprem_vm),
            };
            machine.azure_released |= home;
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "only events that touch the inventories come here")]
    fn apply_inventory(&mut self, event: &Event) {
        match &event.what {
            What::VmCreated { vm, by } => {
                self.inventory.vm_created(vm, *by);
                self.succeeded(vm, *by == Actor::Product);
            }
            What::VmDeleted { vm, by } => {
                self.succeeded(vm, false);
                self.inventory.vm_deleted(vm, *by);
                match self.copy_of(vm) {
                    Some((n, Site::Azure)) => {
                        self.machines[n].azure_gone();
                        if *by == Actor::Product {
                            self.machines[n].remake();
                        }
                    }
                    Some((n, Site::OnPremises)) if *by != Actor::Product => self.inventory.abandon(n),
                    Some((_, Site::OnPremises)) | None => {}
                }
            }
            // The physical machine itself, whose place a virtual one has taken by now: that one's power is vCenter's to tell.
            What::PowerChanged { vm, .. } if self.is_metal_replaced(vm, event) => {}
            What::PowerChanged { vm, on, by } => {
                if let Some((n, site)) = self.copy_of(vm) {
                    if *on && *by == Actor::Product {
                        self.jobs.started(n, site);
                    }
                    let source_on = self.inventory.is_on(&self.machines[n].onprem_vm);
                    let machine = &mut self.machines[n];
                    match site {
                        Site::Azure => machine.beside_source = *on && source_on && *by == Actor::Product,
                        Site::OnPremises => (machine.beside_source, machine.split_warned) = (false, false),
                    }
                }
                self.inventory.vm_mut(vm).on = *on;
            }
            What::DiskCreated { disk, by } => {
                let entry = self.inventory.disk_mut(disk);
                entry.made_by_product = *by == Actor::Product;
                entry.deleted_by = None;
            }
            What::DiskDeleted { disk, by } => self.inventory.disk_deleted(disk, *by),
            What::DiskAttached { disk, vm, .. } => {
                let home = self.copy_of(vm).map(|(n, _)| n);
                self.inventory.attached(disk, vm, home);
            }
            What::DiskDetached { disk, vm, by } => self.inventory.detached(disk, vm, *by),
            What::SnapshotTaken { vm, name, by: Actor::Product } => {
                self.inventory.vm_mut(vm).own_snapshots.insert(name.clone());
            }
            What::SnapshotRemoved { vm, name, .. } => {
                self.inventory.vm_mut(vm).own_snapshots.remove(name);
            }
            _ => {}
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "only events about points come here")]
    fn apply_points(&mut self, event: &Event) {
        match &event.what {
            What::PointStored { session, point, mark, kind } => {
                let entry = self.sessions.entry(session.clone()).or_default();
                entry.store(point, *mark, *kind);
                entry.keeper = Some(event.node.clone());
                entry.ended = None;
            }
            What::PointPruned { session, point, .. } => self.pruned(session, point, event.at),
            What::Rolled { session, point, mark } => {
                let entry = self.sessions.entry(session.clone()).or_default();
                entry.rolled = Some((point.clone(), *mark));
            }
            What::PointOffered { item, session, point, mark, .. } => {
                self.offers.entry(item.clone()).or_default().offer(session, point, *mark);
                self.unseen.remove(item);
            }
            What::PointWithdrawn { item, point } => self.withdrawn(item, point),
            What::PointChosen { item, session, point, mark, to } => {
                let choice = Choice {
                    session: session.clone(),
                    point: point.clone(),
                    mark: *mark,
                    to: *to,
                    at: event.at,
                };
                if let Some(machine) = self.machine_mut(item) {
                    machine.choose(choice);
                }
            }
            _ => {}
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "only events about requests and jobs come here")]
    fn apply_jobs(&mut self, event: &Event) {
        match &event.what {
            What::RequestAccepted { operation, target, job } => {
                self.jobs.accept(job, operation, target, event.at, &event.node);
                self.takes_on(operation, target);
            }
            What::RequestRefused { operation, target, codes } => self.jobs.refuse(operation, target, codes),
            What::JobStarted { job, scenario, target } => {
                let target = short(target);
                let mut had_points = self.jobs.concerned(&target);
                let from = had_points.first().map(|n| self.machines[*n].production);
                let untold = from.filter(|_| !self.jobs.all.contains_key(job));
                let operation = untold.and_then(|from| operation_behind(scenario, from));
                had_points.retain(|n| self.usable_points(&self.machines[*n].name).next().is_some());
                let started = Job {
                    operation: operation.map(str::to_owned),
                    scenario: scenario.clone(),
                    target: target.clone(),
                    started: true,
                    since: event.at,
                    node: Some(event.node.clone()),
                    had_points,
                    ..Job::default()
                };
                self.jobs.start(job, started);
                match operation {
                    Some(operation) => self.takes_on(operation, &target),
                    None => self.release_azure(scenario, &target),
                }
            }
            What::JobEnded { job, state, code } => {
                let home = self.jobs.all.get(job).is_some_and(Job::goes_home);
                let vault = self.jobs.all.get(job).is_some_and(Job::touches_the_vault_alone);
                let (concerned, refused) = self.jobs.end(job, state, code.as_ref());
                for n in concerned {
                    let machine = &mut self.machines[n];
                    if home && refused {
                        machine.left.refuse();
                    }
                    machine.left_between = vault && (machine.left_between || machine.last_failed());
                    machine.last_end = Some((state.clone(), code.clone()));
                    if state == "Failed" {
                        machine.late(machine.production).failed();
                    }
                    machine.azure_released &= !refused;
                }
            }
            What::Warned { item, code } => {
                let split = self.is_split_brain(code);
                let group = self.group_codes.contains(code);
                if let Some(machine) = self.machine_mut(item) {
                    machine.split_warned |= split;
                    machine.group_warned = group.then_some(event.at).or(machine.group_warned);
                }
            }
            _ => {}
        }
    }

    /// True when the disk is a VMDK.
    pub(crate) fn is_vmdk(disk: &DiskRef) -> bool {
        matches!(disk, DiskRef::Vmdk(_))
    }
}
