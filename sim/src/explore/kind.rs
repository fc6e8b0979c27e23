//! What can happen at a point: to the call, to whoever calls or is called, to the world at that instant.
//!
//! A new kind is a variant here with its line in each match; a new change of the world is a row of [`STATES`].

use super::point::{Place, Point};
use super::state::{STATES, State};
use crate::scenario::fault::{
    AzureFault, CallAction, CallFault, CallMoment, Change, LinkChange, VcenterFault, When, WriteMoment,
};
use crate::scenario::inventory::{Inventory, ORCHESTRATOR};
use crate::scenario::model::{Arm, Crash, Ends};
use crate::scenario::text::{Name, Spanned};
use crate::scenario::units::Period;
use failback_wire::operation::Role;
use std::fmt;

/// What lasts is over after this.
const LASTS: Period = Period::minutes(25);
/// Software that died starts again after this.
const RESTART: Period = Period::minutes(1);

/// What happens at a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The connection is refused.
    Refuse,
    /// The request is lost; the caller waits in vain.
    TimeOut,
    /// Something in between answers 503; the callee sees nothing.
    ErrorBefore,
    /// The callee acts; its reply is lost.
    LoseReply,
    /// The callee gets the request twice.
    Duplicate,
    /// The callee acts once the caller has given up.
    Late,
    /// The caller gets the last answer once more.
    Stale,
    /// The reply ends in its middle.
    Truncate,
    /// What comes back is not HTTP.
    Garble,
    /// The task that the call begins gets stuck.
    TaskStuck,
    /// The task that the call begins fails at its end.
    TaskFails,
    /// From this call on packets from the caller to the callee are lost for a while.
    CutThere,
    /// From this call on packets from the callee to the caller are lost for a while.
    CutBack,
    /// The orchestrator dies right before the call takes effect, or before the write is committed.
    CrashBefore,
    /// It dies right after.
    CrashAfter,
    /// The callee dies right before the call takes effect.
    CalleeCrashBefore,
    /// It dies right after; nobody gets a reply.
    CalleeCrashAfter,
    /// The world changes right before the call takes effect, for a while.
    State(&'static State),
}

pub(crate) fn at<T>(value: T) -> Spanned<T> {
    Spanned::unplaced(value)
}

pub(crate) fn name(text: &str) -> Name {
    at(text.to_owned())
}

impl Kind {
    /// All kinds.
    pub fn all() -> impl Iterator<Item = Self> {
        const PLAIN: [Kind; 17] = [
            Kind::Refuse,
            Kind::TimeOut,
            Kind::ErrorBefore,
            Kind::LoseReply,
            Kind::Duplicate,
            Kind::Late,
            Kind::Stale,
            Kind::Truncate,
            Kind::Garble,
            Kind::TaskStuck,
            Kind::TaskFails,
            Kind::CutThere,
            Kind::CutBack,
            Kind::CrashBefore,
            Kind::CrashAfter,
            Kind::CalleeCrashBefore,
            Kind::CalleeCrashAfter,
        ];
        PLAIN.into_iter().chain(STATES.iter().map(Self::State))
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::TimeOut => "time-out",
            Self::ErrorBefore => "error-before",
            Self::LoseReply => "lose-reply",
            Self::Duplicate => "duplicate",
            Self::Late => "late",
            Self::Stale => "stale",
            Self::Truncate => "truncate",
            Self::Garble => "garble",
            Self::TaskStuck => "task-stuck",
            Self::TaskFails => "task-fails",
            Self::CutThere => "cut-there",
            Self::CutBack => "cut-back",
            Self::CrashBefore => "crash-before",
            Self::CrashAfter => "crash-after",
            Self::CalleeCrashBefore => "callee-crash-before",
            Self::CalleeCrashAfter => "callee-crash-after",
            Self::State(state) => state.name,
        }
    }

    /// True when it takes a person to end it.
    pub fn is_ended_by_hand(self) -> bool {
        matches!(self, Self::State(_) | Self::TaskStuck)
    }

    /// True when it can befall such a call somewhere: some scenario should show it there.
    pub fn concerns(self, (from, to): (Role, Role), operation: &str) -> bool {
        match self {
            Self::Refuse
            | Self::TimeOut
            | Self::ErrorBefore
            | Self::LoseReply
            | Self::Duplicate
            | Self::Late
            | Self::Truncate
            | Self::Garble
            | Self::CutThere
            | Self::CutBack => true,
            Self::Stale => to.is_read_through_others() && reads(operation),
            Self::TaskStuck | Self::TaskFails => begins_task(to, operation),
            Self::CrashBefore | Self::CrashAfter => from == Role::Orchestrator,
            Self::CalleeCrashBefore | Self::CalleeCrashAfter => true,
            Self::State(state) => state.of == to || state.of == from,
        }
    }

    /// What lets it strike at this point, or nothing where it cannot: what is armed, in order, the fault last.
    pub fn arms(self, point: &Point, inventory: &Inventory, id: &str) -> Option<Vec<Arm>> {
        let fault = self.at(point, inventory, id)?;
        let first = if let Self::State(state) = self { state.first } else { None };
        let first = first.map(|first| {
            let (id, when) = (Some(name(&format!("before-{id}"))), fault.when.clone());
            Arm { id, fault: Some(first()), when, ..NOTHING }
        });
        Some(first.into_iter().chain([fault]).collect())
    }

    /// The fault itself.
    fn at(self, point: &Point, inventory: &Inventory, id: &str) -> Option<Arm> {
        let arm = match (&point.place, point.roles) {
            (Place::Call { from, to, operation, nth }, Some(roles)) => {
                let call = CallMoment {
                    from: Some(name(from.as_str())),
                    to: name(to.as_str()),
                    operation: name(operation),
                    nth: at(*nth),
                };
                self.at_call(point, roles, call, inventory)
            }
            (Place::Write { kind, .. }, _) => {
                let write = |nth| WriteMoment { kind: name(kind), nth: at(nth) };
                let when = match self == Self::CrashBefore {
                    true => point.before.map(|nth| When::BeforeWrite(write(nth))),
                    false if self == Self::CrashAfter => point.after.map(|nth| When::AfterWrite(write(nth))),
                    false => None,
                };
                when.map(|when| crash(ORCHESTRATOR, when))
            }
            (Place::Call { .. }, None) => None,
        };
        arm.map(|arm| Arm { id: Some(name(id)), ..arm })
    }

    fn at_call(
        self,
        point: &Point,
        (from, to): (Role, Role),
        call: CallMoment,
        inventory: &Inventory,
    ) -> Option<Arm> {
        let does = |action| Some(befalls(&call, action));
        let counted = |nth: u32| CallMoment { nth: at(nth), ..call.clone() };
        let before = || point.before.map(|nth| When::BeforeCall(counted(nth)));
        let caller = call.from.as_ref().map(|from| from.value.clone()).unwrap_or_default();
        let callee = call.to.value.clone();
        let dies = |node: &str, early: bool| {
            // The operator has no software that could die, and a guest that loses its power is another matter.
            let when = if early { before() } else { point.after.map(|nth| When::AfterCall(counted(nth))) };
            when.filter(|_| to != Role::Orchestrator || node == ORCHESTRATOR).map(|when| crash(node, when))
        };
        match self {
            Self::Refuse => does(CallAction::Refuse),
            Self::TimeOut => does(CallAction::TimeOut),
            Self::ErrorBefore => does(CallAction::Status(503)),
            Self::LoseReply => does(CallAction::LoseReply),
            Self::Duplicate => does(CallAction::Duplicate),
            Self::Late => does(CallAction::Late),
            // Inventories and databases are read through caches and replicas; a server tells what it holds itself.
            Self::Stale if point.was_other && to.is_read_through_others() => does(CallAction::Stale),
            Self::Stale => None,
            Self::Truncate => does(CallAction::Truncate(40)),
            Self::Garble => does(CallAction::Garble),
            Self::TaskStuck | Self::TaskFails => troubles(to, &call, before()?, self == Self::TaskStuck),
            Self::CutThere => Some(cut(before()?, &caller, &callee)),
            Self::CutBack => Some(cut(before()?, &callee, &caller)),
            Self::CrashBefore if from == Role::Orchestrator => dies(ORCHESTRATOR, true),
            Self::CrashAfter if from == Role::Orchestrator => dies(ORCHESTRATOR, false),
            Self::CrashBefore | Self::CrashAfter => None,
            Self::CalleeCrashBefore => dies(&callee, true),
            Self::CalleeCrashAfter => dies(&callee, false),
            Self::State(state) => {
                let node =
                    [(to, &callee), (from, &caller)].into_iter().find(|(role, _)| *role == state.of)?.1;
                let (change, end) = (state.change)(inventory, node)?;
                Some(changes(before()?, change, end))
            }
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl std::str::FromStr for Kind {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let known = || Self::all().map(Self::name).collect::<Vec<_>>().join(", ");
        Self::all()
            .find(|kind| kind.name() == text)
            .ok_or_else(|| format!("no kind `{text}`; there are {}", known()))
    }
}

const NOTHING: Arm = Arm { id: None, fault: None, crash: None, when: None, ends: None };

/// Something befalls the call itself.
fn befalls(call: &CallMoment, action: CallAction) -> Arm {
    let CallMoment { from, to, operation, nth } = call.clone();
    let fault = CallFault { from, to, operation, nth, times: at(1), action };
    Arm { fault: Some(Change::Call(fault)), ..NOTHING }
}

/// A node dies and starts again.
fn crash(node: &str, when: When) -> Arm {
    let crash = Crash { node: name(node), restart_after: Some(at(RESTART)) };
    Arm { crash: Some(crash), when: Some(when), ..NOTHING }
}

/// The world changes, right before a call takes effect.
fn changes(when: When, fault: Change, end: Option<Change>) -> Arm {
    let ends = end.map(|by| Ends { after: at(LASTS), by });
    Arm { fault: Some(fault), when: Some(when), ends, ..NOTHING }
}

fn cut(when: When, from: &str, to: &str) -> Arm {
    let (from, to) = (name(from), name(to));
    let join = LinkChange::Join { from: from.clone(), to: to.clone() };
    changes(when, Change::Link(at(LinkChange::Cut { from, to })), Some(Change::Link(at(join))))
}

/// What the call begins, where it begins something that takes its time, comes to no good end.
fn troubles(to: Role, call: &CallMoment, when: When, stuck: bool) -> Option<Arm> {
    let operation = call.operation.value.as_str();
    #[expect(clippy::wildcard_enum_match_arm, reason = "only these two have tasks")]
    let (fault, end) = match to {
        Role::Vcenter if begins_task(to, operation) => {
            let fault = if stuck { VcenterFault::StickTask } else { VcenterFault::FailTask };
            (Change::Vcenter(at(fault)), Change::Vcenter(at(VcenterFault::ReleaseTasks)))
        }
        Role::Azure if begins_task(to, operation) => {
            let fails = AzureFault::FailNext {
                operation: None,
                code: "InternalExecutionError".to_owned(),
                message: String::new(),
                times: 1,
            };
            let fault = if stuck { AzureFault::StickNext } else { fails };
            (Change::Azure(at(fault)), Change::Azure(at(AzureFault::ReleaseOperations)))
        }
        _ => return None,
    };
    Some(changes(when, fault, stuck.then_some(end)))
}

/// Calls that begin something that takes its time: tasks of vCenter, operations of Resource Manager.
fn begins_task(to: Role, operation: &str) -> bool {
    let (noun, verb) = operation.split_once('_').unwrap_or_default();
    match to {
        Role::Vcenter => verb == "Task",
        Role::Azure => ["VirtualMachines", "Disks"].contains(&noun) && !reads(operation),
        Role::Operator
        | Role::Orchestrator
        | Role::ConfigurationServer
        | Role::ProcessServer
        | Role::MasterTarget
        | Role::Agent => false,
    }
}

/// Calls that only look.
fn reads(operation: &str) -> bool {
    const LOOKS: [&str; 12] = [
        "RetrievePropertiesEx",
        "ContinueRetrievePropertiesEx",
        "RetrieveServiceContent",
        "FindByUuid",
        "FindChild",
        "HasPrivilegeOnEntity",
        "QueryVirtualDiskUuid",
        "WaitForUpdatesEx",
        "cs.machine",
        "cs.roll-call",
        "cs.servers",
        "cs.status",
    ];
    let verb = operation.split_once('_').map_or("", |(_, verb)| verb);
    LOOKS.contains(&operation) || verb.starts_with("Get") || verb.starts_with("List")
}
