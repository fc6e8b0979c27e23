//! A replication group moves to one instant, or its members say that they did not (P29, R4, E3): the points
//! that one job chose for all members were cut as group marks at one time, else a warning tells. A mark
//! that only some members cut is no group point, so it cannot be a common choice.

use super::Check;
use crate::facts::{Choice, Facts, Machine};
use crate::violation::Report;
use failback_wire::event::{Event, What};
use failback_wire::ids::GroupName;
use std::collections::BTreeMap;

pub(crate) struct GroupMarks;

impl Check for GroupMarks {
    fn on(&self, facts: &Facts, event: &Event, report: &mut Report<'_>) {
        if let What::MarkCut { copy, group: Some(group), .. } = &event.what
            && facts.groups.get(group).is_none_or(|members| !members.contains(&copy.machine))
        {
            report.say(format!("{copy} cut a mark for group {group}, which it is no member of"));
        }
        let What::JobEnded { job, .. } = &event.what else { return };
        let Some(known) = facts.jobs.all.get(job) else { return };
        let mut moved: BTreeMap<&GroupName, Vec<&Machine>> = BTreeMap::new();
        let chosen = |m: &&Machine| m.choice().is_some_and(|c| c.at >= known.since);
        for machine in facts.concerned(&known.target).filter(chosen) {
            if let Some(group) = &machine.group {
                moved.entry(group).or_default().push(machine);
            }
        }
        for (group, moved) in moved.iter().filter(|(_, moved)| moved.len() > 1) {
            if !at_one_instant(moved, group) && !warned(moved, known.since) {
                let names: Vec<_> = moved.iter().map(|m| m.name.as_str()).collect();
                let names = names.join(", ");
                report.say(format!(
                    "job {job} moved {names} of group {group} to different times without a warning"
                ));
            }
        }
    }
}

/// True when all choices are group marks of one instant.
fn at_one_instant(moved: &[&Machine], group: &GroupName) -> bool {
    let cut = |machine: &&Machine| {
        let Choice { session, mark, .. } = machine.choice()?;
        machine.find_cut(session, *mark).filter(|cut| cut.group.as_ref() == Some(group)).map(|cut| cut.at)
    };
    let times: Option<Vec<_>> = moved.iter().map(cut).collect();
    times.is_some_and(|times| times.windows(2).all(|pair| pair[0] == pair[1]))
}

fn warned(moved: &[&Machine], since: failback_wire::clock::VirtualMs) -> bool {
    moved.iter().any(|machine| machine.group_warned.is_some_and(|at| at >= since))
}
