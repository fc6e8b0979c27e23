//! Steps that need a virtual machine which an earlier step deleted.

use super::Subject;
use super::faults::words;
use crate::scenario::diagnostic::Problem;
use crate::scenario::estate::Side;
use crate::scenario::fault::Change;
use crate::scenario::model::{Ending, Reprotect, Step};
use crate::scenario::step::{Operation, OperationKind};
use crate::scenario::text::Place;
use failback_fakes::azure::AzureFault;
use failback_fakes::vcenter::VcenterFault;
use std::collections::BTreeMap;

pub(super) fn check(subject: &Subject<'_>, out: &mut Vec<Problem>) {
    let mut check = Check { subject, gone: BTreeMap::new(), out };
    for step in &subject.scenario.steps {
        if let Step::Inject(change) | Step::Operator(change) = &step.value {
            check.change(change, step.at);
        }
        let Some(operation) = step.operation() else { continue };
        if let Step::Reprotect(reprotect) = &step.value {
            check.targets(reprotect, &operation, step.at);
        }
        check.made(&operation);
    }
}

/// What a change needs to exist.
struct Needed {
    site: Side,
    vm: String,
    deletes: bool,
}

struct Check<'a, 'b> {
    subject: &'a Subject<'a>,
    /// Deleted for certain, and by which step.
    gone: BTreeMap<(Side, String), Place>,
    out: &'b mut Vec<Problem>,
}

impl Check<'_, '_> {
    fn change(&mut self, change: &Change, at: Place) {
        if let Change::Vcenter(made) = change
            && let VcenterFault::CreateVm { name, .. } | VcenterFault::RegisterVm { vm: name } = &made.value
        {
            self.gone.remove(&(Side::OnPremises, name.clone()));
        }
        let Some(needed) = needed(change) else { return };
        let key = (needed.site, needed.vm.clone());
        if let Some(first) = self.gone.get(&key) {
            let place = if needed.site == Side::Azure { "in Azure" } else { "in vCenter" };
            let title = format!("this step can never happen: `{}` is gone", needed.vm);
            let problem = Problem::at(self.subject.file, at, title, format!("no such machine {place}"));
            self.out.push(problem.and(self.subject.file, *first, "deleted by this step"));
        } else if needed.deletes {
            self.gone.insert(key, at);
        }
    }

    /// A reprotect home writes through a master target.
    fn targets(&mut self, reprotect: &Reprotect, operation: &Operation<'_>, at: Place) {
        if reprotect.to != Side::OnPremises || operation.expect != &Ending::Succeeded {
            return;
        }
        for machine in operation.machines(self.subject.inventory) {
            let Some(target) = self.target(reprotect, machine) else { continue };
            let Some(first) = self.gone.get(&(Side::OnPremises, target.clone())).copied() else { continue };
            let title = format!("the reprotect of `{machine}` can never succeed: `{target}` is gone");
            let problem = Problem::at(self.subject.file, at, title, "it writes through this master target");
            let problem = problem.and(self.subject.file, first, "deleted by this step");
            self.out.push(problem.help("name another one with `using`, or expect `refused` or `failed`"));
        }
    }

    /// The master target that carries a machine home.
    fn target(&self, reprotect: &Reprotect, machine: &str) -> Option<String> {
        let named = reprotect.inputs(self.subject.inventory, machine)?.master_target.as_ref();
        let os = self.subject.inventory.machines.iter().find(|m| m.name == machine)?.os;
        let fitting = self.subject.inventory.master_targets.iter().find(|t| t.os == os);
        named.map(|name| name.value.clone()).or_else(|| fitting.map(|target| target.id.clone()))
    }

    /// An operation may make the machine again, at its other side.
    fn made(&mut self, operation: &Operation<'_>) {
        let site = if operation.kind == OperationKind::Failover {
            Side::Azure
        } else if [OperationKind::ReprotectHome, OperationKind::Failback].contains(&operation.kind) {
            Side::OnPremises
        } else {
            return;
        };
        for machine in operation.machines(self.subject.inventory) {
            self.gone.remove(&(site, machine.to_owned()));
        }
    }
}

/// Each change of vCenter or Azure needs the virtual machine that it names as `vm`.
fn needed(change: &Change) -> Option<Needed> {
    let (site, words, deletes) = if let Change::Vcenter(change) = change {
        let deletes =
            matches!(change.value, VcenterFault::DeleteVm { .. } | VcenterFault::UnregisterVm { .. });
        (Side::OnPremises, words(&change.value), deletes)
    } else if let Change::Azure(change) = change {
        (Side::Azure, words(&change.value), matches!(change.value, AzureFault::DeleteVm { .. }))
    } else {
        return None;
    };
    let vm = words.into_iter().find(|(key, _)| key == "vm").map(|(_, vm)| vm)?;
    Some(Needed { site, vm, deletes })
}
