//! Errors as documents: a code, what it means, what may have caused it, what to do.
//!
//! The documents themselves live in the orchestrator's catalogue; this is their shape, shared with
//! whoever shows them.

use serde::{Deserialize, Serialize};

/// What the workflow runner does about an error: decided here, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Try again soon, with back-off.
    Retry,
    /// Only time helps (a registration, a discovery): try again later.
    Wait,
    /// An operator must change something, then repeat the request.
    Operator,
    /// Nothing helps: a documented dead end.
    Fatal,
    /// A defect of the lab itself.
    Bug,
}

/// One entry of the error catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ErrorDoc {
    /// Official number (`95226`) where one is documented, else the lab's own `FBnnnn`.
    pub code: &'static str,
    /// One sentence, lower case, no full stop.
    pub title: &'static str,
    /// Possible causes, each a fragment.
    pub causes: &'static [&'static str],
    /// Recommended action, a sentence.
    pub action: &'static str,
    /// What the runner does.
    pub class: Class,
    /// Keys of `orchestrator/src/rules/KEYS.md` this entry follows from.
    pub keys: &'static [&'static str],
}

/// An error that happened, as jobs, item health and refusals show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Code of the catalogue entry.
    pub code: String,
    /// What happened, with names filled in.
    pub message: String,
    /// Possible causes, one sentence each, joined by newlines.
    pub possible_causes: String,
    /// What to do.
    pub recommended_action: String,
    /// What it is about: an item, a server, a disk.
    pub entity: String,
    /// What lies beneath, from the system that refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inner: Vec<String>,
    /// Errors of their own that it stands for: those of the members of a plan, those behind a health.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub beneath: Vec<Report>,
}

impl Report {
    /// The entry `doc` about `entity`; `detail` says what exactly was seen.
    pub fn new(doc: &ErrorDoc, entity: impl Into<String>, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        let message =
            if detail.is_empty() { doc.title.to_owned() } else { format!("{}: {detail}", doc.title) };
        Self {
            code: doc.code.to_owned(),
            message,
            possible_causes: doc.causes.join("\n"),
            recommended_action: doc.action.to_owned(),
            entity: entity.into(),
            inner: Vec::new(),
            beneath: Vec::new(),
        }
    }
    /// The same error, standing for these.
    #[must_use]
    pub fn standing_for(self, beneath: Vec<Self>) -> Self {
        Self { beneath, ..self }
    }
    /// Everything beneath it, at any depth.
    pub fn all_beneath(&self) -> Vec<&Self> {
        self.beneath.iter().flat_map(|report| [report].into_iter().chain(report.all_beneath())).collect()
    }
}
