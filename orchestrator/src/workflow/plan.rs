//! Members of a job: all in parallel up to the power-on, then boot groups strictly in order (L2), with the actions of
//! their plan in between (L3). A job about a single item is a plan of one.

use super::actions;
use super::runner::Run;
use super::step::Workflow;
use crate::catalogue::execution::EARLIER_GROUP_FAILED;
use crate::journal::{Edge, Job, JournalError, Outcome, Stage};
use crate::service::{Orchestrator, Services};
use failback_wire::canary::Canary;
use failback_wire::error::Report;
use failback_wire::ids::MachineName;
use std::sync::Arc;
use tokio::sync::oneshot;

/// With these steps the sources of a plan's machines are off.
const SHUTS_DOWN: &[&str] = &["shut-down-source", "stop-azure"];

/// Takes all members to their end.
pub(crate) async fn boot_in_order(
    me: &Arc<Orchestrator>,
    services: &Arc<Services>,
    job: &Job,
    workflow: &'static Workflow,
) -> Result<(), JournalError> {
    let end = workflow.steps.len();
    let env = me.services().ctx.env;
    let in_order = env.holds("L2") && !env.planted(Canary::BootOrderIgnored);
    let position = |id: &str| workflow.steps.iter().position(|step| step.id == id);
    let boot_from = workflow.boot_from.filter(|_| in_order).and_then(position);
    let run = |member: &MachineName| Run {
        me: me.clone(),
        services: services.clone(),
        job: job.request.job.clone(),
        workflow,
        member: member.clone(),
    };
    let all = || job.names().map(run).collect::<Vec<_>>();
    let Some(boot_from) = boot_from else {
        return in_parallel(all(), 0, end).await;
    };
    let off = SHUTS_DOWN.iter().find_map(|id| position(id)).map_or(0, |last| last + 1);
    actions::run(me, job, Stage::Shutdown, Edge::Before).await?;
    // Nobody waits for the slowest to be off, unless something is to be done then.
    if actions::any(job, Stage::Shutdown, Edge::After) || actions::any(job, Stage::Failover, Edge::Before) {
        in_parallel(all(), 0, off).await?;
        actions::run(me, job, Stage::Shutdown, Edge::After).await?;
        actions::run(me, job, Stage::Failover, Edge::Before).await?;
    }
    in_parallel(all(), 0, boot_from).await?;
    actions::run(me, job, Stage::Failover, Edge::After).await?;
    let mut missing = None;
    for (place, group) in job.request.groups.iter().enumerate() {
        if let Some(name) = &missing {
            for member in group {
                run(member)
                    .give_up(boot_from, Report::new(&EARLIER_GROUP_FAILED, member.as_str(), name))
                    .await?;
            }
            actions::pass_over(me, job, Stage::Boot(place), &format!("{name} did not come up"))?;
            continue;
        }
        actions::run(me, job, Stage::Boot(place), Edge::Before).await?;
        in_parallel(group.iter().map(run).collect(), boot_from, end).await?;
        missing = group.iter().find(|member| !came_up(me, job, member)).map(ToString::to_string);
        match &missing {
            None => actions::run(me, job, Stage::Boot(place), Edge::After).await?,
            Some(name) => {
                actions::pass_over(me, job, Stage::Boot(place), &format!("{name} did not come up"))?;
            }
        }
    }
    Ok(())
}

fn came_up(me: &Orchestrator, job: &Job, member: &MachineName) -> bool {
    let outcome = |job: &Job| job.members.get(member).and_then(|progress| progress.outcome);
    me.job(&job.request.job).and_then(|job| outcome(&job)) == Some(Outcome::Succeeded)
        || me.services().ctx.env.planted(Canary::LaterGroupsGoOn)
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
            Err(_) => run.broken().await?,
        }
    }
    Ok(())
}
