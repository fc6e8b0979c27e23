//! Rules about replication policies.

use super::{POLICY, Rule, rule};
use crate::catalogue::documented::POLICY_UNUSABLE;
use crate::facts::Facts;
use failback_wire::error::Report;

/// Rules of this topic, in check order.
pub(super) static RULES: &[Rule] = &[rule("P10", "the replication policy can be used", POLICY, usable)];

/// It exists, is for this way, and is associated with the configuration server.
fn usable(f: &Facts) -> Option<Report> {
    let policy = f.policy.as_ref()?;
    let why = match (policy.fits, policy.associated) {
        (true, true) => return None,
        (true, false) => "it is not associated with the configuration server",
        (false, _) => "there is no such policy for this way",
    };
    Some(Report::new(&POLICY_UNUSABLE, f.item.name.as_str(), format!("{}: {why}", policy.name)))
}
