//! What was lost is no more than the chosen point implies: no block holds what it held before a write
//! that the point contains (R4, R5, E1).

use super::Check;
use super::world::{Outcome, World};
use crate::facts::Origin;
use crate::violation::Report;

pub(crate) struct LossWithinPoint;

impl Check for LossWithinPoint {
    fn settle(&self, world: &World<'_>, report: &mut Report<'_>) {
        for disks in world.disks.chunk_by(|a, b| a.machine.name == b.machine.name) {
            let machine = disks[0].machine;
            let disks = disks.iter();
            let lost: usize = disks
                .map(|d| match &d.outcome {
                    Outcome::Missing(_) => 0,
                    Outcome::Read { wrong, .. } => wrong.iter().filter(|w| w.origin == Origin::Older).count(),
                })
                .sum();
            if lost > 0 {
                let implied = machine.loss().unwrap_or_default();
                report.say(format!(
                    "{} lost {lost} blocks ({} bytes) beyond the {} blocks that its recovery point implies",
                    machine.name,
                    lost as u64 * crate::BLOCK,
                    implied.blocks
                ));
            }
        }
    }
}
