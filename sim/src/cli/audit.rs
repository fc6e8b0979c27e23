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

/// What an audit of one scenario found.
struct Audit {
    events: u64,
    /// The runs themselves; neither of them is judged here.
    differs: Option<String>,
}

/// Audits what the arguments name.
pub(super) fn audit(args: &AuditArgs, out: &mut Output) -> Exit {
    let mut loaded = load::load(&args.which.paths, false);
    let mut exit = complain(&loaded, out);
    loaded.scenarios.retain(|s| inspect::matches(s, args.which.filter.as_deref()));
    if loaded.scenarios.is_empty() && exit == Exit::Held {
        out.error("nothing ran: no scenarios there");
        return Exit::NothingRan;
    }
    let (mut same, mut events) = (0_usize, 0_u64);
    let scenarios = &loaded.scenarios;
    let work = |n: usize| one(&scenarios[n], args.which.seed);
    pool::each(scenarios.len(), super::jobs(args.which.jobs), work, |n, audit: Audit| {
        events += audit.events;
        match audit.differs {
            None => same += 1,
            Some(text) => {
                out.line(&format!("DIFFERS {}\n{text}", scenarios[n].scenario.name.value));
                exit = exit.worst(Exit::Nondeterminism);
            }
        }
    });
    let all = scenarios.len();
    out.line(&format!(
        "{same} of {all} scenarios are the same run twice: on other threads with other hash seeds, at another \
         time of day, over the other wire; {events} events each time"
    ));
    exit
}

/// Runs a scenario here and, over the other wire, on a thread of its own; a thread brings new seeds for every hash
/// table of the standard library.
fn one(scenario: &CheckedScenario, seed: Option<u64>) -> Audit {
    let other = scenario.scenario.wire.other();
    let run = |wire, events| {
        let options = RunOptions { seed, wire, events, ..RunOptions::default() };
        pool::elsewhere(|| run(scenario, &options))
    };
    let (first, second) = (run(None, false), run(Some(other), false));
    let is_same =
        |a: &Outcome, b: &Outcome| (a.hash, a.events, a.virtual_ms) == (b.hash, b.events, b.virtual_ms);
    let differs = match (&first, &second) {
        (Some(first), Some(second)) if is_same(first, second) => None,
        (Some(_), Some(_)) => {
            let whole = |outcome: Option<Outcome>| outcome.map(|outcome| outcome.tail).unwrap_or_default();
            Some(difference(&whole(run(None, true)), &whole(run(Some(other), true))))
        }
        (None, _) | (_, None) => Some("  a run could not be started, or panicked".to_owned()),
    };
    Audit { events: first.map_or(0, |first| first.events), differs }
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
