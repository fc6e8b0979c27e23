//! Members of a job: all in parallel up to the power-on, then boot groups strictly in order (L2). A job
//! about a single item is a plan of one.

use super::runner::Run;
use super::step::Workflow;
use crate::catalogue::execution::EARLIER_GROUP_FAILED;
use crate::journal::{Job, JournalError, Outcome};
use crate::service::Orchestrator;
use failback_wire::error::Report;
use failback_wire::ids::MachineName;
use std::sync::Arc;
use tokio::sync::oneshot;

/// Takes all members to their end.
pub(crate) async fn boot_in_order(
    me: &Arc<Orchestrator>,
    job: &Job,
    workflow: &'static Workflow,
) -> Result<(), JournalError> {
    let end = workflow.steps.len();
    let in_order = me.services().ctx.env.holds("L2");
    let boot_from = workflow
        .boot_from
        .filter(|_| in_order)
        .and_then(|id| workflow.steps.iter().position(|step| step.id == id));
    let run = |member: &MachineName| Run {
        me: me.clone(),
        job: job.request.job.clone(),
        workflow,
        member: member.clone(),
    };
    let Some(boot_from) = boot_from else {
        return in_parallel(job.names().map(run).collect(), 0, end).await;
    };
    in_parallel(job.names().map(run).collect(), 0, boot_from).await?;
    let mut missing = None;
    for group in &job.request.groups {
        if let Some(name) = &missing {
            for member in group {
                run(member)
                    .give_up(boot_from, Report::new(&EARLIER_GROUP_FAILED, member.as_str(), name))
                    .await?;
            }
            continue;
        }
        in_parallel(group.iter().map(run).collect(), boot_from, end).await?;
        missing = group.iter().find(|member| !came_up(me, job, member)).map(ToString::to_string);
    }
    Ok(())
}

fn came_up(me: &Orchestrator, job: &Job, member: &MachineName) -> bool {
    let outcome = |job: &Job| job.members.get(member).and_then(|progress| progress.outcome);
    me.job(&job.request.job).and_then(|job| outcome(&job)) == Some(Outcome::Succeeded)
}

/// Each member in a task of its own, so that a defect in one cannot take the others along.
async fn in_parallel(runs: Vec<Run>, from: usize, to: usize) -> Result<(), JournalError> {
    let mut waiting = Vec::with_capacity(runs.len());
    for run in runs {
        let (done, end) = oneshot::channel();
        let task = run.clone();
        run.me.services().ctx.spawn(async move {
            let _ = done.send(task.advance(from, to).await);
        });
        waiting.push((run, end));
    }
    for (run, end) in waiting {
        match end.await {
            Ok(result) => result.map(drop)?,
            // The task died without a word: a defect, told as one.
            Err(_) => run.broken()?,
        }
    }
    Ok(())
}
