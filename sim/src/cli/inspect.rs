//! `failback-lab list`, `check` and `schema`.

use super::args::{CheckArgs, ListArgs, SchemaOf};
use super::complain;
use super::output::Output;
use crate::report::outcome::Exit;
use crate::scenario::{CheckedScenario, load, schema as schemas};

/// Whether a filter lets a scenario pass.
pub(super) fn matches(scenario: &CheckedScenario, filter: Option<&str>) -> bool {
    filter.is_none_or(|text| scenario.scenario.name.contains(text) || scenario.path.contains(text))
}

/// One line per scenario: name, facts it covers, first sentence of what it shows.
pub(super) fn list(args: &ListArgs, out: &mut Output) -> Exit {
    let loaded = load::load(&args.paths, false);
    let exit = complain(&loaded, out);
    let shown: Vec<&CheckedScenario> =
        loaded.scenarios.iter().filter(|s| matches(s, args.filter.as_deref())).collect();
    let width = shown.iter().map(|s| s.scenario.name.chars().count()).max().unwrap_or(0);
    let keys = |s: &CheckedScenario| {
        s.scenario.covers.iter().map(|key| key.value.as_str()).collect::<Vec<_>>().join(" ")
    };
    let keys_width = shown.iter().map(|s| keys(s).len()).max().unwrap_or(0);
    for scenario in &shown {
        let name = &scenario.scenario.name.value;
        let about = sentence(&scenario.scenario.about);
        out.line(&format!("{name:width$}  {:keys_width$}  {about}", keys(scenario)));
    }
    if shown.is_empty() && exit == Exit::Held {
        out.error("no scenarios there");
        return Exit::NothingRan;
    }
    exit
}

/// The first sentence of a paragraph, on one line.
fn sentence(about: &str) -> String {
    let flat = about.split_whitespace().collect::<Vec<_>>().join(" ");
    match flat.split_once(". ") {
        Some((first, _)) => format!("{first}."),
        None => flat,
    }
}

/// Reports every mistake in scenarios and estates.
pub(super) fn check(args: &CheckArgs, out: &mut Output) -> Exit {
    let loaded = load::load(&args.paths, true);
    let exit = complain(&loaded, out);
    if loaded.files + loaded.estates == 0 && exit == Exit::Held {
        out.error("no scenarios and no estates there");
        return Exit::NothingRan;
    }
    let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    let files = format!("{}, {}", count(loaded.files, "scenario"), count(loaded.estates, "estate"));
    match loaded.problems.len() {
        0 if exit == Exit::Held => out.line(&format!("{files}: no mistakes")),
        mistakes => out.line(&format!("{files}: {}", count(mistakes, "mistake"))),
    }
    exit
}

/// Prints a JSON Schema.
pub(super) fn schema(what: SchemaOf, out: &mut Output) -> Exit {
    let schema = match what {
        SchemaOf::Scenario => schemas::scenario(),
        SchemaOf::Estate => schemas::estate(),
    };
    out.line(&format!("{schema:#}"));
    Exit::Held
}
