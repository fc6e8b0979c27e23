//! Changes of the world at an instant, as the explorer makes them: what changes, and what ends it.
//!
//! A new one is a row of [`STATES`].

use super::kind::{at, name};
use crate::scenario::fault::{
    AzureFault, Change, ConfigurationServerFault, GuestFault, MasterTargetFault, OnMasterTarget,
    OnProcessServer, ProcessServerFault, VcenterFault,
};
use crate::scenario::inventory::Inventory;
use failback_fakes::azure::Denial;
use failback_fakes::cs::BackupChoice;
use failback_fakes::guest::GuestSite;
use failback_fakes::vcenter::{DatastoreAccess, Privileges};
use failback_orchestrator::config::Config;
use failback_wire::operation::Role;

/// A change, and what ends it; what has no end does its harm once.
pub(crate) type Passing = (Change, Option<Change>);

/// A change of the world, as a fault.
#[derive(Debug)]
pub struct State {
    /// Its name.
    pub(crate) name: &'static str,
    /// It befalls who plays this part.
    pub(crate) of: Role,
    /// What is done right before it.
    pub(super) first: Option<fn() -> Change>,
    /// What changes, and what ends it; `node` is who it befalls.
    pub(crate) change: fn(&Inventory, &str) -> Option<Passing>,
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}
impl Eq for State {}
impl PartialOrd for State {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for State {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.name.cmp(other.name)
    }
}

fn vcenter(fault: VcenterFault, end: VcenterFault) -> Option<Passing> {
    Some((Change::Vcenter(at(fault)), Some(Change::Vcenter(at(end)))))
}

fn configuration_server(fault: ConfigurationServerFault, end: ConfigurationServerFault) -> Option<Passing> {
    Some((Change::ConfigurationServer(at(fault)), Some(Change::ConfigurationServer(at(end)))))
}

fn azure(fault: AzureFault, end: AzureFault) -> Option<Passing> {
    Some((Change::Azure(at(fault)), Some(Change::Azure(at(end)))))
}

fn process_server(node: &str, fault: ProcessServerFault, end: Option<ProcessServerFault>) -> Option<Passing> {
    let on = |change| Change::ProcessServer(OnProcessServer { name: name(node), change: at(change) });
    Some((on(fault), end.map(on)))
}

fn master_target(node: &str, fault: MasterTargetFault, end: MasterTargetFault) -> Option<Passing> {
    let on = |change| Change::MasterTarget(OnMasterTarget { name: name(node), change: at(change) });
    Some((on(fault), Some(on(end))))
}

/// Everything about the world that may change at an instant.
pub static STATES: &[State] = &[
    State {
        name: "vcenter-down",
        of: Role::Vcenter,
        first: None,
        change: |_, _| vcenter(VcenterFault::Disconnect, VcenterFault::Reconnect),
    },
    State {
        name: "host-lost",
        of: Role::Vcenter,
        first: None,
        change: |inventory, _| {
            let host = inventory.machines.first()?.host.clone();
            vcenter(VcenterFault::DisconnectHost { host: host.clone() }, VcenterFault::ReconnectHost { host })
        },
    },
    State {
        name: "datastore-gone",
        of: Role::Vcenter,
        first: None,
        change: |inventory, _| {
            let access = |access| VcenterFault::DatastoreAccess {
                datastore: first_datastore(inventory).unwrap_or_default(),
                access,
                host: None,
            };
            first_datastore(inventory)?;
            vcenter(access(DatastoreAccess::None), access(DatastoreAccess::ReadWrite))
        },
    },
    State {
        name: "datastore-full",
        of: Role::Vcenter,
        first: None,
        change: |inventory, _| {
            let datastore = first_datastore(inventory)?;
            let free = |free_mb| VcenterFault::DatastoreFree { datastore: datastore.clone(), free_mb };
            vcenter(free(0), free(1 << 20))
        },
    },
    State {
        name: "no-privileges",
        of: Role::Vcenter,
        first: None,
        change: |_, _| {
            let account = |privileges| VcenterFault::AccountPrivileges {
                user: Config::default().vcenter.user,
                privileges,
            };
            vcenter(account(Privileges::ReadOnly), account(Privileges::Full))
        },
    },
    State {
        name: "configuration-server-stopped",
        of: Role::ConfigurationServer,
        first: None,
        change: |_, _| configuration_server(ConfigurationServerFault::Stop, ConfigurationServerFault::Start),
    },
    State {
        name: "database-lost",
        of: Role::ConfigurationServer,
        // Without a backup of this very moment it takes more than a restore to come home (P3, P40).
        first: Some(|| Change::ConfigurationServer(at(ConfigurationServerFault::BackupNow))),
        change: |_, _| {
            configuration_server(
                ConfigurationServerFault::LoseDatabase,
                ConfigurationServerFault::Restore { backup: BackupChoice::Latest, address: None },
            )
        },
    },
    State {
        name: "process-server-stopped",
        of: Role::ProcessServer,
        first: None,
        change: |_, node| {
            process_server(node, ProcessServerFault::StopServices, Some(ProcessServerFault::StartServices))
        },
    },
    State {
        name: "uploads-blocked",
        of: Role::ProcessServer,
        first: None,
        change: |_, node| {
            process_server(node, ProcessServerFault::BlockUploads, Some(ProcessServerFault::AllowUploads))
        },
    },
    State {
        name: "master-target-stopped",
        of: Role::MasterTarget,
        first: None,
        change: |_, node| {
            master_target(node, MasterTargetFault::StopServices, MasterTargetFault::StartServices)
        },
    },
    State {
        name: "retention-gone",
        of: Role::MasterTarget,
        first: None,
        change: |_, node| {
            master_target(node, MasterTargetFault::RetentionMissing, MasterTargetFault::RetentionBack)
        },
    },
    State {
        name: "snapshot-on-master-target",
        of: Role::MasterTarget,
        first: None,
        change: |_, node| {
            let vm = node.to_owned();
            let taken = VcenterFault::Snapshot { vm: vm.clone(), name: "nightly".to_owned() };
            vcenter(taken, VcenterFault::RemoveSnapshots { vm })
        },
    },
    State {
        name: "agent-stopped",
        of: Role::Agent,
        first: None,
        change: |_, node| {
            let (machine, site) = node.split_once('@')?;
            let site = if site == "azure" { GuestSite::Azure } else { GuestSite::OnPremises };
            let machine = machine.to_owned();
            let stop = GuestFault::StopAgent { machine: machine.clone(), site };
            let start = GuestFault::StartAgent { machine, site };
            Some((Change::Guest(at(stop)), Some(Change::Guest(at(start)))))
        },
    },
    State {
        name: "delete-lock",
        of: Role::Azure,
        first: None,
        change: |_, _| azure(AzureFault::DeleteLock { on: true }, AzureFault::DeleteLock { on: false }),
    },
    State {
        name: "no-machines",
        of: Role::Azure,
        first: None,
        change: |_, _| azure(AzureFault::DenyMachines { by: Denial::CoreQuota }, AzureFault::AllowMachines),
    },
];

/// The datastore that the first machine is on.
fn first_datastore(inventory: &Inventory) -> Option<String> {
    inventory.machines.first().map(|machine| machine.datastore.clone())
}
