//! `failback-lab explore`.

use super::args::ExploreArgs;
use super::output::{Output, quiet};
use super::{complain, inspect, pool};
#[cfg(unix)]
use crate::explore::branch::{self, Told};
use crate::explore::kind::Kind;
use crate::explore::point::Point;
use crate::explore::report::{Exploration, Gathered, Report};
use crate::explore::table;
use crate::explore::trial::{Base, Blow, Trial, Verdict};
use crate::explore::{Options, seconds, singles, spread};
use crate::report::outcome::{Exit, Finding};
use crate::scenario::CheckedScenario;
use crate::scenario::load;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::collections::BTreeSet;
use std::fs::File;

/// Explores what the arguments name.
pub(super) fn explore(args: &ExploreArgs, out: &mut Output) -> Exit {
    let mut loaded = load::load(&args.paths, false);
    let mut exit = complain(&loaded, out);
    loaded.scenarios.retain(|s| inspect::matches(s, args.filter.as_deref()));
    let json = match args.json.as_deref().map(File::create).transpose() {
        Ok(file) => file,
        Err(error) => {
            out.error(&format!("error: cannot write the report: {error}"));
            return exit.worst(Exit::Io);
        }
    };
    if loaded.scenarios.is_empty() && exit == Exit::Held {
        out.error("nothing ran: no scenarios there");
        return Exit::NothingRan;
    }
    let began = pool::wall();
    let (mut reports, mut passed_over) = (Vec::new(), Vec::new());
    for scenario in &loaded.scenarios {
        let name = &scenario.scenario.name.value;
        match one(scenario, args, out) {
            Ok((found, report)) => {
                exit = exit.worst(found);
                reports.push(report);
            }
            Err(findings) => {
                out.line(&format!(
                    "{name}: passed over, for with an operator who asks again it does not end as it says"
                ));
                findings.iter().take(1).for_each(|finding| out.line(&format!("  {finding}")));
                exit = findings.iter().map(|finding| finding.kind.exit()).fold(exit, Exit::worst);
                passed_over.push(name.clone());
            }
        }
    }
    if loaded.scenarios.is_empty() {
        return exit;
    }
    let whole = args.kinds.is_empty() && args.budget.is_none();
    let wall = pool::wall().saturating_sub(began);
    out.line(&table::summary(&reports, &passed_over, whole, wall));
    if let Some(file) = json
        && let Err(error) = serde_json::to_writer_pretty(file, &Exploration::new(reports, passed_over))
    {
        out.error(&format!("error: cannot write the report: {error}"));
        exit = exit.worst(Exit::Io);
    }
    exit
}

/// Explores one scenario; the findings say why it cannot be.
fn one(
    scenario: &CheckedScenario,
    args: &ExploreArgs,
    out: &mut Output,
) -> Result<(Exit, Report), Vec<Finding>> {
    let base = Base::new(scenario)?;
    let kinds = if args.kinds.is_empty() { Kind::all().collect() } else { args.kinds.clone() };
    let options = Options { kinds, prune: !args.no_prune };
    let (blows, counts) = singles(&base, &options);
    if args.classes {
        out.line(&table::classes(&base.points, &counts));
    }
    let all = blows.len();
    let (gathered, of, firsts) = if args.depth == 1 {
        let most = args.budget.map_or(usize::MAX, |most| most as usize);
        (depth_one(&base, spread(blows, most, 0), args), all as u64, None)
    } else {
        let (gathered, of, played) = depth_two(&base, &options, blows, args);
        (gathered, of, Some((played, all)))
    };
    let exit = gathered.exit;
    let report =
        gathered.report(&scenario.scenario.name.value, (base.points.len(), counts.len()), of, firsts);
    out.line(&table::table(&report));
    Ok((exit, report))
}

/// A run with these faults, twice if that is wanted, the second time over the other wire; and where further ones could
/// strike, when asked.
fn tried(base: &Base, blows: Vec<Blow>, listen: bool, args: &ExploreArgs) -> Option<(Trial, Vec<Point>)> {
    let again = args.check.then(|| blows.clone());
    let (trial, further) = base.try_with(blows, listen)?;
    let Some(again) = again else { return Some((trial, further)) };
    let again = pool::elsewhere(|| base.try_otherwise(again, listen)).flatten();
    Some((trial.compared(again.as_ref().map(|(trial, _)| trial)), further))
}

/// Forks, which share the beginnings of runs, where the system has such; else, and where it refuses them, threads.
fn depth_one(base: &Base, blows: Vec<Blow>, args: &ExploreArgs) -> Gathered {
    #[cfg(unix)]
    if let Some(gathered) = forked(base, &blows, args) {
        return gathered;
    }
    let bar = bar(blows.len());
    let mut gathered = Gathered::default();
    let work = |n: usize| tried(base, vec![blows[n].clone()], false, args).map(|(trial, _)| trial);
    pool::each(blows.len(), super::jobs(args.jobs), work, |n, trial: Option<Trial>| {
        bar.inc(1);
        trial.iter().for_each(|trial| gathered.take((n, 0), trial));
    });
    bar.finish_and_clear();
    gathered
}

/// What came of each fault; nothing when the system refuses more processes.
#[cfg(unix)]
fn forked(base: &Base, blows: &[Blow], args: &ExploreArgs) -> Option<Gathered> {
    let jobs = super::jobs(args.jobs);
    let bar = bar(blows.len());
    let share = |process: usize| blows.iter().enumerate().skip(process).step_by(jobs).collect();
    let mut gathered = Gathered::default();
    let mut missing: BTreeSet<usize> = (0..blows.len()).collect();
    let work = |process, out: &_| branch::all(base, share(process), args.check, out);
    let ready = |line: String| {
        bar.inc(1);
        let Ok(Told { number, trial }) = serde_json::from_str(&line) else { return };
        if missing.remove(&number)
            && let Some(trial) = trial
        {
            gathered.take((number, 0), &Trial { blows: vec![blows[number].clone()], ..trial });
        }
    };
    let done = pool::processes(jobs, work, ready);
    bar.finish_and_clear();
    if done.is_err() {
        return None;
    }
    missing.into_iter().for_each(|number| gathered.take((number, 0), &branch::died(&blows[number])));
    Some(gathered)
}

/// Each first fault by itself, then a second one behind it, where it did not break the run. A budget is half for first
/// ones, as far as there are so many. Besides: how many runs there could be behind the first ones that were played, those
/// included, and how many these were.
fn depth_two(
    base: &Base,
    options: &Options,
    firsts: Vec<Blow>,
    args: &ExploreArgs,
) -> (Gathered, u64, usize) {
    let most = args.budget.map_or(usize::MAX, |most| most as usize);
    let firsts = spread(firsts, most.div_ceil(2), 0);
    let left = most - firsts.len().min(most);
    // What a division leaves over goes to the first ones.
    let (share, over) = (left / firsts.len().max(1), left % firsts.len().max(1));
    let bar = bar(firsts.len());
    let (mut gathered, mut of) = (Gathered::default(), 0);
    let work = |n: usize| {
        let (first, further) = tried(base, vec![firsts[n].clone()], true, args)?;
        if first.verdict == Verdict::Broken {
            return Some((vec![first], 1));
        }
        let all = seconds(base, options, &firsts[n], &further);
        let of = 1 + all.len() as u64;
        let pairs = spread(all, share + usize::from(n < over), n).into_iter();
        let pairs = pairs.filter_map(|second| tried(base, vec![firsts[n].clone(), second], false, args));
        Some((std::iter::once(first).chain(pairs.map(|(trial, _)| trial)).collect(), of))
    };
    pool::each(firsts.len(), super::jobs(args.jobs), work, |n, done: Option<(Vec<Trial>, u64)>| {
        bar.inc(1);
        let (tried, count) = done.unwrap_or_default();
        tried.iter().enumerate().for_each(|(second, trial)| gathered.take((n, second), trial));
        of += count;
    });
    bar.finish_and_clear();
    (gathered, of, firsts.len())
}

fn bar(total: usize) -> ProgressBar {
    let target = if quiet() { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let bar = ProgressBar::with_draw_target(Some(total as u64), target);
    match ProgressStyle::with_template("{bar:30} {pos}/{len} runs, {elapsed}, {eta} to go") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
