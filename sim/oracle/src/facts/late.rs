//! Disks of a machine that its replication leaves out (P37): excluded ones, and those that came into it while it replicates: a resynchronisation takes them in on the way home, on the way
//! to Azure only a new protection does. Until then nobody is to bring them over, but what is written to them is remembered.

use crate::setup::DiskSetup;
use failback_wire::event::ContentHash;
use failback_wire::ids::{DiskId, VmdkUuid};

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

/// One of them.
#[derive(Clone, Debug)]
pub(crate) struct LateDisk {
    pub(crate) id: DiskId,
    pub(crate) vmdk: VmdkUuid,
    pub(crate) blocks: u64,
    /// It was there, and whoever asked for the protection left it out.
    excluded: bool,
}

/// The late disks of one machine.
#[derive(Clone, Debug, Default)]
pub(crate) struct Late {
    disks: Vec<LateDisk>,
    writes: Vec<(DiskId, u64, ContentHash)>,
    stage: Stage,
    /// What the next protection is asked for without.
    left: Option<Vec<DiskId>>,
}

/// Disks, and what was written to them, in order.
pub(crate) type Joining = (Vec<LateDisk>, Vec<(DiskId, u64, ContentHash)>);

impl Late {
    pub(crate) fn add(&mut self, disk: &DiskId, blocks: u64) {
        let vmdk = VmdkUuid::new(disk.as_str());
        self.disks.push(LateDisk { id: disk.clone(), vmdk, blocks, excluded: false });
    }
    /// One that is there before anything is protected, with what it holds.
    pub(crate) fn exclude(&mut self, disk: &DiskSetup) {
        let DiskSetup { id, vmdk, blocks, content } = disk;
        self.disks.push(LateDisk { id: id.clone(), vmdk: vmdk.clone(), blocks: *blocks, excluded: true });
        self.writes.extend(content.iter().map(|(block, hash)| (id.clone(), *block, *hash)));
    }
    /// A protection is about to be asked for without these.
    pub(crate) fn asks_without(&mut self, left: &[DiskId]) {
        self.left = Some(left.to_vec());
    }
    /// True when the VMDK is left out on purpose.
    pub(crate) fn excludes(&self, vmdk: &VmdkUuid) -> bool {
        self.disks.iter().any(|disk| disk.excluded && disk.vmdk == *vmdk)
    }
    /// True when it is a late disk's write.
    pub(crate) fn wrote(&mut self, disk: &DiskId, block: u64, content: ContentHash) -> bool {
        let known = self.disks.iter().any(|late| late.id == *disk);
        if known {
            self.writes.push((disk.clone(), block, content));
        }
        known
    }
    /// What takes them in was asked for.
    pub(crate) fn asked(&mut self) {
        self.stage = Stage::Asked;
        if let Some(left) = self.left.take() {
            self.disks.iter_mut().for_each(|disk| disk.excluded = left.contains(&disk.id));
        }
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
        let (apart, joining): (Vec<_>, Vec<_>) = disks.into_iter().partition(|disk| disk.excluded);
        let stays = |write: &(DiskId, u64, ContentHash)| apart.iter().any(|disk| disk.id == write.0);
        let (left, written) = writes.into_iter().partition(stays);
        (self.disks, self.writes) = (apart, left);
        Some((joining, written))
    }
}
