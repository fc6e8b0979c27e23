//! Error replies: ARM's body with Site Recovery's fields in `details`.

use crate::journal::Job;
use crate::service::Refusal;
use bytes::Bytes;
use failback_wire::arm::{ArmError, ErrorDetail};
use failback_wire::error::Report;
use failback_wire::http::{Method, Response, StatusCode};

fn arm_report(code: &str, message: String) -> Report {
    Report {
        code: code.to_owned(),
        message,
        possible_causes: String::new(),
        recommended_action: String::new(),
        entity: String::new(),
        inner: Vec::new(),
        beneath: Vec::new(),
    }
}

/// 401: no bearer token.
pub(super) fn unauthenticated() -> Refusal {
    let message = "Authentication failed. The 'Authorization' header is missing.".to_owned();
    Refusal { status: StatusCode::UNAUTHORIZED, reports: vec![arm_report("AuthenticationFailed", message)] }
}

/// 400: no api-version.
pub(super) fn no_version() -> Refusal {
    let message = "The api-version query parameter (?api-version=) is required for all requests.".to_owned();
    let report = arm_report("MissingApiVersionParameter", message);
    Refusal { status: StatusCode::BAD_REQUEST, reports: vec![report] }
}

/// 405: the path exists, the method does not.
pub(super) fn method(method: &Method) -> Refusal {
    let report = arm_report("MethodNotAllowed", format!("{method} is not possible here"));
    Refusal { status: StatusCode::METHOD_NOT_ALLOWED, reports: vec![report] }
}

/// The reply to a refused request.
pub(super) fn reply(refusal: Refusal) -> Response<Bytes> {
    ArmError::from_reports("BadRequest", &refusal.reports).reply(refusal.status)
}

/// What a failed job says, first error first.
pub(super) fn of_job(job: &Job) -> ArmError {
    let reports: Vec<Report> = job.errors().into_iter().cloned().collect();
    let mut error = ArmError::from_reports("JobFailed", &reports);
    for (detail, report) in error.details.iter_mut().zip(&reports) {
        *detail = ErrorDetail {
            activity_id: Some(job.request.job.to_string()),
            client_request_id: job.request.client_request.clone(),
            ..ErrorDetail::from(report)
        };
    }
    error
}
