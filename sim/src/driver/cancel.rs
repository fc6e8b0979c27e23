//! Cancelling what an earlier step has started.

use super::client::Answer;
use super::operate::Ended;
use super::play::Driver;
use super::requests::Request;
use super::steps::{At, Stop};
use crate::report::outcome::{Finding, FindingKind};
use crate::scenario::model::{Cancel, CancelBy, Ending};
use serde_json::Value;

impl Driver<'_> {
    /// Asks, then waits until the job is over: it must have been cancelled.
    pub(super) async fn cancel(&mut self, at: At, cancel: &Cancel) -> Result<(), Stop> {
        let target = cancel.item.as_ref().or(cancel.plan.as_ref()).map(|name| name.value.clone());
        let target = target.unwrap_or_default();
        let job = self.jobs.get(&target).cloned();
        let path = match (cancel.ask, &job) {
            (CancelBy::Job, Some(job)) => format!("{}/cancel", self.client.job_path(job)),
            (CancelBy::Job, None) if self.persists() => return Ok(()),
            (CancelBy::Job, None) => {
                let finding = Finding::new(FindingKind::ExpectationFailed, "no step has started a job on it");
                return Err(self.fail(at, finding));
            }
            (CancelBy::Target, _) if cancel.plan.is_some() => {
                format!("{}/failoverCancel", self.client.plan_path(&target))
            }
            (CancelBy::Target, _) => format!("{}/failoverCancel", self.client.item_path(&target)),
        };
        let ended = match self.request(at, &Request::post(path, Value::Null)).await? {
            Answer::Refused(codes, report) => Ended::Refused(codes, report),
            Answer::Done | Answer::Accepted(_) => match job {
                None => Ended::Cancelled(Vec::new()),
                Some(job) => self.ended(Answer::Accepted(job), cancel.within.duration()).await,
            },
        };
        // What is asked for is that the job stops.
        let ended = match (ended, &cancel.expect) {
            (Ended::Cancelled(_), Ending::Succeeded) => Ended::Succeeded,
            (Ended::Cancelled(errors), Ending::Failed(_)) => Ended::Failed(errors),
            (Ended::Succeeded, Ending::Succeeded) => Ended::Started,
            (ended, _) => ended,
        };
        self.conclude(at, &cancel.expect, ended)
    }
}
