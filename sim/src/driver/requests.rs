//! What the product is asked for, step by step: method, path, body.

use super::client::body;
use super::play::Driver;
use super::points;
use crate::scenario::inventory::{Disk, Machine};
use crate::scenario::model::{
    ChangeRecoveryPoint, DeletePlan, EnableProtection, Failback, Failover, MoveProcessServer, PolicyChange,
    PolicyStep, RestartJob, SavePlan, TestFailover, Verb,
};
use crate::scenario::text::Name;
use crate::world::BUILT_IN_PROCESS_SERVER;
use failback_wire::http::Method;
use serde_json::{Value, json};

/// One request.
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) body: Value,
}

impl Request {
    pub(super) fn post(path: String, body: Value) -> Self {
        Self { method: Method::POST, path, body }
    }
}

fn verb(verb: Verb) -> &'static str {
    match verb {
        Verb::Planned => "plannedFailover",
        Verb::Unplanned => "unplannedFailover",
    }
}

impl Driver<'_> {
    /// A `POST` to an item.
    pub(super) fn of_item(&self, item: &str, verb: &str, body: Value) -> Request {
        Request::post(format!("{}/{verb}", self.client.item_path(item)), body)
    }

    /// A `POST` to an item, or else to a plan.
    pub(super) fn of(&self, item: &Option<Name>, plan: &Option<Name>, verb: &str, body: Value) -> Request {
        if let Some(item) = item {
            return self.of_item(item, verb, body);
        }
        let plan = plan.as_ref().map(|plan| plan.as_str()).unwrap_or_default();
        Request::post(format!("{}/{verb}", self.client.plan_path(plan)), body)
    }

    pub(super) async fn failover(&self, step: &Failover) -> Request {
        let address = self.address(step.item.as_ref(), step.address.as_ref());
        let id = self.picked(&step.item, &step.plan, step.point).await;
        let details = points::to(step.point, id, &address);
        let body = body::failover(step.verb == Verb::Planned, &details, step.shutdown_source);
        self.of(&step.item, &step.plan, verb(step.verb), body)
    }

    pub(super) async fn failback(&self, step: &Failback) -> Request {
        let id = self.picked(&step.item, &step.plan, step.point).await;
        let body = body::failback(step.plan.is_some(), &points::backward(step.point, id));
        self.of(&step.item, &step.plan, verb(step.verb), body)
    }

    pub(super) async fn test_failover(&self, step: &TestFailover) -> Request {
        // In no network there is no card that could have an address.
        let item = step.item.as_ref().filter(|_| step.network.is_some());
        let address = self.address(item, step.address.as_ref());
        let id = self.picked(&step.item, &step.plan, step.point).await;
        let details = points::to(step.point, id, &address);
        self.of(&step.item, &step.plan, "testFailover", body::test_failover(&details, Self::network(step)))
    }

    pub(super) async fn change_point(&self, step: &ChangeRecoveryPoint) -> Request {
        let item = step.item.as_ref().map(|item| item.as_str()).unwrap_or_default();
        let body = body::change_point(&self.listed(item, step.point).await);
        self.of_item(item, "applyRecoveryPoint", body)
    }

    pub(super) fn move_server(&self, step: &MoveProcessServer) -> Request {
        let machines: Vec<String> = step.item.iter().map(|item| self.client.item_path(item)).collect();
        let body = json!({ "properties": {
            "sourceProcessServerId": step.from.value,
            "targetProcessServerId": step.to.value,
            "vmsToMigrate": machines,
            "updateType": if machines.is_empty() { "ServerLevel" } else { "VmLevel" },
        }});
        Request::post(self.client.fabric_path("reassociateGateway"), body)
    }

    pub(super) fn restart_job(&self, step: &RestartJob) -> Request {
        let name = step.item.as_ref().or(step.plan.as_ref()).map(|name| name.as_str());
        let job = name.and_then(|name| self.jobs.get(name)).map_or("none", String::as_str);
        Request::post(format!("{}/restart", self.client.job_path(job)), Value::Null)
    }

    pub(super) fn enable_protection(&self, step: &EnableProtection) -> Request {
        let machine = self.checked.inventory.machines.iter().find(|m| m.name == step.item.value);
        let body = machine.map(|machine| self.enable_body(machine, Some(step))).unwrap_or_default();
        Request { method: Method::PUT, path: self.client.item_path(&step.item), body }
    }

    /// A machine is protected as the estate says, where its step, if one asks, does not say otherwise.
    pub(super) fn enable_body(&self, machine: &Machine, step: Option<&EnableProtection>) -> Value {
        let given = |field: fn(&EnableProtection) -> &Option<Name>| {
            step.and_then(|step| field(step).as_ref()).map(|name| name.as_str())
        };
        let every_disk = step.is_some_and(|step| step.every_disk);
        let named = |(n, disk): (usize, &Disk)| {
            (every_disk || !disk.excluded).then(|| format!("{}-disk{n}", machine.name))
        };
        let some_chosen = machine.disks.iter().any(|disk| disk.excluded || disk.iscsi);
        let included: Option<Vec<String>> =
            some_chosen.then(|| machine.disks.iter().enumerate().filter_map(named).collect());
        json!({ "properties": {
            "policyId": self.client.policy_path(given(|step| &step.policy).unwrap_or("lab-policy")),
            "providerSpecificDetails": {
                "instanceType": "InMageAzureV2",
                "processServerId": given(|step| &step.process_server).unwrap_or(BUILT_IN_PROCESS_SERVER),
                "vmFriendlyName": machine.name,
                "multiVmGroupName": given(|step| &step.group).or(machine.group.as_deref()),
                "targetAzureVmName": given(|step| &step.azure_name).unwrap_or(&machine.name),
                "disksToInclude": included,
                "retainIpAddress": machine.retain_address,
                "targetAzureNetworkId": machine.azure_network,
            },
        }})
    }

    /// Ends the protection for a reason.
    pub(super) fn disable(&self, item: &str, reason: &str) -> Request {
        let input = json!({ "instanceType": "InMageAzureV2" });
        let properties = json!({ "disableProtectionReason": reason, "replicationProviderInput": input });
        self.of_item(item, "remove", json!({ "properties": properties }))
    }

    /// Ends it in the vault alone.
    pub(super) fn purge(&self, item: &str) -> Request {
        Request { method: Method::DELETE, path: self.client.item_path(item), body: Value::Null }
    }

    pub(super) fn policy(&self, step: &PolicyStep) -> Request {
        let policy = self.client.policy_path(&step.name);
        let mapping = self.client.mapping_path(&step.name);
        let (method, path, body) = match &step.change {
            PolicyChange::Create(settings) => (Method::PUT, policy, body::policy(settings)),
            PolicyChange::Edit(settings) => (Method::PATCH, policy, body::policy(settings)),
            PolicyChange::Delete => (Method::DELETE, policy, Value::Null),
            PolicyChange::Associate => {
                (Method::PUT, mapping, json!({ "properties": { "policyId": policy } }))
            }
            PolicyChange::Dissociate => (Method::POST, format!("{mapping}/remove"), Value::Null),
        };
        Request { method, path, body }
    }

    pub(super) fn renew_certificate(&self) -> Request {
        let body = json!({ "properties": { "renewCertificateType": "Cloud" } });
        Request::post(self.client.fabric_path("renewCertificate"), body)
    }

    pub(super) fn delete_plan(&self, step: &DeletePlan) -> Request {
        Request { method: Method::DELETE, path: self.client.plan_path(&step.name), body: Value::Null }
    }

    pub(super) fn save_plan(&self, step: &SavePlan) -> Request {
        let plan = self.checked.inventory.plan(step);
        let method = if self.plan_now(&plan.name).is_some() { Method::PATCH } else { Method::PUT };
        Request { method, path: self.client.plan_path(&plan.name), body: self.plan_body(&plan) }
    }
}
