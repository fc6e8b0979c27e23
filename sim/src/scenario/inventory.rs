//! An estate with every default filled in: what a world is built from. Plain data, no places.

use super::estate::{
    Bystander, Certificate, DatastoreKind, DiskTier, Estate, Flaw, Hypervisor, Licence, Lifetime, LinkKind,
    Os, Resync, ScsiController, Settings, Setup, Side, SiteKind,
};
use super::estate::{Firmware, Source};
use super::model::{SavePlan, Step};
use super::plans::PlanAction;
use super::text::{Name, Spanned};
use super::units::{Period, Share, Size};
use failback_fakes::guest::{BootDriver, DriverStart};
use serde::Serialize;
use std::collections::BTreeMap;

/// Host name of the configuration server.
pub const CONFIGURATION_SERVER: &str = "cs";
/// The account that operators use in vCenter.
pub const OPERATOR_ACCOUNT: &str = "administrator@vsphere.local";
/// Host name of vCenter.
pub const VCENTER: &str = "vcenter";
/// Host name of the other vCenter, where there is one (P5).
pub const ALTERNATE_VCENTER: &str = "vcenter-2";
/// Host name of Azure (Resource Manager and blobs).
pub const AZURE: &str = "azure";
/// Host name of the orchestrator.
pub const ORCHESTRATOR: &str = "orchestrator";
/// Name of the node from which steps ask the product for something; it asks, nobody calls it.
pub const OPERATOR: &str = "operator";
/// The process server that every configuration server brings along: it serves the way to Azure.
pub const BUILT_IN_PROCESS_SERVER: &str = "ps-cs";
/// Component version of everything that is not told otherwise (P16).
pub const VERSION: &str = "9.62";

/// A complete inventory.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Inventory {
    /// What plays the part of the datacentre.
    pub site: SiteKind,
    /// The private link.
    pub link: LinkKind,
    /// ESXi hosts.
    pub hosts: Vec<Host>,
    /// Datastores.
    pub datastores: Vec<Datastore>,
    /// Another vCenter: its hosts and datastores.
    pub alternate: Option<(Vec<Host>, Vec<Datastore>)>,
    /// Address of the configuration server.
    pub cs_address: String,
    /// Time between its backups.
    pub cs_backup_every: Period,
    /// How long its certificate lasts.
    pub cs_certificate_left: Period,
    /// Its network adapters.
    pub cs_adapters: u32,
    /// Process servers.
    pub process_servers: Vec<ProcessServer>,
    /// Master targets.
    pub master_targets: Vec<MasterTarget>,
    /// Protected machines, in file order.
    pub machines: Vec<Machine>,
    /// Virtual machines of others.
    pub bystanders: Vec<Foreign>,
    /// Time between application-consistent points towards Azure.
    pub app_consistent_every: Period,
    /// Time between crash-consistent points towards Azure.
    pub crash_consistent_every: Period,
    /// How long points are kept in Azure.
    pub retention: Period,
    /// Agents compress what they send, where that pays.
    pub compress: bool,
    /// What kind of disks machines replicate to in Azure.
    pub disk_tier: DiskTier,
    /// When a machine whose changes were lost is compared again.
    pub resync: Resync,
    /// Recovery plans: those of the estate, then those that steps save, in their order; one that is saved anew is there
    /// for each time.
    pub plans: Vec<Plan>,
    /// Machines by the name that a step gives them in Azure, where that is another.
    pub azure_names: BTreeMap<String, String>,
    /// What the domain's sources leave open.
    pub settings: Settings,
    /// Machines by the one name that stands for several.
    pub sets: BTreeMap<String, Vec<String>>,
}

/// An ESXi host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Host {
    /// Name.
    pub name: String,
    /// Memory.
    pub memory: Size,
    /// What it runs.
    pub hypervisor: Hypervisor,
    /// Its licence.
    pub licence: Licence,
}

/// A datastore.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Datastore {
    /// Name.
    pub name: String,
    /// Type.
    pub kind: DatastoreKind,
    /// Capacity.
    pub capacity: Size,
    /// The hosts that mount it; `None` for all.
    pub hosts: Option<Vec<String>>,
}

/// A process server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProcessServer {
    /// Id and host name.
    pub id: String,
    /// Where it runs.
    pub location: Side,
    /// The network lets data through to the port it listens on.
    pub port_open: bool,
    /// Its address is static (P12).
    pub static_address: bool,
    /// Its address is translated (P12).
    pub nat: bool,
    /// The virtual network it is in, when that is not the usual one.
    pub network: Option<String>,
    /// It is there from the beginning.
    pub deployed: bool,
}

/// A master target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MasterTarget {
    /// Id, host name and name of its virtual machine.
    pub id: String,
    /// Operating system family.
    pub os: Os,
    /// ESXi host.
    pub host: String,
    /// Datastore of its own disks.
    pub datastore: String,
    /// Component version.
    pub version: String,
    /// Mount point of the retention volume.
    pub retention_mount: String,
    /// Capacity of the retention volume.
    pub retention_capacity: Size,
    /// What is wrong with it.
    pub retention_unfit: Option<Flaw>,
    /// Memory.
    pub memory: Size,
    /// Processor cores.
    pub cores: i32,
    /// How its system is set up.
    pub setup: Setup,
    /// `disk.EnableUUID` is TRUE.
    pub enable_uuid: bool,
    /// VMware Tools are installed.
    pub tools: bool,
    /// Its SCSI controller.
    pub controller: ScsiController,
    /// The machine that was cloned from the same template.
    pub template_of: Option<String>,
    /// No virtual machine.
    pub physical: bool,
    /// It is there from the start.
    pub deployed: bool,
}

/// A protected machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// Name.
    pub name: String,
    /// Operating system family.
    pub os: Os,
    /// It begins as a physical machine.
    pub physical: bool,
    /// Version of its operating system.
    pub os_version: Option<String>,
    /// It boots by UEFI.
    pub uefi: bool,
    /// Memory.
    pub memory: Size,
    /// ESXi host.
    pub host: String,
    /// Datastore.
    pub datastore: String,
    /// Disks, in order.
    pub disks: Vec<Disk>,
    /// Writes of 4 KiB a minute on each disk.
    pub writes_per_minute: u32,
    /// What its agent keeps of writes that are not sent yet.
    pub change_log: Size,
    /// Replication group.
    pub group: Option<String>,
    /// Under protection before the first step.
    pub protected: bool,
    /// Drivers that do not start at boot (C4).
    pub boot_drivers: BTreeMap<BootDriver, DriverStart>,
    /// Its system has a DHCP service (C4).
    pub dhcp_service: bool,
    /// Version of its agent, when it is an old one.
    pub agent_version: Option<String>,
    /// It keeps its address in Azure.
    pub retain_address: bool,
    /// The virtual network it comes up in, when that is not the usual one (P12).
    pub azure_network: Option<String>,
    /// `disk.EnableUUID` is TRUE on its virtual machine.
    pub enable_uuid: bool,
    /// How long after boot the agent registers.
    pub registration_delay: Period,
}

/// A disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Disk {
    /// Size; a multiple of 4 KiB.
    pub size: Size,
    /// How much of it holds data at the start.
    pub allocated: Size,
    /// It is left out of the protection (P37).
    pub excluded: bool,
    /// A raw device mapping.
    pub rdm: bool,
    /// Reached by the guest over iSCSI (P37).
    pub iscsi: bool,
}

/// A virtual machine of others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Foreign {
    /// Name.
    pub name: String,
    /// Where it lives.
    pub site: Side,
}

/// A recovery plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// Name.
    pub name: String,
    /// Boot groups in order.
    pub groups: Vec<Vec<String>>,
    /// What is done before and after its groups.
    pub actions: Vec<PlanAction>,
    /// It is there before the first step.
    pub from_the_start: bool,
}

impl Inventory {
    /// Plans as each is saved for the first time.
    pub fn plans_first_saved(&self) -> impl Iterator<Item = &Plan> {
        let earlier = |place: usize, plan: &Plan| self.plans[..place].iter().any(|p| p.name == plan.name);
        self.plans
            .iter()
            .enumerate()
            .filter(move |(place, plan)| !earlier(*place, plan))
            .map(|(_, plan)| plan)
    }
    /// The host is one of the other vCenter.
    pub fn is_elsewhere(&self, host: &str) -> bool {
        self.alternate.iter().flat_map(|(hosts, _)| hosts).any(|other| other.name == host)
    }
}

impl Plan {
    /// All members, group by group.
    pub fn members(&self) -> impl Iterator<Item = &str> {
        self.groups.iter().flatten().map(String::as_str)
    }
}

fn text(name: Option<&Name>, default: &str) -> String {
    name.map_or_else(|| default.to_owned(), |n| n.value.clone())
}

impl From<&Estate> for Inventory {
    /// Fills in every default.
    fn from(estate: &Estate) -> Self {
        let memory = host_memory(estate);
        let hosts = hosts(estate, memory);
        let capacity = datastore_capacity(estate);
        let datastores = datastores(estate, capacity);
        let first_host = hosts.first().map(|h| h.name.clone()).unwrap_or_default();
        let elsewhere = estate.vcenter.alternate.as_ref().map(|other| {
            let hosts: Vec<Host> = other.hosts.iter().map(|h| host(h, memory)).collect();
            (hosts, other.datastores.iter().map(|d| datastore(d, capacity)).collect::<Vec<_>>())
        });
        let store_of = |host: &str| first_store(&datastores, elsewhere.as_ref(), host);
        let several = estate.machines.iter().filter(|m| m.count.is_some());
        let sets: BTreeMap<String, Vec<String>> =
            several.map(|m| (m.name.value.clone(), m.names())).collect();
        let plan = |p: &super::estate::Plan| Plan {
            name: p.name.value.clone(),
            groups: groups(&p.groups, &sets),
            actions: p.actions.clone(),
            from_the_start: true,
        };
        let foreign = |b: &Bystander| Foreign { name: b.name.value.clone(), site: b.site };
        let cs = &estate.configuration_server;
        Self {
            site: estate.site,
            link: estate.network.kind,
            master_targets: master_targets(estate, &first_host, &store_of),
            machines: estate.machines.iter().flat_map(|m| machines(m, &first_host, &store_of)).collect(),
            alternate: elsewhere.clone(),
            hosts,
            datastores: datastores.clone(),
            cs_address: text(cs.address.as_ref(), "10.0.0.10"),
            cs_backup_every: cs.backup_every.as_ref().map_or(Period::hours(24), |p| p.value),
            cs_certificate_left: certificate_left(&cs.certificate),
            cs_adapters: cs.adapters,
            process_servers: process_servers(estate),
            bystanders: estate.bystanders.iter().map(foreign).collect(),
            app_consistent_every: estate.policy.app_consistent_every.value,
            crash_consistent_every: estate.policy.crash_consistent_every.value,
            retention: estate.policy.retention.value,
            compress: estate.policy.compress,
            disk_tier: estate.policy.disk_tier,
            resync: estate.policy.resync,
            plans: estate.plans.iter().map(plan).collect(),
            azure_names: BTreeMap::new(),
            settings: estate.settings,
            sets,
        }
    }
}

/// What is left of a certificate's life when the run begins.
fn certificate_left(certificate: &Certificate) -> Period {
    let days = match certificate.lifetime {
        Lifetime::ThreeYears => 3 * 365,
        Lifetime::OneYear => 365,
    };
    let age = certificate.age.as_ref().map_or(0, |age| age.value.0);
    Period(Period::hours(24 * days).0.saturating_sub(age))
}

fn host(h: &super::estate::Host, memory: Size) -> Host {
    let memory = h.memory.as_ref().map_or(memory, |memory| memory.value);
    Host { name: h.name.value.clone(), memory, hypervisor: h.hypervisor, licence: h.licence }
}

/// Memory of a host that does not say: enough for all that is protected and for what protects it, so that nothing but a
/// scenario's own numbers makes it scarce (ours). A machine that is larger than the usual host counts for nothing.
fn host_memory(estate: &Estate) -> Size {
    let usual = Size::gib(64);
    let of = |m: &super::estate::Machine| {
        let count = m.count.as_ref().map_or(1, |count| u64::from(count.value));
        if m.memory.value > usual { 0 } else { m.memory.value.0.saturating_mul(count) }
    };
    let machines = estate.machines.iter().map(of).fold(0, u64::saturating_add);
    let targets = estate.master_targets.iter().flatten().map(|mt| mt.memory.value.0);
    // Two master targets are there where none is listed.
    let targets = targets.fold(2 * Size::gib(6).0, u64::saturating_add);
    Size(machines.saturating_add(targets)).max(usual)
}

/// The first datastore that a host mounts, or else the first.
fn first_store(
    datastores: &[Datastore],
    elsewhere: Option<&(Vec<Host>, Vec<Datastore>)>,
    host: &str,
) -> String {
    let there = elsewhere.filter(|(hosts, _)| hosts.iter().any(|known| known.name == host));
    let stores = there.map_or(datastores, |(_, stores)| stores);
    let mounted =
        |store: &&Datastore| store.hosts.as_ref().is_none_or(|hosts| hosts.iter().any(|h| h == host));
    let store = stores.iter().find(mounted).or(datastores.first());
    store.map(|store| store.name.clone()).unwrap_or_default()
}

/// Boot groups with each machine by its own name.
fn groups(written: &[Vec<Name>], sets: &BTreeMap<String, Vec<String>>) -> Vec<Vec<String>> {
    let each = |name: &Name| sets.get(&name.value).cloned().unwrap_or_else(|| vec![name.value.clone()]);
    written.iter().map(|group| group.iter().flat_map(each).collect()).collect()
}

impl Inventory {
    /// The same with the plans that these steps save, and the names in Azure that they give, where they are to succeed.
    #[must_use]
    pub fn saving(mut self, steps: &[Spanned<Step>]) -> Self {
        for save in steps.iter().filter_map(|step| step.saves()) {
            let plan = self.plan(save);
            self.plans.push(plan);
        }
        let names = steps.iter().filter_map(|step| step.names_in_azure());
        self.azure_names = names.map(|(name, item)| (name.value.clone(), item.value.clone())).collect();
        self
    }
    /// True when a file's `name` stands for this machine, alone or with others.
    pub fn names(&self, name: &str, machine: &str) -> bool {
        name == machine || self.sets.get(name).is_some_and(|set| set.iter().any(|one| one == machine))
    }
    /// The plan that a step saves.
    pub fn plan(&self, save: &SavePlan) -> Plan {
        let groups = groups(&save.groups, &self.sets);
        let actions = save.actions.clone();
        Plan { name: save.name.value.clone(), groups, actions, from_the_start: false }
    }
}

fn hosts(estate: &Estate, memory: Size) -> Vec<Host> {
    match &estate.vcenter.hosts {
        Some(list) => list.iter().map(|h| host(h, memory)).collect(),
        None => vec![Host {
            name: "esx-01".to_owned(),
            memory,
            hypervisor: Hypervisor::Esxi,
            licence: Licence::Paid,
        }],
    }
}

/// Capacity of a datastore that does not say: enough for all disks of the estate and for new ones in their place, so that
/// nothing but a scenario's own numbers makes it scarce (ours).
fn datastore_capacity(estate: &Estate) -> Size {
    let of = |m: &super::estate::Machine| {
        let sizes = m.disks.iter().flatten().map(|disk| disk.size.value.0);
        let count = m.count.as_ref().map_or(1, |count| u64::from(count.value));
        sizes.fold(0, u64::saturating_add).saturating_mul(count)
    };
    let all = estate.machines.iter().map(of).fold(0, u64::saturating_add);
    Size(all.saturating_mul(2)).max(Size::gib(1024))
}

fn datastore(d: &super::estate::Datastore, capacity: Size) -> Datastore {
    Datastore {
        name: d.name.value.clone(),
        kind: d.kind,
        capacity: d.capacity.as_ref().map_or(capacity, |capacity| capacity.value),
        hosts: d.hosts.as_ref().map(|names| names.iter().map(|name| name.value.clone()).collect()),
    }
}

fn datastores(estate: &Estate, capacity: Size) -> Vec<Datastore> {
    match &estate.vcenter.datastores {
        Some(list) => list.iter().map(|d| datastore(d, capacity)).collect(),
        None => vec![Datastore {
            name: "datastore1".to_owned(),
            kind: DatastoreKind::Vmfs,
            capacity,
            hosts: None,
        }],
    }
}

fn process_servers(estate: &Estate) -> Vec<ProcessServer> {
    let server = |p: &super::estate::ProcessServer| ProcessServer {
        id: p.id.value.clone(),
        location: p.location,
        port_open: p.port.is_none_or(|port| port == estate.network.data_port),
        static_address: p.static_address,
        nat: p.nat,
        network: p.network.as_ref().map(|name| name.value.clone()),
        deployed: p.deployed,
    };
    match &estate.process_servers {
        Some(list) => list.iter().map(server).collect(),
        None => vec![ProcessServer {
            id: "ps-azure".to_owned(),
            location: Side::Azure,
            port_open: true,
            static_address: true,
            nat: false,
            network: None,
            deployed: true,
        }],
    }
}

fn retention(os: Os) -> (&'static str, Size) {
    match os {
        Os::Windows => ("R:", Size::gib(600)),
        Os::Linux => ("/mnt/retention", Size::gib(1024)),
    }
}

fn master_targets(estate: &Estate, host: &str, store_of: &dyn Fn(&str) -> String) -> Vec<MasterTarget> {
    let plain = |id: &str, os: Os| {
        let (mount, capacity) = retention(os);
        MasterTarget {
            id: id.to_owned(),
            os,
            host: host.to_owned(),
            datastore: store_of(host),
            version: VERSION.to_owned(),
            retention_mount: mount.to_owned(),
            retention_capacity: capacity,
            retention_unfit: None,
            memory: Size::gib(6),
            cores: 4,
            setup: Setup::default(),
            enable_uuid: true,
            tools: true,
            controller: ScsiController::LsiLogic,
            template_of: None,
            physical: false,
            deployed: true,
        }
    };
    let Some(list) = &estate.master_targets else {
        let mut default = vec![plain("mt-windows", Os::Windows)];
        if estate.machines.iter().any(|m| m.os == Os::Linux) {
            default.push(plain("mt-linux", Os::Linux));
        }
        return default;
    };
    list.iter()
        .map(|mt| {
            let mut out = plain(&mt.id, mt.os);
            out.host = text(mt.host.as_ref(), host);
            out.datastore = text(mt.datastore.as_ref(), &store_of(&out.host));
            out.version = text(mt.version.as_ref(), VERSION);
            (out.enable_uuid, out.tools, out.physical) = (mt.enable_uuid, mt.tools, mt.physical);
            out.deployed = mt.deployed;
            (out.memory, out.cores) = (mt.memory.value, mt.cores);
            out.setup = Setup {
                hosts_file: mt.hosts_file,
                authenticated_proxy: mt.authenticated_proxy,
                nic_onboot: mt.nic_onboot,
                lvm: mt.lvm,
                system_disk: mt.system_disk.value.0,
                kernel_updates: mt.kernel_updates,
                os_version: mt.os_version.as_ref().map(|version| version.value.clone()),
            };
            out.controller = mt.controller;
            out.template_of = mt.template_of.as_ref().map(|name| name.value.clone());
            if let Some(retention) = &mt.retention {
                out.retention_mount = retention.mount.value.clone();
                out.retention_capacity = retention.capacity.value;
                out.retention_unfit = retention.unfit;
            }
            out
        })
        .collect()
}

fn machines(m: &super::estate::Machine, host: &str, store_of: &dyn Fn(&str) -> String) -> Vec<Machine> {
    let like = machine(m, host, store_of);
    m.names().into_iter().map(|name| Machine { name, ..like.clone() }).collect()
}

/// What a disk holds of which nothing is said: a quarter of it, at most 8 MiB (ours).
fn held(size: Size) -> Size {
    Share::Percent(25).of(size).min(Size::mib(8))
}

fn machine(m: &super::estate::Machine, host: &str, store_of: &dyn Fn(&str) -> String) -> Machine {
    let host = text(m.host.as_ref(), host);
    let disks = match &m.disks {
        Some(list) => {
            let disk = |d: &super::estate::DiskSpec| Disk {
                size: d.size.value,
                allocated: d
                    .allocated
                    .as_ref()
                    .map_or(held(d.size.value), |share| share.value.of(d.size.value)),
                excluded: d.excluded,
                rdm: d.rdm,
                iscsi: d.iscsi,
            };
            list.iter().map(disk).collect()
        }
        None => vec![Disk {
            size: Size::mib(16),
            allocated: held(Size::mib(16)),
            excluded: false,
            rdm: false,
            iscsi: false,
        }],
    };
    Machine {
        name: m.name.value.clone(),
        os: m.os,
        physical: m.source == Source::Physical,
        os_version: m.os_version.as_ref().map(|version| version.value.clone()),
        uefi: m.firmware == Firmware::Uefi,
        memory: m.memory.value,
        datastore: text(m.datastore.as_ref(), &store_of(&host)),
        host,
        disks,
        writes_per_minute: m.workload.writes_per_minute,
        change_log: m.change_log.value,
        group: m.group.as_ref().map(|g| g.value.clone()),
        protected: m.protected,
        boot_drivers: m.boot_drivers.clone(),
        dhcp_service: m.dhcp_service,
        agent_version: m.agent_version.as_ref().map(|v| v.value.clone()),
        retain_address: m.retain_address,
        azure_network: m.azure_network.as_ref().map(|name| name.value.clone()),
        enable_uuid: m.enable_uuid,
        registration_delay: m.registration_delay.as_ref().map_or(Period::minutes(6), |p| p.value),
    }
}
