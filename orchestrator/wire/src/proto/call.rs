//! How every component calls another one in our own protocol: JSON or frames under the passphrase.

use super::session::Hashes;
use super::{PASSPHRASE, Refusal};
use crate::http::{Call, DEFAULT_TIMEOUT, Http, HttpError, Method, Request, Response, StatusCode, header};
use crate::json::to_bytes;
use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};

/// How a call in our own protocol can fail.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// No usable reply.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The callee said no.
    #[error("refused with {} ({}): {}", status.as_u16(), refusal.code, refusal.message)]
    Refused {
        /// HTTP status.
        status: StatusCode,
        /// What it said.
        refusal: Refusal,
    },
}

impl CallError {
    /// The word of a refusal; `None` when no reply came.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Http(_) => None,
            Self::Refused { refusal, .. } => Some(&refusal.code),
        }
    }
}

/// Sends `body` as JSON (nothing for `None`) and reads the reply as JSON.
///
/// # Errors
/// When no usable reply came, or a refusal.
pub async fn json<B: Serialize + Sync, R: DeserializeOwned>(
    http: &Http,
    passphrase: &str,
    operation: &'static str,
    method: Method,
    url: &str,
    body: Option<&B>,
) -> Result<R, CallError> {
    let host = host_of(url);
    let garbled = |detail: String| HttpError::Garbled { host: host.clone(), detail };
    let bytes = match body {
        Some(body) => to_bytes(body).map_err(|e| garbled(e.to_string()))?,
        None => Bytes::new(),
    };
    let reply = send(http, passphrase, operation, method, url, "application/json", bytes).await?;
    let body = if reply.body().is_empty() { b"null".as_slice() } else { reply.body().as_ref() };
    serde_json::from_slice(body).map_err(|e| garbled(e.to_string()).into())
}

/// Sends `frames` (one or several, back to back) and reads the reply as JSON.
///
/// # Errors
/// When no usable reply came, or a refusal.
pub async fn frames<R: DeserializeOwned>(
    http: &Http,
    passphrase: &str,
    operation: &'static str,
    url: &str,
    frames: Bytes,
) -> Result<R, CallError> {
    let octets = "application/octet-stream";
    let reply = send(http, passphrase, operation, Method::POST, url, octets, frames).await?;
    serde_json::from_slice(reply.body())
        .map_err(|e| HttpError::Garbled { host: host_of(url), detail: e.to_string() }.into())
}

/// Asks for block hashes.
///
/// # Errors
/// When no usable reply came, or a refusal.
pub async fn hashes(
    http: &Http,
    passphrase: &str,
    operation: &'static str,
    url: &str,
) -> Result<Hashes, CallError> {
    let octets = "application/octet-stream";
    let reply = send(http, passphrase, operation, Method::GET, url, octets, Bytes::new()).await?;
    Hashes::from_bytes(reply.body()).ok_or_else(|| {
        HttpError::Garbled { host: host_of(url), detail: "not a list of hashes".to_owned() }.into()
    })
}

fn host_of(url: &str) -> String {
    url.split("://").nth(1).unwrap_or(url).split('/').next().unwrap_or_default().to_owned()
}

async fn send(
    http: &Http,
    passphrase: &str,
    operation: &'static str,
    method: Method,
    url: &str,
    content_type: &'static str,
    body: Bytes,
) -> Result<Response<Bytes>, CallError> {
    let request = Request::builder()
        .method(method)
        .uri(url)
        .header(PASSPHRASE, passphrase)
        .header(header::CONTENT_TYPE, content_type)
        .body(body)
        .map_err(|e| HttpError::Garbled { host: host_of(url), detail: e.to_string() })?;
    let reply = http.send(Call { operation, timeout: DEFAULT_TIMEOUT, request }).await?;
    if reply.status().is_success() {
        return Ok(reply);
    }
    let refusal = serde_json::from_slice(reply.body()).unwrap_or_else(|_| Refusal {
        code: reply.status().as_u16().to_string(),
        message: String::from_utf8_lossy(reply.body()).into_owned(),
    });
    Err(CallError::Refused { status: reply.status(), refusal })
}
