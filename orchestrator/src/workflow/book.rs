//! The product's book: which workflow an operation runs, what is looked at before it, and what the monitor
//! sees.

use super::{Book, Checked, Request, Workflow};
use super::{change_point, clean_up_test, commit, commit_back, enable, failback, failover, leave};
use super::{move_server, reprotect, reprotect_forward, resynchronise, test_failover};
use crate::facts::{Gathering, MemberFacts, PlanFacts, RequestFacts};
use crate::journal::{Operation, Verb};
use crate::rules;
use crate::service::Services;
use failback_wire::http::BoxFuture;
use std::collections::BTreeMap;

#[cfg(test)]
mod tests;

/// The classic cycle: failover, commit, reprotect, failback, commit, reprotect.
#[derive(Clone, Copy, Debug, Default)]
pub struct Classic;

impl Book for Classic {
    fn workflow(&self, operation: Operation, verb: Verb) -> &'static Workflow {
        match (operation, verb) {
            (Operation::EnableProtection, _) => &enable::WORKFLOW,
            (Operation::Failover, _) => &failover::WORKFLOW,
            (Operation::Commit, _) => &commit::WORKFLOW,
            (Operation::Reprotect, _) => &reprotect::WORKFLOW,
            (Operation::Failback, Verb::Unplanned) => &failback::UNPLANNED,
            (Operation::Failback, Verb::Planned) => &failback::PLANNED,
            (Operation::CommitBack, _) => &commit_back::WORKFLOW,
            (Operation::ReprotectForward, _) => &reprotect_forward::WORKFLOW,
            (Operation::Disable, _) => &leave::DISABLE,
            (Operation::Purge, _) => &leave::PURGE,
            (Operation::CompleteMigration, _) => &leave::MIGRATE,
            (Operation::TestFailover, _) => &test_failover::WORKFLOW,
            (Operation::CleanUpTest, _) => &clean_up_test::WORKFLOW,
            (Operation::ChangePoint, _) => &change_point::WORKFLOW,
            (Operation::MoveServer, _) => &move_server::WORKFLOW,
            (Operation::Resynchronise, _) => &resynchronise::WORKFLOW,
        }
    }

    fn precheck<'a>(&'a self, services: &'a Services, request: &'a Request) -> BoxFuture<'a, Checked> {
        Box::pin(precheck(services, request))
    }
}

async fn precheck(services: &Services, request: &Request) -> Checked {
    let by_plan = request.plan.is_some();
    let mut gathering = Gathering::new(services, request.operation, by_plan);
    let (mut refusals, mut warnings) = (BTreeMap::new(), BTreeMap::new());
    let mut members = BTreeMap::new();
    for (name, member) in &request.members {
        let facts = gathering.member(name, member).await;
        let verdict = rules::check(&facts);
        refusals.insert(name.clone(), verdict.refusals);
        warnings.insert(name.clone(), verdict.warnings);
        let slots = facts.slots();
        let asked = RequestFacts {
            // What a plan must give for every machine is asked of the request alone (G3).
            master_target: member.input.master_target.clone(),
            process_server: member.input.process_server.clone(),
            ..facts.request
        };
        let points = facts.points.known().cloned();
        let (group, os) = (facts.item.group, facts.item.os);
        members.insert(name.clone(), MemberFacts { group, os, request: Some(asked), points, slots });
    }
    let Some(plan) = &request.plan else {
        return Checked { refusals: refusals.into_values().flatten().collect(), warnings };
    };
    let facts = PlanFacts {
        plan: plan.clone(),
        env: services.ctx.env,
        operation: request.operation,
        groups: request.groups.clone(),
        members,
        replication_groups: request.replication_groups.clone(),
    };
    Checked { refusals: rules::plan::check_plan(&facts, &refusals), warnings }
}
