//! Asking again for what a job did not do.

use super::{Action, Ask, Orchestrator, Refusal};
use crate::catalogue::machine::CANNOT_RESTART;
use crate::journal::{Job, Operation, Outcome, Phase};
use failback_wire::http::StatusCode;
use failback_wire::ids::JobId;

/// The action that makes a job of this operation.
fn action(job: &Job) -> Action {
    match job.request.operation {
        Operation::EnableProtection => Action::Enable,
        Operation::Failover | Operation::Failback => Action::Failover(job.verb()),
        Operation::Commit | Operation::CommitBack => Action::Commit,
        Operation::Reprotect | Operation::ReprotectForward => Action::Reprotect,
        Operation::TestFailover => Action::TestFailover,
        Operation::CleanUpTest => Action::CleanUpTest,
        Operation::ChangePoint => Action::ChangePoint,
        Operation::MoveServer => Action::MoveServer,
        Operation::Resynchronise => Action::Resynchronise,
        Operation::Disable => Action::Disable,
        Operation::Purge => Action::Purge,
        Operation::CompleteMigration => Action::CompleteMigration,
    }
}

impl Orchestrator {
    /// Why the job cannot be restarted now; `None` when it can: it ended badly, and nothing was asked of its
    /// target since.
    pub(crate) fn unrestartable(&self, job: &Job) -> Option<&'static str> {
        match job.phase {
            Phase::Refused | Phase::Ended(Outcome::Failed | Outcome::Cancelled) => {}
            Phase::Checking | Phase::Running => return Some("the job has not ended"),
            Phase::Ended(Outcome::Succeeded) => return Some("the job has done its work"),
        }
        let last = self.journal().read(|state| {
            let same = |id: &&JobId| {
                state.jobs.get(*id).is_some_and(|other| other.request.target == job.request.target)
            };
            state.order.iter().rev().find(same).cloned()
        });
        (last.as_ref() != Some(&job.request.job)).then_some("something else was asked for since")
    }

    /// Asks for the same again: a new job, with the same inputs.
    ///
    /// # Errors
    /// [`Refusal`] when the job offers no restart, or the request is refused now.
    pub(crate) fn restart(
        self: &std::sync::Arc<Self>,
        job: &Job,
        client_request: Option<String>,
    ) -> Result<JobId, Refusal> {
        let id = job.request.job.as_str();
        // The same request sent again finds the job that it became.
        let dedupe = client_request.as_ref().map(|request| format!("restart {id} {request}"));
        let known = self.journal().read(|state| state.requests.get(dedupe.as_ref()?).cloned());
        if let Some(known) = known {
            return Ok(known);
        }
        if let Some(why) = self.unrestartable(job) {
            let refusal = Refusal::new(StatusCode::CONFLICT, &CANNOT_RESTART, id, why);
            self.refused(action(job), job.request.target.name(), &refusal);
            return Err(refusal);
        }
        self.submit(&Ask {
            action: action(job),
            target: job.request.target.clone(),
            inputs: job.request.inputs.clone(),
            client_request,
            dedupe,
        })
    }
}
