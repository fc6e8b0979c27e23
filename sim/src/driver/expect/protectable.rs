//! What the portal lists as protectable.

use super::differs;
use crate::driver::play::Driver;
use crate::report::outcome::{Finding, FindingKind};
use crate::scenario::model::{ProtectableExpect, Shown};
use crate::scenario::text::Name;
use std::collections::{BTreeMap, BTreeSet};

impl Driver<'_> {
    /// Judges what is listed.
    pub(super) async fn judge_protectable(&self, wanted: &BTreeMap<Name, ProtectableExpect>) -> Vec<Finding> {
        let listed = match self.client.protectable().await {
            Ok(listed) => listed,
            Err(e) => return vec![Finding::new(FindingKind::ExpectationFailed, format!("the list: {e}"))],
        };
        let text = |shown: Shown, codes: BTreeSet<String>| match codes.is_empty() {
            true => format!("{shown:?}"),
            false => format!("{shown:?}, {}", Vec::from_iter(codes).join(", ")),
        };
        let judge = |(name, wanted): (&Name, &ProtectableExpect)| {
            let shown = match listed.get(&name.value) {
                None => text(Shown::Not, BTreeSet::new()),
                Some((status, codes)) => {
                    let shown = if status == "Protected" { Shown::Protected } else { Shown::Unprotected };
                    text(shown, codes.clone())
                }
            };
            let codes = wanted.because.iter().map(|code| code.value.clone()).collect();
            let wanted = text(wanted.shown, codes);
            (wanted != shown).then(|| differs(format!("{} as a protectable item", name.value), wanted, shown))
        };
        wanted.iter().filter_map(judge).collect()
    }
}
