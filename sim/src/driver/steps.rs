//! The steps of a scenario, one by one.

use super::ledger::Rule;
use super::persist::PATIENCE;
use super::play::Driver;
use super::requests::Request;
use crate::fault::{Action, Moment, Strike};
use crate::report::outcome::{Finding, FindingKind};
use crate::scenario::fault::{CallMoment, Change, TaskMoment, When, WriteMoment};
use crate::scenario::inventory::Machine;
use crate::scenario::inventory::Plan;
use crate::scenario::model::{Arm, Expect, Step, WaitUntil};
use failback_wire::event::What;
use failback_wire::http::Method;
use failback_wire::ids::NodeName;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Agents register within 15 minutes of their boot (P32); then machines can be protected.
const REGISTRATION: Duration = Duration::from_secs(15 * 60);
/// How long the operator waits at least before it looks again whether something has come true.
pub(super) const LOOK: Duration = Duration::from_secs(10);
/// And at most.
const SELDOM: Duration = Duration::from_secs(120);

/// How long the operator waits before it looks again at what it has waited for so long: as long once more.
pub(super) fn until_next_look(waited: Duration) -> Duration {
    waited.clamp(LOOK, SELDOM)
}

/// Why a play ends before its last step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The twin has seen what it was asked to see.
    Twin,
    /// Going on makes no sense; the finding is written.
    Failed,
}

/// Where a step stands: index from 0, number from 1, line.
#[derive(Clone, Copy, Debug)]
pub(super) struct At {
    pub(super) index: usize,
    pub(super) line: u32,
}

impl At {
    pub(super) fn step(self) -> (u32, u32) {
        (self.index as u32 + 1, self.line)
    }
    /// The name of a fault that its file did not name.
    fn fault_id(self) -> String {
        format!("step-{}", self.index + 1)
    }
}

impl Driver<'_> {
    pub(super) fn fail(&mut self, at: At, finding: Finding) -> Stop {
        let (step, line) = at.step();
        self.findings.push(finding.at(step, line));
        Stop::Failed
    }

    pub(super) async fn all_steps(&mut self) -> Result<(), Stop> {
        self.protect_estate().await?;
        if self.script.listen {
            self.world.listen();
        }
        for index in 0.. {
            self.began.push(self.world.recorder.occasion().0);
            if let Some(other) = self.script.crossroads.and_then(|way| way.turn(index, &self.world)) {
                self.checked = other;
            }
            let checked = self.checked;
            let Some(step) = checked.scenario.steps.get(index) else { break };
            let at = At { index, line: step.at.line };
            self.current = Some(at);
            self.world.emit(What::StepStarted { step: at.step().0, text: step.to_string() });
            self.world.board.strike_due();
            #[expect(
                clippy::disallowed_methods,
                reason = "wall time of the report; nothing in the run sees it"
            )]
            let began = std::time::Instant::now();
            let from = self.world.clock.now();
            let done = self.step(at, &step.value).await;
            self.times.push((from, self.world.clock.now()));
            self.walls.push(began.elapsed());
            let outcome = if done.is_ok() { "done" } else { "failed" };
            self.world.emit(What::StepEnded { step: at.step().0, outcome: outcome.into() });
            done?;
            self.rest(at).await;
        }
        Ok(())
    }

    /// Brings the whole estate under protection, through the API, before the first step: machine by machine, and in
    /// twenty batches where there are more, so that a large estate is not hours older than a small one.
    async fn protect_estate(&mut self) -> Result<(), Stop> {
        sleep(REGISTRATION).await;
        let at = At { index: 0, line: 0 };
        let inventory = self.checked.inventory.clone();
        let protected: Vec<&Machine> = inventory.machines.iter().filter(|m| m.protected).collect();
        for batch in protected.chunks(protected.len().div_ceil(20).max(1)) {
            let request = |machine: &&Machine| Request {
                method: Method::PUT,
                path: self.client.item_path(&machine.name),
                body: self.enable_body(machine, None),
            };
            let requests: Vec<Request> = batch.iter().map(request).collect();
            self.all_succeed(at, &requests, Duration::from_secs(7200)).await?;
        }
        for machine in protected {
            let wait = WaitUntil::state(&machine.name, crate::scenario::model::ItemState::Protected);
            self.wait_until(at, &wait).await?;
        }
        let here = |name: &str| inventory.machines.iter().any(|m| m.name == name && m.protected);
        let at_once = |plan: &&Plan| plan.from_the_start && plan.members().all(here);
        for plan in inventory.plans.iter().filter(at_once) {
            let (path, body) = (self.client.plan_path(&plan.name), self.plan_body(plan));
            let request = Request { method: Method::PUT, path, body };
            self.all_succeed(at, &[request], Duration::from_secs(600)).await?;
        }
        Ok(())
    }

    /// What a step asks the product for, as it is now; nothing where the step does something itself.
    #[expect(clippy::wildcard_enum_match_arm, reason = "`step` has the others")]
    pub(super) async fn ask(&self, step: &Step) -> Option<Request> {
        Some(match step {
            Step::Failover(s) => self.failover(s).await,
            Step::Failback(s) => self.failback(s).await,
            Step::Commit(s) => self.of(&s.item, &s.plan, "failoverCommit", Value::Null),
            Step::Reprotect(s) => self.of(&s.item, &s.plan, "reProtect", self.reprotect_body(s)),
            Step::TestFailover(s) => self.test_failover(s).await,
            Step::CleanUpTestFailover(s) => {
                let body = json!({ "properties": { "comments": "done" } });
                self.of(&s.item, &s.plan, "testFailoverCleanup", body)
            }
            Step::ChangeRecoveryPoint(s) => self.change_point(s).await,
            Step::MoveProcessServer(s) => self.move_server(s),
            Step::Resynchronise(s) => self.of_item(&s.item, "repairReplication", Value::Null),
            Step::RestartJob(s) => self.restart_job(s),
            Step::EnableProtection(s) => self.enable_protection(s),
            Step::DisableProtection(s) => self.disable(&s.item, "NotSpecified"),
            Step::CompleteMigration(s) => self.disable(&s.item, "MigrationComplete"),
            Step::RemoveProtection(s) => self.purge(&s.item),
            Step::Policy(s) => self.policy(s),
            Step::RenewCertificate(_) => self.renew_certificate(),
            Step::SavePlan(s) => self.save_plan(s),
            Step::DeletePlan(s) => self.delete_plan(s),
            _ => return None,
        })
    }

    /// Does what a step says.
    async fn step(&mut self, at: At, step: &Step) -> Result<(), Stop> {
        match step {
            Step::Failover(_)
            | Step::Failback(_)
            | Step::Commit(_)
            | Step::Reprotect(_)
            | Step::TestFailover(_)
            | Step::CleanUpTestFailover(_)
            | Step::ChangeRecoveryPoint(_)
            | Step::MoveProcessServer(_)
            | Step::Resynchronise(_)
            | Step::RestartJob(_)
            | Step::EnableProtection(_)
            | Step::DisableProtection(_)
            | Step::CompleteMigration(_)
            | Step::RemoveProtection(_)
            | Step::Policy(_)
            | Step::RenewCertificate(_)
            | Step::SavePlan(_)
            | Step::DeletePlan(_) => return self.operate(at, step).await,
            Step::Cancel(s) => return self.cancel(at, s).await,
            Step::Confirm(s) => return self.confirm(at, s).await,
            Step::Wait(period) => sleep(period.duration()).await,
            Step::WaitUntil(s) => return self.wait_until(at, s).await,
            Step::Write(s) => {
                let wrote = self.world.write(&s.machine, *s.blocks);
                return self.done(at, wrote);
            }
            Step::Inject(change) => return self.inject(at, change),
            Step::Arm(s) => return self.arm(at, s),
            Step::Clear(id) => self.world.clear(id),
            Step::Operator(change) => {
                let changed = self.by_hand(change).await;
                return self.done(at, changed);
            }
            Step::Crash(s) => {
                let back = s.restart_after.as_ref().map(|p| p.duration());
                self.world.crash(&NodeName::from(s.node.as_str()), back);
            }
            Step::Restart(s) => {
                let started = self.world.restart(&NodeName::from(s.node.as_str()));
                return self.done(at, started);
            }
            Step::Check(expect) => self.check(at, expect).await,
        }
        Ok(())
    }

    async fn check(&mut self, at: At, expect: &Expect) {
        if self.persists() {
            return;
        }
        let findings = self.judge(expect).await;
        let (step, line) = at.step();
        self.findings.extend(findings.into_iter().map(|f| f.at(step, line)));
    }

    /// What could not be done ends the play, unless faults may have changed what there is to do.
    fn done(&mut self, at: At, done: Result<(), String>) -> Result<(), Stop> {
        if self.persists() {
            return Ok(());
        }
        done.map_err(|e| self.fail(at, Finding::new(FindingKind::ExpectationFailed, e)))
    }

    fn inject(&mut self, at: At, change: &Change) -> Result<(), Stop> {
        let id = at.fault_id();
        self.enter(at, &id, Some(change));
        self.world.board.strike_now(&id, Action::Change(Box::new(change.clone())));
        self.fault_error(at, &id)
    }

    /// Writes a fault into the ledger. Call and link faults fire when the switchboard says so.
    fn enter(&mut self, at: At, id: &str, change: Option<&Change>) {
        self.world.board.enter(id, at.step());
        if let Some(rule) = change.and_then(Rule::of) {
            self.rules.insert(id.to_owned(), rule);
        }
        self.world.emit(What::FaultArmed { fault: id.to_owned() });
    }

    /// A fault that could not strike names something that is not there.
    fn fault_error(&mut self, at: At, id: &str) -> Result<(), Stop> {
        let error = self.world.board.ledger().into_iter().find(|e| e.id == id).and_then(|e| e.error);
        match error {
            // Where another fault changed the course there may be nothing for it to change.
            Some(_) if self.persists() => {
                self.world.board.strike_out(id);
                Ok(())
            }
            Some(error) => Err(self.fail(at, Finding::new(FindingKind::ExpectationFailed, error))),
            None => Ok(()),
        }
    }

    fn arm(&mut self, at: At, arm: &Arm) -> Result<(), Stop> {
        let id = arm.id.as_ref().map_or_else(|| at.fault_id(), |n| n.value.clone());
        self.enter(at, &id, arm.fault.as_ref());
        if let Some(ends) = &arm.ends {
            self.world.board.ends(&id, ends.after.duration(), ends.by.clone());
        }
        let action = match (&arm.fault, &arm.crash) {
            (Some(change), _) => Action::Change(Box::new(change.clone())),
            (None, Some(crash)) => {
                let back = crash.restart_after.as_ref().map(|p| p.duration());
                Action::Crash(NodeName::from(crash.node.value.as_str()), back)
            }
            (None, None) => return Ok(()),
        };
        match &arm.when {
            // The call it names is the moment.
            None => self.world.board.strike_now(&id, action),
            Some(When::After(period)) => self.world.strike_after(&id, period.duration(), action),
            Some(When::AfterFault(other)) => {
                let (first, by) = (other.id.value.clone(), other.by.duration());
                self.world.board.arm(&id, Moment::Fault { id: first, by }, action);
            }
            Some(When::BeforeWrite(write)) => self.world.board.arm(&id, write_moment(true, write), action),
            Some(When::AfterWrite(write)) => self.world.board.arm(&id, write_moment(false, write), action),
            Some(When::BeforeCall(call)) => self.world.board.arm(&id, call_moment(true, call), action),
            Some(When::AfterCall(call)) => self.world.board.arm(&id, call_moment(false, call), action),
            Some(When::AtTask(task)) => self.world.board.arm(&id, task_moment(true, task), action),
            Some(When::AfterTask(task)) => self.world.board.arm(&id, task_moment(false, task), action),
        }
        self.fault_error(at, &id)
    }

    pub(super) async fn wait_until(&mut self, at: At, what: &WaitUntil) -> Result<(), Stop> {
        let patience = if self.persists() { PATIENCE } else { Duration::ZERO };
        let began = Instant::now();
        let deadline = began + what.within.duration() + patience;
        loop {
            let item = &what.item.value;
            let missing = match self.lacks(what).await {
                Ok(missing) => missing,
                Err(e) => Some(e.to_string()),
            };
            let Some(missing) = missing else { return Ok(()) };
            self.lend_a_hand(at, &what.item).await?;
            if Instant::now() >= deadline {
                let text = format!(
                    "{} did not come to what the step waits for within {}",
                    what.item.value, *what.within
                );
                let finding = Finding::new(FindingKind::ExpectationFailed, text);
                let shown = self.seen(item).await.map_or_else(|e| e.to_string(), |s| s.to_string());
                return Err(self.fail(at, finding.compared(missing, shown)));
            }
            sleep(until_next_look(began.elapsed())).await;
        }
    }
}

fn call_moment(before: bool, call: &CallMoment) -> Moment {
    Moment::Call {
        before,
        from: call.from.as_ref().map(|n| NodeName::from(n.value.as_str())),
        to: NodeName::from(call.to.value.as_str()),
        operation: call.operation.value.clone(),
        nth: u64::from(call.nth.value),
    }
}

fn write_moment(before: bool, write: &WriteMoment) -> Moment {
    Moment::Write { before, kind: write.kind.value.clone(), nth: u64::from(write.nth.value) }
}

fn task_moment(start: bool, task: &TaskMoment) -> Moment {
    Moment::Task {
        start,
        task: task.task.value.clone(),
        target: task.target.as_ref().map(|n| n.value.clone()),
        nth: u64::from(task.nth.value),
    }
}
