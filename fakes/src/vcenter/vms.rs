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

#[cfg(test)]
mod tests {
    use super::super::model::Hardware;
    use super::*;

    fn vm(name: &str, host: u64, memory_mb: u64, created: u64) -> Vm {
        let (controllers, disks, extra) = (BTreeMap::new(), Vec::new(), Vec::new());
        Vm {
            name: name.into(),
            known_as: name.into(),
            uuid: name.into(),
            instance_uuid: name.into(),
            host,
            vmx: name.into(),
            guest_id: "otherGuest".into(),
            uefi: false,
            tools_installed: true,
            hardware: Hardware { memory_mb, cpus: 1, extra, controllers, disks },
            powered: true,
            booted: None,
            created: VirtualMs(created),
            modified: VirtualMs(0),
            version: 1,
            snapshots: BTreeMap::new(),
            current: None,
            snapshots_taken: 0,
            shutting_down: None,
        }
    }

    /// Memory used on hosts 1 and 2, the machines named `a`, and the newcomers.
    fn seen(vms: &Vms) -> ([u64; 2], Vec<u64>, Vec<u64>) {
        let named = vms.named("a").map(|(id, _)| id).collect();
        ([1, 2].map(|host| vms.used_mb(host)), named, vms.newcomers().map(|(id, _)| id).collect())
    }

    #[test]
    fn what_is_derived_follows_every_change() {
        let mut vms = Vms::default();
        vms.insert(10, vm("a", 1, 100, 0));
        vms.insert(11, vm("a", 2, 30, 5));
        assert_eq!(seen(&vms), ([100, 30], vec![10, 11], vec![11]));
        vms.edit(10, |vm| vm.host = 2);
        assert_eq!(seen(&vms), ([0, 130], vec![10, 11], vec![11]));
        vms.edit(10, |vm| vm.hardware.memory_mb = 7);
        vms.edit(11, |vm| vm.name = "b".into());
        assert_eq!(seen(&vms), ([0, 37], vec![10], vec![11]));
        vms.edit(10, |vm| vm.powered = false);
        assert_eq!(seen(&vms), ([0, 30], vec![10], vec![11]));
        vms.insert(11, vm("a", 1, 4, 0));
        assert_eq!(seen(&vms), ([4, 0], vec![10, 11], vec![]));
        assert!(vms.remove(11).is_some() && vms.edit(11, |_| ()).is_none());
        assert_eq!(seen(&vms), ([0, 0], vec![10], vec![]));
    }
}
