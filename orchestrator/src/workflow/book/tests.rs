//! The workflow lists: what they are, and what every list must satisfy.

use super::Classic;
use crate::journal::{Operation, Verb};
use crate::workflow::{Book, Recovery, Workflow};
use std::collections::BTreeSet;

fn all() -> Vec<&'static Workflow> {
    let unplanned = Operation::ALL.map(|operation| Classic.workflow(operation, Verb::Unplanned));
    let planned = Classic.workflow(Operation::Failback, Verb::Planned);
    unplanned.into_iter().chain([planned]).collect()
}

fn recovery(step: &crate::workflow::Step) -> &'static str {
    match step.recovery {
        Recovery::Undo(_) => "undo",
        Recovery::Forward => "forward",
        Recovery::Operator => "operator",
        Recovery::Nothing => "-",
    }
}

#[test]
fn the_lists() {
    let mut out = String::new();
    for w in all() {
        out += &format!("{}: {} \"{}\"\n", w.operation.as_str(), w.scenario, w.friendly);
        out += &format!("  {} -> {} (or {:?})\n", w.running, w.success.state, w.failure);
        out += &format!("  {:18} {:8} {} \"{}\"\n", "precheck", "", w.precheck.0, w.precheck.1);
        for step in w.steps {
            let boot = if w.boot_from == Some(step.id) { " <- boot group" } else { "" };
            out += &format!("  {:18} {:8} {} \"{}\"{boot}\n", step.id, recovery(step), step.task, step.title);
        }
    }
    insta::assert_snapshot!(out);
}

#[test]
fn ids_are_unique_and_tasks_come_in_one_piece() {
    for w in all() {
        let ids: BTreeSet<_> = w.steps.iter().map(|step| step.id).collect();
        assert_eq!(ids.len(), w.steps.len(), "{}", w.operation.as_str());
        let mut tasks: Vec<_> = w.steps.iter().map(|step| (step.task, step.title)).collect();
        tasks.dedup();
        let distinct: BTreeSet<_> = tasks.iter().map(|(task, _)| task).collect();
        assert_eq!(distinct.len(), tasks.len(), "{}: {tasks:?}", w.operation.as_str());
    }
}

/// A step that can be taken back after the point of no return would never be: the runner takes nothing back
/// from there on.
#[test]
fn nothing_is_undone_past_the_point_of_no_return() {
    for w in all() {
        let rest = w.steps.iter().skip_while(|step| !matches!(step.recovery, Recovery::Forward));
        assert!(rest.clone().all(|step| !matches!(step.recovery, Recovery::Undo(_))), "{}", w.scenario);
    }
}

#[test]
fn boot_groups_wait_before_a_step_that_exists() {
    for w in all() {
        if let Some(boot) = w.boot_from {
            assert!(w.steps.iter().any(|step| step.id == boot), "{}", w.operation.as_str());
        }
    }
}

#[test]
fn only_commit_back_deletes_in_azure_and_what_makes_copies_anew() {
    let position = |w: &Workflow, id: &str| w.steps.iter().position(|step| step.id == id);
    for w in all() {
        let deletes = w.steps.iter().any(|step| step.id.starts_with("delete-"));
        let may = [Operation::CommitBack, Operation::CleanUpTest, Operation::ChangePoint];
        assert_eq!(deletes, may.contains(&w.operation), "{}", w.operation.as_str());
    }
    for verb in [Verb::Unplanned, Verb::Planned] {
        let w = Classic.workflow(Operation::Failback, verb);
        let order = ["stop-azure", "drain", "roll", "verify", "detach", "attach", "power-on"];
        let places: Vec<_> = order.iter().map(|id| position(w, id)).collect();
        assert!(places.windows(2).all(|pair| pair[0].is_some() && pair[0] < pair[1]), "{places:?}");
    }
}
