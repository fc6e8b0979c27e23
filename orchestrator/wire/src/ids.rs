//! Names of things, one type each, so that a disk is never passed where a machine is meant.

use serde::{Deserialize, Serialize};
use std::{fmt, sync::Arc};

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);
        impl $name {
            /// Wraps the text as it is.
            pub fn new(text: impl AsRef<str>) -> Self {
                Self(Arc::from(text.as_ref()))
            }
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }
        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self::new(text)
            }
        }
        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self::new(text)
            }
        }
    };
}

name!(
    /// A simulated computer that runs software: `orchestrator`, `vcenter`, `cs`, `ps-azure`, `mt-windows`, `web01@azure`.
    NodeName
);
name!(
    /// A protected machine by its name, the same on both sites: `web01`.
    MachineName
);
name!(
    /// A disk of a protected machine, the same id wherever its copies lie: `web01-disk0`.
    DiskId
);
name!(
    /// The UUID of a VMDK as vCenter shows it (`6000C29a-…`), the identity P21 and I3 speak of.
    VmdkUuid
);
name!(
    /// One direction of replication of one machine, from its start to its end.
    SessionId
);
name!(
    /// A recovery point of one session.
    PointId
);
name!(
    /// A job of the orchestrator; also the name of its long-running operation on the wire.
    JobId
);
name!(
    /// A replication group (multi-VM consistency).
    GroupName
);

impl DiskId {
    /// The `n`th disk of the machine, counted from 0, as it was when protection was enabled.
    pub fn nth(machine: &MachineName, n: usize) -> Self {
        Self::new(format!("{machine}-disk{n}"))
    }
    /// The `n`th disk that was added to the machine while it ran in Azure (P37).
    pub fn added(machine: &MachineName, n: usize) -> Self {
        Self::new(format!("{machine}-added{n}"))
    }
    /// Its place among the disks that its machine was protected with, from 0; none for one that was added.
    pub fn number(&self) -> Option<u32> {
        self.as_str().rsplit_once("-disk")?.1.parse().ok()
    }
}

/// Where a copy of a machine lives. An Azure VMware Solution private cloud counts as on-premises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Site {
    /// vCenter's side.
    OnPremises,
    /// Azure's side.
    Azure,
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OnPremises => "on-premises",
            Self::Azure => "azure",
        })
    }
}

/// One copy of a machine: `web01@azure`. Also the name of the node its guest runs as.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MachineCopy {
    /// Which machine.
    pub machine: MachineName,
    /// Which side's copy of it.
    pub site: Site,
}

impl MachineCopy {
    /// The copy of `machine` at `site`.
    pub fn new(machine: impl Into<MachineName>, site: Site) -> Self {
        Self { machine: machine.into(), site }
    }
    /// The node the guest of this copy runs as.
    pub fn node(&self) -> NodeName {
        NodeName::from(self.to_string())
    }
}

impl fmt::Display for MachineCopy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.machine, self.site)
    }
}
