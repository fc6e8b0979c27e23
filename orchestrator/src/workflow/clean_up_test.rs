//! Clean-up of a test failover: deletes what that made, its virtual machine and its disks, and nothing else.
//!
//! Nothing is taken back: a clean-up that failed is repeated, and goes on where it stopped.

use super::ops::azure;
use super::step::Recovery::Operator;
use super::step::{Step, StepCtx, StepError, StepResult, Workflow};
use crate::catalogue::execution::TEST_NOT_CLEANED;
use crate::journal::{Fact, Leg, Operation, ProtectionState, Rest};
use failback_wire::ids::Site;

const CLEAN_UP: (&str, &str) = ("CleanUpTestVmTask", "Deleting the test virtual machine");

/// The workflow. The item's state is the same throughout: `running` and `success` only name it.
pub static WORKFLOW: Workflow = Workflow {
    operation: Operation::CleanUpTest,
    scenario: "TestFailoverCleanup",
    friendly: "Cleanup test failover",
    precheck: ("TestFailoverCleanupPrerequisitesCheck", "Prerequisites check for cleanup"),
    running: ProtectionState::Protected,
    success: Rest { state: ProtectionState::Protected, leg: Leg::Forward, active: Site::OnPremises },
    failure: None,
    boot_from: None,
    steps: &[
        Step::new("delete-test-vm", CLEAN_UP, |c| Box::pin(delete_test_vm(c)), Operator),
        Step::new("delete-test-disks", CLEAN_UP, |c| Box::pin(delete_test_disks(c)), Operator),
    ],
};

async fn delete_test_vm(c: &StepCtx<'_>) -> StepResult {
    if let Some(copy) = &c.item.test {
        delete_vm(c, &copy.vm.name).await?;
    }
    Ok(Vec::new())
}

async fn delete_test_disks(c: &StepCtx<'_>) -> StepResult {
    for name in c.item.test.iter().flat_map(|copy| copy.vm.disks.values()) {
        delete_disk(c, name).await?;
    }
    Ok(vec![Fact::TestGone])
}

/// Deletes a virtual machine that a test made; one that is not there is deleted already.
pub(super) async fn delete_vm(c: &StepCtx<'_>, name: &str) -> Result<(), StepError> {
    let done = c.services.azure.delete_vm(name, &c.id(&format!("delete/{name}"))).await;
    done.map(drop).map_err(|e| azure::error(&TEST_NOT_CLEANED, name, &e))
}

/// Deletes a disk that a test made.
pub(super) async fn delete_disk(c: &StepCtx<'_>, name: &str) -> Result<(), StepError> {
    let done = c.services.azure.delete_disk(name, &c.id(&format!("delete/{name}"))).await;
    done.map(drop).map_err(|e| azure::error(&TEST_NOT_CLEANED, name, &e))
}
