//! The report for people: a matrix of operations and kinds, what it costs to recover, what broke.

use super::kind::Kind;
use super::point::{Class, Point};
use super::report::{Counts, Ledger, Recovery, Report, Spread, is_unknown, recovery, unexercised};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

/// How many broken runs are told of in full.
const SHOWN: usize = 10;

/// Everything about one scenario.
pub fn table(report: &Report) -> String {
    let mut out = String::new();
    let Counts { held, recovered, needs_operator, broken } = report.verdicts;
    let _ = writeln!(
        out,
        "{}: {} points of {} classes, {} runs of {}{}",
        report.scenario,
        report.points,
        report.classes,
        report.runs,
        report.of,
        match report.firsts {
            Some((played, all)) => format!(" with one fault or behind {played} of {all} first faults"),
            None => String::new(),
        }
    );
    let _ = writeln!(
        out,
        "  held {held}, recovered {recovered}, needs operator {needs_operator}, broken {broken}, never struck {}",
        report.unfired.len()
    );
    let Ledger { armed, reached, fired, observed, recovered } = report.ledger;
    let _ = writeln!(
        out,
        "  faults armed {armed}, reached {reached}, fired {fired}, observed {observed}, recovered {recovered}"
    );
    matrix(report, &mut out);
    costs(&report.recovery, &mut out);
    broken_runs(report, &mut out);
    out
}

/// All of several scenarios, which took so long, and what none of them exercised; pair by pair, where they were explored
/// as a `whole`.
pub fn summary(reports: &[Report], passed_over: &[String], whole: bool, wall: Duration) -> String {
    let mut out = String::new();
    let sum = |of: fn(&Report) -> u64| reports.iter().map(of).sum::<u64>();
    let _ = writeln!(
        out,
        "explored {}: {} runs, held {}, recovered {}, needs operator {}, broken {}, never struck {}; {:.1} s, {:.0} runs a minute",
        if reports.len() == 1 { "1 scenario".to_owned() } else { format!("{} scenarios", reports.len()) },
        sum(|r| u64::from(r.runs)),
        sum(|r| u64::from(r.verdicts.held)),
        sum(|r| u64::from(r.verdicts.recovered)),
        sum(|r| u64::from(r.verdicts.needs_operator)),
        sum(|r| u64::from(r.verdicts.broken)),
        sum(|r| r.unfired.len() as u64),
        wall.as_secs_f64(),
        sum(|r| u64::from(r.runs)) as f64 * 60.0 / wall.as_secs_f64().max(f64::EPSILON),
    );
    if !passed_over.is_empty() {
        let _ = writeln!(out, "  passed over: {}", passed_over.join(", "));
    }
    if reports.len() > 1 {
        costs(&recovery(reports), &mut out);
    }
    out + &never_exercised(unexercised(reports), whole, |operation| is_unknown(reports, operation))
}

/// What was never exercised; pair by pair, where a `whole` was explored, with those operations first that nobody asked for.
pub fn never_exercised(
    missing: BTreeMap<&'static str, BTreeSet<&'static str>>,
    whole: bool,
    is_unknown: impl Fn(&str) -> bool,
) -> String {
    let mut out = String::new();
    let pairs: usize = missing.values().map(BTreeSet::len).sum();
    if pairs == 0 {
        return out;
    }
    let _ = writeln!(out, "  never exercised: {pairs} pairs of an operation and a kind of fault");
    if !whole {
        return out;
    }
    let (unknown, known): (Vec<_>, Vec<_>) =
        missing.into_iter().partition(|(operation, _)| is_unknown(operation));
    if !unknown.is_empty() {
        let names: Vec<&str> = unknown.into_iter().map(|(operation, _)| operation).collect();
        let _ = writeln!(out, "    any, for nobody asked for it: {}", names.join(", "));
    }
    let mut by_kinds: BTreeMap<Vec<&str>, Vec<&str>> = BTreeMap::new();
    for (operation, kinds) in known {
        by_kinds.entry(kinds.into_iter().collect()).or_default().push(operation);
    }
    for (kinds, operations) in by_kinds {
        let _ = writeln!(out, "    {}: {}", kinds.join(", "), operations.join(", "));
    }
    out
}

/// The worst that came of a cell.
fn letter(counts: Option<&Counts>) -> char {
    match counts {
        None => ' ',
        Some(Counts { broken: 1.., .. }) => 'X',
        Some(Counts { needs_operator: 1.., .. }) => 'o',
        Some(Counts { recovered: 1.., .. }) => 'r',
        Some(_) => '.',
    }
}

fn matrix(report: &Report, out: &mut String) {
    let used: Vec<&str> = Kind::all()
        .map(Kind::name)
        .filter(|kind| report.matrix.values().any(|row| row.contains_key(kind)))
        .collect();
    let wide = report.matrix.keys().map(String::len).max().unwrap_or_default();
    let high = used.iter().map(|kind| kind.len()).max().unwrap_or_default();
    out.push_str("\n  . held   r recovered: asked again   o needs operator   X broken\n");
    let row = |name: &str, cell: &dyn Fn(&str) -> char, counts: &str| {
        let cells: String = used.iter().flat_map(|kind| [' ', cell(kind)]).collect();
        format!("  {name:wide$}  {cells}{counts}").trim_end().to_owned() + "\n"
    };
    for line in 0..high {
        let letter = |kind: &str| (line + kind.len()).checked_sub(high).and_then(|at| kind.chars().nth(at));
        let counts = if line + 1 == high { "  held  rec. oper. brok." } else { "" };
        out.push_str(&row("", &|kind| letter(kind).unwrap_or(' '), counts));
    }
    for (operation, cells) in &report.matrix {
        let mut counts = Counts::default();
        cells.values().for_each(|cell| counts.join(*cell));
        out.push_str(&row(operation, &|kind| letter(cells.get(kind)), &columns(counts)));
    }
}

/// Held, recovered, needs operator, broken.
fn columns(Counts { held, recovered, needs_operator, broken }: Counts) -> String {
    format!(" {held:>5} {recovered:>5} {needs_operator:>5} {broken:>5}")
}

fn costs(recovery: &BTreeMap<&'static str, Recovery>, out: &mut String) {
    out.push_str("\n  time to recover and data lost, beyond what it takes and loses without the fault\n");
    let _ = writeln!(
        out,
        "  {:<28} {:>5} {:>5} {:>5} {:>5} {:>5} {:>14} {:>30} {:>16}",
        "kind",
        "runs",
        "held",
        "rec.",
        "oper.",
        "brok.",
        "time p50/p95/max",
        "lost p50/p95/max",
        "actions p95/max"
    );
    for (kind, recovery) in recovery {
        let Recovery { runs, verdicts, time_to_recover_ms: time, lost_bytes: lost, lost_seconds, .. } =
            recovery;
        let actions = recovery.operator_actions;
        let Spread { p50, p95, max } = time;
        let times = format!("{}/{}/{}", period(*p50), period(*p95), period(*max));
        let lost = format!("{}/{}/{} B, {} s", lost.p50, lost.p95, lost.max, lost_seconds.max);
        let actions = format!("{}/{}", actions.p95, actions.max);
        let ends = columns(*verdicts);
        let _ = writeln!(out, "  {kind:<28} {runs:>5}{ends} {times:>16} {lost:>30} {actions:>16}");
    }
}

/// A period in the unit that fits.
fn period(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms}ms"),
        1_000..120_000 => format!("{}s", ms / 1000),
        120_000..7_200_000 => format!("{}m", ms / 60_000),
        7_200_000.. => format!("{}h", ms / 3_600_000),
    }
}

fn broken_runs(report: &Report, out: &mut String) {
    for broken in report.broken.iter().take(SHOWN) {
        let _ = writeln!(out, "\n  BROKEN {}", broken.faults.join(", then "));
        for finding in broken.findings.iter().take(3) {
            let _ = writeln!(out, "    {finding}");
        }
    }
    if let Some(more) = report.broken.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        let _ = writeln!(out, "\n  and {more} more that broke");
    }
    for unfired in report.unfired.iter().take(SHOWN) {
        let _ = writeln!(out, "\n  NEVER STRUCK {unfired}");
    }
}

/// The classes, one a line, with how many points each has.
pub fn classes(points: &[Point], counts: &BTreeMap<Class, usize>) -> String {
    let mut out = format!("  {} points of {} classes\n", points.len(), counts.len());
    for (class, count) in counts {
        let _ = writeln!(out, "  {count:>6}  {class}");
    }
    out
}
