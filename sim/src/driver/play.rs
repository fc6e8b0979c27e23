//! One pass through a scenario's steps, on a runtime of its own with a paused clock.

use super::client::Client;
use super::ledger::Rule;
use super::persist::Toil;
use super::setback::Setback;
use super::steps::{At, Stop};
use crate::fault::{Board, Entry};
use crate::recorder::{Keep, Recorder, Recording};
use crate::report::outcome::{Finding, FindingKind, Lost};
use crate::scenario::CheckedScenario;
use crate::scenario::model::Wire;
use crate::switchboard::Heard;
use crate::world::{World, WorldOptions, Written};
use failback_oracle::{Violation, twin};
use failback_orchestrator::config::Rehearsal;
use failback_orchestrator::journal::{Job, Operation, Verb};
use failback_wire::clock::VirtualMs;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::time::Instant;

/// What is played.
#[derive(Clone)]
pub struct Script<'a> {
    /// The scenario.
    pub checked: &'a CheckedScenario,
    /// The seed.
    pub seed: u64,
    /// The wire.
    pub wire: Wire,
    /// What is kept of the run.
    pub keep: Keep,
    /// Leave a request out and look at the world without it.
    pub twin: Option<Twin>,
    /// Crash the orchestrator somewhere.
    pub crash: Option<Crash>,
    /// What the product's workflows rehearse.
    pub rehearsal: Rehearsal,
    /// Note every call and every write of the journal from the first step on.
    pub listen: bool,
    /// Who may send the run another way.
    pub crossroads: Option<&'a dyn Crossroads>,
}

impl Script<'_> {
    fn is_last(&self) -> bool {
        self.crossroads.is_some_and(Crossroads::is_last)
    }
}

/// Asked before each step whether the run takes another way from there.
pub trait Crossroads {
    /// The scenario that is gone on with, from its step at `index` on; nothing to go on as before.
    fn turn(&self, index: usize, world: &World) -> Option<&'static CheckedScenario>;
    /// True when the process ends with the run: nothing need be let go of then.
    fn is_last(&self) -> bool;
}

impl<'a> Script<'a> {
    /// The scenario as its file says, and nothing else.
    pub fn new(checked: &'a CheckedScenario) -> Self {
        let (seed, wire) = (checked.scenario.seed, checked.scenario.wire);
        let rehearsal = Rehearsal::default();
        Self {
            checked,
            seed,
            wire,
            keep: Keep::Nothing,
            twin: None,
            crash: None,
            rehearsal,
            listen: false,
            crossroads: None,
        }
    }
}

/// Where a twin differs: this request (from 1, counted over the whole run) is not sent; the world is looked
/// at, and the run ends at the last look.
#[derive(Clone, Debug)]
pub struct Twin {
    /// Number of the request.
    pub omit: u64,
    /// When to look, in order.
    pub looks: Vec<VirtualMs>,
}

/// A crash of the orchestrator at one of its journal writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crash {
    /// The n-th write of its journal, from 1, counted over the whole run.
    pub write: u64,
    /// Right before that write is committed, or right after.
    pub before: bool,
}

impl std::str::FromStr for Crash {
    type Err = String;
    /// `before:24` or `after:24`.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not like before:24 or after:24");
        let (side, write) = text.split_once(':').ok_or_else(wrong)?;
        let before = match side {
            "before" => true,
            "after" => false,
            _ => return Err(wrong()),
        };
        let write = write.parse().ok().filter(|n| *n > 0).ok_or_else(wrong)?;
        Ok(Self { write, before })
    }
}

/// A refused request and the world right after it.
pub struct Refusal {
    request: u64,
    step: (u32, u32),
    at: VirtualMs,
    observed: Value,
}

impl Refusal {
    pub(super) fn new(request: u64, step: (u32, u32), at: VirtualMs, observed: Value) -> Self {
        Self { request, step, at, observed }
    }
    /// The twin to compare with.
    pub(super) fn twin(&self) -> Twin {
        Twin { omit: self.request, looks: vec![self.at] }
    }
    /// What the refusal touched.
    pub(super) fn compare(&self, twin: &Played) -> Vec<Finding> {
        let Some(observed) = twin.observed.first() else {
            let text = "the twin run of a refused request did not come to its end";
            return vec![Finding::new(FindingKind::LabBug, text).at(self.step.0, self.step.1)];
        };
        twin::compare(&self.observed, observed, twin::MASK)
            .into_iter()
            .map(|d| {
                Finding::new(FindingKind::InvariantBroken, format!("a refusal touched {}", d.path))
                    .at(self.step.0, self.step.1)
                    .compared(shown(d.b.as_ref()), shown(d.a.as_ref()))
            })
            .collect()
    }
}

fn shown(value: Option<&Value>) -> String {
    value.map_or_else(|| "nothing".to_owned(), Value::to_string)
}

/// A step of a workflow: its operation, whether it was asked for as planned, its id.
pub type StepName = (Operation, Verb, String);

/// What came of it.
pub struct Played {
    /// What went wrong.
    pub findings: Vec<Finding>,
    /// What machines lost in their last failover or failback.
    pub lost: Vec<Lost>,
    /// The events.
    pub recording: Recording,
    /// When it ended.
    pub ended: VirtualMs,
    /// Calls that crossed the switchboard.
    pub calls: u64,
    /// Journal writes of the orchestrator, over all its epochs: the kind of each, in order.
    pub writes: Vec<String>,
    /// Steps of workflows that began.
    pub steps: BTreeSet<StepName>,
    /// Guest writes of 4 KiB.
    pub guest_writes: u64,
    /// Requests that were refused.
    pub refusals: Vec<Refusal>,
    /// The job that failed because the rehearsal wanted it to, if one did.
    pub setback: Option<Setback>,
    /// How many virtual machines and how many disks there are in Azure in the end.
    pub in_azure: (usize, usize),
    /// The world at each look of a twin run.
    pub observed: Vec<Value>,
    /// Wall time of each step that was played.
    pub walls: Vec<Duration>,
    /// From when to when each step took.
    pub times: Vec<(VirtualMs, VirtualMs)>,
    /// Where each step began among all that was noted.
    pub began: Vec<u64>,
    /// What the operator did that no step says.
    pub toil: Toil,
    /// What became of faults.
    pub ledger: Vec<Entry>,
    /// Calls that failed, or were answered that the callee failed.
    pub failed_calls: u64,
    /// Calls and journal writes since the first step, when they were to be noted.
    pub heard: (Vec<Heard>, Vec<Written>),
}

/// Plays the script to its end.
///
/// # Panics
/// When the machine cannot give us a runtime.
pub fn play(script: &Script<'_>) -> Played {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(e) => panic!("no runtime: {e}"),
    };
    let (played, recorder) = runtime.block_on(on_stage(script));
    if script.is_last() {
        std::mem::forget(runtime);
        return played;
    }
    // Tasks of dead epochs go here, at the end of the run.
    drop(runtime);
    debug_assert_eq!(recorder.strong_count(), 0, "something of the run outlives it");
    played
}

/// Plays; answers the recorder too, which everything that is part of the world holds.
async fn on_stage(script: &Script<'_>) -> (Played, Weak<Recorder>) {
    let options = WorldOptions {
        seed: script.seed,
        wire: script.wire.into(),
        keep: script.keep,
        crash: script.crash,
        rehearsal: script.rehearsal,
    };
    let world = World::build(&script.checked.inventory, options, Arc::new(Board::default()));
    if script.listen {
        world.recorder.follow();
    }
    let client = Client::new(
        world.operator.http.clone(),
        crate::scenario::inventory::ORCHESTRATOR,
        &world.product_config().vault,
    );
    let mut driver = Driver::new(world.clone(), client, script);
    let horizon = script.checked.scenario.horizon.value;
    let all = tokio::time::timeout(horizon.duration(), driver.all_steps()).await;
    match all {
        Ok(Ok(())) => driver.judge_end().await,
        Ok(Err(Stop::Twin | Stop::Failed)) => {}
        Err(_) => {
            let stuck = driver.stuck(horizon).await;
            driver.findings.push(stuck);
        }
    }
    let violations = world.recorder.oracle(|o| o.violations().to_vec()).unwrap_or_default();
    let broken = |v: Violation| Finding::new(FindingKind::InvariantBroken, v.to_string());
    driver.findings.extend(violations.into_iter().map(broken));
    let (lost, ledger) = (driver.losses(), driver.ledger());
    let recording = world.recorder.finish();
    let played = Played {
        findings: driver.findings,
        lost,
        walls: driver.walls,
        times: driver.times,
        began: driver.began,
        toil: driver.toil,
        ledger,
        failed_calls: world.net.failed(),
        heard: if script.listen { world.listen() } else { Default::default() },
        recording,
        ended: world.clock.now(),
        calls: world.net.calls(),
        writes: world.journal_writes(),
        steps: world.jobs().iter().flat_map(begun).collect(),
        guest_writes: world.recorder.witness(|w| w.guest_writes),
        refusals: driver.refusals,
        setback: driver.setback,
        in_azure: (world.azure.vms().len(), world.azure.disks().len()),
        observed: driver.observed,
    };
    let recorder = Arc::downgrade(&world.recorder);
    if script.is_last() {
        std::mem::forget(world);
    }
    (played, recorder)
}

/// The steps that began for some member of the job.
fn begun(job: &Job) -> impl Iterator<Item = StepName> {
    let (operation, verb) = (job.request.operation, job.verb());
    let ids = job.members.values().flat_map(|member| member.steps.keys());
    ids.map(move |id| (operation, verb, id.clone()))
}

/// The operator of one run.
pub(super) struct Driver<'a> {
    pub(super) world: Arc<World>,
    pub(super) client: Client,
    pub(super) script: Script<'a>,
    pub(super) checked: &'a CheckedScenario,
    pub(super) findings: Vec<Finding>,
    pub(super) refusals: Vec<Refusal>,
    pub(super) setback: Option<Setback>,
    pub(super) observed: Vec<Value>,
    /// How many requests were sent; the same one sent again, because nobody answered, counts once.
    pub(super) requests: u64,
    /// The step that is under way; none while the estate comes under protection.
    pub(super) current: Option<At>,
    /// The last job that steps have brought, by item or plan.
    pub(super) jobs: BTreeMap<String, String>,
    /// Faults whose firing the switchboard knows, by their ids.
    pub(super) rules: BTreeMap<String, Rule>,
    /// Wall time of each step so far; nothing in the run sees it.
    pub(super) walls: Vec<Duration>,
    /// What the operator did that no step says.
    pub(super) toil: Toil,
    /// When the operator last thought of a resynchronisation.
    pub(super) helped: Option<Instant>,
    /// From when to when each step so far took.
    pub(super) times: Vec<(VirtualMs, VirtualMs)>,
    /// Where each step so far began among all that was noted.
    pub(super) began: Vec<u64>,
}

impl<'a> Driver<'a> {
    fn new(world: Arc<World>, client: Client, script: &Script<'a>) -> Self {
        Self {
            world,
            client,
            script: script.clone(),
            checked: script.checked,
            findings: Vec::new(),
            refusals: Vec::new(),
            setback: None,
            observed: Vec::new(),
            requests: 0,
            current: None,
            jobs: BTreeMap::new(),
            rules: BTreeMap::new(),
            walls: Vec::new(),
            toil: Toil::default(),
            helped: None,
            times: Vec::new(),
            began: Vec::new(),
        }
    }
}

impl Driver<'_> {
    /// What machines lost in their last failover or failback, as far as they lost anything.
    fn losses(&self) -> Vec<Lost> {
        let of = |machine: &crate::scenario::inventory::Machine| {
            let loss = self.world.recorder.oracle(|o| o.loss(&machine.name.as_str().into())).flatten()?;
            let (bytes, seconds) = (loss.bytes, loss.seconds);
            (bytes > 0).then(|| Lost { machine: machine.name.clone(), bytes, seconds })
        };
        self.checked.inventory.machines.iter().filter_map(of).collect()
    }
}
