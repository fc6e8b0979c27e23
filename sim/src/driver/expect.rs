//! What must hold: expectations of the file, the oracle's verdicts, the ledger.

mod events;
mod guests;
mod protectable;

use super::client::ClientError;
use super::play::Driver;
use super::steps::At;
use super::view::{Disk, Item, Provider};
use crate::report::outcome::{Finding, FindingKind};
use crate::scenario::estate::Side;
use crate::scenario::model::{
    DataExpect, Equals, Expect, Health, ItemExpect, ItemState, Power, Row, ServerExpect, VaultExpect,
    VmExpect, WaitUntil, Waiting,
};
use crate::scenario::text::Name;
use failback_wire::event::VmRef;
use failback_wire::ids::{MachineName, Site};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A replicated item as its operator sees it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Seen {
    /// The lab's word for its state; `None` when the wire shows one nobody knows.
    state: Option<ItemState>,
    /// Protection state, provider and active location, as the wire shows them.
    raw: String,
    active: Side,
    health: String,
    /// Codes of its health errors and warnings.
    alerts: BTreeSet<String>,
    points: u32,
    app_points: u32,
    resized: u32,
    /// Id of the process server that serves it.
    process_server: String,
    /// What may be asked of it.
    allowed: Vec<String>,
    /// MiB in the machine, in the process server, refused by the target.
    waiting: [f64; 3],
    /// Bytes that the synchronisation transferred.
    transferred: u64,
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}, health {}, {} points ({} application-consistent)",
            self.raw, self.health, self.points, self.app_points
        )
    }
}

/// Codes of the health errors of a server.
fn codes(of: &Value) -> BTreeSet<String> {
    let errors = of["healthErrors"].as_array().into_iter().flatten();
    errors.filter_map(|error| error["errorCode"].as_str().map(str::to_owned)).collect()
}

/// Judges alerts: exactly these.
fn judge_alerts(of: &str, wanted: Option<&Vec<Name>>, shown: &BTreeSet<String>) -> Option<Finding> {
    let wanted: BTreeSet<String> = wanted?.iter().map(|code| code.value.clone()).collect();
    (wanted != *shown)
        .then(|| differs(format!("alerts of {of}"), format!("{wanted:?}"), format!("{shown:?}")))
}

/// Judges alerts: at least these.
fn judge_alerts_include(of: &str, wanted: &[Name], shown: &BTreeSet<String>) -> Option<Finding> {
    let missing: BTreeSet<&str> =
        wanted.iter().map(|code| code.value.as_str()).filter(|code| !shown.contains(*code)).collect();
    (!missing.is_empty())
        .then(|| differs(format!("alerts of {of}"), format!("at least {missing:?}"), format!("{shown:?}")))
}

impl Seen {
    fn new(item: Item) -> Self {
        let Item {
            provider: Provider { instance_type: provider, process_server_id, protected_disks }, ..
        } = item;
        let (state, location) = (item.protection_state, item.active_location);
        let waiting = |of: fn(&Disk) -> f64| protected_disks.iter().map(of).sum();
        let reverse = provider == "InMage";
        // On the way home Primary means Azure.
        let active = if reverse == (location == "Primary") { Side::Azure } else { Side::OnPremises };
        Self {
            state: lab_state(&state, reverse, active),
            raw: format!("{state} ({provider}, active {location})"),
            active,
            health: item.replication_health,
            alerts: item.health_errors.into_iter().map(|error| error.error_code).collect(),
            points: 0,
            app_points: 0,
            allowed: item.allowed_operations,
            resized: protected_disks.iter().filter(|disk| disk.disk_resized == "Resized").count() as u32,
            process_server: process_server_id.unwrap_or_default(),
            waiting: [
                waiting(|disk| disk.in_source),
                waiting(|disk| disk.in_process_server),
                waiting(|disk| disk.in_target),
            ],
            transferred: protected_disks.iter().map(|disk| disk.resync_total_transferred_bytes).sum(),
        }
    }

    fn with_points(self, points: &[(String, String)]) -> Self {
        let app = points.iter().filter(|(_, kind)| kind.contains("Application")).count();
        Self { points: points.len() as u32, app_points: app as u32, ..self }
    }

    /// There is no such item.
    fn nothing() -> Self {
        Self { state: Some(ItemState::Unprotected), raw: "no replicated item".to_owned(), ..Self::default() }
    }

    /// It is in one of these states.
    pub(super) fn is_one_of(&self, states: &[ItemState]) -> bool {
        self.state.is_some_and(|state| states.contains(&state))
    }

    /// Codes of its health errors and warnings.
    pub(super) fn alerts(&self) -> Vec<String> {
        self.alerts.iter().cloned().collect()
    }

    /// This may be asked of it.
    pub(super) fn allows(&self, word: &str) -> bool {
        self.allowed.iter().any(|allowed| allowed == word)
    }

    /// This process server serves it.
    pub(super) fn is_served_by(&self, server: &str) -> bool {
        self.process_server == server
    }

    /// Its replication is in trouble, and a person may begin a resynchronisation.
    pub(super) fn wants_resynchronisation(&self) -> bool {
        self.health == "Critical" && self.allows("RepairReplication")
    }

    /// True when nothing else than recovery points can be missing.
    fn is_all_but_points(&self, wanted: &WaitUntil) -> bool {
        let others = WaitUntil { points: None, app_points: None, ..wanted.clone() };
        self.missing(&others).is_none()
    }

    /// What of `wanted` is not so yet.
    pub(super) fn missing(&self, wanted: &WaitUntil) -> Option<String> {
        let mut missing = Vec::new();
        if let Some(state) = wanted.state.filter(|s| Some(*s) != self.state) {
            missing.push(format!("{state:?}"));
        }
        if let Some(health) = wanted.health.filter(|h| health_word(*h) != self.health) {
            missing.push(format!("health {}", health_word(health)));
        }
        if let Some(points) = wanted.points.as_ref().filter(|p| p.value > self.points) {
            missing.push(format!("{} points", points.value));
        }
        if let Some(points) = wanted.app_points.as_ref().filter(|p| p.value > self.app_points) {
            missing.push(format!("{} application-consistent points", points.value));
        }
        (!missing.is_empty()).then(|| missing.join(", "))
    }
}

fn health_word(health: Health) -> &'static str {
    match health {
        Health::Normal => "Normal",
        Health::Warning => "Warning",
        Health::Critical => "Critical",
    }
}

/// The lab's word for what the wire shows (the state machine of the recorded items).
fn lab_state(state: &str, reverse: bool, active: Side) -> Option<ItemState> {
    let by_leg = |forward, backward| Some(if reverse { backward } else { forward });
    match state {
        "EnablingInProgress" => Some(ItemState::Enabling),
        "EnablingFailed" => Some(ItemState::EnablingFailed),
        "Protected" => by_leg(ItemState::Protected, ItemState::ReverseProtected),
        "InitialReplicationInProgress" => by_leg(ItemState::ForwardSyncing, ItemState::ReverseSyncing),
        "UnplannedFailoverInProgress" | "PlannedFailoverInProgress" => {
            by_leg(ItemState::FailingOver, ItemState::FailingBack)
        }
        "UnplannedFailoverFailed" | "PlannedFailoverFailed" => {
            by_leg(ItemState::FailoverFailed, ItemState::FailbackFailed)
        }
        "ReplicationStopped" => Some(ItemState::ReplicationStopped),
        "UnplannedFailoverCommitPendingStatesBegin" | "CommitPendingStatesBegin" => {
            by_leg(ItemState::FailedOver, ItemState::FailedBack)
        }
        "UnplannedFailoverCommitted" => by_leg(ItemState::FailoverCommitted, ItemState::FailbackCommitted),
        "ReprotectInProgress" => Some(match active {
            Side::Azure => ItemState::Reprotecting,
            Side::OnPremises => ItemState::ForwardReprotecting,
        }),
        "ReprotectFailed" => Some(ItemState::ReprotectFailed),
        "CommitInProgress" => Some(ItemState::Committing),
        "DisablingInProgress" => Some(ItemState::Disabling),
        "DisablingFailed" => Some(ItemState::DisablingFailed),
        _ => None,
    }
}

impl WaitUntil {
    /// Waits for this state alone.
    pub fn state(item: &str, state: ItemState) -> Self {
        Self {
            item: crate::scenario::text::Spanned::unplaced(item.to_owned()),
            state: Some(state),
            health: None,
            points: None,
            app_points: None,
            within: crate::scenario::text::Spanned::unplaced(crate::scenario::model::DEFAULT_WITHIN),
        }
    }
}

fn differs(what: impl Into<String>, wanted: impl Into<String>, shown: impl Into<String>) -> Finding {
    Finding::new(FindingKind::ExpectationFailed, what).compared(wanted, shown)
}

impl Driver<'_> {
    pub(super) async fn seen(&self, item: &str) -> Result<Seen, ClientError> {
        let Some(properties) = self.client.item(item).await? else { return Ok(Seen::nothing()) };
        Ok(Seen::new(properties).with_points(&self.client.points(item).await?))
    }

    /// The same without recovery points, whose list may be long.
    pub(super) async fn state_of(&self, item: &str) -> Result<Seen, ClientError> {
        Ok(self.client.item(item).await?.map_or_else(Seen::nothing, Seen::new))
    }

    /// What the item lacks of what is waited for. Its recovery points, whose list may be long, are asked for once nothing
    /// else is missing.
    pub(super) async fn lacks(&self, wanted: &WaitUntil) -> Result<Option<String>, ClientError> {
        let item = &wanted.item.value;
        let seen = self.state_of(item).await?;
        let counts = wanted.points.is_some() || wanted.app_points.is_some();
        if !counts || !seen.is_all_but_points(wanted) {
            return Ok(seen.missing(wanted));
        }
        Ok(seen.with_points(&self.client.points(item).await?).missing(wanted))
    }

    /// The world between two steps: when nothing is going on, the oracle judges it.
    pub(super) async fn rest(&mut self, _at: At) {
        let seen = self.world.observation();
        // A first copy is going on: nothing is at rest until its first point.
        let copying = seen.items.iter().any(|i| i.state == "InitialReplicationInProgress");
        if seen.open_jobs.is_empty() && !copying {
            let now = self.world.clock.now();
            self.world.recorder.oracle(|o| o.at_rest(now, &seen));
        }
    }

    /// Evaluates expectations against the world as it is.
    pub(super) async fn judge(&self, expect: &Expect) -> Vec<Finding> {
        let mut out = Vec::new();
        for (item, wanted) in &expect.items {
            match self.seen(&item.value).await {
                Ok(seen) => out.extend(judge_item(&item.value, wanted, &seen)),
                Err(e) => {
                    out.push(Finding::new(FindingKind::ExpectationFailed, format!("{}: {e}", item.value)))
                }
            }
        }
        for (vm, wanted) in &expect.vms {
            out.extend(self.judge_vm(&vm.value, wanted));
        }
        for (machine, wanted) in &expect.guests {
            let seen = self.world.guest_system(&MachineName::from(machine.value.as_str()));
            out.extend(seen.iter().flat_map(|seen| guests::judge(&machine.value, wanted, seen)));
        }
        for (machine, wanted) in &expect.data {
            out.extend(self.judge_data(&machine.value, wanted));
        }
        for (item, codes) in &expect.warnings {
            let shown = self.world.recorder.witness(|w| w.warnings(&MachineName::from(item.value.as_str())));
            if codes.is_empty() && !shown.is_empty() {
                out.push(differs(format!("warnings of {}", item.value), "none", format!("{shown:?}")));
            }
            for code in codes.iter().filter(|c| !shown.contains(&c.value)) {
                let text = format!("{} never warned of this", item.value);
                out.push(differs(text, &code.value, format!("{shown:?}")));
            }
        }
        if !expect.servers.is_empty() {
            out.extend(self.judge_servers(&expect.servers).await);
        }
        if let Some(wanted) = &expect.vault {
            out.extend(self.judge_vault(wanted).await);
        }
        for (name, wanted) in &expect.events {
            out.extend(self.judge_events(&name.value, wanted).await);
        }
        if !expect.protectable.is_empty() {
            out.extend(self.judge_protectable(&expect.protectable).await);
        }
        for (machine, wanted) in &expect.rows {
            out.extend(self.judge_row(&machine.value, *wanted));
        }
        for machine in &expect.differs {
            out.extend(self.judge_differs(&machine.value));
        }
        if let Some(takes) = &expect.takes {
            let (now, most) = (self.world.clock.now(), takes.at_most.value);
            if now.0 > most.0 {
                out.push(differs("the run took longer", format!("at most {most}"), now.to_string()));
            }
        }
        out
    }

    async fn judge_servers(&self, wanted: &BTreeMap<Name, ServerExpect>) -> Vec<Finding> {
        let fabric = match self.client.fabric().await {
            Ok(fabric) => fabric,
            Err(e) => return vec![Finding::new(FindingKind::ExpectationFailed, format!("fabric: {e}"))],
        };
        let mut out = Vec::new();
        for (name, wanted) in wanted {
            let lists = ["processServers", "masterTargetServers"].map(|list| &fabric["customDetails"][list]);
            let mut all = lists.into_iter().filter_map(Value::as_array).flatten();
            let Some(server) = all.find(|server| server["id"] == name.value.as_str()) else {
                out.push(differs(format!("server {}", name.value), "listed", "not listed"));
                continue;
            };
            let health = server["health"].as_str().unwrap_or_default();
            if let Some(wanted) = wanted.health.map(health_word).filter(|wanted| *wanted != health) {
                out.push(differs(format!("health of {}", name.value), wanted, health));
            }
            out.extend(judge_alerts(&name.value, wanted.alerts.as_ref(), &codes(server)));
            out.extend(judge_alerts_include(&name.value, &wanted.alerts_include, &codes(server)));
        }
        out
    }

    async fn judge_vault(&self, wanted: &VaultExpect) -> Vec<Finding> {
        let health = match self.client.vault_health().await {
            Ok(health) => health,
            Err(e) => return vec![Finding::new(FindingKind::ExpectationFailed, format!("vault: {e}"))],
        };
        let parts = [
            ("protectedItemsHealth", wanted.items),
            ("containersHealth", wanted.items),
            ("fabricsHealth", wanted.servers),
        ];
        let mut out = Vec::new();
        for (part, wanted) in parts {
            let Some(wanted) = wanted.map(health_word) else { continue };
            let counts = &health[part]["categorizedResourceCounts"];
            let worst =
                ["Critical", "Warning", "Normal"].into_iter().find(|word| counts[word] != Value::Null);
            if worst != Some(wanted) {
                out.push(differs(format!("{part} of the vault"), wanted, counts.to_string()));
            }
        }
        out
    }

    fn judge_vm(&self, name: &str, wanted: &VmExpect) -> Vec<Finding> {
        let sides = [(Site::OnPremises, wanted.on_premises), (Site::Azure, wanted.azure)];
        let mut out = Vec::new();
        let disks = self.world.disks_at_home(name);
        if let Some(wanted) = wanted.disks.filter(|wanted| *wanted != disks) {
            out.push(differs(format!("disks of {name} on premises"), wanted.to_string(), disks.to_string()));
        }
        if let Some(wanted) = wanted.managed_disks {
            let seen = self.world.managed_disks(name);
            if seen != wanted {
                out.push(differs(format!("managed disks of {name}"), wanted.to_string(), seen.to_string()));
            }
        }
        for (site, power) in sides {
            let Some(power) = power else { continue };
            let shown = match self.world.power(&VmRef { site, name: name.to_owned() }) {
                Some(true) => Power::On,
                Some(false) => Power::Off,
                None => Power::Absent,
            };
            if shown != power {
                let text = format!("virtual machine {name} ({site})");
                out.push(differs(text, format!("{power:?}"), format!("{shown:?}")));
            }
        }
        out
    }

    fn judge_row(&self, machine: &str, wanted: Row) -> Option<Finding> {
        let direction = self.world.row(machine);
        let shown = match direction.as_deref() {
            None => Row::Absent,
            Some("forward") => Row::Forward,
            Some("reverse") => Row::Reverse,
            Some(_) => Row::None,
        };
        let what = || format!("row of {machine} at the configuration server");
        (shown != wanted).then(|| differs(what(), format!("{wanted:?}"), format!("{shown:?}")))
    }

    fn judge_data(&self, machine: &str, wanted: &DataExpect) -> Vec<Finding> {
        let name = MachineName::from(machine);
        let Some(choice) = self.world.recorder.witness(|w| w.choice(&name).cloned()) else {
            return vec![differs("data", "a failover that settled on a point", "none")];
        };
        let loss = self.world.recorder.oracle(|o| o.loss(&name)).flatten();
        let mut out = Vec::new();
        let mark = Some(choice.mark);
        match wanted.equals {
            Equals::Latest if mark != choice.newest => {
                out.push(differs(
                    format!("{machine} came up from another point"),
                    format!("{:?}", choice.newest),
                    format!("{mark:?}"),
                ));
            }
            Equals::AppConsistent if mark != choice.newest_app => {
                out.push(differs(
                    format!("{machine} came up from another point"),
                    format!("{:?}", choice.newest_app),
                    format!("{mark:?}"),
                ));
            }
            Equals::Oldest if mark != choice.oldest => {
                out.push(differs(
                    format!("{machine} came up from another point"),
                    format!("{:?}", choice.oldest),
                    format!("{mark:?}"),
                ));
            }
            Equals::Source if loss.as_ref().is_none_or(|l| l.blocks > 0) => {
                out.push(differs(format!("{machine} lost data"), "0 blocks", format!("{loss:?}")));
            }
            Equals::Latest | Equals::AppConsistent | Equals::Oldest | Equals::Point | Equals::Source => {}
        }
        let (Some(limits), Some(loss)) = (&wanted.lost, loss) else { return out };
        let blocks = loss.blocks;
        if limits.at_least_blocks.as_ref().is_some_and(|n| blocks < n.value)
            || limits.at_most_blocks.as_ref().is_some_and(|n| blocks > n.value)
        {
            out.push(differs(format!("{machine} lost"), format!("{limits:?}"), format!("{blocks} blocks")));
        }
        let bytes = loss.bytes;
        if limits.at_least_bytes.as_ref().is_some_and(|n| bytes < n.value.0)
            || limits.at_most_bytes.as_ref().is_some_and(|n| bytes > n.value.0)
        {
            out.push(differs(format!("{machine} lost"), format!("{limits:?}"), format!("{bytes} bytes")));
        }
        if let Some(least) = limits.at_least_time.as_ref().filter(|t| loss.ms < t.0) {
            let (wanted, shown) = (format!("at least {}", least.value), format!("{} s", loss.seconds));
            out.push(differs(format!("{machine} lost"), wanted, shown));
        }
        if let Some(most) = limits.at_most_time.as_ref().filter(|t| loss.seconds.saturating_mul(1000) > t.0) {
            out.push(differs(
                format!("{machine} lost"),
                format!("at most {}", most.value),
                format!("{} s", loss.seconds),
            ));
        }
        out
    }

    /// The newest point and the newest application-consistent one hold different bytes.
    fn judge_differs(&self, machine: &str) -> Vec<Finding> {
        let name = MachineName::from(machine);
        let choice = self.world.recorder.witness(|w| w.choice(&name).cloned());
        let (Some(newest), Some(app), Some(choice)) =
            (choice.as_ref().and_then(|c| c.newest), choice.as_ref().and_then(|c| c.newest_app), &choice)
        else {
            return vec![differs(
                "points to compare",
                "a newest and a newest application-consistent one",
                "none",
            )];
        };
        let content =
            |mark| self.world.recorder.oracle(|o| o.content_at(&name, &choice.session, mark)).flatten();
        match (content(newest), content(app)) {
            (Some(a), Some(b)) if a != b => Vec::new(),
            (Some(_), Some(_)) => vec![differs(machine, "different bytes at both points", "the same bytes")],
            (None, _) | (_, None) => vec![differs(machine, "points the oracle knows", "unknown points")],
        }
    }

    /// The end: the file's expectations, every fault fired, the oracle's last sweep.
    pub(super) async fn judge_end(&mut self) {
        let findings = if self.persists() {
            self.come_home().await
        } else {
            self.judge(&self.checked.scenario.expect).await
        };
        self.findings.extend(findings);
        self.settle_ledger();
        self.sweep();
    }

    /// The oracle's sweep at the end of a run.
    pub(super) fn sweep(&mut self) {
        let (now, seen) = (self.world.clock.now(), self.world.observation());
        let copying = seen.items.iter().any(|i| i.state == "InitialReplicationInProgress");
        self.world.recorder.oracle(|o| {
            if seen.open_jobs.is_empty() && !copying {
                o.at_rest(now, &seen);
            }
            o.end(now, &seen);
        });
    }
}

/// What of a disk waits where, as the wire calls it, in MiB.
const WAITING: [&str; 3] = ["sourceDataInMB", "psDataInMB", "targetDataInMB"];

fn judge_item(item: &str, wanted: &ItemExpect, seen: &Seen) -> Vec<Finding> {
    let mut out = Vec::new();
    if let Some(state) = wanted.state.filter(|s| Some(*s) != seen.state) {
        out.push(differs(format!("state of {item}"), format!("{state:?}"), seen.raw.clone()));
    }
    if let Some(active) = wanted.active.filter(|a| *a != seen.active) {
        out.push(differs(
            format!("active side of {item}"),
            format!("{active:?}"),
            format!("{:?}", seen.active),
        ));
    }
    if let Some(health) = wanted.health.filter(|h| health_word(*h) != seen.health) {
        out.push(differs(format!("health of {item}"), health_word(health), seen.health.clone()));
    }
    out.extend(judge_alerts(item, wanted.alerts.as_ref(), &seen.alerts));
    out.extend(judge_alerts_include(item, &wanted.alerts_include, &seen.alerts));
    if let Some(points) = wanted.points.filter(|p| *p > seen.points) {
        out.push(differs(format!("points of {item}"), format!("at least {points}"), seen.points.to_string()));
    }
    if let Some(points) = wanted.points_at_most.filter(|p| *p < seen.points) {
        out.push(differs(format!("points of {item}"), format!("at most {points}"), seen.points.to_string()));
    }
    if let Some(allowed) = &wanted.allowed {
        let sorted = |words: &mut Vec<&str>| {
            words.sort_unstable();
            words.join(", ")
        };
        let wanted = sorted(&mut allowed.iter().map(|word| word.value.as_str()).collect());
        let shown = sorted(&mut seen.allowed.iter().map(String::as_str).collect());
        if wanted != shown {
            out.push(differs(format!("what may be asked of {item}"), wanted, shown));
        }
    }
    if let Some(resized) = wanted.resized.filter(|resized| *resized != seen.resized) {
        out.push(differs(format!("resized disks of {item}"), resized.to_string(), seen.resized.to_string()));
    }
    if let Some(server) = wanted.process_server.as_ref().filter(|server| server.value != seen.process_server)
    {
        out.push(differs(format!("process server of {item}"), &server.value, &*seen.process_server));
    }
    if let Some(wanted) = &wanted.transferred {
        let below = wanted.at_least.as_ref().is_some_and(|least| seen.transferred < least.value.0);
        let above = wanted.at_most.as_ref().is_some_and(|most| seen.transferred > most.value.0);
        if below || above {
            let shown = format!("{} bytes", seen.transferred);
            out.push(differs(format!("what {item} transferred"), format!("{wanted:?}"), shown));
        }
    }
    if let Some(Waiting { source, process_server, target }) = &wanted.waiting {
        for ((wanted, seen), field) in
            [source, process_server, target].into_iter().zip(seen.waiting).zip(WAITING)
        {
            if let Some(size) = wanted.as_ref().filter(|size| size.value.0 as f64 > seen * 1024.0 * 1024.0) {
                let what = format!("{field} of {item}");
                out.push(differs(what, format!("at least {}", size.value), format!("{seen:.3} MiB")));
            }
        }
    }
    out
}
