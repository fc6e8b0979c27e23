//! Each step of each workflow fails in turn, right after it did its work, and is taken back: once, and again with
//! every step and every undo done twice. Nothing of the attempt is left, and a second attempt succeeds.

use failback_orchestrator::journal::{Operation, Verb};
use failback_orchestrator::workflow::{Book, Classic};
use failback_tests::rehearsals::{StepName, fail_each_step};
use std::collections::BTreeSet;

/// Every step of every workflow, as the product's tables list them, under the verbs a table differs by.
fn all_steps() -> BTreeSet<StepName> {
    let mut all = BTreeSet::new();
    for operation in Operation::ALL {
        for verb in [Verb::Unplanned, Verb::Planned] {
            let same =
                std::ptr::eq(Classic.workflow(operation, verb), Classic.workflow(operation, Verb::Unplanned));
            let verb = if same { Verb::Unplanned } else { verb };
            let steps = Classic.workflow(operation, verb).steps.iter();
            all.extend(steps.map(|step| (operation, verb, step.id.to_owned())));
        }
    }
    all
}

/// Rehearses the scenario both ways; answers the steps that failed.
fn sweep(scenario: &str) -> BTreeSet<StepName> {
    let checked = failback_tests::scenario(scenario);
    let mut failed = BTreeSet::new();
    for twice in [false, true] {
        let sweep = fail_each_step(&checked, twice);
        sweep.assert_holds();
        failed.extend(sweep.failed);
    }
    failed
}

/// A workflow, or a step of one, that no rehearsal makes fail turns this red.
fn assert_covers(failed: &BTreeSet<StepName>, wanted: impl Fn(&StepName) -> bool) {
    let missed: Vec<StepName> =
        all_steps().into_iter().filter(|step| wanted(step) && !failed.contains(step)).collect();
    assert!(missed.is_empty(), "never failed: {missed:?}");
}

#[test]
fn every_step_of_every_workflow_is_taken_back() {
    let failed = sweep("happy/full-round-trip");
    assert_covers(&failed, |(_, verb, _)| *verb == Verb::Unplanned);
}

#[test]
fn every_step_of_every_workflow_is_taken_back_in_a_plan() {
    let failed = sweep("happy/pair-plan-round-trip");
    // Machines come under protection one by one.
    assert_covers(&failed, |(operation, verb, _)| {
        *verb == Verb::Unplanned && *operation != Operation::EnableProtection
    });
}

#[test]
fn an_alternate_location_is_taken_back() {
    sweep("happy/linux-alternate-location");
}

#[test]
fn a_planned_failback_is_taken_back() {
    let failed = sweep("happy/avs-planned-failback");
    assert_covers(&failed, |(_, verb, _)| *verb == Verb::Planned);
}
