//! What must hold of a recovery plan itself, whenever it is saved (L1).

use crate::catalogue::machine as doc;
use crate::journal::Leg;
use failback_wire::env::Env;
use failback_wire::error::Report;
use failback_wire::ids::{GroupName, MachineName};
use std::collections::{BTreeMap, BTreeSet};

/// Machines in one plan (L1).
pub const MAX_MEMBERS: usize = 100;
/// Boot groups in one plan (L1).
pub const MAX_GROUPS: usize = 7;

/// A machine of a plan that is about to be saved.
#[derive(Clone, Debug)]
pub struct Planned {
    /// Its name.
    pub name: MachineName,
    /// The way it replicates now.
    pub leg: Leg,
    /// Its replication group, if any.
    pub group: Option<GroupName>,
}

/// A plan as it is about to be saved.
#[derive(Clone, Copy, Debug)]
pub struct Shape<'a> {
    /// Name.
    pub plan: &'a str,
    /// Boot groups that have machines.
    pub groups: &'a [Vec<Planned>],
}

/// One rule.
pub struct ShapeRule {
    /// Key of `KEYS.md`.
    pub key: &'static str,
    /// What must hold.
    pub name: &'static str,
    /// The violations, if there are any.
    pub check: fn(&Shape<'_>) -> Vec<Report>,
}

const fn rule(key: &'static str, name: &'static str, check: fn(&Shape<'_>) -> Vec<Report>) -> ShapeRule {
    ShapeRule { key, name, check }
}

/// Every rule, in check order.
pub static SHAPE_RULES: &[ShapeRule] = &[
    rule("L1", "a plan has machines", not_empty),
    rule("L1", "a plan has at most 100 machines", members),
    rule("L1", "a plan has at most 7 boot groups", groups),
    rule("L1", "a machine is in one group of the plan", unique),
    rule("L1", "a replication group is in one group of the plan", undivided),
    rule("L1", "the machines of a plan have one source and one target", one_way),
];

/// Evaluates every rule that holds in `env`; reports all violations.
pub fn check_shape(shape: &Shape<'_>, env: &Env) -> Vec<Report> {
    SHAPE_RULES.iter().filter(|rule| env.holds(rule.key)).flat_map(|rule| (rule.check)(shape)).collect()
}

fn machines<'a>(shape: &'a Shape<'_>) -> impl Iterator<Item = &'a Planned> {
    shape.groups.iter().flatten()
}

fn not_empty(shape: &Shape<'_>) -> Vec<Report> {
    match machines(shape).next() {
        Some(_) => Vec::new(),
        None => vec![Report::new(&doc::PLAN_EMPTY, shape.plan, "")],
    }
}

fn members(shape: &Shape<'_>) -> Vec<Report> {
    match machines(shape).count() {
        count if count > MAX_MEMBERS => {
            vec![Report::new(&doc::PLAN_TOO_LARGE, shape.plan, format!("{count} machines"))]
        }
        _ => Vec::new(),
    }
}

fn groups(shape: &Shape<'_>) -> Vec<Report> {
    match shape.groups.len() {
        count if count > MAX_GROUPS => {
            vec![Report::new(&doc::PLAN_TOO_MANY_GROUPS, shape.plan, format!("{count} groups"))]
        }
        _ => Vec::new(),
    }
}

fn unique(shape: &Shape<'_>) -> Vec<Report> {
    let mut seen = BTreeSet::new();
    let names = machines(shape).map(|machine| &machine.name);
    let twice: BTreeSet<_> = names.filter(|name| !seen.insert(*name)).collect();
    twice.into_iter().map(|name| Report::new(&doc::PLAN_DUPLICATE, name.as_str(), name.as_str())).collect()
}

fn undivided(shape: &Shape<'_>) -> Vec<Report> {
    let mut places: BTreeMap<&GroupName, BTreeSet<usize>> = BTreeMap::new();
    for (place, machines) in shape.groups.iter().enumerate() {
        for group in machines.iter().filter_map(|machine| machine.group.as_ref()) {
            places.entry(group).or_default().insert(place + 1);
        }
    }
    let divided = places.into_iter().filter(|(_, places)| places.len() > 1);
    let report = |(group, places): (&GroupName, BTreeSet<usize>)| {
        let places: Vec<String> = places.iter().map(ToString::to_string).collect();
        let detail = format!("{group} is in the groups {}", places.join(", "));
        Report::new(&doc::PLAN_DIVIDES_GROUP, group.as_str(), detail)
    };
    divided.map(report).collect()
}

/// One of the machines that replicate the other way than the first says it for all.
fn one_way(shape: &Shape<'_>) -> Vec<Report> {
    let Some(first) = machines(shape).next() else { return Vec::new() };
    let other = machines(shape).find(|other| other.leg != first.leg);
    let report = |other: &Planned| {
        let detail = format!("{} replicates the other way than {}", other.name, first.name);
        Report::new(&doc::PLAN_BOTH_WAYS, shape.plan, detail)
    };
    other.map(report).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::{Planned, Shape, check_shape};
    use crate::journal::Leg;
    use failback_wire::env::Env;
    use failback_wire::ids::MachineName;

    fn refused(groups: &[&[&str]]) -> Vec<String> {
        refused_with(groups, |_| Leg::Forward)
    }

    fn refused_with(groups: &[&[&str]], leg: fn(&str) -> Leg) -> Vec<String> {
        let group = |name: &str| name.split_once('@').map(|(_, group)| group.into());
        let machine =
            |name: &&str| Planned { name: MachineName::from(*name), leg: leg(name), group: group(name) };
        let groups: Vec<Vec<_>> = groups.iter().map(|group| group.iter().map(machine).collect()).collect();
        let reports = check_shape(&Shape { plan: "plan", groups: &groups }, &Env::new(0));
        reports.into_iter().map(|report| report.code).collect()
    }

    #[test]
    fn limits() {
        assert_eq!(refused(&[&["a", "b"], &["c"]]), Vec::<String>::new());
        assert_eq!(refused(&[]), ["FB1709"]);
        assert_eq!(refused(&[["a"].as_slice(); 8]), ["FB1703", "FB1708"]);
        let names: Vec<String> = (0..101).map(|n| format!("vm{n}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert_eq!(refused(&[&names[..100]]), Vec::<String>::new());
        assert_eq!(refused(&[&names]), ["FB1702"]);
    }

    #[test]
    fn whole_replication_groups() {
        assert_eq!(refused(&[&["a@g", "b@g"], &["c@h"]]), Vec::<String>::new());
        assert_eq!(refused(&[&["a@g"], &["b@g", "c@h"]]), ["FB1715"]);
    }

    #[test]
    fn one_direction() {
        let leg = |name: &str| if name == "b" { Leg::Reverse } else { Leg::Forward };
        assert_eq!(refused_with(&[&["a"], &["b"]], leg), ["FB1712"]);
        assert_eq!(refused_with(&[&["b"]], leg), Vec::<String>::new());
    }
}
