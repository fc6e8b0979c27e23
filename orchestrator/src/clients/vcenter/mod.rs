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
use std::sync::Arc;
use std::time::Duration;
use turn::Turns;

/// Result of a call.
type Result<T> = std::result::Result<T, VcenterError>;

/// How long a task may take before the client gives up on it.
const TASK_DEADLINE: Duration = Duration::from_secs(30 * 60);

/// A client of one vCenter. Clones share one session, opened by the first call that needs it and closed with the last
/// of them.
#[derive(Clone)]
pub struct VcenterClient {
    link: Arc<Link>,
    turns: Arc<Turns>,
    deadline: Duration,
    planted: Planted,
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

    /// The same client with a session of its own.
    #[must_use]
    pub fn apart(&self) -> Self {
        Self { link: Arc::new(self.link.fresh()), ..self.clone() }
    }

    /// Closes the session as well as it can be closed, if one is open.
    pub async fn leave(&self) {
        if self.planted.is(Canary::SessionLeftOpen) {
            self.lose();
        }
        if let Err(error) = self.logout().await {
            // The session ends by itself when it has been idle for long enough.
            tracing::debug!(%error, "a vCenter session could not be closed");
        }
    }

    /// For a planted bug: nobody closes the session any more.
    pub(crate) fn lose(&self) {
        self.link.lose();
    }

    /// Closes the session, if one is open.
    ///
    /// # Errors
    /// See [`VcenterError`]; the client forgets the session all the same.
    pub async fn logout(&self) -> Result<()> {
        self.link.logout().await
    }
}
