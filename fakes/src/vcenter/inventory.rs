//! Virtual machines coming and going, and what lies on datastores.

use super::config::DatastoreAccess;
use super::model::{Controller, Hardware, SCSI_KEY, Vm, fixed, split_path, vm_ref};
use super::operation::{Applied, Apply};
use super::refusal;
use failback_wire::event::{DiskRef, What};
use failback_wire::vim::{MoRef, Obj, Value, VmConfigSpec};
use std::collections::{BTreeMap, BTreeSet};

impl Apply<'_> {
    /// Machines of one host have different names. That each host has a folder of its own is *ours*.
    pub(super) fn name_free(&self, host: u64, name: &str) -> Applied {
        match self.model.vm_on(host, name) {
            Some(id) => Err(refusal::duplicate_name(name, &vm_ref(id))),
            None => Ok(()),
        }
    }

    fn placement(&self, host: Option<u64>) -> Applied<u64> {
        let connected = || self.model.hosts.iter().find(|(_, h)| h.connected).map(|(id, _)| *id);
        let id = host.or_else(connected).ok_or_else(refusal::host_not_connected)?;
        match self.model.hosts.get(&id) {
            Some(host) if host.connected => Ok(id),
            Some(_) => Err(refusal::host_not_connected()),
            None => Err(refusal::gone(&super::model::host_ref(id))),
        }
    }

    pub(super) fn create_vm(&mut self, spec: &VmConfigSpec, host: Option<u64>) -> Applied<MoRef> {
        self.create_known_vm(spec, host, None)
    }

    fn create_known_vm(
        &mut self,
        spec: &VmConfigSpec,
        host: Option<u64>,
        known_as: Option<String>,
    ) -> Applied<MoRef> {
        let host = self.placement(host)?;
        let name = spec.name.clone().ok_or_else(|| refusal::invalid_argument("spec.name"))?;
        self.name_free(host, &name)?;
        let path = spec.vm_path.as_deref().ok_or_else(|| refusal::invalid_argument("spec.files"))?;
        let (store, rest) = split_path(path).ok_or_else(|| refusal::invalid_datastore(path))?;
        let vmx = match rest.ends_with(".vmx") {
            true => path.to_owned(),
            false => self.free_vmx(store, &name),
        };
        self.usable(host, &vmx)?;
        if self.is_config(&vmx) {
            return Err(refusal::file_exists(&vmx));
        }
        let uuid = self.machine_uuid(&name);
        let mut vm = Vm {
            known_as: known_as.unwrap_or_else(|| name.clone()),
            name,
            uuid: uuid.clone(),
            instance_uuid: uuid,
            host,
            vmx,
            guest_id: "otherGuest".into(),
            uefi: false,
            tools_installed: true,
            hardware: Hardware {
                memory_mb: 1024,
                cpus: 1,
                extra: Vec::new(),
                controllers: BTreeMap::new(),
                disks: Vec::new(),
            },
            powered: false,
            booted: None,
            created: self.now,
            modified: self.now,
            version: 1,
            snapshots: BTreeMap::new(),
            current: None,
            snapshots_taken: 0,
            shutting_down: None,
        };
        let names_controller = spec.devices.iter().any(|d| d.device.kind.contains("Controller"));
        if !names_controller {
            let controller = Controller { kind: "VirtualLsiLogicController", bus: 0 };
            vm.hardware.controllers.insert(SCSI_KEY, controller);
        }
        let plan = self.plan(None, &mut vm, spec)?;
        let reference = vm.reference();
        let id = self.model.id();
        self.model.vms.insert(id, vm);
        self.emit(What::VmCreated { vm: reference.clone(), by: self.by });
        self.carry_out(&reference, plan);
        Ok(vm_ref(id))
    }

    fn is_config(&self, vmx: &str) -> bool {
        self.model.vms.values().any(|vm| vm.vmx == vmx) || self.model.unregistered.contains_key(vmx)
    }

    /// `[ds] web01/web01.vmx`, or beside it when that is another machine's.
    fn free_vmx(&self, store: &str, name: &str) -> String {
        let numbered = |n: u32| if n == 0 { name.to_owned() } else { format!("{name}_{n}") };
        let paths = (0..).map(|n| format!("[{store}] {}/{name}.vmx", numbered(n)));
        paths.into_iter().find(|vmx| !self.is_config(vmx)).unwrap_or_default()
    }

    /// Moves a machine, running or not, to another host; its files stay where they are (vMotion).
    pub(super) fn move_to(&mut self, id: u64, host: &str) -> Applied {
        self.reachable(id)?;
        let host_id = self.model.host_named(host).ok_or_else(|| refusal::not_found(host))?;
        let host_id = self.placement(Some(host_id))?;
        let vm = self.model.vms.get(&id).ok_or_else(|| refusal::gone(&vm_ref(id)))?;
        if vm.host == host_id {
            return Err(refusal::invalid_state());
        }
        let (reference, memory) = (vm.reference(), if vm.powered { vm.hardware.memory_mb } else { 0 });
        self.name_free(host_id, &vm.name)?;
        vm.hardware.disks.iter().try_for_each(|device| self.usable(host_id, &device.path))?;
        let used = self.model.used_mb(host_id);
        let free = self.model.hosts.get(&host_id).map_or(0, |h| h.memory_mb.saturating_sub(used));
        if memory > free {
            return Err(refusal::no_memory(free, memory));
        }
        self.model.vms.edit(id, |vm| vm.host = host_id);
        self.modified(id);
        self.emit(What::VmChanged { vm: reference, change: format!("moved to {host}"), by: self.by });
        Ok(())
    }

    /// A machine without disks, switched off, that is nobody's: the world does not take it for one of that name.
    pub(super) fn create_stray(&mut self, name: &str, host: &str) -> Applied {
        let host_id = self.model.host_named(host).ok_or_else(|| refusal::not_found(host))?;
        let store = self.model.datastores.values().next().map(|store| store.name.clone());
        let vm_path = store.map(|store| format!("[{store}]"));
        let spec = VmConfigSpec { name: Some(name.to_owned()), vm_path, ..Default::default() };
        let known_as = format!("{name}@{host}");
        self.create_known_vm(&spec, Some(host_id), Some(known_as)).map(drop)
    }

    fn machine_uuid(&mut self, name: &str) -> String {
        let n = self.model.id();
        let draw = |part: &str| self.env.map_or(n, |env| env.draw(&format!("vm/{name}/{n}/{part}")));
        let (a, b) = (draw("a"), draw("b"));
        let (a1, a2, a3) = (a >> 32, (a >> 16) & 0xffff, a & 0xffff);
        format!("{a1:08x}-{a2:04x}-{a3:04x}-{:04x}-{:012x}", b >> 48, b & 0xffff_ffff_ffff)
    }

    /// Deletes a machine with its attached disks and snapshots.
    pub(super) fn destroy(&mut self, id: u64) -> Applied {
        self.reachable(id)?;
        let vm = self.model.vms.get(&id).ok_or_else(|| refusal::gone(&vm_ref(id)))?;
        if vm.powered {
            return Err(refusal::invalid_power_state(false, true));
        }
        let Some(vm) = self.model.vms.remove(id) else { return Err(refusal::gone(&vm_ref(id))) };
        let reference = vm.reference();
        self.tell_detached(&vm);
        let mut files: BTreeSet<&String> = vm.hardware.disks.iter().map(|d| &d.path).collect();
        files.extend(vm.snapshots.values().flat_map(|s| s.hardware.disks.iter()).map(|d| &d.path));
        // Deltas before the files they depend on: a delta's name sorts before its base's suffix.
        let mut files: Vec<&String> = files.into_iter().collect();
        files.sort_by_key(|path| std::cmp::Reverse(self.depth(path)));
        for path in files {
            self.delete_chain(path);
        }
        self.model.touch();
        self.emit(What::VmDeleted { vm: reference, by: self.by });
        Ok(())
    }

    fn depth(&self, path: &str) -> usize {
        let mut depth = 0;
        let mut at = self.model.vmdks.get(path).and_then(|v| v.parent.as_deref());
        while let Some(parent) = at {
            depth += 1;
            at = self.model.vmdks.get(parent).and_then(|v| v.parent.as_deref());
        }
        depth
    }

    fn tell_detached(&mut self, vm: &Vm) {
        for device in &vm.hardware.disks {
            if let Some(uuid) = self.model.vmdks.get(&device.path).map(|v| v.uuid.clone()) {
                let disk = DiskRef::Vmdk(uuid);
                self.emit(What::DiskDetached { disk, vm: vm.reference(), by: self.by });
            }
        }
    }

    /// Takes a machine out of the inventory; its files stay.
    pub(super) fn unregister(&mut self, id: u64) -> Applied {
        let vm = self.model.vms.get(&id).ok_or_else(|| refusal::gone(&vm_ref(id)))?;
        if vm.powered {
            return Err(refusal::invalid_power_state(false, true));
        }
        let Some(vm) = self.model.vms.remove(id) else { return Err(refusal::gone(&vm_ref(id))) };
        self.tell_detached(&vm);
        self.emit(What::VmDeleted { vm: vm.reference(), by: self.by });
        self.model.unregistered.insert(vm.vmx.clone(), vm);
        self.model.touch();
        Ok(())
    }

    pub(super) fn register(&mut self, path: &str, name: Option<&str>, host: Option<u64>) -> Applied<MoRef> {
        let host = self.placement(host)?;
        self.usable(host, path)?;
        let known = self.model.unregistered.get(path).ok_or_else(|| refusal::file_not_found(path))?;
        let name = name.unwrap_or(&known.name).to_owned();
        self.name_free(host, &name)?;
        let mut vm = self.model.unregistered.remove(path).ok_or_else(|| refusal::file_not_found(path))?;
        vm.name = name;
        vm.host = host;
        vm.created = self.now;
        let reference = vm.reference();
        let disks: Vec<_> = vm.hardware.disks.iter().filter_map(|d| self.model.vmdks.get(&d.path)).collect();
        let disks: Vec<_> = disks.into_iter().map(|v| DiskRef::Vmdk(v.uuid.clone())).collect();
        let id = self.model.id();
        self.model.vms.insert(id, vm);
        self.model.touch();
        self.emit(What::VmCreated { vm: reference.clone(), by: self.by });
        for disk in disks {
            self.emit(What::DiskAttached { disk, vm: reference.clone(), by: self.by });
        }
        Ok(vm_ref(id))
    }

    /// Moves the files of a machine's disks to a directory of the same name on another datastore.
    pub(super) fn move_disks(&mut self, id: u64, datastore: &str) -> Applied {
        self.reachable(id)?;
        let vm = self.model.vms.get(&id).ok_or_else(|| refusal::gone(&vm_ref(id)))?;
        let reference = vm.reference();
        let devices = vm.snapshots.values().flat_map(|s| s.hardware.disks.iter());
        let mut files: BTreeSet<String> = BTreeSet::new();
        for device in vm.hardware.disks.iter().chain(devices) {
            let mut at = Some(device.path.clone());
            while let Some(path) = at {
                at = self.model.vmdks.get(&path).and_then(|v| v.parent.clone());
                files.insert(path);
            }
        }
        let moved = |path: &str| {
            let rest = split_path(path).map_or(path, |(_, rest)| rest);
            format!("[{datastore}] {rest}")
        };
        self.usable(vm.host, &format!("[{datastore}]"))?;
        let taken = files
            .iter()
            .map(|f| moved(f))
            .find(|to| self.model.vmdks.contains_key(to) && !files.contains(to));
        if let Some(to) = taken {
            return Err(refusal::file_exists(&to));
        }
        for from in &files {
            self.model.rename_file(from, &moved(from));
        }
        self.model.vms.edit(id, |vm| vm.vmx = moved(&vm.vmx));
        self.modified(id);
        let change = format!("disks moved to {datastore}");
        self.emit(What::VmChanged { vm: reference, change, by: self.by });
        Ok(())
    }

    /// The files below a directory: one `HostDatastoreBrowserSearchResults`, or one for each directory.
    pub(super) fn search(&self, directory: &str, patterns: &[String], deep: bool) -> Applied<Value> {
        let (name, rest) = split_path(directory).ok_or_else(|| refusal::invalid_datastore(directory))?;
        let store = self.model.datastore_named(name).ok_or_else(|| refusal::invalid_datastore(directory))?;
        let access = self.model.datastores.get(&store).map(|store| store.access);
        if access == Some(DatastoreAccess::None) {
            return Err(refusal::cannot_access(directory));
        }
        let root = rest.trim_end_matches('/');
        let configs = self.model.vms.values().map(|vm| &vm.vmx).chain(self.model.unregistered.keys());
        let files = configs.chain(self.model.vmdks.keys());
        let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut exists = root.is_empty();
        for path in files {
            let Some((store, rest)) = split_path(path) else { continue };
            let (dir, file) = rest.rsplit_once('/').unwrap_or(("", rest));
            let below = root.is_empty() || dir.strip_prefix(root).is_some_and(|r| r.starts_with('/'));
            exists |= store == name && (dir == root || below);
            let wanted = patterns.is_empty() || patterns.iter().any(|p| matches(p, file));
            if store == name && wanted && (dir == root || (deep && below)) {
                found.entry(dir.to_owned()).or_default().insert(file.to_owned());
            }
        }
        if !exists {
            return Err(refusal::file_not_found(directory));
        }
        if !deep {
            found.entry(root.to_owned()).or_default();
        }
        let results = found.into_iter().map(|(dir, files)| {
            let folder = if dir.is_empty() { format!("[{name}]") } else { format!("[{name}] {dir}/") };
            let prefix = if dir.is_empty() { format!("[{name}] ") } else { folder.clone() };
            Obj::new("HostDatastoreBrowserSearchResults")
                .set("datastore", super::model::datastore_ref(store))
                .set("folderPath", folder)
                .set("file", Value::objects("FileInfo", files.iter().map(|f| self.file_info(&prefix, f))))
        });
        let mut results: Vec<Obj> = results.collect();
        Ok(match results.pop() {
            Some(one) if !deep => Value::Obj(one),
            last => Value::objects("HostDatastoreBrowserSearchResults", results.into_iter().chain(last)),
        })
    }

    fn file_info(&self, prefix: &str, file: &str) -> Obj {
        match self.model.vmdks.get(&format!("{prefix}{file}")) {
            Some(vmdk) => {
                Obj::narrow("VmDiskFileInfo").set("path", file).set("fileSize", vmdk.disk.bytes() as i64)
            }
            None => Obj::narrow("VmConfigFileInfo").set("path", file).set("fileSize", 4096_i64),
        }
    }
}

/// `*` and `?` as in a shell.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut p, mut n) = (0, 0);
    // Where the last star is, and how much of the name it has taken.
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match (pattern.get(p), star) {
            (Some(b'*'), _) => {
                star = Some((p, n));
                p += 1;
            }
            (Some(c), _) if *c == b'?' || *c == name[n] => {
                p += 1;
                n += 1;
            }
            (Some(_) | None, Some((at, taken))) => {
                star = Some((at, taken + 1));
                p = at + 1;
                n = taken + 1;
            }
            (Some(_) | None, None) => return false,
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

/// The object a path of names leads to: `DC0/vm/web01`.
pub(super) fn by_inventory_path(model: &super::model::Model, path: &str) -> Option<MoRef> {
    let parts: Vec<&str> = path.split('/').filter(|p| !p.is_empty()).collect();
    let Some((datacenter, rest)) = parts.split_first() else {
        return Some(MoRef::new("Folder", fixed::ROOT));
    };
    if *datacenter != model.datacenter {
        return None;
    }
    let folder = |id| Some(MoRef::new("Folder", id));
    match rest {
        [] => Some(MoRef::new("Datacenter", fixed::DATACENTER)),
        ["vm"] => folder(fixed::VMS),
        ["host"] => folder(fixed::HOSTS),
        ["datastore"] => folder(fixed::DATASTORES),
        ["network"] => folder(fixed::NETWORKS),
        ["vm", name] => model.vm_named(name).map(vm_ref),
        ["datastore", name] => model.datastore_named(name).map(super::model::datastore_ref),
        ["host", _cluster] => Some(MoRef::new("ClusterComputeResource", fixed::CLUSTER)),
        ["host", _cluster, "Resources"] => Some(MoRef::new("ResourcePool", fixed::POOL)),
        ["host", _cluster, name] => model.host_named(name).map(super::model::host_ref),
        _ => None,
    }
}
