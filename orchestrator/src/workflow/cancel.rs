//! Cancelling a job: which may be, and what then becomes of the item.
//!
//! A job that is asked to stop begins no further step; what was done is taken back as after a failure. One that is
//! past its point of no return goes on to its end, and so does every failback that has begun (C18). A failover to
//! Azure that has stopped the replication cannot start it again: its item rests where only another failover, or the
//! end of the protection, leads on (C6).

use super::step::{Recovery, Workflow};
use crate::catalogue::execution::CANCELLED;
use crate::journal::{Job, Operation, Phase, Progress, ProtectionState, State};
use failback_wire::env::Env;

/// An operation whose job may be cancelled.
struct Cancellable {
    operation: Operation,
    /// From this step on the item does not come back to where it was, but rests in this state.
    leaves: Option<(&'static str, ProtectionState)>,
}

const fn taken_back(operation: Operation) -> Cancellable {
    Cancellable { operation, leaves: None }
}

/// All others go on to their end: commits delete, and a failback is never cancelled (C18).
static CANCELLABLE: &[Cancellable] = &[
    taken_back(Operation::EnableProtection),
    Cancellable {
        operation: Operation::Failover,
        leaves: Some(("stop-replication", ProtectionState::ReplicationStopped)),
    },
    taken_back(Operation::Reprotect),
    taken_back(Operation::ReprotectForward),
    taken_back(Operation::TestFailover),
    taken_back(Operation::ChangePoint),
    taken_back(Operation::MoveServer),
];

/// Why the job cannot be cancelled; `None` when it can.
pub(crate) fn refusal(env: &Env, state: &State, job: &Job, workflow: &Workflow) -> Option<&'static str> {
    match job.phase {
        Phase::Checking | Phase::Running => {}
        Phase::Refused | Phase::Ended(_) => return Some("the job has ended"),
    }
    let operation = job.request.operation;
    let any_time = operation == Operation::Failback && !env.holds("C18");
    if !any_time && !CANCELLABLE.iter().any(|known| known.operation == operation) {
        return Some(match operation == Operation::Failback {
            true => "a failback cannot be cancelled once it has begun",
            false => "such a job goes on to its end",
        });
    }
    let forward = |step: &&super::Step| matches!(step.recovery, Recovery::Forward);
    let begun = |step: &super::Step| job.members.values().any(|member| member.steps.contains_key(step.id));
    let halfway = job.names().any(|name| state.items.get(name).is_some_and(|item| item.halfway.is_some()));
    let past = halfway || workflow.steps.iter().filter(forward).any(begun);
    past.then_some("the job has passed its point of no return")
}

/// True when the member stopped because it was asked to, and is where it was.
pub(crate) fn stopped(progress: &Progress) -> bool {
    let asked = progress.failed.as_ref().is_some_and(|failure| failure.report.code == CANCELLED.code);
    asked && progress.undo_failed.is_none()
}

/// Where a member that was cancelled comes to rest, when it is not where it was before.
pub(super) fn leaves(env: &Env, operation: Operation, progress: &Progress) -> Option<ProtectionState> {
    let known = CANCELLABLE.iter().find(|known| known.operation == operation)?;
    let (step, state) = known.leaves?;
    (env.holds("C6") && progress.steps.contains_key(step)).then_some(state)
}
