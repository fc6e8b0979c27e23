//! Disks that came into a machine while it replicates (P37): a resynchronisation takes them in on the way home, on the way
//! to Azure only a new protection does. Until then nobody is to bring them over, but what is written to them is remembered.

use failback_wire::event::ContentHash;
use failback_wire::ids::DiskId;

/// How far they are on their way into the replication.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    /// Nobody asked for it.
    #[default]
    Apart,
    /// What takes them in was asked for.
    Asked,
    /// The servers of the session wait for a new epoch: the next mark covers them.
    Begun,
}

/// The late disks of one machine.
#[derive(Clone, Debug, Default)]
pub(crate) struct Late {
    disks: Vec<(DiskId, u64)>,
    writes: Vec<(DiskId, u64, ContentHash)>,
    stage: Stage,
}

/// Disks with their blocks, and what was written to them, in order.
pub(crate) type Joining = (Vec<(DiskId, u64)>, Vec<(DiskId, u64, ContentHash)>);

impl Late {
    pub(crate) fn add(&mut self, disk: &DiskId, blocks: u64) {
        self.disks.push((disk.clone(), blocks));
    }
    /// True when it is a late disk's write.
    pub(crate) fn wrote(&mut self, disk: &DiskId, block: u64, content: ContentHash) -> bool {
        let known = self.disks.iter().any(|(id, _)| id == disk);
        if known {
            self.writes.push((disk.clone(), block, content));
        }
        known
    }
    /// What takes them in was asked for.
    pub(crate) fn asked(&mut self) {
        self.stage = Stage::Asked;
    }
    /// It came to nothing.
    pub(crate) fn failed(&mut self) {
        self.stage = Stage::Apart;
    }
    /// A session of the machine begins a new epoch.
    pub(crate) fn begun(&mut self) {
        if self.stage == Stage::Asked {
            self.stage = Stage::Begun;
        }
    }
    /// A mark is cut: those that join with it, when they do.
    pub(crate) fn marked(&mut self) -> Option<Joining> {
        if self.stage != Stage::Begun {
            return None;
        }
        let Self { disks, writes, .. } = std::mem::take(self);
        Some((disks, writes))
    }
}
