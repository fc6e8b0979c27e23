//! Points, classes and kinds, on a run that is made up.

use super::kind::Kind;
use super::point::{Place, Point, pruned};
use super::report::{Counts, Gathered};
use super::trial::{Became, Blow, Trial, Verdict};
use super::{spread, table};
use failback_wire::ids::Label;
use failback_wire::operation::Role;
use std::collections::BTreeSet;

fn call(operation: &'static str, nth: u32, during: &str) -> Point {
    let place = Place::Call { from: "orchestrator".into(), to: "vcenter".into(), operation, nth };
    let roles = Some((Role::Orchestrator, Role::Vcenter));
    Point {
        place,
        before: Some(nth),
        after: Some(nth),
        step: None,
        roles,
        during: Label::from(during),
        was_other: false,
        order: u64::from(nth),
    }
}

fn trial(operation: &'static str, kind: Kind, verdict: Verdict, delay_ms: u64) -> Trial {
    let became = Became { reached: 1, fired: 1, observed: true, recovered: verdict != Verdict::Broken };
    let blows = vec![Blow { point: call(operation, 1, "at rest"), kind }];
    Trial {
        blows,
        verdict,
        became,
        findings: Vec::new(),
        hash: 0,
        delay_ms,
        lost_bytes: 0,
        lost_seconds: 0,
        actions: 0,
    }
}

#[test]
fn every_kind_is_found_by_its_name() {
    let names: BTreeSet<&str> = Kind::all().map(Kind::name).collect();
    assert_eq!(names.len(), Kind::all().count(), "no two have one name");
    for kind in Kind::all() {
        assert_eq!(kind.name().parse(), Ok(kind));
    }
    assert!("time-outs".parse::<Kind>().is_err_and(|error| error.contains("time-out")));
}

#[test]
fn points_of_one_class_are_moments_of_one_kind() {
    let points =
        [call("Login", 1, "a"), call("Login", 2, "a"), call("Login", 3, "b"), call("Logout", 1, "a")];
    let (first, counts) = pruned(&points);
    assert_eq!(first, [&points[0], &points[2], &points[3]]);
    assert_eq!(counts.into_values().collect::<BTreeSet<_>>(), BTreeSet::from([1, 2]));
}

#[test]
fn a_budget_is_spread_over_all_there_could_be() {
    assert_eq!(spread((0..10).collect(), 20, 3), (0..10).collect::<Vec<_>>());
    assert_eq!(spread((0..10).collect(), 5, 0), [0, 2, 4, 6, 8]);
    assert_eq!(spread((0..1000).collect(), 3, 0), [0, 333, 666]);
    let met: BTreeSet<u32> = (0..100).flat_map(|turn| spread((0..40).collect(), 2, turn)).collect();
    assert_eq!(met.len(), 40, "turn by turn all of them are met: {met:?}");
}

#[test]
fn a_report_tells_the_worst_of_each_cell_and_what_recovery_costs() {
    let trials = [
        trial("Login", Kind::Refuse, Verdict::Held, 0),
        trial("Login", Kind::Refuse, Verdict::NeedsOperator, 90_000),
        trial("Logout", Kind::Late, Verdict::Broken, 1_000),
    ];
    let mut gathered = Gathered::default();
    // They come in any order, and are told of in their own.
    for (n, trial) in trials.iter().enumerate().rev() {
        gathered.take((n, 0), trial);
    }
    let report = gathered.report("some/scenario", (7, 3), 12, None);
    assert_eq!(report.verdicts, Counts { held: 1, recovered: 0, needs_operator: 1, broken: 1 });
    assert_eq!((report.ledger.armed, report.ledger.recovered), (3, 2));
    let refused = report.recovery["refuse"];
    assert_eq!(
        (refused.runs, refused.time_to_recover_ms.p50, refused.time_to_recover_ms.max),
        (2, 0, 90_000)
    );
    let text = table::table(&report);
    let row = |name: &str| text.lines().find(|line| line.trim_start().starts_with(name)).unwrap_or_default();
    let counted = |name: &str| row(name).split_whitespace().skip(1).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(counted("Login"), ["o", "1", "0", "1", "0"], "{text}");
    assert_eq!(counted("Logout"), ["X", "0", "0", "0", "1"], "{text}");
    assert!(text.contains("BROKEN late at call 1 of Logout, orchestrator to vcenter"), "{text}");
}
