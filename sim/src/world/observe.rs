//! Plain observations of the world, read off the fakes and not off what the product believes.

use super::World;
use crate::scenario::inventory;
use failback_fakes::guest::SystemSeen;
use failback_oracle::{DiskSeen, ItemSeen, Observation, ReadBlocks, VmSeen};
use failback_orchestrator::journal::Job;
use failback_orchestrator::service::Orchestrator;
use failback_replication::disk::Disk;
use failback_wire::clock::VirtualMs;
use failback_wire::event::{DiskRef, VmRef};
use failback_wire::ids::{MachineName, NodeName, SessionId, Site};
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) fn disk_seen(disk: DiskRef, content: Disk) -> DiskSeen {
    let blocks = content.blocks();
    let read: ReadBlocks = Arc::new(move |each| {
        for (block, page) in content.allocated() {
            each(block, page.bytes());
        }
    });
    DiskSeen { disk, blocks, content: read }
}

impl World {
    /// What the oracle judges at rest and at the end.
    pub fn observation(&self) -> Observation {
        // A master target's first disk is its own, whatever UUID a template gave it (P26).
        let own = |name: &str| usize::from(self.master_targets.contains_key(name));
        let on_premises = self.vcenters().flat_map(|vcenter| vcenter.vms()).map(|vm| VmSeen {
            disks: vm.disks.into_iter().skip(own(&vm.name)).map(DiskRef::Vmdk).collect(),
            vm: VmRef { site: Site::OnPremises, name: vm.name },
            on: vm.on,
            snapshots: vm.snapshots,
        });
        let in_azure = self.azure.vms().into_iter().map(|(name, on)| VmSeen {
            disks: self.azure.vm_disks(&name).into_iter().map(|(disk, _)| DiskRef::Managed(disk)).collect(),
            vm: VmRef { site: Site::Azure, name },
            on,
            snapshots: Vec::new(),
        });
        let vmdks = self.vcenters().flat_map(|vcenter| vcenter.vmdks());
        let vmdks = vmdks.map(|(uuid, d)| disk_seen(DiskRef::Vmdk(uuid), d));
        let managed = self.azure.disks().into_iter().map(|(name, d)| disk_seen(DiskRef::Managed(name), d));
        let product = self.product().clone();
        let jobs = product.as_ref().map(|product| product.open_jobs());
        let (metal, metal_disks) = self.metal_seen();
        let mut leftovers = self.azure.leftovers();
        leftovers.extend(self.vcenters().flat_map(|vcenter| vcenter.unfinished()));
        let open: usize = self.vcenters().map(|vcenter| vcenter.open_sessions()).sum();
        if open > 0 && !self.lost_a_session() {
            leftovers.push(format!("{open} open vCenter sessions"));
        }
        let answered =
            self.master_targets.values().filter(|mt| self.net.last_trouble(&mt.config().host).is_none());
        let sessions = answered.flat_map(|mt| mt.sessions()).collect();
        Observation {
            vms: on_premises.chain(metal).chain(in_azure).collect(),
            disks: vmdks.chain(metal_disks).chain(managed).collect(),
            items: self.items(product.as_deref()),
            open_jobs: jobs.unwrap_or_default(),
            leftovers,
            sessions,
            asked_in_vain: self.asked_in_vain(),
        }
    }

    /// Sessions whose target's host was asked in vain, and when last.
    fn asked_in_vain(&self) -> Vec<(SessionId, VirtualMs)> {
        let targets = self.master_targets.values().map(|mt| (mt.config().host.clone(), mt.sessions()));
        let azure = (self.azure.config().replication_host.clone(), self.azure.sessions());
        let told =
            targets.chain([azure]).filter_map(|(host, ids)| Some((self.net.last_trouble(&host)?, ids)));
        told.flat_map(|(last, ids)| ids.into_iter().map(move |id| (id, last))).collect()
    }

    fn items(&self, product: Option<&Orchestrator>) -> Vec<ItemSeen> {
        // Nobody is shown what a product that is down last knew, and it looks anew before it answers anybody.
        let up = self.net.is_up(&NodeName::from(inventory::ORCHESTRATOR));
        let Some(product) = product.filter(|product| up && product.is_serving()) else { return Vec::new() };
        let mut items = product.items_now();
        let one = |item: &MachineName| {
            let now = items.remove(item)?;
            let allowed = now.allowed.iter().map(|operation| operation.as_str().to_owned()).collect();
            let state = now.state.as_str().to_owned();
            Some(ItemSeen { item: item.clone(), state, allowed, points: now.points })
        };
        self.machines.iter().filter_map(one).collect()
    }

    /// The product's jobs in the order in which they were accepted, as its journal tells them.
    pub fn jobs(&self) -> Vec<Job> {
        self.product().as_ref().map(|product| product.jobs()).unwrap_or_default()
    }

    /// True when an operation on the item failed past its point of no return and no further attempt brought
    /// it to its end yet.
    pub fn is_halfway(&self, item: &MachineName) -> bool {
        self.product().as_ref().is_some_and(|product| product.is_halfway(item))
    }

    /// How many disks hang on the virtual machine of this name in vCenter.
    pub fn disks_at_home(&self, vm: &str) -> u32 {
        let found = self.vcenter.vms().into_iter().find(|seen| seen.name == vm);
        found.map_or(0, |seen| u32::try_from(seen.disks.len()).unwrap_or(u32::MAX))
    }

    /// How many managed disks bear a machine's name in front of their own.
    pub fn managed_disks(&self, vm: &str) -> u32 {
        let (seen, prefix) = (self.azure.observe(), format!("{vm}-"));
        let names = seen["disks"].as_object().into_iter().flat_map(|disks| disks.keys());
        u32::try_from(names.filter(|name| name.starts_with(&prefix)).count()).unwrap_or(u32::MAX)
    }

    /// Power of a virtual machine; `None` when there is none.
    pub fn power(&self, vm: &VmRef) -> Option<bool> {
        match vm.site {
            Site::OnPremises => {
                let mut vms = self.vcenters().flat_map(|vcenter| vcenter.vms());
                let found = vms.find(|v| v.name == vm.name).map(|v| v.on);
                found.or_else(|| self.metal_power(vm))
            }
            Site::Azure => self.azure.vms().into_iter().find(|(name, _)| *name == vm.name).map(|(_, on)| on),
        }
    }

    /// A machine's guest system.
    pub fn guest_system(&self, machine: &MachineName) -> Option<SystemSeen> {
        self.guests.system(machine)
    }

    /// Which way the machine replicates, as its row at the configuration server says; `None` without a row.
    pub fn row(&self, machine: &str) -> Option<String> {
        let rows = &self.cs.observe()["database"]["machines"];
        let found = rows.as_array()?.iter().find(|row| row["machine"] == machine)?;
        Some(found["direction"].as_str()?.to_owned())
    }

    /// Everything that a twin run must share: all inventories, servers, guests and items.
    pub fn observe(&self) -> Value {
        let servers = self.process_servers.iter().map(|(id, s)| (id.clone(), s.observe()));
        let targets = self.master_targets.iter().map(|(id, s)| (id.clone(), s.observe()));
        let mut product = self.product().as_ref().map(|p| p.observe()).unwrap_or_default();
        for item in product["items"].as_object_mut().into_iter().flat_map(|items| items.values_mut()) {
            // What the monitor happens to have seen by now is knowledge, not state.
            for seen in ["points", "health", "healthErrors"] {
                item[seen] = Value::Null;
            }
            // Offered while the health that was seen last is critical.
            if let Some(allowed) = item["allowed"].as_array_mut() {
                allowed.retain(|operation| operation != "RepairReplication");
            }
        }
        json!({
            inventory::VCENTER: self.vcenter.observe(),
            inventory::ALTERNATE_VCENTER: self.alternate.as_ref().map(|other| other.observe()),
            inventory::AZURE: self.azure.observe(),
            inventory::CONFIGURATION_SERVER: self.cs.observe(),
            "servers": servers.chain(targets).collect::<serde_json::Map<_, _>>(),
            "guests": self.guests.observe(),
            "items": product["items"],
        })
    }
}
