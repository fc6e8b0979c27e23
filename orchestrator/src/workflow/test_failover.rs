//! Test failover: a copy of a recovery point comes up in Azure beside the replication, which goes on untouched.
//!
//! Order: pick a point (the newest there is; nothing is processed first), make disks of it, make and start a
//! virtual machine of the name `<name>-test`, in the network that the request names, or in none. Production, source and
//! session are not touched, and nobody's disk but these is. All of it is taken back when a later step fails; what came up stays until it is cleaned up.

use super::ops::{defect, note, points, session};
use super::step::Recovery::Undo;
use super::step::{Step, StepCtx, StepError, StepResult, Workflow};
use super::{clean_up_test, failover};
use crate::journal::{Fact, Leg, Operation, ProtectionState, Rest, TestCopy};
use failback_wire::ids::{DiskId, PointId, Site};

/// Note: the point that the copy is made of.
const POINT: &str = "test/point";

/// The workflow. The item's state is the same throughout: `running` and `success` only name it.
pub static WORKFLOW: Workflow = Workflow {
    operation: Operation::TestFailover,
    scenario: "TestFailover",
    friendly: "Test failover",
    precheck: ("TestFailoverPreflightChecksTask", "Prerequisites check for test failover"),
    running: ProtectionState::Protected,
    success: Rest { state: ProtectionState::Protected, leg: Leg::Forward, active: Site::OnPremises },
    failure: None,
    boot_from: Some("create-test-vm"),
    steps: &[
        Step::new(
            "pick-point",
            ("PrepareForTestFailoverTask", "Preparing the test failover"),
            |c| Box::pin(pick_point(c)),
            Undo(|c| Box::pin(forget_point(c))),
        ),
        Step::new(
            "create-test-disks",
            ("TestFailoverTask", "Start test failover"),
            |c| Box::pin(create_disks(c)),
            Undo(|c| Box::pin(undo_disks(c))),
        ),
        Step::new(
            "create-test-vm",
            ("StartTestVmTask", "Start the test virtual machine"),
            |c| Box::pin(create_vm(c)),
            Undo(|c| Box::pin(undo_vm(c))),
        ),
    ],
};

fn vm_name(c: &StepCtx<'_>) -> String {
    format!("{}-test", c.item.azure_name)
}

fn disk_name(c: &StepCtx<'_>, disk: &DiskId) -> String {
    format!("{}-{disk}", vm_name(c))
}

async fn pick_point(c: &StepCtx<'_>) -> StepResult {
    let spec = failover::spec(c)?;
    let view = session::view(c, &spec.target, spec).await?;
    Ok(vec![note(POINT, points::pick(c, &view.points)?.point.as_str())])
}

async fn forget_point(_: &StepCtx<'_>) -> StepResult {
    Ok(vec![Fact::NoteCleared(POINT.to_owned())])
}

fn point(c: &StepCtx<'_>) -> Result<PointId, StepError> {
    let noted = c.item.notes.get(POINT).ok_or_else(|| defect(c, "the point of the test"))?;
    Ok(PointId::new(noted.as_str()))
}

async fn create_disks(c: &StepCtx<'_>) -> StepResult {
    let disks = failover::disks_of(c, &point(c)?, |disk| disk_name(c, disk)).await?;
    failover::make_disks(c, &disks).await?;
    Ok(Vec::new())
}

async fn undo_disks(c: &StepCtx<'_>) -> StepResult {
    for disk in &c.item.disks {
        clean_up_test::delete_disk(c, &disk_name(c, &disk.disk)).await?;
    }
    Ok(Vec::new())
}

async fn create_vm(c: &StepCtx<'_>) -> StepResult {
    let subnet = c.input.network.as_deref().map(|network| failover::subnet_of(c, network));
    let vm = failover::make_vm(c, &vm_name(c), subnet, |disk| disk_name(c, disk)).await?;
    let copy = TestCopy { vm, since: c.ctx.now() };
    Ok(vec![Fact::TestMade(copy), Fact::NoteCleared(POINT.to_owned())])
}

async fn undo_vm(c: &StepCtx<'_>) -> StepResult {
    clean_up_test::delete_vm(c, &vm_name(c)).await?;
    Ok(vec![Fact::TestGone])
}
