//! Jobs and their tasks: views of the journal in the shapes clients know.

use super::{Call, Reply, json};
use crate::catalogue::execution::CANCELLED;
use crate::catalogue::machine::CANNOT_CANCEL;
use crate::journal::{
    ActionKind, Edge, Failure, Item, Job, Operation, Outcome, Phase, PlanAction, Progress, Stage, State,
    Target,
};
use crate::service::Refusal;
use crate::workflow::{Step, Workflow, stable_id};
use failback_wire::arm::asr::{
    Body, GroupDetails, JobDetails, JobEntity, JobError, JobProperties, ProviderError, Resource, ResumeInput,
    ServiceError, Task, TaskDetails,
};
use failback_wire::arm::date::UNSET;
use failback_wire::clock::VirtualMs;
use failback_wire::error::Report;
use failback_wire::http::StatusCode;
use failback_wire::ids::{JobId, MachineName};

const KIND: &str = "Microsoft.RecoveryServices/vaults/replicationJobs";

/// All jobs, newest first.
pub(super) fn list(call: &Call) -> Vec<Resource<JobProperties>> {
    let all = |state: &State| state.order.iter().rev().filter_map(|id| state.jobs.get(id).cloned()).collect();
    let jobs: Vec<Job> = call.me.journal().read(all);
    jobs.iter().map(|job| view(call, job)).collect()
}

/// One of them; also one that is a task of another one.
pub(super) fn get(call: &Call, id: &str) -> Result<Resource<JobProperties>, Refusal> {
    call.job(id).map(|job| view(call, &job)).or_else(|refusal| nested(call, id).ok_or(refusal))
}

/// The task whose work the portal shows as a job of its own, within a job of this scenario.
const CHILD_OF: &str = "ProtectReplicaTask";
const SWITCH: &str = "SwitchReplicationGroupProtection";

/// Id of the job that reprotects one machine, as a task of `parent`.
fn child_id(call: &Call, parent: &JobId, member: &MachineName) -> String {
    stable_id(&call.me.services().ctx.env, &format!("{parent}/{member}/EnableDr"))
}

fn nested(call: &Call, id: &str) -> Option<Resource<JobProperties>> {
    let reprotects = |job: &&Job| call.me.workflow(job).scenario == SWITCH;
    let jobs: Vec<Job> =
        call.me.journal().read(|state| state.jobs.values().filter(reprotects).cloned().collect());
    let is_it =
        |job: &Job, name: &MachineName| child_id(call, &job.request.job, name).eq_ignore_ascii_case(id);
    jobs.iter().find_map(|job| {
        let name = job.names().find(|name| is_it(job, name))?;
        Page { call, job, workflow: call.me.workflow(job) }.child(name)
    })
}

/// `cancel`, `restart` and `resume` of a job: what `allowedActions` does not offer is refused.
pub(super) fn act(call: &Call, id: &str, verb: &str) -> Reply {
    let job = call.job(id)?;
    match verb {
        "cancel" => {
            call.me.cancel(&job.request.job, call.client_request.as_deref())?;
            Ok(json(&get(call, id)?))
        }
        "resume" => {
            let comment = comment(call, id)?;
            call.me.resume(&job.request.job, comment.as_deref(), call.client_request.as_deref())?;
            Ok(json(&get(call, id)?))
        }
        _ => {
            let why = format!("{verb} is not offered");
            Err(Refusal::new(StatusCode::CONFLICT, &CANNOT_CANCEL, id, why))
        }
    }
}

/// What a person says who confirms a manual action (L3); the body may be left out.
fn comment(call: &Call, id: &str) -> Result<Option<String>, Refusal> {
    if call.body.is_empty() {
        return Ok(None);
    }
    let body: Result<Body<ResumeInput>, _> = serde_json::from_slice(&call.body);
    Ok(body.map_err(|error| Refusal::bad(id, error.to_string()))?.properties.comments)
}

/// Id and name of an item's replication group; equal GUIDs stand for no group (G2).
pub(super) fn group(item: &Item) -> (String, String) {
    match &item.group {
        Some(group) => (format!("group-{group}"), group.to_string()),
        None => {
            let own = item.vm.as_ref().map_or_else(|| item.name.to_string(), |vm| vm.uuid.clone());
            (own.clone(), own)
        }
    }
}

/// What the tasks of one job are made from.
struct Page<'a> {
    call: &'a Call,
    job: &'a Job,
    workflow: &'static Workflow,
}

fn view(call: &Call, job: &Job) -> Resource<JobProperties> {
    let page = Page { call, job, workflow: call.me.workflow(job) };
    let id = job.request.job.as_str();
    let (state, description) = page.state();
    let target = &job.request.target;
    let (instance, tasks) = match target {
        Target::Item(name) => ("ProtectionEntity", page.member(name)),
        Target::Plan(_) => ("RecoveryPlan", page.plan()),
        Target::ProcessServer(_) => ("ProcessServer", job.names().map(|name| page.machine(name)).collect()),
    };
    let mut tasks = tasks;
    tasks.insert(0, page.precheck());
    Resource {
        id: call.names.job(id),
        name: id.to_owned(),
        kind: KIND.to_owned(),
        properties: JobProperties {
            activity_id: page.activity(),
            scenario_name: page.workflow.scenario_under(job.verb()).to_owned(),
            friendly_name: page.workflow.friendly_under(job.verb()).to_owned(),
            state: state.to_owned(),
            state_description: description.to_owned(),
            start_time: call.date(job.accepted),
            end_time: job.ended.map(|at| call.date(at)),
            allowed_actions: page.actions(),
            errors: page.errors(),
            tasks,
            target_object_id: call.resource(target),
            target_object_name: target.name().to_owned(),
            target_instance_type: instance.to_owned(),
            custom_details: Some(page.details()),
        },
    }
}

/// What lies beneath an error: what a system said, or the errors that it stands for, each with its code, its causes and
/// what to do about it. The portal has room for one; several share it, a line each.
fn provider(report: &Report) -> Option<ProviderError> {
    let all = report.all_beneath();
    let lines =
        |of: fn(&Report) -> String| all.iter().map(|report| of(report)).collect::<Vec<_>>().join("\n");
    match (all.as_slice(), report.inner.as_slice()) {
        ([], []) => None,
        ([], inner) => Some(ProviderError {
            error_message: inner.join("\n"),
            possible_causes: report.possible_causes.clone(),
            recommended_action: report.recommended_action.clone(),
            ..ProviderError::default()
        }),
        ([first, ..], inner) => Some(ProviderError {
            error_code: first.code.parse().unwrap_or_default(),
            error_id: all.iter().map(|report| report.code.as_str()).collect::<Vec<_>>().join(", "),
            error_message: match inner {
                [] => lines(|report| format!("{}: {} {}", report.entity, report.code, report.message)),
                inner => inner.join("\n"),
            },
            possible_causes: lines(|report| report.possible_causes.clone()),
            recommended_action: lines(|report| report.recommended_action.clone()),
        }),
    }
}

/// State and description of what waits for a person.
const SUSPENDED: (&str, &str) = ("Suspended", "Suspended");

fn words(outcome: Option<Outcome>, begun: bool) -> (&'static str, &'static str) {
    match outcome {
        Some(Outcome::Succeeded) => ("Succeeded", "Completed"),
        Some(Outcome::Failed) => ("Failed", "Failed"),
        Some(Outcome::Cancelled) => ("Cancelled", "Cancelled"),
        None if begun => ("InProgress", "InProgress"),
        None => ("NotStarted", "NotStarted"),
    }
}

impl Page<'_> {
    /// What may be done with the job itself.
    fn actions(&self) -> Vec<String> {
        let cancel = self.job.cancel.is_none() && self.call.me.uncancellable(self.job).is_none();
        let restart = self.call.me.unrestartable(self.job).is_none();
        let resume = self.job.paused().is_some();
        let offered = [(cancel, "Cancel"), (restart, "Restart"), (resume, "Resume")];
        offered.into_iter().filter(|(offered, _)| *offered).map(|(_, word)| word.to_owned()).collect()
    }

    fn state(&self) -> (&'static str, &'static str) {
        match (self.job.outcome(), self.job.cancel) {
            (None, Some(_)) => ("InProgress", "Cancelling"),
            (None, None) if self.job.paused().is_some() => SUSPENDED,
            (outcome, _) => words(outcome, true),
        }
    }

    fn activity(&self) -> String {
        let client = self.job.request.client_request.as_deref().unwrap_or("none");
        format!("{client} ActivityId: {}", self.job.request.job)
    }

    fn details(&self) -> JobDetails {
        let instance_type = match self.job.request.operation {
            Operation::Failover | Operation::Failback => "FailoverJobDetails",
            Operation::Reprotect | Operation::ReprotectForward => "SwitchProtectionJobDetails",
            Operation::TestFailover => "TestFailoverJobDetails",
            Operation::EnableProtection
            | Operation::Commit
            | Operation::CommitBack
            | Operation::Disable
            | Operation::Purge
            | Operation::CompleteMigration
            | Operation::CleanUpTest
            | Operation::ChangePoint
            | Operation::MoveServer
            | Operation::Resynchronise => "AsrJobDetails",
        };
        let name = self.job.request.target.name().to_owned();
        let names = [("primaryVmName", name.clone()), ("recoveryVmName", name)];
        let fixed = [("primaryFabricProviderId", "VMware".to_owned())];
        let all = names.into_iter().chain(fixed).map(|(role, name)| (role.to_owned(), name));
        JobDetails { instance_type: instance_type.to_owned(), affected_object_details: all.collect() }
    }

    fn times(&self, from: Option<VirtualMs>, to: Option<VirtualMs>) -> (String, String) {
        let date = |at: Option<VirtualMs>| at.map_or_else(|| UNSET.to_owned(), |at| self.call.date(at));
        (date(from), date(to))
    }

    fn error(&self, report: &Report, at: VirtualMs, task: &str) -> JobError {
        JobError {
            service_error_details: ServiceError {
                code: report.code.clone(),
                message: report.message.clone(),
                possible_causes: report.possible_causes.clone(),
                recommended_action: report.recommended_action.clone(),
                activity_id: self.job.request.job.to_string(),
            },
            provider_error_details: provider(report),
            error_level: "Error".to_owned(),
            creation_time: self.call.date(at),
            task_id: task.to_owned(),
        }
    }

    fn refusal(&self) -> Vec<JobError> {
        let at = self.job.checked.unwrap_or(self.job.accepted);
        self.job.refusal.iter().map(|report| self.error(report, at, self.workflow.precheck.0)).collect()
    }

    fn failures(&self, progress: &Progress) -> Vec<JobError> {
        let one = |failure: &Failure| {
            let step = self.workflow.steps.iter().find(|step| step.id == failure.step);
            let task = step.map_or(failure.step.as_str(), |step| step.task);
            self.error(&failure.report, failure.at, task)
        };
        progress.failed.iter().chain(&progress.undo_failed).map(one).collect()
    }

    fn errors(&self) -> Vec<JobError> {
        let members = self.job.members.values().flat_map(|progress| self.failures(progress));
        self.refusal().into_iter().chain(members).collect()
    }

    fn task(&self, id: &str, title: &str, words: (&str, &str), times: (String, String)) -> Task {
        Task {
            task_id: id.to_owned(),
            name: id.to_owned(),
            friendly_name: title.to_owned(),
            state: words.0.to_owned(),
            state_description: words.1.to_owned(),
            start_time: times.0,
            end_time: times.1,
            task_type: "TaskDetails".to_owned(),
            custom_details: Some(TaskDetails {
                instance_type: "TaskDetails".to_owned(),
                ..TaskDetails::default()
            }),
            ..Task::default()
        }
    }

    fn precheck(&self) -> Task {
        let outcome = match self.job.phase {
            Phase::Checking => None,
            Phase::Refused => Some(Outcome::Failed),
            Phase::Running | Phase::Ended(_) => Some(Outcome::Succeeded),
        };
        let (id, title) = self.workflow.precheck;
        let times = self.times(Some(self.job.accepted), self.job.checked);
        Task { errors: self.refusal(), ..self.task(id, title, words(outcome, true), times) }
    }

    /// The tasks of one member, in the workflow's order.
    fn member(&self, name: &MachineName) -> Vec<Task> {
        let Some(progress) = self.job.members.get(name) else { return Vec::new() };
        let spans = self.workflow.steps.chunk_by(|a, b| a.task == b.task);
        let mut tasks: Vec<Task> = spans.filter_map(|steps| self.span(steps, progress)).collect();
        if let Some(task) = tasks.iter_mut().find(|task| task.task_id == CHILD_OF) {
            self.nest(task, name);
        }
        if self.workflow.scenario == SWITCH {
            tasks.insert(0, self.commit_first(progress));
        }
        tasks
    }

    /// A reprotect commits the failover first when that was not done, as its first step (C8).
    fn commit_first(&self, progress: &Progress) -> Task {
        let uncommitted = progress.before.is_some_and(|before| before.state.is_uncommitted());
        let step = self.workflow.steps.first().and_then(|step| progress.steps.get(step.id));
        let (words, times) = match step.filter(|_| uncommitted) {
            Some(step) if progress.failed.is_none() || step.done.is_some() => {
                let outcome = step.done.map(|_| Outcome::Succeeded);
                (words(outcome, true), self.times(Some(step.started), step.done))
            }
            Some(step) => (words(Some(Outcome::Failed), true), self.times(Some(step.started), None)),
            None => (("Other", "Skipped"), self.times(None, None)),
        };
        self.task("CommitFailoverTask", "Committing failover", words, times)
    }

    /// Shows the task as what it is: a group of one job, which enables the replication the other way.
    fn nest(&self, task: &mut Task, name: &MachineName) {
        let mut child = Task { errors: task.errors.clone(), ..task.clone() };
        child.task_id = "EnableDr".to_owned();
        child.name = name.to_string();
        child.friendly_name = "Enable replication".to_owned();
        child.task_type = "JobTaskDetails".to_owned();
        child.custom_details = Some(TaskDetails {
            instance_type: "JobTaskDetails".to_owned(),
            job_task: Some(JobEntity {
                job_id: self.call.names.job(&child_id(self.call, &self.job.request.job, name)),
                job_friendly_name: child.friendly_name.clone(),
                job_scenario_name: "EnableDr".to_owned(),
                target_object_id: self.call.names.item(name.as_str()),
                target_object_name: name.to_string(),
                target_instance_type: "Vm".to_owned(),
            }),
            ..task.custom_details.clone().unwrap_or_default()
        });
        task.task_type = "GroupTaskDetails".to_owned();
        task.custom_details = None;
        task.group_task_custom_details = Some(GroupDetails {
            instance_type: "GroupTaskDetails".to_owned(),
            child_tasks: vec![child],
            ..GroupDetails::default()
        });
    }

    /// The nested job by itself: as far as its one task is.
    fn child(&self, name: &MachineName) -> Option<Resource<JobProperties>> {
        let task = self.member(name).into_iter().find(|task| task.task_id == CHILD_OF)?;
        let id = child_id(self.call, &self.job.request.job, name);
        let mut own = task.group_task_custom_details?.child_tasks.pop()?;
        own.custom_details =
            Some(TaskDetails { instance_type: "TaskDetails".to_owned(), ..TaskDetails::default() });
        own.task_type = "TaskDetails".to_owned();
        Some(Resource {
            id: self.call.names.job(&id),
            name: id,
            kind: KIND.to_owned(),
            properties: JobProperties {
                activity_id: self.activity(),
                scenario_name: "EnableDr".to_owned(),
                friendly_name: "Enable replication".to_owned(),
                state: own.state.clone(),
                state_description: own.state_description.clone(),
                start_time: own.start_time.clone(),
                end_time: Some(own.end_time.clone()).filter(|end| end != UNSET),
                allowed_actions: Vec::new(),
                errors: own.errors.clone(),
                target_object_id: self.call.names.item(name.as_str()),
                target_object_name: name.to_string(),
                target_instance_type: "Vm".to_owned(),
                custom_details: Some(JobDetails {
                    instance_type: "AsrJobDetails".to_owned(),
                    ..JobDetails::default()
                }),
                tasks: vec![own],
            },
        })
    }

    fn span(&self, steps: &[Step], progress: &Progress) -> Option<Task> {
        let first = steps.first()?;
        let begun: Vec<_> = steps.iter().filter_map(|step| progress.steps.get(step.id)).collect();
        let failed =
            progress.failed.as_ref().filter(|failure| steps.iter().any(|step| step.id == failure.step));
        let all_done = begun.len() == steps.len() && begun.iter().all(|step| step.done.is_some());
        let last_done = begun.iter().filter_map(|step| step.done).max().filter(|_| all_done);
        let open = self.job.is_open();
        let (words, end) = match failed {
            Some(failure) if failure.report.code == CANCELLED.code => {
                (words(Some(Outcome::Cancelled), true), Some(failure.at))
            }
            Some(failure) => (words(Some(Outcome::Failed), true), Some(failure.at)),
            None if all_done => (words(Some(Outcome::Succeeded), true), last_done),
            None if open => (words(None, !begun.is_empty()), None),
            None => (("Other", "Skipped"), None),
        };
        let times = self.times(begun.first().map(|step| step.started), end);
        let mut task = self.task(first.task, first.title, words, times);
        let mine = self.failures(progress).into_iter().filter(|error| error.task_id == first.task);
        task.errors = mine.collect();
        let decided = begun.iter().flat_map(|step| &step.decided);
        if let Some(details) = &mut task.custom_details {
            details.disk_synchronization =
                decided.map(|(disk, decision)| (disk.to_string(), decision.clone())).collect();
        }
        Some(task)
    }

    /// The groups of a plan, each with its machines, each of those with its tasks; before and after them the plan's
    /// actions.
    fn plan(&self) -> Vec<Task> {
        let mut tasks = Vec::new();
        for stage in [Stage::Shutdown, Stage::Failover] {
            tasks.extend(self.plan_actions(stage, Edge::Before));
            tasks.extend(self.plan_actions(stage, Edge::After));
        }
        for (place, members) in self.job.request.groups.iter().enumerate() {
            tasks.extend(self.plan_actions(Stage::Boot(place), Edge::Before));
            tasks.push(self.group(place + 1, members));
            tasks.extend(self.plan_actions(Stage::Boot(place), Edge::After));
        }
        tasks
    }

    /// The actions at one edge of a group, as far as they belong to this operation.
    fn plan_actions(&self, stage: Stage, edge: Edge) -> impl Iterator<Item = Task> {
        let (operation, verb) = (self.job.request.operation, self.job.verb());
        let here = move |action: &PlanAction| {
            action.stage == stage && action.edge == edge && action.belongs_to(operation, verb)
        };
        let all = self.job.request.actions.iter().enumerate();
        all.filter(move |(_, action)| here(action)).map(|(place, action)| self.action(place, action))
    }

    fn action(&self, place: usize, action: &PlanAction) -> Task {
        let progress = self.job.actions.get(&place).cloned().unwrap_or_default();
        let words = match (progress.started, progress.ended) {
            (_, Some(_)) if progress.passed_over.is_some() => ("Other", "Skipped"),
            (_, Some(_)) => words(Some(Outcome::Succeeded), true),
            (Some(_), None) if self.job.is_open() => SUSPENDED,
            (None, None) if self.job.is_open() => words(None, false),
            (_, None) => ("Other", "Skipped"),
        };
        let mut task =
            self.task(&action.name, &action.name, words, self.times(progress.started, progress.ended));
        let instance = match action.kind {
            ActionKind::Manual => "ManualActionTaskDetails",
            ActionKind::Script => "ScriptActionTaskDetails",
            ActionKind::Runbook => "AutomationRunbookTaskDetails",
        };
        if words == SUSPENDED {
            task.allowed_actions = vec!["Resume".to_owned()];
        }
        task.custom_details = Some(TaskDetails {
            instance_type: instance.to_owned(),
            name: Some(action.name.clone()),
            instructions: (action.kind == ActionKind::Manual).then(|| action.text.clone()),
            observation: progress.comment,
            skipped_reason: progress.passed_over,
            ..TaskDetails::default()
        });
        task
    }

    fn group(&self, number: usize, members: &[MachineName]) -> Task {
        let name = format!("Group {number}");
        let children: Vec<Task> = members.iter().map(|member| self.machine(member)).collect();
        let is = |word: &'static str| move |task: &Task| task.state == word;
        let words = if children.iter().any(is("Cancelled")) {
            words(Some(Outcome::Cancelled), true)
        } else if children.iter().any(is("Failed")) {
            words(Some(Outcome::Failed), true)
        } else if children.iter().all(is("Succeeded")) {
            words(Some(Outcome::Succeeded), true)
        } else if !self.job.is_open() {
            ("Other", "Skipped")
        } else {
            words(None, children.iter().any(|task| task.state != "NotStarted"))
        };
        let edge = |time: fn(&Task) -> &String| {
            let set = children.iter().map(time).filter(|time| *time != UNSET).cloned();
            set.collect::<Vec<_>>()
        };
        let unset = || UNSET.to_owned();
        let start = edge(|task| &task.start_time).into_iter().min().unwrap_or_else(unset);
        let ended = matches!(words.0, "Failed" | "Succeeded" | "Cancelled")
            && children.iter().all(|t| t.end_time != UNSET);
        let end = edge(|task| &task.end_time).into_iter().max().filter(|_| ended).unwrap_or_else(unset);
        let mut task = self.task("RecoveryPlanGroupTask", &name, words, (start, end));
        task.name = name.clone();
        task.task_type = "GroupTaskDetails".to_owned();
        task.custom_details = None;
        task.group_task_custom_details = Some(GroupDetails {
            instance_type: "RecoveryPlanGroupTaskDetails".to_owned(),
            name: Some(name),
            group_id: Some(number.to_string()),
            rp_group_type: Some("Boot".to_owned()),
            child_tasks: children,
        });
        task
    }

    fn machine(&self, name: &MachineName) -> Task {
        let progress = self.job.members.get(name).cloned().unwrap_or_default();
        let skipped = self.job.request.skipped.contains(name);
        let begun = !progress.steps.is_empty();
        let words = match progress.outcome {
            Some(_) if skipped => ("Other", "Skipped"),
            None if !self.job.is_open() => ("Other", "Skipped"),
            outcome => words(outcome, begun),
        };
        let start = progress.steps.values().map(|step| step.started).min();
        let times = self.times(start, progress.ended.filter(|_| !skipped));
        let mut task = self.task(self.workflow.scenario, name.as_str(), words, times);
        task.name = name.to_string();
        task.task_type = "GroupTaskDetails".to_owned();
        task.custom_details = Some(TaskDetails {
            instance_type: "VirtualMachineTaskDetails".to_owned(),
            skipped_reason: skipped.then(|| "the machine is already there".to_owned()),
            ..TaskDetails::default()
        });
        task.group_task_custom_details = Some(GroupDetails {
            instance_type: "GroupTaskDetails".to_owned(),
            child_tasks: if skipped { Vec::new() } else { self.member(name) },
            ..GroupDetails::default()
        });
        task.errors = self.failures(&progress);
        task
    }
}
