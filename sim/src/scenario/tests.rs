//! Tests of reading and checking files.

use super::check::{self, Subject};
use super::diagnostic::{Problem, SourceFile, nearest};
use super::estate::Estate;
use super::inventory::Inventory;
use super::model::{Ending, RecoveryPoint, Scenario, Step};
use super::parse::{decode, parse, parse_all};
use super::units::{Period, Share, Size};
use super::{load, schema};
use proptest::prelude::*;
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn source(text: &str) -> Arc<SourceFile> {
    Arc::new(SourceFile { path: "test.scenario.yaml".to_owned(), text: text.to_owned() })
}

fn scenario(steps: &str) -> (Arc<SourceFile>, Scenario) {
    let file = source(&format!(
        "schema: failback-lab/1\nname: a/b\nabout: c\ninline-estate:\n  machines: [{{name: web01}}]\n{steps}"
    ));
    let scenario = parse(&file).unwrap_or_else(|problem| panic!("{}", problem.render(false)));
    (file, scenario)
}

fn problems(file: &Arc<SourceFile>, scenario: &Scenario) -> Vec<Problem> {
    let estate = scenario.inline_estate.as_ref().expect("tests write it inline");
    let inventory = Inventory::from(estate);
    check::scenario(&Subject {
        file,
        scenario,
        estate_file: file,
        estate,
        inventory: &inventory,
        whole: true,
    })
}

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios")
}

#[test]
fn a_step_knows_its_line_and_its_defaults() {
    let (_, scenario) = scenario("steps:\n  - wait: 90m\n  - failover: {item: web01}\n");
    let [wait, failover] = scenario.steps.as_slice() else { panic!("two steps") };
    assert_eq!((wait.at.line, wait.at.column), (7, 5));
    assert_eq!(failover.at.line, 8);
    let Step::Failover(failover) = &failover.value else { panic!("a failover") };
    assert_eq!((failover.point, failover.shutdown_source), (RecoveryPoint::Latest, true));
    assert_eq!((failover.expect.clone(), failover.within.value), (Ending::Succeeded, Period::hours(2)));
    assert_eq!(scenario.horizon.value, Period::hours(72));
}

#[test]
fn a_minimal_estate_has_all_that_a_world_needs() {
    let file = source("schema: failback-lab/1\nmachines:\n  - name: web01\n  - {name: db01, os: linux}\n");
    let inventory = Inventory::from(&parse::<Estate>(&file).unwrap());
    let targets: Vec<&str> = inventory.master_targets.iter().map(|m| m.id.as_str()).collect();
    assert_eq!(targets, ["mt-windows", "mt-linux"]);
    assert_eq!(inventory.process_servers[0].id, "ps-azure");
    assert_eq!((inventory.hosts.len(), inventory.datastores.len()), (1, 1));
    assert_eq!(inventory.machines[1].host, inventory.hosts[0].name);
    assert_eq!(inventory.machines[0].disks[0].size, Size::mib(16));
    assert_eq!(inventory.master_targets[1].retention_mount, "/mnt/retention");
}

#[test]
fn an_armed_fault_may_be_undone_and_a_refused_step_moves_nothing() {
    let (file, scenario) = scenario(
        "steps:\n  - arm: {fault: {vcenter: disconnect}, when: {after: 5m}}\n  - operator: {vcenter: reconnect}\n  \
         - failback: {item: web01, expect: {refused: {codes: [FB1801]}}}\n  - failover: {item: web01}\n",
    );
    assert_eq!(problems(&file, &scenario), []);
}

#[test]
fn each_kind_of_server_has_its_own_switch() {
    let (file, scenario) = scenario(
        "steps:\n  - inject: {configuration-server: stop}\n  - inject: {vcenter: disconnect}\n  \
         - operator: {configuration-server: start}\n  - inject: {configuration-server: stop}\n",
    );
    assert_eq!(problems(&file, &scenario), []);
}

#[test]
fn whatever_a_change_does_to_a_machine_it_must_be_there() {
    for change in ["hang-vm: {vm: web01}", "grow-disk: {vm: web01, disk: 0, bytes: 33554432}"] {
        let deletes = "inject: {azure: {delete-vm: {vm: web01}}}";
        let (file, scenario) =
            scenario(&format!("steps:\n  - {deletes}\n  - inject: {{azure: {{{change}}}}}\n"));
        let titles: Vec<String> = problems(&file, &scenario).into_iter().map(|p| p.title).collect();
        assert_eq!(titles, ["this step can never happen: `web01` is gone"], "{change}");
    }
}

/// The table of what undoes what speaks of words that the fakes really know.
#[test]
fn switches_are_words_of_the_vocabularies() {
    let schema = schema::scenario().to_string();
    for (category, on, off, argument) in check::switches() {
        for word in [category, on, off] {
            assert!(schema.contains(&format!("\"{word}\"")), "{category}: no `{word}`");
        }
        assert!(argument.is_empty() || schema.contains(&format!("\"{argument}\"")), "no `{argument}`");
    }
}

#[test]
fn units_reject_what_they_cannot_hold() {
    for wrong in ["", "5", "m", "5 m", "-5m", "5M", "99999999999999999999d", "9999999d", "1.5h", "5m5"] {
        assert!(wrong.parse::<Period>().is_err(), "{wrong}");
    }
    for wrong in ["", "16", "16MB", "16mib", "1GiB1MiB", "99999999999TiB"] {
        assert!(wrong.parse::<Size>().is_err(), "{wrong}");
    }
    for wrong in ["", "25", "101%", "-1%", "2.5%"] {
        assert!(wrong.parse::<Share>().is_err(), "{wrong}");
    }
    assert_eq!("3%".parse().map(|share: Share| share.of(Size::mib(1))), Ok(Size(8 * 4096)));
    assert_eq!("5KiB".parse().map(|share: Share| share.of(Size::mib(1))), Ok(Size(5 << 10)));
    assert_eq!("1h30m".parse(), Ok(Period::minutes(90)));
}

#[test]
fn suggestions_are_near() {
    assert_eq!(nearest("failovr", &["failback", "failover"]), Some("failover"));
    assert_eq!(nearest("explode", &["disconnect", "reconnect"]), None);
}

#[test]
fn a_byte_order_mark_is_no_mistake() {
    let file =
        decode("a", b"\xef\xbb\xbfschema: failback-lab/1\nmachines: [{name: web01}]\n".to_vec()).unwrap();
    assert!(parse::<Estate>(&file).is_ok());
}

#[test]
fn every_shipped_scenario_is_sound() {
    let loaded = load::load(&[shipped()], true);
    let told: Vec<String> = loaded.problems.iter().map(|problem| problem.render(false)).collect();
    assert!(told.is_empty() && loaded.unread.is_empty(), "{}\n{:?}", told.join("\n"), loaded.unread);
    assert!(loaded.scenarios.len() >= 40, "{} scenarios", loaded.scenarios.len());
    for checked in &loaded.scenarios {
        let from_name = format!("{}{}", checked.scenario.name, load::SCENARIO);
        assert!(checked.path.ends_with(&from_name), "{} is named {}", checked.path, checked.scenario.name);
    }
}

/// Texts that nearly are scenarios: shipped ones with pieces cut out, doubled, or replaced.
fn mutilated() -> impl Strategy<Value = String> {
    let mut paths = Vec::new();
    for topic in ["happy", "vcenter", "snapshot", "crash", "wire", "recovery-point"] {
        let entries = std::fs::read_dir(shipped().join(topic)).unwrap();
        paths.extend(entries.map(|entry| entry.unwrap().path()));
    }
    paths.sort();
    let texts: Vec<String> = paths.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    let inserts =
        ["", "\n", "  ", "- ", ": ", "{", "}", "[", "]", "&a ", "*a", "0", "ü", "\t", "web01", "5m", "'"];
    let cut = (any::<prop::sample::Index>(), 0..12usize, prop::sample::select(inserts.to_vec()));
    (prop::sample::select(texts), prop::collection::vec(cut, 1..6)).prop_map(|(text, cuts)| {
        let mut chars: Vec<char> = text.chars().collect();
        for (at, len, insert) in cuts {
            let at = at.index(chars.len().max(1)).min(chars.len());
            let end = (at + len).min(chars.len());
            chars.splice(at..end, insert.chars());
        }
        chars.into_iter().collect()
    })
}

proptest! {
    #[test]
    fn no_text_makes_the_checks_panic(text in mutilated()) {
        let file = source(&text);
        // Reading on ends too, and says at least what reading once said.
        let all = parse_all::<Scenario>(&file);
        prop_assert_eq!(all.problems.is_empty(), parse::<Scenario>(&file).is_ok());
        let rendered = match parse::<Scenario>(&file) {
            Err(problem) => vec![problem.render(true)],
            Ok(scenario) => {
                let estate = scenario.inline_estate.clone().unwrap_or_else(|| {
                    let text = "machines: [{name: web01}, {name: lnx01, os: linux}]\nplans: [{name: both, groups: [[web01]]}]";
                    parse(&source(text)).unwrap()
                });
                let inventory = Inventory::from(&estate);
                let subject = Subject {
                    file: &file,
                    scenario: &scenario,
                    estate_file: &file,
                    estate: &estate,
                    inventory: &inventory,
                    whole: true,
                };
                let mut problems = check::head(&file, &scenario);
                problems.extend(check::estate(&file, &estate, false));
                problems.extend(check::scenario(&subject));
                scenario.steps.iter().map(|step| step.to_string())
                    .chain(problems.iter().map(|problem| problem.render(false)))
                    .collect()
            }
        };
        prop_assert!(rendered.iter().all(|text| !text.is_empty()));
    }

    #[test]
    fn periods_are_read_back(ms in 0..316_224_000_000_u64) {
        prop_assert_eq!(Period(ms).to_string().parse(), Ok(Period(ms)));
    }

    #[test]
    fn sizes_are_read_back(bytes in 0..1_u64 << 50) {
        prop_assert_eq!(Size(bytes).to_string().parse(), Ok(Size(bytes)));
    }
}

#[test]
fn a_step_that_stands_among_changes_is_known_for_one() {
    let help = |word: &str| {
        let text = format!("steps:\n  - operator: {{guest: {{{word}: {{machine: web01}}}}}}\n");
        let head =
            "schema: failback-lab/1\nname: a/b\nabout: c\ninline-estate: {machines: [{name: web01}]}\n";
        let parsed = parse_all::<Scenario>(&source(&format!("{head}{text}")));
        parsed.problems.first().and_then(|problem| problem.help.clone()).unwrap_or_default()
    };
    assert_eq!(help("resynchronise"), "it is a step of its own: `- resynchronise: …`");
    assert_eq!(help("stop-agnt"), "did you mean `stop-agent`?");
}
