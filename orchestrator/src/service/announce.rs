//! Events of the product: what a committed record means to those who watch.

use super::{Health, Orchestrator};
use crate::catalogue::execution::CANCELLED;
use crate::journal::{Accepted, Fact, Job, Operation, Outcome, ProtectionState, Record, Target};
use crate::workflow::Workflow;
use failback_wire::canary::Canary;
use failback_wire::event::What;
use failback_wire::ids::{JobId, MachineName, Site};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{MutexGuard, PoisonError};

/// What an item last showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    state: &'static str,
    active: Site,
    health: Health,
    allowed: Vec<&'static str>,
}

impl Orchestrator {
    fn shown(&self) -> MutexGuard<'_, BTreeMap<MachineName, Shown>> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn showing(&self, name: &MachineName) -> Option<Shown> {
        let health = self.sights().get(name).map(|sight| sight.health).unwrap_or_default();
        self.journal().read(|state| {
            let item = state.items.get(name)?;
            let settings = &self.services().config.knobs.settings;
            let allowed =
                state.offered(name, health, settings).iter().map(|allowed| allowed.as_str()).collect();
            Some(Shown { state: item.state.as_str(), active: item.active, health, allowed })
        })
    }

    /// After a start nothing is news.
    pub(super) fn remember_shown(&self) {
        for name in self.journal().read(|state| state.items.keys().cloned().collect::<Vec<_>>()) {
            if let Some(shown) = self.showing(&name) {
                self.shown().insert(name, shown);
            }
        }
    }

    /// A crash between a commit and its announcement swallows the latter: what the members of open jobs
    /// settled on is told again after a start.
    pub(super) fn retell(&self, job: &JobId) {
        let Some(job) = self.job(job) else { return };
        let to = if [Operation::Failover, Operation::ChangePoint].contains(&job.request.operation) {
            Site::Azure
        } else if job.request.operation == Operation::Failback {
            Site::OnPremises
        } else {
            return;
        };
        for member in job.members.keys() {
            let Some(item) = self.journal().read(|state| state.items.get(member).cloned()) else { continue };
            let chosen = item.chosen.clone().filter(|chosen| chosen.to == to).map(Fact::Chosen);
            let warned = item.warnings.values().cloned().map(Fact::Warning);
            let facts: Vec<Fact> = chosen.into_iter().chain(warned).collect();
            self.announce_facts(member, &facts);
        }
    }

    /// Tells of the item if it shows something else than before.
    pub(super) fn announce_item(&self, item: &MachineName) {
        let Some(now) = self.showing(item) else { return self.announce_gone(item) };
        let before = self.shown().insert(item.clone(), now.clone());
        if before.as_ref() != Some(&now) {
            self.emit(What::ItemChanged {
                item: item.clone(),
                state: now.state.to_owned(),
                active: now.active,
                health: now.health.as_str().to_owned(),
                allowed: now.allowed.into_iter().map(str::to_owned).collect(),
            });
        }
        self.withdraw_old_points(item);
    }

    /// Tells, once, that the item is no more.
    fn announce_gone(&self, item: &MachineName) {
        let Some(last) = self.shown().remove(item) else { return };
        self.withdraw_old_points(item);
        self.sights().remove(item);
        self.emit(What::ItemChanged {
            item: item.clone(),
            state: ProtectionState::UnprotectedStatesBegin.as_str().to_owned(),
            active: last.active,
            health: Health::Normal.as_str().to_owned(),
            allowed: Vec::new(),
        });
    }

    /// The items a record may have changed.
    fn touched(&self, record: &Record) -> Vec<MachineName> {
        match record {
            Record::Accepted { .. } | Record::StepStarted { .. } | Record::StepFailed { .. } => Vec::new(),
            Record::Refused { .. }
            | Record::CancelAsked { .. }
            | Record::PlanSaved { .. }
            | Record::PlanDeleted { .. }
            | Record::ActionStarted { .. }
            | Record::ActionEnded { .. }
            | Record::PolicySaved { .. }
            | Record::PolicyDeleted { .. }
            | Record::Answered { .. } => Vec::new(),
            Record::Prechecked { job, .. } | Record::JobEnded { job, .. } => {
                let names = |job: &Job| job.members.keys().cloned().collect();
                self.journal().read(|state| state.jobs.get(job).map(names)).unwrap_or_default()
            }
            Record::StepDone { member, .. }
            | Record::StepUndone { member, .. }
            | Record::UndoFailed { member, .. }
            | Record::MemberEnded { member, .. } => vec![member.clone()],
            Record::ItemChanged { item, .. } => vec![item.clone()],
        }
    }

    /// Tells what committed records mean, then what they changed in the items.
    pub(crate) fn announce(&self, records: &[Record]) {
        for record in records {
            self.announce_one(record);
        }
        for item in records.iter().flat_map(|record| self.touched(record)).collect::<BTreeSet<_>>() {
            self.announce_item(&item);
        }
        for record in records {
            if let Record::JobEnded { job, outcome, .. } = record {
                self.announce_end(job, *outcome);
            } else if let Record::Refused { job, .. } = record
                && !self.services().ctx.env.planted(Canary::EndUntold)
            {
                self.announce_end(job, Outcome::Failed);
            }
        }
    }

    fn announce_end(&self, id: &JobId, outcome: Outcome) {
        let code = self.job(id).and_then(|job| job.errors().first().map(|report| report.code.clone()));
        self.tell_end(id, outcome);
        self.emit(What::JobEnded { job: id.clone(), state: word(outcome).to_owned(), code });
    }

    fn announce_one(&self, record: &Record) {
        match record {
            Record::Accepted { request, .. } => self.emit(What::RequestAccepted {
                operation: request.operation.as_str().to_owned(),
                target: request.target.name().to_owned(),
                job: request.job.clone(),
            }),
            Record::Refused { job, reports, .. } => {
                let codes: Vec<String> = reports.iter().map(|report| report.code.clone()).collect();
                self.precheck_ended(job, Outcome::Failed, codes.first().cloned());
                if let Some(Accepted { operation, target, .. }) = self.job(job).map(|job| job.request) {
                    self.announce_refusal(operation.as_str(), target.name(), codes);
                }
            }
            Record::Prechecked { job, warnings, .. } => {
                self.precheck_ended(job, Outcome::Succeeded, None);
                for (item, report) in
                    warnings.iter().flat_map(|(item, all)| all.iter().map(move |r| (item, r)))
                {
                    self.emit(What::Warned { item: item.clone(), code: report.code.clone() });
                }
            }
            Record::StepStarted { job, member, step, .. } => {
                if let Some((task, Edge { first: true, .. })) = self.task(job, member, step) {
                    self.emit(What::TaskStarted { job: job.clone(), task });
                }
            }
            Record::StepDone { job, member, step, facts, .. } => {
                self.announce_facts(member, facts);
                if let Some((task, Edge { last: true, .. })) = self.task(job, member, step) {
                    self.task_ended(job, task, Outcome::Succeeded, None);
                }
            }
            Record::CancelAsked { job, .. } => {
                self.emit(What::Note { text: format!("job {job} was asked to stop") });
            }
            Record::StepFailed { job, member, step, report, .. } => {
                if let Some((task, _)) = self.task(job, member, step) {
                    let outcome =
                        if report.code == CANCELLED.code { Outcome::Cancelled } else { Outcome::Failed };
                    self.task_ended(job, task, outcome, Some(report.code.clone()));
                }
            }
            Record::StepUndone { member, facts, .. } => self.announce_facts(member, facts),
            Record::UndoFailed { member, report, .. } => {
                self.emit(What::Warned { item: member.clone(), code: report.code.clone() });
            }
            Record::ActionStarted { job, action, .. } => {
                if let Some(task) = self.action(job, *action) {
                    self.emit(What::TaskStarted { job: job.clone(), task });
                }
            }
            Record::ActionEnded { job, action, passed_over, .. } => {
                if let Some(task) = self.action(job, *action) {
                    let state = if passed_over.is_some() { "Skipped" } else { word(Outcome::Succeeded) };
                    let (job, state) = (job.clone(), state.to_owned());
                    self.emit(What::TaskEnded { job, task, state, code: None });
                }
            }
            Record::MemberEnded { .. }
            | Record::JobEnded { .. }
            | Record::ItemChanged { .. }
            | Record::PlanSaved { .. }
            | Record::PlanDeleted { .. }
            | Record::PolicySaved { .. }
            | Record::PolicyDeleted { .. }
            | Record::Answered { .. } => {}
        }
    }

    /// Name of the action at this place of the job's plan.
    fn action(&self, id: &JobId, place: usize) -> Option<String> {
        let name = |job: &Job| job.request.actions.get(place).map(|action| action.name.clone());
        self.journal().read(|state| state.jobs.get(id).and_then(name))
    }

    pub(super) fn announce_refusal(&self, operation: &str, target: &str, codes: Vec<String>) {
        let (operation, target) = (operation.to_owned(), target.to_owned());
        self.emit(What::RequestRefused { operation, target, codes });
    }

    fn precheck_ended(&self, id: &JobId, outcome: Outcome, code: Option<String>) {
        let task = |job: &Job| self.workflow(job).precheck.0.to_owned();
        if let Some(task) = self.journal().read(|state| state.jobs.get(id).map(task)) {
            self.task_ended(id, task, outcome, code);
        }
    }

    fn task_ended(&self, job: &JobId, task: String, outcome: Outcome, code: Option<String>) {
        self.emit(What::TaskEnded { job: job.clone(), task, state: word(outcome).to_owned(), code });
    }

    fn announce_facts(&self, item: &MachineName, facts: &[Fact]) {
        for fact in facts {
            if let Fact::Chosen(chosen) = fact {
                self.emit(What::PointChosen {
                    item: item.clone(),
                    session: chosen.session.clone(),
                    point: chosen.point.clone(),
                    mark: chosen.mark,
                    to: chosen.to,
                });
            } else if let Fact::Warning(report) = fact {
                self.emit(What::Warned { item: item.clone(), code: report.code.clone() });
            } else if let Fact::Decided { disk, decision, gives_up: true } = fact {
                self.emit(What::Note { text: format!("{disk}: {decision}") });
            }
        }
    }

    /// The task a step shows under (with its member's name before it in a plan's job), and whether the step
    /// opens or closes it.
    fn task(&self, id: &JobId, member: &MachineName, step: &str) -> Option<(String, Edge)> {
        self.journal().read(|state| {
            let job = state.jobs.get(id)?;
            let edge = Edge::of(self.workflow(job), step)?;
            let task = match job.request.target {
                Target::Item(_) => edge.task.to_owned(),
                Target::Plan(_) | Target::ProcessServer(_) => format!("{member}/{}", edge.task),
            };
            Some((task, edge))
        })
    }
}

/// Where a step stands within its task.
struct Edge {
    task: &'static str,
    first: bool,
    last: bool,
}

impl Edge {
    fn of(workflow: &Workflow, step: &str) -> Option<Self> {
        let steps = workflow.steps;
        let at = steps.iter().position(|known| known.id == step)?;
        let task = steps[at].task;
        let first = at == 0 || steps[at - 1].task != task;
        let last = steps.get(at + 1).is_none_or(|next| next.task != task);
        Some(Self { task, first, last })
    }
}

/// The word for an outcome, of jobs and tasks alike.
pub(crate) fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Succeeded => "Succeeded",
        Outcome::Failed => "Failed",
        Outcome::Cancelled => "Cancelled",
    }
}
