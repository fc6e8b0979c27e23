//! Tests of the fake vCenter, through its public face and its wire.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::wildcard_enum_match_arm, reason = "events beside the point are passed over")]

mod disks;
mod power;
mod recordings;
mod service;
mod shapes;
mod snapshots;
mod support;
