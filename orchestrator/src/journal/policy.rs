//! Replication policies of the vault (P10, R1).

use crate::config::ReplicationPolicy;
use serde::{Deserialize, Serialize};

/// Which way a policy is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyKind {
    /// To Azure.
    Forward,
    /// Home: made with the forward policy, under its name with `-failback`, and not editable (P10).
    Failback,
}

/// A replication policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Name.
    pub name: String,
    /// Which way it is for.
    pub kind: PolicyKind,
    /// Cadence and retention.
    pub replication: ReplicationPolicy,
    /// Name of the mapping by which it is associated with the configuration server; `None` while it is not.
    pub mapping: Option<String>,
}

impl Policy {
    /// Name of the failback policy that comes with a policy of this name.
    pub fn failback_of(name: &str) -> String {
        format!("{name}-failback")
    }
}
