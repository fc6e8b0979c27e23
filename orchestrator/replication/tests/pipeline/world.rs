//! Source, relay and target with a network between them, and the write log.

use bytes::Bytes;
use failback_replication::disk::{BLOCK, Disk, Page};
use failback_replication::frame;
use failback_replication::relay::{Relay, RelayError};
use failback_replication::source::{Acked, Action, Source};
use failback_replication::target::{Due, Target, TargetError};
use failback_wire::clock::VirtualMs;
use failback_wire::event::{Mark, PointKind};
use failback_wire::ids::{DiskId, MachineName, SessionId, VmdkUuid};
use failback_wire::proto::session::{Ack, Direction, SessionDisk, SessionSpec, SyncMode, TargetDisk};
use proptest::prelude::prop;
use std::collections::BTreeMap;

/// Blocks per disk: more than one step of the synchronisation.
pub(crate) const BLOCKS: u64 = 1070;

/// What becomes of a call.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fate {
    Arrives,
    Lost,
    ReplyLost,
    /// Only so much arrives.
    Truncated(u16),
    /// A byte arrives wrong.
    Garbled(u16),
    /// The first frames are missing.
    Beheaded(u16),
}

#[derive(Clone, Debug)]
pub(crate) enum Op {
    Write {
        disk: usize,
        block: u64,
        zero: bool,
    },
    Cut {
        app: bool,
    },
    /// Marks that nobody comes to send, with many writes before each.
    Backlog {
        first: u64,
    },
    SourceStep(Fate),
    RelayStep(Fate),
    RepeatToRelay(prop::sample::Index),
    RepeatToTarget(prop::sample::Index),
    SenderCrash,
    CacheLost,
    TargetCrash,
    /// A block of the target rots.
    Rot {
        disk: usize,
        block: u64,
    },
    /// The target verifies this many blocks.
    Verify(u16),
    /// From now on the journal may use room for this many blocks beside what it cannot do without.
    Room(u64),
}

pub(crate) struct World {
    pub(crate) source_disks: BTreeMap<DiskId, Disk>,
    pub(crate) target_disks: BTreeMap<DiskId, Disk>,
    pub(crate) source: Source,
    pub(crate) target: Target,
    relay: Relay,
    spec: SessionSpec,
    to_relay: Vec<Bytes>,
    to_target: Vec<Bytes>,
    log: Vec<(DiskId, u64, Page)>,
    marks: BTreeMap<Mark, usize>,
    clock: u64,
    /// What the journal may use.
    budget: u64,
    /// The target was damaged, or left without room, on purpose.
    pub(crate) troubled: bool,
}

fn page(version: u64) -> Page {
    let mut bytes = [0; BLOCK];
    bytes[..8].copy_from_slice(&version.to_le_bytes());
    bytes[BLOCK - 1] = 0xa5;
    Page::new(&bytes)
}

fn damaged(bytes: &Bytes, fate: Fate) -> Bytes {
    match fate {
        Fate::Truncated(at) => bytes.slice(..usize::from(at) % bytes.len()),
        Fate::Garbled(at) => {
            let mut copy = bytes.to_vec();
            let at = usize::from(at) % copy.len();
            copy[at] ^= 0x10;
            copy.into()
        }
        Fate::Beheaded(count) => {
            let mut rest = bytes.clone();
            for _ in 0..count % 4 {
                let len = frame::inspect(&rest).map_or(rest.len(), |head| head.len);
                rest = rest.slice(len.min(rest.len())..);
            }
            rest
        }
        Fate::Arrives | Fate::Lost | Fate::ReplyLost => bytes.clone(),
    }
}

impl World {
    pub(crate) fn new(sync: SyncMode) -> Self {
        let ids = ["web01-disk0", "web01-disk1"].map(DiskId::new);
        let new = || ids.iter().map(|id| (id.clone(), Disk::new(BLOCKS))).collect::<BTreeMap<_, _>>();
        let (source_disks, target_disks) = (new(), new());
        let disk = |id: &DiskId| SessionDisk {
            disk: id.clone(),
            size: BLOCKS * BLOCK as u64,
            target: TargetDisk::Vmdk(VmdkUuid::new(id.as_str())),
        };
        let spec = SessionSpec {
            session: SessionId::new("s1"),
            machine: MachineName::new("web01"),
            direction: Direction::Reverse,
            epoch: 1,
            disks: ids.iter().map(disk).collect(),
            sync,
            relay: "ps".to_owned(),
            target: "mt".to_owned(),
            crash_interval_s: 300,
            app_interval_s: 3600,
            retention_s: 86_400,
            resync: Default::default(),
            compress: sync == SyncMode::Full,
            group: None,
        };
        let mut world = Self {
            source: Source::new(&spec, &source_disks, 12 * BLOCK).unwrap(),
            relay: Relay::new(spec.clone()),
            target: Target::new(spec.clone()),
            source_disks,
            target_disks,
            spec,
            to_relay: Vec::new(),
            to_target: Vec::new(),
            log: Vec::new(),
            marks: BTreeMap::new(),
            clock: 0,
            budget: u64::MAX,
            troubled: false,
        };
        for block in (0..40).step_by(3) {
            world.write(0, block, false);
            world.write(1, BLOCKS - 1 - block / 2, false);
        }
        if sync == SyncMode::Checksum {
            // An older, different copy.
            for disk in world.target_disks.values() {
                (0..60).step_by(2).for_each(|block| disk.write(block, page(1_000_000 + block)));
            }
        }
        world
    }

    fn write(&mut self, disk: usize, block: u64, zero: bool) {
        let id = self.source_disks.keys().nth(disk).unwrap().clone();
        let page = if zero { Page::zero() } else { page(self.log.len() as u64 + 1) };
        self.source_disks[&id].write(block, page.clone());
        self.source.wrote(&id, block);
        self.log.push((id, block, page));
    }

    fn cut(&mut self, kind: PointKind, last: bool) {
        self.clock += 300_000;
        if let Some(mark) = self.source.cut(kind, VirtualMs(self.clock), false, last) {
            assert!(self.marks.insert(mark, self.log.len()).is_none(), "a mark's number is used once");
        }
    }

    pub(crate) fn last_cut(&mut self) {
        self.cut(PointKind::Crash, true);
    }

    pub(crate) fn run(&mut self, op: Op) {
        match op {
            Op::Write { disk, block, zero } => self.write(disk, block, zero),
            Op::Cut { app } => self.cut(if app { PointKind::Application } else { PointKind::Crash }, false),
            Op::Backlog { first } => {
                for round in 0..3 {
                    (0..7).for_each(|at| self.write(0, (first + 5 * round + at) % BLOCKS, false));
                    self.cut(PointKind::Crash, false);
                }
            }
            Op::SourceStep(fate) => self.source_step(fate),
            Op::RelayStep(fate) => self.relay_step(fate),
            Op::RepeatToRelay(which) if !self.to_relay.is_empty() => {
                let body = which.get(&self.to_relay).clone();
                // A late copy: whatever the relay says, nobody hears it.
                self.relay.accept(&body, u64::MAX).ok();
            }
            Op::RepeatToTarget(which) if !self.to_target.is_empty() => {
                let body = which.get(&self.to_target).clone();
                self.receive(&body).ok();
            }
            Op::RepeatToRelay(_) | Op::RepeatToTarget(_) => {}
            Op::SenderCrash => self.new_epoch(),
            Op::CacheLost => self.relay.require_resync("the cache was lost"),
            Op::TargetCrash => self.reopen(),
            Op::Rot { disk, block } => self.rot(disk, block),
            Op::Verify(limit) => drop(self.target.verify(&self.target_disks, limit.into()).unwrap()),
            Op::Room(blocks) => {
                self.troubled = true;
                self.budget = self.target.journal().least() + blocks * BLOCK as u64;
            }
        }
    }

    fn rot(&mut self, disk: usize, block: u64) {
        self.troubled = true;
        let disk = self.target_disks.values().nth(disk).unwrap();
        let mut bytes = *disk.read(block).bytes();
        bytes[9] ^= 1;
        disk.write(block, Page::new(&bytes));
    }

    /// The target's software starts again and knows what its journal says.
    fn reopen(&mut self) {
        let (target, mut seen) = (self.target.clone(), self.target.view());
        let spec = target.intake().spec.clone();
        let (target, damaged) = Target::open(spec, target.into_journal().into_volume()).unwrap();
        assert!(damaged.is_empty());
        let mut view = target.view();
        if self.troubled {
            // What is wrong with the disks, or that there is no room, is found out again.
            for view in [&mut seen, &mut view] {
                view.resync_required = None;
                view.disks.iter_mut().for_each(|disk| disk.at_target = 0);
            }
        }
        assert_eq!(view, seen);
        self.target = target;
    }

    fn new_epoch(&mut self) {
        self.spec.epoch += 1;
        self.spec.sync = SyncMode::Checksum;
        self.source = Source::new(&self.spec, &self.source_disks, 12 * BLOCK).unwrap();
        self.relay.take_up(self.spec.clone()).unwrap();
    }

    fn source_step(&mut self, fate: Fate) {
        match self.source.select() {
            Action::Idle => {}
            Action::FirstCut => self.cut(PointKind::Crash, false),
            Action::Seam => unreachable!("seams are cut on the way to Azure only"),
            Action::Hashes { disk, first, count } => {
                self.target.take_up(self.spec.clone()).unwrap();
                let epoch = self.spec.epoch;
                let hashes = self.target.hashes(epoch, &disk, first, count, &self.target_disks).unwrap();
                if matches!(fate, Fate::Arrives) {
                    self.source.on_hashes(&disk, &hashes);
                }
            }
            Action::Send(body) => {
                let body = Bytes::from(body);
                self.to_relay.push(body.clone());
                let lost = matches!(fate, Fate::Lost);
                let reply = (!lost).then(|| self.relay.accept(&damaged(&body, fate), 70 * BLOCK as u64));
                let heard = matches!(fate, Fate::Arrives);
                match reply {
                    Some(Ok(ack)) if heard => {
                        if self.source.on_ack(ack) == Acked::Lost {
                            self.new_epoch();
                        }
                    }
                    Some(Err(RelayError::ResyncRequired(_))) => self.new_epoch(),
                    Some(_) | None => self.source.on_failure(),
                }
            }
        }
    }

    fn relay_step(&mut self, fate: Fate) {
        let Some(body) = self.relay.next() else { return };
        self.to_target.push(body.clone());
        if matches!(fate, Fate::Lost) {
            return;
        }
        let heard = matches!(fate, Fate::Arrives);
        match self.receive(&damaged(&body, fate)) {
            Err(Some(TargetError::EpochAhead(_))) => {
                self.target.take_up(self.spec.clone()).unwrap();
            }
            Err(Some(TargetError::ResyncRequired(why))) => self.relay.require_resync(&why),
            Ok(ack) if heard => {
                self.relay.on_applied(self.spec.epoch, ack.applied);
            }
            Ok(_) | Err(_) => {}
        }
    }

    fn receive(&mut self, body: &Bytes) -> Result<Ack, Option<TargetError>> {
        let mut rest = body.clone();
        while !rest.is_empty() {
            let (frame, len) = frame::decode(&rest).map_err(|_| None)?;
            let applied = self.target.apply(&frame, &self.target_disks, self.budget).map_err(Some);
            if let Err(Some(TargetError::ResyncRequired(why))) = &applied {
                assert!(self.troubled, "healing would hide a defect: {why}");
            }
            let applied = applied?;
            // What rots is found when it is verified, at the latest when it is rolled.
            if let Some(point) = applied.stored.filter(|_| !self.troubled) {
                let model = self.replayed(point.mark);
                for (id, disk) in &self.target_disks {
                    assert_eq!(disk.root_hash(), model[id].root_hash(), "{id} at {point:?}");
                }
            }
            rest = rest.slice(len..);
        }
        Ok(self.target.intake().ack())
    }

    /// What the write log says the disks held at this mark.
    pub(crate) fn replayed(&self, mark: Mark) -> BTreeMap<DiskId, Disk> {
        let disks: BTreeMap<_, _> =
            self.source_disks.keys().map(|id| (id.clone(), Disk::new(BLOCKS))).collect();
        for (id, block, page) in &self.log[..self.marks[&mark]] {
            disks[id].write(*block, page.clone());
        }
        disks
    }

    fn quiet(&self) -> bool {
        self.source.marked() && self.source.drained() && self.relay.drained()
    }

    /// The network heals; a last mark goes through.
    pub(crate) fn settle(&mut self) {
        self.budget = u64::MAX;
        for round in 0..2 {
            for _ in 0..2000 {
                self.source_step(Fate::Arrives);
                self.relay_step(Fate::Arrives);
                if self.quiet() && self.target.intake().resync_required.is_none() {
                    break;
                }
                // Nothing to say and something to hear: a mark makes the source speak up.
                if self.quiet() || self.source.synced() && self.source.drained() {
                    self.cut(PointKind::Crash, false);
                }
            }
            assert!(self.quiet(), "the pipeline does not come to rest");
            if round == 0 {
                self.last_cut();
            }
        }
        let next = self.target.intake().applied + 1;
        assert_eq!(self.target.intake().due(&self.spec.session, self.spec.epoch, next), Ok(Due::Now));
    }
}
