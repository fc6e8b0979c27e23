//! Facts of a world in which everything is as it should be.

use crate::config::Settings;
use crate::facts::*;
use crate::journal::{Leg, Operation, Platform};
use failback_wire::clock::VirtualMs;
use failback_wire::env::Env;
use failback_wire::event::{Mark, PointKind};
use failback_wire::ids::{MachineName, Site};
use failback_wire::proto::agent::{Addressing, AgentStatus};
use failback_wire::proto::cs::*;
use failback_wire::proto::session::{Point, RetentionVolume, ServerHealth};
use std::sync::Arc;

/// Bytes of every disk.
const SIZE: u64 = 16 << 20;

/// Minutes of virtual time.
pub(super) fn min(minutes: u64) -> VirtualMs {
    VirtualMs(minutes * 60_000)
}

pub(super) fn point(id: &str, kind: PointKind, at: u64) -> Arc<Point> {
    Arc::new(Point {
        point: id.into(),
        mark: Mark(at),
        kind,
        time: min(at),
        group: false,
        snapshots: Default::default(),
    })
}

/// The copy at the site registered this long after the epoch.
fn registration(site: Site, at: u64) -> RegistrationRow {
    RegistrationRow {
        host_id: format!("host-{site}"),
        site,
        address: format!("web01@{site}"),
        registered_at: min(at),
        last_heartbeat: min(598),
        version: "9.62".into(),
    }
}

fn server(component: Component, id: &str) -> ServerRow {
    ServerRow {
        component,
        id: id.into(),
        address: id.into(),
        version: "9.62".into(),
        os: OsFamily::Windows,
        last_heartbeat: min(598),
        facts: Default::default(),
    }
}

/// `home`: when the copy on-premises registered.
fn cs(home: u64) -> CsFacts {
    CsFacts {
        status: CsStatus {
            version: "9.62".into(),
            registered_address: "10.0.0.4".into(),
            address: "10.0.0.4".into(),
            generation: 1,
            instance: "cs-1".into(),
            certificate_expires: min(1_000_000),
            adapters: 1,
            registered_adapters: 1,
            ..CsStatus::default()
        },
        row: Some(MachineRow {
            machine: "web01".into(),
            protection: Protection {
                os: OsFamily::Windows,
                vm_uuid: "4210".into(),
                direction: "none".into(),
                policy: "failback".into(),
            },
            registrations: vec![registration(Site::OnPremises, home), registration(Site::Azure, 590)],
        }),
        servers: vec![server(Component::ProcessServer, "ps"), server(Component::MasterTarget, "mt")],
    }
}

fn health(id: &str) -> ServerHealth {
    ServerHealth {
        id: id.into(),
        os: OsFamily::Windows,
        os_version: None,
        version: "9.62".into(),
        attached: Vec::new(),
        retention: Some(RetentionVolume {
            mount: "R:".into(),
            capacity: 600 << 30,
            free: 500 << 30,
            unfit: None,
        }),
        unreached: Vec::new(),
        unregistered: None,
        refuses: None,
        lvm: false,
    }
}

fn vcenter() -> VcenterFacts {
    VcenterFacts {
        can_write: true,
        missing: Vec::new(),
        vm: Some(VmFacts {
            on: false,
            host_connected: true,
            snapshots: Vec::new(),
            disks: vec!["u0".into(), "u1".into()],
            datastores: vec!["ds1".into()],
            enable_uuid: true,
        }),
        target_vm: Some(TargetVmFacts {
            on: true,
            snapshots: Vec::new(),
            disks: vec!["mt0".into()],
            controllers: vec!["VirtualLsiLogicController".into()],
            enable_uuid: true,
            tools: true,
            host_connected: true,
            hypervisor: "VMware ESXi".into(),
        }),
        datastores: vec![DatastoreFacts {
            name: "ds1".into(),
            kind: "VMFS".into(),
            accessible: true,
            writable: true,
        }],
        names_on_host: Vec::new(),
        elsewhere: false,
        unmounted: Vec::new(),
        sizes: [("u0".into(), SIZE), ("u1".into(), SIZE), ("mt0".into(), SIZE)].into(),
    }
}

fn agent() -> AgentStatus {
    AgentStatus {
        volumes: Default::default(),
        host_id: "host".into(),
        registered: true,
        unheard_because: None,
        session: None,
        epoch: None,
        relay: None,
        os_version: None,
        iscsi: Vec::new(),
        tools_enabled: true,
        addressing: Addressing::Static,
        trouble: None,
        disks: Vec::new(),
        hardware: None,
    }
}

/// Facts under which `operation` is allowed, at 600 minutes, 100 minutes after the last failover.
pub(super) fn sound(operation: Operation) -> Facts {
    let disk =
        |disk: &str, uuid: &str| DiskFacts { disk: disk.into(), uuid: uuid.into(), rdm: false, noted: false };
    Facts {
        operation,
        now: min(600),
        env: Env::new(0),
        settings: Settings::default(),
        request: RequestFacts {
            master_target: Some("mt".into()),
            process_server: Some("ps".into()),
            retention_drive: Some("R".into()),
            datastore: Some("ds1".into()),
            ..RequestFacts::default()
        },
        policy: None,
        item: ItemFacts {
            name: MachineName::from("web01"),
            os: OsFamily::Windows,
            platform: Platform::default(),
            state: "Protected".into(),
            allowed: true,
            left_out: Vec::new(),
            critical: Vec::new(),
            leg: Leg::Forward,
            process_server: None,
            group: None,
            disks: vec![disk("web01-disk0", "u0"), disk("web01-disk1", "u1")],
            source_since: Some(min(500)),
            registered_after: Some(min(499)),
            cs: Some("cs-1".into()),
            keeps_address: false,
            without_vmdk: Vec::new(),
            unknown: false,
            vm_name: "web01".into(),
            home_host: Some(format!("host-{}", Site::OnPremises)),
            resuming: false,
            halfway: None,
            leaves_disks: false,
            anew: false,
        },
        // Before a way home it is the earlier life of the copy that is to stay off.
        cs: Seen::Known(cs(if operation == Operation::Reprotect { 90 } else { 590 })),
        vcenter: Seen::Known(vcenter()),
        target: Seen::Known(health("mt")),
        relay: Seen::Known(health("ps")),
        azure: Seen::Known(AzureFacts {
            // Nothing is there before a machine is protected.
            exists: operation != Operation::EnableProtection,
            running: operation != Operation::EnableProtection,
            answers: true,
            power: "running".into(),
            sizes: [("web01-disk0".into(), SIZE), ("web01-disk1".into(), SIZE)].into(),
            ..AzureFacts::default()
        }),
        agent: Seen::Known(agent()),
        points: Seen::Known(vec![
            point("p1", PointKind::Application, 560),
            point("p2", PointKind::Crash, 595),
        ]),
    }
}

/// The known answer, to be spoilt.
pub(super) fn known<T>(seen: &mut Seen<T>) -> &mut T {
    match seen {
        Seen::Known(value) => value,
        Seen::Unasked | Seen::Silent(_) | Seen::Refused(_) => panic!("nothing known"),
    }
}
