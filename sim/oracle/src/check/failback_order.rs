//! At failback the on-premises virtual machine is powered on only after Azure's is off (I2, C16), and it
//! has its disks by then.

use super::Check;
use crate::facts::Facts;
use crate::violation::Report;
use failback_wire::event::{Actor, DiskRef, Event, What};
use failback_wire::ids::Site;

pub(crate) struct FailbackOrder;

impl Check for FailbackOrder {
    fn on(&self, facts: &Facts, event: &Event, report: &mut Report<'_>) {
        let What::PowerChanged { vm, on: true, by: Actor::Product } = &event.what else { return };
        let Some((n, Site::OnPremises)) = facts.copy_of(vm) else { return };
        let machine = &facts.machines[n];
        let name = &machine.name;
        if facts.inventory.is_on(&machine.azure_vm) {
            report.say(format!("{name} was powered on on-premises while its Azure virtual machine runs"));
        }
        for disk in &machine.disks {
            let vmdk = DiskRef::Vmdk(disk.vmdk.clone());
            let elsewhere = facts.inventory.holders(&vmdk).iter().find(|h| *h != vm);
            if let Some(holder) = elsewhere {
                let (disk, holder) = (&disk.id, &holder.name);
                report.say(format!("{name} was powered on on-premises while {holder} holds its disk {disk}"));
            }
        }
    }
}
