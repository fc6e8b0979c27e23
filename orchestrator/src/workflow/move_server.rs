//! Moving a machine to another process server, by hand (P13).
//!
//! Order: look the new process server up, set the session up there, tell the agent of the source, forget the
//! session at the old one, if it still lives. What the old one held may be lost with it: the agent begins a new epoch
//! and compares everything with the target, which keeps its recovery points (*ours*: the pages say nothing of it).
//!
//! No point of no return: the agent is told to go back to the process server that it had.

use super::ops::{agent, defect, note, peer_error, session};
use super::step::Recovery::{Nothing, Undo};
use super::step::{Step, StepCtx, StepError, StepResult, Workflow};
use crate::catalogue::control::PS_UNKNOWN;
use crate::catalogue::execution::SESSION_FAILED;
use crate::journal::{Fact, Leg, Operation, ProtectionState, Rest, ServerRef};
use failback_wire::ids::Site;
use failback_wire::proto::cs::Component;
use failback_wire::proto::session::SessionSpec;

const MOVE: (&str, &str) = ("ReassociateGatewayTask", "Moving the machine to the other process server");

/// Notes: id and address of the process server to move to.
const TO: [&str; 2] = ["move/to/id", "move/to/address"];
/// Notes: id and address of the one that served the machine.
const FROM: [&str; 2] = ["move/from/id", "move/from/address"];

/// The workflow. The item's state is the same throughout: `running` and `success` only name it.
pub static WORKFLOW: Workflow = Workflow {
    operation: Operation::MoveServer,
    scenario: "ReassociateGateway",
    friendly: "Move to another process server",
    precheck: ("ReassociateGatewayPreflightTask", "Prerequisite check"),
    running: ProtectionState::Protected,
    success: Rest { state: ProtectionState::Protected, leg: Leg::Forward, active: Site::OnPremises },
    failure: None,
    boot_from: None,
    steps: &[
        Step::new("look-up", MOVE, |c| Box::pin(look_up(c)), Undo(|c| Box::pin(forget(c)))),
        Step::new("session", MOVE, |c| Box::pin(open(c)), Undo(|c| Box::pin(close(c)))),
        Step::new("agent", MOVE, |c| Box::pin(tell(c)), Undo(|c| Box::pin(call_back(c)))),
        Step::new("leave", MOVE, |c| Box::pin(leave(c)), Nothing),
        Step::new("forget", MOVE, |c| Box::pin(forget(c)), Nothing),
    ],
};

fn spec<'a>(c: &'a StepCtx<'_>) -> Result<&'a SessionSpec, StepError> {
    c.item.session().ok_or_else(|| defect(c, "the session"))
}

fn noted(c: &StepCtx<'_>, keys: [&str; 2]) -> Result<ServerRef, StepError> {
    let value = |key| c.item.notes.get(key).cloned().ok_or_else(|| defect(c, key));
    Ok(ServerRef { id: value(keys[0])?, address: value(keys[1])? })
}

async fn look_up(c: &StepCtx<'_>) -> StepResult {
    let missing = || StepError::new(&PS_UNKNOWN, c.item.name.as_str(), "none was chosen");
    let id = c.input.process_server.as_deref().ok_or_else(missing)?;
    let to = session::server(c, Component::ProcessServer, id).await?;
    let from = c.item.process_server.as_ref().ok_or_else(|| defect(c, "the process server"))?;
    let both = [(TO, &to), (FROM, from)];
    Ok(both.iter().flat_map(|(keys, s)| [note(keys[0], &*s.id), note(keys[1], &*s.address)]).collect())
}

/// What the notes say is in the item now, or never will be.
async fn forget(_: &StepCtx<'_>) -> StepResult {
    Ok(TO.iter().chain(&FROM).map(|key| Fact::NoteCleared((*key).to_owned())).collect())
}

/// Nobody sends there yet.
async fn open(c: &StepCtx<'_>) -> StepResult {
    let to = noted(c, TO)?;
    session::open(c, &to.address, &SessionSpec { relay: to.address.clone(), ..spec(c)?.clone() }).await?;
    Ok(Vec::new())
}

async fn close(c: &StepCtx<'_>) -> StepResult {
    let to = noted(c, TO)?;
    let done = c.services.sessions.delete(&to.address, &spec(c)?.session).await;
    session::unless_gone(c, done.map_err(|e| peer_error(&SESSION_FAILED, &to.address, &e)))?;
    Ok(Vec::new())
}

async fn tell(c: &StepCtx<'_>) -> StepResult {
    let to = noted(c, TO)?;
    let spec = SessionSpec { relay: to.address.clone(), ..spec(c)?.clone() };
    let spec = agent::take_up(c, c.item.leg.source(), &spec).await?;
    Ok(vec![Fact::ProcessServer(to), Fact::SessionOpened(spec)])
}

/// An agent that cannot be told now is told by the next attempt.
async fn call_back(c: &StepCtx<'_>) -> StepResult {
    let from = noted(c, FROM)?;
    let spec = SessionSpec { relay: from.address.clone(), ..spec(c)?.clone() };
    session::unless_gone(c, session::open(c, &from.address, &spec).await)?;
    let spec = session::unless_gone(c, agent::take_up(c, c.item.leg.source(), &spec).await)?.unwrap_or(spec);
    Ok(vec![Fact::ProcessServer(from), Fact::SessionOpened(spec)])
}

async fn leave(c: &StepCtx<'_>) -> StepResult {
    let from = noted(c, FROM)?;
    let done = c.services.sessions.delete(&from.address, &spec(c)?.session).await;
    session::unless_gone(c, done.map_err(|e| peer_error(&SESSION_FAILED, &from.address, &e)))?;
    Ok(Vec::new())
}
