//! Sessions at process server and target.

use super::super::{StepCtx, StepError};
use super::{note, peer_error};
use crate::catalogue::control::{CS_DISCONNECTED, PS_UNKNOWN};
use crate::catalogue::execution::{ROLL_FAILED, SESSION_FAILED, STOP_FAILED};
use crate::catalogue::target::MT_UNKNOWN;
use crate::config::ReplicationPolicy;
use crate::journal::{Fact, ServerRef};
use failback_wire::error::Class;
use failback_wire::ids::{PointId, SessionId};
use failback_wire::proto::cs::Component;
use failback_wire::proto::session::{
    Direction, Phase, Resync, SessionDisk, SessionSpec, SessionView, SyncMode,
};

/// How a server refuses what concerns a session that it does not know.
pub(crate) const UNKNOWN: &str = "unknown-session";

/// Where the server of this id listens, as the configuration server knows it.
pub(in crate::workflow) async fn server(
    c: &StepCtx<'_>,
    component: Component,
    id: &str,
) -> Result<ServerRef, StepError> {
    let doc = match component {
        Component::MasterTarget => &MT_UNKNOWN,
        Component::ProcessServer | Component::Agent => &PS_UNKNOWN,
    };
    let host = c.services.config.cs.host.as_str();
    let silent = |error| peer_error(&CS_DISCONNECTED, host, &error);
    let rows = c.services.cs.servers().await.map_err(silent)?;
    let found = rows.into_iter().find(|row| row.component == component && row.id == id);
    let row = found.ok_or_else(|| StepError::new(doc, id, id))?;
    Ok(ServerRef { id: row.id, address: row.address })
}

/// A session of this item that nobody has used yet. Its epoch is higher than that of any earlier one.
pub(in crate::workflow) fn plan(
    c: &StepCtx<'_>,
    direction: Direction,
    sync: SyncMode,
    disks: Vec<SessionDisk>,
    relay: &ServerRef,
    target: &str,
) -> SessionSpec {
    let policy: ReplicationPolicy = match direction {
        Direction::Forward => c.policy.unwrap_or(c.services.config.knobs.forward),
        Direction::Reverse => c.services.config.knobs.reverse,
    };
    SessionSpec {
        session: SessionId::new(c.id("session")),
        machine: c.item.name.clone(),
        direction,
        epoch: c.item.epoch + 1,
        disks,
        sync,
        relay: relay.address.clone(),
        target: target.to_owned(),
        crash_interval_s: policy.crash_interval_s,
        app_interval_s: policy.app_interval_s,
        retention_s: policy.retention_s,
        resync: match direction {
            Direction::Forward => c.services.config.knobs.resync,
            Direction::Reverse => Resync::AtOnce,
        },
        compress: c.services.config.knobs.compress,
        group: c.item.group.clone(),
    }
}

/// Note: id and address of the process server that served the item before a first attempt chose another.
const RELAY_BEFORE: [&str; 2] = ["relay-before/id", "relay-before/address"];

/// The session is agreed on: `relay` serves the item from now on.
pub(in crate::workflow) fn planned(c: &StepCtx<'_>, spec: SessionSpec, relay: ServerRef) -> Vec<Fact> {
    let mut facts = Vec::new();
    let before = c.item.process_server.as_ref().filter(|_| !c.item.notes.contains_key(RELAY_BEFORE[0]));
    if let Some(before) = before {
        facts.push(note(RELAY_BEFORE[0], before.id.as_str()));
        facts.push(note(RELAY_BEFORE[1], before.address.as_str()));
    }
    facts.extend([Fact::ProcessServer(relay), Fact::SessionOpened(spec)]);
    facts
}

/// The session is off: who served the item before serves it again.
pub(in crate::workflow) fn unplanned(c: &StepCtx<'_>, direction: Direction) -> Vec<Fact> {
    let mut facts = vec![Fact::SessionClosed(direction)];
    if let [Some(id), Some(address)] = RELAY_BEFORE.map(|key| c.item.notes.get(key).cloned()) {
        facts.push(Fact::ProcessServer(ServerRef { id, address }));
    }
    facts
}

/// Servers of the session, the keeper of its points first.
pub(in crate::workflow) fn servers(spec: &SessionSpec) -> [&str; 2] {
    [&spec.target, &spec.relay]
}

/// Sets the session up at `host`, or takes it up there in the spec's epoch. An agent that resynchronises
/// raises the epoch by itself: a later one is as good.
pub(in crate::workflow) async fn open(
    c: &StepCtx<'_>,
    host: &str,
    spec: &SessionSpec,
) -> Result<(), StepError> {
    match c.services.sessions.put(host, spec).await {
        Ok(_) => Ok(()),
        Err(error) if error.is_refusal("stale-epoch") => Ok(()),
        Err(error) => Err(peer_error(&SESSION_FAILED, host, &error)),
    }
}

/// The same session in an epoch above that of every party, to be resynchronised by checksum.
pub(in crate::workflow) async fn renew(
    c: &StepCtx<'_>,
    spec: &SessionSpec,
) -> Result<SessionSpec, StepError> {
    let mut epoch = c.item.epoch.max(spec.epoch);
    for host in servers(spec) {
        epoch = epoch.max(state(c, host, spec).await?.epoch);
    }
    Ok(SessionSpec { epoch: epoch + 1, sync: SyncMode::Checksum, ..spec.clone() })
}

/// True when everything that was received has been processed, or never will be.
pub(in crate::workflow) fn drained(view: &SessionView) -> bool {
    view.applied >= view.received || view.resync_required.is_some()
}

/// Forgets the session at every server that may know it. One that is unknown there is forgotten already.
pub(in crate::workflow) async fn forget(c: &StepCtx<'_>, spec: &SessionSpec) -> Result<(), StepError> {
    for host in servers(spec) {
        let done = c.services.sessions.delete(host, &spec.session).await;
        done.map_err(|error| peer_error(&SESSION_FAILED, host, &error))?;
    }
    Ok(())
}

/// How often a server that stays silent is asked before the job goes on without it: with the pauses in between about
/// five minutes, in which a server that only restarts is back.
const PATIENCE: u32 = 12;

/// What the server says, unless it stayed silent for so long that the job goes on without it.
pub(in crate::workflow) fn unless_gone<T>(
    c: &StepCtx<'_>,
    answer: Result<T, StepError>,
) -> Result<Option<T>, StepError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.class == Class::Retry && c.attempt >= PATIENCE => Ok(None),
        Err(error) => Err(error),
    }
}

/// Forgets the session at every server, but for those that are gone: it is over, and nobody feeds it any more (P13).
pub(in crate::workflow) async fn leave(c: &StepCtx<'_>, spec: &SessionSpec) -> Result<(), StepError> {
    for host in servers(spec) {
        let done = c.services.sessions.delete(host, &spec.session).await;
        unless_gone(c, done.map_err(|error| peer_error(&SESSION_FAILED, host, &error)))?;
    }
    Ok(())
}

/// Forgets the session of an attempt whose undo failed, before another one takes its place. Who is gone must not hold
/// that up.
pub(in crate::workflow) async fn forget_leftover(
    c: &StepCtx<'_>,
    left: Option<&SessionSpec>,
) -> Result<(), StepError> {
    match left.filter(|spec| spec.session.as_str() != c.id("session")) {
        Some(spec) => leave(c, spec).await,
        None => Ok(()),
    }
}

/// The session as `host` sees it.
pub(in crate::workflow) async fn view(
    c: &StepCtx<'_>,
    host: &str,
    spec: &SessionSpec,
) -> Result<SessionView, StepError> {
    let view = c.services.sessions.get(host, &spec.session).await;
    view.map_err(|error| peer_error(&STOP_FAILED, host, &error))
}

/// The session as its target left it when it stopped, `applied` as that was noted then: every point there will be is in
/// it. An answer from before the stop would hide the newest ones.
pub(in crate::workflow) async fn settled(
    c: &StepCtx<'_>,
    spec: &SessionSpec,
    applied: Option<&String>,
) -> Result<SessionView, StepError> {
    let view = view(c, &spec.target, spec).await?;
    let applied = applied.and_then(|applied| applied.parse().ok()).unwrap_or(0);
    if matches!(view.phase, Phase::Stopped | Phase::Rolled) && view.applied >= applied {
        return Ok(view);
    }
    let detail =
        format!("what it tells is from before it stopped ({:?}, {} applied)", view.phase, view.applied);
    Err(StepError::new(&STOP_FAILED, &spec.target, detail).with_class(Class::Retry))
}

/// The same without its points.
pub(in crate::workflow) async fn state(
    c: &StepCtx<'_>,
    host: &str,
    spec: &SessionSpec,
) -> Result<SessionView, StepError> {
    let view = c.services.sessions.state(host, &spec.session).await;
    view.map_err(|error| peer_error(&STOP_FAILED, host, &error))
}

/// No more frames at `host`; what was received is processed.
pub(in crate::workflow) async fn stop(
    c: &StepCtx<'_>,
    host: &str,
    spec: &SessionSpec,
) -> Result<SessionView, StepError> {
    let view = c.services.sessions.stop(host, &spec.session, false).await;
    view.map_err(|error| peer_error(&STOP_FAILED, host, &error))
}

/// The same at the recovery service, which then makes a point of all that it received, if anything came after the last
/// one (R5).
pub(in crate::workflow) async fn process(
    c: &StepCtx<'_>,
    spec: &SessionSpec,
) -> Result<SessionView, StepError> {
    let view = c.services.sessions.stop(&spec.target, &spec.session, true).await;
    view.map_err(|error| peer_error(&STOP_FAILED, &spec.target, &error))
}

/// The same at the process server; `None` when it does not know the session. It ended that by itself, with the vault it
/// worked for (C23): nothing comes in there any more, which is all that is asked for.
pub(in crate::workflow) async fn stop_relay(
    c: &StepCtx<'_>,
    spec: &SessionSpec,
) -> Result<Option<SessionView>, StepError> {
    match c.services.sessions.stop(&spec.relay, &spec.session, false).await {
        Ok(view) => Ok(Some(view)),
        Err(error) if error.is_refusal(UNKNOWN) => Ok(None),
        Err(error) => Err(peer_error(&STOP_FAILED, &spec.relay, &error)),
    }
}

/// True when the process server has ended the session by itself. One that does not answer has not.
pub(in crate::workflow) async fn ended(c: &StepCtx<'_>, spec: &SessionSpec) -> bool {
    let seen = c.services.sessions.state(&spec.relay, &spec.session).await;
    seen.is_err_and(|error| error.is_refusal(UNKNOWN))
}

/// Brings the target's disks to the point.
pub(in crate::workflow) async fn roll(
    c: &StepCtx<'_>,
    spec: &SessionSpec,
    point: &PointId,
) -> Result<SessionView, StepError> {
    let view = c.services.sessions.roll(&spec.target, &spec.session, point).await;
    view.map_err(|error| peer_error(&ROLL_FAILED, &spec.target, &error))
}
