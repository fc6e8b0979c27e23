//! Steps that need a virtual machine which an earlier step deleted.

use super::Subject;
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
struct Needed<'a> {
    site: Side,
    vm: &'a str,
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
        let key = (needed.site, needed.vm.to_owned());
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

fn needed(change: &Change) -> Option<Needed<'_>> {
    let (site, vm, deletes) = match change {
        Change::Vcenter(change) => match &change.value {
            VcenterFault::DeleteVm { vm } | VcenterFault::UnregisterVm { vm } => (Side::OnPremises, vm, true),
            VcenterFault::PowerOn { vm }
            | VcenterFault::PowerOff { vm }
            | VcenterFault::Snapshot { vm, .. }
            | VcenterFault::RemoveSnapshots { vm, .. }
            | VcenterFault::ExtendDisk { vm, .. }
            | VcenterFault::AddDisk { vm, .. }
            | VcenterFault::RenameVm { vm, .. }
            | VcenterFault::Vmotion { vm, .. }
            | VcenterFault::SetOption { vm, .. }
            | VcenterFault::Controller { vm, .. }
            | VcenterFault::Hardware { vm, .. }
            | VcenterFault::DetachDisk { vm, .. }
            | VcenterFault::AttachDisk { vm, .. }
            | VcenterFault::Tools { vm, .. }
            | VcenterFault::CopyVm { vm, .. }
            | VcenterFault::StorageVmotion { vm, .. } => (Side::OnPremises, vm, false),
            VcenterFault::Disconnect
            | VcenterFault::Reconnect
            | VcenterFault::DisconnectHost { .. }
            | VcenterFault::ReconnectHost { .. }
            | VcenterFault::DatastoreAccess { .. }
            | VcenterFault::DatastoreFree { .. }
            | VcenterFault::AccountPrivileges { .. }
            | VcenterFault::AccountPassword { .. }
            | VcenterFault::HostLicence { .. }
            | VcenterFault::CreateVm { .. }
            | VcenterFault::RegisterVm { .. }
            | VcenterFault::HostMemory { .. } => return None,
        },
        Change::Azure(change) => match &change.value {
            AzureFault::DeleteVm { vm } => (Side::Azure, vm, true),
            AzureFault::StopVm { vm }
            | AzureFault::StartVm { vm }
            | AzureFault::MoveSubnet { vm, .. }
            | AzureFault::RestartVm { vm }
            | AzureFault::AddDisk { vm, .. }
            | AzureFault::MoveGroup { vm, .. } => (Side::Azure, vm, false),
            AzureFault::DeleteLock { .. }
            | AzureFault::GrowDisk { .. }
            | AzureFault::HangVm { .. }
            | AzureFault::FailNext { .. }
            | AzureFault::DenyMachines { .. }
            | AzureFault::AllowMachines
            | AzureFault::CardQuota { .. }
            | AzureFault::DeleteNetwork { .. }
            | AzureFault::CreateNetwork { .. } => {
                return None;
            }
        },
        Change::ConfigurationServer(_)
        | Change::MasterTarget(_)
        | Change::ProcessServer(_)
        | Change::Guest(_)
        | Change::Link(_)
        | Change::Call(_) => return None,
    };
    Some(Needed { site, vm, deletes })
}
