//! Site Recovery's JSON, as the northbound API serves it and its drivers read it.
//!
//! Field names and words follow recorded traffic of the real service. Lists keep explicit nulls; dates
//! are .NET's. What is our own is said where it is declared.

mod jobs;
mod plans;

pub use jobs::{
    GroupDetails, JobDetails, JobEntity, JobError, JobProperties, ProviderError, ResumeInput, ServiceError,
    Task, TaskDetails,
};
pub use plans::{ActionDetails, PlanAction, PlanGroup, PlanItem, PlanProperties};

use super::date;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Provider namespace of vaults and everything in them.
pub const NAMESPACE: &str = "Microsoft.RecoveryServices";
/// `instanceType` of a classic item on its way to Azure.
pub const IN_MAGE_AZURE_V2: &str = "InMageAzureV2";
/// `instanceType` of a classic item on its way home.
pub const IN_MAGE: &str = "InMage";
/// Direction word: from where production was planned to run, to where it is recovered.
pub const PRIMARY_TO_RECOVERY: &str = "PrimaryToRecovery";
/// Direction word: back.
pub const RECOVERY_TO_PRIMARY: &str = "RecoveryToPrimary";

/// Any Site Recovery resource: an id, a name, a type and properties.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resource<P> {
    /// ARM id; begins with `/Subscriptions/`, as the service writes it.
    pub id: String,
    /// Last segment of the id.
    pub name: String,
    /// Resource type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Everything else.
    pub properties: P,
}

/// A body that consists of properties alone, as every input does.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Body<P> {
    /// The properties.
    pub properties: P,
}

// ---- replicated items ---------------------------------------------------------------------------------

/// Properties of a replicated item.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(
    missing_docs,
    reason = "named as the service names them; meanings are in the module that fills them"
)]
pub struct ItemProperties {
    pub friendly_name: String,
    pub protected_item_type: String,
    pub protectable_item_id: Option<String>,
    pub recovery_services_provider_id: Option<String>,
    pub primary_fabric_friendly_name: String,
    pub primary_fabric_provider: String,
    pub recovery_fabric_friendly_name: String,
    pub recovery_fabric_id: String,
    pub primary_protection_container_friendly_name: String,
    pub recovery_protection_container_friendly_name: String,
    pub recovery_container_id: String,
    pub protection_state: String,
    pub protection_state_description: String,
    pub active_location: String,
    pub test_failover_state: String,
    pub test_failover_state_description: String,
    pub switch_provider_state: String,
    pub switch_provider_state_description: Option<String>,
    pub allowed_operations: Vec<String>,
    pub replication_health: String,
    pub failover_health: String,
    pub health_errors: Vec<HealthError>,
    pub policy_id: String,
    pub policy_friendly_name: String,
    pub last_successful_failover_time: Option<String>,
    pub current_scenario: CurrentScenario,
    pub failover_recovery_point_id: Option<String>,
    pub event_correlation_id: Option<String>,
    pub provider_specific_details: ProviderDetails,
}

/// What an item is busy with, or last was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CurrentScenario {
    /// `None` when nothing runs and nothing failed.
    pub scenario_name: String,
    /// ARM id of the job; ends in `None` without one.
    pub job_id: String,
    /// When it began.
    pub start_time: String,
}

impl Default for CurrentScenario {
    fn default() -> Self {
        Self { scenario_name: "None".into(), job_id: "None".into(), start_time: date::NO_SCENARIO.into() }
    }
}

/// Why health is not normal, or what the product warns of.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "named as the service names them")]
pub struct HealthError {
    pub inner_health_errors: Vec<HealthError>,
    pub error_source: String,
    pub error_type: String,
    /// `Error`, `Warning` or `Info`.
    pub error_level: String,
    pub error_category: String,
    pub error_code: String,
    pub summary_message: String,
    pub error_message: String,
    pub possible_causes: String,
    pub recommended_action: String,
    pub creation_time_utc: Option<String>,
    pub recovery_provider_error_message: Option<String>,
    pub entity_id: String,
    pub error_id: String,
    pub customer_resolvability: String,
}

/// `providerSpecificDetails` of a classic item. Fields that the present leg does not have are left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "named as the service names them")]
pub struct ProviderDetails {
    pub instance_type: String,
    pub vm_id: Option<String>,
    pub vm_protection_state: String,
    pub vm_protection_state_description: String,
    pub protection_stage: String,
    pub rpo_in_seconds: Option<u64>,
    pub last_rpo_calculated_time: Option<String>,
    pub process_server_id: Option<String>,
    pub master_target_id: Option<String>,
    pub os_type: Option<String>,
    pub multi_vm_group_id: String,
    pub multi_vm_group_name: String,
    pub multi_vm_sync_status: String,
    pub protected_disks: Vec<ProtectedDisk>,
    pub validation_errors: Vec<HealthError>,
    #[serde(rename = "recoveryAzureVMName", skip_serializing_if = "Option::is_none")]
    pub recovery_azure_vm_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_vm_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub use_managed_disks: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active_site_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discovery_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resync_details: Option<ResyncDetails>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention_window_start: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention_window_end: Option<String>,
    /// Tag (the point's id) to time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consistency_points: Option<BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub datastores: Option<Vec<String>>,
}

/// Progress of the first copy on the way home.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ResyncDetails {
    /// How it is made.
    pub initial_replication_type: String,
    /// 0 to 100, as text.
    pub initial_replication_progress_percentage: String,
}

/// One protected disk.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "named as the service names them")]
pub struct ProtectedDisk {
    pub disk_id: String,
    pub disk_name: String,
    pub protection_stage: String,
    pub rpo_in_seconds: Option<u64>,
    /// `Required` or `NotRequired`.
    pub resync_required: String,
    pub resync_progress_percentage: Option<u64>,
    pub resync_duration_in_seconds: Option<u64>,
    pub disk_capacity_in_bytes: u64,
    #[serde(rename = "sourceDataInMB")]
    pub source_data_in_mb: f64,
    #[serde(rename = "psDataInMB")]
    pub ps_data_in_mb: f64,
    #[serde(rename = "targetDataInMB")]
    pub target_data_in_mb: f64,
    pub disk_resized: String,
    pub resync_processed_bytes: u64,
    pub resync_total_transferred_bytes: u64,
    pub progress_health: String,
    pub progress_status: String,
    /// UUID of the VMDK on-premises.
    pub disk_uuid: Option<String>,
}

/// Properties of a recovery point.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PointProperties {
    /// When the source cut it.
    pub recovery_point_time: String,
    /// `CrashConsistent` or `ApplicationConsistent`.
    pub recovery_point_type: String,
    /// The rest.
    pub provider_specific_details: PointDetails,
}

/// Provider part of a recovery point.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PointDetails {
    /// The leg's provider.
    pub instance_type: String,
    /// `"true"` when every member of the replication group cut it together.
    pub is_multi_vm_sync_point: String,
}

// ---- inputs -------------------------------------------------------------------------------------------

/// Body of `PUT` of a replicated item.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EnableInput {
    /// Policy, by ARM id or name.
    pub policy_id: Option<String>,
    /// The machine as discovered; its last segment is its name in vCenter.
    pub protectable_item_id: Option<String>,
    /// The rest.
    pub provider_specific_details: ProviderInput,
}

/// Body of `remove` of a replicated item.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DisableInput {
    /// `NotSpecified` or `MigrationComplete`.
    pub disable_protection_reason: Option<String>,
}

/// Body of `reassociateGateway` of a fabric.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MoveInput {
    /// Where the machines leave.
    pub source_process_server_id: Option<String>,
    /// Where they go.
    pub target_process_server_id: Option<String>,
    /// Which; none for all of them.
    pub vms_to_migrate: Vec<String>,
}

/// Body of every operation on an item or a plan; each uses the fields it knows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OperationInput {
    /// `applyRecoveryPoint`: the point.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recovery_point_id: Option<String>,
    /// `PrimaryToRecovery` or `RecoveryToPrimary`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failover_direction: Option<String>,
    /// `Required` or `NotRequired`: shut the source down first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_site_operations: Option<String>,
    /// Test failover: the virtual network it comes up in; without one it is in none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network_id: Option<String>,
    /// One object for an item, a list for a plan.
    pub provider_specific_details: OneOrMany,
}

/// One provider input, or several.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany {
    /// A plan's.
    Many(Vec<ProviderInput>),
    /// An item's.
    One(Box<ProviderInput>),
    /// None at all: JSON null.
    None(()),
}

impl Default for OneOrMany {
    fn default() -> Self {
        Self::None(())
    }
}

/// Provider part of an input.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "named as the service names them")]
pub struct ProviderInput {
    pub instance_type: String,
    /// Ours: the item of a plan this input is for; without it, it is for every member of its provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicated_item: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recovery_point_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recovery_point_id: Option<String>,
    /// `"true"`: members of replication groups go to a point that they have in common.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub use_multi_vm_sync_point: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub master_target_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process_server_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention_drive: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_as_account_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub datastore_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_account_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_storage_account_id: Option<String>,
    #[serde(rename = "targetAzureVmName", skip_serializing_if = "Option::is_none")]
    pub target_azure_vm_name: Option<String>,
    /// Disks that a reprotect leaves out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk_exclusion_input: Option<DiskExclusion>,
    /// Ids of the disks to protect; all of the machine's when nobody chose.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disks_to_include: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub multi_vm_group_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub multi_vm_group_name: Option<String>,
    /// Ours: the static address of the network card in Azure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replica_ip_address: Option<String>,
    /// Ours: the machine keeps its on-premises address in Azure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retain_ip_address: Option<bool>,
    /// The virtual network it comes up in, in Azure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_azure_network_id: Option<String>,
}

// ---- policies ------------------------------------------------------------------------------------------

/// Body of `PUT` and `PATCH` of a replication policy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PolicyInput {
    /// What it says; named `replicationProviderSettings` by updates.
    #[serde(alias = "replicationProviderSettings")]
    pub provider_specific_input: PolicyProvider,
}

/// Properties of a replication policy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PolicyProperties {
    /// Name.
    pub friendly_name: String,
    /// What it says.
    pub provider_specific_details: PolicyProvider,
}

/// Provider part of a replication policy, all in minutes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PolicyProvider {
    /// `InMageAzureV2` to Azure, `InMage` home.
    pub instance_type: String,
    /// Beyond this age of the newest point an alert is raised.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recovery_point_threshold_in_minutes: Option<u64>,
    /// How long points are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recovery_point_history: Option<u64>,
    /// Between crash-consistent points.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crash_consistent_frequency_in_minutes: Option<u64>,
    /// Between application-consistent points; 0 for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app_consistent_frequency_in_minutes: Option<u64>,
    /// `Enabled` or `Disabled`; members of a replication group need it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub multi_vm_sync_status: Option<String>,
    /// What kind of disks machines replicate to in Azure: `Standard`, `P10` or `P20` (ours).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk_type: Option<String>,
}

/// Body of `PUT` of a protection container's mapping, and its properties.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MappingProperties {
    /// The policy, by ARM id or name.
    pub policy_id: String,
    /// Where to: `Microsoft Azure`, or the container itself on the way home.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_protection_container_id: Option<String>,
    /// `Paired`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
}

/// What a reprotect to on-premises leaves out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DiskExclusion {
    /// By the volumes on them.
    pub volume_options: Vec<VolumeOption>,
}

/// Disks with a volume of this label.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct VolumeOption {
    /// The label.
    pub volume_label: String,
    /// `Yes` when the disk must have no other volume.
    pub only_exclude_if_single_volume: String,
}
