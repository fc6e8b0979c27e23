//! The mobility agent in a guest: it registers, says that it lives, and answers the orchestrator.

use super::system::System;
use super::{GuestConfig, Guests, Replicator};
use crate::component::{Json, MAX_JSON, guarded, post, read_json, refuse};
use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post as on_post};
use bytes::Bytes;
use failback_wire::event::{VmRef, What};
use failback_wire::http::{BoxFuture, Call, Http, HttpError, StatusCode, Transport};
use failback_wire::node::{Ctx, Fence};
use failback_wire::proto::agent::{Address, AgentStatus, Tools};
use failback_wire::proto::cs::{Component, Heartbeat, Registration};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use tokio::time::{Duration, sleep};

/// Between two attempts to register.
const RETRY: Duration = Duration::from_secs(60);
/// Between two heartbeats.
const HEARTBEAT: Duration = Duration::from_secs(300);

/// The agent's way out: shut while its service is stopped. The volume filter in the kernel goes on tracking
/// meanwhile, as the real one does; what it tracked leaves when the service runs again.
pub(super) struct Gate {
    inner: Http,
    open: Arc<AtomicBool>,
}

impl Gate {
    pub(super) fn new(inner: Http, open: Arc<AtomicBool>) -> Arc<Self> {
        Arc::new(Self { inner, open })
    }
}

impl Transport for Gate {
    fn call(
        &self,
        _from: &Fence,
        call: Call,
    ) -> BoxFuture<'static, Result<http::Response<Bytes>, HttpError>> {
        let inner = self.open.load(Ordering::Relaxed).then(|| self.inner.clone());
        Box::pin(async move {
            match inner {
                Some(inner) => inner.send(call).await,
                None => {
                    let host = call.request.uri().host().unwrap_or_default().to_owned();
                    // Some time passes, so that who retries at once does not retry for ever at one instant.
                    sleep(Duration::from_millis(1)).await;
                    Err(HttpError::Unreachable { host })
                }
            }
        })
    }
}

/// The agent's life: register after `delay`, trying every minute, then a heartbeat every five minutes. A
/// configuration server that does not know it any more (restored from a backup) gets a new registration.
pub(super) async fn run_agent(
    guests: Weak<Guests>,
    vm: VmRef,
    ctx: Ctx,
    config: Arc<GuestConfig>,
    runs: Arc<AtomicBool>,
    delay: Duration,
) {
    let set = |registered: bool| {
        if let Some(guests) = guests.upgrade()
            && let Some(guest) = guests.lock().running.get_mut(&vm)
        {
            guest.registered = registered;
        }
    };
    sleep(delay).await;
    loop {
        while !(runs.load(Ordering::Relaxed) && register(&ctx, &config).await) {
            sleep(RETRY).await;
        }
        set(true);
        loop {
            sleep(HEARTBEAT).await;
            if runs.load(Ordering::Relaxed) && heartbeat(&ctx, &config).await == Known::No {
                break;
            }
        }
        set(false);
    }
}

/// One attempt; true when the configuration server accepted it.
async fn register(ctx: &Ctx, config: &GuestConfig) -> bool {
    let url = format!("http://{}/v1/registrations", config.cs_address);
    let body = Registration {
        machine: config.copy.machine.clone(),
        host_id: config.host_id.clone(),
        site: config.copy.site,
        address: config.address.clone(),
        os: config.os,
        version: config.agent_version.clone(),
    };
    post(&ctx.http, "cs.register", &url, &config.passphrase, &body).await.is_ok()
}

/// What a heartbeat told about the registration.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    /// It is there, or nobody answered.
    Perhaps,
    /// The configuration server has no row of this agent.
    No,
}

async fn heartbeat(ctx: &Ctx, config: &GuestConfig) -> Known {
    let url = format!("http://{}/v1/heartbeats", config.cs_address);
    let body = Heartbeat {
        component: Component::Agent,
        id: config.host_id.clone(),
        address: config.address.clone(),
        version: config.agent_version.clone(),
        os: config.os,
        facts: Default::default(),
    };
    match post(&ctx.http, "cs.heartbeat", &url, &config.passphrase, &body).await {
        Err(e) if e.code() == Some("not-registered") => Known::No,
        Ok(_) | Err(_) => Known::Perhaps,
    }
}

/// Whose interface this is.
#[derive(Clone)]
struct Seat {
    guests: Weak<Guests>,
    vm: VmRef,
}

/// The agent's interface. Successful replies of the replicator carry the whole agent's status.
pub(super) fn agent_router(
    guests: Weak<Guests>,
    vm: &VmRef,
    replicator: &Arc<Replicator>,
    passphrase: &str,
) -> Router {
    let seat = Seat { guests, vm: vm.clone() };
    let own = Router::new()
        .route("/v1/status", get(status))
        .route("/v1/tools", on_post(tools))
        .route("/v1/addressing", on_post(addressing))
        .with_state(seat.clone())
        .merge(replicator.router().layer(from_fn_with_state(seat, with_status)));
    guarded(own, passphrase, MAX_JSON)
}

async fn status(State(seat): State<Seat>) -> Response {
    seat.guests.upgrade().and_then(|guests| guests.agent_status(&seat.vm)).map_or_else(
        || refuse(StatusCode::SERVICE_UNAVAILABLE, "guest-down", "the guest is going down"),
        |status| Json(status).into_response(),
    )
}

async fn tools(State(seat): State<Seat>, body: Bytes) -> Response {
    let wanted: Tools = match read_json(&body) {
        Ok(wanted) => wanted,
        Err(reply) => return reply,
    };
    if let Some(guests) = seat.guests.upgrade() {
        guests.set_tools(&seat.vm, wanted.enabled);
    }
    status(State(seat)).await
}

async fn addressing(State(seat): State<Seat>, body: Bytes) -> Response {
    let wanted: Address = match read_json(&body) {
        Ok(wanted) => wanted,
        Err(reply) => return reply,
    };
    if let Some(guests) = seat.guests.upgrade() {
        guests.address(&seat.vm, wanted.addressing);
    }
    status(State(seat)).await
}

async fn with_status(State(seat): State<Seat>, request: Request, next: Next) -> Response {
    let reply = next.run(request).await;
    if reply.status().is_success() { status(State(seat)).await } else { reply }
}

impl Guests {
    /// What the agent of a guest that is up says about itself.
    fn agent_status(&self, vm: &VmRef) -> Option<AgentStatus> {
        let (config, registered, replicator, tools_enabled, addressing) = {
            let state = self.lock();
            let guest = state.running.get(vm)?;
            let machine = state.machines.get(&guest.config.copy.machine)?;
            let replicator = guest.booted.as_ref()?.replicator.clone();
            let System { addressing, .. } = machine.system;
            (guest.config.clone(), guest.registered, replicator, machine.tools_enabled, addressing)
        };
        let (session, disks) = replicator.progress();
        let (host_id, trouble) = (config.host_id.clone(), replicator.trouble());
        Some(AgentStatus { host_id, registered, session, tools_enabled, addressing, disks, trouble })
    }

    /// Enables or disables VMware Tools in the guest that runs in `vm`; it stays so wherever its disks go.
    fn set_tools(&self, vm: &VmRef, enabled: bool) {
        let mut state = self.lock();
        let super::State { running, machines, .. } = &mut *state;
        let Some(guest) = running.get(vm) else { return };
        let copy = guest.config.copy.clone();
        let Some(machine) = machines.get_mut(&copy.machine) else { return };
        if machine.tools_enabled != enabled {
            machine.tools_enabled = enabled;
            guest.ctx.emit(What::ToolsChanged { copy, enabled });
        }
    }
}
