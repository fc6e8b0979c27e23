//! What can befall a master target.

use super::MasterTarget;
use failback_replication::disk::{BLOCK, Page};
use failback_wire::event::{Actor, DiskRef, What};
use failback_wire::ids::VmdkUuid;
use failback_wire::proto::session::TargetDisk;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A change of a master target's state. Externally tagged, as scenario files write it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum MasterTargetFault {
    /// Its services stop: no heartbeats, and every call is answered 503 (78022, P30).
    StopServices,
    /// Its services run again.
    StartServices,
    /// The retention volume is gone (P27): nothing can be journalled, frames are refused.
    RetentionMissing,
    /// The retention volume is back as it was configured.
    RetentionBack,
    /// Others have filled the retention volume: only this many bytes are left for recovery points (E12).
    RetentionFree {
        /// Bytes left.
        bytes: u64,
    },
    /// A block of a VMDK attached to it rots: its first byte flips.
    CorruptBlock {
        /// The VMDK: by its UUID, or by a disk of a session here (`web01-disk0`).
        vmdk: String,
        /// Which block of 4 KiB.
        block: u64,
    },
}

impl MasterTarget {
    /// Changes the state as `fault` says, on behalf of `by`.
    ///
    /// # Errors
    /// When there is nothing to change: no such disk, block or volume.
    pub fn apply_fault(&self, fault: &MasterTargetFault, by: Actor) -> Result<(), String> {
        match fault {
            MasterTargetFault::StopServices => self.lock().serving = false,
            MasterTargetFault::StartServices => self.lock().serving = true,
            MasterTargetFault::RetentionMissing => self.lock().retention = None,
            MasterTargetFault::RetentionBack => {
                let volume = self.config.retention.clone();
                self.lock().retention = Some(volume.ok_or("it never had a retention volume")?);
            }
            MasterTargetFault::RetentionFree { bytes } => {
                let mut state = self.lock();
                let volume = state.retention.as_mut().ok_or("there is no retention volume")?;
                volume.free = (*bytes).min(volume.capacity);
            }
            MasterTargetFault::CorruptBlock { vmdk, block } => return self.corrupt(vmdk, *block, by),
        }
        Ok(())
    }

    /// Where a disk of a session lies.
    fn vmdk_of(&self, disk: &str) -> Option<VmdkUuid> {
        let state = self.lock();
        let mut disks = state.sessions.values().flat_map(|t| &t.intake().spec.disks);
        let target = disks.find(|d| d.disk.as_str() == disk).map(|d| &d.target)?;
        match target {
            TargetDisk::Vmdk(uuid) => Some(uuid.clone()),
            TargetDisk::SeedBlob(_) => None,
        }
    }

    fn corrupt(&self, vmdk: &str, block: u64, by: Actor) -> Result<(), String> {
        let uuid = self.vmdk_of(vmdk).unwrap_or_else(|| VmdkUuid::new(vmdk));
        let disk = (self.scsi)().into_iter().find(|(u, _)| *u == uuid).map(|(_, disk)| disk);
        let disk = disk.ok_or_else(|| format!("no VMDK {vmdk} hangs on {}", self.config.vm_name))?;
        if block >= disk.blocks() {
            return Err(format!("VMDK {vmdk} has {} blocks only", disk.blocks()));
        }
        let mut bytes: [u8; BLOCK] = *disk.read(block).bytes();
        bytes[0] ^= 0xff;
        disk.write(block, Page::new(&bytes));
        let text = format!("block {block} of {:?} rots, by {by:?}", DiskRef::Vmdk(uuid));
        self.lock().emit(What::Note { text });
        Ok(())
    }
}
