//! Power: booting, shutting down, and the plug.

use super::agent::{Gate, agent_router, run_agent};
use super::services::{AgentService, Services, Start};
use super::workload::Writer;
use super::{Booted, Fitness, GuestConfig, GuestPower, Guests, Quiesce, Replicator, Running, State, fitness};
use crate::net::Reach;
use failback_replication::disk::Disk;
use failback_wire::canary::Canary;
use failback_wire::event::{VmRef, What};
use failback_wire::http::{BoxFuture, Http};
use failback_wire::ids::{DiskId, MachineCopy, Site};
use failback_wire::node::Ctx;
use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use tokio::sync::watch;
use tokio::time::{Duration, sleep, timeout};

/// How long a guest that shuts down waits for its last changes to leave.
const DRAIN: Duration = Duration::from_secs(180);
/// How long who asked for a shutdown waits for a guest that hangs.
const PATIENCE: Duration = Duration::from_secs(240);

impl GuestPower for Guests {
    fn power_on(&self, vm: &VmRef, mut disks: Vec<Disk>) {
        if self.is_running(vm) {
            return;
        }
        let mut state = self.lock();
        let Some(config) = state.guests.get(vm).cloned() else {
            state.foreign.insert(vm.clone());
            return;
        };
        if disks.len() < config.disk_ids.len() {
            disks.extend(config.iscsi.iter().cloned());
        }
        let replicated = state.replicated_by_the_other(&config.copy);
        state.labels.entry(vm.clone()).or_default().find(&config, &replicated, &disks);
        let ctx = self.net.start_node(&config.copy.node());
        state.stopped.retain(|(copy, _), start| *copy != config.copy || *start == Start::Disabled);
        let stopped = state.stopped_of(&config.copy);
        let services = Services::new(|service| !stopped.contains_key(&service));
        let boot_time = config.boot_time;
        let guest = Running {
            config,
            ctx: ctx.clone(),
            disks,
            services,
            booted: None,
            stopping: false,
            registered: false,
            trouble: None,
            down: watch::channel(false).0,
        };
        state.running.insert(vm.clone(), guest);
        drop(state);
        let (me, vm) = (self.me.clone(), vm.clone());
        ctx.spawn(async move {
            sleep(boot_time).await;
            if let Some(guests) = me.upgrade() {
                guests.boot(&vm);
            }
        });
    }

    fn power_off(&self, vm: &VmRef) {
        self.stop(vm, false);
    }

    fn shut_down<'a>(&'a self, vm: &VmRef) -> BoxFuture<'a, ()> {
        let down = self.begin_shutdown(vm);
        Box::pin(async move {
            if let Some(mut down) = down {
                // Down, or gone altogether, or hanging: whoever asked finds out by `is_running`.
                timeout(PATIENCE, down.wait_for(|down| *down)).await.ok();
            }
        })
    }

    fn add_disk(&self, vm: &VmRef, disk: Disk, volumes: Vec<String>) {
        let mut state = self.lock();
        let State { running, machines, labels, .. } = &mut *state;
        let Some(guest) = running.get_mut(vm) else { return };
        let id = labels.entry(vm.clone()).or_default().add(&guest.config, &disk);
        guest.disks.push(disk.clone());
        let (ctx, copy) = (guest.ctx.clone(), guest.config.copy.clone());
        if let Some(machine) = machines.get_mut(&copy.machine) {
            machine.volumes.remove(&id);
            if !volumes.is_empty() {
                machine.volumes.insert(id.clone(), volumes.clone());
            }
        }
        if let Some(up) = &mut guest.booted {
            up.writer.add_disk(id.clone(), disk.clone());
            up.replicator.add_disk(id.clone(), disk.clone());
        }
        drop(state);
        ctx.emit(What::DiskAdded { copy, disk: id, blocks: disk.blocks(), volumes });
    }

    fn set_reach(&self, vm: &VmRef, reach: Reach) {
        let node = self.lock().guests.get(vm).map(|config| config.copy.node());
        if let Some(node) = node {
            self.net.set_reach(&node, reach);
        }
    }

    fn prepare(&self, vm: &VmRef) -> Fitness {
        let mut state = self.lock();
        let Some(config) = state.guests.get(vm).cloned() else { return Fitness::Fit };
        let Some(machine) = state.machines.get_mut(&config.copy.machine) else { return Fitness::Fit };
        let found = fitness::fitness(&config, machine);
        if found == Fitness::Needy {
            fitness::prepared(machine);
        }
        found
    }

    fn is_running(&self, vm: &VmRef) -> bool {
        let state = self.lock();
        state.running.contains_key(vm) || state.foreign.contains(vm)
    }

    fn answers(&self, vm: &VmRef) -> bool {
        self.is_alive(vm)
    }

    fn tools_enabled(&self, vm: &VmRef) -> bool {
        let state = self.lock();
        let machine = state.guests.get(vm).and_then(|config| state.machines.get(&config.copy.machine));
        machine.is_none_or(|machine| machine.tools_enabled)
    }
}

impl Guests {
    /// Power is cut and comes back at once, with the same disks: a reset, or a guest whose node crashed.
    /// Nothing happens to a machine that does not run.
    pub fn reset(&self, vm: &VmRef) {
        let disks = self.lock().running.get(vm).map(|guest| guest.disks.clone());
        if let Some(disks) = disks {
            self.power_off(vm);
            self.power_on(vm, disks);
        }
    }

    /// A guest whose software died boots again, from its disks as they are.
    ///
    /// # Errors
    /// When there is no such copy, or it has no power.
    pub fn reboot(&self, copy: &MachineCopy) -> Result<(), String> {
        let vm = self.vm_of(copy).ok_or_else(|| format!("there is no guest {copy}"))?;
        match self.is_running(&vm) {
            true => {
                self.reset(&vm);
                Ok(())
            }
            false => Err(format!("{copy} has no power")),
        }
    }

    /// The guest is up: agent and workload start.
    fn boot(&self, vm: &VmRef) {
        let mut state = self.lock();
        let stateref = &mut *state;
        let Some(guest) = stateref.running.get_mut(vm) else { return };
        let (config, ctx) = (guest.config.clone(), guest.ctx.clone());
        let boots = |machine| config.copy.site == Site::OnPremises || fitness::boots_in_azure(machine);
        if !stateref.machines.get(&config.copy.machine).is_some_and(boots) {
            return;
        }
        let Some(labels) = stateref.labels.get(vm) else { return };
        let disks: BTreeMap<DiskId, Disk> = labels.of(&guest.disks).collect();
        let (services, machine) = (guest.services.clone(), config.copy.machine.clone());
        let gate = Gate::new(ctx.http.clone(), services, self.me.clone(), machine);
        let http = Http::new(ctx.fence.clone(), gate);
        let agent_ctx = Ctx { http, ..ctx.clone() };
        let replicator = Replicator::new(
            agent_ctx.clone(),
            config.copy.clone(),
            disks.clone(),
            quiesce(self.me.clone(), vm.clone(), guest.services.clone()),
            config.passphrase.clone(),
            config.change_log,
        );
        let router = agent_router(self.me.clone(), vm, &replicator, &config.passphrase);
        let writer = Writer::new(&ctx.env, &config.copy, ctx.fence.epoch(), config.workload, disks);
        guest.booted = Some(Booted { writer, replicator: replicator.clone(), router: router.clone() });
        let services = guest.services.clone();
        let machine = stateref.machines.get_mut(&config.copy.machine);
        let asked = machine.and_then(|machine| machine.next_registration.take());
        let logged = stateref.machines.get_mut(&config.copy.machine);
        let logged = logged.and_then(|machine| machine.system.boot(config.copy.site, &guest.disks));
        let tracks = services.run(AgentService::Svagents);
        let session = tracks.then(|| stateref.sessions.remove(&config.copy)).flatten();
        drop(state);

        ctx.emit(What::GuestBooted { copy: config.copy.clone() });
        if let Some(event) = logged {
            ctx.emit(What::GuestLogged { copy: config.copy.clone(), event });
        }
        if tracks {
            self.net.bind(&config.address, ctx.fence.clone(), router);
        }
        if let Some(session) = session.filter(|_| !ctx.env.planted(Canary::AgentForgets)) {
            replicator.resume(session);
        }
        let delay = asked.unwrap_or_else(|| registration_delay(&config, &ctx));
        ctx.spawn(run_agent(self.me.clone(), vm.clone(), agent_ctx, config.clone(), services, delay));
        self.start_workload(vm, &config, &ctx);
    }

    fn start_workload(&self, vm: &VmRef, config: &GuestConfig, ctx: &Ctx) {
        let Some(interval) = config.workload.interval() else { return };
        // Guests that boot together do not write in step.
        let name = format!("guest/{}/phase/{}", config.copy, ctx.fence.epoch());
        let phase = 1 + ctx.env.draw(&name) % interval.as_millis() as u64;
        let (me, vm) = (self.me.clone(), vm.clone());
        ctx.spawn(async move {
            sleep(Duration::from_millis(phase)).await;
            while let Some(guests) = me.upgrade() {
                if guests.write(&vm, None) == 0 {
                    return;
                }
                drop(guests);
                sleep(interval).await;
            }
        });
    }

    /// Starts an orderly shutdown, unless one is under way; what it returns turns true when it is over.
    fn begin_shutdown(&self, vm: &VmRef) -> Option<watch::Receiver<bool>> {
        let ready = {
            let mut state = self.lock();
            let guest = state.running.get_mut(vm);
            guest.filter(|guest| guest.ctx.fence.alive()).and_then(|guest| {
                let up = guest.booted.as_ref()?;
                let down = guest.down.subscribe();
                Some((guest.stopping, guest.ctx.clone(), up.replicator.clone(), down))
            })
        };
        let Some((stopping, ctx, replicator, down)) = ready else {
            // Nobody is in there (any more) to do it in order, or to mind.
            self.stop(vm, false);
            return None;
        };
        if !stopping {
            // What applications flush on their way out.
            self.write(vm, None);
            if let Some(guest) = self.lock().running.get_mut(vm) {
                guest.stopping = true;
            }
            let (me, vm) = (self.me.clone(), vm.clone());
            ctx.spawn(async move {
                replicator.drain(DRAIN).await;
                if let Some(guests) = me.upgrade() {
                    guests.stop(&vm, true);
                }
            });
        }
        Some(down)
    }

    /// The guest is gone from this instant on.
    fn stop(&self, vm: &VmRef, clean: bool) {
        let mut state = self.lock();
        state.foreign.remove(vm);
        let Some(guest) = state.running.remove(vm) else { return };
        let copy = guest.config.copy.clone();
        if let Some(machine) = state.machines.get_mut(&copy.machine).filter(|_| clean) {
            machine.system.shut_down(copy.site, &guest.disks);
        }
        drop(state);
        if guest.booted.is_some() {
            // The world tells, not the guest's software: that may have crashed before its power went.
            let ctx = &guest.ctx;
            ctx.events.emit(ctx.now(), ctx.node(), What::GuestStopped { copy, clean });
        }
        guest.ctx.fence.kill();
        if let Some(replicator) = guest.booted.as_ref().map(|up| &up.replicator) {
            let mut state = self.lock();
            state.replicated.insert(guest.config.copy.clone(), replicator.replicated());
            if let Some(session) = replicator.spec() {
                state.sessions.insert(guest.config.copy.clone(), session);
            }
        }
        self.net.unbind(&guest.config.address);
        guest.down.send_replace(true);
    }
}

impl State {
    /// The disks that the machine's other copy replicated last; none when it never did.
    fn replicated_by_the_other(&self, copy: &MachineCopy) -> Vec<DiskId> {
        let site = match copy.site {
            Site::OnPremises => Site::Azure,
            Site::Azure => Site::OnPremises,
        };
        let other = MachineCopy::new(copy.machine.clone(), site);
        let up = self.running.values().find(|guest| guest.config.copy == other);
        let up = up.and_then(|guest| guest.booted.as_ref()).map(|up| up.replicator.replicated());
        up.filter(|disks| !disks.is_empty()).or(self.replicated.get(&other).cloned()).unwrap_or_default()
    }
}

/// Asks the guest's writers to flush; fails when they are broken or a service that asks them is stopped.
fn quiesce(me: Weak<Guests>, vm: VmRef, services: Arc<Services>) -> Quiesce {
    Arc::new(move |grouped| {
        if !services.all_run() {
            return Err("a service of the agent is stopped".to_owned());
        }
        let guests = me.upgrade().ok_or("the guest is gone")?;
        guests.quiesce(&vm, grouped)
    })
}

/// As configured, or 2 to 14 minutes, drawn for this boot.
fn registration_delay(config: &GuestConfig, ctx: &Ctx) -> Duration {
    if !ctx.env.holds("C7") {
        return Duration::ZERO;
    }
    config.registration_delay.unwrap_or_else(|| {
        let name = format!("guest/{}/registration/{}", config.copy, ctx.fence.epoch());
        Duration::from_secs(120 + ctx.env.draw(&name) % (12 * 60 + 1))
    })
}
