//! What a recovery plan costs: a hundred machines in seven boot groups go to Azure and come home again, and the wall
//! time of their failback alone, over either wire. The bar is two seconds.

use failback_lab::driver::{Played, Script, play};
use failback_lab::scenario::CheckedScenario;
use failback_lab::scenario::load::load;
use failback_lab::scenario::model::{Step, Wire};
use std::path::Path;
use std::time::Duration;

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The longest the failback of a hundred machines may take.
const BAR: Duration = Duration::from_secs(2);

fn scenario() -> CheckedScenario {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches").join("plan.scenario.yaml");
    let loaded = load(&[path], false);
    assert!(loaded.problems.is_empty(), "{:?}", loaded.problems);
    loaded.scenarios.into_iter().next().expect("one scenario")
}

fn once(checked: &CheckedScenario, wire: Wire) -> Played {
    let played = play(&Script { seed: 1, wire, ..Script::new(checked) });
    assert!(played.findings.is_empty(), "{:?}", played.findings);
    played
}

fn main() {
    let checked = scenario();
    let steps: Vec<&Step> = checked.scenario.steps.iter().map(|step| &step.value).collect();
    let failback = steps.iter().position(|step| matches!(step, Step::Failback(_))).expect("a failback");
    for wire in [Wire::Direct, Wire::Http1] {
        let mut runs: Vec<Played> = (0..3).map(|_| once(&checked, wire)).collect();
        runs.sort_by_key(|played| played.walls[failback]);
        let middle = &runs[1];
        println!(
            "{wire:?}: a plan of {} machines, the whole cycle of {}: {} calls, {} events, {} journal writes",
            checked.inventory.machines.len(),
            middle.ended,
            middle.calls,
            middle.recording.events,
            middle.writes.len(),
        );
        for (step, wall) in steps.iter().zip(&middle.walls) {
            println!("  {:>9.1} ms  {step}", wall.as_secs_f64() * 1e3);
        }
        let wall = middle.walls[failback];
        let verdict = if wall < BAR { "holds" } else { "is missed" };
        println!("  the failback took {:.3} s: the bar of {} s {verdict}", wall.as_secs_f64(), BAR.as_secs());
    }
}
