//! Requests that become no job are done once, however often they come (I7).

use crate::testing::{Node, VAULT, World};
use serde_json::{Value, json};
use std::sync::Arc;

fn policy(name: &str) -> String {
    format!("{VAULT}/replicationPolicies/{name}")
}

fn keeps(hours: u64) -> Value {
    let details = json!({"instanceType": "InMageAzureV2", "recoveryPointHistory": hours * 60});
    json!({"properties": {"providerSpecificInput": details}})
}

async fn kept(node: &Node, name: &str) -> u64 {
    let policy = node.get(&policy(name)).await;
    policy["properties"]["providerSpecificDetails"]["recoveryPointHistory"].as_u64().unwrap() / 60
}

/// The node dies after its last write; whoever did not hear of that asks the next one again.
fn again(world: &World, node: &Node) -> Node {
    let image = node.node.image().unwrap();
    node.fence.kill();
    world.start(Some(&image), Arc::new(failback_wire::store::NoHook))
}

#[tokio::test(start_paused = true)]
async fn a_policy_is_deleted_once() {
    let world = World::new();
    let node = world.fresh();
    node.call("PUT", &policy("gold"), keeps(48), Some("make")).await;
    let delete = |node: Node| async move {
        let reply = node.call("DELETE", &policy("gold"), Value::Null, Some("delete")).await;
        (reply.status, node)
    };
    let (status, node) = delete(node).await;
    assert_eq!(status, 204);
    let (status, node) = delete(again(&world, &node)).await;
    assert_eq!(status, 204, "the same request is answered as it was");
    let other = node.call("DELETE", &policy("gold"), Value::Null, Some("another")).await;
    assert_eq!(other.status, 404, "it is gone");
}

#[tokio::test(start_paused = true)]
async fn an_edit_that_comes_again_undoes_no_later_one() {
    let world = World::new();
    let node = world.fresh();
    for (method, hours, id) in [("PUT", 24, "make"), ("PATCH", 48, "longer"), ("PATCH", 72, "longest")] {
        assert_eq!(node.call(method, &policy("gold"), keeps(hours), Some(id)).await.status, 200);
    }
    let node = again(&world, &node);
    assert_eq!(node.call("PATCH", &policy("gold"), keeps(48), Some("longer")).await.status, 200);
    assert_eq!(kept(&node, "gold").await, 72);
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_is_saved_again_undoes_no_later_save() {
    let world = World::new();
    let node = world.fresh();
    node.protect(&world, &["web01", "db01"]).await;
    let plan = format!("{VAULT}/replicationRecoveryPlans/shop");
    let groups = |all: &[&[&str]]| {
        let item = |name: &&str| json!({"id": crate::testing::item_path(name)});
        let group = |names: &&[&str]| {
            json!({"groupType": "Boot",
            "replicationProtectedItems": names.iter().map(item).collect::<Vec<_>>()})
        };
        json!({"properties": {"groups": all.iter().map(group).collect::<Vec<_>>()}})
    };
    let (one, two) = (groups(&[&["web01", "db01"]]), groups(&[&["db01"], &["web01"]]));
    for (body, id) in [(&one, "first"), (&two, "second")] {
        assert_eq!(node.call("PUT", &plan, body.clone(), Some(id)).await.status, 200);
    }
    let node = again(&world, &node);
    let reply = node.call("PUT", &plan, one, Some("first")).await;
    assert_eq!((reply.status, reply.body["properties"]["groups"].as_array().unwrap().len()), (200, 2));
}
