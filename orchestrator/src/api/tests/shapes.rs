//! JSON against what was recorded of the real service: every recorded field is there, of its type.

use super::home;
use crate::testing::{Node, VAULT, World, item_path};
use failback_wire::event::What;
use serde_json::{Value, json};

/// Everything in `recorded` is in `ours` too, with a value of the same type. Nulls match anything.
fn covers(ours: &Value, recorded: &Value, at: &str) {
    match (ours, recorded) {
        (_, Value::Null) => {}
        (Value::Object(ours), Value::Object(recorded)) => {
            for (key, value) in recorded {
                let found = ours.get(key).unwrap_or_else(|| panic!("{at}.{key} is missing"));
                covers(found, value, &format!("{at}.{key}"));
            }
        }
        (Value::Array(ours), Value::Array(recorded)) => {
            if let (Some(first), Some(wanted)) = (ours.first(), recorded.first()) {
                covers(first, wanted, &format!("{at}[]"));
            }
        }
        (Value::String(_), Value::String(_))
        | (Value::Number(_), Value::Number(_))
        | (Value::Bool(_), Value::Bool(_)) => {}
        _ => panic!("{at} is {ours}, recorded as {recorded}"),
    }
}

async fn failed_job(world: &World) -> (Value, Value) {
    let node = world.fresh();
    node.protect(world, &["vm1"]).await;
    world.fault("PUT vm1/claim", 409, 1);
    let job = node.done(&format!("{}/unplannedFailover", item_path("vm1")), json!({"properties": {}})).await;
    (node.get(&item_path("vm1")).await, job)
}

/// A classic item on its way to Azure, as recorded; values stand for their types.
const RECORDED_ITEM: &str = r#"{"id": "", "name": "vm1", "type": "", "properties": {
        "friendlyName": "vm1", "protectedItemType": "", "protectableItemId": null,
        "recoveryServicesProviderId": null, "primaryFabricFriendlyName": "fab",
        "primaryFabricProvider": "InMageRcmFabric", "recoveryFabricFriendlyName": "Microsoft Azure",
        "recoveryFabricId": "Microsoft Azure", "primaryProtectionContainerFriendlyName": "c",
        "recoveryProtectionContainerFriendlyName": "Microsoft Azure", "recoveryContainerId": "",
        "protectionState": "UnplannedFailoverCommitted", "protectionStateDescription": "Failover committed",
        "activeLocation": "Recovery", "testFailoverState": "None", "testFailoverStateDescription": "None",
        "switchProviderState": "None", "switchProviderStateDescription": null,
        "allowedOperations": ["DisableProtection"], "replicationHealth": "Normal", "failoverHealth": "Normal",
        "healthErrors": [], "policyId": "", "policyFriendlyName": "p", "lastSuccessfulFailoverTime": null,
        "currentScenario": {"scenarioName": "None", "jobId": "", "startTime": "1753-01-01T01:01:01Z"},
        "failoverRecoveryPointId": null, "eventCorrelationId": null,
        "providerSpecificDetails": {"instanceType": "InMageAzureV2", "vmId": null, "vmProtectionState": "",
            "protectionStage": "DifferentialSync", "rpoInSeconds": 1, "processServerId": "", "masterTargetId": null,
            "recoveryAzureVMName": "", "useManagedDisks": "true", "multiVmGroupId": "", "multiVmSyncStatus": "",
            "validationErrors": [], "protectedDisks": [{"diskId": "", "diskName": "", "protectionStage": "",
                "rpoInSeconds": 1, "resyncRequired": "NotRequired", "resyncProgressPercentage": 1,
                "diskCapacityInBytes": 1, "sourceDataInMB": 0.5, "psDataInMB": 0.5, "targetDataInMB": 0.5,
                "diskResized": "", "resyncProcessedBytes": 1, "resyncTotalTransferredBytes": 1,
                "progressHealth": "Completed", "progressStatus": ""}]}}}"#;

/// Takes `vm1` to where it replicates home; answers the job of the reprotect.
async fn reprotected(node: &Node) -> Value {
    let path = |verb: &str| format!("{}/{verb}", item_path("vm1"));
    node.done(&path("unplannedFailover"), json!({"properties": {}})).await;
    node.done(&path("failoverCommit"), Value::Null).await;
    node.done(&path("reProtect"), home()).await
}

#[tokio::test(start_paused = true)]
async fn an_item_has_the_recorded_fields() {
    let (item, _) = failed_job(&World::new()).await;
    let recorded: Value = serde_json::from_str(RECORDED_ITEM).unwrap();
    covers(&item, &recorded, "item");
    assert!(item["id"].as_str().unwrap().starts_with("/Subscriptions/"));
}

#[tokio::test(start_paused = true)]
async fn a_failed_job_has_the_recorded_fields() {
    let (_, job) = failed_job(&World::new()).await;
    let error = json!({"serviceErrorDetails": {"code": "", "message": "", "possibleCauses": "",
            "recommendedAction": "", "activityId": ""},
        "providerErrorDetails": null, "errorLevel": "Error", "creationTime": "", "taskId": ""});
    let recorded = json!({"id": "", "name": "", "type": "Microsoft.RecoveryServices/vaults/replicationJobs",
        "properties": {"activityId": "", "scenarioName": "", "friendlyName": "", "state": "Failed",
            "stateDescription": "", "startTime": "", "endTime": "", "allowedActions": [], "errors": [error],
            "targetObjectId": "", "targetObjectName": "vm1", "targetInstanceType": "ProtectionEntity",
            "customDetails": {"instanceType": "", "affectedObjectDetails": {"primaryVmName": "vm1"}},
            "tasks": [{"taskId": "", "name": "", "friendlyName": "", "state": "", "stateDescription": "",
                "startTime": "", "endTime": "", "allowedActions": [], "taskType": "TaskDetails",
                "customDetails": {"instanceType": "TaskDetails"}, "groupTaskCustomDetails": null, "errors": []}]}});
    covers(&job, &recorded, "job");
    let details = &job["properties"]["errors"][0]["serviceErrorDetails"];
    for key in ["code", "message", "possibleCauses", "recommendedAction", "activityId"] {
        assert!(!details[key].as_str().unwrap().is_empty(), "{key}");
    }
    let tasks = job["properties"]["tasks"].as_array().unwrap();
    let failed: Vec<_> = tasks.iter().filter(|task| task["state"] == "Failed").collect();
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0]["errors"], job["properties"]["errors"]);
    let skipped = tasks.last().unwrap();
    assert_eq!((&skipped["state"], &skipped["startTime"]), (&json!("Other"), &json!("0001-01-01T00:00:00")));
}

#[tokio::test(start_paused = true)]
async fn a_plans_job_shows_groups_machines_and_tasks() {
    let world = World::new();
    let node = world.fresh();
    node.protect(&world, &["vm1", "vm2"]).await;
    let group =
        |name: &str| json!({"groupType": "Boot", "replicationProtectedItems": [{"id": item_path(name)}]});
    let body = json!({"properties": {"groups": [group("vm1"), group("vm2")]}});
    let path = format!("{VAULT}/replicationRecoveryPlans/plan");
    assert_eq!(node.call("PUT", &path, body, None).await.status, 200);
    let job = node.done(&format!("{path}/plannedFailover"), json!({"properties": {}})).await;
    assert_eq!(job["properties"]["scenarioName"], "PlannedFailover");
    assert_eq!(job["properties"]["targetInstanceType"], "RecoveryPlan");
    let child = json!({"taskId": "", "name": "vm1", "state": "Succeeded", "taskType": "",
        "customDetails": {"instanceType": "VirtualMachineTaskDetails"},
        "groupTaskCustomDetails": {"instanceType": "GroupTaskDetails", "childTasks": [{"taskId": ""}]}});
    let recorded = json!({"name": "Group 1", "taskType": "GroupTaskDetails", "customDetails": null,
        "groupTaskCustomDetails": {"instanceType": "RecoveryPlanGroupTaskDetails", "name": "Group 1",
            "groupId": "1", "rpGroupType": "Boot", "childTasks": [child]}});
    covers(&job["properties"]["tasks"][1], &recorded, "group");
    assert_eq!(job["properties"]["tasks"].as_array().unwrap().len(), 3);
    let plan = node.get(&path).await;
    let recorded = json!({"properties": {"friendlyName": "", "primaryFabricId": "", "recoveryFabricId": "",
        "failoverDeploymentModel": "", "replicationProviders": [""], "allowedOperations": [""],
        "currentScenario": {"scenarioName": "None"}, "groups": [{"groupType": "Boot",
            "replicationProtectedItems": [{"id": "", "virtualMachineId": null}], "startGroupActions": [],
            "endGroupActions": []}]}});
    covers(&plan, &recorded, "plan");
}

#[tokio::test(start_paused = true)]
async fn on_the_way_home_the_details_are_in_mage() {
    let world = World::new();
    let node = world.fresh();
    node.protect(&world, &["vm1"]).await;
    reprotected(&node).await;
    world.points("vm1", &[node.node.now().0]);
    tokio::time::sleep(std::time::Duration::from_secs(301)).await;
    let item = node.get(&item_path("vm1")).await;
    let recorded = json!({"instanceType": "InMage", "activeSiteType": "Azure", "protectionStage": "",
        "resyncDetails": {"initialReplicationType": "", "initialReplicationProgressPercentage": "0"},
        "retentionWindowStart": "", "retentionWindowEnd": "", "consistencyPoints": {}, "datastores": [],
        "masterTargetId": null, "processServerId": "", "discoveryType": ""});
    let item = &item["properties"];
    covers(&item["providerSpecificDetails"], &recorded, "details");
    assert_eq!(item["providerSpecificDetails"]["consistencyPoints"].as_object().unwrap().len(), 1);
    assert_eq!(item["primaryFabricFriendlyName"], item["recoveryFabricFriendlyName"]);
    assert_eq!(item["policyFriendlyName"], "p-failback");
}

#[tokio::test(start_paused = true)]
async fn a_job_says_how_each_disk_is_synchronised_and_the_story_tells_what_is_given_up() {
    let world = World::new();
    let node = world.fresh();
    node.protect(&world, &["vm1"]).await;
    let notes = || {
        let said =
            |what: &What| matches!(what, What::Note { text } if text == "vm1-disk0: all of it: it is new");
        world.events().iter().filter(|what| said(what)).count()
    };
    assert_eq!(notes(), 0, "nothing was given up");
    let job = reprotected(&node).await;
    let tasks = job["properties"]["tasks"].as_array().unwrap();
    let child = &tasks.last().unwrap()["groupTaskCustomDetails"]["childTasks"][0];
    let said = &child["customDetails"]["diskSynchronization"];
    assert_eq!(said, &json!({"vm1-disk0": "all of it: it is new"}));
    assert_eq!(notes(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_reprotect_shows_the_commit_it_skipped_and_the_job_within_it() {
    let world = World::new();
    let node = world.fresh();
    node.protect(&world, &["vm1"]).await;
    let job = reprotected(&node).await;
    let tasks = job["properties"]["tasks"].as_array().unwrap();
    let state = |task: &Value| {
        ["taskId", "state", "stateDescription"].map(|key| task[key].as_str().unwrap().to_owned())
    };
    assert_eq!(state(&tasks[1]), ["CommitFailoverTask", "Other", "Skipped"]);
    let group = tasks.iter().find(|task| task["taskId"] == "ProtectReplicaTask").unwrap();
    assert_eq!(group["taskType"], "GroupTaskDetails");
    let child = &group["groupTaskCustomDetails"]["childTasks"][0];
    assert_eq!(state(child), ["EnableDr", "Succeeded", "Completed"]);
    let inner = child["customDetails"]["jobTask"]["jobId"].as_str().unwrap();
    let inner = node.get(inner).await;
    let shown = ["scenarioName", "friendlyName", "state", "targetInstanceType"];
    let shown = shown.map(|key| inner["properties"][key].as_str().unwrap().to_owned());
    assert_eq!(shown, ["EnableDr", "Enable replication", "Succeeded", "Vm"]);
}
