//! Plain observations of the world, taken by the lab and not by the product.

use failback_wire::clock::VirtualMs;
use failback_wire::event::{DiskRef, VmRef};
use failback_wire::ids::{JobId, MachineName, PointId, SessionId};
use std::fmt;
use std::sync::Arc;

/// Reads a disk: calls back with number and raw 4096 bytes of every block that may be other than zero.
pub type ReadBlocks = Arc<dyn Fn(&mut dyn FnMut(u64, &[u8])) + Send + Sync>;

/// The world at one moment.
#[derive(Clone, Debug, Default)]
pub struct Observation {
    /// All virtual machines of both inventories.
    pub vms: Vec<VmSeen>,
    /// All disks.
    pub disks: Vec<DiskSeen>,
    /// Replicated items as the product's interface shows them.
    pub items: Vec<ItemSeen>,
    /// Jobs the product says are not over.
    pub open_jobs: Vec<JobId>,
    /// Open sessions, locks, leases, mounted disks … that nobody should hold at rest.
    pub leftovers: Vec<String>,
    /// Sessions that master targets keep, as far as nobody ever asked one of them in vain: else the product may have
    /// gone on without it.
    pub sessions: Vec<SessionId>,
    /// Sessions whose target's host was asked in vain, and when last.
    pub asked_in_vain: Vec<(SessionId, VirtualMs)>,
}

/// A virtual machine.
#[derive(Clone, Debug)]
pub struct VmSeen {
    /// Which.
    pub vm: VmRef,
    /// Powered on.
    pub on: bool,
    /// Its disks in order: the system disk first, then by unit or LUN.
    pub disks: Vec<DiskRef>,
    /// Names of its snapshots.
    pub snapshots: Vec<String>,
}

/// A disk.
#[derive(Clone)]
pub struct DiskSeen {
    /// Which.
    pub disk: DiskRef,
    /// Size in blocks of 4 KiB.
    pub blocks: u64,
    /// Reads it; called only when the disk is judged.
    pub content: ReadBlocks,
}

impl fmt::Debug for DiskSeen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DiskSeen").field("disk", &self.disk).field("blocks", &self.blocks).finish()
    }
}

/// A replicated item.
#[derive(Clone, Debug)]
pub struct ItemSeen {
    /// Which.
    pub item: MachineName,
    /// Protection state.
    pub state: String,
    /// Operations the product allows now.
    pub allowed: Vec<String>,
    /// Recovery points the product offers now.
    pub points: Vec<PointId>,
}
