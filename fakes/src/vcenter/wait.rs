//! Waiting for updates. A version is acknowledged only by the next request, so that a lost reply can be
//! asked for again; nothing ticks.

use super::Vcenter;
use super::collector::difference;
use super::refusal;
use super::session::Seen;
use failback_wire::vim::{Element, Fault, MoRef, VimRequest};
use tokio::time::{Duration, Instant};

impl Vcenter {
    /// `WaitForUpdates`, `WaitForUpdatesEx` and `CheckForUpdates`: one `UpdateSet`, or nothing when the
    /// time is over.
    pub(super) async fn wait_for_updates(
        &self,
        session: &str,
        request: &VimRequest,
    ) -> Result<Vec<Element>, Fault> {
        let collector = &request.this;
        let version = request.text("version").unwrap_or_default().trim().to_owned();
        let options = request.get("options").and_then(|o| o.text_at("maxWaitSeconds"));
        let limit = match (&*request.method, options) {
            ("CheckForUpdates", _) => Some(0),
            (_, Some(text)) => {
                Some(text.trim().parse::<u64>().map_err(|_| refusal::invalid_argument("maxWaitSeconds"))?)
            }
            (_, None) => None,
        };
        let deadline = limit.map(|s| Instant::now() + Duration::from_secs(s));
        let cancels = self.acknowledge(session, collector, &version)?;
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if let Some(update) = self.next_update(session, collector, cancels)? {
                return Ok(vec![update]);
            }
            match deadline {
                None => changed.await,
                Some(deadline) => {
                    if tokio::time::timeout_at(deadline, changed).await.is_err() {
                        return Ok(Vec::new());
                    }
                }
            }
        }
    }

    /// Takes note of the version the client shows; returns the count of cancellations so far.
    fn acknowledge(&self, session: &str, collector: &MoRef, version: &str) -> Result<u64, Fault> {
        let mut state = self.lock();
        let found = state.sessions.get_mut(session).and_then(|s| s.collectors.get_mut(&collector.id));
        let found = found.ok_or_else(|| refusal::gone(collector))?;
        if version.is_empty() {
            for filter in found.filters.values_mut() {
                filter.acknowledged = Seen::new();
            }
            found.acknowledged = found.version;
            return Ok(found.cancels);
        }
        let version: u64 = version.parse().map_err(|_| refusal::invalid_version())?;
        if version == found.version {
            for filter in found.filters.values_mut() {
                filter.acknowledged = filter.told.clone();
            }
            found.acknowledged = version;
        } else if version != found.acknowledged {
            return Err(refusal::invalid_version());
        }
        Ok(found.cancels)
    }

    /// The update to tell now, when there is one.
    fn next_update(&self, session: &str, collector: &MoRef, cancels: u64) -> Result<Option<Element>, Fault> {
        let mut state = self.lock();
        if !state.model.service_up {
            return Err(refusal::cancelled());
        }
        let eyes = self.eyes(&state, session).ok_or_else(|| refusal::not_authenticated(collector))?;
        let found = eyes.session.collectors.get(&collector.id).ok_or_else(refusal::cancelled)?;
        if found.cancels != cancels {
            return Err(refusal::cancelled());
        }
        let mut sets = Vec::new();
        let mut told = Vec::new();
        for (id, filter) in &found.filters {
            let seen = eyes.see(&filter.spec)?;
            let objects = difference(&filter.acknowledged, &seen);
            told.push((id.clone(), seen));
            if !objects.is_empty() {
                let filter = MoRef::new("PropertyFilter", id.as_str()).element("filter");
                sets.push(Element::new("filterSet").with(filter).with_all(objects));
            }
        }
        if sets.is_empty() {
            return Ok(None);
        }
        let found = state.sessions.get_mut(session).and_then(|s| s.collectors.get_mut(&collector.id));
        let found = found.ok_or_else(refusal::cancelled)?;
        found.version += 1;
        for (id, seen) in told {
            if let Some(filter) = found.filters.get_mut(&id) {
                filter.told = seen;
            }
        }
        let version = Element::leaf("version", found.version);
        Ok(Some(Element::new("returnval").with(version).with_all(sets)))
    }
}
