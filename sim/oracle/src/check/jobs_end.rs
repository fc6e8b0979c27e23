//! Every job that starts ends once, and its tasks lie within its life (I7).

use super::Check;
use crate::facts::Facts;
use crate::violation::Report;
use failback_wire::event::{Event, What};

pub(crate) struct JobsEnd;

impl Check for JobsEnd {
    fn on(&self, facts: &Facts, event: &Event, report: &mut Report<'_>) {
        if let What::JobStarted { job, .. } = &event.what
            && let Some(state) = facts.jobs.all.get(job).and_then(|j| j.ended.as_ref())
        {
            report.say(format!("job {job} started after it ended ({state})"));
        }
        if let What::JobEnded { job, state, .. } = &event.what {
            match facts.jobs.all.get(job) {
                None => report.say(format!("job {job} ended ({state}), but never started")),
                Some(known) => {
                    if let Some(before) = &known.ended {
                        report.say(format!("job {job} ended twice: {before}, then {state}"));
                    }
                }
            }
        }
        if let What::TaskStarted { job, task } | What::TaskEnded { job, task, .. } = &event.what {
            let open = facts.jobs.all.get(job).is_some_and(|j| j.started && j.ended.is_none());
            if !open {
                report.say(format!("task {task} of job {job} is reported while the job does not run"));
            }
        }
    }
}
