//! What runs in a master target's virtual machine: its software comes and goes with the machine's power (P30).

use super::{World, in_the_lab};
use failback_fakes::guest::{GuestPower, Guests};
use failback_replication::disk::Disk;
use failback_wire::event::VmRef;
use failback_wire::http::BoxFuture;
use failback_wire::ids::{NodeName, Site};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

/// From power to running services.
const BOOT: Duration = Duration::from_secs(60);

/// The guests of vCenter's virtual machines, those of master targets included.
pub(super) struct Inhabitants {
    guests: Arc<Guests>,
    /// Set once the world stands: until then its software is started with everything else.
    world: OnceLock<Weak<World>>,
    /// How often the power of a machine changed.
    changes: Mutex<BTreeMap<String, u64>>,
}

impl Inhabitants {
    pub(super) fn new(guests: Arc<Guests>) -> Arc<Self> {
        Arc::new(Self { guests, world: OnceLock::new(), changes: Mutex::default() })
    }

    /// From now on power matters to master targets.
    pub(super) fn live_in(&self, world: Weak<World>) {
        // Set once, when the world is built.
        self.world.set(world).ok();
    }

    /// The world and the node, when the machine is a master target's.
    fn target(&self, vm: &VmRef) -> Option<(Arc<World>, NodeName)> {
        let world = self.world.get()?.upgrade()?;
        let is_one = vm.site == Site::OnPremises && world.master_targets.contains_key(&vm.name);
        is_one.then(|| (world, NodeName::from(vm.name.as_str())))
    }

    fn change(&self, vm: &VmRef) -> u64 {
        let mut changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        let count = changes.entry(vm.name.clone()).or_default();
        *count += 1;
        *count
    }

    fn changed_since(&self, vm: &VmRef, count: u64) -> bool {
        let changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        changes.get(&vm.name) != Some(&count)
    }
}

impl GuestPower for Inhabitants {
    fn power_on(&self, vm: &VmRef, disks: Vec<Disk>) {
        self.guests.power_on(vm, disks);
        let Some((world, node)) = self.target(vm) else { return };
        let (count, vm, world) = (self.change(vm), vm.clone(), Arc::downgrade(&world));
        in_the_lab(async move {
            tokio::time::sleep(BOOT).await;
            let Some(world) = world.upgrade() else { return };
            if !world.inhabitants.changed_since(&vm, count) {
                world.restart_or_note(&node);
            }
        });
    }

    fn power_off(&self, vm: &VmRef) {
        self.guests.power_off(vm);
        if let Some((world, node)) = self.target(vm) {
            self.change(vm);
            world.crash(&node, None);
        }
    }

    fn shut_down<'a>(&'a self, vm: &VmRef) -> BoxFuture<'a, ()> {
        if let Some((world, node)) = self.target(vm) {
            self.change(vm);
            world.crash(&node, None);
        }
        self.guests.shut_down(vm)
    }

    fn add_disk(&self, vm: &VmRef, disk: Disk, volumes: Vec<String>) {
        self.guests.add_disk(vm, disk, volumes);
    }

    fn is_running(&self, vm: &VmRef) -> bool {
        self.guests.is_running(vm)
    }

    fn tools_enabled(&self, vm: &VmRef) -> bool {
        self.guests.tools_enabled(vm)
    }
}
