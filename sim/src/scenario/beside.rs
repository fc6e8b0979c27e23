//! Steps that leave production where it is and change how it replicates, as written.

use super::model::{Ending, default_within};
use super::text::{Name, Spanned};
use super::units::Period;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Move a machine, or all that one process server serves, to another process server (P13).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct MoveProcessServer {
    /// The machine; default: all that `from` serves and that replicate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<Name>,
    /// The process server that serves it.
    pub from: Name,
    /// The one that is to serve it.
    pub to: Name,
    /// How it must end.
    #[serde(default)]
    pub expect: Ending,
    /// Within which virtual time; default 2 h.
    #[serde(default = "default_within")]
    pub within: Spanned<Period>,
}

/// Compare a machine with its target again, whatever that waits for (C2).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Resynchronise {
    /// The machine.
    pub item: Name,
    /// How it must end.
    #[serde(default)]
    pub expect: Ending,
    /// Within which virtual time; default 2 h.
    #[serde(default = "default_within")]
    pub within: Spanned<Period>,
}
