//! `failback-lab rules`: every rule of the domain, where it strikes, and the scenarios that prove it.

use super::args::{Format, RulesArgs};
use super::complain;
use super::output::Output;
use crate::report::outcome::Exit;
use crate::scenario::diagnostic::nearest;
use crate::scenario::{CheckedScenario, load};
use failback_orchestrator::catalogue;
use failback_orchestrator::journal::Operation;
use failback_orchestrator::rules::effects::EFFECTS;
use failback_orchestrator::rules::plan::PLAN_RULES;
use failback_orchestrator::rules::shape::SHAPE_RULES;
use failback_orchestrator::rules::{NOT_MODELLED, WHOLE, all, keys};
use serde::Serialize;

/// One rule of the domain.
#[derive(Debug, Serialize)]
struct Entry {
    key: String,
    rule: String,
    /// Preconditions and steps.
    strikes: Vec<String>,
    errors: Vec<Remedy>,
    /// Names of the scenarios that claim it; a test holds that each turns red without the rule.
    scenarios: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_modelled: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct Remedy {
    code: &'static str,
    title: &'static str,
    remedy: &'static str,
}

/// Lists the rules of these keys, or all of them.
pub(super) fn rules(args: &RulesArgs, out: &mut Output) -> Exit {
    let loaded = load::load(&args.paths, false);
    let exit = complain(&loaded, out);
    let all = entries(&loaded.scenarios);
    let known: Vec<&str> = all.iter().map(|entry| entry.key.as_str()).collect();
    for key in &args.keys {
        if !known.contains(&key.as_str()) {
            let hint =
                nearest(key, &known).map(|best| format!("; did you mean `{best}`?")).unwrap_or_default();
            out.error(&format!("error: there is no rule `{key}`{hint}"));
            return Exit::Usage;
        }
    }
    let shown: Vec<&Entry> =
        all.iter().filter(|entry| args.keys.is_empty() || args.keys.contains(&entry.key)).collect();
    match args.format {
        Format::Json => match serde_json::to_string_pretty(&shown) {
            Ok(text) => out.line(&text),
            Err(error) => {
                out.error(&format!("error: {error}"));
                return Exit::LabBug;
            }
        },
        Format::Text => {
            if loaded.scenarios.is_empty() {
                out.line("No scenario was read, so nothing can be said about proofs: run this where the scenarios are,");
                out.line("or name their folder.\n");
            }
            let read = !loaded.scenarios.is_empty();
            shown.iter().for_each(|entry| out.line(&text(entry, read)));
            if read {
                out.line(&summary(&shown));
            }
        }
    }
    exit
}

fn entries(scenarios: &[CheckedScenario]) -> Vec<Entry> {
    keys().map(|(key, rule)| entry(key, rule, scenarios)).collect()
}

fn entry(key: &str, rule: &str, scenarios: &[CheckedScenario]) -> Entry {
    let names = |operations: &[Operation]| {
        operations.iter().map(|operation| operation.as_str()).collect::<Vec<_>>().join(", ")
    };
    let mut strikes = Vec::new();
    for (_, operation) in WHOLE.iter().filter(|(whole, _)| *whole == key) {
        strikes.push(format!("all preconditions of {}", operation.as_str()));
    }
    for rule in all().filter(|rule| rule.key == key) {
        strikes.push(format!("before {}: {}", names(rule.applies), rule.name));
    }
    for rule in PLAN_RULES.iter().filter(|rule| rule.key == key) {
        strikes.push(format!("before any operation of a plan: {}", rule.name));
    }
    for rule in SHAPE_RULES.iter().filter(|rule| rule.key == key) {
        strikes.push(format!("when a plan is saved: {}", rule.name));
    }
    for effect in EFFECTS.iter().filter(|effect| effect.key == key) {
        strikes.push(format!("in {}: step {}", effect.operation.as_str(), effect.step));
    }
    let errors = catalogue::ALL.iter().filter(|doc| doc.keys.contains(&key));
    let claims = scenarios.iter().filter(|s| s.scenario.covers.iter().any(|claim| claim.value == key));
    Entry {
        key: key.to_owned(),
        rule: rule.to_owned(),
        strikes,
        errors: errors.map(|doc| Remedy { code: doc.code, title: doc.title, remedy: doc.action }).collect(),
        scenarios: claims.map(|s| s.scenario.name.value.clone()).collect(),
        not_modelled: NOT_MODELLED.iter().find(|(known, _)| *known == key).map(|(_, why)| *why),
    }
}

fn text(entry: &Entry, read: bool) -> String {
    let mut lines = vec![format!("{}: {}", entry.key, entry.rule)];
    lines.extend(entry.strikes.iter().map(|strike| format!("    {strike}")));
    lines.extend(entry.errors.iter().map(|e| format!("    {}: {}. {}", e.code, e.title, e.remedy)));
    lines.push(match (entry.not_modelled, entry.scenarios.as_slice()) {
        (Some(why), _) => format!("    not modelled: {why}"),
        (None, []) if !read => return lines.join("\n"),
        (None, []) => "    unproven: no scenario claims it".to_owned(),
        (None, scenarios) => format!("    proven by {}", scenarios.join(", ")),
    });
    lines.join("\n")
}

fn summary(shown: &[&Entry]) -> String {
    let not_modelled = shown.iter().filter(|entry| entry.not_modelled.is_some()).count();
    let unproven = shown.iter().filter(|e| e.not_modelled.is_none() && e.scenarios.is_empty()).count();
    let proven = shown.len() - not_modelled - unproven;
    format!("\n{} rules: {proven} proven, {unproven} unproven, {not_modelled} not modelled", shown.len())
}
