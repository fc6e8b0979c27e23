//! One machine that replicates, its servers, and the history of its writes.

use crate::support::{Lab, SECRET};
use failback_fakes::guest::Replicator;
use failback_fakes::master_target::{MasterTarget, MasterTargetConfig, Setup};
use failback_fakes::net::Network;
use failback_fakes::process_server::{ProcessServer, ProcessServerConfig};
use failback_replication::disk::{BLOCK, Disk, Page};
use failback_wire::event::{Mark, What};
use failback_wire::http::{Method, StatusCode};
use failback_wire::ids::{DiskId, MachineCopy, NodeName, PointId, SessionId, Site, VmdkUuid};
use failback_wire::proto::cs::OsFamily;
use failback_wire::proto::session::{
    Direction, RetentionVolume, Roll, SessionDisk, SessionSpec, SessionView, SyncMode, TargetDisk,
};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tokio::time::{Duration, sleep};

pub(super) const PS: &str = "ps.test";
pub(super) const MT: &str = "mt.test";
pub(super) const BLOCKS: u64 = 2048;

/// VMDKs that hang on the master target; tests take them away.
pub(super) type Slots = Arc<Mutex<Vec<(VmdkUuid, Disk)>>>;

pub(super) struct Rig {
    pub(super) lab: Arc<Lab>,
    pub(super) ps: Arc<ProcessServer>,
    pub(super) mt: Arc<MasterTarget>,
    pub(super) slots: Slots,
    pub(super) agent: Arc<Replicator>,
    pub(super) disks: BTreeMap<DiskId, Disk>,
    pub(super) spec: SessionSpec,
    pub(super) quiet: Arc<Mutex<bool>>,
    written: Vec<(u64, DiskId, u64, Page)>,
}

pub(super) fn disk_id(n: u64) -> DiskId {
    DiskId::from(format!("web01-disk{n}"))
}

fn page(version: u64) -> Page {
    let mut bytes = [0x5a; BLOCK];
    bytes[..8].copy_from_slice(&version.to_le_bytes());
    Page::new(&bytes)
}

pub(super) async fn minutes(count: u64) {
    sleep(Duration::from_secs(60 * count)).await;
}

fn retention(bytes: u64) -> RetentionVolume {
    RetentionVolume { mount: "R:".to_owned(), capacity: bytes, free: bytes, unfit: None }
}

fn machine(lab: &Arc<Lab>, disks: &BTreeMap<DiskId, Disk>, quiet: &Arc<Mutex<bool>>) -> Arc<Replicator> {
    let ctx = lab.start_node(&NodeName::from("web01@azure"));
    let (copy, quiet) = (MachineCopy::new("web01", Site::Azure), quiet.clone());
    Replicator::new(
        ctx,
        copy,
        disks.clone(),
        Arc::new(move |_| quiet.lock().unwrap().then_some(()).ok_or_else(|| "not quiet".to_owned())),
        SECRET.to_owned(),
        64 << 20,
    )
}

pub(super) fn spec(direction: Direction, target: &str, targets: [TargetDisk; 2]) -> SessionSpec {
    assert_eq!(direction == Direction::Reverse, target == MT, "a master target is for the way home");
    let disks = (0..).zip(targets).map(|(n, target)| SessionDisk {
        disk: disk_id(n),
        size: BLOCKS * BLOCK as u64,
        target,
    });
    SessionSpec {
        session: SessionId::from("s-1"),
        machine: "web01".into(),
        direction,
        epoch: 1,
        disks: disks.collect(),
        sync: SyncMode::Checksum,
        relay: PS.to_owned(),
        target: target.to_owned(),
        crash_interval_s: 300,
        app_interval_s: 3600,
        retention_s: 86_400,
        resync: Default::default(),
        compress: false,
        group: None,
    }
}

impl Rig {
    /// Everything runs; nothing replicates yet. Disks are a quarter full, their older copies differ.
    pub(super) fn new(spec: SessionSpec, cache_bytes: u64) -> Self {
        let lab = Lab::new(7);
        let slots: Slots = Arc::default();
        let config = MasterTargetConfig {
            id: "mt".to_owned(),
            vm_name: "mt-linux".to_owned(),
            host: MT.to_owned(),
            cs_host: "cs.test".to_owned(),
            passphrase: SECRET.to_owned(),
            os: OsFamily::Linux,
            version: "9.62".to_owned(),
            retention: Some(retention(1 << 30)),
            setup: Setup::default(),
        };
        let hanging = slots.clone();
        let mt =
            MasterTarget::new(config, Arc::new(move || hanging.lock().unwrap().clone()), Arc::new(|| None));
        let ps = ProcessServer::new(ProcessServerConfig {
            id: "ps".to_owned(),
            host: PS.to_owned(),
            cs_host: "cs.test".to_owned(),
            passphrase: SECRET.to_owned(),
            os: OsFamily::Windows,
            version: "9.62".to_owned(),
            site: failback_wire::ids::Site::Azure,
            network: None,
            addressing: Default::default(),
            cache_bytes,
        });
        let disks: BTreeMap<_, _> = (0..2).map(|n| (disk_id(n), Disk::new(BLOCKS))).collect();
        for (n, disk) in (0..).zip(disks.values()) {
            let old = Disk::new(BLOCKS);
            (0..BLOCKS).step_by(8).for_each(|b| old.write(b, page(b)));
            (0..BLOCKS).step_by(4).for_each(|b| disk.write(b, page(b + b % 16)));
            slots.lock().unwrap().push((VmdkUuid::from(format!("vmdk-{n}")), old));
        }
        let quiet = Arc::new(Mutex::new(true));
        let agent = machine(&lab, &disks, &quiet);
        let rig = Self { lab, ps, mt, slots, agent, disks, spec, quiet, written: Vec::new() };
        rig.boot_ps();
        rig.boot_mt();
        rig
    }

    pub(super) fn home() -> Self {
        let vmdk = |n: u64| TargetDisk::Vmdk(VmdkUuid::from(format!("vmdk-{n}")));
        Self::new(spec(Direction::Reverse, MT, [vmdk(0), vmdk(1)]), 64 << 20)
    }

    pub(super) fn boot_ps(&self) {
        self.ps.boot(self.lab.start_node(&NodeName::from("ps")), &*self.lab);
    }

    pub(super) fn boot_mt(&self) {
        self.mt.boot(self.lab.start_node(&NodeName::from("mt")), &*self.lab);
    }

    /// The machine's guest starts again and remembers only its session.
    pub(super) fn reboot_guest(&mut self) {
        let spec = self.agent.spec().unwrap();
        self.agent = machine(&self.lab, &self.disks, &self.quiet);
        self.agent.resume(spec);
    }

    pub(super) async fn call<R: DeserializeOwned>(
        &self,
        method: Method,
        url: &str,
        body: Option<&Value>,
    ) -> R {
        let (status, reply): (_, Value) = self.lab.call(method, url, SECRET, body).await.unwrap();
        assert_eq!(status, StatusCode::OK, "{url}: {reply}");
        serde_json::from_value(reply).unwrap()
    }

    /// The session begins at all three, target first.
    pub(super) async fn start(&self) {
        let body = serde_json::to_value(&self.spec).unwrap();
        for host in [self.spec.target.as_str(), PS] {
            let _: SessionView =
                self.call(Method::PUT, &format!("{host}/v1/sessions/s-1"), Some(&body)).await;
        }
        self.agent.start(self.spec.clone()).unwrap();
    }

    pub(super) async fn view(&self, host: &str) -> SessionView {
        self.call(Method::GET, &format!("{host}/v1/sessions/s-1"), None).await
    }

    pub(super) fn write(&mut self, disk: u64, block: u64) {
        let (id, page) = (disk_id(disk), page(1 << 32 | self.written.len() as u64));
        self.disks[&id].write(block, page.clone());
        self.agent.wrote(&id, block);
        self.written.push((self.lab.events().len() as u64, id, block, page));
    }

    /// Writes a block a minute on each disk for so long.
    pub(super) async fn work(&mut self, count: u64) {
        for minute in 0..count {
            self.write(0, minute * 37 % BLOCKS);
            self.write(1, minute * 91 % BLOCKS);
            minutes(1).await;
        }
    }

    /// What the disks held when this mark was cut: undoes, from the write log, what came after.
    pub(super) fn at_mark(&self, initial: &BTreeMap<DiskId, Disk>, mark: Mark) -> BTreeMap<DiskId, Disk> {
        let is_cut = |what: &What| matches!(what, What::MarkCut { mark: m, .. } if *m == mark);
        let cut = self.lab.events().iter().position(|(_, what)| is_cut(what)).unwrap() as u64;
        let disks: BTreeMap<_, _> = initial.iter().map(|(id, d)| (id.clone(), d.fork())).collect();
        for (_, id, block, page) in self.written.iter().filter(|(at, ..)| *at <= cut) {
            disks[id].write(*block, page.clone());
        }
        disks
    }

    pub(super) fn forks(&self) -> BTreeMap<DiskId, Disk> {
        self.disks.iter().map(|(id, d)| (id.clone(), d.fork())).collect()
    }

    pub(super) fn target(&self, n: usize) -> Disk {
        self.slots.lock().unwrap()[n].1.clone()
    }

    pub(super) async fn roll(&self, point: &PointId) {
        let body = serde_json::to_value(Roll { point: point.clone() }).unwrap();
        let view: SessionView =
            self.call(Method::POST, &format!("{MT}/v1/sessions/s-1/roll"), Some(&body)).await;
        assert_eq!(view.rolled_to.as_ref(), Some(point));
    }

    /// Rolls to every kept point and compares with the write log.
    pub(super) async fn every_point_is_true(&self, initial: &BTreeMap<DiskId, Disk>) -> usize {
        let points = self.view(MT).await.points;
        for point in points.iter().rev().chain(points.last()) {
            self.roll(&point.point).await;
            let model = self.at_mark(initial, point.mark);
            for (n, id) in [disk_id(0), disk_id(1)].iter().enumerate() {
                assert_eq!(self.target(n).root_hash(), model[id].root_hash(), "{id} at {point:?}");
            }
        }
        points.len()
    }
}
