//! Resynchronisation begun by a person (C2): the agent of the source begins a new epoch and compares everything with
//! the target, whatever it waited for. Recovery points are kept.
//!
//! Nothing to take back: comparing is right at any time.

use super::ops::{agent, defect};
use super::step::{Recovery, Step, StepCtx, StepResult, Workflow};
use crate::journal::{Fact, Leg, Operation, ProtectionState, Rest};
use failback_wire::ids::Site;

/// The workflow. The item's state is the same throughout: `running` and `success` only name it.
pub static WORKFLOW: Workflow = Workflow {
    operation: Operation::Resynchronise,
    scenario: "RepairReplication",
    friendly: "Resynchronize",
    precheck: ("RepairReplicationPreflightTask", "Prerequisite check"),
    running: ProtectionState::Protected,
    success: Rest { state: ProtectionState::Protected, leg: Leg::Forward, active: Site::OnPremises },
    failure: None,
    boot_from: None,
    steps: &[Step {
        id: "agent",
        task: "RepairReplicationTask",
        title: "Starting the resynchronization",
        run: |c| Box::pin(begin(c)),
        recovery: Recovery::Nothing,
    }],
};

async fn begin(c: &StepCtx<'_>) -> StepResult {
    let spec = c.item.session().ok_or_else(|| defect(c, "the session"))?;
    let spec = agent::begin_anew(c, c.item.leg.source(), spec).await?;
    Ok(vec![Fact::SessionOpened(spec)])
}
