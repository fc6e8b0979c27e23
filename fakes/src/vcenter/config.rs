//! What a vCenter looks like when a run begins.

use failback_replication::disk::Disk;
use failback_wire::event::Actor;
use failback_wire::ids::VmdkUuid;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Whose vCenter it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Flavor {
    /// The customer's own.
    OnPremises,
    /// That of an Azure VMware Solution private cloud.
    AvsPrivateCloud,
}

/// What makes a host run virtual machines (P34).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Hypervisor {
    /// VMware ESXi.
    #[default]
    Esxi,
    /// Microsoft Hyper-V. No vCenter manages one; that it may be listed here is *ours*.
    HyperV,
    /// VMware Workstation, likewise.
    Workstation,
}

impl Hypervisor {
    /// As `summary.config.product` names it.
    pub(super) fn product(self) -> &'static str {
        match self {
            Self::Esxi => "VMware ESXi",
            Self::HyperV => "Microsoft Hyper-V",
            Self::Workstation => "VMware Workstation",
        }
    }
}

/// The licence of a host (P34).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Licence {
    /// One that was paid for, or an evaluation that still runs.
    #[default]
    Paid,
    /// The free one: programs may look, and change nothing.
    Free,
}

/// A host.
#[derive(Clone, Debug)]
pub struct HostConfig {
    /// Its name: `esx01.lab`.
    pub name: String,
    /// Installed memory, MiB.
    pub memory_mb: u64,
    /// Whether vCenter reaches it.
    pub connected: bool,
    /// What it runs.
    pub hypervisor: Hypervisor,
    /// Its licence.
    pub licence: Licence,
}

/// What kind of storage a datastore is (P23).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DatastoreKind {
    /// VMware's own file system on block storage.
    Vmfs,
    /// A virtual SAN.
    Vsan,
    /// A network share.
    Nfs,
}

/// What hosts may do with a datastore (P24).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DatastoreAccess {
    /// Read and write.
    ReadWrite,
    /// Mounted read-only.
    ReadOnly,
    /// Not accessible at all.
    None,
}

/// A datastore.
#[derive(Clone, Debug)]
pub struct DatastoreConfig {
    /// Its name: `ds-prod`.
    pub name: String,
    /// Its type.
    pub kind: DatastoreKind,
    /// Size in bytes.
    pub capacity: u64,
    /// Free space in bytes, before the disks of [`VmConfig`] are counted.
    pub free: u64,
    /// What hosts may do with it.
    pub access: DatastoreAccess,
    /// The hosts that mount it; all of them when absent.
    pub hosts: Option<Vec<String>>,
}

/// The type of a virtual machine's SCSI controllers (P18).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ScsiController {
    /// LSI Logic Parallel.
    LsiLogic,
    /// LSI Logic SAS.
    LsiLogicSas,
    /// VMware Paravirtual.
    ParaVirtual,
}

/// A disk of a virtual machine.
#[derive(Clone, Debug)]
pub struct VmDiskConfig {
    /// Its UUID: `6000C29a-…`.
    pub uuid: VmdkUuid,
    /// Its content.
    pub disk: Disk,
    /// Its file; `[datastore] vm/vm.vmdk`, numbered, when absent.
    pub path: Option<String>,
    /// It is a raw device mapping (P36).
    pub rdm: bool,
}

/// A virtual machine.
#[derive(Clone, Debug)]
pub struct VmConfig {
    /// Its name: `web01`.
    pub name: String,
    /// Its BIOS UUID; also its instance UUID.
    pub uuid: String,
    /// Name of the host it is registered on.
    pub host: String,
    /// Name of the datastore of its configuration file.
    pub datastore: String,
    /// Configured memory, MiB.
    pub memory_mb: u64,
    /// Its processor cores.
    pub cpus: i32,
    /// Guest system id: `windows2019srv_64Guest`, `rhel8_64Guest`.
    pub guest_id: String,
    /// Whether it boots by UEFI, not by BIOS (P33).
    pub uefi: bool,
    /// Whether VMware Tools are installed at all; whether they run, the guest says.
    pub tools_installed: bool,
    /// Extra configuration, such as `disk.enableUUID` = `TRUE` (P21).
    pub extra_config: Vec<(String, String)>,
    /// Its controllers' type.
    pub controller: ScsiController,
    /// Its disks, in the order of their units.
    pub disks: Vec<VmDiskConfig>,
    /// Whether it runs when the run begins.
    pub powered_on: bool,
}

/// What an account may do (P8).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Privileges {
    /// Everything.
    Full,
    /// Only look.
    ReadOnly,
    /// Everything but these privileges (`VirtualMachine.State.RemoveSnapshot` …).
    Without(Vec<String>),
}

/// An account.
#[derive(Clone, Debug)]
pub struct UserConfig {
    /// `svc-asr@vsphere.local`.
    pub name: String,
    /// Its password.
    pub password: String,
    /// On whose behalf things done with it are done.
    pub actor: Actor,
    /// What it may do.
    pub privileges: Privileges,
}

/// How long things take, in whole milliseconds of virtual time.
#[derive(Clone, Copy, Debug)]
pub struct TaskTimes {
    /// From the request to the start of a task.
    pub queue: Duration,
    /// Powering on or off.
    pub power: Duration,
    /// Reconfiguring a virtual machine.
    pub reconfigure: Duration,
    /// Taking a snapshot, or reverting to one.
    pub snapshot: Duration,
    /// Removing one or all snapshots.
    pub consolidate: Duration,
    /// Creating, registering or deleting a virtual machine.
    pub inventory: Duration,
    /// Connecting or disconnecting a host.
    pub host: Duration,
    /// Searching a datastore.
    pub search: Duration,
}

impl Default for TaskTimes {
    fn default() -> Self {
        Self {
            queue: Duration::from_millis(20),
            power: Duration::from_secs(2),
            reconfigure: Duration::from_secs(1),
            snapshot: Duration::from_secs(3),
            consolidate: Duration::from_secs(10),
            inventory: Duration::from_secs(2),
            host: Duration::from_secs(5),
            search: Duration::from_millis(200),
        }
    }
}

/// A vCenter and all it manages.
#[derive(Clone, Debug)]
pub struct VcenterConfig {
    /// Name of its datacenter: `DC0`.
    pub datacenter: String,
    /// Host name it answers at: `vcenter.lab`.
    pub host: String,
    /// Whose it is.
    pub flavor: Flavor,
    /// Its hosts.
    pub hosts: Vec<HostConfig>,
    /// Its datastores.
    pub datastores: Vec<DatastoreConfig>,
    /// Its virtual machines.
    pub vms: Vec<VmConfig>,
    /// Its accounts.
    pub users: Vec<UserConfig>,
    /// How long things take.
    pub times: TaskTimes,
    /// A session nobody uses ends after this.
    pub session_idle: Duration,
}

impl VcenterConfig {
    /// An empty vCenter at `host`: to be filled.
    pub fn new(host: impl Into<String>) -> Self {
        Self {
            datacenter: "DC0".into(),
            host: host.into(),
            flavor: Flavor::OnPremises,
            hosts: Vec::new(),
            datastores: Vec::new(),
            vms: Vec::new(),
            users: Vec::new(),
            times: TaskTimes::default(),
            session_idle: Duration::from_secs(30 * 60),
        }
    }
}
