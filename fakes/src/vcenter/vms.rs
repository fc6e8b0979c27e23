//! The virtual machines of an inventory, with what is looked up in it by more than a machine's number: large estates
//! are asked for names and for the memory of hosts once for each machine.

use super::model::{DiskDevice, Vm};
use failback_wire::clock::VirtualMs;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;

/// All virtual machines by number. Whoever changes one goes through here, so that what is derived stays true.
#[derive(Debug, Default)]
pub(super) struct Vms {
    all: BTreeMap<u64, Vm>,
    by_name: BTreeMap<String, BTreeSet<u64>>,
    /// Memory that running machines take, by host, MiB.
    used_mb: BTreeMap<u64, u64>,
    /// Those that were not there from the beginning.
    newcomers: BTreeSet<u64>,
}

impl Deref for Vms {
    type Target = BTreeMap<u64, Vm>;
    fn deref(&self) -> &Self::Target {
        &self.all
    }
}

impl Vms {
    /// Puts a machine in, in the place of an earlier one of this number.
    pub(super) fn insert(&mut self, id: u64, vm: Vm) {
        self.remove(id);
        self.note(id, &vm);
        self.all.insert(id, vm);
    }
    /// Takes a machine out.
    pub(super) fn remove(&mut self, id: u64) -> Option<Vm> {
        let vm = self.all.remove(&id)?;
        self.forget(id, &vm);
        Some(vm)
    }
    /// Changes a machine; `None` when there is none of this number.
    pub(super) fn edit<T>(&mut self, id: u64, change: impl FnOnce(&mut Vm) -> T) -> Option<T> {
        let mut vm = self.remove(id)?;
        let changed = change(&mut vm);
        self.insert(id, vm);
        Some(changed)
    }
    /// The disks of all machines, those of their snapshots among them.
    pub(super) fn devices_mut(&mut self) -> impl Iterator<Item = &mut DiskDevice> {
        self.all.values_mut().flat_map(Vm::devices_mut)
    }

    fn note(&mut self, id: u64, vm: &Vm) {
        self.by_name.entry(vm.name.clone()).or_default().insert(id);
        if vm.powered {
            *self.used_mb.entry(vm.host).or_default() += vm.hardware.memory_mb;
        }
        if vm.created > VirtualMs(0) {
            self.newcomers.insert(id);
        }
    }
    fn forget(&mut self, id: u64, vm: &Vm) {
        if let Some(ids) = self.by_name.get_mut(&vm.name) {
            ids.remove(&id);
            if ids.is_empty() {
                self.by_name.remove(&vm.name);
            }
        }
        if let Some(used) = self.used_mb.get_mut(&vm.host).filter(|_| vm.powered) {
            *used -= vm.hardware.memory_mb;
        }
        self.newcomers.remove(&id);
    }

    /// Machines of this name, the oldest first: two hosts may each have one.
    pub(super) fn named(&self, name: &str) -> impl Iterator<Item = (u64, &Vm)> {
        let ids = self.by_name.get(name).into_iter().flatten();
        ids.filter_map(|id| Some((*id, self.all.get(id)?)))
    }
    /// Memory that running machines take of a host, MiB.
    pub(super) fn used_mb(&self, host: u64) -> u64 {
        self.used_mb.get(&host).copied().unwrap_or_default()
    }
    /// Machines that were not there from the beginning, in the order in which they came.
    pub(super) fn newcomers(&self) -> impl Iterator<Item = (u64, &Vm)> {
        self.newcomers.iter().filter_map(|id| Some((*id, self.all.get(id)?)))
    }
}
