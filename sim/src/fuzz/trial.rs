//! A case played: as it is, then with faults at points of that run.

use super::case::Case;
use super::features::Extra;
use super::tally::Tally;
use crate::driver::{Played, Rehearsal, Script, compare_twins, watched};
use crate::explore::point::{Class, Point, index};
use crate::explore::trial::{Base, Blow};
use crate::report::outcome::{Finding, FindingKind};
use crate::scenario::CheckedScenario;
use crate::scenario::inventory::Inventory;
use crate::scenario::model::Step;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// How often each case is played with faults.
pub const VARIANTS: u64 = 8;
/// Of so many foolish requests that were refused it is looked at whether they touched anything.
pub const TWINS: usize = 3;
/// Most faults at a time.
const BLOWS: u64 = 4;

/// What failed, as far as another run can fail in the same way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Check {
    kind: FindingKind,
    /// The oracle's check, or the sentence without names and numbers; and the error's code.
    what: String,
}

impl std::fmt::Display for Check {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.kind.title(), self.what)
    }
}

impl Check {
    /// What kind of finding it is.
    pub fn kind(&self) -> FindingKind {
        self.kind
    }
    /// The check that gave a finding.
    pub fn of(finding: &Finding, inventory: &Inventory) -> Self {
        let kind = finding.kind;
        let bracketed = finding.message.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
        if let (FindingKind::InvariantBroken, Some((check, _))) = (kind, bracketed) {
            return Self { kind, what: check.to_owned() };
        }
        let named = |word: &str| inventory.machines.iter().any(|machine| word.contains(&machine.name));
        let plain = |word: &str| {
            if named(word) || word.contains(|c: char| c.is_ascii_digit()) {
                "…".to_owned()
            } else {
                word.to_owned()
            }
        };
        let words: Vec<String> = finding.message.split_whitespace().map(plain).collect();
        let code = finding.error.as_ref().map(|error| format!(" ({})", error.code)).unwrap_or_default();
        Self { kind, what: words.join(" ") + &code }
    }
}

/// A run that failed.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// The number of the case.
    pub number: u64,
    /// Which of its runs with faults; none: the one without.
    pub variant: Option<u64>,
    /// The faults.
    pub blows: Vec<String>,
    /// What was played.
    pub checked: CheckedScenario,
    /// What was rehearsed in it.
    pub rehearsal: Rehearsal,
    /// What failed.
    pub check: Check,
    /// The same in words.
    pub finding: Finding,
}

/// A run of a case.
#[derive(Clone, Debug)]
pub struct Run {
    /// Which of its runs with faults; none: the one without.
    variant: Option<u64>,
    blows: Vec<Blow>,
    checked: CheckedScenario,
}

/// What came of a case.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What failed.
    pub failures: Vec<Failure>,
    /// What was counted.
    pub tally: Tally,
    /// What each run told, in order; nothing where it panicked.
    pub hashes: Vec<Option<u128>>,
    /// The runs, when they are kept.
    pub runs: Vec<Run>,
}

/// Plays a scenario; where faults could strike is noted when somebody listens, and twins of refusals, so many at most, are
/// played too. A panic is a finding.
pub fn run(
    checked: &CheckedScenario,
    rehearsal: Rehearsal,
    listen: bool,
    twins: usize,
) -> Result<Played, Box<Finding>> {
    let script = Script { listen, rehearsal, ..Script::new(checked) };
    let judged = || {
        let mut played = watched(&script);
        compare_twins(&script, &mut played, twins);
        played
    };
    catch_unwind(AssertUnwindSafe(judged)).map_err(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
        Box::new(Finding::new(FindingKind::LabBug, format!("panic: {text}")))
    })
}

/// What a scenario tells over the other wire: the same.
fn otherwise(checked: &CheckedScenario, rehearsal: Rehearsal) -> Option<u128> {
    let mut checked = checked.clone();
    checked.scenario.wire = checked.scenario.wire.other();
    run(&checked, rehearsal, false, 0).ok().map(|played| played.recording.hash)
}

/// That a scenario is another run over the other wire.
pub(super) fn compared(checked: &CheckedScenario, rehearsal: Rehearsal) -> Option<Finding> {
    let told = run(checked, rehearsal, false, 0).ok().map(|played| played.recording.hash);
    (told != otherwise(checked, rehearsal)).then(two_runs)
}

fn two_runs() -> Finding {
    Finding::new(FindingKind::Nondeterminism, "two plays differ")
}

/// What does not hold, the worst first. That a fault did not strike is no failure: the run took another course.
pub fn red(played: &Played) -> Vec<Finding> {
    let mut red: Vec<Finding> =
        played.findings.iter().filter(|finding| finding.kind != FindingKind::FaultUnfired).cloned().collect();
    red.sort_by_key(|finding| match finding.kind {
        FindingKind::LabBug => 0,
        FindingKind::InvariantBroken => 1,
        FindingKind::Nondeterminism => 2,
        FindingKind::ExpectationFailed => 3,
        FindingKind::Stuck => 4,
        FindingKind::FaultUnfired => 5,
    });
    red
}

/// What runs beside a request may fall into another millisecond without it.
fn twins(case: &Case) -> usize {
    if case.features.does(Extra::Race) { 0 } else { TWINS }
}

/// Plays a case: once as it is, then so many times with faults. The runs are kept, when somebody wants them.
pub fn play(case: &Case, variants: u64, keeps: bool) -> Outcome {
    let mut outcome = Outcome::default();
    outcome.tally.cases = 1;
    let calm = &case.checked;
    outcome.keep(keeps, None, &[], calm);
    let played = match run(calm, case.rehearsal, true, twins(case)) {
        Ok(played) => played,
        Err(finding) => {
            outcome.tally.runs += 1;
            outcome.hashes.push(None);
            outcome.fails(case, None, &[], calm.clone(), *finding);
            return outcome;
        }
    };
    outcome.counts(&played, &[], false);
    if let Some(finding) = red(&played).into_iter().next() {
        outcome.fails(case, None, &[], calm.clone(), finding);
        return outcome;
    }
    let points = index(&played, &calm.inventory);
    let base = Base::of(calm.clone(), points, &played);
    drop(played);
    let places = Places::of(&base.points);
    // A call that meets a mishap is made and does not always arrive: then the count of those that do is another.
    let undisturbed = !calm.scenario.steps.iter().any(|step| matches!(step.value, Step::Arm(_)));
    for variant in 0..variants {
        let blows = places.blows(case, &base, variant);
        let Some(checked) = base.with(&blows).filter(|_| !blows.is_empty()) else { continue };
        outcome.keep(keeps, Some(variant), &blows, &checked);
        let finding = match run(&checked, case.rehearsal, false, 0) {
            Ok(played) => {
                let fired = outcome.counts(&played, &blows, base.has_observed(&played));
                red(&played).into_iter().next().or_else(|| (undisturbed && !fired).then(|| unfired(&blows)))
            }
            Err(finding) => {
                outcome.tally.runs += 1;
                outcome.hashes.push(None);
                Some(*finding)
            }
        };
        if let Some(finding) = finding {
            outcome.fails(case, Some(variant), &blows, checked, finding);
        }
    }
    outcome
}

/// The first of several faults meets the run as it was without any: it must strike.
fn unfired(blows: &[Blow]) -> Finding {
    let told: Vec<String> = blows.iter().map(ToString::to_string).collect();
    Finding::new(FindingKind::FaultUnfired, format!("the first of these never struck: {}", told.join("; ")))
}

impl Outcome {
    /// What each of the runs that were kept tells over the other wire.
    pub fn otherwise(&self, case: &Case) -> Vec<Option<u128>> {
        self.runs.iter().map(|run| otherwise(&run.checked, case.rehearsal)).collect()
    }

    /// Fails each run that told something else in another play.
    pub fn compare(&mut self, case: &Case, again: &[Option<u128>]) {
        let runs = std::mem::take(&mut self.runs);
        let unlike = runs.into_iter().enumerate().filter(|(n, _)| self.hashes.get(*n) != again.get(*n));
        for (_, Run { variant, blows, checked }) in unlike.collect::<Vec<_>>() {
            self.fails(case, variant, &blows, checked, two_runs());
        }
    }

    fn keep(&mut self, keeps: bool, variant: Option<u64>, blows: &[Blow], checked: &CheckedScenario) {
        if keeps {
            self.runs.push(Run { variant, blows: blows.to_vec(), checked: checked.clone() });
        }
    }

    fn counts(&mut self, played: &Played, blows: &[Blow], observed: bool) -> bool {
        self.hashes.push(Some(played.recording.hash));
        self.tally.run(played, blows, observed, red(played).is_empty())
    }

    fn fails(
        &mut self,
        case: &Case,
        variant: Option<u64>,
        blows: &[Blow],
        checked: CheckedScenario,
        finding: Finding,
    ) {
        let check = Check::of(&finding, &checked.inventory);
        let blows = blows.iter().map(ToString::to_string).collect();
        let Case { seed, number, rehearsal, .. } = *case;
        self.failures.push(Failure { seed, number, variant, blows, checked, rehearsal, check, finding });
    }
}

/// Where faults can strike, by kinds of moments: a moment that comes once is as likely as one that comes every minute.
struct Places<'a>(BTreeMap<String, (Class, Vec<&'a Point>)>);

impl<'a> Places<'a> {
    fn of(points: &'a [Point]) -> Self {
        let mut classes: BTreeMap<Class, Vec<&Point>> = BTreeMap::new();
        for point in points {
            classes.entry(point.class()).or_default().push(point);
        }
        Self(classes.into_iter().map(|(class, points)| (class.to_string(), (class, points))).collect())
    }

    /// The faults of a run.
    fn blows(&self, case: &Case, base: &Base, variant: u64) -> Vec<Blow> {
        let draw = case.draw.part(&format!("variant-{variant}"));
        let count = [1, 1, 2, 2, 3, BLOWS][draw.below("count", 6) as usize];
        (0..count).filter_map(|n| self.blow(case, base, &draw.part(&format!("blow-{n}")))).collect()
    }

    fn blow(&self, case: &Case, base: &Base, draw: &super::draw::Draw) -> Option<Blow> {
        // Not every kind can strike everywhere.
        (0..8).find_map(|attempt| {
            let draw = draw.part(&format!("{attempt}"));
            let (_, (_, points)) = draw.pick("class", &self.0, |(class, _)| (*class).clone())?;
            let point = *points.get(draw.below("nth", points.len() as u64) as usize)?;
            let kinds = case.features.kinds.iter().copied();
            let fits = kinds.filter(|kind| kind.arms(point, &base.checked.inventory, "fault").is_some());
            let kind = draw.pick("kind", fits, |kind| kind.name().to_owned())?;
            Some(Blow { point: point.clone(), kind })
        })
    }
}
