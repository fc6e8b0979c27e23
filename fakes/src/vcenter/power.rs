//! Power of virtual machines, connection of hosts.

use super::config::DatastoreAccess;
use super::model::vm_ref;
use super::operation::{Applied, Apply, Effect};
use super::refusal;
use failback_wire::canary::Canary;
use failback_wire::event::{Actor, What};

impl Apply<'_> {
    pub(super) fn power_on(&mut self, id: u64) -> Applied {
        self.reachable(id)?;
        let model = &*self.model;
        let vm = model.vms.get(&id).ok_or_else(|| refusal::gone(&vm_ref(id)))?;
        if vm.powered {
            return Err(refusal::invalid_power_state(true, true));
        }
        for device in &vm.hardware.disks {
            if !model.vmdks.contains_key(&device.path) {
                return Err(refusal::file_not_found(&device.path));
            }
            self.usable(vm.host, &device.path)?;
            if model.locked_by(&device.path, id).is_some() {
                return Err(refusal::file_locked(&device.path));
            }
        }
        let (used, wanted) = (model.used_mb(vm.host), vm.hardware.memory_mb);
        let free = model.hosts.get(&vm.host).map_or(0, |h| h.memory_mb.saturating_sub(used));
        if wanted > free {
            return Err(refusal::no_memory(free, wanted));
        }
        let reference = vm.reference();
        let disks = model.scsi(id).into_iter().map(|(_, disk)| disk).collect();
        let now = self.now;
        self.model.vms.edit(id, |vm| {
            vm.powered = true;
            vm.booted = Some(now);
            vm.shutting_down = None;
        });
        self.model.touch();
        self.emit(What::PowerChanged { vm: reference.clone(), on: true, by: self.by });
        self.effects.push(Effect::GuestOn(reference, disks));
        Ok(())
    }

    pub(super) fn power_off(&mut self, id: u64) -> Applied {
        self.reachable(id)?;
        let vm = self.model.vms.get(&id).ok_or_else(|| refusal::gone(&vm_ref(id)))?;
        if !vm.powered {
            return Err(refusal::invalid_power_state(false, false));
        }
        let reference = vm.reference();
        self.effects.push(Effect::GuestOff(reference));
        self.is_off(id, self.by);
        Ok(())
    }

    /// Some things can be changed only while a machine is off.
    pub(super) fn is_without_power(&self, id: u64) -> Applied {
        match self.model.vms.get(&id).is_some_and(|vm| vm.powered) {
            true => Err(refusal::invalid_power_state(false, true)),
            false => Ok(()),
        }
    }

    /// The machine has no power any more.
    pub(super) fn is_off(&mut self, id: u64, by: Actor) {
        let off = self.model.vms.edit(id, |vm| {
            vm.powered = false;
            vm.booted = None;
            vm.shutting_down = None;
            vm.reference()
        });
        let Some(vm) = off else { return };
        self.model.touch();
        if !self.env.is_some_and(|env| env.planted(Canary::PowerUntold)) {
            self.emit(What::PowerChanged { vm, on: false, by });
        }
    }

    pub(super) fn set_connected(&mut self, id: u64, connected: bool) -> Applied {
        let host = self.model.hosts.get_mut(&id);
        let host = host.ok_or_else(|| refusal::gone(&super::model::host_ref(id)))?;
        if host.connected == connected {
            return Err(refusal::invalid_state());
        }
        host.connected = connected;
        self.model.touch();
        let change = if connected { "host connected" } else { "host disconnected" };
        let vms: Vec<_> =
            self.model.vms.values().filter(|vm| vm.host == id).map(|vm| vm.reference()).collect();
        for vm in vms {
            self.emit(What::VmChanged { vm, change: change.into(), by: self.by });
        }
        Ok(())
    }

    /// A file on a datastore that this host may write to.
    pub(super) fn usable(&self, host: u64, path: &str) -> Applied {
        let store = self.model.datastore_of(path).and_then(|id| self.model.datastores.get(&id));
        match store.map(|s| s.access_on(host)) {
            Some(DatastoreAccess::ReadWrite) => Ok(()),
            Some(DatastoreAccess::ReadOnly) => Err(refusal::not_writable(path)),
            Some(DatastoreAccess::None) => Err(refusal::cannot_access(path)),
            None => Err(refusal::invalid_datastore(path)),
        }
    }
}
