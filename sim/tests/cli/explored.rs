//! Runs that share their beginnings are the runs from their beginnings.

use crate::support::{root, run, scratch};
use failback_lab::explore::kind::Kind;
use failback_lab::explore::report::{Exploration, Gathered};
use failback_lab::explore::trial::Base;
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
    let mut gathered = Gathered::default();
    for (n, blow) in spread(blows, RUNS, 0).into_iter().enumerate() {
        let trial = base.try_with(vec![blow], false);
        trial.iter().for_each(|(trial, _)| gathered.take((n, 0), trial));
    }
    let name = &scenario.scenario.name.value;
    let report = gathered.report(name, (base.points.len(), counts.len()), of, None);
    let straight = serde_json::to_value(Exploration::new(vec![report], Vec::new())).unwrap();
    let forked: serde_json::Value = serde_json::from_str(&fs::read_to_string(json).unwrap()).unwrap();
    assert_eq!(forked, straight);
}

/// The first faults are runs as well, and a budget is for both; it tells of how many there could be.
#[test]
fn a_budget_is_for_first_and_second_faults_alike() {
    let (scratch, root) = (scratch("depth-two"), root());
    let json = scratch.join("report.json");
    let explored = |budget: &str, more: &[&str]| {
        let args = ["explore", FILE, "--depth", "2", "--kinds", "refuse,late", "--budget", budget, "--json"];
        let ran = run(&root, &[&args[..], &[json.to_str().unwrap()], more].concat());
        assert_eq!(ran.code, Some(0), "{ran}");
        let report: serde_json::Value = serde_json::from_str(&fs::read_to_string(&json).unwrap()).unwrap();
        let report = report["scenarios"][0].clone();
        let count = |name: &str| report[name].as_u64().unwrap();
        (count("runs"), count("of"), report["firsts"][0].as_u64().unwrap(), report["ledger"].clone())
    };
    let (runs, of, firsts, ledger) = explored("20", &[]);
    assert_eq!((runs, firsts), (20, 10));
    assert_eq!(
        (ledger["armed"].as_u64(), ledger["fired"].as_u64()),
        (Some(30), Some(30)),
        "ten of one, ten of two"
    );
    let (_, unpruned, ..) = explored("20", &["--no-prune"]);
    assert!(unpruned > of, "every second point: {unpruned} runs behind them, not {of}");
}

/// A scenario that does not come out as it says, even with an operator who asks again, is told of and red.
#[test]
fn what_cannot_be_explored_is_red() {
    let (scratch, root) = (scratch("passed-over"), root());
    let (file, json) = (scratch.join("never.scenario.yaml"), scratch.join("report.json"));
    let text = "schema: failback-lab/1\nname: my/never\nabout: never\ninline-estate: {machines: [{name: web01}]}\n\
                steps: [{failover: {item: web01}}]\nexpect: {vms: {web01: {azure: off}}}\n";
    fs::write(&file, text).unwrap();
    let args = ["explore", file.to_str().unwrap(), "--json", json.to_str().unwrap()];
    let ran = run(&root, &args);
    assert_eq!(ran.code, Some(10), "{ran}");
    let report: serde_json::Value = serde_json::from_str(&fs::read_to_string(json).unwrap()).unwrap();
    assert_eq!(report["passed-over"], serde_json::json!(["my/never"]), "{ran}");
}
