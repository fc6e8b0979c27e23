//! Recovery plans, as clients write and read them.

use super::CurrentScenario;
use serde::{Deserialize, Serialize};

/// Properties of a recovery plan, and body of its `PUT`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "named as the service names them")]
pub struct PlanProperties {
    pub friendly_name: Option<String>,
    pub primary_fabric_id: Option<String>,
    pub recovery_fabric_id: Option<String>,
    pub failover_deployment_model: Option<String>,
    pub replication_providers: Vec<String>,
    pub allowed_operations: Vec<String>,
    pub current_scenario: CurrentScenario,
    pub groups: Vec<PlanGroup>,
}

/// A group of a recovery plan.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PlanGroup {
    /// `Shutdown`, `Failover` or `Boot`.
    pub group_type: String,
    /// Its machines.
    pub replication_protected_items: Vec<PlanItem>,
    /// Actions before it.
    pub start_group_actions: Vec<PlanAction>,
    /// Actions after it.
    pub end_group_actions: Vec<PlanAction>,
}

/// Something that is done before or after a group of a recovery plan (L3).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PlanAction {
    /// Name.
    pub action_name: String,
    /// Operations it belongs to: `UnplannedFailover`, `PlannedFailover`, `TestFailover`.
    pub failover_types: Vec<String>,
    /// Directions it belongs to: `PrimaryToRecovery` (to Azure), `RecoveryToPrimary` (home).
    pub failover_directions: Vec<String>,
    /// What it is.
    pub custom_details: ActionDetails,
}

/// What an action of a recovery plan is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ActionDetails {
    /// `ManualActionDetails`, `ScriptActionDetails` or `AutomationRunbookActionDetails`.
    pub instance_type: String,
    /// Manual: what a person is to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Script: where it lies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Runbook: its ARM id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runbook_id: Option<String>,
}

/// A machine of a recovery plan.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PlanItem {
    /// ARM id of the replicated item; its last segment counts.
    pub id: String,
    /// Id of the machine, if the client knows it.
    pub virtual_machine_id: Option<String>,
}
