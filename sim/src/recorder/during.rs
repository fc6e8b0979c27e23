//! What goes on at an instant, in words: the open tasks of jobs, or else the states of rest that items are in.
//! Moments at which the same goes on are of one kind; machines have no names here.

use failback_wire::event::What;
use failback_wire::ids::{JobId, Label, MachineName, Site};
use std::collections::{BTreeMap, BTreeSet};

/// Follows jobs and items.
#[derive(Debug, Default)]
pub(super) struct During {
    jobs: BTreeMap<JobId, (String, BTreeSet<String>)>,
    states: BTreeMap<MachineName, String>,
    /// Where production of each item is: the same job goes the other way from there.
    active: BTreeMap<MachineName, Site>,
    words: Option<Label>,
    /// How often somebody asked.
    asked: u64,
}

impl During {
    #[expect(clippy::wildcard_enum_match_arm, reason = "of all events only these few matter here")]
    pub(super) fn take(&mut self, what: &What) {
        match what {
            What::JobStarted { job, scenario, target } => {
                let machine = MachineName::from(target.as_str());
                let side = self.active.get(&machine).or_else(|| self.active.values().next());
                let from = side.map(|side| format!(" from {side}")).unwrap_or_default();
                self.jobs.insert(job.clone(), (format!("{scenario}{from}"), BTreeSet::new()));
            }
            What::TaskStarted { job, task } => {
                if let Some((_, tasks)) = self.jobs.get_mut(job) {
                    tasks.insert(task.clone());
                }
            }
            What::TaskEnded { job, task, .. } => {
                if let Some((_, tasks)) = self.jobs.get_mut(job) {
                    tasks.remove(task);
                }
            }
            What::JobEnded { job, .. } => {
                self.jobs.remove(job);
            }
            What::ItemChanged { item, state, active, .. } => {
                self.active.insert(item.clone(), *active);
                if self.states.insert(item.clone(), state.clone()).as_ref() == Some(state) {
                    return;
                }
            }
            _ => return,
        }
        self.words = None;
    }

    /// How often this was asked, and `PlannedFailover: StopAzure`, or `at rest: Protected`.
    pub(super) fn occasion(&mut self) -> (u64, Label) {
        let (jobs, states) = (&self.jobs, &self.states);
        self.asked += 1;
        (self.asked, self.words.get_or_insert_with(|| told(jobs, states)).clone())
    }
}

/// Tasks of a plan's members are those of any member.
fn told(jobs: &BTreeMap<JobId, (String, BTreeSet<String>)>, states: &BTreeMap<MachineName, String>) -> Label {
    let joined = |words: BTreeSet<&str>| words.into_iter().collect::<Vec<_>>().join(" and ");
    let open = |(scenario, tasks): &(String, BTreeSet<String>)| {
        let tasks = tasks.iter().map(|task| task.rsplit('/').next().unwrap_or(task)).collect();
        format!("{scenario}: {}", joined(tasks))
    };
    let open: BTreeSet<String> = jobs.values().map(open).collect();
    let words = if open.is_empty() {
        format!("at rest: {}", joined(states.values().map(String::as_str).collect()))
    } else {
        joined(open.iter().map(String::as_str).collect())
    };
    Label::from(words.as_str())
}
