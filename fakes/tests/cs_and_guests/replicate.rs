//! A guest that replicates to a master target through a process server: shutdown, plug, reboot, faults.

use super::set::{CS, Set, address, minutes, vm, web01};
use crate::support::SECRET;
use failback_fakes::guest::{GuestFault, GuestPower};
use failback_fakes::master_target::{MasterTarget, MasterTargetConfig, Setup};
use failback_fakes::net::Network;
use failback_fakes::process_server::{ProcessServer, ProcessServerConfig};
use failback_replication::disk::Disk;
use failback_wire::event::{Actor, PointKind, What};
use failback_wire::http::{Method, StatusCode};
use failback_wire::ids::{DiskId, NodeName, SessionId, Site, VmdkUuid};
use failback_wire::proto::agent::AgentStatus;
use failback_wire::proto::cs::OsFamily;
use failback_wire::proto::session::{
    Direction, RetentionVolume, Roll, SessionDisk, SessionSpec, SessionView, SyncMode, TargetDisk,
};
use serde_json::Value;
use std::sync::Arc;

const PS: &str = "10.1.0.9";
const MT: &str = "10.0.0.8";
const AZURE: Site = Site::Azure;

struct Pair {
    set: Set,
    targets: Vec<Disk>,
    _ps: Arc<ProcessServer>,
    _mt: Arc<MasterTarget>,
}

fn spec() -> SessionSpec {
    let disk = |n: u64| SessionDisk {
        disk: DiskId::from(format!("web01-disk{n}")),
        size: 1024 * 4096,
        target: TargetDisk::Vmdk(VmdkUuid::from(format!("vmdk-{n}"))),
    };
    SessionSpec {
        session: SessionId::from("s-1"),
        machine: web01(),
        direction: Direction::Reverse,
        epoch: 1,
        disks: vec![disk(0), disk(1)],
        sync: SyncMode::Checksum,
        relay: PS.to_owned(),
        target: MT.to_owned(),
        crash_interval_s: 300,
        app_interval_s: 3600,
        retention_s: 86_400,
        resync: Default::default(),
        compress: false,
        group: None,
    }
}

impl Pair {
    /// web01 runs in Azure and replicates home.
    async fn replicating() -> Self {
        let set = Set::new(21);
        let targets: Vec<Disk> = (0..2).map(|_| Disk::new(1024)).collect();
        let vmdks: Vec<_> = targets.iter().cloned().enumerate().collect();
        let scsi = move || {
            let named = |(n, disk): &(usize, Disk)| (VmdkUuid::from(format!("vmdk-{n}")), disk.clone());
            vmdks.iter().map(named).collect()
        };
        let retention =
            RetentionVolume { mount: "R:".to_owned(), capacity: 1 << 30, free: 1 << 30, unfit: None };
        let mt = MasterTarget::new(
            MasterTargetConfig {
                id: "mt".to_owned(),
                vm_name: "mt-windows".to_owned(),
                host: MT.to_owned(),
                cs_host: CS.to_owned(),
                passphrase: SECRET.to_owned(),
                os: OsFamily::Windows,
                version: "9.62".to_owned(),
                retention: Some(retention),
                setup: Setup::default(),
            },
            Arc::new(scsi),
            Arc::new(|| None),
        );
        mt.boot(set.lab.start_node(&NodeName::from("mt")), &*set.lab);
        let ps = ProcessServer::new(ProcessServerConfig {
            id: "ps".to_owned(),
            host: PS.to_owned(),
            cs_host: CS.to_owned(),
            passphrase: SECRET.to_owned(),
            os: OsFamily::Windows,
            version: "9.62".to_owned(),
            site: failback_wire::ids::Site::Azure,
            network: None,
            addressing: Default::default(),
            cache_bytes: 64 << 20,
        });
        ps.boot(set.lab.start_node(&NodeName::from("ps")), &*set.lab);
        set.guests.power_on(&vm(AZURE), set.disks.clone());
        minutes(1).await;
        for host in [MT, PS] {
            let url = format!("{host}/v1/sessions/s-1");
            let made: (StatusCode, Value) =
                set.lab.call(Method::PUT, &url, SECRET, Some(&spec())).await.unwrap();
            assert_eq!(made.0, StatusCode::OK, "{host}: {}", made.1);
        }
        let url = format!("{}/v1/replication", address(AZURE));
        let (status, agent): (_, AgentStatus) =
            set.lab.call(Method::PUT, &url, SECRET, Some(&spec())).await.unwrap();
        assert_eq!(status, StatusCode::OK);
        assert_eq!(agent.session, Some(SessionId::from("s-1")), "the reply is the whole agent's status");
        assert_eq!(agent.host_id, "host-azure");
        minutes(65).await;
        Self { set, targets, _ps: ps, _mt: mt }
    }

    async fn at_target(&self) -> SessionView {
        let url = format!("{MT}/v1/sessions/s-1");
        self.set.lab.call(Method::GET, &url, SECRET, None::<&()>).await.unwrap().1
    }

    /// Rolls the target to its latest point.
    async fn roll(&self) {
        let point = self.at_target().await.points.last().unwrap().point.clone();
        let url = format!("{MT}/v1/sessions/s-1/stop");
        self.set.lab.call::<Value>(Method::POST, &url, SECRET, None::<&()>).await.unwrap();
        let url = format!("{MT}/v1/sessions/s-1/roll");
        let (status, view): (_, Value) =
            self.set.lab.call(Method::POST, &url, SECRET, Some(&Roll { point })).await.unwrap();
        assert_eq!(status, StatusCode::OK, "{view}");
    }

    fn equal(&self) -> bool {
        self.set.disks.iter().zip(&self.targets).all(|(from, to)| from.root_hash() == to.root_hash())
    }

    fn fault(&self, json: &str) {
        let fault: GuestFault = serde_json::from_str(json).unwrap();
        self.set.guests.apply_fault(&fault, Actor::Fault).unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_clean_shutdown_brings_the_very_last_write_home() {
    let pair = Pair::replicating().await;
    pair.set.guests.shut_down(&vm(AZURE)).await;
    minutes(1).await;
    let events = pair.set.lab.events();
    let at = |pick: &dyn Fn(&What) -> bool| events.iter().rposition(|(_, what)| pick(what)).unwrap();
    let last_write = at(&|what| matches!(what, What::GuestWrote { .. }));
    let last_mark = at(&|what| matches!(what, What::MarkCut { .. }));
    let stopped = at(&|what| matches!(what, What::GuestStopped { clean: true, .. }));
    assert!(last_write < last_mark && last_mark < stopped);
    pair.roll().await;
    assert!(pair.equal());
}

#[tokio::test(start_paused = true)]
async fn a_pulled_plug_leaves_the_latest_mark() {
    let pair = Pair::replicating().await;
    minutes(4).await;
    pair.set.guests.power_off(&vm(AZURE));
    let pulled = pair.set.lab.now();
    minutes(10).await;
    let late = |(at, what): &(_, What)| *at > pulled && matches!(what, What::MarkCut { .. });
    assert!(!pair.set.lab.events().iter().any(late), "an agent without power cuts no marks");
    pair.roll().await;
    assert!(!pair.equal(), "what was written after the mark is lost");
    let events = pair.set.lab.events();
    let marks = events.iter().filter(|(_, what)| matches!(what, What::MarkCut { .. }));
    let marks = marks.map(|(at, _)| *at);
    let view = pair.at_target().await;
    assert_eq!(view.points.last().map(|point| point.time), marks.max());
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_that_cannot_send_ends_all_the_same() {
    let pair = Pair::replicating().await;
    pair.set.lab.crash("ps");
    let asked = pair.set.lab.now();
    pair.set.guests.shut_down(&vm(AZURE)).await;
    assert!(!pair.set.guests.is_running(&vm(AZURE)));
    let took = pair.set.lab.now().since(asked).as_secs();
    assert!((180..=181).contains(&took), "{took} s");
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_boots_again_takes_its_session_up_by_itself() {
    let pair = Pair::replicating().await;
    let points = pair.at_target().await.points.len();
    pair.set.guests.reset(&vm(AZURE));
    minutes(30).await;
    let agent = pair.set.status(AZURE).await;
    assert_eq!(agent.session, Some(SessionId::from("s-1")));
    assert!(pair.at_target().await.points.len() > points);
    pair.set.guests.shut_down(&vm(AZURE)).await;
    minutes(1).await;
    pair.roll().await;
    assert!(pair.equal());
}

#[tokio::test(start_paused = true)]
async fn while_the_agent_is_stopped_no_points_come_and_afterwards_all_is_caught_up() {
    let pair = Pair::replicating().await;
    let points = pair.at_target().await.points.len();
    pair.fault(r#"{"stop-agent": {"machine": "web01", "site": "azure"}}"#);
    minutes(30).await;
    assert_eq!(pair.at_target().await.points.len(), points);
    pair.fault(r#"{"start-agent": {"machine": "web01", "site": "azure"}}"#);
    minutes(15).await;
    assert!(pair.at_target().await.points.len() > points);
    pair.set.guests.shut_down(&vm(AZURE)).await;
    minutes(1).await;
    pair.roll().await;
    assert!(pair.equal());
}

#[tokio::test(start_paused = true)]
async fn broken_shadow_copies_leave_crash_consistent_points_only() {
    let pair = Pair::replicating().await;
    let apps = |view: &SessionView| view.points.iter().filter(|p| p.kind == PointKind::Application).count();
    let before = apps(&pair.at_target().await);
    assert!(before >= 1);
    pair.fault(r#"{"vss-broken": {"machine": "web01", "broken": true}}"#);
    minutes(125).await;
    assert_eq!(apps(&pair.at_target().await), before);
    pair.fault(r#"{"vss-broken": {"machine": "web01", "broken": false}}"#);
    minutes(125).await;
    assert!(apps(&pair.at_target().await) > before);
}
