//! Where the domain's own sources disagree an estate may choose.

use failback_orchestrator::config;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The choices; each has a default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Settings {
    /// Whether disks may come home to vSAN (P23); default `allow`.
    #[serde(default)]
    pub vsan: Vsan,
    /// What a reprotect does about snapshots of the machine itself (P17); default `merge`.
    #[serde(default)]
    pub vm_snapshots: VmSnapshots,
    /// Whether a machine may come home to another vCenter (P5); default `refuse`.
    #[serde(default)]
    pub alternate_vcenter: AlternateVcenter,
    /// Whether machines that boot by UEFI may come home (P33); default `refuse`.
    #[serde(default)]
    pub uefi: Uefi,
    /// Most machines a replication group may hold (G1); default 16.
    #[serde(default = "group_size")]
    pub group_size: u32,
    /// What a failback does with the last changes of a machine that it shuts down in Azure; default `drain`.
    #[serde(default)]
    pub final_changes: FinalChanges,
    /// Whether a failover may be reprotected that was not committed (C8); default `refuse`.
    #[serde(default)]
    pub reprotect_before_commit: BeforeCommit,
    /// What becomes of disks that a failback has detached from the master target and cannot attach to their machine
    /// (P20); default `stay`.
    #[serde(default)]
    pub detached_disks: DetachedDisks,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            vsan: Vsan::default(),
            vm_snapshots: VmSnapshots::default(),
            alternate_vcenter: AlternateVcenter::default(),
            uefi: Uefi::default(),
            group_size: group_size(),
            final_changes: FinalChanges::default(),
            reprotect_before_commit: BeforeCommit::default(),
            detached_disks: DetachedDisks::default(),
        }
    }
}

fn group_size() -> u32 {
    16
}

/// Whether disks may come home to vSAN.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Vsan {
    /// Yes.
    #[default]
    Allow,
    /// Only disks that lie there already.
    OriginalOnly,
    /// No.
    Refuse,
}

/// Snapshots of the machine itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum VmSnapshots {
    /// They are merged.
    #[default]
    Merge,
    /// The reprotect is refused.
    Fail,
}

impl From<Settings> for config::Settings {
    fn from(settings: Settings) -> Self {
        let vsan = match settings.vsan {
            Vsan::Allow => config::Vsan::Allow,
            Vsan::OriginalOnly => config::Vsan::OriginalOnly,
            Vsan::Refuse => config::Vsan::Refuse,
        };
        Self {
            vsan,
            vm_snapshots: match settings.vm_snapshots {
                VmSnapshots::Merge => config::VmSnapshots::Merge,
                VmSnapshots::Fail => config::VmSnapshots::Fail,
            },
            alternate_vcenter: match settings.alternate_vcenter {
                AlternateVcenter::Refuse => config::AlternateVcenter::Refuse,
                AlternateVcenter::Allow => config::AlternateVcenter::Allow,
            },
            uefi: match settings.uefi {
                Uefi::Refuse => config::Uefi::Refuse,
                Uefi::Allow => config::Uefi::Allow,
            },
            group_size: settings.group_size as usize,
            final_changes: match settings.final_changes {
                FinalChanges::Drain => config::FinalChanges::Drain,
                FinalChanges::Leave => config::FinalChanges::Leave,
            },
            reprotect_before_commit: match settings.reprotect_before_commit {
                BeforeCommit::Refuse => config::BeforeCommit::Refuse,
                BeforeCommit::Commit => config::BeforeCommit::Commit,
            },
            detached_disks: match settings.detached_disks {
                DetachedDisks::Stay => config::DetachedDisks::Stay,
                DetachedDisks::Return => config::DetachedDisks::Return,
            },
        }
    }
}

/// What was written last in Azure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FinalChanges {
    /// It comes home.
    #[default]
    Drain,
    /// It is given up.
    Leave,
}

/// A reprotect of what was not committed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BeforeCommit {
    /// It is refused.
    #[default]
    Refuse,
    /// It commits first.
    Commit,
}

/// Disks that a failback has detached and cannot attach.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DetachedDisks {
    /// Nobody holds them until another attempt or a person attaches them.
    #[default]
    Stay,
    /// They go back to the master target, as far as vCenter lets them.
    Return,
}

/// A way home to another vCenter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AlternateVcenter {
    /// There is none.
    #[default]
    Refuse,
    /// There is, once the original machine is gone.
    Allow,
}

/// Machines that boot by UEFI.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Uefi {
    /// They stay in Azure.
    #[default]
    Refuse,
    /// They may come home.
    Allow,
}
