//! ARM ids of everything in the vault, in the service's own spelling (`/Subscriptions/…`).

use crate::config::Vault;
use failback_wire::arm::asr::NAMESPACE;

/// Makes the ids of one vault.
pub(crate) struct Names {
    vault: Vault,
}

impl Names {
    /// Names of this vault.
    pub(crate) fn new(vault: &Vault) -> Self {
        Self { vault: vault.clone() }
    }
    /// What the vault was configured with.
    pub(crate) fn config(&self) -> &Vault {
        &self.vault
    }
    /// The vault.
    pub(crate) fn vault(&self) -> String {
        let Vault { subscription, resource_group, name, .. } = &self.vault;
        format!(
            "/Subscriptions/{subscription}/resourceGroups/{resource_group}/providers/{NAMESPACE}/vaults/{name}"
        )
    }
    /// The fabric.
    pub(crate) fn fabric(&self) -> String {
        format!("{}/replicationFabrics/{}", self.vault(), self.vault.fabric)
    }
    /// The protection container.
    pub(crate) fn container(&self) -> String {
        format!("{}/replicationProtectionContainers/{}", self.fabric(), self.vault.container)
    }
    /// A replicated item.
    pub(crate) fn item(&self, name: &str) -> String {
        format!("{}/replicationProtectedItems/{name}", self.container())
    }
    /// A protectable item.
    pub(crate) fn protectable(&self, name: &str) -> String {
        format!("{}/replicationProtectableItems/{name}", self.container())
    }
    /// A job.
    pub(crate) fn job(&self, id: &str) -> String {
        format!("{}/replicationJobs/{id}", self.vault())
    }
    /// A recovery plan.
    pub(crate) fn plan(&self, name: &str) -> String {
        format!("{}/replicationRecoveryPlans/{name}", self.vault())
    }
    /// A mapping of the protection container.
    pub(crate) fn mapping(&self, name: &str) -> String {
        format!("{}/replicationProtectionContainerMappings/{name}", self.container())
    }
    /// A policy.
    pub(crate) fn policy(&self, name: &str) -> String {
        format!("{}/replicationPolicies/{name}", self.vault())
    }
}

/// The last segment of an ARM id, or a plain name as it is.
pub(crate) fn last_segment(id: &str) -> &str {
    id.trim_end_matches('/').rsplit('/').next().unwrap_or(id)
}
