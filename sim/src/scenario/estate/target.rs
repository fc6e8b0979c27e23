//! Master targets as estates write them.

use super::Os;
use crate::scenario::text::{Name, Spanned};
use crate::scenario::units::Size;
pub use failback_fakes::master_target::{Flaw, Setup};
pub use failback_fakes::vcenter::ScsiController;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A master target (P15 to P30).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct MasterTarget {
    /// Id, also its host name and the name of its virtual machine.
    pub id: Name,
    /// Operating system family (P15).
    pub os: Os,
    /// Version of its operating system, such as `windows-server-2019`; by default nobody compares it (P15).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os_version: Option<Name>,
    /// The ESXi host it runs on; default: the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<Name>,
    /// The datastore its own disks lie on; default: the first that its host mounts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datastore: Option<Name>,
    /// Component version; default that of the configuration server (P16).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Name>,
    /// The volume that holds recovery points; default `R:` or `/mnt/retention`, 600 GiB (P27).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<Retention>,
    /// `disk.EnableUUID` is TRUE on its virtual machine (P21); default yes.
    #[serde(default = "yes")]
    pub enable_uuid: bool,
    /// VMware Tools are installed in it (P22); default yes.
    #[serde(default = "yes")]
    pub tools: bool,
    /// Its SCSI controller; default `lsi-logic` (P18).
    #[serde(default = "lsi_logic")]
    pub controller: ScsiController,
    /// It was cloned from the template of this machine: its own disk has the UUID of the machine's first one (P26).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template_of: Option<Name>,
    /// Memory of its virtual machine; default 6 GiB (P28).
    #[serde(default = "memory")]
    pub memory: Spanned<Size>,
    /// Processor cores of its virtual machine (P28); default 4.
    #[serde(default = "cores")]
    pub cores: i32,
    /// The disk that the system of a Linux one is on (P28); default 100 GiB.
    #[serde(default = "system_disk")]
    pub system_disk: Spanned<Size>,
    /// `/etc/hosts` maps its host name to each of its addresses, which a Linux one needs to register (P9); default yes.
    #[serde(default = "yes")]
    pub hosts_file: bool,
    /// Its calls go through a proxy that asks for a login, so that it cannot register (P9); default no.
    #[serde(default)]
    pub authenticated_proxy: bool,
    /// Its network card comes up at boot (P28); default yes.
    #[serde(default = "yes")]
    pub nic_onboot: bool,
    /// Its root or retention volume lies on LVM (P28); default no.
    #[serde(default)]
    pub lvm: bool,
    /// It updates its kernel by itself (P28); default no.
    #[serde(default)]
    pub kernel_updates: bool,
    /// It is a physical machine, unknown to vCenter (P25); default no.
    #[serde(default)]
    pub physical: bool,
    /// It is there when the run begins; default yes. Else its virtual machine lies ready, off and not registered, until
    /// steps register it and power it on (P25).
    #[serde(default = "yes")]
    pub deployed: bool,
}

/// A master target's retention volume (P27).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Retention {
    /// `R:` or `/mnt/retention`.
    pub mount: Name,
    /// Capacity.
    pub capacity: Spanned<Size>,
    /// What is wrong with it; default nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unfit: Option<Flaw>,
}

fn lsi_logic() -> ScsiController {
    ScsiController::LsiLogic
}
fn memory() -> Spanned<Size> {
    Spanned::unplaced(Size::gib(6))
}
fn cores() -> i32 {
    4
}
fn system_disk() -> Spanned<Size> {
    Spanned::unplaced(Size::gib(100))
}
fn yes() -> bool {
    true
}
