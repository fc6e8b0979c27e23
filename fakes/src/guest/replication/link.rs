//! The agent's calls to its process server, and what their failures mean.

use crate::session_api::back_off;
use bytes::Bytes;
use failback_wire::http::{Http, Method};
use failback_wire::ids::DiskId;
use failback_wire::proto::agent::TroubleKind;
use failback_wire::proto::call::{self, CallError};
use failback_wire::proto::session::{Ack, Hashes, SessionSpec, SessionView};
use tokio::time::Duration;

/// What to do about a call that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Remedy {
    /// The same again, after this long.
    Again(Duration),
    /// Tell the process server of the epoch, then the same again.
    Introduce,
    /// Begin a new epoch after this long: the target asks for it.
    Resync(Duration),
    /// The session is gone or over; ask again after this long, for it may be created anew.
    Over(Duration),
}

/// What to do about the `failures`-th failure in a row.
pub(super) fn remedy(error: &CallError, failures: u32) -> Remedy {
    let (minute, five) = (Duration::from_secs(60), Duration::from_secs(300));
    match error.code() {
        Some("epoch-ahead") if failures < 3 => Remedy::Introduce,
        Some("resync-required") => Remedy::Resync(minute),
        Some("unknown-session" | "session-stopped") => Remedy::Over(back_off(failures, five)),
        Some("stale-epoch" | "wrong-passphrase" | "bad-request") => Remedy::Again(back_off(failures, five)),
        Some(_) | None => Remedy::Again(back_off(failures, minute)),
    }
}

/// What keeps the agent from sending, if the error shows it. A full cache is no trouble, it throttles; what is said of
/// the session is none either.
pub(super) fn trouble(error: &CallError) -> Option<TroubleKind> {
    match error.code() {
        None | Some("service-stopped") => Some(TroubleKind::Unreachable),
        Some("upload-blocked") => Some(TroubleKind::Blocked),
        Some(_) => None,
    }
}

/// A session at its process server.
pub(super) struct Link<'a> {
    pub(super) http: &'a Http,
    pub(super) passphrase: &'a str,
    pub(super) spec: &'a SessionSpec,
}

impl Link<'_> {
    fn url(&self, rest: &str) -> String {
        format!("http://{}/v1/sessions/{}{rest}", self.spec.relay, self.spec.session)
    }

    /// The session as the process server sees it.
    pub(super) async fn view(&self) -> Result<SessionView, CallError> {
        let (http, url) = (self.http, self.url(""));
        call::json::<(), _>(http, self.passphrase, "ps.session", Method::GET, &url, None).await
    }

    /// Tells the process server of this epoch.
    pub(super) async fn introduce(&self) -> Result<SessionView, CallError> {
        let (http, url) = (self.http, self.url(""));
        call::json(http, self.passphrase, "ps.take-up", Method::PUT, &url, Some(self.spec)).await
    }

    /// Hands over frames.
    pub(super) async fn frames(&self, frames: Vec<u8>) -> Result<Ack, CallError> {
        let url = self.url("/frames");
        call::frames(self.http, self.passphrase, "ps.frames", &url, Bytes::from(frames)).await
    }

    /// Hashes of the target's blocks, and where it holds something next; none when the reply makes no sense.
    pub(super) async fn hashes(
        &self,
        disk: &DiskId,
        first: u64,
        count: u64,
    ) -> Result<Option<Hashes>, CallError> {
        let query = format!("/disks/{disk}/hashes?epoch={}&first={first}&count={count}", self.spec.epoch);
        let (http, url) = (self.http, self.url(&query));
        let reply = call::hashes(http, self.passphrase, "ps.hashes", &url).await?;
        Ok(Some(reply).filter(|reply| reply.first == first && reply.hashes.len() as u64 == count))
    }
}
