//! Every step of every workflow converges: run twice, and undone twice, it does what it does once.

use failback_lab::driver::{Script, play};
use failback_orchestrator::config::Rehearsal;

/// Here the agent, or the master target, stops right after it was first told to replicate: told once more it cannot
/// answer.
const ONCE_ONLY: [&str; 3] =
    ["recovery-point/missing", "recovery-point/missing-in-a-plan-of-five", "master-target/dead-one-returns"];

#[test]
fn every_scenario_holds_with_each_step_run_twice_and_each_undo_done_twice() {
    let mut broken = Vec::new();
    for checked in failback_tests::scenarios() {
        if ONCE_ONLY.contains(&checked.scenario.name.value.as_str()) {
            continue;
        }
        let rehearsal = Rehearsal { twice: true, ..Rehearsal::default() };
        let played = play(&Script { rehearsal, ..Script::new(&checked) });
        let findings: Vec<_> = played.findings.iter().map(|f| format!("{f:#?}")).collect();
        if !findings.is_empty() {
            broken.push(format!("{}: {}", checked.scenario.name.value, findings.join("\n")));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}
