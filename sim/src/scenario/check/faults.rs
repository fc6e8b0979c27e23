//! What can be wrong with faults: things that do not exist, changes that contradict each other.
//!
//! The vocabularies belong to the fakes. What a change names is found in its serialised form by the
//! keys all vocabularies share (`vm`, `host`, `datastore`, `machine`); what undoes what is a table.

use super::Subject;
use super::moments;
use super::names::{Kind, Names};
use crate::scenario::diagnostic::Problem;
use crate::scenario::fault::{CallAction, CallFault, CallMoment, Change, LinkChange, When};
use crate::scenario::model::{Arm, Step};
use crate::scenario::text::{Name, Place, Spanned};
use crate::scenario::units::Period;
use failback_fakes::cs::ConfigurationServerFault;
use failback_fakes::guest::{GuestFault, MAX_BURST};
use failback_fakes::process_server::ProcessServerFault;
use failback_orchestrator::journal::KINDS;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::IpAddr;

pub(super) fn check(subject: &Subject<'_>, names: &Names, out: &mut Vec<Problem>) {
    let switches = BTreeMap::new();
    // What nobody has started yet may be started.
    let crashed = names.asleep().map(|node| (node.to_owned(), Position::Unknown)).collect();
    let mut check = Check { subject, names, out, later: &[], switches, armed: Vec::new(), crashed };
    let mut steps = subject.scenario.steps.as_slice();
    while let [step, later @ ..] = steps {
        check.later = later;
        let end = later.first().map_or(subject.file.text.len(), |next| next.at.byte);
        check.step(step, end);
        steps = later;
    }
}

/// Changes that last: `(category, on, off, argument that tells subjects apart)`.
pub(super) const SWITCHES: [(&str, &str, &str, &str); 10] = [
    ("vcenter", "disconnect", "reconnect", ""),
    ("vcenter", "disconnect-host", "reconnect-host", "host"),
    ("configuration-server", "stop", "start", ""),
    ("master-target", "stop-services", "start-services", ""),
    ("master-target", "retention-missing", "retention-back", ""),
    ("process-server", "stop-services", "start-services", ""),
    ("guest", "stop-agent", "start-agent", "machine"),
    ("azure", "delete-network", "create-network", "network"),
    ("azure", "deny-machines", "allow-machines", ""),
    ("link", "vpn-down", "vpn-up", ""),
];

/// What a person may throttle a process server to, in bytes a second: 512 Kbps (section 5).
const LEAST_THROTTLE: u64 = 64_000;

/// The fields of a change that are words, by their keys.
pub(super) fn words(change: &impl Serialize) -> Vec<(String, String)> {
    let Ok(Value::Object(tagged)) = serde_json::to_value(change) else { return Vec::new() };
    let fields = tagged.into_iter().filter_map(|(_, fields)| match fields {
        Value::Object(fields) => Some(fields),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => None,
    });
    let word = |(key, value): (String, Value)| value.as_str().map(|word| (key, word.to_owned()));
    fields.flatten().filter_map(word).collect()
}

/// A lasting change: what it is about, and whether it begins or ends it.
struct Switch {
    subject: String,
    on: bool,
    word: String,
}

/// A switch as far as the steps decide it.
#[derive(Clone, Copy)]
enum Position {
    On(Place),
    Off(Place),
    /// An armed fault may have changed it.
    Unknown,
}

struct Armed {
    id: Option<Name>,
    at: Place,
    when: Option<String>,
    switch: Option<(String, bool)>,
}

struct Check<'a, 'b> {
    subject: &'a Subject<'a>,
    names: &'a Names,
    out: &'b mut Vec<Problem>,
    /// The steps after the one that is looked at.
    later: &'a [Spanned<Step>],
    switches: BTreeMap<String, Position>,
    armed: Vec<Armed>,
    crashed: BTreeMap<String, Position>,
}

impl Check<'_, '_> {
    fn wrong(&mut self, at: Place, title: impl Into<String>, label: &str) {
        self.out.push(Problem::at(self.subject.file, at, title, label));
    }
    fn need(&mut self, kind: Kind, name: &Name) {
        self.names.need(self.subject.file, kind, name, name.at, self.out);
    }

    fn step(&mut self, step: &Spanned<Step>, end: usize) {
        if step.operation().is_some() {
            self.down(step.at);
        }
        #[expect(clippy::wildcard_enum_match_arm, reason = "no other step breaks or mends something")]
        match &step.value {
            Step::Inject(change) => {
                self.change(change, step.at, end);
                self.now(change, step.at);
            }
            Step::Operator(change) => {
                if let Change::Call(_) = change {
                    self.wrong(step.at, "an operator does not break calls", "use `inject` or `arm`");
                }
                if let Change::ProcessServer(on) = change
                    && let ProcessServerFault::Throttle { bytes_per_second } = on.change.value
                    && bytes_per_second < LEAST_THROTTLE
                {
                    let title = "a process server is throttled to 512 Kbps at least";
                    self.wrong(
                        on.change.at,
                        title,
                        "at least 64000 bytes a second; a line that slow is injected",
                    );
                }
                self.change(change, step.at, end);
                self.now(change, step.at);
            }
            Step::Arm(arm) => self.arm(arm, step.at, end),
            Step::Clear(id) => self.armed_before(id),
            Step::Crash(s) => {
                if let Some(Position::On(first)) = self.crashed.get(&s.node.value).copied()
                    && self.subject.whole
                {
                    let title = format!("`{}` is down already", s.node);
                    let problem = Problem::at(self.subject.file, s.node.at, title, "cannot crash again");
                    let problem = problem.and(self.subject.file, first, "it crashed here");
                    self.out.push(problem.help("`restart` it in between"));
                }
                let back = s.restart_after.is_some();
                let position = if back { Position::Unknown } else { Position::On(step.at) };
                self.crashed.insert(s.node.value.clone(), position);
            }
            Step::Restart(s) => {
                if self.subject.whole
                    && let None | Some(Position::Off(_)) = self.crashed.get(&s.node.value)
                {
                    let title = format!("`{}` runs, so it can never restart here", s.node);
                    self.wrong(s.node.at, title, "no step before this crashes it");
                }
                self.crashed.insert(s.node.value.clone(), Position::Off(step.at));
            }
            _ => {}
        }
    }

    /// Nobody takes a request while the orchestrator is down.
    fn down(&mut self, at: Place) {
        let node = crate::scenario::inventory::ORCHESTRATOR;
        if let Some(Position::On(first)) = self.crashed.get(node).copied()
            && self.subject.whole
        {
            let title = "this step can never happen: the orchestrator is down";
            let problem = Problem::at(self.subject.file, at, title, "nobody takes this request");
            let problem = problem.and(self.subject.file, first, "it crashed here");
            self.out.push(problem.help("`restart` it in between"));
        }
    }

    /// Names that a change uses exist.
    fn change(&mut self, change: &Change, at: Place, end: usize) {
        match change {
            Change::Vcenter(c) => self.mentioned(c, Kind::Vm, end),
            Change::ConfigurationServer(c) => {
                self.mentioned(c, Kind::Vm, end);
                if let ConfigurationServerFault::Restore { address: Some(address), .. } = &c.value
                    && address.parse::<IpAddr>().is_err()
                {
                    let at = self.find(address, c.at, end);
                    self.wrong(at, format!("`{address}` is no address"), "write one like 10.0.0.11");
                }
            }
            Change::Azure(c) => self.mentioned(c, Kind::AzureVm, end),
            Change::Guest(c) => {
                self.mentioned(c, Kind::Vm, end);
                if let GuestFault::Burst { blocks, .. } = c.value
                    && blocks > MAX_BURST
                {
                    let title = format!("a guest does not write {blocks} blocks at once");
                    self.wrong(c.at, title, &format!("at most {MAX_BURST}"));
                }
            }
            Change::MasterTarget(on) => {
                self.need(Kind::MasterTarget, &on.name);
                self.mentioned(&on.change, Kind::Vm, end);
            }
            Change::ProcessServer(on) => {
                self.need(Kind::ProcessServer, &on.name);
                self.mentioned(&on.change, Kind::Vm, end);
            }
            Change::Link(link) => {
                if let LinkChange::Cut { from, to } | LinkChange::Join { from, to } = &**link {
                    self.need(Kind::Caller, from);
                    self.need(Kind::Caller, to);
                }
            }
            Change::Call(call) => self.call(call, at),
        }
    }

    fn mentioned<T: Serialize>(&mut self, change: &Spanned<T>, vm: Kind, end: usize) {
        for (key, name) in words(&change.value) {
            let kind = match key.as_str() {
                "vm" => vm,
                "machine" => Kind::Machine,
                "host" => Kind::Host,
                "datastore" => Kind::Datastore,
                "user" => Kind::Account,
                _ => continue,
            };
            let at = self.find(&name, change.at, end);
            self.names.need(self.subject.file, kind, &name, at, self.out);
        }
    }

    /// Where a word stands as a value, in the text of a step from a place on.
    fn find(&self, word: &str, from: Place, end: usize) -> Place {
        let text = &self.subject.file.text;
        let Some(range) = text.get(from.byte..end.max(from.byte)) else { return from };
        let inner = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
        let whole = |at: usize| {
            let (before, after) = (&range[..at], &range[at + word.len()..]);
            !before.ends_with(inner) && !after.starts_with(inner) && !after.trim_start().starts_with(':')
        };
        let Some((at, _)) = range.match_indices(word).find(|(at, _)| whole(*at)) else { return from };
        let byte = from.byte + at;
        let line = text[..byte].matches('\n').count() + 1;
        let column = text[..byte].chars().rev().take_while(|c| *c != '\n').count() + 1;
        let small = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Place { line: small(line), column: small(column), byte, len: word.len() }
    }

    fn call(&mut self, call: &CallFault, at: Place) {
        moments::call(self.subject, self.names, (call.from.as_ref(), &call.to, &call.operation), self.out);
        for (count, what) in [(&call.nth, "nth"), (&call.times, "times")] {
            if count.value == 0 {
                self.wrong(count.at, format!("`{what}` counts from 1"), "never the case");
            }
        }
        if let CallAction::Status(status) = call.action
            && !(400..=599).contains(&status)
        {
            self.wrong(at, format!("{status} is no status of an error"), "400 to 599");
        }
        if let CallAction::Delay(Period(0)) = call.action {
            self.wrong(at, "a delay of no time", "must be longer than 0s");
        }
    }

    fn switch(&self, change: &Change) -> Option<Switch> {
        let Ok(Value::Object(category)) = serde_json::to_value(change) else { return None };
        let (category, inner) = category.iter().next()?;
        let named = inner.get("name").and_then(Value::as_str).unwrap_or_default();
        let tagged = inner.get("change").unwrap_or(inner);
        let (word, fields) = match tagged {
            Value::String(word) => (word.as_str(), None),
            Value::Object(map) => map.iter().next().map(|(word, fields)| (word.as_str(), Some(fields)))?,
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => return None,
        };
        let is = |s: &&(&str, &str, &str, &str)| s.0 == category && (s.1 == word || s.2 == word);
        let (_, on, _, argument) = SWITCHES.iter().find(is)?;
        let text = |key: &str| fields.and_then(|f| f.get(key)).and_then(Value::as_str).unwrap_or_default();
        let argument = if argument.is_empty() { named } else { text(argument) };
        let subject = format!("{category} {argument} {} {on}", text("site"));
        Some(Switch { subject, on: *on == word, word: word.to_owned() })
    }

    /// A lasting change made now must change something.
    fn now(&mut self, change: &Change, at: Place) {
        let Some(switch) = self.switch(change).filter(|_| self.subject.whole) else { return };
        let title = format!("`{}` contradicts an earlier step", switch.word);
        match (self.switches.get(&switch.subject).copied(), switch.on) {
            (Some(Position::On(first)), true) => {
                let problem = Problem::at(self.subject.file, at, title, "so already");
                self.out.push(problem.and(self.subject.file, first, "since this step"));
            }
            (Some(Position::Off(first)), false) => {
                let problem = Problem::at(self.subject.file, at, title, "undone already");
                self.out.push(problem.and(self.subject.file, first, "by this step"));
            }
            (None, false) => {
                let title = format!("there is nothing for `{}` to undo", switch.word);
                self.wrong(at, title, "no step before this breaks it");
            }
            (Some(_), _) | (None, true) => {}
        }
        let position = if switch.on { Position::On(at) } else { Position::Off(at) };
        self.switches.insert(switch.subject, position);
    }

    fn arm(&mut self, arm: &Arm, at: Place, end: usize) {
        match (&arm.fault, &arm.crash) {
            (Some(_), Some(_)) => self.wrong(at, "an armed `fault` or an armed `crash`", "both are given"),
            (None, None) => self.wrong(at, "what is armed?", "give it `fault` or `crash`"),
            (Some(fault), None) => {
                self.change(fault, at, end);
                let call = matches!(fault, Change::Call(_));
                if !call && arm.when.is_none() {
                    self.wrong(at, "an armed fault waits for its moment", "give it `when`, or `inject` it");
                }
                if let (true, Some(_)) = (call, &arm.when) {
                    let label = "leave `when` out: `operation` and `nth` are the moment";
                    self.wrong(at, "a `call` fault has its own moment", label);
                }
            }
            (None, Some(node)) => {
                self.need(Kind::Node, &node.node);
                self.crashed.insert(node.node.value.clone(), Position::Unknown);
                if arm.when.is_none() {
                    self.wrong(at, "an armed crash waits for its moment", "give it `when`, or `crash` now");
                }
            }
        }
        if let Some(when) = &arm.when {
            self.when(when);
        }
        if let Some(ends) = &arm.ends {
            self.change(&ends.by, at, end);
        }
        self.remember(arm, at);
    }

    /// Two faults armed for one moment must not undo each other, and ids are used once.
    fn remember(&mut self, arm: &Arm, at: Place) {
        let switch = arm.fault.as_ref().and_then(|f| self.switch(f)).map(|s| (s.subject, s.on));
        let when = arm.when.as_ref().and_then(|w| serde_json::to_string(w).ok());
        let clash = |a: &&Armed| match (&a.switch, &switch) {
            (Some((s, on)), Some((t, off))) => s == t && on != off && a.when == when,
            (Some(_) | None, None) | (None, Some(_)) => false,
        };
        if let Some(other) = self.armed.iter().find(clash) {
            let title = "two faults contradict each other";
            let problem = Problem::at(self.subject.file, at, title, "strikes at the same moment");
            self.out.push(problem.and(self.subject.file, other.at, "and undoes this"));
        }
        if let Some(id) = &arm.id {
            let same = self.armed.iter().find_map(|a| a.id.as_ref().filter(|other| *other == id));
            if let Some(first) = same.map(|first| first.at) {
                let title = format!("the id `{id}` is used twice");
                let problem = Problem::at(self.subject.file, id.at, title, "for the second time here");
                self.out.push(problem.and(self.subject.file, first, "for the first time here"));
            }
        }
        if let Some((subject, _)) = &switch {
            self.switches.insert(subject.clone(), Position::Unknown);
        }
        self.armed.push(Armed { id: arm.id.clone(), at, when, switch });
    }

    fn when(&mut self, when: &When) {
        match when {
            When::After(period) if period.value == Period(0) => {
                self.wrong(period.at, "a fault of this very moment", "use `inject`");
            }
            When::After(_) => {}
            When::AfterFault(moment) => self.armed_before(&moment.id),
            When::BeforeCall(CallMoment { from, to, operation, nth })
            | When::AfterCall(CallMoment { from, to, operation, nth }) => {
                moments::call(self.subject, self.names, (from.as_ref(), to, operation), self.out);
                self.count(nth);
            }
            When::BeforeWrite(write) | When::AfterWrite(write) => {
                if !KINDS.contains(&write.kind.as_str()) {
                    let title = format!("the journal has no `{}`", write.kind);
                    let problem = Problem::at(self.subject.file, write.kind.at, title, "no kind of record");
                    self.out.push(problem.suggest(&write.kind, KINDS));
                }
                self.count(&write.nth);
            }
            When::AtTask(task) | When::AfterTask(task) => {
                if self.subject.whole {
                    moments::task(self.subject, self.names, task, self.later, self.out);
                }
                self.count(&task.nth);
            }
        }
    }

    fn count(&mut self, nth: &Spanned<u32>) {
        if nth.value == 0 {
            self.wrong(nth.at, "`nth` counts from 1", "never the case");
        }
    }

    /// An id that is used belongs to a fault that was armed before.
    fn armed_before(&mut self, id: &Name) {
        let ids: Vec<String> = self.armed.iter().filter_map(|a| a.id.clone()).map(|n| n.value).collect();
        if self.subject.whole && !ids.contains(&id.value) {
            let title = format!("no fault `{id}` is armed before this step");
            let problem = Problem::at(self.subject.file, id.at, title, "not armed");
            self.out.push(problem.suggest(id, ids.iter().map(String::as_str)));
        }
    }
}
