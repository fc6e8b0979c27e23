//! One run with one fault, or two: the scenario under a persistent operator, and what came of it.

use super::course::{Own, persistent};
use super::kind::Kind;
use super::point::{Point, index};
use crate::driver::{Played, Rehearsal, Script, Toil, watched};
use crate::fault::Entry;
use crate::report::outcome::{Finding, FindingKind, Lost};
use crate::scenario::CheckedScenario;
use crate::scenario::model::{Step, Wire};
use crate::scenario::text::Spanned;
use failback_wire::clock::VirtualMs;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::Range;

/// A fault at a point.
#[derive(Clone, Debug, PartialEq)]
pub struct Blow {
    /// The point.
    pub point: Point,
    /// What happens there.
    pub kind: Kind,
}

impl fmt::Display for Blow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use super::point::Place;
        match &self.point.place {
            Place::Call { from, to, operation, nth } => {
                write!(f, "{} at call {nth} of {operation}, {from} to {to}", self.kind)?;
            }
            Place::Write { kind, nth } => write!(f, "{} at journal write {nth} of {kind}", self.kind)?,
        }
        write!(f, " ({})", self.point.during)
    }
}

/// How a run with a fault ended. Worse ones come later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// All that was asked for succeeded at once.
    Held,
    /// Asking again was enough.
    Recovered,
    /// It took a person: to mend what the fault left, or to ask again once the fault was over, which only a person ends.
    NeedsOperator,
    /// Something that must hold does not, or it never came home.
    Broken,
}

/// What became of the faults of a run: each is armed; then, in this order, what of them came true.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Became {
    /// Of so many the moment came.
    pub reached: u32,
    /// So many changed something.
    pub fired: u32,
    /// The product met them: calls failed that do not fail otherwise, or its story is another one.
    pub observed: bool,
    /// All came home.
    pub recovered: bool,
}

/// What came of a run with a fault.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// The faults, in their order; whoever tells another process of the trial says them otherwise.
    #[serde(skip)]
    pub blows: Vec<Blow>,
    /// How it ended.
    pub verdict: Verdict,
    /// What became of them.
    pub became: Became,
    /// What does not hold.
    pub findings: Vec<Finding>,
    /// Over everything that happened.
    pub hash: u128,
    /// How much later than without the fault its steps were done, in ms.
    pub delay_ms: u64,
    /// What was lost beyond what is lost without the fault: bytes.
    pub lost_bytes: u64,
    /// The same in seconds.
    pub lost_seconds: u64,
    /// What the operator did that the scenario does not say: asked again, mended, ended the fault.
    pub actions: u32,
}

/// The scenario under a persistent operator, without a fault: what every run with one is compared with.
pub struct Base {
    /// The scenario.
    pub checked: CheckedScenario,
    /// Every place where a fault can strike, in order.
    pub points: Vec<Point>,
    /// Where each step began among all that was noted.
    began: Vec<u64>,
    /// How long each step took, in ms.
    took: Vec<u64>,
    lost: Vec<Lost>,
    failed_calls: u64,
    story: u64,
    /// What the operator has to do anyway.
    toil: Toil,
    /// What the product's workflows rehearse in every run with a fault.
    rehearsal: Rehearsal,
}

impl Base {
    /// Plays the scenario without a fault and notes where faults can strike.
    ///
    /// # Errors
    /// What does not hold even without one.
    pub fn new(original: &CheckedScenario) -> Result<Self, Vec<Finding>> {
        let playing = |own| Self::playing(persistent(original, own));
        let tried = |_| playing(Own::Tried);
        playing(Own::Left).or_else(|findings| playing(Own::Kept).or_else(tried).map_err(|_| findings))
    }

    fn playing(checked: CheckedScenario) -> Result<Self, Vec<Finding>> {
        let played = watched(&Script { listen: true, ..Script::new(&checked) });
        if !played.findings.is_empty() {
            return Err(played.findings);
        }
        let points = index(&played, &checked.inventory);
        Ok(Self::of(checked, points, &played))
    }

    /// The scenario, where faults can strike, and what became of it without one.
    pub fn of(checked: CheckedScenario, points: Vec<Point>, played: &Played) -> Self {
        let (took, lost) = (took(&played.times), played.lost.clone());
        let (failed_calls, story) = (played.failed_calls, played.recording.story);
        let (toil, rehearsal) = (played.toil, Rehearsal::default());
        let began = played.began.clone();
        Self { checked, points, began, took, lost, failed_calls, story, toil, rehearsal }
    }

    /// The same, to play runs with faults in which the product rehearses something.
    #[must_use]
    pub fn rehearsing(self, rehearsal: Rehearsal) -> Self {
        Self { rehearsal, ..self }
    }

    /// The scenario with these faults, or nothing where one cannot strike at its point.
    pub fn with(&self, blows: &[Blow]) -> Option<CheckedScenario> {
        self.with_from(0, blows)
    }

    /// The same with faults that are armed only before the step at `index`, and count from there.
    pub fn with_from(&self, index: usize, blows: &[Blow]) -> Option<CheckedScenario> {
        let mut checked = self.checked.clone();
        let mut steps = Vec::new();
        for (n, blow) in blows.iter().enumerate() {
            let arms = blow.kind.arms(&blow.point, &checked.inventory, &format!("fault-{}", n + 1))?;
            steps.extend(arms.into_iter().map(|arm| Spanned::unplaced(Step::Arm(Box::new(arm)))));
        }
        checked.scenario.steps.splice(index..index, steps);
        Some(checked)
    }

    /// The step in which a point lies.
    pub fn step_of(&self, point: &Point) -> usize {
        let last = self.checked.scenario.steps.len().saturating_sub(1);
        self.began.partition_point(|began| *began <= point.order).saturating_sub(1).min(last)
    }

    /// Plays it with these faults; answers, besides, where further ones could strike, when asked. Nothing where one of
    /// several found changed already what it was to change.
    pub fn try_with(&self, blows: Vec<Blow>, listen: bool) -> Option<(Trial, Vec<Point>)> {
        self.try_over(|wire| wire, blows, listen)
    }

    /// The same over the other wire: it must be the same run.
    pub fn try_otherwise(&self, blows: Vec<Blow>, listen: bool) -> Option<(Trial, Vec<Point>)> {
        self.try_over(Wire::other, blows, listen)
    }

    fn try_over(
        &self,
        over: fn(Wire) -> Wire,
        blows: Vec<Blow>,
        listen: bool,
    ) -> Option<(Trial, Vec<Point>)> {
        let checked = self.with(&blows)?;
        let played = self.play(&checked, over, listen);
        if blows.len() > 1 && played.ledger.iter().any(|entry| entry.error.is_some()) {
            return None;
        }
        let further = if listen { index(&played, &checked.inventory) } else { Vec::new() };
        Some((self.judge(blows, self.arms(0, &checked), played), further))
    }

    /// Plays this scenario, the base's with faults in it, from its beginning.
    pub(super) fn play(&self, checked: &CheckedScenario, over: fn(Wire) -> Wire, listen: bool) -> Played {
        let wire = over(checked.scenario.wire);
        watched(&Script { listen, ..self.script(checked, wire) })
    }

    /// How this scenario is played.
    pub(super) fn script<'a>(&self, checked: &'a CheckedScenario, wire: Wire) -> Script<'a> {
        Script { wire, rehearsal: self.rehearsal, ..Script::new(checked) }
    }

    /// Which of its steps arm the faults, that from `index` on.
    pub(super) fn arms(&self, index: usize, checked: &CheckedScenario) -> Range<usize> {
        index..index + checked.scenario.steps.len().saturating_sub(self.checked.scenario.steps.len())
    }

    /// The product met what happened there: calls failed that do not fail otherwise, or its story is another one.
    pub fn has_observed(&self, played: &Played) -> bool {
        played.failed_calls != self.failed_calls || played.recording.story != self.story
    }

    /// What came of these faults, which these steps armed.
    pub(super) fn judge(&self, blows: Vec<Blow>, arms: Range<usize>, mut played: Played) -> Trial {
        let own: Vec<&Entry> = played.ledger.iter().filter(|entry| entry.id.starts_with("fault-")).collect();
        let count = |is: &dyn Fn(&Entry) -> bool| own.iter().filter(|entry| is(entry)).count() as u32;
        let all_fired = count(&|entry| entry.fired) as usize == blows.len();
        // The scenario's own may come to nothing where another changed its course.
        played.findings.retain(|finding| finding.kind != FindingKind::FaultUnfired || !all_fired);
        let observed = self.has_observed(&played);
        let took = took(&played.times);
        let took = took.iter().enumerate().filter(|(step, _)| !arms.contains(step)).map(|(_, took)| took);
        let delay_ms = took.zip(&self.took).map(|(now, calm)| now.saturating_sub(*calm)).sum();
        let (bytes, seconds) = total(&played.lost);
        let (calm_bytes, calm_seconds) = total(&self.lost);
        let by_hand = blows.iter().any(|blow| blow.kind.is_ended_by_hand());
        let toil = played.toil.beyond(self.toil);
        let verdict = if !played.findings.is_empty() {
            Verdict::Broken
        } else if toil.by_hand > 0 || (by_hand && toil.again > 0) {
            Verdict::NeedsOperator
        } else if toil.again > 0 {
            Verdict::Recovered
        } else {
            Verdict::Held
        };
        Trial {
            blows,
            verdict,
            became: Became {
                reached: count(&|entry| entry.reached),
                fired: count(&|entry| entry.fired),
                observed,
                recovered: verdict != Verdict::Broken,
            },
            findings: played.findings,
            hash: played.recording.hash,
            delay_ms,
            lost_bytes: bytes.saturating_sub(calm_bytes),
            lost_seconds: seconds.saturating_sub(calm_seconds),
            actions: toil.again + toil.by_hand + u32::from(by_hand && observed),
        }
    }
}

impl Trial {
    /// The same, with what is wrong when another play of the same run told another story.
    #[must_use]
    pub fn compared(mut self, again: Option<&Self>) -> Self {
        if again.is_none_or(|again| again.hash != self.hash) {
            let finding = Finding::new(FindingKind::Nondeterminism, "two plays of one run differ");
            self.findings.push(finding);
            (self.verdict, self.became.recovered) = (Verdict::Broken, false);
        }
        self
    }

    /// True when its fault never struck.
    pub fn is_unfired(&self) -> bool {
        (self.became.fired as usize) < self.blows.len()
            || self.findings.iter().any(|finding| finding.kind == FindingKind::FaultUnfired)
    }
}

fn took(times: &[(VirtualMs, VirtualMs)]) -> Vec<u64> {
    times.iter().map(|(from, to)| to.0.saturating_sub(from.0)).collect()
}

fn total(lost: &[Lost]) -> (u64, u64) {
    (lost.iter().map(|lost| lost.bytes).sum(), lost.iter().map(|lost| lost.seconds).max().unwrap_or_default())
}
