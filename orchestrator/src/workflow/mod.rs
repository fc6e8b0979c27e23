//! Workflows: static lists of steps, and the runner that takes jobs through them.

mod actions;
mod book;
pub(crate) mod cancel;
pub mod change_point;
pub mod clean_up_test;
pub mod commit;
pub mod commit_back;
pub mod enable;
pub mod failback;
pub mod failover;
pub mod leave;
pub mod move_server;
mod ops;
pub mod plan;
pub mod reprotect;
pub mod reprotect_forward;
pub mod resynchronise;
pub mod runner;
pub mod step;
pub mod test_failover;

#[cfg(test)]
mod tests;

pub use book::Classic;
pub(crate) use ops::added::{added_disks, left_out};
pub(crate) use ops::agent::address as agent_address;
pub use ops::agent::default_address;
pub use ops::azure::blob_host;
pub(crate) use ops::points::common_times;
pub(crate) use ops::session::UNKNOWN as UNKNOWN_SESSION;
pub(crate) use ops::vcenter::noted_path;
pub use step::{Act, Recovery, Step, StepCtx, StepError, StepResult, Workflow, stable_id};

use crate::journal::{AzureVm, Health, Input, Item, Operation, Policy, Verb};
use crate::service::{Familiar, Roll, Services};
use failback_wire::clock::VirtualMs;
use failback_wire::error::Report;
use failback_wire::http::BoxFuture;
use failback_wire::ids::{GroupName, MachineName};
use failback_wire::proto::session::SessionView;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What the runner and the monitor need to know about the domain. The product has one; tests script theirs.
pub trait Book: Send + Sync {
    /// The workflow of an operation under a verb.
    fn workflow(&self, operation: Operation, verb: Verb) -> &'static Workflow;
    /// Gathers facts and evaluates every rule over them; touches nothing. No refusal: it may begin.
    fn precheck<'a>(&'a self, services: &'a Services, request: &'a Request) -> BoxFuture<'a, Checked>;
    /// Looks at an item's session and at the servers that carry it; touches nothing.
    /// `known` tells of the points that earlier looks brought; `roll` is shared by all looks of one round.
    fn glance<'a>(
        &'a self,
        services: &'a Services,
        item: &'a Item,
        known: &'a Familiar<'a>,
        roll: &'a Roll,
    ) -> BoxFuture<'a, Glance> {
        Box::pin(crate::service::glance(services, item, known, roll))
    }
}

/// What looking at preconditions brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Preconditions that do not hold, all of them: the job does not begin.
    pub refusals: Vec<Report>,
    /// What stops nothing, by machine: the item carries it as a warning once the job has begun.
    pub warnings: BTreeMap<MachineName, Vec<Report>>,
}

/// What preconditions are looked at for.
#[derive(Clone, Debug)]
pub struct Request {
    /// What is asked for.
    pub operation: Operation,
    /// Name of the recovery plan, when one asks and not an operator for a single item (G2).
    pub plan: Option<String>,
    /// Boot groups in order; one group with one name for a single item.
    pub groups: Vec<Vec<MachineName>>,
    /// The machines asked for, without members that are already there.
    pub members: BTreeMap<MachineName, Member>,
    /// Members of every replication group of the vault, when a plan asks.
    pub replication_groups: BTreeMap<GroupName, Vec<MachineName>>,
}

/// One machine of a [`Request`].
#[derive(Clone, Debug)]
pub struct Member {
    /// Its item; `None` when protection is about to be enabled for the first time.
    pub item: Option<Arc<Item>>,
    /// What was asked for it.
    pub input: Input,
    /// The vault's policy of the name that was asked for.
    pub policy: Option<Policy>,
    /// The virtual machine in Azure that an earlier protection left there.
    pub left: Option<AzureVm>,
    /// Its health as the monitor derives it.
    pub health: Health,
    /// The health errors behind it.
    pub errors: Vec<Report>,
}

/// What one look at an item's replication brought.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Glance {
    /// The session as its target sees it (the process server on the way to Azure); `None` without an answer.
    pub view: Option<SessionView>,
    /// What is wrong with it or with what carries it, as found right now, worst first.
    pub findings: Vec<Finding>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub report: Report,
    /// How bad it is.
    pub health: Health,
    /// Since when, where the finder knows (a last heartbeat). Findings younger than the configured silence
    /// do not count yet; `None` counts from when the monitor first saw it.
    pub since: Option<VirtualMs>,
    /// Counts at once, however young.
    pub at_once: bool,
}
