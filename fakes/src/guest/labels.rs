//! Which disk is which: a system knows its disks again by what is on them, not by the slot they are in.
//!
//! A disk that the virtual machine had at its last boot keeps its id. A new one holds what the other copy sent there, so
//! it is the next of those that the other copy replicated; else the next that the machine was installed with. What is
//! none of these was added by hand (P37).

use super::GuestConfig;
use failback_replication::disk::{Disk, WeakDisk};
use failback_wire::ids::{DiskId, Site};

/// The disks of one virtual machine as its system knew them last.
#[derive(Clone, Debug, Default)]
pub(super) struct Labels(Vec<(WeakDisk, DiskId)>);

impl Labels {
    /// Ids of the disks, in the machine's own order. `replicated` is what the other copy sent last.
    pub(super) fn find(&mut self, config: &GuestConfig, replicated: &[DiskId], disks: &[Disk]) {
        let old = |disk: &Disk| self.0.iter().find(|(known, _)| known.is(disk)).map(|(_, id)| id.clone());
        let mut found: Vec<Option<DiskId>> = disks.iter().map(old).collect();
        let likely: Vec<DiskId> = replicated.iter().chain(&config.disk_ids).cloned().collect();
        for place in 0..found.len() {
            if found[place].is_none() {
                let free = likely.iter().find(|id| !found.contains(&Some((*id).clone()))).cloned();
                found[place] = Some(free.unwrap_or_else(|| unused(config, found.iter().flatten())));
            }
        }
        self.0 = disks.iter().map(Disk::downgrade).zip(found.into_iter().flatten()).collect();
    }

    /// One more disk, added by hand; its id.
    pub(super) fn add(&mut self, config: &GuestConfig, disk: &Disk) -> DiskId {
        let id = unused(config, self.0.iter().map(|(_, id)| id));
        self.0.push((disk.downgrade(), id.clone()));
        id
    }

    /// The disks with their ids.
    pub(super) fn of<'a>(&'a self, disks: &'a [Disk]) -> impl Iterator<Item = (DiskId, Disk)> + 'a {
        disks.iter().zip(&self.0).map(|(disk, (_, id))| (id.clone(), disk.clone()))
    }
}

/// The first id for an added disk that no other disk has; who finds such a disk later counts the same way. At home it is
/// the number that the protection of the machine gives it.
fn unused<'a>(config: &GuestConfig, taken: impl Iterator<Item = &'a DiskId> + Clone) -> DiskId {
    let named = |n| match config.copy.site {
        Site::OnPremises => DiskId::nth(&config.copy.machine, n),
        Site::Azure => DiskId::added(&config.copy.machine, n),
    };
    let mut free = (0..).map(named).filter(|id| !taken.clone().any(|other| other == id));
    free.next().unwrap_or_else(|| named(0))
}
