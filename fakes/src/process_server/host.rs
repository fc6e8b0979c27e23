//! The process server's side of the session interface.

use super::{ProcessServer, Service, Session, State, pump};
use crate::session_api::{Denied, Range, Server, SessionHost};
use bytes::Bytes;
use failback_replication::relay::Relay;
use failback_wire::event::What;
use failback_wire::http::{Method, StatusCode};
use failback_wire::ids::{DiskId, SessionId};
use failback_wire::node::Ctx;
use failback_wire::proto::call;
use failback_wire::proto::cs::{Component, Heartbeat};
use failback_wire::proto::session::{Ack, Hashes, Phase, Roll, ServerHealth, SessionSpec, SessionView};
use std::sync::Arc;
use tokio::sync::Notify;
use tokio::time::Duration;

impl State {
    /// Bytes that may still come in. A fifth of the cache is kept free: beyond it the sources are throttled (P14).
    fn room(&self) -> u64 {
        let throttles = self.ctx.as_ref().is_none_or(|ctx| ctx.env.holds("P14"));
        let most = if throttles { self.cache_bytes / 5 * 4 } else { self.cache_bytes };
        most.saturating_sub(self.cached)
    }
    /// How long it takes to pass on what waits, at the bandwidth it is limited to; nothing without a limit.
    fn eta(&self) -> Duration {
        Duration::from_secs(self.throttle.rate().map_or(0, |rate| self.cached / rate.max(1)))
    }
    fn session(&mut self, id: &SessionId) -> Result<&mut Session, Denied> {
        self.sessions.get_mut(id).ok_or_else(|| Denied::unknown_session(id))
    }
}

impl SessionHost for ProcessServer {
    fn serving(&self) -> bool {
        self.lock().serving
    }

    fn put(self: &Arc<Self>, spec: SessionSpec) -> Result<SessionView, Denied> {
        let mut state = self.lock();
        let id = spec.session.clone();
        if state.sessions.contains_key(&id) {
            let fresh = state.relay(&id, |relay| relay.take_up(spec)).transpose()?;
            let session = state.session(&id)?;
            let view = session.relay.view();
            if fresh == Some(true) {
                session.wake.notify_one();
                state.report_phase(&state.sessions[&id], Phase::Waiting);
            }
            return Ok(view);
        }
        let planted = state.ctx.as_ref().map(|ctx| ctx.env.bug()).unwrap_or_default();
        let relay = Relay::new(spec).with_planted(planted);
        let session = Session { relay, wake: Arc::new(Notify::new()) };
        let view = session.relay.view();
        state.report_phase(&session, Phase::Waiting);
        state.sessions.insert(id.clone(), session);
        if let Some(ctx) = &state.ctx {
            ctx.spawn(pump::pump(Arc::downgrade(self), ctx.clone(), id));
        }
        Ok(view)
    }

    fn view(&self, id: &SessionId) -> Result<SessionView, Denied> {
        self.lock().session(id).map(|s| s.relay.view())
    }

    fn frames(&self, id: &SessionId, body: Bytes) -> Result<Ack, Denied> {
        let mut state = self.lock();
        if !state.condition.moves_data() {
            return Err(Denied::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "service-stopped",
                "a service is stopped",
            ));
        }
        if state.condition.uploads_blocked {
            return Err(Denied::new(StatusCode::FORBIDDEN, "upload-blocked", "the cache cannot be written"));
        }
        let room = state.room();
        let before = state.session(id)?.relay.phase();
        let ack = state.relay(id, |relay| relay.accept(&body, room));
        let ack = ack.ok_or_else(|| Denied::unknown_session(id))?;
        let session = state.session(id)?;
        session.wake.notify_one();
        let after = session.relay.phase();
        if before != after {
            state.report_phase(&state.sessions[id], after);
        }
        Ok(ack?)
    }

    async fn hashes(&self, id: SessionId, disk: DiskId, range: Range) -> Result<Hashes, Denied> {
        let (ctx, spec) = {
            let mut state = self.lock();
            let ctx = state.ctx.clone();
            (ctx, state.session(&id)?.relay.spec().clone())
        };
        let ctx = ctx.ok_or_else(|| Denied::unknown_session(&id))?;
        let Range { epoch, first, count } = range;
        let base = format!("http://{}/v1/sessions/{id}", spec.target);
        let url = format!("{base}/disks/{disk}/hashes?epoch={epoch}&first={first}&count={count}");
        let pass = &self.config.passphrase;
        let calls = spec.direction.calls();
        let ask = || call::hashes(&ctx.http, pass, calls.hashes, &url);
        match ask().await {
            // The target has not heard of this epoch: it hears of it from here.
            Err(error) if error.code() == Some("epoch-ahead") && epoch == spec.epoch => {
                let put = call::json(&ctx.http, pass, calls.take_up, Method::PUT, &base, Some(&spec));
                let _: SessionView = put.await?;
                Ok(ask().await?)
            }
            other => Ok(other?),
        }
    }

    fn stop(&self, id: &SessionId, _: bool) -> Result<SessionView, Denied> {
        let mut state = self.lock();
        let session = state.session(id)?;
        let before = session.relay.phase();
        session.relay.stop();
        session.wake.notify_one();
        let view = session.relay.view();
        if before != Phase::Stopped {
            state.report_phase(&state.sessions[id], Phase::Stopped);
        }
        Ok(view)
    }

    fn roll(&self, id: &SessionId, _: &Roll) -> Result<SessionView, Denied> {
        self.lock().session(id)?;
        let text = "a process server keeps no points: they lie at the target";
        Err(Denied::new(StatusCode::CONFLICT, "roll-not-supported", text))
    }

    fn delete(&self, id: &SessionId) {
        let mut state = self.lock();
        let Some(session) = state.sessions.remove(id) else { return };
        state.cached -= session.relay.bytes();
        session.wake.notify_one();
        let machine = session.relay.spec().machine.clone();
        state.emit(What::SessionPhase { session: id.clone(), machine, phase: "ended".to_owned() });
    }
}

impl Server for ProcessServer {
    fn health(&self) -> ServerHealth {
        let state = self.lock();
        ServerHealth {
            id: self.config.id.clone(),
            os: self.config.os,
            os_version: None,
            version: state.version.clone(),
            attached: Vec::new(),
            retention: None,
            unreached: Vec::new(),
            unregistered: None,
            refuses: None,
            lvm: false,
        }
    }

    fn software(&self) -> Option<Ctx> {
        self.lock().ctx.clone()
    }

    fn left_vault(&self) {
        let ids: Vec<SessionId> = self.lock().sessions.keys().cloned().collect();
        ids.iter().for_each(|id| self.delete(id));
    }

    fn heartbeat(&self) -> Option<Heartbeat> {
        let state = self.lock();
        if state.condition.stopped.contains(&Service::heart(self.config.site)) {
            return None;
        }
        let (cap, used) = (state.cache_bytes, state.cached);
        let free_pct = cap.saturating_sub(used) * 100 / cap.max(1);
        let mut facts = state.condition.facts(self.config.site, state.sessions.len());
        facts.extend(self.config.network.clone().map(|network| ("network".to_owned(), network)));
        facts.insert("cache_free_pct".to_owned(), free_pct.to_string());
        facts.insert("upload_eta_min".to_owned(), (state.eta().as_secs() / 60).to_string());
        Some(Heartbeat {
            component: Component::ProcessServer,
            id: self.config.id.clone(),
            address: self.config.host.clone(),
            version: state.version.clone(),
            os: self.config.os,
            facts,
        })
    }
}
