//! The transport seam: the only way out of the orchestrator and of any fake.
//!
//! A [`Call`] carries real HTTP. What lies behind [`Transport`] is the lab's switchboard (direct, or hyper
//! over an in-memory pipe) or, when served, sockets. Deadlines run on tokio's clock.

use crate::node::Fence;
use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

pub use ::http::{HeaderMap, Method, Request, Response, StatusCode, header};

/// A boxed future that may cross threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Deadline of a call when the caller has no better idea.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

/// The longest body either end accepts, in bytes.
pub const MAX_BODY: usize = 64 << 20;

/// One request on its way out.
#[derive(Debug)]
pub struct Call {
    /// What the call does, in the words of its protocol (`PowerOnVM_Task`, `mt.frames`): faults are keyed by it.
    /// One of [`crate::operation::TRAFFIC`].
    pub operation: &'static str,
    /// How long the caller waits for the whole reply.
    pub timeout: Duration,
    /// The request; its URI is absolute, the host names the callee.
    pub request: Request<Bytes>,
}

/// How a call can end without an HTTP reply.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// No route to the host, or nothing listens there.
    #[error("{host} is unreachable")]
    Unreachable {
        /// The callee.
        host: String,
    },
    /// No complete reply within the deadline. The request may have taken effect.
    #[error("no reply from {host} within {} s", after.as_secs())]
    TimedOut {
        /// The callee.
        host: String,
        /// The deadline.
        after: Duration,
    },
    /// The connection closed before the reply was complete. The request may have taken effect.
    #[error("{host} closed the connection before the reply was complete")]
    Closed {
        /// The callee.
        host: String,
    },
    /// What came back is not HTTP, or not what the protocol promises.
    #[error("the reply of {host} makes no sense: {detail}")]
    Garbled {
        /// The callee.
        host: String,
        /// What is wrong with it.
        detail: String,
    },
    /// The caller's own node is dead.
    #[error("the caller is gone")]
    Dead,
}

impl HttpError {
    /// True when the request may have taken effect although no reply came.
    pub fn is_ambiguous(&self) -> bool {
        matches!(self, Self::TimedOut { .. } | Self::Closed { .. } | Self::Garbled { .. })
    }
}

/// Carries calls. Implemented by the lab's switchboard and by sockets.
pub trait Transport: Send + Sync {
    /// Sends `call` on behalf of `from`; ends within the call's timeout.
    fn call(&self, from: &Fence, call: Call) -> BoxFuture<'static, Result<Response<Bytes>, HttpError>>;
}

/// A node's way out.
#[derive(Clone)]
pub struct Http {
    from: Fence,
    transport: Arc<dyn Transport>,
}

impl Http {
    /// Calls leave as `from` over `transport`.
    pub fn new(from: Fence, transport: Arc<dyn Transport>) -> Self {
        Self { from, transport }
    }

    /// Does something with it that nobody waits for, as software of the caller's epoch.
    pub fn detach<F>(&self, future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        #[expect(clippy::disallowed_methods, reason = "behind the caller's fence")]
        tokio::spawn(self.from.guard(future));
    }

    /// Sends one call.
    ///
    /// # Errors
    /// When no complete HTTP reply arrived; HTTP error statuses are replies.
    pub async fn send(&self, call: Call) -> Result<Response<Bytes>, HttpError> {
        if !self.from.alive() {
            return Err(HttpError::Dead);
        }
        self.transport.call(&self.from, call).await
    }

    /// Sends `body` as JSON and reads the reply as JSON; for our own protocols.
    ///
    /// # Errors
    /// [`JsonError::Http`] when no reply came, [`JsonError::Refused`] when the status is not 2xx.
    pub async fn json<B: Serialize, R: DeserializeOwned>(
        &self,
        operation: &'static str,
        method: Method,
        url: &str,
        body: Option<&B>,
    ) -> Result<R, JsonError> {
        let bytes = match body {
            Some(body) => crate::json::to_bytes(body)
                .map_err(|e| JsonError::Refused(StatusCode::BAD_REQUEST, e.to_string()))?,
            None => Bytes::new(),
        };
        let request = Request::builder()
            .method(method)
            .uri(url)
            .header(header::CONTENT_TYPE, "application/json")
            .body(bytes)
            .map_err(|e| JsonError::Refused(StatusCode::BAD_REQUEST, e.to_string()))?;
        let host = request.uri().host().unwrap_or_default().to_owned();
        let reply = self.send(Call { operation, timeout: DEFAULT_TIMEOUT, request }).await?;
        if !reply.status().is_success() {
            let text = String::from_utf8_lossy(reply.body()).into_owned();
            return Err(JsonError::Refused(reply.status(), text));
        }
        let body = if reply.body().is_empty() { b"null".as_slice() } else { reply.body().as_ref() };
        serde_json::from_slice(body)
            .map_err(|e| JsonError::Http(HttpError::Garbled { host, detail: e.to_string() }))
    }
}

/// How a JSON call can fail.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// No usable reply.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The callee said no; its status and body.
    #[error("refused with {0}: {1}")]
    Refused(StatusCode, String),
}
