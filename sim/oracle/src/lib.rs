//! The independent oracle of Failback Lab: it judges a run from its event stream and from plain
//! observations alone, and shares no code with what it judges.
//!
//! - [`Oracle::take`] follows every event: the guests' writes become a model of what each disk must hold
//!   at each mark, everything else becomes facts that the invariants are checked against at once.
//! - [`Oracle::at_rest`] judges a world in which nothing is going on.
//! - [`Oracle::end`] compares the disks that production runs on with the model, byte for byte.
//! - [`twin::compare`] holds a world after a refused request against its twin that never saw the request.
//!
//! [`CHECKS`] lists the invariants. Adding one is one file in `check/` and one line there.

mod check;
mod facts;
mod observe;
mod oracle;
mod series;
mod setup;
pub mod twin;
mod violation;

pub use check::{CHECKS, Invariant, Scope};
pub use facts::{Choice, Content, Loss};
pub use observe::{DiskSeen, ItemSeen, Observation, ReadBlocks, VmSeen};
pub use oracle::{Oracle, Tally};
pub use series::Series;
pub use setup::{DiskSetup, MachineSetup, PlanSetup, Setup};
pub use violation::Violation;

/// Bytes per block, the grain of writes and hashes.
pub const BLOCK: u64 = 4096;
