//! Protectable items of the container (P25, P40).

use super::{Call, Reply, Route, fabrics, json};
use crate::service::{Protectable, Refusal};
use failback_wire::arm::List;
use serde_json::{Value, json};

fn view(call: &Call, vm: &Protectable) -> Value {
    json!({
        "id": call.names.protectable(&vm.name),
        "name": vm.name,
        "type": "Microsoft.RecoveryServices/vaults/replicationFabrics/replicationProtectionContainers/\
                 replicationProtectableItems",
        "properties": {
            "friendlyName": vm.name,
            "protectionStatus": if vm.item.is_some() { "Protected" } else { "Unprotected" },
            "replicationProtectedItemId": vm.item.as_ref().map(|item| call.names.item(item.as_str())),
            "protectionReadinessErrors": vm.errors.iter().map(|report| &report.code).collect::<Vec<_>>(),
            "supportedReplicationProviders": ["InMageAzureV2"],
            "customDetails": {
                "instanceType": "VMwareVirtualMachine",
                "osType": if vm.windows { "WINDOWS" } else { "LINUX" },
                "discoveryType": "vCenter",
                "poweredOn": if vm.on { "On" } else { "Off" },
                "vCenterInfrastructureId": vm.uuid,
                "validationErrors": fabrics::errors(&vm.errors),
            },
        },
    })
}

/// All of them, or the one of this name.
pub(super) async fn answer(call: &Call) -> Reply {
    let name = if let Route::Protectable(name) = &call.route { Some(name) } else { None };
    let all = call.me.protectable().await?;
    let views = |vm: &Protectable| view(call, vm);
    match name {
        None => Ok(json(&List::single(all.iter().map(views).collect()))),
        Some(name) => {
            let found = all.iter().find(|vm| vm.name.eq_ignore_ascii_case(name));
            found.map(|vm| json(&views(vm))).ok_or_else(|| Refusal::missing(name))
        }
    }
}
