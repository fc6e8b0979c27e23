//! Sessions and what lives in them: property collectors, filters, views. All of it dies with the software.

use super::config::{Privileges, UserConfig};
use failback_wire::clock::VirtualMs;
use failback_wire::event::Actor;
use failback_wire::vim::{Element, FilterSpec, MoRef};
use std::collections::BTreeMap;

/// Id of the property collector every session has.
pub(super) const DEFAULT_COLLECTOR: &str = "propertyCollector";

/// What a filter was told last of each object: its property paths and values.
pub(super) type Seen = BTreeMap<MoRef, Vec<(String, Element)>>;

#[derive(Debug)]
pub(super) struct Filter {
    pub spec: FilterSpec,
    /// What the client has acknowledged.
    pub acknowledged: Seen,
    /// What the last reply told; acknowledged by the next request.
    pub told: Seen,
}

#[derive(Debug, Default)]
pub(super) struct Collector {
    pub filters: BTreeMap<String, Filter>,
    /// The version of the last reply.
    pub version: u64,
    /// The last version the client has shown.
    pub acknowledged: u64,
    /// Counts cancellations of waits.
    pub cancels: u64,
}

#[derive(Debug)]
pub(super) struct View {
    pub container: MoRef,
    pub kinds: Vec<String>,
    pub recursive: bool,
}

#[derive(Debug)]
pub(super) struct Session {
    pub key: String,
    pub user: String,
    pub actor: Actor,
    pub privileges: Privileges,
    pub agent: String,
    pub login: VirtualMs,
    pub last: VirtualMs,
    pub calls: i32,
    pub collectors: BTreeMap<String, Collector>,
    pub views: BTreeMap<String, View>,
    /// The rest of paged results, by token.
    pub pages: BTreeMap<String, Vec<Element>>,
    next: u64,
}

impl Session {
    pub(super) fn new(key: String, user: &UserConfig, agent: String, now: VirtualMs) -> Self {
        Self {
            key,
            user: user.name.clone(),
            actor: user.actor,
            privileges: user.privileges.clone(),
            agent,
            login: now,
            last: now,
            calls: 0,
            collectors: BTreeMap::from([(DEFAULT_COLLECTOR.to_owned(), Collector::default())]),
            views: BTreeMap::new(),
            pages: BTreeMap::new(),
            next: 0,
        }
    }
    /// An id for a new object of this session: `session[…]filter-1`.
    pub(super) fn object_id(&mut self, what: &str) -> String {
        self.next += 1;
        format!("session[{}]{what}-{}", self.key, self.next)
    }
    /// Whether the account has a privilege.
    pub(super) fn may(&self, privilege: &str) -> bool {
        let reading = privilege.starts_with("System.") || privilege == "Datastore.Browse";
        match &self.privileges {
            Privileges::Full => true,
            Privileges::ReadOnly => reading,
            Privileges::Without(missing) => !missing.iter().any(|m| m == privilege),
        }
    }
    pub(super) fn collector_of_filter(&mut self, filter: &str) -> Option<&mut Collector> {
        self.collectors.values_mut().find(|c| c.filters.contains_key(filter))
    }
}
