//! What a guest keeps doing until its power goes: it writes.

use super::content::written_page;
use failback_replication::disk::{Disk, Page};
use failback_wire::env::Env;
use failback_wire::ids::{DiskId, MachineCopy};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use std::ops::Range;
use tokio::time::Duration;

/// How much a guest writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Workload {
    /// Writes of 4 KiB a minute on each disk; 0 for a guest that writes only when told to.
    pub writes_per_minute: u32,
    /// How many blocks of each disk it writes to, spread evenly over the disk; 0 means all.
    pub spread: u64,
}

impl Default for Workload {
    /// One write a minute on each disk, over 256 blocks.
    fn default() -> Self {
        Self { writes_per_minute: 1, spread: 256 }
    }
}

impl Workload {
    /// Time between two writes on a disk, at least 1 ms; `None` when it does not write by itself.
    pub(super) fn interval(&self) -> Option<Duration> {
        let per_minute = u64::from(self.writes_per_minute);
        (per_minute > 0).then(|| Duration::from_millis((60_000 / per_minute).max(1)))
    }

    /// What may change on a disk of `blocks` blocks: the partition table stays as it is.
    pub(super) fn room(blocks: u64) -> Range<u64> {
        64.min(blocks / 4)..blocks
    }

    /// The block that the draw `random` falls on, of a disk of `blocks` blocks.
    fn block(&self, random: u64, blocks: u64) -> u64 {
        let Range { start: first, end } = Self::room(blocks);
        let room = end - first;
        let spread = if self.spread == 0 { room } else { self.spread.min(room) };
        first + (random % spread) * (room / spread)
    }
}

/// One write on its way to the disk.
pub(super) struct Write {
    pub(super) disk: DiskId,
    pub(super) handle: Disk,
    pub(super) block: u64,
    pub(super) page: Page,
}

/// Draws the writes of one running guest.
pub(super) struct Writer {
    copy: MachineCopy,
    seed: u64,
    workload: Workload,
    disks: BTreeMap<DiskId, Disk>,
    /// Streams of their own, so that a burst shifts none of the workload's draws.
    steady: ChaCha8Rng,
    burst: ChaCha8Rng,
}

impl Writer {
    pub(super) fn new(
        env: &Env,
        copy: &MachineCopy,
        epoch: u64,
        workload: Workload,
        disks: BTreeMap<DiskId, Disk>,
    ) -> Self {
        let stream = |what: &str| env.stream(&format!("guest/{copy}/{what}/{epoch}"));
        Self {
            copy: copy.clone(),
            seed: env.seed(),
            workload,
            disks,
            steady: stream("workload"),
            burst: stream("burst"),
        }
    }

    /// One more disk to write to.
    pub(super) fn add_disk(&mut self, id: DiskId, disk: Disk) {
        self.disks.insert(id, disk);
    }

    /// One write on each disk, as the workload goes. `version` counts the machine's writes on all sites.
    pub(super) fn round(&mut self, version: &mut u64) -> Vec<Write> {
        self.draw(version, false)
    }

    /// `count` extra writes on each disk, anywhere on it.
    pub(super) fn burst(&mut self, version: &mut u64, count: u32) -> Vec<Write> {
        (0..count).flat_map(|_| self.draw(version, true)).collect()
    }

    fn draw(&mut self, version: &mut u64, burst: bool) -> Vec<Write> {
        let mut writes = Vec::with_capacity(self.disks.len());
        for (disk, handle) in &self.disks {
            let blocks = handle.blocks();
            if blocks == 0 {
                continue;
            }
            let block = match burst {
                true => Workload { spread: 0, ..self.workload }.block(self.burst.next_u64(), blocks),
                false => self.workload.block(self.steady.next_u64(), blocks),
            };
            *version += 1;
            let page = written_page(self.seed, &self.copy.machine, disk, block, *version);
            writes.push(Write { disk: disk.clone(), handle: handle.clone(), block, page });
        }
        writes
    }
}
