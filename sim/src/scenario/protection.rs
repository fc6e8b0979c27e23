//! Steps by which machines enter and leave protection, policies change, and operations are cancelled, as written.

use super::asks::asks;
use super::estate::DiskTier;
use super::text::{Name, Spanned};
use super::units::Period;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

asks! {
    /// Ask the operation that runs on an item or a plan to stop (C6, C18). `succeeded`: the job was cancelled; `failed`:
    /// it was, and shows this error.
    pub struct Cancel of an item or a plan {
        /// What is asked: the item or plan (`failoverCancel`), or the job that a step has started.
        #[serde(default)]
        pub ask: CancelBy,
    }
}

asks! {
    /// Bring a machine under protection (P10, G1).
    pub struct EnableProtection {
        /// The machine.
        pub item: Name,
        /// The replication policy; default: `lab-policy`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub policy: Option<Name>,
        /// The replication group; default: the machine's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub group: Option<Name>,
        /// The process server; default: the one that comes with the configuration server.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub process_server: Option<Name>,
        /// The name it is to have in Azure; default: its own (C4).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub azure_name: Option<Name>,
        /// Whether the request names every disk, those too that the estate means to leave out (P37); default no.
        #[serde(default)]
        pub every_disk: bool,
    }
}

/// Who is asked to stop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CancelBy {
    /// The item or plan.
    #[default]
    Target,
    /// The job.
    Job,
}

asks! {
    /// End the protection of a machine (C23).
    pub struct Leave {
        /// The item.
        pub item: Name,
    }
}

asks! {
    /// Change a replication policy (P10).
    pub struct PolicyStep {
        /// The policy; `lab-policy` is there from the start, and associated. The way home has its own, named with
        /// `-failback`.
        pub name: Name,
        /// What is asked for.
        pub change: PolicyChange,
    }
}

/// What is asked of a replication policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyChange {
    /// It is created, with its failback policy; neither is associated.
    Create(PolicySettings),
    /// It is changed.
    Edit(PolicySettings),
    /// It is deleted.
    Delete,
    /// It is associated with the configuration server.
    Associate,
    /// It is not associated any more.
    Dissociate,
}

/// What a replication policy says; what is left out is as in `lab-policy`, or stays.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PolicySettings {
    /// Time between application-consistent points.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_consistent_every: Option<Spanned<Period>>,
    /// Time between crash-consistent points.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crash_consistent_every: Option<Spanned<Period>>,
    /// How long points are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<Spanned<Period>>,
    /// What kind of disks machines replicate to in Azure, which bounds how much they may change (78188).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_tier: Option<DiskTier>,
}

asks! {
    /// Renew the certificate of the configuration server in the portal (P6).
    pub struct RenewCertificate {}
}
