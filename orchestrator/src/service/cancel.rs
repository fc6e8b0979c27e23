//! Asking a job to stop.

use super::{Orchestrator, Refusal};
use crate::catalogue::machine::{CANNOT_CANCEL, NOT_ALLOWED};
use crate::journal::{Job, Operation, ProtectionState, Record, Target};
use crate::workflow::cancel;
use failback_wire::http::StatusCode;
use failback_wire::ids::JobId;

/// The operation that a refused cancellation is told as.
const CANCEL: &str = "cancel";

/// The key under which the request is found again.
fn key(request: &str) -> String {
    format!("{CANCEL} {request}")
}

impl Orchestrator {
    /// Why the job cannot be cancelled now; `None` when it can.
    pub(crate) fn uncancellable(&self, job: &Job) -> Option<&'static str> {
        let (env, workflow) = (&self.services().ctx.env, self.workflow(job));
        self.journal().read(|state| cancel::refusal(env, state, job, workflow))
    }

    /// Asks the job to stop: it begins no further step, and takes back what it did. Asking twice is asking once.
    /// `request` names the request: the same one sent again is answered as before, though the job has ended by now.
    ///
    /// # Errors
    /// [`Refusal`] when it has ended, is past its point of no return, or is one that is never cancelled (C18).
    pub(crate) fn cancel(&self, id: &JobId, request: Option<&str>) -> Result<(), Refusal> {
        let (at, env) = (self.now(), &self.services().ctx.env);
        let dedupe = request.map(key);
        let asked = self.journal().append(|state| {
            if dedupe.as_ref().and_then(|key| state.requests.get(key)) == Some(id) {
                return Ok((Vec::new(), Vec::new()));
            }
            let job = state.jobs.get(id).ok_or_else(|| Refusal::missing(id.as_str()))?;
            if let Some(why) = cancel::refusal(env, state, job, self.workflow(job)) {
                return Err(Refusal::new(StatusCode::CONFLICT, &CANNOT_CANCEL, id.as_str(), why));
            }
            let records = match job.cancel {
                Some(_) => Vec::new(),
                None => vec![Record::CancelAsked { at, job: id.clone(), dedupe: dedupe.clone() }],
            };
            Ok((records.clone(), records))
        });
        let target = self.job(id).map(|job| job.request.target);
        match asked {
            Ok(records) => {
                self.announce(&records);
                self.confirmations().notify_waiters();
                Ok(())
            }
            Err(refusal) => {
                self.cancel_refused(target.as_ref().map_or(id.as_str(), Target::name), &refusal);
                Err(refusal)
            }
        }
    }

    /// Asks the failover of an item or a plan to stop, whichever way it goes.
    ///
    /// # Errors
    /// As [`Orchestrator::cancel`]; and when no failover of the target runs.
    pub(crate) fn cancel_failover(&self, target: &Target, request: Option<&str>) -> Result<(), Refusal> {
        let known = self.journal().read(|state| {
            let job = state.requests.get(&key(request?))?;
            state.jobs.get(job).filter(|job| job.request.target == *target).map(|job| job.request.job.clone())
        });
        let moves = |job: &&Job| {
            let operation = job.request.operation;
            job.is_open() && matches!(operation, Operation::Failover | Operation::Failback)
        };
        let open = self.journal().read(|state| {
            let mut jobs = state.jobs.values().filter(moves);
            jobs.find(|job| job.request.target == *target).map(|job| job.request.job.clone())
        });
        if let Some(job) = known.or(open) {
            return self.cancel(&job, request);
        }
        let refusal = self.nothing_to_cancel(target);
        self.cancel_refused(target.name(), &refusal);
        Err(refusal)
    }

    /// Nothing runs. What has failed back, and came up wrongly or not at all, is not cancelled either (C18).
    fn nothing_to_cancel(&self, target: &Target) -> Refusal {
        let failed_back = self.journal().read(|state| {
            let Target::Item(name) = target else { return false };
            state.items.get(name).is_some_and(|item| {
                item.leg == crate::journal::Leg::Reverse
                    && matches!(
                        item.state,
                        ProtectionState::UnplannedFailoverCommitPendingStatesBegin
                            | ProtectionState::CommitPendingStatesBegin
                    )
            })
        });
        let (doc, why) = if failed_back && self.services().ctx.env.holds("C18") {
            (&CANNOT_CANCEL, "a failback cannot be cancelled once it has begun")
        } else {
            (&NOT_ALLOWED, "no failover of it runs")
        };
        Refusal::new(StatusCode::CONFLICT, doc, target.name(), why)
    }

    fn cancel_refused(&self, target: &str, refusal: &Refusal) {
        let codes = refusal.reports.iter().map(|report| report.code.clone()).collect();
        self.announce_refusal(CANCEL, target, codes);
    }
}
