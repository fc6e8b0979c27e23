//! What must hold, at a step or at the end, as written.

use super::estate::Side;
use super::model::{Health, ItemState};
use super::text::{Name, Spanned};
use super::units::{Period, Size};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What must hold. Empty means: nothing beyond what the oracle always judges.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Expect {
    /// Replicated items.
    #[serde(default)]
    pub items: BTreeMap<Name, ItemExpect>,
    /// Virtual machines on both sides.
    #[serde(default)]
    pub vms: BTreeMap<Name, VmExpect>,
    /// Guest systems of machines.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub guests: BTreeMap<Name, GuestExpect>,
    /// What the disks of the active copy hold.
    #[serde(default)]
    pub data: BTreeMap<Name, DataExpect>,
    /// Codes of warnings each item must have shown; an empty list: none at all.
    #[serde(default)]
    pub warnings: BTreeMap<Name, Vec<Name>>,
    /// Process servers and master targets, as the vault shows them.
    #[serde(default)]
    pub servers: BTreeMap<Name, ServerExpect>,
    /// Health of the vault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vault: Option<VaultExpect>,
    /// Events of the vault about the health of each item, process server or master target: these, in this order; others
    /// may lie between. An empty list: none at all.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub events: BTreeMap<Name, Vec<EventExpect>>,
    /// What the portal lists as protectable, by the name in vCenter (P25, P40).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub protectable: BTreeMap<Name, ProtectableExpect>,
    /// What the configuration server's database holds of each machine (P3, C23).
    #[serde(default)]
    pub rows: BTreeMap<Name, Row>,
    /// Items whose latest and latest application-consistent point hold different bytes.
    #[serde(default)]
    pub differs: Vec<Name>,
    /// Virtual time since the run began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub takes: Option<Takes>,
}

impl Expect {
    /// Every code that it names.
    pub fn codes(&self) -> impl Iterator<Item = &Name> {
        let items = self.items.values().flat_map(|i| i.alerts.iter().flatten().chain(&i.alerts_include));
        let servers = self.servers.values().flat_map(|s| s.alerts.iter().flatten().chain(&s.alerts_include));
        let events = self.events.values().flatten().map(|event| &event.code);
        let because = self.protectable.values().flat_map(|item| &item.because);
        items.chain(servers).chain(self.warnings.values().flatten()).chain(events).chain(because)
    }
}

/// What an item must show.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ItemExpect {
    /// State.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<ItemState>,
    /// Where production runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<Side>,
    /// Replication health.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
    /// Codes its health shows, all of them here; an empty list: none at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alerts: Option<Vec<Name>>,
    /// Codes its health shows among others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alerts_include: Vec<Name>,
    /// How many recovery points it offers at least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub points: Option<u32>,
    /// How many recovery points it offers at most (C8, R7).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub points_at_most: Option<u32>,
    /// What may be asked of it, in the wire's words: exactly these, in any order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed: Option<Vec<Name>>,
    /// How many of its disks it says were resized.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resized: Option<u32>,
    /// The process server that it says serves it (P13).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process_server: Option<Name>,
    /// How much it says that waits on its way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<Waiting>,
    /// How much it says the synchronisation of its present session has transferred.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transferred: Option<Transferred>,
}

/// Bytes that a synchronisation transferred, of all disks together (C13).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Transferred {
    /// At least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<Spanned<Size>>,
    /// At most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<Spanned<Size>>,
}

/// A virtual machine in the list of what can be protected.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ProtectableExpect {
    /// How it is shown.
    pub shown: Shown,
    /// Codes of why it cannot be protected, or is greyed out: exactly these.
    #[serde(default)]
    pub because: Vec<Name>,
}

/// How a virtual machine is shown among what can be protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Shown {
    /// Not at all.
    Not,
    /// As one that is not protected.
    Unprotected,
    /// As one that is protected.
    Protected,
}

/// An event of the vault.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct EventExpect {
    /// The code of what began to be wrong, or is over.
    pub code: Name,
    /// How bad it is; `normal`: it is over.
    pub severity: Health,
}

/// What the vault must show of a server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ServerExpect {
    /// Health.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
    /// Codes its health shows, all of them here; an empty list: none at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alerts: Option<Vec<Name>>,
    /// Codes its health shows among others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alerts_include: Vec<Name>,
}

/// What the vault must show of itself: of each part the worst.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct VaultExpect {
    /// The worst health of its items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<Health>,
    /// The worst health of its servers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub servers: Option<Health>,
}

/// Written and not at the target yet, of all disks together: at least so much (E19).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Waiting {
    /// In the machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Spanned<Size>>,
    /// In the process server's cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process_server: Option<Spanned<Size>>,
    /// Refused by the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Spanned<Size>>,
}

/// A machine's row at the configuration server: which way it replicates, as it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Row {
    /// There is none.
    Absent,
    /// To Azure.
    Forward,
    /// Home.
    Reverse,
    /// Neither.
    None,
}

/// What must be true of a virtual machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct VmExpect {
    /// In vCenter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_premises: Option<Power>,
    /// In Azure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub azure: Option<Power>,
    /// How many disks the one in vCenter has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disks: Option<u32>,
    /// How many managed disks that were made for it Azure has, whether on a machine or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_disks: Option<u32>,
}

/// What must be true of a machine's guest system, wherever its disks are.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct GuestExpect {
    /// VMware Tools (C5).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools: Option<Tools>,
    /// How its network card gets its address (C5, P38).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub addressing: Option<Addressing>,
    /// Network Manager is there (C5).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_manager: Option<bool>,
    /// Exactly these codes are in its event log: 6008 for a boot after an unexpected shutdown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<BTreeSet<u32>>,
}

/// VMware Tools in a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Tools {
    /// They start with the guest.
    Enabled,
    /// They do not.
    Disabled,
}

/// How a guest's network card gets its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Addressing {
    /// As somebody wrote it down in the guest.
    Static,
    /// From the network.
    Dhcp,
}

/// Power of a virtual machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Power {
    /// Runs.
    On,
    /// Exists, does not run.
    Off,
    /// Does not exist.
    Absent,
}

/// What the disks of the active copy must hold, as of its last failover.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct DataExpect {
    /// The disks at the failover equalled this, byte for byte.
    pub equals: Equals,
    /// How much of what the source had written was left behind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<Lost>,
}

/// What disks are compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Equals {
    /// The newest point of the session that brought them.
    Latest,
    /// Its newest application-consistent point.
    AppConsistent,
    /// Its oldest point that was kept.
    Oldest,
    /// Some point of it; which one `lost` tells.
    Point,
    /// All that the source had written when it stopped.
    Source,
}

/// How much was lost, in blocks of 4 KiB that differ from the source's last state, and in time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Lost {
    /// At least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least_blocks: Option<Spanned<u64>>,
    /// At most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most_blocks: Option<Spanned<u64>>,
    /// At least so many bytes: the blocks are counted whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least_bytes: Option<Spanned<Size>>,
    /// At most so many bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most_bytes: Option<Spanned<Size>>,
    /// The chosen point was at least this old at the last write that is lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least_time: Option<Spanned<Period>>,
    /// The chosen point was at most this old when the source stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most_time: Option<Spanned<Period>>,
}

/// How long the run may take, in virtual time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Takes {
    /// At most.
    pub at_most: Spanned<Period>,
}
