//! The orchestrator dies right before and right after every write of its journal: before and after every
//! step of every workflow. Nobody helps; the whole scenario, every operation in it, still holds.

use failback_lab::driver::{Crash, Script, play};
use failback_lab::report::outcome::Finding;
use failback_lab::scenario::CheckedScenario;

fn script(checked: &CheckedScenario, crash: Option<Crash>) -> Script<'_> {
    Script {
        checked,
        seed: checked.scenario.seed,
        wire: checked.scenario.wire,
        keep_log: false,
        twin: None,
        crash,
        run_twice: false,
    }
}

/// Plays the scenario once per crash point; answers the points that broke it.
fn matrix(name: &str) -> Vec<(Crash, Vec<Finding>)> {
    let checked = failback_tests::scenario(name);
    let calm = play(&script(&checked, None));
    assert!(calm.findings.is_empty(), "{name} must hold without a crash: {:?}", calm.findings);
    assert!(calm.writes > 40, "{name} writes its journal {} times only", calm.writes);
    let mut broken = Vec::new();
    for write in 1..=calm.writes {
        for before in [true, false] {
            let crash = Crash { write, before };
            let played = play(&script(&checked, Some(crash)));
            assert!(played.writes >= write, "the crash point {crash:?} was never reached");
            if !played.findings.is_empty() {
                broken.push((crash, played.findings));
            }
        }
    }
    broken
}

fn assert_survives(name: &str) {
    let broken = matrix(name);
    let shown: Vec<String> = broken.iter().take(5).map(|(c, f)| format!("{c:?}: {f:#?}")).collect();
    assert!(broken.is_empty(), "{} crash points break {name}:\n{}", broken.len(), shown.join("\n"));
}

#[test]
fn every_workflow_survives_a_crash_at_every_journal_write() {
    assert_survives("happy/full-round-trip");
}

#[test]
fn an_alternate_location_survives_a_crash_at_every_journal_write() {
    assert_survives("happy/linux-alternate-location");
}

#[test]
fn a_plan_survives_a_crash_at_every_journal_write() {
    assert_survives("happy/pair-plan");
}
