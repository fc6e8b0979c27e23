//! The configuration server's REST interface (`/v1/…`).
//!
//! | call | what |
//! |---|---|
//! | `POST /v1/registrations` [`Registration`] → [`Registered`] | an agent registers its copy of a machine |
//! | `POST /v1/heartbeats` [`Heartbeat`] → `{}`, a master target gets [`Heard`] | agents and servers say that they live |
//! | `GET /v1/heartbeats` → [`RollCall`] | who was last heard of when: all servers, and the agents of protected machines |
//! | `GET /v1/machines/{name}` → [`MachineRow`] (404 `no-such-machine`) | the protected machine's row (P3) with both registrations |
//! | `PUT /v1/machines/{name}` [`Protection`] → [`Filed`] | protect, or update the protected machine's row |
//! | `DELETE /v1/machines/{name}` → `{}` | forget the protected machine |
//! | `POST /v1/certificate` → [`CsStatus`] (403 `certificate-expired`) | renew the certificate, while it is valid (P6) |
//! | `GET /v1/servers` → `Vec<`[`ServerRow`]`>` | process servers and master targets with their heartbeats |
//! | `GET /v1/status` → [`CsStatus`] | version, registered address, database generation, vCenter discovery |

use crate::clock::VirtualMs;
use crate::ids::{MachineName, Site};
use serde::{Deserialize, Serialize};

/// The operating system family of a machine or a master target (P15).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OsFamily {
    /// Windows.
    Windows,
    /// Linux.
    Linux,
}

/// An agent registers (C7, C14, P32).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// The machine's name as its guest knows it.
    pub machine: MachineName,
    /// Tells the two copies apart: each copy has its own host id.
    pub host_id: String,
    /// Where this copy runs.
    pub site: Site,
    /// Where the agent listens.
    pub address: String,
    /// Operating system family.
    pub os: OsFamily,
    /// Mobility agent's version.
    pub version: String,
}

/// Reply to a registration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registered {
    /// Generation of the database that holds the row; grows with every restore.
    pub generation: u64,
}

/// What kind of component a heartbeat or row speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Component {
    /// A process server.
    ProcessServer,
    /// A master target.
    MasterTarget,
    /// A mobility agent; `id` is its host id.
    Agent,
}

/// A sign of life, every 5 minutes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// What.
    pub component: Component,
    /// Server id or host id.
    pub id: String,
    /// Address it listens on.
    pub address: String,
    /// Component version, `9.62`.
    pub version: String,
    /// Operating system family.
    pub os: OsFamily,
    /// Free-form facts the portal shows (`cache_free_pct`, `attached_disks` …).
    #[serde(default)]
    pub facts: std::collections::BTreeMap<String, String>,
}

/// Reply to a protected machine's row: who keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filed {
    /// See [`CsStatus::instance`].
    #[serde(default)]
    pub instance: String,
}

/// What the configuration server answers to a master target's sign of life.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heard {
    /// The oldest component version among itself and its process servers (P16).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest: Option<String>,
}

/// `9.62` as numbers, to be compared; what is no number counts as zero.
pub fn version(text: &str) -> Vec<u32> {
    text.split('.').map(|part| part.parse().unwrap_or(0)).collect()
}

/// One registration of a machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistrationRow {
    /// Tells copies apart.
    pub host_id: String,
    /// Where this copy runs.
    pub site: Site,
    /// Where its agent listens.
    pub address: String,
    /// When it registered.
    pub registered_at: VirtualMs,
    /// Its last sign of life.
    pub last_heartbeat: VirtualMs,
    /// The agent's version.
    pub version: String,
}

/// What makes a machine protected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Protection {
    /// Operating system family.
    pub os: OsFamily,
    /// vCenter's UUID of the original virtual machine.
    pub vm_uuid: String,
    /// `forward` or `reverse` or `none`: which way it replicates now.
    pub direction: String,
    /// Name of the policy it follows.
    pub policy: String,
}

/// A protected machine's row with the registrations of its copies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineRow {
    /// Name.
    pub machine: MachineName,
    /// What makes it protected.
    pub protection: Protection,
    /// Registrations, by host id.
    pub registrations: Vec<RegistrationRow>,
}

/// A process server or master target as the database knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerRow {
    /// What.
    pub component: Component,
    /// Its id.
    pub id: String,
    /// Where it listens.
    pub address: String,
    /// Version.
    pub version: String,
    /// Operating system family.
    pub os: OsFamily,
    /// Last sign of life.
    pub last_heartbeat: VirtualMs,
    /// Facts of the last heartbeat.
    pub facts: std::collections::BTreeMap<String, String>,
}

/// When the agent of one copy of a protected machine was last heard of; the newest of its registrations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentBeat {
    /// The machine.
    pub machine: MachineName,
    /// Where this copy runs.
    pub site: Site,
    /// Its last sign of life.
    pub last_heartbeat: VirtualMs,
    /// What it told with it; see [`fact`](super::agent::fact).
    #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub facts: std::collections::BTreeMap<String, String>,
}

/// When a server was last heard of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerBeat {
    /// What.
    pub component: Component,
    /// Its id.
    pub id: String,
    /// Its last sign of life.
    pub last_heartbeat: VirtualMs,
    /// Its component version.
    #[serde(default)]
    pub version: String,
    /// Facts of the last heartbeat.
    #[serde(default)]
    pub facts: std::collections::BTreeMap<String, String>,
}

/// Who was last heard of when: what a monitor asks for, once for all machines.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RollCall {
    /// Process servers and master targets.
    pub servers: Vec<ServerBeat>,
    /// Agents of protected machines, by machine and site.
    pub agents: Vec<AgentBeat>,
    /// Component version of the configuration server.
    #[serde(default)]
    pub version: String,
    /// See [`CsStatus::certificate_expires`].
    #[serde(default)]
    pub certificate_expires: VirtualMs,
}

/// The configuration server about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CsStatus {
    /// Version.
    pub version: String,
    /// The address it was registered with in the vault (P4).
    pub registered_address: String,
    /// The address it has now.
    pub address: String,
    /// Grows with every restore of the database.
    pub generation: u64,
    /// Tells one installation from another: a restore keeps it, a server set up anew has its own (P4).
    pub instance: String,
    /// Addresses of copies of this very installation that are connected beside it (P4).
    pub clones: Vec<String>,
    /// When its certificate runs out: from then on it takes in no agent and no server (P6).
    pub certificate_expires: VirtualMs,
    /// Network adapters its machine has.
    pub adapters: u32,
    /// Network adapters it had when it was registered; only these are used (P7).
    pub registered_adapters: u32,
    /// Virtual machines of vCenter that it does not show (P25, P40).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hidden: Vec<Hidden>,
}

/// A virtual machine that is in vCenter's inventory and not among those that can be chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hidden {
    /// Its name.
    pub vm: String,
    /// The one with its instance UUID that was discovered first; none when it has not been discovered itself yet.
    pub twin: Option<String>,
}
