//! What a configuration server that discovers virtual machines comes to see.

use super::Vcenter;
use super::model::Vm;
use failback_wire::clock::VirtualMs;
use failback_wire::vim::VmConfigSpec;

/// A virtual machine that was not there from the beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Newcomer {
    /// Its name.
    pub name: String,
    /// Since when it is in the inventory.
    pub created: VirtualMs,
    /// An earlier one with the same instance UUID (P40).
    pub twin: Option<String>,
}

impl Vcenter {
    /// Virtual machines that came into the inventory since the beginning, in the order in which they did.
    pub fn newcomers(&self) -> Vec<Newcomer> {
        let state = self.lock();
        let vms = &state.model.vms;
        let newcomer = |(id, vm): (u64, &Vm)| {
            let earlier = vms.range(..id).find(|(_, other)| other.instance_uuid == vm.instance_uuid);
            let twin = earlier.map(|(_, other)| other.name.clone());
            Newcomer { name: vm.name.clone(), created: vm.created, twin }
        };
        vms.newcomers().map(newcomer).collect()
    }
}

impl super::console::Console<'_> {
    /// Takes a virtual machine out of the inventory; its files stay.
    ///
    /// # Errors
    /// See [`super::console::Console`].
    pub fn unregister_vm(&self, vm: &str) -> Result<(), String> {
        self.on_vm(vm, |apply, id| apply.unregister(id))
    }
    /// Registers one again that was taken out, on the host it was on.
    ///
    /// # Errors
    /// See [`super::console::Console`].
    pub fn register_vm(&self, vm: &str) -> Result<(), String> {
        let known = self.left(vm);
        let (path, host) = known.ok_or_else(|| format!("nobody took a virtual machine {vm} out"))?;
        let made = self.apply(|apply| apply.register(&path, None, Some(host)).map(drop));
        made.map_err(|fault| format!("{vm}: {fault}"))
    }

    /// Copies a virtual machine's configuration and registers the copy as if it had been moved: it has the same
    /// instance UUID, no disks, and is off.
    ///
    /// # Errors
    /// See [`super::console::Console`].
    pub fn copy_vm(&self, vm: &str, name: &str) -> Result<(), String> {
        self.on_vm(vm, |apply, id| {
            let Some(known) = apply.model.vms.get(&id) else { return Ok(()) };
            let (host, instance_uuid) = (known.host, known.instance_uuid.clone());
            let store = known.vmx.split(']').next().unwrap_or_default();
            let vm_path = Some(format!("{store}] {name}/{name}.vmx"));
            let instance_uuid = Some(instance_uuid);
            let spec =
                VmConfigSpec { name: Some(name.to_owned()), vm_path, instance_uuid, ..Default::default() };
            apply.create_vm(&spec, Some(host)).map(drop)
        })
    }
    /// Gives a virtual machine an instance UUID that no other one has: its BIOS UUID (P40).
    ///
    /// # Errors
    /// See [`Console`].
    pub fn own_instance_uuid(&self, vm: &str) -> Result<(), String> {
        self.on_vm(vm, |apply, id| {
            let own = apply.model.vms.get(&id).map(|vm| vm.uuid.clone());
            apply.reconfigure(id, &VmConfigSpec { instance_uuid: own, ..Default::default() })
        })
    }
}
