//! How the fake says no.

use bytes::Bytes;
use failback_wire::arm::ArmError;
use failback_wire::arm::page_blob::{ERROR_CODE, error_to_xml};
use failback_wire::http::{Response, StatusCode, header};

/// A request that changed nothing, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status.
    pub status: StatusCode,
    /// What programs compare.
    pub code: String,
    /// What people read.
    pub message: String,
}

impl Refusal {
    /// A refusal.
    pub(super) fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), message: message.into() }
    }
    /// 400 with this code.
    pub(super) fn bad(code: &str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }
    /// 409 with this code.
    pub(super) fn conflict(code: &str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, message)
    }
    /// 409: another operation has the resource.
    pub(super) fn busy(name: &str) -> Self {
        Self::conflict("Conflict", format!("Another operation on '{name}' is under way; try again later."))
    }
    /// 404: no such resource.
    pub(super) fn not_found(kind: &str, name: &str) -> Self {
        let message = format!("The Resource 'Microsoft.Compute/{kind}/{name}' was not found.");
        Self::new(StatusCode::NOT_FOUND, "ResourceNotFound", message)
    }
    /// The reply in ARM's form.
    pub(super) fn arm(self) -> Response<Bytes> {
        ArmError::new(self.code, self.message).reply(self.status)
    }
    /// The reply in the blob service's form; without a body for HEAD.
    pub(super) fn blob(self, head: bool) -> Response<Bytes> {
        let body = if head { String::new() } else { error_to_xml(&self.code, &self.message) };
        let mut reply = Response::new(Bytes::from(body));
        *reply.status_mut() = self.status;
        if let Ok(code) = header::HeaderValue::from_str(&self.code) {
            reply.headers_mut().insert(ERROR_CODE, code);
        }
        reply.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/xml"));
        reply
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}: {}", self.status.as_u16(), self.code, self.message)
    }
}
