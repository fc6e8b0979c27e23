//! What a step is to all that deal with steps: what it asks of the product, what it changes in the world, and how
//! timelines call it. A new step has its fields in `model` (or beside it), a line in each match of this file, and one in
//! the match of `driver/steps.rs` that does it; what it does to an item is a row of the tables in `check/phases.rs`.

use super::estate::Side;
use super::fault::Change;
use super::inventory::{Inventory, Plan};
use super::model::{Ending, MemberInputs, Reprotect, ReprotectInputs, SavePlan, Step};
use super::text::{Name, Spanned};
use super::units::Period;
use failback_orchestrator::journal;
use std::collections::BTreeSet;
use std::fmt;

/// What can be asked of the product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OperationKind {
    /// To Azure.
    Failover,
    /// Of a failover or failback.
    Commit,
    /// Replicate home.
    ReprotectHome,
    /// Replicate to Azure again.
    ReprotectAzure,
    /// From Azure.
    Failback,
    /// A copy in Azure beside the replication.
    TestFailover,
    /// Of a test failover.
    CleanUpTest,
    /// Of a failover to Azure.
    ChangePoint,
    /// Another process server.
    MoveServer,
    /// Compare with the target again.
    Resynchronise,
    /// Of whatever was asked for last.
    Restart,
    /// Of whatever runs.
    Cancel,
    /// Bring under protection.
    EnableProtection,
    /// End protection and clean up.
    DisableProtection,
    /// End protection in the vault alone.
    RemoveProtection,
    /// Stay in Azure for good.
    CompleteMigration,
    /// Of a replication policy.
    Policy,
    /// Of the configuration server.
    RenewCertificate,
    /// A recovery plan, new or changed.
    SavePlan,
    /// Of a recovery plan.
    DeletePlan,
    /// What a plan waits for is done.
    Confirm,
}

impl OperationKind {
    /// True for operations that move production.
    pub fn moves(self) -> bool {
        matches!(self, Self::Failover | Self::Failback)
    }
    /// True for those that end protection (C23).
    pub fn leaves(self) -> bool {
        matches!(self, Self::DisableProtection | Self::RemoveProtection | Self::CompleteMigration)
    }
    /// True when neither an item nor a plan need be named.
    pub fn stands_alone(self) -> bool {
        matches!(
            self,
            Self::MoveServer | Self::Policy | Self::RenewCertificate | Self::SavePlan | Self::DeletePlan
        )
    }
}

impl fmt::Display for OperationKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Failover => "failover",
            Self::Commit => "commit",
            Self::ReprotectHome => "reprotect to on-premises",
            Self::ReprotectAzure => "reprotect to azure",
            Self::Failback => "failback",
            Self::TestFailover => "test failover",
            Self::CleanUpTest => "clean-up",
            Self::ChangePoint => "change of the recovery point",
            Self::MoveServer => "move to another process server",
            Self::Resynchronise => "resynchronisation",
            Self::Restart => "restart of the last job",
            Self::Cancel => "cancellation",
            Self::EnableProtection => "enable protection",
            Self::DisableProtection => "disable protection",
            Self::RemoveProtection => "remove protection",
            Self::CompleteMigration => "complete migration",
            Self::Policy => "change of a policy",
            Self::RenewCertificate => "renewal of the certificate",
            Self::SavePlan => "saving of a plan",
            Self::DeletePlan => "deletion of a plan",
            Self::Confirm => "confirmation",
        })
    }
}

impl From<journal::Operation> for OperationKind {
    /// What a step asked for that the product took for this operation.
    fn from(operation: journal::Operation) -> Self {
        use journal::Operation as O;
        match operation {
            O::EnableProtection => Self::EnableProtection,
            O::Failover => Self::Failover,
            O::Commit | O::CommitBack => Self::Commit,
            O::Reprotect => Self::ReprotectHome,
            O::ReprotectForward => Self::ReprotectAzure,
            O::Failback => Self::Failback,
            O::Disable => Self::DisableProtection,
            O::Purge => Self::RemoveProtection,
            O::CompleteMigration => Self::CompleteMigration,
            O::TestFailover => Self::TestFailover,
            O::CleanUpTest => Self::CleanUpTest,
            O::ChangePoint => Self::ChangePoint,
            O::MoveServer => Self::MoveServer,
            O::Resynchronise => Self::Resynchronise,
        }
    }
}

/// An operation as its step gives it.
#[derive(Clone, Copy, Debug)]
pub struct Operation<'a> {
    /// What is done.
    pub kind: OperationKind,
    /// To this item; or else to `plan`.
    pub item: Option<&'a Name>,
    /// To this plan.
    pub plan: Option<&'a Name>,
    /// How it must end.
    pub expect: &'a Ending,
    /// Within which virtual time.
    pub within: &'a Spanned<Period>,
}

impl<'a> Operation<'a> {
    /// The machines it is about, in plan order; for a plan that is saved more than once those of each time.
    pub fn machines(&self, inventory: &'a Inventory) -> Vec<&'a str> {
        let named = |name: &str| inventory.machines.iter().find(|m| m.name == name).map(|m| m.name.as_str());
        if let Some(item) = self.item {
            return named(item).into_iter().collect();
        }
        let plans = inventory.plans.iter().filter(|p| self.plan.is_some_and(|name| p.name == name.value));
        let mut seen = BTreeSet::new();
        plans.flat_map(Plan::members).filter(|machine| seen.insert(*machine)).collect()
    }
}

impl Step {
    /// What it asks of the product, if it asks for something.
    pub fn operation(&self) -> Option<Operation<'_>> {
        use OperationKind as K;
        let (kind, item, plan, expect, within) = match self {
            Self::Failover(s) => (K::Failover, s.item.as_ref(), s.plan.as_ref(), &s.expect, &s.within),
            Self::Commit(s) => (K::Commit, s.item.as_ref(), s.plan.as_ref(), &s.expect, &s.within),
            Self::Reprotect(s) => {
                let kind = if s.to == Side::Azure { K::ReprotectAzure } else { K::ReprotectHome };
                (kind, s.item.as_ref(), s.plan.as_ref(), &s.expect, &s.within)
            }
            Self::Failback(s) => (K::Failback, s.item.as_ref(), s.plan.as_ref(), &s.expect, &s.within),
            Self::TestFailover(s) => {
                (K::TestFailover, s.item.as_ref(), s.plan.as_ref(), &s.expect, &s.within)
            }
            Self::CleanUpTestFailover(s) => {
                (K::CleanUpTest, s.item.as_ref(), s.plan.as_ref(), &s.expect, &s.within)
            }
            Self::ChangeRecoveryPoint(s) => (K::ChangePoint, s.item.as_ref(), None, &s.expect, &s.within),
            Self::MoveProcessServer(s) => (K::MoveServer, s.item.as_ref(), None, &s.expect, &s.within),
            Self::Resynchronise(s) => (K::Resynchronise, Some(&s.item), None, &s.expect, &s.within),
            Self::RestartJob(s) => (K::Restart, s.item.as_ref(), s.plan.as_ref(), &s.expect, &s.within),
            Self::Cancel(s) => (K::Cancel, s.item.as_ref(), s.plan.as_ref(), &s.expect, &s.within),
            Self::EnableProtection(s) => (K::EnableProtection, Some(&s.item), None, &s.expect, &s.within),
            Self::DisableProtection(s) => (K::DisableProtection, Some(&s.item), None, &s.expect, &s.within),
            Self::RemoveProtection(s) => (K::RemoveProtection, Some(&s.item), None, &s.expect, &s.within),
            Self::CompleteMigration(s) => (K::CompleteMigration, Some(&s.item), None, &s.expect, &s.within),
            Self::Policy(s) => (K::Policy, None, None, &s.expect, &s.within),
            Self::RenewCertificate(s) => (K::RenewCertificate, None, None, &s.expect, &s.within),
            Self::SavePlan(s) => (K::SavePlan, None, None, &s.expect, &s.within),
            Self::DeletePlan(s) => (K::DeletePlan, None, None, &s.expect, &s.within),
            Self::Confirm(s) => (K::Confirm, None, Some(&s.plan), &s.expect, &s.within),
            Self::Wait(_)
            | Self::WaitUntil(_)
            | Self::Write(_)
            | Self::Inject(_)
            | Self::Arm(_)
            | Self::Clear(_)
            | Self::Operator(_)
            | Self::Crash(_)
            | Self::Restart(_)
            | Self::Check(_) => return None,
        };
        Some(Operation { kind, item, plan, expect, within })
    }
    /// How what it asks for is to end, if it asks for something.
    pub fn ending_mut(&mut self) -> Option<&mut Ending> {
        Some(match self {
            Self::Failover(s) => &mut s.expect,
            Self::Commit(s) => &mut s.expect,
            Self::Reprotect(s) => &mut s.expect,
            Self::Failback(s) => &mut s.expect,
            Self::TestFailover(s) => &mut s.expect,
            Self::CleanUpTestFailover(s) => &mut s.expect,
            Self::ChangeRecoveryPoint(s) => &mut s.expect,
            Self::MoveProcessServer(s) => &mut s.expect,
            Self::Resynchronise(s) => &mut s.expect,
            Self::RestartJob(s) => &mut s.expect,
            Self::Cancel(s) => &mut s.expect,
            Self::EnableProtection(s) => &mut s.expect,
            Self::DisableProtection(s) | Self::RemoveProtection(s) | Self::CompleteMigration(s) => {
                &mut s.expect
            }
            Self::Policy(s) => &mut s.expect,
            Self::RenewCertificate(s) => &mut s.expect,
            Self::SavePlan(s) => &mut s.expect,
            Self::DeletePlan(s) => &mut s.expect,
            Self::Confirm(s) => &mut s.expect,
            Self::Wait(_)
            | Self::WaitUntil(_)
            | Self::Write(_)
            | Self::Inject(_)
            | Self::Arm(_)
            | Self::Clear(_)
            | Self::Operator(_)
            | Self::Crash(_)
            | Self::Restart(_)
            | Self::Check(_) => return None,
        })
    }
    /// What it changes in the world, now or at its moment.
    pub fn change(&self) -> Option<&Change> {
        if let Self::Inject(change) | Self::Operator(change) = self {
            return Some(change);
        }
        if let Self::Arm(arm) = self { arm.fault.as_ref() } else { None }
    }
    /// The plan that it saves, where it comes through.
    pub fn saves(&self) -> Option<&SavePlan> {
        if let Self::SavePlan(save) = self {
            Some(save).filter(|save| save.expect == Ending::Succeeded)
        } else {
            None
        }
    }
    /// The name that it gives a machine in Azure, and the machine, where it comes through (C4).
    pub fn names_in_azure(&self) -> Option<(&Name, &Name)> {
        if let Self::EnableProtection(enable) = self {
            let name = enable.azure_name.as_ref().filter(|_| enable.expect == Ending::Succeeded)?;
            Some((name, &enable.item))
        } else {
            None
        }
    }
    /// The plan that it deletes, where it comes through.
    pub fn deletes(&self) -> Option<&Name> {
        if let Self::DeletePlan(delete) = self {
            Some(&delete.name).filter(|_| delete.expect == Ending::Succeeded)
        } else {
            None
        }
    }
}

impl Reprotect {
    /// What it is to use for this machine, were it asked for it.
    pub fn inputs(&self, inventory: &Inventory, machine: &str) -> Option<&ReprotectInputs> {
        let own = self.members.iter().find(|(member, _)| inventory.names(member, machine));
        match own {
            Some((_, MemberInputs::None)) => None,
            Some((_, MemberInputs::Given(inputs))) => Some(inputs),
            None => Some(&self.using),
        }
    }
}

impl fmt::Display for Step {
    /// One line, as timelines show it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operation = self.operation();
        let target = operation.and_then(|o| o.item.or(o.plan)).map(|name| name.as_str()).unwrap_or_default();
        match self {
            Self::Failover(_) => write!(f, "fail over {target}"),
            Self::Commit(_) => write!(f, "commit {target}"),
            Self::Reprotect(_) => write!(f, "reprotect {target}"),
            Self::Failback(_) => write!(f, "fail back {target}"),
            Self::TestFailover(_) => write!(f, "test the failover of {target}"),
            Self::CleanUpTestFailover(_) => write!(f, "clean up the test of {target}"),
            Self::ChangeRecoveryPoint(_) => write!(f, "change the recovery point of {target}"),
            Self::MoveProcessServer(s) if s.item.is_none() => {
                write!(f, "move its machines from {} to {}", s.from, s.to)
            }
            Self::MoveProcessServer(s) => write!(f, "move {target} from {} to {}", s.from, s.to),
            Self::Resynchronise(_) => write!(f, "resynchronise {target}"),
            Self::RestartJob(_) => write!(f, "restart the last job of {target}"),
            Self::Cancel(_) => write!(f, "cancel what runs on {target}"),
            Self::EnableProtection(_) => write!(f, "protect {target}"),
            Self::DisableProtection(_) => write!(f, "disable the protection of {target}"),
            Self::RemoveProtection(_) => write!(f, "remove {target} from the vault"),
            Self::CompleteMigration(_) => write!(f, "complete the migration of {target}"),
            Self::Policy(s) => write!(f, "change policy {}", s.name),
            Self::RenewCertificate(_) => f.write_str("renew the certificate"),
            Self::SavePlan(s) => write!(f, "save plan {}", s.name),
            Self::DeletePlan(s) => write!(f, "delete plan {}", s.name),
            Self::Confirm(_) => write!(f, "confirm {target}"),
            Self::Wait(period) => write!(f, "wait {period}"),
            Self::WaitUntil(s) => write!(f, "wait until {} is ready", s.item),
            Self::Write(s) => write!(f, "{} writes {} blocks", s.machine, s.blocks),
            Self::Inject(_) => f.write_str("a fault strikes"),
            Self::Arm(_) => f.write_str("a fault is armed"),
            Self::Clear(id) => write!(f, "clear {id}"),
            Self::Operator(_) => f.write_str("the operator acts"),
            Self::Crash(s) => write!(f, "{} crashes", s.node),
            Self::Restart(s) => write!(f, "{} starts", s.node),
            Self::Check(_) => f.write_str("check"),
        }
    }
}
