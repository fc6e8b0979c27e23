//! The tasks of a run: one that sends, one that cuts marks on time.

use super::link::{Link, Remedy, remedy, trouble};
use super::{Again, Replicator, Run, State};
use failback_replication::source::{Acked, Action, Source};
use failback_wire::clock::VirtualMs;
use failback_wire::event::{PointKind, What};
use failback_wire::node::Ctx;
use failback_wire::proto::agent::Trouble;
use failback_wire::proto::call::CallError;
use failback_wire::proto::session::{Phase, Resync, SessionSpec, SessionView, SyncMode};
use std::sync::{Arc, Weak};
use tokio::time::{Duration, sleep, sleep_until};

/// What a sender needs between two looks at the replicator.
struct Seat {
    me: Weak<Replicator>,
    run: u64,
    ctx: Ctx,
    passphrase: String,
    spec: SessionSpec,
}

/// How a step ended.
enum Step {
    /// Go on at once.
    Done,
    /// The run is over.
    End,
    /// The call failed.
    Failed(CallError),
    /// The reply does not fit; ask again later.
    Misfit,
}

impl Replicator {
    /// The run of this number, if it still is the one.
    fn with_run<T>(&self, run: u64, what: impl FnOnce(&mut Run) -> T) -> Option<T> {
        let mut state = self.lock();
        let State { run: current, runs, .. } = &mut *state;
        current.as_mut().filter(|_| *runs == run).map(what)
    }

    /// Replaces the run by one in a later epoch that compares checksums: because changes were lost, or because the
    /// epoch is not the one that the other side knows.
    fn restart(self: &Arc<Self>, run: u64, epoch: u64, lost: bool) {
        if !self.ctx.env.holds("C2") {
            return;
        }
        let next = |r: &mut Run| {
            let again = match r.again {
                Again::First | Again::Begun if !lost => Again::Begun,
                again @ (Again::No | Again::Repeated) if !lost => again,
                Again::First | Again::Begun | Again::Repeated if !r.source.arrived() => Again::Repeated,
                Again::No | Again::First | Again::Begun | Again::Repeated => Again::First,
            };
            (SessionSpec { epoch, sync: SyncMode::Checksum, ..r.spec.clone() }, r.resumed, again)
        };
        let Some((spec, resumed, again)) = self.with_run(run, next) else { return };
        let spec = self.sized(spec);
        let (session, machine) = (spec.session.clone(), spec.machine.clone());
        self.ctx.emit(What::SessionPhase { session, machine, phase: "resynchronising".to_owned() });
        // On the way home a disk of another size ends it, until it has the old size again.
        self.begin(spec, resumed, again).ok();
    }
}

/// Sends until another run replaces this one.
pub(super) async fn send(me: Weak<Replicator>, run: u64) {
    let Some(seat) = me.upgrade().and_then(|r| {
        let spec = r.with_run(run, |run| run.spec.clone())?;
        Some(Seat { me: me.clone(), run, ctx: r.ctx.clone(), passphrase: r.passphrase.clone(), spec })
    }) else {
        return;
    };
    if !seat.may_begin().await {
        return;
    }
    let (mut failures, mut introduced, mut troubled) = (0, false, false);
    loop {
        let step = if introduced { seat.step().await } else { seat.introduce().await };
        let error = match step {
            Step::End => return,
            Step::Done => {
                // An introduction alone is no progress: what it is for may fail again and again.
                failures = if introduced { 0 } else { failures };
                introduced = true;
                if std::mem::take(&mut troubled) {
                    seat.met(None);
                }
                continue;
            }
            Step::Failed(error) => Some(error),
            Step::Misfit => None,
        };
        failures += 1;
        troubled = true;
        seat.met(error.as_ref());
        let again = Remedy::Again(crate::session_api::back_off(failures, Duration::from_secs(60)));
        match error.map_or(again, |e| remedy(&e, failures)) {
            Remedy::Again(wait) => sleep(wait).await,
            Remedy::Introduce => introduced = false,
            Remedy::Resync(wait) => {
                sleep(wait).await;
                return seat.restart(seat.spec.epoch + 1, true);
            }
            Remedy::Over(_) if seat.gives_up() => return,
            Remedy::Over(wait) => sleep(wait).await,
        }
    }
}

impl Seat {
    fn link(&self) -> Link<'_> {
        Link { http: &self.ctx.http, passphrase: &self.passphrase, spec: &self.spec }
    }
    fn with_run<T>(&self, what: impl FnOnce(&mut Run) -> T) -> Option<T> {
        self.me.upgrade()?.with_run(self.run, what)
    }
    /// Notes what keeps it from sending; `None` when something got through, or what came back is no trouble.
    fn met(&self, error: Option<&CallError>) {
        let now = self.ctx.now();
        self.with_run(|run| {
            let kind = error.and_then(trouble);
            let since =
                run.trouble.as_ref().filter(|old| Some(old.kind) == kind).map_or(now, |old| old.since);
            let why = error.map(ToString::to_string).unwrap_or_default();
            run.trouble = kind.map(|kind| Trouble { kind, since, why });
        });
    }
    fn restart(&self, epoch: u64, lost: bool) {
        if let Some(me) = self.me.upgrade() {
            me.restart(self.run, epoch, lost);
        }
    }
    /// Waits until the policy lets a run begin that makes good for lost changes; false when only a person may (C2).
    async fn may_begin(&self) -> bool {
        let Some(again) = self.with_run(|run| run.again) else { return false };
        let wait = |why: &str| self.with_run(|run| run.waits = Some(why.to_owned()));
        match (self.spec.resync, again) {
            (Resync::AtOnce, _) | (_, Again::No | Again::Begun) => true,
            (Resync::OutsideOfficeHours, Again::First) => {
                let (now, clock) = (self.ctx.now(), self.ctx.clock);
                let at = clock.outside_office_hours(now);
                if at > now {
                    wait("it begins by itself outside office hours");
                    sleep_until(clock.instant(at)).await;
                }
                self.with_run(|run| run.waits = None).is_some()
            }
            (Resync::OutsideOfficeHours, Again::Repeated)
            | (Resync::ByHand, Again::First | Again::Repeated) => {
                wait("somebody must begin it");
                false
            }
        }
    }

    /// Ends a run that the agent took up by itself, when nobody knows the session any more.
    fn gives_up(&self) -> bool {
        let resumed = self.with_run(|run| run.resumed).unwrap_or(true);
        if let Some(me) = self.me.upgrade().filter(|_| resumed) {
            me.stop(&self.spec.session);
        }
        resumed
    }

    /// Agrees with the process server on the epoch before anything is sent.
    async fn introduce(&self) -> Step {
        let view: SessionView = match self.link().view().await {
            Ok(view) => view,
            Err(error) => return Step::Failed(error),
        };
        let mine = self.spec.epoch;
        let (fresh, over) = match self.with_run(|run| (run.source.untouched(), run.resumed)) {
            Some((fresh, resumed)) => {
                (fresh, resumed && matches!(view.phase, Phase::Stopped | Phase::Rolled))
            }
            None => return Step::End,
        };
        if over && self.gives_up() {
            return Step::End;
        }
        // An epoch that waits for its first frame waits for this machine.
        if view.epoch > mine && view.phase == Phase::Waiting && view.received == 0 {
            self.restart(view.epoch, false);
            return Step::End;
        }
        // Numbers of this epoch that are not ours: an earlier boot of this guest sent them.
        if view.epoch > mine || (view.epoch == mine && fresh && view.received > 0) {
            self.restart(view.epoch + 1, false);
            return Step::End;
        }
        if view.epoch == mine {
            return Step::Done;
        }
        match self.link().introduce().await {
            Ok(_) => Step::Done,
            Err(error) => Step::Failed(error),
        }
    }

    /// One step of the source.
    async fn step(&self) -> Step {
        let Some(me) = self.me.upgrade() else { return Step::End };
        let select = |run: &mut Run| (me.track(run, Source::select), run.wake.clone());
        let Some((action, wake)) = self.with_run(select) else { return Step::End };
        let resized = self.with_run(|run| run.source.resized()).unwrap_or_default();
        if resized && me.follows_sizes(&self.spec) {
            me.restart(self.run, self.spec.epoch + 1, true);
            return Step::End;
        }
        drop(me);
        match action {
            Action::Idle => {
                wake.notified().await;
                Step::Done
            }
            Action::FirstCut => {
                self.first_cut();
                Step::Done
            }
            Action::Seam => {
                if let Some(me) = self.me.upgrade() {
                    me.cut_seam(self.run);
                }
                Step::Done
            }
            Action::Hashes { disk, first, count } => match self.link().hashes(&disk, first, count).await {
                Err(error) => Step::Failed(error),
                Ok(None) => Step::Misfit,
                Ok(Some(hashes)) => {
                    self.with_run(|run| run.source.on_hashes(&disk, &hashes));
                    Step::Done
                }
            },
            Action::Send(frames) => match self.link().frames(frames).await {
                Err(error) => {
                    self.with_run(|run| run.source.on_failure());
                    Step::Failed(error)
                }
                Ok(ack) => self.acked(ack),
            },
        }
    }

    fn acked(&self, ack: failback_wire::proto::session::Ack) -> Step {
        let Some((acked, moved)) = self.with_run(|run| {
            let before = run.source.acked();
            (run.source.on_ack(ack), run.source.acked() > before)
        }) else {
            return Step::End;
        };
        if acked == Acked::Lost {
            self.restart(self.spec.epoch + 1, true);
            return Step::End;
        }
        if let Some(me) = self.me.upgrade() {
            me.progress.send_modify(|p| *p += 1);
        }
        if moved { Step::Done } else { Step::Misfit }
    }

    /// The synchronisation is through: the first mark, and from now on one in every interval.
    fn first_cut(&self) {
        let Some(me) = self.me.upgrade() else { return };
        me.cut_due(self.run, false);
        self.ctx.spawn(mark(self.me.clone(), self.run, self.spec.clone(), self.ctx.clone()));
        me.progress.send_modify(|p| *p += 1);
    }
}

impl Replicator {
    /// Cuts a seam: what leaves now is a whole, should nothing come after it (R5).
    fn cut_seam(&self, run: u64) {
        let now = self.ctx.now();
        let cut = |run: &mut Run| (run.source.seam(now), run.spec.session.clone());
        if let Some((Some(mark), session)) = self.with_run(run, cut) {
            let (copy, kind) = (self.copy.clone(), PointKind::Crash);
            self.ctx.emit(What::MarkCut { copy, session, mark, kind, group: None });
        }
    }

    /// Cuts the mark that is due now: application-consistent when that is due and the guest can be quiesced.
    fn cut_due(&self, run: u64, on_grid: bool) {
        let now = self.ctx.now();
        // A group's first mark is cut alone; its application-consistent ones are cut together or not at all.
        let app_due = |run: &mut Run| {
            let together = on_grid || run.spec.group.is_none();
            together && run.spec.app_interval_s > 0 && now >= run.next_app
        };
        let Some(app) = self.with_run(run, app_due) else { return };
        // Not under the lock: quiescing asks the guest.
        let grouped = self.with_run(run, |run| run.spec.group.is_some()).unwrap_or_default();
        let frozen = if app { (self.quiesce)(grouped) } else { Err(String::new()) };
        let kind = if frozen.is_ok() { PointKind::Application } else { PointKind::Crash };
        let cut = self.with_run(run, |run| {
            let cut = self.cut(run, kind, on_grid && run.spec.group.is_some(), false);
            if cut && app {
                run.next_app = next_after(now, run.spec.app_interval_s, run.spec.group.is_some());
            }
            cut
        });
        if cut != Some(true) || !app {
            return;
        }
        self.lock().app_failure = frozen.clone().err();
        if let Err(why) = frozen {
            let text = format!("{}: quiescing failed ({why}), the mark is crash-consistent only", self.copy);
            self.ctx.emit(What::Note { text });
        }
    }
}

/// The next instant of an interval. Members of a replication group all use the same instants, which is how
/// they cut together without a word (G1).
fn next_after(now: VirtualMs, interval_s: u64, group: bool) -> VirtualMs {
    let step = interval_s.max(1) * 1000;
    VirtualMs(if group { (now.0 / step + 1) * step } else { now.0 + step })
}

/// Cuts marks on time until another run replaces this one, or the guest shuts down.
async fn mark(me: Weak<Replicator>, run: u64, spec: SessionSpec, ctx: Ctx) {
    let mut at = ctx.now();
    loop {
        at = next_after(at, spec.crash_interval_s, spec.group.is_some());
        sleep_until(ctx.clock.instant(at)).await;
        let Some(me) = me.upgrade() else { return };
        let state = me.lock();
        let over = state.draining || state.runs != run;
        drop(state);
        if over {
            return;
        }
        me.cut_due(run, true);
    }
}
