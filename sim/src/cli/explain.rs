//! `failback-lab explain`.

use super::output::Output;
use crate::report::outcome::Exit;
use crate::scenario::diagnostic::nearest;
use failback_orchestrator::catalogue;
use failback_wire::error::{Class, ErrorDoc};

/// Prints the catalogue's entry of a code.
pub(super) fn explain(code: &str, out: &mut Output) -> Exit {
    let Some(doc) = catalogue::lookup(code.trim()) else {
        let codes: Vec<&str> = catalogue::ALL.iter().map(|doc| doc.code).collect();
        let hint = nearest(code, &codes).map(|best| format!("; did you mean `{best}`?")).unwrap_or_default();
        out.error(&format!("error: there is no error `{code}`{hint}"));
        return Exit::Usage;
    };
    out.line(&entry(doc));
    Exit::Held
}

fn entry(doc: &ErrorDoc) -> String {
    let mut lines = vec![format!("{}: {}", doc.code, doc.title), String::new()];
    lines.push("Possible causes".to_owned());
    lines.extend(doc.causes.iter().map(|cause| format!("  - {cause}")));
    lines.push("Recommended action".to_owned());
    lines.push(format!("  {}", doc.action));
    lines.push("What the orchestrator does".to_owned());
    let goes_on = "Goes on and shows it, until somebody sees to it.";
    lines.push(format!("  {}", if warns(doc) { goes_on } else { class(doc.class) }));
    if !doc.keys.is_empty() {
        lines.push(format!("Follows from {}", doc.keys.join(", ")));
    }
    let official = doc.code.chars().all(|c| c.is_ascii_digit());
    lines.push(if official {
        "The number is one that Site Recovery documents.".to_owned()
    } else {
        "The number is the lab's own; Site Recovery documents none for this.".to_owned()
    });
    lines.join("\n")
}

/// True for a warning: those have numbers of their own.
fn warns(doc: &ErrorDoc) -> bool {
    doc.code.starts_with("FB21")
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
