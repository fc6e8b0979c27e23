//! What a reprotect asks for: inputs for each machine, as the file says or as fits the machine.

use super::play::Driver;
use crate::scenario::estate::{Os, Side};
use crate::scenario::inventory::{Inventory, Machine};
use crate::scenario::model::{Reprotect, ReprotectInputs};
use crate::scenario::text::Name;
use crate::world::BUILT_IN_PROCESS_SERVER;
use failback_wire::ids::DiskId;
use serde_json::{Value, json};

impl Driver<'_> {
    /// Tells the oracle which disks a reprotect home leaves out, of every machine that it is asked for.
    pub(super) fn tell_what_stays(&self, step: &Reprotect) {
        if step.to != Side::OnPremises {
            return;
        }
        let plan = step.plan.as_ref().and_then(|plan| self.plan_now(&plan.value));
        let members: Vec<&str> = match (&step.item, &plan) {
            (Some(item), _) => vec![item.value.as_str()],
            (None, plan) => plan.iter().flat_map(|plan| plan.members()).collect(),
        };
        let inventory = &self.checked.inventory;
        let asked = |name: &str| members.iter().any(|member| inventory.names(member, name));
        for machine in inventory.machines.iter().filter(|machine| asked(&machine.name)) {
            let Some(using) = step.inputs(inventory, &machine.name) else { continue };
            let all = (0..machine.disks.len()).map(|n| format!("{}-disk{n}", machine.name));
            let stays = |disk: &String| {
                using.disks.as_ref().is_some_and(|named| named.iter().all(|name| name.value != *disk))
            };
            let left: Vec<DiskId> = all.filter(stays).map(DiskId::new).collect();
            let item = machine.name.as_str().into();
            self.world.recorder.oracle(|oracle| oracle.asks_home_without(&item, &left));
        }
    }

    pub(super) fn reprotect_body(&self, step: &Reprotect) -> Value {
        let inventory = &self.checked.inventory;
        let input = |name: &str| {
            let using = step.inputs(inventory, name)?;
            let machine = inventory.machines.iter().find(|m| m.name == name);
            let mut details = details(inventory, step.to, machine, using, &self.client);
            details["replicatedItem"] = json!(self.client.item_path(name));
            Some(details)
        };
        let direction = match step.to {
            Side::OnPremises => "RecoveryToPrimary",
            Side::Azure => "PrimaryToRecovery",
        };
        let details: Value = match (&step.item, &step.plan) {
            (Some(item), _) => input(&item.value).into(),
            (None, plan) => {
                let plan = plan.as_ref().and_then(|plan| self.plan_now(&plan.value));
                let given = |name: &str| step.members.keys().any(|member| inventory.names(member, name));
                let there = |name: &&str| given(name) || !self.left_plan(step.plan.as_ref(), name);
                let inputs = plan.map(|p| p.members().filter(there).filter_map(input).collect::<Vec<_>>());
                inputs.unwrap_or_default().into()
            }
        };
        json!({ "properties": { "failoverDirection": direction, "providerSpecificDetails": details } })
    }
}

/// In place of a name: this input is left out of the request.
const LEFT_OUT: &str = "none";

/// Inputs of a reprotect for one machine: what the file says, else what fits the machine.
fn details(
    inventory: &Inventory,
    to: Side,
    machine: Option<&Machine>,
    using: &ReprotectInputs,
    client: &super::client::Client,
) -> Value {
    let given = |name: &Option<Name>| name.as_ref().map(|n| n.value.clone());
    let left_out = |name: &Option<Name>| name.as_ref().is_some_and(|n| n.value == LEFT_OUT);
    let or = |name: &Option<Name>, else_: Option<String>| match left_out(name) {
        true => None,
        false => given(name).or(else_),
    };
    match to {
        Side::OnPremises => {
            let os = machine.map_or(Os::Windows, |m| m.os);
            let named = given(&using.master_target).filter(|_| !left_out(&using.master_target));
            let fits = |id: &String, mt_os: Os| named.as_ref().map_or(mt_os == os, |n| n == id);
            let mt = inventory.master_targets.iter().find(|mt| fits(&mt.id, mt.os));
            let in_azure = inventory.process_servers.iter().find(|p| p.location == Side::Azure);
            let ps = in_azure.or(inventory.process_servers.first()).map(|p| p.id.clone());
            let ps = or(&using.process_server, ps);
            // A client that is given no master target names the process server in its place (C9).
            let target = or(&using.master_target, mt.map(|mt| mt.id.clone())).or_else(|| ps.clone());
            json!({
                "instanceType": "InMage",
                "masterTargetId": target,
                "processServerId": ps,
                "retentionDrive": or(&using.retention, mt.map(|mt| mt.retention_mount.clone())),
                "disksToInclude": using.disks.as_ref().map(|ids| ids.iter().map(|id| id.as_str()).collect::<Vec<_>>()),
                "profileId": client.policy_path("lab-policy-failback"),
                "datastoreName": or(&using.datastore, machine.map(|m| m.datastore.clone())),
                // Clients always leave Azure's temporary disk out.
                "diskExclusionInput": { "volumeOptions": [
                    { "volumeLabel": "Temporary Storage", "onlyExcludeIfSingleVolume": "Yes" },
                ]},
            })
        }
        Side::Azure => json!({
            "instanceType": "InMageAzureV2",
            "masterTargetId": BUILT_IN_PROCESS_SERVER,
            "processServerId": given(&using.process_server).unwrap_or_else(|| BUILT_IN_PROCESS_SERVER.to_owned()),
            "policyId": client.policy_path("lab-policy"),
            "storageAccountId": "labcache",
            "logStorageAccountId": "labcache",
        }),
    }
}
