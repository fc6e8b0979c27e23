//! What to tell of a run that does not come to its end: who waits for what, what was seen last, and how to allow more.

use super::expect::Seen;
use super::play::Driver;
use crate::report::outcome::{Finding, FindingKind};
use crate::scenario::model::Step;
use crate::scenario::units::Period;
use failback_orchestrator::journal::Job;
use failback_orchestrator::workflow::{Book, Classic};
use std::time::Duration;

/// How long the last look at a stuck world may take.
const LAST_LOOK: Duration = Duration::from_secs(60);

impl Driver<'_> {
    /// The verdict "stuck", which names who waits for what.
    pub(super) async fn stuck(&self, horizon: Period) -> Finding {
        let more = format!("`horizon: {horizon}` ends the run; a longer one allows more");
        let who = self.waits_for();
        let Some(at) = self.current else {
            let text = format!("{horizon} of virtual time passed while the estate came under protection");
            return Finding::new(FindingKind::Stuck, format!("{text}: {who}; {more}")).at(1, 0);
        };
        let (number, line) = at.step();
        let step = self.checked.scenario.steps.get(at.index).map(|step| &step.value);
        let doing = step.map(Step::to_string).unwrap_or_default();
        let text = format!("{horizon} of virtual time passed, in step {number} ({doing}): {who}; {more}");
        let finding = Finding::new(FindingKind::Stuck, text).at(number, line);
        let operation = step.and_then(Step::operation);
        let machines = operation.as_ref().map(|o| o.machines(&self.checked.inventory)).unwrap_or_default();
        let wait = if let Some(Step::WaitUntil(wait)) = step { Some(wait) } else { None };
        let of_jobs = self.world.jobs().into_iter().filter(Job::is_open);
        let of_jobs =
            of_jobs.flat_map(|job| job.names().map(|name| name.to_string()).collect::<Vec<_>>()).next();
        let item = wait.map(|wait| wait.item.value.clone());
        let item = item.or(machines.first().map(|name| (*name).to_owned())).or(of_jobs);
        let Some(item) = item else { return finding };
        let look = tokio::time::timeout(LAST_LOOK, self.seen(&item)).await;
        let all = wait.and_then(|wait| Seen::default().missing(wait));
        let (missing, shown) = match look {
            Ok(Ok(seen)) => (wait.and_then(|wait| seen.missing(wait)), seen.to_string()),
            Ok(Err(error)) => (all, error.to_string()),
            Err(_) => (all, "the product does not answer".to_owned()),
        };
        let ends = operation.map(|o| format!("the {} of {item} ends within {}", o.kind, **o.within));
        let wanted = missing.or(ends).unwrap_or_else(|| format!("step {number} ends"));
        finding.compared(wanted, format!("{item}: {shown}"))
    }

    /// Who waits for what: calls without a reply, jobs that are open.
    fn waits_for(&self) -> String {
        let mut who = self.world.net.waiting();
        who.extend(self.world.jobs().iter().filter(|job| job.is_open()).map(open));
        if who.is_empty() {
            who.push("no call waits for a reply, no job is open".to_owned());
        }
        who.join("; ")
    }

    /// What a job that did not end in time was last seen at.
    pub(super) fn not_in_time(&self, within: Duration) -> String {
        let within = Period(within.as_secs() * 1000);
        let who = self.waits_for();
        format!("the job does not end in time: {who}; `within: {within}` of the step ends the wait")
    }
}

/// What an open job is at.
fn open(job: &Job) -> String {
    let of: Vec<&str> = job.names().map(|name| name.as_str()).collect();
    let (id, operation) = (&job.request.job, job.request.operation);
    let mut text = format!("job {id} ({operation:?} of {}) is open since {}", of.join(", "), job.accepted);
    let workflow = Classic.workflow(operation, job.verb());
    let task = |id: &str| workflow.steps.iter().find(|step| step.id == id).map(|step| step.task);
    for (member, progress) in &job.members {
        let unfinished =
            progress.steps.iter().filter(|(_, step)| step.done.is_none() && step.undone.is_none());
        if let Some((id, step)) = unfinished.max_by_key(|(_, step)| step.started) {
            text.push_str(&format!(", {member} in {} since {}", task(id).unwrap_or(id), step.started));
        }
    }
    text
}
