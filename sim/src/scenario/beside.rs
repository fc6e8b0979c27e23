//! Steps that leave production where it is and change how it replicates, as written.

use super::asks::asks;
use super::text::Name;

asks! {
    /// Move a machine, or all that one process server serves, to another process server (P13).
    pub struct MoveProcessServer {
        /// The machine; default: all that `from` serves and that replicate.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub item: Option<Name>,
        /// The process server that serves it.
        pub from: Name,
        /// The one that is to serve it.
        pub to: Name,
    }
}

asks! {
    /// Compare a machine with its target again, whatever that waits for (C2).
    pub struct Resynchronise {
        /// The machine.
        pub item: Name,
    }
}
