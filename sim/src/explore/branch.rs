//! Runs that share their beginning. The scenario is played once, without a fault; before each step the process forks, once
//! for every fault whose point lies in that step, and the fork plays on with the fault in it. What a fork does not
//! have to play again is half of a run, on average.
//!
//! A run is one thread of a process that has no other, without any file or socket, so that a fork is the same run. It must
//! be the one that would be played from its beginning: `--check` compares.

use super::kind::Kind;
use super::point::Place;
use super::trial::{Base, Became, Blow, Trial, Verdict};
use crate::driver::{Crossroads, Script, watched};
use crate::report::outcome::{Finding, FindingKind};
use crate::scenario::CheckedScenario;
use crate::scenario::model::Wire;
use crate::world::World;
use fork::{Fork, fork, waitpid};
use serde::{Deserialize, Serialize};
use std::cell::{OnceCell, RefCell};
use std::io::{PipeWriter, Write};

/// What a process tells of one run, as a line of JSON.
#[derive(Debug, Serialize, Deserialize)]
pub struct Told {
    /// Number of its fault among all.
    pub number: usize,
    /// What came of it; nothing where it could not strike.
    pub trial: Option<Trial>,
}

/// One fault to try, with its number among all.
pub type Numbered<'a> = (usize, &'a Blow);

/// Where the run that has no fault forks.
struct Branches<'a> {
    base: &'a Base,
    /// The faults, each with the step before which it is armed.
    blows: Vec<(usize, Numbered<'a>)>,
    /// What this process has become, if it is a fork.
    turned: OnceCell<Turned<'a>>,
    /// Those that no process could be forked for.
    left: RefCell<Vec<Numbered<'a>>>,
    out: &'a PipeWriter,
}

/// A fork: which fault it plays, in which scenario, armed before which step.
struct Turned<'a> {
    blow: Numbered<'a>,
    checked: &'static CheckedScenario,
    index: usize,
}

/// Plays the scenario with each of these faults, in this process and its forks; writes what came of them.
pub fn all(base: &Base, blows: Vec<Numbered<'_>>, check: bool, out: &PipeWriter) {
    // What it is to answer once more must have been kept from the beginning.
    let (stale, blows): (Vec<_>, Vec<_>) = blows.into_iter().partition(|(_, blow)| blow.kind == Kind::Stale);
    let blows = blows.into_iter().map(|blow| (base.step_of(&blow.1.point), blow)).collect();
    let branches = Branches { base, blows, turned: OnceCell::new(), left: RefCell::new(stale), out };
    let wire = base.checked.scenario.wire;
    let script = Script { listen: true, crossroads: Some(&branches), ..base.script(&base.checked, wire) };
    let played = watched(&script);
    let Branches { turned, left, .. } = branches;
    let Some(Turned { blow: (number, blow), checked, index }) = turned.into_inner() else {
        for (number, blow) in left.into_inner() {
            let blows = vec![blow.clone()];
            let trial = base.try_with(blows.clone(), false).map(|(trial, _)| trial);
            let again = || base.try_otherwise(blows, false).map(|(trial, _)| trial);
            let trial = trial.map(|trial| if check { trial.compared(again().as_ref()) } else { trial });
            tell(out, &Told { number, trial });
        }
        return;
    };
    let judge = |played| base.judge(vec![blow.clone()], base.arms(index, checked), played);
    let mut trial = judge(played);
    if check {
        let again = judge(base.play(checked, Wire::other, false));
        trial = trial.compared(Some(&again));
    }
    tell(out, &Told { number, trial: Some(trial) });
    std::process::exit(0);
}

/// Lines of two processes never share a pipe at one time: whoever has forked waits.
fn tell(mut out: &PipeWriter, told: &Told) {
    let line = serde_json::to_string(told).unwrap_or_default();
    if writeln!(out, "{line}").is_err() {
        // Nobody is left who wants to know.
        std::process::exit(1);
    }
}

impl Crossroads for Branches<'_> {
    fn turn(&self, index: usize, world: &World) -> Option<&'static CheckedScenario> {
        for (step, blow) in &self.blows {
            if self.turned.get().is_none()
                && *step == index
                && let Some(checked) = self.branch(index, *blow, world)
            {
                return Some(checked);
            }
        }
        None
    }

    fn is_last(&self) -> bool {
        self.turned.get().is_some()
    }
}

impl<'a> Branches<'a> {
    /// Forks for this fault; answers, in the fork, what is gone on with.
    fn branch(
        &self,
        index: usize,
        (number, blow): Numbered<'a>,
        world: &World,
    ) -> Option<&'static CheckedScenario> {
        let passed = match &blow.point.place {
            Place::Call { from, to, operation, .. } => world.net.passed(from, to, operation),
            Place::Write { kind, .. } => world.passed(kind),
        };
        let counted = Blow { point: blow.point.counted_from(passed), kind: blow.kind };
        let Some(checked) = self.base.with_from(index, &[counted]) else {
            tell(self.out, &Told { number, trial: None });
            return None;
        };
        match fork() {
            Ok(Fork::Child) => {
                // For as long as the process lasts.
                let checked = Box::leak(Box::new(checked));
                world.turn_away();
                let _ = self.turned.set(Turned { blow: (number, blow), checked, index });
                Some(checked)
            }
            Ok(Fork::Parent(child)) => {
                if waitpid(child).ok() != Some(0) {
                    tell(self.out, &Told { number, trial: Some(died(blow)) });
                }
                None
            }
            Err(error) => {
                tracing::debug!(%error, "a run cannot be forked");
                self.left.borrow_mut().push((number, blow));
                None
            }
        }
    }
}

/// What came of a run whose process died in its middle.
pub fn died(blow: &Blow) -> Trial {
    Trial {
        blows: vec![blow.clone()],
        verdict: Verdict::Broken,
        became: Became::default(),
        findings: vec![Finding::new(FindingKind::LabBug, "the process that played it died")],
        hash: 0,
        delay_ms: 0,
        lost_bytes: 0,
        lost_seconds: 0,
        actions: 0,
    }
}
