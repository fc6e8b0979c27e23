//! What a person does to the disks of a virtual machine.

use super::console::Console;
use super::model::{SCSI_KEY, vm_ref};
use super::operation::Effect;
use super::refusal;
use failback_replication::disk::{BLOCK, Disk};
use failback_wire::vim::{DeviceChange, DeviceOp, DeviceSpec, FileOp, VmConfigSpec};

impl Console<'_> {
    /// Gives a virtual machine one more, empty disk, in the first unit that is free.
    ///
    /// # Errors
    /// See [`Console`].
    pub fn add_disk(&self, vm: &str, bytes: u64) -> Result<(), String> {
        if bytes == 0 || !bytes.is_multiple_of(BLOCK as u64) {
            return Err(format!("a disk cannot be {bytes} bytes large"));
        }
        self.on_vm(vm, |apply, id| {
            let machine = apply.model.vms.get(&id).ok_or_else(|| refusal::invalid_argument("vm"))?;
            let before = machine.hardware.disks.clone();
            let controller = *machine.hardware.controllers.keys().next().unwrap_or(&0);
            let devices = vec![new_disk(controller, bytes)];
            apply.reconfigure(id, &VmConfigSpec { devices, ..Default::default() })?;
            let Some(machine) = apply.model.vms.get(&id) else { return Ok(()) };
            let new =
                machine.hardware.disks.iter().find(|disk| before.iter().all(|old| old.path != disk.path));
            let content =
                new.and_then(|disk| apply.model.vmdks.get(&disk.path)).map(|vmdk| vmdk.disk.clone());
            let reference = machine.reference();
            apply.effects.extend(content.map(|disk| Effect::GuestDisk(reference, disk)));
            Ok(())
        })
    }

    /// Clones a virtual machine, as it is or as it was when a snapshot was taken: the clone is another machine, with disks
    /// of its own, and is off.
    ///
    /// # Errors
    /// See [`super::console::Console`].
    pub fn clone_vm(&self, vm: &str, name: &str, snapshot: Option<&str>) -> Result<(), String> {
        self.on_vm(vm, |apply, id| {
            let known = apply.model.vms.get(&id).ok_or_else(|| refusal::gone(&vm_ref(id)))?;
            let hardware = match snapshot {
                None => &known.hardware,
                Some(snapshot) => {
                    let taken = known.snapshots.values().find(|taken| taken.name == snapshot);
                    &taken.ok_or_else(|| refusal::not_found(snapshot))?.hardware
                }
            };
            let files = hardware.disks.iter().filter_map(|disk| apply.model.vmdks.get(&disk.path));
            // As they are now: what runs on the machine goes on writing to it.
            let held: Vec<Disk> = files.map(|file| file.disk.fork()).collect();
            let (host, store) = (known.host, known.vmx.split(']').next().unwrap_or_default());
            let vm_path = Some(format!("{store}] {name}/{name}.vmx"));
            let devices = held.iter().map(|disk| new_disk(SCSI_KEY, disk.bytes())).collect();
            let spec = VmConfigSpec { name: Some(name.to_owned()), vm_path, devices, ..Default::default() };
            apply.create_vm(&spec, Some(host))?;
            let clone = apply.model.vm_named(name).and_then(|clone| apply.model.vms.get(&clone));
            let devices = clone.map(|clone| clone.hardware.disks.as_slice()).unwrap_or_default();
            for (device, held) in devices.iter().zip(held) {
                if let Some(file) = apply.model.vmdks.get(&device.path) {
                    file.disk.become_copy_of(&held);
                }
            }
            Ok(())
        })
    }
}

/// Asks for a new, empty disk of so many bytes.
fn new_disk(controller: i32, bytes: u64) -> DeviceChange {
    let device = DeviceSpec {
        kind: "VirtualDisk".to_owned(),
        key: -1,
        controller: Some(controller),
        capacity_kb: i64::try_from(bytes / 1024).ok(),
        ..Default::default()
    };
    DeviceChange { op: DeviceOp::Add, file_op: Some(FileOp::Create), device }
}
