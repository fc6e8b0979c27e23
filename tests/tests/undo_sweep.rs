//! Each step of each workflow fails in turn, right after it did its work, and is taken back: once, and again with
//! every step and every undo done twice. Nothing of the attempt is left, and a second attempt succeeds.

use failback_lab::driver::StepName;
use failback_tests::coverage::{
    assert_covers, in_a_plan, of_a_change, of_a_test, of_a_way_out, of_the_replication, planned, unplanned,
};
use failback_tests::rehearsals::fail_each_step;
use std::collections::BTreeSet;

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

#[test]
fn every_step_of_every_workflow_is_taken_back() {
    let failed = sweep("happy/full-round-trip");
    assert_covers(&failed, unplanned);
}

#[test]
fn every_step_of_every_workflow_is_taken_back_in_a_plan() {
    let failed = sweep("happy/pair-plan-round-trip");
    assert_covers(&failed, in_a_plan);
}

#[test]
fn an_alternate_location_is_taken_back() {
    sweep("happy/linux-alternate-location");
}

#[test]
fn a_planned_failback_is_taken_back() {
    let failed = sweep("happy/avs-planned-failback");
    assert_covers(&failed, planned);
}

#[test]
fn a_test_failover_is_taken_back() {
    assert_covers(&sweep("test-failover/of-a-plan"), of_a_test);
}

#[test]
fn a_change_of_the_recovery_point_is_taken_back() {
    assert_covers(&sweep("recovery-point/changed-before-the-commit"), of_a_change);
}

#[test]
fn every_way_out_is_gone_on_with() {
    assert_covers(&sweep("protection/every-way-out"), of_a_way_out);
}

#[test]
fn a_move_and_a_resynchronisation_are_taken_back() {
    let mut failed = sweep("process-server/moved-on-the-way-home");
    failed.extend(sweep("resync/by-hand"));
    failed.extend(sweep("disks/added-while-replicating"));
    assert_covers(&failed, of_the_replication);
}
