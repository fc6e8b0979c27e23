//! Replicated data goes to a VMDK only when it is a protected machine's (or made for one), while a master
//! target holds it, and while that machine's production runs in Azure (I3, P21, E18).

use super::Check;
use crate::facts::{Facts, Kind};
use crate::violation::Report;
use failback_wire::event::{DiskRef, Event, What};
use failback_wire::ids::Site;

pub(crate) struct WriteOwnVmdk;

impl Check for WriteOwnVmdk {
    fn on(&self, facts: &Facts, event: &Event, report: &mut Report<'_>) {
        let What::DiskWritten { disk: disk @ DiskRef::Vmdk(uuid), writer, .. } = &event.what else { return };
        let fact = facts.inventory.disks.get(disk);
        let ours = fact.is_some_and(|f| !f.foreign && (f.home.is_some() || f.made_by_product));
        let ours = ours && !facts.left_out(disk);
        if !ours {
            report.say(format!("{writer} wrote to VMDK {uuid}, which is no replicated item's"));
            return;
        }
        let holders = facts.inventory.holders(disk);
        if !holders.iter().any(|h| facts.inventory.kind(h) == Kind::Infrastructure) {
            report.say(format!("{writer} wrote to VMDK {uuid}, which is not attached to a master target"));
        }
        if let Some(machine) = facts.home_of(disk).map(|n| &facts.machines[n])
            && machine.production == Site::OnPremises
        {
            let name = &machine.name;
            report.say(format!("{writer} wrote to VMDK {uuid} while {name} runs on-premises"));
        }
    }
}
