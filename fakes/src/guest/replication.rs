//! The replicating half of the mobility agent: tracks what the guest writes, cuts marks, and sends everything
//! to the process server, for ever while the guest runs.
//!
//! A sender task does what [`Source::select`] asks for; a marker task cuts on time. Both belong to one run and
//! end when another replaces it.

mod link;
mod sender;

use crate::component::{Json, read_json, refuse};
use crate::session_api::marks;
use axum::Router;
use axum::extract::{Path, State as Shared};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, put};
use bytes::Bytes;
use failback_replication::churn::Churn;
use failback_replication::disk::{BLOCK, Disk};
use failback_replication::source::{Mode, Source, SourceError};
use failback_wire::clock::VirtualMs;
use failback_wire::event::{PointKind, What};
use failback_wire::http::StatusCode;
use failback_wire::ids::{DiskId, MachineCopy, SessionId};
use failback_wire::node::Ctx;
use failback_wire::proto::agent::{Trouble, fact};
use failback_wire::proto::session::{Direction, DiskProgress, Resync, SessionSpec, SyncMode};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use tokio::sync::{Notify, watch};
use tokio::time::{Duration, timeout};

/// Flushes a guest's writers for a mark of its own, or (true) for one of its replication group; says why that did not
/// work.
pub type Quiesce = Arc<dyn Fn(bool) -> Result<(), String> + Send + Sync>;

/// The replicating half of one agent.
pub struct Replicator {
    ctx: Ctx,
    copy: MachineCopy,
    disks: Mutex<BTreeMap<DiskId, Disk>>,
    quiesce: Quiesce,
    passphrase: String,
    change_log: usize,
    state: Mutex<State>,
    /// Counts steps forward; who drains watches it.
    progress: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    run: Option<Run>,
    /// Counts runs; a task of an earlier one ends.
    runs: u64,
    /// Disks of the run that began last.
    replicated: Vec<DiskId>,
    /// The guest is shutting down: no marks but the last one.
    draining: bool,
    /// How fast the guest writes.
    churn: Churn,
    /// Why the application-consistent mark that was due last became a crash-consistent one.
    app_failure: Option<String>,
}

/// Bytes per second below which nobody is interested: half of what the slowest disk type takes.
const WORTH_TELLING: u64 = 1_000_000;

/// One session in one epoch.
struct Run {
    spec: SessionSpec,
    source: Source,
    /// Wakes the sender when there is something to send, or to end.
    wake: Arc<Notify>,
    next_app: VirtualMs,
    /// Taken up by the agent itself after a boot: it ends when nobody knows the session any more.
    resumed: bool,
    again: Again,
    /// What a resynchronisation waits for before it begins.
    waits: Option<String>,
    last_cut: bool,
    /// What keeps it from sending.
    trouble: Option<Trouble>,
}

/// Whether a run begins because changes were lost, which the policy may want to happen at another time (C2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Again {
    /// It was asked for.
    No,
    /// For the first time since it was through.
    First,
    /// Such a one, begun already; only its epoch was agreed on anew.
    Begun,
    /// Another one came to nothing.
    Repeated,
}

impl Replicator {
    /// A replicator that feeds no session yet. `quiesce` flushes the guest's writers for an
    /// application-consistent mark, alone or (true) with the others of a group. `change_log` bounds the writes it keeps
    /// in order, in bytes (E14).
    pub fn new(
        ctx: Ctx,
        copy: MachineCopy,
        disks: BTreeMap<DiskId, Disk>,
        quiesce: Quiesce,
        passphrase: String,
        change_log: usize,
    ) -> Arc<Self> {
        let (state, progress, disks) = (Mutex::default(), watch::channel(0).0, Mutex::new(disks));
        Arc::new(Self { ctx, copy, disks, quiesce, passphrase, change_log, state, progress })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more disk; the next session may ask for it.
    pub(super) fn add_disk(&self, id: DiskId, disk: Disk) {
        self.disks.lock().unwrap_or_else(PoisonError::into_inner).insert(id, disk);
    }

    /// `PUT` and `DELETE /v1/replication…`. Who serves it adds the passphrase check and the agent's status.
    pub fn router(self: &Arc<Self>) -> Router {
        Router::new()
            .route("/v1/replication", put(start))
            .route("/v1/replication/{session}", delete(stop))
            .with_state(Arc::downgrade(self))
    }

    /// Starts feeding a session, or takes it up with a higher epoch; nothing when this epoch, or a later one
    /// that the agent began by itself, already runs.
    ///
    /// # Errors
    /// A disk is missing or has another size.
    pub fn start(self: &Arc<Self>, spec: SessionSpec) -> Result<(), SourceError> {
        let same = |run: &&mut Run| run.spec.session == spec.session && run.spec.epoch >= spec.epoch;
        if let Some(run) = self.lock().run.as_mut().filter(same) {
            run.resumed = false;
            return Ok(());
        }
        let sized = self.sized(spec.clone());
        // What it found larger than the others know, it tells them in an epoch of its own.
        let epoch = sized.epoch + u64::from(sized != spec);
        self.begin(SessionSpec { epoch, ..sized }, false, Again::No)
    }

    /// Takes up what an earlier boot of this guest was feeding: in a new epoch, comparing checksums, for
    /// nobody knows what was written but not tracked (E7). Ends by itself when the session is over.
    pub fn resume(self: &Arc<Self>, spec: SessionSpec) {
        // A disk that no longer fits ends it too: the orchestrator sees an agent that feeds nothing.
        let spec = self.sized(SessionSpec { sync: SyncMode::Checksum, ..spec });
        self.begin(spec, true, Again::First).ok();
    }

    /// What it feeds now; worth keeping across boots for [`Replicator::resume`].
    pub fn spec(&self) -> Option<SessionSpec> {
        self.lock().run.as_ref().map(|run| run.spec.clone())
    }

    /// The disks that the session it feeds does not cover; none while it feeds none.
    pub(super) fn unreplicated(&self) -> Vec<DiskId> {
        let disks = self.disks.lock().unwrap_or_else(PoisonError::into_inner);
        let state = self.lock();
        let Some(run) = &state.run else { return Vec::new() };
        let covered = |id: &DiskId| run.spec.disks.iter().any(|disk| disk.disk == *id);
        disks.keys().filter(|id| !covered(id)).cloned().collect()
    }

    /// The disks that it sends, or sent last; none when it never did.
    pub(super) fn replicated(&self) -> Vec<DiskId> {
        self.lock().replicated.clone()
    }

    /// Stops tracking and sending, if it feeds this session.
    pub fn stop(&self, session: &SessionId) {
        let mut state = self.lock();
        if state.run.as_ref().is_some_and(|run| run.spec.session == *session) {
            self.end(&mut state);
        }
    }

    fn end(&self, state: &mut State) {
        state.runs += 1;
        if let Some(run) = state.run.take() {
            run.wake.notify_one();
        }
        self.progress.send_modify(|p| *p += 1);
    }

    fn begin(self: &Arc<Self>, spec: SessionSpec, resumed: bool, again: Again) -> Result<(), SourceError> {
        let disks = self.disks.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let source = Source::new(&spec, &disks, self.change_log)?
            .covering(marks(&self.ctx))
            .with_planted(self.ctx.env.bug());
        let mut state = self.lock();
        self.end(&mut state);
        let wake = Arc::new(Notify::new());
        let next_app = VirtualMs(0);
        state.replicated = spec.disks.iter().map(|disk| disk.disk.clone()).collect();
        state.run = Some(Run {
            spec,
            source,
            wake,
            next_app,
            resumed,
            again,
            waits: None,
            last_cut: false,
            trouble: None,
        });
        let run = state.runs;
        drop(state);
        self.ctx.spawn(sender::send(Arc::downgrade(self), run));
        Ok(())
    }

    /// True when a disk may become larger under way: on the way to Azure, where its seed grows with it (P37).
    fn follows_sizes(&self, spec: &SessionSpec) -> bool {
        spec.direction == Direction::Forward && self.ctx.env.holds("P37")
    }

    /// The same with the sizes that the disks have now, where they may differ from what was agreed on.
    fn sized(&self, mut spec: SessionSpec) -> SessionSpec {
        if self.follows_sizes(&spec) {
            let disks = self.disks.lock().unwrap_or_else(PoisonError::into_inner);
            for stated in &mut spec.disks {
                stated.size = disks.get(&stated.disk).map_or(stated.size, Disk::bytes);
            }
        }
        spec
    }

    /// The guest has just written this block of the disk.
    pub fn wrote(&self, disk: &DiskId, block: u64) {
        let mut state = self.lock();
        let State { run: Some(run), churn, .. } = &mut *state else { return };
        churn.wrote(disk, BLOCK as u64, self.ctx.now());
        if self.track(run, |source| source.wrote(disk, block)) {
            run.wake.notify_one();
        }
    }

    /// What is worth telling with a heartbeat. Rates count until nothing waits any more.
    pub(super) fn facts(&self) -> BTreeMap<String, String> {
        let mut state = self.lock();
        let State { run: Some(run), churn, app_failure, .. } = &mut *state else { return BTreeMap::new() };
        let rates = churn.rates();
        if run.source.mode() == Mode::Logging && run.source.drained() {
            churn.forget();
        }
        let rate =
            |name: &str, rate: u64| (rate >= WORTH_TELLING).then(|| (name.to_owned(), rate.to_string()));
        let app = app_failure.clone().map(|why| (fact::APP_POINT.to_owned(), why));
        let failed = run.again == Again::Repeated && run.spec.resync == Resync::OutsideOfficeHours;
        let name = if failed { fact::RESYNC_FAILED } else { fact::RESYNC };
        let misfit = run.source.resized() && !self.follows_sizes(&run.spec);
        let misfit =
            misfit.then(|| "a disk is not as large as at the target: somebody must begin it".to_owned());
        let waits = run.waits.clone().or(misfit).map(|why| (name.to_owned(), why));
        let facts = [rate(fact::CHURN_PEAK, rates.peak), rate(fact::CHURN_DISK, rates.disk), app, waits];
        facts.into_iter().flatten().collect()
    }

    /// Lets the source go on, and tells when it begins or ends to keep the order of what is written.
    fn track<T>(&self, run: &mut Run, what: impl FnOnce(&mut Source) -> T) -> T {
        let (before, fitted) = (run.source.mode(), !run.source.resized());
        let done = what(&mut run.source);
        if fitted && run.source.resized() {
            let then = match self.follows_sizes(&run.spec) {
                true => "it is compared anew",
                false => "no more recovery points can be made",
            };
            self.ctx.emit(What::Note { text: format!("{}: a disk was resized, {then}", self.copy) });
            run.wake.notify_one();
        }
        let news = match (before, run.source.mode()) {
            (Mode::Logging | Mode::CatchingUp, Mode::Marking) => {
                "the change log is full, changes are only marked"
            }
            (Mode::Marking | Mode::CatchingUp, Mode::Logging) => {
                "caught up, changes are logged in order again"
            }
            (_, Mode::Logging | Mode::Marking | Mode::CatchingUp) => return done,
        };
        self.ctx.emit(What::Note { text: format!("{}: {news}", self.copy) });
        done
    }

    /// What keeps it from sending, if anything does.
    pub fn trouble(&self) -> Option<Trouble> {
        self.lock().run.as_ref().and_then(|run| run.trouble.clone())
    }

    /// The session it feeds and its progress per disk.
    pub fn progress(&self) -> (Option<SessionId>, Vec<DiskProgress>) {
        let state = self.lock();
        let run = state.run.as_ref();
        (run.map(|r| r.spec.session.clone()), run.map(|r| r.source.progress()).unwrap_or_default())
    }

    /// At a clean shutdown, once nothing writes any more: cuts the last mark and sends what is left. True when
    /// the process server has all of it within `limit`; true at once when no session is fed.
    pub async fn drain(&self, limit: Duration) -> bool {
        self.lock().draining = true;
        let mut steps = self.progress.subscribe();
        let through = async {
            while !self.drained() {
                if steps.changed().await.is_err() {
                    return;
                }
            }
        };
        timeout(limit, through).await.is_ok()
    }

    /// Cuts the last mark once it can be cut; true when it and all before it have arrived.
    fn drained(&self) -> bool {
        let mut state = self.lock();
        let Some(run) = &mut state.run else { return true };
        if run.source.marked() && !run.last_cut {
            run.last_cut = true;
            self.cut(run, PointKind::Crash, false, true);
        }
        run.last_cut && run.source.drained()
    }

    /// Cuts a mark of the run, reports it and wakes the sender. False when too much waits.
    fn cut(&self, run: &mut Run, kind: PointKind, group: bool, last: bool) -> bool {
        let now = self.ctx.now();
        let Some(mark) = self.track(run, |source| source.cut(kind, now, group, last)) else { return false };
        let (session, group) = (run.spec.session.clone(), run.spec.group.clone().filter(|_| group));
        self.ctx.emit(What::MarkCut { copy: self.copy.clone(), session, mark, kind, group });
        run.wake.notify_one();
        true
    }
}

async fn start(Shared(replicator): Shared<Weak<Replicator>>, body: Bytes) -> Response {
    let spec = match read_json::<SessionSpec>(&body) {
        Ok(spec) => spec,
        Err(reply) => return reply,
    };
    let Some(replicator) = replicator.upgrade() else {
        return refuse(StatusCode::SERVICE_UNAVAILABLE, "guest-down", "the guest is going down");
    };
    if spec.machine != replicator.copy.machine {
        let text = format!("this is {}, not {}", replicator.copy.machine, spec.machine);
        return refuse(StatusCode::CONFLICT, "other-machine", text);
    }
    match replicator.start(spec) {
        Ok(()) => Json(()).into_response(),
        Err(error @ SourceError::NoSuchDisk(_)) => {
            refuse(StatusCode::CONFLICT, "no-such-disk", error.to_string())
        }
        Err(error @ SourceError::Resized { .. }) => {
            refuse(StatusCode::CONFLICT, "disk-resized", error.to_string())
        }
    }
}

async fn stop(Shared(replicator): Shared<Weak<Replicator>>, Path(session): Path<SessionId>) -> Response {
    if let Some(replicator) = replicator.upgrade() {
        replicator.stop(&session);
    }
    Json(()).into_response()
}
