//! Events of the vault.

use super::differs;
use crate::driver::play::Driver;
use crate::report::outcome::{Finding, FindingKind};
use crate::scenario::model::{EventExpect, Health};

fn word(severity: Health) -> &'static str {
    match severity {
        Health::Normal => "OK",
        Health::Warning => "Warning",
        Health::Critical => "Critical",
    }
}

impl Driver<'_> {
    /// Judges the events about one item or server.
    pub(super) async fn judge_events(&self, name: &str, wanted: &[EventExpect]) -> Option<Finding> {
        let shown = match self.client.health_events(name).await {
            Ok(shown) => shown,
            Err(e) => return Some(Finding::new(FindingKind::ExpectationFailed, format!("events: {e}"))),
        };
        let mut rest = shown.iter();
        let mut found = |event: &EventExpect| {
            rest.any(|(code, severity)| *code == event.code.value && severity == word(event.severity))
        };
        let missing = wanted.iter().find(|event| !found(event));
        let wrong = missing.is_some() || wanted.is_empty() && !shown.is_empty();
        let text = |(code, severity): &(String, String)| format!("{severity} {code}");
        let shown = shown.iter().map(text).collect::<Vec<_>>().join(", ");
        let missing = missing.map(|event| format!("{} {}", word(event.severity), event.code));
        wrong.then(|| differs(format!("events of {name}"), missing.unwrap_or("none".to_owned()), shown))
    }
}
