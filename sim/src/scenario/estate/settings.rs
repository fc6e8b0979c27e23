//! Where the domain's own sources disagree an estate may choose.

use failback_orchestrator::config;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The choices; each has a default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Settings {
    /// Whether disks may come home to vSAN (P23); default `allow`.
    #[serde(default)]
    pub vsan: Vsan,
    /// Most machines a replication group may hold (G1); default 16.
    #[serde(default = "group_size")]
    pub group_size: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { vsan: Vsan::default(), group_size: group_size() }
    }
}

fn group_size() -> u32 {
    16
}

/// Whether disks may come home to vSAN.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Vsan {
    /// Yes.
    #[default]
    Allow,
    /// Only disks that lie there already.
    OriginalOnly,
    /// No.
    Refuse,
}

impl From<Settings> for config::Settings {
    fn from(settings: Settings) -> Self {
        let vsan = match settings.vsan {
            Vsan::Allow => config::Vsan::Allow,
            Vsan::OriginalOnly => config::Vsan::OriginalOnly,
            Vsan::Refuse => config::Vsan::Refuse,
        };
        Self { vsan, group_size: settings.group_size as usize }
    }
}
