//! Rules about where a machine comes home to: the master target's host, and what may stand there.

use crate::catalogue::{documented, placement as doc};
use crate::facts::Facts;
use failback_wire::error::Report;

/// The way home ends at VMware alone (P34).
pub(super) fn esxi(f: &Facts) -> Option<Report> {
    let target = f.vcenter.known()?.target_vm.as_ref()?;
    let known = target.hypervisor.as_str();
    let other = !known.is_empty() && !known.contains("ESX");
    let id = f.request.master_target.as_deref().unwrap_or("master target");
    other.then(|| Report::new(&doc::NOT_ESXI, id, known))
}

/// A machine of ours from an attempt that failed is found by UUID, and so is no stranger.
pub(super) fn name_free(f: &Facts) -> Option<Report> {
    let vcenter = f.vcenter.known().filter(|vcenter| vcenter.vm.is_none())?;
    let name = f.item.name.as_str();
    let taken = vcenter.names_on_host.iter().any(|other| other == name);
    taken.then(|| Report::new(&documented::VM_NAME_TAKEN, name, name))
}
