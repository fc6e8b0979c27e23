//! Tests of the comparison of twins, and of runs that panic.

use super::{compare, kept};
use crate::report::outcome::{Exit, Outcome};
use crate::scenario::model::Wire;

fn outcome(hash: u128, line: &str) -> Outcome {
    let mut outcome = Outcome::new("a", "b", 1, Wire::Direct);
    outcome.hash = hash;
    outcome.timeline = vec!["same".to_owned(), line.to_owned()];
    outcome
}

#[test]
fn equal_twins_pass() {
    let mut first = outcome(7, "x");
    compare(&mut first, &outcome(7, "x"));
    assert!(first.passed());
}

#[test]
fn different_twins_say_where_they_part() {
    let mut first = outcome(7, "x");
    compare(&mut first, &outcome(8, "y"));
    assert_eq!(first.exit(), Exit::Nondeterminism);
    let told = first.findings[0].actual.clone().unwrap();
    assert!(told.ends_with("(line 2: y)"), "{told}");
}

#[test]
fn a_panic_becomes_a_bug_of_the_lab() {
    let outcome = kept(|| panic!("on purpose"), || outcome(0, "x"));
    assert_eq!(outcome.exit(), Exit::LabBug);
    assert!(format!("{:?}", outcome.findings).contains("on purpose"), "{:?}", outcome.findings);
}
