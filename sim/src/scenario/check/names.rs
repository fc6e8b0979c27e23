//! Who and what exists in an estate, by kind.

use crate::scenario::inventory::{AZURE, CONFIGURATION_SERVER, Inventory, ORCHESTRATOR, VCENTER};
use crate::scenario::{diagnostic::Problem, diagnostic::SourceFile, text::Place};
use std::sync::Arc;

/// Kinds of things that files name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Machine,
    Plan,
    MasterTarget,
    ProcessServer,
    Datastore,
    Host,
    /// A virtual machine in vCenter: protected, master target or somebody else's.
    Vm,
    /// A virtual machine in Azure.
    AzureVm,
    /// Anything that runs software.
    Node,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Machine => "protected machine",
            Self::Plan => "recovery plan",
            Self::MasterTarget => "master target",
            Self::ProcessServer => "process server",
            Self::Datastore => "datastore",
            Self::Host => "ESXi host",
            Self::Vm => "virtual machine",
            Self::AzureVm => "virtual machine in Azure",
            Self::Node => "node",
        }
    }
}

/// The names of an estate.
pub(super) struct Names {
    machines: Vec<String>,
    plans: Vec<String>,
    master_targets: Vec<String>,
    process_servers: Vec<String>,
    datastores: Vec<String>,
    hosts: Vec<String>,
    vms: Vec<String>,
    azure_vms: Vec<String>,
    nodes: Vec<String>,
}

impl Names {
    pub(super) fn of(inventory: &Inventory) -> Self {
        use crate::scenario::estate::Side;
        let machines: Vec<String> = inventory.machines.iter().map(|m| m.name.clone()).collect();
        let master_targets: Vec<String> = inventory.master_targets.iter().map(|m| m.id.clone()).collect();
        let process_servers: Vec<String> = inventory.process_servers.iter().map(|p| p.id.clone()).collect();
        let foreign =
            |site: Side| inventory.bystanders.iter().filter(move |b| b.site == site).map(|b| b.name.clone());
        let vms = machines.iter().chain(&master_targets).cloned().chain(foreign(Side::OnPremises)).collect();
        let azure_vms = machines.iter().cloned().chain(foreign(Side::Azure)).collect();
        let fixed = [ORCHESTRATOR, VCENTER, CONFIGURATION_SERVER, AZURE].map(str::to_owned);
        let copies = machines.iter().flat_map(|m| [format!("{m}@on-premises"), format!("{m}@azure")]);
        let servers = process_servers.iter().chain(&master_targets).cloned();
        let nodes = fixed.into_iter().chain(servers).chain(copies).collect();
        Self {
            plans: inventory.plans.iter().map(|p| p.name.clone()).collect(),
            datastores: inventory.datastores.iter().map(|d| d.name.clone()).collect(),
            hosts: inventory.hosts.iter().map(|h| h.name.clone()).collect(),
            machines,
            master_targets,
            process_servers,
            vms,
            azure_vms,
            nodes,
        }
    }

    fn list(&self, kind: Kind) -> &[String] {
        match kind {
            Kind::Machine => &self.machines,
            Kind::Plan => &self.plans,
            Kind::MasterTarget => &self.master_targets,
            Kind::ProcessServer => &self.process_servers,
            Kind::Datastore => &self.datastores,
            Kind::Host => &self.hosts,
            Kind::Vm => &self.vms,
            Kind::AzureVm => &self.azure_vms,
            Kind::Node => &self.nodes,
        }
    }

    pub(super) fn has(&self, kind: Kind, name: &str) -> bool {
        self.list(kind).iter().any(|n| n == name)
    }

    /// Reports a name that is not there.
    pub(super) fn need(
        &self,
        file: &Arc<SourceFile>,
        kind: Kind,
        name: &str,
        at: Place,
        out: &mut Vec<Problem>,
    ) {
        if self.has(kind, name) {
            return;
        }
        let title = format!("the estate has no {} `{name}`", kind.word());
        let problem = Problem::at(file, at, title, "not in the estate");
        out.push(problem.suggest(name, self.list(kind).iter().map(String::as_str)));
    }
}
