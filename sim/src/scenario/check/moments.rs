//! Moments that never come: calls that nobody makes, tasks that no later step runs.
//!
//! Both are known before anything runs: calls from the table of all traffic, tasks from the product's static
//! workflows. A step's job is over before the next step begins, so only later steps bring a task.

use super::Subject;
use super::names::{Kind, Names};
use crate::scenario::diagnostic::Problem;
use crate::scenario::fault::TaskMoment;
use crate::scenario::inventory::Inventory;
use crate::scenario::model::{self, Ending, Step};
use crate::scenario::step::{self, OperationKind};
use crate::scenario::text::{Name, Spanned};
use failback_orchestrator::journal::{Operation, Verb};
use failback_orchestrator::workflow::{Book, Classic, Workflow};
use failback_wire::operation::{Role, between, names as operations, traffic_of};
use std::collections::BTreeSet;

/// A call `(from, to, operation)` is one that can happen.
pub(super) fn call(
    subject: &Subject<'_>,
    names: &Names,
    (from, to, operation): (Option<&Name>, &Name, &Name),
    out: &mut Vec<Problem>,
) {
    let before = out.len();
    if let Some(from) = from {
        names.need(subject.file, Kind::Caller, from, from.at, out);
    }
    names.need(subject.file, Kind::Node, to, to.at, out);
    let asked = if out.len() == before { names.role(to) } else { None };
    if traffic_of(operation).next().is_none() {
        let title = format!("there is no operation `{operation}`");
        let problem = Problem::at(subject.file, operation.at, title, "no node is ever asked for this");
        out.push(match asked {
            Some(to) => problem.suggest(operation, between(None, to)),
            None => problem.suggest(operation, operations()),
        });
        return;
    }
    let Some(asked) = asked else { return };
    if between(from.and_then(|from| names.role(from)), asked).any(|known| known == operation.value) {
        return;
    }
    let who = from.map_or_else(|| "nobody".to_owned(), |from| format!("`{from}` never"));
    let title = format!("{who} asks `{to}` for `{operation}`");
    let problem = Problem::at(subject.file, operation.at, title, "this call never happens");
    out.push(problem.help(ends(operation)));
}

/// Who asks whom for an operation, in a sentence.
fn ends(operation: &str) -> String {
    let any = |roles: &[Role]| roles.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
    let sentence = |from, to| format!("{} asks {} for it", any(from), any(to));
    traffic_of(operation).map(|t| sentence(t.from, t.to)).collect::<Vec<_>>().join("; ")
}

/// A task is one that a job of a later step runs.
pub(super) fn task(
    subject: &Subject<'_>,
    names: &Names,
    moment: &TaskMoment,
    later: &[Spanned<Step>],
    out: &mut Vec<Problem>,
) {
    if let Some(target) = &moment.target
        && !names.has(Kind::Plan, target)
        && !names.has(Kind::Machine, target)
        && !names.has(Kind::ProcessServer, target)
    {
        names.need(subject.file, Kind::Machine, target, target.at, out);
        return;
    }
    let wanted = &moment.task;
    let id = wanted.split_once('/').map_or(wanted.as_str(), |(_, id)| id);
    // Actions of plans are tasks of their jobs, too (L3).
    let mut actions = subject.inventory.plans.iter().flat_map(|plan| &plan.actions);
    if actions.any(|action| action.name.value == wanted.value) {
        return;
    }
    if owners(id).is_empty() {
        let title = format!("there is no task `{id}`");
        let problem = Problem::at(subject.file, wanted.at, title, "no job has this task");
        out.push(problem.suggest(id, all_tasks()));
        return;
    }
    // Which job a restart repeats is only known when it happens.
    if later.iter().any(|step| matches!(step.value, Step::RestartJob(_))) {
        return;
    }
    let coming: Vec<Coming> = later.iter().flat_map(|step| coming(step, subject.inventory)).collect();
    let about = |c: &Coming| moment.target.as_ref().is_none_or(|target| target.value == c.target);
    if coming.iter().any(|c| c.name == wanted.value && about(c)) {
        return;
    }
    let job = moment.target.as_ref().map(|target| format!(" in a job about `{target}`")).unwrap_or_default();
    let title = format!("no step after this runs the task `{wanted}`{job}");
    let problem = Problem::at(subject.file, wanted.at, title, "this moment never comes");
    let alike: BTreeSet<String> = coming
        .iter()
        .filter(|c| c.id == id)
        .map(|c| format!("`{}` in a job about `{}`", c.name, c.target))
        .collect();
    out.push(problem.help(match alike.is_empty() {
        true => format!("it is a task of {}", owners(id).join(", ")),
        false => format!("later steps run {}", Vec::from_iter(alike).join(", ")),
    }));
}

/// A task that a step brings.
struct Coming {
    /// As events name it: in a plan's job with its machine before it.
    name: String,
    /// As its workflow names it.
    id: &'static str,
    /// The item or plan of the job.
    target: String,
}

/// Every task that the job of a step may run.
fn coming(step: &Spanned<Step>, inventory: &Inventory) -> Vec<Coming> {
    let Some(operation) = step.operation() else { return Vec::new() };
    let confirms = operation.kind == OperationKind::Confirm;
    let moves = [OperationKind::Failover, OperationKind::Failback];
    let kinds = if confirms { moves.to_vec() } else { vec![operation.kind] };
    let tasks = |kind| tasks_of(&step.value, &step::Operation { kind, ..operation }, inventory);
    kinds.into_iter().flat_map(tasks).collect()
}

fn tasks_of(step: &Step, operation: &step::Operation<'_>, inventory: &Inventory) -> Vec<Coming> {
    // What moves all machines of a process server is a job about that.
    let server = if let Step::MoveProcessServer(moves) = step { Some(&moves.from) } else { None };
    let Some(target) = operation.item.or(operation.plan).or(server).map(|name| name.value.clone()) else {
        return Vec::new();
    };
    let refused = matches!(operation.expect, Ending::Refused(_));
    let mut out = Vec::new();
    let mut all = workflows(step, operation.kind, refused);
    if operation.kind == OperationKind::TestFailover {
        // What nobody cleans up is cleaned up by force in the end.
        all.extend(workflows(step, OperationKind::CleanUpTest, refused));
    }
    for workflow in all {
        let task = |name: String, id| Coming { name, id, target: target.clone() };
        let precheck = workflow.precheck.0;
        out.push(task(precheck.to_owned(), precheck));
        // What is refused ends with its preconditions.
        for id in workflow.steps.iter().map(|step| step.task).filter(|_| !refused) {
            match operation.item {
                Some(_) => out.push(task(id.to_owned(), id)),
                None => {
                    let of = |member: &str| task(format!("{member}/{id}"), id);
                    let of_server = inventory.machines.iter().filter(|_| operation.plan.is_none());
                    let machines = operation.machines(inventory).into_iter();
                    out.extend(machines.chain(of_server.map(|m| m.name.as_str())).map(of));
                }
            }
        }
    }
    out
}

/// The workflows that a step may run. What a refused request would have been depends on where its item
/// stands, and a commit is one of a failover or of a failback.
fn workflows(step: &Step, kind: OperationKind, refused: bool) -> Vec<&'static Workflow> {
    let planned = matches!(
        step,
        Step::Failover(model::Failover { verb: model::Verb::Planned, .. })
            | Step::Failback(model::Failback { verb: model::Verb::Planned, .. })
    );
    let verb = if planned { Verb::Planned } else { Verb::Unplanned };
    let asked = |operation: &&Operation| {
        let of = OperationKind::from(**operation);
        of == kind || refused && of == other_way(kind)
    };
    Operation::ALL.iter().filter(asked).map(|operation| Classic.workflow(*operation, verb)).collect()
}

/// What the same request asks for where its item stands at the other side.
fn other_way(kind: OperationKind) -> OperationKind {
    let pairs = [
        (OperationKind::Failover, OperationKind::Failback),
        (OperationKind::ReprotectHome, OperationKind::ReprotectAzure),
    ];
    let mut both_ways = pairs.into_iter().flat_map(|(one, other)| [(one, other), (other, one)]);
    both_ways.find(|(one, _)| *one == kind).map_or(kind, |(_, other)| other)
}

/// The tasks of an operation under a verb, preconditions first.
fn tasks(operation: Operation, verb: Verb) -> impl Iterator<Item = &'static str> {
    let workflow = Classic.workflow(operation, verb);
    std::iter::once(workflow.precheck.0).chain(workflow.steps.iter().map(|step| step.task))
}

/// Every task of the product, each once.
pub(super) fn all_tasks() -> Vec<&'static str> {
    let mut out = Vec::new();
    for operation in Operation::ALL {
        for id in tasks(operation, Verb::Unplanned).chain(tasks(operation, Verb::Planned)) {
            if !out.contains(&id) {
                out.push(id);
            }
        }
    }
    out
}

/// The operations that have this task, in the words of files.
fn owners(task: &str) -> Vec<String> {
    let has = |operation, verb| tasks(operation, verb).any(|id| id == task);
    let mut out = Vec::new();
    for operation in Operation::ALL {
        let word = OperationKind::from(operation);
        let word = match (has(operation, Verb::Unplanned), has(operation, Verb::Planned)) {
            (true, true) => word.to_string(),
            (true, false) => format!("unplanned {word}"),
            (false, true) => format!("planned {word}"),
            (false, false) => continue,
        };
        if !out.contains(&word) {
            out.push(word);
        }
    }
    out
}
