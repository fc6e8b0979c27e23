//! Virtual machines and disks as the events show them.

use failback_wire::event::{Actor, DiskRef, VmRef};
use std::collections::{BTreeMap, BTreeSet};

/// What a virtual machine is to the product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A copy of a protected machine, or made by the product, or not known.
    Own,
    /// A master target.
    Infrastructure,
    /// Nobody's business here.
    Foreign,
}

/// A virtual machine.
#[derive(Clone, Debug)]
pub(crate) struct Vm {
    pub(crate) kind: Kind,
    pub(crate) on: bool,
    /// Snapshots that the product took and has not removed.
    pub(crate) own_snapshots: BTreeSet<String>,
    /// Disks attached to it.
    disks: BTreeSet<DiskRef>,
    /// Deleted, by whom.
    pub(crate) deleted_by: Option<Actor>,
}

/// A disk.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk {
    /// Virtual machines it is attached to.
    pub(crate) holders: Vec<VmRef>,
    /// Index of the protected machine it belongs to.
    pub(crate) home: Option<usize>,
    /// Belongs to nobody the product has to do with.
    pub(crate) foreign: bool,
    /// Created by the product in this run.
    pub(crate) made_by_product: bool,
    /// Who detached it last.
    pub(crate) detached_by: Option<Actor>,
    pub(crate) deleted_by: Option<Actor>,
    /// The virtual machine at home was deleted, not by the product, while the disk hung elsewhere: it has no home.
    pub(crate) abandoned: bool,
}

/// All virtual machines and disks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Inventory {
    pub(crate) vms: BTreeMap<VmRef, Vm>,
    pub(crate) disks: BTreeMap<DiskRef, Disk>,
    /// VMDKs that the product left without a holder.
    loose: BTreeSet<DiskRef>,
}

impl Inventory {
    /// The virtual machine, made known if it was not.
    pub(crate) fn vm_mut(&mut self, vm: &VmRef) -> &mut Vm {
        self.vms.entry(vm.clone()).or_insert_with(|| Vm {
            kind: Kind::Own,
            on: false,
            own_snapshots: BTreeSet::new(),
            disks: BTreeSet::new(),
            deleted_by: None,
        })
    }
    /// The disk, made known if it was not.
    pub(crate) fn disk_mut(&mut self, disk: &DiskRef) -> &mut Disk {
        self.disks.entry(disk.clone()).or_default()
    }
    /// What the virtual machine is to the product.
    pub(crate) fn kind(&self, vm: &VmRef) -> Kind {
        self.vms.get(vm).map_or(Kind::Own, |v| v.kind)
    }
    /// Powered on.
    pub(crate) fn is_on(&self, vm: &VmRef) -> bool {
        self.vms.get(vm).is_some_and(|v| v.on)
    }
    /// Virtual machines the disk is attached to.
    pub(crate) fn holders(&self, disk: &DiskRef) -> &[VmRef] {
        self.disks.get(disk).map_or(&[], |d| &d.holders)
    }
    /// A virtual machine came to be. One that somebody else made, under a name never heard of, is a stranger.
    pub(crate) fn vm_created(&mut self, vm: &VmRef, by: Actor) {
        let known = self.vms.contains_key(vm);
        let entry = self.vm_mut(vm);
        entry.on = false;
        entry.deleted_by = None;
        match by {
            Actor::Product => entry.kind = Kind::Own,
            Actor::Operator | Actor::Fault if !known => entry.kind = Kind::Foreign,
            Actor::Operator | Actor::Guest | Actor::Fault | Actor::Setup => {}
        }
    }
    /// A virtual machine was deleted. Its disks are held no longer.
    pub(crate) fn vm_deleted(&mut self, vm: &VmRef, by: Actor) {
        let entry = self.vm_mut(vm);
        entry.on = false;
        entry.deleted_by = Some(by);
        entry.own_snapshots.clear();
        for disk in std::mem::take(&mut entry.disks) {
            self.detached(&disk, vm, by);
        }
    }
    /// A disk was attached. `home` is the machine whose copy `vm` is.
    pub(crate) fn attached(&mut self, disk: &DiskRef, vm: &VmRef, home: Option<usize>) {
        let foreign = self.kind(vm) == Kind::Foreign;
        self.vm_mut(vm).disks.insert(disk.clone());
        self.loose.remove(disk);
        let entry = self.disk_mut(disk);
        if !entry.holders.contains(vm) {
            entry.holders.push(vm.clone());
        }
        entry.home = entry.home.or(home);
        entry.foreign |= foreign && entry.home.is_none() && !entry.made_by_product;
    }
    /// A disk was detached.
    pub(crate) fn detached(&mut self, disk: &DiskRef, vm: &VmRef, by: Actor) {
        self.vm_mut(vm).disks.remove(disk);
        let entry = self.disk_mut(disk);
        entry.holders.retain(|h| h != vm);
        entry.detached_by = Some(by);
        if entry.holders.is_empty() && by == Actor::Product && matches!(disk, DiskRef::Vmdk(_)) {
            self.loose.insert(disk.clone());
        }
    }
    /// A disk was deleted.
    pub(crate) fn disk_deleted(&mut self, disk: &DiskRef, by: Actor) {
        self.loose.remove(disk);
        let entry = self.disk_mut(disk);
        entry.deleted_by = Some(by);
        for vm in std::mem::take(&mut entry.holders) {
            self.vm_mut(&vm).disks.remove(disk);
        }
    }
    /// Somebody else deleted the virtual machine at home of the protected machine of this index.
    pub(crate) fn abandon(&mut self, home: usize) {
        for (_, disk) in
            self.disks.iter_mut().filter(|(d, f)| matches!(d, DiskRef::Vmdk(_)) && f.home == Some(home))
        {
            disk.abandoned = true;
        }
    }
    /// VMDKs that the product left without a holder.
    pub(crate) fn loose(&self) -> impl Iterator<Item = &DiskRef> {
        self.loose.iter()
    }
}
