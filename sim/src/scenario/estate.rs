//! Estates: the inventories scenarios start from (`*.estate.yaml`), as written.
//!
//! Everything has a default except the machines' names, so that a minimal estate is a few lines;
//! [`super::inventory`] fills the defaults in.

mod minimal;
mod settings;
mod target;

pub use settings::{BeforeCommit, Settings};
pub use target::{Flaw, MasterTarget, Retention, ScsiController, Setup};

use super::plans::PlanAction;
use super::text::{Name, Spanned};
use super::units::{Period, Share, Size};
use failback_fakes::guest::{BootDriver, DriverStart};
pub use failback_fakes::vcenter::{Hypervisor, Licence};
use failback_wire::ids::Site;
use failback_wire::proto::cs::OsFamily;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An estate: two sites, what runs there, and what protects it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Estate {
    /// Version of the format: `failback-lab/1`. Required in a file, left out when inline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Name>,
    /// What it is, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// What plays the part of the datacentre.
    #[serde(default)]
    pub site: SiteKind,
    /// The private link between the sites (P11).
    #[serde(default)]
    pub network: Network,
    /// vCenter and what it manages.
    #[serde(default)]
    pub vcenter: Vcenter,
    /// The configuration server.
    #[serde(default)]
    pub configuration_server: ConfigurationServer,
    /// Process servers; default: `ps-azure` in Azure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process_servers: Option<Vec<ProcessServer>>,
    /// Master targets; default: `mt-windows` and, when a Linux machine is protected, `mt-linux`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub master_targets: Option<Vec<MasterTarget>>,
    /// The protected machines. They replicate to Azure when the run begins.
    pub machines: Vec<Machine>,
    /// Virtual machines that belong to others and must never be touched.
    #[serde(default)]
    pub bystanders: Vec<Bystander>,
    /// The replication policy towards Azure.
    #[serde(default)]
    pub policy: Policy,
    /// Recovery plans.
    #[serde(default)]
    pub plans: Vec<Plan>,
    /// What the domain's sources leave open.
    #[serde(default)]
    pub settings: Settings,
}

/// What plays the part of the datacentre.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SiteKind {
    /// Own hosts under an own vCenter.
    #[default]
    OnPremises,
    /// An Azure VMware Solution private cloud.
    Avs,
}

/// The private link between the sites.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Network {
    /// What kind of link.
    #[serde(default)]
    pub kind: LinkKind,
    /// The port firewalls open for replication data: 9443, or 9433 as another page has it (P12, a conflict of sources).
    #[serde(default = "data_port")]
    pub data_port: u16,
}

impl Default for Network {
    fn default() -> Self {
        Self { kind: LinkKind::default(), data_port: data_port() }
    }
}

/// Kinds of links between Azure's virtual network and the site (P11).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LinkKind {
    /// A site-to-site VPN.
    #[default]
    Vpn,
    /// ExpressRoute with private peering.
    #[serde(rename = "expressroute")]
    ExpressRoute,
    /// ExpressRoute with public (Microsoft) peering only: enough to replicate to Azure, not for the way home.
    #[serde(rename = "expressroute-public")]
    ExpressRoutePublic,
    /// None: the site reaches Azure over the internet only.
    None,
}

impl LinkKind {
    /// True when Azure's virtual network and the site reach each other's private addresses.
    pub fn is_private(self) -> bool {
        match self {
            Self::Vpn | Self::ExpressRoute => true,
            Self::ExpressRoutePublic | Self::None => false,
        }
    }
}

/// vCenter and what it manages.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Vcenter {
    /// ESXi hosts; default: `esx-01`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hosts: Option<Vec<Host>>,
    /// Datastores; default: `datastore1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datastores: Option<Vec<Datastore>>,
    /// Another vCenter, of the same accounts, that was discovered beside this one; default none (P5). Master targets
    /// on its hosts are its virtual machines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alternate: Option<OtherVcenter>,
}

/// Another vCenter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct OtherVcenter {
    /// Its ESXi hosts.
    pub hosts: Vec<Host>,
    /// Its datastores, mounted on each of its hosts.
    pub datastores: Vec<Datastore>,
}

/// An ESXi host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Host {
    /// Name.
    pub name: Name,
    /// Memory (P39); default 64 GiB, or what all machines of the estate need together where that is more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Spanned<Size>>,
    /// What it runs; default ESXi (P34).
    #[serde(default)]
    pub hypervisor: Hypervisor,
    /// Its licence; default one that is paid for (P34).
    #[serde(default)]
    pub licence: Licence,
}

/// A datastore.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Datastore {
    /// Name.
    pub name: Name,
    /// Type (P23).
    #[serde(default)]
    pub kind: DatastoreKind,
    /// Capacity; default 1 TiB, or twice what all machines' disks need where that is more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<Spanned<Size>>,
    /// The hosts that mount it (P24); default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hosts: Option<Vec<Name>>,
}

/// Datastore types (P23).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DatastoreKind {
    /// VMFS.
    #[default]
    Vmfs,
    /// vSAN.
    Vsan,
    /// NFS; never a target.
    Nfs,
}

/// The configuration server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ConfigurationServer {
    /// Address it was registered with (P4); default 10.0.0.10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Name>,
    /// Time between scheduled backups of its database; default 24 h.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup_every: Option<Spanned<Period>>,
    /// Its certificate when the run begins; default: a new one (P6).
    #[serde(default)]
    pub certificate: Certificate,
    /// Network adapters it has, and was registered with; default 1 (P7).
    #[serde(default = "one_adapter")]
    pub adapters: u32,
}

impl Default for ConfigurationServer {
    fn default() -> Self {
        let certificate = Certificate::default();
        Self { address: None, backup_every: None, certificate, adapters: one_adapter() }
    }
}

/// A configuration server's certificate (P6).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Certificate {
    /// How old it is: `1030d`; default: new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age: Option<Spanned<Period>>,
    /// How long one of its kind lives.
    #[serde(default)]
    pub lifetime: Lifetime,
}

/// How long a certificate lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Lifetime {
    /// Since May 2016.
    #[default]
    ThreeYears,
    /// Of servers set up before May 2016.
    OneYear,
}

fn one_adapter() -> u32 {
    1
}

/// A process server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ProcessServer {
    /// Id, also its host name.
    pub id: Name,
    /// Where it runs (P12).
    #[serde(default = "in_azure")]
    pub location: Side,
    /// The port it listens on for data; default the one the network opens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Its IPv4 address is static, as it must be (P12); default true.
    #[serde(default = "yes")]
    pub static_address: bool,
    /// Its address is translated on the way to it, as it must not be (P12); default false.
    #[serde(default)]
    pub nat: bool,
    /// The virtual network it is in, when it is in Azure; default the one that machines come up in (P12).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<Name>,
    /// It is there when the run begins; default yes. Else a step `restart` starts it for the first time, and it
    /// registers (P12).
    #[serde(default = "yes")]
    pub deployed: bool,
}

/// A protected machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Machine {
    /// Name, the same on both sides.
    pub name: Name,
    /// So many machines like this, named `name-001` and so on; groups of plans may name them all by `name`. Default: one
    /// machine of this very name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<Spanned<u32>>,
    /// Operating system family.
    #[serde(default)]
    pub os: Os,
    /// What it is at home when the run begins; default a virtual machine of vCenter (P35).
    #[serde(default)]
    pub source: Source,
    /// Version of its operating system, such as `windows-server-2008-r2-sp1` (P15, P33).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os_version: Option<Name>,
    /// What it boots by; default BIOS (P33).
    #[serde(default)]
    pub firmware: Firmware,
    /// Memory; default 4 GiB.
    #[serde(default = "machine_memory")]
    pub memory: Spanned<Size>,
    /// The ESXi host it runs on; default: the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<Name>,
    /// The datastore its disks lie on; default: the first that its host mounts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datastore: Option<Name>,
    /// Disks; default: one of 16 MiB, 25 % allocated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disks: Option<Vec<DiskSpec>>,
    /// What its guest does all day.
    #[serde(default)]
    pub workload: Workload,
    /// How much its agent keeps, in order, of what is written and not sent yet; beyond, it only marks what changes and
    /// makes no recovery point until it has caught up. Default 64 MiB.
    #[serde(default = "change_log")]
    pub change_log: Spanned<Size>,
    /// The replication group it was protected in, if any (G1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<Name>,
    /// Whether it is under protection when the first step begins; default yes. Else a step brings it there.
    #[serde(default = "yes")]
    pub protected: bool,
    /// Drivers that do not start at boot as Azure needs it (C4): started on demand, which the failover puts right, or
    /// disabled. Default: none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub boot_drivers: BTreeMap<BootDriver, DriverStart>,
    /// Its system has a DHCP service (C4); default true.
    #[serde(default = "yes")]
    pub dhcp_service: bool,
    /// Version of its mobility agent when it is older than the configuration server's: before 9.22.2 it makes no
    /// application-consistent points (78144).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_version: Option<Name>,
    /// It keeps its on-premises address in Azure; default no (P7).
    #[serde(default)]
    pub retain_address: bool,
    /// The virtual network it comes up in, in Azure; default `failover-vnet` (P12).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub azure_network: Option<Name>,
    /// `disk.EnableUUID` is TRUE on its virtual machine (P21); default yes.
    #[serde(default = "yes")]
    pub enable_uuid: bool,
    /// How long after boot its agent registers (P32); default 6 m.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registration_delay: Option<Spanned<Period>>,
}

/// A disk of a machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct DiskSpec {
    /// Size; a multiple of 4 KiB, at most 62 TiB (ours: what vSphere makes).
    pub size: Spanned<Size>,
    /// How much of it holds data when the run begins: a share or a size; default 25 %, of large disks 8 MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allocated: Option<Spanned<Share>>,
    /// It is left out when protection is enabled (P37). Such disks come last, and never first; default no.
    #[serde(default)]
    pub excluded: bool,
    /// It is a raw device mapping (P36).
    #[serde(default)]
    pub rdm: bool,
    /// The guest reaches it over iSCSI by itself: it is no disk of the virtual machine, and comes home as one (P37). Such
    /// disks come last; default no.
    #[serde(default)]
    pub iscsi: bool,
}

/// What a guest does all day.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Workload {
    /// Writes of 4 KiB a minute on each disk; default 1.
    pub writes_per_minute: u32,
}

impl Default for Workload {
    fn default() -> Self {
        Self { writes_per_minute: 1 }
    }
}

/// A virtual machine that belongs to somebody else.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Bystander {
    /// Name.
    pub name: Name,
    /// Where it lives; default on premises.
    #[serde(default)]
    pub site: Side,
}

/// The replication policy towards Azure. The way home has its own, which nobody can edit (P10).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Policy {
    /// Time between application-consistent points; default 60 m.
    #[serde(default = "hour")]
    pub app_consistent_every: Spanned<Period>,
    /// Time between crash-consistent points; default 5 m (R1).
    #[serde(default = "five_minutes")]
    pub crash_consistent_every: Spanned<Period>,
    /// How long points are kept; default 24 h; 0 for the newest only (R7).
    #[serde(default = "day")]
    pub retention: Spanned<Period>,
    /// What kind of disks machines replicate to in Azure, which bounds how much they may change (78188).
    #[serde(default)]
    pub disk_tier: DiskTier,
    /// When a machine whose changes were lost on the way to Azure is compared again (C2).
    #[serde(default)]
    pub resync: Resync,
    /// Agents compress what they send, in either direction, where that pays; default no.
    #[serde(default)]
    pub compress: bool,
}

impl Default for Policy {
    fn default() -> Self {
        let (app_consistent_every, crash_consistent_every) = (hour(), five_minutes());
        let (retention, disk_tier) = (day(), DiskTier::P20);
        Self {
            app_consistent_every,
            crash_consistent_every,
            retention,
            disk_tier,
            resync: Resync::AtOnce,
            compress: false,
        }
    }
}

/// Kinds of disks in Azure, as far as they take different churn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DiskTier {
    /// Standard storage.
    Standard,
    /// Premium P10 or P15.
    P10,
    /// Premium, from the 512 GiB size up to the 4 TiB one.
    #[default]
    P20,
}

/// When a machine whose changes were lost is compared again (C2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Resync {
    /// At once.
    #[default]
    AtOnce,
    /// By itself outside office hours (Monday to Friday, 9 to 18; a run begins on a Monday at 8); if that fails, by
    /// hand.
    OutsideOfficeHours,
    /// When somebody begins it.
    ByHand,
}

impl Machine {
    /// The machines that this entry stands for.
    pub fn names(&self) -> Vec<String> {
        match &self.count {
            Some(count) => (1..=count.value).map(|n| format!("{}-{n:03}", self.name)).collect(),
            None => vec![self.name.value.clone()],
        }
    }
}

/// A recovery plan (L1, L2).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Plan {
    /// Name.
    pub name: Name,
    /// Boot groups in order, each a list of machines.
    pub groups: Vec<Vec<Name>>,
    /// What is done before and after its groups (L3).
    #[serde(default)]
    pub actions: Vec<PlanAction>,
}

/// Operating system families (P15).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Os {
    /// Windows.
    #[default]
    Windows,
    /// Linux.
    Linux,
}

impl From<Os> for OsFamily {
    fn from(os: Os) -> Self {
        match os {
            Os::Windows => Self::Windows,
            Os::Linux => Self::Linux,
        }
    }
}

/// What a protected machine is at home.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// A virtual machine of vCenter.
    #[default]
    Vm,
    /// A physical machine, which vCenter does not know.
    Physical,
}

/// What a machine boots by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Firmware {
    /// BIOS.
    #[default]
    Bios,
    /// UEFI.
    Uefi,
}

/// One of the two sides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// vCenter's side, Azure VMware Solution included.
    #[default]
    OnPremises,
    /// Azure's side.
    Azure,
}

impl From<Side> for Site {
    fn from(side: Side) -> Self {
        match side {
            Side::OnPremises => Self::OnPremises,
            Side::Azure => Self::Azure,
        }
    }
}

fn yes() -> bool {
    true
}
fn change_log() -> Spanned<Size> {
    Spanned::unplaced(Size::mib(64))
}
fn machine_memory() -> Spanned<Size> {
    Spanned::unplaced(Size::gib(4))
}
fn data_port() -> u16 {
    9443
}
fn in_azure() -> Side {
    Side::Azure
}
fn hour() -> Spanned<Period> {
    Spanned::unplaced(Period::hours(1))
}
fn five_minutes() -> Spanned<Period> {
    Spanned::unplaced(Period::minutes(5))
}
fn day() -> Spanned<Period> {
    Spanned::unplaced(Period::hours(24))
}
