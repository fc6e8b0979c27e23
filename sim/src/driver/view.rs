//! What the northbound API shows, as far as its operator reads it.

use failback_wire::error::Report;
use serde::Deserialize;

/// A resource: its name and its properties.
#[derive(Debug, Deserialize)]
pub(super) struct Resource<P> {
    #[serde(default)]
    pub(super) name: String,
    pub(super) properties: P,
}

/// A list of resources.
#[derive(Debug, Deserialize)]
pub(super) struct List<P> {
    pub(super) value: Vec<Resource<P>>,
}

/// A replicated item.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Item {
    pub(super) protection_state: String,
    pub(super) active_location: String,
    pub(super) allowed_operations: Vec<String>,
    pub(super) replication_health: String,
    pub(super) health_errors: Vec<HealthError>,
    #[serde(rename = "providerSpecificDetails")]
    pub(super) provider: Provider,
}

/// Why the health of an item or a server is not normal.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct HealthError {
    pub(super) error_code: String,
}

/// What an item's provider shows.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Provider {
    pub(super) instance_type: String,
    pub(super) process_server_id: Option<String>,
    pub(super) protected_disks: Vec<Disk>,
}

/// A protected disk.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Disk {
    #[serde(rename = "sourceDataInMB")]
    pub(super) in_source: f64,
    #[serde(rename = "psDataInMB")]
    pub(super) in_process_server: f64,
    #[serde(rename = "targetDataInMB")]
    pub(super) in_target: f64,
    pub(super) disk_resized: String,
    pub(super) resync_total_transferred_bytes: u64,
}

/// A recovery point.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Point {
    pub(super) recovery_point_type: String,
}

/// A job.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Job {
    state: String,
    tasks: Vec<Task>,
    errors: Vec<JobError>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Task {
    task_id: String,
    state: String,
    group_task_custom_details: Option<Group>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Group {
    child_tasks: Vec<Task>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct JobError {
    task_id: String,
    service_error_details: ServiceError,
    provider_error_details: Option<ProviderError>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ServiceError {
    code: String,
    message: String,
    possible_causes: String,
    recommended_action: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ProviderError {
    error_message: String,
    error_id: String,
    possible_causes: String,
    recommended_action: String,
}

/// What a job shows.
#[derive(Clone, Debug, PartialEq)]
pub struct JobView {
    /// `NotStarted`, `InProgress`, `Succeeded`, `Failed` …
    pub state: String,
    /// Tasks in order, children of groups included: id and state.
    pub tasks: Vec<(String, String)>,
    /// Errors, with the task each belongs to.
    pub errors: Vec<(String, Report)>,
}

impl From<Job> for JobView {
    fn from(job: Job) -> Self {
        let mut tasks = Vec::new();
        collect_tasks(job.tasks, &mut tasks);
        let errors = job.errors.into_iter().map(|error| (error.task_id.clone(), error.report()));
        Self { state: job.state, tasks, errors: errors.collect() }
    }
}

impl JobView {
    /// The manual action that the job waits for.
    pub fn paused(&self) -> Option<&str> {
        let waits = self.tasks.iter().find(|(_, state)| state == "Suspended");
        waits.filter(|_| self.state == "Suspended").map(|(task, _)| task.as_str())
    }
    /// True once it will not change any more, unless somebody confirms something.
    pub fn over(&self) -> bool {
        !matches!(self.state.as_str(), "InProgress" | "NotStarted")
    }
    /// True once its preconditions were found to hold: a later task runs, or is about to.
    pub fn begun(&self) -> bool {
        self.tasks.first().is_some_and(|(_, state)| state == "Succeeded")
    }
    /// True when it failed before its first effect: only tasks that look at preconditions have failed.
    pub fn refused(&self) -> bool {
        let begun = self.tasks.iter().filter(|(_, state)| state != "NotStarted");
        let mut failed = false;
        for (task, state) in begun {
            let looks = task.contains("Preflight") || task.contains("Prerequisite");
            match (looks, state.as_str()) {
                (true, "Failed") => failed = true,
                (true, _) | (_, "Other" | "Skipped") => {}
                (false, _) => return false,
            }
        }
        self.state == "Failed" && failed
    }
}

fn collect_tasks(tasks: Vec<Task>, out: &mut Vec<(String, String)>) {
    for task in tasks {
        out.push((task.task_id, task.state));
        collect_tasks(task.group_task_custom_details.unwrap_or_default().child_tasks, out);
    }
}

impl JobError {
    fn report(self) -> Report {
        let (service, beneath) =
            (self.service_error_details, self.provider_error_details.unwrap_or_default());
        let stood_for = beneath.stood_for();
        Report {
            code: service.code,
            message: service.message,
            possible_causes: service.possible_causes,
            recommended_action: service.recommended_action,
            entity: self.task_id,
            inner: Some(beneath.error_message).filter(|message| !message.is_empty()).into_iter().collect(),
            beneath: stood_for,
        }
    }
}

impl ProviderError {
    /// The errors that one of a job stands for. Causes and actions are told of all together: where any are missing, none
    /// counts.
    fn stood_for(&self) -> Vec<Report> {
        let codes: Vec<&str> = self.error_id.split(", ").filter(|code| !code.is_empty()).collect();
        let (causes, action) = (&self.possible_causes, &self.recommended_action);
        if action.lines().count() < codes.len() || causes.lines().count() < codes.len() {
            return Vec::new();
        }
        let one = |code: &str| Report {
            code: code.to_owned(),
            message: String::new(),
            possible_causes: causes.clone(),
            recommended_action: action.clone(),
            entity: String::new(),
            inner: Vec::new(),
            beneath: Vec::new(),
        };
        codes.into_iter().map(one).collect()
    }
}
