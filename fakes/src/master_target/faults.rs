//! What can befall a master target.

use super::MasterTarget;
use failback_replication::disk::{BLOCK, Page};
use failback_wire::event::{Actor, DiskRef, What};
use failback_wire::ids::VmdkUuid;
use failback_wire::proto::session::TargetDisk;
use failback_wire::proto::target::Unfit;
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
    /// The retention volume is not fit for its purpose any more, and not listed (P27).
    RetentionUnfit {
        /// What is wrong with it.
        why: Flaw,
    },
    /// The retention volume is formatted anew, unlocked and dedicated: it is listed within 15 minutes (P27).
    RetentionFit,
    /// Its system updates the kernel by itself, as it was set up to (P28): the master target takes no data any more.
    KernelUpdate,
    /// Its system updates the kernel by itself from now on, or does not any more (P28).
    AutomaticUpdates {
        /// It does.
        on: bool,
    },
    /// `ApplyCustomChanges.sh` is run for the new kernel (P28).
    ApplyCustomChanges,
    /// Its calls go through a proxy that asks for a login (curl 35), or pass it by (P9).
    AuthenticatedProxy {
        /// They go through it.
        used: bool,
    },
    /// `/etc/hosts` gets an entry for each of its network cards (P9).
    CompleteHostsFile,
    /// Its network card comes up at boot from now on (P28).
    NicOnboot,
    /// Others have filled the retention volume: only this many bytes are left for recovery points (E12).
    RetentionFree {
        /// Bytes left.
        bytes: u64,
    },
    /// It is updated to this component version (P16).
    Update {
        /// `9.63`.
        version: String,
    },
    /// The retention volume is made larger; what is new is free (P28).
    RetentionCapacity {
        /// Bytes it has then.
        bytes: u64,
    },
    /// The disk that its system is on is extended, and the file system with it (P28).
    SystemDisk {
        /// Bytes it has then.
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

/// What is wrong with a retention volume (P27).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Flaw {
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
}

impl From<Flaw> for Unfit {
    fn from(flaw: Flaw) -> Self {
        match flaw {
            Flaw::Fat => Self::Fat,
            Flaw::Locked => Self::Locked,
            Flaw::Cache => Self::Cache,
            Flaw::ReplicationTarget => Self::ReplicationTarget,
            Flaw::Empty => Self::Empty,
        }
    }
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
                let volume = self.config.retention.clone().ok_or("it never had a retention volume")?;
                self.lock().volume_added(volume);
            }
            MasterTargetFault::RetentionUnfit { why } => {
                let mut state = self.lock();
                let volume = state.retention.as_mut().ok_or("there is no retention volume")?;
                volume.unfit = Some((*why).into());
            }
            MasterTargetFault::RetentionFit => {
                let mut state = self.lock();
                let volume = state.retention.clone().ok_or("there is no retention volume")?;
                state.volume_added(volume);
            }
            MasterTargetFault::KernelUpdate => {
                let mut state = self.lock();
                if !state.setup.kernel_updates {
                    return Err("it does not update its kernel by itself (`kernel-updates`)".to_owned());
                }
                state.kernel_updated = true;
            }
            MasterTargetFault::AutomaticUpdates { on } => self.lock().setup.kernel_updates = *on,
            MasterTargetFault::ApplyCustomChanges => self.lock().kernel_updated = false,
            MasterTargetFault::AuthenticatedProxy { used } => self.lock().setup.authenticated_proxy = *used,
            MasterTargetFault::CompleteHostsFile => self.lock().setup.hosts_file = true,
            MasterTargetFault::NicOnboot => self.lock().setup.nic_onboot = true,
            MasterTargetFault::RetentionFree { bytes } => {
                let mut state = self.lock();
                let volume = state.retention.as_mut().ok_or("there is no retention volume")?;
                volume.free = (*bytes).min(volume.capacity);
            }
            MasterTargetFault::Update { version } => version.clone_into(&mut self.lock().version),
            MasterTargetFault::RetentionCapacity { bytes } => {
                let mut state = self.lock();
                let volume = state.retention.as_mut().ok_or("there is no retention volume")?;
                let more = bytes.checked_sub(volume.capacity).ok_or("a volume cannot be made smaller")?;
                (volume.capacity, volume.free) = (*bytes, volume.free + more);
            }
            MasterTargetFault::SystemDisk { bytes } => {
                let mut state = self.lock();
                if *bytes < state.setup.system_disk {
                    return Err("a disk cannot be made smaller".to_owned());
                }
                state.setup.system_disk = *bytes;
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
