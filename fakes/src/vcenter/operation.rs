//! What changes the inventory: operations, the tasks they run as, and their effects on the outside.

use super::model::Model;
use super::refusal;
use failback_replication::disk::Disk;
use failback_wire::clock::VirtualMs;
use failback_wire::env::Env;
use failback_wire::event::{Actor, VmRef, What};
use failback_wire::vim::{Fault, MoRef, Value, VmConfigSpec};

/// An operation that a task carries out.
#[derive(Clone, Debug)]
pub(super) enum Operation {
    PowerOn {
        vm: u64,
    },
    PowerOff {
        vm: u64,
    },
    Reconfigure {
        vm: u64,
        spec: Box<VmConfigSpec>,
    },
    CreateVm {
        spec: Box<VmConfigSpec>,
        host: Option<u64>,
    },
    Destroy {
        vm: u64,
    },
    Register {
        path: String,
        name: Option<String>,
        host: Option<u64>,
    },
    CreateSnapshot {
        vm: u64,
        name: String,
        description: String,
        quiesce: bool,
    },
    RemoveSnapshot {
        snapshot: u64,
        children: bool,
    },
    RemoveAllSnapshots {
        vm: u64,
    },
    /// To this snapshot, else to the current one.
    Revert {
        vm: u64,
        snapshot: Option<u64>,
    },
    DisconnectHost {
        host: u64,
    },
    ReconnectHost {
        host: u64,
    },
    Search {
        directory: String,
        patterns: Vec<String>,
        deep: bool,
    },
}

/// How far a task is.
#[derive(Clone, Debug)]
pub(super) enum Progress {
    Queued,
    Running,
    Success(Option<Value>),
    Error(Fault),
}

/// What is wrong with a task from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// It gets stuck half-way.
    Stuck,
    /// It fails at its end, without effect.
    Fails,
}

/// A task.
#[derive(Clone, Debug)]
pub(super) struct Task {
    /// `PowerOnVM_Task`
    pub method: &'static str,
    /// `VirtualMachine.powerOn`
    pub description: &'static str,
    pub entity: MoRef,
    pub entity_name: String,
    pub operation: Operation,
    pub by: Actor,
    pub user: String,
    pub queued: VirtualMs,
    pub start: VirtualMs,
    pub end: VirtualMs,
    pub progress: Progress,
    pub trouble: Option<Trouble>,
    pub cancelled: bool,
}

impl Task {
    /// How much of it is done, while it runs.
    pub(super) fn percent(&self, now: VirtualMs) -> Option<i32> {
        let all = self.end.since(self.start).as_millis().max(1);
        let most = if self.is_stuck() { 50 } else { 99 };
        let done = (now.since(self.start).as_millis().saturating_mul(100) / all).min(most);
        matches!(self.progress, Progress::Running).then_some(done as i32)
    }
    /// Whether it does not come to its end.
    pub(super) fn is_stuck(&self) -> bool {
        self.trouble == Some(Trouble::Stuck) && !self.ended()
    }
    /// Whether it has ended.
    pub(super) fn ended(&self) -> bool {
        match self.progress {
            Progress::Queued | Progress::Running => false,
            Progress::Success(_) | Progress::Error(_) => true,
        }
    }
}

/// What an operation does outside of the inventory; carried out in order, after the model's lock is free.
#[derive(Clone, Debug)]
pub(super) enum Effect {
    Emit(What),
    GuestOn(VmRef, Vec<Disk>),
    GuestOff(VmRef),
    /// The guest finds one more disk.
    GuestDisk(VmRef, Disk),
}

/// One operation being applied: it changes the model whole or not at all.
pub(super) struct Apply<'a> {
    pub model: &'a mut Model,
    pub by: Actor,
    pub now: VirtualMs,
    pub env: Option<Env>,
    pub effects: Vec<Effect>,
}

/// Result of an operation; a refusal has changed nothing.
pub(super) type Applied<T = ()> = Result<T, Fault>;

impl Apply<'_> {
    pub(super) fn run(&mut self, operation: &Operation) -> Applied<Option<Value>> {
        self.licensed(operation)?;
        match operation {
            Operation::PowerOn { vm } => self.power_on(*vm).map(|()| None),
            Operation::PowerOff { vm } => self.power_off(*vm).map(|()| None),
            Operation::Reconfigure { vm, spec } => self.reconfigure(*vm, spec).map(|()| None),
            Operation::CreateVm { spec, host } => self.create_vm(spec, *host).map(|m| Some(Value::Ref(m))),
            Operation::Destroy { vm } => self.destroy(*vm).map(|()| None),
            Operation::Register { path, name, host } => {
                self.register(path, name.as_deref(), *host).map(|m| Some(Value::Ref(m)))
            }
            Operation::CreateSnapshot { vm, name, description, quiesce } => {
                self.create_snapshot(*vm, name, description, *quiesce).map(|m| Some(Value::Ref(m)))
            }
            Operation::RemoveSnapshot { snapshot, children } => {
                self.remove_snapshot(*snapshot, *children).map(|()| None)
            }
            Operation::RemoveAllSnapshots { vm } => self.remove_all_snapshots(*vm).map(|()| None),
            Operation::Revert { vm, snapshot } => self.revert(*vm, *snapshot).map(|()| None),
            Operation::DisconnectHost { host } => self.set_connected(*host, false).map(|()| None),
            Operation::ReconnectHost { host } => self.set_connected(*host, true).map(|()| None),
            Operation::Search { directory, patterns, deep } => {
                self.search(directory, patterns, *deep).map(Some)
            }
        }
    }
    pub(super) fn emit(&mut self, what: What) {
        self.effects.push(Effect::Emit(what));
    }
    /// A machine on a host that vCenter reaches.
    pub(super) fn reachable(&self, vm: u64) -> Applied {
        let host = self.model.vms.get(&vm).map(|vm| vm.host);
        let host = host.ok_or_else(|| refusal::gone(&super::model::vm_ref(vm)))?;
        match self.model.hosts.get(&host) {
            Some(host) if host.connected => Ok(()),
            Some(_) | None => Err(refusal::host_not_connected()),
        }
    }
    /// The machine changed: a new version of its configuration.
    pub(super) fn modified(&mut self, vm: u64) {
        let now = self.now;
        self.model.vms.edit(vm, |vm| {
            vm.version += 1;
            vm.modified = now;
        });
        self.model.touch();
    }
}
