//! Physical machines: they are in no inventory, so the world itself tells of them.

use super::World;
use super::build::Born;
use super::observe::disk_seen;
use failback_oracle::{DiskSeen, VmSeen};
use failback_replication::disk::Disk;
use failback_wire::event::{Actor, DiskRef, VmRef, What};
use failback_wire::ids::{Site, VmdkUuid};

impl Born {
    /// As a physical machine, if it is one.
    pub(super) fn as_metal(&self) -> Option<(VmRef, Vec<(VmdkUuid, Disk)>)> {
        let disks = self.disks.iter().map(|(_, uuid, disk)| (uuid.clone(), disk.clone()));
        self.machine.physical.then(|| (self.vm(Site::OnPremises), disks.collect()))
    }
}

impl World {
    /// Tells what physical machines there are, and switches them on.
    pub(super) fn switch_metal_on(&self) {
        let by = Actor::Setup;
        for (vm, disks) in &self.metal {
            self.emit(What::VmCreated { vm: vm.clone(), by });
            for (uuid, _) in disks {
                let disk = DiskRef::Vmdk(uuid.clone());
                self.emit(What::DiskCreated { disk, by });
            }
            if let Err(error) = self.guests.switch(&vm.name, true, by) {
                self.emit(What::Note { text: error });
            }
        }
    }

    /// Physical machines that no virtual machine has taken the place of.
    fn metal_alone(&self) -> impl Iterator<Item = &(VmRef, Vec<(VmdkUuid, Disk)>)> {
        let virtual_ones: Vec<String> =
            self.vcenters().flat_map(|vcenter| vcenter.vms()).map(|vm| vm.name).collect();
        self.metal.iter().filter(move |(vm, _)| !virtual_ones.contains(&vm.name))
    }

    /// As the oracle sees them.
    pub(super) fn metal_seen(&self) -> (Vec<VmSeen>, Vec<DiskSeen>) {
        let (mut vms, mut seen) = (Vec::new(), Vec::new());
        for (vm, disks) in self.metal_alone() {
            let on = self.guests.is_switched_on(vm);
            vms.push(VmSeen { vm: vm.clone(), on, disks: Vec::new(), snapshots: Vec::new() });
            let disk = |(uuid, disk): &(VmdkUuid, Disk)| disk_seen(DiskRef::Vmdk(uuid.clone()), disk.clone());
            seen.extend(disks.iter().map(disk));
        }
        (vms, seen)
    }

    /// Power of a physical machine; `None` when there is none, or a virtual one has taken its place.
    pub(super) fn metal_power(&self, vm: &VmRef) -> Option<bool> {
        self.metal_alone().find(|(metal, _)| metal == vm).map(|(metal, _)| self.guests.is_switched_on(metal))
    }
}
