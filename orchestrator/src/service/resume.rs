//! Plans that wait for a person, and the person's confirmation (L3).

use super::{Orchestrator, Refusal};
use crate::catalogue::machine::NOT_WAITING;
use crate::journal::{ActionProgress, Job, Record};
use failback_wire::http::StatusCode;
use failback_wire::ids::JobId;

impl Orchestrator {
    /// Confirms the manual action that the job waits for. `request` names the request, so that the same one sent again
    /// does not confirm the next action.
    ///
    /// # Errors
    /// [`Refusal`]: there is no such job, or it waits for nobody.
    pub(crate) fn resume(
        &self,
        id: &JobId,
        comment: Option<&str>,
        request: Option<&str>,
    ) -> Result<(), Refusal> {
        let at = self.now();
        let told = self.journal().append(|state| {
            let job = state.jobs.get(id).ok_or_else(|| Refusal::missing(id.as_str()))?;
            if answered(job, request) {
                return Ok((Vec::new(), Vec::new()));
            }
            let Some((action, _)) = job.paused() else {
                return Err(Refusal::new(StatusCode::CONFLICT, &NOT_WAITING, id.as_str(), ""));
            };
            let ended = Record::ActionEnded {
                at,
                job: id.clone(),
                action,
                passed_over: None,
                comment: comment.map(str::to_owned),
                request: request.map(str::to_owned),
            };
            Ok::<_, Refusal>((vec![ended.clone()], vec![ended]))
        })?;
        self.announce(&told);
        self.confirmed.notify_waiters();
        Ok(())
    }
}

/// True when this very request has confirmed an action of the job already.
fn answered(job: &Job, request: Option<&str>) -> bool {
    let same = |action: &ActionProgress| action.request.is_some() && action.request.as_deref() == request;
    job.actions.values().any(same)
}
