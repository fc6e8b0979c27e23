//! Looks at every replicating item's session and servers: recovery points, RPO and health follow from
//! what is seen. Nothing here is journalled but an item's first recovery point.

use super::health::{Young, derive, reports};
use super::{Action, Ask, Familiar, Orchestrator, Roll};
use crate::catalogue::warning::RPO_BREACH;
use crate::journal::{Health, Item, ProtectionState, Record, State, Target};
use crate::workflow::{Finding, Glance};
use failback_wire::canary::Canary;
use failback_wire::clock::VirtualMs;
use failback_wire::error::Report;
use failback_wire::event::What;
use failback_wire::ids::{JobId, MachineName, SessionId};
use failback_wire::proto::known::{Changed, Kept, Known};
use failback_wire::proto::session::{Phase, Point, SessionView, WatchOne};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{sleep, sleep_until, timeout};

/// What the monitor knows of one item.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sight {
    /// The session it was seen in.
    pub(crate) session: Option<SessionId>,
    /// The last answer, without its points.
    pub(crate) view: Option<Arc<SessionView>>,
    /// The points on offer.
    known: Known,
    /// When it came.
    pub(crate) seen: Option<VirtualMs>,
    /// Health, as derived at the last look.
    pub(crate) health: Health,
    /// The errors behind it, worst first.
    pub(crate) errors: Vec<Report>,
    /// Findings that may not have lasted yet.
    young: Young,
    /// When the look began that brought it: an answer to an earlier question tells nothing new.
    begun: VirtualMs,
    /// A look is under way.
    looking: bool,
}

impl Sight {
    /// Recovery points on offer, in the order of their marks.
    pub(crate) fn points(&self) -> &[Arc<Point>] {
        self.known.points()
    }
    /// A planted bug: what is gone stays on offer.
    fn still_shows(&mut self, Changed { gone, new }: Changed) -> Changed {
        let mut all: Vec<_> = gone.into_iter().chain(self.points().iter().cloned()).collect();
        all.sort_by_key(|point| point.mark);
        self.known.replace(all);
        Changed { gone: Vec::new(), new }
    }
    /// Points of an item that does not replicate may have come or gone since: nothing was seen, or its session had not
    /// stopped yet.
    fn may_miss(&self) -> bool {
        self.view.as_ref().is_none_or(|view| !matches!(view.phase, Phase::Stopped | Phase::Rolled))
    }
}

/// True for items that do not replicate and still show the points of a session: it is looked at until they are known as
/// it left them when it stopped.
fn keeps_points(item: &Item) -> bool {
    let shows = match item.state {
        // Half-way too: the attempt that goes on may name its point once more.
        ProtectionState::UnplannedFailoverInProgress
        | ProtectionState::PlannedFailoverInProgress
        | ProtectionState::UnplannedFailoverFailed
        | ProtectionState::PlannedFailoverFailed
        | ProtectionState::ReplicationStopped
        | ProtectionState::UnplannedFailoverCommitPendingStatesBegin
        | ProtectionState::CommitPendingStatesBegin => true,
        ProtectionState::EnablingInProgress
        | ProtectionState::EnablingFailed
        | ProtectionState::InitialReplicationInProgress
        | ProtectionState::Protected
        | ProtectionState::CommitInProgress
        | ProtectionState::UnplannedFailoverCommitted
        | ProtectionState::ReprotectInProgress
        | ProtectionState::ReprotectFailed
        | ProtectionState::DisablingInProgress
        | ProtectionState::DisablingFailed
        | ProtectionState::UnprotectedStatesBegin => false,
    };
    item.session().is_some() && shows
}

/// A product that was started again looks at everything before it answers anybody or goes on with a job, but for no
/// longer than this: until then it knows of no recovery point.
const FIRST_LOOK: Duration = Duration::from_secs(10);

/// Looks at everything, at once and then at every interval. After the first look the product serves, and goes on with
/// the jobs that were `open`.
pub(crate) async fn watch(me: Arc<Orchestrator>, open: Vec<JobId>) {
    let every = me.services().config.knobs.poll_every;
    let mut next = me.now();
    let _ = timeout(FIRST_LOOK, all(round(&me))).await;
    me.serve(open);
    loop {
        me.end_old_tests();
        next = next.plus(every);
        sleep_until(me.services().ctx.clock.instant(next)).await;
        round(&me);
    }
}

/// Begins to look at whatever nobody looks at yet; answers the ends of these looks.
fn round(me: &Arc<Orchestrator>) -> Vec<oneshot::Receiver<()>> {
    let look = |item: &&Arc<Item>| item.replicates() || keeps_points(item);
    let mut items: Vec<Arc<Item>> =
        me.journal().read(|state| state.items.values().filter(look).cloned().collect());
    items.retain(|item| item.replicates() || me.sights().get(&item.name).is_none_or(Sight::may_miss));
    let roll = Arc::new(me.roll(&items));
    if items.is_empty() {
        // Servers are looked at even when they serve nobody.
        let (servers, alone) = (me.clone(), roll.clone());
        me.services().ctx.spawn(async move {
            let _ = alone.call(servers.services()).await;
            servers.hear_of_servers(&alone);
        });
    }
    items.retain(|item| {
        !std::mem::replace(&mut me.sights().entry(item.name.clone()).or_default().looking, true)
    });
    let mut bundles: BTreeMap<Option<usize>, Vec<Arc<Item>>> = BTreeMap::new();
    for item in items {
        bundles.entry(roll.bundle_of(&item)).or_default().push(item);
    }
    bundles.into_iter().map(|(n, some)| begin_all(me, n, some, roll.clone())).collect()
}

/// Looks at the items of the `n`th bundle one after the other, once what they share has been asked for. Whoever has to
/// be asked besides holds up nobody: such a look goes on by itself.
fn begin_all(
    me: &Arc<Orchestrator>,
    n: Option<usize>,
    items: Vec<Arc<Item>>,
    roll: Arc<Roll>,
) -> oneshot::Receiver<()> {
    let (done, end) = oneshot::channel();
    let owner = me.clone();
    me.services().ctx.spawn(async move {
        if let Some(n) = n {
            // What a target answers for a bundle is large: not all of it at one instant.
            sleep(Duration::from_millis(roll.turn(n))).await;
            roll.ask(owner.services(), n).await;
        }
        let mut slow = Vec::new();
        for item in items {
            let mut look = Box::pin(look_at(owner.clone(), item, roll.clone()));
            if poll_fn(|context| Poll::Ready(look.as_mut().poll(context))).await.is_pending() {
                slow.push(spawned(&owner, look));
            }
        }
        all(slow).await;
        let _ = done.send(());
    });
    end
}

fn begin(me: &Arc<Orchestrator>, item: Arc<Item>, roll: Arc<Roll>) -> oneshot::Receiver<()> {
    spawned(me, look_at(me.clone(), item, roll))
}

fn spawned(me: &Orchestrator, look: impl Future<Output = ()> + Send + 'static) -> oneshot::Receiver<()> {
    let (done, end) = oneshot::channel();
    me.services().ctx.spawn(async move {
        look.await;
        let _ = done.send(());
    });
    end
}

async fn all(looks: Vec<oneshot::Receiver<()>>) {
    for end in looks {
        let _ = end.await;
    }
}

/// Looks at these items now, all at once, and waits for what it brings: preconditions must not be judged
/// by a look of minutes ago.
pub(crate) async fn refresh(me: &Arc<Orchestrator>, names: &[MachineName]) {
    let find = |state: &State| {
        names
            .iter()
            .filter_map(|name| state.items.get(name))
            .filter(|item| item.replicates())
            .cloned()
            .collect()
    };
    let items: Vec<Arc<Item>> = me.journal().read(find);
    let roll = Arc::new(Roll::default());
    all(items.into_iter().map(|item| begin(me, item, roll.clone())).collect()).await;
}

async fn look_at(me: Arc<Orchestrator>, item: Arc<Item>, roll: Arc<Roll>) {
    let begun = me.now();
    let own = item.session().map(|spec| spec.session.clone());
    let newest = {
        let sights = me.sights();
        let known = sights.get(&item.name).filter(|sight| sight.session == own).map(Sight::points);
        known.and_then(|points| points.last()).map(|point| (point.mark, point.time))
    };
    let fits = |kept: &Kept| {
        let sights = me.sights();
        sights.get(&item.name).is_some_and(|sight| sight.session == own && sight.known.fits(kept))
    };
    let policy = me.journal().read(|state| state.policy_of(&item));
    let disk_tier = policy.unwrap_or(me.services().config.knobs.forward).disk_tier;
    let familiar = Familiar { newest, fits: &fits, disk_tier };
    let glance = me.book().glance(me.services(), &item, &familiar, &roll).await;
    me.hear_of_servers(&roll);
    let name = item.name.clone();
    let session = |item: &Item| item.session().map(|spec| (spec.session.clone(), spec.epoch));
    let looked = |now: &&Arc<Item>| now.replicates() || keeps_points(now);
    let current = me.journal().read(|state| state.items.get(&name).filter(looked).cloned());
    // A job may have changed the item while the answer was on its way: then it tells of the past.
    let fresh = current.filter(|now| session(now) == session(&item));
    if let Some(now) = &fresh {
        me.absorb(now, begun, glance);
    }
    if let Some(sight) = me.sights().get_mut(&name) {
        sight.looking = false;
    }
}

impl Orchestrator {
    /// A round over these items: what their targets are asked, with the newest mark that is known of each.
    fn roll(&self, items: &[Arc<Item>]) -> Roll {
        let sights = self.sights();
        let asked = items.iter().filter_map(|item| {
            let spec = item.session()?;
            let sight = sights.get(&item.name);
            let sight = sight.filter(|sight| sight.session.as_ref() == Some(&spec.session));
            let after = sight.and_then(|sight| sight.points().last()).map(|point| point.mark);
            Some((spec.target.as_str(), WatchOne { session: spec.session.clone(), after }))
        });
        Roll::at_leisure(asked)
    }
}

/// A test failover that nobody cleaned up is completed by force after this.
const TEST_LASTS: Duration = Duration::from_secs(14 * 24 * 3600);

impl Orchestrator {
    /// Cleans up tests that have lasted for two weeks; one whose item is busy waits for the next round.
    fn end_old_tests(self: &Arc<Self>) {
        let now = self.now();
        let old: Vec<MachineName> = self.journal().read(|state| {
            let is_old = |item: &&Arc<Item>| {
                let lasted = item.test.as_ref().is_some_and(|copy| now.since(copy.since) >= TEST_LASTS);
                lasted && state.busy(&item.name).is_none()
            };
            state.items.values().filter(is_old).map(|item| item.name.clone()).collect()
        });
        for name in old {
            let ask = Ask {
                action: Action::CleanUpTest,
                inputs: BTreeMap::new(),
                target: Target::Item(name),
                client_request: None,
                dedupe: None,
            };
            if let Err(refusal) = self.submit(&ask) {
                tracing::error!(?refusal, "an old test failover is not cleaned up");
            }
        }
    }

    fn absorb(self: &Arc<Self>, item: &Item, begun: VirtualMs, glance: Glance) {
        let Glance { mut view, findings } = glance;
        self.withdraw_old_points(&item.name);
        {
            let mut sights = self.sights();
            let sight = sights.entry(item.name.clone()).or_default();
            if begun < sight.begun {
                return;
            }
            sight.begun = begun;
        }
        let mut findings = if item.replicates() { findings } else { Vec::new() };
        if let Some(view) = &mut view {
            self.offer(item, view);
            findings.extend(self.rpo(item, view).filter(|_| item.replicates()));
        }
        let (now, silence) = (self.now(), self.services().config.knobs.silent_after);
        let (health, errors) =
            derive(&mut self.sights().entry(item.name.clone()).or_default().young, findings, now, silence);
        let synced = |view: &SessionView| view.disks.iter().all(|disk| disk.synced);
        let has_point = |me: &Self| me.sights().get(&item.name).is_some_and(|s| !s.points().is_empty());
        let early = self.services().ctx.env.planted(Canary::ProtectedTooEarly);
        let first = item.state == ProtectionState::InitialReplicationInProgress
            && (early || view.as_ref().is_some_and(synced) && has_point(self));
        let before = self.sights().get(&item.name).map(|sight| sight.errors.clone()).unwrap_or_default();
        self.tell_item(&item.name, &before, &errors);
        if let Some(sight) = self.sights().get_mut(&item.name) {
            let set = self.services().ctx.env.planted(Canary::HealthOnlySet);
            sight.health = if set { sight.health.max(health) } else { health };
            sight.errors = reports(errors);
            if view.is_some() {
                sight.seen = Some(self.now());
                sight.view = view.map(Arc::new);
            }
        }
        if first {
            let state = ProtectionState::Protected;
            let record = Record::ItemChanged { at: self.now(), item: item.name.clone(), state };
            if let Err(error) = self.record(vec![record]) {
                tracing::error!(item = %item.name, %error, "the first recovery point is not journalled");
            }
        } else {
            self.announce_item(&item.name);
        }
    }

    /// Offers the points that are new, withdraws those that are gone.
    fn offer(&self, item: &Item, view: &mut SessionView) {
        let points = std::mem::take(&mut view.points);
        let changed = {
            let mut sights = self.sights();
            let sight = sights.entry(item.name.clone()).or_default();
            sight.session = Some(view.session.clone());
            let changed = match view.kept.take() {
                Some(kept) => sight.known.take(&kept, points),
                None => Some(sight.known.replace(points)),
            };
            match self.services().ctx.env.planted(Canary::StalePoints) {
                true => changed.map(|changed| sight.still_shows(changed)),
                false => changed,
            }
        };
        // It fitted when it came: if it does no more, another look was quicker.
        let Changed { gone, new } = changed.unwrap_or_default();
        for point in gone {
            self.emit(What::PointWithdrawn { item: item.name.clone(), point: point.point.clone() });
        }
        for point in new {
            self.emit(What::PointOffered {
                item: item.name.clone(),
                session: view.session.clone(),
                point: point.point.clone(),
                mark: point.mark,
                kind: point.kind,
            });
        }
    }

    /// Points of a session that is no longer the item's are no longer on offer, and an item that does not
    /// replicate has no replication health.
    pub(super) fn withdraw_old_points(&self, name: &MachineName) {
        let (session, is_watched) = self.journal().read(|state| {
            let item = state.items.get(name);
            let session = item.and_then(|item| item.session()).map(|spec| spec.session.clone());
            (session, item.is_some_and(|item| item.replicates()))
        });
        let (gone, over) = {
            let mut sights = self.sights();
            let Some(sight) = sights.get_mut(name) else { return };
            let settled = is_watched || (sight.health == Health::Normal && sight.young.is_empty());
            if settled && sight.session == session {
                return;
            }
            sight.health = Health::Normal;
            let over = std::mem::take(&mut sight.errors);
            sight.young.clear();
            if sight.session == session {
                (Vec::new(), over)
            } else {
                let gone = std::mem::take(&mut sight.known).points().to_vec();
                sight.session = session;
                sight.view = None;
                sight.seen = None;
                (gone, over)
            }
        };
        self.tell_item(name, &over, &[]);
        for point in gone {
            self.emit(What::PointWithdrawn { item: name.clone(), point: point.point.clone() });
        }
        self.announce_item(name);
    }

    /// The RPO threshold only raises an alert (R8).
    fn rpo(&self, item: &Item, view: &SessionView) -> Option<Finding> {
        let last = view.last_mark?;
        let age = self.now().since(last);
        let late = age > self.services().config.knobs.rpo_threshold && self.services().ctx.env.holds("R8");
        let detail = format!("the last complete mark is {} min old", age.as_secs() / 60);
        late.then(|| Finding {
            report: Report::new(&RPO_BREACH, item.name.as_str(), detail),
            health: Health::Warning,
            since: None,
            at_once: true,
        })
    }
}
