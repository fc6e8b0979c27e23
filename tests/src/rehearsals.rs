//! Rehearsals of a scenario: its steps fail in turn, each right after it did its work.
//!
//! What exists in Azure in the end is as much as in a play without a failure: what an attempt left is taken away.
//! The driver holds each failed job to its promises (it ends soon, its items rest, the oracle's sweep finds
//! nothing, a second attempt succeeds, the scenario goes on to its end). Here each world is compared, besides,
//! with the one in which that attempt was never made.

use failback_lab::driver::{Crash, Played, Rehearsal, Script, Setback, StepName, Twin, play};
use failback_lab::scenario::CheckedScenario;
use std::collections::{BTreeMap, BTreeSet};

/// What rehearsals of one scenario found out.
#[derive(Default)]
pub struct Sweep {
    /// Steps that failed, each at least once.
    pub failed: BTreeSet<StepName>,
    /// Plays that met a setback.
    pub plays: usize,
    /// What did not hold.
    pub broken: Vec<String>,
    /// What each setback left, by the request that it was met in.
    left: BTreeMap<u64, Vec<(String, Setback)>>,
}

impl Sweep {
    fn take(&mut self, label: &str, played: Played) {
        let Some(setback) = played.setback else {
            self.broken.push(format!("{label}: the step never failed"));
            return;
        };
        let label = format!("{label}: {:?} failed at {}", setback.operation, setback.step);
        self.broken.extend(played.findings.iter().map(|finding| format!("{label}: {finding:?}")));
        self.failed.insert((setback.operation, setback.verb, setback.step.clone()));
        self.plays += 1;
        self.left.entry(setback.request).or_default().push((label, setback));
    }

    /// Compares what the setbacks left with the world without the request: one twin for each request.
    fn compare(&mut self, checked: &CheckedScenario, twice: bool) {
        for (omit, mut setbacks) in std::mem::take(&mut self.left) {
            setbacks.sort_by_key(|(_, setback)| setback.at);
            let looks = setbacks.iter().map(|(_, setback)| setback.at).collect();
            let twin = Some(Twin { omit, looks });
            let rehearsal = Rehearsal { twice, ..Rehearsal::default() };
            let twin = play(&Script { twin, rehearsal, ..Script::new(checked) });
            assert_eq!(twin.observed.len(), setbacks.len(), "the twin without request {omit} ended early");
            for ((label, setback), seen) in setbacks.iter().zip(&twin.observed) {
                let left = setback.left_behind(seen);
                self.broken.extend(left.iter().map(|finding| format!("{label}: {finding:?}")));
            }
        }
    }

    /// Nothing is broken.
    ///
    /// # Panics
    /// When something is.
    pub fn assert_holds(&self) {
        let shown: Vec<&str> = self.broken.iter().take(12).map(String::as_str).collect();
        assert!(self.broken.is_empty(), "{} findings:\n{}", self.broken.len(), shown.join("\n"));
    }
}

/// Fails every step of the scenario in turn. `twice`: every step and every undo is done twice, too.
///
/// # Panics
/// When the scenario does not hold without a failure.
pub fn fail_each_step(checked: &CheckedScenario, twice: bool) -> Sweep {
    let mut sweep = Sweep::default();
    let mut in_azure = Vec::new();
    for nth in 1.. {
        let rehearsal = Rehearsal { twice, fail_step: Some(nth), ..Rehearsal::default() };
        let played = play(&Script { rehearsal, ..Script::new(checked) });
        if played.setback.is_none() {
            assert!(played.findings.is_empty(), "it must hold without a failure: {:#?}", played.findings);
            in_azure.retain(|(_, there)| *there != played.in_azure);
            let left =
                |(nth, there)| format!("step {nth}: in Azure are {there:?}, not {:?}", played.in_azure);
            sweep.broken.extend(in_azure.drain(..).map(left));
            break;
        }
        in_azure.push((nth, played.in_azure));
        sweep.take(&format!("step {nth}"), played);
    }
    sweep.compare(checked, twice);
    sweep
}

/// Fails every step of the scenario in turn, as far as `wanted` says, and crashes the orchestrator right before
/// and right after each journal write from that failure to the end of the job.
///
/// # Panics
/// When a play without a crash does not hold, or a crash point is never reached.
pub fn crash_while_unwinding(checked: &CheckedScenario, wanted: impl Fn(&Setback) -> bool) -> Sweep {
    let mut sweep = Sweep::default();
    for nth in 1.. {
        let rehearsal = Rehearsal { fail_step: Some(nth), ..Rehearsal::default() };
        let calm = play(&Script { rehearsal, ..Script::new(checked) });
        let Some(setback) = &calm.setback else { break };
        assert!(calm.findings.is_empty(), "step {nth} must hold without a crash: {:#?}", calm.findings);
        if !wanted(setback) {
            continue;
        }
        for write in unwinding(&calm.writes, setback) {
            for before in [true, false] {
                let crash = Crash { write, before };
                let played = play(&Script { rehearsal, crash: Some(crash), ..Script::new(checked) });
                assert!(played.writes.len() as u64 >= write, "{crash:?} was never reached");
                sweep.take(&format!("step {nth}, {crash:?}"), played);
            }
        }
    }
    sweep.compare(checked, false);
    sweep
}

/// The journal writes, from 1, between the first failure of a step and the end of its job.
fn unwinding(writes: &[String], setback: &Setback) -> std::ops::RangeInclusive<u64> {
    let is_plan = setback.taken_back.len() + setback.others.len() > 1;
    // The job of a single item ends with its member, in one write.
    let end = if is_plan { "job-ended" } else { "member-ended" };
    let first = writes.iter().position(|kind| kind == "step-failed").unwrap_or_default();
    let last = writes[first..].iter().position(|kind| kind == end).unwrap_or_default();
    (first as u64 + 1)..=((first + last) as u64 + 1)
}
