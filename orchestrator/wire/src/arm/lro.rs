//! Long-running operations of ARM: the 202 reply, the status document, the words.

use super::ArmError;
use crate::http::{HeaderMap, Response, StatusCode, header};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Where the status document is. Header of a 201 or 202.
pub const AZURE_ASYNC_OPERATION: &str = "azure-asyncoperation";
/// Where the result will be. Header of a 202.
pub const LOCATION: &str = "location";
/// When to ask again, in whole seconds. Clients break on anything but an integer.
pub const RETRY_AFTER: &str = "retry-after";

/// State of an operation. Services may use other words while it runs; only three words end it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OperationState {
    /// It runs. Read from any word that is not terminal.
    InProgress,
    /// Done.
    Succeeded,
    /// Ended without effect, or with part of it.
    Failed,
    /// Stopped by request. One `l` on this wire; a job's state has two.
    Canceled,
}

impl OperationState {
    /// The word on the wire.
    pub fn word(&self) -> &'static str {
        match self {
            Self::InProgress => "InProgress",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::Canceled => "Canceled",
        }
    }
    /// True when it will not change any more.
    pub fn is_terminal(&self) -> bool {
        *self != Self::InProgress
    }
}

impl fmt::Display for OperationState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
impl Serialize for OperationState {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.word())
    }
}
impl<'de> Deserialize<'de> for OperationState {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let word = String::deserialize(d)?;
        let terminal = [Self::Succeeded, Self::Failed, Self::Canceled];
        let found = terminal.into_iter().find(|s| s.word().eq_ignore_ascii_case(&word));
        Ok(found.unwrap_or(Self::InProgress))
    }
}

/// The status document, as recorded from the real service: explicit nulls.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OperationStatus {
    /// ARM id of the operation, if it has one.
    #[serde(default)]
    pub id: Option<String>,
    /// Name of the operation; the last segment of its URL.
    pub name: String,
    /// State.
    pub status: OperationState,
    /// When it began, as a .NET date.
    #[serde(default)]
    pub start_time: Option<String>,
    /// When it ended.
    #[serde(default)]
    pub end_time: Option<String>,
    /// Progress, where the service knows it.
    #[serde(default)]
    pub percent_complete: Option<f32>,
    /// What came of it, for operations whose result is no resource.
    #[serde(default)]
    pub properties: Option<Output>,
    /// Why it failed.
    #[serde(default)]
    pub error: Option<ArmError>,
}

/// `properties` of a status document that carries a result (`beginGetAccess` does).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Output {
    /// The result.
    pub output: serde_json::Value,
}

/// The reply that accepts a long-running operation: 202, empty body, both headers.
///
/// Without `Location` the SDKs end with the status document instead of the resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Absolute URL of the status document.
    pub status_url: String,
    /// Absolute URL of the result; `None` for operations that have none.
    pub result_url: Option<String>,
    /// Seconds until the first poll is worth it; `None` leaves it to the client.
    pub retry_after: Option<u64>,
    /// What the service calls the request (Site Recovery: the job's ARM id).
    pub request_id: Option<String>,
}

impl Accepted {
    /// The 202 reply.
    pub fn reply(&self) -> Response<Bytes> {
        let mut reply = Response::new(Bytes::new());
        *reply.status_mut() = StatusCode::ACCEPTED;
        self.add_headers(reply.headers_mut());
        reply
    }
    /// Adds the headers to a reply of another status (a PUT that answers 201 with the resource).
    pub fn add_headers(&self, headers: &mut HeaderMap) {
        let mut add = |name: &'static str, text: &str| {
            // An id that is no header text (it cannot be: they are ours) is left out.
            if let Ok(value) = header::HeaderValue::from_str(text) {
                headers.insert(name, value);
            }
        };
        add(AZURE_ASYNC_OPERATION, &self.status_url);
        if let Some(url) = &self.result_url {
            add(LOCATION, url);
        }
        if let Some(seconds) = self.retry_after {
            add(RETRY_AFTER, &seconds.to_string());
        }
        if let Some(id) = &self.request_id {
            add(super::REQUEST_ID, id);
        }
    }
    /// What a reply says about its operation; `None` when it is not long-running.
    pub fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
        let location = text(LOCATION);
        let status_url = text(AZURE_ASYNC_OPERATION).or_else(|| location.clone())?;
        let retry_after = text(RETRY_AFTER).and_then(|s| s.parse().ok());
        Some(Self { status_url, result_url: location, retry_after, request_id: text(super::REQUEST_ID) })
    }
}
