//! What the servers of our own protocol share: the passphrase, refusals, bounded JSON bodies.

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use failback_wire::http::{Http, Method, StatusCode, header};
use failback_wire::proto::call::{self, CallError};
use failback_wire::proto::{PASSPHRASE, Refusal};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::sync::Arc;

/// The longest JSON body a component reads, in bytes.
pub const MAX_JSON: usize = 256 << 10;

/// A refusal as every component words it.
pub fn refuse(status: StatusCode, code: &str, message: impl Into<String>) -> Response {
    (status, Json(Refusal { code: code.to_owned(), message: message.into() })).into_response()
}

/// A reply in JSON. Unlike axum's own it is written into memory that is kept: replies are many.
pub struct Json<T>(pub T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match failback_wire::json::to_bytes(&self.0) {
            Ok(body) => ([(header::CONTENT_TYPE, "application/json")], body).into_response(),
            Err(e) => (StatusCode::INTERNAL_SERVER_ERROR, e.to_string()).into_response(),
        }
    }
}

/// Reads a JSON body.
///
/// # Errors
/// The reply 400 `bad-request` when the body is not a `T`.
#[expect(clippy::result_large_err, reason = "the error is the reply, sent at once")]
pub fn read_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Response> {
    serde_json::from_slice(body)
        .map_err(|e| refuse(StatusCode::BAD_REQUEST, "bad-request", format!("the body makes no sense: {e}")))
}

/// `router` for callers who know the passphrase: others get 401 `wrong-passphrase`. Bodies end at `limit`
/// bytes; what `router` does not know is refused with 404 `no-such-call`.
pub fn guarded(router: Router, passphrase: &str, limit: usize) -> Router {
    router
        .fallback(|| async { refuse(StatusCode::NOT_FOUND, "no-such-call", "nothing answers here") })
        .method_not_allowed_fallback(|| async {
            refuse(StatusCode::METHOD_NOT_ALLOWED, "no-such-call", "this resource cannot do that")
        })
        .layer(from_fn_with_state((Arc::from(passphrase), DefaultBodyLimit::max(limit)), check))
}

async fn check(
    State((passphrase, limit)): State<(Arc<str>, DefaultBodyLimit)>,
    mut request: Request<Body>,
    next: Next,
) -> Response {
    let given = request.headers().get(PASSPHRASE).map(|value| value.as_bytes());
    if given == Some(passphrase.as_bytes()) {
        limit.apply(&mut request);
        return next.run(request).await;
    }
    refuse(StatusCode::UNAUTHORIZED, "wrong-passphrase", "the passphrase is missing or wrong")
}

/// Sends `body` with POST, as a component does, and forgets what the reply says.
///
/// # Errors
/// When no usable reply came, or a refusal.
pub async fn post<B: Serialize + Sync>(
    http: &Http,
    operation: &'static str,
    url: &str,
    passphrase: &str,
    body: &B,
) -> Result<(), CallError> {
    let reply = call::json::<_, Value>(http, passphrase, operation, Method::POST, url, Some(body)).await;
    reply.map(drop)
}
