//! Physical machines: no vCenter knows them, and only a person at the machine itself has its power (P35).

use super::{GuestPower, Guests};
use failback_replication::disk::Disk;
use failback_wire::event::{Actor, VmRef, What};
use failback_wire::ids::{MachineCopy, Site};
use failback_wire::proto::agent::Hardware;

/// What a physical machine is made of.
#[derive(Clone, Debug)]
pub struct Metal {
    /// As its agent describes it.
    pub hardware: Hardware,
    /// Its disks, in its own order.
    pub disks: Vec<Disk>,
}

impl Guests {
    /// A person switches a physical machine on, or pulls its plug. Nothing happens to one that is so already.
    ///
    /// # Errors
    /// When there is no such machine, or it is not a physical one.
    pub fn switch(&self, machine: &str, on: bool, by: Actor) -> Result<(), String> {
        let copy = MachineCopy::new(machine, Site::OnPremises);
        let vm = self.vm_of(&copy).ok_or_else(|| format!("there is no machine {machine}"))?;
        let metal = self.lock().guests.get(&vm).and_then(|config| config.metal.clone());
        let metal = metal.ok_or_else(|| format!("{machine} is not a physical machine"))?;
        if self.is_switched_on(&vm) == on {
            return Ok(());
        }
        if on {
            self.lock().on_metal.insert(vm.clone());
            self.power_on(&vm, metal.disks);
            self.tell_power(&vm, true, by);
        } else {
            self.tell_power(&vm, false, by);
            self.power_off(&vm);
            self.lock().on_metal.remove(&vm);
        }
        Ok(())
    }

    /// True while the physical machine of this name is on.
    pub fn is_switched_on(&self, vm: &VmRef) -> bool {
        self.lock().on_metal.contains(vm)
    }

    fn tell_power(&self, vm: &VmRef, on: bool, by: Actor) {
        let ctx = self.lock().running.get(vm).map(|guest| guest.ctx.clone());
        if let Some(ctx) = ctx {
            ctx.emit(What::PowerChanged { vm: vm.clone(), on, by });
        }
    }
}
