//! A target whose volume goes at a chosen moment, whoever drives it, and the model.

use bytes::Bytes;
use failback_replication::disk::{BLOCK, Disk, Page};
use failback_replication::frame::{Body, Content, Frame, Run};
use failback_replication::journal::record::{self, FIXED, Record};
use failback_replication::journal::volume::{Memory, Volume, VolumeError};
use failback_replication::target::{Attached, Target, TargetError};
use failback_wire::clock::VirtualMs;
use failback_wire::event::{Mark, PointKind};
use failback_wire::ids::{DiskId, MachineName, PointId, SessionId, VmdkUuid};
use failback_wire::proto::session::{Direction, Phase, SessionDisk, SessionSpec, SyncMode, TargetDisk};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

pub(crate) const BLOCKS: u64 = 12;
const DISKS: [&str; 2] = ["web01-disk0", "web01-disk1"];
const RETENTION_S: u64 = 86_400;

/// What the driver does to the target, each until it has succeeded.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// A frame with consecutive blocks; 0 is a block of zeros.
    Write {
        disk: usize,
        first: u64,
        fills: Vec<u8>,
    },
    /// Both disks' synchronisation is complete.
    Synced,
    Mark,
    /// The next epoch.
    Epoch,
    /// Time passes until only so many points are young enough.
    Prune {
        keep: usize,
    },
    /// Rolls to the point so many before the newest.
    Roll {
        back: usize,
    },
}

/// What both disks hold, a byte a block: the model.
type Content2 = [[u8; BLOCKS as usize]; 2];

/// A volume that remembers what the disks held when it was last written to: what was written to them since may be
/// lost with a crash, what was written before may not.
#[derive(Clone, Debug)]
struct Spy {
    inner: Memory,
    disks: Vec<Disk>,
    then: Vec<Disk>,
}

impl Spy {
    fn new(inner: Memory, disks: &Attached) -> Self {
        let disks: Vec<Disk> = disks.values().cloned().collect();
        Self { inner, then: disks.iter().map(Disk::fork).collect(), disks }
    }
}

impl Volume for Spy {
    fn append(&mut self, parts: &[Bytes]) -> Result<u64, VolumeError> {
        let at = self.inner.append(parts)?;
        self.then = self.disks.iter().map(Disk::fork).collect();
        Ok(at)
    }
    fn cut(&mut self) -> Result<(), VolumeError> {
        self.inner.cut()
    }
    fn read(&self, at: u64, len: usize) -> Result<Bytes, VolumeError> {
        self.inner.read(at, len)
    }
    fn segments(&self) -> Vec<Range<u64>> {
        self.inner.segments()
    }
    fn drop_front(&mut self, before: u64) -> Result<(), VolumeError> {
        self.inner.drop_front(before)
    }
    fn truncate(&mut self, at: u64) -> Result<(), VolumeError> {
        self.inner.truncate(at)
    }
    fn end(&self) -> u64 {
        self.inner.end()
    }
    fn used(&self) -> u64 {
        self.inner.used()
    }
}

pub(crate) struct Life {
    target: Option<Target<Spy>>,
    disks: Attached,
    epoch: u64,
    seq: u64,
    /// Index of the act at hand, and whether its first half is done.
    at: usize,
    half: bool,
    synced: bool,
    model: Content2,
    /// What the disks held at every mark that was ever sent and may have become a point.
    snapshots: BTreeMap<PointId, Content2>,
    /// Points that were acknowledged and must be there, oldest first.
    owed: Vec<PointId>,
}

fn page(fill: u8) -> Page {
    Page::new(&[fill; BLOCK])
}

fn spec(epoch: u64) -> SessionSpec {
    let disk = |id: &&str| SessionDisk {
        disk: DiskId::new(id),
        size: BLOCKS * BLOCK as u64,
        target: TargetDisk::Vmdk(VmdkUuid::new(id)),
    };
    SessionSpec {
        session: SessionId::new("s"),
        machine: MachineName::new("web01"),
        direction: Direction::Reverse,
        epoch,
        disks: DISKS.iter().map(disk).collect(),
        sync: SyncMode::Checksum,
        relay: "ps".to_owned(),
        target: "mt".to_owned(),
        crash_interval_s: 300,
        app_interval_s: 3600,
        retention_s: RETENTION_S,
        resync: Default::default(),
        compress: false,
        group: None,
    }
}

/// The records of a volume with their positions and lengths, as far as they are whole.
fn records(volume: &Memory) -> Vec<(u64, usize, Record)> {
    let mut out = Vec::new();
    for segment in volume.segments() {
        let bytes = volume.read(segment.start, (segment.end - segment.start) as usize).unwrap();
        let (mut rest, mut at) = (bytes, segment.start);
        while let Ok((_, record, len)) = record::decode(&rest) {
            out.push((at, len, record));
            rest = rest.slice(len..);
            at += len as u64;
        }
    }
    out
}

fn held(disks: &Attached) -> Content2 {
    let mut out = Content2::default();
    for (disk, held) in disks.values().zip(&mut out) {
        for (block, byte) in (0..).zip(held) {
            let page = disk.read(block);
            *byte = page.bytes()[0];
            assert_eq!(page, self::page(*byte), "a block in pieces");
        }
    }
    out
}

/// How an act ended.
enum Done {
    Yes,
    /// The volume went.
    Crashed,
}

impl Life {
    pub(crate) fn new(fuel: Option<u64>) -> Self {
        let volume = Memory::default();
        let volume = fuel.map_or(volume.clone(), |fuel| volume.with_fuel(fuel));
        let disks: Attached = DISKS.iter().map(|id| (DiskId::new(id), Disk::new(BLOCKS))).collect();
        Self {
            target: Some(Target::on(spec(1), Spy::new(volume, &disks))),
            disks,
            epoch: 1,
            seq: 1,
            at: 0,
            half: false,
            synced: false,
            model: Content2::default(),
            snapshots: BTreeMap::new(),
            owed: Vec::new(),
        }
    }

    /// Every moment worth crashing at: the beginning, the end and inside of each part of every record.
    pub(crate) fn moments(acts: &[Act]) -> Vec<u64> {
        let mut life = Self::new(None);
        let mut moments = BTreeSet::new();
        while life.at < acts.len() {
            let volume = life.target().journal().volume().inner.clone();
            let (spent, end) = (volume.spent(), volume.end());
            life.act(acts);
            let volume = &life.target().journal().volume().inner;
            moments.extend((spent..volume.spent()).take(2));
            moments.extend(volume.spent().saturating_sub(3).max(spent)..volume.spent());
            for (at, len, record) in records(volume).into_iter().filter(|(at, ..)| *at >= end) {
                let head =
                    if matches!(record, Record::Undo { .. }) && len > BLOCK { len - BLOCK } else { len };
                let inside = [0, 1, 4, 5, FIXED - 1, FIXED, head - 1, head, head + 1, head + 2048, len - 1];
                let cuts = inside.into_iter().filter(|cut| *cut < len);
                moments.extend(cuts.flat_map(|cut| {
                    let moment = spent + (at - end) + cut as u64;
                    // One more when a segment was begun first.
                    [moment, moment + 1]
                }));
            }
        }
        let all = life.target().journal().volume().inner.spent();
        moments.into_iter().filter(|moment| *moment < all).collect()
    }

    /// A life that crashed with this much fuel, and was opened again.
    pub(crate) fn crashed(acts: &[Act], fuel: u64, seed: u64) -> Self {
        let mut life = Self::new(Some(fuel));
        life.run_from(acts);
        life.crash(acts, seed);
        life
    }

    fn target(&self) -> &Target<Spy> {
        self.target.as_ref().unwrap()
    }

    /// The volume goes after so much more.
    pub(crate) fn refuel(&mut self, fuel: u64) {
        let volume = self.target.take().unwrap().into_journal().into_volume().inner;
        self.open(volume.back().with_fuel(fuel));
    }

    /// Goes on until the volume goes.
    pub(crate) fn run_from(&mut self, acts: &[Act]) {
        while self.target.is_some() && self.at < acts.len() {
            if let Done::Crashed = self.act(acts) {
                return;
            }
        }
    }

    /// Goes on to the end; all points are true there.
    pub(crate) fn goes_on(&mut self, acts: &[Act]) {
        self.run_from(acts);
        assert_eq!(self.at, acts.len());
        self.check();
    }

    /// Opens what is there. When the volume goes while it is opened, it is opened once more.
    fn open(&mut self, volume: Memory) {
        let open = |volume| Target::open(spec(self.epoch), Spy::new(volume, &self.disks));
        let (target, damaged) = open(volume.clone()).or_else(|_| open(volume.back())).unwrap();
        assert!(damaged.is_empty());
        self.target = Some(target);
    }

    /// The software is gone, its volume and disks are as it left them: blocks written since the last record may
    /// not have reached the disk.
    pub(crate) fn crash(&mut self, acts: &[Act], mut seed: u64) {
        let mut roll = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            seed >> 33
        };
        let Spy { inner, then, .. } = self.target.take().unwrap().into_journal().into_volume();
        for (disk, then) in self.disks.values().zip(&then) {
            for block in 0..BLOCKS {
                if disk.read(block) != then.read(block) && roll() % 2 == 0 {
                    disk.write(block, then.read(block));
                }
            }
        }
        self.open(inner.back());
        let target = self.target.as_mut().unwrap();
        if let Some(point) = target.recover(&self.disks).unwrap() {
            self.model = self.snapshots[&point];
        } else if let Some(point) = target.intake().rolled_to.clone() {
            self.model = self.snapshots[&point];
        }
        if matches!(acts.get(self.at), Some(Act::Roll { .. })) {
            assert_eq!(held(&self.disks), self.model, "the roll is whole or has not begun");
        }
        let reached = target.intake().applied;
        assert!((self.seq - 1..=self.seq).contains(&reached), "frame {reached}, sent {}", self.seq);
        self.check();
        // The source may have been lost as well, and come with a new epoch and all its blocks.
        if roll() % 3 == 0 {
            self.resync();
        }
    }

    fn resync(&mut self) {
        let half = self.half;
        self.next_epoch();
        for disk in 0..2 {
            let fills = self.model[disk].to_vec();
            assert!(matches!(self.write(disk, 0, &fills), Done::Yes));
        }
        assert_eq!(held(&self.disks), self.model);
        if self.synced || half {
            self.sync_both();
        }
    }

    fn next_epoch(&mut self) {
        (self.epoch, self.seq, self.half) = (self.epoch + 1, 1, false);
        let spec = spec(self.epoch);
        self.target.as_mut().unwrap().take_up(spec).unwrap();
    }

    fn sync_both(&mut self) {
        while !matches!(self.synced(), Done::Yes) {}
    }

    /// All kept points, in both orders, are what the model says; none is missing.
    fn check(&self) {
        let points: Vec<PointId> = self.target().journal().points().map(|p| p.point.clone()).collect();
        for owed in &self.owed {
            assert!(points.contains(owed), "{owed} is lost");
        }
        let mut target = self.target().clone();
        let disks: Attached = self.disks.iter().map(|(id, disk)| (id.clone(), disk.fork())).collect();
        for point in points.iter().rev().chain(&points) {
            target.roll(point, &disks).unwrap();
            assert_eq!(held(&disks), self.snapshots[point], "{point}");
        }
    }

    fn act(&mut self, acts: &[Act]) -> Done {
        let index = self.at;
        let done = match &acts[index] {
            Act::Write { disk, first, fills } => self.write(*disk, *first, fills),
            Act::Synced => self.synced(),
            Act::Mark => self.mark(index),
            Act::Epoch => {
                self.next_epoch();
                self.synced = false;
                Done::Yes
            }
            Act::Prune { keep } => self.prune(*keep),
            Act::Roll { back } => self.roll(*back),
        };
        if let Done::Yes = done {
            self.at += 1;
        }
        done
    }

    /// Sends the next frame; `false` when the session takes no more.
    fn send(&mut self, body: Body) -> Result<bool, ()> {
        let frame = Frame { session: SessionId::new("s"), epoch: self.epoch, seq: self.seq, body };
        match self.target.as_mut().unwrap().apply(&frame, &self.disks, u64::MAX) {
            Ok(_) => {
                self.seq += 1;
                Ok(true)
            }
            Err(TargetError::Stopped) => Ok(false),
            Err(TargetError::Journal(_)) => Err(()),
            Err(other) => panic!("{other}"),
        }
    }

    fn write(&mut self, disk: usize, first: u64, fills: &[u8]) -> Done {
        let runs = (first..).zip(fills).map(|(first, fill)| {
            let content = match fill {
                0 => Content::Zero(1),
                fill => Content::Pages(vec![Page::all_of(&Bytes::from(vec![*fill; BLOCK])).next().unwrap()]),
            };
            Run { first, content }
        });
        match self.send(Body::Data { disk: DiskId::new(DISKS[disk]), runs: runs.collect() }) {
            Ok(true) => {
                self.model[disk][first as usize..][..fills.len()].copy_from_slice(fills);
                assert_eq!(held(&self.disks)[disk], self.model[disk]);
                Done::Yes
            }
            Ok(false) => Done::Yes,
            Err(()) => Done::Crashed,
        }
    }

    fn synced(&mut self) -> Done {
        for id in DISKS.iter().skip(usize::from(self.half)) {
            match self.send(Body::SyncDone { disk: DiskId::new(id) }) {
                Ok(true) => self.half = !self.half,
                Ok(false) => return Done::Yes,
                Err(()) => return Done::Crashed,
            }
        }
        self.synced = true;
        Done::Yes
    }

    fn mark(&mut self, index: usize) -> Done {
        let number = self.epoch * 1000 + index as u64;
        let point = PointId::new(format!("s-{number}"));
        let synced = self.target().intake().all_synced();
        if synced {
            self.snapshots.insert(point.clone(), self.model);
        }
        let time = VirtualMs(number * 1_000_000);
        let kind = PointKind::Crash;
        match self.send(Body::Mark { mark: Mark(number), kind, time, group: false, roots: Vec::new() }) {
            Ok(true) if synced => self.owed.push(point),
            Ok(_) => {}
            Err(()) => return Done::Crashed,
        }
        Done::Yes
    }

    fn prune(&mut self, keep: usize) -> Done {
        let points: Vec<_> = self.target().journal().points().cloned().collect();
        let Some(oldest) = points.len().checked_sub(keep).map(|at| &points[at]) else { return Done::Yes };
        let now = VirtualMs(oldest.time.0 + RETENTION_S * 1000);
        // Somebody is choosing one of them, or has chosen.
        if matches!(self.target().intake().phase, Phase::Stopped | Phase::Rolled) {
            assert_eq!(self.target.as_mut().unwrap().prune(now), []);
            return Done::Yes;
        }
        self.owed.retain(|owed| points.iter().rev().take(keep).any(|kept| kept.point == *owed));
        let target = self.target.as_mut().unwrap();
        let gone = target.prune(now);
        if target.journal().sound().is_err() {
            return Done::Crashed;
        }
        assert_eq!(gone.len(), points.len() - keep);
        Done::Yes
    }

    fn roll(&mut self, back: usize) -> Done {
        let points: Vec<_> = self.target().journal().points().map(|p| p.point.clone()).collect();
        let Some(point) = points.len().checked_sub(back + 1).map(|at| points[at].clone()) else {
            return Done::Yes;
        };
        match self.target.as_mut().unwrap().roll(&point, &self.disks) {
            Ok(_) => {
                self.model = self.snapshots[&point];
                assert_eq!(held(&self.disks), self.model);
                assert_eq!(self.target().intake().phase, Phase::Rolled);
                Done::Yes
            }
            Err(TargetError::Journal(_)) => Done::Crashed,
            Err(other) => panic!("{other}"),
        }
    }
}
