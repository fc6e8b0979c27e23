//! A failed job leaves the last good recovery point usable (I5, E20): at the target, or on the disks that
//! were rolled to it. A commit does not: letting the points go is what it is for, and a reprotect home begins with one
//! where there was none (C8). Nor does a way out of
//! protection once it has ended the machine's sessions: it is for ending them, and from there only a further attempt
//! leads on (C23). Points that go while a session stands are missed there, too.

use super::Check;
use crate::facts::Facts;
use crate::violation::Report;
use failback_wire::event::{Event, What};
use failback_wire::ids::Site;

pub(crate) struct PointAfterFailure;

/// What ends the protection of a machine, as requests name it.
const WAYS_OUT: [&str; 3] = ["disable-protection", "remove-protection", "complete-migration"];

impl Check for PointAfterFailure {
    fn on(&self, facts: &Facts, event: &Event, report: &mut Report<'_>) {
        let What::JobEnded { job, state, .. } = &event.what else { return };
        let Some(known) = facts.jobs.all.get(job).filter(|_| state == "Failed") else { return };
        let is_commit = |operation: &String| operation.to_ascii_lowercase().contains("commit");
        if known.operation.as_ref().is_some_and(is_commit) {
            return;
        }
        let reprotects = known.operation.as_deref() == Some("reprotect");
        let leaves = known.operation.as_deref().is_some_and(|operation| WAYS_OUT.contains(&operation));
        for n in &known.had_points {
            let machine = &facts.machines[*n];
            let name = &machine.name;
            let mut sessions = machine.sessions().filter_map(|session| facts.sessions.get(session));
            let commits = reprotects && machine.production == Site::Azure;
            if (leaves || commits) && sessions.all(|session| session.ended.is_some()) {
                continue;
            }
            let on_disks = machine.choice().is_some_and(|choice| {
                let rolled = facts.sessions.get(&choice.session).and_then(|s| s.rolled.as_ref());
                rolled.is_some_and(|(point, _)| *point == choice.point)
            });
            if facts.usable_points(name).next().is_none() && !on_disks {
                report.say(format!("job {job} failed and left {name} without the recovery points it had"));
            }
        }
    }
}
