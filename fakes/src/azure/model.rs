//! What the fake subscription holds: plain data, and the small questions others ask of it.

use super::blobs::Blobs;
use super::faults::Denial;
use super::network::{Card, Networks};
use super::power::GuestPower;
use super::refusal::Refusal;
use super::replication::Replica;
use crate::net::Reach;
use failback_replication::disk::Disk;
use failback_wire::arm::compute::{CreationData, VirtualMachine};
use failback_wire::clock::VirtualMs;
use failback_wire::event::{Actor, DiskRef, VmRef, What};
use failback_wire::ids::{SessionId, Site};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use xxhash_rust::xxh3::xxh3_128;

/// A resource's name in lower case: names compare case-insensitively.
pub(super) type Key = String;

/// The key of a name.
pub(super) fn key(name: &str) -> Key {
    name.to_ascii_lowercase()
}

/// What an operation is called when one is to fail.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum AzureOperation {
    /// Making a virtual machine.
    CreateVm,
    /// Attaching or detaching data disks.
    UpdateVm,
    /// Starting one.
    StartVm,
    /// Stopping one.
    StopVm,
    /// Stopping one and giving its host back.
    DeallocateVm,
    /// Restarting one.
    RestartVm,
    /// Deleting one.
    DeleteVm,
    /// Making a managed disk.
    CreateDisk,
    /// Deleting one.
    DeleteDisk,
    /// Making a snapshot.
    CreateSnapshot,
    /// Deleting one.
    DeleteSnapshot,
    /// Granting access to a disk or snapshot.
    GrantAccess,
    /// Taking it back.
    RevokeAccess,
}

/// What an operation does when it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Plan {
    CreateVm,
    UpdateVm,
    StartVm,
    StopVm { deallocate: bool, graceful: bool },
    RestartVm,
    DeleteVm,
    CreateVolume,
    DeleteVolume,
    GrantAccess { write: bool, seconds: u64 },
    RevokeAccess,
}

/// What an operation is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Target {
    Vm(Key),
    Disk(Key),
    Snapshot(Key),
}

impl Plan {
    /// What the operation is called.
    pub(super) fn operation(&self, target: &Target) -> AzureOperation {
        let snapshot = matches!(target, Target::Snapshot(_));
        match self {
            Self::CreateVm => AzureOperation::CreateVm,
            Self::UpdateVm => AzureOperation::UpdateVm,
            Self::StartVm => AzureOperation::StartVm,
            Self::StopVm { deallocate: true, .. } => AzureOperation::DeallocateVm,
            Self::StopVm { deallocate: false, .. } => AzureOperation::StopVm,
            Self::RestartVm => AzureOperation::RestartVm,
            Self::DeleteVm => AzureOperation::DeleteVm,
            Self::CreateVolume if snapshot => AzureOperation::CreateSnapshot,
            Self::CreateVolume => AzureOperation::CreateDisk,
            Self::DeleteVolume if snapshot => AzureOperation::DeleteSnapshot,
            Self::DeleteVolume => AzureOperation::DeleteDisk,
            Self::GrantAccess { .. } => AzureOperation::GrantAccess,
            Self::RevokeAccess => AzureOperation::RevokeAccess,
        }
    }
}

/// A long-running operation, running or ended.
#[derive(Clone, Debug)]
pub(super) struct Operation {
    pub(super) id: String,
    pub(super) plan: Plan,
    pub(super) target: Target,
    /// ARM id of what it is about.
    pub(super) resource: String,
    pub(super) by: Actor,
    pub(super) started: VirtualMs,
    /// When it takes effect; counted from the guest's end when it waits for one.
    pub(super) due: VirtualMs,
    pub(super) ended: Option<VirtualMs>,
    /// Code and message, once it failed.
    pub(super) error: Option<(String, String)>,
    /// It will fail with this, by an injected fault.
    pub(super) doom: Option<(String, String)>,
    /// It does not come to its end, by an injected fault.
    pub(super) stuck: bool,
    /// Its result, when that is no resource.
    pub(super) output: Option<Value>,
}

impl Operation {
    /// True until it ended.
    pub(super) fn is_running(&self) -> bool {
        self.ended.is_none()
    }
}

/// Power of a virtual machine, between operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Power {
    Running,
    Stopped,
    Deallocated,
}

impl Power {
    /// The word after `PowerState/`.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Deallocated => "deallocated",
        }
    }
}

/// A disk in a machine's slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) disk: Key,
    /// It is deleted together with the machine.
    pub(super) delete: bool,
}

/// A virtual machine.
#[derive(Clone, Debug)]
pub(super) struct Vm {
    pub(super) name: String,
    /// Name of its guest, by which events tell of it.
    pub(super) known_as: String,
    pub(super) group: String,
    pub(super) unique: String,
    /// The document it was made from, without what is derived.
    pub(super) document: VirtualMachine,
    pub(super) os: Slot,
    pub(super) data: BTreeMap<u32, Slot>,
    /// Its network card, when it was made with one.
    pub(super) card: Option<Card>,
    pub(super) power: Power,
    /// The guest no longer answers; the instance view does not know.
    pub(super) hung: bool,
    /// The last operation failed with this code.
    pub(super) failed: Option<String>,
    pub(super) created: VirtualMs,
}

impl Vm {
    /// Slots in the order the guest sees its disks.
    pub(super) fn slots(&self) -> impl Iterator<Item = &Slot> {
        std::iter::once(&self.os).chain(self.data.values())
    }
    /// How events name it.
    pub(super) fn reference(&self) -> VmRef {
        VmRef { site: Site::Azure, name: self.known_as.clone() }
    }
}

/// Access granted to a disk or snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Access {
    pub(super) write: bool,
    pub(super) until: VirtualMs,
}

/// A managed disk or a snapshot.
#[derive(Clone, Debug)]
pub(super) struct Volume {
    pub(super) name: String,
    pub(super) group: String,
    pub(super) location: String,
    pub(super) unique: String,
    pub(super) content: Disk,
    pub(super) creation: CreationData,
    pub(super) os_type: Option<String>,
    pub(super) incremental: Option<bool>,
    pub(super) tags: BTreeMap<String, String>,
    /// What else the document said (`sku`, `zones`).
    pub(super) extra: Map<String, Value>,
    /// False until the operation that makes it ended.
    pub(super) ready: bool,
    /// The machine that holds it.
    pub(super) owner: Option<Key>,
    pub(super) access: Option<Access>,
    pub(super) created: VirtualMs,
}

/// One armed failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Armed {
    pub(super) operation: Option<AzureOperation>,
    pub(super) code: String,
    pub(super) message: String,
    pub(super) times: u32,
}

/// What is to be done outside once the model is consistent again.
#[derive(Debug)]
pub(super) enum Effect {
    Emit(What),
    PowerOn(VmRef, Vec<Disk>),
    PowerOff(VmRef),
    Reach(VmRef, Reach),
    AddDisk(VmRef, Disk, Vec<String>),
}

/// The fake subscription.
#[derive(Default)]
pub(super) struct Model {
    pub(super) vms: BTreeMap<Key, Vm>,
    pub(super) disks: BTreeMap<Key, Volume>,
    pub(super) snapshots: BTreeMap<Key, Volume>,
    pub(super) blobs: Blobs,
    pub(super) replicas: BTreeMap<SessionId, Replica>,
    pub(super) operations: BTreeMap<String, Operation>,
    /// The operation that has each busy resource.
    pub(super) busy: BTreeMap<Target, String>,
    /// Client request id, verb and path of a change, and the operation it began.
    pub(super) requests: BTreeMap<String, String>,
    pub(super) armed: Vec<Armed>,
    /// The next operation gets stuck.
    pub(super) stick_next: bool,
    /// Names of guests, by those of their machines, where they differ.
    known_as: BTreeMap<Key, String>,
    /// Subnets by network.
    pub(super) networks: Networks,
    /// The most network cards there may be.
    pub(super) card_quota: Option<u32>,
    /// Why new machines are refused.
    pub(super) denial: Option<Denial>,
    /// A lock forbids every deletion.
    pub(super) delete_lock: bool,
    pub(super) out: Vec<Effect>,
    serial: u64,
}

impl Model {
    /// An empty subscription with these networks, and these names of guests by those of their machines.
    pub(super) fn with(networks: Networks, known_as: &BTreeMap<String, String>) -> Self {
        let known_as = known_as.iter().map(|(name, guest)| (key(name), guest.clone())).collect();
        Self { networks, known_as, ..Self::default() }
    }
    /// The name of the guest of a machine of this name.
    pub(super) fn guest_of(&self, name: &str) -> String {
        self.known_as.get(&key(name)).map_or(name, String::as_str).to_owned()
    }
    /// A new GUID: the n-th of this subscription is the same in every run.
    pub(super) fn guid(&mut self) -> String {
        self.serial += 1;
        let bits = xxh3_128(format!("azure/{}", self.serial).as_bytes());
        let (high, low) = ((bits >> 64) as u64, bits as u64);
        format!(
            "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xfff,
            (low >> 48) & 0xfff,
            low & 0xffff_ffff_ffff
        )
    }
    /// Reports an event once the model is consistent again.
    pub(super) fn emit(&mut self, what: What) {
        self.out.push(Effect::Emit(what));
    }
    /// The machine, or the refusal that there is none.
    pub(super) fn vm(&self, name: &str) -> Result<&Vm, Refusal> {
        self.vms.get(&key(name)).ok_or_else(|| Refusal::not_found("virtualMachines", name))
    }
    /// The disk or snapshot, or the refusal that there is none.
    pub(super) fn volume(&self, target: &Target) -> Result<&Volume, Refusal> {
        match target {
            Target::Disk(key) => self.disks.get(key).ok_or_else(|| Refusal::not_found("disks", key)),
            Target::Snapshot(key) => {
                self.snapshots.get(key).ok_or_else(|| Refusal::not_found("snapshots", key))
            }
            Target::Vm(key) => Err(Refusal::not_found("disks", key)),
        }
    }
    /// The same, to be changed.
    pub(super) fn volume_mut(&mut self, target: &Target) -> Option<&mut Volume> {
        match target {
            Target::Disk(key) => self.disks.get_mut(key),
            Target::Snapshot(key) => self.snapshots.get_mut(key),
            Target::Vm(_) => None,
        }
    }
    /// The operation under way on `target`.
    pub(super) fn running(&self, target: &Target) -> Option<&Operation> {
        self.busy.get(target).and_then(|id| self.operations.get(id))
    }
    /// The contents of a machine's disks, in order.
    pub(super) fn contents(&self, vm: &Vm) -> Vec<(String, Disk)> {
        let volumes = vm.slots().filter_map(|slot| self.disks.get(&slot.disk));
        volumes.map(|v| (v.name.clone(), v.content.clone())).collect()
    }
    /// Gives the machine its power: the guest boots from its disks.
    pub(super) fn power_up(&mut self, vm: &Key, by: Actor) {
        let Some(found) = self.vms.get_mut(vm) else { return };
        if found.power == Power::Running {
            return;
        }
        found.power = Power::Running;
        found.hung = false;
        let found = &self.vms[vm];
        let (reference, disks, reach) = (found.reference(), self.contents(found), self.reach(found));
        if reach != Reach::default() {
            self.out.push(Effect::Reach(reference.clone(), reach));
        }
        self.emit(What::PowerChanged { vm: reference.clone(), on: true, by });
        self.out.push(Effect::PowerOn(reference, disks.into_iter().map(|(_, d)| d).collect()));
    }
    /// Takes the machine's power: its guest, if it still runs, is gone.
    pub(super) fn power_down(&mut self, vm: &Key, to: Power, by: Actor) {
        let Some(found) = self.vms.get_mut(vm) else { return };
        let was = std::mem::replace(&mut found.power, to);
        found.hung = false;
        let reference = found.reference();
        if was == Power::Running {
            self.out.push(Effect::PowerOff(reference.clone()));
            self.emit(What::PowerChanged { vm: reference, on: false, by });
        }
    }
    /// Takes a disk out of a machine's hands.
    pub(super) fn release(&mut self, disk: &Key, vm: VmRef, by: Actor) {
        if let Some(volume) = self.disks.get_mut(disk) {
            volume.owner = None;
            let disk = DiskRef::Managed(volume.name.clone());
            self.emit(What::DiskDetached { disk, vm, by });
        }
    }
    /// Puts a disk into a machine's hands.
    pub(super) fn hold(&mut self, disk: &Key, vm: &Key, reference: VmRef, by: Actor) {
        if let Some(volume) = self.disks.get_mut(disk) {
            volume.owner = Some(vm.clone());
            let disk = DiskRef::Managed(volume.name.clone());
            self.emit(What::DiskAttached { disk, vm: reference, by });
        }
    }
}

/// Does outside what the model wants done.
pub(super) fn perform(effect: Effect, guests: &dyn GuestPower, emit: impl Fn(What)) {
    match effect {
        Effect::Emit(what) => emit(what),
        Effect::PowerOn(vm, disks) => guests.power_on(&vm, disks),
        Effect::PowerOff(vm) => guests.power_off(&vm),
        Effect::Reach(vm, reach) => guests.set_reach(&vm, reach),
        Effect::AddDisk(vm, disk, volumes) => guests.add_disk(&vm, disk, volumes),
    }
}
