//! A moment to judge: facts and observation side by side, and at the end the comparison of disks.

use crate::facts::{Facts, Machine, ModelDisk, Origin};
use crate::observe::{DiskSeen, Observation, VmSeen};
use failback_wire::clock::VirtualMs;
use failback_wire::event::{Actor, ContentHash, DiskRef, VmRef};
use failback_wire::ids::Site;
use std::collections::BTreeMap;
use xxhash_rust::xxh3::xxh3_128;

/// A block that does not hold what it must.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WrongBlock {
    pub(crate) block: u64,
    pub(crate) expected: ContentHash,
    pub(crate) actual: ContentHash,
    pub(crate) origin: Origin,
}

/// Outcome of comparing one disk of one machine's production copy.
#[derive(Clone, Debug)]
pub(crate) struct Compared<'a> {
    pub(crate) machine: &'a Machine,
    pub(crate) disk: &'a ModelDisk,
    pub(crate) outcome: Outcome,
    blocks: u64,
}

/// What comparing a disk showed.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    /// The disk cannot be compared; why.
    Missing(String),
    /// Wrong blocks, ascending; none when the disk is right.
    Read { seen: DiskRef, wrong: Vec<WrongBlock> },
}

/// A moment.
pub(crate) struct World<'a> {
    pub(crate) facts: &'a Facts,
    pub(crate) now: VirtualMs,
    pub(crate) seen: &'a Observation,
    vms: BTreeMap<&'a VmRef, &'a VmSeen>,
    seen_disks: BTreeMap<&'a DiskRef, &'a DiskSeen>,
    /// The production copies' disks against the model; empty before the end.
    pub(crate) disks: Vec<Compared<'a>>,
}

impl<'a> World<'a> {
    /// Facts and observation, with the disks compared if asked.
    pub(crate) fn new(facts: &'a Facts, now: VirtualMs, seen: &'a Observation, compare: bool) -> Self {
        let vms = seen.vms.iter().map(|v| (&v.vm, v)).collect();
        let seen_disks = seen.disks.iter().map(|d| (&d.disk, d)).collect();
        let mut world = Self { facts, now, seen, vms, seen_disks, disks: Vec::new() };
        if compare {
            for machine in &facts.machines {
                world.compare(machine);
            }
        }
        world
    }
    /// How many disks were compared, and how many of their blocks hashed.
    pub(crate) fn compared(&self) -> (u64, u64) {
        (self.disks.len() as u64, self.disks.iter().map(|d| d.blocks).sum())
    }
    /// The virtual machine as observed.
    pub(crate) fn vm(&self, vm: &VmRef) -> Option<&'a VmSeen> {
        self.vms.get(vm).copied()
    }
    fn disk(&self, disk: &DiskRef) -> Option<&'a DiskSeen> {
        self.seen_disks.get(disk).copied()
    }

    fn compare(&mut self, machine: &'a Machine) {
        let vm_ref = machine.vm(machine.production);
        let Some(vm) = self.vm(vm_ref) else {
            let deleted_by = self.facts.inventory.vms.get(vm_ref).and_then(|v| v.deleted_by);
            // A copy that a person or a fault deleted is no fault of the product's. Nor is one missing between its end
            // and its return from another point, while the target holds that point: nothing is lost then (C7).
            let comes_back = machine.made_anew().is_some_and(|choice| {
                self.facts
                    .sessions
                    .get(&choice.session)
                    .is_some_and(|session| session.holds(&choice.point, choice.mark).is_some())
            });
            if matches!(deleted_by, None | Some(Actor::Product)) && !comes_back {
                for disk in &machine.disks {
                    let why = format!("virtual machine {} at {} is not there", vm_ref.name, vm_ref.site);
                    self.disks.push(Compared { machine, disk, outcome: Outcome::Missing(why), blocks: 0 });
                }
            }
            return;
        };
        let Some(expected) = machine.production_content(self.facts.zero) else {
            for disk in &machine.disks {
                let why = "nobody told which recovery point its copy was made from".to_owned();
                self.disks.push(Compared { machine, disk, outcome: Outcome::Missing(why), blocks: 0 });
            }
            return;
        };
        let absent = machine.absent();
        for (n, (disk, expected)) in machine.disks.iter().zip(&expected).enumerate() {
            // It came up without this disk.
            if absent.contains(&n) {
                continue;
            }
            let place = n - absent.range(..n).count();
            let Some(seen) = self.counterpart(machine, vm, n, place) else {
                if self.excused(machine, disk) {
                    continue;
                }
                let why = format!("virtual machine {} at {} has no such disk", vm_ref.name, vm_ref.site);
                self.disks.push(Compared { machine, disk, outcome: Outcome::Missing(why), blocks: 0 });
                continue;
            };
            let Some(found) = self.disk(&seen) else {
                let why = format!("{seen:?} is in no inventory");
                self.disks.push(Compared { machine, disk, outcome: Outcome::Missing(why), blocks: 0 });
                continue;
            };
            let compared = self.compare_disk(machine, n, disk, expected, found);
            self.disks.push(compared);
        }
    }

    /// The disk of `vm` that is the machine's `n`th: the VMDK of that UUID, else the one in its place among those that the
    /// copy has.
    fn counterpart(&self, machine: &Machine, vm: &VmSeen, n: usize, place: usize) -> Option<DiskRef> {
        let own = |disk: &ModelDisk| DiskRef::Vmdk(disk.vmdk.clone());
        let by_uuid = own(machine.disks.get(n)?);
        if machine.production == Site::OnPremises && vm.disks.contains(&by_uuid) {
            return Some(by_uuid);
        }
        // A new virtual machine has new disks, in the machine's order.
        let in_place = vm.disks.get(place)?;
        let taken = machine.disks.iter().any(|d| own(d) == *in_place);
        (!taken).then(|| in_place.clone())
    }

    /// True when somebody else took the VMDK away, or there is none yet.
    fn excused(&self, machine: &Machine, disk: &ModelDisk) -> bool {
        if disk.outside && machine.production == Site::OnPremises && machine.installed.is_none() {
            return true;
        }
        let vmdk = DiskRef::Vmdk(disk.vmdk.clone());
        let Some(fact) = self.facts.inventory.disks.get(&vmdk) else { return false };
        let others = |by: Option<Actor>| matches!(by, Some(Actor::Operator | Actor::Fault));
        let at_home = machine.production == Site::OnPremises;
        at_home && (others(fact.deleted_by) || others(fact.detached_by))
    }

    fn compare_disk(
        &self,
        machine: &'a Machine,
        n: usize,
        disk: &'a ModelDisk,
        expected: &BTreeMap<u64, ContentHash>,
        found: &DiskSeen,
    ) -> Compared<'a> {
        if found.blocks < disk.blocks {
            let why = format!("{:?} is cut to {} of {} blocks", found.disk, found.blocks, disk.blocks);
            return Compared { machine, disk, outcome: Outcome::Missing(why), blocks: 0 };
        }
        let zero = self.facts.zero;
        let mut actual = BTreeMap::new();
        let mut blocks = 0;
        (found.content)(&mut |block, bytes| {
            blocks += 1;
            let hash = ContentHash(xxh3_128(bytes));
            if hash != zero {
                actual.insert(block, hash);
            }
        });
        let mut wrong = Vec::new();
        let mut differs = |block: u64, expected: ContentHash, actual: ContentHash| {
            let origin = machine.explain(n as u32, block, actual, zero);
            wrong.push(WrongBlock { block, expected, actual, origin });
        };
        for (block, hash) in expected {
            let is = actual.get(block).copied().unwrap_or(zero);
            if is != *hash {
                differs(*block, *hash, is);
            }
        }
        for (block, is) in actual.iter().filter(|(block, _)| !expected.contains_key(block)) {
            differs(*block, zero, *is);
        }
        wrong.sort_by_key(|w| w.block);
        Compared { machine, disk, outcome: Outcome::Read { seen: found.disk.clone(), wrong }, blocks }
    }
}
