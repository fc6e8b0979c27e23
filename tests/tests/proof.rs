//! Every rule that a scenario claims to prove, it proves: without the rule the scenario turns red.

use failback_lab::driver::{Rehearsal, Script, play};
use failback_lab::report::outcome::FindingKind;
use failback_lab::scenario::CheckedScenario;
use failback_orchestrator::catalogue::ALL;
use failback_orchestrator::rules::{NOT_MODELLED, keys};
use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;

/// True for keys of rules; I and E are promises of the lab, which tests of their own hold.
fn is_rule(key: &str) -> bool {
    key.starts_with(['C', 'G', 'L', 'P', 'R'])
}

/// Plays the scenario in a world without the rule.
fn turns_red(checked: &CheckedScenario, key: &str) -> Result<(), Failed> {
    // Keys are as many as there are rules, and live as long as the process.
    let without: &'static str = key.to_owned().leak();
    let rehearsal = Rehearsal { without: Some(without), ..Rehearsal::default() };
    let played = play(&Script { rehearsal, ..Script::new(checked) });
    if let Some(bug) = played.findings.iter().find(|finding| finding.kind == FindingKind::LabBug) {
        return Err(format!("{bug:#?}").into());
    }
    match played.findings.is_empty() {
        true => Err(format!("it holds without {key}, so it does not prove it").into()),
        false => Ok(()),
    }
}

/// Every rule is claimed by a scenario.
fn all_claimed(scenarios: &[Arc<CheckedScenario>]) -> Result<(), Failed> {
    let claimed: BTreeSet<&str> =
        scenarios.iter().flat_map(|s| &s.scenario.covers).map(|key| key.value.as_str()).collect();
    let modelled =
        keys().map(|(key, _)| key).filter(|key| NOT_MODELLED.iter().all(|(other, _)| other != key));
    let unclaimed: BTreeSet<&str> = modelled.filter(|key| !claimed.contains(key)).collect();
    match unclaimed.is_empty() {
        true => Ok(()),
        false => Err(format!("claimed by no scenario: {unclaimed:?}").into()),
    }
}

/// What tests rehearse, and defects of the product: no cause in the world leads there.
const OF_TESTS: &[&str] = &["FB2098", "FB2099"];

/// Every word of a scenario's steps and expectations.
fn words(value: &Value, out: &mut BTreeSet<String>) {
    match value {
        Value::String(word) => {
            out.insert(word.clone());
        }
        Value::Array(all) => all.iter().for_each(|value| words(value, out)),
        Value::Object(all) => all.values().for_each(|value| words(value, out)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Every code of the catalogue is named by a scenario.
fn all_shown(scenarios: &[Arc<CheckedScenario>]) -> Result<(), Failed> {
    let mut shown = BTreeSet::new();
    for checked in scenarios {
        words(&serde_json::to_value((&checked.scenario.steps, &checked.scenario.expect))?, &mut shown);
    }
    let codes = ALL.iter().map(|doc| doc.code).filter(|code| !OF_TESTS.contains(code));
    let unshown: BTreeSet<&str> = codes.filter(|code| !shown.contains(*code)).collect();
    match unshown.is_empty() {
        true => Ok(()),
        false => Err(format!("named by no scenario: {unshown:?}").into()),
    }
}

fn main() {
    let args = Arguments::from_args();
    let scenarios: Vec<_> = failback_tests::scenarios().into_iter().map(Arc::new).collect();
    let claims = scenarios.iter().flat_map(|checked| {
        let keys = checked.scenario.covers.iter().map(|key| key.value.clone());
        keys.filter(|key| is_rule(key)).map(|key| (checked.clone(), key))
    });
    let trials = claims.map(|(checked, key)| {
        let name = format!("{key} by {}", checked.scenario.name.value);
        Trial::test(name, move || turns_red(&checked, &key))
    });
    let all = scenarios.clone();
    let whole = Trial::test("every rule is claimed", move || all_claimed(&all));
    let again = scenarios.clone();
    let codes = Trial::test("every code is shown", move || all_shown(&again));
    libtest_mimic::run(&args, trials.chain([whole, codes]).collect()).exit();
}
