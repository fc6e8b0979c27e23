//! The vault's events, newest first.

use super::Call;
use crate::journal::Health;
use crate::service::{Refusal, VaultEvent};
use serde_json::{Value, json};

fn severity(health: Health) -> &'static str {
    match health {
        Health::Normal => "OK",
        Health::Warning => "Warning",
        Health::Critical => "Critical",
    }
}

/// `VmHealth;17`: the service's own names have a semicolon, too.
fn name(event: &VaultEvent) -> String {
    format!("{};{}", event.kind.as_str(), event.number)
}

fn view(call: &Call, event: &VaultEvent) -> Value {
    let name = name(event);
    let errors = if event.report.code.is_empty() { &[][..] } else { std::slice::from_ref(&event.report) };
    json!({
        "id": format!("{}/replicationEvents/{name}", call.names.vault()),
        "name": name,
        "type": "Microsoft.RecoveryServices/vaults/replicationEvents",
        "properties": {
            "eventCode": event.report.code,
            "description": event.report.message,
            "eventType": event.kind.as_str(),
            "affectedObjectFriendlyName": event.object,
            "severity": severity(event.severity),
            "timeOfOccurrence": call.date(event.at),
            "fabricId": call.names.fabric(),
            "healthErrors": super::fabrics::errors(errors),
        },
    })
}

/// All that are kept.
pub(super) fn list(call: &Call) -> Vec<Value> {
    call.me.events().newest_first().map(|event| view(call, event)).collect()
}

/// One of them.
pub(super) fn get(call: &Call, wanted: &str) -> Result<Value, Refusal> {
    let events = call.me.events();
    let found = events.newest_first().find(|event| name(event).eq_ignore_ascii_case(wanted));
    found.map(|event| view(call, event)).ok_or_else(|| Refusal::missing(wanted))
}
