//! The orchestrator as a running service: it owns the journal, runs jobs, watches sessions.

mod announce;
mod cancel;
mod events;
mod glance;
mod health;
pub(crate) mod monitor;
mod observe;
mod protectable;
mod restart;
mod resume;
mod roll;
mod servers;
mod services;
mod submit;
mod telling;
mod way_home;

#[cfg(test)]
mod tests;

pub(crate) use events::{Events, VaultEvent};
pub(crate) use glance::glance;
pub(crate) use monitor::Sight;
pub use observe::ItemNow;
pub(crate) use protectable::Protectable;
pub use roll::{Familiar, Roll};
pub(crate) use servers::{ServerSight, worst};
pub use services::Services;
pub use submit::{Action, Ask, Refusal};
pub(crate) use submit::{not_allowed, unknown};

use crate::config::{Config, Knobs};
use crate::journal::{Job, Journal, JournalError, Record, State};
use crate::workflow::{Book, Classic, Workflow, runner};
use announce::Shown;
use failback_wire::canary::Canary;
use failback_wire::clock::VirtualMs;
use failback_wire::env::Ids;
use failback_wire::error::Report;
use failback_wire::event::What;
use failback_wire::ids::{JobId, MachineName};
use failback_wire::node::Ctx;
use failback_wire::store::CommitHook;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use crate::journal::Health;
use tokio::sync::{Notify, watch};

/// One epoch of the orchestrator.
pub struct Orchestrator {
    services: Services,
    journal: Journal,
    book: Arc<dyn Book>,
    ids: Ids,
    sights: Mutex<BTreeMap<MachineName, Sight>>,
    servers: Mutex<BTreeMap<String, ServerSight>>,
    shown: Mutex<BTreeMap<MachineName, Shown>>,
    events: Mutex<Events>,
    /// Tells jobs that wait for a person that one has confirmed something.
    confirmed: Notify,
    /// True once everything was looked at.
    serving: watch::Sender<bool>,
}

impl Orchestrator {
    /// Starts the product: folds the journal in `image` (or an empty one), takes up open jobs, watches sessions.
    ///
    /// # Errors
    /// When `image` is no journal.
    pub fn start(
        ctx: Ctx,
        config: Config,
        image: Option<&[u8]>,
        hook: Arc<dyn CommitHook>,
    ) -> Result<Arc<Self>, JournalError> {
        Self::start_with(ctx, config, image, hook, Arc::new(Classic))
    }

    /// Starts with an explicit book: folds the journal, takes up open jobs, watches sessions.
    ///
    /// # Errors
    /// When `image` is no journal.
    pub fn start_with(
        ctx: Ctx,
        config: Config,
        image: Option<&[u8]>,
        hook: Arc<dyn CommitHook>,
        book: Arc<dyn Book>,
    ) -> Result<Arc<Self>, JournalError> {
        let Knobs { forward, reverse, .. } = config.knobs;
        let vault = State::of_vault(&config.vault, forward, reverse);
        let journal = Journal::open_upon(vault, ctx.fence.clone(), hook, image)?;
        let me = Arc::new(Self {
            ids: ctx.ids("jobs"),
            services: Services::new(ctx, config),
            journal,
            book,
            sights: Mutex::default(),
            servers: Mutex::default(),
            shown: Mutex::default(),
            events: Mutex::default(),
            confirmed: Notify::new(),
            serving: watch::Sender::new(false),
        });
        me.remember_shown();
        let open = |state: &State| {
            let is_open = |id: &&JobId| state.jobs.get(*id).is_some_and(Job::is_open);
            state.order.iter().filter(is_open).cloned().collect::<Vec<_>>()
        };
        let open = me.journal.read(open);
        open.iter().for_each(|job| me.retell(job));
        me.services.ctx.spawn(monitor::watch(me.clone(), open));
        Ok(me)
    }

    /// Goes on with these jobs, and answers whoever waits, and everybody from now on.
    fn serve(self: &Arc<Self>, open: Vec<JobId>) {
        for job in open.into_iter().filter(|_| !self.services.ctx.env.planted(Canary::ForgetsOpenJobs)) {
            self.services.ctx.spawn(runner::drive(self.clone(), job));
        }
        self.serving.send_replace(true);
    }

    /// Waits until the product serves.
    pub(crate) async fn serves(&self) {
        // It ends with an error when the product is gone: then nobody waits.
        let _ = self.serving.subscribe().wait_for(|serves| *serves).await;
    }

    /// True once it answers: it has looked at everything since its start.
    pub fn is_serving(&self) -> bool {
        *self.serving.borrow()
    }

    /// The committed image of the journal, as a disk would hold it.
    ///
    /// # Errors
    /// When SQLite cannot serialise.
    pub fn image(&self) -> Result<Vec<u8>, JournalError> {
        self.journal.image()
    }

    /// Clients and configuration.
    pub(crate) fn services(&self) -> &Services {
        &self.services
    }
    pub(crate) fn journal(&self) -> &Journal {
        &self.journal
    }
    pub(crate) fn book(&self) -> &dyn Book {
        self.book.as_ref()
    }
    pub(crate) fn now(&self) -> VirtualMs {
        self.services.ctx.now()
    }
    pub(crate) fn emit(&self, what: What) {
        self.services.ctx.emit(what);
    }
    pub(crate) fn job(&self, id: &JobId) -> Option<Job> {
        self.journal.read(|state| state.jobs.get(id).cloned())
    }
    /// Wakes whenever a person has confirmed something.
    pub(crate) fn confirmations(&self) -> &Notify {
        &self.confirmed
    }
    /// The workflow a job runs.
    pub(crate) fn workflow(&self, job: &Job) -> &'static Workflow {
        self.book.workflow(job.request.operation, job.verb())
    }
    /// Health of an item as the monitor derives it, and the errors behind it.
    pub(crate) fn health(&self, item: &MachineName) -> (Health, Vec<Report>) {
        self.sights().get(item).map(|sight| (sight.health, sight.errors.clone())).unwrap_or_default()
    }
    /// What is known of the servers, by id.
    pub(crate) fn servers(&self) -> MutexGuard<'_, BTreeMap<String, ServerSight>> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }
    pub(crate) fn sights(&self) -> MutexGuard<'_, BTreeMap<MachineName, Sight>> {
        self.sights.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// Journals, then tells what the records mean.
    pub(crate) fn record(&self, records: Vec<Record>) -> Result<(), JournalError> {
        let told = records.clone();
        self.journal.append::<_, JournalError>(|_| Ok((records, ())))?;
        self.announce(&told);
        Ok(())
    }
}
