//! The configuration server's client against a server that works.

use crate::support::sockets;
use failback_orchestrator::clients::cs::{CsClient, CsError};
use failback_wire::clock::VirtualMs;
use failback_wire::http::StatusCode;
use failback_wire::ids::{MachineName, Site};
use failback_wire::proto::PASSPHRASE;
use failback_wire::proto::cs::{OsFamily, Protection};
use serde_json::json;
use wiremock::matchers::{body_json, header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

fn client(server: &MockServer) -> CsClient {
    CsClient::new(sockets(), server.address().to_string(), "secret")
}

#[tokio::test]
async fn reads_a_machines_row() {
    let server = MockServer::start().await;
    let row = json!({
        "machine": "web 01/ä",
        "protection": {"os": "linux", "vm_uuid": "u", "direction": "none", "policy": "gold"},
        "registrations": [{"host_id": "h", "site": "azure", "address": "10.1.0.4", "registered_at": 5,
                           "last_heartbeat": 7, "version": "9.62"}],
    });
    Mock::given(method("GET"))
        .and(path("/v1/machines/web%2001%2F%C3%A4"))
        .and(header(PASSPHRASE, "secret"))
        .respond_with(ResponseTemplate::new(200).set_body_json(row))
        .mount(&server)
        .await;
    let row = client(&server).machine(&MachineName::from("web 01/ä")).await.unwrap().unwrap();
    assert_eq!(row.protection.os, OsFamily::Linux);
    assert_eq!(row.registrations[0].site, Site::Azure);
    assert_eq!(row.registrations[0].last_heartbeat, VirtualMs(7));
}

#[tokio::test]
async fn a_missing_row_is_no_error_but_a_missing_call_is() {
    let server = MockServer::start().await;
    let not_found =
        |code: &str| ResponseTemplate::new(404).set_body_json(json!({"code": code, "message": "-"}));
    for (name, code) in [("gone", "no-such-machine"), ("odd", "no-such-call")] {
        Mock::given(path(format!("/v1/machines/{name}"))).respond_with(not_found(code)).mount(&server).await;
    }
    assert_eq!(client(&server).machine(&MachineName::from("gone")).await, Ok(None));
    let odd = client(&server).machine(&MachineName::from("odd")).await;
    assert!(matches!(odd, Err(CsError::Refused { status: StatusCode::NOT_FOUND, .. })), "{odd:?}");
}

#[tokio::test]
async fn protects_and_forgets() {
    let server = MockServer::start().await;
    let row = Protection {
        os: OsFamily::Windows,
        vm_uuid: "u".to_owned(),
        direction: "reverse".to_owned(),
        policy: "gold".to_owned(),
    };
    let ok = || ResponseTemplate::new(200).set_body_json(json!({}));
    let wanted = json!({"os": "windows", "vm_uuid": "u", "direction": "reverse", "policy": "gold"});
    let machine = path("/v1/machines/web01");
    Mock::given(method("PUT"))
        .and(machine)
        .and(body_json(wanted))
        .respond_with(ok())
        .expect(1)
        .mount(&server)
        .await;
    let machine = path("/v1/machines/web01");
    Mock::given(method("DELETE")).and(machine).respond_with(ok()).expect(1).mount(&server).await;
    let name = MachineName::from("web01");
    client(&server).put_machine(&name, &row).await.unwrap();
    client(&server).delete_machine(&name).await.unwrap();
}

#[tokio::test]
async fn reads_status_and_servers() {
    let server = MockServer::start().await;
    let status = json!({"version": "9.62", "registered_address": "a", "address": "b", "generation": 3,
                        "instance": "i", "clones": [], "certificate_expires": 9, "adapters": 1,
                        "registered_adapters": 1});
    let reply = ResponseTemplate::new(200).set_body_json(status);
    Mock::given(path("/v1/status")).respond_with(reply).mount(&server).await;
    let rows = json!([{"component": "master-target", "id": "mt", "address": "c", "version": "9.62",
                       "os": "windows", "last_heartbeat": 9, "facts": {"attached_disks": "2"}}]);
    let reply = ResponseTemplate::new(200).set_body_json(rows);
    Mock::given(path("/v1/servers")).respond_with(reply).mount(&server).await;
    assert_eq!(client(&server).status().await.unwrap().generation, 3);
    assert_eq!(client(&server).servers().await.unwrap()[0].facts["attached_disks"], "2");
}
