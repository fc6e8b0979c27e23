//! What a plan does before and after its groups (L3): people who confirm, scripts and runbooks.
//!
//! What a script or runbook does is not modelled: the plan tells that it ran, and goes on.

use crate::journal::{ActionKind, Edge, Job, JournalError, Operation, PlanAction, Record, Stage};
use crate::service::Orchestrator;
use std::sync::Arc;

/// Why an action is passed over when a person has asked the job to stop.
const CANCELLED: &str = "the job is cancelled";

/// The actions of this place that belong to the job's operation, each with its place among all.
fn due(job: &Job, stage: Stage, edge: Option<Edge>) -> impl Iterator<Item = (usize, &PlanAction)> {
    let (operation, verb) = (job.request.operation, job.verb());
    let here = move |action: &PlanAction| {
        action.stage == stage
            && edge.is_none_or(|edge| edge == action.edge)
            && action.belongs_to(operation, verb)
    };
    job.request.actions.iter().enumerate().filter(move |(_, action)| here(action))
}

/// True when the job does something there.
pub(super) fn any(job: &Job, stage: Stage, edge: Edge) -> bool {
    due(job, stage, Some(edge)).next().is_some()
}

/// Does what is due there, one after the other; what was over before a restart stays over.
pub(super) async fn run(
    me: &Arc<Orchestrator>,
    job: &Job,
    stage: Stage,
    edge: Edge,
) -> Result<(), JournalError> {
    if !me.services().ctx.env.holds("L3") {
        return Ok(());
    }
    for (place, action) in due(job, stage, Some(edge)) {
        if over(me, job, place) {
            continue;
        }
        if cancelled(me, job) {
            me.record(vec![ended(me, job, place, Some(CANCELLED))])?;
            continue;
        }
        match action.kind {
            ActionKind::Manual => {
                if !begun(me, job, place) {
                    me.record(vec![started(me, job, place)])?;
                }
                confirmed(me, job, place).await;
                if !over(me, job, place) {
                    me.record(vec![ended(me, job, place, Some(CANCELLED))])?;
                }
            }
            ActionKind::Script | ActionKind::Runbook if job.request.operation != Operation::Failback => {
                me.record(vec![started(me, job, place), ended(me, job, place, None)])?;
            }
            ActionKind::Script | ActionKind::Runbook => {
                let why = "scripts and runbooks run on a failover to Azure only";
                me.record(vec![ended(me, job, place, Some(why))])?;
            }
        }
    }
    Ok(())
}

/// Passes over what is due there and not over yet.
pub(super) fn pass_over(
    me: &Arc<Orchestrator>,
    job: &Job,
    stage: Stage,
    why: &str,
) -> Result<(), JournalError> {
    let open = due(job, stage, None).filter(|(place, _)| !over(me, job, *place));
    let records: Vec<Record> = open.map(|(place, _)| ended(me, job, place, Some(why))).collect();
    if records.is_empty() { Ok(()) } else { me.record(records) }
}

fn started(me: &Orchestrator, job: &Job, action: usize) -> Record {
    Record::ActionStarted { at: me.now(), job: job.request.job.clone(), action }
}

fn ended(me: &Orchestrator, job: &Job, action: usize, passed_over: Option<&str>) -> Record {
    Record::ActionEnded {
        at: me.now(),
        job: job.request.job.clone(),
        action,
        passed_over: passed_over.map(str::to_owned),
        comment: None,
        request: None,
    }
}

fn begun(me: &Orchestrator, job: &Job, place: usize) -> bool {
    let begun = |job: &Job| job.actions.get(&place).is_some_and(|action| action.started.is_some());
    me.journal().read(|state| state.jobs.get(&job.request.job).is_some_and(begun))
}

fn over(me: &Orchestrator, job: &Job, place: usize) -> bool {
    let over = |job: &Job| job.actions.get(&place).is_some_and(|action| action.ended.is_some());
    me.journal().read(|state| state.jobs.get(&job.request.job).is_some_and(over))
}

fn cancelled(me: &Orchestrator, job: &Job) -> bool {
    me.journal().read(|state| state.jobs.get(&job.request.job).is_some_and(|job| job.cancel.is_some()))
}

/// Waits, without any limit, until a person has confirmed the action, or asked the job to stop.
async fn confirmed(me: &Orchestrator, job: &Job, place: usize) {
    loop {
        // Made before the look: what is confirmed right after it wakes us too.
        let news = me.confirmations().notified();
        if over(me, job, place) || cancelled(me, job) {
            return;
        }
        news.await;
    }
}
