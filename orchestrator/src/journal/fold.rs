//! State as the fold of the journal. Total: a record about something unknown changes nothing, so that any
//! prefix of any journal folds.

use crate::config::{ReplicationPolicy, Settings, Vault};

use super::item::{AzureVm, Current, Fact, Item};
use super::plan::{ActionKind, ActionProgress, Plan, PlanAction};
use super::policy::{Policy, PolicyKind};
use super::record::{Accepted, Leaving, Operation, Outcome, Record, Rest, Verb};
use super::state::{Allowed, Health, ProtectionState};
use failback_wire::clock::VirtualMs;
use failback_wire::error::Report;
use failback_wire::ids::{DiskId, GroupName, JobId, MachineName};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// All that the journal tells.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Replicated items.
    pub items: BTreeMap<MachineName, Arc<Item>>,
    /// Jobs.
    pub jobs: BTreeMap<JobId, Job>,
    /// Jobs in the order in which they were accepted.
    pub order: Vec<JobId>,
    /// Recovery plans.
    pub plans: BTreeMap<String, Plan>,
    /// Jobs by the request they answer, for requests sent twice.
    pub requests: BTreeMap<String, JobId>,
    /// The open job of each item that has one.
    pub working: BTreeMap<MachineName, JobId>,
    /// Replication policies.
    #[serde(default)]
    pub policies: BTreeMap<String, Policy>,
    /// Requests that became no job and were done, by their keys.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub answered: BTreeSet<String>,
    /// Machines that were under protection once, and are not now.
    #[serde(default)]
    pub gone: BTreeMap<MachineName, Gone>,
}

/// A machine that left protection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gone {
    /// How.
    pub how: Leaving,
    /// When.
    pub at: VirtualMs,
    /// The virtual machine it left in Azure, which nobody but its owner deletes.
    pub azure: Option<AzureVm>,
}

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Accepted; preconditions are looked at, nothing was touched.
    Checking,
    /// Preconditions hold; steps run.
    Running,
    /// Over: a precondition did not hold, nothing was touched.
    Refused,
    /// Over.
    Ended(Outcome),
}

/// A job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// What was asked for.
    pub request: Accepted,
    /// How far it is.
    pub phase: Phase,
    /// When it was accepted.
    pub accepted: VirtualMs,
    /// When its preconditions were found to hold, or not.
    pub checked: Option<VirtualMs>,
    /// When somebody asked it to stop.
    #[serde(default)]
    pub cancel: Option<VirtualMs>,
    /// When it ended.
    pub ended: Option<VirtualMs>,
    /// Preconditions that did not hold.
    pub refusal: Vec<Report>,
    /// Each member's progress.
    pub members: BTreeMap<MachineName, Progress>,
    /// Progress of the plan's actions that came, by their place among them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub actions: BTreeMap<usize, ActionProgress>,
}

impl Job {
    /// True until it ended.
    pub fn is_open(&self) -> bool {
        match self.phase {
            Phase::Checking | Phase::Running => true,
            Phase::Refused | Phase::Ended(_) => false,
        }
    }
    /// How it ended; `None` while it runs.
    pub fn outcome(&self) -> Option<Outcome> {
        match self.phase {
            Phase::Checking | Phase::Running => None,
            Phase::Refused => Some(Outcome::Failed),
            Phase::Ended(outcome) => Some(outcome),
        }
    }
    /// Every error of the job: broken preconditions, or what failed in each member.
    pub fn errors(&self) -> Vec<&Report> {
        let failed = self.members.values().filter_map(|member| member.failed.as_ref());
        let undo = self.members.values().filter_map(|member| member.undo_failed.as_ref());
        self.refusal.iter().chain(failed.chain(undo).map(|failure| &failure.report)).collect()
    }
    /// The verb it was asked for with; one for all members.
    pub fn verb(&self) -> Verb {
        self.request.inputs.values().next().map_or(Verb::Unplanned, |input| input.verb)
    }
    /// True when nothing can come after its only member.
    pub fn ends_with_its_member(&self) -> bool {
        self.members.len() == 1 && self.request.actions.is_empty()
    }
    /// The manual action that it waits for, by its place among the plan's (L3).
    pub fn paused(&self) -> Option<(usize, &PlanAction)> {
        let waits = |(place, progress): (&usize, &ActionProgress)| {
            let action = self.request.actions.get(*place)?;
            let open = progress.started.is_some() && progress.ended.is_none();
            (open && action.kind == ActionKind::Manual).then_some((*place, action))
        };
        self.actions.iter().find_map(waits).filter(|_| self.is_open())
    }
    /// Members in boot order.
    pub fn names(&self) -> impl Iterator<Item = &MachineName> {
        self.request.groups.iter().flatten()
    }
}

/// How far one member of a job is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Where its item was before the job.
    pub before: Option<Rest>,
    /// Steps that began, by id.
    pub steps: BTreeMap<String, StepProgress>,
    /// The step that failed, if one did.
    pub failed: Option<Failure>,
    /// The undo that failed, if one did.
    pub undo_failed: Option<Failure>,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// When it ended.
    pub ended: Option<VirtualMs>,
}

/// A step, or its undo, that failed for good.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// When.
    pub at: VirtualMs,
    /// The step's id.
    pub step: String,
    /// Why.
    pub report: Report,
}

/// One step of one member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepProgress {
    /// Its idempotency key.
    pub key: String,
    /// When it began.
    pub started: VirtualMs,
    /// When it was done.
    pub done: Option<VirtualMs>,
    /// When it was taken back.
    pub undone: Option<VirtualMs>,
    /// How each disk will be synchronised, and why, where the step decided it.
    #[serde(default)]
    pub decided: BTreeMap<DiskId, String>,
}

impl StepProgress {
    fn begun(key: &str, at: VirtualMs) -> Self {
        Self { key: key.to_owned(), started: at, done: None, undone: None, decided: BTreeMap::new() }
    }
}

impl State {
    /// What the policy says that the item follows on the way to Azure.
    pub fn policy_of(&self, item: &Item) -> Option<ReplicationPolicy> {
        Some(self.policies.get(item.policy.as_ref()?)?.replication)
    }
    /// Members of every replication group.
    pub fn replication_groups(&self) -> BTreeMap<GroupName, Vec<MachineName>> {
        let mut groups: BTreeMap<GroupName, Vec<MachineName>> = BTreeMap::new();
        for item in self.items.values() {
            if let Some(group) = &item.group {
                groups.entry(group.clone()).or_default().push(item.name.clone());
            }
        }
        groups
    }
    /// What a vault is set up with: one policy and its failback policy, both associated (P10).
    pub fn of_vault(vault: &Vault, forward: ReplicationPolicy, reverse: ReplicationPolicy) -> Self {
        let policy = |name: &str, kind, replication| Policy {
            name: name.to_owned(),
            kind,
            replication,
            mapping: Some(name.to_owned()),
        };
        let both = [
            policy(&vault.policy, PolicyKind::Forward, forward),
            policy(&vault.failback_policy, PolicyKind::Failback, reverse),
        ];
        let policies = both.into_iter().map(|policy| (policy.name.clone(), policy)).collect();
        Self { policies, ..Self::default() }
    }
    /// The fold of `records`, oldest first.
    pub fn fold<'a>(records: impl IntoIterator<Item = &'a Record>) -> Self {
        let mut state = Self::default();
        for record in records {
            apply(&mut state, record);
        }
        state
    }
    /// The open job that works on this item, if any: one operation per item at a time.
    pub fn busy(&self, item: &MachineName) -> Option<&JobId> {
        self.working.get(item)
    }
    /// What may be asked of the item now; nothing while a job changes it. A job that still looks at its
    /// preconditions changes nothing, and may never.
    pub fn allowed(&self, item: &MachineName, settings: &Settings) -> Vec<Allowed> {
        let running = |id: &JobId| self.jobs.get(id).is_some_and(|job| job.phase == Phase::Running);
        match self.items.get(item) {
            Some(found) if !self.busy(item).is_some_and(running) => found.allowed(settings),
            Some(_) | None => Vec::new(),
        }
    }
    /// What is shown as allowed while the item's health is this. A resynchronisation is shown where it may help, as
    /// recorded, and refused nowhere else (*ours*).
    pub fn offered(&self, item: &MachineName, health: Health, settings: &Settings) -> Vec<Allowed> {
        let mut offered = self.allowed(item, settings);
        let helps = health == Health::Critical && self.items.get(item).is_some_and(|item| item.replicates());
        if helps && !offered.is_empty() {
            offered.push(Allowed::RepairReplication);
        }
        offered
    }
    fn progress(&mut self, job: &JobId, member: &MachineName) -> Option<&mut Progress> {
        self.jobs.get_mut(job)?.members.get_mut(member)
    }
    fn acts(&mut self, job: &JobId, action: usize, then: impl FnOnce(&mut ActionProgress)) {
        if let Some(job) = self.jobs.get_mut(job).filter(|job| action < job.request.actions.len()) {
            then(job.actions.entry(action).or_default());
        }
    }
    fn learn(&mut self, member: &MachineName, facts: &[Fact]) {
        if let Some(item) = self.items.get_mut(member).map(Arc::make_mut) {
            for fact in facts {
                item.learn(fact);
            }
        }
    }
}

/// Folds one record into the state. The only place where state changes.
pub fn apply(state: &mut State, record: &Record) {
    match record {
        Record::Accepted { at, request } => accepted(state, *at, request),
        Record::Refused { at, job, reports } => refused(state, *at, job, reports),
        Record::Prechecked { at, job, scenario, running, warnings } => {
            prechecked(state, *at, job, scenario, *running);
            for (member, reports) in warnings {
                let facts: Vec<Fact> = reports.iter().cloned().map(Fact::Warning).collect();
                state.learn(member, &facts);
            }
        }
        Record::CancelAsked { at, job, dedupe } => cancel_asked(state, *at, job, dedupe.as_deref()),
        Record::StepStarted { at, job, member, step, key } => {
            if let Some(progress) = state.progress(job, member) {
                progress.steps.insert(step.clone(), StepProgress::begun(key, *at));
            }
        }
        Record::StepDone { at, job, member, step, facts } => {
            if let Some(found) = state.progress(job, member).and_then(|p| p.steps.get_mut(step)) {
                found.done = Some(*at);
                found.decided = facts.iter().filter_map(decided).collect();
            }
            state.learn(member, facts);
        }
        Record::StepFailed { at, job, member, step, report } => {
            if let Some(progress) = state.progress(job, member) {
                progress.failed = Some(Failure { at: *at, step: step.clone(), report: report.clone() });
            }
        }
        Record::StepUndone { at, job, member, step, facts } => {
            if let Some(found) = state.progress(job, member).and_then(|p| p.steps.get_mut(step)) {
                found.undone = Some(*at);
            }
            state.learn(member, facts);
        }
        Record::UndoFailed { at, job, member, step, report } => {
            undo_failed(state, *at, (job, member, step), report);
        }
        Record::MemberEnded { at, job, member, outcome, rest, halfway } => {
            let operation = state.jobs.get(job).map(|job| job.request.operation);
            let (at, outcome, rest) = (*at, *outcome, *rest);
            over(state, job, member, &Ended { at, outcome, rest, operation, halfway: *halfway });
        }
        Record::JobEnded { at, job, outcome } => job_ended(state, *at, job, *outcome),
        Record::ItemChanged { at, item, state: to } => {
            if let Some(item) = state.items.get_mut(item).map(Arc::make_mut) {
                item_changed(item, *at, *to);
            }
        }
        Record::ActionStarted { at, job, action } => {
            state.acts(job, *action, |progress| progress.started = Some(*at));
        }
        Record::ActionEnded { at, job, action, passed_over, comment, request } => {
            let (ended, passed_over) = (Some(*at), passed_over.clone());
            let (comment, request) = (comment.clone(), request.clone());
            state.acts(job, *action, |progress| {
                let started = progress.started;
                *progress = ActionProgress { started, ended, passed_over, comment, request };
            });
        }
        Record::PlanSaved { .. }
        | Record::PlanDeleted { .. }
        | Record::PolicySaved { .. }
        | Record::PolicyDeleted { .. }
        | Record::Answered { .. } => at_once(state, record),
    }
}

/// What becomes no job.
#[expect(clippy::wildcard_enum_match_arm, reason = "only these five come here")]
fn at_once(state: &mut State, record: &Record) {
    match record {
        Record::PlanSaved { plan, .. } => {
            state.plans.insert(plan.name.clone(), plan.clone());
        }
        Record::PlanDeleted { name, .. } => {
            state.plans.remove(name);
        }
        Record::PolicySaved { policy, .. } => {
            state.policies.insert(policy.name.clone(), policy.clone());
        }
        Record::PolicyDeleted { name, .. } => {
            state.policies.remove(name);
        }
        Record::Answered { key, .. } => {
            state.answered.insert(key.clone());
        }
        _ => {}
    }
}

fn undo_failed(
    state: &mut State,
    at: VirtualMs,
    (job, member, step): (&JobId, &MachineName, &str),
    report: &Report,
) {
    if let Some(progress) = state.progress(job, member) {
        progress.undo_failed = Some(Failure { at, step: step.to_owned(), report: report.clone() });
    }
    state.learn(member, &[Fact::Warning(report.clone())]);
}

/// A member is through; its item may be through with protection altogether.
fn over(state: &mut State, job: &JobId, member: &MachineName, ended: &Ended) {
    member_ended(state, job, member, ended);
    let how = ended.operation.and_then(Operation::ends).filter(|_| ended.outcome == Outcome::Succeeded);
    if let Some(how) = how {
        leave(state, ended.at, member, how);
    }
}

fn cancel_asked(state: &mut State, at: VirtualMs, job: &JobId, dedupe: Option<&str>) {
    if let Some(found) = state.jobs.get_mut(job) {
        found.cancel = Some(at);
    }
    if let Some(key) = dedupe {
        state.requests.insert(key.to_owned(), job.clone());
    }
}

fn refused(state: &mut State, at: VirtualMs, job: &JobId, reports: &[Report]) {
    if let Some(found) = state.jobs.get_mut(job) {
        found.phase = Phase::Refused;
        found.checked = Some(at);
        found.ended = Some(at);
        found.refusal = reports.to_vec();
    }
    state.working.retain(|_, working| working != job);
}

fn job_ended(state: &mut State, at: VirtualMs, job: &JobId, outcome: Outcome) {
    if let Some(found) = state.jobs.get_mut(job) {
        found.phase = Phase::Ended(outcome);
        found.ended = Some(at);
    }
    state.working.retain(|_, working| working != job);
}

fn item_changed(item: &mut Item, at: VirtualMs, to: ProtectionState) {
    item.state = to;
    item.since = at;
    if to == ProtectionState::Protected {
        item.copies.followed(item.leg);
    }
}

fn decided(fact: &Fact) -> Option<(DiskId, String)> {
    let Fact::Decided { disk, decision, .. } = fact else { return None };
    Some((disk.clone(), decision.clone()))
}

fn accepted(state: &mut State, at: VirtualMs, request: &Accepted) {
    let member = |name: &MachineName| {
        let skipped = request.skipped.contains(name);
        let outcome = skipped.then_some(Outcome::Succeeded);
        (name.clone(), Progress { outcome, ended: skipped.then_some(at), ..Progress::default() })
    };
    let members = request.groups.iter().flatten().map(member).collect();
    let working = request.groups.iter().flatten().map(|name| (name.clone(), request.job.clone()));
    state.working.extend(working);
    if let Some(key) = &request.dedupe {
        state.requests.insert(key.clone(), request.job.clone());
    }
    state.order.push(request.job.clone());
    let job = Job {
        request: request.clone(),
        phase: Phase::Checking,
        accepted: at,
        checked: None,
        cancel: None,
        ended: None,
        refusal: Vec::new(),
        members,
        actions: BTreeMap::new(),
    };
    state.jobs.insert(request.job.clone(), job);
}

fn prechecked(state: &mut State, at: VirtualMs, id: &JobId, scenario: &str, running: ProtectionState) {
    let Some(job) = state.jobs.get_mut(id) else { return };
    job.phase = Phase::Running;
    job.checked = Some(at);
    let started = job.accepted;
    for (name, progress) in job.members.iter_mut().filter(|(_, progress)| progress.outcome.is_none()) {
        let input = job.request.inputs.get(name);
        let fresh = || Arc::new(Item::new(name.clone(), at));
        let item = Arc::make_mut(state.items.entry(name.clone()).or_insert_with(fresh));
        state.gone.remove(name);
        if let (Operation::EnableProtection, Some(input)) = (job.request.operation, input) {
            item.group = input.group.clone();
            item.keeps_address = input.keep_address;
            item.network.clone_from(&input.network);
            item.azure_name = input.azure_name.clone().unwrap_or_else(|| name.to_string());
            item.copies.protected_by(id);
        }
        if let (Operation::EnableProtection | Operation::ReprotectForward, Some(input)) =
            (job.request.operation, input)
        {
            item.policy = input.policy.clone();
        }
        progress.before = Some(Rest { state: item.state, leg: item.leg, active: item.active });
        if !job.request.operation.keeps_state() {
            item.state = running;
            item.since = at;
        }
        item.current = Some(Current { job: id.clone(), scenario: scenario.to_owned(), started });
    }
}

/// The item is no more, nor is it in any plan (ours). Its name is remembered, for those who ask for it.
fn leave(state: &mut State, at: VirtualMs, name: &MachineName, how: Leaving) {
    let Some(item) = state.items.remove(name) else { return };
    state.gone.insert(name.clone(), Gone { how, at, azure: item.azure.clone() });
    for plan in state.plans.values_mut() {
        plan.groups.iter_mut().for_each(|group| group.retain(|member| member != name));
        plan.groups.retain(|group| !group.is_empty());
    }
}

/// What a `MemberEnded` record says.
struct Ended {
    at: VirtualMs,
    outcome: Outcome,
    rest: Rest,
    operation: Option<Operation>,
    halfway: bool,
}

fn member_ended(state: &mut State, job: &JobId, member: &MachineName, ended: &Ended) {
    if let Some(progress) = state.progress(job, member) {
        progress.outcome = Some(ended.outcome);
        progress.ended = Some(ended.at);
    }
    let Some(item) = state.items.get_mut(member).map(Arc::make_mut) else { return };
    let done = ended.outcome == Outcome::Succeeded;
    let made_anew = done && ended.operation == Some(Operation::ChangePoint);
    if item.active != ended.rest.active || made_anew {
        item.last_failover = Some(ended.at);
        item.copies.moved_by(job, ended.rest.active);
    }
    if ended.operation.is_some_and(Operation::is_aside) {
        return;
    }
    item.state = ended.rest.state;
    item.leg = ended.rest.leg;
    item.active = ended.rest.active;
    item.since = ended.at;
    match ended.outcome {
        Outcome::Succeeded => {
            item.notes.clear();
            item.halfway = None;
            item.chosen_before = None;
        }
        Outcome::Failed | Outcome::Cancelled => {
            item.halfway = ended.operation.filter(|_| ended.halfway).or(item.halfway);
        }
    }
}
