//! The oracle and the suite are themselves tested: bugs are planted (`wire::canary`), one in a world, and each must be
//! found by a scenario or by a fault at a point of the cycle. `tests/canaries.md` says which check found which; every
//! check of the oracle finds at least one. With `INSTA_UPDATE=always` the table is written anew.

use failback_lab::driver::{Rehearsal, RunOptions, run};
use failback_lab::explore::kind::Kind;
use failback_lab::explore::trial::Base;
use failback_lab::explore::{Options, singles};
use failback_lab::fuzz::case::Case;
use failback_lab::fuzz::file::file;
use failback_lab::fuzz::shrink::shrink;
use failback_lab::fuzz::trial::{Check, VARIANTS, play};
use failback_lab::report::outcome::{Finding, FindingKind};
use failback_lab::scenario::CheckedScenario;
use failback_lab::scenario::load::load;
use failback_oracle::CHECKS;
use failback_tests::root;
use failback_wire::canary::{Canary, Mistake, Planted};
use libtest_mimic::{Arguments, Failed, Trial};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What is played first, whatever is planted: the cycle, alone and as a plan.
const CORE: &[&str] = &["happy/full-round-trip", "happy/pair-plan-round-trip"];
/// Where faults strike when no scenario finds a bug.
const EXPLORED: &str = "happy/windows-original-location";
/// As many must be found, at least.
const AT_LEAST: usize = 30;

/// Folders of scenarios that are played before all others.
fn topics(mistake: Mistake) -> &'static [&'static str] {
    match mistake {
        Mistake::Ownership => &["snapshot", "agent", "vcenter", "placement"],
        Mistake::Scope => &["disks"],
        Mistake::Refusal => &["refused"],
        Mistake::Order => &["crash", "failback", "failover", "azure", "cancel"],
        Mistake::Again => &["wire", "replication", "crash"],
        Mistake::Trust => &["replication", "failback", "recovery-point"],
        Mistake::CleanUp => &["azure", "vcenter"],
        Mistake::Point => &["recovery-point", "group", "plan"],
        Mistake::Together => &["plan", "group"],
        Mistake::Blocks => &["replication", "process-server", "resync"],
        Mistake::Telling => &["failover", "steady", "refused", "process-server"],
        Mistake::Jobs => &["cancel", "refused", "protection", "azure"],
    }
}

/// Scenarios in the order in which they are played: the cycle; the cheapest of each topic, the next one of each, and so
/// on; all others.
fn in_order(canary: Canary, all: &[Arc<CheckedScenario>]) -> Vec<Arc<CheckedScenario>> {
    let topics = topics(canary.mistake());
    let mut cheap = all.to_vec();
    cheap.sort_by_cached_key(|checked| (cost(checked), checked.scenario.name.value.clone()));
    let mut seen = vec![0; topics.len() + 1];
    let mut placed = Vec::with_capacity(cheap.len());
    for checked in cheap {
        let name = checked.scenario.name.value.as_str();
        let folder = name.split('/').next().unwrap_or_default();
        let topic = topics.iter().position(|topic| *topic == folder).unwrap_or(topics.len());
        let core = CORE.iter().position(|core| *core == name).unwrap_or(CORE.len());
        seen[topic] += 1;
        placed.push(((core, topic == topics.len(), seen[topic], topic), checked));
    }
    placed.sort_by_key(|(place, _)| *place);
    placed.into_iter().map(|(_, checked)| checked).collect()
}

/// Roughly what playing it takes.
fn cost(checked: &CheckedScenario) -> usize {
    checked.scenario.steps.len() * checked.inventory.machines.len()
}

/// What found a bug.
#[derive(Clone, Debug)]
struct Found {
    /// Names of checks, the first to notice first; `expectation` and `stuck` where the oracle is silent.
    checks: Vec<String>,
    /// In which scenario, and at which fault if that was needed.
    place: String,
    /// How many runs it took.
    runs: usize,
}

/// Which checks these findings are of. That a fault did not strike is no evidence: the run took another course.
fn checks(findings: &[Finding]) -> Vec<String> {
    let mut oracle = Vec::new();
    let mut others = BTreeSet::new();
    for finding in findings {
        match finding.kind {
            FindingKind::InvariantBroken => {
                let name = finding.message.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
                let name = name.map_or("twin", |(name, _)| name).to_owned();
                if !oracle.contains(&name) {
                    oracle.push(name);
                }
            }
            FindingKind::ExpectationFailed => drop(others.insert("expectation".to_owned())),
            FindingKind::Stuck => drop(others.insert("stuck".to_owned())),
            FindingKind::Nondeterminism | FindingKind::FaultUnfired | FindingKind::LabBug => {}
        }
    }
    if oracle.is_empty() { others.into_iter().collect() } else { oracle }
}

/// Plays until somebody notices.
fn search(canary: Canary, all: &[Arc<CheckedScenario>]) -> Option<Found> {
    let rehearsal = Rehearsal { planted: Planted::only(canary), ..Rehearsal::default() };
    let mut runs = 0;
    for checked in in_order(canary, all) {
        runs += 1;
        let outcome = run(&checked, &RunOptions { rehearsal, ..RunOptions::default() });
        let checks = checks(&outcome.findings);
        if !checks.is_empty() {
            return Some(Found { checks, place: checked.scenario.name.value.clone(), runs });
        }
    }
    let explored = all.iter().find(|checked| checked.scenario.name.value == EXPLORED)?;
    let base = Base::new(explored).ok()?.rehearsing(rehearsal);
    let options = Options { kinds: Kind::all().collect(), prune: true };
    for blow in singles(&base, &options).0 {
        runs += 1;
        let place = format!("{EXPLORED}: {blow}");
        let checks = base.try_with(vec![blow], false).map(|(trial, _)| checks(&trial.findings));
        if let Some(checks) = checks.filter(|checks| !checks.is_empty()) {
            return Some(Found { checks, place, runs });
        }
    }
    None
}

/// What was found in this run of the test.
type Results = Arc<Mutex<BTreeMap<Canary, Found>>>;

fn lock(results: &Results) -> MutexGuard<'_, BTreeMap<Canary, Found>> {
    results.lock().unwrap_or_else(PoisonError::into_inner)
}

fn table() -> PathBuf {
    root().join("tests/canaries.md")
}

fn row(canary: Canary, checks: &[String]) -> String {
    format!("| {} | {} | {} |", canary.name(), canary.about(), checks.join(", "))
}

/// The rows that were reviewed, by the name of the bug.
fn reviewed() -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(table()).unwrap_or_default();
    let rows = text.lines().filter(|line| line.starts_with("| "));
    rows.filter_map(|line| Some((line.split(" | ").next()?.strip_prefix("| ")?.to_owned(), line.to_owned())))
        .collect()
}

fn updates() -> bool {
    std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always")
}

fn is_found(canary: Canary, all: &[Arc<CheckedScenario>], results: &Results) -> Result<(), Failed> {
    let Some(found) = search(canary, all) else {
        return Err("nothing notices it: neither a scenario nor a fault at a point of the cycle".into());
    };
    let row = row(canary, &found.checks);
    let place = found.place.clone();
    lock(results).insert(canary, found);
    match reviewed().get(canary.name()) {
        Some(before) if *before != row && !updates() => {
            Err(format!("another check finds it now (in {place}):\n  before {before}\n  now    {row}").into())
        }
        None if !updates() => Err(format!("it is not in tests/canaries.md:\n{row}").into()),
        Some(_) | None => Ok(()),
    }
}

/// Every check of the oracle has found a bug; what the table says of bugs, their own tests hold.
fn every_check_finds_one() -> Result<(), Failed> {
    let rows = reviewed();
    let found: BTreeSet<&str> = rows
        .values()
        .filter_map(|row| row.trim_end_matches(" |").rsplit(" | ").next())
        .flat_map(|checks| checks.split(", "))
        .collect();
    let idle: Vec<&str> =
        CHECKS.iter().map(|check| check.name).filter(|name| !found.contains(name)).collect();
    let known: BTreeSet<&str> = Canary::ALL.iter().map(|canary| canary.name()).collect();
    let gone: Vec<&String> =
        rows.keys().filter(|name| *name != "bug" && !known.contains(name.as_str())).collect();
    match (idle.is_empty(), gone.is_empty(), known.len() >= AT_LEAST) {
        (true, true, true) => Ok(()),
        (..) => {
            Err(format!("checks that find none: {idle:?}; rows of no bug: {gone:?}; {} bugs", known.len())
                .into())
        }
    }
}

/// Every bug of the table is planted somewhere, and the names are different ones.
fn every_bug_has_a_site() -> Result<(), Failed> {
    let mut sources = String::new();
    let mut folders: Vec<PathBuf> = ["orchestrator/src", "orchestrator/replication/src", "fakes/src"]
        .map(|folder| root().join(folder))
        .into();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                sources.push_str(&std::fs::read_to_string(path)?);
            }
        }
    }
    let planted = |canary: &&Canary| {
        let site = format!("Canary::{})", canary.variant());
        !sources.contains(&site)
    };
    let unplanted: Vec<&Canary> = Canary::ALL.iter().filter(planted).collect();
    let names: BTreeSet<&str> = Canary::ALL.iter().map(|canary| canary.name()).collect();
    match unplanted.is_empty() && names.len() == Canary::ALL.len() {
        true => Ok(()),
        false => Err(format!("without a site, or with a name of another: {unplanted:?}").into()),
    }
}

/// The feature is on here and off in the program that people get: there the answer is a constant of a type without size.
fn the_program_has_none() -> Result<(), Failed> {
    if !Planted::POSSIBLE {
        return Err("this build cannot plant bugs".into());
    }
    let arguments = ["tree", "--package", "failback-lab", "--edges", "normal,build", "--format", "{p} {f}"];
    let tree = Command::new(env!("CARGO"))
        .args(arguments)
        .args(["--offline", "--locked"])
        .current_dir(root())
        .output()?;
    let text = String::from_utf8(tree.stdout)?;
    match tree.status.success() && text.contains("failback-wire") && !text.contains("canaries") {
        true => Ok(()),
        false => Err(format!("{text}{}", String::from_utf8_lossy(&tree.stderr)).into()),
    }
}

/// The table for people, and the file when it is to be written anew.
fn report(results: &BTreeMap<Canary, Found>) {
    for (canary, Found { checks, place, runs }) in results {
        println!("{:32} {:40} run {runs:3} {place}", canary.name(), checks.join(", "));
    }
    if !updates() || results.is_empty() {
        return;
    }
    let before = reviewed();
    let rows = Canary::ALL.iter().filter_map(|canary| match results.get(canary) {
        Some(found) => Some(row(*canary, &found.checks)),
        None => before.get(canary.name()).cloned(),
    });
    let head = "# Planted bugs and who finds them\n\nWritten by `INSTA_UPDATE=always cargo test --test canaries`. A name in \
                the last column is a check of the oracle; `twin`\nis the comparison of a refusal with the world without \
                it, `expectation` what a scenario's file says, `stuck` the horizon.\n\n| bug | what it does wrong | \
                found by |\n|---|---|---|\n";
    let text = head.to_owned() + &rows.collect::<Vec<_>>().join("\n") + "\n";
    if let Err(error) = std::fs::write(table(), text) {
        println!("{}: {error}", table().display());
    }
}

/// The bug that the fuzzer is shown with.
const SHOWN: Canary = Canary::StaleInventory;
/// The seed of its cases.
const SEED: u64 = 13;

/// The first of the fuzzer's cases that this bug lets fail, made smaller: the name of its check, and the file.
fn shrunk(rehearsal: Rehearsal) -> Result<(String, String), Failed> {
    let cases = (0..200).filter_map(|number| Case::new(SEED, number).ok());
    let mut failures = cases.flat_map(|case| play(&case.rehearsing(rehearsal), VARIANTS, false).failures);
    let failure = failures.next().ok_or("no case notices it")?;
    let smaller = shrink(&failure, &mut || true);
    let (_, text) = file(&failure, &smaller)?;
    Ok((failure.check.to_string(), text))
}

/// A planted bug becomes a small scenario file: red with the bug, green without it, which is the fix.
fn a_planted_bug_becomes_a_file() -> Result<(), Failed> {
    let rehearsal = Rehearsal { planted: Planted::only(SHOWN), ..Rehearsal::default() };
    let (check, text) = shrunk(rehearsal)?;
    let path = root().join("tests/data/planted").join(format!("{}.scenario.yaml", SHOWN.name()));
    if updates() {
        std::fs::write(&path, &text)?;
    }
    if std::fs::read_to_string(&path)? != text {
        return Err(format!("{} is another one now:\n{text}", path.display()).into());
    }
    let checked = load(std::slice::from_ref(&path), false).scenarios.pop().ok_or("it is no scenario")?;
    let verdict = |rehearsal| run(&checked, &RunOptions { rehearsal, ..RunOptions::default() }).findings;
    let (with, without) = (verdict(rehearsal), verdict(Rehearsal::default()));
    let same = with.iter().any(|finding| Check::of(finding, &checked.inventory).to_string() == check);
    match same && without.is_empty() {
        true => Ok(()),
        false => Err(format!("with the bug: {with:#?}\nwithout: {without:#?}").into()),
    }
}

fn main() {
    let args = Arguments::from_args();
    let all: Vec<_> = failback_tests::scenarios().into_iter().map(Arc::new).collect();
    let all: Arc<[Arc<CheckedScenario>]> = all.into();
    let results = Results::default();
    let bugs = Canary::ALL.iter().map(|canary| {
        let (all, results) = (all.clone(), results.clone());
        Trial::test(format!("canaries: {} is found", canary.name()), move || {
            is_found(*canary, &all, &results)
        })
    });
    let others = [
        Trial::test("canaries: every check of the oracle finds one", every_check_finds_one),
        Trial::test("canaries: every one has a site", every_bug_has_a_site),
        Trial::test("canaries: the program has none", the_program_has_none),
        Trial::test("canaries: a planted bug becomes a file that shows it", a_planted_bug_becomes_a_file),
    ];
    let conclusion = libtest_mimic::run(&args, bugs.chain(others).collect());
    if !args.list {
        report(&lock(&results));
    }
    conclusion.exit();
}
