//! What checks see of the product: its state as it is now, without a request.

use super::Orchestrator;
use crate::journal::{Allowed, Job, ProtectionState, State};
use failback_wire::ids::{JobId, MachineName, PointId};
use std::collections::BTreeMap;

/// What an observer sees of an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemNow {
    /// Its protection state.
    pub state: ProtectionState,
    /// What it offers to do.
    pub allowed: Vec<Allowed>,
    /// Recovery points on offer, in the order of their marks.
    pub points: Vec<PointId>,
}

impl Orchestrator {
    /// Items, jobs and plans as plain data, for checks.
    pub fn observe(&self) -> serde_json::Value {
        let health = |name: &MachineName| self.health(name);
        let settings = &self.services.config.knobs.settings;
        self.journal.read(|state| {
            let items: BTreeMap<_, _> = state
                .items
                .iter()
                .map(|(name, item)| {
                    let (health, errors) = health(name);
                    let view = serde_json::json!({
                        "state": item.state.as_str(),
                        "leg": item.leg.instance_type(),
                        "active": item.active,
                        "activeLocation": item.active_location(),
                        "rest": item.state.is_rest() && state.busy(name).is_none(),
                        "health": health.as_str(),
                        "healthErrors": errors.iter().map(|e| e.code.as_str()).collect::<Vec<_>>(),
                        "allowed": state.offered(name, health, settings).iter().map(|a| a.as_str()).collect::<Vec<_>>(),
                        "warnings": item.warnings.keys().collect::<Vec<_>>(),
                        "halfway": item.halfway,
                        "points": self.sights().get(name).map(|s| s.points().iter().map(|p| p.point.clone()).collect::<Vec<_>>()),
                        "item": item,
                    });
                    (name.as_str(), view)
                })
                .collect();
            let jobs: Vec<_> = state.order.iter().filter_map(|id| state.jobs.get(id)).collect();
            serde_json::json!({ "items": items, "jobs": jobs, "plans": state.plans })
        })
    }

    /// All items.
    pub fn items_now(&self) -> BTreeMap<MachineName, ItemNow> {
        let settings = &self.services.config.knobs.settings;
        self.journal.read(|state| {
            let sights = self.sights();
            let item = |name: &MachineName| {
                let sight = sights.get(name);
                let points = sight.map(|sight| sight.points().iter().map(|p| p.point.clone()).collect());
                let health = sight.map(|sight| sight.health).unwrap_or_default();
                (state.offered(name, health, settings), points.unwrap_or_default())
            };
            let all = state.items.iter().map(|(name, known)| {
                let (allowed, points) = item(name);
                (name.clone(), ItemNow { state: known.state, allowed, points })
            });
            all.collect()
        })
    }

    /// Jobs that have not ended, in the order in which they were accepted.
    pub fn open_jobs(&self) -> Vec<JobId> {
        let is_open = |state: &State, id: &JobId| state.jobs.get(id).is_some_and(|job| job.ended.is_none());
        self.journal.read(|state| state.order.iter().filter(|id| is_open(state, id)).cloned().collect())
    }

    /// Its jobs in the order in which they were accepted.
    pub fn jobs(&self) -> Vec<Job> {
        self.journal.read(|state| state.order.iter().filter_map(|id| state.jobs.get(id)).cloned().collect())
    }

    /// True when an operation on the item failed past its point of no return and no further attempt brought it to its
    /// end yet.
    pub fn is_halfway(&self, item: &MachineName) -> bool {
        self.journal.read(|state| state.items.get(item).is_some_and(|item| item.halfway.is_some()))
    }
}
