//! `failback-lab explain`.

use super::args::ExplainArgs;
use super::output::Output;
use crate::report::outcome::Exit;
use crate::scenario::diagnostic::nearest;
use crate::scenario::model::{Scenario, Step};
use crate::scenario::text::Name;
use crate::scenario::{CheckedScenario, load};
use failback_orchestrator::catalogue;
use failback_wire::error::{Class, ErrorDoc};

/// Prints the catalogue's entry of a code, or all codes with what they mean.
pub(super) fn explain(args: &ExplainArgs, out: &mut Output) -> Exit {
    let Some(code) = &args.code else {
        catalogue::ALL.iter().for_each(|doc| out.line(&format!("{:<7} {}", doc.code, doc.title)));
        return Exit::Held;
    };
    let Some(doc) = catalogue::lookup(code.trim()) else {
        let codes: Vec<&str> = catalogue::ALL.iter().map(|doc| doc.code).collect();
        let hint = nearest(code, &codes).map(|best| format!("; did you mean `{best}`?")).unwrap_or_default();
        let list = "`failback-lab explain --list` lists all";
        out.error(&format!("error: there is no error `{code}`{hint}; {list}"));
        return Exit::Usage;
    };
    // What cannot be read shows nothing; `check` says what is wrong with it.
    let loaded = load::load(&args.paths, false);
    out.line(&entry(doc, &loaded.scenarios));
    Exit::Held
}

fn entry(doc: &ErrorDoc, scenarios: &[CheckedScenario]) -> String {
    let mut lines = vec![format!("{}: {}", doc.code, doc.title), String::new()];
    lines.push("Possible causes".to_owned());
    lines.extend(doc.causes.iter().map(|cause| format!("  - {cause}")));
    lines.push("Recommended action".to_owned());
    lines.push(format!("  {}", doc.action));
    lines.push("What the orchestrator does".to_owned());
    let goes_on = "Goes on and shows it, until somebody sees to it.";
    lines.push(format!("  {}", if catalogue::is_warning(doc) { goes_on } else { class(doc.class) }));
    if !doc.keys.is_empty() {
        lines.push(format!("Follows from {}", doc.keys.join(", ")));
    }
    let official = doc.code.chars().all(|c| c.is_ascii_digit());
    lines.push(if official {
        "The number is one that Site Recovery documents.".to_owned()
    } else {
        "The number is the lab's own; Site Recovery documents none for this.".to_owned()
    });
    lines.extend(shown_by(doc.code, scenarios));
    lines.join("\n")
}

/// The scenarios that name a code in what they expect.
fn shown_by(code: &str, scenarios: &[CheckedScenario]) -> Option<String> {
    const MOST: usize = 5;
    let shows = |checked: &&CheckedScenario| expected(&checked.scenario).any(|name| name.value == code);
    let names: Vec<&str> = scenarios.iter().filter(shows).map(|s| s.scenario.name.as_str()).collect();
    let shown = names.iter().take(MOST).copied().collect::<Vec<_>>().join(", ");
    match names.len() {
        0 => None,
        count if count > MOST => Some(format!("Shown by {shown} and {} more scenarios", count - MOST)),
        _ => Some(format!("Shown by {shown}")),
    }
}

/// Every code that a scenario expects somewhere.
fn expected(scenario: &Scenario) -> impl Iterator<Item = &Name> {
    let steps = scenario.steps.iter().flat_map(|step| {
        let checked = if let Step::Check(expect) = &step.value { Some(expect.codes()) } else { None };
        let endings = step.operation().map(|operation| operation.expect.codes()).unwrap_or_default();
        endings.into_iter().chain(checked.into_iter().flatten())
    });
    steps.chain(scenario.expect.codes())
}

fn class(class: Class) -> &'static str {
    match class {
        Class::Retry => "Tries again by itself, with growing pauses.",
        Class::Wait => "Stops; only time helps, so the request is worth repeating later.",
        Class::Operator => "Stops; somebody must change something, then repeat the request.",
        Class::Fatal => "Stops; nothing helps: a documented dead end.",
        Class::Bug => "Stops; this is a defect of the lab.",
    }
}

#[cfg(test)]
mod tests;
