//! At the end every disk that production runs on equals the model at the chosen point plus that copy's
//! own writes since, byte for byte (E1).

use super::Check;
use super::world::{Outcome, World};
use crate::facts::Origin;
use crate::violation::Report;

pub(crate) struct DiskContent;

impl Check for DiskContent {
    fn settle(&self, world: &World<'_>, report: &mut Report<'_>) {
        for compared in &world.disks {
            let (machine, disk) = (&compared.machine.name, &compared.disk.id);
            let site = compared.machine.production;
            match &compared.outcome {
                Outcome::Missing(why) => {
                    report.say(format!("disk {disk} of {machine} at {site} cannot be compared: {why}"));
                }
                Outcome::Read { seen, wrong } => {
                    let Some(first) = wrong.first() else { continue };
                    let count = |origin| wrong.iter().filter(|w| w.origin == origin).count();
                    report.say(format!(
                        "disk {disk} of {machine} at {site} ({seen:?}) differs in {} blocks ({} too old, {} too new, \
                         {} of other origin); first is block {}: expected {:?}, is {:?}",
                        wrong.len(),
                        count(Origin::Older),
                        count(Origin::Newer),
                        count(Origin::Foreign),
                        first.block,
                        first.expected,
                        first.actual
                    ));
                }
            }
        }
    }
}
