//! Jobs, their tasks and their errors, as the portal shows them.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Properties of a job.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "named as the service names them")]
pub struct JobProperties {
    pub activity_id: String,
    pub scenario_name: String,
    pub friendly_name: String,
    /// `NotStarted`, `InProgress`, `Succeeded`, `Failed`, `Cancelled`, `Suspended`, `Other`.
    pub state: String,
    pub state_description: String,
    pub start_time: String,
    pub end_time: Option<String>,
    pub allowed_actions: Vec<String>,
    pub errors: Vec<JobError>,
    pub tasks: Vec<Task>,
    pub target_object_id: String,
    pub target_object_name: String,
    pub target_instance_type: String,
    pub custom_details: Option<JobDetails>,
}

/// `customDetails` of a job.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct JobDetails {
    /// `AsrJobDetails`, `FailoverJobDetails` or `SwitchProtectionJobDetails`.
    pub instance_type: String,
    /// Names by role.
    pub affected_object_details: BTreeMap<String, String>,
}

/// Body of `resume`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ResumeInput {
    /// What the person observed who confirms.
    pub comments: Option<String>,
}

/// One task of a job.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "named as the service names them")]
pub struct Task {
    pub task_id: String,
    pub name: String,
    pub friendly_name: String,
    pub state: String,
    pub state_description: String,
    pub start_time: String,
    pub end_time: String,
    pub allowed_actions: Vec<String>,
    /// `TaskDetails` or `GroupTaskDetails`.
    pub task_type: String,
    pub custom_details: Option<TaskDetails>,
    pub group_task_custom_details: Option<GroupDetails>,
    pub errors: Vec<JobError>,
}

/// `customDetails` of a task.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TaskDetails {
    /// `TaskDetails`, `VirtualMachineTaskDetails`, `JobTaskDetails`, `ManualActionTaskDetails`,
    /// `ScriptActionTaskDetails` or `AutomationRunbookTaskDetails`.
    pub instance_type: String,
    /// The job that a task stands for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_task: Option<JobEntity>,
    /// Of an action of a plan: its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Of a manual action: what a person is to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instructions: Option<String>,
    /// Of a manual action: what the person who confirmed it said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observation: Option<String>,
    /// Why a machine or an action of a plan was passed over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped_reason: Option<String>,
    /// Ours: how each disk will be synchronised, and why.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub disk_synchronization: BTreeMap<String, String>,
}

/// A job that is a task of another one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "named as the service names them")]
pub struct JobEntity {
    pub job_id: String,
    pub job_friendly_name: String,
    pub job_scenario_name: String,
    pub target_object_id: String,
    pub target_object_name: String,
    /// `Vm`.
    pub target_instance_type: String,
}

/// `groupTaskCustomDetails` of a task with children.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GroupDetails {
    /// `GroupTaskDetails` or `RecoveryPlanGroupTaskDetails`.
    pub instance_type: String,
    /// Name of a plan's group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Id of a plan's group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_id: Option<String>,
    /// `Boot` …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rp_group_type: Option<String>,
    /// The children.
    pub child_tasks: Vec<Task>,
}

/// An error of a job or task.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct JobError {
    /// What Site Recovery says.
    pub service_error_details: ServiceError,
    /// What lies beneath.
    pub provider_error_details: Option<ProviderError>,
    /// `Error` or `Warning`.
    pub error_level: String,
    /// When.
    pub creation_time: String,
    /// The task it happened in.
    pub task_id: String,
}

/// What Site Recovery says about an error.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceError {
    /// Code of the catalogue.
    pub code: String,
    /// What happened.
    pub message: String,
    /// Possible causes.
    pub possible_causes: String,
    /// What to do.
    pub recommended_action: String,
    /// The job's activity.
    pub activity_id: String,
}

/// What the system beneath says about an error.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProviderError {
    /// Its number; 0 when it has none.
    pub error_code: i64,
    /// Its words.
    pub error_message: String,
    /// Its name.
    pub error_id: String,
    /// Possible causes.
    pub possible_causes: String,
    /// What to do.
    pub recommended_action: String,
}
