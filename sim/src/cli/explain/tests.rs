//! Every page of the catalogue, as whoever looks up a code reads it.

use super::entry;
use crate::scenario::CheckedScenario;
use crate::scenario::load;
use failback_orchestrator::catalogue;
use std::path::Path;

fn shipped() -> Vec<CheckedScenario> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    load::load(&[folder], false).scenarios
}

/// Codes of the lab's own defects. The list only gets shorter.
const UNNAMED: &[&str] = &["FB2098", "FB2099"];

#[test]
fn every_page_says_what_why_what_to_do_and_where_it_is_seen() {
    let scenarios = shipped();
    let mut unnamed = Vec::new();
    for doc in catalogue::ALL.iter() {
        let page = entry(doc, &scenarios);
        let lines: Vec<&str> = page.lines().collect();
        assert_eq!(lines.first().copied(), Some(format!("{}: {}", doc.code, doc.title).as_str()));
        let after = |heading: &str| lines.iter().position(|l| *l == heading).map(|at| &lines[at + 1..]);
        let causes = after("Possible causes").unwrap_or_default();
        let causes: Vec<&str> =
            causes.iter().take_while(|l| l.starts_with("  - ")).map(|l| &l[4..]).collect();
        assert!(!doc.causes.is_empty() && causes == doc.causes, "{page}");
        let action = after("Recommended action").and_then(|rest| rest.first()).map(|l| l.trim_start());
        assert_eq!(action, Some(doc.action), "{page}");
        assert!(!doc.action.is_empty(), "{page}");
        assert!(after("What the orchestrator does").is_some_and(|rest| rest[0].starts_with("  ")), "{page}");
        if !lines.last().is_some_and(|line| line.starts_with("Shown by ")) {
            unnamed.push(doc.code);
        }
    }
    assert_eq!(unnamed, UNNAMED, "no scenario names these");
}

#[test]
fn a_page_names_scenarios_that_show_the_code_and_counts_the_rest() {
    let scenarios = shipped();
    let page = |code: &str| entry(catalogue::lookup(code).expect("a code"), &scenarios);
    let last = |code: &str| page(code).lines().last().unwrap_or_default().to_owned();
    let few = last("FB1731");
    assert!(few.starts_with("Shown by ") && few.contains("test-failover/address-in-use"), "{few}");
    let many = last("FB1801");
    assert!(many.contains(" and ") && many.ends_with(" more scenarios"), "{many}");
    assert!(page("8038").contains("Follows from P39"), "{}", page("8038"));
    assert!(!entry(catalogue::lookup("8038").expect("a code"), &[]).contains("Shown by"));
}

#[test]
fn a_warning_goes_on_and_a_refusal_stops_whatever_their_numbers() {
    let does = |code: &str| {
        let page = entry(catalogue::lookup(code).expect("a code"), &[]);
        page.lines().skip_while(|line| *line != "What the orchestrator does").nth(1).map(str::to_owned)
    };
    assert!(does("FB2105").is_some_and(|text| text.contains("Goes on")));
    assert!(does("FB1761").is_some_and(|text| text.contains("Goes on")));
    assert!(does("FB1716").is_some_and(|text| text.contains("Stops")));
}
