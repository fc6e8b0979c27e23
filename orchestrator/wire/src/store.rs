//! The store seam: SQLite in memory, whose committed image survives a crash.
//!
//! A transaction is one synchronous closure, so a crash (which happens between polls) never finds one
//! open; a crash *at* a commit is asked for through [`CommitHook`]. Every SELECT must have ORDER BY.

use crate::node::Fence;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, MAIN_DB};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Told of every commit; may kill the node's fence to crash it right there.
pub trait CommitHook: Send + Sync {
    /// About to commit the `nth` write (from 1) of this node's epoch, of this `kind`.
    fn before(&self, fence: &Fence, nth: u64, kind: &str);
    /// The same, just committed.
    fn after(&self, fence: &Fence, nth: u64, kind: &str);
}

/// A hook that does nothing.
pub struct NoHook;
impl CommitHook for NoHook {
    fn before(&self, _: &Fence, _: u64, _: &str) {}
    fn after(&self, _: &Fence, _: u64, _: &str) {}
}

/// How using the store can fail.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The node is dead; nothing was written.
    #[error("the node is gone")]
    Dead,
    /// SQLite refused.
    #[error("database: {0}")]
    Sqlite(#[from] rusqlite::Error),
}

/// An open transaction; rolled back unless it is committed. Its statements are compiled once, which
/// rusqlite's own are not.
struct Open<'a>(&'a Connection);

impl<'a> Open<'a> {
    fn begin(conn: &'a Connection) -> rusqlite::Result<Self> {
        conn.prepare_cached("BEGIN")?.execute([])?;
        Ok(Self(conn))
    }
    fn commit(self) -> rusqlite::Result<()> {
        self.0.prepare_cached("COMMIT")?.execute([]).map(drop)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        // After a commit there is none open. A rollback that fails leaves SQLite to refuse the next BEGIN.
        if !self.0.is_autocommit() {
            let _ = self.0.execute_batch("ROLLBACK");
        }
    }
}

/// A node's database. Clones share it.
#[derive(Clone)]
pub struct Store {
    conn: Arc<Mutex<Connection>>,
    fence: Fence,
    hook: Arc<dyn CommitHook>,
    writes: Arc<AtomicU64>,
}

impl Store {
    /// Opens the database: from `image` (a committed image) or empty, then runs `schema` (idempotent DDL).
    ///
    /// # Errors
    /// When the image is no database or the schema does not apply.
    pub fn open(
        fence: Fence,
        hook: Arc<dyn CommitHook>,
        image: Option<&[u8]>,
        schema: &str,
    ) -> Result<Self, StoreError> {
        let mut conn = Connection::open_in_memory()?;
        if let Some(image) = image {
            conn.deserialize_read_exact(MAIN_DB, image, image.len(), false)?;
        }
        // Without it, every new parameter of a statement has it compiled again.
        conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        conn.execute_batch(schema)?;
        conn.set_prepared_statement_cache_capacity(64);
        Ok(Self { conn: Arc::new(Mutex::new(conn)), fence, hook, writes: Arc::default() })
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.conn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads.
    ///
    /// # Errors
    /// What `f` returns.
    pub fn read<T>(&self, f: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        Ok(f(&self.lock())?)
    }

    /// Writes in one transaction, committed before this returns `Ok`. `kind` names it for crash points.
    ///
    /// # Errors
    /// What `f` returns, rolled back; [`StoreError::Dead`] when the node died before the commit (rolled
    /// back) or right after it (committed, but nobody may act on it).
    pub fn write<T>(
        &self,
        kind: &str,
        f: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        if !self.fence.alive() {
            return Err(StoreError::Dead);
        }
        let conn = self.lock();
        let open = Open::begin(&conn)?;
        let value = f(&conn)?;
        let nth = self.writes.fetch_add(1, Ordering::Relaxed) + 1;
        self.hook.before(&self.fence, nth, kind);
        if !self.fence.alive() {
            return Err(StoreError::Dead);
        }
        open.commit()?;
        self.hook.after(&self.fence, nth, kind);
        if self.fence.alive() { Ok(value) } else { Err(StoreError::Dead) }
    }

    /// The committed image, as a disk would hold it.
    ///
    /// # Errors
    /// When SQLite cannot serialise.
    pub fn image(&self) -> Result<Vec<u8>, StoreError> {
        Ok(self.lock().serialize(MAIN_DB)?.to_vec())
    }
}
