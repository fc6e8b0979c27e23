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

/// What may be wrong with a process server while it runs.
#[derive(Clone, Debug)]
pub(super) struct Condition {
    pub(super) cpu_pct: u8,
    pub(super) memory_pct: u8,
    pub(super) addressing: Addressing,
    /// Services that are stopped.
    pub(super) stopped: BTreeSet<Service>,
    /// The cache folder cannot be written: what agents send is refused.
    pub(super) uploads_blocked: bool,
}

impl Condition {
    pub(super) fn new(addressing: Addressing) -> Self {
        Self { cpu_pct: 20, memory_pct: 40, addressing, stopped: BTreeSet::new(), uploads_blocked: false }
    }
    /// True while data can come in and go out.
    pub(super) fn moves_data(&self) -> bool {
        !self.stopped.contains(&Service::Cxprocessserver) && !self.stopped.contains(&Service::ProcessServer)
    }
    /// What its heartbeats tell beside the cache.
    pub(super) fn facts(&self, site: Site) -> BTreeMap<String, String> {
        let down: Vec<&str> = self.stopped.iter().map(|service| service.name()).collect();
        BTreeMap::from([
            ("cpu_pct".to_owned(), self.cpu_pct.to_string()),
            ("memory_pct".to_owned(), self.memory_pct.to_string()),
            ("location".to_owned(), site.to_string()),
            ("static_address".to_owned(), self.addressing.is_static.to_string()),
            ("nat".to_owned(), self.addressing.nat.to_string()),
            ("services_down".to_owned(), down.join(", ")),
        ])
    }
}
