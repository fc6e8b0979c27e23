//! What a person copies from one disk of a running guest to another (P37).

use super::Guests;
use super::workload::{Workload, Write};
use failback_replication::disk::Disk;
use failback_wire::event::VmRef;
use failback_wire::ids::{DiskId, MachineName};

/// A disk of the guest, with its id.
type Known = (DiskId, Disk);

impl Guests {
    /// Copies, in the copy of the machine that runs, what its disk number `from` holds to its disk number `to`.
    ///
    /// # Errors
    /// When no copy runs, it has no such disk, there is nothing to copy, or it does not fit.
    pub(super) fn copy_disk(&self, machine: &str, from: usize, to: usize) -> Result<(), String> {
        let copies = self.running_copies(&MachineName::from(machine));
        let copy = copies.first().ok_or_else(|| format!("no copy of {machine} runs"))?;
        let vm = self.vm_of(copy).ok_or_else(|| format!("there is no guest {copy}"))?;
        let writes = copied(&self.disk(&vm, from)?, &self.disk(&vm, to)?)?;
        match self.put(&vm, |_, version| {
            *version += writes.len() as u64;
            writes
        }) {
            0 => Err(format!("{copy} is not up")),
            _written => Ok(()),
        }
    }

    /// One of the guest's disks, in its own order.
    fn disk(&self, vm: &VmRef, at: usize) -> Result<Known, String> {
        let state = self.lock();
        let (guest, labels) = (state.running.get(vm), state.labels.get(vm));
        let found = guest.zip(labels).and_then(|(guest, labels)| labels.of(&guest.disks).nth(at));
        found.ok_or_else(|| format!("{} has no disk {at}", vm.name))
    }
}

/// The writes that put what `from` holds, block by block, where `to` holds nothing yet.
fn copied((id, from): &Known, (target, to): &Known) -> Result<Vec<Write>, String> {
    let held = from.allocated();
    if held.is_empty() {
        return Err(format!("{id} holds nothing"));
    }
    let room = Workload::room(to.blocks()).filter(|block| to.read(*block).is_zero());
    let room: Vec<u64> = room.take(held.len()).collect();
    if room.len() < held.len() {
        return Err(format!("the {} blocks that {id} holds do not fit on {target}", held.len()));
    }
    let writes = held.into_iter().zip(room);
    let write = |((_, page), block)| Write { disk: target.clone(), handle: to.clone(), block, page };
    Ok(writes.map(write).collect())
}
