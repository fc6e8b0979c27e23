//! The session interface that process servers, master targets and the recovery service share: routes, refusals, signs
//! of life.

use crate::component::{Json, guarded, read_json, refuse};
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post as on_post};
use bytes::Bytes;
use failback_replication::relay::RelayError;
use failback_replication::source::Marks;
use failback_replication::target::TargetError;
use failback_wire::canary::Canary;
use failback_wire::event::Mark;
use failback_wire::http::{Call, MAX_BODY, Method, Request, StatusCode};
use failback_wire::ids::{DiskId, SessionId};
use failback_wire::node::Ctx;
use failback_wire::proto::call::{self, CallError};
use failback_wire::proto::cs::{Heard, Heartbeat};
use failback_wire::proto::session::{
    Ack, Hashes, MAX_REACH, MAX_WATCH, Phase, Roll, ServerHealth, SessionSpec, SessionView, Watch, WatchOne,
    Watched,
};
use serde::Deserialize;
use std::future::Future;
use std::sync::{Arc, Weak};
use tokio::time::{Duration, sleep};

/// How many disks a mark and its point cover in this world (R2).
pub(crate) fn marks(ctx: &Ctx) -> Marks {
    let all = ctx.env.holds("R2") && !ctx.env.planted(Canary::PointTooEarly);
    if all { Marks::AllDisks } else { Marks::AnyDisk }
}

/// Components say that they live this often (P13).
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(300);
/// How long a server tries to reach an address.
const REACH: Duration = Duration::from_secs(5);

/// A refusal on its way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Denied {
    /// HTTP status.
    pub(crate) status: StatusCode,
    /// A stable word.
    pub(crate) code: String,
    /// For people.
    pub(crate) message: String,
}

impl Denied {
    /// A refusal.
    pub(crate) fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), message: message.into() }
    }
    /// The session is not known here.
    pub(crate) fn unknown_session(id: &SessionId) -> Self {
        Self::new(StatusCode::NOT_FOUND, "unknown-session", format!("no session {id} here"))
    }
    /// The request does not fit this machine.
    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", message)
    }
}

impl IntoResponse for Denied {
    fn into_response(self) -> Response {
        refuse(self.status, &self.code, self.message)
    }
}

impl From<TargetError> for Denied {
    fn from(error: TargetError) -> Self {
        let (status, code) = match &error {
            TargetError::OtherSession | TargetError::UnknownDisk(_) | TargetError::OutOfRange(_) => {
                (StatusCode::BAD_REQUEST, "bad-request")
            }
            TargetError::StaleEpoch(_) => (StatusCode::CONFLICT, "stale-epoch"),
            TargetError::EpochAhead(_) => (StatusCode::CONFLICT, "epoch-ahead"),
            TargetError::Stopped => (StatusCode::CONFLICT, "session-stopped"),
            TargetError::ResyncRequired(_) => (StatusCode::CONFLICT, "resync-required"),
            TargetError::NotAttached(_) => (StatusCode::CONFLICT, "disk-not-attached"),
            TargetError::Resized(_) => (StatusCode::CONFLICT, "disk-resized"),
            TargetError::RetentionFull => (StatusCode::INSUFFICIENT_STORAGE, "retention-full"),
            TargetError::Corrupt { .. } => (StatusCode::CONFLICT, "corrupt"),
            TargetError::Journal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "journal-failed"),
            TargetError::NoSuchPoint(_) => (StatusCode::NOT_FOUND, "no-such-point"),
        };
        Self::new(status, code, error.to_string())
    }
}

impl From<RelayError> for Denied {
    fn from(error: RelayError) -> Self {
        let (status, code) = match &error {
            RelayError::Frame(_) => (StatusCode::BAD_REQUEST, "corrupt-frame"),
            RelayError::OtherSession => (StatusCode::BAD_REQUEST, "bad-request"),
            RelayError::StaleEpoch(_) => (StatusCode::CONFLICT, "stale-epoch"),
            RelayError::EpochAhead(_) => (StatusCode::CONFLICT, "epoch-ahead"),
            RelayError::Stopped => (StatusCode::CONFLICT, "session-stopped"),
            RelayError::Busy => (StatusCode::SERVICE_UNAVAILABLE, "busy"),
            RelayError::ResyncRequired(_) => (StatusCode::CONFLICT, "resync-required"),
        };
        Self::new(status, code, error.to_string())
    }
}

impl From<CallError> for Denied {
    /// A refusal from behind is passed on; silence from behind is 502 `target-unreachable`.
    fn from(error: CallError) -> Self {
        match error {
            CallError::Http(error) => {
                Self::new(StatusCode::BAD_GATEWAY, "target-unreachable", error.to_string())
            }
            CallError::Refused { status, refusal } => {
                Self { status, code: refusal.code, message: refusal.message }
            }
        }
    }
}

/// A range of blocks whose hashes are asked for.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Range {
    /// The epoch of whoever asks.
    pub(crate) epoch: u64,
    /// First block.
    pub(crate) first: u64,
    /// How many; at most [`MAX_HASHES`].
    pub(crate) count: u64,
}

/// The most hashes that one call asks for.
pub(crate) const MAX_HASHES: u64 = 16_384;

/// A machine that takes part in sessions.
pub(crate) trait SessionHost: Send + Sync + 'static {
    /// True unless its services are stopped.
    fn serving(&self) -> bool;
    /// Creates a session or takes it up.
    fn put(self: &Arc<Self>, spec: SessionSpec) -> Result<SessionView, Denied>;
    /// The session as seen here.
    fn view(&self, id: &SessionId) -> Result<SessionView, Denied>;
    /// The same without the points up to `after`.
    fn view_after(&self, id: &SessionId, after: Mark) -> Result<SessionView, Denied> {
        self.view(id).map(|view| view.only_after(after))
    }
    /// Takes frames.
    fn frames(&self, id: &SessionId, body: Bytes) -> Result<Ack, Denied>;
    /// Hashes of the target's blocks, and where it holds something next.
    fn hashes(
        &self,
        id: SessionId,
        disk: DiskId,
        range: Range,
    ) -> impl Future<Output = Result<Hashes, Denied>> + Send;
    /// Takes no more frames. The recovery service makes a point of what it received after the last one, if asked to.
    fn stop(&self, id: &SessionId, process: bool) -> Result<SessionView, Denied>;
    /// Brings the disks to a point.
    fn roll(&self, id: &SessionId, roll: &Roll) -> Result<SessionView, Denied>;
    /// Forgets the session.
    fn delete(&self, id: &SessionId);
}

/// One of them that the configuration server knows.
pub(crate) trait Server: SessionHost {
    /// The machine about itself.
    fn health(&self) -> ServerHealth;
    /// Its running software; `None` before the first start.
    fn software(&self) -> Option<Ctx>;
    /// What it tells the configuration server; also the moment for its own housekeeping. `None` while the service that
    /// tells it is stopped.
    fn heartbeat(&self) -> Option<Heartbeat>;
    /// What the configuration server answered.
    fn heard(&self, _: Heard) {}
    /// The configuration server belongs to another vault now: what it did for this one is over (C23).
    fn left_vault(&self) {}
}

/// The session interface of `host`.
pub(crate) fn session_router<H: SessionHost>(host: &Arc<H>, passphrase: &str) -> Router {
    guarded(sessions::<H>().with_state(Arc::downgrade(host)), passphrase, MAX_BODY)
}

/// The same with what a server says of itself.
pub(crate) fn server_router<H: Server>(host: &Arc<H>, passphrase: &str) -> Router {
    let router = sessions::<H>().route("/v1/health", get(health::<H>));
    guarded(router.with_state(Arc::downgrade(host)), passphrase, MAX_BODY)
}

fn sessions<H: SessionHost>() -> Router<Weak<H>> {
    Router::new()
        .route("/v1/watch", on_post(watch::<H>))
        .route("/v1/sessions/{id}", get(view::<H>).put(put::<H>).delete(delete::<H>))
        .route("/v1/sessions/{id}/frames", on_post(frames::<H>))
        .route("/v1/sessions/{id}/disks/{disk}/hashes", get(hashes::<H>))
        .route("/v1/sessions/{id}/stop", on_post(stop::<H>))
        .route("/v1/sessions/{id}/roll", on_post(roll::<H>))
}

/// The host while its services run.
fn live<H: SessionHost>(host: &Weak<H>) -> Result<Arc<H>, Denied> {
    let stopped =
        || Denied::new(StatusCode::SERVICE_UNAVAILABLE, "service-stopped", "the services are stopped");
    host.upgrade().filter(|h| h.serving()).ok_or_else(stopped)
}

async fn put<H: SessionHost>(
    State(host): State<Weak<H>>,
    Path(id): Path<SessionId>,
    body: Bytes,
) -> Response {
    let spec: SessionSpec = match read_json(&body) {
        Ok(spec) => spec,
        Err(reply) => return reply,
    };
    if spec.session != id {
        return Denied::bad_request("the body speaks of another session").into_response();
    }
    live(&host).and_then(|host| host.put(spec)).map(Json).into_response()
}

fn look<H: SessionHost>(host: &H, id: &SessionId, after: Option<Mark>) -> Result<SessionView, Denied> {
    match after {
        Some(after) => host.view_after(id, after),
        None => host.view(id),
    }
}

#[derive(Deserialize)]
struct After {
    after: Option<Mark>,
}

async fn view<H: SessionHost>(
    State(host): State<Weak<H>>,
    Path(id): Path<SessionId>,
    Query(asked): Query<After>,
) -> Response {
    live(&host).and_then(|host| look(&*host, &id, asked.after)).map(Json).into_response()
}

async fn watch<H: SessionHost>(State(host): State<Weak<H>>, body: Bytes) -> Response {
    let asked: Watch = match read_json(&body) {
        Ok(asked) => asked,
        Err(reply) => return reply,
    };
    if asked.sessions.len() > MAX_WATCH {
        return Denied::bad_request(format!("more than {MAX_WATCH} sessions at once")).into_response();
    }
    let host = match live(&host) {
        Ok(host) => host,
        Err(denied) => return denied.into_response(),
    };
    let look = |one: &WatchOne| look(&*host, &one.session, one.after).ok();
    Json(Watched { views: asked.sessions.iter().map(look).collect() }).into_response()
}

async fn frames<H: SessionHost>(
    State(host): State<Weak<H>>,
    Path(id): Path<SessionId>,
    body: Bytes,
) -> Response {
    live(&host).and_then(|host| host.frames(&id, body)).map(Json).into_response()
}

async fn hashes<H: SessionHost>(
    State(host): State<Weak<H>>,
    Path((id, disk)): Path<(SessionId, DiskId)>,
    Query(range): Query<Range>,
) -> Response {
    if range.count > MAX_HASHES {
        return Denied::bad_request(format!("more than {MAX_HASHES} hashes at once")).into_response();
    }
    match live(&host) {
        Ok(host) => host.hashes(id, disk, range).await.map(|hashes| hashes.to_bytes()).into_response(),
        Err(denied) => denied.into_response(),
    }
}

/// Who stops or rolls a session knows its points.
fn brief(view: SessionView) -> Json<SessionView> {
    Json(view.without_points())
}

#[derive(Deserialize)]
struct Process {
    #[serde(default)]
    process: bool,
}

async fn stop<H: SessionHost>(
    State(host): State<Weak<H>>,
    Path(id): Path<SessionId>,
    Query(asked): Query<Process>,
) -> Response {
    live(&host).and_then(|host| host.stop(&id, asked.process)).map(brief).into_response()
}

async fn roll<H: SessionHost>(
    State(host): State<Weak<H>>,
    Path(id): Path<SessionId>,
    body: Bytes,
) -> Response {
    match read_json::<Roll>(&body) {
        Ok(wanted) => live(&host).and_then(|host| host.roll(&id, &wanted)).map(brief).into_response(),
        Err(reply) => reply,
    }
}

async fn delete<H: SessionHost>(State(host): State<Weak<H>>, Path(id): Path<SessionId>) -> Response {
    live(&host).map(|host| host.delete(&id)).map(|()| Json(serde_json::json!({}))).into_response()
}

#[derive(Deserialize)]
struct Reach {
    /// Addresses with a comma between them.
    reach: Option<String>,
}

async fn health<H: Server>(State(host): State<Weak<H>>, Query(asked): Query<Reach>) -> Response {
    let asked = asked.reach.unwrap_or_default();
    let wanted: Vec<String> = asked.split(',').filter(|a| !a.is_empty()).map(str::to_owned).collect();
    if wanted.len() > MAX_REACH {
        return Denied::bad_request(format!("more than {MAX_REACH} addresses at once")).into_response();
    }
    let software = match live(&host) {
        Ok(host) => host.software(),
        Err(denied) => return denied.into_response(),
    };
    let mut unreached = Vec::new();
    for address in wanted {
        let answers = match &software {
            Some(ctx) => reaches(ctx, &address).await,
            None => false,
        };
        if !answers {
            unreached.push(address);
        }
    }
    live(&host).map(|host| Json(ServerHealth { unreached, ..host.health() })).into_response()
}

/// True when whatever listens at `address` answers anything.
async fn reaches(ctx: &Ctx, address: &str) -> bool {
    let request = Request::builder().uri(format!("http://{address}/v1/health")).body(Bytes::new());
    let Ok(request) = request else { return false };
    ctx.http.send(Call { operation: "ps.reach", timeout: REACH, request }).await.is_ok()
}

/// Says every five minutes that the host lives, as long as its services run.
pub(crate) async fn heartbeats<H: Server>(host: Weak<H>, ctx: Ctx, cs_host: String, passphrase: String) {
    let url = format!("http://{cs_host}/v1/heartbeats");
    loop {
        let Some(beat) = host.upgrade().map(|h| h.serving().then(|| h.heartbeat()).flatten()) else { return };
        if let Some(beat) = beat {
            // A lost one is followed by the next; the configuration server notices silence by itself.
            let reply = call::json(&ctx.http, &passphrase, "cs.heartbeat", Method::POST, &url, Some(&beat));
            let reply = reply.await;
            let Some(host) = host.upgrade() else { return };
            match reply {
                Ok(heard) => host.heard(heard),
                Err(error) if error.code() == Some("other-vault") => host.left_vault(),
                Err(_) => {}
            }
        }
        sleep(HEARTBEAT).await;
    }
}

/// How events call a phase.
pub(crate) fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Waiting => "waiting",
        Phase::Synchronising => "synchronising",
        Phase::Replicating => "replicating",
        Phase::Stopped => "stopped",
        Phase::Rolled => "rolled",
    }
}

/// The wait after the `failures`-th failure in a row: doubling from one second up to `most`.
pub(crate) fn back_off(failures: u32, most: Duration) -> Duration {
    Duration::from_secs(1 << failures.clamp(1, 12).saturating_sub(1)).min(most)
}
