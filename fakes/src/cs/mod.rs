//! The configuration server: a service over a SQLite database of machines, registrations, servers and
//! policies, with backups, at an address that everyone else was told once (P2 to P4).
//!
//! Faithful to the public pages: what must be in the database, that a restore must keep the registered
//! address, that backups are scheduled. The REST interface is our own. What the world does to it:
//! - *stopped*: nothing listens at its address;
//! - *database lost*: the service runs and answers everything with 503 `database-lost`;
//! - *restored*: the service runs on what the backup held, one generation later, at the registered address
//!   or at another one. Agents, process servers, master targets and the product know only the registered
//!   address, so after a restore elsewhere nobody finds it: a cause, not a symptom;
//! - *initialised*: the service runs on an empty database, as a new installation would;
//! - *deleted*: the server and its backups are gone, nothing listens, nothing can be restored;
//! - *cloned*: a copy of the same installation is connected to the vault beside it.
//!
//! The server keeps a connection to the vault, so that the vault finds it under its node's name wherever it stands.

mod api;
mod certificate;
mod discovery;
mod faults;
mod identity;
mod tables;

pub use certificate::LIFETIME;
pub use faults::{BackupChoice, ConfigurationServerFault};

use crate::net::Network;
use failback_wire::clock::VirtualMs;
use failback_wire::event::What;
use failback_wire::ids::{MachineCopy, MachineName, NodeName};
use failback_wire::node::Ctx;
use failback_wire::proto::cs::Protection;
use failback_wire::store::{NoHook, Store, StoreError};
use rusqlite::Connection;
use serde_json::json;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use tokio::time::{Duration, sleep_until};

/// Backups that are kept besides the oldest one.
const MAX_BACKUPS: usize = 64;

/// A configuration server, as the lab sets it up.
#[derive(Clone, Debug)]
pub struct ConfigurationServerConfig {
    /// The node it runs as: `cs`.
    pub id: NodeName,
    /// Its IP address, also the one it is registered with in the vault (P4).
    pub host: String,
    /// What all components of this site share.
    pub passphrase: String,
    /// Component version, `9.62`.
    pub version: String,
    /// Between two scheduled backups; the first is taken when the server first boots.
    pub backup_interval: Duration,
    /// How long its certificate lasts from the beginning on (P6).
    pub certificate_left: Duration,
    /// Network adapters its machine has; all of them are registered (P7).
    pub adapters: u32,
}

impl ConfigurationServerConfig {
    /// A server at `host` with daily backups.
    pub fn new(id: impl Into<NodeName>, host: impl Into<String>, passphrase: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            host: host.into(),
            passphrase: passphrase.into(),
            version: "9.62".to_owned(),
            backup_interval: Duration::from_secs(24 * 3600),
            certificate_left: LIFETIME,
            adapters: 1,
        }
    }
}

/// A backup of the database, kept off the machine.
#[derive(Clone, Debug)]
pub struct Backup {
    /// When it was taken.
    pub at: VirtualMs,
    /// The address the server had then.
    pub address: String,
    /// The database's generation then.
    pub generation: u64,
    /// The installation it was taken of; a restore brings that back too.
    instance: u32,
    image: Arc<Vec<u8>>,
}

/// The configuration server.
pub struct ConfigurationServer {
    config: ConfigurationServerConfig,
    net: Arc<dyn Network>,
    me: Weak<Self>,
    state: Mutex<State>,
}

struct State {
    version: String,
    address: String,
    generation: u64,
    /// Which installation it is, and how many there were.
    instance: u32,
    installations: u32,
    /// Where a clone of it is connected from, if one is.
    clone: Option<String>,
    /// Registered in another vault than the lab's.
    elsewhere: bool,
    certificate: certificate::Certificate,
    adapters: u32,
    registered_adapters: u32,
    discovery: discovery::Discovery,
    database: Database,
    /// The latest epoch of its software, alive or dead.
    ctx: Option<Ctx>,
    backups: Vec<Backup>,
    next_backup: Option<VirtualMs>,
}

enum Database {
    /// Not opened yet: the image it will be opened from, or none for an empty one.
    Closed(Option<Arc<Vec<u8>>>),
    Open(Store),
    Lost,
}

/// The database is gone (or was never opened).
#[derive(Debug)]
struct DatabaseLost;

impl ConfigurationServer {
    /// A server that has not booted yet.
    pub fn new(config: ConfigurationServerConfig, net: Arc<dyn Network>) -> Arc<Self> {
        let state = State {
            version: config.version.clone(),
            address: config.host.clone(),
            generation: 1,
            instance: 1,
            installations: 1,
            clone: None,
            elsewhere: false,
            certificate: certificate::Certificate::new(config.certificate_left),
            discovery: discovery::Discovery::default(),
            adapters: config.adapters,
            registered_adapters: config.adapters,
            database: Database::Closed(None),
            ctx: None,
            backups: Vec::new(),
            next_backup: None,
        };
        Arc::new_cyclic(|me| Self { config, net, me: me.clone(), state: Mutex::new(state) })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As it was set up.
    pub fn config(&self) -> &ConfigurationServerConfig {
        &self.config
    }

    /// The address it has now; differs from the registered one after a restore elsewhere.
    pub fn address(&self) -> String {
        self.lock().address.clone()
    }

    /// Its component version.
    pub fn version(&self) -> String {
        self.lock().version.clone()
    }

    /// Its software is updated (P16). The process server it brings along is updated with it, by whoever calls this.
    pub fn update(&self, version: &str) {
        version.clone_into(&mut self.lock().version);
        self.note(&format!("the configuration server is updated to {version}"));
    }

    /// The database's generation: 1 at first, one more with every restore or initialisation.
    pub fn generation(&self) -> u64 {
        self.lock().generation
    }

    /// Backups, oldest first.
    pub fn backups(&self) -> Vec<Backup> {
        self.lock().backups.clone()
    }

    /// Starts the service under `ctx` at its current address, on the last committed image of its database.
    /// Called for the first boot and after each crash; an earlier epoch is dead by then.
    ///
    /// # Errors
    /// When the database cannot be opened.
    pub fn boot(&self, ctx: Ctx) -> Result<(), StoreError> {
        let mut state = self.lock();
        let image = match &state.database {
            Database::Open(store) => Some(Arc::new(store.image()?)),
            Database::Closed(image) => image.clone(),
            Database::Lost => None,
        };
        if !matches!(state.database, Database::Lost) {
            let image = image.as_ref().map(|image| image.as_slice());
            let store = Store::open(ctx.fence.clone(), Arc::new(NoHook), image, tables::SCHEMA)?;
            let generation = state.generation;
            store.write("generation", |db| tables::set_generation(db, generation))?;
            state.database = Database::Open(store);
        }
        state.ctx = Some(ctx.clone());
        if state.next_backup.is_none() {
            take_backup(&mut state, ctx.now()).ok();
            state.next_backup = Some(ctx.now().plus(self.backup_interval()));
        }
        let address = state.address.clone();
        drop(state);
        let router = api::router(self.me.clone(), &self.config.passphrase);
        self.net.bind(&address, ctx.fence.clone(), router.clone());
        self.net.bind(self.config.id.as_str(), ctx.fence.clone(), router);
        ctx.spawn(scheduled_backups(self.me.clone(), ctx.clone()));
        Ok(())
    }

    fn backup_interval(&self) -> Duration {
        self.config.backup_interval.max(Duration::from_secs(1))
    }

    /// What a request works with.
    fn desk(&self) -> Result<(Ctx, Store), DatabaseLost> {
        let state = self.lock();
        match (&state.ctx, &state.database) {
            (Some(ctx), Database::Open(store)) => Ok((ctx.clone(), store.clone())),
            (_, Database::Open(_) | Database::Closed(_) | Database::Lost) => Err(DatabaseLost),
        }
    }

    /// Takes the service down: nothing listens any more. Idempotent.
    pub fn stop(&self) {
        let state = self.lock();
        if let Some(ctx) = &state.ctx {
            ctx.fence.kill();
        }
        let address = state.address.clone();
        drop(state);
        self.net.unbind(&address);
        self.net.unbind(self.config.id.as_str());
    }

    /// Starts the service again, unless it runs.
    ///
    /// # Errors
    /// When the database cannot be opened.
    pub fn start(&self) -> Result<(), String> {
        if self.is_running() {
            return Ok(());
        }
        let ctx = self.net.start_node(&self.config.id);
        self.boot(ctx).map_err(|e| e.to_string())
    }

    /// True while something listens at its address.
    pub fn is_running(&self) -> bool {
        self.lock().ctx.as_ref().is_some_and(|ctx| ctx.fence.alive())
    }

    /// Registers the server in another vault, or in this one again.
    ///
    /// # Errors
    /// When it is registered there.
    fn set_vault(&self, elsewhere: bool) -> Result<(), String> {
        if std::mem::replace(&mut self.lock().elsewhere, elsewhere) == elsewhere {
            return Err("the configuration server is registered there already".to_owned());
        }
        self.note(match elsewhere {
            true => "the configuration server is registered in another vault",
            false => "the configuration server is registered in this vault again",
        });
        Ok(())
    }

    /// True while it belongs to another vault.
    fn is_elsewhere(&self) -> bool {
        self.lock().elsewhere
    }

    /// Backs the database up now, scheduled backups aside.
    ///
    /// # Errors
    /// When there is no database, or it cannot be read.
    pub fn backup_now(&self) -> Result<(), String> {
        let mut state = self.lock();
        let now = state.ctx.as_ref().ok_or("the configuration server never booted")?.now();
        take_backup(&mut state, now)
    }

    /// The database is gone; the backups are not.
    pub fn lose_database(&self) {
        self.lock().database = Database::Lost;
        self.note("the configuration server's database is lost");
    }

    /// Sets the server up on a backup: at `address`, or at the registered one. The service runs afterwards,
    /// one generation later, and knows what the backup knew.
    ///
    /// # Errors
    /// When there is no such backup, or its image cannot be opened.
    pub fn restore(&self, which: BackupChoice, address: Option<&str>) -> Result<(), String> {
        let backup = {
            let state = self.lock();
            let found = match which {
                BackupChoice::Latest => state.backups.last(),
                BackupChoice::Oldest => state.backups.first(),
                BackupChoice::Nth(nth) => nth.checked_sub(1).and_then(|at| state.backups.get(at)),
            };
            found.cloned().ok_or("there is no such backup")?
        };
        let address = address.unwrap_or(&self.config.host).to_owned();
        let text =
            format!("the configuration server is restored from the backup of {} at {address}", backup.at);
        self.reinstall(Some(backup.image), backup.instance, address)?;
        self.note(&text);
        Ok(())
    }

    /// Sets the server up with an empty database, at the address it has (P4: not a way back).
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn initialise(&self) -> Result<(), String> {
        let address = self.address();
        let instance = {
            let mut state = self.lock();
            state.installations += 1;
            state.installations
        };
        self.reinstall(None, instance, address)?;
        self.note("the configuration server starts with an empty database");
        Ok(())
    }

    fn reinstall(&self, image: Option<Arc<Vec<u8>>>, instance: u32, address: String) -> Result<(), String> {
        self.stop();
        {
            let mut state = self.lock();
            state.address = address;
            state.instance = instance;
            state.generation += 1;
            state.database = Database::Closed(image);
        }
        let ctx = self.net.start_node(&self.config.id);
        self.boot(ctx).map_err(|e| e.to_string())
    }

    /// Writes a protected machine's row at the console, as a set-up does.
    ///
    /// # Errors
    /// When the service is down or has no database.
    pub fn put_machine(&self, name: &MachineName, row: &Protection) -> Result<(), String> {
        let (_, store) = self.desk().map_err(|DatabaseLost| "there is no database")?;
        store.write("protect", |db| tables::protect(db, name, row)).map_err(|e| e.to_string())
    }

    /// Deletes a protected machine's row at the console.
    ///
    /// # Errors
    /// When there is no such row, the service is down or has no database.
    pub fn delete_machine(&self, name: &MachineName) -> Result<(), String> {
        let (_, store) = self.desk().map_err(|DatabaseLost| "there is no database")?;
        let found = store.write("forget", |db| tables::forget(db, name)).map_err(|e| e.to_string())?;
        if !found {
            return Err(format!("the database has no row of {name}"));
        }
        self.note(&format!("the row of {name} is deleted from the configuration server's database"));
        Ok(())
    }

    /// Takes each registration of a machine for that of its other copy (C14).
    ///
    /// # Errors
    /// When there is none, the service is down or has no database.
    pub fn confuse_registrations(&self, name: &MachineName) -> Result<(), String> {
        self.registrations(name, "are mixed up", tables::confuse)
    }

    /// Deletes all registrations of a machine at the console.
    ///
    /// # Errors
    /// When there is none, the service is down or has no database.
    pub fn delete_registrations(&self, name: &MachineName) -> Result<(), String> {
        self.registrations(name, "are deleted", tables::unregister)
    }

    /// A clone of this copy's guest registers under its name from an address of its own, and is never heard of again.
    ///
    /// # Errors
    /// When the copy is not registered, the service is down or has no database.
    pub fn register_clone(&self, copy: &MachineCopy) -> Result<(), String> {
        let (ctx, store) = self.desk().map_err(|DatabaseLost| "there is no database")?;
        let found = store.write("register", |db| tables::register_clone(db, copy, ctx.now()));
        if found.map_err(|e| e.to_string())? == 0 {
            return Err(format!("the database has no registration of {copy}"));
        }
        self.note(&format!("a clone of {copy} is registered under its name"));
        Ok(())
    }

    fn registrations(
        &self,
        name: &MachineName,
        what: &str,
        change: fn(&Connection, &MachineName) -> rusqlite::Result<usize>,
    ) -> Result<(), String> {
        let (_, store) = self.desk().map_err(|DatabaseLost| "there is no database")?;
        let found = store.write("registrations", |db| change(db, name)).map_err(|e| e.to_string())?;
        if found == 0 {
            return Err(format!("the database has no registration of {name}"));
        }
        self.note(&format!("the registrations of {name} {what} in the configuration server's database"));
        Ok(())
    }

    /// Tells the world what a person did; the software may be down meanwhile.
    fn note(&self, text: &str) {
        let ctx = self.lock().ctx.clone();
        if let Some(ctx) = ctx {
            ctx.events.emit(ctx.now(), ctx.node(), What::Note { text: text.to_owned() });
        }
    }

    /// All rows but the heartbeats, and the server's state around them, in a fixed order.
    pub fn observe(&self) -> serde_json::Value {
        let state = self.lock();
        let database = match &state.database {
            Database::Lost => json!("lost"),
            Database::Closed(_) => json!("closed"),
            Database::Open(store) => {
                store.read(tables::dump).unwrap_or_else(|e| json!({ "error": e.to_string() }))
            }
        };
        json!({
            "running": state.ctx.as_ref().is_some_and(|ctx| ctx.fence.alive()),
            "address": state.address,
            "generation": state.generation,
            "instance": state.instance,
            "clone": state.clone,
            "elsewhere": state.elsewhere,
            "certificate": state.certificate,
            "adapters": [state.adapters, state.registered_adapters],
            "database": database,
            "backups": state.backups.iter().map(|backup| backup.at).collect::<Vec<_>>(),
        })
    }
}

impl Drop for ConfigurationServer {
    /// The network must not keep a router to a server that is gone.
    fn drop(&mut self) {
        self.stop();
    }
}

/// Keeps the committed image. The oldest backup is never pushed out: it is the one that remembers least.
fn take_backup(state: &mut State, at: VirtualMs) -> Result<(), String> {
    let Database::Open(store) = &state.database else { return Err("there is no database".to_owned()) };
    let image = Arc::new(store.image().map_err(|e| e.to_string())?);
    let (address, generation, instance) = (state.address.clone(), state.generation, state.instance);
    let backup = Backup { at, address, generation, instance, image };
    state.backups.push(backup);
    if state.backups.len() > MAX_BACKUPS + 1 {
        state.backups.remove(1);
    }
    Ok(())
}

/// The schedule goes on across restarts; a backup that fell into a stop is taken at the next start.
async fn scheduled_backups(server: Weak<ConfigurationServer>, ctx: Ctx) {
    loop {
        let Some(due) = server.upgrade().and_then(|server| server.lock().next_backup) else { return };
        sleep_until(ctx.clock.instant(due)).await;
        let Some(server) = server.upgrade() else { return };
        let mut state = server.lock();
        // A schedule that finds no database has nothing to back up.
        take_backup(&mut state, ctx.now()).ok();
        state.next_backup = Some(ctx.now().plus(server.backup_interval()));
    }
}
