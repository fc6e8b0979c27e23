//! Replication sessions at process servers and master targets.

use super::component::{ComponentClient, ComponentError, segment};
use failback_wire::event::Mark;
use failback_wire::http::{Http, Method};
use failback_wire::ids::{PointId, SessionId};
use failback_wire::proto::session::{Roll, ServerHealth, SessionSpec, SessionView, Watch, Watched};
use serde_json::Value;

/// How a call about a session can fail.
pub type SessionError = ComponentError;

/// Speaks to process servers and master targets that share a passphrase; `host` says to which.
#[derive(Clone)]
pub struct SessionClient {
    peer: ComponentClient,
}

impl SessionClient {
    /// Calls leave over `http` with this passphrase.
    pub fn new(http: Http, passphrase: impl Into<String>) -> Self {
        Self { peer: ComponentClient::new(http, passphrase) }
    }

    /// Creates the session, or takes it up again with a higher epoch. Idempotent.
    ///
    /// # Errors
    /// See [`SessionError`].
    pub async fn put(&self, host: &str, spec: &SessionSpec) -> Result<SessionView, SessionError> {
        self.peer.call("session.put", Method::PUT, host, &path(&spec.session, ""), Some(spec)).await
    }

    /// The session as `host` sees it.
    ///
    /// # Errors
    /// See [`SessionError`]; `unknown-session` when it is not known there.
    pub async fn get(&self, host: &str, session: &SessionId) -> Result<SessionView, SessionError> {
        self.peer.call("session.get", Method::GET, host, &path(session, ""), None::<&()>).await
    }

    /// The same without its points.
    ///
    /// # Errors
    /// See [`SessionError`]; `unknown-session` when it is not known there.
    pub async fn state(&self, host: &str, session: &SessionId) -> Result<SessionView, SessionError> {
        let path = path(session, &format!("?after={}", u64::MAX));
        self.peer.call("session.get", Method::GET, host, &path, None::<&()>).await
    }

    /// The same, for someone who knows the points up to `after` already: only newer ones cross the wire.
    ///
    /// # Errors
    /// See [`SessionError`]; `unknown-session` when it is not known there.
    pub async fn watch(
        &self,
        host: &str,
        session: &SessionId,
        after: Option<Mark>,
    ) -> Result<SessionView, SessionError> {
        match after {
            Some(after) => {
                let path = path(session, &format!("?after={}", after.0));
                self.peer.call("session.get", Method::GET, host, &path, None::<&()>).await
            }
            None => self.get(host, session).await,
        }
    }

    /// Many sessions at `host`, each with only the points after a mark.
    ///
    /// # Errors
    /// See [`SessionError`].
    pub async fn watch_all(&self, host: &str, asked: &Watch) -> Result<Watched, SessionError> {
        self.peer.call("session.watch", Method::POST, host, "/v1/watch", Some(asked)).await
    }

    /// No more frames; what was received is passed on, or applied. With `process` the recovery service makes a point of
    /// what it received after the last one (R5). Idempotent.
    ///
    /// # Errors
    /// See [`SessionError`].
    pub async fn stop(
        &self,
        host: &str,
        session: &SessionId,
        process: bool,
    ) -> Result<SessionView, SessionError> {
        let path = path(session, if process { "/stop?process=true" } else { "/stop" });
        self.peer.call("session.stop", Method::POST, host, &path, None::<&()>).await
    }

    /// Brings the disks to `point`, exactly. Idempotent.
    ///
    /// # Errors
    /// See [`SessionError`].
    pub async fn roll(
        &self,
        host: &str,
        session: &SessionId,
        point: &PointId,
    ) -> Result<SessionView, SessionError> {
        let body = Roll { point: point.clone() };
        self.peer.call("session.roll", Method::POST, host, &path(session, "/roll"), Some(&body)).await
    }

    /// Forgets the session; fine when it is not known. Idempotent.
    ///
    /// # Errors
    /// See [`SessionError`].
    pub async fn delete(&self, host: &str, session: &SessionId) -> Result<(), SessionError> {
        let done: Result<Value, _> =
            self.peer.call("session.delete", Method::DELETE, host, &path(session, ""), None::<&()>).await;
        match done {
            Ok(_) => Ok(()),
            Err(error) if error.is_refusal("unknown-session") => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The machine about itself. A process server first tries to reach the addresses in `reach`.
    ///
    /// # Errors
    /// See [`SessionError`].
    pub async fn health(&self, host: &str, reach: &[String]) -> Result<ServerHealth, SessionError> {
        let reach: Vec<String> = reach.iter().map(|address| segment(address)).collect();
        let path = match reach.as_slice() {
            [] => "/v1/health".to_owned(),
            some => format!("/v1/health?reach={}", some.join(",")),
        };
        self.peer.call("server.health", Method::GET, host, &path, None::<&()>).await
    }
}

fn path(session: &SessionId, tail: &str) -> String {
    format!("/v1/sessions/{}{tail}", segment(session.as_str()))
}
