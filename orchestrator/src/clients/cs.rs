//! The configuration server, as the product asks it: status, protected machines, servers.

use super::component::{ComponentClient, ComponentError, segment};
use failback_wire::http::{Http, Method};
use failback_wire::ids::MachineName;
use failback_wire::proto::cs::{CsStatus, MachineRow, Protection, RollCall, ServerRow};
use serde::Deserialize;

/// How a call to the configuration server can fail.
pub type CsError = ComponentError;

/// A reply that says no more than that it is done.
#[derive(Deserialize)]
struct Done {}

/// Speaks to one configuration server, at the address it was registered with (P4).
#[derive(Clone)]
pub struct CsClient {
    peer: ComponentClient,
    host: String,
}

impl CsClient {
    /// The configuration server at `host`.
    pub fn new(http: Http, host: impl Into<String>, passphrase: impl Into<String>) -> Self {
        Self { peer: ComponentClient::new(http, passphrase), host: host.into() }
    }

    /// What the configuration server says about itself.
    ///
    /// # Errors
    /// See [`CsError`].
    pub async fn status(&self) -> Result<CsStatus, CsError> {
        self.peer.call("cs.status", Method::GET, &self.host, "/v1/status", None::<&()>).await
    }

    /// The row of a protected machine (P3); `None` when the database has none.
    ///
    /// # Errors
    /// See [`CsError`].
    pub async fn machine(&self, name: &MachineName) -> Result<Option<MachineRow>, CsError> {
        let path = machine_path(name);
        match self.peer.call("cs.machine", Method::GET, &self.host, &path, None::<&()>).await {
            Ok(row) => Ok(Some(row)),
            Err(e) if e.is_refusal("no-such-machine") => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Protects a machine, or updates its row. Idempotent.
    ///
    /// # Errors
    /// See [`CsError`].
    pub async fn put_machine(&self, name: &MachineName, row: &Protection) -> Result<(), CsError> {
        let path = machine_path(name);
        let done: Result<Done, _> =
            self.peer.call("cs.put-machine", Method::PUT, &self.host, &path, Some(row)).await;
        done.map(drop)
    }

    /// Forgets a protected machine. Idempotent.
    ///
    /// # Errors
    /// See [`CsError`].
    pub async fn delete_machine(&self, name: &MachineName) -> Result<(), CsError> {
        let path = machine_path(name);
        let done: Result<Done, _> =
            self.peer.call("cs.delete-machine", Method::DELETE, &self.host, &path, None::<&()>).await;
        done.map(drop)
    }

    /// Who was last heard of when: servers and agents.
    ///
    /// # Errors
    /// See [`CsError`].
    pub async fn roll_call(&self) -> Result<RollCall, CsError> {
        self.peer.call("cs.roll-call", Method::GET, &self.host, "/v1/heartbeats", None::<&()>).await
    }

    /// Process servers and master targets with their heartbeats.
    ///
    /// # Errors
    /// See [`CsError`].
    pub async fn servers(&self) -> Result<Vec<ServerRow>, CsError> {
        self.peer.call("cs.servers", Method::GET, &self.host, "/v1/servers", None::<&()>).await
    }
}

fn machine_path(name: &MachineName) -> String {
    format!("/v1/machines/{}", segment(name.as_str()))
}
