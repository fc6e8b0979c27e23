//! What the licence of a host lets programs do (P34). A person at the host's own console may do everything.

use super::config::Licence;
use super::operation::{Applied, Apply, Operation};
use super::refusal;

impl Apply<'_> {
    /// A free licence lets programs look, and change nothing.
    pub(super) fn licensed(&self, operation: &Operation) -> Applied {
        let host = match operation {
            Operation::PowerOn { vm }
            | Operation::PowerOff { vm }
            | Operation::Reconfigure { vm, .. }
            | Operation::Destroy { vm }
            | Operation::CreateSnapshot { vm, .. }
            | Operation::RemoveAllSnapshots { vm }
            | Operation::Revert { vm, .. } => self.model.vms.get(vm).map(|vm| vm.host),
            Operation::RemoveSnapshot { snapshot, .. } => {
                let vm = self.model.vm_of_snapshot(*snapshot);
                vm.and_then(|vm| self.model.vms.get(&vm)).map(|vm| vm.host)
            }
            Operation::CreateVm { host, .. } | Operation::Register { host, .. } => *host,
            Operation::DisconnectHost { .. } | Operation::ReconnectHost { .. } | Operation::Search { .. } => {
                None
            }
        };
        match host {
            Some(host) => self.licensed_host(host),
            None => Ok(()),
        }
    }

    /// The same for whatever is asked of a machine on this host.
    pub(super) fn licensed_host(&self, host: u64) -> Applied {
        let free = self.model.hosts.get(&host).is_some_and(|host| host.licence == Licence::Free);
        match free && self.env.is_none_or(|env| env.holds("P34")) {
            true => Err(refusal::restricted_version()),
            false => Ok(()),
        }
    }
}
