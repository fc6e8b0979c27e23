//! What steps have in common, and how reports name them.

use super::estate::Side;
use super::fault::{CallAction, CallFault, Change, When};
use super::inventory::{Inventory, Plan};
use super::model::{Confirm, Ending, Leave, PolicyStep, RenewCertificate, SavePlan, Step, Verb};
use super::text::{Name, Spanned};
use super::units::Period;
use std::collections::BTreeSet;
use std::fmt;

/// Operations on items and plans.
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
        })
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

impl Confirm {
    /// What a plan was in the middle of, as it ends after the confirmation.
    pub fn ends(&self, kind: OperationKind) -> Operation<'_> {
        Operation { kind, item: None, plan: Some(&self.plan), expect: &self.expect, within: &self.within }
    }
}

impl Step {
    /// How it must end, when it asks the product for something.
    pub fn ending(&self) -> Option<&Ending> {
        if let Self::Confirm(Confirm { expect, .. })
        | Self::SavePlan(SavePlan { expect, .. })
        | Self::Policy(PolicyStep { expect, .. })
        | Self::RenewCertificate(RenewCertificate { expect, .. }) = self
        {
            return Some(expect);
        }
        self.operation().map(|operation| operation.expect)
    }
    /// The operation, when the step is one.
    pub fn operation<'a>(&'a self) -> Option<Operation<'a>> {
        let of_item = |kind, s: &'a Leave| Operation {
            kind,
            item: Some(&s.item),
            plan: None,
            expect: &s.expect,
            within: &s.within,
        };
        let (kind, item, plan, expect, within) = match self {
            Self::EnableProtection(s) => {
                let (kind, item) = (OperationKind::EnableProtection, Some(&s.item));
                return Some(Operation { kind, item, plan: None, expect: &s.expect, within: &s.within });
            }
            Self::DisableProtection(s) => return Some(of_item(OperationKind::DisableProtection, s)),
            Self::RemoveProtection(s) => return Some(of_item(OperationKind::RemoveProtection, s)),
            Self::CompleteMigration(s) => return Some(of_item(OperationKind::CompleteMigration, s)),
            Self::Failover(s) => (OperationKind::Failover, &s.item, &s.plan, &s.expect, &s.within),
            Self::Commit(s) => (OperationKind::Commit, &s.item, &s.plan, &s.expect, &s.within),
            Self::Reprotect(s) => {
                let kind = match s.to {
                    Side::OnPremises => OperationKind::ReprotectHome,
                    Side::Azure => OperationKind::ReprotectAzure,
                };
                (kind, &s.item, &s.plan, &s.expect, &s.within)
            }
            Self::Failback(s) => (OperationKind::Failback, &s.item, &s.plan, &s.expect, &s.within),
            Self::TestFailover(s) => (OperationKind::TestFailover, &s.item, &s.plan, &s.expect, &s.within),
            Self::CleanUpTestFailover(s) => {
                (OperationKind::CleanUpTest, &s.item, &s.plan, &s.expect, &s.within)
            }
            Self::ChangeRecoveryPoint(s) => {
                (OperationKind::ChangePoint, &s.item, &None, &s.expect, &s.within)
            }
            Self::MoveProcessServer(s) => (OperationKind::MoveServer, &s.item, &None, &s.expect, &s.within),
            Self::Resynchronise(s) => {
                let (kind, item) = (OperationKind::Resynchronise, Some(&s.item));
                return Some(Operation { kind, item, plan: None, expect: &s.expect, within: &s.within });
            }
            Self::RestartJob(s) => (OperationKind::Restart, &s.item, &s.plan, &s.expect, &s.within),
            Self::Cancel(s) => (OperationKind::Cancel, &s.item, &s.plan, &s.expect, &s.within),
            Self::RenewCertificate(_)
            | Self::SavePlan(_)
            | Self::Confirm(_)
            | Self::Wait(_)
            | Self::WaitUntil(_)
            | Self::Write(_)
            | Self::Inject(_)
            | Self::Arm(_)
            | Self::Clear(_)
            | Self::Operator(_)
            | Self::Policy(_)
            | Self::Crash(_)
            | Self::Restart(_)
            | Self::Check(_) => return None,
        };
        Some(Operation { kind, item: item.as_ref(), plan: plan.as_ref(), expect, within })
    }
}

fn target(item: Option<&Name>, plan: Option<&Name>) -> String {
    match (item, plan) {
        (Some(item), _) => item.to_string(),
        (None, Some(plan)) => format!("plan {plan}"),
        (None, None) => "all machines".to_owned(),
    }
}

/// The word a file uses for a value of a unit-like enum, or for the outer tag of others.
fn word(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        Ok(other) => plain(&other),
        Err(_) => String::new(),
    }
}

/// `{"snapshot": {"vm": "a", "name": "b"}}` as `snapshot vm=a name=b`.
fn plain(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Object(map) => {
            let part = |(key, value): (&String, &serde_json::Value)| match value {
                serde_json::Value::Object(inner) if inner.is_empty() => key.clone(),
                serde_json::Value::Object(_) => format!("{key} {}", plain(value)),
                serde_json::Value::Null => String::new(),
                serde_json::Value::Array(_)
                | serde_json::Value::Bool(_)
                | serde_json::Value::Number(_)
                | serde_json::Value::String(_) => format!("{key}={}", plain(value)),
            };
            map.iter().map(part).filter(|p| !p.is_empty()).collect::<Vec<_>>().join(" ")
        }
        serde_json::Value::Null
        | serde_json::Value::Bool(_)
        | serde_json::Value::Number(_)
        | serde_json::Value::Array(_) => value.to_string(),
    }
}

impl fmt::Display for Step {
    /// One line, as timelines and failures show it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(operation) = self.operation() {
            write!(f, "{} {}", operation.kind, target(operation.item, operation.plan))?;
        }
        match self {
            Self::Failover(s) => {
                write!(f, " ({}", word(&s.point))?;
                f.write_str(if s.verb == Verb::Planned { ", planned" } else { "" })?;
                f.write_str(if s.shutdown_source { ")" } else { ", source left running)" })
            }
            Self::Failback(s) => write!(f, " ({}, {})", word(&s.point), word(&s.verb)),
            Self::TestFailover(s) => write!(f, " ({})", word(&s.point)),
            Self::ChangeRecoveryPoint(s) => write!(f, " ({})", word(&s.point)),
            Self::MoveProcessServer(s) => write!(f, " ({} to {})", s.from, s.to),
            Self::Commit(_)
            | Self::Reprotect(_)
            | Self::Resynchronise(_)
            | Self::CleanUpTestFailover(_)
            | Self::RestartJob(_)
            | Self::Cancel(_)
            | Self::EnableProtection(_)
            | Self::DisableProtection(_)
            | Self::RemoveProtection(_)
            | Self::CompleteMigration(_) => Ok(()),
            Self::Policy(s) => write!(f, "policy {}: {}", s.name, word(&s.change)),
            Self::RenewCertificate(_) => f.write_str("renew the certificate"),
            Self::SavePlan(s) => write!(f, "save plan {}", s.name),
            Self::Confirm(s) => write!(f, "confirm plan {}", s.plan),
            Self::Wait(period) => write!(f, "wait {period}"),
            Self::WaitUntil(s) => write!(f, "wait until {}", word(s)),
            Self::Write(s) => write!(f, "{} writes {} blocks", s.machine, s.blocks),
            Self::Inject(change) => write!(f, "inject {change}"),
            Self::Arm(s) => {
                f.write_str("arm ")?;
                match (&s.fault, &s.crash) {
                    (Some(fault), _) => write!(f, "{fault}")?,
                    (None, Some(node)) => write!(f, "crash of {}", node.node)?,
                    (None, None) => f.write_str("nothing")?,
                }
                s.when.as_ref().map_or(Ok(()), |when| write!(f, " {when}"))
            }
            Self::Clear(id) => write!(f, "clear {id}"),
            Self::Operator(change) => write!(f, "operator: {change}"),
            Self::Crash(s) => write!(f, "crash {}", s.node),
            Self::Restart(s) => write!(f, "restart {}", s.node),
            Self::Check(_) => f.write_str("check"),
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vcenter(change) => write!(f, "vcenter {}", word(change)),
            Self::ConfigurationServer(change) => write!(f, "configuration-server {}", word(change)),
            Self::MasterTarget(on) => write!(f, "{} {}", on.name, word(&on.change)),
            Self::ProcessServer(on) => write!(f, "{} {}", on.name, word(&on.change)),
            Self::Azure(change) => write!(f, "azure {}", word(change)),
            Self::Guest(change) => write!(f, "guest {}", word(change)),
            Self::Link(change) => write!(f, "link {}", word(change)),
            Self::Call(call) => write!(f, "{call}"),
        }
    }
}

impl fmt::Display for CallFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.action {
            CallAction::Refuse => "refuse".to_owned(),
            CallAction::TimeOut => "time out".to_owned(),
            CallAction::LoseReply => "lose the reply of".to_owned(),
            CallAction::Delay(by) => format!("delay by {by}"),
            CallAction::Status(status) => format!("answer {status} to"),
            CallAction::Duplicate => "duplicate".to_owned(),
            CallAction::Truncate(at) => format!("truncate after {at} bytes the reply of"),
            CallAction::Garble => "garble the reply of".to_owned(),
            CallAction::GarbleRequest => "garble the request of".to_owned(),
        };
        write!(f, "{what} {} at {}", self.operation, self.to)?;
        if self.nth.value > 1 {
            write!(f, ", from call {} on", self.nth)?;
        }
        if self.times.value > 1 {
            write!(f, ", {} times", self.times)?;
        }
        Ok(())
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::After(period) => write!(f, "after {period}"),
            Self::AfterFault(m) => write!(f, "{} after fault {}", m.by, m.id),
            Self::BeforeCall(m) => write!(f, "before {} at {} (call {})", m.operation, m.to, m.nth),
            Self::AfterCall(m) => write!(f, "after {} at {} (call {})", m.operation, m.to, m.nth),
            Self::AtTask(m) => write!(f, "at task {}", m.task),
            Self::AfterTask(m) => write!(f, "after task {}", m.task),
        }
    }
}
