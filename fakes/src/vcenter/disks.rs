//! What a person does to the disks of a virtual machine.

use super::console::Console;
use super::operation::Effect;
use super::refusal;
use failback_replication::disk::BLOCK;
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
            let capacity_kb = i64::try_from(bytes / 1024).ok();
            let device = DeviceSpec {
                kind: "VirtualDisk".to_owned(),
                key: -1,
                controller: Some(controller),
                capacity_kb,
                ..Default::default()
            };
            let change = DeviceChange { op: DeviceOp::Add, file_op: Some(FileOp::Create), device };
            apply.reconfigure(id, &VmConfigSpec { devices: vec![change], ..Default::default() })?;
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
}
