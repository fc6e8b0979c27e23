//! Checks of meaning: everything that syntax and types allow and that still cannot be meant.
//!
//! All problems are reported, not only the first.

mod clashes;
mod estates;
mod existence;
mod expects;
mod faults;
mod memory;
mod moments;
mod names;
mod phases;
mod steps;

use super::diagnostic::{Problem, SourceFile};
use super::estate::Estate;
use super::inventory::Inventory;
use super::model::{SCHEMA, Scenario};
use super::text::{Name, Place};
use failback_orchestrator::catalogue;
use names::Names;
pub use phases::led_to;
use std::sync::Arc;

/// A scenario with the files its parts came from.
pub struct Subject<'a> {
    /// The scenario's file.
    pub file: &'a Arc<SourceFile>,
    /// The scenario.
    pub scenario: &'a Scenario,
    /// The estate's file: the scenario's own when inline.
    pub estate_file: &'a Arc<SourceFile>,
    /// The estate.
    pub estate: &'a Estate,
    /// The estate with its defaults.
    pub inventory: &'a Inventory,
    /// False for what is left of a file with mistakes of structure: nothing is said then of what hangs on
    /// the order of the steps, for some of them may be missing.
    pub whole: bool,
}

/// Everything that is wrong with an estate; one in a file of its own says its version.
pub fn estate(file: &Arc<SourceFile>, estate: &Estate, own_file: bool) -> Vec<Problem> {
    if own_file { estates::check_file(file, estate) } else { estates::check(file, estate) }
}

/// Changes that last: `(category, on, off, argument that tells subjects apart)`.
#[cfg(test)]
pub(super) fn switches() -> [(&'static str, &'static str, &'static str, &'static str); 10] {
    faults::SWITCHES
}

/// Every task of the product's jobs, each once: what `arm` can name as a moment.
pub fn tasks() -> Vec<&'static str> {
    moments::all_tasks()
}

/// Everything that is wrong with the scenario's head: it needs no estate.
pub fn head(file: &Arc<SourceFile>, scenario: &Scenario) -> Vec<Problem> {
    let mut out = Vec::new();
    schema(file, Some(&scenario.schema), &mut out);
    let name = &scenario.name;
    let word =
        |w: &str| !w.is_empty() && w.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if !name.split('/').all(word) || name.len() > 100 {
        let title = format!("`{name}` is no name for a scenario");
        let problem = Problem::at(file, name.at, title, "words of letters, digits and `-`, parted by `/`");
        out.push(problem.help("write `topic/what-happens`"));
    }
    for key in &scenario.covers {
        if !known_key(key) {
            let title = format!("there is no fact `{key}`");
            let problem = Problem::at(file, key.at, title, "not a key of the domain");
            out.push(problem.help("keys are C1 to C23, P1 to P41, R1 to R8, G1 to G3, L1 to L4, I1 to I8"));
        }
    }
    out
}

/// Everything that is wrong with the scenario's steps and expectations.
pub fn scenario(subject: &Subject<'_>) -> Vec<Problem> {
    let names = Names::of(subject.inventory).and_made(&subject.scenario.steps);
    let mut out = Vec::new();
    steps::check(subject, &names, &mut out);
    faults::check(subject, &names, &mut out);
    let ends = if subject.whole { phases::check(subject, &mut out) } else { phases::Standings::default() };
    if subject.whole {
        existence::check(subject, &mut out);
        memory::check(subject, &mut out);
    }
    expects::check(subject, &names, &ends, &mut out);
    out.sort_by_key(|p: &Problem| p.labels.first().map(|l| (l.at.line, l.at.column)));
    out
}

/// A file of another version is not guessed at.
pub(super) fn schema(file: &Arc<SourceFile>, schema: Option<&Name>, out: &mut Vec<Problem>) {
    match schema {
        Some(name) if name.value == SCHEMA => {}
        Some(name) => {
            let title = format!("this build does not read `{name}`");
            let problem = Problem::at(file, name.at, title, "not a version it knows");
            out.push(problem.help(format!("write `schema: {SCHEMA}`")));
        }
        None => {
            let problem = Problem::of_file(&file.path, "the estate file lacks its version");
            out.push(problem.help(format!("begin it with `schema: {SCHEMA}`")));
        }
    }
}

/// A code that a file expects is one that the product knows; `what` it is taken for.
fn code(file: &Arc<SourceFile>, code: &Name, what: &str, out: &mut Vec<Problem>) {
    if catalogue::lookup(code).is_some() {
        return;
    }
    let title = format!("there is no {what} `{code}`");
    let problem = Problem::at(file, code.at, title, "not in the catalogue");
    let codes = catalogue::ALL.iter().map(|doc| doc.code);
    out.push(problem.suggest_listed(code, codes, "failback-lab explain --list"));
}

/// What a name is a name of, which decides how it may be spelt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spelling {
    /// A machine or recovery plan: it is, or may become, a resource in Azure.
    Azure,
    /// A server or ESXi host: a host name, with its domain.
    Host,
    /// A datastore: whatever somebody typed.
    Label,
}

impl Spelling {
    /// True when something can bear this name. Names may have capitals everywhere.
    fn allows(self, name: &str) -> bool {
        let more = match self {
            Self::Azure => "-",
            Self::Host => "-._",
            Self::Label => "-._ ()",
        };
        let fits = |c: char| c.is_ascii_alphanumeric() || more.contains(c);
        let ends = |c: char| !(c.is_ascii_alphanumeric() || self == Self::Label && c == ')');
        (1..=63).contains(&name.len())
            && name.chars().all(fits)
            && !name.starts_with(ends)
            && !name.ends_with(ends)
    }
    /// The same in words.
    fn says(self) -> &'static str {
        match self {
            Self::Azure => "1 to 63 letters, digits and `-`",
            Self::Host => "1 to 63 letters, digits, `-`, `_` and `.`",
            Self::Label => "1 to 63 letters, digits, `-`, `_`, `.`, `(`, `)` and spaces",
        }
    }
}

/// How many facts of each letter the domain has.
const KEYS: [(&str, u32); 8] =
    [("C", 23), ("P", 41), ("R", 8), ("G", 3), ("L", 4), ("I", 8), ("E", 21), ("D", 8)];

fn known_key(key: &str) -> bool {
    let number = |prefix: &str| key.strip_prefix(prefix).and_then(|n| n.parse::<u32>().ok());
    KEYS.iter().any(|(prefix, last)| number(prefix).is_some_and(|n| (1..=*last).contains(&n)))
}

/// The place of the last of these that is known: where a pointed-at mapping begins.
fn first_known(places: &[Place]) -> Place {
    places.iter().copied().find(|p| p.line > 0).unwrap_or_default()
}
