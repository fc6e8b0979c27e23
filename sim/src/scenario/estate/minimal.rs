//! Parts of an estate as a file that names them and says nothing else gives them.

use super::{
    ConfigurationServer, DiskSpec, Estate, Firmware, Machine, Network, Os, Policy, ProcessServer, Settings,
    Side, SiteKind, Source, Vcenter, Workload, change_log, machine_memory,
};
use crate::scenario::text::Spanned;
use crate::scenario::units::Size;
use std::collections::BTreeMap;

impl Estate {
    /// These machines, and what every estate has.
    pub fn of(machines: Vec<Machine>) -> Self {
        Self {
            schema: None,
            about: None,
            site: SiteKind::default(),
            network: Network::default(),
            vcenter: Vcenter::default(),
            configuration_server: ConfigurationServer::default(),
            process_servers: None,
            master_targets: None,
            machines,
            bystanders: Vec::new(),
            policy: Policy::default(),
            plans: Vec::new(),
            settings: Settings::default(),
        }
    }
}

impl Machine {
    /// A machine of this name.
    pub fn named(name: &str) -> Self {
        Self {
            name: Spanned::unplaced(name.to_owned()),
            count: None,
            os: Os::default(),
            source: Source::default(),
            os_version: None,
            firmware: Firmware::default(),
            memory: machine_memory(),
            host: None,
            datastore: None,
            disks: None,
            workload: Workload::default(),
            change_log: change_log(),
            group: None,
            protected: true,
            boot_drivers: BTreeMap::new(),
            dhcp_service: true,
            agent_version: None,
            retain_address: false,
            azure_network: None,
            enable_uuid: true,
            registration_delay: None,
        }
    }
}

impl DiskSpec {
    /// A disk of this size.
    pub fn of(size: Size) -> Self {
        let size = Spanned::unplaced(size);
        Self { size, allocated: None, excluded: false, rdm: false, iscsi: false }
    }
}

impl ProcessServer {
    /// A process server in Azure of this id.
    pub fn named(id: &str) -> Self {
        Self {
            id: Spanned::unplaced(id.to_owned()),
            location: Side::Azure,
            port: None,
            static_address: true,
            nat: false,
            network: None,
            deployed: true,
        }
    }
}
