//! Every step of every workflow converges: run twice, and undone twice, it does what it does once.

use failback_lab::driver::{Script, play};

#[test]
fn every_scenario_holds_with_each_step_run_twice_and_each_undo_done_twice() {
    let mut broken = Vec::new();
    for checked in failback_tests::scenarios() {
        let played = play(&Script {
            checked: &checked,
            seed: checked.scenario.seed,
            wire: checked.scenario.wire,
            keep_log: false,
            twin: None,
            crash: None,
            run_twice: true,
        });
        // A call that a fault is keyed to may come another time than with single runs.
        let findings: Vec<_> = played.findings.iter().map(|f| format!("{f:#?}")).collect();
        if !findings.is_empty() {
            broken.push(format!("{}: {}", checked.scenario.name.value, findings.join("\n")));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}
