//! Commit a failover to Azure: fixes the recovery point (C8).
//!
//! One effect: the session to Azure is forgotten at the process server, and with it all other recovery
//! points. Seeds stay, for a later reprotect to Azure; the on-premises virtual machine is not touched.
//!
//! The point of no return is the step itself. A commit that failed is repeated; it goes on where it stopped.

use super::ops::session;
use super::step::Recovery::Forward;
use super::step::{Step, StepCtx, StepResult, Workflow};
use crate::journal::{Fact, Leg, Operation, ProtectionState, Rest};
use failback_wire::ids::Site;
use failback_wire::proto::session::Direction;

/// The workflow.
pub static WORKFLOW: Workflow = Workflow {
    operation: Operation::Commit,
    scenario: "CommitFailover",
    friendly: "Commit",
    precheck: ("VmCommitPrerequisitesCheck", "Prerequisites check for commit"),
    running: ProtectionState::CommitInProgress,
    success: Rest {
        state: ProtectionState::UnplannedFailoverCommitted,
        leg: Leg::Forward,
        active: Site::Azure,
    },
    failure: None,
    boot_from: None,
    steps: &[Step::new(
        "drop-points",
        ("VmCommit", "Committing failover"),
        |c| Box::pin(drop_points(c)),
        Forward,
    )],
};

/// Forgets the session to Azure, and with it all points but the one that was chosen.
pub(super) async fn drop_points(c: &StepCtx<'_>) -> StepResult {
    if let Some(spec) = &c.item.forward {
        session::leave(c, spec).await?;
    }
    Ok(vec![Fact::SessionClosed(Direction::Forward)])
}
