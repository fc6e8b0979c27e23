//! The wire: `POST /sdk` and the list of versions, behind vCenter's reverse proxy.

use super::Vcenter;
use super::refusal;
use super::session::Session;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use failback_wire::vim::{Element, Fault, Obj, Value, VimRequest, reply, service_versions};
use http::{HeaderMap, StatusCode, header};
use std::sync::Arc;

const COOKIE: &str = "vmware_soap_session";
const XML: &str = "text/xml; charset=utf-8";

pub(super) fn router(vcenter: Arc<Vcenter>) -> Router {
    Router::new()
        .route("/sdk", post(sdk))
        .route("/sdk/", post(sdk))
        .route("/sdk/vimService", post(sdk))
        .route("/sdk/vimServiceVersions.xml", get(versions))
        .layer(DefaultBodyLimit::max(32 << 20))
        .with_state(vcenter)
}

/// What the reverse proxy says while the service behind it is down.
fn unavailable() -> Response {
    let body =
        "503 Service Unavailable (Failed to connect to endpoint: [N7Vmacore4Http20NamedPipeServiceSpecE])";
    (StatusCode::SERVICE_UNAVAILABLE, [(header::CONTENT_TYPE, "text/plain")], body).into_response()
}

async fn versions(State(vcenter): State<Arc<Vcenter>>) -> Response {
    if !vcenter.lock().model.service_up {
        return unavailable();
    }
    ([(header::CONTENT_TYPE, XML)], service_versions()).into_response()
}

/// The session's key in a `Cookie` header; some clients send back the attributes and the quotes, too.
fn session_key(headers: &HeaderMap) -> Option<String> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|v| v.to_str().ok());
    let mut pairs = cookies.flat_map(|v| v.split(';')).filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(name, _)| name.trim() == COOKIE)?;
    Some(value.trim().trim_matches('"').to_owned())
}

async fn sdk(State(vcenter): State<Arc<Vcenter>>, headers: HeaderMap, body: Bytes) -> Response {
    if !vcenter.lock().model.service_up {
        return unavailable();
    }
    let request = match VimRequest::parse(&body) {
        Ok(request) => request,
        Err(error) => return answer("", Err(refusal::invalid_request(error)), None),
    };
    let agent = headers.get(header::USER_AGENT).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let session = session_key(&headers).filter(|key| vcenter.use_session(key));
    let mut cookie = None;
    let result = match (&*request.method, session) {
        ("RetrieveServiceContent", _) => Ok(vec![content()]),
        ("Login", _) => vcenter.login(&request, agent).map(|(key, login)| {
            cookie = Some(key);
            vec![login]
        }),
        (_, None) => Err(refusal::not_authenticated(&request.this)),
        ("WaitForUpdates" | "WaitForUpdatesEx" | "CheckForUpdates", Some(session)) => {
            vcenter.wait_for_updates(&session, &request).await
        }
        (_, Some(session)) => vcenter.call(&session, &request),
    };
    if !vcenter.lock().model.service_up {
        return unavailable();
    }
    answer(&request.method, result, cookie)
}

fn content() -> Element {
    use super::props::service_content;
    let content: Obj = service_content();
    Value::Obj(content).field("returnval").remove(0)
}

fn answer(method: &str, result: Result<Vec<Element>, Fault>, session: Option<String>) -> Response {
    let status = if result.is_ok() { StatusCode::OK } else { StatusCode::INTERNAL_SERVER_ERROR };
    let mut response = (status, [(header::CONTENT_TYPE, XML)], reply(method, result)).into_response();
    let cookie = session.and_then(|key| format!("{COOKIE}=\"{key}\"; Path=/; HttpOnly").parse().ok());
    if let Some(cookie) = cookie {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

impl Vcenter {
    /// Takes note that a session is used; false when it is over or never was. Sessions that were idle too
    /// long end here.
    fn use_session(&self, key: &str) -> bool {
        let mut state = self.lock();
        let now = state.now();
        let idle = self.config.session_idle;
        state.sessions.retain(|_, s| now.since(s.last) < idle);
        let Some(session) = state.sessions.get_mut(key) else { return false };
        session.last = now;
        session.calls += 1;
        true
    }

    /// `Login`: the new session's key and its `UserSession`.
    fn login(&self, request: &VimRequest, agent: &str) -> Result<(String, Element), Fault> {
        let name = request.text("userName").unwrap_or_default();
        let password = request.text("password").unwrap_or_default();
        let mut state = self.lock();
        let user = state.users.iter().find(|u| u.name == name && u.password == password);
        let user = user.cloned().ok_or_else(refusal::invalid_login)?;
        let ctx = state.ctx.clone().ok_or_else(refusal::invalid_login)?;
        let number = state.model.id();
        let ids = ctx.ids(&format!("session-{number}"));
        let key = ids.guid();
        let session = Session::new(key.clone(), &user, agent.to_owned(), state.now());
        state.sessions.insert(key.clone(), session);
        let eyes = self.eyes(&state, &key).ok_or_else(refusal::invalid_login)?;
        let login = Value::Obj(eyes.user_session(eyes.session)).field("returnval").remove(0);
        Ok((key, login))
    }
}
