//! Snapshots: a copy of the configuration and a delta for every disk.
//!
//! Memory is not modelled: every snapshot is one without it, so that a revert leaves the machine off.

use super::model::{DiskDevice, Snapshot, Vmdk, snapshot_ref, vm_ref};
use super::operation::{Applied, Apply, Effect};
use super::refusal;
use failback_wire::event::What;
use failback_wire::vim::MoRef;

impl Apply<'_> {
    pub(super) fn create_snapshot(
        &mut self,
        id: u64,
        name: &str,
        description: &str,
        quiesce: bool,
    ) -> Applied<MoRef> {
        self.reachable(id)?;
        let vm = self.model.vms.get(&id).ok_or_else(|| refusal::gone(&vm_ref(id)))?;
        for device in &vm.hardware.disks {
            self.usable(vm.host, &device.path)?;
        }
        let (reference, hardware, parent) = (vm.reference(), vm.hardware.clone(), vm.current);
        let devices = self.fork_leaves(&hardware.disks);
        let snapshot = self.model.id();
        let now = self.now;
        self.model.vms.edit(id, |vm| {
            vm.snapshots_taken += 1;
            vm.hardware.disks = devices;
            vm.current = Some(snapshot);
            let taken = Snapshot {
                number: vm.snapshots_taken,
                name: name.to_owned(),
                description: description.to_owned(),
                parent,
                created: now,
                quiesced: quiesce,
                hardware,
            };
            vm.snapshots.insert(snapshot, taken);
        });
        self.modified(id);
        self.emit(What::SnapshotTaken { vm: reference, name: name.to_owned(), by: self.by });
        Ok(snapshot_ref(snapshot))
    }

    /// Freezes each disk where it is and goes on in a delta, which keeps the handle in use.
    fn fork_leaves(&mut self, disks: &[DiskDevice]) -> Vec<DiskDevice> {
        let mut devices = disks.to_vec();
        for device in &mut devices {
            let delta = self.next_delta(&device.path);
            let Some(vmdk) = self.model.vmdks.get_mut(&device.path) else { continue };
            let live = vmdk.disk.clone();
            vmdk.disk = live.fork();
            let parent = Some(device.path.clone());
            let child = Vmdk { uuid: vmdk.uuid.clone(), disk: live, parent, rdm: false };
            self.model.vmdks.insert(delta.clone(), child);
            device.path = delta;
        }
        devices
    }

    /// `[ds] vm/vm-000001.vmdk`: the first free delta name beside the base of `path`.
    fn next_delta(&self, path: &str) -> String {
        let mut base = path;
        while let Some(parent) = self.model.vmdks.get(base).and_then(|v| v.parent.as_deref()) {
            base = parent;
        }
        let stem = base.strip_suffix(".vmdk").unwrap_or(base);
        let names = (1..).map(|n| format!("{stem}-{n:06}.vmdk"));
        names.into_iter().find(|name| !self.model.vmdks.contains_key(name)).unwrap_or_default()
    }

    pub(super) fn remove_snapshot(&mut self, snapshot: u64, children: bool) -> Applied {
        let gone = || refusal::gone(&snapshot_ref(snapshot));
        let id = self.model.vm_of_snapshot(snapshot).ok_or_else(gone)?;
        self.reachable(id)?;
        let vm = &self.model.vms[&id];
        let mut doomed = vec![snapshot];
        if children {
            // Children carry higher numbers than their parents.
            for (child, s) in vm.snapshots.range(snapshot + 1..) {
                if s.parent.is_some_and(|p| doomed.contains(&p)) {
                    doomed.push(*child);
                }
            }
        }
        for snapshot in doomed.into_iter().rev() {
            self.drop_snapshot(id, snapshot);
        }
        self.modified(id);
        Ok(())
    }

    pub(super) fn remove_all_snapshots(&mut self, id: u64) -> Applied {
        self.reachable(id)?;
        let vm = self.model.vms.get(&id).ok_or_else(|| refusal::gone(&vm_ref(id)))?;
        let all: Vec<u64> = vm.snapshots.keys().rev().copied().collect();
        for snapshot in all {
            self.drop_snapshot(id, snapshot);
        }
        self.modified(id);
        Ok(())
    }

    /// Takes a snapshot out of the tree and merges its files into what came after.
    fn drop_snapshot(&mut self, id: u64, snapshot: u64) {
        let removed = self.model.vms.edit(id, |vm| {
            let removed = vm.snapshots.remove(&snapshot)?;
            for other in vm.snapshots.values_mut().filter(|s| s.parent == Some(snapshot)) {
                other.parent = removed.parent;
            }
            if vm.current == Some(snapshot) {
                vm.current = removed.parent;
            }
            Some((vm.reference(), removed))
        });
        let Some((reference, removed)) = removed.flatten() else { return };
        for device in &removed.hardware.disks {
            self.merge(&device.path);
        }
        self.emit(What::SnapshotRemoved { vm: reference, name: removed.name, by: self.by });
    }

    /// Merges the only delta of a file that no one names any more into it, under the file's name.
    fn merge(&mut self, path: &str) {
        if self.model.is_used(path, None) {
            return;
        }
        let deltas = self.model.deltas_of(path);
        let [delta] = deltas.as_slice() else {
            if deltas.is_empty() {
                self.delete_chain(path);
            }
            // More than one branch still needs its content.
            return;
        };
        let Some(base) = self.model.vmdks.remove(path) else { return };
        self.model.rename_file(delta, path);
        if let Some(vmdk) = self.model.vmdks.get_mut(path) {
            vmdk.parent = base.parent;
            vmdk.rdm = base.rdm;
        }
    }

    pub(super) fn revert(&mut self, id: u64, to: Option<u64>) -> Applied {
        self.reachable(id)?;
        let vm = self.model.vms.get(&id).ok_or_else(|| refusal::gone(&vm_ref(id)))?;
        let to = to.or(vm.current).ok_or_else(|| refusal::not_found("The snapshot"))?;
        let snapshot = vm.snapshots.get(&to).cloned().ok_or_else(|| refusal::gone(&snapshot_ref(to)))?;
        let (reference, powered) = (vm.reference(), vm.powered);
        let old: Vec<String> = vm.hardware.disks.iter().map(|d| d.path.clone()).collect();
        for device in &snapshot.hardware.disks {
            if self.model.locked_by(&device.path, id).is_some() {
                return Err(refusal::file_locked(&device.path));
            }
        }
        if powered {
            self.effects.push(Effect::GuestOff(reference.clone()));
            self.is_off(id, self.by);
        }
        let mut hardware = snapshot.hardware.clone();
        for device in &mut hardware.disks {
            device.path = self.reverted_leaf(&device.path, &old);
        }
        self.model.vms.edit(id, |vm| {
            vm.hardware = hardware;
            vm.current = Some(to);
        });
        for path in old {
            // A disk that was attached after the snapshot was taken is only detached.
            if self.model.vmdks.get(&path).is_some_and(|v| v.parent.is_some()) {
                self.delete_chain(&path);
            }
        }
        self.modified(id);
        let change = format!("reverted to snapshot {}", snapshot.name);
        self.emit(What::VmChanged { vm: reference, change, by: self.by });
        Ok(())
    }

    /// A fresh delta of a snapshot's file; the handle in use goes with it, showing the snapshot's content.
    fn reverted_leaf(&mut self, frozen: &str, old: &[String]) -> String {
        let delta = self.next_delta(frozen);
        let Some((uuid, content)) = self.model.vmdks.get(frozen).map(|v| (v.uuid.clone(), v.disk.clone()))
        else {
            return frozen.to_owned();
        };
        let of_this = |p: &&String| self.model.vmdks.get(*p).is_some_and(|v| v.uuid == uuid);
        let live = old.iter().find(of_this);
        let disk = match live.and_then(|p| self.model.vmdks.get_mut(p)) {
            Some(live) => {
                let handle = live.disk.clone();
                live.disk = handle.fork();
                handle.become_copy_of(&content);
                handle
            }
            None => content.fork(),
        };
        self.model
            .vmdks
            .insert(delta.clone(), Vmdk { uuid, disk, parent: Some(frozen.to_owned()), rdm: false });
        delta
    }
}
