//! The shapes of Microsoft.Compute that failback touches: virtual machines, managed disks, snapshots.
//!
//! Fields of our interest are typed; all others travel along in `extra`, so that a document read and
//! written again loses nothing.

use super::network::NetworkProfile;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// `Microsoft.Compute`.
pub const NAMESPACE: &str = "Microsoft.Compute";
/// Tag of a machine whose system is to be prepared for Azure while the machine is made (C4). Ours: the service does it
/// with a machine of its own, which nobody sees.
pub const PREPARE_TAG: &str = "prepare-for-azure";
/// Type segment of virtual machines.
pub const VIRTUAL_MACHINES: &str = "virtualMachines";
/// Type segment of managed disks.
pub const DISKS: &str = "disks";
/// Type segment of snapshots.
pub const SNAPSHOTS: &str = "snapshots";

/// A tracked resource: the envelope around each kind of `properties`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Resource<P> {
    /// ARM id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `Microsoft.Compute/…`.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Region.
    #[serde(default)]
    pub location: String,
    /// Tags.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// ARM id of the machine that holds the disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<String>,
    /// What the resource is.
    pub properties: P,
    /// All other fields.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A virtual machine.
pub type VirtualMachine = Resource<VmProperties>;
/// A managed disk.
pub type ManagedDisk = Resource<DiskProperties>;
/// A snapshot of a managed disk: the same fields as a disk.
pub type Snapshot = Resource<DiskProperties>;

/// `properties` of a virtual machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VmProperties {
    /// Unique id, never reused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vm_id: Option<String>,
    /// Size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hardware_profile: Option<HardwareProfile>,
    /// Disks.
    #[serde(default)]
    pub storage_profile: StorageProfile,
    /// Network cards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_profile: Option<NetworkProfile>,
    /// `Creating`, `Updating`, `Succeeded`, `Failed`, `Deleting`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provisioning_state: Option<String>,
    /// Power, when asked for with `$expand=instanceView`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_view: Option<InstanceView>,
    /// When it was created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_created: Option<String>,
    /// All other fields.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// Size of a machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HardwareProfile {
    /// `Standard_D2s_v5`.
    pub vm_size: String,
}

/// Disks of a machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StorageProfile {
    /// The disk it boots from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os_disk: Option<VmDisk>,
    /// The others.
    #[serde(default)]
    pub data_disks: Vec<VmDisk>,
}

/// One disk of a machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VmDisk {
    /// Slot of a data disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lun: Option<u32>,
    /// `Windows` or `Linux`, on the OS disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os_type: Option<String>,
    /// The disk's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `Attach` for a disk that exists.
    #[serde(default)]
    pub create_option: String,
    /// The disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_disk: Option<SubResource>,
    /// `Delete` when the disk goes with the machine, else `Detach`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delete_option: Option<String>,
    /// All other fields.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A reference by ARM id.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SubResource {
    /// ARM id.
    pub id: String,
    /// All other fields.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// How a machine is right now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceView {
    /// `ProvisioningState/…` and `PowerState/…`.
    #[serde(default)]
    pub statuses: Vec<InstanceStatus>,
    /// What the agent of Azure in the guest says, when there is a guest to have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vm_agent: Option<VmAgent>,
}

/// Azure's own agent in a guest. Not the mobility agent: it only tells that the guest system lives.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VmAgent {
    /// `Ready`, or why not.
    #[serde(default)]
    pub statuses: Vec<InstanceStatus>,
}

impl InstanceView {
    /// False when Azure's agent in the guest is not ready: it boots, or hangs.
    pub fn guest_ready(&self) -> bool {
        let ready = |agent: &VmAgent| agent.statuses.iter().any(|s| s.display_status == "Ready");
        self.vm_agent.as_ref().is_none_or(ready)
    }
    /// The word after `PowerState/`.
    pub fn power(&self) -> Option<&str> {
        self.statuses.iter().find_map(|s| s.code.strip_prefix("PowerState/"))
    }
}

/// One status.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InstanceStatus {
    /// `PowerState/running`.
    pub code: String,
    /// `Info` or `Error`.
    #[serde(default)]
    pub level: String,
    /// `VM running`.
    #[serde(default)]
    pub display_status: String,
    /// Detail of a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// When it came to be so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
}

/// `properties` of a managed disk or snapshot.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DiskProperties {
    /// Where its content comes from.
    #[serde(default)]
    pub creation_data: CreationData,
    /// Size in GiB, rounded up.
    #[serde(default, rename = "diskSizeGB", skip_serializing_if = "Option::is_none")]
    pub disk_size_gb: Option<u64>,
    /// Size in bytes. Read-only at the real service; the lab's fake takes it on creation too, because its
    /// disks are smaller than one GiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_size_bytes: Option<u64>,
    /// `Updating`, `Succeeded`, `Failed`, `Deleting`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provisioning_state: Option<String>,
    /// `Unattached`, `Attached`, `Reserved`, `ActiveSAS`, `ReadyToUpload`, `ActiveUpload`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_state: Option<String>,
    /// Unique id, never reused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unique_id: Option<String>,
    /// When it was created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_created: Option<String>,
    /// `Windows` or `Linux`, on a disk to boot from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os_type: Option<String>,
    /// Snapshots: whether only differences are held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incremental: Option<bool>,
    /// All other fields.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// Where a disk's content comes from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreationData {
    /// `Empty`, `Copy`, `Import`, `Upload`.
    pub create_option: String,
    /// Copy: ARM id of a snapshot or disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_resource_id: Option<String>,
    /// Import: URL of a page blob or of a snapshot of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_uri: Option<String>,
    /// Import: ARM id of the storage account that holds the blob.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_account_id: Option<String>,
    /// Upload: size in bytes, with the 512 bytes of a VHD footer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload_size_bytes: Option<u64>,
    /// Unique id of what it was copied from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_unique_id: Option<String>,
    /// All other fields.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// Body of `beginGetAccess`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GrantAccess {
    /// `Read` or `Write`.
    pub access: String,
    /// How long, in seconds.
    pub duration_in_seconds: u64,
}

/// Result of `beginGetAccess`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessUri {
    /// Where the content can be read or written.
    #[serde(rename = "accessSAS")]
    pub access_sas: String,
}

/// Body of `listServiceSas` of a storage account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceSasRequest {
    /// `/blob/{account}/{container}[/{blob}]`.
    pub canonicalized_resource: String,
    /// `b` for one blob, `c` for a container.
    pub signed_resource: String,
    /// Letters of `racwdl`.
    pub signed_permission: String,
    /// Until when, as a date.
    pub signed_expiry: String,
}

/// Reply of `listServiceSas`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceSas {
    /// The query that opens the resource.
    pub service_sas_token: String,
}
