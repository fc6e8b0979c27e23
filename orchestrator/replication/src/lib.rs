//! The replication engine: virtual disks, change tracking, frames, resynchronisation, recovery points and
//! rollback, as pure state machines. IO belongs to whoever hosts it; `image` alone meets files.

pub mod bitmap;
pub mod changes;
pub mod churn;
pub mod crc;
pub mod disk;
pub mod frame;
#[cfg(unix)]
pub mod image;
pub mod journal;
pub mod ledger;
pub mod lineage;
mod packing;
pub mod relay;
pub mod source;
mod sparse;
pub mod target;
pub mod throttle;
