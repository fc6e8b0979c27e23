//! What Azure needs from the guests it runs.

pub use crate::guest::GuestPower;
