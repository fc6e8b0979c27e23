//! What the looks of one round share, so that it is asked once for all machines.

use super::Services;
use crate::clients::cs::CsError;
use crate::clients::session::SessionError;
use crate::config::DiskTier;
use crate::journal::Item;
use crate::workflow::UNKNOWN_SESSION;
use failback_wire::clock::VirtualMs;
use failback_wire::event::Mark;
use failback_wire::http::StatusCode;
use failback_wire::ids::{MachineName, SessionId, Site};
use failback_wire::proto::cs::{AgentBeat, ServerBeat};
use failback_wire::proto::known::Kept;
use failback_wire::proto::session::{MAX_WATCH, SessionSpec, SessionView, Watch, WatchOne};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use tokio::sync::OnceCell;

/// What is known of an item and its points before a look at it.
pub struct Familiar<'a> {
    /// Mark and time of the newest one.
    pub(super) newest: Option<(Mark, VirtualMs)>,
    /// True when an answer that leaves points out leaves out those that are known.
    pub(super) fits: &'a (dyn Fn(&Kept) -> bool + Sync),
    /// What kind of disks it replicates to in Azure.
    pub(super) disk_tier: DiskTier,
}

/// What the looks of one round share: who was last heard of when, as the configuration server says; asked for by the
/// first of them.
#[derive(Debug, Default)]
pub struct Roll {
    called: OnceCell<Result<Called, CsError>>,
    /// What it brought of the servers has been taken in.
    heard: AtomicBool,
    /// Ask where data waits that does not arrive; whoever is about to decide has no time for that.
    pub(super) backlog: bool,
    /// Sessions that are looked at together; see [`Together`].
    together: Vec<Together>,
    /// Where among them a session is.
    bundle_of: BTreeMap<SessionId, usize>,
}

/// Sessions of one target, asked for in one call by the first look at one of them.
#[derive(Debug)]
struct Together {
    host: String,
    asked: Watch,
    answer: OnceCell<Result<Views, SessionError>>,
}

/// What was seen of the sessions; each goes to the look that asks for it.
type Views = Mutex<BTreeMap<SessionId, SessionView>>;

impl Together {
    /// The sessions, by target and in bundles, with the newest mark that is known of each.
    fn all<'a>(sessions: impl Iterator<Item = (&'a str, WatchOne)>) -> Vec<Self> {
        let mut by_host: BTreeMap<&str, Vec<Self>> = BTreeMap::new();
        for (host, one) in sessions {
            let bundles = by_host.entry(host).or_default();
            match bundles.last_mut().filter(|last| last.asked.sessions.len() < MAX_WATCH) {
                Some(last) => last.asked.sessions.push(one),
                None => {
                    let asked = Watch { sessions: vec![one] };
                    bundles.push(Self { host: host.to_owned(), asked, answer: OnceCell::new() });
                }
            }
        }
        by_host.into_values().flatten().collect()
    }

    async fn ask(&self, services: &Services) -> &Result<Views, SessionError> {
        let ask = || async {
            let seen = services.sessions.watch_all(&self.host, &self.asked).await?;
            let views = seen.views.into_iter().zip(&self.asked.sessions);
            Ok(Mutex::new(views.filter_map(|(view, one)| Some((one.session.clone(), view?))).collect()))
        };
        self.answer.get_or_init(ask).await
    }

    async fn view(&self, services: &Services, session: &SessionId) -> Result<SessionView, SessionError> {
        let views = self.ask(services).await.as_ref().map_err(Clone::clone)?;
        let mut views = views.lock().unwrap_or_else(PoisonError::into_inner);
        views.remove(session).ok_or_else(|| SessionError::Refused {
            status: StatusCode::NOT_FOUND,
            code: UNKNOWN_SESSION.to_owned(),
            message: format!("no session {session} there"),
        })
    }
}

/// The answer, by name.
#[derive(Debug)]
pub(super) struct Called {
    pub(super) servers: Vec<ServerBeat>,
    pub(super) agents: BTreeMap<(MachineName, Site), AgentBeat>,
    pub(super) version: String,
    pub(super) certificate_expires: VirtualMs,
}

impl Roll {
    /// Of a round that has time, over these sessions.
    pub(super) fn at_leisure<'a>(sessions: impl Iterator<Item = (&'a str, WatchOne)>) -> Self {
        let together = Together::all(sessions);
        let place = |(n, t): (usize, &Together)| {
            t.asked.sessions.iter().map(move |one| (one.session.clone(), n)).collect::<Vec<_>>()
        };
        let bundle_of = together.iter().enumerate().flat_map(place).collect();
        Self { backlog: true, together, bundle_of, ..Self::default() }
    }
    /// The session as its target sees it, with all its points or without those that are known.
    pub(super) async fn view(
        &self,
        services: &Services,
        spec: &SessionSpec,
        known: &Familiar<'_>,
    ) -> Result<SessionView, SessionError> {
        let bundle = self.bundle_of.get(&spec.session).and_then(|n| self.together.get(*n));
        let view = match bundle.filter(|together| together.host == spec.target) {
            Some(together) => together.view(services, &spec.session).await?,
            None => {
                let after = known.newest.map(|(mark, _)| mark);
                services.sessions.watch(&spec.target, &spec.session, after).await?
            }
        };
        match &view.kept {
            Some(kept) if !(known.fits)(kept) => services.sessions.get(&spec.target, &spec.session).await,
            Some(_) | None => Ok(view),
        }
    }
    /// The bundle that the item's session is asked for with.
    pub(super) fn bundle_of(&self, item: &Item) -> Option<usize> {
        self.bundle_of.get(&item.session()?.session).copied()
    }
    /// How many bundles of the same target are asked for before this one.
    pub(super) fn turn(&self, bundle: usize) -> u64 {
        let earlier = self.together.iter().take(bundle);
        let host = self.together.get(bundle).map(|together| together.host.as_str());
        earlier.filter(|together| Some(together.host.as_str()) == host).count() as u64
    }
    /// Asks for all that the looks at a bundle share, so that they need not wait. What goes wrong is told to each look.
    pub(super) async fn ask(&self, services: &Services, bundle: usize) {
        if let Some(together) = self.together.get(bundle) {
            let _ = together.ask(services).await;
        }
        let _ = self.call(services).await;
    }
    /// What it brought; once.
    pub(super) fn news(&self) -> Option<&Called> {
        let called = self.called.get()?.as_ref().ok()?;
        (!self.heard.swap(true, Ordering::Relaxed)).then_some(called)
    }
    pub(super) async fn call(&self, services: &Services) -> &Result<Called, CsError> {
        let ask = || async {
            let roll = services.cs.roll_call().await?;
            let agents = roll.agents.into_iter().map(|a| ((a.machine.clone(), a.site), a)).collect();
            let (servers, version) = (roll.servers, roll.version);
            Ok(Called { servers, agents, version, certificate_expires: roll.certificate_expires })
        };
        self.called.get_or_init(ask).await
    }
}
