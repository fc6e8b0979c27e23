//! Tests of what is drawn, played, written and made smaller.

use super::case::Case;
use super::file::file;
use super::shrink::{Shrunk, shrink};
use super::trial::{Check, Failure, play, red, run};
use crate::driver::Rehearsal;
use crate::report::outcome::FindingKind;
use crate::scenario::diagnostic::SourceFile;
use crate::scenario::estate::{DiskSpec, Estate, Machine};
use crate::scenario::expect::{DataExpect, Equals, Lost};
use crate::scenario::model::{Scenario, Step, Wire};
use crate::scenario::text::Spanned;
use crate::scenario::units::Size;
use crate::scenario::{CheckedScenario, parse, write};
use std::collections::BTreeSet;
use std::sync::Arc;

const SEED: u64 = 20;

fn case(number: u64) -> Case {
    Case::new(SEED, number).unwrap_or_else(|problems| panic!("case {number}: {problems:#?}"))
}

fn read(text: &str) -> Scenario {
    let file = Arc::new(SourceFile { path: "a".to_owned(), text: text.to_owned() });
    parse::parse(&file).unwrap_or_else(|problem| panic!("{problem:#?}\n{text}"))
}

#[test]
fn every_case_is_one_that_a_file_could_hold() {
    let mut words = BTreeSet::new();
    for number in 0..200 {
        let scenario = case(number).checked.scenario;
        for step in &scenario.steps {
            words.extend(step.operation().map(|operation| operation.kind));
        }
        if number % 40 == 0 {
            let text = write::text(&scenario, &["a comment".to_owned()]).unwrap();
            assert_eq!(read(&text), scenario, "{text}");
            assert!(text.lines().all(|line| line.chars().count() <= 160), "{text}");
        }
    }
    assert!(words.len() >= 12, "cases ask for {words:?} only");
}

#[test]
fn what_is_drawn_hangs_on_its_name_alone() {
    let (one, other) = (case(3).draw, case(3).draw);
    let before = one.below("a", 1 << 40);
    other.below("something new", 7);
    assert_eq!(other.below("a", 1 << 40), before);
    assert_ne!(case(4).draw.below("a", 1 << 40), before);
    // A list that grows changes only what its new member wins.
    let names = ["a", "b", "c", "d", "e", "f", "g"];
    let picked = |count: usize, n: u64| {
        case(3).draw.pick(&n.to_string(), &names[..count], |name| (**name).to_owned()).copied()
    };
    for n in 0..100 {
        let (few, more) = (picked(6, n), picked(7, n));
        assert!(few == more || more == Some("g"), "{few:?} became {more:?}");
    }
}

#[test]
fn the_same_number_gives_the_same_runs() {
    let played = || (0..20).map(|number| play(&case(number), 1, false).hashes).collect::<Vec<_>>();
    let first = played();
    assert_eq!(first, played());
    assert!(first.iter().flatten().collect::<BTreeSet<_>>().len() > 30, "{first:?}");
}

#[test]
fn a_run_that_told_something_else_is_a_failure_with_its_scenario() {
    let case = case(0);
    let mut outcome = play(&case, 2, true);
    let mut again = outcome.otherwise(&case);
    assert_eq!(again, outcome.hashes, "over the other wire they are the same runs");
    again[2] = again[1];
    outcome.compare(&case, &again);
    let [failure] = outcome.failures.as_slice() else { panic!("{:?}", outcome.failures) };
    assert_eq!((failure.check.kind(), failure.variant), (FindingKind::Nondeterminism, Some(1)));
    let steps = failure.checked.scenario.steps.len();
    assert_eq!(steps, case.checked.scenario.steps.len() + failure.blows.len(), "with its faults");
}

/// A scenario that expects to lose what it does not lose, with much around it that does not matter.
fn planted() -> CheckedScenario {
    let mut scenario = (0..)
        .map(|number| case(number).checked.scenario)
        .find(|scenario| {
            let machines = scenario.inline_estate.iter().flat_map(|estate| &estate.machines).count();
            machines > 1 && !scenario.expect.data.is_empty() && scenario.wire == Wire::Direct
        })
        .unwrap();
    for data in scenario.expect.data.values_mut() {
        let lost = Lost { at_least_blocks: Some(Spanned::unplaced(1 << 30)), ..Lost::default() };
        *data = DataExpect { equals: Equals::Point, lost: Some(lost) };
    }
    CheckedScenario::inline("planted", scenario).unwrap()
}

fn shrunk(failing: &CheckedScenario, most: u32) -> (Failure, Shrunk) {
    let rehearsal = Rehearsal::default();
    let finding = red(&run(failing, rehearsal, false, 0).ok().unwrap()).remove(0);
    let check = Check::of(&finding, &failing.inventory);
    let (blows, checked) = (Vec::new(), failing.clone());
    let failure = Failure { seed: SEED, number: 0, variant: None, blows, checked, rehearsal, check, finding };
    let mut left = most;
    let smaller = shrink(&failure, &mut || {
        left = left.saturating_sub(1);
        left > 0
    });
    (failure, smaller)
}

#[test]
fn what_fails_is_made_smaller_and_its_file_shows_it_again() {
    let failing = planted();
    let (failure, smaller) = shrunk(&failing, 2000);
    let (steps, before) = (smaller.scenario.steps.len(), failing.scenario.steps.len());
    assert!(steps <= 1, "{before} steps became {steps}: {:#?}", smaller.scenario.steps);
    let (_, text) = file(&failure, &smaller).unwrap();
    let again = CheckedScenario::inline("again", read(&text)).unwrap();
    assert_eq!(again.inventory.machines.len(), 1, "{text}");
    let found = red(&run(&again, Rehearsal::default(), false, 0).ok().unwrap());
    assert!(
        found.iter().any(|finding| Check::of(finding, &again.inventory) == failure.check),
        "{text}\n{found:?}"
    );
    assert!(text.starts_with("# Case 0 of `failback-lab fuzz --seed 20` failed:\n"), "{text}");
}

#[test]
fn nothing_is_made_smaller_beyond_its_time() {
    let failing = planted();
    let (_, smaller) = shrunk(&failing, 1);
    assert_eq!((smaller.runs, smaller.scenario.steps.len()), (0, failing.scenario.steps.len()));
}

#[test]
fn whoever_is_kept_from_coming_home_is_no_smaller_case() {
    // Without what ends it, the fault would last: that is another failure with the same words.
    let mut scenario = case(0).checked.scenario;
    scenario.inline_estate = Some(Estate::of(vec![Machine {
        disks: Some(vec![DiskSpec::of(Size::mib(1))]),
        ..Machine::named("web01")
    }]));
    let text = "\
schema: failback-lab/1
name: a/b
about: a
operator: persistent
steps:
  - test-failover: {item: web01}
  - clean-up-test-failover: {item: web01}
  - commit: {item: web01, expect: anything}
  - arm: {id: off, fault: {vcenter: {power-off: {vm: web01}}}, when: {after: 1s}, ends: {after: 20s, by: {vcenter: {power-on: {vm: web01}}}}}
  - wait: 1m
  - failover: {item: web01}
  - commit: {item: web01}
";
    scenario.steps = read(text).steps;
    scenario.expect = Default::default();
    let without = |gone: &[usize]| {
        let mut less = scenario.clone();
        let mut index = 0;
        less.steps.retain(|_| {
            index += 1;
            !gone.contains(&(index - 1))
        });
        super::shrink::fair(less).is_some()
    };
    assert!(without(&[]));
    assert!(!without(&[1]), "nobody cleans the test up");
    assert!(!without(&[4]), "the machine is switched on while it fails over");
    assert!(!without(&[5]), "nothing was failed over that could be committed");
    assert!(without(&[0, 1]) && without(&[3, 4]) && without(&[5, 6]) && without(&[2]));
    assert!(matches!(scenario.steps[3].value, Step::Arm(_)));
}

#[test]
fn checks_are_told_apart_without_names_and_numbers() {
    let case = case(0);
    let check = |kind, text: &str| {
        let finding = crate::report::outcome::Finding::new(kind, text);
        Check::of(&finding, &case.checked.inventory)
    };
    let expectation = FindingKind::ExpectationFailed;
    assert_eq!(check(expectation, "state of web01"), check(expectation, "state of db02"));
    assert_ne!(check(expectation, "state of web01"), check(expectation, "health of web01"));
    let broken = FindingKind::InvariantBroken;
    assert_eq!(check(broken, "t+1 [one-copy] web01 runs"), check(broken, "t+2 [one-copy] of another"));
    assert_ne!(check(broken, "t+1 [one-copy] web01"), check(broken, "t+1 [bytes] web01"));
}
