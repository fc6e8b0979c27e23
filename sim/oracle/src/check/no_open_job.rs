//! At rest every job has ended.

use super::{Check, World};
use crate::violation::Report;

pub(crate) struct NoOpenJob;

impl Check for NoOpenJob {
    fn settle(&self, world: &World<'_>, report: &mut Report<'_>) {
        for job in &world.seen.open_jobs {
            report.say(format!("job {job} is shown as open"));
        }
        // The end of a job whose teller died may have been lost with it; the product's list counts then.
        let open = world.facts.jobs.open().filter(|(_, known)| !known.doubtful);
        for (job, known) in open.filter(|(job, _)| !world.seen.open_jobs.contains(job)) {
            report.say(format!("job {job} on {} never ended", known.target));
        }
    }
}
