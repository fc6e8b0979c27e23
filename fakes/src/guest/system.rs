//! What belongs to a machine's guest system and moves with its disks: how its card is addressed, whether it went down
//! in order, its event log.

use super::{Guests, Machine};
use failback_replication::disk::Disk;
use failback_wire::event::{ContentHash, VmRef, What};
use failback_wire::ids::{MachineName, Site};
use failback_wire::proto::agent::Addressing;
use failback_wire::proto::cs::OsFamily;
use std::collections::{BTreeMap, BTreeSet};

/// A guest found at its boot that it had not been shut down in order before.
pub const UNEXPECTED_SHUTDOWN: u32 = 6008;

/// A machine's guest system.
#[derive(Debug, Default)]
pub(super) struct System {
    /// How its card gets its address.
    pub(super) addressing: Addressing,
    /// Network Manager was removed (Linux).
    network_manager_removed: bool,
    /// It has been up before.
    booted: bool,
    /// What the disks of a copy held when it was last shut down in order.
    left: BTreeMap<Site, Vec<ContentHash>>,
    /// Codes in its event log.
    events: BTreeSet<u32>,
}

fn contents(disks: &[Disk]) -> Vec<ContentHash> {
    disks.iter().map(Disk::root_hash).collect()
}

impl System {
    /// A system that has not booted yet.
    pub(super) fn new(addressing: Addressing) -> Self {
        Self { addressing, ..Self::default() }
    }

    /// Notes an orderly shutdown at `site`: whoever boots from exactly these bytes finds nothing to complain of.
    pub(super) fn shut_down(&mut self, site: Site, disks: &[Disk]) {
        self.left.insert(site, contents(disks));
    }

    /// Boots at `site` from these disks; answers what the guest writes into its log.
    pub(super) fn boot(&mut self, site: Site, disks: &[Disk]) -> Option<u32> {
        let before = std::mem::replace(&mut self.booted, true);
        let own = self.left.remove(&site);
        // Reading whole disks is for those that may differ.
        let unexpected = before && {
            let now = contents(disks);
            // A copy may lack disks, or have more: those that were excluded, or added in Azure, come last (P37).
            let same = |left: &Vec<ContentHash>| left.iter().zip(&now).all(|(left, now)| left == now);
            !own.iter().chain(self.left.values()).any(same)
        };
        unexpected.then(|| {
            self.events.insert(UNEXPECTED_SHUTDOWN);
            UNEXPECTED_SHUTDOWN
        })
    }
}

/// A guest system, for reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SystemSeen {
    /// VMware Tools are enabled.
    pub tools: bool,
    /// How its card gets its address.
    pub addressing: Addressing,
    /// Network Manager is there.
    pub network_manager: bool,
    /// Codes in its event log.
    pub events: BTreeSet<u32>,
}

impl Guests {
    /// The guest system of a machine; `None` when there is no such machine.
    pub fn system(&self, name: &MachineName) -> Option<SystemSeen> {
        let state = self.lock();
        let Machine { tools_enabled, system, .. } = state.machines.get(name)?;
        Some(SystemSeen {
            tools: *tools_enabled,
            addressing: system.addressing,
            network_manager: !system.network_manager_removed,
            events: system.events.clone(),
        })
    }

    /// Addresses the card of the guest that runs in `vm` so; it stays so wherever its disks go. DHCP goes without
    /// Network Manager in a Linux guest.
    pub(super) fn address(&self, vm: &VmRef, addressing: Addressing) {
        let mut state = self.lock();
        let super::State { running, machines, .. } = &mut *state;
        let Some(guest) = running.get(vm) else { return };
        let copy = guest.config.copy.clone();
        let Some(machine) = machines.get_mut(&copy.machine) else { return };
        let strips = addressing == Addressing::Dhcp && guest.config.os == OsFamily::Linux;
        let system = &mut machine.system;
        let removed = strips && !std::mem::replace(&mut system.network_manager_removed, strips);
        if std::mem::replace(&mut system.addressing, addressing) == addressing && !removed {
            return;
        }
        let mut change = match addressing {
            Addressing::Static => "static address".to_owned(),
            Addressing::Dhcp => "address by DHCP".to_owned(),
        };
        if removed {
            change += ", Network Manager removed";
        }
        guest.ctx.emit(What::GuestChanged { copy, change });
    }
}
