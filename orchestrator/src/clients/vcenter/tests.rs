//! The client against a server on a socket whose replies are broken, slow or cut short. What it does with a
//! vCenter that works is tested where the fake is (`tests/tests/vcenter_client.rs`).

#![expect(clippy::disallowed_types, reason = "only a socket breaks the way these servers do")]

use super::*;
use bytes::Bytes;
use failback_wire::http::{BoxFuture, Call, HttpError, Transport};
use failback_wire::node::Fence;
use failback_wire::vim::{Element, Fault, MoRef, VimRequest, reply};
use http::Response;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use wiremock::matchers::{body_string_contains, method};
use wiremock::{Mock, MockServer, ResponseTemplate};

/// One exchange over a socket, without a library to hide what goes wrong.
struct Socket(SocketAddr);

type Answer = std::result::Result<Response<Bytes>, HttpError>;

fn exchange(at: SocketAddr, call: &Call) -> Answer {
    let host = at.to_string();
    let closed = |_| HttpError::Closed { host: host.clone() };
    let garbled = |detail: &str| HttpError::Garbled { host: host.clone(), detail: detail.into() };
    let mut stream = TcpStream::connect(at).map_err(|_| HttpError::Unreachable { host: host.clone() })?;
    // Slow is what takes longer than this; the call's own deadline runs on the paused clock.
    stream.set_read_timeout(Some(Duration::from_millis(200))).map_err(closed)?;
    let mut head =
        format!("POST {} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n", call.request.uri().path());
    for (name, value) in call.request.headers() {
        head += &format!("{name}: {}\r\n", value.to_str().unwrap());
    }
    head += &format!("content-length: {}\r\n\r\n", call.request.body().len());
    stream.write_all(head.as_bytes()).map_err(closed)?;
    stream.write_all(call.request.body()).map_err(closed)?;
    let mut bytes = Vec::new();
    let after = call.timeout;
    stream.read_to_end(&mut bytes).map_err(|_| HttpError::TimedOut { host: host.clone(), after })?;
    let split = bytes.windows(4).position(|w| w == b"\r\n\r\n").ok_or_else(|| garbled("no head"))?;
    let head = String::from_utf8_lossy(&bytes[..split]).into_owned();
    let mut lines = head.lines();
    let status = lines.next().and_then(|l| l.split(' ').nth(1)).and_then(|s| s.parse::<u16>().ok());
    let mut response = Response::builder().status(status.ok_or_else(|| garbled("no status"))?);
    for (name, value) in lines.filter_map(|l| l.split_once(": ")) {
        response = response.header(name, value);
    }
    response.body(Bytes::copy_from_slice(&bytes[split + 4..])).map_err(|e| garbled(&e.to_string()))
}

impl Transport for Socket {
    fn call(&self, _: &Fence, call: Call) -> BoxFuture<'static, Answer> {
        let result = exchange(self.0, &call);
        Box::pin(async move { result })
    }
}

fn client(server: &MockServer) -> VcenterClient {
    let http = Http::new(Fence::new("orchestrator".into(), 1), Arc::new(Socket(*server.address())));
    VcenterClient::new(http, "vcenter.lab", "asr", "secret")
}

fn good(name: &str, values: Vec<Element>) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_raw(reply(name, Ok(values)), "text/xml")
}

fn fault(name: &str, fault: &Fault) -> ResponseTemplate {
    ResponseTemplate::new(500).set_body_raw(reply(name, Err(fault.clone())), "text/xml")
}

fn of(name: &str) -> wiremock::MockBuilder {
    Mock::given(method("POST")).and(body_string_contains(format!("<{name} ")))
}

fn content() -> Vec<Element> {
    let managers = [
        ("rootFolder", "Folder"),
        ("propertyCollector", "PropertyCollector"),
        ("viewManager", "ViewManager"),
        ("sessionManager", "SessionManager"),
        ("searchIndex", "SearchIndex"),
        ("authorizationManager", "AuthorizationManager"),
        ("virtualDiskManager", "VirtualDiskManager"),
    ];
    let managers = managers.map(|(name, kind)| MoRef::new(kind, kind).element(name));
    vec![Element::new("returnval").with_all(managers)]
}

/// A server that says what it is and lets people in.
async fn server() -> MockServer {
    let server = MockServer::start().await;
    of("RetrieveServiceContent").respond_with(good("RetrieveServiceContent", content())).mount(&server).await;
    server
}

async fn with_login() -> MockServer {
    let server = server().await;
    let login = good("Login", vec![Element::new("returnval")])
        .insert_header("set-cookie", "vmware_soap_session=\"abc\"; Path=/; HttpOnly");
    of("Login").respond_with(login).mount(&server).await;
    server
}

async fn count(server: &MockServer, name: &str) -> usize {
    let requests = server.received_requests().await.unwrap();
    let start = format!("<{name} ");
    requests.iter().filter(|r| String::from_utf8_lossy(&r.body).contains(&start)).count()
}

fn role() -> ResponseTemplate {
    let role = Element::new("val").typed("ArrayOfInt").with(Element::leaf("int", -1));
    let object = Element::new("objects")
        .with(MoRef::new("Folder", "Folder").element("obj"))
        .with(Element::new("propSet").with(Element::leaf("name", "effectiveRole")).with(role));
    good("RetrievePropertiesEx", vec![Element::new("returnval").with(object)])
}

#[tokio::test(start_paused = true)]
async fn a_truncated_reply_is_asked_for_again() {
    let server = with_login().await;
    let whole = reply("RetrievePropertiesEx", Ok(Vec::new()));
    let cut = ResponseTemplate::new(200).set_body_raw(&whole[..whole.len() / 2], "text/xml");
    of("RetrievePropertiesEx").respond_with(cut).up_to_n_times(2).mount(&server).await;
    of("RetrievePropertiesEx").respond_with(role()).mount(&server).await;
    assert!(!client(&server).check_connected().await.unwrap().read_only);
    assert_eq!(count(&server, "RetrievePropertiesEx").await, 3);
    // The session's cookie came along, without its attributes.
    let requests = server.received_requests().await.unwrap();
    assert_eq!(requests.last().unwrap().headers["cookie"], "vmware_soap_session=\"abc\"");
}

#[tokio::test(start_paused = true)]
async fn nonsense_is_garbled_in_the_end() {
    for (status, body) in [
        (200, "<html><body>Welcome</body></html>"),
        (502, "Bad Gateway"),
        (200, "<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>"),
        (200, ""),
    ] {
        let server = with_login().await;
        let nonsense = ResponseTemplate::new(status).set_body_raw(body, "text/html");
        of("RetrievePropertiesEx").respond_with(nonsense).mount(&server).await;
        let error = client(&server).check_connected().await.unwrap_err();
        assert!(matches!(error, VcenterError::Garbled(_)), "{error:?}");
        assert_eq!(count(&server, "RetrievePropertiesEx").await, 3);
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_down_is_unavailable_at_once() {
    let server = MockServer::start().await;
    Mock::given(method("POST")).respond_with(ResponseTemplate::new(503)).mount(&server).await;
    let error = client(&server).check_connected().await.unwrap_err();
    assert!(matches!(error, VcenterError::Unavailable(_)), "{error:?}");
    assert_eq!(server.received_requests().await.unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_slow_reply_is_no_reply() {
    let server = with_login().await;
    let slow = role().set_delay(Duration::from_millis(400));
    of("RetrievePropertiesEx").respond_with(slow).mount(&server).await;
    let error = client(&server).check_connected().await.unwrap_err();
    assert!(matches!(error, VcenterError::Unavailable(_)), "{error:?}");
    assert_eq!(count(&server, "RetrievePropertiesEx").await, 3);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_ended_is_opened_once_more() {
    let over = Fault::new("NotAuthenticated", "The session is not authenticated.");
    let server = with_login().await;
    let first =
        of("RetrievePropertiesEx").respond_with(fault("RetrievePropertiesEx", &over)).up_to_n_times(1);
    first.mount(&server).await;
    of("RetrievePropertiesEx").respond_with(role()).mount(&server).await;
    client(&server).check_connected().await.unwrap();
    assert_eq!(count(&server, "Login").await, 2);

    let server = with_login().await;
    of("RetrievePropertiesEx").respond_with(fault("RetrievePropertiesEx", &over)).mount(&server).await;
    assert_eq!(client(&server).check_connected().await, Err(VcenterError::NotAuthenticated));
    assert_eq!(count(&server, "Login").await, 2);
}

#[tokio::test(start_paused = true)]
async fn a_login_without_a_cookie_is_no_login() {
    let server = server().await;
    of("Login").respond_with(good("Login", vec![Element::new("returnval")])).mount(&server).await;
    let error = client(&server).check_connected().await.unwrap_err();
    assert!(matches!(error, VcenterError::Garbled(_)), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn faults_become_what_they_mean() {
    let none = Element::leaf("obj", "vm-9");
    let cases = [
        (Fault::new("InvalidLogin", "no"), VcenterError::InvalidLogin { user: "asr".into() }),
        (Fault::new("ManagedObjectNotFound", "gone").with(none), VcenterError::NotFound("vm-9".into())),
        (
            Fault::new("NoPermission", "no").with(Element::leaf("privilegeId", "System.View")),
            VcenterError::NoPermission { privilege: "System.View".into(), object: String::new() },
        ),
        (
            Fault::new("SystemError", "oops"),
            VcenterError::Fault {
                operation: "RetrievePropertiesEx".into(),
                fault: "SystemError".into(),
                message: "oops".into(),
            },
        ),
    ];
    for (sent, expected) in cases {
        let server = with_login().await;
        of("RetrievePropertiesEx").respond_with(fault("RetrievePropertiesEx", &sent)).mount(&server).await;
        assert_eq!(client(&server).check_connected().await, Err(expected));
    }
}

#[tokio::test(start_paused = true)]
async fn an_effect_whose_reply_makes_no_sense_is_ambiguous_not_repeated() {
    let server = with_login().await;
    let vm = MoRef::new("VirtualMachine", "vm-1");
    of("PowerOnVM_Task").respond_with(ResponseTemplate::new(200)).mount(&server).await;
    let client = client(&server);
    let request = |_: &link::Service| VimRequest::new("PowerOnVM_Task", vm.clone());
    assert!(matches!(client.run("PowerOnVM_Task", request).await, Err(VcenterError::Ambiguous(_))));
    assert_eq!(count(&server, "PowerOnVM_Task").await, 1);
}
