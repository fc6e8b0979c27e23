//! What the orchestrator knows of a vCenter's inventory, as read at one moment.

use failback_wire::ids::VmdkUuid;
use failback_wire::vim::MoRef;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Power state of a virtual machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Power {
    /// It runs.
    On,
    /// It does not.
    Off,
    /// It is suspended to disk.
    Suspended,
}

/// What vCenter and the account are good for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connected {
    /// `VMware vCenter Server 8.0.3 …`
    pub about: String,
    /// True when the account may only look (P8).
    pub read_only: bool,
    /// True when the account may do everything.
    pub administrator: bool,
}

/// A virtual disk attached to a virtual machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VmdkFacts {
    /// Its UUID (P21).
    pub uuid: VmdkUuid,
    /// Its file, a delta's when there are snapshots: `[ds-prod] web01/web01.vmdk`.
    pub path: String,
    /// Device key.
    pub key: i32,
    /// Size in bytes.
    pub capacity: u64,
    /// Key of its controller.
    pub controller: i32,
    /// Its unit at the controller.
    pub unit: i32,
    /// True for a raw device mapping (P36).
    pub rdm: bool,
}

/// A virtual machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VmFacts {
    /// The reference all effects take.
    pub moref: MoRef,
    /// Its name.
    pub name: String,
    /// Its BIOS UUID.
    pub uuid: String,
    /// Its instance UUID.
    pub instance_uuid: String,
    /// Whether it runs.
    pub power: Power,
    /// `connected`, `disconnected`, `inaccessible`, `orphaned` …
    pub connection_state: String,
    /// Name of its host.
    pub host: String,
    /// The host itself.
    pub host_ref: MoRef,
    /// Whether vCenter reaches the host.
    pub host_connected: bool,
    /// What the host runs: `VMware ESXi`; empty when vCenter does not say (P34).
    pub hypervisor: String,
    /// Names of its snapshots, parents first.
    pub snapshots: Vec<String>,
    /// Its disks, by controller and unit.
    pub disks: Vec<VmdkFacts>,
    /// Whether VMware Tools run.
    pub tools_running: bool,
    /// Guest system id: `windows2019srv_64Guest`.
    pub guest_id: String,
    /// It boots by UEFI, not by BIOS (P33).
    pub uefi: bool,
    /// Configured memory, MiB.
    pub memory_mb: u64,
    /// Extra configuration: `disk.enableUUID` …
    pub extra_config: BTreeMap<String, String>,
    /// Types of its SCSI controllers by key: `ParaVirtualSCSIController` … (P18).
    pub controllers: BTreeMap<i32, String>,
    /// Datastores it uses.
    pub datastores: Vec<MoRef>,
    /// What `ReconfigVM_Task` compares against.
    pub change_version: String,
}

impl VmFacts {
    /// The disk of this UUID, when it is attached.
    pub fn disk(&self, uuid: &VmdkUuid) -> Option<&VmdkFacts> {
        self.disks.iter().find(|d| d.uuid == *uuid)
    }
    /// Whether `disk.enableUUID` is set (P21).
    pub fn enable_uuid(&self) -> bool {
        self.extra_config.iter().any(|(k, v)| {
            k.eq_ignore_ascii_case("disk.enableuuid") && (v.eq_ignore_ascii_case("true") || v == "1")
        })
    }
    /// Whether any SCSI controller is paravirtual (P18).
    pub fn paravirtual(&self) -> bool {
        self.controllers.values().any(|t| t == "ParaVirtualSCSIController")
    }
}

/// A host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostFacts {
    /// The host itself.
    pub moref: MoRef,
    /// Its name.
    pub name: String,
    /// Whether vCenter reaches it.
    pub connected: bool,
    /// Installed memory, MiB.
    pub memory_mb: u64,
    /// Memory in use, MiB.
    pub used_mb: u64,
    /// Datastores it mounts.
    pub datastores: Vec<MoRef>,
}

/// A datastore.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatastoreFacts {
    /// The datastore itself.
    pub moref: MoRef,
    /// Its name.
    pub name: String,
    /// `VMFS`, `vsan`, `NFS`.
    pub kind: String,
    /// Size in bytes.
    pub capacity: u64,
    /// Free space in bytes.
    pub free: u64,
    /// The hosts that mount it.
    pub mounts: Vec<Mount>,
}

/// A datastore on a host (P24).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// The host.
    pub host: MoRef,
    /// Whether the host reaches it.
    pub accessible: bool,
    /// Whether it is mounted for writing.
    pub writable: bool,
}

/// A virtual machine to be created (ALR).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewVm {
    /// Its name.
    pub name: String,
    /// Its BIOS and instance UUID, chosen by the caller: repeating the request finds the machine by it.
    pub uuid: String,
    /// The host it shall run on.
    pub host: MoRef,
    /// Name of the datastore of its files.
    pub datastore: String,
    /// Guest system id.
    pub guest_id: String,
    /// Memory, MiB.
    pub memory_mb: u64,
    /// Sizes of its new disks, in bytes.
    pub disks: Vec<u64>,
    /// Extra configuration.
    pub extra_config: BTreeMap<String, String>,
}
