//! A protected machine: its copies, their write logs, the marks cut in them and the point chosen last.

use super::branch::{Branch, Content, Loss, Write};
use super::late::{Late, LateDisk};
use super::left::Left;
use crate::series::Series;
use crate::setup::MachineSetup;
use failback_wire::clock::VirtualMs;
use failback_wire::event::{ContentHash, Mark, PointKind, VmRef};
use failback_wire::ids::{DiskId, GroupName, MachineName, PointId, SessionId, Site, VmdkUuid};
use failback_wire::proto::cs::OsFamily;
use std::collections::{BTreeMap, BTreeSet};

/// A protected disk as the model knows it.
#[derive(Clone, Debug)]
pub(crate) struct ModelDisk {
    pub(crate) id: DiskId,
    pub(crate) vmdk: VmdkUuid,
    pub(crate) blocks: u64,
    /// No VMDK before the machine has come home.
    pub(crate) outside: bool,
}

/// Where in which copy's log a mark was cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    /// Index of the branch.
    pub(crate) branch: usize,
    /// Writes before it.
    pub(crate) len: usize,
    pub(crate) at: VirtualMs,
    pub(crate) kind: PointKind,
    pub(crate) group: Option<GroupName>,
}

/// The recovery point a failover settled on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Session it belongs to.
    pub session: SessionId,
    /// The point.
    pub point: PointId,
    /// The mark it stands for.
    pub mark: Mark,
    /// The side that production moves to.
    pub to: Site,
    /// When it was chosen.
    pub at: VirtualMs,
}

/// A protected machine.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    pub(crate) name: MachineName,
    os: OsFamily,
    pub(crate) group: Option<GroupName>,
    /// The group, or none, that a request to protect it named, until it is accepted (G1).
    pub(crate) asked_group: Option<Option<GroupName>>,
    pub(crate) disks: Vec<ModelDisk>,
    pub(crate) onprem_vm: VmRef,
    pub(crate) azure_vm: VmRef,
    /// The product made its virtual machine at home: of a physical machine, the one that takes its place.
    pub(crate) has_successor: bool,
    /// The side production runs on: moves when the chosen copy's guest comes up.
    pub(crate) production: Site,
    /// Every copy there ever was.
    branches: Vec<Branch>,
    /// Index of the branch of each side's present copy.
    onprem: Option<usize>,
    azure: Option<usize>,
    /// Cuts, by session and mark.
    cuts: BTreeMap<SessionId, Series<Mark, Cut>>,
    /// Chosen; the copy has not come up yet.
    pub(crate) pending: Option<Choice>,
    /// The choice that the running copy was made from, announced once more.
    again: Option<Choice>,
    /// The choice that made the present production copy.
    pub(crate) installed: Option<Choice>,
    /// The guest in Azure came up and its virtual machine still exists.
    pub(crate) azure_live: bool,
    /// Azure's copy may be deleted: a commit of the way home was accepted.
    pub(crate) azure_released: bool,
    /// The product powered on Azure's copy beside a running source.
    pub(crate) beside_source: bool,
    /// It warned that two copies may be running.
    pub(crate) split_warned: bool,
    /// When it last warned that the group's members are at different times.
    pub(crate) group_warned: Option<VirtualMs>,
    /// Disks of each side's copy that its replication does not cover yet.
    late: BTreeMap<Site, Late>,
    /// Disks that reprotects home left out (P37).
    pub(crate) left: Left,
    /// Whether the newest point is what was asked for last, and what was accepted last (R5).
    newest: (bool, bool),
    /// A job on it had failed when it was removed from the vault alone.
    pub(crate) left_between: bool,
    /// State and code of the job on it that ended last.
    pub(crate) last_end: Option<(String, Option<String>)>,
}

impl Machine {
    pub(crate) fn new(setup: &MachineSetup) -> Self {
        let within = setup.disks.len() - setup.outside;
        let disks = setup.disks.iter().enumerate().map(|(n, d)| ModelDisk {
            id: d.id.clone(),
            vmdk: d.vmdk.clone(),
            blocks: d.blocks,
            outside: n >= within,
        });
        let base = setup.disks.iter().map(|d| d.content.iter().copied().collect()).collect();
        let (onprem, azure) = match setup.runs_at {
            Site::OnPremises => (Some(0), None),
            Site::Azure => (None, Some(0)),
        };
        let mut late = Late::default();
        setup.excluded.iter().for_each(|disk| late.exclude(disk));
        Self {
            name: setup.name.clone(),
            os: setup.os,
            group: setup.group.clone(),
            asked_group: None,
            disks: disks.collect(),
            onprem_vm: setup.onprem_vm.clone(),
            azure_vm: setup.azure_vm.clone(),
            has_successor: false,
            production: setup.runs_at,
            branches: vec![Branch::new(base, None)],
            onprem,
            azure,
            cuts: BTreeMap::new(),
            pending: None,
            again: None,
            installed: None,
            azure_live: setup.runs_at == Site::Azure,
            azure_released: false,
            beside_source: false,
            split_warned: false,
            group_warned: None,
            late: BTreeMap::from([(Site::OnPremises, late)]),
            left: Left::default(),
            newest: (false, false),
            left_between: false,
            last_end: None,
        }
    }
    /// The virtual machine of the copy at `site`.
    pub(crate) fn vm(&self, site: Site) -> &VmRef {
        match site {
            Site::OnPremises => &self.onprem_vm,
            Site::Azure => &self.azure_vm,
        }
    }
    fn branch_at(&self, site: Site) -> Option<usize> {
        match site {
            Site::OnPremises => self.onprem,
            Site::Azure => self.azure,
        }
    }
    /// A guest wrote. False when the disk or the copy is not known.
    pub(crate) fn wrote(
        &mut self,
        site: Site,
        disk: &DiskId,
        block: u64,
        content: ContentHash,
        at: VirtualMs,
    ) -> bool {
        let Some(disk) = self.disks.iter().position(|d| d.id == *disk) else {
            return self.late(site).wrote(disk, block, content);
        };
        let Some(branch) = self.branch_at(site) else { return false };
        self.branches[branch].push(Write { disk: disk as u32, block, content, at });
        true
    }
    /// An empty disk came into the copy in Azure. A Linux machine takes it home, whatever its VMDK will be.
    pub(crate) fn disk_added(&mut self, id: &DiskId, blocks: u64) {
        if self.os == OsFamily::Linux {
            self.take_in(id, VmdkUuid::new(id.as_str()), blocks);
        }
    }
    fn take_in(&mut self, id: &DiskId, vmdk: VmdkUuid, blocks: u64) {
        self.disks.push(ModelDisk { id: id.clone(), vmdk, blocks, outside: false });
        for branch in &mut self.branches {
            branch.add_disk();
        }
    }
    /// The disks of the copy at `site` that its replication does not cover yet.
    pub(crate) fn late(&mut self, site: Site) -> &mut Late {
        self.late.entry(site).or_default()
    }
    /// An empty disk came into a copy that replicates already. It is taken in when the machine is protected anew or, in
    /// Azure, when a Linux machine is resynchronised.
    pub(crate) fn disk_late(&mut self, site: Site, id: &DiskId, blocks: u64) {
        if site == Site::OnPremises || self.os == OsFamily::Linux {
            self.late(site).add(id, blocks);
        }
    }
    /// A mark covers late disks from now on, with what was written to them so far.
    fn late_join(&mut self, site: Site, at: VirtualMs) {
        let Some((disks, writes)) = self.late(site).marked() else { return };
        for LateDisk { id, vmdk, blocks, .. } in disks {
            self.take_in(&id, vmdk, blocks);
        }
        for (disk, block, content) in writes {
            self.wrote(site, &disk, block, content, at);
        }
    }
    /// A mark was cut in the copy at `site`. False when the copy is not known.
    pub(crate) fn cut(
        &mut self,
        site: Site,
        session: &SessionId,
        mark: Mark,
        kind: PointKind,
        group: Option<&GroupName>,
        at: VirtualMs,
    ) -> bool {
        self.late_join(site, at);
        let Some(branch) = self.branch_at(site) else { return false };
        let cut = Cut { branch, len: self.branches[branch].len(), at, kind, group: group.cloned() };
        let cuts = self.cuts.entry(session.clone()).or_default();
        if cuts.get(&mark).is_none() {
            cuts.insert(mark, cut);
        }
        true
    }
    /// Where this mark was cut.
    pub(crate) fn find_cut(&self, session: &SessionId, mark: Mark) -> Option<&Cut> {
        self.cuts.get(session)?.get(&mark)
    }
    /// The target let the mark's point go: nobody asks any more where it was cut, unless a point of the session made the
    /// present copy.
    pub(crate) fn forget_cut(&mut self, session: &SessionId, mark: Mark) {
        let chosen = self.pending.iter().chain(&self.installed).any(|choice| choice.session == *session);
        if !chosen && let Some(cuts) = self.cuts.get_mut(session) {
            cuts.remove(&mark);
        }
    }
    /// True when the last job on it failed and said why.
    pub(crate) fn last_failed(&self) -> bool {
        matches!(&self.last_end, Some((state, Some(_))) if state == "Failed")
    }
    /// Sessions with marks cut in the present Azure copy.
    pub(crate) fn reverse_sessions(&self) -> impl Iterator<Item = &SessionId> {
        let here = |cuts: &Series<Mark, Cut>| cuts.values().any(|cut| Some(cut.branch) == self.azure);
        self.cuts.iter().filter(move |(_, cuts)| here(cuts)).map(|(session, _)| session)
    }
    /// Sessions with marks cut in this machine.
    pub(crate) fn sessions(&self) -> impl Iterator<Item = &SessionId> {
        self.cuts.keys()
    }
    /// True when a cut of the copy at `site` now would lie elsewhere than `cut`.
    pub(crate) fn moved_since(&self, site: Site, cut: &Cut) -> bool {
        self.branch_at(site).is_none_or(|b| b != cut.branch || self.branches[b].len() != cut.len)
    }
    /// Somebody asks to protect it in this group, or in none; it is in it once that is accepted.
    pub(crate) fn asks_group(&mut self, group: Option<GroupName>) {
        self.asked_group = Some(group);
    }
    /// A failover settled on a point.
    pub(crate) fn choose(&mut self, choice: Choice) {
        // The next one is asked for anew, and whoever dies right then may not tell of it.
        self.newest.1 = false;
        let same = |old: &Choice| {
            (&old.session, &old.point, old.mark, old.to)
                == (&choice.session, &choice.point, choice.mark, choice.to)
        };
        // Said again after a restart, when the copy already runs; or that copy is to be made anew from the same point.
        if self.installed.as_ref().is_some_and(same) && self.production == choice.to {
            self.again = Some(choice);
            return;
        }
        if choice.to == Site::Azure {
            self.azure_released = false;
        }
        self.pending = Some(choice);
    }
    /// The product deletes the copy in Azure that production is on: it makes it anew from the point that it has named.
    pub(crate) fn remake(&mut self) {
        if self.production == Site::Azure && self.pending.is_none() {
            self.pending = self.again.take();
        }
    }
    /// The guest of the copy at `site` came up: if that copy was chosen, production moves there.
    pub(crate) fn booted(&mut self, site: Site, zero: ContentHash) {
        if site == Site::Azure {
            self.azure_live = true;
        }
        let Some(choice) = self.pending.take_if(|c| c.to == site) else {
            // A copy that no announced choice made: production is there, its content is not known.
            if site == Site::Azure && self.azure.is_none() {
                self.production = site;
            }
            return;
        };
        self.production = site;
        if let Some(content) = self.content_at(&choice.session, choice.mark, zero) {
            let parent = self.find_cut(&choice.session, choice.mark).map(|cut| (cut.branch, cut.len));
            let absent = self.absent_from(&choice);
            self.branches.push(Branch::new(content, parent).without(absent));
            let newest = Some(self.branches.len() - 1);
            match site {
                Site::OnPremises => self.onprem = newest,
                Site::Azure => self.azure = newest,
            }
        }
        self.installed = Some(choice);
    }
    /// Disks that the copy of this choice comes up without: those that the copy it is made from had not, and on the way
    /// home those that were left out.
    fn absent_from(&self, choice: &Choice) -> BTreeSet<usize> {
        let from = self.find_cut(&choice.session, choice.mark);
        let mut absent = from.map(|cut| self.branches[cut.branch].absent.clone()).unwrap_or_default();
        if choice.to == Site::OnPremises {
            absent.extend(self.left.disks());
        }
        absent
    }
    /// Disks that the production copy came up without.
    pub(crate) fn absent(&self) -> BTreeSet<usize> {
        match self.branch_at(self.production) {
            Some(branch) => self.branches[branch].absent.clone(),
            None => self.made_anew().map(|choice| self.absent_from(choice)).unwrap_or_default(),
        }
    }
    /// Somebody asks to reprotect it home without these disks.
    pub(crate) fn asks_without(&mut self, left: &[DiskId]) {
        let place = |id: &DiskId| self.disks.iter().position(|disk| disk.id == *id);
        self.left.asked = left.iter().filter_map(place).collect();
    }
    /// Somebody asks for its newest point, or for another one.
    pub(crate) fn asks_newest(&mut self, newest: bool) {
        self.newest.0 = newest;
    }
    /// That was accepted.
    pub(crate) fn fails_over(&mut self) {
        self.newest.1 = self.newest.0;
    }
    /// It is to come up from the newest point there is, whatever others have: members of groups go by common ones (R4).
    pub(crate) fn wants_newest(&self) -> bool {
        self.newest.1 && self.group.is_none()
    }
    /// That was accepted. What the copy in Azure has not does not come home either.
    pub(crate) fn reprotects_home(&mut self) {
        let absent = self.azure.map(|branch| self.branches[branch].absent.clone()).unwrap_or_default();
        self.left.accept(absent);
    }
    /// The VMDK is of a disk that the protection leaves out, or the way home, now or before.
    pub(crate) fn leaves_out(&self, vmdk: &VmdkUuid) -> bool {
        let excluded = self.late.get(&Site::OnPremises).is_some_and(|late| late.excludes(vmdk));
        excluded || self.left.disks().any(|n| self.disks[n].vmdk == *vmdk)
    }
    /// Azure's virtual machine is gone.
    pub(crate) fn azure_gone(&mut self) {
        self.azure_live = false;
        self.late.remove(&Site::Azure);
        self.azure = None;
        if self.installed.as_ref().is_some_and(|c| c.to == Site::Azure) {
            self.installed = None;
        }
    }
    /// What all disks held when the mark was cut.
    pub(crate) fn content_at(
        &self,
        session: &SessionId,
        mark: Mark,
        zero: ContentHash,
    ) -> Option<Vec<Content>> {
        let cut = self.find_cut(session, mark)?;
        Some(self.branches[cut.branch].content_at(cut.len, zero))
    }
    /// What all disks of the production copy must hold now. A copy that is made anew where production runs holds what
    /// was chosen, until its guest comes up (C7).
    pub(crate) fn production_content(&self, zero: ContentHash) -> Option<Vec<Content>> {
        if let Some(branch) = self.branch_at(self.production) {
            return Some(self.branches[branch].content(zero));
        }
        let choice = self.made_anew()?;
        self.content_at(&choice.session, choice.mark, zero)
    }
    /// The choice of which the production copy is made anew: the earlier copy is gone, the new one did not come up yet.
    pub(crate) fn made_anew(&self) -> Option<&Choice> {
        let here = self.pending.as_ref().filter(|choice| choice.to == self.production);
        here.filter(|_| self.branch_at(self.production).is_none())
    }
    /// The choice that counts: the one being carried out, else the one that made the present copy.
    pub(crate) fn choice(&self) -> Option<&Choice> {
        self.pending.as_ref().or(self.installed.as_ref())
    }
    /// What that choice cost.
    pub(crate) fn loss(&self) -> Option<Loss> {
        let choice = self.choice()?;
        let cut = self.find_cut(&choice.session, choice.mark)?;
        Some(self.branches[cut.branch].loss_since(cut.len, cut.at))
    }
    /// How a block's content relates to what the present production copy should hold.
    pub(crate) fn explain(&self, disk: u32, block: u64, seen: ContentHash, zero: ContentHash) -> Origin {
        let mut at = self.branch_at(self.production).map(|branch| (branch, usize::MAX));
        while let Some((branch, len)) = at {
            let branch = &self.branches[branch];
            let history = branch.history(disk, block, zero);
            match history.iter().rev().find(|(_, content)| *content == seen) {
                Some((n, _)) if *n > len => return Origin::Newer,
                Some(_) => return Origin::Older,
                None => at = branch.parent,
            }
        }
        Origin::Foreign
    }
}

/// Where a block's wrong content comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The block held it before: a write is missing that the point implies.
    Older,
    /// An earlier copy wrote it after the chosen point: a write that must not be there.
    Newer,
    /// No copy that this one descends from ever held it there.
    Foreign,
}
