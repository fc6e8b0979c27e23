//! The task that passes a session's frames on to its target.

use super::ProcessServer;
use crate::session_api::back_off;
use bytes::Bytes;
use failback_wire::clock::VirtualMs;
use failback_wire::http::Method;
use failback_wire::ids::SessionId;
use failback_wire::node::Ctx;
use failback_wire::proto::call::{self, CallError};
use failback_wire::proto::session::{Ack, SessionSpec, SessionView};
use std::sync::{Arc, Weak};
use tokio::sync::Notify;
use tokio::time::{Duration, sleep, sleep_until};

/// What to do next.
enum Work {
    /// The session is gone.
    End,
    /// Nothing to pass on.
    Wait(Arc<Notify>),
    /// Frames for the target, as soon as the bandwidth allows it.
    Send(Box<SessionSpec>, Bytes, VirtualMs),
}

/// Frames that must be sent again, with a wait that grows up to `patience`.
#[derive(Clone, Copy, Debug)]
struct Failure {
    patience: Duration,
}

/// Passes frames on until the session is deleted.
pub(super) async fn pump(server: Weak<ProcessServer>, ctx: Ctx, id: SessionId) {
    let mut failures = 0;
    loop {
        let Some(work) = server.upgrade().map(|s| s.work(&id, ctx.now())) else { return };
        let (spec, frames) = match work {
            Work::End => return,
            Work::Wait(wake) => {
                wake.notified().await;
                continue;
            }
            Work::Send(spec, frames, at) => {
                if at > ctx.now() {
                    let Some(limits) = server.upgrade().map(|s| s.lock().limits.clone()) else { return };
                    tokio::select! {
                        biased;
                        // Under another limit it may leave at another time.
                        () = limits.notified() => continue,
                        () = sleep_until(ctx.clock.instant(at)) => {}
                    }
                }
                (spec, frames)
            }
        };
        match pass(&server, &ctx, &spec, frames).await {
            Ok(()) => failures = 0,
            Err(Failure { patience }) => {
                failures += 1;
                sleep(back_off(failures, patience)).await;
            }
        }
    }
}

impl ProcessServer {
    fn work(&self, id: &SessionId, now: VirtualMs) -> Work {
        let mut state = self.lock();
        let Some(session) = state.sessions.get(id) else { return Work::End };
        let wait = Work::Wait(session.wake.clone());
        let passes_on = state.ctx.as_ref().is_none_or(|ctx| ctx.env.holds("C1"));
        if !state.serving || !state.condition.moves_data() || !passes_on {
            return wait;
        }
        let Some(frames) = session.relay.next() else { return wait };
        let spec = Box::new(session.relay.spec().clone());
        let data = session.relay.data_in(frames.len());
        Work::Send(spec, frames, if data > 0 { state.throttle.reserve(now, data) } else { now })
    }
}

/// Hands frames to the target.
async fn pass(
    server: &Weak<ProcessServer>,
    ctx: &Ctx,
    spec: &SessionSpec,
    frames: Bytes,
) -> Result<(), Failure> {
    let Some(pass) = server.upgrade().map(|s| s.config.passphrase.clone()) else { return Ok(()) };
    let base = format!("http://{}/v1/sessions/{}", spec.target, spec.session);
    let url = format!("{base}/frames");
    let calls = spec.direction.calls();
    let reply: Result<Ack, CallError> = call::frames(&ctx.http, &pass, calls.frames, &url, frames).await;
    let (minute, five) = (Duration::from_secs(60), Duration::from_secs(300));
    let failure = Err(Failure { patience: minute });
    let error = match reply {
        Ok(ack) => {
            let moved = server.upgrade().is_none_or(|s| s.on_applied(&spec.session, spec.epoch, ack.applied));
            return if moved { Ok(()) } else { failure };
        }
        Err(error) => error,
    };
    match error.code() {
        Some("epoch-ahead") => {
            let put = call::json(&ctx.http, &pass, calls.take_up, Method::PUT, &base, Some(spec));
            let told: Result<SessionView, CallError> = put.await;
            told.map(|_| ()).map_err(|_| Failure { patience: minute })
        }
        Some("resync-required") => {
            if let Some(server) = server.upgrade() {
                server.require_resync(&spec.session, spec.epoch, &error.to_string());
            }
            failure
        }
        Some("unknown-session" | "session-stopped" | "stale-epoch" | "wrong-passphrase") => {
            Err(Failure { patience: five })
        }
        Some(_) | None => failure,
    }
}

impl ProcessServer {
    /// Takes the target's word for what it holds. False when nothing moved.
    fn on_applied(&self, id: &SessionId, epoch: u64, applied: u64) -> bool {
        let mut state = self.lock();
        let moved = state.relay(id, |relay| {
            let before = relay.ack().applied;
            relay.on_applied(epoch, applied);
            relay.ack().applied > before || relay.spec().epoch != epoch
        });
        moved.unwrap_or(true)
    }
    fn require_resync(&self, id: &SessionId, epoch: u64, why: &str) {
        self.lock().relay(id, |relay| {
            if relay.spec().epoch == epoch {
                relay.require_resync(why);
            }
        });
    }
}
