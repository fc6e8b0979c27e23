//! Replication policies and their association with the configuration server (P10). A failback policy is made with
//! its forward policy, follows it everywhere, and is nobody's to change.
//!
//! The vault itself keeps both, so every request is answered at once. Machines that replicate already go on as they
//! began when their policy is edited (ours).

use super::Call;
use super::ids::last_segment;
use crate::catalogue::protection::{POLICY_FIXED, POLICY_IN_USE, POLICY_INVALID};
use crate::config::{DiskTier, ReplicationPolicy};
use crate::journal::{Policy, PolicyKind, Record, State};
use crate::service::Refusal;
use failback_wire::arm::asr::{
    Body, IN_MAGE, IN_MAGE_AZURE_V2, MappingProperties, PolicyInput, PolicyProperties, PolicyProvider,
    Resource,
};
use failback_wire::clock::VirtualMs;
use failback_wire::env::Env;
use failback_wire::http::StatusCode;
use serde::de::DeserializeOwned;

const KIND: &str = "Microsoft.RecoveryServices/vaults/replicationPolicies";
const MAPPING: &str = "Microsoft.RecoveryServices/vaults/replicationFabrics/replicationProtectionContainers/\
                       replicationProtectionContainerMappings";
const MINUTE: u64 = 60;
/// Points are kept for 15 days at most (section 5).
const LONGEST: u64 = 15 * 24 * 60 * MINUTE;
/// Application-consistent points towards Azure are made every 12 hours at least (R1).
const RAREST: u64 = 12 * 60 * MINUTE;
/// ... and every hour at most (R1).
const MOST_OFTEN: u64 = 60 * MINUTE;
/// Crash-consistent ones always at this interval (R1).
const CRASH: u64 = 5 * MINUTE;

/// All policies, by name.
pub(super) fn list(call: &Call) -> Vec<Resource<PolicyProperties>> {
    let all: Vec<Policy> = call.me.journal().read(|state| state.policies.values().cloned().collect());
    all.iter().map(|policy| view(call, policy)).collect()
}

/// One of them.
pub(super) fn get(call: &Call, name: &str) -> Result<Resource<PolicyProperties>, Refusal> {
    let found = call.me.journal().read(|state| find(state, name).cloned())?;
    Ok(view(call, &found))
}

/// Creates a policy with its failback policy, or replaces it; or else changes one that is there.
pub(super) fn save(call: &Call, name: &str, update: bool) -> Result<Resource<PolicyProperties>, Refusal> {
    let input: PolicyInput = read(call, name)?;
    let at = call.me.now();
    let knobs = &call.me.services().config.knobs;
    let policy = call.me.journal().append(|state| {
        if is_done(call, state) {
            return Ok((Vec::new(), find(state, name)?.clone()));
        }
        let known = find(state, name).ok();
        if update && known.is_none() {
            return Err(Refusal::missing(name));
        }
        let home = input.provider_specific_input.instance_type.eq_ignore_ascii_case(IN_MAGE);
        if home || known.is_some_and(|policy| policy.kind == PolicyKind::Failback) {
            unless_held(call, "P10", &fixed(name))?;
        }
        let before = known.filter(|_| update).map_or(knobs.forward, |policy| policy.replication);
        let replication = asked(name, &input.provider_specific_input, before)?;
        sensible(&call.me.services().ctx.env, name, replication)?;
        let mapping = known.and_then(|policy| policy.mapping.clone());
        let name = known.map_or(name, |policy| &policy.name).to_owned();
        let back = Policy {
            name: Policy::failback_of(&name),
            kind: PolicyKind::Failback,
            replication: knobs.reverse,
            mapping: mapping.clone(),
        };
        let policy = Policy { name, kind: PolicyKind::Forward, replication, mapping };
        Ok((done(call, saved(at, [policy.clone(), back])), policy))
    })?;
    Ok(view(call, &policy))
}

/// Deletes a policy and its failback policy, unless machines are protected under it or it is associated.
pub(super) fn delete(call: &Call, name: &str) -> Result<(), Refusal> {
    let at = call.me.now();
    call.me.journal().append(|state| {
        if is_done(call, state) {
            return Ok((Vec::new(), ()));
        }
        let policy = forward(call, state, name)?;
        unused(state, policy)?;
        if policy.mapping.is_some() {
            let detail = "the configuration server has it";
            let refusal = Refusal::new(StatusCode::CONFLICT, &POLICY_IN_USE, &policy.name, detail);
            unless_held(call, "P10", &refusal)?;
        }
        let both = [policy.name.clone(), Policy::failback_of(&policy.name)];
        Ok((done(call, both.map(|name| Record::PolicyDeleted { at, name }).into()), ()))
    })
}

/// All mappings, by policy.
pub(super) fn mappings(call: &Call) -> Vec<Resource<MappingProperties>> {
    let all: Vec<Policy> = call.me.journal().read(|state| state.policies.values().cloned().collect());
    all.iter().filter_map(|policy| paired(call, policy)).collect()
}

/// One of them.
pub(super) fn mapping(call: &Call, name: &str) -> Result<Resource<MappingProperties>, Refusal> {
    let found = call.me.journal().read(|state| mapped(state, name).cloned())?;
    paired(call, &found).ok_or_else(|| Refusal::missing(name))
}

/// Associates a policy, and its failback policy with it.
pub(super) fn associate(call: &Call, name: &str) -> Result<Resource<MappingProperties>, Refusal> {
    let input: MappingProperties = read(call, name)?;
    let at = call.me.now();
    let policy = call.me.journal().append(|state| {
        let found = forward(call, state, last_segment(&input.policy_id))?;
        if is_done(call, state) {
            return Ok::<_, Refusal>((Vec::new(), found.clone()));
        }
        let policy = Policy { mapping: Some(name.to_owned()), ..found.clone() };
        Ok((done(call, saved(at, with_failback(state, &policy))), policy))
    })?;
    paired(call, &policy).ok_or_else(|| Refusal::missing(name))
}

/// Takes an association away, unless machines are protected under it.
pub(super) fn dissociate(call: &Call, name: &str) -> Result<(), Refusal> {
    let at = call.me.now();
    call.me.journal().append(|state| {
        if is_done(call, state) {
            return Ok((Vec::new(), ()));
        }
        let found = mapped(state, name)?;
        let found = forward(call, state, &found.name)?;
        unused(state, found)?;
        let policy = Policy { mapping: None, ..found.clone() };
        Ok((done(call, saved(at, with_failback(state, &policy))), ()))
    })
}

/// True when this very request was done before: its sender did not hear of it, as when we went down in between. What
/// others have changed since stays (I7).
pub(super) fn is_done(call: &Call, state: &State) -> bool {
    call.once().is_some_and(|key| state.answered.contains(&key))
}

/// The records of a request that is done by them, and that it is.
pub(super) fn done(call: &Call, mut records: Vec<Record>) -> Vec<Record> {
    let at = call.me.now();
    records.extend(call.once().map(|key| Record::Answered { at, key }));
    records
}

fn read<T: DeserializeOwned>(call: &Call, name: &str) -> Result<T, Refusal> {
    let body: Result<Body<T>, _> = serde_json::from_slice(&call.body);
    body.map(|body| body.properties).map_err(|error| Refusal::bad(name, error.to_string()))
}

fn find<'a>(state: &'a State, name: &str) -> Result<&'a Policy, Refusal> {
    let found = state.policies.values().find(|policy| policy.name.eq_ignore_ascii_case(name));
    found.ok_or_else(|| Refusal::missing(name))
}

fn mapped<'a>(state: &'a State, name: &str) -> Result<&'a Policy, Refusal> {
    let is = |policy: &&Policy| policy.mapping.as_ref().is_some_and(|known| known.eq_ignore_ascii_case(name));
    // A policy comes before its failback policy, which shares the mapping.
    state.policies.values().find(is).ok_or_else(|| Refusal::missing(name))
}

fn fixed(name: &str) -> Refusal {
    Refusal::new(StatusCode::CONFLICT, &POLICY_FIXED, name, name)
}

/// Refuses while the rule holds.
fn unless_held(call: &Call, key: &str, refusal: &Refusal) -> Result<(), Refusal> {
    match call.me.services().ctx.env.holds(key) {
        true => Err(refusal.clone()),
        false => Ok(()),
    }
}

/// The policy of this name, if it is one that people may change.
fn forward<'a>(call: &Call, state: &'a State, name: &str) -> Result<&'a Policy, Refusal> {
    let policy = find(state, name)?;
    if policy.kind == PolicyKind::Failback {
        unless_held(call, "P10", &fixed(name))?;
    }
    Ok(policy)
}

fn unused(state: &State, policy: &Policy) -> Result<(), Refusal> {
    let under = |name: &String| *name == policy.name;
    let users = state.items.values().filter(|item| item.policy.as_ref().is_some_and(under));
    let names: Vec<&str> = users.map(|item| item.name.as_str()).collect();
    if names.is_empty() {
        return Ok(());
    }
    Err(Refusal::new(StatusCode::CONFLICT, &POLICY_IN_USE, &policy.name, names.join(", ")))
}

fn asked(
    name: &str,
    input: &PolicyProvider,
    before: ReplicationPolicy,
) -> Result<ReplicationPolicy, Refusal> {
    let seconds = |minutes: Option<u64>, before| minutes.map_or(before, |m| m.saturating_mul(MINUTE));
    let tier = |word: &String| {
        let known = DiskTier::ALL.into_iter().find(|tier| tier.as_str().eq_ignore_ascii_case(word));
        let why = || format!("{word} is no type of disk: Standard, P10 or P20");
        known.ok_or_else(|| Refusal::new(StatusCode::BAD_REQUEST, &POLICY_INVALID, name, why()))
    };
    Ok(ReplicationPolicy {
        crash_interval_s: seconds(input.crash_consistent_frequency_in_minutes, before.crash_interval_s),
        app_interval_s: seconds(input.app_consistent_frequency_in_minutes, before.app_interval_s),
        retention_s: seconds(input.recovery_point_history, before.retention_s),
        disk_tier: input.disk_type.as_ref().map_or(Ok(before.disk_tier), tier)?,
    })
}

/// Application-consistent points are more frequent than the retention is long, and all is as it is offered (R1).
fn sensible(env: &Env, name: &str, policy: ReplicationPolicy) -> Result<(), Refusal> {
    let app = policy.app_interval_s;
    // A retention of 0 keeps the latest point and nothing else (R7), however often others are made (ours).
    let why = if policy.retention_s > 0 && app >= policy.retention_s {
        "application-consistent points must be more frequent than the retention is long"
    } else if policy.retention_s > LONGEST {
        "points are kept for 15 days at most"
    } else if app > RAREST {
        "application-consistent points are made every 12 hours at least"
    } else if app > 0 && app < MOST_OFTEN {
        "application-consistent points are made every hour at most"
    } else if policy.crash_interval_s != CRASH {
        "crash-consistent points are made every 5 minutes"
    } else {
        return Ok(());
    };
    match env.holds("R1") {
        true => Err(Refusal::new(StatusCode::BAD_REQUEST, &POLICY_INVALID, name, why)),
        false => Ok(()),
    }
}

/// The policy, and its failback policy with the same association.
fn with_failback(state: &State, policy: &Policy) -> Vec<Policy> {
    let back = state.policies.get(&Policy::failback_of(&policy.name));
    let back = back.map(|back| Policy { mapping: policy.mapping.clone(), ..back.clone() });
    [policy.clone()].into_iter().chain(back).collect()
}

fn saved(at: VirtualMs, policies: impl IntoIterator<Item = Policy>) -> Vec<Record> {
    policies.into_iter().map(|policy| Record::PolicySaved { at, policy }).collect()
}

fn view(call: &Call, policy: &Policy) -> Resource<PolicyProperties> {
    let instance_type = match policy.kind {
        PolicyKind::Forward => IN_MAGE_AZURE_V2,
        PolicyKind::Failback => IN_MAGE,
    };
    let ReplicationPolicy { crash_interval_s, app_interval_s, retention_s, disk_tier } = policy.replication;
    let threshold = call.me.services().config.knobs.rpo_threshold.as_secs() / MINUTE;
    Resource {
        id: call.names.policy(&policy.name),
        name: policy.name.clone(),
        kind: KIND.to_owned(),
        properties: PolicyProperties {
            friendly_name: policy.name.clone(),
            provider_specific_details: PolicyProvider {
                instance_type: instance_type.to_owned(),
                recovery_point_threshold_in_minutes: Some(threshold),
                recovery_point_history: Some(retention_s / MINUTE),
                crash_consistent_frequency_in_minutes: Some(crash_interval_s / MINUTE),
                app_consistent_frequency_in_minutes: Some(app_interval_s / MINUTE),
                multi_vm_sync_status: Some("Enabled".to_owned()),
                disk_type: (policy.kind == PolicyKind::Forward).then(|| disk_tier.as_str().to_owned()),
            },
        },
    }
}

fn paired(call: &Call, policy: &Policy) -> Option<Resource<MappingProperties>> {
    let name = policy.mapping.as_ref()?;
    let to = match policy.kind {
        PolicyKind::Forward => "Microsoft Azure".to_owned(),
        PolicyKind::Failback => call.names.container(),
    };
    Some(Resource {
        id: call.names.mapping(name),
        name: name.clone(),
        kind: MAPPING.to_owned(),
        properties: MappingProperties {
            policy_id: call.names.policy(&policy.name),
            target_protection_container_id: Some(to),
            state: Some("Paired".to_owned()),
        },
    })
}
