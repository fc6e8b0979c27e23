//! Each scenario in which something goes wrong ends well: whatever was refused or failed succeeds in the end, or
//! something else that is asked of the same machine does. Where the domain knows no remedy the file says so, and says
//! what must hold in that dead end.

use failback_lab::scenario::CheckedScenario;
use failback_lab::scenario::expect::Expect;
use failback_lab::scenario::model::{Ending, Health, ItemState, Power, Step};
use failback_lab::scenario::text::Name;
use failback_orchestrator::catalogue::ALL;
use failback_tests::remedies::{self, Remedy, TELLS};
use failback_wire::error::{Class, ErrorDoc};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What is asked of the product: of which machines, and how it must end. `None`: the step asks for nothing.
fn asked<'a>(checked: &'a CheckedScenario, step: &'a Step) -> Option<(Vec<&'a str>, &'a Ending)> {
    step.operation().map(|operation| (operation.machines(&checked.inventory), operation.expect))
}

/// What still stands badly at the end, each with its step: machines of which nothing succeeded since they were refused
/// something or something failed, and `the rest`, where nothing at all succeeded since.
fn unmended(checked: &CheckedScenario) -> BTreeMap<&str, usize> {
    const REST: &str = "the rest";
    let mut open = BTreeMap::new();
    for (n, step) in checked.scenario.steps.iter().enumerate() {
        if matches!(step.value, Step::Inject(_) | Step::Arm(_) | Step::Crash(_)) {
            open.insert(REST, n + 1);
        }
        let Some((machines, expect)) = asked(checked, &step.value) else { continue };
        match expect {
            Ending::Refused(_) | Ending::Failed(_) => {
                open.extend(machines.iter().map(|machine| (*machine, n + 1)));
                open.insert(REST, n + 1);
            }
            Ending::Succeeded => {
                open.retain(|what, _| *what != REST && !machines.contains(what));
            }
            Ending::Started | Ending::Paused(_) | Ending::Anything => {}
        }
    }
    open
}

/// What the end of a dead end must say of each of these machines: where they run, and what their disks hold, unless
/// production was never protected or never left.
fn unsaid(checked: &CheckedScenario, machines: &BTreeSet<&str>) -> Vec<String> {
    let expect = &checked.scenario.expect;
    let mut unsaid = Vec::new();
    for machine in machines {
        let seen = expect.vms.iter().find(|(name, _)| name.value == *machine).map(|(_, vm)| vm);
        let runs = |power: &Option<Power>| *power == Some(Power::On);
        let Some(vm) = seen.filter(|vm| runs(&vm.azure) || runs(&vm.on_premises)) else {
            unsaid.push(format!("where {machine} runs"));
            continue;
        };
        let is_item = checked.inventory.machines.iter().any(|m| m.name == *machine);
        if is_item && runs(&vm.azure) && !expect.data.keys().any(|name| name.value == *machine) {
            unsaid.push(format!("what the disks of {machine} hold"));
        }
    }
    unsaid
}

fn judge(checked: &CheckedScenario) -> Option<String> {
    let (open, dead_end) = (unmended(checked), &checked.scenario.dead_end);
    let name = &checked.scenario.name.value;
    match (open.is_empty(), dead_end) {
        (true, None) => None,
        (true, Some(_)) => Some(format!("{name} says that it is a dead end, and ends well")),
        (false, None) => Some(format!("{name} ends badly, and does not say that it is a dead end: {open:?}")),
        (false, Some(why)) if why.trim().is_empty() => Some(format!("{name} does not say why")),
        (false, Some(_)) => {
            let named = checked.scenario.expect.vms.keys().map(|name| name.value.as_str());
            let of_items = checked.inventory.machines.iter().map(|m| m.name.as_str());
            let unsaid = unsaid(checked, &named.chain(of_items).collect());
            (!unsaid.is_empty()).then(|| format!("{name} does not say {}", unsaid.join(" or ")))
        }
    }
}

#[test]
fn every_scenario_ends_well_or_in_a_dead_end_with_nothing_lost() {
    let scenarios = failback_tests::scenarios();
    let bad: Vec<String> = scenarios.iter().filter_map(judge).collect();
    assert!(bad.is_empty(), "{} scenarios:\n{}", bad.len(), bad.join("\n"));
    let dead_ends = scenarios.iter().filter(|checked| checked.scenario.dead_end.is_some()).count();
    assert!(dead_ends < 20, "{dead_ends} dead ends: the domain knows fewer");
}

/// Codes that a remedy follows, in a scenario that ends well: those of refusals and failures of this scenario.
fn codes(checked: &CheckedScenario) -> impl Iterator<Item = &str> {
    checked.scenario.steps.iter().filter_map(|step| asked(checked, &step.value)).flat_map(|(_, expect)| {
        let codes: Vec<&str> = match expect {
            Ending::Refused(refused) => {
                refused.codes.iter().chain(&refused.includes).map(|code| code.value.as_str()).collect()
            }
            Ending::Failed(failed) => vec![failed.code.value.as_str()],
            Ending::Succeeded | Ending::Started | Ending::Paused(_) | Ending::Anything => Vec::new(),
        };
        codes
    })
}

#[test]
fn every_remedy_of_what_is_refused_or_fails_is_performed() {
    let scenarios = failback_tests::scenarios();
    let (dead, well): (Vec<_>, Vec<_>) =
        scenarios.iter().partition(|checked| checked.scenario.dead_end.is_some());
    let mended: BTreeSet<&str> = well.into_iter().flat_map(codes).collect();
    let met: BTreeSet<&str> = dead.into_iter().flat_map(codes).chain(mended.iter().copied()).collect();
    let helps = |doc: &&&ErrorDoc| doc.class != Class::Fatal && met.contains(doc.code);
    let unperformed: BTreeSet<&str> =
        ALL.iter().filter(helps).map(|doc| doc.code).filter(|code| !mended.contains(code)).collect();
    assert!(unperformed.is_empty(), "nobody does what these ask for: {unperformed:?}");
    assert!(mended.len() > 100, "only {} codes", mended.len());
}

/// Codes that checks show of items and servers, and those that a later check of the same one shows no more.
#[derive(Default)]
struct Alerts<'a> {
    open: BTreeMap<&'a str, BTreeSet<&'a str>>,
    shown: BTreeSet<&'a str>,
    gone: BTreeSet<&'a str>,
}

impl<'a> Alerts<'a> {
    fn show(&mut self, of: &'a Name, codes: &'a [Name]) {
        let codes = codes.iter().map(|code| code.value.as_str());
        self.shown.extend(codes.clone());
        self.open.entry(&of.value).or_default().extend(codes);
    }

    fn close(&mut self, of: &'a Name, is_over: impl Fn(&str) -> bool) {
        let open = self.open.entry(&of.value).or_default();
        self.gone.extend(open.iter().copied().filter(|code| is_over(code)));
        open.retain(|code| !is_over(code));
    }

    /// `noted` are the codes that health does not depend on: they tell of what has happened.
    fn look(&mut self, expect: &'a Expect, noted: &BTreeSet<&str>) {
        for (item, codes) in &expect.warnings {
            self.show(item, codes);
        }
        for (item, seen) in &expect.items {
            self.show(item, &seen.alerts_include);
            self.show(item, seen.alerts.as_deref().unwrap_or_default());
            self.judge(item, seen.alerts.as_deref(), seen.health, noted);
            if seen.state == Some(ItemState::Unprotected) {
                self.close(item, |_| true);
            }
        }
        for (server, seen) in &expect.servers {
            self.show(server, &seen.alerts_include);
            self.show(server, seen.alerts.as_deref().unwrap_or_default());
            self.judge(server, seen.alerts.as_deref(), seen.health, noted);
        }
    }

    fn judge(&mut self, of: &'a Name, all: Option<&[Name]>, health: Option<Health>, noted: &BTreeSet<&str>) {
        if let Some(all) = all {
            self.close(of, |code| all.iter().all(|shown| shown.value != code));
        }
        if health == Some(Health::Normal) {
            self.close(of, |code| !noted.contains(code));
        }
    }
}

/// What a scenario expects on its way and at its end.
fn expectations(checked: &CheckedScenario) -> impl Iterator<Item = &Expect> {
    let on_the_way = checked.scenario.steps.iter().filter_map(|step| {
        let Step::Check(expect) = &step.value else { return None };
        Some(expect)
    });
    on_the_way.chain([&checked.scenario.expect])
}

#[test]
fn whatever_health_shows_goes_once_somebody_has_seen_to_it() {
    let scenarios = failback_tests::scenarios();
    let warned =
        scenarios.iter().flat_map(expectations).flat_map(|expect| expect.warnings.values().flatten());
    let noted: BTreeSet<&str> = warned.map(|code| code.value.as_str()).collect();
    let (mut shown, mut gone) = (BTreeSet::new(), BTreeSet::new());
    for checked in &scenarios {
        let mut alerts = Alerts::default();
        for step in &checked.scenario.steps {
            if let Step::Check(expect) = &step.value {
                alerts.look(expect, &noted);
            } else if let Step::WaitUntil(wait) = &step.value {
                alerts.judge(&wait.item, None, wait.health, &noted);
            }
        }
        alerts.look(&checked.scenario.expect, &noted);
        shown.extend(alerts.shown);
        gone.extend(alerts.gone);
    }
    let stay: Vec<&&str> = shown.difference(&gone).collect();
    assert!(stay.is_empty(), "nobody sees these go: {stay:?}");
    assert!(gone.len() > 45, "only {} codes", gone.len());
}

#[test]
fn no_two_scenarios_take_the_same_course() {
    let folder = failback_tests::root().join("tests/tests/snapshots");
    let mut courses: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for entry in std::fs::read_dir(folder).expect("timelines") {
        let path = entry.expect("a timeline").path();
        let text = std::fs::read_to_string(&path).expect("text");
        // Behind the head, which tells where it comes from.
        let course = text.splitn(3, "---\n").nth(2).unwrap_or_default().to_owned();
        courses.entry(course).or_default().push(path.display().to_string());
    }
    let same: Vec<&Vec<String>> = courses.values().filter(|paths| paths.len() > 1).collect();
    assert!(same.is_empty(), "{same:?}");
    assert!(courses.len() > 200, "only {} timelines", courses.len());
}

/// The paths of what a step says, key by key: `operator/vcenter/power-on/vm`, `reprotect/to/azure`.
fn paths(said: &Value, at: &str, into: &mut BTreeSet<String>) {
    let leaf = match said {
        Value::Object(fields) => {
            for (key, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
                let path = if at.is_empty() { key.clone() } else { format!("{at}/{key}") };
                paths(value, &path, into);
                into.insert(path);
            }
            return;
        }
        Value::String(text) => text.clone(),
        Value::Bool(value) => value.to_string(),
        Value::Null | Value::Number(_) | Value::Array(_) => return,
    };
    into.insert(format!("{at}/{leaf}"));
}

/// The codes that this step's expectations name.
fn named(step: &Step) -> BTreeSet<&str> {
    let mut codes: BTreeSet<&str> = BTreeSet::new();
    if let Some(operation) = step.operation() {
        codes.extend(operation.expect.codes().into_iter().map(|code| code.value.as_str()));
    }
    let Step::Check(expect) = step else { return codes };
    let items =
        expect.items.values().flat_map(|seen| seen.alerts.iter().flatten().chain(&seen.alerts_include));
    let servers =
        expect.servers.values().flat_map(|seen| seen.alerts.iter().flatten().chain(&seen.alerts_include));
    let shown = items.chain(servers).chain(expect.warnings.values().flatten());
    codes.extend(shown.map(|code| code.value.as_str()));
    codes
}

#[test]
fn every_way_out_that_the_catalogue_names_is_taken_by_a_step() {
    let mut done: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let scenarios = failback_tests::scenarios();
    for checked in &scenarios {
        let mut met: BTreeSet<&str> = BTreeSet::new();
        for step in &checked.scenario.steps {
            let mut said = BTreeSet::new();
            let asked = step.operation().map(|operation| operation.expect);
            let in_vain = matches!(asked, Some(Ending::Refused(_) | Ending::Failed(_)));
            if !in_vain && !matches!(step.value, Step::Inject(_) | Step::Arm(_) | Step::Check(_)) {
                paths(&serde_json::to_value(&step.value).expect("steps are data"), "", &mut said);
            }
            met.iter().for_each(|code| done.entry(code).or_default().extend(said.iter().cloned()));
            met.extend(named(&step.value));
        }
    }
    let mut bad = Vec::new();
    let remedies: BTreeMap<&str, &[Remedy]> = remedies::all().collect();
    for doc in ALL.iter() {
        let Some(ways) = remedies.get(doc.code) else {
            bad.push(format!("{}: no line says what does \"{}\"", doc.code, doc.action));
            continue;
        };
        for (words, path) in *ways {
            if !doc.action.contains(words) {
                bad.push(format!("{}: its action does not say \"{words}\": {}", doc.code, doc.action));
            }
            let taken = done.get(doc.code).is_some_and(|paths| paths.contains(*path));
            if *path != TELLS && !taken {
                bad.push(format!("{}: nobody does \"{words}\" ({path})", doc.code));
            }
        }
    }
    assert!(bad.is_empty(), "{} ways out:\n{}", bad.len(), bad.join("\n"));
    assert_eq!(remedies::all().count(), remedies.len(), "each code once");
    assert_eq!(remedies.len(), ALL.len(), "none that the catalogue does not have");
}
