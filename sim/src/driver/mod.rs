//! Runs one scenario: builds its world, acts as its operator would, and judges what came of it.
//!
//! The driver acts only through the northbound API and the fakes' consoles. A request that is expected to be
//! refused is run a second time in a twin world without it, and both worlds must look the same.

mod cancel;
pub mod client;
mod expect;
mod ledger;
mod operate;
mod persist;
mod plans;
mod play;
mod points;
mod remedy;
mod reprotect;
mod requests;
mod setback;
mod steps;
mod stuck;
mod view;

pub use failback_orchestrator::config::Rehearsal;
pub use failback_orchestrator::journal::{Operation, Verb};
pub use persist::Toil;
pub use play::{Crash, Crossroads, Played, Script, StepName, Twin, play};
pub use setback::Setback;

use crate::recorder::Keep;
use crate::report::outcome::{Finding, FindingKind, Outcome};
use crate::scenario::CheckedScenario;
use crate::scenario::model::Wire;
use crate::switchboard::WireKind;
use std::cell::Cell;
use std::sync::Once;

/// What the command line may choose about a run.
#[derive(Clone, Copy, Debug, Default)]
pub struct RunOptions {
    /// Instead of the file's seed.
    pub seed: Option<u64>,
    /// Instead of the file's wire.
    pub wire: Option<Wire>,
    /// Keep the whole event log in the outcome.
    pub events: bool,
    /// Crash the orchestrator at one of its journal writes.
    pub crash: Option<Crash>,
    /// What the product's workflows rehearse; nothing but for tests.
    pub rehearsal: Rehearsal,
}

impl From<Wire> for WireKind {
    fn from(wire: Wire) -> Self {
        match wire {
            Wire::Direct => Self::Direct,
            Wire::Http1 => Self::Http1,
        }
    }
}

/// Runs the scenario, and a twin for each refusal. Does no IO and may run on any thread.
pub fn run(checked: &CheckedScenario, options: &RunOptions) -> Outcome {
    #[expect(clippy::disallowed_methods, reason = "wall time of the report; nothing in the run sees it")]
    let started = std::time::Instant::now(); // wall
    let script = Script {
        seed: options.seed.unwrap_or(checked.scenario.seed),
        wire: options.wire.unwrap_or(checked.scenario.wire),
        keep: if options.events { Keep::All } else { Keep::Timeline },
        crash: options.crash,
        rehearsal: options.rehearsal,
        ..Script::new(checked)
    };
    let mut played = watched(&script);
    compare_twins(&script, &mut played, usize::MAX);
    if let Some(crash) = options.crash.filter(|crash| crash.write > played.writes.len() as u64) {
        let side = if crash.before { "before" } else { "after" };
        let text = format!(
            "the crash {side} journal write {} never came: the run has {} writes",
            crash.write,
            played.writes.len()
        );
        played.findings.push(Finding::new(FindingKind::FaultUnfired, text));
    }
    let mut outcome =
        Outcome::new(checked.scenario.name.value.clone(), checked.path.clone(), script.seed, script.wire);
    outcome.findings = played.findings;
    outcome.lost = played.lost;
    outcome.virtual_ms = played.ended.0;
    outcome.events = played.recording.events;
    outcome.calls = played.calls;
    outcome.hash = played.recording.hash;
    outcome.timeline = played.recording.timeline;
    outcome.tail = if options.events { played.recording.log } else { played.recording.tail };
    outcome.wall = started.elapsed();
    outcome
}

/// Plays a twin without it for each refusal, for so many at most, and notes what the refusal touched.
pub fn compare_twins(script: &Script<'_>, played: &mut Played, most: usize) {
    for refusal in std::mem::take(&mut played.refusals).into_iter().take(most) {
        let twin = watched(&Script { twin: Some(refusal.twin()), keep: Keep::Nothing, ..script.clone() });
        played.findings.extend(refusal.compare(&twin));
    }
}

thread_local! {
    static PANICS: Cell<u64> = const { Cell::new(0) };
}

/// Plays the script and reports panics of tasks, which tokio would swallow, as bugs of the lab.
pub fn watched(script: &Script<'_>) -> Played {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            PANICS.set(PANICS.get() + 1);
            before(info);
        }));
    });
    let before = PANICS.get();
    let mut played = play(script);
    if PANICS.get() != before {
        let text = "a task of the simulated world panicked; its message stands on standard error";
        played.findings.insert(0, Finding::new(FindingKind::LabBug, text));
    }
    played
}
