//! The agents' client against an agent that works.

use crate::support::sockets;
use failback_orchestrator::clients::agent::AgentClient;
use failback_wire::ids::{DiskId, MachineName, SessionId};
use failback_wire::proto::PASSPHRASE;
use failback_wire::proto::session::{Direction, SessionDisk, SessionSpec, SyncMode, TargetDisk};
use serde_json::json;
use wiremock::matchers::{body_json, header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

fn spec() -> SessionSpec {
    SessionSpec {
        session: SessionId::from("s-1"),
        machine: MachineName::from("web01"),
        direction: Direction::Reverse,
        epoch: 2,
        disks: vec![SessionDisk {
            disk: DiskId::from("web01-disk0"),
            size: 4096,
            target: TargetDisk::Vmdk("6000C29a".into()),
        }],
        sync: SyncMode::Checksum,
        relay: "10.1.0.9".to_owned(),
        target: "10.0.0.8".to_owned(),
        crash_interval_s: 300,
        app_interval_s: 3600,
        retention_s: 86_400,
        resync: Default::default(),
        compress: false,
        group: None,
    }
}

#[tokio::test]
async fn speaks_the_four_calls() {
    let server = MockServer::start().await;
    let status = |tools: bool| {
        ResponseTemplate::new(200).set_body_json(json!({"host_id": "h", "registered": true, "session": "s-1",
                                                        "tools_enabled": tools, "disks": []}))
    };
    let host = server.address().to_string();
    let on = |verb: &str, at: &str| {
        Mock::given(method(verb)).and(path(at.to_owned())).and(header(PASSPHRASE, "secret"))
    };
    on("GET", "/v1/status").respond_with(status(true)).expect(1).mount(&server).await;
    on("PUT", "/v1/replication")
        .and(body_json(spec()))
        .respond_with(status(true))
        .expect(1)
        .mount(&server)
        .await;
    on("DELETE", "/v1/replication/s-1").respond_with(status(true)).expect(1).mount(&server).await;
    let tools = json!({"enabled": false});
    on("POST", "/v1/tools").and(body_json(tools)).respond_with(status(false)).expect(1).mount(&server).await;

    let client = AgentClient::new(sockets(), "secret");
    assert!(client.status(&host).await.unwrap().registered);
    let started = client.start_replication(&host, &spec()).await.unwrap();
    assert_eq!(started.session, Some(SessionId::from("s-1")));
    client.stop_replication(&host, &SessionId::from("s-1")).await.unwrap();
    assert!(!client.set_tools(&host, false).await.unwrap().tools_enabled);
}
