//! Replication sessions as process servers and master targets speak of them (`/v1/sessions…`).
//!
//! A session is one direction of replication of one machine. Agent → process server → target; the target
//! is a master target on the way home, the recovery service (seed blobs in Azure) on the way to Azure. Process
//! server and target answer the same calls:
//!
//! | call | what |
//! |---|---|
//! | `PUT /v1/sessions/{id}` [`SessionSpec`] → [`SessionView`] | create, or take up again with a higher epoch; idempotent |
//! | `GET /v1/sessions/{id}?after=` → [`SessionView`] | state, progress, points; with `after` only points of later marks |
//! | `POST /v1/watch` [`Watch`] → [`Watched`] | the same of many sessions |
//! | `POST /v1/sessions/{id}/frames` (binary) → [`Ack`] | one or more frames of data and marks, back to back; at least once |
//! | `GET /v1/sessions/{id}/disks/{disk}/hashes?epoch=&first=&count=` → [`Hashes`], as bytes | block hashes of the target, for a checksum resync |
//! | `POST /v1/sessions/{id}/stop?process=` → [`SessionView`], without points | accept no more frames; what was received is passed on or applied; with `process`, the recovery service makes a point of what came after the last one |
//! | `POST /v1/sessions/{id}/roll` [`Roll`] → [`SessionView`], without points | bring the target's disks to a point, exactly |
//! | `DELETE /v1/sessions/{id}` → `{}` | forget the session, let go of the disks; idempotent |
//! | `GET /v1/health?reach=` → [`ServerHealth`] | the machine itself; servers only. A process server tries to reach the addresses listed in `reach` (comma between them, at most [`MAX_REACH`]) |

use crate::clock::VirtualMs;
use crate::event::{ContentHash, Mark, PointKind};
use crate::ids::{DiskId, GroupName, MachineName, PointId, SessionId, VmdkUuid};
use crate::proto::known::Kept;
use crate::proto::target::{Obstacle, Refusing, Unfit};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Which way data flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// On-premises to Azure.
    Forward,
    /// Azure to on-premises.
    Reverse,
}

/// What a process server's calls to a target are called; faults are keyed by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TargetCalls {
    /// Frames are handed over.
    pub frames: &'static str,
    /// Hashes are asked for.
    pub hashes: &'static str,
    /// A session is taken up in a higher epoch.
    pub take_up: &'static str,
}

impl Direction {
    /// What a process server's calls to the target are called.
    pub fn calls(self) -> TargetCalls {
        match self {
            Self::Forward => {
                TargetCalls { frames: "service.frames", hashes: "service.hashes", take_up: "service.take-up" }
            }
            Self::Reverse => TargetCalls { frames: "mt.frames", hashes: "mt.hashes", take_up: "mt.take-up" },
        }
    }
}

/// Where a session's disk lies on the target's side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TargetDisk {
    /// A VMDK attached to the master target (P21: by UUID, never by name).
    Vmdk(VmdkUuid),
    /// A seed page blob in Azure, by a writable SAS URL.
    SeedBlob(String),
}

/// One disk of a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionDisk {
    /// The disk.
    pub disk: DiskId,
    /// Its size in bytes; a multiple of 4096.
    pub size: u64,
    /// Its counterpart.
    pub target: TargetDisk,
}

/// How the initial synchronisation goes (C11).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SyncMode {
    /// Compare block hashes, move what differs: the target holds an older copy.
    Checksum,
    /// Move everything that is not zero onto a new, empty target.
    Full,
}

/// When a machine whose changes are not known any more is compared again (C2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resync {
    /// At once (ours): the lab's default, for nobody has to wait for the evening.
    #[default]
    AtOnce,
    /// By itself outside office hours, once: when that fails, a person must begin it.
    OutsideOfficeHours,
    /// When a person begins it.
    ByHand,
}

/// All that the three parties of a session must agree on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionSpec {
    /// Id.
    pub session: SessionId,
    /// The machine.
    pub machine: MachineName,
    /// Which way.
    pub direction: Direction,
    /// Fences earlier senders: frames of a lower epoch are refused with `stale-epoch`.
    pub epoch: u64,
    /// Disks, in the machine's order.
    pub disks: Vec<SessionDisk>,
    /// How it begins.
    pub sync: SyncMode,
    /// Address of the process server.
    pub relay: String,
    /// Address of the target: a master target on the way home, the recovery service on the way to Azure.
    pub target: String,
    /// Seconds between crash-consistent marks (R1: 300).
    pub crash_interval_s: u64,
    /// Seconds between application-consistent marks (3600 on the way home); 0 for none.
    pub app_interval_s: u64,
    /// How long points are kept, in seconds (86 400 on the way home).
    pub retention_s: u64,
    /// When the machine is compared again after its changes were lost.
    #[serde(default)]
    pub resync: Resync,
    /// Blocks are compressed on their way, where that pays (E17).
    #[serde(default)]
    pub compress: bool,
    /// The replication group, if any.
    pub group: Option<GroupName>,
}

/// Where a session stands, as its relay or target sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Created; no data yet.
    Waiting,
    /// Initial synchronisation, or resynchronisation.
    Synchronising,
    /// Tracked changes flow.
    Replicating,
    /// Accepts no more frames.
    Stopped,
    /// The disks hold exactly one point.
    Rolled,
}

/// A recovery point.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Point {
    /// Id.
    pub point: PointId,
    /// The source's mark it stands for.
    pub mark: Mark,
    /// Consistency.
    pub kind: PointKind,
    /// When the source cut it.
    pub time: VirtualMs,
    /// True when all members of the replication group cut this mark together.
    pub group: bool,
    /// On the way to Azure: the snapshots that hold this point. Points are kept by the hundred thousand, so a list.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub snapshots: Vec<SeedSnapshot>,
}

/// The snapshot of a disk's seed blob that holds a point.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeedSnapshot {
    /// The disk.
    pub disk: DiskId,
    /// The snapshot's date, which is its name.
    pub snapshot: String,
}

impl Point {
    /// The snapshot of this disk's seed blob that holds the point.
    pub fn snapshot_of(&self, disk: &DiskId) -> Option<&str> {
        self.snapshots.iter().find(|seed| seed.disk == *disk).map(|seed| seed.snapshot.as_str())
    }
}

/// What there is none of is not said.
fn nothing(bytes: &u64) -> bool {
    *bytes == 0
}

/// Progress of one disk; a fact, never precomputed (E19).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskProgress {
    /// The disk.
    pub disk: Option<DiskId>,
    /// Bytes compared or moved by the synchronisation so far.
    #[serde(default, skip_serializing_if = "nothing")]
    pub sync_processed: u64,
    /// Bytes that had to move.
    #[serde(default, skip_serializing_if = "nothing")]
    pub sync_transferred: u64,
    /// True once the synchronisation of this disk is complete.
    pub synced: bool,
    /// Changed bytes waiting at the source.
    #[serde(default, skip_serializing_if = "nothing")]
    pub at_source: u64,
    /// Bytes waiting in the process server.
    #[serde(default, skip_serializing_if = "nothing")]
    pub in_relay: u64,
    /// Bytes received but not applied at the target.
    #[serde(default, skip_serializing_if = "nothing")]
    pub at_target: u64,
    /// At the source, the disk is not the size that was agreed on any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub resized: bool,
}

/// A session as its relay or target sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionView {
    /// Id.
    pub session: SessionId,
    /// Epoch in force.
    pub epoch: u64,
    /// Where it stands.
    pub phase: Phase,
    /// Highest frame number applied (target) or passed on (relay).
    pub applied: u64,
    /// Highest frame number received.
    pub received: u64,
    /// Time of the last complete mark that arrived, for the RPO.
    pub last_mark: Option<VirtualMs>,
    /// Points, oldest first; a relay on the way home has none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub points: Vec<Arc<Point>>,
    /// Per disk.
    pub disks: Vec<DiskProgress>,
    /// The point the disks hold, once rolled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rolled_to: Option<PointId>,
    /// Why the target wants a resynchronisation, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resync_required: Option<String>,
    /// Why the target takes nothing although its services run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refuses: Option<Refusing>,
    /// Points that were let go of though older ones are kept: each with the newest mark there was then. Never sent as it
    /// is; see [`Kept::gone`].
    #[serde(skip)]
    pub thinned: Vec<(Mark, Mark)>,
    /// What is said of the points that were left out, when some were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<Kept>,
}

/// Asks for several sessions at once, as a monitor does for all machines.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    /// Which; at most [`MAX_WATCH`].
    pub sessions: Vec<WatchOne>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchOne {
    /// The session.
    pub session: SessionId,
    /// Only points of later marks, when given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Mark>,
}

/// What is seen of them, in the order of the question; nothing for a session that is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watched {
    /// One each.
    pub views: Vec<Option<SessionView>>,
}

/// The most sessions that one question asks for.
pub const MAX_WATCH: usize = 256;

impl SessionView {
    /// The same without any points, for who only asks how it stands.
    #[must_use]
    pub fn without_points(self) -> Self {
        Self { points: Vec::new(), ..self }
    }
    /// The same without the points up to `after`.
    #[must_use]
    pub fn only_after(mut self, after: Mark) -> Self {
        let thinned = std::mem::take(&mut self.thinned);
        self.kept = Some(Kept::of(self.points.iter().map(|point| point.mark), thinned.into_iter(), after));
        self.points.retain(|point| point.mark > after);
        self
    }
}

/// Answer to a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    /// Highest frame number held safely here without a gap.
    pub received: u64,
    /// Highest frame number applied at the target without a gap.
    pub applied: u64,
}

/// Block hashes of a target disk. They travel as bytes: the first block's number and that of the next one that holds
/// something (8 each) and then each xxh3-128 (16), little endian.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hashes {
    /// First block.
    pub first: u64,
    /// The next block behind these that does not hold zeros; the disk's end when there is none. All between are zeros.
    pub next: u64,
    /// The hash of the first block and of those after it.
    pub hashes: Vec<ContentHash>,
}

impl Hashes {
    /// The bytes that travel.
    pub fn to_bytes(&self) -> Bytes {
        let mut out = Vec::with_capacity(16 + 16 * self.hashes.len());
        out.extend(self.first.to_le_bytes());
        out.extend(self.next.to_le_bytes());
        self.hashes.iter().for_each(|hash| out.extend(hash.0.to_le_bytes()));
        out.into()
    }
    /// The reverse; `None` for anything else.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (first, rest) = bytes.split_first_chunk()?;
        let (next, rest) = rest.split_first_chunk()?;
        let (hashes, []) = rest.as_chunks() else { return None };
        let hashes = hashes.iter().map(|hash| ContentHash(u128::from_le_bytes(*hash))).collect();
        Some(Self { first: u64::from_le_bytes(*first), next: u64::from_le_bytes(*next), hashes })
    }
}

/// Asks for the target's disks to be brought to a point.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Roll {
    /// Which.
    pub point: PointId,
}

/// A process server or master target about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerHealth {
    /// Server id.
    pub id: String,
    /// Operating system family.
    pub os: super::cs::OsFamily,
    /// Version of that, where it is known (master target; P15).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os_version: Option<String>,
    /// Component version.
    pub version: String,
    /// UUIDs of VMDKs attached for replication (master target), in order.
    pub attached: Vec<VmdkUuid>,
    /// Retention volume, if it has one (P27).
    pub retention: Option<RetentionVolume>,
    /// Of the addresses it was asked to try, those that do not answer it (P11, P12).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unreached: Vec<String>,
    /// Why it cannot register with the configuration server (master target; P9).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unregistered: Option<Obstacle>,
    /// Why it takes no data although its services run (master target).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refuses: Option<Refusing>,
    /// Its root or retention volume lies on LVM (Linux master target; P28).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lvm: bool,
}

/// The most addresses a server tries on behalf of one question.
pub const MAX_REACH: usize = 4;

/// The volume that holds a master target's recovery points (P27).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetentionVolume {
    /// `R:` or `/mnt/retention`.
    pub mount: String,
    /// Capacity in bytes.
    pub capacity: u64,
    /// Free bytes.
    pub free: u64,
    /// Why it is not listed, if it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unfit: Option<Unfit>,
}
