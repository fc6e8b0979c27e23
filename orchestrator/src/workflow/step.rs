//! What a workflow is: a static list of typed steps that reads like the portal's job page.

use crate::config::ReplicationPolicy;
use crate::journal::{Fact, Input, Item, Operation, ProtectionState, Rest, Verb};
use crate::service::Services;
use failback_wire::env::Env;
use failback_wire::error::{Class, ErrorDoc, Report};
use failback_wire::http::BoxFuture;
use failback_wire::ids::{JobId, MachineName};
use failback_wire::node::Ctx;
use std::sync::Arc;

/// What a step, or the undo of one, comes to.
pub type StepResult = Result<Vec<Fact>, StepError>;

/// A step's body: converges when called again with the same context, in this epoch or a later one.
pub type Act = for<'a> fn(&'a StepCtx<'a>) -> BoxFuture<'a, StepResult>;

/// One workflow.
#[derive(Clone, Copy)]
pub struct Workflow {
    /// What it does.
    pub operation: Operation,
    /// `scenarioName` of its jobs: `UnplannedFailover`.
    pub scenario: &'static str,
    /// `friendlyName` of its jobs: `Failover`.
    pub friendly: &'static str,
    /// The task in which preconditions are looked at, before any step: its id and its friendly name.
    pub precheck: (&'static str, &'static str),
    /// State of the item while it runs.
    pub running: ProtectionState,
    /// Where the item comes to rest when all steps are done.
    pub success: Rest,
    /// State in which a failure leaves the item; `None` puts it back where it was.
    pub failure: Option<ProtectionState>,
    /// In a plan: this step and those after it wait for the member's boot group (L2).
    pub boot_from: Option<&'static str>,
    /// The steps, in order.
    pub steps: &'static [Step],
}

impl Workflow {
    /// `scenarioName` of a job under `verb`.
    pub fn scenario_under(&self, verb: Verb) -> &'static str {
        match (self.scenario, verb) {
            ("UnplannedFailover", Verb::Planned) => "PlannedFailover",
            (scenario, Verb::Planned | Verb::Unplanned) => scenario,
        }
    }
    /// `friendlyName` of a job under `verb`.
    pub fn friendly_under(&self, verb: Verb) -> &'static str {
        match (self.friendly, verb) {
            ("Failover", Verb::Planned) => "Planned failover",
            (friendly, Verb::Planned | Verb::Unplanned) => friendly,
        }
    }
}

/// One step.
#[derive(Clone, Copy)]
pub struct Step {
    /// Names it in the journal; never changes.
    pub id: &'static str,
    /// Id of the task it shows under on the job page; steps in a row may share one.
    pub task: &'static str,
    /// Friendly name of that task.
    pub title: &'static str,
    /// Does it.
    pub run: Act,
    /// What to do about it when it, or a later step, fails.
    pub recovery: Recovery,
}

impl Step {
    /// A step under the task `(id, title)`.
    pub const fn new(
        id: &'static str,
        (task, title): (&'static str, &'static str),
        run: Act,
        recovery: Recovery,
    ) -> Self {
        Self { id, task, title, run, recovery }
    }
}

/// What to do about a step when it, or a later one, fails. Steps are taken back last first.
#[derive(Clone, Copy)]
pub enum Recovery {
    /// Take it back; also called when the step itself failed half-way, and converges as `run` does.
    Undo(Act),
    /// The point of no return: from here on only a further attempt goes on; nothing earlier is taken back.
    Forward,
    /// Only an operator can take it back; it stays as it is, earlier steps are taken back.
    Operator,
    /// It has no effects.
    Nothing,
}

/// All that a step may use.
pub struct StepCtx<'a> {
    /// Clients of the systems around us, and the configuration.
    pub services: &'a Services,
    /// Clock, randomness and events.
    pub ctx: &'a Ctx,
    /// The job.
    pub job: &'a JobId,
    /// The item as folded now: facts of earlier steps and of earlier attempts included.
    pub item: &'a Item,
    /// What was asked for this item.
    pub input: &'a Input,
    /// All members of the job in boot groups; one group with one name for a single item.
    pub groups: &'a [Vec<MachineName>],
    /// Cadence and retention by the policy that the item follows on the way to Azure, if it is known.
    pub policy: Option<ReplicationPolicy>,
    /// Same for every attempt of this step in this job, across restarts.
    pub key: &'a str,
    /// Counts this epoch's attempts, from 1.
    pub attempt: u32,
    /// The items of all members of the job, as folded now.
    pub members: &'a [Arc<Item>],
}

impl StepCtx<'_> {
    /// An id that is the same at every attempt of this step in this job, across restarts.
    pub fn id(&self, purpose: &str) -> String {
        stable_id(&self.ctx.env, &format!("{}/{purpose}", self.key))
    }
}

/// A GUID that follows from the seed and `name` alone.
pub fn stable_id(env: &Env, name: &str) -> String {
    env.ids(&format!("orchestrator/stable/{name}")).guid()
}

/// Why a step did not come to its end this time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepError {
    /// What the runner does about it.
    pub class: Class,
    /// What the job shows if it stays so.
    pub report: Box<Report>,
}

impl StepError {
    /// The catalogue's entry `doc` about `entity`; `detail` says what exactly was seen.
    pub fn new(doc: &ErrorDoc, entity: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { class: doc.class, report: Box::new(Report::new(doc, entity, detail)) }
    }
    /// The same error with another class: what usually heals by itself may not do so here.
    #[must_use]
    pub fn with_class(self, class: Class) -> Self {
        Self { class, ..self }
    }
}
