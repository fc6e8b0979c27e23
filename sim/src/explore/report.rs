//! What an exploration found out: by operation and kind, by verdict, and how long and how much it took to recover.

use super::kind::Kind;
use super::trial::{Became, Trial, Verdict};
use crate::report::outcome::Exit;
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
    pub(super) fn join(&mut self, others: Self) {
        self.held += others.held;
        self.recovered += others.recovered;
        self.needs_operator += others.needs_operator;
        self.broken += others.broken;
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
    /// The product met them, or others of their run.
    pub observed: u32,
    /// All came home in spite of them.
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

/// How often each value came. It grows with how different they are, not with how many.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Values(BTreeMap<u64, u32>);

impl Values {
    fn add(&mut self, value: u64) {
        *self.0.entry(value).or_default() += 1;
    }
    fn join(&mut self, others: &Self) {
        others.0.iter().for_each(|(value, times)| *self.0.entry(*value).or_default() += times);
    }
    fn spread(&self) -> Spread {
        let all: u64 = self.0.values().map(|times| u64::from(*times)).sum();
        let at = |percent: u64| {
            let place = (all * percent).div_ceil(100).max(1);
            let mut seen = 0;
            let value = self.0.iter().find(|(_, times)| {
                seen += u64::from(**times);
                seen >= place
            });
            value.map(|(value, _)| *value).unwrap_or_default()
        };
        Spread { p50: at(50), p95: at(95), max: at(100) }
    }
}

/// What runs with one kind of fault cost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Costs {
    verdicts: Counts,
    delay_ms: Values,
    lost_bytes: Values,
    lost_seconds: Values,
    actions: Values,
}

impl Costs {
    fn add(&mut self, trial: &Trial) {
        self.verdicts.add(trial.verdict);
        self.delay_ms.add(trial.delay_ms);
        self.lost_bytes.add(trial.lost_bytes);
        self.lost_seconds.add(trial.lost_seconds);
        self.actions.add(u64::from(trial.actions));
    }
    fn join(&mut self, others: &Self) {
        self.verdicts.join(others.verdicts);
        self.delay_ms.join(&others.delay_ms);
        self.lost_bytes.join(&others.lost_bytes);
        self.lost_seconds.join(&others.lost_seconds);
        self.actions.join(&others.actions);
    }
    fn recovery(&self) -> Recovery {
        Recovery {
            runs: self.verdicts.all(),
            verdicts: self.verdicts,
            time_to_recover_ms: self.delay_ms.spread(),
            lost_bytes: self.lost_bytes.spread(),
            lost_seconds: self.lost_seconds.spread(),
            operator_actions: self.actions.spread(),
        }
    }
}

/// What it costs to recover from one kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Recovery {
    /// How many runs.
    pub runs: u32,
    /// How they ended.
    pub verdicts: Counts,
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
    /// Of how many that there could be; of those with two faults, behind the first ones that were played.
    pub of: u64,
    /// With two faults in a run: how many first ones were played, and of how many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub firsts: Option<(usize, usize)>,
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
    /// What its runs cost, to be joined with that of others.
    #[serde(skip)]
    costs: BTreeMap<&'static str, Costs>,
}

/// Where a run stands among all: by its first fault, then by its second one.
pub type Place = (usize, usize);

/// Runs of a scenario, as they come; of each is kept what is counted, and of one that broke what broke.
#[derive(Debug, Default)]
pub struct Gathered {
    runs: u32,
    verdicts: Counts,
    ledger: Ledger,
    matrix: BTreeMap<String, BTreeMap<&'static str, Counts>>,
    costs: BTreeMap<&'static str, Costs>,
    broken: BTreeMap<Place, Broken>,
    unfired: BTreeMap<Place, String>,
    /// The worst that anything found ends with.
    pub exit: Exit,
}

impl Gathered {
    /// The report of a scenario with so many points of so many classes, of whose runs there could be `of`.
    pub fn report(
        self,
        scenario: &str,
        (points, classes): (usize, usize),
        of: u64,
        firsts: Option<(usize, usize)>,
    ) -> Report {
        Report {
            scenario: scenario.to_owned(),
            points,
            classes,
            runs: self.runs,
            of,
            firsts,
            verdicts: self.verdicts,
            ledger: self.ledger,
            matrix: self.matrix,
            recovery: self.costs.iter().map(|(kind, costs)| (*kind, costs.recovery())).collect(),
            broken: self.broken.into_values().collect(),
            unfired: self.unfired.into_values().collect(),
            costs: self.costs,
        }
    }

    /// Takes a run.
    pub fn take(&mut self, place: Place, trial: &Trial) {
        self.runs += 1;
        self.verdicts.add(trial.verdict);
        let exits = trial.findings.iter().map(|finding| finding.kind.exit());
        self.exit = exits.fold(self.exit, Exit::worst);
        if let Some(blow) = trial.blows.last() {
            self.costs.entry(blow.kind.name()).or_default().add(trial);
            let row = self.matrix.entry(blow.point.operation().to_owned()).or_default();
            row.entry(blow.kind.name()).or_default().add(trial.verdict);
        }
        let (ledger, Became { reached, fired, observed, recovered }) = (&mut self.ledger, trial.became);
        ledger.armed += trial.blows.len() as u32;
        ledger.reached += reached;
        ledger.fired += fired;
        ledger.observed += if observed { fired } else { 0 };
        ledger.recovered += if recovered { fired } else { 0 };
        let faults = || trial.blows.iter().map(ToString::to_string).collect::<Vec<_>>();
        if trial.is_unfired() {
            self.unfired.insert(place, faults().join(", then "));
        } else if trial.verdict == Verdict::Broken {
            let findings = trial.findings.iter().map(ToString::to_string).collect();
            self.broken.insert(place, Broken { faults: faults(), findings });
        }
    }
}

/// Everything about several scenarios.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Exploration {
    /// Each scenario.
    pub scenarios: Vec<Report>,
    /// What it costs to recover, by kind of fault, over all scenarios.
    pub recovery: BTreeMap<&'static str, Recovery>,
    /// Scenarios that do not end as they say with an operator who asks again, even without a fault: not explored.
    pub passed_over: Vec<String>,
    /// What none of them exercised: by operation, the kinds that could befall it.
    pub unexercised: BTreeMap<&'static str, BTreeSet<&'static str>>,
}

impl Exploration {
    /// Of these scenarios, and those that could not be explored.
    pub fn new(scenarios: Vec<Report>, passed_over: Vec<String>) -> Self {
        let (unexercised, recovery) = (unexercised(&scenarios), recovery(&scenarios));
        Self { scenarios, recovery, passed_over, unexercised }
    }
}

/// What it costs to recover, by kind of fault, over all these.
pub fn recovery(reports: &[Report]) -> BTreeMap<&'static str, Recovery> {
    let mut all: BTreeMap<&'static str, Costs> = BTreeMap::new();
    for (kind, costs) in reports.iter().flat_map(|report| &report.costs) {
        all.entry(kind).or_default().join(costs);
    }
    all.into_iter().map(|(kind, costs)| (kind, costs.recovery())).collect()
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
