//! At rest what the product offers the target holds, and a protected item has at least one point (I5, R6).

use super::{Check, World};
use crate::violation::Report;
use failback_wire::ids::PointId;
use std::collections::BTreeSet;

pub(crate) struct LastPointUsable;

impl Check for LastPointUsable {
    fn settle(&self, world: &World<'_>, report: &mut Report<'_>) {
        for seen in &world.seen.items {
            let since = world.facts.sight(world.now);
            let own = || world.facts.machine(&seen.item).into_iter().flat_map(|m| m.sessions());
            let in_vain = own().any(|session| {
                let asked = &world.seen.asked_in_vain;
                asked.iter().any(|(asked, last)| asked == session && *last >= since)
            });
            let own: Vec<_> = own().filter_map(|session| world.facts.sessions.get(session)).collect();
            let held: BTreeSet<&PointId> = own.iter().flat_map(|session| session.all_held(since)).collect();
            // What could not be asked for is shown as it was.
            let shown = seen.points.iter().filter(|_| !in_vain);
            for point in shown.filter(|point| !held.contains(point)) {
                report.say(format!("{} shows point {point}, which cannot be used", seen.item));
            }
            // With the newest point alone, its successor may not have been seen yet.
            let none = world.facts.usable_points(&seen.item).next().is_none()
                && !own.iter().any(|session| session.holds_any());
            // Whoever was started again and could not look yet knows of none.
            let blind = seen.points.is_empty() && world.facts.unseen.contains(&seen.item);
            if seen.state == "Protected" && !blind && (seen.points.is_empty() || none) {
                report.say(format!("{} is Protected without a usable recovery point", seen.item));
            }
        }
    }
}
