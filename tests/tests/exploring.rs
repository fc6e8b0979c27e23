//! The explorer over the smallest round trip: faults strike where they are to strike, whatever strikes, all come home,
//! and the same trial is the same run.

use failback_lab::explore::kind::Kind;
use failback_lab::explore::trial::{Base, Blow, Trial, Verdict};
use failback_lab::explore::{Options, seconds, singles, spread};
use std::collections::BTreeSet;

/// How many runs a kind gets here; the gate in CI plays them all.
const EACH: usize = 5;

fn base() -> Base {
    base_of("core/round-trip")
}

fn base_of(scenario: &str) -> Base {
    Base::new(&failback_tests::scenario(scenario)).unwrap_or_else(|f| panic!("{f:#?}"))
}

fn blows(base: &Base, kind: Kind) -> Vec<Blow> {
    singles(base, &Options { kinds: vec![kind], prune: true }).0
}

fn assert_home(trial: &Trial) {
    let told: Vec<String> = trial.blows.iter().map(ToString::to_string).collect();
    assert!(!trial.is_unfired(), "never struck: {told:?}");
    assert_ne!(trial.verdict, Verdict::Broken, "{told:?}: {:#?}", trial.findings);
}

#[test]
fn every_kind_of_fault_strikes_and_all_come_home() {
    let base = base();
    let mut observed = BTreeSet::new();
    for kind in Kind::all() {
        let blows = blows(&base, kind);
        assert!(!blows.is_empty(), "{kind} strikes nowhere");
        for blow in spread(blows, EACH, 0) {
            let (trial, _) = base.try_with(vec![blow], false).expect("it can strike there");
            assert_home(&trial);
            observed.extend(trial.became.observed.then_some(kind.name()));
        }
    }
    assert!(observed.len() > 25, "the product meets only {observed:?}");
}

#[test]
fn a_second_fault_strikes_behind_the_first_and_all_come_home() {
    let base = base();
    let options = Options { kinds: vec![Kind::CrashAfter, Kind::LoseReply, Kind::Late], prune: true };
    for first in spread(singles(&base, &options).0, 6, 0) {
        let (trial, further) = base.try_with(vec![first.clone()], true).expect("it can strike there");
        assert_home(&trial);
        let behind = seconds(&base, &options, &first, &further);
        assert!(behind.iter().all(|second| second.point.class() != first.point.class()));
        for second in spread(behind, 3, 1) {
            let (trial, _) = base.try_with(vec![first.clone(), second], false).expect("both can strike");
            assert_home(&trial);
        }
    }
}

#[test]
fn where_no_waiting_helps_the_operator_does_what_the_refusal_asks_for() {
    let cases = [
        ("master-target/network-card-not-onboot", "callee-crash-after", "session.roll"),
        ("master-target/network-card-not-onboot", "callee-crash-after", "mt.hashes"),
        ("protection/migrated-and-protected-anew", "database-lost", "cs.machine"),
        ("master-target/paravirtual-controller", "datastore-gone", "Login"),
        ("placement/another-vcenter-allowed", "host-lost", "ShutdownGuest"),
        ("protection/removed-while-a-failback-stands-half-way", "no-privileges", "FindChild"),
    ];
    for (scenario, kind, operation) in cases {
        let base = base_of(scenario);
        let mut blows = blows(&base, kind.parse().expect("a kind"));
        blows.retain(|blow| blow.point.operation() == operation);
        let trials: Vec<Trial> =
            blows.into_iter().filter_map(|b| Some(base.try_with(vec![b], false)?.0)).collect();
        trials.iter().for_each(assert_home);
        let helped = trials.iter().any(|trial| trial.verdict == Verdict::NeedsOperator);
        assert!(
            helped,
            "{scenario}, {kind}, {operation}: {:?}",
            trials.iter().map(|t| t.verdict).collect::<Vec<_>>()
        );
    }
}

#[test]
fn what_must_fail_on_the_way_is_asked_for_until_it_does_or_whatever_comes_of_it() {
    for scenario in [
        "jobs/restarted",
        "failback/point-is-final",
        "recovery-point/changed-for-one-machine-of-a-plan",
        "protection/disabled-in-each-state-on-the-way-there",
    ] {
        let base = base_of(scenario);
        for blow in spread(blows(&base, Kind::Refuse), 6, 0) {
            assert_home(&base.try_with(vec![blow], false).expect("it can strike there").0);
        }
    }
}

/// Runs that were broken once, though nothing of the product was.
#[test]
fn what_the_lab_once_misjudged_comes_home() {
    let cases = [
        // The product accepts a reprotect, and dies before it tells.
        ("disks/named-at-the-reprotect", Kind::CrashAfter, "accepted"),
        // What fails the first time succeeds when it is taken up again.
        ("protection/disabled-in-each-state-on-the-way-there", Kind::CrashBefore, "step-failed"),
    ];
    for (scenario, kind, operation) in cases {
        let base = base_of(scenario);
        let mut blows = blows(&base, kind);
        blows.retain(|blow| blow.point.operation() == operation);
        assert!(!blows.is_empty(), "{scenario}: no {operation}");
        for blow in blows {
            assert_home(&base.try_with(vec![blow], false).expect("it can strike there").0);
        }
    }
}

#[test]
fn the_same_trial_is_the_same_run() {
    let (one, other) = (base(), base());
    assert_eq!(one.points, other.points);
    for kind in [Kind::Duplicate, Kind::CutBack, Kind::CalleeCrashAfter] {
        for blow in spread(blows(&one, kind), 3, 0) {
            let run = |base: &Base| base.try_with(vec![blow.clone()], true);
            assert_eq!(run(&one), run(&other));
        }
    }
}
