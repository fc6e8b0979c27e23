//! No scenario owes its outcome to one seed's latencies.

use failback_lab::driver::{RunOptions, run};

const SEEDS: [u64; 5] = [3, 7, 42, 99, 2026];

#[test]
#[expect(clippy::disallowed_methods, reason = "whole runs, each in a world of its own, share nothing")]
fn every_scenario_holds_under_other_seeds() {
    let scenarios = failback_tests::scenarios();
    let half = scenarios.len().div_ceil(2);
    let broken: Vec<String> = std::thread::scope(|scope| {
        let play = |part| scope.spawn(move || broken(part));
        let players: Vec<_> = scenarios.chunks(half).map(play).collect();
        players.into_iter().flat_map(|player| player.join().unwrap()).collect()
    });
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// What did not hold, with the seed that shows it.
fn broken(scenarios: &[failback_lab::scenario::CheckedScenario]) -> Vec<String> {
    let mut broken = Vec::new();
    for checked in scenarios {
        for seed in SEEDS {
            let options = RunOptions { seed: Some(seed), ..RunOptions::default() };
            let findings = run(checked, &options).findings;
            let name = &checked.scenario.name.value;
            broken.extend(findings.iter().map(|finding| format!("{name} --seed {seed}: {finding:?}")));
        }
    }
    broken
}
