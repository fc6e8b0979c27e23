//! One thing wrong gives exactly its code; everything wrong gives all codes at once.

mod all_wrong;
mod build;
mod one_wrong;
mod plans;

use super::{WHOLE, all, check, effects, keys, plan, rules_for};
use crate::facts::Facts;
use crate::journal::{Operation, Verb};
use crate::workflow::{Book as _, Classic};
use failback_wire::env::Env;

/// Codes of the refusals, in check order.
fn refusals(facts: &Facts) -> Vec<String> {
    check(facts).refusals.into_iter().map(|report| report.code).collect()
}

#[test]
fn sound_facts_pass_everywhere() {
    for operation in Operation::ALL {
        let verdict = check(&build::sound(operation));
        assert!(verdict.refusals.is_empty(), "{}: {:?}", operation.as_str(), verdict.refusals);
        assert!(verdict.warnings.is_empty(), "{}: {:?}", operation.as_str(), verdict.warnings);
    }
}

#[test]
fn every_effect_is_a_step_of_its_workflow() {
    for effect in effects::EFFECTS {
        let workflow = Classic.workflow(effect.operation, Verb::Unplanned);
        let there = workflow.steps.iter().any(|step| step.id == effect.step);
        assert!(there, "{} has no step {}", effect.operation.as_str(), effect.step);
    }
}

/// A run without a rule does without the steps that are there for it, and no others.
#[test]
fn a_step_goes_with_its_rule() {
    for effect in effects::EFFECTS {
        let without = Env::new(0).without(Some(effect.key));
        assert!(effects::takes_place(&Env::new(0), effect.operation, effect.step));
        assert!(!effects::takes_place(&without, effect.operation, effect.step), "{}", effect.key);
        assert!(effects::takes_place(&without, effect.operation, "another step"));
    }
}

#[test]
fn every_rule_is_explained() {
    let known: Vec<&str> = keys().map(|(key, _)| key).chain(["E21"]).collect();
    let preconditions = all().map(|rule| rule.key).chain(plan::PLAN_RULES.iter().map(|rule| rule.key));
    let all =
        preconditions.chain(WHOLE.iter().map(|(key, _)| *key)).chain(effects::EFFECTS.iter().map(|e| e.key));
    let unknown: Vec<&str> = all.filter(|key| !known.contains(key)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    assert_eq!(known.len(), 80, "C1 to C23, P1 to P41, R1 to R8, G1 to G3, L1 to L4");
}

/// Whoever enforces a rule does without it in a run that has not got it.
#[test]
fn a_rule_that_does_not_hold_refuses_nothing() {
    for rule in all() {
        for operation in rule.applies {
            let mut facts = build::sound(*operation);
            all_wrong::spoil_all(&mut facts);
            facts.env = Env::new(0).without(Some(rule.key));
            let codes = refusals(&facts);
            let own = (rule.check)(&facts).map(|report| report.code);
            let by_others = rules_for(*operation).filter(|other| other.key != rule.key);
            let told: Vec<_> = by_others.filter_map(|other| (other.check)(&facts)).map(|r| r.code).collect();
            if let Some(own) = own.filter(|own| !told.contains(own)) {
                assert!(!codes.contains(&own), "{own} without {}", rule.key);
            }
        }
    }
}
