//! The mobility agent's interface in a guest (`/v1/…`).
//!
//! | call | what |
//! |---|---|
//! | `PUT /v1/replication` [`SessionSpec`](super::session::SessionSpec) → [`AgentStatus`] | start (or take up with a higher epoch) replicating |
//! | `DELETE /v1/replication/{session}` → [`AgentStatus`] | stop tracking and sending; idempotent |
//! | `POST /v1/tools` [`Tools`] → [`AgentStatus`] | enable or disable VMware Tools in the guest |
//! | `POST /v1/addressing` [`Address`] → [`AgentStatus`] | prepare the guest's network for another site |
//! | `GET /v1/status` → [`AgentStatus`] | |

use super::cs::OsFamily;
use super::session::DiskProgress;
use crate::clock::VirtualMs;
use crate::ids::{DiskId, SessionId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Names of the facts that an agent tells with its heartbeat; it tells them only while there is something to tell.
pub mod fact {
    /// Why the application-consistent point that was due last was not made.
    pub const APP_POINT: &str = "app-point-missing";
    /// Bytes per second, all disks together, in the busiest second since nothing waited any more.
    pub const CHURN_PEAK: &str = "churn-peak";
    /// Bytes per second of the busiest disk over a minute, since nothing waited any more.
    pub const CHURN_DISK: &str = "churn-disk";
    /// Why it will compare all blocks with the target's, and what it waits for before it begins.
    pub const RESYNC: &str = "resync-waits";
    /// The resynchronisation that began by itself failed: a person must begin the next.
    pub const RESYNC_FAILED: &str = "resync-failed";
    /// Disks that it does not replicate, with commas between their ids.
    pub const UNREPLICATED: &str = "disks-unreplicated";
    /// What keeps it from sending.
    pub const SENDING: &str = "sending-blocked";
}

/// Enable or disable VMware Tools (C5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tools {
    /// Wanted state.
    pub enabled: bool,
}

/// How the guest's network card gets its address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Addressing {
    /// As somebody wrote it down in the guest.
    #[default]
    Static,
    /// From the network.
    Dhcp,
}

/// Address the card so, without Network Manager where a Linux guest has it (C5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// Wanted state.
    pub addressing: Addressing,
}

/// The agent about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentStatus {
    /// Tells copies apart.
    pub host_id: String,
    /// True once the configuration server knows it.
    pub registered: bool,
    /// Why the configuration server does not hear of it, where it knows: its last attempt failed, or a service that it
    /// needs is stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unheard_because: Option<String>,
    /// The session it feeds, if any.
    pub session: Option<SessionId>,
    /// In which epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<u64>,
    /// Through the process server at this address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relay: Option<String>,
    /// Version of its operating system, where it is known (P15): `windows-server-2019`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os_version: Option<String>,
    /// VMware Tools enabled in the guest.
    pub tools_enabled: bool,
    /// How the guest's network card gets its address (P38).
    #[serde(default)]
    pub addressing: Addressing,
    /// Bytes of the disks that it reaches over iSCSI, in its own order, which no hypervisor knows of (P37).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub iscsi: Vec<u64>,
    /// Per disk, as seen at the source.
    pub disks: Vec<DiskProgress>,
    /// Labels of the volumes on disks that were added later, as far as they have any (P37).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub volumes: BTreeMap<DiskId, Vec<String>>,
    /// What keeps it from sending, if anything does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<Trouble>,
    /// What it runs on, when that is a physical machine (P35).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hardware: Option<Hardware>,
}

/// What keeps an agent from sending to its process server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// What kind.
    pub kind: TroubleKind,
    /// Since when nothing has got through.
    pub since: VirtualMs,
    /// What the last attempt met.
    pub why: String,
}

/// Kinds of trouble with sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TroubleKind {
    /// The process server, or its data port, does not answer (78186).
    Unreachable,
    /// It answers and takes nothing (78028).
    Blocked,
}

/// A physical machine, as its agent sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hardware {
    /// Operating system family.
    pub os: OsFamily,
    /// Version of its operating system: `windows-server-2008-r2-sp1`.
    pub os_version: Option<String>,
    /// It boots by UEFI, not by BIOS.
    pub uefi: bool,
    /// Sizes of its disks in bytes, in its own order.
    pub disks: Vec<u64>,
}
