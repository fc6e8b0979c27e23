//! The guests: what runs inside the virtual machines of both sites. Each has a workload that writes until
//! its power goes, a mobility agent that registers and replicates, and VMware Tools.
//!
//! A guest is a node of its own (`web01@azure`); power-on starts a new epoch of it, power-off kills that
//! epoch on the spot. What belongs to the machine and moves with its disks (are Tools enabled, does the
//! writer of shadow copies work) is kept per machine, not per copy.

mod agent;
mod content;
mod copying;
mod faults;
mod fitness;
mod labels;
mod lifecycle;
mod metal;
mod power;
mod replication;
mod services;
mod system;
mod workload;

pub use content::{fill, written_page};
pub use faults::{GuestFault, GuestSite};
pub use fitness::{BootConfig, BootDriver, DriverStart};
pub use metal::Metal;
pub use power::{Fitness, GuestPower};
pub use replication::{Quiesce, Replicator};
pub use services::AgentService;
pub use system::{SystemSeen, UNEXPECTED_SHUTDOWN};
pub use workload::Workload;

use crate::net::Network;
use axum::Router;
use failback_replication::disk::Disk;
use failback_wire::event::{VmRef, What};
use failback_wire::ids::{DiskId, MachineCopy, MachineName, SessionId, Site};
use failback_wire::node::Ctx;
use failback_wire::proto::agent::Addressing;
use failback_wire::proto::cs::OsFamily;
use failback_wire::proto::session::SessionSpec;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use tokio::sync::watch;
use tokio::time::Duration;

/// The most blocks one burst may write on each disk.
pub const MAX_BURST: u32 = 65_536;

/// One copy of a protected machine, as the lab sets it up.
#[derive(Clone, Debug)]
pub struct GuestConfig {
    /// Which machine, on which side.
    pub copy: MachineCopy,
    /// Operating system family.
    pub os: OsFamily,
    /// Version of that, if anybody says (P15).
    pub os_version: Option<String>,
    /// How its card gets its address when it is first registered.
    pub addressing: Addressing,
    /// Where its agent listens.
    pub address: String,
    /// Tells the agent of this copy from that of the other (C14).
    pub host_id: String,
    /// The configuration server's address, the only one the agent ever knows (P4).
    pub cs_address: String,
    /// The configuration server's passphrase.
    pub passphrase: String,
    /// Mobility agent's version, as long as it is not an older one.
    pub agent_version: String,
    /// The older version that was installed first, until somebody updates it.
    pub old_agent: Option<String>,
    /// Ids of the disks it was installed with, in the order of the virtual machine's disks.
    pub disk_ids: Vec<DiskId>,
    /// Disks that the system reaches over iSCSI, the last of `disk_ids`, for as long as the virtual machine has none in
    /// their place (P37).
    pub iscsi: Vec<Disk>,
    /// From boot to registration; `None` draws 2 to 14 minutes at every boot (C7: at most 15).
    pub registration_delay: Option<Duration>,
    /// From power-on until the guest is up.
    pub boot_time: Duration,
    /// How its system would boot in Azure when the world begins (C4).
    pub boot: BootConfig,
    /// What it keeps writing.
    pub workload: Workload,
    /// Bytes of writes that its agent keeps in order; beyond, it only marks what changes (E14).
    pub change_log: usize,
    /// It begins as a physical machine, not as a virtual one.
    pub metal: Option<Metal>,
}

/// All guests of a world, and the power of virtual machines that have no guest of ours.
pub struct Guests {
    net: Arc<dyn Network>,
    me: Weak<Self>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    guests: BTreeMap<VmRef, Arc<GuestConfig>>,
    running: BTreeMap<VmRef, Running>,
    /// Physical machines that are switched on.
    on_metal: BTreeSet<VmRef>,
    /// Running virtual machines nobody registered.
    foreign: BTreeSet<VmRef>,
    machines: BTreeMap<MachineName, Machine>,
    /// Services of agents that do not run, and how they start again.
    stopped: BTreeMap<(MachineCopy, AgentService), services::Start>,
    /// What the agent of a copy that is down was feeding; it takes that up at its next boot.
    sessions: BTreeMap<MachineCopy, SessionSpec>,
    /// Which disk is which in each virtual machine.
    labels: BTreeMap<VmRef, labels::Labels>,
    /// The disks that a copy replicated last, as long as it is down.
    replicated: BTreeMap<MachineCopy, Vec<DiskId>>,
}

/// What moves with a machine's disks, and its history.
struct Machine {
    tools_enabled: bool,
    vss_broken: bool,
    /// The version of the agent when it is not the one that comes with the configuration server.
    agent_version: Option<String>,
    /// An antivirus product holds what the agent reads and sends.
    antivirus: bool,
    /// How far its clock is off, in minutes.
    time_skew: u64,
    system: system::System,
    /// Port 20004, over which the members of a replication group agree (G1).
    group_port_closed: bool,
    /// How its system would boot in Azure.
    boot: BootConfig,
    /// Labels of the volumes on disks that were added later.
    volumes: BTreeMap<DiskId, Vec<String>>,
    /// Delay of the next boot's registration, once.
    next_registration: Option<Duration>,
    /// Writes so far, on all sites: no two writes have the same content.
    writes: u64,
}

/// How far two clocks may be apart until nobody trusts the other any more, in minutes (ours; Kerberos has the same).
const SKEW_LIMIT: u64 = 5;

impl Machine {
    /// What in the guest keeps its agent from sending, if anything does.
    fn sending_blocked(&self) -> Option<String> {
        match self.time_skew {
            _any if self.antivirus => Some("an antivirus product holds the agent's files".to_owned()),
            skew if skew > SKEW_LIMIT => Some(format!("the clock is {skew} minutes off")),
            _near => None,
        }
    }
}

/// A guest under power.
struct Running {
    config: Arc<GuestConfig>,
    ctx: Ctx,
    disks: Vec<Disk>,
    services: Arc<services::Services>,
    booted: Option<Booted>,
    stopping: bool,
    registered: bool,
    /// Why its last attempt to register failed.
    trouble: Option<String>,
    /// Turns true, or is dropped, when the guest is down.
    down: watch::Sender<bool>,
}

/// What exists once a guest is up.
struct Booted {
    writer: workload::Writer,
    replicator: Arc<Replicator>,
    router: Router,
}

/// The first version of the agent that makes application-consistent points as they should be (78144).
const MAKES_APP_POINTS: [u32; 3] = [9, 22, 2];

/// True for a version before that; what is no version is none.
fn too_old(version: &str) -> bool {
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    let version: [u32; 3] = std::array::from_fn(|_| parts.next().unwrap_or(0));
    version < MAKES_APP_POINTS
}

impl Guests {
    /// A world without guests.
    pub fn new(net: Arc<dyn Network>) -> Arc<Self> {
        Arc::new_cyclic(|me| Self { net, me: me.clone(), state: Mutex::default() })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From its next power-on, `vm` is this copy of a protected machine. The first registration of a machine
    /// finds VMware Tools enabled.
    pub fn register(&self, vm: VmRef, config: GuestConfig) {
        let mut state = self.lock();
        state.machines.entry(config.copy.machine.clone()).or_insert(Machine {
            tools_enabled: true,
            vss_broken: false,
            agent_version: config.old_agent.clone(),
            antivirus: false,
            time_skew: 0,
            system: system::System::new(config.addressing),
            group_port_closed: false,
            boot: config.boot.clone(),
            volumes: BTreeMap::new(),
            next_registration: None,
            writes: 0,
        });
        state.guests.insert(vm, Arc::new(config));
    }

    /// Writes `blocks` extra blocks on each disk of the running copy, now; answers how many it wrote.
    ///
    /// # Errors
    /// When that copy is not up, is shutting down, or `blocks` is more than [`MAX_BURST`].
    pub fn write_now(&self, machine: &MachineName, site: Site, blocks: u32) -> Result<u64, String> {
        if blocks > MAX_BURST {
            return Err(format!("a burst of {blocks} blocks is more than {MAX_BURST}"));
        }
        let copy = MachineCopy::new(machine.clone(), site);
        let vm = self.vm_of(&copy).ok_or_else(|| format!("there is no guest {copy}"))?;
        match self.write(&vm, Some(blocks)) {
            0 if blocks > 0 => Err(format!("{copy} is not up")),
            written => Ok(written),
        }
    }

    /// The virtual machine that this copy runs in, powered on or not.
    fn vm_of(&self, copy: &MachineCopy) -> Option<VmRef> {
        self.lock().guests.iter().find(|(_, config)| config.copy == *copy).map(|(vm, _)| vm.clone())
    }

    /// Writes one round, or a burst, to the disks of a guest that is up. Answers the number of blocks.
    fn write(&self, vm: &VmRef, burst: Option<u32>) -> u64 {
        self.put(vm, |writer, version| match burst {
            None => writer.round(version),
            Some(count) => writer.burst(version, count),
        })
    }

    /// Writes to the disks of a guest that is up, tells the replicator, then the world; all in one go, so that no mark
    /// falls between. Answers the number of blocks.
    fn put(
        &self,
        vm: &VmRef,
        draw: impl FnOnce(&mut workload::Writer, &mut u64) -> Vec<workload::Write>,
    ) -> u64 {
        let mut state = self.lock();
        let State { running, machines, .. } = &mut *state;
        let Some(guest) = running.get_mut(vm) else { return 0 };
        let Some(machine) = machines.get_mut(&guest.config.copy.machine) else { return 0 };
        if guest.stopping || !guest.ctx.fence.alive() {
            return 0;
        }
        let Some(up) = &mut guest.booted else { return 0 };
        let writes = draw(&mut up.writer, &mut machine.writes);
        let (ctx, replicator) = (guest.ctx.clone(), up.replicator.clone());
        let copy = guest.config.copy.clone();
        drop(state);
        let count = writes.len() as u64;
        for write in writes {
            let content = write.page.hash();
            write.handle.write(write.block, write.page);
            replicator.wrote(&write.disk, write.block);
            let (copy, disk, block) = (copy.clone(), write.disk, write.block);
            ctx.emit(What::GuestWrote { copy, disk, block, content });
        }
        count
    }

    /// Flushes for an application-consistent mark; says why that did not work. Members of a group do so together, or
    /// not at all: they must reach each other (G1).
    fn quiesce(&self, vm: &VmRef, grouped: bool) -> Result<(), String> {
        let state = self.lock();
        let up = state.running.get(vm).filter(|guest| guest.booted.is_some());
        let machine = up.and_then(|guest| state.machines.get(&guest.config.copy.machine));
        let machine = machine.ok_or("the guest is down")?;
        match &machine.agent_version {
            _any if machine.vss_broken => Err("the VSS provider does not answer".to_owned()),
            _any if grouped && machine.group_port_closed => {
                Err("the other members of its group cannot be reached on port 20004".to_owned())
            }
            Some(old) if too_old(old) => Err(format!("version {old} of the mobility agent is too old")),
            Some(_) | None => Ok(()),
        }
    }

    /// True while the guest of `vm` would answer whoever asks it: it is up, and its software has not died.
    fn is_alive(&self, vm: &VmRef) -> bool {
        let state = self.lock();
        let guest = state.running.get(vm);
        state.foreign.contains(vm) || guest.is_some_and(|g| g.booted.is_some() && g.ctx.fence.alive())
    }

    /// True once the guest of `vm` runs its workload.
    pub fn is_up(&self, vm: &VmRef) -> bool {
        self.lock().running.get(vm).is_some_and(|guest| guest.booted.is_some())
    }

    /// The session that each running guest feeds.
    fn fed_sessions(&self) -> BTreeMap<VmRef, SessionId> {
        let agents: Vec<_> = {
            let state = self.lock();
            let up = |(vm, guest): (&VmRef, &Running)| {
                Some((vm.clone(), guest.booted.as_ref()?.replicator.clone()))
            };
            state.running.iter().filter_map(up).collect()
        };
        agents.into_iter().filter_map(|(vm, replicator)| Some((vm, replicator.progress().0?))).collect()
    }

    /// Everything about the guests that stays as it is when nobody touches them, in a fixed order.
    pub fn observe(&self) -> serde_json::Value {
        let fed = self.fed_sessions();
        let state = self.lock();
        let copies: Vec<_> = state
            .guests
            .iter()
            .map(|(vm, config)| {
                let guest = state.running.get(vm);
                json!({
                    "vm": vm.name,
                    "copy": config.copy.to_string(),
                    "running": guest.is_some(),
                    "up": guest.is_some_and(|guest| guest.booted.is_some()),
                    "registered": guest.is_some_and(|guest| guest.registered),
                    "session": fed.get(vm),
                    "stopped": state.stopped_of(&config.copy),
                })
            })
            .collect();
        let machines: Vec<_> = state
            .machines
            .iter()
            .map(|(name, machine)| {
                json!({
                    "machine": name,
                    "tools_enabled": machine.tools_enabled,
                    "vss_broken": machine.vss_broken,
                    "addressing": machine.system.addressing,
                    "group_port_closed": machine.group_port_closed,
                })
            })
            .collect();
        json!({ "copies": copies, "machines": machines, "foreign_running": state.foreign })
    }
}

impl State {
    /// Services of this copy's agent that do not run, and how they start again.
    fn stopped_of(&self, copy: &MachineCopy) -> BTreeMap<AgentService, services::Start> {
        let own = self.stopped.iter().filter(|((of, _), _)| of == copy);
        own.map(|((_, service), start)| (*service, *start)).collect()
    }
}

impl Drop for Guests {
    /// The network must not keep routers of guests that are gone.
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        for guest in state.running.values() {
            guest.ctx.fence.kill();
            self.net.unbind(&guest.config.address);
        }
    }
}
