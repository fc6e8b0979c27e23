//! Health of process servers and master targets, from what their heartbeats told the configuration server (P13, P14,
//! P30). The worst of it shows.

use super::health::{Young, derive, reports};
use super::{Health, Orchestrator, Roll};
use crate::catalogue::documented::{AGENT_HEARTBEAT, MT_HEARTBEAT, PS_HEARTBEAT};
use crate::catalogue::target::NO_RETENTION;
use crate::catalogue::warning::{
    OUT_OF_SUPPORT, PS_CACHE_LOW, PS_CPU, PS_MEMORY, PS_SERVICES, PS_UPLOAD_LATE, RETENTION_LOW,
};
use crate::workflow::Finding;
use failback_wire::error::{ErrorDoc, Report};
use failback_wire::proto::cs::{Component, ServerBeat, version};

/// A figure of a process server that must not pass two limits (section 5).
struct Limit {
    /// The fact of its heartbeat.
    fact: &'static str,
    doc: &'static ErrorDoc,
    /// Beyond this: a warning.
    warning: u64,
    /// Beyond this: critical.
    critical: u64,
    /// Beyond means above; else below.
    above: bool,
    unit: &'static str,
}

/// Limits of a process server, as the portal shows them.
static LIMITS: [Limit; 4] = [
    Limit { fact: "cpu_pct", doc: &PS_CPU, warning: 80, critical: 95, above: true, unit: "%" },
    Limit { fact: "memory_pct", doc: &PS_MEMORY, warning: 80, critical: 95, above: true, unit: "%" },
    Limit { fact: "cache_free_pct", doc: &PS_CACHE_LOW, warning: 30, critical: 25, above: false, unit: "%" },
    Limit {
        fact: "upload_eta_min",
        doc: &PS_UPLOAD_LATE,
        warning: 30,
        critical: 45,
        above: true,
        unit: " min",
    },
];

/// What is known of a server.
#[derive(Clone, Debug)]
pub(crate) struct ServerSight {
    /// As the configuration server listed it last.
    pub(crate) beat: ServerBeat,
    /// The worst of what is wrong.
    pub(crate) health: Health,
    /// What is wrong, worst first.
    pub(crate) errors: Vec<Report>,
    young: Young,
}

impl Limit {
    fn passed(&self, beat: &ServerBeat) -> Option<Finding> {
        let value: u64 = beat.facts.get(self.fact)?.parse().ok()?;
        let beyond = |limit: u64| if self.above { value > limit } else { value < limit };
        let health = match (beyond(self.critical), beyond(self.warning)) {
            (true, _) => Health::Critical,
            (false, true) => Health::Warning,
            (false, false) => return None,
        };
        let report = Report::new(self.doc, &beat.id, format!("{value}{}", self.unit));
        Some(Finding { report, health, since: None, at_once: false })
    }
}

/// Everything that may be wrong with a server; what has not lasted yet does not count.
fn findings(beat: &ServerBeat) -> Vec<Finding> {
    let silence: &ErrorDoc = match beat.component {
        Component::MasterTarget => &MT_HEARTBEAT,
        Component::ProcessServer => &PS_HEARTBEAT,
        Component::Agent => &AGENT_HEARTBEAT,
    };
    let silent = Report::new(silence, &beat.id, format!("last heard at {}", beat.last_heartbeat));
    let silent = Finding {
        report: silent,
        health: Health::Critical,
        since: Some(beat.last_heartbeat),
        at_once: false,
    };
    let down = beat.facts.get("services_down").filter(|down| !down.is_empty()).map(|down| Finding {
        report: Report::new(&PS_SERVICES, &beat.id, down.as_str()),
        health: Health::Warning,
        since: None,
        at_once: true,
    });
    let limits = LIMITS.iter().filter_map(|limit| limit.passed(beat));
    [silent].into_iter().chain(down).chain(limits).chain(retention(beat)).collect()
}

/// A component that is more than so many versions behind the newest is not supported any more (N-4).
const SUPPORTED: u32 = 4;

/// The component is out of support. That the configuration server has the newest version there is, is ours.
fn unsupported(beat: &ServerBeat, newest: &str) -> Option<Finding> {
    let (own, newest_parts) = (version(&beat.version), version(newest));
    let (Some((major, minor)), Some((top, last))) = (release(&own), release(&newest_parts)) else {
        return None;
    };
    if major > top || major == top && minor + SUPPORTED >= last {
        return None;
    }
    let detail = format!("it is {}, the configuration server {newest}", beat.version);
    let report = Report::new(&OUT_OF_SUPPORT, &beat.id, detail);
    Some(Finding { report, health: Health::Warning, since: None, at_once: true })
}

/// `9` and `62` of `9.62.1`.
fn release(version: &[u32]) -> Option<(u32, u32)> {
    Some((*version.first()?, *version.get(1)?))
}

/// Of a retention volume less than this part, in percent, is free: a warning. The number is ours.
const RETENTION_FREE: u64 = 25;

/// Why the list of a master target's retention volumes is empty, or that its volume runs full (P27).
fn retention(beat: &ServerBeat) -> Option<Finding> {
    let fact = |name: &str| beat.facts.get(name).map(String::as_str);
    let number = |name: &str| fact(name)?.parse::<u64>().ok();
    let found = |report| Some(Finding { report, health: Health::Warning, since: None, at_once: true });
    match (beat.component, fact("retention_mount"), fact("retention_unfit")) {
        (Component::ProcessServer | Component::Agent, _, _) => return None,
        (Component::MasterTarget, None, _) => {
            return found(Report::new(&NO_RETENTION, &beat.id, "it has none"));
        }
        (Component::MasterTarget, Some(_), Some(why)) => {
            return found(Report::new(&NO_RETENTION, &beat.id, why));
        }
        (Component::MasterTarget, Some(_), None) => {}
    }
    let (free, capacity) = (number("retention_free")?, number("retention_capacity")?);
    let percent = free.saturating_mul(100) / capacity.max(1);
    if percent >= RETENTION_FREE {
        return None;
    }
    found(Report::new(&RETENTION_LOW, &beat.id, format!("{percent} % free")))
}

impl Orchestrator {
    /// Takes in what one round has brought of the servers, once.
    pub(super) fn hear_of_servers(&self, roll: &Roll) {
        let Some(called) = roll.news() else { return };
        let (beats, env) = (&called.servers, self.services().ctx.env);
        let (now, silence) = (self.now(), self.services().config.knobs.silent_after);
        let mut known = self.servers();
        known.retain(|id, _| beats.iter().any(|beat| beat.id == *id));
        for beat in beats {
            let old = known.remove(&beat.id);
            let (mut young, before) = old.map(|old| (old.young, old.errors)).unwrap_or_default();
            let mut all = if env.holds("P14") { findings(beat) } else { Vec::new() };
            all.extend(unsupported(beat, &called.version).filter(|_| env.holds("P16")));
            let (health, errors) = derive(&mut young, all, now, silence);
            self.tell_server(&beat.id, &before, &errors);
            let errors = reports(errors);
            known.insert(beat.id.clone(), ServerSight { beat: beat.clone(), health, errors, young });
        }
    }
}

/// The worst health of several.
pub(crate) fn worst(all: impl Iterator<Item = Health>) -> Health {
    all.max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::unsupported;
    use failback_wire::clock::VirtualMs;
    use failback_wire::proto::cs::{Component, ServerBeat};

    #[test]
    fn four_versions_behind_are_supported_and_five_are_not() {
        let told = |version: &str| {
            let beat = ServerBeat {
                component: Component::MasterTarget,
                id: "mt".into(),
                last_heartbeat: VirtualMs(0),
                version: version.into(),
                facts: Default::default(),
            };
            unsupported(&beat, "9.62").is_some()
        };
        assert_eq!(
            ["9.63", "9.62", "9.58", "9.57", "8.99", "10.1", ""].map(told),
            [false, false, false, true, true, false, false]
        );
    }
}
