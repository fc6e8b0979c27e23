//! Who and what exists in an estate, by kind.

use crate::scenario::diagnostic::{Problem, SourceFile};
use crate::scenario::inventory::{
    ALTERNATE_VCENTER, AZURE, BUILT_IN_PROCESS_SERVER, CONFIGURATION_SERVER, Inventory, OPERATOR,
    OPERATOR_ACCOUNT, ORCHESTRATOR, VCENTER,
};
use crate::scenario::{fault::Change, model::Step, text::Place, text::Spanned};
use failback_fakes::vcenter::VcenterFault;
use failback_orchestrator::config::Config;
use failback_wire::operation::Role;
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
    /// An account of vCenter.
    Account,
    /// A virtual machine in vCenter: protected, master target or somebody else's.
    Vm,
    /// A virtual machine in Azure.
    AzureVm,
    /// Anything that runs software.
    Node,
    /// Anything that calls: a node, or the operator.
    Caller,
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
            Self::Account => "vCenter account",
            Self::Vm => "virtual machine",
            Self::AzureVm => "virtual machine in Azure",
            Self::Node | Self::Caller => "node",
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
    accounts: Vec<String>,
    vms: Vec<String>,
    azure_vms: Vec<String>,
    nodes: Vec<String>,
    /// Process servers that nobody has started yet.
    asleep: Vec<String>,
    callers: Vec<String>,
}

impl Names {
    pub(super) fn of(inventory: &Inventory) -> Self {
        use crate::scenario::estate::Side;
        let machines: Vec<String> = inventory.machines.iter().map(|m| m.name.clone()).collect();
        let master_targets: Vec<String> = inventory.master_targets.iter().map(|m| m.id.clone()).collect();
        let named = inventory.process_servers.iter().map(|p| p.id.clone());
        let process_servers: Vec<String> = named.chain([BUILT_IN_PROCESS_SERVER.to_owned()]).collect();
        let foreign =
            |site: Side| inventory.bystanders.iter().filter(move |b| b.site == site).map(|b| b.name.clone());
        let vms = machines.iter().chain(&master_targets).cloned().chain(foreign(Side::OnPremises)).collect();
        let tests = machines.iter().map(|machine| format!("{machine}-test"));
        let azure_vms = machines.iter().cloned().chain(tests).chain(foreign(Side::Azure)).collect();
        let fixed = [ORCHESTRATOR, VCENTER, CONFIGURATION_SERVER, AZURE].map(str::to_owned);
        let copies = machines.iter().flat_map(|m| [format!("{m}@on-premises"), format!("{m}@azure")]);
        let servers = process_servers.iter().chain(&master_targets).cloned();
        let other = inventory.alternate.iter().map(|_| ALTERNATE_VCENTER.to_owned());
        let nodes: Vec<String> = fixed.into_iter().chain(other).chain(servers).chain(copies).collect();
        let other_hosts = inventory.alternate.iter().flat_map(|(hosts, _)| hosts);
        let other_stores = inventory.alternate.iter().flat_map(|(_, stores)| stores);
        let callers = nodes.iter().cloned().chain([OPERATOR.to_owned()]).collect();
        Self {
            plans: inventory.plans.iter().map(|p| p.name.clone()).collect(),
            datastores: inventory.datastores.iter().chain(other_stores).map(|d| d.name.clone()).collect(),
            hosts: inventory.hosts.iter().chain(other_hosts).map(|h| h.name.clone()).collect(),
            accounts: vec![Config::default().vcenter.user, OPERATOR_ACCOUNT.to_owned()],
            machines,
            master_targets,
            process_servers,
            vms,
            azure_vms,
            nodes,
            asleep: inventory.process_servers.iter().filter(|p| !p.deployed).map(|p| p.id.clone()).collect(),
            callers,
        }
    }

    /// Nodes that nobody has started when the run begins.
    pub(super) fn asleep(&self) -> impl Iterator<Item = &str> {
        self.asleep.iter().map(String::as_str)
    }

    /// The same, with the virtual machines that steps make.
    pub(super) fn and_made(mut self, steps: &[Spanned<Step>]) -> Self {
        for step in steps {
            if let Some(Change::Vcenter(change)) = step.change()
                && let VcenterFault::CopyVm { name, .. } | VcenterFault::CloneVm { name, .. } = &change.value
            {
                self.vms.push(name.clone());
            }
        }
        self
    }

    fn list(&self, kind: Kind) -> &[String] {
        match kind {
            Kind::Machine => &self.machines,
            Kind::Plan => &self.plans,
            Kind::MasterTarget => &self.master_targets,
            Kind::ProcessServer => &self.process_servers,
            Kind::Datastore => &self.datastores,
            Kind::Host => &self.hosts,
            Kind::Account => &self.accounts,
            Kind::Vm => &self.vms,
            Kind::AzureVm => &self.azure_vms,
            Kind::Node => &self.nodes,
            Kind::Caller => &self.callers,
        }
    }

    pub(super) fn has(&self, kind: Kind, name: &str) -> bool {
        let same = |known: &String| match kind {
            // What Azure calls a resource compares without regard to case.
            Kind::AzureVm => known.eq_ignore_ascii_case(name),
            Kind::Machine
            | Kind::Plan
            | Kind::MasterTarget
            | Kind::ProcessServer
            | Kind::Datastore
            | Kind::Host
            | Kind::Account
            | Kind::Vm
            | Kind::Node
            | Kind::Caller => known == name,
        };
        self.list(kind).iter().any(same)
    }

    /// What a node is to the others; `None` for a name that is none.
    pub(super) fn role(&self, node: &str) -> Option<Role> {
        match node {
            OPERATOR => Some(Role::Operator),
            ORCHESTRATOR => Some(Role::Orchestrator),
            VCENTER | ALTERNATE_VCENTER => Some(Role::Vcenter),
            CONFIGURATION_SERVER => Some(Role::ConfigurationServer),
            AZURE => Some(Role::Azure),
            name if self.has(Kind::ProcessServer, name) => Some(Role::ProcessServer),
            name if self.has(Kind::MasterTarget, name) => Some(Role::MasterTarget),
            name if self.has(Kind::Node, name) => Some(Role::Agent),
            _ => None,
        }
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
