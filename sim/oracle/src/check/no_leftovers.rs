//! At rest nothing is left behind: no session, lock or lease, no snapshot of the product's, no disk on a
//! master target whose machine is home, and nothing that one keeps for a machine whose way home was committed.

use super::{Check, World};
use crate::facts::{Kind, Machine};
use crate::violation::Report;
use failback_wire::ids::Site;

pub(crate) struct NoLeftovers;

impl Check for NoLeftovers {
    fn settle(&self, world: &World<'_>, report: &mut Report<'_>) {
        for left in &world.seen.leftovers {
            report.say(format!("left behind: {left}"));
        }
        for session in &world.seen.sessions {
            // A commit that failed as the product died is told by the item alone.
            let awaits = |machine: &Machine| {
                let items = world.seen.items.iter();
                items
                    .filter(|item| item.item == machine.name)
                    .any(|item| item.state.contains("CommitPending"))
            };
            let over = |machine: &&Machine| {
                let home = machine.production == Site::OnPremises && machine.azure_released;
                home && !machine.last_failed() && !awaits(machine)
            };
            if let Some(machine) = world.facts.session_of(session).filter(over) {
                let name = &machine.name;
                report.say(format!("left behind: session {session} of {name} on a master target"));
            }
        }
        let inventory = &world.facts.inventory;
        for vm in &world.seen.vms {
            let own = inventory.vms.get(&vm.vm).map(|v| &v.own_snapshots);
            for name in vm.snapshots.iter().filter(|name| own.is_some_and(|own| own.contains(*name))) {
                report.say(format!("left behind: the product's snapshot {name:?} of {}", vm.vm.name));
            }
            if inventory.kind(&vm.vm) != Kind::Infrastructure {
                continue;
            }
            for disk in &vm.disks {
                let home = world.facts.home_of(disk).map(|n| &world.facts.machines[n]);
                if let Some(machine) = home.filter(|m| m.production == Site::OnPremises) {
                    let (name, target) = (&machine.name, &vm.vm.name);
                    report.say(format!("left behind: {disk:?} of {name} on {target}, though {name} is home"));
                }
            }
        }
    }
}
