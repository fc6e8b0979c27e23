//! One request, its repeats, and the life of a long-running operation.

use super::{AzureClient, AzureError};
use bytes::Bytes;
use failback_wire::arm::lro::{AZURE_ASYNC_OPERATION, RETRY_AFTER};
use failback_wire::arm::{
    API_VERSION, Accepted, ArmError, CLIENT_REQUEST_ID, OperationState, OperationStatus,
};
use failback_wire::http::{Call, Method, Request, Response, StatusCode, header};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Code of a refusal because another operation on the resource is under way.
pub(super) const CONFLICT: &str = "Conflict";
/// The version of Compute and Storage this client speaks.
const VERSION: &str = "2025-04-01";
/// Longest wait between two attempts.
const MAX_BACK_OFF: Duration = Duration::from_secs(60);

/// A request before it is sent.
pub(super) struct Ask<'a> {
    /// Operation id in Azure's own specification; faults are keyed by it.
    pub(super) operation: &'static str,
    pub(super) method: Method,
    /// Path, and query without the api-version.
    pub(super) path: String,
    /// Idempotency key of a change.
    pub(super) key: Option<&'a str>,
    pub(super) body: Bytes,
}

impl<'a> Ask<'a> {
    pub(super) fn get(operation: &'static str, path: String) -> Self {
        Self { operation, method: Method::GET, path, key: None, body: Bytes::new() }
    }
    pub(super) fn change(operation: &'static str, method: Method, path: String, key: &'a str) -> Self {
        Self { operation, method, path, key: Some(key), body: Bytes::new() }
    }
    pub(super) fn with<T: Serialize>(mut self, body: &T) -> Result<Self, AzureError> {
        self.body = serde_json::to_vec(body).map_err(|e| AzureError::Garbled(e.to_string()))?.into();
        Ok(self)
    }
}

impl AzureClient {
    /// Sends once; a refusal is an error, other than 404 nothing is interpreted.
    async fn send(&self, ask: &Ask<'_>) -> Result<Response<Bytes>, AzureError> {
        let joint = if ask.path.contains('?') { '&' } else { '?' };
        let mut url =
            if ask.path.contains("://") { ask.path.clone() } else { self.origin.clone() + &ask.path };
        if !url.contains("api-version=") {
            url += &format!("{joint}{API_VERSION}={VERSION}");
        }
        let mut request = Request::builder()
            .method(ask.method.clone())
            .uri(url)
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token))
            .header(header::CONTENT_LENGTH, ask.body.len());
        if let Some(key) = ask.key {
            request = request.header(CLIENT_REQUEST_ID, key);
        }
        if !ask.body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let request =
            request.body(ask.body.clone()).map_err(|e| AzureError::Garbled(format!("no request: {e}")))?;
        let call = Call { operation: ask.operation, timeout: self.patience.call, request };
        let reply = self.http.send(call).await?;
        if reply.status().is_success() {
            return Ok(reply);
        }
        let error = ArmError::parse(reply.body())
            .unwrap_or_else(|| ArmError::new(reply.status().as_str(), "without an error body"));
        let status = reply.status().as_u16();
        Err(AzureError::Refused { status, code: error.code, message: error.message })
    }

    /// Sends, and repeats with the same key while Azure is out of reach, overloaded or unclear, and, until
    /// `deadline`, while another operation is in the way.
    pub(super) async fn ask(&self, ask: &Ask<'_>, deadline: Instant) -> Result<Response<Bytes>, AzureError> {
        let mut back_off = self.patience.back_off;
        let mut attempt = 1;
        loop {
            let error = match self.send(ask).await {
                Ok(reply) => return Ok(reply),
                Err(error) => error,
            };
            let busy = matches!(&error, AzureError::Refused { code, .. } if code == CONFLICT);
            let spent = attempt >= self.patience.attempts && !busy;
            if !error.is_transient() || spent || Instant::now() + back_off >= deadline {
                return Err(error);
            }
            sleep(back_off).await;
            back_off = (back_off * 2).min(MAX_BACK_OFF);
            attempt += 1;
        }
    }

    /// When an operation begun now must have ended.
    pub(super) fn deadline(&self) -> Instant {
        Instant::now() + self.patience.operation
    }

    /// Reads a document; `None` when it does not exist.
    pub(super) async fn read<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        path: String,
    ) -> Result<Option<T>, AzureError> {
        match self.ask(&Ask::get(operation, path), self.deadline()).await {
            Ok(reply) => parse(&reply).map(Some),
            Err(AzureError::Refused { status: 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Sends a change and waits for the end of its operation, if it has one.
    pub(super) async fn change(&self, ask: &Ask<'_>) -> Result<(), AzureError> {
        let deadline = self.deadline();
        let reply = self.ask(ask, deadline).await?;
        match Accepted::from_headers(reply.headers()) {
            Some(accepted) => {
                let by_status = reply.headers().contains_key(AZURE_ASYNC_OPERATION);
                self.follow(ask.operation, &accepted, by_status, deadline).await
            }
            None if reply.status() == StatusCode::ACCEPTED => {
                Err(AzureError::Garbled("202 without a status URL".to_owned()))
            }
            None => Ok(()),
        }
    }

    /// Polls an operation to its end. `by_status`: a status document is promised, not only a `Location`.
    async fn follow(
        &self,
        operation: &'static str,
        accepted: &Accepted,
        by_status: bool,
        deadline: Instant,
    ) -> Result<(), AzureError> {
        let mut wait = accepted.retry_after.map_or(self.patience.poll, Duration::from_secs);
        loop {
            sleep(wait.max(Duration::from_millis(1))).await;
            if Instant::now() >= deadline {
                return Err(AzureError::Deadline { operation, after: self.patience.operation });
            }
            let reply = self.ask(&Ask::get("Operations_Get", accepted.status_url.clone()), deadline).await?;
            let retry = reply.headers().get(RETRY_AFTER).and_then(|v| v.to_str().ok()?.parse().ok());
            wait = retry.map_or(self.patience.poll, Duration::from_secs);
            if !by_status {
                match reply.status() {
                    StatusCode::ACCEPTED => continue,
                    _done => return Ok(()),
                }
            }
            let status: OperationStatus = match parse(&reply) {
                Ok(status) => status,
                // A status that cannot be read says nothing about the operation: look again.
                Err(_) if Instant::now() + wait < deadline => continue,
                Err(error) => return Err(error),
            };
            match status.status {
                OperationState::InProgress => {}
                OperationState::Succeeded => return Ok(()),
                OperationState::Failed | OperationState::Canceled => {
                    let named = ArmError::new(status.status.word(), "without a reason");
                    let error = status.error.unwrap_or(named);
                    return Err(AzureError::OperationFailed { code: error.code, message: error.message });
                }
            }
        }
    }
}

/// Reads a reply's JSON body.
pub(super) fn parse<T: DeserializeOwned>(reply: &Response<Bytes>) -> Result<T, AzureError> {
    serde_json::from_slice(reply.body()).map_err(|e| AzureError::Garbled(e.to_string()))
}
