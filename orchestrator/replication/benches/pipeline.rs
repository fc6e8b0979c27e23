//! The whole pipeline in memory, on one core: agent, process server, master target with its journal; beside it a
//! raw loop that copies the same bytes and takes their crc32c. Ratios are what counts: both are timed in
//! turn in one run.

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use failback_replication::disk::{BLOCK, Disk, Page};
use failback_replication::frame;
use failback_replication::relay::Relay;
use failback_replication::source::{Action, Source};
use failback_replication::target::Target;
use failback_wire::clock::VirtualMs;
use failback_wire::event::PointKind;
use failback_wire::ids::{DiskId, MachineName, SessionId, VmdkUuid};
use failback_wire::proto::session::{Direction, SessionDisk, SessionSpec, SyncMode, TargetDisk};
use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Blocks of the disk: 128 MiB.
const BLOCKS: u64 = 32_768;
/// Points that stay in the journal.
const POINTS: usize = 3;
/// Times that each of a pair is timed.
const ROUNDS: usize = 15;

/// One kind of work: blocks written between two marks, in pieces.
#[derive(Clone, Copy)]
struct Work {
    name: &'static str,
    /// Blocks in one piece.
    extent: u64,
    pieces: u64,
    /// Blocks from one piece to the next, so that they do not touch.
    stride: u64,
}

const EXTENTS: Work = Work { name: "extents-64k", extent: 16, pieces: 1024, stride: 32 };
const WRITES: Work = Work { name: "writes-4k", extent: 1, pieces: 16_384, stride: 2 };

impl Work {
    fn blocks(&self) -> u64 {
        self.extent * self.pieces
    }
    fn bytes(&self) -> u64 {
        self.blocks() * BLOCK as u64
    }
}

/// What a guest writes: no two pages alike, none hashed yet.
struct Writes {
    raw: Bytes,
    pages: Vec<(u64, Page)>,
}

fn writes(work: Work, round: u64) -> Writes {
    let mut raw = vec![0; work.bytes() as usize];
    let mut state = round.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for word in raw.chunks_exact_mut(8) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        word.copy_from_slice(&state.to_le_bytes());
    }
    let raw = Bytes::from(raw);
    let blocks = (0..work.pieces).flat_map(|piece| (0..work.extent).map(move |b| piece * work.stride + b));
    let pages = blocks.zip(Page::all_of(&raw)).collect();
    Writes { raw, pages }
}

struct Pipeline {
    disk: Disk,
    id: DiskId,
    source: Source,
    relay: Relay,
    target: Target,
    copies: BTreeMap<DiskId, Disk>,
    clock: u64,
    round: u64,
}

fn spec(id: &DiskId) -> SessionSpec {
    let size = BLOCKS * BLOCK as u64;
    let target = TargetDisk::Vmdk(VmdkUuid::new("vmdk"));
    SessionSpec {
        session: SessionId::new("s"),
        machine: MachineName::new("web01"),
        direction: Direction::Reverse,
        epoch: 1,
        disks: vec![SessionDisk { disk: id.clone(), size, target }],
        sync: SyncMode::Full,
        relay: "ps".to_owned(),
        target: "mt".to_owned(),
        crash_interval_s: 300,
        app_interval_s: 3600,
        retention_s: 86_400,
        resync: Default::default(),
        compress: false,
        group: None,
    }
}

impl Pipeline {
    /// Synchronised, with a disk full of data, so that every write has something to keep.
    fn new(work: Work) -> Self {
        let id = DiskId::new("web01-disk0");
        let (disk, copy, spec) = (Disk::new(BLOCKS), Disk::new(BLOCKS), spec(&id));
        for (block, page) in writes(work, u64::MAX).pages {
            disk.write(block, page);
        }
        let disks = BTreeMap::from([(id.clone(), disk.clone())]);
        let source = Source::new(&spec, &disks, usize::MAX).expect("the disk fits");
        let (relay, target) = (Relay::new(spec.clone()), Target::new(spec));
        let copies = BTreeMap::from([(id.clone(), copy)]);
        let mut pipeline = Self { disk, id, source, relay, target, copies, clock: 0, round: 0 };
        pipeline.pump();
        pipeline
    }
    fn writes(&mut self, work: Work) -> Writes {
        self.round += 1;
        writes(work, self.round)
    }
    /// The guest writes, a mark is cut, everything arrives.
    fn push(&mut self, writes: &Writes) {
        for (block, page) in &writes.pages {
            self.disk.write(*block, page.clone());
            self.source.wrote(&self.id, *block);
        }
        self.cut();
        self.pump();
        let points = self.target.journal().points();
        let oldest = points.rev().nth(POINTS).map_or(0, |point| point.time.0 + 1);
        self.target.prune(VirtualMs(oldest + 86_400_000 + 1000));
    }
    fn cut(&mut self) {
        self.clock += 300_000;
        self.source.cut(PointKind::Crash, VirtualMs(self.clock), false, false).expect("there is room");
    }
    fn pump(&mut self) {
        loop {
            match self.source.select() {
                Action::Send(body) => {
                    let ack = self.relay.accept(&Bytes::from(body), u64::MAX).expect("the relay takes it");
                    self.source.on_ack(ack);
                }
                Action::FirstCut => self.cut(),
                Action::Seam => unreachable!("seams are cut on the way to Azure only"),
                Action::Hashes { .. } => unreachable!("a full synchronisation compares nothing"),
                Action::Idle => return,
            }
            while let Some(mut rest) = self.relay.next() {
                while !rest.is_empty() {
                    let (frame, len) = frame::decode(&rest).expect("intact");
                    self.target.apply(&frame, &self.copies, u64::MAX).expect("applied");
                    rest = rest.slice(len..);
                }
                self.relay.on_applied(1, self.target.intake().applied);
            }
        }
    }
}

/// The same bytes, copied and summed piece by piece.
fn raw(work: Work, writes: &Writes, out: &mut [u8]) -> u32 {
    let piece = work.extent as usize * BLOCK;
    let pieces = writes.raw.chunks_exact(piece).zip(out.chunks_exact_mut(piece));
    pieces.fold(0, |sum, (from, to)| {
        to.copy_from_slice(from);
        sum ^ failback_replication::crc::crc32c(to)
    })
}

fn timed(what: impl FnOnce()) -> Duration {
    #[expect(clippy::disallowed_methods, reason = "a benchmark measures wall time")]
    let start = Instant::now();
    what();
    start.elapsed()
}

/// The median and the best, in seconds.
fn seconds(mut times: Vec<Duration>) -> (f64, f64) {
    times.sort();
    (times[times.len() / 2].as_secs_f64(), times[0].as_secs_f64())
}

/// Both of a pair in turn, with what each is worth.
fn paired(work: Work) {
    let (mut pipeline, mut out) = (Pipeline::new(work), vec![0; work.bytes() as usize]);
    let (mut through, mut plain) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let writes = pipeline.writes(work);
        plain.push(timed(|| {
            black_box(raw(work, &writes, &mut out));
        }));
        through.push(timed(|| pipeline.push(&writes)));
    }
    assert_eq!(pipeline.copies[&pipeline.id].root_hash(), pipeline.disk.root_hash());
    let (through, plain) = (seconds(through), seconds(plain));
    let gib = work.bytes() as f64 / f64::from(1 << 30);
    for (word, through, plain) in [("median", through.0, plain.0), ("best", through.1, plain.1)] {
        println!(
            "{} {word}: pipeline {:.2} GiB/s, {:.0} writes/s; copy + crc32c {:.2} GiB/s; {:.1} x its time",
            work.name,
            gib / through,
            work.pieces as f64 / through,
            gib / plain,
            through / plain
        );
    }
}

fn pipeline(c: &mut Criterion) {
    for work in [EXTENTS, WRITES] {
        paired(work);
        let mut group = c.benchmark_group(work.name);
        group.sample_size(20);
        group.throughput(match work.extent {
            1 => Throughput::Elements(work.pieces),
            _ => Throughput::Bytes(work.bytes()),
        });
        let pipeline = std::cell::RefCell::new(Pipeline::new(work));
        let fresh = || pipeline.borrow_mut().writes(work);
        group.bench_function("pipeline", |b| {
            b.iter_batched(fresh, |writes| pipeline.borrow_mut().push(&writes), BatchSize::PerIteration);
        });
        let mut out = vec![0; work.bytes() as usize];
        group.bench_function("copy-and-crc32c", |b| {
            b.iter_batched(fresh, |writes| raw(work, &writes, &mut out), BatchSize::PerIteration);
        });
        group.finish();
    }
}

criterion_group!(benches, pipeline);
criterion_main!(benches);
