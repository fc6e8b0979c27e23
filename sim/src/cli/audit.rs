//! `failback-lab audit`: two runs of one seed must be one run, whatever is different around them.

use super::args::AuditArgs;
use super::output::Output;
use super::{complain, inspect, pool};
use crate::driver::{RunOptions, run};
use crate::recorder::timeline;
use crate::report::outcome::{Exit, Outcome};
use crate::scenario::CheckedScenario;
use crate::scenario::load;
use failback_wire::event::Event;
use std::fmt::Write as _;

/// How many events around the first that differs are shown of each run.
const AROUND: usize = 4;

/// What a run told: its hash, its events, how much virtual time it took. Nothing when it could not be started, or panicked.
type Told = Option<(u128, u64, u64)>;

/// Audits what the arguments name: all scenarios once, and all of them again.
pub(super) fn audit(args: &AuditArgs, out: &mut Output) -> Exit {
    let mut loaded = load::load(&args.which.paths, false);
    let mut exit = complain(&loaded, out);
    loaded.scenarios.retain(|s| inspect::matches(s, args.which.filter.as_deref()));
    if loaded.scenarios.is_empty() && exit == Exit::Held {
        out.error("nothing ran: no scenarios there");
        return Exit::NothingRan;
    }
    let (all, jobs, seed) = (loaded.scenarios.as_slice(), super::jobs(args.which.jobs), args.which.seed);
    let mut first: Vec<Told> = vec![None; all.len()];
    pool::each(all.len(), jobs, |n| told(&all[n], seed, false), |n, told| first[n] = told);
    let (mut same, mut events) = (0_usize, 0_u64);
    let again = |n: usize| {
        let is_same = first[n].is_some() && first[n] == told(&all[n], seed, true);
        (!is_same).then(|| differs(&all[n], seed))
    };
    pool::each(all.len(), jobs, again, |n, differs: Option<String>| {
        events += first[n].map_or(0, |(_, events, _)| events);
        match differs {
            None => same += 1,
            Some(text) => {
                out.line(&format!("DIFFERS {}\n{text}", all[n].scenario.name.value));
                exit = exit.worst(Exit::Nondeterminism);
            }
        }
    });
    out.line(&format!(
        "{same} of {} scenarios are the same run twice: later, on other threads with other hash seeds, over the other \
         wire; {events} events each time",
        all.len()
    ));
    exit
}

/// Runs a scenario on a thread of its own, which brings new seeds for every hash table of the standard library; `again`:
/// over the other wire.
fn played(scenario: &CheckedScenario, seed: Option<u64>, again: bool, events: bool) -> Option<Outcome> {
    let wire = again.then(|| scenario.scenario.wire.other());
    let options = RunOptions { seed, wire, events, ..RunOptions::default() };
    pool::elsewhere(|| run(scenario, &options))
}

fn told(scenario: &CheckedScenario, seed: Option<u64>, again: bool) -> Told {
    let outcome = played(scenario, seed, again, false)?;
    Some((outcome.hash, outcome.events, outcome.virtual_ms))
}

/// Two runs with all their events, compared.
fn differs(scenario: &CheckedScenario, seed: Option<u64>) -> String {
    match [false, true].map(|again| played(scenario, seed, again, true)) {
        [Some(first), Some(second)] => difference(&first.tail, &second.tail),
        [..] => "  a run could not be started, or panicked".to_owned(),
    }
}

/// The first event that differs, with what came before and after it in both runs.
fn difference(first: &[Event], second: &[Event]) -> String {
    let at = first.iter().zip(second).position(|(a, b)| a != b);
    let Some(at) = at.or((first.len() != second.len()).then_some(first.len().min(second.len()))) else {
        return "  the hashes differ, the events do not: run it again".to_owned();
    };
    let mut out = format!("  event {} of {} and {} differs\n", at + 1, first.len(), second.len());
    for (name, events) in [("one run", first), ("the other", second)] {
        let _ = writeln!(out, "  {name}");
        let from = at.saturating_sub(AROUND);
        for (n, event) in events.iter().enumerate().skip(from).take(2 * AROUND + 1) {
            let mark = if n == at { '>' } else { ' ' };
            let text = timeline::line(event).unwrap_or_else(|| format!("{:?}", event.what));
            let _ = writeln!(out, "  {mark} {} {:<14} {text}", event.at, event.node.as_str());
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::difference;
    use failback_wire::clock::VirtualMs;
    use failback_wire::event::{Event, What};

    fn note(at: u64, text: &str) -> Event {
        let what = What::Note { text: text.to_owned() };
        Event { at: VirtualMs(at), node: "lab".into(), seq: at, what }
    }

    #[test]
    fn the_first_event_that_differs_is_marked_in_both_runs() {
        let (one, other) = ([note(1, "a"), note(2, "b")], [note(1, "a"), note(2, "c"), note(3, "d")]);
        let text = difference(&one, &other);
        assert!(text.contains("event 2 of 2 and 3 differs"), "{text}");
        let marked: Vec<&str> = text.lines().filter(|line| line.contains("> ")).collect();
        assert_eq!(marked.len(), 2, "{text}");
        assert!(marked[0].ends_with(" b") && marked[1].ends_with(" c"), "{text}");
    }

    #[test]
    fn a_run_that_ends_early_differs_where_it_ends() {
        let text = difference(&[note(1, "a")], &[note(1, "a"), note(2, "b")]);
        assert!(text.contains("event 2 of 1 and 2 differs"), "{text}");
    }
}
