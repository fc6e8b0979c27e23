//! Runs that share their beginnings are the runs from their beginnings.

use crate::support::{root, run, scratch};
use failback_lab::explore::kind::Kind;
use failback_lab::explore::report::{Exploration, Report};
use failback_lab::explore::trial::{Base, Trial};
use failback_lab::explore::{Options, singles, spread};
use failback_lab::scenario::load;
use std::fs;

/// Enough for one fault of each kind, in every step.
const RUNS: usize = 120;
const FILE: &str = "scenarios/core/round-trip.scenario.yaml";

#[test]
fn forks_are_the_runs_from_the_beginning() {
    let (scratch, root) = (scratch("forks"), root());
    let (json, budget) = (scratch.join("report.json"), RUNS.to_string());
    let args = ["explore", FILE, "--check", "--jobs", "2", "--budget", &budget, "--json"];
    let ran = run(&root, &[&args[..], &[json.to_str().unwrap()]].concat());
    assert_eq!(ran.code, Some(0), "{ran}");

    let loaded = load::load(&[root.join(FILE)], false);
    let scenario = &loaded.scenarios[0];
    let base = Base::new(scenario).unwrap();
    let (blows, counts) = singles(&base, &Options { kinds: Kind::all().collect(), prune: true });
    let of = blows.len() as u64;
    let straight = |blow| Some(base.try_with(vec![blow], false)?.0);
    let trials: Vec<Trial> = spread(blows, RUNS, 0).into_iter().filter_map(straight).collect();
    let report = Report::new(&scenario.scenario.name.value, (base.points.len(), counts.len()), of, &trials);
    let straight = serde_json::to_value(Exploration::new(vec![report])).unwrap();
    let forked: serde_json::Value = serde_json::from_str(&fs::read_to_string(json).unwrap()).unwrap();
    assert_eq!(forked, straight);
}
