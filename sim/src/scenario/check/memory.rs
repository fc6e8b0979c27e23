//! Machines that no host of the estate can ever power on (P39).

use super::Subject;
use crate::scenario::diagnostic::Problem;
use crate::scenario::fault::Change;
use crate::scenario::inventory::Host;
use crate::scenario::model::{Ending, Step};
use crate::scenario::step::OperationKind;
use crate::scenario::units::Size;
use failback_fakes::vcenter::VcenterFault;
use std::collections::BTreeSet;

/// The error of a machine whose host lacks memory.
const NO_MEMORY: &str = "8038";

pub(super) fn check(subject: &Subject<'_>, out: &mut Vec<Problem>) {
    let steps = || subject.scenario.steps.iter().map(|step| &step.value);
    // Then the shortage is what the scenario is about.
    if steps().any(|step| changes_memory(step) || expects_shortage(step)) {
        return;
    }
    let homeward = steps().filter_map(Step::operation);
    let homeward = homeward.filter(|o| o.kind == OperationKind::Failback && *o.expect == Ending::Succeeded);
    let coming: BTreeSet<&str> = homeward.flat_map(|o| o.machines(subject.inventory)).collect();
    let inventory = subject.inventory;
    let hosts = inventory.hosts.iter().chain(inventory.alternate.iter().flat_map(|(hosts, _)| hosts));
    let Some(most) = hosts.map(|host: &Host| host.memory).max() else { return };
    for machine in &subject.estate.machines {
        let Size(needed) = machine.memory.value;
        if needed <= most.0 || !machine.names().iter().any(|name| coming.contains(name.as_str())) {
            continue;
        }
        let title =
            format!("no host can ever power `{}` on: it needs {}", machine.name, machine.memory.value);
        let at = super::first_known(&[machine.memory.at, machine.name.at]);
        let problem = Problem::at(subject.estate_file, at, title, format!("the largest host has {most}"));
        out.push(problem.help("give a host more `memory`, or expect the failback to fail with 8038"));
    }
}

fn changes_memory(step: &Step) -> bool {
    let Some(Change::Vcenter(change)) = step.change() else { return false };
    matches!(change.value, VcenterFault::HostMemory { .. })
}

fn expects_shortage(step: &Step) -> bool {
    step.operation().is_some_and(|operation| {
        matches!(operation.expect, Ending::Failed(failed) if failed.code.value == NO_MEMORY
            || failed.also.iter().any(|code| code.value == NO_MEMORY))
    })
}
