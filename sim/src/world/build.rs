//! From an inventory (plain data of a scenario) to the configurations of the fakes and of the product.

use crate::driver::client::OPERATOR_TOKEN;
use crate::scenario::estate::{DatastoreKind as Kind, DiskTier as Tier, LinkKind, Os};
use crate::scenario::estate::{Resync as When, Side, SiteKind};
use crate::scenario::inventory::{self, Inventory, Machine};
use crate::world::laid::laid_out;
use failback_fakes::azure::{AzureConfig, NewVm, VirtualNetwork};
use failback_fakes::cs::ConfigurationServerConfig;
use failback_fakes::guest::{BootConfig, GuestConfig, Metal, Workload};
use failback_fakes::master_target::MasterTargetConfig;
use failback_fakes::process_server::{Addressing as ServerAddressing, ProcessServerConfig};
use failback_fakes::vcenter::{
    DatastoreAccess, DatastoreConfig, DatastoreKind, Flavor, HostConfig, Privileges, ScsiController,
    UserConfig, VcenterConfig, VmConfig, VmDiskConfig,
};
use failback_oracle::{DiskSetup, MachineSetup, PlanSetup, Setup};
use failback_orchestrator::config::{Config, DiskTier, VcenterAccess};
use failback_replication::disk::{BLOCK, Disk};
use failback_wire::env::Env;
use failback_wire::event::{Actor, VmRef};
use failback_wire::ids::{DiskId, GroupName, MachineCopy, MachineName, Site, VmdkUuid};
use failback_wire::proto::agent::{Addressing, Hardware};
use failback_wire::proto::cs::OsFamily;
use failback_wire::proto::session::{Resync, RetentionVolume};
use std::collections::BTreeSet;
use std::time::Duration;

/// The passphrase all classic components of a lab share.
pub(super) const PASSPHRASE: &str = "lab-passphrase";
/// Host of the storage account's blobs.
const BLOBS: &str = "labcache.blob.core.windows.net";

/// A protected machine with the disks it begins with.
pub(super) struct Born {
    /// As the inventory says.
    pub(super) machine: Machine,
    /// vCenter's UUID of it.
    pub(super) uuid: String,
    /// Its disks: id, VMDK, content.
    pub(super) disks: Vec<(DiskId, VmdkUuid, Disk)>,
}

impl Born {
    /// Lays out the machine's disks, the same for the same seed.
    pub(super) fn new(env: &Env, machine: &Machine) -> Self {
        let ids = env.ids(&format!("world/{}", machine.name));
        let disk = |(n, d): (usize, &inventory::Disk)| {
            let id = format!("{}-disk{n}", machine.name);
            let (blocks, held) = (d.size.0 / BLOCK as u64, d.allocated.0.div_ceil(BLOCK as u64));
            let disk = laid_out(blocks, env.draw(&id), held);
            (DiskId::from(id), vmdk_uuid(&ids.guid()), disk)
        };
        let disks = machine.disks.iter().enumerate().map(disk).collect();
        Self { machine: machine.clone(), uuid: ids.guid(), disks }
    }
    /// Its name.
    pub(super) fn name(&self) -> MachineName {
        MachineName::from(self.machine.name.as_str())
    }
    /// Its virtual machine at `site`.
    pub(super) fn vm(&self, site: Site) -> VmRef {
        VmRef { site, name: self.machine.name.clone() }
    }
    /// Where the agent of the copy at `site` listens: the name its site's DNS gives it.
    pub(super) fn address(&self, site: Site) -> String {
        failback_orchestrator::workflow::default_address(&self.name(), site)
    }
    /// Its protected disks: id, VMDK, content.
    fn protected(&self) -> impl Iterator<Item = &(DiskId, VmdkUuid, Disk)> {
        let disks = self.disks.iter().zip(&self.machine.disks);
        disks.filter(|(_, disk)| !disk.excluded).map(|(born, _)| born)
    }
    /// Ids of its disks as the copy at `site` sees them: at home with the excluded ones, which come last.
    fn disk_ids(&self, site: Site) -> Vec<DiskId> {
        match site {
            Site::OnPremises => self.disks.iter().map(|(id, ..)| id.clone()).collect(),
            Site::Azure => self.protected().map(|(id, ..)| id.clone()).collect(),
        }
    }
    /// The disks that its guest at home reaches over iSCSI.
    fn iscsi(&self) -> Vec<Disk> {
        let disks = self.disks.iter().zip(&self.machine.disks).filter(|(_, disk)| disk.iscsi);
        disks.map(|((.., content), _)| content.clone()).collect()
    }
    /// The disks that are left out of the protection.
    fn excluded(&self) -> impl Iterator<Item = &(DiskId, VmdkUuid, Disk)> {
        let disks = self.disks.iter().zip(&self.machine.disks);
        disks.filter(|(_, disk)| disk.excluded).map(|(born, _)| born)
    }
    /// What runs in the copy at `site`.
    pub(super) fn guest(&self, env: &Env, site: Site, inventory: &Inventory) -> GuestConfig {
        let copy = MachineCopy { machine: self.name(), site };
        GuestConfig {
            os: self.machine.os.into(),
            os_version: self.machine.os_version.clone(),
            addressing: Addressing::Static,
            address: self.address(site),
            host_id: env.ids(&format!("world/host-id/{copy}")).guid(),
            cs_address: inventory.cs_address.clone(),
            passphrase: PASSPHRASE.into(),
            agent_version: inventory::VERSION.into(),
            disk_ids: self.disk_ids(site),
            iscsi: match site {
                Site::OnPremises => self.iscsi(),
                Site::Azure => Vec::new(),
            },
            old_agent: self.machine.agent_version.clone(),
            registration_delay: Some(self.machine.registration_delay.duration()),
            boot_time: Duration::from_secs(40),
            boot: BootConfig {
                drivers: self.machine.boot_drivers.clone(),
                dhcp_service: self.machine.dhcp_service,
                physical: self.machine.physical,
            },
            workload: Workload { writes_per_minute: self.machine.writes_per_minute, ..Workload::default() },
            change_log: self.machine.change_log.0 as usize,
            metal: (self.machine.physical && site == Site::OnPremises).then(|| self.metal()),
            copy,
        }
    }
}

impl Born {
    /// The physical machine it is, if it is one.
    fn metal(&self) -> Metal {
        let disks: Vec<Disk> = self.disks.iter().map(|(.., disk)| disk.clone()).collect();
        let hardware = Hardware {
            os: self.machine.os.into(),
            os_version: self.machine.os_version.clone(),
            uefi: self.machine.uefi,
            disks: disks.iter().map(Disk::bytes).collect(),
        };
        Metal { hardware, disks }
    }
}

/// `6000C29a-bcde-…`: the form of a VMDK's UUID.
fn vmdk_uuid(guid: &str) -> VmdkUuid {
    VmdkUuid::from(format!("6000C29{}", &guid[7..]))
}

fn vm(born: &Born) -> VmConfig {
    let m = &born.machine;
    let disk = |((_, uuid, disk), made): (&(DiskId, VmdkUuid, Disk), &inventory::Disk)| VmDiskConfig {
        uuid: uuid.clone(),
        disk: disk.clone(),
        path: None,
        rdm: made.rdm,
    };
    VmConfig {
        name: m.name.clone(),
        uuid: born.uuid.clone(),
        host: m.host.clone(),
        datastore: m.datastore.clone(),
        memory_mb: m.memory.0 >> 20,
        cpus: 2,
        guest_id: guest_id(m.os).into(),
        uefi: m.uefi,
        tools_installed: true,
        extra_config: m.enable_uuid.then(|| ("disk.EnableUUID".into(), "TRUE".into())).into_iter().collect(),
        controller: ScsiController::LsiLogic,
        disks: born.disks.iter().zip(&m.disks).filter(|(_, made)| !made.iscsi).map(disk).collect(),
        powered_on: true,
    }
}

fn guest_id(os: Os) -> &'static str {
    match os {
        Os::Windows => "windows2019srv_64Guest",
        Os::Linux => "ubuntu64Guest",
    }
}

/// A virtual machine with one small disk of its own: a master target, or somebody else's.
fn plain_vm(env: &Env, name: &str, os: Os, host: &str, datastore: &str) -> VmConfig {
    let ids = env.ids(&format!("world/{name}"));
    let disk = laid_out(256, env.draw(name), 64);
    VmConfig {
        name: name.into(),
        uuid: ids.guid(),
        host: host.into(),
        datastore: datastore.into(),
        memory_mb: 6144,
        cpus: 2,
        guest_id: guest_id(os).into(),
        uefi: false,
        tools_installed: true,
        extra_config: vec![("disk.EnableUUID".into(), "TRUE".into())],
        controller: ScsiController::LsiLogic,
        disks: vec![VmDiskConfig { uuid: vmdk_uuid(&ids.guid()), disk, path: None, rdm: false }],
        powered_on: true,
    }
}

/// The virtual machine of a master target.
fn target_vm(env: &Env, mt: &inventory::MasterTarget, born: &[Born]) -> VmConfig {
    let mut vm = plain_vm(env, &mt.id, mt.os, &mt.host, &mt.datastore);
    (vm.tools_installed, vm.controller, vm.memory_mb) = (mt.tools, mt.controller, mt.memory.0 >> 20);
    (vm.cpus, vm.powered_on) = (mt.cores, mt.deployed);
    if !mt.enable_uuid {
        vm.extra_config.clear();
    }
    // What was cloned from one template keeps its disk's UUID.
    let twin = born.iter().find(|b| Some(&b.machine.name) == mt.template_of.as_ref());
    if let Some((_, uuid, _)) = twin.and_then(|b| b.disks.first()) {
        vm.disks[0].uuid = uuid.clone();
    }
    vm
}

/// vCenter with everything the inventory puts on-premises, but for what the other vCenter has.
pub(super) fn vcenter(env: &Env, inventory: &Inventory, born: &[Born], product: &Config) -> VcenterConfig {
    let mut config = empty_vcenter(inventory, inventory::VCENTER, product);
    config.hosts = inventory.hosts.iter().map(host).collect();
    config.datastores = inventory.datastores.iter().map(datastore).collect();
    config.vms = born.iter().filter(|born| !born.machine.physical).map(vm).collect();
    let (first_host, first_store) = (&inventory.hosts[0].name, &inventory.datastores[0].name);
    let virtual_ones = inventory.master_targets.iter().filter(|mt| !mt.physical);
    let here = virtual_ones.filter(|mt| !inventory.is_elsewhere(&mt.host));
    config.vms.extend(here.map(|mt| target_vm(env, mt, born)));
    for other in inventory.bystanders.iter().filter(|b| b.site == Side::OnPremises) {
        config.vms.push(plain_vm(env, &other.name, Os::Linux, first_host, first_store));
    }
    config
}

/// The other vCenter, with the master targets on its hosts.
pub(super) fn alternate_vcenter(
    env: &Env,
    inventory: &Inventory,
    born: &[Born],
    product: &Config,
) -> Option<VcenterConfig> {
    let (hosts, datastores) = inventory.alternate.as_ref()?;
    let mut config = empty_vcenter(inventory, inventory::ALTERNATE_VCENTER, product);
    config.hosts = hosts.iter().map(host).collect();
    config.datastores = datastores.iter().map(datastore).collect();
    let there = inventory.master_targets.iter().filter(|mt| inventory.is_elsewhere(&mt.host));
    config.vms.extend(there.map(|mt| target_vm(env, mt, born)));
    Some(config)
}

fn host(h: &inventory::Host) -> HostConfig {
    HostConfig {
        name: h.name.clone(),
        memory_mb: h.memory.0 >> 20,
        connected: true,
        hypervisor: h.hypervisor,
        licence: h.licence,
    }
}

fn datastore(d: &inventory::Datastore) -> DatastoreConfig {
    DatastoreConfig {
        name: d.name.clone(),
        kind: match d.kind {
            Kind::Vmfs => DatastoreKind::Vmfs,
            Kind::Vsan => DatastoreKind::Vsan,
            Kind::Nfs => DatastoreKind::Nfs,
        },
        capacity: d.capacity.0,
        free: d.capacity.0,
        access: DatastoreAccess::ReadWrite,
        hosts: d.hosts.clone(),
    }
}

/// A vCenter of this flavour with its accounts.
fn empty_vcenter(inventory: &Inventory, name: &str, product: &Config) -> VcenterConfig {
    let mut config = VcenterConfig::new(name);
    config.flavor = match inventory.site {
        SiteKind::OnPremises => Flavor::OnPremises,
        SiteKind::Avs => Flavor::AvsPrivateCloud,
    };
    let user = |name: &str, password: &str, actor| UserConfig {
        name: name.into(),
        password: password.into(),
        actor,
        privileges: Privileges::Full,
    };
    config.users = vec![
        user(&product.vcenter.user, &product.vcenter.password, Actor::Product),
        user(inventory::OPERATOR_ACCOUNT, "operator", Actor::Operator),
    ];
    config
}

/// The configuration server.
pub(super) fn configuration_server(inventory: &Inventory) -> ConfigurationServerConfig {
    let mut config = ConfigurationServerConfig::new(
        inventory::CONFIGURATION_SERVER,
        inventory.cs_address.as_str(),
        PASSPHRASE,
    );
    config.version = inventory::VERSION.into();
    config.backup_interval = inventory.cs_backup_every.duration();
    config.certificate_left = inventory.cs_certificate_left.duration();
    config.adapters = inventory.cs_adapters;
    config
}

/// What the product is told.
pub(super) fn product(inventory: &Inventory) -> Config {
    let mut config = Config::default();
    config.vcenter.host = inventory::VCENTER.into();
    let other = |_| VcenterAccess { host: inventory::ALTERNATE_VCENTER.into(), ..config.vcenter.clone() };
    config.alternate_vcenter = inventory.alternate.as_ref().map(other);
    config.azure.host = inventory::AZURE.into();
    config.cs.host = inventory.cs_address.clone();
    config.cs.connection = inventory::CONFIGURATION_SERVER.into();
    config.cs.passphrase = PASSPHRASE.into();
    config.knobs.forward.app_interval_s = inventory.app_consistent_every.duration().as_secs();
    config.knobs.forward.crash_interval_s = inventory.crash_consistent_every.duration().as_secs();
    config.knobs.forward.retention_s = inventory.retention.duration().as_secs();
    config.knobs.compress = inventory.compress;
    config.expressroute = inventory.link == LinkKind::ExpressRoute;
    config.knobs.settings = inventory.settings.into();
    config.knobs.resync = match inventory.resync {
        When::AtOnce => Resync::AtOnce,
        When::OutsideOfficeHours => Resync::OutsideOfficeHours,
        When::ByHand => Resync::ByHand,
    };
    config.knobs.forward.disk_tier = match inventory.disk_tier {
        Tier::Standard => DiskTier::Standard,
        Tier::P10 => DiskTier::P10,
        Tier::P20 => DiskTier::P20,
    };
    config
}

/// What the oracle is told.
pub(super) fn oracle(inventory: &Inventory, born: &[Born]) -> Setup {
    let disk = |(id, vmdk, disk): &(DiskId, VmdkUuid, Disk)| DiskSetup {
        id: id.clone(),
        vmdk: vmdk.clone(),
        blocks: disk.blocks(),
        content: disk.allocated().into_iter().map(|(block, page)| (block, page.hash())).collect(),
    };
    let machine = |b: &Born| MachineSetup {
        name: b.name(),
        os: b.machine.os.into(),
        group: b.machine.group.as_deref().map(GroupName::from),
        disks: b.protected().map(disk).collect(),
        outside: b.machine.disks.iter().filter(|disk| disk.iscsi).count(),
        excluded: b.excluded().map(disk).collect(),
        physical: b.machine.physical,
        onprem_vm: b.vm(Site::OnPremises),
        azure_vm: b.vm(Site::Azure),
        runs_at: Site::OnPremises,
        powered_on: true,
    };
    let plan = |p: &inventory::Plan| PlanSetup {
        name: p.name.clone(),
        groups: p.groups.iter().map(|g| g.iter().map(|m| MachineName::from(m.as_str())).collect()).collect(),
    };
    let vm = |name: &str, site: Site| VmRef { site, name: name.into() };
    Setup {
        machines: born.iter().map(machine).collect(),
        foreign_vms: inventory.bystanders.iter().map(|b| vm(&b.name, b.site.into())).collect(),
        foreign_disks: Vec::new(),
        split_brain_codes: vec!["FB2102".into()],
        group_codes: vec!["FB2104".into()],
        infrastructure_vms: inventory.master_targets.iter().map(|m| vm(&m.id, Site::OnPremises)).collect(),
        plans: inventory.plans_first_saved().map(plan).collect(),
        ..Setup::default()
    }
}

/// Azure with everything the inventory puts there.
pub(super) fn azure(config: &Config, inventory: &Inventory) -> AzureConfig {
    let to = &config.azure;
    let own = inventory.machines.iter().filter_map(|machine| machine.azure_network.as_deref());
    let servers = inventory.process_servers.iter().filter_map(|server| server.network.as_deref());
    let networks: BTreeSet<&str> = own.chain(servers).chain([to.network.as_str()]).collect();
    AzureConfig {
        scheme: "http".into(),
        arm_host: to.host.clone(),
        blob_host: BLOBS.into(),
        replication_host: to.replication_host.clone(),
        passphrase: PASSPHRASE.into(),
        subscription: to.subscription.clone(),
        groups: vec![to.resource_group.clone()],
        known_as: inventory.azure_names.clone(),
        networks: networks.into_iter().map(VirtualNetwork::of_failovers).collect(),
        location: to.location.clone(),
        tokens: [(to.token.clone(), Actor::Product), (OPERATOR_TOKEN.to_owned(), Actor::Operator)].into(),
        ..AzureConfig::default()
    }
}

/// The process servers: the one that comes with the configuration server, and those of the inventory.
pub(super) fn process_servers(config: &Config, inventory: &Inventory) -> Vec<ProcessServerConfig> {
    let server = |id: &str, side: Side, addressing: ServerAddressing| ProcessServerConfig {
        id: id.to_owned(),
        site: side.into(),
        network: (side == Side::Azure).then(|| {
            let stated = inventory.process_servers.iter().find(|p| p.id == id);
            let stated = stated.and_then(|server| server.network.clone());
            stated.unwrap_or_else(|| config.azure.network.clone())
        }),
        addressing,
        host: id.to_owned(),
        cs_host: inventory.cs_address.clone(),
        passphrase: PASSPHRASE.into(),
        os: OsFamily::Windows,
        version: inventory::VERSION.into(),
        cache_bytes: 1 << 30,
    };
    let addressing =
        |p: &inventory::ProcessServer| ServerAddressing { is_static: p.static_address, nat: p.nat };
    let named = inventory.process_servers.iter().map(|p| server(&p.id, p.location, addressing(p)));
    let built_in = server(inventory::BUILT_IN_PROCESS_SERVER, Side::OnPremises, ServerAddressing::default());
    [built_in].into_iter().chain(named).collect()
}

/// The master targets.
pub(super) fn master_targets(inventory: &Inventory) -> Vec<MasterTargetConfig> {
    let server = |mt: &inventory::MasterTarget| MasterTargetConfig {
        id: mt.id.clone(),
        vm_name: mt.id.clone(),
        host: mt.id.clone(),
        cs_host: inventory.cs_address.clone(),
        passphrase: PASSPHRASE.into(),
        os: mt.os.into(),
        version: mt.version.clone(),
        retention: Some(RetentionVolume {
            mount: mt.retention_mount.clone(),
            capacity: mt.retention_capacity.0,
            free: mt.retention_capacity.0,
            unfit: mt.retention_unfit.map(Into::into),
        }),
        setup: mt.setup.clone(),
    };
    inventory.master_targets.iter().map(server).collect()
}

/// A virtual machine of somebody else in Azure.
pub(super) fn stranger(env: &Env, name: &str) -> NewVm {
    let disk = laid_out(256, env.draw(name), 64);
    NewVm {
        name: name.to_owned(),
        os_type: "Linux".into(),
        disks: vec![(format!("{name}-os"), disk)],
        running: true,
    }
}
