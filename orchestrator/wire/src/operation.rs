//! Every operation that crosses the network: its name, who asks for it, and whom.
//!
//! Faults are keyed by these names. With this table a scenario that waits for a call nobody ever makes is
//! told so before it runs. Clients write the names where they send them; a test over their sources and one
//! over every call of every scenario hold this table complete and free of dead rows.

use std::fmt;

/// Kinds of nodes, as far as they speak to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Whoever asks the product for something.
    Operator,
    /// The product.
    Orchestrator,
    /// vCenter.
    Vcenter,
    /// The configuration server.
    ConfigurationServer,
    /// A process server.
    ProcessServer,
    /// A master target.
    MasterTarget,
    /// The mobility agent in a copy of a machine.
    Agent,
    /// Azure: Resource Manager and blobs.
    Azure,
}

impl Role {
    /// True for those who answer from inventories and databases, which caches and replicas may stand before: what they
    /// say may be what was so a while ago.
    pub fn is_read_through_others(self) -> bool {
        matches!(self, Self::Vcenter | Self::Azure | Self::ConfigurationServer)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Operator => "the operator",
            Self::Orchestrator => "the orchestrator",
            Self::Vcenter => "vCenter",
            Self::ConfigurationServer => "the configuration server",
            Self::ProcessServer => "a process server",
            Self::MasterTarget => "a master target",
            Self::Agent => "a mobility agent",
            Self::Azure => "Azure",
        })
    }
}

/// Operations that the same kinds of nodes ask of the same kinds of nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traffic {
    /// Who asks.
    pub from: &'static [Role],
    /// Who is asked.
    pub to: &'static [Role],
    /// For what, in the words of the protocol.
    pub operations: &'static [&'static str],
}

/// All traffic there is.
pub const TRAFFIC: [Traffic; 14] = [
    Traffic {
        from: &[Role::Operator],
        to: &[Role::Orchestrator],
        operations: &[
            "asr.events",
            "asr.fabric",
            "asr.item",
            "asr.job",
            "asr.operate",
            "asr.points",
            "asr.protectable",
            "asr.vault-health",
        ],
    },
    Traffic { from: &[Role::Orchestrator], to: &[Role::Vcenter], operations: VIM },
    Traffic { from: &[Role::Orchestrator], to: &[Role::Azure], operations: ARM },
    Traffic { from: &[Role::Orchestrator], to: &[Role::Azure], operations: BLOB },
    Traffic {
        from: &[Role::Orchestrator],
        to: &[Role::ConfigurationServer],
        operations: &[
            "cs.delete-machine",
            "cs.machine",
            "cs.put-machine",
            "cs.renew-certificate",
            "cs.roll-call",
            "cs.servers",
            "cs.status",
        ],
    },
    Traffic { from: &[Role::Agent], to: &[Role::ConfigurationServer], operations: &["cs.register"] },
    Traffic {
        from: &[Role::Agent, Role::ProcessServer, Role::MasterTarget],
        to: &[Role::ConfigurationServer],
        operations: &["cs.heartbeat"],
    },
    Traffic {
        from: &[Role::Orchestrator],
        to: &[Role::ProcessServer, Role::MasterTarget],
        operations: &["server.health"],
    },
    Traffic {
        from: &[Role::Orchestrator],
        to: &[Role::ProcessServer, Role::MasterTarget, Role::Azure],
        operations: &[
            "session.delete",
            "session.get",
            "session.put",
            "session.roll",
            "session.stop",
            "session.watch",
        ],
    },
    Traffic {
        from: &[Role::Orchestrator],
        to: &[Role::Agent],
        operations: &[
            "agent.set-addressing",
            "agent.set-tools",
            "agent.start-replication",
            "agent.status",
            "agent.stop-replication",
        ],
    },
    Traffic {
        from: &[Role::Agent],
        to: &[Role::ProcessServer],
        operations: &["ps.frames", "ps.hashes", "ps.session", "ps.take-up"],
    },
    Traffic {
        from: &[Role::ProcessServer],
        to: &[Role::ConfigurationServer, Role::MasterTarget, Role::Agent],
        operations: &["ps.reach"],
    },
    Traffic {
        from: &[Role::ProcessServer],
        to: &[Role::MasterTarget],
        operations: &["mt.frames", "mt.hashes", "mt.take-up"],
    },
    Traffic {
        from: &[Role::ProcessServer],
        to: &[Role::Azure],
        operations: &["service.frames", "service.hashes", "service.take-up"],
    },
];

/// Methods of the vSphere API.
const VIM: &[&str] = &[
    "ContinueRetrievePropertiesEx",
    "CreateContainerView",
    "CreateFilter",
    "CreatePropertyCollector",
    "CreateVM_Task",
    "DestroyPropertyCollector",
    "DestroyView",
    "Destroy_Task",
    "FindByUuid",
    "FindChild",
    "HasPrivilegeOnEntity",
    "Login",
    "Logout",
    "PowerOffVM_Task",
    "PowerOnVM_Task",
    "QueryVirtualDiskUuid",
    "ReconfigVM_Task",
    "RemoveAllSnapshots_Task",
    "RetrievePropertiesEx",
    "RetrieveServiceContent",
    "ShutdownGuest",
    "WaitForUpdatesEx",
];

/// Operation ids in the specification of Azure Resource Manager.
const ARM: &[&str] = &[
    "Disks_CreateOrUpdate",
    "Disks_Delete",
    "Disks_Get",
    "Operations_Get",
    "StorageAccounts_ListServiceSAS",
    "VirtualMachines_CreateOrUpdate",
    "VirtualMachines_Deallocate",
    "VirtualMachines_Delete",
    "VirtualMachines_Get",
    "VirtualMachines_List",
    "VirtualMachines_ListAll",
    "VirtualMachines_PowerOff",
    "VirtualMachines_Restart",
    "VirtualMachines_Start",
];

/// Operation ids in the specification of Azure's blob storage.
const BLOB: &[&str] = &["Blob_GetProperties", "PageBlob_Create"];

/// Every operation there is, by protocol.
pub fn names() -> impl Iterator<Item = &'static str> {
    TRAFFIC.iter().flat_map(|t| t.operations.iter().copied())
}

/// The traffic in which an operation crosses; nothing for a word that is no operation.
pub fn traffic_of(operation: &str) -> impl Iterator<Item = &'static Traffic> {
    TRAFFIC.iter().filter(move |t| t.operations.contains(&operation))
}

/// What `from` (anyone, when `None`) may ask of `to`.
pub fn between(from: Option<Role>, to: Role) -> impl Iterator<Item = &'static str> {
    let fits = move |t: &&Traffic| t.to.contains(&to) && from.is_none_or(|from| t.from.contains(&from));
    TRAFFIC.iter().filter(fits).flat_map(|t| t.operations.iter().copied())
}

#[cfg(test)]
mod tests {
    use super::{Role, between, names, traffic_of};
    use std::collections::BTreeSet;

    #[test]
    fn no_operation_is_listed_twice() {
        assert_eq!(names().collect::<BTreeSet<_>>().len(), names().count());
    }

    #[test]
    fn an_operation_crosses_only_between_its_own_ends() {
        let heartbeat = |from, to| between(from, to).any(|name| name == "cs.heartbeat");
        assert!(heartbeat(Some(Role::Agent), Role::ConfigurationServer));
        assert!(heartbeat(None, Role::ConfigurationServer));
        assert!(!heartbeat(Some(Role::Orchestrator), Role::ConfigurationServer));
        assert!(!heartbeat(None, Role::Vcenter));
        assert_eq!(traffic_of("cs.heartbeet").count(), 0);
    }
}
