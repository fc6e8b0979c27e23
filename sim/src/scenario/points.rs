//! Recovery points as steps name them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which recovery point a failover or failback is to go to. On the way home only `latest`, `app-consistent` and, for one
/// machine, `custom` are offered (R3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RecoveryPoint {
    /// The newest; to Azure everything received is processed first (R5).
    #[default]
    Latest,
    /// The newest that is processed already.
    LatestProcessed,
    /// The newest crash-consistent one.
    CrashConsistent,
    /// The newest application-consistent one.
    AppConsistent,
    /// For a plan with replication groups: their newest common point that is processed already.
    MultiVmProcessed,
    /// The same of application-consistent points.
    MultiVmAppConsistent,
    /// This one of the list, by its id.
    Custom(PointPick),
}

/// A recovery point as the operator picks it from the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PointPick {
    /// The oldest.
    Oldest,
    /// The newest application-consistent one.
    AppConsistent,
    /// One that is not on the list.
    Unlisted,
}
