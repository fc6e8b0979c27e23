//! Rules of a recovery plan as a whole; those of its members come on top (I8).

use super::points;
use super::target::MAX_DISKS;
use crate::catalogue::machine as doc;
use crate::catalogue::target::MT_FULL;
use crate::facts::{MemberFacts, PlanFacts, Slots};
use crate::journal::Operation;
use crate::workflow::common_times;
use failback_wire::error::Report;
use failback_wire::ids::{GroupName, MachineName};
use failback_wire::proto::session::Point;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Operations that take replication groups as a whole (G2).
const GROUP_MOVES: &[Operation] =
    &[Operation::Failover, Operation::Reprotect, Operation::Failback, Operation::ReprotectForward];

/// One precondition of a plan.
pub struct PlanRule {
    /// Key of `KEYS.md`.
    pub key: &'static str,
    /// What must hold.
    pub name: &'static str,
    /// The violations, if the facts show any.
    pub check: fn(&PlanFacts) -> Vec<Report>,
}

/// Every rule, in check order.
pub static PLAN_RULES: &[PlanRule] = &[
    PlanRule { key: "G2", name: "replication groups are complete", check: complete },
    PlanRule { key: "G3", name: "inputs are given for every machine", check: inputs },
    PlanRule { key: "P19", name: "each master target has room for all of them", check: room },
    PlanRule { key: "P29", name: "replication groups are of one kind", check: uniform },
    PlanRule {
        key: "R3",
        name: "the choice of the recovery point is offered to plans",
        check: points::offered_to_plan,
    },
    PlanRule { key: "R5", name: "multi-VM points need replication groups", check: points::has_groups },
    PlanRule { key: "R4", name: "replication groups have a common point of the kind", check: common_point },
];

fn machines(f: &PlanFacts) -> impl Iterator<Item = &MachineName> {
    f.groups.iter().flatten()
}

/// A commit moves nothing, so it may leave members out.
fn complete(f: &PlanFacts) -> Vec<Report> {
    if !GROUP_MOVES.contains(&f.operation) {
        return Vec::new();
    }
    let inside: BTreeSet<_> = machines(f).collect();
    let mut out = Vec::new();
    for (group, all) in &f.replication_groups {
        let missing: Vec<_> =
            all.iter().filter(|name| !inside.contains(name)).map(ToString::to_string).collect();
        if !missing.is_empty() && all.len() > missing.len() {
            let detail = format!("{group} lacks {}", missing.join(", "));
            out.push(Report::new(&doc::PLAN_GROUP_INCOMPLETE, group.as_str(), detail));
        }
    }
    out
}

/// What reprotect to the site needs of each machine (C9: the datastore even though it may be ignored).
fn inputs(f: &PlanFacts) -> Vec<Report> {
    if f.operation != Operation::Reprotect {
        return Vec::new();
    }
    let missing = |member: &MemberFacts| {
        let Some(request) = &member.request else { return "all inputs".to_owned() };
        let fields = [
            ("master target", &request.master_target),
            ("process server", &request.process_server),
            ("retention drive", &request.retention_drive),
            ("datastore", &request.datastore),
        ];
        let names: Vec<_> =
            fields.iter().filter(|(_, value)| value.is_none()).map(|(name, _)| *name).collect();
        names.join(", ")
    };
    let members = f.members.iter().map(|(name, member)| (name, missing(member)));
    members
        .filter(|(_, missing)| !missing.is_empty())
        .map(|(name, missing)| Report::new(&doc::PLAN_INPUT_MISSING, name.as_str(), missing))
        .collect()
}

/// Each machine alone may fit where all together do not. Quiet about a master target that is too full for one of them:
/// that machine's own rule reports it.
fn room(f: &PlanFacts) -> Vec<Report> {
    let mut by_target: BTreeMap<&str, Vec<Slots>> = BTreeMap::new();
    for member in f.members.values().filter(|_| f.operation == Operation::Reprotect) {
        let target = member.request.as_ref().and_then(|request| request.master_target.as_deref());
        if let (Some(target), Some(slots)) = (target, member.slots) {
            by_target.entry(target).or_default().push(slots);
        }
    }
    let too_many = |(target, all): (&str, Vec<Slots>)| {
        let taken = all.iter().map(|slots| slots.taken).max()?;
        let wanted: usize = all.iter().map(|slots| slots.wanted).sum();
        let one_alone = all.iter().any(|slots| slots.taken + slots.wanted > MAX_DISKS);
        let detail = || format!("{taken} attached, {wanted} more needed by the plan");
        (taken + wanted > MAX_DISKS && !one_alone).then(|| Report::new(&MT_FULL, target, detail()))
    };
    by_target.into_iter().filter_map(too_many).collect()
}

/// Matters where the members share a master target: a failover to Azure takes any mixture.
fn uniform(f: &PlanFacts) -> Vec<Report> {
    if !matches!(f.operation, Operation::Reprotect | Operation::Failback) {
        return Vec::new();
    }
    let mut by_group: BTreeMap<&GroupName, Vec<&MemberFacts>> = BTreeMap::new();
    for member in f.members.values() {
        if let Some(group) = &member.group {
            by_group.entry(group).or_default().push(member);
        }
    }
    let mut out = Vec::new();
    for (group, members) in by_group {
        let families: BTreeSet<_> = members.iter().map(|member| member.os).collect();
        let inputs = members.iter().filter_map(|member| member.request.as_ref()?.master_target.as_deref());
        let targets: BTreeSet<_> = inputs.collect();
        // Different families need different master targets anyway: that is said once.
        if families.len() > 1 {
            out.push(Report::new(&doc::GROUP_MIXED, group.as_str(), "operating system families differ"));
        } else if targets.len() > 1 {
            out.push(Report::new(&doc::GROUP_MIXED, group.as_str(), "master targets differ"));
        }
    }
    out
}

/// Quiet when a member has no point of the kind at all: its own rules report that.
fn common_point(f: &PlanFacts) -> Vec<Report> {
    let mut by_group: BTreeMap<&GroupName, Vec<Vec<Arc<Point>>>> = BTreeMap::new();
    let asked = f.members.values().filter_map(|member| Some(&member.request.as_ref()?.choice));
    let Some(choice) = asked.clone().find(|choice| choice.is_common()) else { return Vec::new() };
    for member in f.members.values() {
        let asks = member.request.as_ref().is_some_and(|request| request.choice == *choice);
        if let (Some(group), Some(points), true) = (&member.group, &member.points, asks) {
            by_group.entry(group).or_default().push(points.clone());
        }
    }
    let kind = choice.kind();
    let some = |points: &Vec<Arc<Point>>| points.iter().any(|point| kind.is_none_or(|k| point.kind == k));
    let lacks =
        |members: &Vec<Vec<Arc<Point>>>| members.iter().all(some) && common_times(members, kind).is_empty();
    let bad = by_group.into_iter().filter(|(_, members)| lacks(members));
    bad.map(|(group, _)| Report::new(&doc::NO_COMMON_POINT, group.as_str(), group.as_str())).collect()
}

/// Evaluates the plan's rules, then wraps each member's refusals: if any member is refused, the plan is.
///
/// `members` are the refusals of each machine's own rules.
pub fn check_plan(f: &PlanFacts, members: &BTreeMap<MachineName, Vec<Report>>) -> Vec<Report> {
    let mut out: Vec<_> =
        PLAN_RULES.iter().filter(|rule| f.env.holds(rule.key)).flat_map(|rule| (rule.check)(f)).collect();
    let refused: Vec<_> = members.iter().filter(|(_, reports)| !reports.is_empty()).collect();
    if !refused.is_empty() {
        let names: Vec<_> = refused.iter().map(|(name, _)| name.to_string()).collect();
        let mut whole = Report::new(&doc::PLAN_MEMBER_FAILS, f.plan.as_str(), names.join(", "));
        for (name, reports) in &refused {
            let all = reports.iter().flat_map(|report| [report].into_iter().chain(report.all_beneath()));
            whole.inner.extend(all.map(|report| format!("{name}: {} {}", report.code, report.message)));
            whole.beneath.extend(reports.iter().cloned());
        }
        out.push(whole);
        out.extend(refused.into_iter().flat_map(|(_, reports)| reports.iter().cloned()));
    }
    out
}
