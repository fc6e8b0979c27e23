//! The source's half, as the mobility agent runs it: what changed, what is cut, what must still be sent.
//!
//! A session begins with a synchronisation, block range by block range. What is written meanwhile behind the
//! cursor is logged, in order and with its content; what lies ahead is read when the cursor comes there. The log
//! is sent on as it grows. Once every disk is through, marks are cut: what the log still holds, of all disks, is
//! queued before the mark's own frame, so that whoever holds everything up to a mark holds the source at that
//! instant (E1, E2).
//!
//! When log and queue outgrow their bound, order is given up: what never left and what is written from then on
//! is only marked in a bitmap ([`Mode::Marking`]). Once there is room again the marked blocks are read and sent
//! while new writes are logged ([`Mode::CatchingUp`]); no mark is cut before that is through (E5, E10, E14).
//!
//! Frames stay queued under their numbers until the relay has them (E6, E9). The source is asked with
//! [`Source::select`] what to do and told what came of it; it does no IO and has no time of its own.

use crate::bitmap::Bitmap;
use crate::changes::{Change, ChangeLog};
use crate::disk::{BLOCK, Disk, Page};
use crate::frame::{self, Body, Content, Frame};
use crate::target::zero_hash;
use failback_wire::canary::{Canary, Planted};
use failback_wire::clock::VirtualMs;
use failback_wire::event::{Mark, PointKind};
use failback_wire::ids::{DiskId, SessionId};
use failback_wire::proto::session::{Ack, Direction, DiskProgress, Hashes, SessionSpec, SyncMode};
use std::collections::{BTreeMap, VecDeque};

/// Blocks that one step of the synchronisation covers.
pub const SYNC_STEP: u64 = 1024;
/// Bytes of frames that one call carries, at most (unless one frame alone is longer): few enough to stay in a
/// core's cache, for every machine on the way reads them once more.
const BATCH: usize = 320 << 10;
/// Bytes of logged writes that are sent on without waiting for a mark.
const STREAM: usize = 1 << 20;
/// Marked blocks that are read and queued together.
const CATCH_UP: usize = 256;
/// Marks of a later epoch begin here times (epoch - 1), so that no number is used twice in a session even
/// when the agent has forgotten everything.
const MARKS_PER_EPOCH: u64 = 1_000_000;

/// Why a source cannot begin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// The machine has no such disk.
    #[error("the machine has no disk {0}")]
    NoSuchDisk(DiskId),
    /// The disk's size is not the session's (E21).
    #[error("disk {disk} has {actual} bytes, the session says {stated}")]
    Resized {
        /// The disk.
        disk: DiskId,
        /// Its size now.
        actual: u64,
        /// What the session says.
        stated: u64,
    },
}

/// What the source wants done next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Ask the target for the hashes of these blocks; answer with [`Source::on_hashes`].
    Hashes {
        /// The disk.
        disk: DiskId,
        /// First block.
        first: u64,
        /// How many.
        count: u64,
    },
    /// Send these frames, encoded back to back; answer with [`Source::on_ack`] or [`Source::on_failure`].
    Send(Vec<u8>),
    /// The synchronisation is complete: cut the first mark now.
    FirstCut,
    /// The log is worth a call before the next mark: cut a seam now, with [`Source::seam`].
    Seam,
    /// Nothing, until a mark is cut.
    Idle,
}

/// What an acknowledgement means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acked {
    /// All is well.
    Progress,
    /// The other side misses frames that are no longer kept here: a new epoch must begin.
    Lost,
}

/// How writes are tracked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// In order, with their content.
    Logging,
    /// Their places only: there was no room.
    Marking,
    /// In order again, while the marked blocks are being read and sent.
    CatchingUp,
}

/// How many disks a mark, and the point made of it, must cover (R2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Marks {
    /// All of them.
    #[default]
    AllDisks,
    /// Any: for a world without the rule, to see what it is good for.
    AnyDisk,
}

impl Marks {
    /// True when disks that are through with their synchronisation, or not, are enough of them.
    pub fn cover(self, mut through: impl Iterator<Item = bool>) -> bool {
        match self {
            Self::AllDisks => through.all(|done| done),
            Self::AnyDisk => through.any(|done| done),
        }
    }
}

#[derive(Debug)]
struct Track {
    disk: Disk,
    blocks: u64,
    /// Written behind the cursor, and not in the log: to be read and sent.
    marked: Bitmap,
    /// Blocks the synchronisation has passed.
    cursor: u64,
    moved: u64,
    /// Blocks in the queue.
    queued: u64,
    done: bool,
}

#[derive(Debug)]
struct Queued {
    frame: Frame,
    blocks: u64,
    bytes: usize,
}

/// The source half of one session, in one epoch.
#[derive(Debug)]
pub struct Source {
    session: SessionId,
    epoch: u64,
    sync: SyncMode,
    /// Compress what is sent, where that pays.
    pack: bool,
    disks: BTreeMap<DiskId, Track>,
    covered: Marks,
    mode: Mode,
    log: ChangeLog,
    queue: VecDeque<Queued>,
    queued_bytes: usize,
    /// Bytes of log and queue beyond which order is given up.
    cap: usize,
    next_seq: u64,
    acked: u64,
    /// Highest number that may have left.
    attempted: u64,
    in_flight: bool,
    marks: u64,
    /// Number of the first mark's frame, and the highest number that the target holds, as far as the relay told.
    first_mark: Option<u64>,
    applied: u64,
    /// The next mark carries root hashes to compare.
    compare: bool,
    /// A disk is not the size that was agreed on any more: no mark can be true (E21).
    resized: bool,
    /// What leaves between two marks ends with a seam: the target may make a point of it (R5).
    seams: bool,
    planted: Planted,
}

impl Source {
    /// The source of `spec`, over these disks. Keeps at most about `cap` bytes of writes that the relay does not
    /// have; beyond, it only marks what changes.
    ///
    /// # Errors
    /// When a disk is missing or has another size.
    pub fn new(spec: &SessionSpec, disks: &BTreeMap<DiskId, Disk>, cap: usize) -> Result<Self, SourceError> {
        let mut tracks = BTreeMap::new();
        for stated in &spec.disks {
            let id = stated.disk.clone();
            let disk = disks.get(&id).ok_or_else(|| SourceError::NoSuchDisk(id.clone()))?.clone();
            if disk.bytes() != stated.size {
                let actual = disk.bytes();
                return Err(SourceError::Resized { disk: id, actual, stated: stated.size });
            }
            let blocks = disk.blocks();
            let marked = Bitmap::new(blocks);
            tracks.insert(id, Track { disk, blocks, marked, cursor: 0, moved: 0, queued: 0, done: false });
        }
        Ok(Self {
            session: spec.session.clone(),
            epoch: spec.epoch,
            sync: spec.sync,
            pack: spec.compress,
            disks: tracks,
            covered: Marks::AllDisks,
            mode: Mode::Logging,
            log: ChangeLog::default(),
            queue: VecDeque::new(),
            queued_bytes: 0,
            cap,
            next_seq: 1,
            acked: 0,
            attempted: 0,
            in_flight: false,
            marks: 0,
            first_mark: None,
            applied: 0,
            compare: true,
            resized: false,
            seams: spec.direction == Direction::Forward,
            planted: Planted::default(),
        })
    }

    /// The same, with marks that cover so many disks.
    #[must_use]
    pub fn covering(self, covered: Marks) -> Self {
        Self { covered, ..self }
    }

    /// The same with this bug planted in it.
    #[must_use]
    pub fn with_planted(self, planted: Planted) -> Self {
        Self { planted, ..self }
    }

    /// The session.
    pub fn session(&self) -> &SessionId {
        &self.session
    }
    /// The epoch.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }
    /// True once every disk's synchronisation is through here.
    pub fn synced(&self) -> bool {
        self.disks.values().all(|t| t.done)
    }
    /// True once enough disks are through for a mark (R2).
    fn markable(&self) -> bool {
        self.covered.cover(self.disks.values().map(|t| t.done))
    }
    /// True when nothing waits to be acknowledged.
    pub fn drained(&self) -> bool {
        self.queue.is_empty()
    }
    /// Highest number the relay holds.
    pub fn acked(&self) -> u64 {
        self.acked
    }
    /// True while no frame has left.
    pub fn untouched(&self) -> bool {
        self.attempted == 0
    }
    /// True once a mark was cut in this epoch.
    pub fn marked(&self) -> bool {
        self.marks > 0
    }

    /// True once the target holds a mark of this epoch: the synchronisation has come to its end, as far as the relay
    /// told.
    pub fn arrived(&self) -> bool {
        self.first_mark.is_some_and(|seq| seq <= self.applied)
    }

    /// True once a disk is not the size that was agreed on: nothing is marked any more, what was marked stays good.
    pub fn resized(&self) -> bool {
        self.resized
    }

    /// How writes are tracked now.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The guest has just written this block. Called before the write is acknowledged to anyone (E5). True when
    /// there is something to send before a mark is cut.
    pub fn wrote(&mut self, disk: &DiskId, block: u64) -> bool {
        self.track(disk, block);
        self.synced() && self.queue.is_empty() && (self.worth_a_call() || self.mode == Mode::Marking)
    }

    fn track(&mut self, disk: &DiskId, block: u64) {
        let Some(track) = self.disks.get_mut(disk).filter(|t| t.done || block < t.cursor) else { return };
        if block >= track.blocks {
            self.resized = true;
            return;
        }
        match self.mode {
            Mode::Marking => {
                track.marked.set(block);
            }
            // It is read when its turn comes.
            Mode::CatchingUp if track.marked.contains(block) => {}
            Mode::CatchingUp | Mode::Logging => {
                self.log.push(Change { disk: disk.clone(), block, page: track.disk.read(block) });
                if self.log.bytes() + self.queued_bytes > self.cap {
                    self.give_up_order();
                }
            }
        }
    }

    /// There is no room: from now on places are marked only.
    fn give_up_order(&mut self) {
        self.mode = Mode::Marking;
        let unmarked = self.planted.is(Canary::BitmapClearedEarly);
        for (disk, block) in self.log.give_up() {
            if let Some(track) = self.disks.get_mut(&disk).filter(|_| !unmarked) {
                track.marked.set(block);
            }
        }
        self.take_back();
    }

    /// What to do next.
    pub fn select(&mut self) -> Action {
        loop {
            if self.in_flight {
                return Action::Idle;
            }
            if !self.queue.is_empty() {
                return Action::Send(self.batch());
            }
            if self.marks == 0 && !self.synced() && self.markable() {
                return Action::FirstCut;
            }
            let Some((disk, track)) = self.disks.iter().find(|(_, t)| !t.done) else {
                if self.catch_up() {
                    continue;
                }
                if self.worth_a_call() {
                    if self.seams && self.marks > 0 && !self.resized {
                        return Action::Seam;
                    }
                    self.queue_log();
                    continue;
                }
                return if self.marks == 0 { Action::FirstCut } else { Action::Idle };
            };
            let (disk, first) = (disk.clone(), track.cursor);
            let count = SYNC_STEP.min(track.blocks - first);
            if self.sync == SyncMode::Checksum && count > 0 {
                return Action::Hashes { disk, first, count };
            }
            self.step(&disk, count, u64::MAX, |_, page| page.is_some());
        }
    }

    /// Queues the next of the marked blocks as they are now; false when there are none.
    fn catch_up(&mut self) -> bool {
        if self.mode == Mode::Logging {
            return false;
        }
        self.mode = Mode::CatchingUp;
        let marked = self.disks.iter_mut().find(|(_, track)| !track.marked.is_empty());
        let Some((disk, track)) = marked else {
            self.mode = Mode::Logging;
            return false;
        };
        let blocks: Vec<u64> = track.marked.iter().take(CATCH_UP).collect();
        let read = |block| {
            track.marked.clear(block);
            (block, track.disk.read(block))
        };
        let (disk, pages) = (disk.clone(), blocks.into_iter().map(read).collect::<Vec<_>>());
        self.enqueue_blocks(&disk, pages);
        true
    }

    fn worth_a_call(&self) -> bool {
        self.log.bytes() >= STREAM.min(self.cap / 4).max(1)
    }

    fn queue_log(&mut self) {
        for (disk, blocks) in self.log.drain() {
            self.enqueue_blocks(&disk, blocks);
        }
    }

    /// The target's hashes of a range asked for; out of turn they are ignored.
    pub fn on_hashes(&mut self, disk: &DiskId, Hashes { first, next, hashes }: &Hashes) {
        let due = self.disks.get(disk).filter(|t| !t.done && t.cursor == *first);
        let Some(count) = due.map(|t| SYNC_STEP.min(t.blocks - first)) else { return };
        if hashes.len() as u64 == count {
            let (zero, equal) = (zero_hash(), self.planted.is(Canary::ComparesNothing));
            self.step(disk, count, *next, |block, page| {
                !equal && page.map_or(zero, Page::hash) != hashes[(block - first) as usize]
            });
        }
    }

    /// Queues what differs in the next `count` blocks of the disk, and moves the cursor past them, and past the steps
    /// behind them in which neither this disk holds anything nor the target, which does not before its block `next`.
    fn step(&mut self, disk: &DiskId, count: u64, next: u64, differs: impl Fn(u64, Option<&Page>) -> bool) {
        let Some(track) = self.disks.get_mut(disk) else { return };
        let range = track.cursor..track.cursor + count;
        let pages = range.clone().zip(track.disk.pages(range));
        let differing = pages.filter(|(block, page)| differs(*block, page.as_ref()));
        let blocks: Vec<_> =
            differing.map(|(block, page)| (block, page.unwrap_or_else(Page::zero))).collect();
        let end = track.cursor + count;
        let next = track.disk.next_held(end).unwrap_or(u64::MAX).min(next);
        track.cursor = if next < track.blocks { end.max(next - next % SYNC_STEP) } else { track.blocks };
        track.moved += blocks.len() as u64;
        track.done = track.cursor >= track.blocks;
        let done = track.done;
        self.enqueue_blocks(disk, blocks);
        if done {
            self.enqueue(Body::SyncDone { disk: disk.clone() });
        }
    }

    fn enqueue_blocks(&mut self, disk: &DiskId, blocks: impl IntoIterator<Item = (u64, Page)>) {
        for body in frame::pack(disk, blocks) {
            self.enqueue(body);
        }
    }

    fn enqueue(&mut self, body: Body) {
        let (mut blocks, mut bytes) = (0, 128);
        if let Body::Data { disk, runs } = &body {
            for run in runs {
                blocks += run.count();
                bytes += match &run.content {
                    Content::Zero(_) => 16,
                    Content::Pages(pages) => pages.len() * BLOCK + 24,
                };
            }
            if let Some(track) = self.disks.get_mut(disk) {
                track.queued += blocks;
            }
        }
        let frame = Frame { session: self.session.clone(), epoch: self.epoch, seq: self.next_seq, body };
        self.next_seq += 1;
        self.queued_bytes += bytes;
        self.queue.push_back(Queued { frame, blocks, bytes });
    }

    /// Takes what an element of the queue stood for out of the accounts.
    fn unaccount(&mut self, gone: &Queued) {
        self.queued_bytes -= gone.bytes;
        if let Body::Data { disk, .. } = &gone.frame.body
            && let Some(track) = self.disks.get_mut(disk)
        {
            track.queued -= gone.blocks;
        }
    }

    fn batch(&mut self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.queued_bytes.min(BATCH));
        for queued in &self.queue {
            if !out.is_empty() && out.len() + queued.bytes > BATCH {
                break;
            }
            frame::encode_as(&queued.frame, self.pack, &mut out);
            self.attempted = self.attempted.max(queued.frame.seq);
        }
        self.in_flight = true;
        out
    }

    /// The relay holds everything up to `ack.received`.
    pub fn on_ack(&mut self, ack: Ack) -> Acked {
        self.in_flight = false;
        if ack.received < self.acked || ack.received >= self.next_seq {
            return Acked::Lost;
        }
        self.acked = ack.received;
        self.applied = self.applied.max(ack.applied);
        while self.queue.front().is_some_and(|q| q.frame.seq <= ack.received) {
            if let Some(gone) = self.queue.pop_front() {
                self.unaccount(&gone);
            }
        }
        Acked::Progress
    }

    /// The frames sent last may or may not have arrived: the same ones are sent again.
    pub fn on_failure(&mut self) {
        self.in_flight = false;
    }

    /// Cuts all disks at this instant: what was written before it is queued before the mark. `None` before the
    /// synchronisation is through; and, unless `last`, while blocks are only marked, for what the target would
    /// hold was never on the source. `last` is for a source that writes no more: what is marked is read at once,
    /// and the target is asked to compare root hashes.
    pub fn cut(&mut self, kind: PointKind, now: VirtualMs, group: bool, last: bool) -> Option<Mark> {
        self.resized |= self.disks.values().any(|track| track.disk.blocks() != track.blocks);
        if !self.markable() || self.resized {
            return None;
        }
        if last {
            while self.catch_up() {}
        }
        if self.mode != Mode::Logging {
            return None;
        }
        self.queue_log();
        let compare = std::mem::take(&mut self.compare) || last;
        let roots = match compare {
            true => self.disks.iter().map(|(id, t)| (id.clone(), t.disk.root_hash())).collect(),
            false => Vec::new(),
        };
        let mark = self.next_mark();
        self.first_mark.get_or_insert(self.next_seq);
        self.enqueue(Body::Mark { mark, kind, time: now, group, roots });
        Some(mark)
    }

    /// Queues what is logged, which is the source at this instant, and says so in a frame behind it. `None` when the log
    /// is not in order.
    pub fn seam(&mut self, now: VirtualMs) -> Option<Mark> {
        if self.mode != Mode::Logging {
            return None;
        }
        self.queue_log();
        let mark = self.next_mark();
        self.enqueue(Body::Seam { mark, time: now });
        Some(mark)
    }

    fn next_mark(&mut self) -> Mark {
        self.marks += 1;
        Mark((self.epoch.max(1) - 1) * MARKS_PER_EPOCH + self.marks)
    }

    /// Takes frames back that never left: their blocks are marked, their numbers are free (E6).
    fn take_back(&mut self) {
        while self.queue.back().is_some_and(|q| q.frame.seq > self.attempted) {
            if self.queue.back().is_some_and(|q| matches!(q.frame.body, Body::SyncDone { .. })) {
                break;
            }
            let Some(gone) = self.queue.pop_back() else { break };
            self.unaccount(&gone);
            self.next_seq = gone.frame.seq;
            match &gone.frame.body {
                Body::Data { disk, runs } => {
                    let cleared = self.planted.is(Canary::ClearedBeforeApplied);
                    if let Some(track) = self.disks.get_mut(disk).filter(|_| !cleared) {
                        for block in runs.iter().flat_map(|r| r.first..r.first + r.count()) {
                            track.marked.set(block);
                        }
                    }
                }
                Body::Mark { roots, .. } => {
                    self.compare |= !roots.is_empty();
                    self.first_mark = self.first_mark.filter(|first| *first < gone.frame.seq);
                }
                Body::SyncDone { .. } | Body::Seam { .. } => {}
            }
        }
    }

    /// Per disk, as seen from here (E19).
    pub fn progress(&self) -> Vec<DiskProgress> {
        let bytes = |blocks: u64| blocks * BLOCK as u64;
        let logged = self.log.counts();
        let logged = |id: &DiskId| logged.get(id).copied().unwrap_or(0);
        let progress = |(id, t): (&DiskId, &Track)| DiskProgress {
            disk: Some(id.clone()),
            sync_processed: bytes(t.cursor),
            sync_transferred: bytes(t.moved),
            synced: t.done,
            at_source: bytes(t.marked.count() + logged(id) + t.queued),
            resized: t.disk.blocks() != t.blocks,
            ..DiskProgress::default()
        };
        self.disks.iter().map(progress).collect()
    }
}

#[cfg(test)]
mod tests;
