//! The mobility agent's interface in a guest (`/v1/…`).
//!
//! | call | what |
//! |---|---|
//! | `PUT /v1/replication` [`SessionSpec`](super::session::SessionSpec) → [`AgentStatus`] | start (or take up with a higher epoch) replicating |
//! | `DELETE /v1/replication/{session}` → [`AgentStatus`] | stop tracking and sending; idempotent |
//! | `POST /v1/tools` [`Tools`] → [`AgentStatus`] | enable or disable VMware Tools in the guest |
//! | `GET /v1/status` → [`AgentStatus`] | |

use super::session::DiskProgress;
use crate::ids::SessionId;
use serde::{Deserialize, Serialize};

/// Enable or disable VMware Tools (C5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tools {
    /// Wanted state.
    pub enabled: bool,
}

/// The agent about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentStatus {
    /// Tells copies apart.
    pub host_id: String,
    /// True once the configuration server knows it.
    pub registered: bool,
    /// The session it feeds, if any.
    pub session: Option<SessionId>,
    /// VMware Tools enabled in the guest.
    pub tools_enabled: bool,
    /// Per disk, as seen at the source.
    pub disks: Vec<DiskProgress>,
}
