//! Mobility agents, as the product speaks to them: replication, VMware Tools, status.

use super::component::{ComponentClient, ComponentError, segment};
use failback_wire::http::{Http, Method};
use failback_wire::ids::SessionId;
use failback_wire::proto::agent::{Address, Addressing, AgentStatus, Tools};
use failback_wire::proto::session::SessionSpec;

/// How a call to an agent can fail.
pub type AgentError = ComponentError;

/// Speaks to agents at the addresses they registered.
#[derive(Clone)]
pub struct AgentClient {
    peer: ComponentClient,
}

impl AgentClient {
    /// Agents that share this passphrase.
    pub fn new(http: Http, passphrase: impl Into<String>) -> Self {
        Self { peer: ComponentClient::new(http, passphrase) }
    }

    /// What the agent at `host` says about itself.
    ///
    /// # Errors
    /// See [`AgentError`].
    pub async fn status(&self, host: &str) -> Result<AgentStatus, AgentError> {
        self.peer.call("agent.status", Method::GET, host, "/v1/status", None::<&()>).await
    }

    /// Starts replicating, or takes the session up again with a higher epoch. Idempotent.
    ///
    /// # Errors
    /// See [`AgentError`].
    pub async fn start_replication(&self, host: &str, spec: &SessionSpec) -> Result<AgentStatus, AgentError> {
        self.peer.call("agent.start-replication", Method::PUT, host, "/v1/replication", Some(spec)).await
    }

    /// Stops tracking and sending. Idempotent.
    ///
    /// # Errors
    /// See [`AgentError`].
    pub async fn stop_replication(&self, host: &str, session: &SessionId) -> Result<AgentStatus, AgentError> {
        let path = format!("/v1/replication/{}", segment(session.as_str()));
        self.peer.call("agent.stop-replication", Method::DELETE, host, &path, None::<&()>).await
    }

    /// Enables or disables VMware Tools in the guest (C5). Idempotent.
    ///
    /// # Errors
    /// See [`AgentError`].
    pub async fn set_tools(&self, host: &str, enabled: bool) -> Result<AgentStatus, AgentError> {
        self.peer.call("agent.set-tools", Method::POST, host, "/v1/tools", Some(&Tools { enabled })).await
    }

    /// Prepares the guest's network for the site it is at (C5). Idempotent.
    ///
    /// # Errors
    /// See [`AgentError`].
    pub async fn set_addressing(
        &self,
        host: &str,
        addressing: Addressing,
    ) -> Result<AgentStatus, AgentError> {
        let wanted = Address { addressing };
        self.peer.call("agent.set-addressing", Method::POST, host, "/v1/addressing", Some(&wanted)).await
    }
}
