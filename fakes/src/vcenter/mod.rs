//! vCenter, faithful in state as well as in shape: virtual machines, hosts, datastores, and a registry of
//! VMDKs that owns their content, UUID, parent chain and lock.
//!
//! `model` is plain data; `operation` and its siblings change it, whole or not at all, and say what that
//! does to the world; `props` derives every property from it; `api` and `methods` are the wire.

mod api;
mod collector;
mod config;
mod console;
mod discovery;
mod disks;
mod faults;
mod guests;
mod inventory;
mod licence;
mod methods;
mod model;
mod observe;
mod operation;
mod power;
mod props;
mod reconfig;
mod refusal;
mod requests;
mod session;
mod snapshot;
mod tasks;
mod vms;
mod wait;

pub use config::{
    DatastoreAccess, DatastoreConfig, DatastoreKind, Flavor, HostConfig, Hypervisor, Licence, Privileges,
    ScsiController, TaskTimes, UserConfig, VcenterConfig, VmConfig, VmDiskConfig,
};
pub use console::Console;
pub use discovery::Newcomer;
pub use faults::VcenterFault;
pub use guests::GuestPower;
pub use observe::VmSeen;

use crate::net::Network;
use failback_replication::disk::Disk;
use failback_wire::clock::VirtualMs;
use failback_wire::event::{Actor, DiskRef, What};
use failback_wire::ids::VmdkUuid;
use failback_wire::node::Ctx;
use model::Model;
use operation::{Applied, Apply, Effect};
use props::Eyes;
use session::Session;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// A vCenter: its inventory outlives its software.
pub struct Vcenter {
    config: VcenterConfig,
    guests: Arc<dyn GuestPower>,
    state: Mutex<State>,
    /// Rings whenever the inventory, a task or a session changed.
    changed: Notify,
}

struct State {
    model: Model,
    /// The accounts as they are now.
    users: Vec<UserConfig>,
    sessions: BTreeMap<String, Session>,
    /// Of the last boot.
    ctx: Option<Ctx>,
}

impl State {
    fn now(&self) -> VirtualMs {
        self.ctx.as_ref().map_or(VirtualMs(0), Ctx::now)
    }
}

impl Vcenter {
    /// A vCenter whose software does not run yet.
    pub fn new(config: VcenterConfig, guests: Arc<dyn GuestPower>) -> Arc<Self> {
        let (model, users) = (Model::new(&config), config.users.clone());
        let state = State { model, users, sessions: BTreeMap::new(), ctx: None };
        Arc::new(Self { config, guests, state: Mutex::new(state), changed: Notify::new() })
    }

    /// Starts its software: binds its host name under `ctx.fence`. The first time the world is told what
    /// there is and the guests of running machines boot; after a crash unfinished tasks go on and all
    /// sessions are gone.
    pub fn boot(self: &Arc<Self>, ctx: Ctx, net: &dyn Network) {
        let (first, unfinished, going_down) = {
            let mut state = self.lock();
            let first = state.ctx.is_none();
            state.ctx = Some(ctx.clone());
            state.sessions.clear();
            let tasks = state.model.tasks.iter().filter(|(_, t)| !t.ended());
            let tasks: Vec<u64> = tasks.map(|(id, _)| *id).collect();
            let vms = state.model.vms.iter().filter(|(_, vm)| vm.shutting_down.is_some());
            (first, tasks, vms.map(|(id, _)| *id).collect::<Vec<u64>>())
        };
        net.bind(&self.config.host, ctx.fence.clone(), api::router(Arc::clone(self)));
        if first {
            self.tell_setup();
        }
        for task in unfinished {
            ctx.spawn(Arc::clone(self).run_task(ctx.clone(), task));
        }
        for vm in going_down {
            ctx.spawn(Arc::clone(self).await_shutdown(vm));
        }
        self.changed.notify_waiters();
    }

    /// Tells what there is when the run begins and lets the guests of running machines boot.
    fn tell_setup(&self) {
        let mut effects = Vec::new();
        // A clone's disk bears a UUID that is taken (P26): the world is told of the original only.
        let mut told = BTreeSet::new();
        let by = Actor::Setup;
        let state = self.lock();
        for (id, vm) in state.model.vms.iter() {
            let name = vm.reference();
            effects.push(Effect::Emit(What::VmCreated { vm: name.clone(), by }));
            let disks = state.model.scsi(*id);
            for (uuid, _) in disks.iter().filter(|(uuid, _)| told.insert(uuid.clone())) {
                let disk = DiskRef::Vmdk(uuid.clone());
                effects.push(Effect::Emit(What::DiskCreated { disk: disk.clone(), by }));
                effects.push(Effect::Emit(What::DiskAttached { disk, vm: name.clone(), by }));
            }
            if vm.powered {
                effects.push(Effect::Emit(What::PowerChanged { vm: name.clone(), on: true, by }));
                effects.push(Effect::GuestOn(name, disks.into_iter().map(|(_, d)| d).collect()));
            }
        }
        drop(state);
        self.perform(effects);
    }

    /// The disks attached to a virtual machine now, as its guest sees them, in the order of their units;
    /// none when there is no such machine.
    pub fn scsi(&self, vm: &str) -> Vec<(VmdkUuid, Disk)> {
        let state = self.lock();
        state.model.vm_named(vm).map(|id| state.model.scsi(id)).unwrap_or_default()
    }

    /// The same as far as its host may write to them now (P24).
    pub fn within_reach(&self, vm: &str) -> Vec<(VmdkUuid, Disk)> {
        let state = self.lock();
        state.model.vm_named(vm).map(|id| state.model.within_reach(id)).unwrap_or_default()
    }

    /// Memory in MiB and processor cores of a virtual machine.
    pub fn hardware(&self, vm: &str) -> Option<(u64, i32)> {
        let state = self.lock();
        let vm = state.model.vm_named(vm).and_then(|id| state.model.vms.get(&id))?;
        Some((vm.hardware.memory_mb, vm.hardware.cpus))
    }

    /// The content of a VMDK, attached or not.
    pub fn disk(&self, uuid: &VmdkUuid) -> Option<Disk> {
        self.lock().model.leaf(uuid).map(|v| v.disk.clone())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Applies a change on behalf of `by`, then carries out what it does to the world.
    fn apply<T>(&self, by: Actor, change: impl FnOnce(&mut Apply<'_>) -> Applied<T>) -> Applied<T> {
        let (result, effects) = {
            let mut state = self.lock();
            let now = state.now();
            let env = state.ctx.as_ref().map(|ctx| ctx.env);
            let mut apply = Apply { model: &mut state.model, by, now, env, effects: Vec::new() };
            let result = change(&mut apply);
            let effects = std::mem::take(&mut apply.effects);
            (result, effects)
        };
        self.perform(effects);
        self.changed.notify_waiters();
        result
    }

    /// Asks whether a change would be allowed, and changes nothing.
    fn look<T>(&self, state: &mut State, ask: impl FnOnce(&Apply<'_>) -> Applied<T>) -> Applied<T> {
        let (now, env) = (state.now(), state.ctx.as_ref().map(|ctx| ctx.env));
        let by = Actor::Operator;
        ask(&Apply { model: &mut state.model, by, now, env, effects: Vec::new() })
    }

    /// The world is told even when vCenter's own software is dead: what happens, happens on its hosts.
    fn perform(&self, effects: Vec<Effect>) {
        let ctx = self.lock().ctx.clone();
        for effect in effects {
            match effect {
                Effect::Emit(what) => {
                    if let Some(ctx) = &ctx {
                        ctx.events.emit(ctx.now(), ctx.node(), what);
                    }
                }
                Effect::GuestOn(vm, disks) => self.guests.power_on(&vm, disks),
                Effect::GuestOff(vm) => self.guests.power_off(&vm),
                Effect::GuestDisk(vm, disk) => self.guests.add_disk(&vm, disk, Vec::new()),
            }
        }
    }

    /// What a session sees; `None` when there is no such session.
    fn eyes<'a>(&'a self, state: &'a State, session: &str) -> Option<Eyes<'a>> {
        let clock = state.ctx.as_ref().map(|ctx| ctx.clock)?;
        Some(Eyes {
            model: &state.model,
            sessions: &state.sessions,
            session: state.sessions.get(session)?,
            clock,
            guests: self.guests.as_ref(),
        })
    }
}
