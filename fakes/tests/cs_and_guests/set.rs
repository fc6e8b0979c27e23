//! One configuration server and the two copies of one machine.

use crate::support::{Lab, SECRET};
use failback_fakes::cs::{ConfigurationServer, ConfigurationServerConfig};
use failback_fakes::guest::{GuestConfig, Guests, Workload, fill};
use failback_fakes::net::Network;
use failback_replication::disk::Disk;
use failback_wire::event::{VmRef, What};
use failback_wire::http::{Method, StatusCode};
use failback_wire::ids::{DiskId, MachineCopy, MachineName, NodeName, Site};
use failback_wire::proto::agent::AgentStatus;
use failback_wire::proto::cs::{MachineRow, OsFamily, Protection};
use std::sync::Arc;
use tokio::time::{Duration, sleep};

pub(super) const CS: &str = "10.0.0.5";

pub(super) struct Set {
    pub(super) lab: Arc<Lab>,
    pub(super) cs: Arc<ConfigurationServer>,
    pub(super) guests: Arc<Guests>,
    pub(super) disks: Vec<Disk>,
}

pub(super) fn vm(site: Site) -> VmRef {
    VmRef { site, name: "web01".to_owned() }
}

pub(super) fn address(site: Site) -> &'static str {
    match site {
        Site::OnPremises => "10.0.0.21",
        Site::Azure => "10.1.0.21",
    }
}

pub(super) fn web01() -> MachineName {
    MachineName::from("web01")
}

pub(super) fn protection() -> Protection {
    Protection {
        os: OsFamily::Windows,
        vm_uuid: "4210a0b0-0000-0000-0000-000000000001".to_owned(),
        direction: "forward".to_owned(),
        policy: "gold".to_owned(),
    }
}

pub(super) async fn minutes(count: u64) {
    sleep(Duration::from_secs(60 * count)).await;
}

impl Set {
    pub(super) fn new(seed: u64) -> Self {
        let lab = Lab::new(seed);
        let cs = ConfigurationServer::new(ConfigurationServerConfig::new("cs", CS, SECRET), lab.clone());
        cs.boot(lab.start_node(&NodeName::from("cs"))).unwrap();
        let guests = Guests::new(lab.clone());
        for site in [Site::OnPremises, Site::Azure] {
            guests.register(vm(site), Self::config(site));
        }
        let disks: Vec<Disk> = (0..2).map(|_| Disk::new(1024)).collect();
        for (at, disk) in disks.iter().enumerate() {
            fill(disk, at as u64, 256);
        }
        Self { lab, cs, guests, disks }
    }

    pub(super) fn config(site: Site) -> GuestConfig {
        GuestConfig {
            addressing: Default::default(),
            old_agent: None,
            copy: MachineCopy::new("web01", site),
            os: OsFamily::Windows,
            os_version: None,
            address: address(site).to_owned(),
            host_id: format!("host-{site}"),
            cs_address: CS.to_owned(),
            passphrase: SECRET.to_owned(),
            agent_version: "9.62".to_owned(),
            disk_ids: vec![DiskId::from("web01-disk0"), DiskId::from("web01-disk1")],
            iscsi: Vec::new(),
            registration_delay: None,
            boot_time: Duration::from_secs(40),
            workload: Workload::default(),
            boot: failback_fakes::guest::BootConfig::default(),
            change_log: 64 << 20,
            metal: None,
        }
    }

    pub(super) async fn row(&self) -> (StatusCode, Option<MachineRow>) {
        let url = format!("{CS}/v1/machines/web01");
        let (status, row): (_, serde_json::Value) =
            self.lab.call(Method::GET, &url, SECRET, None::<&()>).await.unwrap();
        (status, serde_json::from_value(row).ok())
    }

    pub(super) async fn status(&self, site: Site) -> AgentStatus {
        let url = format!("{}/v1/status", address(site));
        self.lab.call(Method::GET, &url, SECRET, None::<&()>).await.unwrap().1
    }

    pub(super) fn writes(&self) -> usize {
        self.lab.count(|what| matches!(what, What::GuestWrote { .. }))
    }

    pub(super) fn registrations(&self) -> usize {
        self.lab.count(|what| matches!(what, What::AgentRegistered { .. }))
    }
}
