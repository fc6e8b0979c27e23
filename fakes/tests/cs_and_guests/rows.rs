//! The configuration server's interface and database.

use super::set::{CS, Set, minutes, protection, web01};
use crate::support::SECRET;
use failback_fakes::net::Network;
use failback_wire::http::{HttpError, Method, StatusCode};
use failback_wire::ids::NodeName;
use failback_wire::proto::Refusal;
use failback_wire::proto::cs::{CsStatus, ServerRow};
use serde_json::{Value, json};

async fn refusal(set: &Set, method: Method, path: &str, secret: &str, body: &Value) -> (u16, String) {
    let (status, no): (_, Refusal) =
        set.lab.call(method, &format!("{CS}{path}"), secret, Some(body)).await.unwrap();
    (status.as_u16(), no.code)
}

#[tokio::test(start_paused = true)]
async fn a_wrong_passphrase_is_refused_everywhere() {
    let set = Set::new(1);
    for (method, path) in [
        (Method::GET, "/v1/status"),
        (Method::PUT, "/v1/machines/web01"),
        (Method::POST, "/v1/registrations"),
        (Method::GET, "/nothing/here"),
    ] {
        let no = refusal(&set, method, path, "guess", &json!({})).await;
        assert_eq!(no, (401, "wrong-passphrase".to_owned()), "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_makes_no_sense_is_refused_and_leaves_nothing() {
    let set = Set::new(1);
    let before = set.cs.observe();
    let mut sideways = serde_json::to_value(protection()).unwrap();
    sideways["direction"] = json!("sideways");
    let long = format!("/v1/machines/{}", "x".repeat(300));
    let good = serde_json::to_value(protection()).unwrap();
    for (method, path, body, wanted) in [
        (Method::PUT, "/v1/machines/web01", json!({"os": 7}), (400, "bad-request")),
        (Method::PUT, "/v1/machines/web01", sideways, (400, "bad-request")),
        (Method::PUT, &long, good, (400, "bad-request")),
        (Method::POST, "/v1/registrations", json!([]), (400, "bad-request")),
        (Method::POST, "/v1/heartbeats", json!("alive"), (400, "bad-request")),
        (Method::GET, "/v1/machines/web01", json!(null), (404, "no-such-machine")),
        (Method::GET, "/v1/nothing", json!(null), (404, "no-such-call")),
        (Method::PATCH, "/v1/servers", json!(null), (405, "no-such-call")),
    ] {
        let no = refusal(&set, method, path, SECRET, &body).await;
        assert_eq!(no, (wanted.0, wanted.1.to_owned()), "{path}");
    }
    assert_eq!(set.cs.observe(), before);
}

#[tokio::test(start_paused = true)]
async fn protecting_twice_and_forgetting_twice_is_as_good_as_once() {
    let set = Set::new(1);
    let url = format!("{CS}/v1/machines/web01");
    let once: (StatusCode, Value) =
        set.lab.call(Method::PUT, &url, SECRET, Some(&protection())).await.unwrap();
    assert_eq!(once, (StatusCode::OK, json!({"instance": "cs-1"})));
    let rows = set.cs.observe();
    set.lab.call::<Value>(Method::PUT, &url, SECRET, Some(&protection())).await.unwrap();
    assert_eq!(set.cs.observe(), rows);
    assert_eq!(set.row().await.1.unwrap().protection, protection());
    for _ in 0..2 {
        let gone: (StatusCode, Value) =
            set.lab.call(Method::DELETE, &url, SECRET, None::<&()>).await.unwrap();
        assert_eq!(gone.0, StatusCode::OK);
        assert_eq!(set.row().await.0, StatusCode::NOT_FOUND);
    }
    assert!(set.cs.delete_machine(&web01()).is_err(), "at the console, deleting nothing is a mistake");
}

#[tokio::test(start_paused = true)]
async fn servers_appear_with_their_first_heartbeat_in_a_fixed_order() {
    let set = Set::new(1);
    let beat = |component: &str, id: &str| {
        json!({"component": component, "id": id, "address": "10.0.0.9", "version": "9.62",
               "os": "linux", "facts": {"cache_free_pct": "60"}})
    };
    let url = format!("{CS}/v1/heartbeats");
    for body in [beat("process-server", "ps-2"), beat("process-server", "ps-1"), beat("master-target", "mt")]
    {
        let ok: (StatusCode, Value) = set.lab.call(Method::POST, &url, SECRET, Some(&body)).await.unwrap();
        assert_eq!(ok.0, StatusCode::OK);
    }
    let url = format!("{CS}/v1/servers");
    let (_, rows): (_, Vec<ServerRow>) = set.lab.call(Method::GET, &url, SECRET, None::<&()>).await.unwrap();
    let ids: Vec<_> = rows.iter().map(|row| row.id.as_str()).collect();
    assert_eq!(ids, ["mt", "ps-1", "ps-2"]);
    assert_eq!(rows[0].facts["cache_free_pct"], "60");
    let first = rows[1].last_heartbeat;
    let before = set.cs.observe();
    minutes(5).await;
    let again = format!("{CS}/v1/heartbeats");
    set.lab.call::<Value>(Method::POST, &again, SECRET, Some(&beat("process-server", "ps-1"))).await.unwrap();
    let (_, rows): (_, Vec<ServerRow>) = set.lab.call(Method::GET, &url, SECRET, None::<&()>).await.unwrap();
    assert!(rows[1].last_heartbeat.since(first).as_secs() >= 300);
    assert_eq!(set.cs.observe(), before, "heartbeat times are no part of what is compared");
}

#[tokio::test(start_paused = true)]
async fn an_agent_nobody_registered_may_not_heartbeat() {
    let set = Set::new(1);
    let body = json!({"component": "agent", "id": "host-x", "address": "10.0.0.9", "version": "9.62",
                      "os": "linux"});
    let no = refusal(&set, Method::POST, "/v1/heartbeats", SECRET, &body).await;
    assert_eq!(no, (404, "not-registered".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn rows_survive_a_crash_and_a_stop() {
    let set = Set::new(1);
    set.cs.put_machine(&web01(), &protection()).unwrap();
    set.lab.crash("cs");
    let url = format!("{CS}/v1/status");
    let dead = set.lab.call::<Value>(Method::GET, &url, SECRET, None::<&()>).await;
    assert_eq!(dead, Err(HttpError::Unreachable { host: CS.to_owned() }));
    assert!(set.cs.put_machine(&"web02".into(), &protection()).is_err(), "the dead write nothing");
    set.cs.boot(set.lab.start_node(&NodeName::from("cs"))).unwrap();
    assert_eq!(set.row().await.1.unwrap().protection, protection());
    set.cs.stop();
    set.cs.stop();
    let down = set.lab.call::<Value>(Method::GET, &url, SECRET, None::<&()>).await;
    assert_eq!(down, Err(HttpError::Unreachable { host: CS.to_owned() }));
    set.cs.start().unwrap();
    assert_eq!(set.row().await.1.unwrap().protection, protection());
    let (_, status): (_, CsStatus) = set.lab.call(Method::GET, &url, SECRET, None::<&()>).await.unwrap();
    assert_eq!(status.generation, 1);
    assert_eq!(set.cs.observe()["database"]["machines"].as_array().unwrap().len(), 1);
}
