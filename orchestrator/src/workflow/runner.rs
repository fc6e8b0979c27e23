//! Takes a job through its workflow: preconditions, steps, boot groups, unwinding. All it knows is in the
//! journal, so it may stop at any instant and another epoch's runner goes on.

use super::step::{Act, Recovery, StepCtx, Workflow};
use super::{Checked, Member, Request};
use super::{cancel, plan};
use crate::catalogue::execution::{CANCELLED, DEFECT, NO_ANSWER, REHEARSED, UNDO_FAILED};
use crate::config::ReplicationPolicy;
use crate::journal::{Fact, Input, Item, Job, JournalError, Outcome, Phase, Progress, Record, Rest};
use crate::rules::effects::takes_place;
use crate::service::{Orchestrator, Services, monitor};
use failback_wire::canary::Canary;
use failback_wire::clock::VirtualMs;
use failback_wire::error::{Class, Report};
use failback_wire::event::What;
use failback_wire::ids::{JobId, MachineName};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// One member of one job on its way through the workflow.
#[derive(Clone)]
pub(crate) struct Run {
    pub(crate) me: Arc<Orchestrator>,
    /// The job's own: one session at vCenter serves it all.
    pub(crate) services: Arc<Services>,
    pub(crate) job: JobId,
    pub(crate) workflow: &'static Workflow,
    pub(crate) member: MachineName,
}

/// What a step needs of the journal.
struct Folded {
    item: Arc<Item>,
    /// The items of all members of the job.
    members: Vec<Arc<Item>>,
    input: Input,
    groups: Vec<Vec<MachineName>>,
    /// Of the policy that the item follows on the way to Azure.
    policy: Option<ReplicationPolicy>,
}

/// Takes the job to its end, from wherever the journal says it is.
pub(crate) async fn drive(me: Arc<Orchestrator>, job: JobId) {
    if let Err(error) = drive_to_end(&me, &job).await {
        // The node is dead, or its store is: the next epoch takes the job up from the journal.
        tracing::error!(%job, %error, "the job stops here");
    }
}

async fn drive_to_end(me: &Arc<Orchestrator>, id: &JobId) -> Result<(), JournalError> {
    let Some(job) = me.job(id) else { return Ok(()) };
    let workflow = me.workflow(&job);
    let scenario = workflow.scenario_under(job.verb()).to_owned();
    me.emit(What::JobStarted { job: id.clone(), scenario, target: target(&job) });
    let services = Arc::new(me.services().apart());
    if job.phase == Phase::Checking && !precheck(me, &services, &job, workflow).await? {
        return Ok(());
    }
    plan::boot_in_order(me, &services, &job, workflow).await?;
    services.leave().await;
    let twice = me.services().ctx.env.planted(Canary::EndsTwice);
    let Some(job) = me.job(id).filter(|job| job.is_open() || twice) else { return Ok(()) };
    let outcome = of_members(&job);
    me.record(vec![Record::JobEnded { at: me.now(), job: id.clone(), outcome }])
}

/// A job ends as its members did: one that was asked to stop, and did for some of them, was cancelled.
fn of_members(job: &Job) -> Outcome {
    let any = |wanted| job.members.values().any(|member| member.outcome == Some(wanted));
    if any(Outcome::Cancelled) {
        return Outcome::Cancelled;
    }
    let all = job.members.values().all(|member| member.outcome == Some(Outcome::Succeeded));
    if all { Outcome::Succeeded } else { Outcome::Failed }
}

fn target(job: &Job) -> String {
    job.request.target.name().to_owned()
}

/// Looks at the preconditions of every member; true when the job may begin.
async fn precheck(
    me: &Arc<Orchestrator>,
    services: &Arc<Services>,
    job: &Job,
    workflow: &'static Workflow,
) -> Result<bool, JournalError> {
    let id = &job.request.job;
    let (task, title) = workflow.precheck;
    me.emit(What::TaskStarted { job: id.clone(), task: task.to_owned() });
    let names: Vec<MachineName> = job.names().cloned().collect();
    monitor::refresh(me, &names).await;
    if me.services().ctx.env.planted(Canary::ChecksAfterEffects) {
        begin_early(me, services, job, workflow).await;
    }
    let request = request(me, job);
    let limit = me.services().config.knobs.step_deadline;
    let checked = match timeout(limit, me.book().precheck(services, &request)).await {
        Ok(checked) => checked,
        Err(_) => {
            let refusals = vec![Report::new(&NO_ANSWER, target(job), title)];
            Checked { refusals, ..Checked::default() }
        }
    };
    let at = me.now();
    let passed = checked.refusals.is_empty();
    let record = if passed {
        Record::Prechecked {
            at,
            job: id.clone(),
            scenario: workflow.scenario_under(job.verb()).to_owned(),
            running: workflow.running.under(job.verb()),
            warnings: checked.warnings,
        }
    } else {
        if me.services().ctx.env.planted(Canary::RefusalLeavesSession) {
            services.vcenter.lose();
        }
        services.leave().await;
        Record::Refused { at, job: id.clone(), reports: checked.refusals }
    };
    me.record(vec![record])?;
    Ok(passed)
}

/// A planted bug: first steps are done before anybody knows whether the job may begin.
async fn begin_early(
    me: &Arc<Orchestrator>,
    services: &Arc<Services>,
    job: &Job,
    workflow: &'static Workflow,
) {
    for member in job.names().cloned() {
        let (me, services, id) = (me.clone(), services.clone(), job.request.job.clone());
        let run = Run { me, services, job: id, workflow, member };
        for step in workflow.steps.iter().take(2) {
            let key = format!("{}/{}/{}", run.job, run.member, step.id);
            let _ = run.attempts(step.run, &key, run.me.now(), |_| true).await;
        }
    }
}

fn request(me: &Orchestrator, job: &Job) -> Request {
    let asked = job.names().filter(|name| !job.request.skipped.contains(name));
    let plan = job.request.target.plan().map(str::to_owned);
    me.journal().read(|state| {
        let member = |name: &MachineName| {
            let (health, errors) = me.health(name);
            let item = state.items.get(name).cloned();
            let input = job.request.inputs.get(name).cloned().unwrap_or_default();
            let left = state.gone.get(name).and_then(|gone| gone.azure.clone());
            let policy = input.policy.as_ref().and_then(|policy| state.policies.get(policy)).cloned();
            (name.clone(), Member { item, input, policy, left, health, errors })
        };
        Request {
            operation: job.request.operation,
            groups: job.request.groups.clone(),
            members: asked.map(member).collect(),
            replication_groups: plan.iter().flat_map(|_| state.replication_groups()).collect(),
            plan,
        }
    })
}

impl Run {
    /// Takes the member through the steps `from..to`, then, if one failed, unwinds and ends the member.
    /// Ends it too when `to` is the end of the workflow. True when no step failed.
    pub(crate) async fn advance(&self, from: usize, to: usize) -> Result<bool, JournalError> {
        for index in from..to {
            let progress = self.progress();
            if progress.outcome.is_some() {
                return Ok(progress.outcome == Some(Outcome::Succeeded));
            }
            if progress.failed.is_some() || !self.step(index, &progress).await? {
                self.unwind().await?;
                return Ok(false);
            }
        }
        if to == self.workflow.steps.len() && self.progress().outcome.is_none() {
            self.end(Outcome::Succeeded, self.workflow.success, false).await?;
        }
        Ok(true)
    }

    /// Fails the member at its step `index` without trying it, then unwinds.
    pub(crate) async fn give_up(&self, index: usize, report: Report) -> Result<(), JournalError> {
        let progress = self.progress();
        if progress.outcome.is_some() {
            return Ok(());
        }
        if progress.failed.is_none()
            && let Some(step) = self.workflow.steps.get(index)
        {
            let report = if self.is_cancelled() { self.cancelled() } else { report };
            self.failed(step.id, report)?;
        }
        self.unwind().await
    }

    /// Ends a member whose task died of a defect.
    pub(crate) async fn broken(&self) -> Result<(), JournalError> {
        let progress = self.progress();
        if progress.outcome.is_some() {
            return Ok(());
        }
        let at_work = |step: &&super::Step| progress.steps.get(step.id).is_none_or(|s| s.done.is_none());
        if let (None, Some(step)) = (&progress.failed, self.workflow.steps.iter().find(at_work)) {
            self.failed(step.id, Report::new(&DEFECT, self.member.as_str(), step.id))?;
        }
        self.end_failed().await
    }

    fn failed(&self, step: &str, report: Report) -> Result<(), JournalError> {
        let (job, member) = (self.job.clone(), self.member.clone());
        self.me.record(vec![Record::StepFailed { at: self.me.now(), job, member, step: step.into(), report }])
    }

    /// Does one step, unless the journal says it is done. False when it failed for good.
    async fn step(&self, index: usize, progress: &Progress) -> Result<bool, JournalError> {
        let step = &self.workflow.steps[index];
        let at = self.me.now();
        let (key, started) = match progress.steps.get(step.id) {
            Some(found) if found.done.is_some() => return Ok(true),
            Some(found) => (found.key.clone(), found.started),
            None => {
                let key = format!("{}/{}/{}", self.job, self.member, step.id);
                let afterwards = self.me.services().ctx.env.planted(Canary::RecordsAfterwards);
                if !afterwards && !self.begin(step.id, &key, at)? {
                    self.failed(step.id, self.cancelled())?;
                    return Ok(false);
                }
                (key, at)
            }
        };
        let env = &self.me.services().ctx.env;
        let done = match takes_place(env, self.workflow.operation, step.id) {
            true => self.attempts(step.run, &key, started, Self::is_cancelled).await,
            false => Ok(Vec::new()),
        };
        if env.planted(Canary::RecordsAfterwards) && done.is_ok() {
            self.begin(step.id, &key, at)?;
        }
        match done {
            Ok(_) if self.fails_in_rehearsal() => {
                self.failed(step.id, Report::new(&REHEARSED, self.member.as_str(), step.id))?;
                Ok(false)
            }
            Ok(facts) => {
                let (job, member, step) = (self.job.clone(), self.member.clone(), step.id.to_owned());
                self.me.record(vec![Record::StepDone { at: self.me.now(), job, member, step, facts }])?;
                Ok(true)
            }
            Err(report) => {
                self.failed(step.id, report)?;
                Ok(false)
            }
        }
    }

    /// Journals that a step begins, unless the job was asked to stop before: then none does.
    fn begin(&self, step: &str, key: &str, at: VirtualMs) -> Result<bool, JournalError> {
        let (job, member) = (self.job.clone(), self.member.clone());
        let record = Record::StepStarted { at, job, member, step: step.to_owned(), key: key.to_owned() };
        let begun = self.me.journal().append::<_, JournalError>(|state| {
            let stops = state.jobs.get(&self.job).is_some_and(|job| job.cancel.is_some());
            Ok(if stops { (Vec::new(), false) } else { (vec![record.clone()], true) })
        })?;
        if begun {
            self.me.announce(&[record]);
        }
        Ok(begun)
    }

    fn is_cancelled(&self) -> bool {
        self.me.job(&self.job).is_some_and(|job| job.cancel.is_some())
    }

    fn cancelled(&self) -> Report {
        Report::new(&CANCELLED, self.member.as_str(), "")
    }

    /// True when the rehearsal wants the step that has just done its work to fail. The journal counts, so that
    /// a crash neither repeats the failure nor skips it.
    fn fails_in_rehearsal(&self) -> bool {
        let Some(nth) = self.me.services().config.knobs.rehearsal.fail_step else { return false };
        let ended = |member: &Progress| {
            let done = member.steps.values().filter(|step| step.done.is_some()).count();
            (done + usize::from(member.failed.is_some())) as u64
        };
        let members = |job: &Job| job.members.values().map(ended).sum::<u64>();
        nth == 1 + self.me.journal().read(|state| state.jobs.values().map(members).sum::<u64>())
    }

    /// Calls `act` until it comes to its end, fails for good, its time is up, or `stops` says so. A step taken up
    /// after a restart is tried at least once, however old it is.
    async fn attempts(
        &self,
        act: Act,
        key: &str,
        started: VirtualMs,
        stops: fn(&Self) -> bool,
    ) -> Result<Vec<Fact>, Report> {
        let knobs = &self.me.services().config.knobs;
        let deadline = started.plus(knobs.step_deadline);
        let mut again = knobs.rehearsal.twice;
        for attempt in 1.. {
            let Some(Folded { item, members, input, groups, policy }) = self.folded() else {
                return Err(Report::new(&DEFECT, self.member.as_str(), "the item is gone"));
            };
            let ctx = StepCtx {
                services: &self.services,
                ctx: &self.services.ctx,
                job: &self.job,
                item: &item,
                input: &input,
                groups: &groups,
                policy,
                key,
                attempt,
                members: &members,
            };
            let error = match timeout(knobs.step_deadline, act(&ctx)).await {
                // As after a crash that lost what it brought: it must converge.
                Ok(Ok(_)) if again => {
                    again = false;
                    continue;
                }
                Ok(Ok(facts)) => return Ok(facts),
                Ok(Err(error)) => error,
                Err(_) => {
                    let step = key.rsplit('/').next().unwrap_or(key);
                    let minutes = knobs.step_deadline.as_secs() / 60;
                    let detail = format!("{step} of {} has taken {minutes} minutes", self.member);
                    return Err(Report::new(&NO_ANSWER, self.member.as_str(), detail));
                }
            };
            let pause = match error.class {
                Class::Retry => self.back_off(key, attempt),
                Class::Wait => knobs.wait_every,
                Class::Operator | Class::Fatal | Class::Bug => return Err(*error.report),
            };
            if self.me.now().plus(pause) >= deadline {
                return Err(*error.report);
            }
            if stops(self) {
                return Err(self.cancelled());
            }
            sleep(pause).await;
        }
        Err(Report::new(&DEFECT, self.member.as_str(), "attempts are exhausted"))
    }

    /// Doubles with every attempt up to the cap, then takes off up to a quarter: the same step of many
    /// members must not hit a recovering system at one instant.
    fn back_off(&self, key: &str, attempt: u32) -> Duration {
        let knobs = &self.me.services().config.knobs;
        let doubled = knobs.retry_first.saturating_mul(1 << attempt.saturating_sub(1).min(16));
        let whole = doubled.min(knobs.retry_cap).as_millis() as u64;
        let draw = self.me.services().ctx.env.draw(&format!("orchestrator/back-off/{key}/{attempt}"));
        Duration::from_millis(whole - draw % (whole / 4 + 1))
    }

    /// What the journal knows now; `None` when the item is gone.
    fn folded(&self) -> Option<Folded> {
        self.me.journal().read(|state| {
            let job = state.jobs.get(&self.job).map(|job| &job.request);
            let groups = job.map(|job| job.groups.clone()).unwrap_or_default();
            let members = groups.iter().flatten().filter_map(|name| state.items.get(name).cloned()).collect();
            let input = job.and_then(|job| job.inputs.get(&self.member)).cloned().unwrap_or_default();
            let item = state.items.get(&self.member)?.clone();
            let policy = state.policy_of(&item);
            Some(Folded { item, members, input, groups, policy })
        })
    }

    fn progress(&self) -> Progress {
        let look = |state: &crate::journal::State| {
            state.jobs.get(&self.job).and_then(|job| job.members.get(&self.member)).cloned()
        };
        self.me.journal().read(look).unwrap_or_default()
    }

    /// True when a step from which only a further attempt leads on has begun, in this job or an earlier one.
    fn past_no_return(&self, progress: &Progress) -> bool {
        let forward = |step: &super::Step| {
            matches!(step.recovery, Recovery::Forward) && progress.steps.contains_key(step.id)
        };
        let halfway = |item: &Arc<Item>| item.halfway.is_some();
        let earlier = self.me.journal().read(|state| state.items.get(&self.member).is_some_and(halfway));
        earlier || self.workflow.steps.iter().any(forward)
    }

    /// Takes back what can be taken back, last step first, and ends the member.
    async fn unwind(&self) -> Result<(), JournalError> {
        let progress = self.progress();
        if progress.undo_failed.is_none() && !self.past_no_return(&progress) {
            for step in self.workflow.steps.iter().rev() {
                let begun = progress.steps.get(step.id).filter(|found| found.undone.is_none());
                let (Some(begun), Recovery::Undo(undo)) = (begun, step.recovery) else { continue };
                let outcome = self.attempts(undo, &begun.key, self.me.now(), |_| false).await;
                let (at, job, member) = (self.me.now(), self.job.clone(), self.member.clone());
                let step = step.id.to_owned();
                match outcome {
                    Ok(facts) => self.me.record(vec![Record::StepUndone { at, job, member, step, facts }])?,
                    Err(beneath) => {
                        let mut report = Report::new(&UNDO_FAILED, self.member.as_str(), step.as_str());
                        report.inner.push(format!("{}: {}", beneath.code, beneath.message));
                        report.inner.extend(beneath.inner);
                        self.me.record(vec![Record::UndoFailed { at, job, member, step, report }])?;
                        break;
                    }
                }
            }
        }
        self.end_failed().await
    }

    async fn end_failed(&self) -> Result<(), JournalError> {
        let progress = self.progress();
        let mut rest = progress.before.unwrap_or(self.workflow.success);
        let env = &self.me.services().ctx.env;
        if cancel::stopped(&progress) {
            rest.state = cancel::leaves(env, self.workflow.operation, &progress).unwrap_or(rest.state);
            return self.end(Outcome::Cancelled, rest, false).await;
        }
        if let Some(state) = self.workflow.failure {
            rest.state = state;
        }
        if env.planted(Canary::RestsInProgress) {
            rest.state = self.workflow.running;
        }
        self.end(Outcome::Failed, rest, self.past_no_return(&progress)).await
    }

    /// The member is through; where nothing comes after it so is the job, in the same commit.
    async fn end(&self, outcome: Outcome, rest: Rest, halfway: bool) -> Result<(), JournalError> {
        let before = self.progress().before.filter(|_| self.workflow.operation.keeps_state());
        let rest = before.unwrap_or(rest);
        let (job, member) = (self.job.clone(), self.member.clone());
        let found = self
            .me
            .journal()
            .read(|state| state.jobs.get(&job).map(|found| (found.ends_with_its_member(), found.verb())));
        let (single, verb) = found.unwrap_or_default();
        if single {
            self.services.leave().await;
        }
        let at = self.me.now();
        let rest = Rest { state: rest.state.under(verb), ..rest };
        let mut records = vec![Record::MemberEnded { at, job: job.clone(), member, outcome, rest, halfway }];
        if single {
            records.push(Record::JobEnded { at, job, outcome });
        }
        self.me.record(records)
    }
}
