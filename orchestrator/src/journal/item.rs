//! A replicated item as the journal tells it, and the facts that steps add to it.

use super::copies::Copies;
use super::record::{Leaving, Operation};
use super::state::{Allowed, Leg, ProtectionState};
use crate::config::{BeforeCommit, Settings};
use failback_replication::lineage::Lineage;
use failback_wire::clock::VirtualMs;
use failback_wire::error::Report;
use failback_wire::event::{Mark, PointKind};
use failback_wire::ids::{DiskId, GroupName, JobId, MachineName, PointId, SessionId, Site, VmdkUuid};
use failback_wire::proto::cs::OsFamily;
use failback_wire::proto::session::{Direction, SessionSpec};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A machine under protection, whichever side it runs on. Its name never changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// Name.
    pub name: MachineName,
    /// Which way it replicates, or last did.
    pub leg: Leg,
    /// Protection state.
    pub state: ProtectionState,
    /// The side that carries production.
    pub active: Site,
    /// Since when it is in `state`.
    pub since: VirtualMs,
    /// When it last failed over, or back.
    pub last_failover: Option<VirtualMs>,
    /// The job that last changed it, or is changing it.
    pub current: Option<Current>,
    /// The virtual machine on-premises.
    pub vm: Option<OnPremVm>,
    /// Operating system family.
    pub os: Option<OsFamily>,
    /// What it ran on when it came under protection, as far as that matters.
    #[serde(default)]
    pub platform: Platform,
    /// Protected disks, in the machine's order.
    pub disks: Vec<ItemDisk>,
    /// VMDKs of its virtual machine that were left out when protection was enabled (P37).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub excluded: Vec<VmdkUuid>,
    /// Protected disks that the last reprotect home left out, until the failback is committed: they stay in Azure (P37).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<ItemDisk>,
    /// The virtual machine in Azure, while it exists.
    pub azure: Option<AzureVm>,
    /// Managed disks that somebody added to it and that come home with it (P37). They are nobody's to delete.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub added: BTreeMap<DiskId, String>,
    /// The copy that a test failover brought up, until it is cleaned up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<TestCopy>,
    /// The name the machine has, or will have, in Azure.
    pub azure_name: String,
    /// Replication group (multi-VM consistency), fixed when protection was enabled (G1).
    pub group: Option<GroupName>,
    /// Process server that serves it now.
    pub process_server: Option<ServerRef>,
    /// Master target that holds its disks on the way home.
    pub master_target: Option<ServerRef>,
    /// Where the files of its disks lay when they were attached to the master target (P20).
    #[serde(default)]
    pub attached: BTreeMap<DiskId, String>,
    /// Latest session to Azure.
    pub forward: Option<SessionSpec>,
    /// Latest session to on-premises.
    pub reverse: Option<SessionSpec>,
    /// Highest epoch any session of the item ever had; a new one takes a higher one.
    pub epoch: u64,
    /// The point the last failover settled on.
    pub chosen: Option<Chosen>,
    /// The point of the failover before it, while the choice may still be taken back.
    pub chosen_before: Option<Chosen>,
    /// The installation of the configuration server it is protected under (P4).
    #[serde(default)]
    pub cs: Option<String>,
    /// Host id of the agent at home (C14).
    #[serde(default)]
    pub home_host: Option<String>,
    /// It keeps its on-premises address in Azure; fixed when protection was enabled (P7).
    #[serde(default)]
    pub keeps_address: bool,
    /// The virtual network it comes up in, in Azure, when that is not the usual one (P12).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// Replication policy it was last asked to be protected under on the way to Azure.
    pub policy: Option<String>,
    /// Warnings by code; a split brain, a lost address.
    pub warnings: BTreeMap<String, Report>,
    /// What the copies of its disks hold (E8).
    #[serde(default)]
    pub copies: Copies,
    /// What steps want to remember across attempts; emptied when an operation succeeds.
    pub notes: BTreeMap<String, String>,
    /// The operation that failed past its point of no return: only a further attempt leads on, and
    /// nothing of it is ever taken back.
    pub halfway: Option<Operation>,
}

/// The job an item's `currentScenario` speaks of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Current {
    /// Its id.
    pub job: JobId,
    /// Its scenario name.
    pub scenario: String,
    /// When it was accepted.
    pub started: VirtualMs,
}

/// What a machine ran on when it came under protection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Platform {
    /// It is a physical machine (P35): until a failback of it is committed, from when on it is a virtual one.
    pub physical: bool,
    /// Version of its operating system, where the agent of a physical machine told it (P33).
    pub os_version: Option<String>,
    /// It boots by UEFI, not by BIOS (P33).
    pub uefi: bool,
    /// Memory in MiB, where vCenter told it: what a new machine at an alternate location gets, too (P36).
    #[serde(default)]
    pub memory_mb: Option<u64>,
}

/// The virtual machine on-premises.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnPremVm {
    /// Its name in vCenter's inventory.
    pub name: String,
    /// vCenter's UUID of it.
    pub uuid: String,
    /// It is in the other vCenter, not in the original one (P5).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub alternate: bool,
}

/// The virtual machine in Azure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AzureVm {
    /// Resource name.
    pub name: String,
    /// Managed disks, by the disk they carry.
    pub disks: BTreeMap<DiskId, String>,
}

/// What a test failover made in Azure, beside everything else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestCopy {
    /// Its virtual machine and disks.
    pub vm: AzureVm,
    /// When it was made: after two weeks it is cleaned up without being asked.
    pub since: VirtualMs,
}

/// A protected disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemDisk {
    /// The disk.
    pub disk: DiskId,
    /// Bytes; a multiple of 4096.
    pub size: u64,
    /// Its VMDK on-premises: where data comes home to (P21, I3).
    pub vmdk: VmdkUuid,
    /// That is a raw device mapping (P36).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rdm: bool,
}

/// A process server or master target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerRef {
    /// Id in the configuration server's database.
    pub id: String,
    /// Where it listens.
    pub address: String,
}

/// The point a failover settled on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chosen {
    /// Session it belongs to.
    pub session: SessionId,
    /// The point.
    pub point: PointId,
    /// The mark it stands for.
    pub mark: Mark,
    /// Consistency.
    pub kind: PointKind,
    /// When the source cut it.
    pub time: VirtualMs,
    /// The side that comes up with it.
    pub to: Site,
}

/// What a step found out or brought about; folded into the item when the step is done or undone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fact {
    /// The virtual machine on-premises; replaces what was known.
    Vm(OnPremVm),
    /// Operating system family.
    Os(OsFamily),
    /// What it runs on.
    Platform(Platform),
    /// All protected disks; replaces what was known.
    Disks(Vec<ItemDisk>),
    /// All managed disks that were added in Azure and come home; replaces what was known.
    Added(BTreeMap<DiskId, String>),
    /// All protected disks that a reprotect home leaves out; replaces what was known.
    Left(Vec<ItemDisk>),
    /// VMDKs of the virtual machine that are not protected; replaces what was known.
    Excluded(Vec<VmdkUuid>),
    /// One disk's VMDK is another one now (alternate location).
    Vmdk {
        /// The disk.
        disk: DiskId,
        /// Its new counterpart.
        vmdk: VmdkUuid,
    },
    /// This installation of the configuration server keeps its row.
    ProtectedUnder(String),
    /// The agent at home has this host id.
    HomeHost(String),
    /// The virtual machine in Azure exists.
    AzureVm(AzureVm),
    /// The virtual machine in Azure is gone.
    AzureVmGone,
    /// A test failover made this.
    TestMade(TestCopy),
    /// What a test failover made is gone.
    TestGone,
    /// Another process server serves the item.
    ProcessServer(ServerRef),
    /// Another master target holds (`Some`) or none holds (`None`) the item's disks.
    MasterTarget(Option<ServerRef>),
    /// The files of the item's disks, by disk, as they were attached to the master target.
    Attached(BTreeMap<DiskId, String>),
    /// A session exists, or was taken up with a higher epoch.
    SessionOpened(SessionSpec),
    /// The session in this direction is over and forgotten everywhere.
    SessionClosed(Direction),
    /// A failover settled on this point.
    Chosen(Chosen),
    /// A choice was taken back: the one before it counts again.
    Unchosen,
    /// The machine at home may have run while production was in Azure, as this job found out.
    HomeRan(JobId),
    /// How a disk will be synchronised, and why, in words.
    Decided {
        /// The disk.
        disk: DiskId,
        /// The decision.
        decision: String,
        /// Something that only the target holds is lost by it.
        gives_up: bool,
    },
    /// The item carries this warning until it is cleared.
    Warning(Report),
    /// The warning with this code no longer holds.
    WarningCleared(String),
    /// Remember this for later steps and later attempts.
    Note {
        /// Name.
        key: String,
        /// Value.
        value: String,
    },
    /// Forget the note of this name.
    NoteCleared(String),
}

impl Item {
    /// An item that enable protection has just begun to make.
    pub fn new(name: MachineName, at: VirtualMs) -> Self {
        Self {
            azure_name: name.to_string(),
            name,
            leg: Leg::Forward,
            state: ProtectionState::EnablingInProgress,
            active: Site::OnPremises,
            since: at,
            last_failover: None,
            current: None,
            vm: None,
            os: None,
            platform: Platform::default(),
            disks: Vec::new(),
            excluded: Vec::new(),
            left: Vec::new(),
            azure: None,
            added: BTreeMap::new(),
            test: None,
            group: None,
            process_server: None,
            master_target: None,
            attached: BTreeMap::new(),
            forward: None,
            reverse: None,
            epoch: 0,
            chosen: None,
            chosen_before: None,
            cs: None,
            home_host: None,
            keeps_address: false,
            network: None,
            policy: None,
            warnings: BTreeMap::new(),
            copies: Copies::default(),
            notes: BTreeMap::new(),
            halfway: None,
        }
    }

    /// The session that should be feeding recovery points on the item's leg.
    pub fn session(&self) -> Option<&SessionSpec> {
        match self.leg {
            Leg::Forward => self.forward.as_ref(),
            Leg::Reverse => self.reverse.as_ref(),
        }
    }

    /// The master target that holds the item's disks; none once production is home.
    pub fn disks_away(&self) -> Option<&ServerRef> {
        self.master_target.as_ref().filter(|_| self.active == Site::Azure)
    }

    /// What may be asked of the item while no job changes it.
    pub fn allowed(&self, settings: &Settings) -> Vec<Allowed> {
        if self.halfway == Some(Operation::ChangePoint) {
            return vec![Allowed::ChangePit];
        }
        let mut all = self.state.allowed(self.leg).to_vec();
        // Half-way to the site there is nothing to complete.
        let away = self.halfway.is_none_or(|operation| operation.ends() == Some(Leaving::Migrated));
        all.retain(|allowed| *allowed != Allowed::CompleteMigration || away);
        let forward = self.leg == Leg::Forward;
        if forward && all.contains(&Allowed::Commit) {
            all.push(Allowed::ChangePit);
            if settings.reprotect_before_commit == BeforeCommit::Commit {
                all.push(Allowed::SwitchProtection);
            }
        }
        let failed = matches!(
            self.state,
            ProtectionState::UnplannedFailoverFailed | ProtectionState::PlannedFailoverFailed
        );
        // A failover that failed leaves the points that a test is made from.
        let has_points = forward && (self.state == ProtectionState::Protected || failed);
        match self.test {
            Some(_) => all.push(Allowed::TestFailoverCleanup),
            None if has_points => all.push(Allowed::TestFailover),
            None => {}
        }
        all
    }

    /// Its session should be feeding recovery points.
    pub fn replicates(&self) -> bool {
        let tried = matches!(
            self.state,
            ProtectionState::UnplannedFailoverFailed | ProtectionState::PlannedFailoverFailed
        );
        self.session().is_some() && (self.state.is_replicating() || tried && self.halfway.is_none())
    }

    /// It replicates home, and nothing of a failback stands: a reprotect home may be asked for anew, which the
    /// rules refuse while the machine at home is there (C12).
    pub fn may_replicate_home_anew(&self) -> bool {
        let failed = matches!(
            self.state,
            ProtectionState::UnplannedFailoverFailed | ProtectionState::PlannedFailoverFailed
        );
        let idle = self.state.is_replicating() || failed;
        idle && self.leg == Leg::Reverse && self.active == Site::Azure && self.halfway.is_none()
    }

    /// `activeLocation`: after reprotect `Primary` means Azure (decisive point 7).
    pub fn active_location(&self) -> &'static str {
        if self.active == self.leg.source() { "Primary" } else { "Recovery" }
    }

    /// Folds one fact in. Facts about unknown disks change nothing.
    pub fn learn(&mut self, fact: &Fact) {
        match fact {
            Fact::Vm(vm) => self.vm = Some(vm.clone()),
            Fact::Os(os) => self.os = Some(*os),
            Fact::Platform(platform) => self.platform = platform.clone(),
            Fact::Disks(disks) => self.disks = disks.clone(),
            Fact::Added(disks) => self.added = disks.clone(),
            Fact::Left(disks) => self.left = disks.clone(),
            Fact::Excluded(disks) => self.excluded = disks.clone(),
            Fact::Vmdk { disk, vmdk } => {
                for known in self.disks.iter_mut().filter(|known| known.disk == *disk) {
                    known.vmdk = vmdk.clone();
                    known.rdm = false;
                }
            }
            Fact::ProtectedUnder(cs) => self.cs = Some(cs.clone()),
            Fact::HomeHost(host) => self.home_host = Some(host.clone()),
            Fact::AzureVm(vm) => self.azure = Some(vm.clone()),
            Fact::AzureVmGone => {
                self.azure = None;
                self.added.clear();
                self.copies.azure = Lineage::default();
            }
            Fact::TestMade(copy) => self.test = Some(copy.clone()),
            Fact::TestGone => self.test = None,
            Fact::ProcessServer(server) => self.process_server = Some(server.clone()),
            Fact::MasterTarget(server) => self.master_target = server.clone(),
            Fact::Attached(files) => self.attached = files.clone(),
            Fact::SessionOpened(spec) => {
                self.epoch = self.epoch.max(spec.epoch);
                match spec.direction {
                    Direction::Forward => self.forward = Some(spec.clone()),
                    Direction::Reverse => self.reverse = Some(spec.clone()),
                }
            }
            Fact::SessionClosed(Direction::Forward) => self.forward = None,
            Fact::SessionClosed(Direction::Reverse) => self.reverse = None,
            Fact::Chosen(chosen) => {
                let before = self.chosen.replace(chosen.clone());
                // Chosen anew in the same session: only what an earlier failover settled on is worth keeping.
                if before.as_ref().is_none_or(|before| before.session != chosen.session) {
                    self.chosen_before = before;
                }
            }
            Fact::Unchosen => self.chosen = self.chosen_before.take(),
            Fact::HomeRan(job) => self.copies.home_ran(job),
            // The job shows it.
            Fact::Decided { .. } => {}
            Fact::Warning(report) => {
                self.warnings.insert(report.code.clone(), report.clone());
            }
            Fact::WarningCleared(code) => {
                self.warnings.remove(code);
            }
            Fact::Note { key, value } => {
                self.notes.insert(key.clone(), value.clone());
            }
            Fact::NoteCleared(key) => {
                self.notes.remove(key);
            }
        }
    }
}
