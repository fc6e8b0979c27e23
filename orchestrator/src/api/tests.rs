//! The northbound API through its router: shapes, refusals, long-running operations.

mod inputs;
mod once;
mod shapes;

use crate::journal::ProtectionState;
use crate::testing::{Node, VAULT, World, item_path};
use axum::body::Body;
use axum::http::Request;
use failback_wire::error::Report;
use failback_wire::event::What;
use failback_wire::ids::PointId;
use serde_json::{Value, json};

fn code(reply: &Value) -> &str {
    reply["error"]["code"].as_str().unwrap()
}

/// What a reprotect home is asked with.
fn home() -> Value {
    json!({"properties": {"failoverDirection": "RecoveryToPrimary", "providerSpecificDetails": {
        "instanceType": "InMage", "masterTargetId": "mt", "processServerId": "ps", "retentionDrive": "R:",
        "profileId": "failback", "datastoreName": "ds1"}}})
}

async fn protected(world: &World) -> Node {
    let node = world.fresh();
    node.protect(world, &["web01"]).await;
    node
}

#[tokio::test(start_paused = true)]
async fn token_and_version_are_required() {
    let node = World::new().fresh();
    let path = format!("http://orchestrator{VAULT}/replicationJobs");
    let bare = Request::builder().uri(format!("{path}?api-version=1")).body(Body::empty()).unwrap();
    let reply = node.raw(bare).await;
    assert_eq!((reply.status, code(&reply.body)), (401, "AuthenticationFailed"));
    let old = Request::builder().uri(&path).header("Authorization", "Bearer x").body(Body::empty()).unwrap();
    let reply = node.raw(old).await;
    assert_eq!((reply.status, code(&reply.body)), (400, "MissingApiVersionParameter"));
}

#[tokio::test(start_paused = true)]
async fn paths_match_in_any_case_and_only_in_this_vault() {
    let world = World::new();
    let node = protected(&world).await;
    let path = item_path("WEB01");
    for path in [path.to_uppercase(), path.to_lowercase(), path.replace("/subscriptions", "/Subscriptions")] {
        assert_eq!(node.get(&path).await["name"], "web01");
    }
    let elsewhere = path.replace("lab-vault", "other-vault");
    assert_eq!(node.call("GET", &elsewhere, Value::Null, None).await.status, 404);
    assert_eq!(node.call("DELETE", &format!("{path}/recoveryPoints"), Value::Null, None).await.status, 405);
    assert_eq!(node.call("GET", &item_path("nobody"), Value::Null, None).await.status, 404);
    assert_eq!(
        node.post(&format!("{}/resolveHealthErrors", item_path("web01")), Value::Null).await.status,
        404
    );
}

#[tokio::test(start_paused = true)]
async fn an_operation_is_accepted_followed_and_read() {
    let world = World::new();
    let node = protected(&world).await;
    let path = format!("{}/unplannedFailover", item_path("web01"));
    let reply = node.post(&path, json!({"properties": {}})).await;
    assert_eq!((reply.status, &reply.body), (202, &Value::Null));
    let header = |name: &str| reply.headers[name].to_str().unwrap().to_owned();
    assert_eq!(header("retry-after"), "30");
    let job = header("x-ms-request-id");
    let id = job.rsplit('/').next().unwrap();
    assert!(job.starts_with("/Subscriptions/") && job.contains("/replicationJobs/"), "{job}");
    let (status, result) = (header("azure-asyncoperation"), header("location"));
    assert!(status.starts_with("http://orchestrator/Subscriptions/"), "{status}");
    assert!(status.contains(&format!("/replicationOperationStatus/{id}?api-version=2025-08-01")), "{status}");
    assert!(result.contains(&format!("/replicationProtectedItems/web01/operationresults/{id}?")), "{result}");
    let at = |url: &str| url.trim_start_matches("http://orchestrator").split('?').next().unwrap().to_owned();

    let running = node.call("GET", &at(&status), Value::Null, None).await;
    let expected = json!({"error": null, "id": null, "name": id, "properties": null, "status": "InProgress",
        "startTime": running.body["startTime"], "endTime": null, "percentComplete": null});
    assert_eq!(running.body, expected);
    assert!(!running.headers.contains_key("retry-after"), "clients would wait that long in tests");
    let early = node.call("GET", &at(&result), Value::Null, None).await;
    assert_eq!((early.status, early.headers.contains_key("location")), (202, true));

    node.settle().await;
    let done = node.get(&at(&status)).await;
    assert_eq!(done["status"], "Succeeded");
    assert!(done["endTime"].as_str().unwrap().ends_with('Z'));
    let item = node.get(&at(&result)).await;
    assert_eq!(item["properties"]["protectionState"], "UnplannedFailoverCommitPendingStatesBegin");
}

#[tokio::test(start_paused = true)]
async fn a_failed_operation_says_why() {
    let world = World::new();
    let node = protected(&world).await;
    let report = Report::new(&crate::testing::BROKEN, "web01", "first");
    let other = Report { code: "T2".into(), ..report.clone() };
    world.script.refuse.lock().unwrap().insert("web01".into(), vec![report, other]);
    let path = format!("{}/unplannedFailover", item_path("web01"));
    let reply = node.call("POST", &path, json!({"properties": {}}), Some("client-1")).await;
    node.settle().await;
    let url = reply.headers["azure-asyncoperation"].to_str().unwrap().to_owned();
    let status = node.get(url.trim_start_matches("http://orchestrator").split('?').next().unwrap()).await;
    assert_eq!((&status["status"], code(&status)), (&json!("Failed"), "T1"));
    assert_eq!(status["error"]["details"].as_array().unwrap().len(), 2);
    let detail = &status["error"]["details"][0];
    for key in ["code", "message", "possibleCauses", "recommendedAction", "activityId", "target"] {
        assert!(!detail[key].as_str().unwrap().is_empty(), "{key}");
    }
    assert_eq!(detail["clientRequestId"], "client-1");
    let url =
        reply.headers["location"].to_str().unwrap().trim_start_matches("http://orchestrator").to_owned();
    let result = node.call("GET", url.split('?').next().unwrap(), Value::Null, None).await;
    assert_eq!((result.status, code(&result.body)), (400, "T1"));
    let item = node.get(&item_path("web01")).await;
    assert_eq!(item["properties"]["protectionState"], "Protected", "a refusal touches nothing");
    assert_eq!(item["properties"]["currentScenario"]["scenarioName"], "None");
}

#[tokio::test(start_paused = true)]
async fn a_request_sent_twice_is_one_job() {
    let world = World::new();
    let node = protected(&world).await;
    let path = format!("{}/unplannedFailover", item_path("web01"));
    let send = async |id| node.call("POST", &path, json!({"properties": {}}), Some(id)).await;
    let first = send("one").await;
    let again = send("one").await;
    assert_eq!(again.headers["x-ms-request-id"], first.headers["x-ms-request-id"]);
    let other = send("two").await;
    assert_eq!((other.status, code(&other.body)), (409, "FB1803"));
    node.settle().await;
    let late = send("one").await;
    assert_eq!(late.headers["x-ms-request-id"], first.headers["x-ms-request-id"], "even when it is over");
    let wrong = send("three").await;
    assert_eq!((wrong.status, code(&wrong.body)), (400, "FB1801"));
    let garbage = node.call("POST", &path, json!(7), Some("four")).await;
    assert_eq!((garbage.status, code(&garbage.body)), (400, "FB1805"));
    let refused = |what| {
        let What::RequestRefused { operation, codes, .. } = what else { return None };
        Some(format!("{operation} {}", codes.join(" ")))
    };
    let refusals: Vec<String> = world.events().into_iter().filter_map(refused).collect();
    assert_eq!(refusals, ["failover FB1803", "failover FB1801", "failover FB1805"]);
}

#[tokio::test(start_paused = true)]
async fn the_whole_cycle_goes_by_the_recorded_states() {
    let world = World::new();
    let node = protected(&world).await;
    let mut seen = Vec::new();
    let look = |item: &Value| {
        let item = &item["properties"];
        let allowed: Vec<&str> =
            item["allowedOperations"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
        let text = |key: &str| item[key].as_str().unwrap().to_owned();
        let instance = item["providerSpecificDetails"]["instanceType"].as_str().unwrap();
        format!("{instance} {} {} {}", text("protectionState"), text("activeLocation"), allowed.join(","))
    };
    let home = home();
    let away = json!({"properties": {"providerSpecificDetails": {"instanceType": "InMageAzureV2"}}});
    let none = json!({"properties": {}});
    for (verb, body) in [
        ("unplannedFailover", &none),
        ("failoverCommit", &Value::Null),
        ("reProtect", &home),
        ("plannedFailover", &none),
        ("failoverCommit", &Value::Null),
        ("reProtect", &away),
    ] {
        let job = node.done(&format!("{}/{verb}", item_path("web01")), body.clone()).await;
        assert_eq!(job["properties"]["state"], "Succeeded", "{verb}");
        seen.push(look(&node.get(&item_path("web01")).await));
        if verb == "reProtect" {
            let now = node.node.now().0;
            world.points("web01", &[now]);
            tokio::time::sleep(std::time::Duration::from_secs(301)).await;
            seen.push(look(&node.get(&item_path("web01")).await));
        }
    }
    insta::assert_snapshot!(seen.join("\n"), @r"
    InMageAzureV2 UnplannedFailoverCommitPendingStatesBegin Recovery CompleteMigration,Commit,DisableProtection,ChangePit
    InMageAzureV2 UnplannedFailoverCommitted Recovery CompleteMigration,DisableProtection,SwitchProtection
    InMage InitialReplicationInProgress Primary DisableProtection
    InMage Protected Primary UnplannedFailover,PlannedFailover,DisableProtection
    InMage CommitPendingStatesBegin Recovery Commit,DisableProtection
    InMage UnplannedFailoverCommitted Recovery DisableProtection,SwitchProtection
    InMageAzureV2 InitialReplicationInProgress Primary DisableProtection
    InMageAzureV2 Protected Primary UnplannedFailover,PlannedFailover,DisableProtection,TestFailover
    ");
}

#[tokio::test(start_paused = true)]
async fn a_machine_is_protected_once_and_may_be_tried_again() {
    let world = World::new();
    let node = world.fresh();
    let body = json!({"properties": {"policyId": "p", "providerSpecificDetails": {"instanceType": "InMageAzureV2"}}});
    world.fault("PUT web01/open", 409, 1);
    let reply = node.call("PUT", &item_path("web01"), body.clone(), None).await;
    assert_eq!(reply.status, 202);
    node.settle().await;
    let item = node.get(&item_path("web01")).await;
    assert_eq!(item["properties"]["protectionState"], "EnablingFailed");
    assert_eq!(item["properties"]["currentScenario"]["scenarioName"], "EnableDr", "keeps the failed job");
    assert_eq!(node.call("PUT", &item_path("web01"), body.clone(), None).await.status, 202);
    node.settle().await;
    assert_eq!(node.item("web01").state, ProtectionState::InitialReplicationInProgress);
    assert_eq!(node.call("PUT", &item_path("web01"), body, None).await.status, 409);
}

#[tokio::test(start_paused = true)]
async fn a_job_that_has_ended_cannot_be_cancelled() {
    let world = World::new();
    let node = protected(&world).await;
    let jobs = node.get(&format!("{VAULT}/replicationJobs")).await;
    assert_eq!(jobs["nextLink"], Value::Null);
    let id = jobs["value"][0]["name"].as_str().unwrap();
    assert_eq!(jobs["value"][0]["properties"]["allowedActions"], json!([]));
    let reply = node.post(&format!("{VAULT}/replicationJobs/{id}/cancel"), Value::Null).await;
    assert_eq!((reply.status, code(&reply.body)), (409, "FB1806"));
    let reply = node.post(&format!("{VAULT}/replicationJobs/none/cancel"), Value::Null).await;
    assert_eq!(reply.status, 404);
}

#[tokio::test(start_paused = true)]
async fn plans_are_checked_when_they_are_made() {
    let world = World::new();
    let node = protected(&world).await;
    let path = format!("{VAULT}/replicationRecoveryPlans/all");
    let group = |names: &[&str]| {
        let items: Vec<Value> = names.iter().map(|name| json!({"id": item_path(name)})).collect();
        json!({"groupType": "Boot", "replicationProtectedItems": items})
    };
    let put = async |groups: Vec<Value>| {
        let body = json!({"properties": {"primaryFabricId": "f", "recoveryFabricId": "r", "groups": groups}});
        let reply = node.call("PUT", &path, body, None).await;
        let codes = reply.body["error"]["details"].as_array().cloned().unwrap_or_default();
        let codes: Vec<String> = codes.iter().map(|d| d["code"].as_str().unwrap().to_owned()).collect();
        (reply.status, codes.join(" "))
    };
    assert_eq!(put(vec![]).await, (400, "FB1709".into()));
    assert_eq!(put(vec![group(&["web01"]), group(&["web01", "ghost"])]).await, (400, "FB1804 FB1708".into()));
    let shutdown = json!({"groupType": "Shutdown", "replicationProtectedItems": []});
    assert_eq!(put(vec![shutdown, group(&["web01"])]).await, (200, String::new()));
    let plan = node.get(&path).await;
    assert_eq!(plan["properties"]["replicationProviders"], json!(["InMageAzureV2"]));
    assert_eq!(
        plan["properties"]["allowedOperations"],
        json!(["PlannedFailover", "TestFailover", "UnplannedFailover"])
    );
    assert_eq!(node.get(&format!("{VAULT}/replicationRecoveryPlans")).await["value"][0], plan);
    let missing =
        node.post(&format!("{VAULT}/replicationRecoveryPlans/none/failoverCommit"), Value::Null).await;
    assert_eq!(missing.status, 404);
    let commit = node.post(&format!("{path}/failoverCommit"), Value::Null).await;
    assert_eq!((commit.status, code(&commit.body)), (400, "FB1704"));
}

#[tokio::test(start_paused = true)]
async fn one_recovery_point_is_read_by_its_id() {
    let world = World::new();
    let node = protected(&world).await;
    let base = format!("{}/recoveryPoints", item_path("web01"));
    let point = node.get(&format!("{base}/web01-p1")).await;
    assert_eq!(point["name"], PointId::new("web01-p1").as_str());
    assert_eq!(point["properties"]["recoveryPointType"], "CrashConsistent");
    assert_eq!(point["properties"]["providerSpecificDetails"]["isMultiVmSyncPoint"], "false");
    assert_eq!(node.call("GET", &format!("{base}/web01-p9"), Value::Null, None).await.status, 404);
}

#[tokio::test(start_paused = true)]
async fn a_running_failover_offers_to_be_cancelled_and_a_cancelled_one_to_be_restarted() {
    let world = World::new();
    let node = protected(&world).await;
    world.fault("PUT web01/claim", 425, 1);
    let reply =
        node.post(&format!("{}/unplannedFailover", item_path("web01")), json!({"properties": {}})).await;
    let job = reply.headers["x-ms-request-id"].to_str().unwrap().to_owned();
    let actions = |job: &Value| job["properties"]["allowedActions"].clone();
    assert_eq!(actions(&node.get(&job).await), json!(["Cancel"]));
    let cancel = format!("{job}/cancel");
    let asked = node.call("POST", &cancel, Value::Null, Some("stop")).await;
    assert_eq!((asked.status, &asked.body["properties"]["stateDescription"]), (200, &json!("Cancelling")));
    node.settle().await;
    assert_eq!(
        node.call("POST", &cancel, Value::Null, Some("stop")).await.status,
        200,
        "the same, sent again"
    );
    assert_eq!(node.call("POST", &cancel, Value::Null, Some("halt")).await.status, 409);
    let ended = node.get(&job).await;
    assert_eq!(
        (ended["properties"]["state"].as_str(), actions(&ended)),
        (Some("Cancelled"), json!(["Restart"]))
    );
    assert_eq!(ended["properties"]["errors"][0]["serviceErrorDetails"]["code"], "FB2022");
    let id = job.rsplit('/').next().unwrap();
    let status = node.get(&format!("{VAULT}/replicationOperationStatus/{id}")).await;
    assert_eq!(status["status"], "Canceled", "one l");
    assert!(!world.is_set("web01/claim"));
    assert_eq!(node.post(&format!("{job}/restart"), Value::Null).await.status, 202);
    node.settle().await;
    assert_eq!(actions(&node.get(&job).await), json!([]), "something was asked for since");
}
