//! Event streams for tests: one faultless cycle as a script, and the means to spoil it at one place.

use PointKind::{Application, Crash};
use failback_oracle::{
    DiskSeen, DiskSetup, ItemSeen, MachineSetup, Observation, Oracle, PlanSetup, Setup, VmSeen,
};
use failback_wire::clock::VirtualMs;
use failback_wire::event::{Actor, ContentHash, DiskRef, Event, Mark, PointKind, VmRef, What};
use failback_wire::ids::{
    DiskId, GroupName, JobId, MachineCopy, MachineName, NodeName, PointId, SessionId, Site, VmdkUuid,
};
use failback_wire::proto::cs::OsFamily;
use std::collections::BTreeSet;
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_128;

pub(crate) use Actor::{Fault, Operator, Product};
pub(crate) use Site::{Azure, OnPremises};

/// Raw bytes of the block that `v` stands for; 0 is a block of zeros.
pub(crate) fn bytes(v: u8) -> [u8; 4096] {
    [v; 4096]
}
/// Hash of that block.
pub(crate) fn hash(v: u8) -> ContentHash {
    ContentHash(xxh3_128(&bytes(v)))
}

pub(crate) fn vm(site: Site, name: &str) -> VmRef {
    VmRef { site, name: name.to_owned() }
}
pub(crate) fn onprem() -> VmRef {
    vm(OnPremises, "web01")
}
pub(crate) fn azure() -> VmRef {
    vm(Azure, "web01")
}
pub(crate) fn target() -> VmRef {
    vm(OnPremises, "mt-windows")
}
pub(crate) fn stranger() -> VmRef {
    vm(OnPremises, "stranger")
}
pub(crate) fn vmdk(n: usize) -> DiskRef {
    DiskRef::Vmdk(VmdkUuid::from(format!("6000C29a-web01-{n}")))
}
pub(crate) fn managed(n: usize) -> DiskRef {
    DiskRef::Managed(format!("web01-disk{n}"))
}
pub(crate) fn disk(n: usize) -> DiskId {
    DiskId::from(format!("web01-disk{n}"))
}

fn machine(name: &str, group: Option<&str>) -> MachineSetup {
    let disks = (0..2).map(|n| DiskSetup {
        id: DiskId::from(format!("{name}-disk{n}")),
        vmdk: VmdkUuid::from(format!("6000C29a-{name}-{n}")),
        blocks: 64,
        content: vec![(0, hash(1 + n))],
    });
    MachineSetup {
        name: name.into(),
        os: OsFamily::Windows,
        group: group.map(GroupName::from),
        disks: disks.collect(),
        excluded: Vec::new(),
        outside: 0,
        physical: false,
        onprem_vm: vm(OnPremises, name),
        azure_vm: vm(Azure, name),
        runs_at: OnPremises,
        powered_on: true,
    }
}

/// `web01` alone, `app01` and `db01` in the group `shop` and the plan `shop-plan`, a master target, a stranger.
pub(crate) fn setup() -> Setup {
    Setup {
        machines: vec![machine("web01", None), machine("app01", Some("shop")), machine("db01", Some("shop"))],
        foreign_vms: vec![stranger()],
        foreign_disks: vec![DiskRef::Vmdk("6000C29a-stranger".into())],
        infrastructure_vms: vec![target()],
        plans: vec![PlanSetup {
            name: "shop-plan".into(),
            groups: vec![vec!["db01".into()], vec!["app01".into()]],
        }],
        split_brain_codes: vec!["FB2102".into()],
        group_codes: vec!["FB2104".into()],
        ..Setup::default()
    }
}

pub(crate) fn wrote(site: Site, n: usize, block: u64, v: u8) -> What {
    What::GuestWrote { copy: MachineCopy::new("web01", site), disk: disk(n), block, content: hash(v) }
}
pub(crate) fn cut(site: Site, session: &str, mark: u64, kind: PointKind) -> What {
    let copy = MachineCopy::new("web01", site);
    What::MarkCut { copy, session: session.into(), mark: Mark(mark), kind, group: None }
}
/// Members of the group `shop` each cut and store mark `mark`, the second `apart` ms after the first, and
/// one job chooses it for both.
pub(crate) fn group_failover(oracle: &mut Oracle, apart: u64, group: Option<GroupName>, warn: bool) {
    let mut at = |ms: u64, what: What| oracle.take(&event(ms, 0, what));
    at(0, accepted("failover", "shop-plan", "j1"));
    at(1, started("j1", "shop-plan"));
    for (ms, member) in [(1000, "app01"), (1000 + apart, "db01")] {
        let session = SessionId::from(format!("{member}-fwd"));
        let (mark, kind, point) = (Mark(1), Application, PointId::from("p1"));
        let copy = MachineCopy::new(member, OnPremises);
        at(ms, What::MarkCut { copy, session: session.clone(), mark, kind, group: group.clone() });
        at(5000, What::PointStored { session: session.clone(), point: point.clone(), mark, kind });
        let item = MachineName::from(member);
        at(6000, What::PointChosen { item: item.clone(), session, point, mark, to: Azure });
        if warn {
            at(6000, What::Warned { item, code: "FB2104".into() });
        }
    }
    at(7000, ended("j1", "Succeeded"));
}
pub(crate) fn stored(session: &str, point: &str, mark: u64, kind: PointKind) -> What {
    What::PointStored { session: session.into(), point: point.into(), mark: Mark(mark), kind }
}
pub(crate) fn offered(session: &str, point: &str, mark: u64, kind: PointKind) -> What {
    let (item, session, point) = ("web01".into(), session.into(), point.into());
    What::PointOffered { item, session, point, mark: Mark(mark), kind }
}
pub(crate) fn withdrawn(point: &str) -> What {
    What::PointWithdrawn { item: "web01".into(), point: point.into() }
}
pub(crate) fn pruned(session: &str, point: &str) -> What {
    What::PointPruned { session: session.into(), point: point.into(), reason: "commit".into() }
}
pub(crate) fn chosen(session: &str, point: &str, mark: u64, to: Site) -> What {
    let (item, session, point) = ("web01".into(), session.into(), point.into());
    What::PointChosen { item, session, point, mark: Mark(mark), to }
}
pub(crate) fn rolled(session: &str, point: &str, mark: u64) -> What {
    What::Rolled { session: session.into(), point: point.into(), mark: Mark(mark) }
}
pub(crate) fn power(vm: VmRef, on: bool) -> What {
    What::PowerChanged { vm, on, by: Product }
}
pub(crate) fn booted(site: Site) -> What {
    What::GuestBooted { copy: MachineCopy::new("web01", site) }
}
pub(crate) fn stopped(site: Site) -> What {
    What::GuestStopped { copy: MachineCopy::new("web01", site), clean: true }
}
pub(crate) fn attach(disk: DiskRef, vm: VmRef) -> What {
    What::DiskAttached { disk, vm, by: Product }
}
pub(crate) fn detach(disk: DiskRef, vm: VmRef) -> What {
    What::DiskDetached { disk, vm, by: Product }
}
pub(crate) fn written(disk: DiskRef) -> What {
    What::DiskWritten { disk, writer: NodeName::from("mt-windows"), blocks: 1 }
}
pub(crate) fn accepted(operation: &str, target: &str, job: &str) -> What {
    What::RequestAccepted { operation: operation.into(), target: target.into(), job: job.into() }
}
pub(crate) fn refused(operation: &str, target: &str) -> What {
    What::RequestRefused { operation: operation.into(), target: target.into(), codes: vec!["FB1601".into()] }
}
pub(crate) fn started(job: &str, target: &str) -> What {
    What::JobStarted { job: job.into(), scenario: "test".into(), target: target.into() }
}
pub(crate) fn ended(job: &str, state: &str) -> What {
    let code = (state == "Failed").then(|| "FB0000".to_owned());
    What::JobEnded { job: job.into(), state: state.into(), code }
}
pub(crate) fn warned(code: &str) -> What {
    What::Warned { item: "web01".into(), code: code.into() }
}

/// A stream of events, one a second.
#[derive(Clone)]
pub(crate) struct Script(pub(crate) Vec<What>);

impl Script {
    /// The place of the first event equal to `what`.
    #[track_caller]
    fn place(&self, what: &What) -> usize {
        self.0.iter().position(|w| w == what).unwrap_or_else(|| panic!("the script has no {what:?}"))
    }
    /// Puts `new` before `what`.
    #[track_caller]
    pub(crate) fn before(mut self, what: &What, new: What) -> Self {
        let at = self.place(what);
        self.0.insert(at, new);
        self
    }
    /// Puts `new` after `what`.
    #[track_caller]
    pub(crate) fn after(mut self, what: &What, new: What) -> Self {
        let at = self.place(what);
        self.0.insert(at + 1, new);
        self
    }
    /// Leaves `what` out.
    #[track_caller]
    pub(crate) fn without(mut self, what: &What) -> Self {
        let at = self.place(what);
        self.0.remove(at);
        self
    }
    /// Puts `new` in the place of `what`.
    #[track_caller]
    pub(crate) fn replace(mut self, what: &What, new: What) -> Self {
        let at = self.place(what);
        self.0[at] = new;
        self
    }
    /// Ends after `what`.
    #[track_caller]
    pub(crate) fn until(mut self, what: &What) -> Self {
        let at = self.place(what);
        self.0.truncate(at + 1);
        self
    }
    /// Goes on with these.
    pub(crate) fn then(mut self, more: impl IntoIterator<Item = What>) -> Self {
        self.0.extend(more);
        self
    }
    /// An oracle that has seen it all.
    pub(crate) fn oracle(&self) -> Oracle {
        let mut oracle = Oracle::new(&setup());
        for (n, what) in self.0.iter().enumerate() {
            oracle.take(&event(n as u64 * 1000, n as u64, what.clone()));
        }
        oracle
    }
}

/// Names of the invariants broken so far.
pub(crate) fn names(oracle: &Oracle) -> BTreeSet<&'static str> {
    oracle.violations().iter().map(|v| v.invariant).collect()
}
pub(crate) fn event(at: u64, seq: u64, what: What) -> Event {
    Event { at: VirtualMs(at), node: NodeName::from("test"), seq, what }
}

const FWD: &str = "web01-fwd";
const REV: &str = "web01-rev";

/// There, over and back again without a fault: what every test spoils at one place.
pub(crate) fn cycle() -> Script {
    Script([replicated(), failover(), reprotect(), failback(), commit()].concat())
}

/// Forward replication with two points, and a write after the last.
fn replicated() -> Vec<What> {
    vec![
        wrote(OnPremises, 0, 1, 10),
        cut(OnPremises, FWD, 1, Crash),
        stored(FWD, "p1", 1, Crash),
        offered(FWD, "p1", 1, Crash),
        wrote(OnPremises, 0, 1, 11),
        wrote(OnPremises, 1, 5, 12),
        cut(OnPremises, FWD, 2, Application),
        stored(FWD, "p2", 2, Application),
        offered(FWD, "p2", 2, Application),
        wrote(OnPremises, 0, 2, 13),
    ]
}
/// Failover to Azure and its commit.
fn failover() -> Vec<What> {
    vec![
        accepted("UnplannedFailover", "web01", "j1"),
        started("j1", "web01"),
        What::TaskStarted { job: "j1".into(), task: "shut-down".into() },
        power(onprem(), false),
        stopped(OnPremises),
        What::TaskEnded { job: "j1".into(), task: "shut-down".into(), state: "Succeeded".into(), code: None },
        chosen(FWD, "p2", 2, Azure),
        What::DiskCreated { disk: managed(0), by: Product },
        What::DiskCreated { disk: managed(1), by: Product },
        What::VmCreated { vm: azure(), by: Product },
        attach(managed(0), azure()),
        attach(managed(1), azure()),
        power(azure(), true),
        booted(Azure),
        ended("j1", "Succeeded"),
        wrote(Azure, 0, 3, 20),
        accepted("Commit", "web01", "j2"),
        started("j2", "web01"),
        withdrawn("p1"),
        withdrawn("p2"),
        pruned(FWD, "p1"),
        pruned(FWD, "p2"),
        ended("j2", "Succeeded"),
    ]
}
/// Reverse replication with two points, and a write after the last.
fn reprotect() -> Vec<What> {
    vec![
        accepted("ReverseReplicate", "web01", "j3"),
        started("j3", "web01"),
        detach(vmdk(0), onprem()),
        attach(vmdk(0), target()),
        detach(vmdk(1), onprem()),
        attach(vmdk(1), target()),
        ended("j3", "Succeeded"),
        written(vmdk(0)),
        cut(Azure, REV, 1, Crash),
        stored(REV, "r1", 1, Crash),
        offered(REV, "r1", 1, Crash),
        wrote(Azure, 1, 6, 21),
        written(vmdk(1)),
        cut(Azure, REV, 2, Application),
        stored(REV, "r2", 2, Application),
        offered(REV, "r2", 2, Application),
        wrote(Azure, 0, 4, 22),
    ]
}
/// Failback to the second of them.
fn failback() -> Vec<What> {
    vec![
        accepted("PlannedFailover", "web01", "j4"),
        started("j4", "web01"),
        power(azure(), false),
        stopped(Azure),
        chosen(REV, "r2", 2, OnPremises),
        rolled(REV, "r2", 2),
        detach(vmdk(0), target()),
        detach(vmdk(1), target()),
        attach(vmdk(0), onprem()),
        attach(vmdk(1), onprem()),
        power(onprem(), true),
        booted(OnPremises),
        ended("j4", "Succeeded"),
        wrote(OnPremises, 0, 7, 30),
    ]
}
/// The commit that deletes Azure's copy.
fn commit() -> Vec<What> {
    vec![
        accepted("Commit", "web01", "j5"),
        started("j5", "web01"),
        What::VmDeleted { vm: azure(), by: Product },
        What::DiskDeleted { disk: managed(0), by: Product },
        What::DiskDeleted { disk: managed(1), by: Product },
        withdrawn("r1"),
        withdrawn("r2"),
        ended("j5", "Succeeded"),
    ]
}

/// A disk that holds these blocks.
pub(crate) fn seen_disk(disk: DiskRef, content: &[(u64, u8)]) -> DiskSeen {
    let content = content.to_vec();
    let read = move |each: &mut dyn FnMut(u64, &[u8])| {
        for (block, v) in &content {
            each(*block, &bytes(*v));
        }
    };
    DiskSeen { disk, blocks: 64, content: Arc::new(read) }
}
pub(crate) fn seen_vm(vm: VmRef, on: bool, disks: Vec<DiskRef>) -> VmSeen {
    VmSeen { vm, on, disks, snapshots: Vec::new() }
}
pub(crate) fn seen_item(state: &str, points: &[&str]) -> ItemSeen {
    ItemSeen {
        item: "web01".into(),
        state: state.into(),
        allowed: vec!["DisableProtection".into()],
        points: points.iter().map(|p| PointId::from(*p)).collect(),
    }
}

/// Content of `web01`'s disks after [`cycle`].
pub(crate) const HOME_0: &[(u64, u8)] = &[(0, 1), (1, 11), (3, 20), (7, 30)];
pub(crate) const HOME_1: &[(u64, u8)] = &[(0, 2), (5, 12), (6, 21)];

/// The world after [`cycle`].
pub(crate) fn home() -> Observation {
    let bystander = |name: &str| {
        let disks = (0..2).map(|n| DiskRef::Vmdk(VmdkUuid::from(format!("6000C29a-{name}-{n}"))));
        seen_vm(vm(OnPremises, name), true, disks.collect())
    };
    let mut seen = Observation {
        vms: vec![
            seen_vm(onprem(), true, vec![vmdk(0), vmdk(1)]),
            seen_vm(target(), true, Vec::new()),
            bystander("app01"),
            bystander("db01"),
        ],
        disks: vec![seen_disk(vmdk(0), HOME_0), seen_disk(vmdk(1), HOME_1)],
        items: vec![seen_item("FailedBackCommitted", &[])],
        open_jobs: Vec::<JobId>::new(),
        leftovers: Vec::new(),
        sessions: Vec::new(),
        asked_in_vain: Vec::new(),
    };
    for vm in seen.vms.clone().iter().skip(2) {
        for (n, disk) in vm.disks.iter().enumerate() {
            seen.disks.push(seen_disk(disk.clone(), &[(0, 1 + n as u8)]));
        }
    }
    seen
}
pub(crate) fn web01() -> MachineName {
    "web01".into()
}
