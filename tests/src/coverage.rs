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

/// A part of the domain that scenarios of their own run, and sweeps of their own cover.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// There, home, and under protection again.
    Cycle,
    /// A test failover and its clean-up.
    Test,
    /// The change of the recovery point.
    Change,
    /// What changes the replication alone.
    Replication,
    /// The ends of protection.
    WayOut,
}

/// Every operation belongs to a part: a new one does not compile until somebody says which sweep meets it.
fn part((operation, ..): &StepName) -> Part {
    match operation {
        Operation::EnableProtection
        | Operation::Failover
        | Operation::Commit
        | Operation::Reprotect
        | Operation::Failback
        | Operation::CommitBack
        | Operation::ReprotectForward => Part::Cycle,
        Operation::TestFailover | Operation::CleanUpTest => Part::Test,
        Operation::ChangePoint => Part::Change,
        Operation::MoveServer | Operation::Resynchronise => Part::Replication,
        Operation::Disable | Operation::Purge | Operation::CompleteMigration => Part::WayOut,
    }
}

/// Every workflow of the cycle asked for without a word about planning, by the item's own name.
pub fn unplanned(step: &StepName) -> bool {
    step.1 == Verb::Unplanned && part(step) == Part::Cycle
}

/// A move to another process server, and a resynchronisation.
pub fn of_the_replication(step: &StepName) -> bool {
    part(step) == Part::Replication
}

/// A test failover and its clean-up.
pub fn of_a_test(step: &StepName) -> bool {
    part(step) == Part::Test
}

/// The change of the recovery point.
pub fn of_a_change(step: &StepName) -> bool {
    part(step) == Part::Change
}

/// Disabling protection, removal from the vault alone, the completed migration.
pub fn of_a_way_out(step: &StepName) -> bool {
    part(step) == Part::WayOut
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
