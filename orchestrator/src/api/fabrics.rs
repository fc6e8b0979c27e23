//! The fabric with its servers, and the health of the vault.

use super::Call;
use crate::journal::Health;
use crate::service::{Refusal, ServerSight, worst};
use failback_wire::error::Report;
use failback_wire::ids::MachineName;
use failback_wire::proto::cs::{Component, ServerBeat};
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub(super) fn errors(reports: &[Report]) -> Vec<Value> {
    let error = |report: &Report| {
        json!({
            "errorSource": "SiteRecovery",
            "errorCode": report.code,
            "summaryMessage": report.message,
            "errorMessage": report.message,
            "possibleCauses": report.possible_causes,
            "recommendedAction": report.recommended_action,
            "recoveryProviderErrorMessage": report.inner.first(),
            "entityId": report.entity,
        })
    };
    reports.iter().map(error).collect()
}

fn server(call: &Call, sight: &ServerSight) -> Value {
    let beat = &sight.beat;
    let fact = |name: &str| beat.facts.get(name);
    json!({
        "id": beat.id,
        "friendlyName": beat.id,
        "lastHeartbeat": call.date(beat.last_heartbeat),
        "health": sight.health.as_str(),
        "healthErrors": errors(&sight.errors),
        "systemLoad": fact("cpu_pct"),
        "memoryUsage": fact("memory_pct"),
        "cacheFree": fact("cache_free_pct"),
        "retentionVolumes": retention(beat),
        "psServiceStatus": fact("services_down").map(|down| if down.is_empty() { "Running" } else { "Stopped" }),
    })
}

/// The retention volumes of a master target that may be chosen (P27).
fn retention(beat: &ServerBeat) -> Vec<Value> {
    let fact = |name: &str| beat.facts.get(name).cloned();
    let number = |name: &str| fact(name).and_then(|text| text.parse::<u64>().ok());
    let volume = |name: String| {
        json!({
            "volumeName": name,
            "capacityInBytes": number("retention_capacity"),
            "freeSpaceInBytes": number("retention_free"),
        })
    };
    fact("retention_mount").filter(|_| fact("retention_unfit").is_none()).map(volume).into_iter().collect()
}

/// The fabric: one configuration server, with what it knows of its servers. Health is the worst of theirs.
pub(super) fn get(call: &Call, name: &str) -> Result<Value, Refusal> {
    let vault = call.names.config();
    if !name.eq_ignore_ascii_case(&vault.fabric) {
        return Err(Refusal::missing(name));
    }
    let servers = call.me.servers();
    let of = |component| {
        let all = servers.values().filter(move |sight| sight.beat.component == component);
        all.map(|sight| server(call, sight)).collect::<Vec<_>>()
    };
    Ok(json!({
        "id": call.names.fabric(),
        "name": vault.fabric,
        "type": "Microsoft.RecoveryServices/vaults/replicationFabrics",
        "properties": {
            "friendlyName": vault.fabric,
            "health": worst(servers.values().map(|sight| sight.health)).as_str(),
            "customDetails": {
                "instanceType": "VMware",
                "processServers": of(Component::ProcessServer),
                "masterTargetServers": of(Component::MasterTarget),
            },
        },
    }))
}

fn summary(all: &[Health]) -> Value {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for health in all {
        *counts.entry(health.as_str()).or_default() += 1;
    }
    json!({ "resourceCount": all.len(), "issues": [], "categorizedResourceCounts": counts })
}

/// Health of the vault: how many items and fabrics are how well.
pub(super) fn vault(call: &Call) -> Value {
    let all: Vec<MachineName> = call.me.journal().read(|state| state.items.keys().cloned().collect());
    let items: Vec<Health> = all.iter().map(|name| call.me.health(name).0).collect();
    let fabric = worst(call.me.servers().values().map(|sight| sight.health));
    json!({
        "name": "default",
        "type": "Microsoft.RecoveryServices/vaults/replicationVaultHealth",
        "properties": {
            "vaultErrors": [],
            "protectedItemsHealth": summary(&items),
            "fabricsHealth": summary(&[fabric]),
            "containersHealth": summary(&[worst(items.iter().copied())]),
        },
    })
}
