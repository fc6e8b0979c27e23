//! In what condition a process server is: its services, its load, its addressing (P12, P13, P14).

use failback_wire::ids::Site;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The services of a process server that matter here (1.10), by the names Windows lists them under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Service {
    /// Takes and passes on data.
    Cxprocessserver,
    /// Installs agents on new machines.
    PushInstall,
    /// Collects logs.
    LogUpload,
    /// Keeps the sessions.
    ProcessServer,
    /// Watches the server. In Azure, where there is no `tmansvc`, it also says that the server lives (*ours*).
    ProcessServerMonitor,
    /// Says to the configuration server that the server lives; on-premises only.
    Tmansvc,
}

impl Service {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cxprocessserver => "cxprocessserver",
            Self::PushInstall => "PushInstall",
            Self::LogUpload => "LogUpload",
            Self::ProcessServer => "ProcessServer",
            Self::ProcessServerMonitor => "ProcessServerMonitor",
            Self::Tmansvc => "tmansvc",
        }
    }
    /// The one that sends heartbeats from a process server at `site`.
    pub fn heart(site: Site) -> Self {
        match site {
            Site::OnPremises => Self::Tmansvc,
            Site::Azure => Self::ProcessServerMonitor,
        }
    }
}

/// How a process server is addressed (P12).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addressing {
    /// Its IPv4 address is static.
    pub is_static: bool,
    /// Its address is translated on the way to it.
    pub nat: bool,
}

impl Default for Addressing {
    fn default() -> Self {
        Self { is_static: true, nat: false }
    }
}

/// Processors or memory of a process server, and how much of it is in use.
#[derive(Clone, Copy, Debug)]
pub(super) struct Resource {
    /// What it has.
    pub(super) have: u32,
    /// What is in use, in hundredths of one: of what it had, the percentage that it showed.
    used: u32,
    /// For so many sessions; `None`: for the server itself.
    sessions: Option<usize>,
}

impl Resource {
    fn new(have: u32, percent: u32) -> Self {
        Self { have, used: have * percent, sessions: None }
    }
    /// It shows this percentage as long as it serves so many.
    fn load(&mut self, percent: u8, sessions: usize) {
        self.used = self.have * u32::from(percent);
        self.sessions = Some(sessions).filter(|sessions| *sessions > 0);
    }
    /// What it shows while it serves so many, in percent.
    fn percent(&self, sessions: usize) -> u64 {
        let (now, then) = self.sessions.map_or((1, 1), |then| (sessions, then));
        let percent = u64::from(self.used) * now as u64 / (then as u64 * u64::from(self.have.max(1)));
        percent.min(100)
    }
}

/// What may be wrong with a process server while it runs.
#[derive(Clone, Debug)]
pub(super) struct Condition {
    pub(super) processors: Resource,
    /// In GB.
    pub(super) memory: Resource,
    pub(super) addressing: Addressing,
    /// Services that are stopped.
    pub(super) stopped: BTreeSet<Service>,
    /// The cache folder cannot be written: what agents send is refused.
    pub(super) uploads_blocked: bool,
}

impl Condition {
    pub(super) fn new(addressing: Addressing) -> Self {
        Self {
            processors: Resource::new(8, 20),
            memory: Resource::new(16, 40),
            addressing,
            stopped: BTreeSet::new(),
            uploads_blocked: false,
        }
    }
    /// It is as busy as this with so many sessions.
    pub(super) fn load(&mut self, cpu: u8, memory: u8, sessions: usize) {
        self.processors.load(cpu, sessions);
        self.memory.load(memory, sessions);
    }
    /// True while data can come in and go out.
    pub(super) fn moves_data(&self) -> bool {
        !self.stopped.contains(&Service::Cxprocessserver) && !self.stopped.contains(&Service::ProcessServer)
    }
    /// What its heartbeats tell beside the cache, while it serves so many sessions.
    pub(super) fn facts(&self, site: Site, sessions: usize) -> BTreeMap<String, String> {
        let down: Vec<&str> = self.stopped.iter().map(|service| service.name()).collect();
        BTreeMap::from([
            ("cpu_pct".to_owned(), self.processors.percent(sessions).to_string()),
            ("memory_pct".to_owned(), self.memory.percent(sessions).to_string()),
            ("location".to_owned(), site.to_string()),
            ("static_address".to_owned(), self.addressing.is_static.to_string()),
            ("nat".to_owned(), self.addressing.nat.to_string()),
            ("services_down".to_owned(), down.join(", ")),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn load_goes_with_what_is_served_and_what_there_is() {
        let mut condition = Condition::new(Addressing::default());
        let shown = |c: &Condition, sessions| (c.processors.percent(sessions), c.memory.percent(sessions));
        assert_eq!(shown(&condition, 0), (20, 40));
        assert_eq!(shown(&condition, 9), (20, 40), "nobody said how busy it is");
        condition.load(97, 90, 2);
        assert_eq!(shown(&condition, 2), (97, 90));
        assert_eq!(shown(&condition, 1), (48, 45), "one of two machines was moved away");
        assert_eq!(shown(&condition, 4), (100, 100), "more than all is not to be had");
        condition.processors.have = 16;
        assert_eq!(shown(&condition, 2), (48, 90), "twice the processors");
        condition.memory.have = 32;
        assert_eq!(shown(&condition, 2), (48, 45), "and twice the memory");
        condition.load(50, 50, 0);
        assert_eq!(shown(&condition, 3), (50, 50), "others keep it busy");
    }
}
