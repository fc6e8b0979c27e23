//! Changing a virtual machine's configuration: all of a spec or nothing.

use super::model::{Controller, DiskDevice, SCSI_BUSES, SCSI_KEY, SCSI_OWN_UNIT, SCSI_UNITS};
use super::model::{Hardware, Vm, Vmdk, disk_key, vm_ref};
use super::operation::{Applied, Apply};
use super::refusal;
use failback_replication::disk::{BLOCK, Disk};
use failback_wire::event::{DiskRef, VmRef, What};
use failback_wire::ids::VmdkUuid;
use failback_wire::vim::{DeviceChange, DeviceOp, DeviceSpec, FileOp, VmConfigSpec};
use std::collections::BTreeMap;

/// What a spec will change beside the machine itself.
#[derive(Default)]
pub(super) struct Plan {
    created: Vec<(String, Vmdk)>,
    attached: Vec<VmdkUuid>,
    detached: Vec<VmdkUuid>,
    destroyed: Vec<String>,
    /// Files whose disks get this many bytes.
    extended: Vec<(String, u64)>,
    /// Bytes taken from datastores.
    space: BTreeMap<u64, u64>,
    /// Real keys of the devices that the spec names by negative ones.
    keys: BTreeMap<i32, i32>,
}

impl Apply<'_> {
    pub(super) fn reconfigure(&mut self, id: u64, spec: &VmConfigSpec) -> Applied {
        self.reachable(id)?;
        let mut vm = self.model.vms.get(&id).cloned().ok_or_else(|| refusal::gone(&vm_ref(id)))?;
        if spec.change_version.as_ref().is_some_and(|v| *v != vm.version.to_string()) {
            return Err(refusal::concurrent_access());
        }
        if vm.powered && (spec.memory_mb.is_some() || spec.cpus.is_some()) {
            return Err(refusal::invalid_power_state(false, true));
        }
        if let Some(name) = spec.name.as_ref().filter(|n| **n != vm.name) {
            self.name_free(vm.host, name)?;
        }
        let old = vm.reference();
        let plan = self.plan(Some(id), &mut vm, spec)?;
        let plain = spec.devices.is_empty();
        self.model.vms.insert(id, vm);
        self.modified(id);
        self.carry_out(&old, plan);
        if let Some(name) = spec.name.as_ref().filter(|n| **n != old.name) {
            self.emit(What::VmChanged { vm: old.clone(), change: format!("renamed to {name}"), by: self.by });
        } else if plain {
            self.emit(What::VmChanged { vm: old, change: "reconfigured".into(), by: self.by });
        }
        Ok(())
    }

    /// Changes `vm` as the spec says and collects the rest; nothing else is touched.
    pub(super) fn plan(&mut self, id: Option<u64>, vm: &mut Vm, spec: &VmConfigSpec) -> Applied<Plan> {
        if let Some(name) = &spec.name {
            vm.name.clone_from(name);
        }
        if let Some(uuid) = &spec.uuid {
            vm.uuid.clone_from(uuid);
        }
        if let Some(uuid) = &spec.instance_uuid {
            vm.instance_uuid.clone_from(uuid);
        }
        if let Some(guest) = &spec.guest_id {
            vm.guest_id.clone_from(guest);
        }
        if let Some(memory) = spec.memory_mb {
            vm.hardware.memory_mb =
                u64::try_from(memory).map_err(|_| refusal::invalid_argument("memoryMB"))?;
        }
        if let Some(cpus) = spec.cpus {
            vm.hardware.cpus = cpus;
        }
        for (key, value) in &spec.extra {
            vm.hardware.extra.retain(|(k, _)| k != key);
            // An empty value takes the option away.
            if !value.is_empty() {
                vm.hardware.extra.push((key.clone(), value.clone()));
            }
        }
        let mut plan = Plan::default();
        for (index, change) in spec.devices.iter().enumerate() {
            self.change_device(id, vm, index, change, &mut plan)?;
        }
        for (store, bytes) in &plan.space {
            let store = &self.model.datastores[store];
            if store.free < *bytes {
                return Err(refusal::no_space(&store.name));
            }
        }
        Ok(plan)
    }

    fn change_device(
        &mut self,
        id: Option<u64>,
        vm: &mut Vm,
        index: usize,
        change: &DeviceChange,
        plan: &mut Plan,
    ) -> Applied {
        let device = &change.device;
        let is_disk = device.kind == "VirtualDisk";
        match (change.op, controller_kind(&device.kind)) {
            (DeviceOp::Add, None) if is_disk => self.add_disk(id, vm, index, change, plan),
            (DeviceOp::Add, Some(kind)) => add_controller(&mut vm.hardware, index, kind, device, plan),
            (DeviceOp::Remove, None) if is_disk => self.remove_disk(vm, index, change, plan),
            (DeviceOp::Remove, Some(_)) => remove_controller(&mut vm.hardware, index, device),
            (DeviceOp::Edit, None) if is_disk => self.edit_disk(vm, index, device, plan),
            (DeviceOp::Add | DeviceOp::Remove | DeviceOp::Edit, None | Some(_)) => {
                Err(refusal::invalid_device(index, "device"))
            }
        }
    }

    fn add_disk(
        &mut self,
        id: Option<u64>,
        vm: &mut Vm,
        index: usize,
        change: &DeviceChange,
        plan: &mut Plan,
    ) -> Applied {
        let device = &change.device;
        let (controller, bus, unit) = place(&vm.hardware, index, device, plan)?;
        let path = match change.file_op {
            Some(FileOp::Create) => self.new_file(vm, index, device, plan)?,
            Some(FileOp::Destroy | FileOp::Replace) => {
                return Err(refusal::invalid_device(index, "fileOperation"));
            }
            None => {
                let path = device.file.clone();
                let path = path.ok_or_else(|| refusal::invalid_device(index, "device.backing.fileName"))?;
                self.usable(vm.host, &path)?;
                let vmdk = self.model.vmdks.get(&path).ok_or_else(|| refusal::file_not_found(&path))?;
                if vm.hardware.disks.iter().any(|d| d.path == path) {
                    return Err(refusal::invalid_device(index, "device.backing.fileName"));
                }
                if self.model.locked_by(&path, id.unwrap_or(0)).is_some() {
                    return Err(refusal::file_locked(&path));
                }
                plan.attached.push(vmdk.uuid.clone());
                path
            }
        };
        let labels: Vec<i32> = vm.hardware.disks.iter().map(|d| d.label).collect();
        let label = (1..).find(|n| !labels.contains(n)).unwrap_or(1);
        let key = disk_key(bus, unit);
        if device.key < 0 {
            plan.keys.insert(device.key, key);
        }
        let mode = device.mode.clone().unwrap_or_else(|| "persistent".into());
        vm.hardware.disks.push(DiskDevice { key, label, path, controller, unit, mode });
        vm.hardware.disks.sort_by_key(|d| d.key);
        Ok(())
    }

    /// A new file for a disk: the one named, else the next free one beside the machine's own.
    fn new_file(&mut self, vm: &Vm, index: usize, device: &DeviceSpec, plan: &mut Plan) -> Applied<String> {
        let taken = |path: &str| {
            self.model.vmdks.contains_key(path) || plan.created.iter().any(|(created, _)| created == path)
        };
        let named = device.file.clone().filter(|f| f.ends_with(".vmdk"));
        let directory = match device.file.as_deref().map(str::trim) {
            // Only a datastore is named: the machine's directory there.
            Some(file) if file.ends_with(']') => format!("{file} {}/", vm.name),
            Some(_) | None => vm.directory().to_owned(),
        };
        let path = match named {
            Some(path) if taken(&path) => return Err(refusal::file_exists(&path)),
            Some(path) => path,
            None => (0..)
                .map(|n| match n {
                    0 => format!("{directory}{}.vmdk", vm.name),
                    n => format!("{directory}{}_{n}.vmdk", vm.name),
                })
                .find(|path| !taken(path))
                .unwrap_or_default(),
        };
        self.usable(vm.host, &path)?;
        let capacity = device.capacity_kb.and_then(|kb| u64::try_from(kb).ok()).filter(|kb| *kb > 0);
        let bytes = capacity.ok_or_else(|| refusal::invalid_device(index, "device.capacityInKB"))? * 1024;
        let store = self.model.datastore_of(&path).ok_or_else(|| refusal::invalid_datastore(&path))?;
        *plan.space.entry(store).or_default() += bytes;
        let uuid = self.new_uuid(&path);
        let disk = Disk::new(bytes.div_ceil(BLOCK as u64));
        plan.created.push((path.clone(), Vmdk { uuid, disk, parent: None, rdm: false }));
        Ok(path)
    }

    /// `6000C29x-…`, from the run's seed and the file's name alone.
    fn new_uuid(&mut self, path: &str) -> VmdkUuid {
        let n = self.model.id();
        let draw = |part: &str| self.env.map_or(n, |env| env.draw(&format!("vmdk/{path}/{n}/{part}")));
        let (a, b) = (draw("a"), draw("b"));
        VmdkUuid::new(format!(
            "6000C29{:x}-{:04x}-{:04x}-{:04x}-{:012x}",
            a & 0xf,
            (a >> 8) & 0xffff,
            (a >> 24) & 0xffff,
            (a >> 40) & 0xffff,
            b & 0xffff_ffff_ffff
        ))
    }

    fn remove_disk(&self, vm: &mut Vm, index: usize, change: &DeviceChange, plan: &mut Plan) -> Applied {
        let at = vm.hardware.disks.iter().position(|d| d.key == change.device.key);
        let at = at.ok_or_else(|| refusal::invalid_device(index, "device.key"))?;
        let device = vm.hardware.disks.remove(at);
        if let Some(vmdk) = self.model.vmdks.get(&device.path) {
            plan.detached.push(vmdk.uuid.clone());
        }
        if change.file_op == Some(FileOp::Destroy) {
            plan.destroyed.push(device.path);
        }
        Ok(())
    }

    /// Only what changes nothing, the mode, or a larger size: a disk never shrinks, and one with snapshots stays.
    fn edit_disk(&self, vm: &mut Vm, index: usize, spec: &DeviceSpec, plan: &mut Plan) -> Applied {
        let snapshots = !vm.snapshots.is_empty();
        let device = vm.hardware.disks.iter_mut().find(|d| d.key == spec.key);
        let device = device.ok_or_else(|| refusal::invalid_device(index, "device.key"))?;
        let size = self.model.vmdks.get(&device.path).map_or(0, |v| v.disk.bytes());
        let wanted = spec.capacity_kb.map_or(Some(size), |kb| u64::try_from(kb).ok()?.checked_mul(1024));
        match wanted.filter(|wanted| *wanted >= size && wanted % BLOCK as u64 == 0) {
            None => return Err(refusal::invalid_device(index, "device.capacityInKB")),
            Some(wanted) if wanted == size => {}
            Some(_) if snapshots => return Err(refusal::invalid_state()),
            Some(wanted) => {
                let store = self.model.datastore_of(&device.path);
                let store = store.ok_or_else(|| refusal::invalid_datastore(&device.path))?;
                *plan.space.entry(store).or_default() += wanted - size;
                plan.extended.push((device.path.clone(), wanted));
            }
        }
        if let Some(mode) = &spec.mode {
            device.mode.clone_from(mode);
        }
        Ok(())
    }

    /// Makes a plan true and tells the world. The machine itself is already as planned.
    pub(super) fn carry_out(&mut self, vm: &VmRef, plan: Plan) {
        let by = self.by;
        for uuid in plan.detached {
            self.emit(What::DiskDetached { disk: DiskRef::Vmdk(uuid), vm: vm.clone(), by });
        }
        for path in plan.destroyed {
            self.delete_chain(&path);
        }
        for (path, bytes) in plan.extended {
            let Some(vmdk) = self.model.vmdks.get(&path) else { continue };
            vmdk.disk.grow(bytes / BLOCK as u64);
            let disk = DiskRef::Vmdk(vmdk.uuid.clone());
            self.emit(What::DiskExtended { disk, vm: vm.clone(), bytes, by });
        }
        for (store, bytes) in plan.space {
            if let Some(store) = self.model.datastores.get_mut(&store) {
                store.free -= bytes;
            }
        }
        for (path, vmdk) in plan.created {
            let disk = DiskRef::Vmdk(vmdk.uuid.clone());
            self.model.vmdks.insert(path, vmdk);
            self.emit(What::DiskCreated { disk: disk.clone(), by });
            self.emit(What::DiskAttached { disk, vm: vm.clone(), by });
        }
        for uuid in plan.attached {
            self.emit(What::DiskAttached { disk: DiskRef::Vmdk(uuid), vm: vm.clone(), by });
        }
        self.model.touch();
    }

    /// Deletes a file and those it is a delta of, as far as nobody else uses them.
    pub(super) fn delete_chain(&mut self, leaf: &str) {
        let mut at = Some(leaf.to_owned());
        let mut deleted = None;
        while let Some(path) = at {
            if self.model.is_used(&path, None) || !self.model.deltas_of(&path).is_empty() {
                break;
            }
            let Some(vmdk) = self.model.vmdks.remove(&path) else { break };
            if vmdk.parent.is_none() {
                let store = self.model.datastore_of(&path);
                if let Some(store) = store.and_then(|id| self.model.datastores.get_mut(&id)) {
                    store.free = (store.free + vmdk.disk.bytes()).min(store.capacity);
                }
                deleted = Some(vmdk.uuid);
            }
            at = vmdk.parent;
        }
        if let Some(uuid) = deleted {
            self.emit(What::DiskDeleted { disk: DiskRef::Vmdk(uuid), by: self.by });
        }
    }
}

fn controller_kind(kind: &str) -> Option<&'static str> {
    [
        "VirtualLsiLogicController",
        "VirtualLsiLogicSASController",
        "ParaVirtualSCSIController",
        "VirtualBusLogicController",
    ]
    .into_iter()
    .find(|known| *known == kind)
}

fn add_controller(
    hardware: &mut Hardware,
    index: usize,
    kind: &'static str,
    device: &DeviceSpec,
    plan: &mut Plan,
) -> Applied {
    let used: Vec<i32> = hardware.controllers.values().map(|c| c.bus).collect();
    // A bus that is taken is passed over for the next free one, as vCenter does.
    let wanted = device.bus.filter(|bus| (0..SCSI_BUSES).contains(bus) && !used.contains(bus));
    let bus = wanted.or_else(|| (0..SCSI_BUSES).find(|bus| !used.contains(bus)));
    let bus = bus.ok_or_else(|| refusal::too_many_devices(index))?;
    let key = SCSI_KEY + bus;
    if device.key < 0 {
        plan.keys.insert(device.key, key);
    }
    hardware.controllers.insert(key, Controller { kind, bus });
    Ok(())
}

fn remove_controller(hardware: &mut Hardware, index: usize, device: &DeviceSpec) -> Applied {
    let in_use = hardware.disks.iter().any(|d| d.controller == device.key);
    if in_use || hardware.controllers.remove(&device.key).is_none() {
        return Err(refusal::invalid_device(index, "device.key"));
    }
    Ok(())
}

/// The controller, bus and unit where a new disk goes.
fn place(hardware: &Hardware, index: usize, device: &DeviceSpec, plan: &Plan) -> Applied<(i32, i32, i32)> {
    let named = device.controller.map(|key| plan.keys.get(&key).copied().unwrap_or(key));
    let key = named.ok_or_else(|| refusal::invalid_device(index, "device.controllerKey"))?;
    let controller = hardware.controllers.get(&key);
    let bus = controller.ok_or_else(|| refusal::invalid_device(index, "device.controllerKey"))?.bus;
    let free = |unit: &i32| {
        *unit != SCSI_OWN_UNIT && !hardware.disks.iter().any(|d| d.controller == key && d.unit == *unit)
    };
    let unit = match device.unit {
        Some(unit) if unit >= 0 => Some(unit).filter(|u| *u < SCSI_UNITS && free(u)),
        Some(_) | None => (0..SCSI_UNITS).find(free),
    };
    let unit = unit.ok_or_else(|| refusal::invalid_device(index, "device.unitNumber"))?;
    Ok((key, bus, unit))
}
