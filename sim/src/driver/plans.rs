//! Recovery plans: saving them, and confirming what they wait for.

use super::client::Answer;
use super::operate::Ended;
use super::play::Driver;
use super::requests::Request;
use super::steps::{At, Stop};
use crate::report::outcome::{Finding, FindingKind};
use crate::scenario::estate::Side;
use crate::scenario::inventory::Plan;
use crate::scenario::model::{Confirm, Ending, SavePlan, Step, Verb};
use crate::scenario::plans::{ActionKind, PlanAction, Stage};
use crate::scenario::text::{Name, Spanned};
use failback_oracle::PlanSetup;
use failback_wire::ids::MachineName;
use serde_json::{Value, json};

impl Driver<'_> {
    /// Steps that are over.
    fn past(&self) -> &[Spanned<Step>] {
        let over = self.current.map_or(0, |at| at.index);
        self.checked.scenario.steps.get(..over).unwrap_or_default()
    }

    /// The plan as it was saved last, if no step has deleted it since.
    pub(super) fn plan_now(&self, name: &str) -> Option<&Plan> {
        let is_saved = |step: &Spanned<Step>| {
            let saved = step.saves().filter(|save| save.name.value == name).map(|_| true);
            saved.or_else(|| step.deletes().filter(|deleted| deleted.value == name).map(|_| false))
        };
        if self.past().iter().rev().find_map(is_saved) == Some(false) {
            return None;
        }
        let inventory = &self.checked.inventory;
        let saved = self.past().iter().filter(|step| step.saves().is_some()).count();
        let first = inventory.plans.iter().filter(|plan| plan.from_the_start).count();
        let there = inventory.plans.get(..first + saved).unwrap_or(&inventory.plans);
        there.iter().rev().find(|plan| plan.name == name)
    }

    /// A step has ended this machine's protection since the plan was saved: it is in the plan no more.
    pub(super) fn left_plan(&self, plan: Option<&Name>, machine: &str) -> bool {
        let anew = |step: &Spanned<Step>| {
            step.saves().is_some_and(|save| plan.is_some_and(|plan| plan.value == save.name.value))
        };
        let since = self.past().iter().rev().take_while(|step| !anew(step));
        since.filter_map(|step| step.operation()).any(|operation| {
            operation.kind.leaves()
                && *operation.expect == Ending::Succeeded
                && operation.item.is_some_and(|item| item.value == machine)
        })
    }

    /// Tells the oracle of the plan that a step has saved.
    pub(super) fn saved(&self, save: &SavePlan) {
        let plan = self.checked.inventory.plan(save);
        let machine = |name: &String| MachineName::from(name.as_str());
        let groups = plan.groups.iter().map(|group| group.iter().map(machine).collect()).collect();
        let setup = PlanSetup { name: plan.name, groups };
        self.world.recorder.oracle(|oracle| oracle.saves_plan(&setup));
    }

    /// Confirms what the plan's job waits for, and waits until the job is over or waits again.
    pub(super) async fn confirm(&mut self, at: At, confirm: &Confirm) -> Result<(), Stop> {
        let plan = confirm.plan.value.as_str();
        let Some(job) = self.jobs.get(plan).cloned() else {
            if self.persists() {
                return Ok(());
            }
            let finding = Finding::new(FindingKind::ExpectationFailed, "no step has started a job on it");
            return Err(self.fail(at, finding));
        };
        let body = json!({ "properties": { "comments": "done" } });
        let request = Request::post(format!("{}/resume", self.client.job_path(&job)), body);
        let ended = match self.request(at, &request).await? {
            Answer::Refused(codes, report) => Ended::Refused(codes, report),
            Answer::Done | Answer::Accepted(_) => {
                self.ended(Answer::Accepted(job), confirm.within.duration()).await
            }
        };
        self.conclude(at, &confirm.expect, ended)
    }

    /// Body of the `PUT` of a plan.
    pub(super) fn plan_body(&self, plan: &Plan) -> Value {
        let group = |kind: &str, stage: Stage, members: &[String]| {
            let items: Vec<_> = members.iter().map(|m| json!({ "id": self.client.item_path(m) })).collect();
            let at = |edge: fn(&PlanAction) -> Option<Stage>| {
                let here = plan.actions.iter().filter(move |action| edge(action) == Some(stage));
                here.map(action).collect::<Vec<_>>()
            };
            json!({
                "groupType": kind,
                "replicationProtectedItems": items,
                "startGroupActions": at(|action| action.before),
                "endGroupActions": at(|action| action.after),
            })
        };
        let shared = [("Shutdown", Stage::Shutdown), ("Failover", Stage::Failover)];
        let used =
            |stage: Stage| plan.actions.iter().any(|a| a.before == Some(stage) || a.after == Some(stage));
        let shared = shared.into_iter().filter(|(_, stage)| used(*stage));
        let boot = plan.groups.iter().zip(1..).map(|(members, n)| group("Boot", Stage::Group(n), members));
        let groups: Vec<_> = shared.map(|(kind, stage)| group(kind, stage, &[])).chain(boot).collect();
        json!({ "properties": {
            "primaryFabricId": "lab-cs",
            "recoveryFabricId": "Microsoft Azure",
            "failoverDeploymentModel": "ResourceManager",
            "groups": groups,
        }})
    }
}

fn action(action: &PlanAction) -> Value {
    let details = match action.kind {
        ActionKind::Manual => json!({ "instanceType": "ManualActionDetails", "description": action.name }),
        ActionKind::Script => json!({ "instanceType": "ScriptActionDetails", "path": action.name }),
        ActionKind::Runbook => {
            json!({ "instanceType": "AutomationRunbookActionDetails", "runbookId": action.name })
        }
    };
    let types = action.verbs.iter().map(|verb| match verb {
        Verb::Planned => "PlannedFailover",
        Verb::Unplanned => "UnplannedFailover",
    });
    let directions = action.to.iter().map(|side| match side {
        Side::Azure => "PrimaryToRecovery",
        Side::OnPremises => "RecoveryToPrimary",
    });
    json!({
        "actionName": action.name,
        "failoverTypes": types.collect::<Vec<_>>(),
        "failoverDirections": directions.collect::<Vec<_>>(),
        "customDetails": details,
    })
}
