//! What a master target says of itself, beyond its sessions.

use crate::ids::DiskId;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Why a master target cannot register with the configuration server (P9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Obstacle {
    /// Its calls go through a proxy that asks for a login: `curl: (35) TLS connect error`.
    AuthenticatedProxy,
    /// `/etc/hosts` does not map its host name to the address of each of its network cards.
    HostsFile,
}

/// Why a target takes no data although its services run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refusing {
    /// It is newer than what sends to it (P16).
    NewerThanServers {
        /// Its own component version.
        own: String,
        /// The oldest version among the configuration server and its process servers.
        oldest: String,
    },
    /// Disks of the session do not hang on it, or their datastore is out of its host's reach (P20, P24).
    DisksGone(Vec<DiskId>),
    /// Disks of the session have another size than was agreed on (E21).
    DisksResized(Vec<DiskId>),
    /// Its system has updated the kernel by itself; what was built for the one before does not load (P28).
    KernelUpdated,
}

impl fmt::Display for Refusing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NewerThanServers { own, oldest } => {
                write!(f, "the master target is {own}, the oldest of its servers {oldest}")
            }
            Self::DisksGone(disks) => {
                let names: Vec<_> = disks.iter().map(DiskId::as_str).collect();
                write!(f, "it has no access to {}", names.join(", "))
            }
            Self::DisksResized(disks) => {
                let names: Vec<_> = disks.iter().map(DiskId::as_str).collect();
                write!(f, "{} at home and in Azure differ in size", names.join(", "))
            }
            Self::KernelUpdated => f.write_str("the kernel was updated"),
        }
    }
}

/// Why a volume is not listed as a retention volume (P27).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unfit {
    /// It is formatted with FAT or FAT32.
    Fat,
    /// It is locked.
    Locked,
    /// It is the cache or installation volume of the master target itself.
    Cache,
    /// It is the target of a replication.
    ReplicationTarget,
    /// It has no capacity.
    Empty,
    /// It was added less than 15 minutes ago.
    NotSeenYet,
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fat => "it is formatted with FAT",
            Self::Locked => "it is locked",
            Self::Cache => "it is the cache or installation volume",
            Self::ReplicationTarget => "it is the target of a replication",
            Self::Empty => "it has no capacity",
            Self::NotSeenYet => "it is not discovered yet",
        })
    }
}
