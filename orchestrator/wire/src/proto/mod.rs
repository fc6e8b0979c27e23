//! Our own HTTP protocol between the orchestrator, the configuration server, process servers, master
//! targets and mobility agents. Theirs is not public; this one is ours, and says so.
//!
//! JSON bodies, except frames, which are binary (`failback-replication` owns that codec). Every request
//! carries the configuration server's passphrase in [`PASSPHRASE`]; a wrong one is answered 401.
//! Errors are answered with a fitting status and a [`Refusal`].

pub mod agent;
pub mod call;
pub mod cs;
pub mod known;
pub mod session;
pub mod target;

use serde::{Deserialize, Serialize};

/// Header with the passphrase that all classic components share.
pub const PASSPHRASE: &str = "x-failback-passphrase";

/// Body of every non-2xx reply of our own protocol.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// A stable word: `unknown-session`, `stale-epoch`, `no-such-machine`, `disk-not-attached` …
    pub code: String,
    /// For people.
    pub message: String,
}
