//! Bodies of requests: the ones from the recordings are understood, wrong ones are told in full.

use crate::api::input;
use crate::config::Settings;
use crate::journal::{Item, Leg, Plan, PointChoice, ProtectionState, ServerRef, Verb};
use crate::service::Action;
use bytes::Bytes;
use failback_wire::clock::VirtualMs;
use failback_wire::ids::{GroupName, MachineName, PointId};
use serde_json::{Value, json};
use std::sync::Arc;

fn item(leg: Leg) -> Item {
    Item { leg, ..Item::new(MachineName::new("vm1"), VirtualMs(0)) }
}

fn single(action: Action, leg: Leg, properties: Value) -> Result<crate::journal::Input, Vec<String>> {
    let body = Bytes::from(json!({ "properties": properties }).to_string());
    match input::single(&body, action, &item(leg), &Settings::default()) {
        Ok(mut asked) => Ok(asked.remove(&MachineName::new("vm1")).unwrap()),
        Err(refusal) => Err(refusal.reports.into_iter().map(|report| report.message).collect()),
    }
}

const FAILOVER: Action = Action::Failover(Verb::Unplanned);

#[test]
fn the_recorded_reprotect_to_premises_is_understood() {
    let asked = single(
        Action::Reprotect,
        Leg::Forward,
        json!({"failoverDirection": "RecoveryToPrimary", "providerSpecificDetails": {"instanceType": "InMage",
            "masterTargetId": "MT", "processServerId": "PS", "retentionDrive": "R", "runAsAccountId": "1",
            "profileId": "/Subscriptions/s/replicationPolicies/policy", "datastoreName": "datastore1",
            "disksToInclude": ["d"], "diskExclusionInput": {"volumeOptions": [
                {"volumeLabel": "L", "onlyExcludeIfSingleVolume": "true"}]}}}),
    );
    let asked = asked.unwrap();
    assert_eq!(asked.master_target.as_deref(), Some("MT"));
    assert_eq!(asked.process_server.as_deref(), Some("PS"));
    assert_eq!(asked.policy.as_deref(), Some("policy"));
    assert_eq!(asked.datastore.as_deref(), Some("datastore1"));
    assert_eq!(asked.retention.as_deref(), Some("R"));
}

#[test]
fn everything_that_is_missing_is_told_at_once() {
    let problems = single(
        Action::Reprotect,
        Leg::Forward,
        json!({"failoverDirection": "PrimaryToRecovery", "providerSpecificDetails": {"instanceType": "InMageRcm"}}),
    );
    let problems = problems.unwrap_err();
    assert_eq!(problems.len(), 7, "{problems:?}");
}

#[test]
fn points_are_chosen_in_the_providers_words() {
    let choice = |leg: Leg, details: Value| {
        let properties =
            json!({"failoverDirection": "PrimaryToRecovery", "providerSpecificDetails": details});
        single(FAILOVER, leg, properties).map(|asked| asked.point)
    };
    let home =
        |word: &str| choice(Leg::Reverse, json!({"instanceType": "InMage", "recoveryPointType": word}));
    assert_eq!(home("LatestTime"), Ok(PointChoice::Latest));
    assert_eq!(home("LatestTag"), Ok(PointChoice::Application));
    assert!(home("Custom").is_err() && home("Newest").is_err());
    let id = json!({"instanceType": "InMage", "recoveryPointType": "Custom", "recoveryPointId": "/a/b/p7"});
    assert_eq!(choice(Leg::Reverse, id), Ok(PointChoice::Custom(PointId::new("p7"))));
    let multi = |word: &str| {
        let details = json!({"instanceType": "InMageAzureV2", "recoveryPointType": word, "useMultiVmSyncPoint": "true"});
        choice(Leg::Forward, details)
    };
    assert_eq!(multi("LatestProcessed"), Ok(PointChoice::MultiVmProcessed));
    assert_eq!(multi("LatestApplicationConsistent"), Ok(PointChoice::MultiVmApplication));
    assert!(multi("Latest").is_err());
    let latest = choice(Leg::Forward, json!({"instanceType": "InMageAzureV2"}));
    assert_eq!(latest, Ok(PointChoice::Latest));
    assert!(
        choice(Leg::Reverse, json!({"instanceType": "InMageAzureV2"})).is_err(),
        "the other leg's provider"
    );
}

#[test]
fn the_source_is_shut_down_only_when_asked() {
    let shutdown = |word: Value| {
        single(FAILOVER, Leg::Forward, json!({"sourceSiteOperations": word})).map(|asked| asked.shutdown)
    };
    assert_eq!(shutdown(json!("Required")), Ok(true));
    assert_eq!(shutdown(json!("NotRequired")), Ok(false));
    assert_eq!(shutdown(Value::Null), Ok(false));
    assert!(shutdown(json!("Perhaps")).is_err());
}

#[test]
fn a_single_failback_is_primary_to_recovery_a_plans_is_not() {
    let back = json!({"failoverDirection": "RecoveryToPrimary"});
    assert!(single(FAILOVER, Leg::Reverse, back.clone()).is_err());
    let plan = Plan { name: "all".into(), groups: vec![vec![MachineName::new("vm1")]], actions: vec![] };
    let items = [(MachineName::new("vm1"), Arc::new(item(Leg::Reverse)))].into();
    let body = Bytes::from(json!({ "properties": back }).to_string());
    assert!(input::plan(&body, FAILOVER, &plan, &items).is_ok());
}

#[test]
fn a_plan_gives_each_machine_its_own_inputs() {
    let names = ["vm1", "vm2", "vm3"].map(MachineName::new);
    let plan = Plan { name: "all".into(), groups: vec![names.to_vec()], actions: vec![] };
    let items = names.clone().map(|name| (name.clone(), Arc::new(Item::new(name, VirtualMs(0))))).into();
    let body = json!({"properties": {"providerSpecificDetails": [
        {"instanceType": "InMage", "replicatedItem": "/x/VM2", "datastoreName": "own"},
        {"instanceType": "InMage", "datastoreName": "common"},
        {"instanceType": "InMage", "replicatedItem": "vm3", "datastoreName": "third"}]}});
    let asked = input::plan(&Bytes::from(body.to_string()), Action::Reprotect, &plan, &items).unwrap();
    let stores: Vec<_> = names.iter().map(|name| asked[name].datastore.as_deref().unwrap()).collect();
    assert_eq!(stores, ["common", "own", "third"]);
    let stranger = json!({"properties": {"providerSpecificDetails": [
        {"instanceType": "InMage", "replicatedItem": "ghost"}]}});
    assert!(input::plan(&Bytes::from(stranger.to_string()), Action::Reprotect, &plan, &items).is_err());
}

#[test]
fn a_plan_looks_at_no_inputs_of_machines_that_are_already_there() {
    let names = ["vm1", "vm2"].map(MachineName::new);
    let plan = Plan { name: "all".into(), groups: vec![names.to_vec()], actions: vec![] };
    let there = Item { state: ProtectionState::Protected, leg: Leg::Reverse, ..item(Leg::Reverse) };
    let items = [(names[0].clone(), there), (names[1].clone(), item(Leg::Forward))];
    let items = items.map(|(name, item)| (name.clone(), Arc::new(Item { name, ..item }))).into();
    let body = json!({"properties": {"failoverDirection": "RecoveryToPrimary", "providerSpecificDetails": [
        {"instanceType": "InMage", "replicatedItem": "vm1"},
        {"instanceType": "InMage", "replicatedItem": "vm2", "datastoreName": "own"}]}});
    let asked = input::plan(&Bytes::from(body.to_string()), Action::Reprotect, &plan, &items).unwrap();
    assert_eq!(asked[&names[0]].datastore, None);
    assert_eq!(asked[&names[1]].datastore.as_deref(), Some("own"));
}

#[test]
fn equal_group_name_and_id_mean_no_group() {
    let group = |id: &str, name: &str| {
        let body = json!({"properties": {"policyId": "p", "protectableItemId": "/x/VM-7", "providerSpecificDetails": {
            "instanceType": "InMageAzureV2", "multiVmGroupId": id, "multiVmGroupName": name}}});
        let asked = input::enable(&Bytes::from(body.to_string()), "vm1").unwrap();
        let asked = &asked[&MachineName::new("vm1")];
        assert_eq!(asked.vm_name.as_deref(), Some("VM-7"));
        asked.group.clone()
    };
    assert_eq!(group("0f", "0f"), None);
    assert_eq!(group("0f", "shop"), Some(GroupName::new("shop")));
}

#[test]
fn garbage_is_refused() {
    for body in ["{", "[]", "{\"properties\": 7}", "\u{0}"] {
        let refused = input::single(&Bytes::from(body), FAILOVER, &item(Leg::Forward), &Settings::default());
        assert_eq!(refused.unwrap_err().status, 400, "{body:?}");
    }
    assert!(
        input::single(&Bytes::new(), Action::Commit, &item(Leg::Forward), &Settings::default()).is_ok(),
        "commit has no body"
    );
}

#[test]
fn a_move_names_its_machines_or_means_all() {
    let item = |name: &str, server: &str| {
        let mut item = Item::new(MachineName::new(name), VirtualMs(0));
        item.state = ProtectionState::Protected;
        item.process_server = Some(ServerRef { id: server.into(), address: server.into() });
        item.forward = Some(crate::testing::spec(&item.name, true, 1));
        (item.name.clone(), Arc::new(item))
    };
    let items = [item("a", "one"), item("b", "one"), item("c", "two")].into();
    let moving = |properties: Value| {
        let body = Bytes::from(json!({ "properties": properties }).to_string());
        let (target, asked) = input::moving(&body, &items).map_err(|refusal| refusal.reports.len())?;
        let asked: Vec<String> = asked.into_keys().map(|name| name.to_string()).collect();
        Ok::<_, usize>((target.name().to_owned(), asked.join(" ")))
    };
    let ids = json!({"sourceProcessServerId": "/x/one", "targetProcessServerId": "two"});
    assert_eq!(moving(ids.clone()), Ok(("one".into(), "a b".into())));
    let mut some = ids;
    some["vmsToMigrate"] = json!(["/y/replicationProtectedItems/B"]);
    assert_eq!(moving(some), Ok(("b".into(), "b".into())));
    assert_eq!(moving(json!({"sourceProcessServerId": "two", "targetProcessServerId": "two"})), Err(1));
    assert_eq!(moving(json!({"sourceProcessServerId": "none", "targetProcessServerId": "two"})), Err(1));
    assert_eq!(moving(json!({})), Err(3));
}
