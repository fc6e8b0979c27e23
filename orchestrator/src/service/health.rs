//! Health follows from findings: the worst of those that have lasted long enough.

use super::Health;
use crate::workflow::Finding;
use failback_wire::clock::VirtualMs;
use failback_wire::error::Report;
use std::collections::BTreeMap;
use std::time::Duration;

/// Findings by code and entity, with when they were first made, as far as the finder did not know.
pub(crate) type Young = BTreeMap<(String, String), VirtualMs>;

/// Health, and the errors behind it with how bad each is, worst first.
pub(crate) fn derive(
    young: &mut Young,
    findings: Vec<Finding>,
    now: VirtualMs,
    silence: Duration,
) -> (Health, Vec<(Health, Report)>) {
    let key = |finding: &Finding| (finding.report.code.clone(), finding.report.entity.clone());
    let same = |a: &Report, b: &Report| a.code == b.code && a.entity == b.entity;
    let before = std::mem::take(young);
    let mut counted: Vec<(Health, Report)> = Vec::new();
    for finding in findings {
        // Who knows since when is not remembered: a young heartbeat must not lend its age to a silence.
        let since = finding.since.unwrap_or_else(|| {
            let seen = before.get(&key(&finding)).copied().unwrap_or(now);
            young.insert(key(&finding), seen);
            seen
        });
        let age = now.since(since);
        let told = counted.iter().any(|(_, report)| same(report, &finding.report));
        if !told && (finding.at_once || age > silence) {
            counted.push((finding.health, finding.report));
        }
    }
    counted.sort_by_key(|(health, _)| std::cmp::Reverse(*health));
    let worst = counted.first().map(|(health, _)| *health).unwrap_or_default();
    (worst, counted)
}

/// The errors alone.
pub(crate) fn reports(counted: Vec<(Health, Report)>) -> Vec<Report> {
    counted.into_iter().map(|(_, report)| report).collect()
}
