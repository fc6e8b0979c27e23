//! The same seed gives the same events: run after run, on any thread, over both wires; another seed gives others.

use failback_lab::driver::{RunOptions, run};
use failback_lab::scenario::CheckedScenario;
use failback_lab::scenario::model::Wire;

const NAME: &str = "happy/windows-original-location";

fn hash(checked: &CheckedScenario, seed: Option<u64>, wire: Wire) -> u128 {
    let outcome = run(checked, &RunOptions { seed, wire: Some(wire), ..RunOptions::default() });
    assert!(outcome.passed(), "{:?}", outcome.findings);
    outcome.hash
}

#[test]
#[expect(clippy::disallowed_methods, reason = "whole runs, each in a world of its own, share nothing")]
fn a_thousand_runs_have_one_hash() {
    let checked = failback_tests::scenario(NAME);
    let first = hash(&checked, None, Wire::Direct);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for n in 0..500 {
                    assert_eq!(hash(&checked, None, Wire::Direct), first, "run {n}");
                }
            });
        }
    });
}

#[test]
fn both_wires_have_one_hash_for_every_scenario() {
    for checked in failback_tests::scenarios() {
        let (direct, http1) = (hash(&checked, None, Wire::Direct), hash(&checked, None, Wire::Http1));
        assert_eq!(direct, http1, "{}", checked.scenario.name.value);
    }
}

#[test]
fn another_seed_is_another_run() {
    let checked = failback_tests::scenario(NAME);
    assert_ne!(hash(&checked, Some(1), Wire::Direct), hash(&checked, Some(2), Wire::Direct));
}
