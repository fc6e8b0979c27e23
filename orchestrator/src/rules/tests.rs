//! One thing wrong gives exactly its code; everything wrong gives all codes at once.

mod all_wrong;
mod build;
mod one_wrong;
mod plans;

use super::{check, rules_for};
use crate::facts::Facts;
use crate::journal::Operation;

/// Codes of the refusals, in check order.
fn refusals(facts: &Facts) -> Vec<String> {
    check(facts).refusals.into_iter().map(|report| report.code).collect()
}

#[test]
fn rules_per_operation() {
    let mut out = String::new();
    for operation in Operation::ALL {
        out += &format!("{}\n", operation.as_str());
        for rule in rules_for(operation) {
            out += &format!("  {:4} {:?} {}\n", rule.key, rule.severity, rule.name);
        }
    }
    insta::assert_snapshot!(out);
}

#[test]
fn sound_facts_pass_everywhere() {
    for operation in Operation::ALL {
        let verdict = check(&build::sound(operation));
        assert!(verdict.refusals.is_empty(), "{}: {:?}", operation.as_str(), verdict.refusals);
        assert!(verdict.warnings.is_empty(), "{}: {:?}", operation.as_str(), verdict.warnings);
    }
}
