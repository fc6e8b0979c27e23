//! Rules about recovery points, and which of them a request may choose.

use super::{POINTS, Rule, rule};
use crate::catalogue::choice::POINT_NOT_OFFERED;
use crate::catalogue::machine as doc;
use crate::facts::{Facts, PlanFacts};
use crate::journal::{Operation, PointChoice};
use failback_wire::error::Report;

/// Rules of this topic, in check order.
pub(super) static RULES: &[Rule] = &[
    rule("R6", "there is a recovery point", POINTS, has_point),
    rule("R3", "there is a recovery point of the requested kind", POINTS, has_kind),
    rule("R3", "the requested recovery point exists", POINTS, has_requested),
    rule("R3", "the choice of the recovery point is offered", POINTS, offered),
    rule("R5", "multi-VM points are for plans", POINTS, not_for_groups),
];

fn has_point(f: &Facts) -> Option<Report> {
    let points = f.points.known()?;
    points.is_empty().then(|| Report::new(&doc::NO_POINT, f.item.name.as_str(), f.item.name.as_str()))
}

/// Quiet when there is no point at all: R6 reports that.
fn has_kind(f: &Facts) -> Option<Report> {
    let points = f.points.known().filter(|points| !points.is_empty())?;
    let kind = f.request.choice.kind()?;
    let found = points.iter().any(|point| point.kind == kind);
    (!found).then(|| Report::new(&doc::NO_POINT_OF_TYPE, f.item.name.as_str(), f.request.choice.words()))
}

/// Quiet in plans, which take none of its kind: [`offered_to_plan`] reports that.
fn has_requested(f: &Facts) -> Option<Report> {
    let points = f.points.known().filter(|points| !points.is_empty() && !f.request.by_plan)?;
    let PointChoice::Custom(wanted) = &f.request.choice else { return None };
    let found = points.iter().any(|point| point.point == *wanted);
    (!found).then(|| Report::new(&doc::POINT_UNKNOWN, f.item.name.as_str(), wanted.as_str()))
}

/// What the way home does not offer (R3); a single point by its id only for a machine alone.
fn unknown_at(operation: Operation, choice: &PointChoice, by_plan: bool) -> bool {
    let home = operation == Operation::Failback;
    match choice {
        PointChoice::Latest | PointChoice::Application => false,
        PointChoice::Custom(_) => by_plan,
        PointChoice::LatestProcessed
        | PointChoice::Crash
        | PointChoice::MultiVmProcessed
        | PointChoice::MultiVmApplication => home,
    }
}

/// Multi-VM points are for real failovers to Azure of plans with replication groups (R5; that a test failover has none
/// is ours).
fn needs_groups(operation: Operation, choice: &PointChoice) -> bool {
    choice.is_multi_vm() && operation != Operation::Failback
}

fn refused(entity: &str, choice: &PointChoice) -> Report {
    Report::new(&POINT_NOT_OFFERED, entity, choice.words())
}

/// Asked of a machine alone; of a plan [`offered_to_plan`] asks once.
fn offered(f: &Facts) -> Option<Report> {
    let (choice, plan) = (&f.request.choice, f.request.by_plan);
    (!plan && unknown_at(f.operation, choice, false)).then(|| refused(f.item.name.as_str(), choice))
}

fn not_for_groups(f: &Facts) -> Option<Report> {
    let (choice, plan) = (&f.request.choice, f.request.by_plan);
    (!plan && needs_groups(f.operation, choice)).then(|| refused(f.item.name.as_str(), choice))
}

fn choices(f: &PlanFacts) -> impl Iterator<Item = &PointChoice> {
    f.members.values().filter_map(|member| Some(&member.request.as_ref()?.choice))
}

pub(super) fn offered_to_plan(f: &PlanFacts) -> Vec<Report> {
    let bad = choices(f).find(|choice| unknown_at(f.operation, choice, true));
    bad.map(|choice| refused(&f.plan, choice)).into_iter().collect()
}

pub(super) fn has_groups(f: &PlanFacts) -> Vec<Report> {
    let grouped = f.members.values().any(|member| member.group.is_some());
    let fits = grouped && f.operation == Operation::Failover;
    let bad = choices(f).find(|choice| needs_groups(f.operation, choice) && !fits);
    bad.map(|choice| refused(&f.plan, choice)).into_iter().collect()
}
