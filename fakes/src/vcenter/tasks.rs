//! Tasks: queued, running, success or error, in virtual time. Those of one object run one after another.

use super::Vcenter;
use super::model::task_ref;
use super::operation::{Operation, Progress, Task, Trouble};
use super::refusal;
use failback_wire::event::Actor;
use failback_wire::node::Ctx;
use failback_wire::vim::{Fault, MoRef};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Ended tasks that are remembered.
const REMEMBERED: usize = 200;

/// What a client asks for with a `…_Task` method.
pub(super) struct Submission {
    pub method: &'static str,
    pub description: &'static str,
    pub entity: MoRef,
    pub entity_name: String,
    pub operation: Operation,
}

impl Vcenter {
    fn duration(&self, operation: &Operation) -> Duration {
        let times = &self.config.times;
        match operation {
            Operation::PowerOn { .. } | Operation::PowerOff { .. } => times.power,
            Operation::Reconfigure { .. } => times.reconfigure,
            Operation::CreateSnapshot { .. } | Operation::Revert { .. } => times.snapshot,
            Operation::RemoveSnapshot { .. } | Operation::RemoveAllSnapshots { .. } => times.consolidate,
            Operation::CreateVm { .. } | Operation::Destroy { .. } | Operation::Register { .. } => {
                times.inventory
            }
            Operation::DisconnectHost { .. } | Operation::ReconnectHost { .. } => times.host,
            Operation::Search { .. } => times.search,
        }
    }

    /// Queues a task and returns its reference.
    pub(super) fn submit(self: &Arc<Self>, submission: Submission, by: Actor, user: &str) -> MoRef {
        let (id, ctx) = {
            let mut state = self.lock();
            let queued = state.now();
            let busy = state.model.tasks.values();
            let busy = busy.filter(|t| !t.ended() && t.entity == submission.entity).map(|t| t.end).max();
            let start = queued.plus(self.config.times.queue).max(busy.unwrap_or_default());
            let id = state.model.id();
            let trouble = state.model.trouble.take();
            let task = Task {
                method: submission.method,
                description: submission.description,
                entity: submission.entity,
                entity_name: submission.entity_name,
                by,
                user: user.to_owned(),
                queued,
                start,
                end: start.plus(self.duration(&submission.operation)),
                operation: submission.operation,
                progress: Progress::Queued,
                trouble,
                cancelled: false,
            };
            state.model.tasks.insert(id, task);
            state.model.touch();
            (id, state.ctx.clone())
        };
        if let Some(ctx) = ctx {
            ctx.spawn(Arc::clone(self).run_task(ctx.clone(), id));
        }
        self.changed.notify_waiters();
        task_ref(id)
    }

    /// Carries a task through; after a crash it goes on where it was.
    pub(super) async fn run_task(self: Arc<Self>, ctx: Ctx, id: u64) {
        let Some((start, end)) = self.lock().model.tasks.get(&id).map(|t| (t.start, t.end)) else { return };
        tokio::time::sleep_until(ctx.clock.instant(start)).await;
        self.while_stuck(|tasks| {
            let entity = tasks.get(&id).map(|task| &task.entity);
            tasks.range(..id).any(|(_, task)| task.is_stuck() && Some(&task.entity) == entity)
        })
        .await;
        self.progress(id, |task| task.progress = Progress::Running);
        tokio::time::sleep_until(ctx.clock.instant(end)).await;
        self.while_stuck(|tasks| tasks.get(&id).is_some_and(Task::is_stuck)).await;
        let task = self.lock().model.tasks.get(&id).filter(|t| !t.ended()).cloned();
        let Some(task) = task else { return };
        let result = match task.trouble {
            Some(Trouble::Fails) => Err(refusal::went_wrong(task.method)),
            Some(Trouble::Stuck) | None => self.apply(task.by, |apply| apply.run(&task.operation)),
        };
        self.progress(id, |task| {
            task.progress = match result {
                Ok(value) => Progress::Success(value),
                Err(fault) => Progress::Error(fault),
            };
        });
        self.forget_old_tasks();
    }

    /// Waits until what is so of the tasks is so no more.
    async fn while_stuck(&self, stuck: impl Fn(&BTreeMap<u64, Task>) -> bool) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if !stuck(&self.lock().model.tasks) {
                return;
            }
            changed.await;
        }
    }

    /// The next task that a client asks for has this wrong with it.
    pub(super) fn trouble_next(&self, trouble: Trouble) {
        self.lock().model.trouble = Some(trouble);
    }

    /// Tasks that are stuck go on, and the next one will not get stuck.
    pub(super) fn release_tasks(&self) {
        let mut state = self.lock();
        state.model.trouble = None;
        for task in state.model.tasks.values_mut().filter(|task| task.is_stuck()) {
            task.trouble = None;
        }
        drop(state);
        self.changed.notify_waiters();
    }

    /// Changes a task that has not ended.
    fn progress(&self, id: u64, change: impl FnOnce(&mut Task)) {
        let mut state = self.lock();
        if let Some(task) = state.model.tasks.get_mut(&id).filter(|t| !t.ended()) {
            change(task);
            state.model.touch();
        }
        drop(state);
        self.changed.notify_waiters();
    }

    fn forget_old_tasks(&self) {
        let mut state = self.lock();
        let tasks = &mut state.model.tasks;
        let ended: Vec<u64> = tasks.iter().filter(|(_, t)| t.ended()).map(|(id, _)| *id).collect();
        for id in ended.iter().take(ended.len().saturating_sub(REMEMBERED)) {
            tasks.remove(id);
        }
    }

    /// Cancels a task that has not ended; it has no effect then.
    pub(super) fn cancel_task(&self, id: u64) -> Result<(), Fault> {
        let mut state = self.lock();
        let now = state.now();
        let Some(task) = state.model.tasks.get_mut(&id) else { return Err(refusal::gone(&task_ref(id))) };
        if task.ended() {
            return Err(refusal::invalid_state());
        }
        task.cancelled = true;
        task.end = now;
        task.progress = Progress::Error(refusal::cancelled());
        state.model.touch();
        drop(state);
        self.changed.notify_waiters();
        Ok(())
    }

    /// Waits until a guest that was asked to shut down has done so; then its machine is off.
    pub(super) async fn await_shutdown(self: Arc<Self>, vm: u64) {
        let Some(name) = self.lock().model.vms.get(&vm).map(|vm| vm.reference()) else { return };
        self.guests.shut_down(&name).await;
        let asked = self.lock().model.vms.get(&vm).filter(|vm| vm.powered).and_then(|vm| vm.shutting_down);
        let Some(by) = asked else { return };
        if self.guests.is_running(&name) {
            // It hangs: the machine keeps its power, and may be asked again.
            self.lock().model.vms.edit(vm, |vm| vm.shutting_down = None);
            return;
        }
        let done = self.apply(by, |apply| {
            apply.is_off(vm, by);
            Ok(())
        });
        debug_assert!(done.is_ok());
    }
}
