//! The SOAP link: sessions, and how every way a call can go wrong becomes a typed error.

use super::{Result, VcenterError};
use bytes::Bytes;
use failback_wire::http::{Call, DEFAULT_TIMEOUT, Http, HttpError, Request, StatusCode, header};
use failback_wire::vim::{Element, Fault, MoRef, ReplyError, VimRequest, parse_reply};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How often something without effect is tried when replies get lost.
const TRIES: u32 = 3;
/// Pause between such tries.
const PAUSE: Duration = Duration::from_secs(1);

/// The managers the client talks to, as the service names them.
#[derive(Debug)]
pub(super) struct Service {
    pub about: String,
    pub root: MoRef,
    pub collector: MoRef,
    pub views: MoRef,
    pub sessions: MoRef,
    pub search: MoRef,
    pub disks: MoRef,
    pub authorization: MoRef,
    /// Key of the session, as vCenter names it.
    pub session: String,
}

#[derive(Debug)]
pub(super) struct Session {
    cookie: String,
    pub service: Service,
    /// The folders of virtual machines of all datacenters, once somebody has asked for them.
    pub folders: tokio::sync::OnceCell<Vec<MoRef>>,
}

/// The way to one vCenter, as one user.
#[derive(Clone)]
struct Way {
    http: Http,
    url: String,
    host: String,
    user: String,
    password: String,
}

pub(super) struct Link {
    way: Way,
    session: Mutex<Option<Arc<Session>>>,
    /// Held while a session is being opened, so that only one is.
    opening: tokio::sync::Mutex<()>,
}

impl Link {
    pub(super) fn new(http: Http, host: &str, user: String, password: String) -> Self {
        let origin = if host.contains("://") { host.to_owned() } else { format!("https://{host}") };
        let url = format!("{}/sdk", origin.trim_end_matches('/'));
        let name = origin.split("://").nth(1).unwrap_or(host).to_owned();
        Self::over(Way { http, url, host: name, user, password })
    }

    fn over(way: Way) -> Self {
        Self { way, session: Mutex::new(None), opening: tokio::sync::Mutex::new(()) }
    }

    /// A link to the same vCenter with a session of its own.
    pub(super) fn fresh(&self) -> Self {
        Self::over(self.way.clone())
    }

    pub(super) fn host(&self) -> &str {
        &self.way.host
    }

    /// A planted bug: nobody closes the session any more.
    pub(super) fn lose(&self) {
        self.set(None);
    }

    fn current(&self) -> Option<Arc<Session>> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
    fn set(&self, session: Option<Arc<Session>>) {
        *self.session.lock().unwrap_or_else(PoisonError::into_inner) = session;
    }

    /// A call without effect: tried again when its reply gets lost.
    pub(super) async fn read(
        &self,
        method: &'static str,
        request: impl Fn(&Service) -> VimRequest,
    ) -> Result<Vec<Element>> {
        for attempt in 1.. {
            match self.effect(method, &request).await {
                Err(VcenterError::Ambiguous(error)) if attempt < TRIES => {
                    tracing::debug!(%error, method, "asking again");
                    tokio::time::sleep(PAUSE).await;
                }
                Err(VcenterError::Ambiguous(error)) => return Err(without_effect(error)),
                other => return other,
            }
        }
        Err(VcenterError::Unavailable("no reply".into()))
    }

    /// A call that may have an effect: sent once for each session.
    pub(super) async fn effect(
        &self,
        method: &'static str,
        request: impl Fn(&Service) -> VimRequest,
    ) -> Result<Vec<Element>> {
        let session = self.open().await?;
        match self.way.send(method, &request(&session.service), Some(&session.cookie)).await {
            Err(VcenterError::NotAuthenticated) => {
                self.forget(&session);
                let session = self.open().await?;
                let request = request(&session.service);
                self.way.send(method, &request, Some(&session.cookie)).await.map(|r| r.0)
            }
            other => other.map(|r| r.0),
        }
    }

    /// Forgets a session that ended; not one that was opened since.
    fn forget(&self, session: &Session) {
        let mut current = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        if current.as_ref().is_some_and(|c| c.cookie == session.cookie) {
            *current = None;
        }
    }

    /// The session with its managers; opens one when there is none.
    pub(super) async fn open(&self) -> Result<Arc<Session>> {
        if let Some(session) = self.current() {
            return Ok(session);
        }
        let _opening = self.opening.lock().await;
        if let Some(session) = self.current() {
            return Ok(session);
        }
        for attempt in 1.. {
            match self.way.login().await {
                Ok(session) => {
                    let session = Arc::new(session);
                    self.set(Some(session.clone()));
                    return Ok(session);
                }
                Err(VcenterError::Ambiguous(_)) if attempt < TRIES => tokio::time::sleep(PAUSE).await,
                Err(VcenterError::Ambiguous(error)) => return Err(without_effect(error)),
                Err(error) => return Err(error),
            }
        }
        Err(VcenterError::Unavailable("no reply".into()))
    }

    pub(super) async fn logout(&self) -> Result<()> {
        let Some(session) = self.current() else { return Ok(()) };
        self.set(None);
        self.way.logout(&session).await
    }
}

impl Way {
    async fn login(&self) -> Result<Session> {
        let instance = MoRef::new("ServiceInstance", "ServiceInstance");
        let request = VimRequest::new("RetrieveServiceContent", instance);
        let (values, _) = self.send("RetrieveServiceContent", &request, None).await?;
        let mut service = read_service(&values)?;
        let request = VimRequest::new("Login", service.sessions.clone())
            .arg(Element::leaf("userName", &self.user))
            .arg(Element::leaf("password", &self.password))
            .arg(Element::leaf("locale", "en_US"));
        let (session, cookie) = self.send("Login", &request, None).await?;
        service.session = session.first().and_then(|s| s.text_at("key")).unwrap_or_default().to_owned();
        let cookie = cookie.ok_or_else(|| VcenterError::Garbled("Login set no cookie".into()))?;
        Ok(Session { cookie, service, folders: tokio::sync::OnceCell::new() })
    }

    async fn logout(&self, session: &Session) -> Result<()> {
        let request = VimRequest::new("Logout", session.service.sessions.clone());
        for attempt in 1.. {
            match self.send("Logout", &request, Some(&session.cookie)).await {
                Ok(_) | Err(VcenterError::NotAuthenticated) => return Ok(()),
                Err(VcenterError::Ambiguous(_)) if attempt < TRIES => tokio::time::sleep(PAUSE).await,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// One exchange: what the method returned, and the cookie that was set.
    async fn send(
        &self,
        method: &'static str,
        request: &VimRequest,
        cookie: Option<&str>,
    ) -> Result<(Vec<Element>, Option<String>)> {
        let mut builder = Request::builder()
            .method("POST")
            .uri(&self.url)
            .header(header::CONTENT_TYPE, "text/xml; charset=utf-8")
            .header("SOAPAction", "\"urn:vim25/8.0.3.0\"")
            .header(header::USER_AGENT, "failback-orchestrator");
        if let Some(cookie) = cookie {
            builder = builder.header(header::COOKIE, cookie);
        }
        let request = builder
            .body(Bytes::from(request.encode()))
            .map_err(|e| VcenterError::Unavailable(format!("{}: {e}", self.url)))?;
        let call = Call { operation: method, timeout: DEFAULT_TIMEOUT, request };
        let reply = self.http.send(call).await.map_err(|error| match error {
            HttpError::Unreachable { .. } => VcenterError::Unavailable(error.to_string()),
            HttpError::TimedOut { .. }
            | HttpError::Closed { .. }
            | HttpError::Garbled { .. }
            | HttpError::Dead => VcenterError::Ambiguous(error),
        })?;
        match reply.status() {
            StatusCode::OK | StatusCode::INTERNAL_SERVER_ERROR => {}
            StatusCode::UNAUTHORIZED => return Err(VcenterError::NotAuthenticated),
            status @ (StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) => {
                return Err(VcenterError::Unavailable(format!("HTTP {status}")));
            }
            // A proxy that lost its backend does not know either whether the call took effect.
            status => return Err(self.nonsense(format!("HTTP {status}"))),
        }
        let cookies = reply.headers().get_all(header::SET_COOKIE).iter().filter_map(|v| v.to_str().ok());
        let mut pairs = cookies.filter_map(|c| c.split(';').next()).map(str::trim);
        let cookie = pairs.rfind(|p| p.starts_with("vmware_soap_session=")).map(str::to_owned);
        match parse_reply(method, reply.body()) {
            Ok(values) => Ok((values, cookie)),
            Err(ReplyError::Fault(fault)) => Err(self.refused(method, fault)),
            Err(ReplyError::Garbled(error)) => Err(self.nonsense(error.to_string())),
        }
    }

    fn nonsense(&self, detail: String) -> VcenterError {
        VcenterError::Ambiguous(HttpError::Garbled { host: self.host.clone(), detail })
    }

    fn refused(&self, method: &str, fault: Fault) -> VcenterError {
        let object = |name: &str| fault.field(name).unwrap_or_default().to_owned();
        match fault.kind.as_str() {
            "NotAuthenticated" => VcenterError::NotAuthenticated,
            "InvalidLogin" => VcenterError::InvalidLogin { user: self.user.clone() },
            "NoPermission" => {
                VcenterError::NoPermission { privilege: object("privilegeId"), object: object("object") }
            }
            "ManagedObjectNotFound" => VcenterError::NotFound(object("obj")),
            "FileNotFound" => VcenterError::NotFound(object("file")),
            _ => VcenterError::Fault {
                operation: method.to_owned(),
                fault: fault.kind,
                message: fault.message,
            },
        }
    }
}

/// Nobody is left who could close the session: whoever used it ran out of time.
impl Drop for Link {
    fn drop(&mut self) {
        let Some(session) = self.current() else { return };
        let way = self.way.clone();
        self.way.http.detach(async move {
            let _ = way.logout(&session).await;
        });
    }
}

/// The error of a call that cannot have had an effect.
fn without_effect(error: HttpError) -> VcenterError {
    match error {
        HttpError::Garbled { detail, .. } => VcenterError::Garbled(detail),
        HttpError::Unreachable { .. }
        | HttpError::TimedOut { .. }
        | HttpError::Closed { .. }
        | HttpError::Dead => VcenterError::Unavailable(error.to_string()),
    }
}

fn read_service(values: &[Element]) -> Result<Service> {
    let content = values.first().ok_or_else(|| VcenterError::Garbled("no service content".into()))?;
    let manager = |name: &str| {
        let found = content.child(name).and_then(|e| MoRef::read(e).ok());
        found.ok_or_else(|| VcenterError::Garbled(format!("the service has no {name}")))
    };
    Ok(Service {
        about: content.text_at("about.fullName").unwrap_or_default().to_owned(),
        root: manager("rootFolder")?,
        collector: manager("propertyCollector")?,
        views: manager("viewManager")?,
        sessions: manager("sessionManager")?,
        search: manager("searchIndex")?,
        disks: manager("virtualDiskManager")?,
        authorization: manager("authorizationManager")?,
        session: String::new(),
    })
}
