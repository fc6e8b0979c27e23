//! `failback-lab run`.

use super::args::RunArgs;
use super::output::{Output, quiet};
use super::pool::{self, Plan};
use super::{complain, inspect};
use crate::driver::RunOptions;
use crate::report::jsonl::EventLines;
use crate::report::junit;
use crate::report::outcome::{Exit, Outcome};
use crate::report::terminal::{Summary, Terminal};
use crate::scenario::load::{self, Loaded};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::fs::File;
use std::io;
use std::path::Path;

/// Runs what the arguments name.
pub(super) fn run(args: &RunArgs, out: &mut Output) -> Exit {
    let mut loaded = load::load(&args.which.paths, false);
    let mut exit = complain(&loaded, out);
    // Reports are opened first: whoever waits for a long run wants to know before it.
    let (junit_file, mut lines) = match open(args) {
        Ok(files) => files,
        Err(text) => {
            out.error(&text);
            return exit.worst(Exit::Io);
        }
    };
    let found = loaded.scenarios.len();
    loaded.scenarios.retain(|s| inspect::matches(s, args.which.filter.as_deref()));
    let (outcomes, written) = run_all(args, &loaded, lines.as_mut(), out);
    exit = outcomes.iter().map(Outcome::exit).fold(exit, Exit::worst);
    let reports = written.and_then(|()| match junit_file {
        Some(mut file) => junit::write(&mut file, &outcomes, &loaded.problems),
        None => Ok(()),
    });
    if let Err(error) = reports {
        out.error(&format!("error: cannot write a report: {error}"));
        exit = exit.worst(Exit::Io);
    }
    if outcomes.is_empty() && exit == Exit::Held {
        let text = match (&args.which.filter, found) {
            (Some(filter), 1..) => format!("nothing ran: no scenario's name or path contains `{filter}`"),
            (Some(_) | None, _) => "nothing ran: no scenarios there".to_owned(),
        };
        out.error(&text);
        return Exit::NothingRan;
    }
    exit
}

type Files = (Option<File>, Option<EventLines<io::BufWriter<File>>>);

fn open(args: &RunArgs) -> Result<Files, String> {
    let create = |path: &Path| {
        File::create(path).map_err(|error| format!("error: cannot write {}: {error}", path.display()))
    };
    let junit = args.junit.as_deref().map(create).transpose()?;
    let events = args.events.as_deref().map(create).transpose()?;
    Ok((junit, events.map(|file| EventLines::new(io::BufWriter::new(file)))))
}

fn run_all(
    args: &RunArgs,
    loaded: &Loaded,
    mut lines: Option<&mut EventLines<io::BufWriter<File>>>,
    out: &mut Output,
) -> (Vec<Outcome>, io::Result<()>) {
    let options = RunOptions {
        seed: args.which.seed,
        wire: args.wire.map(Into::into),
        events: lines.is_some(),
        crash: args.crash_at,
        ..RunOptions::default()
    };
    let plan = Plan { jobs: super::jobs(args.which.jobs), twice: args.check, options };
    let terminal = Terminal::new(out.colour(), args.check);
    let bar = bar(loaded.scenarios.len());
    let started = pool::wall();
    let mut outcomes = Vec::new();
    let mut written = Ok(());
    pool::run_all(&loaded.scenarios, plan, |_, mut outcome| {
        bar.suspend(|| out.line(&terminal.line(&outcome)));
        bar.inc(1);
        if let (Some(lines), Ok(())) = (lines.as_mut(), &written) {
            written = lines.write(&outcome);
        }
        // A whole event log is kept no longer than its reporter needs it.
        outcome.tail.drain(..outcome.tail.len().saturating_sub(Terminal::LAST_EVENTS));
        outcomes.push(outcome);
    });
    bar.finish_and_clear();
    if let (Some(lines), Ok(())) = (lines, &written) {
        written = lines.finish();
    }
    for failed in outcomes.iter().filter(|o| !o.passed()) {
        out.line(&terminal.failure(failed));
    }
    if !outcomes.is_empty() {
        let invalid = loaded.files.saturating_sub(found_valid(loaded));
        let wall = pool::wall().saturating_sub(started);
        out.line(&terminal.summary(&Summary { outcomes: &outcomes, invalid, wall }));
    }
    (outcomes, written)
}

/// Files whose scenario could run, those that a filter left out included.
fn found_valid(loaded: &Loaded) -> usize {
    let bad: std::collections::BTreeSet<&str> =
        loaded.problems.iter().filter_map(|p| p.labels.first()).map(|l| l.file.path.as_str()).collect();
    let scenarios = bad.iter().filter(|path| path.ends_with(load::SCENARIO)).count();
    loaded.files.saturating_sub(scenarios)
}

fn bar(total: usize) -> ProgressBar {
    let target = if quiet() { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let bar = ProgressBar::with_draw_target(Some(total as u64), target);
    match ProgressStyle::with_template("{bar:30} {pos}/{len} scenarios, {elapsed}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
