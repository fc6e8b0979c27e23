//! The journal: what the product holds for true. State is its fold, kept beside it in memory.

mod copies;
mod fold;
mod item;
mod plan;
mod policy;
mod record;
mod state;

#[cfg(test)]
mod tests;

pub use copies::Copies;
pub use fold::{Failure, Gone, Job, Phase, Progress, State, StepProgress, apply};
pub use item::{AzureVm, Chosen, Current, Fact, Item, ItemDisk, OnPremVm, Platform, ServerRef, TestCopy};
pub use plan::{ActionKind, ActionProgress, Edge, FailoverType, Plan, PlanAction, Stage};
pub use policy::{Policy, PolicyKind};
pub use record::{
    Accepted, Input, KINDS, Leaving, Operation, Outcome, PointChoice, Record, Rest, Target, Verb,
};
pub use state::{Allowed, Health, Leg, ProtectionState};

use failback_wire::node::Fence;
use failback_wire::store::{CommitHook, Store, StoreError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const SCHEMA: &str =
    "CREATE TABLE IF NOT EXISTS journal (seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, record TEXT NOT NULL)";

/// How the journal can fail.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The store failed, or the node is dead.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A record cannot be written, or the image holds a record that cannot be read.
    #[error("journal record {seq}: {source}")]
    Record {
        /// Its number.
        seq: i64,
        /// What is wrong.
        source: serde_json::Error,
    },
}

/// The journal of one epoch of the orchestrator.
pub struct Journal {
    store: Store,
    state: Mutex<State>,
}

impl Journal {
    /// Opens the journal, empty or from a committed image, and folds it.
    ///
    /// # Errors
    /// When the image is no journal.
    pub fn open(fence: Fence, hook: Arc<dyn CommitHook>, image: Option<&[u8]>) -> Result<Self, JournalError> {
        Self::open_upon(State::default(), fence, hook, image)
    }

    /// The same, upon what the vault was set up with.
    ///
    /// # Errors
    /// When the image is no journal.
    pub fn open_upon(
        mut state: State,
        fence: Fence,
        hook: Arc<dyn CommitHook>,
        image: Option<&[u8]>,
    ) -> Result<Self, JournalError> {
        let store = Store::open(fence, hook, image, SCHEMA)?;
        let rows = store.read(|conn| {
            let mut query = conn.prepare("SELECT seq, record FROM journal ORDER BY seq")?;
            let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect::<rusqlite::Result<Vec<(i64, String)>>>()
        })?;
        for (seq, text) in rows {
            let record =
                serde_json::from_str(&text).map_err(|source| JournalError::Record { seq, source })?;
            apply(&mut state, &record);
        }
        Ok(Self { store, state: Mutex::new(state) })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the state. Must not call back into the journal.
    pub fn read<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.lock())
    }

    /// Decides and writes as one: `decide` sees the state and says what to record; nothing else is
    /// recorded in between. All records are committed together, then folded.
    ///
    /// # Errors
    /// What `decide` says; [`JournalError`] when the records could not be committed (then nothing changed).
    pub fn append<T, E: From<JournalError>>(
        &self,
        decide: impl FnOnce(&State) -> Result<(Vec<Record>, T), E>,
    ) -> Result<T, E> {
        let mut state = self.lock();
        let (records, value) = decide(&state)?;
        let Some(first) = records.first() else { return Ok(value) };
        self.commit(&first.label(), &records)?;
        for record in &records {
            apply(&mut state, record);
        }
        Ok(value)
    }

    fn commit(&self, label: &str, records: &[Record]) -> Result<(), JournalError> {
        let mut texts = Vec::with_capacity(records.len());
        for record in records {
            let text =
                serde_json::to_string(record).map_err(|source| JournalError::Record { seq: 0, source })?;
            texts.push((record.kind(), text));
        }
        self.store.write(label, |tx| {
            let mut insert = tx.prepare_cached("INSERT INTO journal (kind, record) VALUES (?1, ?2)")?;
            for (kind, text) in &texts {
                insert.execute((kind, text))?;
            }
            Ok(())
        })?;
        Ok(())
    }

    /// The committed image, as a disk would hold it.
    ///
    /// # Errors
    /// When SQLite cannot serialise.
    pub fn image(&self) -> Result<Vec<u8>, JournalError> {
        Ok(self.store.image()?)
    }
}
