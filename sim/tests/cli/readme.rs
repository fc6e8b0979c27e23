//! What the README shows is what its reader gets. Numbers may differ: times, counts, ids.

use crate::support::{Ran, root, run, scratch};
use std::collections::BTreeSet;
use std::fs;

fn readme() -> String {
    fs::read_to_string(root().join("README.md")).unwrap()
}

/// The first fenced block that begins with this.
fn block<'a>(readme: &'a str, begins: &str) -> &'a str {
    let mut blocks = readme.split("\n```").skip(1).step_by(2);
    // A fence may name its language.
    let text =
        blocks.find_map(|b| b.split_once('\n').map(|(_, text)| text).filter(|t| t.starts_with(begins)));
    text.unwrap_or_else(|| panic!("no block begins with {begins}"))
}

/// Runs the README's scenario, without the lines that contain `without`, under this name.
fn example(name: &str, without: Option<&str>) -> Ran {
    let readme = readme();
    let text = block(&readme, "schema: failback-lab/1\n").replace("my/vcenter-gone", name);
    let kept = text.lines().filter(|line| without.is_none_or(|word| !line.contains(word)));
    let folder = scratch(&format!("readme-{}", without.is_some()));
    fs::create_dir(folder.join("my")).unwrap();
    let file = format!("{name}.scenario.yaml");
    fs::write(folder.join(&file), kept.collect::<Vec<_>>().join("\n")).unwrap();
    run(&folder, &["run", &file])
}

/// The words of a line that hold no digit.
fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().filter(|word| !word.contains(|c: char| c.is_ascii_digit())).collect()
}

#[test]
fn the_example_holds() {
    let ran = example("my/vcenter-gone", None);
    assert_eq!(ran.code, Some(0), "{ran}");
}

#[test]
fn the_forgotten_remedy_fails_as_shown() {
    let ran = example("my/forgot-the-remedy", Some("vcenter: reconnect"));
    assert_eq!(ran.code, Some(10), "{ran}");
    let real: BTreeSet<Vec<&str>> = ran.stdout.lines().map(words).collect();
    let readme = readme();
    for line in block(&readme, "FAIL [").lines().filter(|line| line.trim() != "...") {
        assert!(real.contains(&words(line)), "the README shows: {line}\n{ran}");
    }
}

#[test]
fn the_run_that_is_shown_names_scenarios_that_exist() {
    let readme = readme();
    let shown = block(&readme, "$ cargo run --release -- run\n");
    let list = run(&root(), &["list"]).stdout;
    let passed: Vec<&str> = shown.lines().filter(|line| line.starts_with("PASS [virtual ")).collect();
    assert!(passed.len() > 4, "{shown}");
    for line in passed {
        let name = line.split("] ").nth(1).unwrap_or_default();
        assert!(list.split_whitespace().any(|word| word == name), "no scenario {name}\n{list}");
    }
    let sum = shown.lines().last().unwrap_or_default();
    let wanted = ["scenarios:", "passed;", "of", "virtual", "time", "in", "calls,", "events"];
    assert_eq!(words(sum), wanted, "{sum}");
}
