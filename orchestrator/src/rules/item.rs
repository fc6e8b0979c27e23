//! Rules about the item itself: state, group, health, recovery points.

use super::{ALL, MOVES, Rule, rule};
use crate::catalogue::documented::AGENT_HEARTBEAT;
use crate::catalogue::machine as doc;
use crate::catalogue::protection::{REPLICATION_ENDED, UNFINISHED};
use crate::catalogue::warning::RPO_BREACH;
use crate::facts::Facts;
use crate::journal::Operation::{Disable, Failback};
use failback_wire::error::Report;

/// Rules of this topic, in check order.
pub(super) static RULES: &[Rule] = &[
    rule("C7", "the state allows the operation", ALL, state),
    rule("G2", "a group member moves only by plan", MOVES, group_by_plan),
    rule("C15", "the replication health is not critical", &[Failback], health),
    rule("C23", "no other operation stands half-way", &[Disable], nothing_halfway),
];

fn state(f: &Facts) -> Option<Report> {
    (!f.item.allowed).then(|| {
        Report::new(
            &doc::NOT_ALLOWED,
            f.item.name.as_str(),
            format!("{} in state {}", f.operation.as_str(), f.item.state),
        )
    })
}

/// What stands half-way is finished first: nobody else knows where its disks lie, or which copy may run (ours).
fn nothing_halfway(f: &Facts) -> Option<Report> {
    let begun = f.item.halfway.filter(|operation| operation.ends().is_none())?;
    Some(Report::new(&UNFINISHED, f.item.name.as_str(), begun.as_str()))
}

fn group_by_plan(f: &Facts) -> Option<Report> {
    let group = f.item.group.as_ref().filter(|_| !f.request.by_plan)?;
    let detail = format!("{} belongs to {group}", f.item.name);
    Some(Report::new(&doc::GROUP_ONLY_BY_PLAN, f.item.name.as_str(), detail))
}

/// An attempt that failed half-way has stopped the source, so the health says nothing about it any more. Of a source
/// that is gone nobody expects heartbeats and new points (P33); nor of one that was shut down after its replication had
/// ended: nothing it could still write is lost (C23, ours).
fn health(f: &Facts) -> Option<Report> {
    let ended = f.item.critical.iter().any(|error| error.code == REPLICATION_ENDED.code);
    let gone = f.azure.known().is_some_and(|vm| !vm.exists || ended && !vm.running);
    let of_the_source = [AGENT_HEARTBEAT.code, RPO_BREACH.code, REPLICATION_ENDED.code];
    let counts = |error: &&Report| !(gone && of_the_source.contains(&error.code.as_str()));
    let critical: Vec<Report> = f.item.critical.iter().filter(counts).cloned().collect();
    if critical.is_empty() || f.item.resuming {
        return None;
    }
    let codes: Vec<&str> = critical.iter().map(|error| error.code.as_str()).collect();
    let report = Report::new(&doc::HEALTH_CRITICAL, f.item.name.as_str(), codes.join(", "));
    Some(report.standing_for(critical))
}
