//! The runner: steps, retries, unwinding, boot groups, and crashes at every write of the journal.

use crate::journal::{Leg, Operation, ProtectionState};
use crate::testing::{Node, VAULT, World, item_path};
use failback_wire::event::What;
use failback_wire::ids::Site;
use failback_wire::node::Fence;
use failback_wire::store::{CommitHook, NoHook};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

fn failover() -> Value {
    json!({"properties": {"failoverDirection": "PrimaryToRecovery",
        "providerSpecificDetails": {"instanceType": "InMageAzureV2"}}})
}

async fn run(node: &Node, machine: &str) -> Value {
    node.done(&format!("{}/unplannedFailover", item_path(machine)), failover()).await
}

fn states(job: &Value) -> Vec<(String, String)> {
    let text = |task: &Value, key: &str| task[key].as_str().unwrap().to_owned();
    let tasks = job["properties"]["tasks"].as_array().unwrap();
    tasks.iter().map(|task| (text(task, "taskId"), text(task, "state"))).collect()
}

#[tokio::test(start_paused = true)]
async fn a_job_runs_all_its_steps() {
    let world = World::new();
    let node = world.fresh();
    node.protect(&world, &["web01"]).await;
    let job = run(&node, "web01").await;
    assert_eq!(job["properties"]["state"], "Succeeded");
    for step in ["look", "reserve", "claim", "switch", "boot"] {
        assert!(world.is_set(&format!("web01/{step}")), "{step}");
    }
    let item = node.item("web01");
    assert_eq!(item.state, ProtectionState::UnplannedFailoverCommitPendingStatesBegin);
    assert_eq!((item.leg, item.active), (Leg::Forward, Site::Azure));
    assert!(item.notes.is_empty(), "notes are for attempts: {:?}", item.notes);
}

#[tokio::test(start_paused = true)]
async fn errors_that_pass_are_tried_again_with_growing_pauses() {
    let world = World::new();
    let node = world.fresh();
    node.protect(&world, &["web01"]).await;
    world.fault("PUT web01/claim", 503, 5);
    assert_eq!(run(&node, "web01").await["properties"]["state"], "Succeeded");
    let calls = world.demo.calls.lock().unwrap();
    let times: Vec<u64> =
        calls.iter().filter(|(call, _)| call == "PUT web01/claim").map(|(_, at)| *at).collect();
    let pauses: Vec<u64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(pauses.len(), 5);
    for (index, pause) in pauses.iter().enumerate() {
        let whole = 1000 << index;
        assert!((whole * 3 / 4..=whole + 1).contains(pause), "{pauses:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_step_fails_at_its_deadline() {
    let world = World::new();
    let node = world.fresh();
    node.protect(&world, &["web01"]).await;
    world.fault("PUT web01/claim", 425, u32::MAX);
    let before = node.node.now();
    let job = run(&node, "web01").await;
    assert_eq!(job["properties"]["state"], "Failed");
    let took = node.node.now().since(before).as_secs();
    assert!((28 * 60..31 * 60).contains(&took), "{took} s");
    assert!(!world.is_set("web01/reserve") && !world.is_set("web01/claim"));
}

#[tokio::test(start_paused = true)]
async fn a_step_that_hangs_fails_at_its_deadline_too() {
    let world = World::new();
    let node = world.fresh();
    node.protect(&world, &["web01"]).await;
    world.fault("PUT web01/claim", 504, 1);
    let job = run(&node, "web01").await;
    assert_eq!(job["properties"]["errors"][0]["serviceErrorDetails"]["code"], "FB2018");
}

#[tokio::test(start_paused = true)]
async fn before_the_point_of_no_return_everything_is_taken_back() {
    let world = World::new();
    let node = world.fresh();
    node.protect(&world, &["web01"]).await;
    world.fault("PUT web01/claim", 409, 1);
    let job = run(&node, "web01").await;
    let expected = [
        ("PreflightTask", "Succeeded"),
        ("PrepareTask", "Succeeded"),
        ("ClaimTask", "Failed"),
        ("SwitchTask", "Other"),
        ("StartVmOnSecondary", "Other"),
    ];
    assert_eq!(states(&job), expected.map(|(task, state)| (task.to_owned(), state.to_owned())));
    assert!(!world.is_set("web01/reserve"));
    let item = node.item("web01");
    assert_eq!((item.state, item.active), (ProtectionState::UnplannedFailoverFailed, Site::OnPremises));
    assert_eq!(item.halfway, None);
    assert_eq!(run(&node, "web01").await["properties"]["state"], "Succeeded", "a second attempt");
}

#[tokio::test(start_paused = true)]
async fn a_rehearsed_step_fails_once_after_it_did_its_work() {
    let world = World::new();
    let node = world.fresh();
    node.protect(&world, &["web01"]).await;
    let node = world.rehearse(node, 3);
    let job = run(&node, "web01").await;
    assert_eq!(
        states(&job)[..3].iter().map(|(_, state)| state.as_str()).collect::<Vec<_>>(),
        ["Succeeded", "Succeeded", "Failed"]
    );
    let calls: Vec<String> = world.demo.calls.lock().unwrap().iter().map(|(call, _)| call.clone()).collect();
    assert!(
        calls
            .ends_with(&["PUT web01/claim", "DELETE web01/claim", "DELETE web01/reserve"].map(str::to_owned)),
        "{calls:?}"
    );
    assert_eq!(run(&node, "web01").await["properties"]["state"], "Succeeded", "it fails only once");
}

#[tokio::test(start_paused = true)]
async fn past_the_point_of_no_return_nothing_is_taken_back() {
    let world = World::new();
    let node = world.fresh();
    node.protect(&world, &["web01"]).await;
    world.fault("PUT web01/switch", 409, 1);
    assert_eq!(run(&node, "web01").await["properties"]["state"], "Failed");
    assert!(world.is_set("web01/reserve") && world.is_set("web01/claim"));
    let item = node.item("web01");
    assert_eq!(item.halfway, Some(Operation::Failover));
    assert!(item.notes.contains_key("claim"), "a second attempt finds what the first one noted");

    // A second attempt that fails even earlier must not take back what the first one left standing.
    world.fault("PUT web01/reserve", 409, 1);
    assert_eq!(run(&node, "web01").await["properties"]["state"], "Failed");
    assert!(world.is_set("web01/claim") && world.is_set("web01/reserve"));
    assert_eq!(run(&node, "web01").await["properties"]["state"], "Succeeded");
    assert_eq!(node.item("web01").halfway, None);
}

#[tokio::test(start_paused = true)]
async fn an_undo_that_fails_is_told_and_warned_of() {
    let world = World::new();
    let node = world.fresh();
    node.protect(&world, &["web01"]).await;
    world.fault("PUT web01/claim", 409, 1);
    world.fault("DELETE web01/claim", 409, 1);
    let job = run(&node, "web01").await;
    assert_eq!(job["properties"]["errors"].as_array().unwrap().len(), 2);
    assert!(world.is_set("web01/reserve"), "unwinding stops there");
    assert!(node.item("web01").warnings.contains_key("FB2016"));
}

#[tokio::test(start_paused = true)]
async fn a_defect_in_a_step_ends_its_job() {
    let world = World::new();
    let node = world.fresh();
    node.protect(&world, &["web01"]).await;
    world.fault("PUT web01/claim", 500, 1);
    let job = run(&node, "web01").await;
    assert_eq!(job["properties"]["errors"][0]["serviceErrorDetails"]["code"], "FB2099");
    assert_eq!(node.item("web01").state, ProtectionState::UnplannedFailoverFailed);
}

/// Crashes its node at one write.
struct CrashAt {
    nth: u64,
    after: bool,
}

impl CommitHook for CrashAt {
    fn before(&self, fence: &Fence, nth: u64, _: &str) {
        if !self.after && nth == self.nth {
            fence.kill();
        }
    }
    fn after(&self, fence: &Fence, nth: u64, _: &str) {
        if self.after && nth == self.nth {
            fence.kill();
        }
    }
}

/// Runs one failover with a crash at write `nth`; false when there are fewer writes than that.
async fn crashed_failover(nth: u64, after: bool, fault: Option<&str>) -> bool {
    let world = World::new();
    let first = world.fresh();
    first.protect(&world, &["web01"]).await;
    let image = first.node.image().unwrap();
    first.fence.kill();
    if let Some(call) = fault {
        world.fault(call, 409, 1);
    }
    let node = world.start(Some(&image), Arc::new(CrashAt { nth, after }));
    let path = format!("{}/unplannedFailover", item_path("web01"));
    let reply = node.call("POST", &path, failover(), Some("one")).await;
    node.settle().await;
    let crashed = !node.fence.alive();
    // A healthy epoch from here on, whether the crash came or there were fewer writes than that.
    node.fence.kill();
    let node = world.start(Some(&node.node.image().unwrap()), Arc::new(NoHook));
    if reply.status != 202 {
        // The client sends the same request again; whether it was accepted before must not matter.
        assert_eq!(node.call("POST", &path, failover(), Some("one")).await.status, 202);
    }
    node.settle().await;
    let jobs = node.get(&format!("{VAULT}/replicationJobs")).await;
    let failovers = jobs["value"].as_array().unwrap().iter();
    let failovers: Vec<_> =
        failovers.filter(|job| job["properties"]["scenarioName"] == "UnplannedFailover").collect();
    assert_eq!(failovers.len(), 1, "one request, one job");
    let item = node.item("web01");
    assert!(item.state.is_rest(), "write {nth}: {}", item.state);
    // A refusal that was not journalled before the crash is forgotten: the step is simply tried again.
    let ended = failovers[0]["properties"]["state"].as_str().unwrap().to_owned();
    match (ended.as_str(), fault) {
        ("Succeeded", _) => {
            for step in ["look", "reserve", "claim", "switch", "boot"] {
                assert!(world.is_set(&format!("web01/{step}")), "write {nth}: {step}");
            }
        }
        ("Failed", Some("PUT web01/claim")) => {
            assert!(!world.is_set("web01/reserve") && !world.is_set("web01/claim"), "write {nth}");
        }
        ("Failed", Some(_)) => {
            assert!(world.is_set("web01/claim"), "write {nth}: past the point of no return")
        }
        (other, None) => panic!("write {nth}: {other}"),
        (other, Some(_)) => panic!("write {nth}: {other}"),
    }
    if ended == "Failed" {
        assert_eq!(
            run(&node, "web01").await["properties"]["state"],
            "Succeeded",
            "write {nth}: second attempt"
        );
    }
    crashed
}

#[tokio::test(start_paused = true)]
async fn a_crash_at_any_write_is_survived() {
    for fault in [None, Some("PUT web01/claim"), Some("PUT web01/boot")] {
        for after in [false, true] {
            let mut nth = 1;
            while crashed_failover(nth, after, fault).await {
                nth += 1;
            }
            assert!(nth > 8, "a failover has more writes than {nth}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn boot_groups_start_strictly_in_order() {
    let world = World::new();
    let node = world.fresh();
    node.protect(&world, &["db", "web1", "web2"]).await;
    plan(&node, &[&["db"], &["web1", "web2"]]).await;
    world.fault("PUT db/boot", 503, 4);
    let job = node.done(&format!("{VAULT}/replicationRecoveryPlans/all/unplannedFailover"), failover()).await;
    assert_eq!(job["properties"]["state"], "Succeeded");
    let calls = world.demo.calls.lock().unwrap();
    let last = |call: &str| calls.iter().rposition(|(known, _)| known == call).unwrap();
    let first = |call: &str| calls.iter().position(|(known, _)| known == call).unwrap();
    assert!(last("PUT db/boot") < first("PUT web1/boot").min(first("PUT web2/boot")));
    let times = |call: &str| calls[first(call)].1;
    assert_eq!(times("PUT web1/claim"), times("PUT db/claim"), "members are prepared in parallel");
}

async fn plan(node: &Node, groups: &[&[&str]]) {
    let member = |name: &&str| json!({"id": item_path(name)});
    let group = |names: &&[&str]| {
        let items: Vec<Value> = names.iter().map(member).collect();
        json!({"groupType": "Boot", "replicationProtectedItems": items})
    };
    let groups: Vec<Value> = groups.iter().map(group).collect();
    let body = json!({"properties": {"primaryFabricId": "f", "recoveryFabricId": "r", "groups": groups}});
    let path = format!("{VAULT}/replicationRecoveryPlans/all");
    assert_eq!(node.call("PUT", &path, body, None).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_does_not_boot_holds_later_groups_back_until_the_plan_runs_again() {
    let world = World::new();
    let node = world.fresh();
    node.protect(&world, &["db", "web1"]).await;
    plan(&node, &[&["db"], &["web1"]]).await;
    world.fault("PUT db/boot", 409, 1);
    let path = format!("{VAULT}/replicationRecoveryPlans/all/unplannedFailover");
    let job = node.done(&path, failover()).await;
    assert_eq!(job["properties"]["state"], "Failed");
    assert!(!world.is_set("web1/boot"));
    let codes = job["properties"]["errors"].as_array().unwrap().iter();
    let codes: Vec<_> = codes.map(|error| error["serviceErrorDetails"]["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["T1", "FB2023"]);
    assert_eq!(node.done(&path, failover()).await["properties"]["state"], "Succeeded");
    assert!(world.is_set("db/boot") && world.is_set("web1/boot"));
}

#[tokio::test(start_paused = true)]
async fn a_plan_passes_over_machines_that_are_already_there() {
    let world = World::new();
    let node = world.fresh();
    node.protect(&world, &["db", "web1"]).await;
    plan(&node, &[&["db"], &["web1"]]).await;
    run(&node, "db").await;
    let path = format!("{VAULT}/replicationRecoveryPlans/all/unplannedFailover");
    let job = node.done(&path, failover()).await;
    assert_eq!(job["properties"]["state"], "Succeeded");
    let machine = &job["properties"]["tasks"][1]["groupTaskCustomDetails"]["childTasks"][0];
    assert_eq!(machine["customDetails"]["skippedReason"], "the machine is already there");
    assert_eq!(node.post(&path, failover()).await.status, 400, "nobody is left to fail over");
}

#[tokio::test(start_paused = true)]
async fn a_plan_with_one_bad_member_touches_none() {
    let world = World::new();
    let node = world.fresh();
    node.protect(&world, &["db", "web1"]).await;
    plan(&node, &[&["db"], &["web1"]]).await;
    let report = failback_wire::error::Report::new(&crate::testing::BROKEN, "web1", "");
    world.script.refuse.lock().unwrap().insert("web1".into(), vec![report.clone(), report]);
    world.demo.calls.lock().unwrap().clear();
    let path = format!("{VAULT}/replicationRecoveryPlans/all/unplannedFailover");
    let job = node.done(&path, failover()).await;
    assert_eq!(job["properties"]["state"], "Failed");
    assert_eq!(job["properties"]["tasks"][0]["errors"].as_array().unwrap().len(), 2, "all are told");
    assert!(world.demo.calls.lock().unwrap().is_empty());
    assert_eq!(node.item("db").state, ProtectionState::Protected);
    let refused = |what: &What| matches!(what, What::RequestRefused { codes, .. } if *codes == ["T1", "T1"]);
    assert!(world.events().iter().any(refused));
}

/// A person was asked once, however often the product starts while he looks (L3).
#[tokio::test(start_paused = true)]
async fn an_action_that_waits_began_when_it_was_asked_for() {
    let world = World::new();
    let node = world.fresh();
    node.protect(&world, &["db"]).await;
    let action = json!({"actionName": "look", "failoverTypes": ["UnplannedFailover"],
        "failoverDirections": ["PrimaryToRecovery"],
        "customDetails": {"instanceType": "ManualActionDetails", "description": "look at it"}});
    let group = json!({"groupType": "Boot", "startGroupActions": [action],
        "replicationProtectedItems": [{"id": item_path("db")}]});
    let body = json!({"properties": {"primaryFabricId": "f", "recoveryFabricId": "r", "groups": [group]}});
    let path = format!("{VAULT}/replicationRecoveryPlans/all");
    assert_eq!(node.call("PUT", &path, body, None).await.status, 200);
    let reply = node.post(&format!("{path}/unplannedFailover"), failover()).await;
    let job = reply.headers["x-ms-request-id"].to_str().unwrap().to_owned();
    let hour = Duration::from_secs(3600);
    tokio::time::sleep(hour).await;
    let waiting = |job: Value| {
        let tasks = job["properties"]["tasks"].as_array().unwrap().iter();
        tasks.filter(|task| task["friendlyName"] == "look").cloned().collect::<Vec<_>>()
    };
    let before = waiting(node.get(&job).await);
    assert_eq!((before.len(), &before[0]["state"]), (1, &json!("Suspended")));
    node.fence.kill();
    let node = world.start(Some(&node.node.image().unwrap()), Arc::new(NoHook));
    tokio::time::sleep(hour).await;
    assert_eq!(waiting(node.get(&job).await), before);
}
