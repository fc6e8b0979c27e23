//! Faults: when they strike, what they change, and the ledger of what became of each.

mod board;

pub use board::{Action, Board, Entry, Moment, Strike};

use failback_wire::ids::NodeName;

/// Told of every call as it takes effect, so that a fault can strike right before or right after.
pub trait Moments: Send + Sync {
    /// `from`'s call of `operation` to `to` is about to take effect.
    fn before_call(&self, from: &NodeName, to: &NodeName, operation: &'static str);
    /// It just took effect; its reply is not yet on its way.
    fn after_call(&self, from: &NodeName, to: &NodeName, operation: &'static str);
}

/// Nothing strikes.
pub struct Never;
impl Moments for Never {
    fn before_call(&self, _: &NodeName, _: &NodeName, _: &'static str) {}
    fn after_call(&self, _: &NodeName, _: &NodeName, _: &'static str) {}
}
