//! The steps of a scenario, one by one.

use super::play::Driver;
use crate::fault::{Action, Moment, Strike};
use crate::report::outcome::{Finding, FindingKind};
use crate::scenario::fault::{CallMoment, Change, TaskMoment, When};
use crate::scenario::inventory::Machine;
use crate::scenario::inventory::Plan;
use crate::scenario::model::{Arm, Step, WaitUntil};
use crate::world::BUILT_IN_PROCESS_SERVER;
use failback_wire::event::{Actor, What};
use failback_wire::http::Method;
use failback_wire::ids::NodeName;
use serde_json::json;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Agents register within 15 minutes of their boot (P32); then machines can be protected.
const REGISTRATION: Duration = Duration::from_secs(15 * 60);
/// How often the operator looks whether something has come true.
pub(super) const LOOK: Duration = Duration::from_secs(10);

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
        let steps = &self.checked.scenario.steps;
        for (index, step) in steps.iter().enumerate() {
            let at = At { index, line: step.at.line };
            self.current = Some(at);
            self.world.emit(What::StepStarted { step: at.step().0, text: title(&step.value) });
            self.world.board.strike_due();
            #[expect(
                clippy::disallowed_methods,
                reason = "wall time of the report; nothing in the run sees it"
            )]
            let began = std::time::Instant::now();
            let done = self.step(at, &step.value).await;
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
            let asked = batch.iter().map(|machine| {
                let body = self.enable_body(machine, &ProtectUnder::default());
                (self.client.item_path(&machine.name), body, Duration::from_secs(7200))
            });
            self.expect_successes(at, &Method::PUT, asked.collect()).await?;
        }
        for machine in protected {
            let wait = WaitUntil::state(&machine.name, crate::scenario::model::ItemState::Protected);
            self.wait_until(at, &wait).await?;
        }
        let here = |name: &str| inventory.machines.iter().any(|m| m.name == name && m.protected);
        let at_once = |plan: &&Plan| plan.from_the_start && plan.members().all(here);
        for plan in inventory.plans.iter().filter(at_once) {
            let body = self.plan_body(plan);
            let path = self.client.plan_path(&plan.name);
            self.expect_success(at, Method::PUT, path, body, Duration::from_secs(600)).await?;
        }
        Ok(())
    }

    async fn step(&mut self, at: At, step: &Step) -> Result<(), Stop> {
        match step {
            Step::Failover(_)
            | Step::Commit(_)
            | Step::Reprotect(_)
            | Step::Failback(_)
            | Step::EnableProtection(_)
            | Step::DisableProtection(_)
            | Step::RemoveProtection(_)
            | Step::CompleteMigration(_)
            | Step::Policy(_)
            | Step::RenewCertificate(_)
            | Step::TestFailover(_)
            | Step::CleanUpTestFailover(_)
            | Step::ChangeRecoveryPoint(_)
            | Step::MoveProcessServer(_)
            | Step::Resynchronise(_)
            | Step::RestartJob(_) => self.operate(at, step).await,
            Step::Cancel(cancel) => self.cancel(at, cancel).await,
            Step::SavePlan(save) => self.save_plan(at, save).await,
            Step::Confirm(confirm) => self.confirm(at, confirm).await,
            Step::Wait(period) => {
                sleep(period.duration()).await;
                Ok(())
            }
            Step::WaitUntil(what) => self.wait_until(at, what).await,
            Step::Write(write) => {
                let wrote = self.world.write(&write.machine.value, write.blocks.value);
                wrote.map_err(|e| self.fail(at, Finding::new(FindingKind::ExpectationFailed, e)))
            }
            Step::Inject(change) => self.inject(at, change),
            Step::Operator(change) => {
                let done = self.world.change("operator", change, Actor::Operator);
                done.map_err(|e| self.fail(at, Finding::new(FindingKind::ExpectationFailed, e)))
            }
            Step::Arm(arm) => self.arm(at, arm),
            Step::Clear(id) => {
                self.world.clear(&id.value);
                Ok(())
            }
            Step::Crash(node) => {
                let back = node.restart_after.as_ref().map(|p| p.duration());
                self.world.crash(&NodeName::from(node.node.value.as_str()), back);
                Ok(())
            }
            Step::Restart(node) => {
                let started = self.world.restart(&NodeName::from(node.node.value.as_str()));
                started.map_err(|e| self.fail(at, Finding::new(FindingKind::ExpectationFailed, e)))
            }
            Step::Check(expect) => {
                let findings = self.judge(expect).await;
                let (step, line) = at.step();
                self.findings.extend(findings.into_iter().map(|f| f.at(step, line)));
                Ok(())
            }
        }
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
        if matches!(change, Some(Change::Call(_) | Change::Link(_))) {
            self.rules.push(id.to_owned());
        }
        self.world.emit(What::FaultArmed { fault: id.to_owned() });
    }

    /// A fault that could not strike names something that is not there.
    fn fault_error(&mut self, at: At, id: &str) -> Result<(), Stop> {
        let error = self.world.board.ledger().into_iter().find(|e| e.id == id).and_then(|e| e.error);
        match error {
            Some(error) => Err(self.fail(at, Finding::new(FindingKind::ExpectationFailed, error))),
            None => Ok(()),
        }
    }

    fn arm(&mut self, at: At, arm: &Arm) -> Result<(), Stop> {
        let id = arm.id.as_ref().map_or_else(|| at.fault_id(), |n| n.value.clone());
        self.enter(at, &id, arm.fault.as_ref());
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
            Some(When::BeforeCall(call)) => self.world.board.arm(&id, call_moment(true, call), action),
            Some(When::AfterCall(call)) => self.world.board.arm(&id, call_moment(false, call), action),
            Some(When::AtTask(task)) => self.world.board.arm(&id, task_moment(true, task), action),
            Some(When::AfterTask(task)) => self.world.board.arm(&id, task_moment(false, task), action),
        }
        self.fault_error(at, &id)
    }

    pub(super) async fn wait_until(&mut self, at: At, what: &WaitUntil) -> Result<(), Stop> {
        let deadline = Instant::now() + what.within.duration();
        loop {
            let item = &what.item.value;
            let count = what.points.is_some() || what.app_points.is_some();
            let seen = if count { self.seen(item).await } else { self.state_of(item).await };
            let missing = match &seen {
                Ok(seen) => seen.missing(what),
                Err(e) => Some(e.to_string()),
            };
            let Some(missing) = missing else { return Ok(()) };
            if Instant::now() >= deadline {
                let text = format!(
                    "{} did not come to what the step waits for within {}",
                    what.item.value, *what.within
                );
                let finding = Finding::new(FindingKind::ExpectationFailed, text);
                let shown = self.seen(item).await.map_or_else(|e| e.to_string(), |s| s.to_string());
                return Err(self.fail(at, finding.compared(missing, shown)));
            }
            sleep(LOOK).await;
        }
    }

    pub(super) fn enable_body(&self, machine: &Machine, under: &ProtectUnder<'_>) -> serde_json::Value {
        let named = |(n, disk): (usize, &crate::scenario::inventory::Disk)| {
            (under.every_disk || !disk.excluded).then(|| format!("{}-disk{n}", machine.name))
        };
        let some_chosen = machine.disks.iter().any(|disk| disk.excluded || disk.iscsi);
        let included: Option<Vec<String>> =
            some_chosen.then(|| machine.disks.iter().enumerate().filter_map(named).collect());
        json!({ "properties": {
            "policyId": self.client.policy_path(under.policy.unwrap_or("lab-policy")),
            "providerSpecificDetails": {
                "instanceType": "InMageAzureV2",
                "processServerId": under.process_server.unwrap_or(BUILT_IN_PROCESS_SERVER),
                "vmFriendlyName": machine.name,
                "multiVmGroupName": under.group.or(machine.group.as_deref()),
                "targetAzureVmName": machine.name,
                "disksToInclude": included,
                "retainIpAddress": machine.retain_address,
                "targetAzureNetworkId": machine.azure_network,
            },
        }})
    }
}

/// What a machine is protected under, where it is not the usual.
#[derive(Clone, Copy, Default)]
pub(super) struct ProtectUnder<'a> {
    pub(super) policy: Option<&'a str>,
    pub(super) group: Option<&'a str>,
    pub(super) process_server: Option<&'a str>,
    pub(super) every_disk: bool,
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

fn task_moment(start: bool, task: &TaskMoment) -> Moment {
    Moment::Task {
        start,
        task: task.task.value.clone(),
        target: task.target.as_ref().map(|n| n.value.clone()),
        nth: u64::from(task.nth.value),
    }
}

/// How a step reads in the timeline.
pub(super) fn title(step: &Step) -> String {
    let of = |item: &Option<crate::scenario::text::Name>, plan: &Option<crate::scenario::text::Name>| {
        item.as_ref().or(plan.as_ref()).map(|n| n.value.clone()).unwrap_or_default()
    };
    match step {
        Step::Failover(s) => format!("fail over {}", of(&s.item, &s.plan)),
        Step::Commit(s) => format!("commit {}", of(&s.item, &s.plan)),
        Step::Reprotect(s) => format!("reprotect {}", of(&s.item, &s.plan)),
        Step::Failback(s) => format!("fail back {}", of(&s.item, &s.plan)),
        Step::TestFailover(s) => format!("test the failover of {}", of(&s.item, &s.plan)),
        Step::CleanUpTestFailover(s) => format!("clean up the test of {}", of(&s.item, &s.plan)),
        Step::ChangeRecoveryPoint(s) => format!("change the recovery point of {}", of(&s.item, &None)),
        Step::MoveProcessServer(s) => {
            let item = s.item.as_ref().map_or("its machines", |item| item.value.as_str());
            format!("move {item} from {} to {}", s.from.value, s.to.value)
        }
        Step::Resynchronise(s) => format!("resynchronise {}", s.item.value),
        Step::RestartJob(s) => format!("restart the last job of {}", of(&s.item, &s.plan)),
        Step::Cancel(s) => format!("cancel what runs on {}", of(&s.item, &s.plan)),
        Step::EnableProtection(s) => format!("protect {}", s.item.value),
        Step::DisableProtection(s) => format!("disable the protection of {}", s.item.value),
        Step::RemoveProtection(s) => format!("remove {} from the vault", s.item.value),
        Step::CompleteMigration(s) => format!("complete the migration of {}", s.item.value),
        Step::Policy(s) => format!("change policy {}", s.name.value),
        Step::RenewCertificate(_) => "renew the certificate".into(),
        Step::SavePlan(s) => format!("save plan {}", s.name.value),
        Step::Confirm(s) => format!("confirm {}", s.plan.value),
        Step::Wait(period) => format!("wait {}", **period),
        Step::WaitUntil(w) => format!("wait until {} is ready", w.item.value),
        Step::Write(w) => format!("{} writes {} blocks", w.machine.value, *w.blocks),
        Step::Inject(_) => "a fault strikes".into(),
        Step::Arm(_) => "a fault is armed".into(),
        Step::Clear(id) => format!("clear {}", id.value),
        Step::Operator(_) => "the operator acts".into(),
        Step::Crash(n) => format!("{} crashes", n.node.value),
        Step::Restart(n) => format!("{} starts", n.node.value),
        Step::Check(_) => "check".into(),
    }
}
