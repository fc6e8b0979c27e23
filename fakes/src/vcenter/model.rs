//! The inventory as plain data.

use super::config::{
    DatastoreAccess, DatastoreKind, Hypervisor, Licence, ScsiController, VcenterConfig, VmConfig,
};
use super::operation::{Task, Trouble};
use super::vms::Vms;
use failback_replication::disk::Disk;
use failback_wire::clock::VirtualMs;
use failback_wire::event::{Actor, VmRef};
use failback_wire::ids::{Site, VmdkUuid};
use failback_wire::vim::MoRef;
use std::collections::BTreeMap;

/// Units of a SCSI controller; number 7 is the controller itself.
pub(super) const SCSI_UNITS: i32 = 16;
/// The controller's own unit.
pub(super) const SCSI_OWN_UNIT: i32 = 7;
/// Most SCSI controllers a virtual machine may have.
pub(super) const SCSI_BUSES: i32 = 4;
/// Key of the first SCSI controller.
pub(super) const SCSI_KEY: i32 = 1000;
const DISK_KEY: i32 = 2000;

/// The folders and other fixtures every vCenter of the lab has.
pub(super) mod fixed {
    /// Root folder.
    pub(in super::super) const ROOT: &str = "group-d1";
    /// The datacenter.
    pub(in super::super) const DATACENTER: &str = "datacenter-2";
    /// Its folder of virtual machines.
    pub(in super::super) const VMS: &str = "group-v3";
    /// Its folder of hosts.
    pub(in super::super) const HOSTS: &str = "group-h4";
    /// Its folder of datastores.
    pub(in super::super) const DATASTORES: &str = "group-s5";
    /// Its folder of networks.
    pub(in super::super) const NETWORKS: &str = "group-n6";
    /// Its cluster.
    pub(in super::super) const CLUSTER: &str = "domain-c7";
    /// The cluster's root resource pool.
    pub(in super::super) const POOL: &str = "resgroup-8";
    /// The first number free for others.
    pub(in super::super) const NEXT: u64 = 10;
}

#[derive(Clone, Debug)]
pub(super) struct Host {
    pub name: String,
    pub memory_mb: u64,
    /// Memory that something other than virtual machines uses, MiB.
    pub reserved_mb: u64,
    pub connected: bool,
    pub hypervisor: Hypervisor,
    pub licence: Licence,
}

#[derive(Clone, Debug)]
pub(super) struct Datastore {
    pub name: String,
    pub kind: DatastoreKind,
    pub capacity: u64,
    pub free: u64,
    pub access: DatastoreAccess,
    /// What single hosts may do with it, where that differs; `None` there means that it is not mounted.
    pub by_host: BTreeMap<u64, DatastoreAccess>,
}

impl Datastore {
    /// What a host may do with it (P24).
    pub(super) fn access_on(&self, host: u64) -> DatastoreAccess {
        self.by_host.get(&host).copied().unwrap_or(self.access)
    }
    /// The hosts that mount it, among these.
    pub(super) fn mounted<'a>(&'a self, hosts: impl Iterator<Item = &'a u64>) -> impl Iterator<Item = u64> {
        hosts.copied().filter(|host| self.by_host.get(host) != Some(&DatastoreAccess::None))
    }
}

/// A file with a virtual disk's content: a base disk or a snapshot's delta.
///
/// The handle that guests and software hold belongs to the leaf of a chain, always: a snapshot leaves a
/// fork with the parent and moves the handle to the new delta.
#[derive(Clone, Debug)]
pub(super) struct Vmdk {
    pub uuid: VmdkUuid,
    pub disk: Disk,
    /// The file this is a delta of.
    pub parent: Option<String>,
    /// The file only points to a raw device.
    pub rdm: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DiskDevice {
    pub key: i32,
    pub label: i32,
    pub path: String,
    pub controller: i32,
    pub unit: i32,
    pub mode: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Controller {
    /// `ParaVirtualSCSIController` …
    pub kind: &'static str,
    pub bus: i32,
}

/// What a snapshot keeps and a revert restores.
#[derive(Clone, Debug)]
pub(super) struct Hardware {
    pub memory_mb: u64,
    pub cpus: i32,
    pub extra: Vec<(String, String)>,
    pub controllers: BTreeMap<i32, Controller>,
    pub disks: Vec<DiskDevice>,
}

#[derive(Clone, Debug)]
pub(super) struct Snapshot {
    pub number: i32,
    pub name: String,
    pub description: String,
    pub parent: Option<u64>,
    pub created: VirtualMs,
    pub quiesced: bool,
    pub hardware: Hardware,
}

#[derive(Clone, Debug)]
pub(super) struct Vm {
    pub name: String,
    /// What the world calls it, whatever its name becomes.
    pub known_as: String,
    pub uuid: String,
    pub instance_uuid: String,
    pub host: u64,
    pub vmx: String,
    pub guest_id: String,
    pub uefi: bool,
    pub tools_installed: bool,
    pub hardware: Hardware,
    pub powered: bool,
    pub booted: Option<VirtualMs>,
    pub created: VirtualMs,
    pub modified: VirtualMs,
    pub version: u64,
    pub snapshots: BTreeMap<u64, Snapshot>,
    pub current: Option<u64>,
    pub snapshots_taken: i32,
    /// Who asked the guest to shut down; until it is down or loses power.
    pub shutting_down: Option<Actor>,
}

impl Vm {
    pub(super) fn reference(&self) -> VmRef {
        VmRef { site: Site::OnPremises, name: self.known_as.clone() }
    }
    /// `[ds] web01/`
    pub(super) fn directory(&self) -> &str {
        self.vmx.rfind('/').map_or(self.vmx.as_str(), |at| &self.vmx[..=at])
    }
    /// Its disks, those of its snapshots among them.
    pub(super) fn devices_mut(&mut self) -> impl Iterator<Item = &mut DiskDevice> {
        let snapshots = self.snapshots.values_mut().flat_map(|s| s.hardware.disks.iter_mut());
        self.hardware.disks.iter_mut().chain(snapshots)
    }
}

#[derive(Debug)]
pub(super) struct Model {
    pub datacenter: String,
    pub hosts: BTreeMap<u64, Host>,
    pub datastores: BTreeMap<u64, Datastore>,
    pub vms: Vms,
    /// By path.
    pub vmdks: BTreeMap<String, Vmdk>,
    /// Machines that were taken out of the inventory, by their configuration file.
    pub unregistered: BTreeMap<String, Vm>,
    pub tasks: BTreeMap<u64, Task>,
    /// What befalls the next task that a client asks for.
    pub trouble: Option<Trouble>,
    pub service_up: bool,
    next: u64,
    /// Counts changes; with the change log, what a waiter compares.
    pub revision: u64,
}

/// `vm-42`
pub(super) fn vm_ref(id: u64) -> MoRef {
    MoRef::new("VirtualMachine", format!("vm-{id}"))
}
/// `host-10`
pub(super) fn host_ref(id: u64) -> MoRef {
    MoRef::new("HostSystem", format!("host-{id}"))
}
/// `datastore-12`
pub(super) fn datastore_ref(id: u64) -> MoRef {
    MoRef::new("Datastore", format!("datastore-{id}"))
}
/// `snapshot-77`
pub(super) fn snapshot_ref(id: u64) -> MoRef {
    MoRef::new("VirtualMachineSnapshot", format!("snapshot-{id}"))
}
/// `task-99`
pub(super) fn task_ref(id: u64) -> MoRef {
    MoRef::new("Task", format!("task-{id}"))
}

/// `[ds] dir/file` as datastore name and rest.
pub(super) fn split_path(path: &str) -> Option<(&str, &str)> {
    let (name, rest) = path.trim().strip_prefix('[')?.split_once(']')?;
    Some((name, rest.trim()))
}

pub(super) fn controller_kind(kind: ScsiController) -> &'static str {
    match kind {
        ScsiController::LsiLogic => "VirtualLsiLogicController",
        ScsiController::LsiLogicSas => "VirtualLsiLogicSASController",
        ScsiController::ParaVirtual => "ParaVirtualSCSIController",
    }
}

/// Key of the disk at a controller's unit, as ESXi numbers them.
pub(super) fn disk_key(bus: i32, unit: i32) -> i32 {
    DISK_KEY + bus * SCSI_UNITS + unit
}

impl Model {
    pub(super) fn new(config: &VcenterConfig) -> Self {
        let mut model = Self {
            datacenter: config.datacenter.clone(),
            hosts: BTreeMap::new(),
            datastores: BTreeMap::new(),
            vms: Vms::default(),
            vmdks: BTreeMap::new(),
            unregistered: BTreeMap::new(),
            tasks: BTreeMap::new(),
            trouble: None,
            service_up: true,
            next: fixed::NEXT,
            revision: 0,
        };
        for h in &config.hosts {
            let host = Host {
                name: h.name.clone(),
                memory_mb: h.memory_mb,
                reserved_mb: 0,
                connected: h.connected,
                hypervisor: h.hypervisor,
                licence: h.licence,
            };
            let id = model.id();
            model.hosts.insert(id, host);
        }
        for d in &config.datastores {
            let store = Datastore {
                name: d.name.clone(),
                kind: d.kind,
                capacity: d.capacity,
                free: d.free,
                access: d.access,
                by_host: model.not_among(d.hosts.as_deref()),
            };
            let id = model.id();
            model.datastores.insert(id, store);
        }
        for vm in &config.vms {
            model.add_configured(vm);
        }
        model
    }

    /// No access for the hosts that are not listed; `None` lists all.
    fn not_among(&self, listed: Option<&[String]>) -> BTreeMap<u64, DatastoreAccess> {
        let left_out = |host: &Host| listed.is_some_and(|names| !names.contains(&host.name));
        let hosts = self.hosts.iter().filter(|(_, host)| left_out(host));
        hosts.map(|(id, _)| (*id, DatastoreAccess::None)).collect()
    }

    fn add_configured(&mut self, config: &VmConfig) {
        let kind = controller_kind(config.controller);
        let buses = config.disks.len().div_ceil(SCSI_UNITS as usize - 1).max(1) as i32;
        let controllers = (0..buses).map(|bus| (SCSI_KEY + bus, Controller { kind, bus })).collect();
        let directory = format!("[{}] {}/", config.datastore, config.name);
        let mut disks = Vec::new();
        for (i, disk) in config.disks.iter().enumerate() {
            let at = i as i32;
            let (bus, slot) = (at / (SCSI_UNITS - 1), at % (SCSI_UNITS - 1));
            let unit = if slot >= SCSI_OWN_UNIT { slot + 1 } else { slot };
            let numbered = if i == 0 { String::new() } else { format!("_{i}") };
            let path = disk.path.clone().unwrap_or(format!("{directory}{}{numbered}.vmdk", config.name));
            let vmdk = Vmdk { uuid: disk.uuid.clone(), disk: disk.disk.clone(), parent: None, rdm: disk.rdm };
            self.vmdks.insert(path.clone(), vmdk);
            disks.push(DiskDevice {
                key: disk_key(bus, unit),
                label: at + 1,
                path,
                controller: SCSI_KEY + bus,
                unit,
                mode: "persistent".into(),
            });
        }
        let host = self.hosts.iter().find(|(_, h)| h.name == config.host).map_or(0, |(id, _)| *id);
        let vm = Vm {
            name: config.name.clone(),
            known_as: config.name.clone(),
            uuid: config.uuid.clone(),
            instance_uuid: config.uuid.clone(),
            host,
            vmx: format!("{directory}{}.vmx", config.name),
            guest_id: config.guest_id.clone(),
            uefi: config.uefi,
            tools_installed: config.tools_installed,
            hardware: Hardware {
                memory_mb: config.memory_mb,
                cpus: config.cpus,
                extra: config.extra_config.clone(),
                controllers,
                disks,
            },
            powered: config.powered_on,
            booted: config.powered_on.then_some(VirtualMs(0)),
            created: VirtualMs(0),
            modified: VirtualMs(0),
            version: 1,
            snapshots: BTreeMap::new(),
            current: None,
            snapshots_taken: 0,
            shutting_down: None,
        };
        let id = self.id();
        self.vms.insert(id, vm);
    }

    /// The next free number.
    pub(super) fn id(&mut self) -> u64 {
        let id = self.next;
        self.next += 1;
        id
    }
    /// Something changed that a waiter may see.
    pub(super) fn touch(&mut self) {
        self.revision += 1;
    }
    pub(super) fn vm_named(&self, name: &str) -> Option<u64> {
        self.vms.named(name).next().map(|(id, _)| id)
    }
    /// The machine of this name on a host: two hosts may each have one.
    pub(super) fn vm_on(&self, host: u64, name: &str) -> Option<u64> {
        self.vms.named(name).find(|(_, vm)| vm.host == host).map(|(id, _)| id)
    }
    pub(super) fn host_named(&self, name: &str) -> Option<u64> {
        self.hosts.iter().find(|(_, h)| h.name == name).map(|(id, _)| *id)
    }
    pub(super) fn datastore_named(&self, name: &str) -> Option<u64> {
        self.datastores.iter().find(|(_, d)| d.name == name).map(|(id, _)| *id)
    }
    /// The datastore a path names.
    pub(super) fn datastore_of(&self, path: &str) -> Option<u64> {
        split_path(path).and_then(|(name, _)| self.datastore_named(name))
    }
    /// The machine with this snapshot.
    pub(super) fn vm_of_snapshot(&self, snapshot: u64) -> Option<u64> {
        self.vms.iter().find(|(_, vm)| vm.snapshots.contains_key(&snapshot)).map(|(id, _)| *id)
    }
    /// Memory its running machines and others take of a host, MiB.
    pub(super) fn used_mb(&self, host: u64) -> u64 {
        self.vms.used_mb(host) + self.hosts.get(&host).map_or(0, |h| h.reserved_mb)
    }
    /// The running machine that locks a file, other than `except`.
    pub(super) fn locked_by(&self, path: &str, except: u64) -> Option<&Vm> {
        self.vms
            .iter()
            .filter(|(id, vm)| **id != except && vm.powered)
            .map(|(_, vm)| vm)
            .find(|vm| vm.hardware.disks.iter().any(|d| self.in_chain(&d.path, path)))
    }
    /// Whether `path` is `leaf` or one of the files it is a delta of.
    pub(super) fn in_chain(&self, leaf: &str, path: &str) -> bool {
        let mut at = Some(leaf);
        while let Some(file) = at {
            if file == path {
                return true;
            }
            at = self.vmdks.get(file).and_then(|v| v.parent.as_deref());
        }
        false
    }
    /// The files that are deltas of this one.
    pub(super) fn deltas_of(&self, path: &str) -> Vec<String> {
        let of = |v: &Vmdk| v.parent.as_deref() == Some(path);
        self.vmdks.iter().filter(|(_, v)| of(v)).map(|(p, _)| p.clone()).collect()
    }
    /// Gives a file another name, wherever it is named.
    pub(super) fn rename_file(&mut self, from: &str, to: &str) {
        if let Some(vmdk) = self.vmdks.remove(from) {
            self.vmdks.insert(to.to_owned(), vmdk);
        }
        for vmdk in self.vmdks.values_mut().filter(|v| v.parent.as_deref() == Some(from)) {
            vmdk.parent = Some(to.to_owned());
        }
        let out = self.unregistered.values_mut().flat_map(Vm::devices_mut);
        for device in self.vms.devices_mut().chain(out).filter(|d| d.path == from) {
            to.clone_into(&mut device.path);
        }
    }
    /// Whether a machine's devices or snapshots name this file, other than those of `except`.
    pub(super) fn is_used(&self, path: &str, except: Option<u64>) -> bool {
        self.vms.iter().filter(|(id, _)| Some(**id) != except).any(|(_, vm)| {
            vm.hardware.disks.iter().any(|d| d.path == path)
                || vm.snapshots.values().any(|s| s.hardware.disks.iter().any(|d| d.path == path))
        })
    }
    /// The disks of a machine as its guest sees them.
    pub(super) fn scsi(&self, vm: u64) -> Vec<(VmdkUuid, Disk)> {
        let Some(vm) = self.vms.get(&vm) else { return Vec::new() };
        let mut devices: Vec<_> = vm.hardware.disks.iter().collect();
        devices.sort_by_key(|d| d.key);
        let found = devices.iter().filter_map(|d| self.vmdks.get(&d.path));
        found.map(|v| (v.uuid.clone(), v.disk.clone())).collect()
    }
    /// The same as far as the machine's host may write to them.
    pub(super) fn within_reach(&self, vm: u64) -> Vec<(VmdkUuid, Disk)> {
        let Some(machine) = self.vms.get(&vm) else { return Vec::new() };
        let store = |path: &str| self.datastore_of(path).and_then(|id| self.datastores.get(&id));
        let usable = |path: &str| {
            store(path).is_some_and(|store| store.access_on(machine.host) == DatastoreAccess::ReadWrite)
        };
        let files = machine.hardware.disks.iter().filter(|d| usable(&d.path));
        let uuids: Vec<_> = files.filter_map(|d| self.vmdks.get(&d.path)).map(|v| &v.uuid).collect();
        self.scsi(vm).into_iter().filter(|(uuid, _)| uuids.contains(&uuid)).collect()
    }
    /// The file with the live content of a disk: the attached one, else the leaf of its chain.
    pub(super) fn leaf(&self, uuid: &VmdkUuid) -> Option<&Vmdk> {
        let attached = self.vms.values().flat_map(|vm| vm.hardware.disks.iter());
        let attached = attached.filter_map(|d| self.vmdks.get(&d.path)).find(|v| v.uuid == *uuid);
        attached.or_else(|| self.last_delta(uuid))
    }
    /// The files that machines hold, by UUID; of two that share one, the older machine's.
    pub(super) fn held(&self) -> BTreeMap<&VmdkUuid, &Vmdk> {
        let mut held = BTreeMap::new();
        for device in self.vms.values().flat_map(|vm| vm.hardware.disks.iter()) {
            if let Some(vmdk) = self.vmdks.get(&device.path) {
                held.entry(&vmdk.uuid).or_insert(vmdk);
            }
        }
        held
    }
    /// The last delta of a disk that no machine holds.
    pub(super) fn last_delta(&self, uuid: &VmdkUuid) -> Option<&Vmdk> {
        let mut files = self.vmdks.iter().filter(|(_, v)| v.uuid == *uuid);
        files.find(|(path, _)| self.deltas_of(path).is_empty()).map(|(_, v)| v)
    }
}
