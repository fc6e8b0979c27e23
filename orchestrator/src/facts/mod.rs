//! What the rules are asked about: a snapshot of every system, taken before the first effect.
//!
//! A system that does not answer is a fact, not an error: [`Seen`] says so, and the rule that needs the
//! system reports it. Rules never ask anything themselves, so a refusal touches nothing.

mod asked;
mod gather;

pub use gather::Gathering;

use crate::config::Settings;
use crate::journal::{Leg, Operation, Platform, PointChoice, Verb};
use failback_wire::clock::VirtualMs;
use failback_wire::env::Env;
use failback_wire::error::Report;
use failback_wire::ids::{DiskId, GroupName, MachineName, VmdkUuid};
use failback_wire::proto::agent::AgentStatus;
use failback_wire::proto::cs::{CsStatus, MachineRow, OsFamily, RegistrationRow, ServerRow};
use failback_wire::proto::session::{Point, ServerHealth};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What asking a system brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Seen<T> {
    /// The operation does not depend on it; nobody asked.
    #[default]
    Unasked,
    /// No usable answer; why.
    Silent(String),
    /// It answered that it will not talk to us (a login refused); why.
    Refused(String),
    /// The answer.
    Known(T),
}

impl<T> Seen<T> {
    /// The answer, if there is one.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Unasked | Self::Silent(_) | Self::Refused(_) => None,
        }
    }
    /// Why there is no answer, when one was asked for and none came.
    pub fn silent(&self) -> Option<&str> {
        match self {
            Self::Silent(why) => Some(why),
            Self::Unasked | Self::Refused(_) | Self::Known(_) => None,
        }
    }
}

/// Everything the rules of one operation on one item may look at.
#[derive(Clone, Debug)]
pub struct Facts {
    /// What is asked for.
    pub operation: Operation,
    /// When the facts were gathered.
    pub now: VirtualMs,
    /// Which rules hold.
    pub env: Env,
    /// What the documentation leaves open.
    pub settings: Settings,
    /// The request's inputs.
    pub request: RequestFacts,
    /// What the vault itself knows.
    pub item: ItemFacts,
    /// The replication policy that was asked for, if the operation follows one.
    pub policy: Option<PolicyFacts>,
    /// The configuration server.
    pub cs: Seen<CsFacts>,
    /// vCenter.
    pub vcenter: Seen<VcenterFacts>,
    /// The master target, asked directly.
    pub target: Seen<ServerHealth>,
    /// The process server, asked directly.
    pub relay: Seen<ServerHealth>,
    /// Azure.
    pub azure: Seen<AzureFacts>,
    /// The agent in the copy that is to be the source, asked directly.
    pub agent: Seen<AgentStatus>,
    /// Recovery points of the item's present session, oldest first.
    pub points: Seen<Vec<Arc<Point>>>,
}

impl Facts {
    /// What the machine takes of its master target's places; those it holds from an earlier attempt need no new one.
    pub fn slots(&self) -> Option<Slots> {
        let attached = &self.target.known()?.attached;
        let wanted = self.item.disks.iter().filter(|disk| !attached.contains(&disk.uuid)).count();
        Some(Slots { taken: attached.len(), wanted })
    }
}

/// The request's inputs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestFacts {
    /// A recovery plan asks, not an operator for the single item (G2).
    pub by_plan: bool,
    /// The verb, for failovers.
    pub verb: Verb,
    /// The recovery point, for failovers.
    pub choice: PointChoice,
    /// Id of the master target, where the operation has one.
    pub master_target: Option<String>,
    /// Id of the process server.
    pub process_server: Option<String>,
    /// Of a move: id of the one that serves the machine now, as the operator believes.
    pub from_server: Option<String>,
    /// Retention drive (`R:`, `/mnt/retention`).
    pub retention_drive: Option<String>,
    /// Datastore for an alternate location.
    pub datastore: Option<String>,
    /// Labels of volumes whose disks are left out (C9).
    pub exclude: Vec<String>,
    /// Enable: the name the machine is to have in Azure, when it is to have another.
    pub azure_name: Option<String>,
    /// Enable, reprotect: the disks that are asked for, all when none are named.
    pub include: Option<Vec<DiskId>>,
}

/// A replication policy that was asked for (P10).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyFacts {
    /// Its name, as asked.
    pub name: String,
    /// The vault has it, and it is for this way.
    pub fits: bool,
    /// It is associated with the configuration server.
    pub associated: bool,
}

/// One disk of the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskFacts {
    /// The disk.
    pub disk: DiskId,
    /// Its VMDK.
    pub uuid: VmdkUuid,
    /// That is a raw device mapping (P36).
    pub rdm: bool,
    /// An earlier attempt noted where its file lies: no machine need hold it.
    pub noted: bool,
}

/// What the vault knows of the item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemFacts {
    /// The machine.
    pub name: MachineName,
    /// Operating system family.
    pub os: OsFamily,
    /// What it ran on when it came under protection.
    pub platform: Platform,
    /// Protection state as shown.
    pub state: String,
    /// The state allows this operation.
    pub allowed: bool,
    /// Protected disks that a reprotect home is asked to leave out (P37).
    pub left_out: Vec<DiskId>,
    /// Health errors that make the health critical; empty when it is not.
    pub critical: Vec<Report>,
    /// Replication group, if any.
    pub group: Option<GroupName>,
    /// Which way it replicates, or last did.
    pub leg: Leg,
    /// Id of the process server that serves it, or last did.
    pub process_server: Option<String>,
    /// The disks under protection.
    pub disks: Vec<DiskFacts>,
    /// When the last failover ended: the source then has 15 minutes to register (P32).
    pub source_since: Option<VirtualMs>,
    /// What registered before this is an earlier life of the copy: the time of the last failover's point.
    pub registered_after: Option<VirtualMs>,
    /// The installation of the configuration server it is protected under (P4).
    pub cs: Option<String>,
    /// It keeps its on-premises address in Azure (P7).
    pub keeps_address: bool,
    /// Disks that no hypervisor at home knows of, which the guest reached over iSCSI (P37).
    pub without_vmdk: Vec<DiskId>,
    /// The vault does not know it: it is to be protected for the first time.
    pub unknown: bool,
    /// Name of its virtual machine in vCenter.
    pub vm_name: String,
    /// Host id of the agent at home, once it is known (C14).
    pub home_host: Option<String>,
    /// An earlier attempt of this operation failed half-way; this one takes it up.
    pub resuming: bool,
    /// The operation that failed half-way, if one did.
    pub halfway: Option<Operation>,
    /// It was told at the reprotect that disks of it stay in Azure (P37).
    pub leaves_disks: bool,
    /// It replicates home already (C12).
    pub anew: bool,
}

/// The configuration server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsFacts {
    /// About itself.
    pub status: CsStatus,
    /// The machine's row.
    pub row: Option<MachineRow>,
    /// Process servers and master targets.
    pub servers: Vec<ServerRow>,
}

impl CsFacts {
    /// The row of the server with this id.
    pub fn server(&self, id: &str) -> Option<&ServerRow> {
        self.servers.iter().find(|server| server.id == id)
    }
    /// The newest registration of the machine's copy at `site`.
    pub fn registration(&self, site: failback_wire::ids::Site) -> Option<&RegistrationRow> {
        let rows = self.row.as_ref()?.registrations.iter();
        rows.filter(|row| row.site == site).max_by_key(|row| row.registered_at)
    }
    /// The newest registration of the machine, whichever copy it is of.
    pub fn newest_registration(&self) -> Option<&RegistrationRow> {
        self.row.as_ref()?.registrations.iter().max_by_key(|row| row.registered_at)
    }
}

/// vCenter, as far as the operation depends on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VcenterFacts {
    /// The account may change things, not only look (P8).
    pub can_write: bool,
    /// Privileges that it needs and lacks; none for one that may only look.
    pub missing: Vec<String>,
    /// The machine's own virtual machine, found by UUID.
    pub vm: Option<VmFacts>,
    /// The master target's virtual machine.
    pub target_vm: Option<TargetVmFacts>,
    /// That is in another vCenter than the one the machine came from (P5).
    pub elsewhere: bool,
    /// Bytes of every disk that hangs on one of the two.
    pub sizes: BTreeMap<VmdkUuid, u64>,
    /// Datastores of the master target's host.
    pub datastores: Vec<DatastoreFacts>,
    /// Names of datastores that this host does not mount (P24).
    pub unmounted: Vec<String>,
    /// Names of virtual machines on the master target's host (P36).
    pub names_on_host: Vec<String>,
}

/// The on-premises virtual machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VmFacts {
    /// Powered on.
    pub on: bool,
    /// Its host is connected.
    pub host_connected: bool,
    /// Snapshots by name.
    pub snapshots: Vec<String>,
    /// VMDKs attached to it.
    pub disks: Vec<VmdkUuid>,
    /// Datastores its files lie on.
    pub datastores: Vec<String>,
    /// `disk.EnableUUID` is TRUE (P21).
    pub enable_uuid: bool,
}

/// The master target's virtual machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TargetVmFacts {
    /// Powered on.
    pub on: bool,
    /// Snapshots by name (P17).
    pub snapshots: Vec<String>,
    /// VMDKs attached to it, its own included.
    pub disks: Vec<VmdkUuid>,
    /// Types of its SCSI controllers (`VirtualLsiLogicController`; P18).
    pub controllers: Vec<String>,
    /// `disk.EnableUUID` is TRUE (P21).
    pub enable_uuid: bool,
    /// VMware Tools run (P22).
    pub tools: bool,
    /// Its host is connected.
    pub host_connected: bool,
    /// What its host runs; empty when vCenter does not say (P34).
    pub hypervisor: String,
}

/// One datastore of the master target's host (P23, P24).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DatastoreFacts {
    /// Name.
    pub name: String,
    /// `VMFS`, `vsan`, `NFS` …
    pub kind: String,
    /// Mounted and accessible there.
    pub accessible: bool,
    /// Mounted read/write there.
    pub writable: bool,
}

impl DatastoreFacts {
    /// Of a type that disks can be recovered to (P23).
    pub fn supported(&self) -> bool {
        self.kind.eq_ignore_ascii_case("vmfs") || self.kind.eq_ignore_ascii_case("vsan")
    }
    /// Can be written from the master target's host (P24).
    pub fn usable(&self) -> bool {
        self.accessible && self.writable
    }
}

/// Azure, as far as the operation depends on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AzureFacts {
    /// The machine's virtual machine exists, where it was made.
    pub exists: bool,
    /// It was moved to this resource group (P33).
    pub moved_to: Option<String>,
    /// It runs.
    pub running: bool,
    /// Its guest system answers, as far as Azure's own agent in it tells.
    pub answers: bool,
    /// It is in this subnet, and not in the one it was made in (P31).
    pub misplaced: Option<String>,
    /// The virtual network that its network card is in (P12).
    pub network: Option<String>,
    /// From there its agent is in reach of the process server, though not in ours.
    pub nearby: bool,
    /// Its power state as the instance view words it.
    pub power: String,
    /// Its disks that somebody added by hand, with their names (P37).
    pub added: Vec<(DiskId, String)>,
    /// Bytes of its managed disks, as far as they were found.
    pub sizes: BTreeMap<DiskId, u64>,
}

/// One machine of a recovery plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberFacts {
    /// Replication group, if any.
    pub group: Option<GroupName>,
    /// Operating system family.
    pub os: OsFamily,
    /// Inputs given for it; `None` when the operation needs none.
    pub request: Option<RequestFacts>,
    /// Its recovery points, where the operation needs one.
    pub points: Option<Vec<Arc<Point>>>,
    /// Places for disks on its master target, where it answers.
    pub slots: Option<Slots>,
}

/// Places for disks on a master target (P19).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slots {
    /// Disks that hang there, the master target's own included.
    pub taken: usize,
    /// Disks of the machine that do not hang there yet.
    pub wanted: usize,
}

/// Everything the rules of a recovery plan may look at, beside the facts of each member.
#[derive(Clone, Debug)]
pub struct PlanFacts {
    /// Name of the plan.
    pub plan: String,
    /// Which rules hold.
    pub env: Env,
    /// What is asked for.
    pub operation: Operation,
    /// Boot groups in order.
    pub groups: Vec<Vec<MachineName>>,
    /// The machines.
    pub members: BTreeMap<MachineName, MemberFacts>,
    /// All members of each replication group that has a member in the plan.
    pub replication_groups: BTreeMap<GroupName, Vec<MachineName>>,
}
