//! The error body of ARM, with the fields Site Recovery adds inside `details`.

use crate::error::Report;
use crate::http::{Response, StatusCode, header};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// `{"error":{…}}`: the whole body of a refusal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArmErrorBody {
    /// The error.
    pub error: ArmError,
}

/// An error of ARM or of a service behind it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ArmError {
    /// What programs compare.
    pub code: String,
    /// What people read.
    pub message: String,
    /// What it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// One entry per violation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<ErrorDetail>,
}

/// One violation. The fields after `message` are Site Recovery's own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorDetail {
    /// Code of the violation.
    pub code: String,
    /// What happened.
    pub message: String,
    /// What may have caused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub possible_causes: Option<String>,
    /// What to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recommended_action: Option<String>,
    /// The service's name of the activity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activity_id: Option<String>,
    /// The client's name of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_request_id: Option<String>,
    /// What it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The errors that it stands for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<ErrorDetail>,
}

impl ArmError {
    /// An error without details.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), target: None, details: Vec::new() }
    }
    /// The first report's code and message, and every report as a detail; `code` when there is none.
    pub fn from_reports(code: &str, reports: &[Report]) -> Self {
        let first = reports.first();
        Self {
            code: first.map_or(code, |r| &r.code).to_owned(),
            message: first.map(|r| r.message.clone()).unwrap_or_default(),
            target: first.map(|r| r.entity.clone()),
            details: reports.iter().map(ErrorDetail::from).collect(),
        }
    }
    /// The error read from a reply's body, if the body is one.
    pub fn parse(body: &[u8]) -> Option<Self> {
        serde_json::from_slice::<ArmErrorBody>(body).ok().map(|b| b.error)
    }
    /// The reply that carries this error.
    pub fn reply(self, status: StatusCode) -> Response<Bytes> {
        json_reply(status, &ArmErrorBody { error: self })
    }
}

impl From<&Report> for ErrorDetail {
    fn from(report: &Report) -> Self {
        Self {
            code: report.code.clone(),
            message: report.message.clone(),
            possible_causes: Some(report.possible_causes.clone()),
            recommended_action: Some(report.recommended_action.clone()),
            target: Some(report.entity.clone()),
            details: report.beneath.iter().map(Self::from).collect(),
            ..Self::default()
        }
    }
}

/// A reply with a JSON body. A body that cannot be serialised becomes a 500.
pub fn json_reply<T: Serialize>(status: StatusCode, body: &T) -> Response<Bytes> {
    let (status, bytes) = match crate::json::to_bytes(body) {
        Ok(bytes) => (status, bytes),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, Bytes::new()),
    };
    let mut reply = Response::new(bytes);
    *reply.status_mut() = status;
    let json = header::HeaderValue::from_static("application/json; charset=utf-8");
    reply.headers_mut().insert(header::CONTENT_TYPE, json);
    reply
}
