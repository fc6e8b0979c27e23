//! What vCenter needs from the guests it runs. Called with no lock of vCenter held, in the order in which the
//! virtual machines' power changed.

pub use crate::guest::GuestPower;
