//! A world: the fakes and the product on one switchboard, under one clock, from one seed.

mod build;
mod causes;
mod laid;
mod metal;
mod observe;
mod strike;
mod targets;

pub use crate::scenario::inventory::BUILT_IN_PROCESS_SERVER;

use crate::driver::Crash;
use crate::fault::{Board, Strike};
use crate::recorder::{Keep, Recorder};
use crate::scenario::estate::Side;
use crate::scenario::inventory::{self, Inventory};
use crate::switchboard::{Heard, Passed, Switchboard, WireKind, Zone};
use build::Born;
use failback_fakes::azure::Azure;
use failback_fakes::cs::ConfigurationServer;
use failback_fakes::guest::Guests;
use failback_fakes::master_target::{MasterTarget, MasterTargetConfig};
use failback_fakes::net::Network;
use failback_fakes::process_server::ProcessServer;
use failback_fakes::vcenter::Vcenter;
use failback_oracle::Oracle;
use failback_orchestrator::config::{Config, Rehearsal};
use failback_orchestrator::service::Orchestrator;
use failback_replication::disk::Disk;
use failback_wire::clock::{Clock, VirtualMs};
use failback_wire::env::Env;
use failback_wire::event::{Actor, VmRef, What};
use failback_wire::ids::{Label, MachineCopy, MachineName, NodeName, Site, VmdkUuid};
use failback_wire::node::{Ctx, Fence};
use failback_wire::store::CommitHook;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

/// A product that was crashed at a journal write is started again after this.
const SUPERVISOR: Duration = Duration::from_secs(30);

/// The product never died.
const NEVER: u64 = u64::MAX;
/// vCenter ends a session that nobody used for this long.
const SESSION_IDLE: Duration = Duration::from_secs(30 * 60);

/// What a run may choose about its world.
pub struct WorldOptions {
    /// Everything random follows from it.
    pub seed: u64,
    /// How calls travel.
    pub wire: WireKind,
    /// What is kept of the run.
    pub keep: Keep,
    /// Crash the orchestrator at one of its journal writes.
    pub crash: Option<Crash>,
    /// What the product's workflows rehearse.
    pub rehearsal: Rehearsal,
}

/// The world.
pub struct World {
    /// Virtual time.
    pub clock: Clock,
    /// The network.
    pub net: Switchboard,
    /// Takes every event.
    pub recorder: Arc<Recorder>,
    /// Faults.
    pub board: Arc<Board>,
    /// The node the operator works at.
    pub operator: Ctx,
    config: Config,
    vcenter: Arc<Vcenter>,
    /// Another vCenter, if there is one (P5).
    alternate: Option<Arc<Vcenter>>,
    pub(crate) azure: Arc<Azure>,
    cs: Arc<ConfigurationServer>,
    guests: Arc<Guests>,
    inhabitants: Arc<targets::Inhabitants>,
    process_servers: BTreeMap<String, Arc<ProcessServer>>,
    master_targets: BTreeMap<String, Arc<MasterTarget>>,
    machines: Vec<MachineName>,
    /// Physical machines with their disks.
    metal: Vec<(VmRef, Vec<(VmdkUuid, Disk)>)>,
    /// The product's current epoch; its journal's image is what survives of it.
    product: Mutex<Option<Arc<Orchestrator>>>,
    hook: Arc<Hook>,
    /// When the product last died: its vCenter session outlives it until it has been idle for long enough.
    product_died: AtomicU64,
    me: Weak<World>,
}

/// Notes the product's journal writes and crashes it at the one that was asked for.
struct Hook {
    crash: Option<Crash>,
    board: Arc<Board>,
    recorder: Arc<Recorder>,
    /// The kind of each write, in order, over all epochs.
    writes: Mutex<Vec<String>>,
    /// Every write since somebody listens, if anybody does.
    heard: Mutex<Option<Vec<Written>>>,
    world: Mutex<Weak<World>>,
}

/// A write of the product's journal, as somebody who listens hears it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The kind of record: `step-done`.
    pub kind: String,
    /// The step that it is of.
    pub step: Option<String>,
    /// Its place among all that was noted.
    pub order: u64,
    /// What went on.
    pub during: Label,
    /// It was committed.
    pub done: bool,
}

impl Hook {
    fn heard(&self) -> MutexGuard<'_, Option<Vec<Written>>> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
    fn writes(&self) -> MutexGuard<'_, Vec<String>> {
        self.writes.lock().unwrap_or_else(PoisonError::into_inner)
    }
    fn count(&self) -> u64 {
        self.writes().len() as u64
    }
    fn crash(&self, fence: &Fence) {
        fence.kill();
        let world = self.world.lock().unwrap_or_else(PoisonError::into_inner).upgrade();
        if let Some(world) = world {
            world.crashed(fence.node(), Some(SUPERVISOR));
        }
    }
}

impl CommitHook for Hook {
    fn before(&self, fence: &Fence, _: u64, label: &str) {
        let (kind, step) = label.split_once('/').map_or((label, None), |(kind, step)| (kind, Some(step)));
        self.writes().push(kind.to_owned());
        if let Some(heard) = self.heard().as_mut() {
            let (order, during) = self.recorder.occasion();
            let (kind, step) = (kind.to_owned(), step.map(str::to_owned));
            heard.push(Written { kind, step, order, during, done: false });
        }
        self.board.write(true, kind);
        let write = self.count();
        if self.crash == Some(Crash { write, before: true }) {
            self.crash(fence);
        }
    }
    fn after(&self, fence: &Fence, _: u64, label: &str) {
        let kind = label.split('/').next().unwrap_or(label);
        if let Some(last) = self.heard().as_mut().and_then(|all| all.last_mut()) {
            last.done = true;
        }
        self.board.write(false, kind);
        let write = self.count();
        if self.crash == Some(Crash { write, before: false }) {
            self.crash(fence);
        }
    }
}

impl World {
    /// Builds the world of this inventory and starts everything in it.
    pub fn build(inventory: &Inventory, options: WorldOptions, board: Arc<Board>) -> Arc<Self> {
        let Rehearsal { without, planted, .. } = options.rehearsal;
        let (clock, env) = (Clock::default(), Env::new(options.seed).without(without).with_planted(planted));
        let recorder = Recorder::new(options.keep, board.clone());
        let net = Switchboard::new(clock, env, options.wire, recorder.clone(), board.clone());
        let shared: Arc<dyn Network> = Arc::new(net.clone());
        let machines = inventory.machines.iter();
        let born: Vec<Born> = machines.map(|m| Born::new(&env, m)).collect();
        let mut config = build::product(inventory);
        config.knobs.rehearsal = options.rehearsal;
        recorder.set_oracle(Oracle::new(&build::oracle(inventory, &born)));
        place_nodes(&net, inventory);
        lay_links(&net, inventory, &env, &config.azure.network);
        let guests = Guests::new(shared.clone());
        for b in &born {
            for site in [Site::OnPremises, Site::Azure] {
                guests.register(b.vm(site), b.guest(&env, site, inventory));
            }
        }
        let inhabitants = targets::Inhabitants::new(guests.clone());
        let vcenter = Vcenter::new(build::vcenter(&env, inventory, &born, &config), inhabitants.clone());
        let alternate = build::alternate_vcenter(&env, inventory, &born, &config);
        let alternate = alternate.map(|config| Vcenter::new(config, inhabitants.clone()));
        let azure = Azure::new(build::azure(&config, inventory), guests.clone());
        let cs = ConfigurationServer::new(build::configuration_server(inventory), shared.clone());
        let seen = vcenter.clone();
        cs.discover(Arc::new(move || seen.newcomers()));
        let process_servers = build::process_servers(&config, inventory).into_iter();
        let process_servers = process_servers.map(|c| (c.id.to_string(), ProcessServer::new(c))).collect();
        let master_targets = master_targets(inventory, &vcenter, alternate.as_ref());
        let hook = Arc::new(Hook {
            crash: options.crash,
            board: board.clone(),
            recorder: recorder.clone(),
            writes: Mutex::default(),
            heard: Mutex::default(),
            world: Mutex::default(),
        });
        let operator = net.start_node(&NodeName::from(inventory::OPERATOR));
        let world = Arc::new_cyclic(|me| Self {
            clock,
            net,
            recorder,
            board,
            operator,
            config,
            vcenter,
            alternate,
            azure,
            cs,
            guests,
            inhabitants: inhabitants.clone(),
            process_servers,
            master_targets,
            machines: born.iter().map(Born::name).collect(),
            metal: born.iter().filter_map(Born::as_metal).collect(),
            product: Mutex::default(),
            hook,
            product_died: AtomicU64::new(NEVER),
            me: me.clone(),
        });
        *world.hook.world.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(&world);
        let strike: Arc<dyn Strike> = world.clone();
        world.board.connect(&strike);
        world.start_all(inventory);
        inhabitants.live_in(Arc::downgrade(&world));
        world.switch_metal_on();
        world.settle_strangers(inventory, &env);
        world
    }

    /// Starts every node but for servers that nobody has deployed yet.
    fn start_all(&self, inventory: &Inventory) {
        let (deployed, ready): (Vec<_>, Vec<_>) =
            inventory.master_targets.iter().partition(|target| target.deployed);

        let nodes =
            [inventory::AZURE, inventory::CONFIGURATION_SERVER, inventory::VCENTER, inventory::ORCHESTRATOR];
        let deployed = deployed.iter().map(|target| &target.id).collect::<BTreeSet<_>>();
        let asleep = inventory.process_servers.iter().filter(|server| !server.deployed);
        let asleep = asleep.map(|server| &server.id).collect::<BTreeSet<_>>();
        let awake = self.process_servers.keys().filter(|id| !asleep.contains(id));
        let servers = awake.chain(deployed).map(String::as_str);
        let other = self.alternate.iter().map(|_| inventory::ALTERNATE_VCENTER);
        for node in nodes.into_iter().chain(other).chain(servers) {
            self.restart_or_note(&NodeName::from(node));
        }
        for target in ready {
            if let Err(error) = self.vcenter.console(Actor::Setup).unregister_vm(&target.id) {
                self.emit(What::Note { text: format!("{} does not lie ready: {error}", target.id) });
            }
        }
    }

    /// Virtual machines of others that run in Azure.
    fn settle_strangers(&self, inventory: &Inventory, env: &Env) {
        for other in inventory.bystanders.iter().filter(|b| b.site == Side::Azure) {
            let vm = build::stranger(env, &other.name);
            if let Err(error) = self.azure.console(Actor::Setup).put_vm(vm) {
                self.emit(What::Note { text: format!("{} does not exist: {error:?}", other.name) });
            }
        }
    }

    /// What the product was told.
    pub fn product_config(&self) -> &Config {
        &self.config
    }

    /// Reports something the lab itself does.
    pub fn emit(&self, what: What) {
        use failback_wire::event::EventSink;
        self.recorder.take(self.clock.now(), &NodeName::from("lab"), what);
    }

    /// From now on every call and every write of the product's journal is noted; what was noted so far comes back.
    pub fn listen(&self) -> (Vec<Heard>, Vec<Written>) {
        (self.net.listen(), self.hook.heard().replace(Vec::new()).unwrap_or_default())
    }

    /// How many writes of this kind have come to which of their moments, while somebody listens.
    pub fn passed(&self, kind: &str) -> Passed {
        let heard = self.hook.heard();
        let of_kind = || heard.iter().flatten().filter(|write| write.kind == kind);
        let begun = of_kind().count() as u32;
        Passed { begun, before: begun, after: of_kind().filter(|write| write.done).count() as u32 }
    }

    /// Nobody listens any more.
    pub fn turn_away(&self) {
        self.net.turn_away();
        *self.hook.heard() = None;
    }

    /// Writes of the product's journal, over all its epochs: the kind of each, in order.
    pub fn journal_writes(&self) -> Vec<String> {
        self.hook.writes().clone()
    }

    fn product(&self) -> MutexGuard<'_, Option<Arc<Orchestrator>>> {
        self.product.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts (a new epoch of) a node's software on what it has on disk.
    fn start(&self, node: &NodeName) -> Result<(), String> {
        if let Some(copy) = copy_of(node.as_str()) {
            // Its power is on: the guest boots again, as a new epoch of its own.
            return self.guests.reboot(&copy);
        }
        let ctx = self.net.start_node(node);
        let net = &self.net;
        match node.as_str() {
            inventory::AZURE => self.azure.boot(ctx, net),
            inventory::VCENTER => self.vcenter.boot(ctx, net),
            inventory::ALTERNATE_VCENTER => match &self.alternate {
                Some(other) => other.boot(ctx, net),
                None => return Err(format!("there is no node {node}")),
            },
            inventory::CONFIGURATION_SERVER => self.cs.boot(ctx).map_err(|e| e.to_string())?,
            inventory::ORCHESTRATOR => self.start_product(ctx)?,
            name => match (self.process_servers.get(name), self.master_targets.get(name)) {
                (Some(server), _) => server.boot(ctx, net),
                (None, Some(server)) => server.boot(ctx, net),
                (None, None) => return Err(format!("there is no node {name} that could be started")),
            },
        }
        Ok(())
    }

    fn start_product(&self, ctx: Ctx) -> Result<(), String> {
        let mut product = self.product();
        let image = match product.as_ref().map(|p| p.image()) {
            Some(image) => Some(image.map_err(|e| e.to_string())?),
            None => None,
        };
        let (fence, hook) = (ctx.fence.clone(), self.hook.clone());
        let started = Orchestrator::start(ctx, self.config.clone(), image.as_deref(), hook);
        let started = started.map_err(|e| e.to_string())?;
        self.net.bind(inventory::ORCHESTRATOR, fence, started.router());
        *product = Some(started);
        Ok(())
    }

    /// When the product last died, if it ever did.
    pub fn product_died(&self) -> Option<VirtualMs> {
        let died = self.product_died.load(Ordering::Relaxed);
        (died != NEVER).then_some(VirtualMs(died))
    }

    /// A vCenter session may still be open that nobody can close: of a product that died, or where the answer to a login
    /// or a logout was lost.
    fn lost_a_session(&self) -> bool {
        let troubled = self.vcenters().filter_map(|vcenter| self.net.last_trouble(vcenter.host()));
        let last = self.product_died().into_iter().chain(troubled).max();
        last.is_some_and(|last| self.clock.now().since(last) <= SESSION_IDLE)
    }

    /// All vCenters.
    fn vcenters(&self) -> impl Iterator<Item = &Arc<Vcenter>> {
        [&self.vcenter].into_iter().chain(&self.alternate)
    }

    fn note_death(&self, node: &NodeName) {
        if node.as_str() == inventory::ORCHESTRATOR {
            self.product_died.store(self.clock.now().0, Ordering::Relaxed);
        }
        self.emit(What::NodeCrashed { node: node.clone() });
    }

    /// A node's software dies, now; it starts again by itself after `back`, if that is given.
    pub fn crash(&self, node: &NodeName, back: Option<Duration>) {
        self.net.crash(node);
        self.crashed(node, back);
    }

    /// A node's software starts again.
    ///
    /// # Errors
    /// When there is no such node, or it does not start from what it has on disk.
    pub fn restart(&self, node: &NodeName) -> Result<(), String> {
        self.start(node)
    }

    fn crashed(&self, node: &NodeName, back: Option<Duration>) {
        self.note_death(node);
        let Some(back) = back else { return };
        let (world, node) = (self.me.clone(), node.clone());
        in_the_lab(async move {
            tokio::time::sleep(back).await;
            // It died twice, and the second time for less long.
            if let Some(world) = world.upgrade().filter(|world| !world.net.is_up(&node)) {
                world.restart_or_note(&node);
            }
        });
    }

    /// A node's software starts again by itself; when it does not, the timeline says why.
    fn restart_or_note(&self, node: &NodeName) {
        if let Err(error) = self.start(node) {
            self.emit(What::Note { text: format!("{node} does not start: {error}") });
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.net.close();
    }
}

/// The copy whose guest runs as the node of this name, if it is a guest's.
fn copy_of(node: &str) -> Option<MachineCopy> {
    let (machine, site) = node.split_once('@')?;
    let site = [Site::OnPremises, Site::Azure].into_iter().find(|known| known.to_string() == site)?;
    Some(MachineCopy::new(machine, site))
}

/// Starts a task that belongs to no node.
#[expect(clippy::disallowed_methods, reason = "supervisors and fault timers outlive every node")]
fn in_the_lab(future: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(future);
}

/// The master targets, each with what its virtual machine holds, in whichever vCenter that is.
fn master_targets(
    inventory: &Inventory,
    vcenter: &Arc<Vcenter>,
    alternate: Option<&Arc<Vcenter>>,
) -> BTreeMap<String, Arc<MasterTarget>> {
    let target = |config: MasterTargetConfig| {
        let host = inventory.master_targets.iter().find(|mt| mt.id == config.id).map(|mt| mt.host.as_str());
        let there = alternate.filter(|_| host.is_some_and(|host| inventory.is_elsewhere(host)));
        let (vm, vcenter) = (config.vm_name.clone(), there.unwrap_or(vcenter).clone());
        let (same_vm, same_vcenter) = (vm.clone(), vcenter.clone());
        let scsi = Arc::new(move || vcenter.within_reach(&vm));
        let machine = Arc::new(move || same_vcenter.hardware(&same_vm));
        (config.id.to_string(), MasterTarget::new(config, scsi, machine))
    };
    build::master_targets(inventory).into_iter().map(target).collect()
}

/// Says which links and ports are there when the run begins.
fn lay_links(net: &Switchboard, inventory: &Inventory, env: &Env, network: &str) {
    net.rules(|r| {
        r.set_link(inventory.link.is_private() || !env.holds("P11"));
        for server in inventory.process_servers.iter().filter(|_| env.holds("P12")) {
            r.set_port(&server.id.as_str().into(), (!server.port_open).then_some("the estate"));
            if server.location == Side::Azure {
                r.set_network(server.id.as_str().into(), server.network.as_deref().unwrap_or(network));
            }
        }
        for machine in inventory.machines.iter().filter(|_| env.holds("P12")) {
            let copy = format!("{}@azure", machine.name);
            r.set_network(copy.as_str().into(), machine.azure_network.as_deref().unwrap_or(network));
        }
    });
}

/// Says where each node stands.
fn place_nodes(net: &Switchboard, inventory: &Inventory) {
    let place = |node: &str, zone| net.place(&NodeName::from(node), zone);
    place(inventory::VCENTER, Zone::OnPremises);
    place(inventory::ALTERNATE_VCENTER, Zone::OnPremises);
    place(inventory::CONFIGURATION_SERVER, Zone::OnPremises);
    place(BUILT_IN_PROCESS_SERVER, Zone::OnPremises);
    for mt in &inventory.master_targets {
        place(&mt.id, Zone::OnPremises);
    }
    for ps in &inventory.process_servers {
        let zone = match ps.location {
            Side::OnPremises => Zone::OnPremises,
            Side::Azure => Zone::AzureNetwork,
        };
        place(&ps.id, zone);
    }
    for machine in &inventory.machines {
        place(&format!("{}@on-premises", machine.name), Zone::OnPremises);
        place(&format!("{}@azure", machine.name), Zone::AzureNetwork);
    }
}
