//! The orchestrator dies right before and right after every write of its journal: before and after every
//! step, and every undo of a step, of every workflow. Nobody helps. Each job has ended within two virtual hours
//! of the crash with its items at named states of rest (the driver holds every job of such a run to that), the
//! end sweep holds, what failed succeeds when asked again, and the whole scenario still holds. A workflow, or a step
//! of one, that no crash meets turns this red.

use failback_lab::driver::{Crash, Script, Setback, StepName, play};
use failback_lab::report::outcome::Finding;
use failback_orchestrator::journal::{Operation, Verb};
use failback_tests::coverage::{
    assert_covers, in_a_plan, of_a_change, of_a_test, of_a_way_out, of_the_replication, planned, unplanned,
};
use failback_tests::rehearsals::crash_while_unwinding;
use std::collections::BTreeSet;

/// What a matrix met.
struct Met {
    /// The steps that began, each between two crash points.
    steps: BTreeSet<StepName>,
    /// The kinds of journal writes, each a crash point.
    kinds: BTreeSet<String>,
}

impl Met {
    fn assert_writes(&self, kind: &str) {
        assert!(self.kinds.contains(kind), "no {kind} among {:?}", self.kinds);
    }
}

/// Plays the scenario once per crash point.
fn crash_at_every_write(name: &str) -> Met {
    let checked = failback_tests::scenario(name);
    let calm = play(&Script::new(&checked));
    assert!(calm.findings.is_empty(), "{name} must hold without a crash: {:?}", calm.findings);
    assert!(calm.writes.len() > 40, "{name} writes its journal {} times only", calm.writes.len());
    let mut broken: Vec<(Crash, Vec<Finding>)> = Vec::new();
    for write in 1..=calm.writes.len() as u64 {
        for before in [true, false] {
            let crash = Crash { write, before };
            let played = play(&Script { crash: Some(crash), ..Script::new(&checked) });
            assert!(played.writes.len() as u64 >= write, "the crash point {crash:?} was never reached");
            if !played.findings.is_empty() {
                broken.push((crash, played.findings));
            }
        }
    }
    let shown: Vec<String> = broken.iter().take(5).map(|(c, f)| format!("{c:?}: {f:#?}")).collect();
    assert!(broken.is_empty(), "{} crash points break {name}:\n{}", broken.len(), shown.join("\n"));
    Met { steps: calm.steps, kinds: calm.writes.into_iter().collect() }
}

#[test]
fn every_workflow_survives_a_crash_at_every_journal_write() {
    assert_covers(&crash_at_every_write("happy/full-round-trip").steps, unplanned);
}

#[test]
fn every_way_out_survives_a_crash_at_every_journal_write() {
    assert_covers(&crash_at_every_write("protection/every-way-out").steps, of_a_way_out);
}

#[test]
fn a_test_failover_survives_a_crash_at_every_journal_write() {
    assert_covers(&crash_at_every_write("test-failover/of-a-plan").steps, of_a_test);
}

#[test]
fn a_change_of_the_recovery_point_survives_a_crash_at_every_journal_write() {
    assert_covers(&crash_at_every_write("recovery-point/changed-before-the-commit").steps, of_a_change);
}

#[test]
fn a_cancelled_failover_survives_a_crash_at_every_journal_write() {
    crash_at_every_write("cancel/failover-after-the-replication-stopped").assert_writes("cancel-asked");
}

#[test]
fn a_plan_that_waits_and_is_cancelled_survives_a_crash_at_every_journal_write() {
    let met = crash_at_every_write("plan/cancelled-while-it-waits");
    for kind in ["cancel-asked", "action-started", "action-ended"] {
        met.assert_writes(kind);
    }
}

#[test]
fn restarted_jobs_survive_a_crash_at_every_journal_write() {
    crash_at_every_write("jobs/restarted").assert_writes("refused");
}

#[test]
fn a_move_and_a_resynchronisation_survive_a_crash_at_every_journal_write() {
    let mut met = crash_at_every_write("process-server/moved-by-hand").steps;
    met.extend(crash_at_every_write("resync/by-hand").steps);
    assert_covers(&met, of_the_replication);
}

#[test]
fn a_planned_failback_survives_a_crash_at_every_journal_write() {
    assert_covers(&crash_at_every_write("happy/avs-planned-failback").steps, planned);
}

#[test]
fn an_alternate_location_survives_a_crash_at_every_journal_write() {
    crash_at_every_write("happy/linux-alternate-location");
}

#[test]
fn every_workflow_of_a_plan_survives_a_crash_at_every_journal_write() {
    assert_covers(&crash_at_every_write("happy/pair-plan-round-trip").steps, in_a_plan);
}

#[test]
fn every_undo_survives_a_crash_at_every_journal_write() {
    let sweep = crash_while_unwinding(&failback_tests::scenario("happy/full-round-trip"), |_| true);
    sweep.assert_holds();
    assert_covers(&sweep.failed, unplanned);
    assert!(sweep.plays > 300, "only {} crash points", sweep.plays);
}

#[test]
fn every_undo_of_a_planned_failback_survives_a_crash_at_every_journal_write() {
    let is_planned =
        |setback: &Setback| setback.verb == Verb::Planned && setback.operation == Operation::Failback;
    let sweep = crash_while_unwinding(&failback_tests::scenario("happy/avs-planned-failback"), is_planned);
    sweep.assert_holds();
    assert_covers(&sweep.failed, planned);
}

#[test]
fn undoing_an_alternate_location_survives_a_crash_at_every_journal_write() {
    // What the round trip does not do: a machine is created at home, and deleted again.
    let creates = |setback: &Setback| setback.operation == Operation::Reprotect;
    let sweep = crash_while_unwinding(&failback_tests::scenario("happy/linux-alternate-location"), creates);
    sweep.assert_holds();
    assert!(sweep.plays > 80, "only {} crash points", sweep.plays);
}

#[test]
fn undoing_a_plan_survives_a_crash_at_every_journal_write() {
    // A member fails while the other goes on, waits for its boot group, or is given up.
    let boots = |setback: &Setback| {
        setback.operation == Operation::Failover && ["create-disks", "create-vm"].contains(&&*setback.step)
    };
    let sweep = crash_while_unwinding(&failback_tests::scenario("happy/pair-plan-planned-failback"), boots);
    sweep.assert_holds();
    assert!(sweep.plays > 50, "only {} crash points", sweep.plays);
}

#[test]
fn undoing_a_move_survives_a_crash_at_every_journal_write() {
    let moves = |setback: &Setback| setback.operation == Operation::MoveServer;
    let moved = failback_tests::scenario("process-server/moved-on-the-way-home");
    crash_while_unwinding(&moved, moves).assert_holds();
}
