//! The configuration server, as the product asks it: status, protected machines, servers.

use super::component::{ComponentClient, ComponentError, segment};
use failback_wire::http::{Http, Method};
use failback_wire::ids::MachineName;
use failback_wire::proto::cs::{CsStatus, Filed, MachineRow, Protection, RollCall, ServerRow};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// How a call to the configuration server can fail.
pub type CsError = ComponentError;

/// Code of the refusal of a configuration server that is registered in another vault (C23).
pub const OTHER_VAULT: &str = "other-vault";

/// A reply that says no more than that it is done.
#[derive(Deserialize)]
struct Done {}

/// Speaks to one configuration server: at the address it was registered with (P4), and when nobody listens there over
/// the connection that the server itself keeps to the vault, wherever it stands.
#[derive(Clone)]
pub struct CsClient {
    peer: ComponentClient,
    host: String,
    connection: Option<String>,
}

impl CsClient {
    /// The configuration server at `host`.
    pub fn new(http: Http, host: impl Into<String>, passphrase: impl Into<String>) -> Self {
        Self { peer: ComponentClient::new(http, passphrase), host: host.into(), connection: None }
    }

    /// The same server, which keeps a connection to the vault under this name.
    pub fn connected_as(self, name: impl Into<String>) -> Self {
        Self { connection: Some(name.into()), ..self }
    }

    async fn call<B: Serialize + Sync, R: DeserializeOwned>(
        &self,
        operation: &'static str,
        method: Method,
        path: &str,
        body: Option<&B>,
    ) -> Result<R, CsError> {
        let reply = self.peer.call(operation, method.clone(), &self.host, path, body).await;
        match (reply, &self.connection) {
            (Err(nobody @ CsError::Unavailable(_)), Some(name)) => {
                let reply = self.peer.call(operation, method, name, path, body).await;
                reply.map_err(|error| if matches!(error, CsError::Unavailable(_)) { nobody } else { error })
            }
            (reply, _) => reply,
        }
    }

    /// What the configuration server says about itself.
    ///
    /// # Errors
    /// See [`CsError`].
    pub async fn status(&self) -> Result<CsStatus, CsError> {
        self.call("cs.status", Method::GET, "/v1/status", None::<&()>).await
    }

    /// The row of a protected machine (P3); `None` when the database has none.
    ///
    /// # Errors
    /// See [`CsError`].
    pub async fn machine(&self, name: &MachineName) -> Result<Option<MachineRow>, CsError> {
        let path = machine_path(name);
        match self.call("cs.machine", Method::GET, &path, None::<&()>).await {
            Ok(row) => Ok(Some(row)),
            Err(e) if e.is_refusal("no-such-machine") => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Protects a machine, or updates its row; answers which installation keeps it. Idempotent.
    ///
    /// # Errors
    /// See [`CsError`].
    pub async fn put_machine(&self, name: &MachineName, row: &Protection) -> Result<Filed, CsError> {
        self.call("cs.put-machine", Method::PUT, &machine_path(name), Some(row)).await
    }

    /// Forgets a protected machine. Idempotent.
    ///
    /// # Errors
    /// See [`CsError`].
    pub async fn delete_machine(&self, name: &MachineName) -> Result<(), CsError> {
        let path = machine_path(name);
        let done: Result<Done, _> = self.call("cs.delete-machine", Method::DELETE, &path, None::<&()>).await;
        done.map(drop)
    }

    /// Renews the certificate, which must still be valid; answers what the server then says about itself (P6).
    ///
    /// # Errors
    /// See [`CsError`].
    pub async fn renew_certificate(&self) -> Result<CsStatus, CsError> {
        self.call("cs.renew-certificate", Method::POST, "/v1/certificate", None::<&()>).await
    }

    /// Who was last heard of when: servers and agents.
    ///
    /// # Errors
    /// See [`CsError`].
    pub async fn roll_call(&self) -> Result<RollCall, CsError> {
        self.call("cs.roll-call", Method::GET, "/v1/heartbeats", None::<&()>).await
    }

    /// Process servers and master targets with their heartbeats.
    ///
    /// # Errors
    /// See [`CsError`].
    pub async fn servers(&self) -> Result<Vec<ServerRow>, CsError> {
        self.call("cs.servers", Method::GET, "/v1/servers", None::<&()>).await
    }
}

fn machine_path(name: &MachineName) -> String {
    format!("/v1/machines/{}", segment(name.as_str()))
}
