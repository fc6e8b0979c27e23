//! One call of our own protocol: JSON, the passphrase, and every way it can fail, typed.

use failback_wire::http::{Http, HttpError, Method, StatusCode};
use failback_wire::proto::call::{self, CallError};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// How much of a refusal's text an error quotes, in characters.
const QUOTE: usize = 200;

/// How a call to a component (configuration server, process server, master target, agent) can fail.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ComponentError {
    /// The call did not get there: nothing happened.
    #[error(transparent)]
    Unavailable(HttpError),
    /// No complete reply: it may have happened. Asking again is safe, every call is idempotent.
    #[error("{0}; the request may have taken effect")]
    Ambiguous(HttpError),
    /// The component said no.
    #[error("refused with {status} ({code}): {message}")]
    Refused {
        /// HTTP status.
        status: StatusCode,
        /// The component's word for it; the status when it did not say.
        code: String,
        /// For people.
        message: String,
    },
    /// The reply is not what the protocol promises; the request may have taken effect.
    #[error("the reply of {host} makes no sense: {detail}")]
    Garbled {
        /// The callee.
        host: String,
        /// What is wrong with it.
        detail: String,
    },
}

impl ComponentError {
    /// True when the request may have taken effect although no usable reply came.
    pub fn is_ambiguous(&self) -> bool {
        match self {
            Self::Ambiguous(_) | Self::Garbled { .. } => true,
            Self::Unavailable(_) | Self::Refused { .. } => false,
        }
    }

    /// True when the component itself answered with this code.
    pub fn is_refusal(&self, wanted: &str) -> bool {
        matches!(self, Self::Refused { code, .. } if code == wanted)
    }
}

impl From<HttpError> for ComponentError {
    fn from(e: HttpError) -> Self {
        match e {
            HttpError::Unreachable { .. } | HttpError::Dead => Self::Unavailable(e),
            HttpError::TimedOut { .. } | HttpError::Closed { .. } => Self::Ambiguous(e),
            HttpError::Garbled { host, detail } => Self::Garbled { host, detail },
        }
    }
}

impl From<CallError> for ComponentError {
    fn from(e: CallError) -> Self {
        match e {
            CallError::Http(e) => e.into(),
            CallError::Refused { status, refusal } => {
                let message = refusal.message.chars().take(QUOTE).collect();
                Self::Refused { status, code: refusal.code, message }
            }
        }
    }
}

/// The way to components that share a passphrase.
#[derive(Clone)]
pub struct ComponentClient {
    http: Http,
    passphrase: String,
}

impl ComponentClient {
    /// Calls leave over `http` with this passphrase.
    pub fn new(http: Http, passphrase: impl Into<String>) -> Self {
        Self { http, passphrase: passphrase.into() }
    }

    /// Sends `body` (if any) as JSON to `http://{host}{path}` and reads the reply as JSON.
    ///
    /// # Errors
    /// See [`ComponentError`].
    pub async fn call<B: Serialize + Sync, R: DeserializeOwned>(
        &self,
        operation: &'static str,
        method: Method,
        host: &str,
        path: &str,
        body: Option<&B>,
    ) -> Result<R, ComponentError> {
        let url = format!("http://{host}{path}");
        Ok(call::json(&self.http, &self.passphrase, operation, method, &url, body).await?)
    }
}

/// `text` as one segment of a path.
pub fn segment(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
