//! Every step of every workflow, to hold a sweep to: what it never met turns it red.

use failback_lab::driver::{Operation, StepName, Verb};
use failback_orchestrator::workflow::{Book, Classic};
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

/// Every workflow of the cycle asked for without a word about planning, by the item's own name.
pub fn unplanned(step: &StepName) -> bool {
    step.1 == Verb::Unplanned && !beside_the_cycle(step)
}

/// Workflows that a round trip does without: scenarios of their own run them.
pub fn beside_the_cycle((operation, ..): &StepName) -> bool {
    tests_failover(*operation) || *operation == Operation::ChangePoint || operation.ends().is_some()
}

fn tests_failover(operation: Operation) -> bool {
    matches!(operation, Operation::TestFailover | Operation::CleanUpTest)
}

/// A test failover and its clean-up.
pub fn of_a_test((operation, ..): &StepName) -> bool {
    tests_failover(*operation)
}

/// The change of the recovery point.
pub fn of_a_change((operation, ..): &StepName) -> bool {
    *operation == Operation::ChangePoint
}

/// The same as far as a plan can ask for it: machines come under protection one by one.
pub fn in_a_plan(step: &StepName) -> bool {
    unplanned(step) && step.0 != Operation::EnableProtection
}

/// Workflows that are others when planned.
pub fn planned((_, verb, _): &StepName) -> bool {
    *verb == Verb::Planned
}

/// A sweep met every wanted step of every workflow.
///
/// # Panics
/// When it never met one.
pub fn assert_covers(met: &BTreeSet<StepName>, wanted: fn(&StepName) -> bool) {
    let missed: Vec<StepName> =
        all_steps().into_iter().filter(|step| wanted(step) && !met.contains(step)).collect();
    assert!(missed.is_empty(), "never met: {missed:?}");
    assert!(met.iter().any(wanted), "nothing was wanted");
}
