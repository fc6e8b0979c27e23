//! The configuration server's REST interface; see `failback_wire::proto::cs` for the table of calls.
//!
//! A server whose database is lost answers everything with 503 `database-lost`.

use super::tables::{self, Table};
use super::{ConfigurationServer, DatabaseLost};
use crate::component::{Json, MAX_JSON, guarded, read_json, refuse};
use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use failback_wire::event::What;
use failback_wire::http::StatusCode;
use failback_wire::ids::{MachineCopy, MachineName};
use failback_wire::node::Ctx;
use failback_wire::proto::cs::{
    Component, Filed, Heard, Heartbeat, Protection, Registered, Registration, RollCall, version,
};
use failback_wire::store::{Store, StoreError};
use serde_json::json;
use std::sync::{Arc, Weak};

/// The longest name, id or address a row may hold, in bytes.
const MAX_NAME: usize = 255;
/// The most facts a heartbeat may carry.
const MAX_FACTS: usize = 64;

/// What an expired certificate is told with.
const EXPIRED: &str = "the certificate of the configuration server has expired";

type Seat = State<Weak<ConfigurationServer>>;

pub(super) fn router(server: Weak<ConfigurationServer>, passphrase: &str) -> Router {
    let router = Router::new()
        .route("/v1/registrations", post(register))
        .route("/v1/heartbeats", post(heartbeat).get(roll_call))
        .route("/v1/machines/{name}", get(machine).put(protect).delete(forget))
        .route("/v1/certificate", post(renew_certificate))
        .route("/v1/servers", get(servers))
        .route("/v1/status", get(status))
        .with_state(server);
    guarded(router, passphrase, MAX_JSON)
}

/// What a handler works with.
struct Desk {
    server: Arc<ConfigurationServer>,
    ctx: Ctx,
    store: Store,
}

/// A reply that says no.
struct No(Box<Response>);

impl No {
    fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        Self(Box::new(refuse(status, code, message)))
    }
}
impl IntoResponse for No {
    fn into_response(self) -> Response {
        *self.0
    }
}
impl From<Response> for No {
    fn from(reply: Response) -> Self {
        Self(Box::new(reply))
    }
}
impl From<StoreError> for No {
    fn from(e: StoreError) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "database-error", e.to_string())
    }
}

fn open(server: &Weak<ConfigurationServer>) -> Result<Desk, No> {
    let gone = || No::new(StatusCode::SERVICE_UNAVAILABLE, "service-stopped", "the service is stopped");
    let server = server.upgrade().ok_or_else(gone)?;
    let (ctx, store) = server.desk().map_err(|DatabaseLost| {
        let why = "the configuration server's database is lost; restore it from a backup";
        No::new(StatusCode::SERVICE_UNAVAILABLE, "database-lost", why)
    })?;
    Ok(Desk { server, ctx, store })
}

impl Desk {
    /// Refuses agents and servers that do not trust the certificate any more (P6).
    fn trusted(&self) -> Result<(), No> {
        match self.server.has_expired(&self.ctx) {
            true => Err(No::new(StatusCode::FORBIDDEN, "certificate-expired", EXPIRED)),
            false => Ok(()),
        }
    }
}

/// Refuses texts that no row should hold.
fn check_texts(texts: &[&str]) -> Result<(), No> {
    let bad = texts.iter().any(|text| text.is_empty() || text.len() > MAX_NAME);
    if bad {
        let why = format!("every name, id and address must have 1 to {MAX_NAME} bytes");
        return Err(No::new(StatusCode::BAD_REQUEST, "bad-request", why));
    }
    Ok(())
}

/// The reply when a table is full, or the wanted one.
fn unless_full(done: bool) -> Result<(), No> {
    let full = || No::new(StatusCode::INSUFFICIENT_STORAGE, "database-full", "too many rows");
    done.then_some(()).ok_or_else(full)
}

/// The same for a caller from the vault, or a server that works for it.
fn open_here(server: &Weak<ConfigurationServer>) -> Result<Desk, No> {
    let desk = open(server)?;
    if desk.server.is_elsewhere() {
        let why = "this configuration server is registered in another vault";
        return Err(No::new(StatusCode::FORBIDDEN, "other-vault", why));
    }
    Ok(desk)
}

async fn register(State(server): Seat, body: Bytes) -> Result<Response, No> {
    let desk = open(&server)?;
    desk.trusted()?;
    let new: Registration = read_json(&body)?;
    check_texts(&[new.machine.as_str(), &new.host_id, &new.address, &new.version])?;
    let now = desk.ctx.now();
    let done = desk.store.write("register", |db| {
        let room = tables::has_room(db, Table::Registrations)?;
        if room {
            tables::register(db, &new, now)?;
        }
        Ok(room)
    })?;
    unless_full(done)?;
    desk.ctx.emit(What::AgentRegistered { copy: MachineCopy::new(new.machine, new.site) });
    Ok(Json(Registered { generation: desk.server.generation() }).into_response())
}

async fn heartbeat(State(server): Seat, body: Bytes) -> Result<Response, No> {
    let desk = open(&server)?;
    desk.trusted()?;
    let sign: Heartbeat = read_json(&body)?;
    check_texts(&[&sign.id, &sign.address, &sign.version])?;
    if sign.facts.len() > MAX_FACTS {
        return Err(No::new(StatusCode::BAD_REQUEST, "bad-request", "too many facts"));
    }
    let now = desk.ctx.now();
    if sign.component == Component::Agent {
        let known = desk.store.write("heartbeat", |db| tables::agent_beat(db, &sign, now))?;
        let why = || No::new(StatusCode::NOT_FOUND, "not-registered", "no agent has this host id");
        return known.then(|| Json(json!({})).into_response()).ok_or_else(why);
    }
    open_here(&server)?;
    let done = desk.store.write("heartbeat", |db| tables::server_beat(db, &sign, now))?;
    unless_full(done)?;
    let oldest = match sign.component {
        Component::MasterTarget => Some(desk.oldest_version()?),
        Component::ProcessServer | Component::Agent => None,
    };
    Ok(Json(Heard { oldest }).into_response())
}

impl Desk {
    /// The oldest component version among the configuration server and its process servers (P16).
    fn oldest_version(&self) -> Result<String, No> {
        let mut versions = self.store.read(tables::process_server_versions)?;
        versions.push(self.server.version());
        Ok(versions.into_iter().min_by_key(|text| version(text)).unwrap_or_default())
    }
}

async fn roll_call(State(server): Seat) -> Result<Response, No> {
    let desk = open_here(&server)?;
    let certificate_expires = desk.server.certificate_expires(desk.ctx.now());
    let version = desk.server.version();
    let roll = desk.store.read(|db| {
        let (servers, agents) = (tables::server_beats(db)?, tables::agents(db)?);
        Ok(RollCall { servers, agents, version, certificate_expires })
    })?;
    Ok(Json(roll).into_response())
}

async fn machine(State(server): Seat, Path(name): Path<String>) -> Result<Response, No> {
    let desk = open_here(&server)?;
    let row = desk.store.read(|db| tables::machine(db, &MachineName::from(name.as_str())))?;
    let why = || format!("the database has no row of {name}");
    row.map(|row| Json(row).into_response())
        .ok_or_else(|| No::new(StatusCode::NOT_FOUND, "no-such-machine", why()))
}

async fn protect(State(server): Seat, Path(name): Path<String>, body: Bytes) -> Result<Response, No> {
    let desk = open_here(&server)?;
    let row: Protection = read_json(&body)?;
    check_texts(&[&name, &row.vm_uuid, &row.policy])?;
    if !["forward", "reverse", "none"].contains(&row.direction.as_str()) {
        let why = format!("{} is neither forward, reverse nor none", row.direction);
        return Err(No::new(StatusCode::BAD_REQUEST, "bad-request", why));
    }
    let done = desk.store.write("protect", |db| {
        let room = tables::has_room(db, Table::Machines)?;
        if room {
            tables::protect(db, &MachineName::from(name.as_str()), &row)?;
        }
        Ok(room)
    })?;
    unless_full(done)?;
    Ok(Json(Filed { instance: desk.server.instance() }).into_response())
}

async fn forget(State(server): Seat, Path(name): Path<String>) -> Result<Response, No> {
    let desk = open_here(&server)?;
    desk.store.write("forget", |db| tables::forget(db, &MachineName::from(name.as_str())))?;
    Ok(Json(json!({})).into_response())
}

async fn servers(State(server): Seat) -> Result<Response, No> {
    let desk = open_here(&server)?;
    Ok(Json(desk.store.read(tables::servers)?).into_response())
}

async fn status(State(server): Seat) -> Result<Response, No> {
    let desk = open_here(&server)?;
    Ok(Json(desk.server.status(&desk.ctx)).into_response())
}

async fn renew_certificate(State(server): Seat) -> Result<Response, No> {
    let desk = open_here(&server)?;
    desk.trusted()?;
    desk.server.renew(desk.ctx.now());
    Ok(Json(desk.server.status(&desk.ctx)).into_response())
}
