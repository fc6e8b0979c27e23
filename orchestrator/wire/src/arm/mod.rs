//! The Azure Resource Manager wire: what every ARM service and its clients agree on, and the parts of
//! Compute and of page blobs that failback touches.
//!
//! Shared by the fakes (server), the orchestrator's southbound client and its northbound API (server).

pub mod asr;
pub mod blob;
pub mod compute;
pub mod date;
pub mod error;
pub mod id;
pub mod lro;
pub mod network;
pub mod page_blob;

pub use error::{ArmError, ArmErrorBody, ErrorDetail};
pub use id::ResourceId;
pub use lro::{Accepted, OperationState, OperationStatus};

use serde::{Deserialize, Serialize};

/// Query parameter every ARM request must carry.
pub const API_VERSION: &str = "api-version";
/// Header by which a client names its request; a repeat with the same value is the same request.
pub const CLIENT_REQUEST_ID: &str = "x-ms-client-request-id";
/// Header by which the service names the request.
pub const REQUEST_ID: &str = "x-ms-request-id";

/// One page of a list. `nextLink` is absolute, and null on the last page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct List<T> {
    /// The members of this page.
    pub value: Vec<T>,
    /// Where the next page is.
    pub next_link: Option<String>,
}

impl<T> List<T> {
    /// A list that fits one page.
    pub fn single(value: Vec<T>) -> Self {
        Self { value, next_link: None }
    }
}

/// The value of query parameter `name`, percent-decoded; names compare case-insensitively, as ARM's do.
pub fn query_value(query: Option<&str>, name: &str) -> Option<String> {
    query?.split('&').find_map(|pair| {
        // The name first: most pairs are others.
        let (key, rest) = pair.split_at_checked(name.len())?;
        let value = if rest.is_empty() { Some("") } else { rest.strip_prefix('=') };
        value.filter(|_| key.eq_ignore_ascii_case(name)).map(percent_decode)
    })
}

/// Undoes percent encoding. Broken escapes stay as they are.
pub fn percent_decode(text: &str) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escape = (bytes[at] == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        match escape.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Percent-encodes everything that is not unreserved (RFC 3986).
pub fn percent_encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests;
