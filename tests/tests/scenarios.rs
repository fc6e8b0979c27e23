//! Every scenario file is one test: it holds, and its timeline is the one that was reviewed.

use failback_lab::driver::{RunOptions, run};
use failback_lab::scenario::CheckedScenario;
use libtest_mimic::{Arguments, Failed, Trial};

fn holds(checked: &CheckedScenario) -> Result<(), Failed> {
    let outcome = run(checked, &RunOptions::default());
    if !outcome.passed() {
        let lines: Vec<String> = outcome.findings.iter().map(|f| format!("{f:#?}")).collect();
        let tail = outcome.timeline.iter().rev().take(12).rev().cloned().collect::<Vec<_>>();
        return Err(format!("{}\n{}", lines.join("\n"), tail.join("\n")).into());
    }
    let name = checked.scenario.name.value.replace('/', "--");
    let timeline = outcome.timeline.join("\n");
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(name, timeline);
    });
    Ok(())
}

fn main() {
    let args = Arguments::from_args();
    let trial = |checked: CheckedScenario| {
        let name = checked.scenario.name.value.clone();
        Trial::test(name, move || holds(&checked))
    };
    let trials: Vec<Trial> = failback_tests::scenarios().into_iter().map(trial).collect();
    assert!(trials.len() >= 25, "only {} scenario files", trials.len());
    libtest_mimic::run(&args, trials).exit();
}
