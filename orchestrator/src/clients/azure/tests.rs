//! The client against servers that misbehave, over real sockets and so on the wall clock.

#![expect(clippy::disallowed_types, reason = "only a socket breaks the way these servers do")]

use super::*;
use bytes::Bytes;
use failback_wire::arm::blob::{BlobClient, BlobError};
use failback_wire::http::{BoxFuture, Call, Response, Transport};
use failback_wire::node::Fence;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use wiremock::matchers::{body_partial_json, header, header_exists, method, path, query_param};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

/// Calls over sockets, one connection each.
struct Sockets;

async fn exchange(call: Call) -> Result<Response<Bytes>, HttpError> {
    let authority = call.request.uri().authority().unwrap().to_string();
    let host = authority.clone();
    let garbled = |e: hyper::Error| match e.is_incomplete_message() || e.is_body_write_aborted() {
        true => HttpError::Closed { host: host.clone() },
        false => HttpError::Garbled { host: host.clone(), detail: e.to_string() },
    };
    let unreachable = |_| HttpError::Unreachable { host: host.clone() };
    let stream = TcpStream::connect(&authority).await.map_err(unreachable)?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(garbled)?;
    let send = async {
        let (mut parts, body) = call.request.into_parts();
        parts.headers.insert("host", authority.parse().unwrap());
        parts.uri = parts.uri.path_and_query().unwrap().as_str().parse().unwrap();
        let reply =
            sender.send_request(hyper::Request::from_parts(parts, Full::new(body))).await.map_err(garbled)?;
        let (parts, body) = reply.into_parts();
        let closed = |_| HttpError::Closed { host: host.clone() };
        Ok(Response::from_parts(parts, body.collect().await.map_err(closed)?.to_bytes()))
    };
    tokio::pin!(connection, send);
    let mut open = true;
    loop {
        tokio::select! {
            biased;
            reply = &mut send => return reply,
            _ended = &mut connection, if open => open = false,
        }
    }
}

impl Transport for Sockets {
    fn call(&self, _: &Fence, call: Call) -> BoxFuture<'static, Result<Response<Bytes>, HttpError>> {
        let after = call.timeout;
        let host = call.request.uri().host().unwrap_or_default().to_owned();
        Box::pin(async move {
            let late = HttpError::TimedOut { host, after };
            tokio::time::timeout(after, exchange(call)).await.unwrap_or(Err(late))
        })
    }
}

fn http() -> Http {
    Http::new(Fence::new("orchestrator".into(), 1), Arc::new(Sockets))
}

fn hasty(origin: String) -> AzureClient {
    let ms = Duration::from_millis;
    let patience = Patience {
        call: ms(400),
        attempts: 3,
        back_off: ms(2),
        poll: ms(2),
        operation: Duration::from_secs(10),
    };
    AzureClient::new(http(), origin, "S", "g", "token").with_patience(patience)
}

const VM: &str = "/subscriptions/S/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/web01";

fn vm(power: &str, provisioning: &str) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(json!({
        "id": VM.replace("subscriptions", "Subscriptions"), "name": "web01", "location": "we", "properties": {
            "vmId": "v1", "provisioningState": provisioning,
            "storageProfile": {"osDisk": {"createOption": "Attach", "managedDisk": {"id": disk_id("os")}},
                "dataDisks": [{"lun": 1, "createOption": "Attach", "managedDisk": {"id": disk_id("d1")}},
                    {"lun": 0, "createOption": "Attach", "managedDisk": {"id": disk_id("d0")}}]},
            "instanceView": {"statuses": [{"code": "ProvisioningState/succeeded"},
                {"code": format!("PowerState/{power}")}]}}}))
}
fn disk_id(name: &str) -> String {
    format!("/subscriptions/S/resourceGroups/G/providers/Microsoft.Compute/disks/{name}")
}
fn refusal(status: u16, code: &str) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(json!({"error": {"code": code, "message": "m"}}))
}
fn accepted(server: &MockServer) -> ResponseTemplate {
    ResponseTemplate::new(202)
        .insert_header("Azure-AsyncOperation", format!("{}/op?api-version=1", server.uri()))
}
fn status(word: &str, error: Value) -> ResponseTemplate {
    ResponseTemplate::new(200)
        .set_body_json(json!({"name": "op", "status": word, "error": error, "properties": null}))
}

/// Replies one after the other; the last one for ever.
struct Script(std::sync::Mutex<Vec<ResponseTemplate>>);
impl Script {
    fn new(replies: impl IntoIterator<Item = ResponseTemplate>) -> Self {
        let mut replies: Vec<_> = replies.into_iter().collect();
        replies.reverse();
        Self(std::sync::Mutex::new(replies))
    }
}
impl Respond for Script {
    fn respond(&self, _: &Request) -> ResponseTemplate {
        let mut replies = self.0.lock().unwrap();
        if replies.len() > 1 { replies.pop().unwrap() } else { replies[0].clone() }
    }
}

async fn on_get(server: &MockServer, at: &str, replies: impl IntoIterator<Item = ResponseTemplate>) {
    Mock::given(method("GET")).and(path(at)).respond_with(Script::new(replies)).mount(server).await;
}

#[tokio::test]
async fn facts_are_read_with_token_and_version() {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .and(path(VM))
        .and(header("authorization", "Bearer token"))
        .and(query_param("$expand", "instanceView"))
        .and(query_param("api-version", "2025-04-01"))
        .respond_with(vm("running", "Succeeded"))
        .mount(&server)
        .await;
    let facts = hasty(server.uri()).vm("web01").await.unwrap().unwrap();
    assert_eq!(facts.disks, ["os", "d0", "d1"], "the OS disk, then by slot");
    assert_eq!(
        (facts.power, facts.provisioning, facts.vm_id.as_str()),
        (Power::Running, Provisioning::Succeeded, "v1")
    );
}

#[tokio::test]
async fn an_absent_machine_is_an_answer_and_a_refusal_is_an_error() {
    let server = MockServer::start().await;
    on_get(&server, VM, [refusal(404, "ResourceNotFound"), refusal(403, "AuthorizationFailed")]).await;
    let client = hasty(server.uri());
    assert_eq!(client.vm("web01").await, Ok(None));
    let error = client.vm("web01").await.unwrap_err();
    assert_eq!(
        error,
        AzureError::Refused { status: 403, code: "AuthorizationFailed".into(), message: "m".into() }
    );
    assert!(!error.is_transient());
}

#[tokio::test]
async fn overload_and_silence_are_waited_out() {
    let server = MockServer::start().await;
    let slow = vm("running", "Succeeded").set_delay(Duration::from_secs(5));
    on_get(&server, VM, [refusal(503, "ServerBusy"), slow, vm("stopped", "Succeeded")]).await;
    assert_eq!(hasty(server.uri()).vm("web01").await.unwrap().unwrap().power, Power::Stopped);
}

#[tokio::test]
async fn a_reply_that_makes_no_sense_is_told_apart() {
    for body in [
        "",
        "<html>",
        "[]",
        r#"{"name":"web01"}"#,
        r#"{"name":"web01","properties":{"storageProfile":{"osDisk":{}}}}"#,
    ] {
        let server = MockServer::start().await;
        on_get(&server, VM, [ResponseTemplate::new(200).set_body_string(body)]).await;
        let error = hasty(server.uri()).vm("web01").await.unwrap_err();
        assert!(matches!(error, AzureError::Garbled(_)), "{body}: {error}");
    }
    let server = MockServer::start().await;
    on_get(&server, VM, [ResponseTemplate::new(502).set_body_string("<html>bad gateway")]).await;
    let error = hasty(server.uri()).vm("web01").await.unwrap_err();
    assert!(matches!(error, AzureError::Refused { status: 502, .. }) && error.is_transient(), "{error}");
}

#[tokio::test]
async fn nothing_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = hasty(origin).vm("web01").await.unwrap_err();
    assert!(matches!(error, AzureError::Unavailable(HttpError::Unreachable { .. })), "{error}");
    assert!(error.is_transient());
}

/// A server that answers every connection with these bytes and hangs up.
async fn raw(reply: &'static str, client: impl AsyncFnOnce(String)) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let serve = async {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 4096];
            let _read = stream.read(&mut request).await;
            let _written = stream.write_all(reply.as_bytes()).await;
        }
    };
    tokio::select! {
        biased;
        () = client(origin) => {}
        () = serve => {}
    }
}

#[tokio::test]
async fn truncated_replies_are_ambiguous() {
    for reply in
        ["", "HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n{\"name\":", "HTTP/1.1 200 OK\r\nContent-Le"]
    {
        raw(reply, async |origin| {
            let error = hasty(origin).vm("web01").await.unwrap_err();
            assert!(matches!(error, AzureError::Ambiguous(_)), "{reply:?}: {error}");
        })
        .await;
    }
    raw("HELLO\r\n\r\n", async |origin| {
        let error = hasty(origin).vm("web01").await.unwrap_err();
        assert!(matches!(error, AzureError::Ambiguous(HttpError::Garbled { .. })), "{error}");
    })
    .await;
}

#[tokio::test]
async fn a_stop_follows_its_operation_over_stutters() {
    let server = MockServer::start().await;
    on_get(&server, VM, [vm("running", "Succeeded"), vm("stopped", "Succeeded")]).await;
    Mock::given(method("POST"))
        .and(path(format!("{VM}/powerOff")))
        .and(query_param("skipShutdown", "false"))
        .and(header("x-ms-client-request-id", "key"))
        .respond_with(Script::new([refusal(503, "ServerBusy"), refusal(409, "Conflict"), accepted(&server)]))
        .expect(3)
        .mount(&server)
        .await;
    let garbage = ResponseTemplate::new(200).set_body_string("{");
    let script =
        [status("InProgress", Value::Null), garbage, refusal(500, "x"), status("Succeeded", Value::Null)];
    on_get(&server, "/op", script).await;
    hasty(server.uri()).stop_vm("web01", true, "key").await.unwrap();
}

#[tokio::test]
async fn a_stopped_machine_is_not_stopped_again() {
    let server = MockServer::start().await;
    on_get(&server, VM, [vm("deallocated", "Succeeded")]).await;
    Mock::given(method("POST")).respond_with(accepted(&server)).expect(0).mount(&server).await;
    hasty(server.uri()).stop_vm("web01", true, "key").await.unwrap();
}

#[tokio::test]
async fn a_failed_operation_carries_its_code() {
    let server = MockServer::start().await;
    on_get(&server, VM, [vm("stopped", "Succeeded")]).await;
    Mock::given(method("POST")).respond_with(accepted(&server)).mount(&server).await;
    on_get(&server, "/op", [status("Failed", json!({"code": "AllocationFailed", "message": "no room"}))])
        .await;
    let error = hasty(server.uri()).start_vm("web01", "key").await.unwrap_err();
    let want = AzureError::OperationFailed { code: "AllocationFailed".into(), message: "no room".into() };
    assert_eq!(error, want);
    assert!(!error.is_transient());
}

#[tokio::test]
async fn a_lost_answer_is_answered_by_what_is_seen() {
    let server = MockServer::start().await;
    on_get(&server, VM, [vm("running", "Succeeded"), refusal(404, "ResourceNotFound")]).await;
    let never = ResponseTemplate::new(202).set_delay(Duration::from_secs(60));
    Mock::given(method("DELETE")).respond_with(never).expect(3).mount(&server).await;
    hasty(server.uri()).delete_vm("web01", "key").await.unwrap();

    let server = MockServer::start().await;
    on_get(&server, VM, [vm("running", "Succeeded")]).await;
    let never = ResponseTemplate::new(202).set_delay(Duration::from_secs(60));
    Mock::given(method("DELETE")).respond_with(never).mount(&server).await;
    let error = hasty(server.uri()).delete_vm("web01", "key").await.unwrap_err();
    assert!(matches!(error, AzureError::Ambiguous(HttpError::TimedOut { .. })), "{error}");
}

#[tokio::test]
async fn success_without_effect_is_tried_with_a_new_key_and_then_reported() {
    let server = MockServer::start().await;
    on_get(&server, VM, [vm("stopped", "Succeeded")]).await;
    for key in ["key", "key~2", "key~3"] {
        Mock::given(method("POST"))
            .and(header("x-ms-client-request-id", key))
            .respond_with(accepted(&server))
            .expect(1)
            .mount(&server)
            .await;
    }
    on_get(&server, "/op", [status("Succeeded", Value::Null)]).await;
    let error = hasty(server.uri()).start_vm("web01", "key").await.unwrap_err();
    assert!(matches!(error, AzureError::Garbled(_)), "{error}");
}

#[tokio::test]
async fn an_operation_without_end_meets_its_deadline() {
    let server = MockServer::start().await;
    on_get(&server, VM, [vm("stopped", "Succeeded")]).await;
    Mock::given(method("POST")).respond_with(accepted(&server)).mount(&server).await;
    on_get(&server, "/op", [status("InProgress", Value::Null)]).await;
    let client = hasty(server.uri());
    let operation = Duration::from_millis(300);
    let client = AzureClient { patience: Patience { operation, ..client.patience }, ..client };
    let error = client.start_vm("web01", "key").await.unwrap_err();
    assert_eq!(error, AzureError::Deadline { operation: "VirtualMachines_Start", after: operation });
}

#[tokio::test]
async fn a_202_without_a_status_url_is_no_answer_and_location_alone_will_do() {
    let server = MockServer::start().await;
    on_get(&server, VM, [vm("stopped", "Succeeded")]).await;
    Mock::given(method("POST")).respond_with(ResponseTemplate::new(202)).mount(&server).await;
    let error = hasty(server.uri()).start_vm("web01", "key").await.unwrap_err();
    assert_eq!(error, AzureError::Garbled("202 without a status URL".into()));

    let server = MockServer::start().await;
    on_get(&server, VM, [vm("stopped", "Succeeded"), vm("running", "Succeeded")]).await;
    let reply = ResponseTemplate::new(202).insert_header("Location", format!("{}/result", server.uri()));
    Mock::given(method("POST")).respond_with(reply).mount(&server).await;
    on_get(&server, "/result", [ResponseTemplate::new(202), ResponseTemplate::new(200)]).await;
    hasty(server.uri()).start_vm("web01", "key").await.unwrap();
}

#[tokio::test]
async fn a_machine_is_asked_for_in_the_words_of_compute() {
    let server = MockServer::start().await;
    on_get(&server, VM, [refusal(404, "ResourceNotFound"), vm("running", "Succeeded")]).await;
    let id = |name: &str| json!({"id": disk_id(name).replace("/G/", "/g/")});
    let want = json!({"location": "we", "properties": {"hardwareProfile": {"vmSize": "s"}, "storageProfile": {
        "osDisk": {"osType": "Linux", "createOption": "Attach", "managedDisk": id("os"),
            "deleteOption": "Detach"},
        "dataDisks": [
            {"lun": 0, "createOption": "Attach", "managedDisk": id("d0"), "deleteOption": "Detach"},
            {"lun": 1, "createOption": "Attach", "managedDisk": id("d1"), "deleteOption": "Detach"}]}}});
    let created =
        ResponseTemplate::new(201).insert_header("Azure-AsyncOperation", format!("{}/op", server.uri()));
    Mock::given(method("PUT"))
        .and(path(VM))
        .and(header_exists("content-type"))
        .and(body_partial_json(want))
        .respond_with(created)
        .expect(1)
        .mount(&server)
        .await;
    on_get(&server, "/op", [status("Succeeded", Value::Null)]).await;
    let new = |data: &[&str]| NewVm {
        name: "web01".into(),
        location: "we".into(),
        size: "s".into(),
        os_type: "Linux".into(),
        os_disk: "os".into(),
        data_disks: data.iter().map(|d| (*d).to_owned()).collect(),
        subnet: None,
        address: None,
        prepare: false,
    };
    let client = hasty(server.uri());
    assert_eq!(client.create_vm(&new(&["d0", "d1"]), "key").await.unwrap().power, Power::Running);
    assert_eq!(client.create_vm(&new(&["d0", "d1"]), "key").await.unwrap().power, Power::Running);
    let other = client.create_vm(&new(&["d7"]), "key").await.unwrap_err();
    assert!(
        matches!(&other, AzureError::Refused { status: 409, code, .. } if code == "ResourceExists"),
        "{other}"
    );
}

#[tokio::test]
async fn the_blob_client_names_its_errors() {
    let server = MockServer::start().await;
    let blob = BlobClient::new(http(), &format!("{}/seeds/x?sig=s&snapshot=old", server.uri()));
    assert_eq!(blob.at_snapshot("a:b").sas_url(), format!("{}/seeds/x?snapshot=a%3Ab&sig=s", server.uri()));
    let xml = "<?xml version=\"1.0\"?><Error><Code>BlobNotFound</Code><Message>m</Message></Error>";
    let short = ResponseTemplate::new(206).set_body_bytes([0; 100]);
    let replies = [
        ResponseTemplate::new(404).set_body_string(xml),
        short,
        ResponseTemplate::new(200).set_body_bytes([0; 512]),
    ];
    on_get(&server, "/seeds/x", replies).await;
    let error = blob.get_range(0, 512).await.unwrap_err();
    assert_eq!(error, BlobError::Refused { status: 404, code: "BlobNotFound".into(), message: "m".into() });
    for _ in 0..2 {
        assert!(
            matches!(blob.get_range(0, 512).await, Err(BlobError::Garbled(_))),
            "short, then not partial"
        );
    }
    let listing = ResponseTemplate::new(200).set_body_string("<PageList><PageRange>");
    let server = MockServer::start().await;
    on_get(&server, "/seeds/x", [listing]).await;
    let blob = BlobClient::new(http(), &format!("{}/seeds/x?sig=s", server.uri()));
    assert!(matches!(blob.page_list(None, None).await, Err(BlobError::Garbled(_))));
    assert!(blob.get_range(0, 0).await.is_err(), "an empty range is no request");
    raw("HTTP/1.1 206 Partial\r\nContent-Length: 512\r\n\r\nxx", async |origin| {
        let blob = BlobClient::new(http(), &format!("{origin}/seeds/x?sig=s"));
        let error = blob.get_range(0, 512).await.unwrap_err();
        assert!(
            matches!(error, BlobError::Ambiguous(HttpError::Closed { .. })) && error.is_transient(),
            "{error}"
        );
    })
    .await;
}
