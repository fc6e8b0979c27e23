//! The two services of the mobility agent, each of which can be stopped by itself.
//!
//! What needs which is ours where the pages are silent: svagents tracks, sends, answers the orchestrator and keeps the
//! heartbeat going; the InMage Scout Application service registers the machine and asks applications to hold still.

use super::{Guests, Replicator};
use failback_wire::ids::{MachineCopy, Site};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A service of the mobility agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AgentService {
    /// InMage Scout VX Agent - Sentinel/Outpost: replication and heartbeat.
    Svagents,
    /// InMage Scout Application service: registration and application consistency.
    ScoutApplication,
}

impl AgentService {
    /// Both.
    pub(super) const ALL: [Self; 2] = [Self::Svagents, Self::ScoutApplication];
}

/// How a service that was stopped starts again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Start {
    /// With the next boot.
    Automatic,
    /// Not by itself.
    Disabled,
}

/// Which services run in a guest under power.
#[derive(Debug)]
pub(super) struct Services {
    svagents: AtomicBool,
    scout: AtomicBool,
}

impl Services {
    /// Those that `runs` says.
    pub(super) fn new(runs: impl Fn(AgentService) -> bool) -> Arc<Self> {
        let [svagents, scout] = AgentService::ALL.map(|service| AtomicBool::new(runs(service)));
        Arc::new(Self { svagents, scout })
    }
    fn of(&self, service: AgentService) -> &AtomicBool {
        match service {
            AgentService::Svagents => &self.svagents,
            AgentService::ScoutApplication => &self.scout,
        }
    }
    /// True while this one runs.
    pub(super) fn run(&self, service: AgentService) -> bool {
        self.of(service).load(Ordering::Relaxed)
    }
    /// True while both do: then the agent registers, and is heard of.
    pub(super) fn all_run(&self) -> bool {
        AgentService::ALL.into_iter().all(|service| self.run(service))
    }
}

impl Guests {
    /// Stops a service of the agent in one copy, or starts it and lets it start with each boot. Idempotent.
    pub(super) fn set_service(
        &self,
        machine: &str,
        site: Site,
        service: AgentService,
        stopped: Option<Start>,
    ) -> Result<(), String> {
        let copy = MachineCopy::new(machine, site);
        let vm = self.vm_of(&copy).ok_or_else(|| format!("there is no guest {copy}"))?;
        let mut state = self.lock();
        match stopped {
            Some(start) => state.stopped.insert((copy.clone(), service), start),
            None => state.stopped.remove(&(copy.clone(), service)),
        };
        let Some(guest) = state.running.get(&vm) else { return Ok(()) };
        let runs = stopped.is_none();
        let changed = guest.services.of(service).swap(runs, Ordering::Relaxed) != runs;
        let up = guest.booted.as_ref().map(|up| (up.router.clone(), up.replicator.clone()));
        let (address, fence) = (guest.config.address.clone(), guest.ctx.fence.clone());
        drop(state);
        if let (Some((router, replicator)), true, AgentService::Svagents) = (up, changed, service) {
            if runs {
                self.net.bind(&address, fence, router);
            } else {
                self.net.unbind(&address);
            }
            self.track(copy, &replicator, runs);
        }
        Ok(())
    }

    /// The agent stops tracking and remembers only its session, or takes that up again.
    fn track(&self, copy: MachineCopy, replicator: &Arc<Replicator>, runs: bool) {
        if runs {
            let session = self.lock().sessions.remove(&copy);
            session.into_iter().for_each(|session| replicator.resume(session));
        } else if let Some(spec) = replicator.spec() {
            replicator.stop(&spec.session);
            self.lock().sessions.insert(copy, spec);
        }
    }
}
