//! One pass through a scenario's steps, on a runtime of its own with a paused clock.

use super::client::Client;
use super::steps::Stop;
use crate::fault::Board;
use crate::recorder::{Recorder, Recording};
use crate::report::outcome::{Finding, FindingKind};
use crate::scenario::CheckedScenario;
use crate::scenario::model::Wire;
use crate::world::{World, WorldOptions};
use failback_oracle::{Violation, twin};
use failback_wire::clock::VirtualMs;
use serde_json::Value;
use std::sync::{Arc, Weak};

/// What is played.
#[derive(Clone)]
pub struct Script<'a> {
    /// The scenario.
    pub checked: &'a CheckedScenario,
    /// The seed.
    pub seed: u64,
    /// The wire.
    pub wire: Wire,
    /// Keep the whole log.
    pub keep_log: bool,
    /// Leave this request out and stop at this time.
    pub twin: Option<Twin>,
    /// Crash the orchestrator somewhere.
    pub crash: Option<Crash>,
    /// Run every step and every undo of the product's workflows twice.
    pub run_twice: bool,
}

/// Where a twin differs: the request of this step (index from 0) is not sent, and the run ends at `until`.
#[derive(Clone, Copy, Debug)]
pub struct Twin {
    /// Index of the step.
    pub omit: usize,
    /// When to look.
    pub until: VirtualMs,
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
    index: usize,
    step: (u32, u32),
    at: VirtualMs,
    observed: Value,
}

impl Refusal {
    pub(super) fn new(index: usize, step: (u32, u32), at: VirtualMs, observed: Value) -> Self {
        Self { index, step, at, observed }
    }
    /// The twin to compare with.
    pub(super) fn twin(&self) -> Twin {
        Twin { omit: self.index, until: self.at }
    }
    /// What the refusal touched.
    pub(super) fn compare(&self, twin: &Played) -> Vec<Finding> {
        let Some(observed) = &twin.observed else {
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

/// What came of it.
pub struct Played {
    /// What went wrong.
    pub findings: Vec<Finding>,
    /// The events.
    pub recording: Recording,
    /// When it ended.
    pub ended: VirtualMs,
    /// Calls that crossed the switchboard.
    pub calls: u64,
    /// Journal writes of the orchestrator, over all its epochs.
    pub writes: u64,
    /// Guest writes of 4 KiB.
    pub guest_writes: u64,
    /// Requests that were refused.
    pub refusals: Vec<Refusal>,
    /// The world at the end of a twin run.
    pub observed: Option<Value>,
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
        keep_log: script.keep_log,
        crash: script.crash,
        run_twice: script.run_twice,
    };
    let world = World::build(&script.checked.inventory, options, Arc::new(Board::default()));
    let client = Client::new(
        world.operator.http.clone(),
        crate::scenario::inventory::ORCHESTRATOR,
        &world.product_config().vault,
    );
    let mut driver = Driver {
        world: world.clone(),
        client,
        checked: script.checked,
        twin: script.twin,
        findings: Vec::new(),
        refusals: Vec::new(),
        requests: 0,
        rules: Vec::new(),
    };
    let horizon = script.checked.scenario.horizon.value.duration();
    let all = tokio::time::timeout(horizon, driver.all_steps()).await;
    let observed = match all {
        Ok(Ok(())) => {
            driver.judge_end().await;
            None
        }
        Ok(Err(Stop::Twin)) => Some(world.observe()),
        Ok(Err(Stop::Failed)) => None,
        Err(_) => {
            driver.findings.push(stuck(&world, &format!("{horizon:?} of virtual time passed")));
            None
        }
    };
    let violations = world.recorder.oracle(|o| o.violations().to_vec()).unwrap_or_default();
    let broken = |v: Violation| Finding::new(FindingKind::InvariantBroken, v.to_string());
    driver.findings.extend(violations.into_iter().map(broken));
    let recording = world.recorder.finish();
    world.net.close();
    let played = Played {
        findings: driver.findings,
        recording,
        ended: world.clock.now(),
        calls: world.net.calls(),
        writes: world.journal_writes(),
        guest_writes: world.recorder.witness(|w| w.guest_writes),
        refusals: driver.refusals,
        observed,
    };
    (played, Arc::downgrade(&world.recorder))
}

/// The verdict "stuck", which names who waits for what.
pub(super) fn stuck(world: &World, why: &str) -> Finding {
    let waiting = world.net.waiting();
    let who = if waiting.is_empty() { "nobody waits for a reply".to_owned() } else { waiting.join("; ") };
    Finding::new(FindingKind::Stuck, format!("{why}: {who}"))
}

/// The operator of one run.
pub(super) struct Driver<'a> {
    pub(super) world: Arc<World>,
    pub(super) client: Client,
    pub(super) checked: &'a CheckedScenario,
    pub(super) twin: Option<Twin>,
    pub(super) findings: Vec<Finding>,
    pub(super) refusals: Vec<Refusal>,
    pub(super) requests: u64,
    /// Ids of call faults, whose firing the switchboard knows.
    pub(super) rules: Vec<String>,
}
