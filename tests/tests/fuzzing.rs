//! A few cases of a fixed seed: drawn, played with faults, and nothing fails.

use failback_lab::fuzz::case::Case;
use failback_lab::fuzz::tally::Tally;
use failback_lab::fuzz::trial::play;

const SEED: u64 = 5;
const CASES: u64 = 8;
/// Runs of each case with faults.
const VARIANTS: u64 = 3;

#[test]
fn drawn_cases_come_home() {
    let mut tally = Tally::default();
    for number in 0..CASES {
        let case = Case::new(SEED, number).unwrap_or_else(|problems| panic!("case {number}: {problems:?}"));
        let outcome = play(&case, VARIANTS, false);
        let failures = outcome.failures.iter();
        let told = failures.map(|f| format!("case {number}, {:?}: {}\n{:#?}", f.variant, f.finding, f.blows));
        assert_eq!(told.collect::<Vec<_>>(), Vec::<String>::new());
        tally.add(outcome.tally);
    }
    assert_eq!(tally.cases, CASES);
    assert_eq!(tally.runs, CASES * (VARIANTS + 1));
    assert!(tally.fired >= CASES * VARIANTS, "{tally:?}");
}
