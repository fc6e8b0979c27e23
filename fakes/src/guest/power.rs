//! The seam between an inventory (vCenter, Azure) and the guests inside its virtual machines: the
//! hypervisor pulls the plug, presses the button, and asks whether anyone is in.

use crate::net::Reach;
use failback_replication::disk::Disk;
use failback_wire::event::VmRef;
use failback_wire::http::BoxFuture;

/// Whether a system boots in Azure (C4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fitness {
    /// As it is.
    Fit,
    /// Once it is prepared.
    Needy,
    /// It cannot be prepared; why.
    Hopeless(String),
}

/// What an inventory does to, and asks of, the guest of a virtual machine it lists.
///
/// None of the calls emits `PowerChanged`: that is the inventory's own event.
pub trait GuestPower: Send + Sync {
    /// The virtual machine is powered on with these disks, in its own order. Nothing happens when it already
    /// runs. A machine nobody registered (a master target, a foreign machine) is just marked running.
    fn power_on(&self, vm: &VmRef, disks: Vec<Disk>);
    /// Power is cut: the guest writes nothing more from this instant on. Idempotent.
    fn power_off(&self, vm: &VmRef);
    /// The guest is asked to shut down; ends when it is down (at once when it does not run), or after four
    /// minutes when it hangs: it then still [runs](Self::is_running). Dropping the future does not stop the
    /// shutdown.
    fn shut_down<'a>(&'a self, vm: &VmRef) -> BoxFuture<'a, ()>;
    /// The running machine gets one more disk, with volumes of these labels on it.
    fn add_disk(&self, vm: &VmRef, disk: Disk, volumes: Vec<String>) {
        let _ = (vm, disk, volumes);
    }
    /// What the machine's network lets it reach from now on.
    fn set_reach(&self, vm: &VmRef, reach: Reach) {
        let _ = (vm, reach);
    }
    /// Prepares the system on the machine's disks for Azure (C4); fine as it is when nobody knows better.
    fn prepare(&self, vm: &VmRef) -> Fitness {
        let _ = vm;
        Fitness::Fit
    }
    /// True from power-on (booting included) to the end of power.
    fn is_running(&self, vm: &VmRef) -> bool;
    /// True while the guest system is up and answers, which the hypervisor's agent in it reports.
    fn answers(&self, vm: &VmRef) -> bool {
        self.is_running(vm)
    }
    /// True when VMware Tools are enabled in the machine's guest system. They *run* only when the machine
    /// runs on VMware. Machines nobody registered have them.
    fn tools_enabled(&self, vm: &VmRef) -> bool;
}
