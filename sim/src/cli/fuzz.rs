//! `failback-lab fuzz`.

use super::args::FuzzArgs;
use super::output::{Output, quiet};
use super::pool;
use crate::explore::report::unexercised_but;
use crate::explore::table::never_exercised;
use crate::fuzz::case::Case;
use crate::fuzz::file;
use crate::fuzz::shrink::shrink;
use crate::fuzz::tally::Tally;
use crate::fuzz::trial::{Check, Failure, Outcome, VARIANTS, play};
use crate::report::outcome::{Exit, Finding, FindingKind};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

/// Runs, when nobody says how many.
const RUNS: u64 = 2000;
/// So many pairs of an operation and a kind of fault that were never exercised are worth listing.
const LISTED: usize = 300;
/// How long a failure is made smaller at most.
const SHRINKING: Duration = Duration::from_secs(30);

/// Plays cases and saves what fails.
pub(super) fn fuzz(args: &FuzzArgs, out: &mut Output) -> Exit {
    let seed = args.seed.unwrap_or_else(fresh_seed);
    out.line(&format!("seed {seed}"));
    let jobs = super::jobs(args.jobs);
    let first = args.case.unwrap_or_default();
    let count = match (args.case, args.time) {
        (Some(_), _) => 1,
        (None, Some(_)) => u64::MAX,
        (None, None) => args.runs.unwrap_or(RUNS).div_ceil(VARIANTS + 1),
    };
    let began = pool::wall();
    let deadline = args.time.map(|time| began + time.duration());
    let work = |n: usize| {
        let in_time = deadline.is_none_or(|deadline| pool::wall() < deadline);
        in_time.then(|| one(seed, first + n as u64, args.check))
    };
    let bar = bar(count, args.time.is_some());
    let mut found =
        Found { save: &args.save, exit: Exit::Held, checks: BTreeMap::new(), tally: Tally::default() };
    pool::until(usize::try_from(count).unwrap_or(usize::MAX), jobs, work, |n, done| {
        bar.inc(1);
        let number = first + n as u64;
        match done {
            Ok(outcome) => bar.suspend(|| found.take(outcome, out)),
            Err(finding) => {
                bar.suspend(|| out.line(&format!("FAIL case {number}: {finding}")));
                found.exit = found.exit.worst(finding.kind.exit());
            }
        }
    });
    bar.finish_and_clear();
    out.line(&summary(seed, &found, pool::wall().saturating_sub(began)));
    found.exit
}

/// A case, played; each of its runs a second time over the other wire, on another thread, if that is wanted. The finding
/// says what is wrong with the lab itself.
fn one(seed: u64, number: u64, twice: bool) -> Result<Outcome, Box<Finding>> {
    let case = Case::new(seed, number);
    let case = case.map_err(|problems| bug(problems.first().map_or("no case", |problem| &problem.title)))?;
    let (outcome, panicked) = pool::quietly(|| play(&case, VARIANTS, twice));
    let mut outcome = outcome.ok_or_else(|| bug(panicked.unwrap_or_default()))?;
    if twice {
        let again = pool::elsewhere(|| outcome.otherwise(&case));
        outcome.compare(&case, &again.ok_or_else(|| bug("the second play could not be started"))?);
    }
    Ok(outcome)
}

fn bug(text: impl Into<String>) -> Box<Finding> {
    Box::new(Finding::new(FindingKind::LabBug, text))
}

struct Found<'a> {
    save: &'a Path,
    exit: Exit,
    /// How often each check failed.
    checks: BTreeMap<Check, u64>,
    tally: Tally,
}

impl Found<'_> {
    fn take(&mut self, outcome: Outcome, out: &mut Output) {
        self.tally.add(outcome.tally);
        for failure in outcome.failures {
            self.exit = self.exit.worst(failure.finding.kind.exit());
            let times = self.checks.entry(failure.check.clone()).or_default();
            *times += 1;
            // The same check fails for the same reason, as a rule.
            if *times == 1 {
                self.save(&failure, out);
            }
        }
    }

    fn save(&mut self, failure: &Failure, out: &mut Output) {
        let began = pool::wall();
        let mut go_on = || pool::wall().saturating_sub(began) < SHRINKING;
        let (shrunk, _) = pool::quietly(|| shrink(failure, &mut go_on));
        let Some(shrunk) = shrunk else { return };
        let run = failure.variant.map_or("calm".to_owned(), |variant| format!("run {}", variant + 1));
        let saved = file::file(failure, &shrunk).and_then(|(name, text)| {
            let path = self.save.join(name);
            let written = fs::create_dir_all(self.save).and_then(|()| fs::write(&path, text));
            written
                .map(|()| path.display().to_string())
                .map_err(|error| format!("{}: {error}", path.display()))
        });
        let told = match saved {
            Ok(path) => path,
            Err(error) => {
                self.exit = self.exit.worst(Exit::Io);
                format!("not saved: {error}")
            }
        };
        out.line(&format!("FAIL case {} ({run}): {}\n  {told}", failure.number, failure.finding));
    }
}

fn summary(seed: u64, found: &Found<'_>, wall: Duration) -> String {
    let Tally { cases, runs, armed, reached, fired, observed, recovered, again, virtual_ms, struck } =
        &found.tally;
    let failures: u64 = found.checks.values().sum();
    let minutes = (wall.as_secs_f64() / 60.0).max(f64::EPSILON);
    let mut out = format!(
        "seed {seed}: {cases} {}, {runs} runs, {failures} failed; {:.0} runs a minute, {} h of virtual time\n\
         \x20 faults armed {armed}, reached {reached}, fired {fired}, observed {observed}, recovered {recovered}; {} waited in \
         vain, for their runs took another course\n  operators asked {again} times again\n",
        if *cases == 1 { "case" } else { "cases" },
        *runs as f64 / minutes,
        virtual_ms / 3_600_000,
        armed - reached
    );
    for (check, times) in &found.checks {
        out.push_str(&format!("  {times:>5} x {check}\n"));
    }
    let done = |operation: &str, kind: &str| struck.get(operation).is_some_and(|kinds| kinds.contains(kind));
    let missing = unexercised_but(done);
    let pairs: usize = missing.values().map(BTreeSet::len).sum();
    let told = never_exercised(missing, pairs <= LISTED, |operation| !struck.contains_key(operation));
    out + told.trim_end()
}

/// Nothing simulated sees where a new seed comes from.
fn fresh_seed() -> u64 {
    use std::time::{SystemTime, UNIX_EPOCH};
    #[expect(clippy::disallowed_methods, reason = "a new seed for each invocation, which is printed")]
    let now = SystemTime::now();
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    (since.as_nanos() % 1_000_000_007) as u64
}

fn bar(count: u64, timed: bool) -> ProgressBar {
    let target = if quiet() { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let bar = ProgressBar::with_draw_target((!timed).then_some(count), target);
    let template =
        if timed { "{pos} cases, {elapsed}" } else { "{bar:30} {pos}/{len} cases, {elapsed}, {eta} to go" };
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
