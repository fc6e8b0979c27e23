//! Names of things, one type each, so that a disk is never passed where a machine is meant.

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::sync::Arc;

/// The first eight bytes of a text as a number that sorts as they do.
fn head(text: &[u8]) -> u64 {
    let mut first = [0; 8];
    let len = text.len().min(8);
    first[..len].copy_from_slice(&text[..len]);
    u64::from_be_bytes(first)
}

/// Its last eight bytes.
fn tail(text: &[u8]) -> u64 {
    head(&text[text.len().saturating_sub(8)..])
}

/// Reads a name without a copy between.
struct Text<T>(PhantomData<T>);

impl<'de, T: for<'a> From<&'a str>> Visitor<'de> for Text<T> {
    type Value = T;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        Ok(T::from(text))
    }
}

// Estates have ten thousand machines, and every map is keyed by names: most comparisons are settled by the number
// beside the pointer, without a look at the text, which is far away in memory. Names sort by their text; points by
// their ends first, for those of a session begin alike.
macro_rules! name {
    ($(#[$doc:meta])* $name:ident by $lead:ident) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name {
            lead: u64,
            text: Arc<str>,
        }
        impl $name {
            /// Wraps the text as it is.
            pub fn new(text: impl AsRef<str>) -> Self {
                Self { lead: $lead(text.as_ref().as_bytes()), text: Arc::from(text.as_ref()) }
            }
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.text
            }
        }
        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.lead == other.lead && (Arc::ptr_eq(&self.text, &other.text) || self.text == other.text)
            }
        }
        impl Eq for $name {}
        impl Ord for $name {
            fn cmp(&self, other: &Self) -> Ordering {
                self.lead.cmp(&other.lead).then_with(|| match Arc::ptr_eq(&self.text, &other.text) {
                    true => Ordering::Equal,
                    false => self.text.cmp(&other.text),
                })
            }
        }
        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }
        impl Hash for $name {
            fn hash<H: Hasher>(&self, state: &mut H) {
                self.text.hash(state);
            }
        }
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.text)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(Text(PhantomData))
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.text)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.text, f)
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
    NodeName by head
);
name!(
    /// A protected machine by its name, the same on both sites: `web01`.
    MachineName by head
);
name!(
    /// A disk of a protected machine, the same id wherever its copies lie: `web01-disk0`.
    DiskId by head
);
name!(
    /// The UUID of a VMDK as vCenter shows it (`6000C29a-…`), the identity P21 and I3 speak of.
    VmdkUuid by tail
);
name!(
    /// One direction of replication of one machine, from its start to its end.
    SessionId by head
);
name!(
    /// A recovery point of one session.
    PointId by tail
);
name!(
    /// A job of the orchestrator; also the name of its long-running operation on the wire.
    JobId by head
);
name!(
    /// What a thing is called in somebody's own inventory: a blob, an address in the network.
    Label by head
);
name!(
    /// A replication group (multi-VM consistency).
    GroupName by head
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
