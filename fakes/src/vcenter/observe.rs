//! What can be seen of the inventory from outside, for comparing runs.

use super::Vcenter;
use super::model::{Model, Vm};
use failback_replication::disk::Disk;
use failback_wire::ids::VmdkUuid;
use serde_json::{Value, json};
use std::collections::BTreeSet;

impl Vcenter {
    /// All that can be seen of the inventory, in a fixed order: twin runs are compared by it. Times and
    /// counters that a mere read or a refused request may move are left out.
    pub fn observe(&self) -> Value {
        let state = self.lock();
        let model = &state.model;
        let idle = self.config.session_idle;
        let open = state.sessions.values().filter(|s| state.now().since(s.last) < idle).count();
        let hosts = model.hosts.iter().map(|(id, h)| {
            let free = h.memory_mb.saturating_sub(model.used_mb(*id));
            json!({
                "name": h.name,
                "connected": h.connected,
                "memory_mb": h.memory_mb,
                "free_mb": free,
                "licence": h.licence,
            })
        });
        let datastores = model.datastores.values().map(|d| {
            json!({
                "name": d.name,
                "type": d.kind,
                "capacity": d.capacity,
                "free": d.free,
                "access": d.access,
                "by_host": d.by_host,
            })
        });
        let vmdks = model.vmdks.iter().map(|(path, v)| {
            json!({
                "path": path,
                "uuid": v.uuid,
                "bytes": v.disk.bytes(),
                "parent": v.parent,
                "root": v.disk.root_hash(),
            })
        });
        let tasks = model.tasks.values().filter(|t| !t.ended());
        let tasks = tasks.map(|t| json!({ "method": t.method, "entity": t.entity_name }));
        json!({
            "service_up": model.service_up,
            "flavor": self.config.flavor,
            "hosts": hosts.collect::<Vec<_>>(),
            "datastores": datastores.collect::<Vec<_>>(),
            "vms": model.vms.values().map(|vm| seen(model, vm)).collect::<Vec<_>>(),
            "unregistered": model.unregistered.keys().collect::<Vec<_>>(),
            "vmdks": vmdks.collect::<Vec<_>>(),
            "sessions": open,
            "running_tasks": tasks.collect::<Vec<_>>(),
        })
    }
}

fn seen(model: &Model, vm: &Vm) -> Value {
    let disks = vm.hardware.disks.iter().map(|d| {
        let uuid = model.vmdks.get(&d.path).map(|v| v.uuid.clone());
        json!({ "key": d.key, "path": d.path, "uuid": uuid })
    });
    let snapshots = vm.snapshots.values().map(|s| s.name.as_str());
    let current = vm.current.and_then(|id| vm.snapshots.get(&id)).map(|s| s.name.as_str());
    json!({
        "name": vm.name,
        "uuid": vm.uuid,
        "host": model.hosts.get(&vm.host).map(|h| h.name.as_str()),
        "powered_on": vm.powered,
        "shutting_down": vm.shutting_down.is_some(),
        "memory_mb": vm.hardware.memory_mb,
        "extra": vm.hardware.extra,
        "controllers": vm.hardware.controllers.values().map(|c| c.kind).collect::<Vec<_>>(),
        "disks": disks.collect::<Vec<_>>(),
        "snapshots": snapshots.collect::<Vec<_>>(),
        "current_snapshot": current,
    })
}

/// A virtual machine as the inventory lists it, for the oracle's plain observations.
#[derive(Clone, Debug)]
pub struct VmSeen {
    /// What the world calls it: the name it began with.
    pub name: String,
    /// Whether it has power.
    pub on: bool,
    /// UUIDs of its disks, in the order of their units.
    pub disks: Vec<VmdkUuid>,
    /// Names of its snapshots.
    pub snapshots: Vec<String>,
}

impl Vcenter {
    /// All registered virtual machines.
    pub fn vms(&self) -> Vec<VmSeen> {
        let state = self.lock();
        let model = &state.model;
        let seen = |vm: &Vm| VmSeen {
            name: vm.known_as.clone(),
            on: vm.powered,
            disks: vm
                .hardware
                .disks
                .iter()
                .filter_map(|d| Some(model.vmdks.get(&d.path)?.uuid.clone()))
                .collect(),
            snapshots: vm.snapshots.values().map(|s| s.name.clone()).collect(),
        };
        model.vms.values().map(seen).collect()
    }
    /// All VMDKs with the content a guest would read: of the file that a machine holds, else of the last delta.
    pub fn vmdks(&self) -> Vec<(VmdkUuid, Disk)> {
        let state = self.lock();
        let held = state.model.held();
        let uuids: BTreeSet<_> = state.model.vmdks.values().map(|v| &v.uuid).collect();
        let live = |uuid: &VmdkUuid| {
            let leaf = held.get(uuid).copied().or_else(|| state.model.last_delta(uuid))?;
            Some((uuid.clone(), leaf.disk.clone()))
        };
        uuids.into_iter().filter_map(live).collect()
    }
    /// Unfinished tasks: what nobody should leave behind. Those that are stuck are vCenter's own affair.
    pub fn unfinished(&self) -> Vec<String> {
        let state = self.lock();
        let stuck: Vec<_> = state.model.tasks.values().filter(|t| t.is_stuck()).map(|t| &t.entity).collect();
        let tasks = state.model.tasks.values().filter(|t| !t.ended() && !stuck.contains(&&t.entity));
        tasks.map(|t| format!("vCenter task {} on {}", t.method, t.entity_name)).collect()
    }
    /// How many sessions are open: nobody should leave one behind.
    pub fn open_sessions(&self) -> usize {
        let state = self.lock();
        let idle = self.config.session_idle;
        state.sessions.values().filter(|s| state.now().since(s.last) < idle).count()
    }
    /// Its host name.
    pub fn host(&self) -> &str {
        &self.config.host
    }
}
