//! A master target: a VMware VM that runs the target half of our engine on the VMDKs attached to it, keeps
//! recovery points on its retention volume and rolls disks to one of them (C11, C16, P15, P21, P27).
//!
//! What outlives its software is the agreement on each session and the journal on the retention volume; the
//! rest is read from the journal when the software starts again.

mod faults;
mod host;
mod setup;

pub use faults::{Flaw, MasterTargetFault};
pub use setup::Setup;

use crate::net::Network;
use crate::session_api::{heartbeats, server_router};
use failback_replication::disk::Disk;
use failback_replication::target::Target;
use failback_wire::clock::VirtualMs;
use failback_wire::event::What;
use failback_wire::ids::{SessionId, VmdkUuid};
use failback_wire::node::Ctx;
use failback_wire::proto::cs::OsFamily;
use failback_wire::proto::session::RetentionVolume;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a master target is.
#[derive(Clone, Debug)]
pub struct MasterTargetConfig {
    /// Server id, as the configuration server lists it.
    pub id: String,
    /// Name of its virtual machine in vCenter.
    pub vm_name: String,
    /// Where it listens.
    pub host: String,
    /// Where the configuration server listens.
    pub cs_host: String,
    /// The passphrase that all classic components share.
    pub passphrase: String,
    /// Operating system family (P15).
    pub os: OsFamily,
    /// Component version when the run begins (P16).
    pub version: String,
    /// Its retention volume, if it has one (P27). `free` is what others leave of it.
    pub retention: Option<RetentionVolume>,
    /// How its system is set up.
    pub setup: Setup,
}

/// The VMDKs attached to a master target now, by UUID.
pub type Scsi = Arc<dyn Fn() -> Vec<(VmdkUuid, Disk)> + Send + Sync>;

/// Memory in MiB and processor cores of the virtual machine that a master target runs in; none when vCenter knows no such
/// machine.
pub type Machine = Arc<dyn Fn() -> Option<(u64, i32)> + Send + Sync>;

/// A master target with all that outlives its software.
pub struct MasterTarget {
    config: MasterTargetConfig,
    scsi: Scsi,
    machine: Machine,
    state: Mutex<State>,
}

struct State {
    serving: bool,
    /// Its component version.
    version: String,
    setup: Setup,
    /// The kernel was updated, and nobody has adapted the driver to it yet (P28).
    kernel_updated: bool,
    /// The oldest version among its servers, as the configuration server last said (P16).
    oldest: Option<String>,
    retention: Option<RetentionVolume>,
    /// From when on the retention volume is listed (P27).
    listed_from: VirtualMs,
    sessions: BTreeMap<SessionId, Target>,
    /// The software that runs now, or ran last.
    ctx: Option<Ctx>,
}

impl MasterTarget {
    /// A master target whose software does not run yet. `scsi` answers which VMDKs hang on it, `machine` how
    /// large it is.
    pub fn new(config: MasterTargetConfig, scsi: Scsi, machine: Machine) -> Arc<Self> {
        let retention = config.retention.clone();
        let state = State {
            serving: true,
            version: config.version.clone(),
            setup: config.setup.clone(),
            kernel_updated: false,
            oldest: None,
            retention,
            listed_from: VirtualMs(0),
            sessions: BTreeMap::new(),
            ctx: None,
        };
        Arc::new(Self { config, scsi, machine, state: Mutex::new(state) })
    }

    /// Its software starts, for the first time or after a crash.
    pub fn boot(self: &Arc<Self>, ctx: Ctx, net: &dyn Network) {
        let first_boot = self.lock().ctx.is_none();
        self.reopen(ctx.clone());
        if !self.network_comes_up(first_boot) {
            return;
        }
        let config = &self.config;
        net.bind(&config.host, ctx.fence.clone(), server_router(self, &config.passphrase));
        let (host, cs) = (Arc::downgrade(self), config.cs_host.clone());
        ctx.spawn(heartbeats(host, ctx.clone(), cs, config.passphrase.clone()));
    }

    /// The software of `ctx` reads the journals.
    fn reopen(&self, ctx: Ctx) {
        let scsi = (self.scsi)();
        let mut state = self.lock();
        state.ctx = Some(ctx);
        for (id, target) in std::mem::take(&mut state.sessions) {
            state.reopen(id, target, &scsi);
        }
    }

    /// What it is.
    pub fn config(&self) -> &MasterTargetConfig {
        &self.config
    }

    /// The sessions it keeps.
    pub fn sessions(&self) -> Vec<SessionId> {
        self.lock().sessions.keys().cloned().collect()
    }

    /// Sessions, points and retention as they are: for comparing worlds.
    pub fn observe(&self) -> Value {
        let state = self.lock();
        let sessions: BTreeMap<String, Value> = state
            .sessions
            .iter()
            .map(|(id, t)| (id.to_string(), json!({ "view": t.view(), "kept": t.journal().used() })))
            .collect();
        json!({
            "id": self.config.id,
            "serving": state.serving,
            "kernel_updated": state.kernel_updated,
            "retention": state.retention,
            "sessions": sessions,
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn emit(&self, what: What) {
        if let Some(ctx) = &self.ctx {
            ctx.emit(what);
        }
    }
    /// Bytes that all journals use.
    fn used(&self) -> u64 {
        self.sessions.values().map(|t| t.journal().used()).sum()
    }
}
