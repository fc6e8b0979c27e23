//! Reprotect to Azure: after a committed failback, the machine on-premises replicates to Azure again.
//!
//! Order: see that the seed blobs of the earlier cycle are there, agree on a session with a higher epoch (a
//! checksum synchronisation moves only what differs), tell the configuration server, set the session up at
//! the process server, start the agent that registered again after the failback (C21).
//!
//! No point of no return: production stays where it is, every effect but the seeds is taken back when a later
//! step fails.

use super::enable::{
    make_seeds, open_session, plan_session, start_agent, undo_agent, undo_plan, undo_session,
};
use super::ops::{agent, put_row};
use super::step::Recovery::{Operator, Undo};
use super::step::{Step, StepCtx, StepResult, Workflow};
use crate::catalogue::warning::{SOURCE_NOT_SHUT_DOWN, SPLIT_BRAIN};
use crate::journal::{Fact, Leg, Operation, ProtectionState, Rest};
use failback_wire::ids::Site;

const REQUIREMENTS: (&str, &str) =
    ("GetSwitchProtectionRequirementsTask", "Getting reprotection requirements");
const PROTECT: (&str, &str) = ("ProtectReplicaTask", "Reprotecting virtual machine (1)");

/// The workflow.
pub static WORKFLOW: Workflow = Workflow {
    operation: Operation::ReprotectForward,
    scenario: "SwitchReplicationGroupProtection",
    friendly: "Reprotect",
    precheck: ("SwitchReplicationGroupProtectionPreflightTask", "Prerequisite check"),
    running: ProtectionState::ReprotectInProgress,
    success: Rest {
        state: ProtectionState::InitialReplicationInProgress,
        leg: Leg::Forward,
        active: Site::OnPremises,
    },
    failure: Some(ProtectionState::ReprotectFailed),
    boot_from: None,
    steps: &[
        Step::new("seeds", REQUIREMENTS, |c| Box::pin(make_seeds(c)), Operator),
        Step::new(
            "plan-session",
            REQUIREMENTS,
            |c| Box::pin(plan_session(c)),
            Undo(|c| Box::pin(undo_plan(c))),
        ),
        Step::new("row", PROTECT, |c| Box::pin(row(c)), Undo(|c| Box::pin(undo_row(c)))),
        Step::new("session", PROTECT, |c| Box::pin(open_session(c)), Undo(|c| Box::pin(undo_session(c)))),
        Step::new("agent", PROTECT, |c| Box::pin(begin(c)), Undo(|c| Box::pin(undo_agent(c)))),
    ],
};

/// A new cycle begins: what was to be said of the last one is over, but for what still holds of the guest or of the copy
/// that was left running.
async fn begin(c: &StepCtx<'_>) -> StepResult {
    let mut facts = start_agent(c).await?;
    facts.extend(agent::seen_to(c, Site::OnPremises).await);
    let stays = |code: &str| {
        let running = [SPLIT_BRAIN.code, SOURCE_NOT_SHUT_DOWN.code];
        running.contains(&code) || agent::GUEST.iter().any(|doc| doc.code == code)
    };
    let over = c.item.warnings.keys().filter(|code| !stays(code));
    facts.extend(over.map(|code| Fact::WarningCleared(code.clone())));
    Ok(facts)
}

async fn row(c: &StepCtx<'_>) -> StepResult {
    let policy = c.input.policy.clone().unwrap_or_else(|| c.services.config.vault.policy.clone());
    put_row(c, "forward", &policy).await?;
    Ok(Vec::new())
}

async fn undo_row(c: &StepCtx<'_>) -> StepResult {
    put_row(c, "none", &c.services.config.vault.failback_policy).await?;
    Ok(Vec::new())
}
