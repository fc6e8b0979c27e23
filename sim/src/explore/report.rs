//! What an exploration found out: by operation and kind, by verdict, and how long and how much it took to recover.

use super::kind::Kind;
use super::trial::{Trial, Verdict};
use failback_wire::operation::TRAFFIC;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Verdicts of several runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Counts {
    /// All succeeded at once.
    pub held: u32,
    /// Asking again was enough.
    pub recovered: u32,
    /// A person was needed.
    pub needs_operator: u32,
    /// Something broke.
    pub broken: u32,
}

impl Counts {
    fn add(&mut self, verdict: Verdict) {
        *match verdict {
            Verdict::Held => &mut self.held,
            Verdict::Recovered => &mut self.recovered,
            Verdict::NeedsOperator => &mut self.needs_operator,
            Verdict::Broken => &mut self.broken,
        } += 1;
    }
    /// All of them.
    pub fn all(self) -> u32 {
        self.held + self.recovered + self.needs_operator + self.broken
    }
}

/// The ledger of all faults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Ledger {
    /// Faults that waited for their moment.
    pub armed: u32,
    /// Their moment came.
    pub reached: u32,
    /// They changed something.
    pub fired: u32,
    /// The product met them.
    pub observed: u32,
    /// All came home.
    pub recovered: u32,
}

/// A distribution: the middle, the ninety-fifth of a hundred, the worst.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Spread {
    /// Half of them are at most this.
    pub p50: u64,
    /// 95 of 100 are at most this.
    pub p95: u64,
    /// All are at most this.
    pub max: u64,
}

impl Spread {
    fn of(mut values: Vec<u64>) -> Self {
        values.sort_unstable();
        let at = |percent: usize| {
            let place = (values.len() * percent).div_ceil(100).max(1) - 1;
            values.get(place).copied().unwrap_or_default()
        };
        Self { p50: at(50), p95: at(95), max: at(100) }
    }
}

/// What it costs to recover from one kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Recovery {
    /// How many runs.
    pub runs: u32,
    /// How much later than without the fault what was asked for was done, in ms of virtual time.
    pub time_to_recover_ms: Spread,
    /// What was lost beyond what is lost without it, in bytes.
    pub lost_bytes: Spread,
    /// The same in seconds.
    pub lost_seconds: Spread,
    /// What the operator had to do beyond what the scenario says.
    pub operator_actions: Spread,
}

/// A run that broke.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Broken {
    /// Its faults.
    pub faults: Vec<String>,
    /// What does not hold.
    pub findings: Vec<String>,
}

/// What was found out of one scenario.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Report {
    /// The scenario's name.
    pub scenario: String,
    /// Places where faults can strike.
    pub points: usize,
    /// Kinds of such moments.
    pub classes: usize,
    /// Runs.
    pub runs: u32,
    /// Of how many that there could be.
    pub of: u64,
    /// How they ended.
    pub verdicts: Counts,
    /// What became of the faults.
    pub ledger: Ledger,
    /// How they ended, by operation and kind of the fault that struck last.
    pub matrix: BTreeMap<String, BTreeMap<&'static str, Counts>>,
    /// What it costs to recover, by kind of the fault that struck last.
    pub recovery: BTreeMap<&'static str, Recovery>,
    /// What broke.
    pub broken: Vec<Broken>,
    /// Faults that never struck.
    pub unfired: Vec<String>,
}

impl Report {
    /// Sums up the runs of a scenario.
    pub fn new(scenario: &str, (points, classes): (usize, usize), of: u64, trials: &[Trial]) -> Self {
        let mut report = Self {
            scenario: scenario.to_owned(),
            points,
            classes,
            runs: trials.len() as u32,
            of,
            verdicts: Counts::default(),
            ledger: Ledger::default(),
            matrix: BTreeMap::new(),
            recovery: BTreeMap::new(),
            broken: Vec::new(),
            unfired: Vec::new(),
        };
        let mut by_kind: BTreeMap<&'static str, Vec<&Trial>> = BTreeMap::new();
        for trial in trials {
            report.take(trial);
            if let Some(blow) = trial.blows.last() {
                by_kind.entry(blow.kind.name()).or_default().push(trial);
            }
        }
        report.recovery = by_kind.into_iter().map(|(kind, trials)| (kind, recovery(&trials))).collect();
        report
    }

    fn take(&mut self, trial: &Trial) {
        self.verdicts.add(trial.verdict);
        if let Some(blow) = trial.blows.last() {
            let row = self.matrix.entry(blow.point.operation().to_owned()).or_default();
            row.entry(blow.kind.name()).or_default().add(trial.verdict);
        }
        let (ledger, became) = (&mut self.ledger, trial.became);
        ledger.armed += 1;
        for (count, is_so) in [
            (&mut ledger.reached, became.reached),
            (&mut ledger.fired, became.fired),
            (&mut ledger.observed, became.observed),
            (&mut ledger.recovered, became.recovered),
        ] {
            *count += u32::from(is_so);
        }
        let faults = || trial.blows.iter().map(ToString::to_string).collect::<Vec<_>>();
        if trial.is_unfired() {
            self.unfired.push(faults().join(", then "));
        } else if trial.verdict == Verdict::Broken {
            let findings = trial.findings.iter().map(ToString::to_string).collect();
            self.broken.push(Broken { faults: faults(), findings });
        }
    }
}

/// Everything about several scenarios.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Exploration {
    /// Each scenario.
    pub scenarios: Vec<Report>,
    /// What none of them exercised: by operation, the kinds that could befall it.
    pub unexercised: BTreeMap<&'static str, BTreeSet<&'static str>>,
}

impl Exploration {
    /// Of these scenarios.
    pub fn new(scenarios: Vec<Report>) -> Self {
        Self { unexercised: unexercised(&scenarios), scenarios }
    }
}

/// What no run of all these has exercised: by operation, the kinds that could befall it. Every kind of those that could:
/// nobody ever asked for it.
pub fn unexercised(reports: &[Report]) -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    unexercised_but(|operation, kind| {
        reports.iter().any(|report| report.matrix.get(operation).is_some_and(|row| row.contains_key(kind)))
    })
}

/// What has not been done: by operation, the kinds that could befall it.
pub fn unexercised_but(done: impl Fn(&str, &str) -> bool) -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    let mut missing: BTreeMap<&'static str, BTreeSet<&'static str>> = BTreeMap::new();
    for (operation, kind) in possible() {
        if !done(operation, kind) {
            missing.entry(operation).or_default().insert(kind);
        }
    }
    missing
}

/// Every pair of an operation and a kind of fault that could befall it.
fn possible() -> impl Iterator<Item = (&'static str, &'static str)> {
    TRAFFIC.iter().flat_map(|traffic| {
        let ends = traffic.from.iter().flat_map(|from| traffic.to.iter().map(move |to| (*from, *to)));
        let kinds = ends.flat_map(|roles| Kind::all().map(move |kind| (roles, kind)));
        kinds.flat_map(|(roles, kind)| {
            let operations = traffic.operations.iter().copied();
            operations
                .filter(move |operation| kind.concerns(roles, operation))
                .map(move |op| (op, kind.name()))
        })
    })
}

/// True when no run has ever shown this operation.
pub fn is_unknown(reports: &[Report], operation: &str) -> bool {
    !reports.iter().any(|report| report.matrix.contains_key(operation))
}

fn recovery(trials: &[&Trial]) -> Recovery {
    let of = |value: fn(&Trial) -> u64| Spread::of(trials.iter().map(|trial| value(trial)).collect());
    Recovery {
        runs: trials.len() as u32,
        time_to_recover_ms: of(|trial| trial.delay_ms),
        lost_bytes: of(|trial| trial.lost_bytes),
        lost_seconds: of(|trial| trial.lost_seconds),
        operator_actions: of(|trial| u64::from(trial.actions)),
    }
}
