//! Replicated items and their recovery points, as clients know them.

use super::Call;
use super::jobs::group;
use crate::journal::{Health, Item, Leg, Outcome, Policy, State};
use crate::service::{Refusal, Sight, unknown};
use failback_wire::arm::asr::{
    CurrentScenario, HealthError, ItemProperties, PointDetails, PointProperties, ProtectedDisk,
    ProviderDetails, Resource, ResyncDetails,
};
use failback_wire::error::Report;
use failback_wire::event::PointKind;
use failback_wire::http::StatusCode;
use failback_wire::ids::MachineName;
use failback_wire::proto::cs::OsFamily;
use failback_wire::proto::session::{DiskProgress, Point, SessionView};
use std::sync::Arc;

const KIND: &str = "Microsoft.RecoveryServices/vaults/replicationFabrics/replicationProtectionContainers/\
                    replicationProtectedItems";
const AZURE: &str = "Microsoft Azure";
/// A test failover is through, and not cleaned up; the word is ours.
const TESTED: &str = "TestFailoverCompleted";
const MIB: f64 = 1_048_576.0;

/// The item of this name, in any case.
pub(super) fn find(call: &Call, name: &str) -> Result<Arc<Item>, Refusal> {
    let same = |item: &&Arc<Item>| item.name.as_str().eq_ignore_ascii_case(name);
    let env = call.me.services().ctx.env;
    call.me.journal().read(|state| {
        let found = state.items.get(&MachineName::new(name)).or_else(|| state.items.values().find(same));
        let missing = || unknown(state, &env, &MachineName::new(name));
        found.cloned().ok_or_else(|| Refusal { status: StatusCode::NOT_FOUND, reports: vec![missing()] })
    })
}

/// All of them, by name.
pub(super) fn list(call: &Call) -> Vec<Resource<ItemProperties>> {
    let items: Vec<Arc<Item>> = call.me.journal().read(|state| state.items.values().cloned().collect());
    items.iter().map(|item| view(call, item)).collect()
}

/// One of them.
pub(super) fn get(call: &Call, name: &str) -> Result<Resource<ItemProperties>, Refusal> {
    let item = find(call, name)?;
    Ok(view(call, &item))
}

/// Recovery points on offer, oldest first.
pub(super) fn points(call: &Call, name: &str) -> Result<Vec<Resource<PointProperties>>, Refusal> {
    let item = find(call, name)?;
    let mut points: Vec<Arc<Point>> =
        call.me.sights().get(&item.name).map(|sight| sight.points().to_vec()).unwrap_or_default();
    if let Some(spec) = item.session().filter(|_| item.replicates()) {
        // What the last look has seen may be past its retention by now, and let go; the newest always stays (E12).
        let (now, newest) = (call.me.now(), points.iter().map(|point| point.mark).max());
        points.retain(|point| {
            Some(point.mark) == newest || now.since(point.time).as_secs() <= spec.retention_s
        });
    }
    points.sort_by_key(|point| (point.time, point.mark));
    let resource = |point: &Arc<Point>| Resource {
        id: format!("{}/recoveryPoints/{}", call.names.item(item.name.as_str()), point.point),
        name: point.point.to_string(),
        kind: format!("{KIND}/recoveryPoints"),
        properties: PointProperties {
            recovery_point_time: call.date(point.time),
            recovery_point_type: kind(point.kind).to_owned(),
            provider_specific_details: PointDetails {
                instance_type: item.leg.instance_type().to_owned(),
                is_multi_vm_sync_point: point.group.to_string(),
            },
        },
    };
    Ok(points.iter().map(resource).collect())
}

fn kind(kind: PointKind) -> &'static str {
    match kind {
        PointKind::Crash => "CrashConsistent",
        PointKind::Application => "ApplicationConsistent",
    }
}

fn view(call: &Call, item: &Item) -> Resource<ItemProperties> {
    let name = item.name.as_str();
    let vault = call.names.config();
    let (health, errors) = call.me.health(&item.name);
    let settings = &call.me.services().config.knobs.settings;
    let allowed = call.me.journal().read(|state| state.offered(&item.name, health, settings));
    let premises = vault.fabric.clone();
    let forward = item.policy.clone().unwrap_or_else(|| vault.policy.clone());
    // On the way home both fabrics are the one on-premises, and the policy is the failback policy.
    let (recovery_fabric, recovery_id, recovery_container, recovery_container_id, policy) = match item.leg {
        Leg::Forward => (AZURE.to_owned(), AZURE.to_owned(), AZURE.to_owned(), AZURE.to_owned(), forward),
        Leg::Reverse => (
            premises.clone(),
            call.names.fabric(),
            vault.container.clone(),
            call.names.container(),
            Policy::failback_of(&forward),
        ),
    };
    let point = |chosen: &crate::journal::Chosen| {
        format!("{}/recoveryPoints/{}", call.names.item(name), chosen.point)
    };
    let failures = errors.iter().map(|report| health_error(report, level(health)));
    let warnings = item.warnings.values().map(|report| health_error(report, "Warning"));
    Resource {
        id: call.names.item(name),
        name: name.to_owned(),
        kind: KIND.to_owned(),
        properties: ItemProperties {
            friendly_name: name.to_owned(),
            primary_fabric_friendly_name: premises,
            primary_fabric_provider: "VMware".to_owned(),
            recovery_fabric_friendly_name: recovery_fabric,
            recovery_fabric_id: recovery_id,
            primary_protection_container_friendly_name: vault.container.clone(),
            recovery_protection_container_friendly_name: recovery_container,
            recovery_container_id,
            protection_state: item.state.as_str().to_owned(),
            protection_state_description: item.state.description().to_owned(),
            active_location: item.active_location().to_owned(),
            test_failover_state: if item.test.is_some() { TESTED } else { "None" }.to_owned(),
            test_failover_state_description: "None".to_owned(),
            switch_provider_state: "None".to_owned(),
            allowed_operations: allowed.iter().map(|allowed| allowed.as_str().to_owned()).collect(),
            replication_health: health.as_str().to_owned(),
            failover_health: "Normal".to_owned(),
            health_errors: failures.chain(warnings).collect(),
            policy_id: call.names.policy(&policy),
            policy_friendly_name: policy,
            last_successful_failover_time: item.last_failover.map(|at| call.date(at)),
            current_scenario: scenario(call, item),
            failover_recovery_point_id: item.chosen.as_ref().map(point),
            provider_specific_details: details(call, item),
            ..ItemProperties::default()
        },
    }
}

/// The job that runs, or that failed last.
fn scenario(call: &Call, item: &Item) -> CurrentScenario {
    let none = || CurrentScenario { job_id: call.names.job("None"), ..CurrentScenario::default() };
    let Some(current) = &item.current else { return none() };
    let counts = |state: &State| {
        let job = state.jobs.get(&current.job)?;
        let outcome = job.members.get(&item.name)?.outcome;
        Some(job.is_open() || outcome == Some(Outcome::Failed))
    };
    if call.me.journal().read(counts) != Some(true) {
        return none();
    }
    CurrentScenario {
        scenario_name: current.scenario.clone(),
        job_id: call.names.job(current.job.as_str()),
        start_time: call.date(current.started),
    }
}

fn level(health: Health) -> &'static str {
    match health {
        Health::Critical => "Error",
        Health::Warning | Health::Normal => "Warning",
    }
}

fn health_error(report: &Report, level: &str) -> HealthError {
    HealthError {
        error_source: "SiteRecovery".to_owned(),
        error_type: "Replication".to_owned(),
        error_level: level.to_owned(),
        error_category: "Replication".to_owned(),
        error_code: report.code.clone(),
        summary_message: report.message.clone(),
        error_message: report.message.clone(),
        possible_causes: report.possible_causes.clone(),
        recommended_action: report.recommended_action.clone(),
        recovery_provider_error_message: report.inner.first().cloned(),
        entity_id: report.entity.clone(),
        error_id: report.code.clone(),
        customer_resolvability: "Allowed".to_owned(),
        ..HealthError::default()
    }
}

fn details(call: &Call, item: &Item) -> ProviderDetails {
    let sight = |sight: &Sight| (sight.view.clone(), sight.seen, sight.points().to_vec());
    let (view, seen, points) = call.me.sights().get(&item.name).map(sight).unwrap_or_default();
    let rpo = view.as_ref().and_then(|view| view.last_mark).map(|mark| call.me.now().since(mark).as_secs());
    let (group_id, group_name) = group(item);
    let synced = view.as_ref().is_some_and(|view| view.disks.iter().all(|disk| disk.synced));
    let home = item.leg == Leg::Reverse;
    let disk = |disk: &crate::journal::ItemDisk| protected(disk, view.as_deref(), rpo);
    let tags = || points.iter().map(|point| (point.point.to_string(), call.date(point.time))).collect();
    let edge = |point: Option<&Arc<Point>>| point.map(|point| call.date(point.time)).filter(|_| home);
    ProviderDetails {
        instance_type: item.leg.instance_type().to_owned(),
        vm_id: item.vm.as_ref().map(|vm| vm.uuid.clone()),
        vm_protection_state: item.state.as_str().to_owned(),
        vm_protection_state_description: item.state.description().to_owned(),
        protection_stage: if synced { "DifferentialSync" } else { "InitialReplication" }.to_owned(),
        rpo_in_seconds: rpo,
        last_rpo_calculated_time: seen.map(|at| call.date(at)),
        process_server_id: item.process_server.as_ref().map(|server| server.id.clone()),
        master_target_id: item.master_target.as_ref().map(|server| server.id.clone()),
        os_type: item.os.map(|os| os_name(os).to_owned()),
        multi_vm_group_id: group_id,
        multi_vm_group_name: group_name,
        multi_vm_sync_status: if item.group.is_some() { "Enabled" } else { "Disabled" }.to_owned(),
        protected_disks: item.disks.iter().map(disk).collect(),
        validation_errors: Vec::new(),
        recovery_azure_vm_name: (!home).then(|| item.azure_name.clone()),
        target_vm_id: item.azure.as_ref().map(|vm| vm.name.clone()).filter(|_| !home),
        use_managed_disks: (!home).then(|| "true".to_owned()),
        active_site_type: home.then(|| "Azure".to_owned()),
        discovery_type: home.then(|| "vCenter".to_owned()),
        resync_details: home.then(|| ResyncDetails {
            initial_replication_type: "Network".to_owned(),
            initial_replication_progress_percentage: progress(item, view.as_deref()).to_string(),
        }),
        retention_window_start: edge(points.first()),
        retention_window_end: edge(points.last()),
        consistency_points: home.then(tags),
        datastores: home.then(Vec::new),
    }
}

fn os_name(os: OsFamily) -> &'static str {
    match os {
        OsFamily::Windows => "Windows",
        OsFamily::Linux => "Linux",
    }
}

/// Percent of the first copy, over all disks; a fact of what was processed (C13).
fn progress(item: &Item, view: Option<&SessionView>) -> u64 {
    let total: u64 = item.disks.iter().map(|disk| disk.size).sum();
    let Some(view) = view.filter(|_| total > 0) else { return 0 };
    let size = |progress: &DiskProgress| {
        let disk = item.disks.iter().find(|disk| Some(&disk.disk) == progress.disk.as_ref());
        disk.map_or(0, |disk| disk.size)
    };
    let done =
        |disk: &DiskProgress| if disk.synced { size(disk) } else { disk.sync_processed.min(size(disk)) };
    view.disks.iter().map(done).sum::<u64>() * 100 / total
}

fn protected(disk: &crate::journal::ItemDisk, view: Option<&SessionView>, rpo: Option<u64>) -> ProtectedDisk {
    let seen = view.and_then(|view| view.disks.iter().find(|seen| seen.disk.as_ref() == Some(&disk.disk)));
    let seen = seen.cloned().unwrap_or_default();
    let required = view.is_some_and(|view| view.resync_required.is_some());
    let percent = if seen.synced { 100 } else { seen.sync_processed.min(disk.size) * 100 / disk.size.max(1) };
    let (stage, health) =
        if seen.synced { ("DifferentialSync", "Completed") } else { ("InitialReplication", "InProgress") };
    let mib = |bytes: u64| bytes as f64 / MIB;
    ProtectedDisk {
        disk_id: disk.disk.to_string(),
        disk_name: disk.disk.to_string(),
        protection_stage: stage.to_owned(),
        rpo_in_seconds: rpo,
        resync_required: if required { "Required" } else { "NotRequired" }.to_owned(),
        resync_progress_percentage: Some(percent),
        resync_duration_in_seconds: None,
        disk_capacity_in_bytes: disk.size,
        source_data_in_mb: mib(seen.at_source),
        ps_data_in_mb: mib(seen.in_relay),
        target_data_in_mb: mib(seen.at_target),
        disk_resized: if seen.resized { "Resized" } else { "NotResized" }.to_owned(),
        resync_processed_bytes: seen.sync_processed,
        resync_total_transferred_bytes: seen.sync_transferred,
        progress_health: health.to_owned(),
        progress_status: health.to_owned(),
        disk_uuid: Some(disk.vmdk.to_string()),
    }
}
