//! What can be wrong with expectations: names that are not there, and things that can never be so.

use super::Subject;
use super::names::{Kind, Names};
use super::phases::{Standings, word};
use crate::scenario::diagnostic::Problem;
use crate::scenario::model::{Equals, Expect, Step};
use crate::scenario::units::Period;

pub(super) fn check(subject: &Subject<'_>, names: &Names, ends: &Standings, out: &mut Vec<Problem>) {
    for step in &subject.scenario.steps {
        if let Step::Check(expect) = &step.value {
            known(subject, names, expect, out);
        }
    }
    let expect = &subject.scenario.expect;
    known(subject, names, expect, out);
    states(subject, expect, ends, out);
    for item in expect.data.keys() {
        if ends.get(&item.value).is_some_and(|standing| !standing.moved) {
            let title = format!("`{item}` never fails over, so its data cannot be compared");
            out.push(Problem::at(subject.file, item.at, title, "no failover of it in the steps"));
        }
    }
}

fn known(subject: &Subject<'_>, names: &Names, expect: &Expect, out: &mut Vec<Problem>) {
    let items = expect.items.keys().chain(expect.data.keys()).chain(expect.warnings.keys());
    let items = items.chain(expect.guests.keys()).chain(expect.rows.keys());
    for name in items.chain(&expect.differs) {
        names.need(subject.file, Kind::Machine, name, name.at, out);
    }
    for (name, vm) in &expect.vms {
        if !names.has(Kind::AzureVm, name) || vm.on_premises.is_some() {
            names.need(subject.file, Kind::Vm, name, name.at, out);
        }
    }
    for server in expect.items.values().filter_map(|item| item.process_server.as_ref()) {
        names.need(subject.file, Kind::ProcessServer, server, server.at, out);
    }
    for name in expect.events.keys() {
        let server = [Kind::ProcessServer, Kind::MasterTarget].iter().any(|kind| names.has(*kind, name));
        if !server {
            names.need(subject.file, Kind::Machine, name, name.at, out);
        }
    }
    // Names in `protectable` are not looked up: a virtual machine that steps make is none of the estate's.
    expect.codes().for_each(|code| super::code(subject.file, code, "warning", out));
    for (item, data) in &expect.data {
        let Some(lost) = &data.lost else { continue };
        if let (Some(least), Some(most)) = (&lost.at_least_blocks, &lost.at_most_blocks)
            && least.value > most.value
        {
            let title = format!("`{item}` cannot lose at least {least} and at most {most} blocks");
            let problem = Problem::at(subject.file, least.at, title, "more than the most");
            out.push(problem.and(subject.file, most.at, "the most"));
        }
        if let (Equals::Source, Some(least)) = (data.equals, &lost.at_least_blocks)
            && least.value > 0
        {
            let title = format!("`{item}` cannot equal its source and have lost something");
            out.push(Problem::at(subject.file, least.at, title, "contradicts `equals: source`"));
        }
    }
    if let Some(takes) = &expect.takes
        && takes.at_most.value == Period(0)
    {
        let problem =
            Problem::at(subject.file, takes.at_most.at, "a run takes time", "must be longer than 0s");
        out.push(problem);
    }
}

/// States that the steps rule out.
pub(super) fn states(subject: &Subject<'_>, expect: &Expect, now: &Standings, out: &mut Vec<Problem>) {
    for (item, wanted) in &expect.items {
        let (Some(state), Some(standing)) = (wanted.state, now.get(&item.value)) else { continue };
        if standing.unsure || standing.phase.shows().contains(&state) {
            continue;
        }
        let title = format!("`{item}` can never be {} here", word(state));
        let shown = standing.phase.shows().iter().map(|s| format!("`{}`", word(*s)));
        let help = format!("it can be {}", shown.collect::<Vec<_>>().join(", "));
        let problem = Problem::at(subject.file, item.at, title, "the steps rule this out");
        let problem = problem.and(subject.file, standing.since, "the last step that moves it");
        out.push(problem.help(help));
    }
}
