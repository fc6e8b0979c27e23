//! The one typed event stream: what the oracle judges, the hash covers and every report shows.
//!
//! Fakes report what is true of the world; the product reports what it claims. An event names things by
//! their stable names, never by addresses, headers or memory.

use crate::clock::VirtualMs;
use crate::ids::{
    DiskId, GroupName, JobId, MachineCopy, MachineName, NodeName, PointId, SessionId, Site, VmdkUuid,
};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// xxh3-128 of one 4 KiB block.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentHash(pub u128);

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}
impl Serialize for ContentHash {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(&format_args!("{self:?}"))
    }
}
impl<'de> Deserialize<'de> for ContentHash {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        u128::from_str_radix(&text, 16).map(Self).map_err(serde::de::Error::custom)
    }
}

/// On whose behalf something was done to the world, told by the credentials it was done with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Actor {
    /// The product's service account.
    Product,
    /// A person at a console, as scenario steps are.
    Operator,
    /// The guest itself.
    Guest,
    /// An injected fault.
    Fault,
    /// The world before the run began.
    Setup,
}

/// A virtual machine as an inventory lists it; protected or not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct VmRef {
    /// Which inventory.
    pub site: Site,
    /// Its name there.
    pub name: String,
}

/// A virtual disk as an inventory holds it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DiskRef {
    /// A VMDK, by UUID.
    Vmdk(VmdkUuid),
    /// A managed disk, by name.
    Managed(String),
    /// A seed or cache blob, by `container/name`.
    Blob(String),
}

/// What kind of consistency a mark or recovery point has (R1, R3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PointKind {
    /// All disks cut at one instant.
    Crash,
    /// As crash, after a quiesce that succeeded.
    Application,
}

/// A mark: the source's disks cut at one instant. Counts from 1 within a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Mark(pub u64);

/// What happened.
#[expect(missing_docs, reason = "the fields are named by what they hold; each variant says what happened")]
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    // ---- the guests -------------------------------------------------------------------------------
    /// The copy's guest came up.
    GuestBooted { copy: MachineCopy },
    /// The copy's guest went down; `clean` when it shut down in order.
    GuestStopped { copy: MachineCopy, clean: bool },
    /// The guest wrote one 4 KiB block.
    GuestWrote { copy: MachineCopy, disk: DiskId, block: u64, content: ContentHash },
    /// A new, empty disk of so many blocks, with volumes of these labels, came into the running copy.
    DiskAdded { copy: MachineCopy, disk: DiskId, blocks: u64, volumes: Vec<String> },
    /// The agent cut all disks of the copy at this instant.
    MarkCut { copy: MachineCopy, session: SessionId, mark: Mark, kind: PointKind, group: Option<GroupName> },
    /// The configuration server accepted the agent's registration.
    AgentRegistered { copy: MachineCopy },
    /// VMware Tools were enabled or disabled in the machine's guest system.
    ToolsChanged { copy: MachineCopy, enabled: bool },
    /// The machine's guest system was changed in a way that no other event tells.
    GuestChanged { copy: MachineCopy, change: String },
    /// The copy's guest wrote this event into its log: 6008 for an unexpected shutdown before this boot.
    GuestLogged { copy: MachineCopy, event: u32 },

    // ---- the inventories --------------------------------------------------------------------------
    /// A virtual machine was created.
    VmCreated { vm: VmRef, by: Actor },
    /// A virtual machine was deleted.
    VmDeleted { vm: VmRef, by: Actor },
    /// A virtual machine was powered on or off.
    PowerChanged { vm: VmRef, on: bool, by: Actor },
    /// A virtual machine was changed in a way that no other event tells.
    VmChanged { vm: VmRef, change: String, by: Actor },
    /// A disk came to be.
    DiskCreated { disk: DiskRef, by: Actor },
    /// A disk was deleted.
    DiskDeleted { disk: DiskRef, by: Actor },
    /// A disk was attached to a virtual machine.
    DiskAttached { disk: DiskRef, vm: VmRef, by: Actor },
    /// A disk was detached from a virtual machine.
    DiskDetached { disk: DiskRef, vm: VmRef, by: Actor },
    /// Replicated data was written to a disk (`blocks` of 4 KiB), by the software of `writer`.
    DiskWritten { disk: DiskRef, writer: NodeName, blocks: u64 },
    /// A disk of a virtual machine was made larger, to so many bytes.
    DiskExtended { disk: DiskRef, vm: VmRef, bytes: u64, by: Actor },
    /// A snapshot was taken of a virtual machine.
    SnapshotTaken { vm: VmRef, name: String, by: Actor },
    /// A snapshot was removed (merged) from a virtual machine.
    SnapshotRemoved { vm: VmRef, name: String, by: Actor },

    // ---- the replication machines -----------------------------------------------------------------
    /// A session began, resumed or changed phase at the machine that reports it.
    SessionPhase { session: SessionId, machine: MachineName, phase: String },
    /// The target holds this mark on every disk: it can be rolled to.
    PointStored { session: SessionId, point: PointId, mark: Mark, kind: PointKind },
    /// The target let this point go.
    PointPruned { session: SessionId, point: PointId, reason: String },
    /// The target's disks now hold exactly this point.
    Rolled { session: SessionId, point: PointId, mark: Mark },

    // ---- the product ------------------------------------------------------------------------------
    /// A request was accepted and became a job.
    RequestAccepted { operation: String, target: String, job: JobId },
    /// A request was refused; nothing was touched.
    RequestRefused { operation: String, target: String, codes: Vec<String> },
    /// A job began, or was taken up again after a restart.
    JobStarted { job: JobId, scenario: String, target: String },
    /// A task of a job began.
    TaskStarted { job: JobId, task: String },
    /// A task of a job ended: `Succeeded`, `Failed`, `Skipped` …
    TaskEnded { job: JobId, task: String, state: String, code: Option<String> },
    /// A job ended: `Succeeded`, `Failed`, `Cancelled`.
    JobEnded { job: JobId, state: String, code: Option<String> },
    /// A replicated item shows a new state.
    ItemChanged { item: MachineName, state: String, active: Site, health: String, allowed: Vec<String> },
    /// A recovery point is offered to the operator.
    PointOffered { item: MachineName, session: SessionId, point: PointId, mark: Mark, kind: PointKind },
    /// A recovery point is no longer offered.
    PointWithdrawn { item: MachineName, point: PointId },
    /// A failover settled on this point.
    PointChosen { item: MachineName, session: SessionId, point: PointId, mark: Mark, to: Site },
    /// The product warns.
    Warned { item: MachineName, code: String },

    // ---- the lab ----------------------------------------------------------------------------------
    /// The scenario came to a step.
    StepStarted { step: u32, text: String },
    /// The step ended.
    StepEnded { step: u32, outcome: String },
    /// A fault waits for its moment.
    FaultArmed { fault: String },
    /// A fault changed the world.
    FaultFired { fault: String },
    /// A fault's cause was taken away.
    FaultCleared { fault: String },
    /// A node's software died.
    NodeCrashed { node: NodeName },
    /// A node's software started.
    NodeStarted { node: NodeName, epoch: u64 },
    /// Anything worth a line that nothing judges.
    Note { text: String },
}

/// Something that happened at a time, at a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub at: VirtualMs,
    /// Where.
    pub node: NodeName,
    /// Counts the node's events, from 0.
    pub seq: u64,
    /// What.
    pub what: What,
}

/// Takes events as they happen. Must not call back into whoever reports.
pub trait EventSink: Send + Sync {
    /// Takes one event.
    fn take(&self, at: VirtualMs, node: &NodeName, what: What);
}

/// Where events go. Clones share the sink.
#[derive(Clone)]
pub struct Events(Arc<dyn EventSink>);

impl Events {
    /// Events go to `sink`.
    pub fn new(sink: Arc<dyn EventSink>) -> Self {
        Self(sink)
    }
    /// Events go nowhere.
    pub fn discard() -> Self {
        struct Nowhere;
        impl EventSink for Nowhere {
            fn take(&self, _: VirtualMs, _: &NodeName, _: What) {}
        }
        Self::new(Arc::new(Nowhere))
    }
    /// Reports one event. Software of a node uses `Ctx::emit`, which asks the fence.
    pub fn emit(&self, at: VirtualMs, node: &NodeName, what: What) {
        self.0.take(at, node, what);
    }
}
