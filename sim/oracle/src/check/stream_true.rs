//! The events tell the truth: power and holders of VMDKs as followed are those observed. A change that
//! no event told would pass every other invariant.

use super::{Check, World};
use crate::facts::Facts;
use crate::violation::Report;
use failback_wire::event::{DiskRef, VmRef};
use std::collections::BTreeMap;

pub(crate) struct StreamTrue;

impl Check for StreamTrue {
    fn settle(&self, world: &World<'_>, report: &mut Report<'_>) {
        let inventory = &world.facts.inventory;
        for machine in &world.facts.machines {
            for vm in [&machine.onprem_vm, &machine.azure_vm] {
                let on = inventory.is_on(vm);
                let seen = world.vm(vm).is_some_and(|v| v.on);
                if on != seen {
                    let (name, site) = (&vm.name, vm.site);
                    let word = |on| if on { "on" } else { "off" };
                    report.say(format!("{name} at {site} is {}, the events say {}", word(seen), word(on)));
                }
            }
        }
        let mut holders: BTreeMap<&DiskRef, Vec<&VmRef>> = BTreeMap::new();
        for vm in &world.seen.vms {
            for disk in &vm.disks {
                holders.entry(disk).or_default().push(&vm.vm);
            }
        }
        let followed = inventory.disks.iter().filter(|(disk, d)| Facts::is_vmdk(disk) && d.home.is_some());
        for (disk, fact) in followed {
            let mut seen = holders.remove(disk).unwrap_or_default();
            let mut told: Vec<_> = fact.holders.iter().collect();
            seen.sort();
            told.sort();
            if seen != told {
                let names =
                    |vms: &[&VmRef]| vms.iter().map(|v| v.name.as_str()).collect::<Vec<_>>().join(", ");
                report.say(format!(
                    "{disk:?} is held by [{}], the events say [{}]",
                    names(&seen),
                    names(&told)
                ));
            }
        }
    }
}
