//! The preconditions of every operation, as data: one small function per rule, one table in check order.
//!
//! [`check`] evaluates all rules that apply and reports every violation, not only the first. Rules look at
//! a snapshot of facts and ask nothing, so a refusal touches nothing. A rule whose facts are missing
//! because a system did not answer stays quiet: the rule about that system reports it.

use crate::facts::Facts;
use crate::journal::Operation;
use failback_wire::error::{ErrorDoc, Report};

mod azure;
mod control;
pub(crate) mod cs;
pub mod effects;
mod item;
mod limits;
mod moving;
mod placement;
pub mod plan;
mod points;
mod policy;
pub mod privileges;
pub mod shape;
mod site;
mod target;
mod versions;

pub(crate) use target::MAX_DISKS;

#[cfg(test)]
mod tests;

/// Keys that no scenario can prove, and why.
pub static NOT_MODELLED: &[(&str, &str)] =
    &[("C22", "it belongs to the modernized appliance, which is not modelled")];

/// Keys of the domain's rules, and what each says. I and E are promises of the lab; tests of their own hold them.
pub fn keys() -> impl Iterator<Item = (&'static str, &'static str)> {
    let rows = include_str!("KEYS.md").lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| ")?.strip_suffix(" |")?.splitn(2, " | ");
        Some((cells.next()?, cells.next()?))
    });
    rows.filter(|(key, _)| key.starts_with(['C', 'P', 'R', 'G', 'L']) && key[1..].parse::<u8>().is_ok())
}

use Operation::{ChangePoint, CleanUpTest, MoveServer, Resynchronise, TestFailover};
use Operation::{CommitBack, Disable, EnableProtection, Failback, Failover, Reprotect, ReprotectForward};

/// What breaking a rule means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The request is refused.
    Refuse,
    /// The operation goes on; the item carries a warning.
    Warn,
}

/// One precondition.
pub struct Rule {
    /// Key of `KEYS.md`.
    pub key: &'static str,
    /// What must hold.
    pub name: &'static str,
    /// Operations it is checked for.
    pub applies: &'static [Operation],
    /// What breaking it means.
    pub severity: Severity,
    /// The error it brings along, when nobody else raises that one; it is in the catalogue like all others.
    pub own: Option<&'static ErrorDoc>,
    /// The violation, if the facts show one.
    pub check: fn(&Facts) -> Option<Report>,
}

/// What the rules say about a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Why it is refused; empty when it is not.
    pub refusals: Vec<Report>,
    /// What the item shall carry as warnings.
    pub warnings: Vec<Report>,
}

const fn rule(
    key: &'static str,
    name: &'static str,
    applies: &'static [Operation],
    check: fn(&Facts) -> Option<Report>,
) -> Rule {
    Rule { key, name, applies, severity: Severity::Refuse, own: None, check }
}

/// One that only warns.
const fn warning(
    key: &'static str,
    name: &'static str,
    applies: &'static [Operation],
    check: fn(&Facts) -> Option<Report>,
) -> Rule {
    Rule { key, name, applies, severity: Severity::Warn, own: None, check }
}

/// A rule with the error that it alone raises, all in one place: severity, keys, what must hold, operations; code, class
/// and title of the error; its causes and the recommended action; and a function from the facts to what the violation is
/// about and its details.
macro_rules! own {
    ($severity:ident $key:literal $(+ $more:literal)* $name:literal $applies:expr;
     $code:literal $class:ident $title:literal; $($cause:literal),+ => $action:literal;
     $check:expr) => {{
        static DOC: failback_wire::error::ErrorDoc = failback_wire::error::ErrorDoc {
            code: $code,
            title: $title,
            causes: &[$($cause),+],
            action: $action,
            class: failback_wire::error::Class::$class,
            keys: &[$key $(, $more)*],
        };
        const CHECK: fn(&crate::facts::Facts) -> Option<(String, String)> = $check;
        $crate::rules::Rule {
            key: $key,
            name: $name,
            applies: $applies,
            severity: $crate::rules::Severity::$severity,
            own: Some(&DOC),
            check: |facts| {
                CHECK(facts).map(|(about, detail)| failback_wire::error::Report::new(&DOC, about, detail))
            },
        }
    }};
}
use own;

const ALL: &[Operation] = &Operation::ALL;
/// Disks change hands between a machine and its master target.
const DISKS: &[Operation] = &[Reprotect, Failback, Disable];
/// Disks go from the master target back to the machine.
const RETURN: &[Operation] = &[Failback, Disable];
/// vCenter has something to say, or to do.
const VCENTER: &[Operation] = &[EnableProtection, Reprotect, Failback, Disable];
const HOME: &[Operation] = &[Reprotect, Failback];
const BACK: &[Operation] = &[Reprotect, Failback, CommitBack];
const CONTROL: &[Operation] = &[EnableProtection, Reprotect, Failback, ReprotectForward, MoveServer];
/// A machine is chosen from what discovery shows.
const SHOWN: &[Operation] = &[EnableProtection, Reprotect, Failback, ReprotectForward];
/// The configuration server's database is read or written.
const DATABASE: &[Operation] = &[EnableProtection, Reprotect, Failback, ReprotectForward, Disable];
/// A process server carries it, or is to carry it.
const SERVED: &[Operation] =
    &[EnableProtection, Reprotect, Failback, ReprotectForward, MoveServer, Resynchronise];
/// A failover does without it: what it holds may be lost with the site (C4).
const RELAY: &[Operation] =
    &[EnableProtection, Reprotect, Failback, ReprotectForward, MoveServer, Resynchronise];
const FORWARD: &[Operation] = &[EnableProtection, ReprotectForward];
const ROW: &[Operation] = &[Reprotect, Failback, ReprotectForward];
const POINTS: &[Operation] = &[Failover, Failback, TestFailover, ChangePoint];
/// Without the machine at home there is nothing to protect, or to give disks back to.
const VM: &[Operation] = &[EnableProtection, Failback, Disable];
/// Follow a replication policy.
const POLICY: &[Operation] = &[EnableProtection, Reprotect, ReprotectForward];
const MOVES: &[Operation] = &[Failover, Reprotect, Failback, ReprotectForward];
const AGENT: &[Operation] = &[Reprotect, ReprotectForward];
/// The agent of the source is told something.
const TOLD: &[Operation] = &[Reprotect, ReprotectForward, MoveServer, Resynchronise];
/// The master target takes what comes home.
const TARGET: &[Operation] = &[Reprotect, Failback, MoveServer, Resynchronise];
const AZURE: &[Operation] =
    &[EnableProtection, Failover, Reprotect, Failback, CommitBack, TestFailover, CleanUpTest, ChangePoint];

/// Every rule, in check order: topic by topic. A topic's file holds the table of its rules.
static TOPICS: &[&[Rule]] = &[
    item::RULES,
    policy::RULES,
    control::RULES,
    cs::RULES,
    site::RULES,
    privileges::RULES,
    target::RULES,
    placement::RULES,
    limits::RULES,
    azure::RULES,
    moving::RULES,
    points::RULES,
];

/// The errors that rules bring along.
pub(crate) fn docs() -> impl Iterator<Item = &'static ErrorDoc> {
    all().filter_map(|rule| rule.own)
}

/// Every rule, in check order.
pub fn all() -> impl Iterator<Item = &'static Rule> {
    TOPICS.iter().copied().flatten()
}

/// Operations whose preconditions, all together, are a rule of their own.
pub static WHOLE: &[(&str, Operation)] = &[("C10", Reprotect), ("C15", Failback)];

/// The rules of one operation, in check order.
pub fn rules_for(operation: Operation) -> impl Iterator<Item = &'static Rule> {
    all().filter(move |rule| rule.applies.contains(&operation))
}

/// Evaluates every rule of the operation; reports all violations, in check order.
pub fn check(facts: &Facts) -> Verdict {
    let mut verdict = Verdict::default();
    if WHOLE.iter().any(|(key, operation)| *operation == facts.operation && !facts.env.holds(key)) {
        return verdict;
    }
    for rule in rules_for(facts.operation).filter(|rule| facts.env.holds(rule.key)) {
        if let Some(report) = (rule.check)(facts) {
            match rule.severity {
                Severity::Refuse => verdict.refusals.push(report),
                Severity::Warn => verdict.warnings.push(report),
            }
        }
    }
    verdict
}
