//! Client of vCenter. Effects converge: repeating one that already took effect succeeds after reading the
//! state, because replies get lost.

mod effect;
mod error;
mod facts;
mod link;
mod read;
mod task;
#[cfg(test)]
mod tests;
mod turn;

pub use error::VcenterError;
pub use facts::{Connected, DatastoreFacts, HostFacts, Mount, NewVm, Power, VmFacts, VmdkFacts};

use failback_wire::canary::{Canary, Planted};
use failback_wire::http::Http;
use link::Link;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use turn::Turns;

/// Result of a call.
type Result<T> = std::result::Result<T, VcenterError>;

/// How long a task may take before the client gives up on it.
const TASK_DEADLINE: Duration = Duration::from_secs(30 * 60);

/// A client of one vCenter. Clones share one session, opened by the first call that needs it.
#[derive(Clone)]
pub struct VcenterClient {
    link: Arc<Link>,
    turns: Arc<Turns>,
    deadline: Duration,
    planted: Planted,
}

/// Closes a session whose scope ran out of time: nobody waits for it any more.
struct Closes(Option<VcenterClient>);

impl Drop for Closes {
    fn drop(&mut self) {
        if let Some(client) = self.0.take() {
            let http = client.link.http().clone();
            http.detach(async move { client.leave().await });
        }
    }
}

impl VcenterClient {
    /// A client of the vCenter at `host` (`vcenter.lab`, or a whole origin) that opens no session yet.
    pub fn new(
        http: Http,
        host: impl Into<String>,
        user: impl Into<String>,
        password: impl Into<String>,
    ) -> Self {
        let link = Link::new(http, &host.into(), user.into(), password.into());
        Self {
            link: Arc::new(link),
            turns: Arc::default(),
            deadline: TASK_DEADLINE,
            planted: Planted::default(),
        }
    }

    /// The same client, giving up on a task after `deadline` instead of 30 minutes.
    #[must_use]
    pub fn with_task_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// The same client with this bug planted in it.
    #[must_use]
    pub fn with_planted(self, planted: Planted) -> Self {
        Self { planted, ..self }
    }

    /// Runs `scope` with a client of its own whose session is closed afterwards, whatever came of it.
    ///
    /// # Errors
    /// What `scope` says.
    pub async fn with_session<T, E, F, Fut>(&self, scope: F) -> std::result::Result<T, E>
    where
        F: FnOnce(VcenterClient) -> Fut,
        Fut: Future<Output = std::result::Result<T, E>>,
    {
        let inner = Self { link: Arc::new(self.link.fresh()), ..self.clone() };
        let mut closes = Closes(Some(inner.clone()));
        let result = scope(inner.clone()).await;
        closes.0 = None;
        if result.is_ok() || !self.planted.is(Canary::SessionLeftOpen) {
            inner.leave().await;
        }
        result
    }

    /// Closes the session as well as it can be closed.
    async fn leave(&self) {
        if let Err(error) = self.logout().await {
            // The session ends by itself when it has been idle for long enough.
            tracing::debug!(%error, "a vCenter session could not be closed");
        }
    }

    /// Closes the session, if one is open.
    ///
    /// # Errors
    /// See [`VcenterError`]; the client forgets the session all the same.
    pub async fn logout(&self) -> Result<()> {
        self.link.logout().await
    }
}
