//! The monitor: first recovery point, offers, health; and what events tell.

use crate::catalogue::documented::PS_HEARTBEAT;
use crate::journal::{Health, ProtectionState};
use crate::testing::{World, item_path, silence};
use failback_wire::event::What;
use failback_wire::ids::MachineName;
use failback_wire::store::NoHook;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

fn offers(world: &World) -> (Vec<String>, Vec<String>) {
    let (mut offered, mut withdrawn) = (Vec::new(), Vec::new());
    for what in world.events() {
        if let What::PointOffered { point, .. } = &what {
            offered.push(point.to_string());
        }
        if let What::PointWithdrawn { point, .. } = &what {
            withdrawn.push(point.to_string());
        }
    }
    (offered, withdrawn)
}

#[tokio::test(start_paused = true)]
async fn an_item_is_protected_at_its_first_recovery_point() {
    let world = World::new();
    let node = world.fresh();
    let body = json!({"properties": {"policyId": "p", "providerSpecificDetails": {"instanceType": "InMageAzureV2"}}});
    assert_eq!(node.call("PUT", &item_path("web01"), body, None).await.status, 202);
    node.settle().await;
    sleep(Duration::from_secs(3600)).await;
    assert_eq!(node.item("web01").state, ProtectionState::InitialReplicationInProgress);
    world.points("web01", &[7]);
    sleep(Duration::from_secs(301)).await;
    assert_eq!(node.item("web01").state, ProtectionState::Protected);
    let image = node.node.image().unwrap();
    node.fence.kill();
    let again = world.start(Some(&image), Arc::new(NoHook));
    assert_eq!(again.item("web01").state, ProtectionState::Protected, "the journal knows");
}

#[tokio::test(start_paused = true)]
async fn points_are_offered_once_and_withdrawn_when_gone() {
    let world = World::new();
    let node = world.fresh();
    node.protect(&world, &["web01"]).await;
    world.points("web01", &[1, 2]);
    sleep(Duration::from_secs(601)).await;
    world.points("web01", &[2, 3]);
    sleep(Duration::from_secs(601)).await;
    let expected =
        (["web01-p1", "web01-p2", "web01-p3"].map(String::from).to_vec(), vec!["web01-p1".to_owned()]);
    assert_eq!(offers(&world), expected);
    let points = node.get(&format!("{}/recoveryPoints", item_path("web01"))).await;
    let names: Vec<_> =
        points["value"].as_array().unwrap().iter().map(|p| p["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["web01-p2", "web01-p3"]);
}

#[tokio::test(start_paused = true)]
async fn health_is_critical_after_fifteen_silent_minutes_and_heals() {
    let world = World::new();
    let node = world.fresh();
    node.protect(&world, &["web01"]).await;
    let name = MachineName::new("web01");
    let set = |glance| world.script.glances.lock().unwrap().insert("web01".into(), glance);
    set(silence(&PS_HEARTBEAT));
    sleep(Duration::from_secs(14 * 60)).await;
    assert_eq!(node.node.health(&name).0, Health::Normal);
    sleep(Duration::from_secs(12 * 60)).await;
    assert_eq!(node.node.health(&name).0, Health::Critical);
    let item = node.get(&item_path("web01")).await;
    assert_eq!(item["properties"]["replicationHealth"], "Critical");
    assert_eq!(item["properties"]["healthErrors"][0]["errorCode"], "806");
    let now = node.node.now().0;
    world.points("web01", &[1, now]);
    sleep(Duration::from_secs(301)).await;
    assert_eq!(node.node.health(&name).0, Health::Normal);
    let health = |what: What| {
        let What::ItemChanged { health, state, .. } = what else { return None };
        (state == "Protected").then_some(health)
    };
    let mut shown: Vec<String> = world.events().into_iter().filter_map(health).collect();
    shown.dedup();
    assert_eq!(shown[shown.len() - 2..], ["Critical", "Normal"]);
}

#[tokio::test(start_paused = true)]
async fn an_old_mark_is_a_warning_only() {
    let world = World::new();
    let node = world.fresh();
    node.protect(&world, &["web01"]).await;
    sleep(Duration::from_secs(1200)).await;
    let (health, errors) = node.node.health(&MachineName::new("web01"));
    assert_eq!((health, errors[0].code.as_str()), (Health::Warning, "FB2105"));
    let path = format!("{}/unplannedFailover", item_path("web01"));
    assert_eq!(node.done(&path, json!({"properties": {}})).await["properties"]["state"], "Succeeded");
    assert_eq!(node.node.health(&MachineName::new("web01")).0, Health::Normal, "nothing replicates now");
}

#[tokio::test(start_paused = true)]
async fn events_tell_the_job_from_its_request_to_its_end() {
    let world = World::new();
    let node = world.fresh();
    node.protect(&world, &["web01"]).await;
    let before = world.events().len();
    world.fault("PUT web01/claim", 409, 1);
    node.done(&format!("{}/plannedFailover", item_path("web01")), json!({"properties": {}})).await;
    let line = |what: &What| {
        if let What::RequestAccepted { operation, target, .. } = what {
            format!("accepted {operation} {target}")
        } else if let What::JobStarted { scenario, .. } = what {
            format!("job {scenario}")
        } else if let What::TaskStarted { task, .. } = what {
            format!("task {task}")
        } else if let What::TaskEnded { task, state, code, .. } = what {
            format!("task {task} {state} {code:?}")
        } else if let What::JobEnded { state, code, .. } = what {
            format!("job {state} {code:?}")
        } else if let What::ItemChanged { state, allowed, .. } = what {
            format!("item {state} {allowed:?}")
        } else {
            format!("{what:?}")
        }
    };
    let lines: Vec<String> = world.events()[before..].iter().map(line).collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    accepted failover web01
    job PlannedFailover
    task PreflightTask
    task PreflightTask Succeeded None
    item PlannedFailoverInProgress []
    task PrepareTask
    task PrepareTask Succeeded None
    task ClaimTask
    task ClaimTask Failed Some("T1")
    item PlannedFailoverFailed ["UnplannedFailover", "PlannedFailover", "DisableProtection", "TestFailover"]
    job Failed Some("T1")
    "#);
}

#[tokio::test(start_paused = true)]
async fn a_plan_run_again_passes_over_machines_whose_first_copy_still_runs() {
    let world = World::new();
    let node = world.fresh();
    node.protect(&world, &["a", "b"]).await;
    let member = |name: &str| json!({"id": item_path(name)});
    let groups = json!([{"groupType": "Boot", "replicationProtectedItems": [member("a"), member("b")]}]);
    let path = format!("{}/replicationRecoveryPlans/all", crate::testing::VAULT);
    let body = json!({"properties": {"groups": groups}});
    assert_eq!(node.call("PUT", &path, body, None).await.status, 200);
    for verb in ["unplannedFailover", "failoverCommit"] {
        assert_eq!(
            node.done(&format!("{path}/{verb}"), json!({"properties": {}})).await["properties"]["state"],
            "Succeeded"
        );
    }
    world.fault("PUT b/open", 409, 1);
    let again = format!("{path}/reProtect");
    assert_eq!(node.done(&again, json!({"properties": {}})).await["properties"]["state"], "Failed");
    assert_eq!(node.item("a").state, ProtectionState::InitialReplicationInProgress);
    assert_eq!(node.done(&again, json!({"properties": {}})).await["properties"]["state"], "Succeeded");
    let legs = [node.item("a").leg, node.item("b").leg];
    assert_eq!(legs, [crate::journal::Leg::Reverse; 2], "neither turned back");
}
