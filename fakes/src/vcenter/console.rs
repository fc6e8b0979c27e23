//! What an operator does at vCenter's own console, and what the world does to it: the same state machine
//! as the wire's, without the wire and at once.

use super::Vcenter;
use super::config::{DatastoreAccess, Licence, Privileges, ScsiController};
use super::model::{Datastore, Hardware, Model, SCSI_UNITS, controller_kind};
use super::operation::{Applied, Apply};
use super::refusal;
use failback_wire::event::Actor;
use failback_wire::vim::{DeviceChange, DeviceOp, DeviceSpec, VmConfigSpec};

/// Acts on a vCenter on behalf of someone. Errors name what does not exist or why it cannot be done; then
/// nothing has happened.
pub struct Console<'a> {
    vcenter: &'a Vcenter,
    by: Actor,
}

impl Vcenter {
    /// The console, used by `by`.
    pub fn console(&self, by: Actor) -> Console<'_> {
        Console { vcenter: self, by }
    }
}

impl Console<'_> {
    /// Every call is answered 503 from now on; running tasks complete all the same.
    pub fn service_down(&self) {
        self.set_service(false);
    }
    /// The service answers again; old sessions are gone.
    pub fn service_up(&self) {
        self.set_service(true);
    }
    fn set_service(&self, up: bool) {
        let mut state = self.vcenter.lock();
        state.model.service_up = up;
        if !up {
            state.sessions.clear();
        }
        state.model.touch();
        drop(state);
        self.vcenter.changed.notify_waiters();
    }
    pub(super) fn on_vm(
        &self,
        vm: &str,
        change: impl FnOnce(&mut Apply<'_>, u64) -> Applied,
    ) -> Result<(), String> {
        let id = self.vcenter.lock().model.vm_named(vm);
        let id = id.ok_or_else(|| format!("there is no virtual machine {vm}"))?;
        self.vcenter.apply(self.by, |apply| change(apply, id)).map_err(|fault| format!("{vm}: {fault}"))
    }
    /// The configuration file and the host of a virtual machine that was taken out of the inventory.
    pub(super) fn left(&self, vm: &str) -> Option<(String, u64)> {
        let state = self.vcenter.lock();
        let found = state.model.unregistered.iter().find(|(_, known)| known.name == vm);
        found.map(|(path, known)| (path.clone(), known.host))
    }
    pub(super) fn apply(&self, change: impl FnOnce(&mut Apply<'_>) -> Applied) -> Applied {
        self.vcenter.apply(self.by, change)
    }
    fn on_host(&self, host: &str, change: impl FnOnce(&mut Apply<'_>, u64) -> Applied) -> Result<(), String> {
        let id = self.vcenter.lock().model.host_named(host);
        let id = id.ok_or_else(|| format!("there is no host {host}"))?;
        self.vcenter.apply(self.by, |apply| change(apply, id)).map_err(|fault| format!("{host}: {fault}"))
    }
    fn on_datastore(&self, name: &str, change: impl FnOnce(&mut Datastore)) -> Result<(), String> {
        let found = {
            let mut state = self.vcenter.lock();
            let model: &mut Model = &mut state.model;
            let store = model.datastore_named(name).and_then(|id| model.datastores.get_mut(&id));
            let found = store.map(change).is_some();
            model.touch();
            found
        };
        self.vcenter.changed.notify_waiters();
        if found { Ok(()) } else { Err(format!("there is no datastore {name}")) }
    }

    /// Powers a virtual machine on.
    ///
    /// # Errors
    /// See [`Console`].
    pub fn power_on(&self, vm: &str) -> Result<(), String> {
        self.on_vm(vm, |apply, id| apply.power_on(id))
    }
    /// Cuts a virtual machine's power.
    ///
    /// # Errors
    /// See [`Console`].
    pub fn power_off(&self, vm: &str) -> Result<(), String> {
        self.on_vm(vm, |apply, id| apply.power_off(id))
    }
    /// Takes a snapshot.
    ///
    /// # Errors
    /// See [`Console`].
    pub fn take_snapshot(&self, vm: &str, name: &str) -> Result<(), String> {
        self.on_vm(vm, |apply, id| apply.create_snapshot(id, name, "", false).map(drop))
    }
    /// Removes (merges) all snapshots of a virtual machine.
    ///
    /// # Errors
    /// See [`Console`].
    pub fn remove_snapshots(&self, vm: &str) -> Result<(), String> {
        self.on_vm(vm, |apply, id| apply.remove_all_snapshots(id))
    }
    /// Brings a virtual machine back to its current snapshot; it is off then.
    ///
    /// # Errors
    /// See [`Console`].
    pub fn revert(&self, vm: &str) -> Result<(), String> {
        self.on_vm(vm, |apply, id| apply.revert(id, None))
    }
    /// Deletes a virtual machine with its disks; a running one is powered off first.
    ///
    /// # Errors
    /// See [`Console`].
    pub fn delete_vm(&self, vm: &str) -> Result<(), String> {
        self.on_vm(vm, |apply, id| {
            apply.reachable(id)?;
            if apply.model.vms.get(&id).is_some_and(|vm| vm.powered) {
                apply.power_off(id)?;
            }
            apply.destroy(id)
        })
    }
    /// Gives a virtual machine another name; its files keep theirs.
    ///
    /// # Errors
    /// See [`Console`].
    pub fn rename_vm(&self, vm: &str, name: &str) -> Result<(), String> {
        let spec = VmConfigSpec { name: Some(name.to_owned()), ..Default::default() };
        self.on_vm(vm, |apply, id| apply.reconfigure(id, &spec))
    }
    /// Makes a virtual machine's disk larger, counted from 0; refused while there are snapshots.
    ///
    /// # Errors
    /// See [`Console`].
    pub fn extend_disk(&self, vm: &str, disk: usize, bytes: u64) -> Result<(), String> {
        self.on_vm(vm, |apply, id| {
            let device = apply.model.vms.get(&id).and_then(|vm| vm.hardware.disks.get(disk));
            let key = device.ok_or_else(|| refusal::invalid_argument("disk"))?.key;
            let capacity_kb = i64::try_from(bytes / 1024).ok();
            let device =
                DeviceSpec { kind: "VirtualDisk".to_owned(), key, capacity_kb, ..Default::default() };
            let change = DeviceChange { op: DeviceOp::Edit, file_op: None, device };
            apply.reconfigure(id, &VmConfigSpec { devices: vec![change], ..Default::default() })
        })
    }
    /// Detaches a disk by its file, which stays.
    ///
    /// # Errors
    /// See [`Console`].
    pub fn detach_disk(&self, vm: &str, file: &str) -> Result<(), String> {
        self.on_vm(vm, |apply, id| {
            let disks = apply.model.vms.get(&id).map(|vm| vm.hardware.disks.as_slice()).unwrap_or_default();
            let device = disks.iter().find(|device| device.path == file);
            let there = disks.iter().map(|device| device.path.as_str());
            let key = device.ok_or_else(|| refusal::file_not_found_among(file, there))?.key;
            let device = DeviceSpec { kind: "VirtualDisk".to_owned(), key, ..Default::default() };
            let change = DeviceChange { op: DeviceOp::Remove, file_op: None, device };
            apply.reconfigure(id, &VmConfigSpec { devices: vec![change], ..Default::default() })
        })
    }
    /// Attaches an existing disk by its file, at the first controller with room.
    ///
    /// # Errors
    /// See [`Console`].
    pub fn attach_disk(&self, vm: &str, file: &str) -> Result<(), String> {
        self.on_vm(vm, |apply, id| {
            if !apply.model.vmdks.contains_key(file) {
                let there = apply.model.vmdks.keys().map(String::as_str);
                return Err(refusal::file_not_found_among(file, there));
            }
            let hardware = apply.model.vms.get(&id).map(|vm| &vm.hardware);
            let full = |key: &i32| {
                let on = |h: &Hardware| h.disks.iter().filter(|d| d.controller == *key).count();
                hardware.map_or(0, on) + 1 >= SCSI_UNITS as usize
            };
            let controller = hardware.and_then(|h| h.controllers.keys().copied().find(|key| !full(key)));
            let device = DeviceSpec {
                kind: "VirtualDisk".to_owned(),
                key: -1,
                file: Some(file.to_owned()),
                controller,
                ..Default::default()
            };
            let change = DeviceChange { op: DeviceOp::Add, file_op: None, device };
            apply.reconfigure(id, &VmConfigSpec { devices: vec![change], ..Default::default() })
        })
    }
    /// Moves the disks of a virtual machine, with all their snapshots' files, to another datastore. UUIDs
    /// and content stay, paths change (P20).
    ///
    /// # Errors
    /// See [`Console`].
    pub fn storage_vmotion(&self, vm: &str, datastore: &str) -> Result<(), String> {
        let known = self.vcenter.lock().model.datastore_named(datastore);
        known.ok_or_else(|| format!("there is no datastore {datastore}"))?;
        self.on_vm(vm, |apply, id| apply.move_disks(id, datastore))
    }
    /// Sets an option of a virtual machine that is off; an empty value takes it away (P21).
    ///
    /// # Errors
    /// See [`Console`].
    pub fn set_option(&self, vm: &str, option: &str, value: &str) -> Result<(), String> {
        let spec = VmConfigSpec { extra: vec![(option.to_owned(), value.to_owned())], ..Default::default() };
        self.on_vm(vm, |apply, id| {
            apply.is_without_power(id)?;
            apply.reconfigure(id, &spec)
        })
    }
    /// Gives a virtual machine that is off so much memory, in MiB, and so many cores (P28).
    ///
    /// # Errors
    /// See [`Console`].
    pub fn set_hardware(&self, vm: &str, memory_mb: Option<i64>, cpus: Option<i32>) -> Result<(), String> {
        let spec = VmConfigSpec { memory_mb, cpus, ..Default::default() };
        self.on_vm(vm, |apply, id| apply.reconfigure(id, &spec))
    }
    /// Gives a virtual machine that is off controllers of another type (P18); disks keep their places.
    ///
    /// # Errors
    /// See [`Console`].
    pub fn set_controller(&self, vm: &str, controller: ScsiController) -> Result<(), String> {
        self.on_vm(vm, |apply, id| {
            apply.is_without_power(id)?;
            let kind = controller_kind(controller);
            apply.model.vms.edit(id, |vm| vm.hardware.controllers.values_mut().for_each(|c| c.kind = kind));
            apply.modified(id);
            Ok(())
        })
    }
    /// Installs VMware Tools in a virtual machine, or removes them (P22).
    ///
    /// # Errors
    /// See [`Console`].
    pub fn set_tools(&self, vm: &str, installed: bool) -> Result<(), String> {
        self.on_vm(vm, |apply, id| {
            apply.model.vms.edit(id, |vm| vm.tools_installed = installed);
            apply.modified(id);
            Ok(())
        })
    }
    /// What an account may do, from now on and in its open sessions.
    ///
    /// # Errors
    /// See [`Console`].
    pub fn set_privileges(&self, user: &str, privileges: &Privileges) -> Result<(), String> {
        let mut state = self.vcenter.lock();
        let account = state.users.iter_mut().find(|u| u.name == user);
        let account = account.ok_or_else(|| format!("there is no account {user}"))?;
        account.privileges = privileges.clone();
        for session in state.sessions.values_mut().filter(|s| s.user == user) {
            session.privileges = privileges.clone();
        }
        Ok(())
    }
    /// The password of an account, from now on; sessions that are open stay so.
    ///
    /// # Errors
    /// See [`Console`].
    pub fn set_password(&self, user: &str, password: &str) -> Result<(), String> {
        let mut state = self.vcenter.lock();
        let account = state.users.iter_mut().find(|u| u.name == user);
        account.ok_or_else(|| format!("there is no account {user}"))?.password = password.to_owned();
        Ok(())
    }
    /// The licence of a host.
    ///
    /// # Errors
    /// See [`Console`].
    pub fn set_licence(&self, host: &str, licence: Licence) -> Result<(), String> {
        self.on_host(host, |apply, id| {
            if let Some(host) = apply.model.hosts.get_mut(&id) {
                host.licence = licence;
            }
            apply.model.touch();
            Ok(())
        })
    }
    /// Makes a virtual machine without disks, switched off.
    ///
    /// # Errors
    /// See [`Console`].
    pub fn create_vm(&self, name: &str, host: &str) -> Result<(), String> {
        let made = self.vcenter.apply(self.by, |apply| apply.create_stray(name, host));
        made.map_err(|fault| format!("{name}: {fault}"))
    }
    /// Moves a virtual machine to another host; its disks stay where they lie.
    ///
    /// # Errors
    /// See [`Console`].
    pub fn vmotion(&self, vm: &str, host: &str) -> Result<(), String> {
        self.on_vm(vm, |apply, id| apply.move_to(id, host))
    }
    /// vCenter loses a host; its virtual machines run on, but show `disconnected`.
    ///
    /// # Errors
    /// See [`Console`].
    pub fn disconnect_host(&self, host: &str) -> Result<(), String> {
        self.on_host(host, |apply, id| apply.set_connected(id, false))
    }
    /// vCenter finds a lost host again.
    ///
    /// # Errors
    /// See [`Console`].
    pub fn reconnect_host(&self, host: &str) -> Result<(), String> {
        self.on_host(host, |apply, id| apply.set_connected(id, true))
    }
    /// Leaves this much of a host's memory free, MiB, until virtual machines take it or give it back.
    ///
    /// # Errors
    /// See [`Console`].
    pub fn set_host_free_memory(&self, host: &str, free_mb: u64) -> Result<(), String> {
        self.on_host(host, |apply, id| {
            let used = apply.model.used_mb(id);
            if let Some(host) = apply.model.hosts.get_mut(&id) {
                let by_vms = used - host.reserved_mb;
                host.reserved_mb = host.memory_mb.saturating_sub(by_vms + free_mb);
            }
            apply.model.touch();
            Ok(())
        })
    }
    /// What hosts may do with a datastore.
    ///
    /// # Errors
    /// See [`Console`].
    pub fn set_datastore_access(&self, datastore: &str, access: DatastoreAccess) -> Result<(), String> {
        self.on_datastore(datastore, |store| {
            store.access = access;
            store.by_host.clear();
        })
    }
    /// What one host may do with a datastore.
    ///
    /// # Errors
    /// See [`Console`].
    pub fn set_datastore_access_on(
        &self,
        datastore: &str,
        host: &str,
        access: DatastoreAccess,
    ) -> Result<(), String> {
        let id = self.vcenter.lock().model.host_named(host);
        let id = id.ok_or_else(|| format!("there is no host {host}"))?;
        self.on_datastore(datastore, |store| {
            store.by_host.insert(id, access);
        })
    }
    /// A datastore's free space, bytes; never more than its size.
    ///
    /// # Errors
    /// See [`Console`].
    pub fn set_datastore_free(&self, datastore: &str, free: u64) -> Result<(), String> {
        self.on_datastore(datastore, |store| store.free = free.min(store.capacity))
    }
}
