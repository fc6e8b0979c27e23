//! `failback-lab explore`.

use super::args::ExploreArgs;
use super::output::{Output, quiet};
use super::{complain, inspect, pool};
#[cfg(unix)]
use crate::explore::branch::{self, Told};
use crate::explore::kind::Kind;
use crate::explore::point::Point;
use crate::explore::report::{Exploration, Report};
use crate::explore::table;
use crate::explore::trial::{Base, Blow, Trial, Verdict};
use crate::explore::{Options, seconds, singles, spread};
use crate::report::outcome::{Exit, FindingKind};
use crate::scenario::CheckedScenario;
use crate::scenario::load;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::collections::BTreeMap;
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
    let mut reports = Vec::new();
    for scenario in &loaded.scenarios {
        let (found, report) = one(scenario, args, out);
        exit = exit.worst(found);
        reports.extend(report);
    }
    if !reports.is_empty() {
        out.line(&table::summary(&reports, args.kinds.is_empty() && args.budget.is_none()));
    }
    if let Some(file) = json
        && let Err(error) = serde_json::to_writer_pretty(file, &Exploration::new(reports))
    {
        out.error(&format!("error: cannot write the report: {error}"));
        exit = exit.worst(Exit::Io);
    }
    exit
}

fn one(scenario: &CheckedScenario, args: &ExploreArgs, out: &mut Output) -> (Exit, Option<Report>) {
    let name = &scenario.scenario.name.value;
    let base = match Base::new(scenario) {
        Ok(base) => base,
        Err(findings) => {
            out.line(&format!(
                "{name}: passed over, for with an operator who asks again it does not end as it says"
            ));
            findings.iter().take(1).for_each(|finding| out.line(&format!("  {finding}")));
            let broke =
                findings.iter().map(|f| f.kind).filter(|kind| *kind != FindingKind::ExpectationFailed);
            return (broke.map(FindingKind::exit).fold(Exit::Held, Exit::worst), None);
        }
    };
    let kinds = if args.kinds.is_empty() { Kind::all().collect() } else { args.kinds.clone() };
    let options = Options { kinds, prune: !args.no_prune };
    let (blows, counts) = singles(&base, &options);
    if args.classes {
        out.line(&table::classes(&base.points, &counts));
    }
    let (trials, of) = if args.depth == 1 {
        let of = blows.len() as u64;
        let most = args.budget.map_or(usize::MAX, |most| most as usize);
        (depth_one(&base, spread(blows, most, 0), args), of)
    } else {
        depth_two(&base, &options, blows, args)
    };
    let report = Report::new(name, (base.points.len(), counts.len()), of, &trials);
    out.line(&table::table(&report));
    let broken = trials.iter().flat_map(|trial| &trial.findings).map(|finding| finding.kind.exit());
    (broken.fold(Exit::Held, Exit::worst), Some(report))
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
fn depth_one(base: &Base, blows: Vec<Blow>, args: &ExploreArgs) -> Vec<Trial> {
    #[cfg(unix)]
    if let Some(trials) = forked(base, &blows, args) {
        return trials;
    }
    let bar = bar(blows.len());
    let mut trials = Vec::with_capacity(blows.len());
    let work = |n: usize| tried(base, vec![blows[n].clone()], false, args).map(|(trial, _)| trial);
    pool::each(blows.len(), super::jobs(args.jobs), work, |_, trial| {
        bar.inc(1);
        trials.extend(trial);
    });
    bar.finish_and_clear();
    trials
}

/// What came of each fault, in their order; nothing when the system refuses more processes.
#[cfg(unix)]
fn forked(base: &Base, blows: &[Blow], args: &ExploreArgs) -> Option<Vec<Trial>> {
    let jobs = super::jobs(args.jobs);
    let bar = bar(blows.len());
    let share = |process: usize| blows.iter().enumerate().skip(process).step_by(jobs).collect();
    let mut told: BTreeMap<usize, Option<Trial>> = BTreeMap::new();
    let work = |process, out: &_| branch::all(base, share(process), args.check, out);
    let ready = |line: String| {
        bar.inc(1);
        if let Ok(Told { number, trial }) = serde_json::from_str(&line) {
            told.insert(number, trial);
        }
    };
    let done = pool::processes(jobs, work, ready);
    bar.finish_and_clear();
    if done.is_err() {
        return None;
    }
    let all = blows.iter().enumerate().map(|(number, blow)| {
        let told = told.remove(&number);
        told.unwrap_or_else(|| Some(branch::died(blow)))
            .map(|trial| Trial { blows: vec![blow.clone()], ..trial })
    });
    Some(all.flatten().collect())
}

/// A second fault after each first one that did not break the run; how many runs there could be.
fn depth_two(base: &Base, options: &Options, firsts: Vec<Blow>, args: &ExploreArgs) -> (Vec<Trial>, u64) {
    let most = args.budget.map_or(usize::MAX, |most| most as usize);
    let firsts = spread(firsts, most, 0);
    // What a division leaves over goes to the first ones.
    let (share, over) = (most / firsts.len().max(1), most % firsts.len().max(1));
    let bar = bar(firsts.len());
    let (mut trials, mut of) = (Vec::new(), 0);
    let work = |n: usize| {
        let (first, further) = tried(base, vec![firsts[n].clone()], true, args)?;
        if first.verdict == Verdict::Broken {
            return Some((vec![first], 1));
        }
        let all = seconds(base, options, &firsts[n], &further);
        let of = all.len() as u64;
        let pairs = spread(all, share.max(1) + usize::from(share > 0 && n < over), n).into_iter();
        let tried = pairs.filter_map(|second| tried(base, vec![firsts[n].clone(), second], false, args));
        Some((tried.map(|(trial, _)| trial).collect(), of))
    };
    pool::each(firsts.len(), super::jobs(args.jobs), work, |_, done: Option<(Vec<Trial>, u64)>| {
        bar.inc(1);
        if let Some((tried, count)) = done {
            trials.extend(tried);
            of += count;
        }
    });
    bar.finish_and_clear();
    (trials, of)
}

fn bar(total: usize) -> ProgressBar {
    let target = if quiet() { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let bar = ProgressBar::with_draw_target(Some(total as u64), target);
    match ProgressStyle::with_template("{bar:30} {pos}/{len} runs, {elapsed}, {eta} to go") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
