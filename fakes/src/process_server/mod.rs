//! A process server: takes frames from agents into a bounded cache and passes them on in order, on the way home to a
//! master target, on the way to Azure to the recovery service (C1, P12, P13).
//!
//! The cache and all it knows of sessions lie on its disk: they outlive its software.

mod condition;
mod faults;
mod host;
mod pump;

pub use condition::{Addressing, Service};
pub use faults::ProcessServerFault;

use crate::net::Network;
use crate::session_api::{heartbeats, phase_name, server_router};
use condition::Condition;
use failback_replication::relay::Relay;
use failback_replication::throttle::Throttle;
use failback_wire::event::What;
use failback_wire::ids::{SessionId, Site};
use failback_wire::node::Ctx;
use failback_wire::proto::cs::OsFamily;
use failback_wire::proto::session::Phase;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// What a process server is.
#[derive(Clone, Debug)]
pub struct ProcessServerConfig {
    /// Server id, as the configuration server lists it.
    pub id: String,
    /// Where it listens.
    pub host: String,
    /// Where the configuration server listens.
    pub cs_host: String,
    /// The passphrase that all classic components share.
    pub passphrase: String,
    /// Operating system family.
    pub os: OsFamily,
    /// Component version.
    pub version: String,
    /// Where it runs (P11, P12).
    pub site: Site,
    /// The virtual network it is in, when it is in Azure (P12).
    pub network: Option<String>,
    /// How it is addressed when the run begins.
    pub addressing: Addressing,
    /// Size of the cache in bytes; frames beyond are refused with `busy`.
    pub cache_bytes: u64,
}

/// A process server with all that outlives its software.
pub struct ProcessServer {
    config: ProcessServerConfig,
    state: Mutex<State>,
}

struct State {
    serving: bool,
    condition: Condition,
    version: String,
    cache_bytes: u64,
    /// What it passes on at most, of all sessions together (E15).
    throttle: Throttle,
    /// Wakes who waits for its bandwidth: the limit is another one now.
    limits: Arc<Notify>,
    sessions: BTreeMap<SessionId, Session>,
    /// Bytes in the cache, of all sessions together; see [`State::relay`].
    cached: u64,
    /// The software that runs now, or ran last.
    ctx: Option<Ctx>,
}

struct Session {
    relay: Relay,
    /// Wakes the task that passes frames on.
    wake: Arc<Notify>,
}

impl ProcessServer {
    /// A process server whose software does not run yet.
    pub fn new(config: ProcessServerConfig) -> Arc<Self> {
        let cache_bytes = config.cache_bytes;
        let state = State {
            serving: true,
            condition: Condition::new(config.addressing),
            version: config.version.clone(),
            cache_bytes,
            throttle: Throttle::default(),
            limits: Arc::default(),
            sessions: BTreeMap::new(),
            cached: 0,
            ctx: None,
        };
        Arc::new(Self { config, state: Mutex::new(state) })
    }

    /// Its software starts, for the first time or after a crash; the cache is as it was.
    pub fn boot(self: &Arc<Self>, ctx: Ctx, net: &dyn Network) {
        let ids: Vec<SessionId> = {
            let mut state = self.lock();
            state.ctx = Some(ctx.clone());
            // Tasks of the software before are dead: new ones must not share their wakers.
            for session in state.sessions.values_mut() {
                session.wake = Arc::new(Notify::new());
            }
            state.sessions.keys().cloned().collect()
        };
        let config = &self.config;
        net.bind(&config.host, ctx.fence.clone(), server_router(self, &config.passphrase));
        for id in ids {
            ctx.spawn(pump::pump(Arc::downgrade(self), ctx.clone(), id));
        }
        let (host, cs) = (Arc::downgrade(self), config.cs_host.clone());
        ctx.spawn(heartbeats(host, ctx.clone(), cs, config.passphrase.clone()));
    }

    /// What it is.
    pub fn config(&self) -> &ProcessServerConfig {
        &self.config
    }

    /// Sessions and cache as they are: for comparing worlds.
    pub fn observe(&self) -> Value {
        let state = self.lock();
        let sessions: BTreeMap<String, Value> = state
            .sessions
            .iter()
            .map(|(id, s)| (id.to_string(), json!({ "view": s.relay.view() })))
            .collect();
        json!({
            "id": self.config.id,
            "serving": state.serving,
            "condition": state.condition.facts(self.config.site, state.sessions.len()),
            "uploads_blocked": state.condition.uploads_blocked,
            "cache_bytes": state.cache_bytes,
            "cached": state.cached,
            "bytes_per_second": state.throttle.rate(),
            "sessions": sessions,
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn wake_all(&self) {
        self.sessions.values().for_each(|session| session.wake.notify_one());
    }
    fn emit(&self, what: What) {
        if let Some(ctx) = &self.ctx {
            ctx.emit(what);
        }
    }
    /// Changes a session's part of the cache, and keeps the account of the whole.
    fn relay<T>(&mut self, id: &SessionId, change: impl FnOnce(&mut Relay) -> T) -> Option<T> {
        let relay = &mut self.sessions.get_mut(id)?.relay;
        let before = relay.bytes();
        let done = change(relay);
        self.cached = self.cached - before + relay.bytes();
        Some(done)
    }
    fn report_phase(&self, session: &Session, phase: Phase) {
        let spec = session.relay.spec();
        self.emit(What::SessionPhase {
            session: spec.session.clone(),
            machine: spec.machine.clone(),
            phase: phase_name(phase).to_owned(),
        });
    }
}
