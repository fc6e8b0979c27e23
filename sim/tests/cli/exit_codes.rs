//! What turns a run red, as whoever runs it meets it: the exit code and the printed report.
//!
//! No file can make two runs of one seed differ (12) or the lab panic (70) without a hook in the product, so
//! these two are held where findings become exit codes; that twins which differ are found, and panics kept, is
//! tested beside the pool that does it.

use crate::support::{root, run};
use failback_lab::report::outcome::{Exit, Finding, FindingKind, Outcome};
use failback_lab::scenario::model::Wire;

/// Runs a file of `tests/data/red`, which must fail like this; answers the report of the failure.
fn red(name: &str, code: u8, kind: &str) -> String {
    let file = format!("tests/data/red/{name}.scenario.yaml");
    let again = format!("run {file} --seed 1 --wire direct");
    let ran = run(&root(), &["run", &file]);
    assert_eq!(ran.code, Some(code.into()), "{ran}");
    let (line, report) = ran.stdout.split_once("\n\n").expect("a line, then the report");
    assert!(line.starts_with("FAIL [") && line.ends_with(&format!("] red/{name}: {kind}")), "{ran}");
    assert!(report.starts_with(&format!("FAIL red/{name} (exit {code})\n\n  {kind}: ")), "{ran}");
    assert!(report.contains("\n\n1 scenario: 0 passed, 1 failed; "), "{ran}");
    let (findings, rest) = report.split_once("\n\n  the last events\n").expect("the last events");
    assert!(rest.starts_with("    t+"), "events stand under their title\n{ran}");
    let (_, command) = rest.split_once("\n\n  to see it again\n    failback-lab ").expect("a command");
    assert!(command.starts_with(&format!("{again}\n")), "{ran}");
    // It says the truth: the same again.
    let second = run(&root(), &again.split(' ').collect::<Vec<_>>());
    assert_eq!(second.code, ran.code, "{second}");
    assert!(second.stdout.contains(findings), "{second}");
    findings.to_owned()
}

#[test]
fn a_step_that_ends_otherwise_is_10() {
    let report = red("expectation-failed", 10, "expectation failed");
    let place = "\n    step      3, tests/data/red/expectation-failed.scenario.yaml:12\n";
    assert!(report.contains(place), "{report}");
    let compared = "\n    expected  refused with FB1001\n    actual    the job succeeds";
    assert!(report.ends_with(compared), "the first one ends the run\n{report}");
}

#[test]
fn an_end_that_is_otherwise_is_10() {
    let report = red("expectation-failed-at-the-end", 10, "expectation failed");
    for told in [
        "active side of web01\n    expected  OnPremises\n    actual    Azure\n",
        "virtual machine web01 (azure)\n    expected  Absent\n    actual    On",
    ] {
        assert!(report.contains(&format!("  expectation failed: {told}")), "{report}");
    }
}

#[test]
fn a_broken_invariant_is_11() {
    let report = red("invariant-broken", 11, "invariant broken");
    assert!(report.contains(" [disk-content] disk web01-disk0 of web01 at on-premises "), "{report}");
    assert!(report.contains(" differs in 1 blocks "), "{report}");
    assert!(report.contains("; first is block 7: expected "), "{report}");
}

#[test]
fn a_fault_that_never_struck_is_13() {
    let report = red("fault-unfired", 13, "fault unfired");
    assert!(report.contains("fault step-2 never struck: its moment never came\n"), "{report}");
    let place = "\n    step      2, tests/data/red/fault-unfired.scenario.yaml:10";
    assert!(report.ends_with(place), "{report}");
}

#[test]
fn each_kind_of_finding_has_its_code() {
    for (kind, code) in [
        (FindingKind::ExpectationFailed, 10),
        (FindingKind::Stuck, 10),
        (FindingKind::InvariantBroken, 11),
        (FindingKind::Nondeterminism, 12),
        (FindingKind::FaultUnfired, 13),
        (FindingKind::LabBug, 70),
    ] {
        let mut outcome = Outcome::new("a", "a", 1, Wire::Direct);
        assert_eq!(outcome.exit(), Exit::Held);
        outcome.findings.push(Finding::new(kind, "it happened"));
        assert_eq!(outcome.exit().code(), code, "{kind:?}");
        // Whatever else happened: only a bug of the lab is worse than a difference between runs.
        outcome.findings.insert(0, Finding::new(FindingKind::Nondeterminism, "so did this"));
        let worst = if kind == FindingKind::LabBug { 70 } else { 12 };
        assert_eq!(outcome.exit().code(), worst, "{kind:?}");
    }
}
