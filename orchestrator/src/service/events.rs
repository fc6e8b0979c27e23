//! Events of the vault: what began to be wrong with items, agents and servers and when that was over, as the monitor
//! saw it, and how jobs ended.
//!
//! They follow from health, which nobody sets. The vault keeps the newest ones; after a restart the list begins anew
//! with what is seen then (*ours*, as are both choices: the pages tell neither).

use super::announce::word;
use super::{Health, Orchestrator};
use crate::catalogue::documented::AGENT_HEARTBEAT;
use crate::journal::{Job, Outcome};
use failback_wire::clock::VirtualMs;
use failback_wire::error::Report;
use failback_wire::ids::{JobId, MachineName};
use std::collections::VecDeque;
use std::sync::{MutexGuard, PoisonError};

/// How many events the vault keeps.
const KEPT: usize = 1000;

/// What an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EventKind {
    /// The health of an item.
    Vm,
    /// The health of the agent of an item's source.
    Agent,
    /// The health of a process server or master target.
    Server,
    /// How a job ended.
    Job,
}

impl EventKind {
    /// `eventType`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Vm => "VmHealth",
            Self::Agent => "AgentHealth",
            Self::Server => "ServerHealth",
            Self::Job => "JobStatus",
        }
    }
}

/// One event.
#[derive(Clone, Debug)]
pub(crate) struct VaultEvent {
    /// Counts them, from 1.
    pub(crate) number: u64,
    /// What it is about.
    pub(crate) kind: EventKind,
    /// Name of the item, server, or target of the job.
    pub(crate) object: String,
    /// Normal when something is over.
    pub(crate) severity: Health,
    /// What; without a code for a job that succeeded.
    pub(crate) report: Report,
    /// When.
    pub(crate) at: VirtualMs,
}

/// The newest events, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Events {
    all: VecDeque<VaultEvent>,
    last: u64,
}

impl Events {
    fn add(&mut self, kind: EventKind, object: &str, severity: Health, report: Report, at: VirtualMs) {
        self.last += 1;
        self.all.push_back(VaultEvent {
            number: self.last,
            kind,
            object: object.to_owned(),
            severity,
            report,
            at,
        });
        if self.all.len() > KEPT {
            self.all.pop_front();
        }
    }
    /// Newest first.
    pub(crate) fn newest_first(&self) -> impl Iterator<Item = &VaultEvent> {
        self.all.iter().rev()
    }
}

/// What counted against the same object before and now, as events: what began, then what is over.
fn changes(before: &[Report], now: &[(Health, Report)]) -> Vec<(Health, Report)> {
    let same = |a: &Report, b: &Report| a.code == b.code && a.entity == b.entity;
    let begun = now.iter().filter(|(_, report)| !before.iter().any(|old| same(old, report))).cloned();
    let over = before.iter().filter(|old| !now.iter().any(|(_, report)| same(old, report)));
    begun.chain(over.map(|old| (Health::Normal, old.clone()))).collect()
}

impl Orchestrator {
    /// The events that are kept.
    pub(crate) fn events(&self) -> MutexGuard<'_, Events> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Health of an item, or of its agent, changed from what counted against it before.
    pub(super) fn tell_item(&self, name: &MachineName, before: &[Report], now: &[(Health, Report)]) {
        for (severity, report) in changes(before, now) {
            let of_agent = report.code == AGENT_HEARTBEAT.code;
            let kind = if of_agent { EventKind::Agent } else { EventKind::Vm };
            self.events().add(kind, name.as_str(), severity, report, self.now());
        }
    }

    /// The same of a server.
    pub(super) fn tell_server(&self, id: &str, before: &[Report], now: &[(Health, Report)]) {
        for (severity, report) in changes(before, now) {
            self.events().add(EventKind::Server, id, severity, report, self.now());
        }
    }

    /// A job ended.
    pub(super) fn tell_end(&self, id: &JobId, outcome: Outcome) {
        let of = |job: &Job| {
            let name = self.workflow(job).friendly_under(job.verb());
            (job.request.target.name().to_owned(), name, job.errors().first().map(|r| (*r).clone()))
        };
        let Some((object, name, error)) = self.journal().read(|state| state.jobs.get(id).map(of)) else {
            return;
        };
        let severity = match outcome {
            Outcome::Succeeded => Health::Normal,
            Outcome::Cancelled => Health::Warning,
            Outcome::Failed => Health::Critical,
        };
        let plain = Report {
            code: String::new(),
            message: format!("{name}: {}", word(outcome)),
            possible_causes: String::new(),
            recommended_action: String::new(),
            entity: object.clone(),
            inner: Vec::new(),
            beneath: Vec::new(),
        };
        self.events().add(EventKind::Job, &object, severity, error.unwrap_or(plain), self.now());
    }
}

#[cfg(test)]
mod tests {
    use super::{EventKind, Events, KEPT, changes};
    use crate::catalogue::documented::{AGENT_HEARTBEAT, PS_HEARTBEAT};
    use crate::journal::Health;
    use failback_wire::clock::VirtualMs;
    use failback_wire::error::Report;

    #[test]
    fn what_began_and_what_is_over_is_told_and_nothing_twice() {
        let report = |detail: &str| Report::new(&PS_HEARTBEAT, "ps", detail);
        let agent = Report::new(&AGENT_HEARTBEAT, "web01", "");
        let told = changes(&[report("before"), agent.clone()], &[(Health::Critical, report("now"))]);
        assert_eq!(told, [(Health::Normal, agent.clone())]);
        assert_eq!(
            changes(&[], &[(Health::Warning, agent.clone())]),
            [(Health::Warning, agent)],
            "as bad as it is"
        );
    }

    #[test]
    fn only_the_newest_are_kept() {
        let mut events = Events::default();
        for n in 0..=KEPT as u64 {
            let report = Report::new(&PS_HEARTBEAT, "ps", "");
            events.add(EventKind::Server, "ps", Health::Critical, report, VirtualMs(n));
        }
        let numbers: Vec<u64> = events.newest_first().map(|event| event.number).collect();
        assert_eq!((numbers.len(), numbers[0], numbers[KEPT - 1]), (KEPT, KEPT as u64 + 1, 2));
    }
}
