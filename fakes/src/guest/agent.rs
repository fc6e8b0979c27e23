//! The mobility agent in a guest: it registers, says that it lives, and answers the orchestrator.

use super::services::{AgentService, Services};
use super::{GuestConfig, Guests, Replicator};
use crate::component::{Json, MAX_JSON, guarded, post, read_json, refuse};
use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post as on_post};
use bytes::Bytes;
use failback_replication::disk::Disk;
use failback_wire::event::{VmRef, What};
use failback_wire::http::{BoxFuture, Call, Http, HttpError, StatusCode, Transport};
use failback_wire::ids::{DiskId, MachineName};
use failback_wire::node::{Ctx, Fence};
use failback_wire::proto::agent::{Address, AgentStatus, Tools, fact};
use failback_wire::proto::cs::{Component, Heartbeat, Registration};
use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use tokio::time::{Duration, sleep};

/// Between two attempts to register.
const RETRY: Duration = Duration::from_secs(60);
/// Between two heartbeats.
const HEARTBEAT: Duration = Duration::from_secs(300);

/// The agent's way out: shut while its service is stopped; and to process servers also while something in the guest
/// interferes. The volume filter in the kernel goes on tracking
/// meanwhile, as the real one does; what it tracked leaves when the service runs again.
pub(super) struct Gate {
    inner: Http,
    services: Arc<Services>,
    guests: Weak<Guests>,
    machine: MachineName,
}

impl Gate {
    pub(super) fn new(
        inner: Http,
        services: Arc<Services>,
        guests: Weak<Guests>,
        machine: MachineName,
    ) -> Arc<Self> {
        Arc::new(Self { inner, services, guests, machine })
    }
    /// True when nothing in the guest keeps this call from leaving.
    fn lets_out(&self, call: &Call) -> bool {
        let blocked = || {
            let guests = self.guests.upgrade()?;
            let state = guests.lock();
            state.machines.get(&self.machine)?.sending_blocked()
        };
        let to_process_server = call.operation.starts_with("ps.");
        self.services.run(AgentService::Svagents) && !(to_process_server && blocked().is_some())
    }
}

impl Transport for Gate {
    fn call(
        &self,
        _from: &Fence,
        call: Call,
    ) -> BoxFuture<'static, Result<http::Response<Bytes>, HttpError>> {
        let inner = self.lets_out(&call).then(|| self.inner.clone());
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
    services: Arc<Services>,
    delay: Duration,
) {
    let set = |registered: bool, trouble: Option<String>| {
        if let Some(guests) = guests.upgrade()
            && let Some(guest) = guests.lock().running.get_mut(&vm)
        {
            guest.registered = registered;
            guest.trouble = trouble;
        }
    };
    sleep(delay).await;
    loop {
        loop {
            // Without its services nobody even tries; the status says that by itself.
            let tried = if services.all_run() { register(&guests, &ctx, &config).await } else { Err(None) };
            match tried {
                Ok(()) => break,
                Err(why) => set(false, why),
            }
            sleep(RETRY).await;
        }
        set(true, None);
        let mut wait = HEARTBEAT + phase(&ctx, &config);
        loop {
            sleep(std::mem::replace(&mut wait, HEARTBEAT)).await;
            if !services.all_run() {
                continue;
            }
            match heartbeat(&guests, &vm, &ctx, &config).await {
                Known::No => break,
                Known::Yes => set(true, None),
                Known::Perhaps(why) => set(true, Some(why)),
            }
        }
        set(false, None);
    }
}

/// How much later than others an agent sends its heartbeats: those of an estate that booted together do not all come in
/// one instant.
fn phase(ctx: &Ctx, config: &GuestConfig) -> Duration {
    Duration::from_millis(
        ctx.env.draw(&format!("guest/{}/heartbeat/{}", config.copy, ctx.fence.epoch())) % 1000,
    )
}

/// The agent's version as it is now.
fn version(guests: &Weak<Guests>, config: &GuestConfig) -> String {
    let state = guests.upgrade();
    let old = state.and_then(|g| g.lock().machines.get(&config.copy.machine)?.agent_version.clone());
    old.unwrap_or_else(|| config.agent_version.clone())
}

/// One attempt; why the configuration server did not accept it.
async fn register(guests: &Weak<Guests>, ctx: &Ctx, config: &GuestConfig) -> Result<(), Option<String>> {
    let url = format!("http://{}/v1/registrations", config.cs_address);
    let body = Registration {
        machine: config.copy.machine.clone(),
        host_id: config.host_id.clone(),
        site: config.copy.site,
        address: config.address.clone(),
        os: config.os,
        version: version(guests, config),
    };
    let done = post(&ctx.http, "cs.register", &url, &config.passphrase, &body).await;
    done.map_err(|error| Some(error.to_string()))
}

/// What a heartbeat told about the registration.
#[derive(Clone, PartialEq, Eq)]
enum Known {
    /// It is there.
    Yes,
    /// Nobody answered, or not as it should; why.
    Perhaps(String),
    /// The configuration server has no row of this agent.
    No,
}

async fn heartbeat(guests: &Weak<Guests>, vm: &VmRef, ctx: &Ctx, config: &GuestConfig) -> Known {
    let url = format!("http://{}/v1/heartbeats", config.cs_address);
    let body = Heartbeat {
        component: Component::Agent,
        id: config.host_id.clone(),
        address: config.address.clone(),
        version: version(guests, config),
        os: config.os,
        facts: guests.upgrade().map(|guests| guests.facts(vm)).unwrap_or_default(),
    };
    match post(&ctx.http, "cs.heartbeat", &url, &config.passphrase, &body).await {
        Ok(_) => Known::Yes,
        Err(e) if e.code() == Some("not-registered") => Known::No,
        Err(e) => Known::Perhaps(e.to_string()),
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
    if let Some(guests) = seat.guests.upgrade() {
        guests.try_again(&seat.vm).await;
    }
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
    /// What the agent tells with its heartbeat.
    fn facts(&self, vm: &VmRef) -> BTreeMap<String, String> {
        let (replicator, blocked, volumes) = {
            let state = self.lock();
            let Some(guest) = state.running.get(vm) else { return BTreeMap::new() };
            let machine = state.machines.get(&guest.config.copy.machine);
            let blocked = machine.and_then(|machine| machine.sending_blocked());
            let volumes = machine.map(|machine| machine.volumes.clone()).unwrap_or_default();
            (guest.booted.as_ref().map(|up| up.replicator.clone()), blocked, volumes)
        };
        let mut facts = replicator.as_ref().map(|replicator| replicator.facts()).unwrap_or_default();
        facts.extend(blocked.map(|why| (fact::SENDING.to_owned(), why)));
        let left = replicator.map(|replicator| replicator.unreplicated()).unwrap_or_default();
        // A disk that Azure lends is nobody's to protect.
        let lent =
            |id: &DiskId| volumes.get(id).is_some_and(|labels| labels.as_slice() == ["Temporary Storage"]);
        let left: Vec<String> = left.iter().filter(|id| !lent(id)).map(ToString::to_string).collect();
        if !left.is_empty() {
            facts.insert(fact::UNREPLICATED.to_owned(), left.join(","));
        }
        facts
    }

    /// An agent whose last heartbeat met trouble sends another before it says so: what it says is true now.
    async fn try_again(&self, vm: &VmRef) {
        let troubled = {
            let state = self.lock();
            let guest = state.running.get(vm);
            let guest = guest.filter(|g| g.registered && g.trouble.is_some() && g.services.all_run());
            guest.map(|guest| (guest.ctx.clone(), guest.config.clone()))
        };
        let Some((ctx, config)) = troubled else { return };
        let known = heartbeat(&self.me, vm, &ctx, &config).await;
        if known == Known::Yes
            && let Some(guest) = self.lock().running.get_mut(vm)
        {
            guest.trouble = None;
        }
    }

    /// What the agent of a guest that is up says about itself.
    fn agent_status(&self, vm: &VmRef) -> Option<AgentStatus> {
        let (unheard_because, blocked);
        let (config, registered, replicator, tools_enabled, addressing, volumes, on_metal) = {
            let state = self.lock();
            let guest = state.running.get(vm)?;
            let machine = state.machines.get(&guest.config.copy.machine)?;
            let replicator = guest.booted.as_ref()?.replicator.clone();
            let stopped = !guest.services.run(AgentService::ScoutApplication);
            let stopped = stopped.then(|| "the InMage Scout Application service is stopped".to_owned());
            unheard_because = stopped.or_else(|| guest.trouble.clone());
            blocked = machine.sending_blocked().is_some();
            let (volumes, tools) = (machine.volumes.clone(), machine.tools_enabled);
            let (addressing, on_metal) = (machine.system.addressing, state.on_metal.contains(vm));
            (guest.config.clone(), guest.registered, replicator, tools, addressing, volumes, on_metal)
        };
        let (fed, (_, disks)) = (replicator.spec(), replicator.progress());
        let hardware = config.metal.as_ref().filter(|_| on_metal).map(|metal| metal.hardware.clone());
        // What in the guest holds its data back is no trouble with the process server (78169, not 78186).
        let (host_id, trouble) = (config.host_id.clone(), replicator.trouble().filter(|_| !blocked));
        Some(AgentStatus {
            host_id,
            registered,
            unheard_because,
            session: fed.as_ref().map(|spec| spec.session.clone()),
            epoch: fed.as_ref().map(|spec| spec.epoch),
            relay: fed.map(|spec| spec.relay),
            os_version: config.os_version.clone(),
            iscsi: config.iscsi.iter().map(Disk::bytes).collect(),
            tools_enabled,
            addressing,
            disks,
            trouble,
            volumes,
            hardware,
        })
    }

    /// Enables or disables VMware Tools in the guest that runs in `vm`; it stays so wherever its disks go.
    pub(super) fn set_tools(&self, vm: &VmRef, enabled: bool) {
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
