//! Whether a guest's system boots in Azure (C4): drivers that Azure needs, a DHCP service, an agent that is not too old.

use super::power::Fitness;
use super::{GuestConfig, Machine};
use failback_wire::proto::cs::OsFamily;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Drivers a Windows system needs to boot in Azure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BootDriver {
    /// Storage.
    Storvsc,
    /// The bus of virtual devices.
    Vmbus,
    /// Storage filter.
    Storflt,
    /// IDE controllers.
    Intelide,
    /// Disks at them.
    Atapi,
}

impl BootDriver {
    /// Its name in the registry.
    fn name(self) -> &'static str {
        match self {
            Self::Storvsc => "storvsc",
            Self::Vmbus => "vmbus",
            Self::Storflt => "storflt",
            Self::Intelide => "intelide",
            Self::Atapi => "atapi",
        }
    }
}

/// When a driver is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DriverStart {
    /// At boot: as Azure needs it.
    Boot,
    /// It is not there, or started on demand; preparing the system puts that right.
    Demand,
    /// Never: somebody disabled it, and preparing the system leaves it so (170010).
    Disabled,
}

/// What of a guest's system matters for booting in Azure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootConfig {
    /// Drivers that do not start at boot.
    pub drivers: BTreeMap<BootDriver, DriverStart>,
    /// It has a DHCP service.
    pub dhcp_service: bool,
    /// It was installed on a physical machine, and never prepared for another.
    pub physical: bool,
}

impl Default for BootConfig {
    /// Fit for Azure.
    fn default() -> Self {
        Self { drivers: BTreeMap::new(), dhcp_service: true, physical: false }
    }
}

/// Agents before this version do not prepare their system themselves.
const PREPARES_ITSELF: (u32, u32) = (9, 8);

fn is_old(version: &str) -> bool {
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) < PREPARES_ITSELF
}

/// Whether this copy's system boots in Azure as it is.
pub(super) fn fitness(config: &GuestConfig, machine: &Machine) -> Fitness {
    let start = |wanted| move |(_, start): &(&BootDriver, &DriverStart)| **start == wanted;
    if let Some((driver, _)) = machine.boot.drivers.iter().find(start(DriverStart::Disabled)) {
        return Fitness::Hopeless(format!("the driver {} is disabled", driver.name()));
    }
    let on_demand = machine.boot.drivers.iter().any(|entry| start(DriverStart::Demand)(&entry));
    let strange = config.os == OsFamily::Linux || machine.boot.physical;
    let old = is_old(machine.agent_version.as_ref().unwrap_or(&config.agent_version));
    match strange || on_demand || !machine.boot.dhcp_service || old {
        true => Fitness::Needy,
        false => Fitness::Fit,
    }
}

/// A Windows system without its drivers stops on its way up.
pub(super) fn boots_in_azure(machine: &Machine) -> bool {
    machine.boot.drivers.values().all(|start| *start == DriverStart::Boot)
}

/// What preparing the system changes in it.
pub(super) fn prepared(machine: &mut Machine) {
    machine.boot.drivers.retain(|_, start| *start == DriverStart::Disabled);
    machine.boot.dhcp_service = true;
    machine.boot.physical = false;
}
