//! At rest every item is in a named state, with the operations that state allows.

use super::{Check, World};
use crate::violation::Report;

pub(crate) struct ItemStates;

impl Check for ItemStates {
    fn settle(&self, world: &World<'_>, report: &mut Report<'_>) {
        for seen in &world.seen.items {
            let (item, state) = (&seen.item, seen.state.trim());
            let known = &world.facts.rest_states;
            let named = if known.is_empty() {
                !state.is_empty() && !state.ends_with("InProgress")
            } else {
                known.iter().any(|k| k == state)
            };
            if !named {
                report.say(format!("{item} rests in state {state:?}, which is no state of rest"));
            }
            let mut sorted = seen.allowed.clone();
            sorted.sort();
            sorted.dedup();
            if sorted.len() != seen.allowed.len() {
                report.say(format!("{item} lists an allowed operation twice: {}", seen.allowed.join(", ")));
            }
            // Enabling once more creates the item anew: that is no operation of an item.
            if seen.allowed.is_empty() && state != "EnablingFailed" {
                report.say(format!("{item} rests in state {state:?} with nothing allowed"));
            }
        }
    }
}
