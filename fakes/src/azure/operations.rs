//! The life of a long-running operation: begun, waiting for a guest or for time, ended with its effect.

use super::Azure;
use super::config::Timing;
use super::model::{Key, Model, Operation, Plan, Power, Target, Vm};
use super::refusal::Refusal;
use crate::guest::Fitness;
use failback_wire::arm::compute::PREPARE_TAG;
use failback_wire::clock::VirtualMs;
use failback_wire::event::Actor;
use failback_wire::node::Ctx;
use std::sync::Arc;
use std::time::Duration;

/// What a change came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Begun {
    /// An operation runs.
    Operation(String),
    /// There was nothing to do (deleting what is not there).
    Nothing,
}

/// Who changes what, when.
#[derive(Clone, Debug)]
pub(super) struct Asked<'a> {
    pub(super) now: VirtualMs,
    pub(super) by: Actor,
    pub(super) timing: &'a Timing,
}

impl Model {
    /// Refuses while another operation has `target`.
    pub(super) fn must_be_idle(&self, target: &Target, name: &str) -> Result<(), Refusal> {
        if self.running(target).is_some() { Err(Refusal::busy(name)) } else { Ok(()) }
    }

    /// Begins an operation that takes `length` (beside what it waits for its guest).
    pub(super) fn begin(
        &mut self,
        asked: &Asked<'_>,
        plan: Plan,
        target: Target,
        resource: String,
        length: Duration,
    ) -> Begun {
        let id = self.guid();
        let kind = plan.operation(&target);
        let armed = self.armed.iter_mut().find(|a| a.operation.is_none_or(|o| o == kind) && a.times > 0);
        let doom = armed.map(|a| {
            a.times -= 1;
            (a.code.clone(), a.message.clone())
        });
        self.armed.retain(|a| a.times > 0);
        self.busy.insert(target.clone(), id.clone());
        let operation = Operation {
            id: id.clone(),
            plan,
            target,
            resource,
            by: asked.by,
            started: asked.now,
            due: asked.now.plus(length),
            ended: None,
            error: None,
            doom,
            stuck: std::mem::take(&mut self.stick_next),
            output: None,
        };
        self.operations.insert(id.clone(), operation);
        Begun::Operation(id)
    }

    /// Ends an operation: its effect happens now, or its failure.
    pub(super) fn finish(&mut self, id: &str, now: VirtualMs, timing: &Timing) {
        let Some(operation) = self.operations.get(id).filter(|op| op.is_running()).cloned() else { return };
        self.busy.remove(&operation.target);
        let asked = Asked { now, by: operation.by, timing };
        let result = match operation.doom.clone() {
            Some(doom) => {
                self.undo(&operation);
                Err(doom)
            }
            None => self.effect(&operation, &asked).map_err(|r| (r.code, r.message)),
        };
        if let Target::Vm(vm) = &operation.target
            && let Some(vm) = self.vms.get_mut(vm)
        {
            vm.failed = result.as_ref().err().map(|(code, _)| code.clone());
        }
        if let Some(operation) = self.operations.get_mut(id) {
            operation.ended = Some(now);
            match result {
                Ok(output) => operation.output = output,
                Err(error) => operation.error = Some(error),
            }
        }
    }

    fn effect(
        &mut self,
        operation: &Operation,
        asked: &Asked<'_>,
    ) -> Result<Option<serde_json::Value>, Refusal> {
        match (&operation.target, &operation.plan) {
            (Target::Vm(vm), plan) => {
                self.vm(vm)?;
                match plan {
                    Plan::CreateVm | Plan::StartVm => self.power_up(vm, asked.by),
                    Plan::StopVm { deallocate: true, .. } => {
                        self.power_down(vm, Power::Deallocated, asked.by)
                    }
                    // Stopping what is deallocated does not take its host back.
                    Plan::StopVm { .. } if self.vm(vm)?.power == Power::Deallocated => {}
                    Plan::StopVm { .. } => self.power_down(vm, Power::Stopped, asked.by),
                    Plan::RestartVm => {
                        self.power_down(vm, Power::Stopped, asked.by);
                        self.power_up(vm, asked.by);
                    }
                    Plan::DeleteVm => self.remove_vm(vm, asked.by),
                    Plan::UpdateVm => {}
                    Plan::CreateVolume
                    | Plan::DeleteVolume
                    | Plan::GrantAccess { .. }
                    | Plan::RevokeAccess => {}
                }
                Ok(None)
            }
            (target @ (Target::Disk(_) | Target::Snapshot(_)), plan) => {
                self.volume_effect(target, plan, asked)
            }
        }
    }

    /// An operation fails: what it had begun is taken back where Azure takes it back.
    fn undo(&mut self, operation: &Operation) {
        if operation.plan == Plan::CreateVolume {
            match &operation.target {
                Target::Disk(key) => self.disks.remove(key),
                Target::Snapshot(key) => self.snapshots.remove(key),
                Target::Vm(_) => None,
            };
        }
    }
}

impl Azure {
    /// Keeps an operation going until it ended, as software of this epoch.
    pub(super) fn drive(self: &Arc<Self>, ctx: &Ctx, id: String) {
        let (azure, run) = (Arc::clone(self), ctx.clone());
        ctx.spawn(async move { azure.run(&run, &id).await });
    }

    async fn run(&self, ctx: &Ctx, id: &str) {
        let Some(operation) = self.with(|m| m.operations.get(id).cloned()) else { return };
        let mut due = operation.due;
        if let (Plan::StopVm { graceful: true, .. }, Target::Vm(vm), None) =
            (&operation.plan, &operation.target, &operation.doom)
        {
            let length = operation.due.since(operation.started);
            let limit = operation.started.plus(self.config.timing.shutdown_limit);
            let found = self.with(|m| m.vms.get(vm).map(|vm| (vm.reference(), vm.power, vm.hung)));
            if let Some((reference, Power::Running, hung)) = found {
                let limit = ctx.clock.instant(limit);
                if hung {
                    tokio::time::sleep_until(limit).await;
                } else {
                    // Out of time: the power is cut when the operation takes effect.
                    let _in_time = tokio::time::timeout_at(limit, self.guests.shut_down(&reference)).await;
                }
                due = ctx.now().plus(length);
                self.with(|m| {
                    if let Some(operation) = m.operations.get_mut(id) {
                        operation.due = due;
                    }
                });
            }
        }
        if let (Plan::CreateVm, Target::Vm(vm), None) = (&operation.plan, &operation.target, &operation.doom)
            && let Some(longer) = self.prepare(vm, id)
        {
            due = due.plus(longer);
        }
        tokio::time::sleep_until(ctx.clock.instant(due)).await;
        self.while_stuck(id).await;
        let now = ctx.now();
        self.with(|m| m.finish(id, now, &self.config.timing));
        self.ended.notify_waiters();
    }

    /// Waits until the operation is stuck no more.
    async fn while_stuck(&self, id: &str) {
        loop {
            let released = self.ended.notified();
            tokio::pin!(released);
            released.as_mut().enable();
            if !self.with(|m| m.operations.get(id).is_some_and(|operation| operation.stuck)) {
                return;
            }
            released.await;
        }
    }

    /// Prepares the system of a machine that is being made, when its document asks for it; how much longer that takes.
    fn prepare(&self, vm: &Key, id: &str) -> Option<Duration> {
        let asked = |vm: &&Vm| vm.document.tags.contains_key(PREPARE_TAG);
        let reference = self.with(|m| m.vms.get(vm).filter(asked).map(Vm::reference))?;
        match self.guests.prepare(&reference) {
            Fitness::Fit => return None,
            Fitness::Needy => {}
            Fitness::Hopeless(why) => self.with(|m| {
                if let Some(operation) = m.operations.get_mut(id) {
                    operation.doom = Some(("HydrationFailed".to_owned(), why));
                }
            }),
        }
        Some(self.config.timing.prepare)
    }

    /// Waits for the end of an operation.
    pub(super) async fn wait(&self, id: &str) -> Result<(), Refusal> {
        loop {
            let waiting = self.ended.notified();
            tokio::pin!(waiting);
            waiting.as_mut().enable();
            let (running, error) = self.with(|m| {
                let operation = m.operations.get(id);
                (operation.is_some_and(Operation::is_running), operation.and_then(|o| o.error.clone()))
            });
            match error {
                Some((code, message)) => return Err(Refusal::conflict(&code, message)),
                None if running => waiting.await,
                None => return Ok(()),
            }
        }
    }
}
