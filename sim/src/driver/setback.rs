//! Setbacks: jobs that a rehearsal made fail, or that a crash of the product interrupted. With no operator's
//! help they end soon, leave the item at a named state of rest and the world as it was, and may be asked
//! for again.

use super::play::Driver;
use super::steps::At;
use crate::report::outcome::{Finding, FindingKind};
use failback_oracle::twin;
use failback_orchestrator::catalogue::execution::REHEARSED;
use failback_orchestrator::journal::{Job, Operation, Outcome, Verb};
use failback_wire::clock::VirtualMs;
use failback_wire::ids::MachineName;
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;

/// A job has ended this long after a step of it failed, or after the product died under it, at the latest.
const PATIENCE: Duration = Duration::from_secs(2 * 3600);

/// Protection states, as the wire names them, in which an item may stay.
const STATES_OF_REST: [&str; 11] = [
    "EnablingFailed",
    "InitialReplicationInProgress",
    "Protected",
    "UnplannedFailoverFailed",
    "PlannedFailoverFailed",
    "ReplicationStopped",
    "UnplannedFailoverCommitPendingStatesBegin",
    "CommitPendingStatesBegin",
    "UnplannedFailoverCommitted",
    "ReprotectFailed",
    "DisablingFailed",
];

/// What an attempt leaves although its steps were taken back, once this step began: patterns of
/// [`twin::compare`], in which `{}` stands for a machine that was taken back.
struct Leaves {
    operation: Operation,
    step: &'static str,
    patterns: &'static [&'static str],
}

const fn leaves(operation: Operation, step: &'static str, patterns: &'static [&'static str]) -> Leaves {
    Leaves { operation, step, patterns }
}

/// That the attempt was made, whatever it was: the state says that it failed and when, and so what is allowed now. Epochs never go back,
/// so that nobody takes late frames of the attempt for newer ones. What servers told of themselves is of their last
/// heartbeat, which may have come in the middle of it.
const ATTEMPTED: &[&str] = &[
    "items/{}/state",
    "items/{}/allowed",
    "items/{}/item/state",
    "items/{}/item/since",
    "items/{}/item/current",
    "items/{}/item/epoch",
    "cs/database/servers/*/facts",
];

/// A session that the product had open in vCenter when it died: nobody can close it, it ends when idle.
const CRASHED: &[&str] = &["vcenter/sessions"];

/// What the other members of a plan, which went on, take of what all share.
const SHARED: &[&str] = &["vcenter/hosts/*/free_mb", "vcenter/datastores/*/free", "cs/database/policies/*"];

/// The session was taken up in a higher epoch and has synchronised by checksum since, which brought home, or to
/// Azure, what would not have come yet.
const COMPARED: &[&str] = &[
    "items/{}/item/forward/epoch",
    "items/{}/item/forward/sync",
    "items/{}/item/reverse/epoch",
    "items/{}/item/reverse/sync",
    "cs/database/servers/*/facts",
    "servers/*/cached",
    "servers/*/sessions/*/kept",
    "servers/*/sessions/*/view",
    "azure/blobs/*/content",
    "azure/blobs/*/snapshots",
    "azure/sessions/*/view",
    "vcenter/vmdks/*/root",
];

static LEAVES: &[Leaves] = &[
    leaves(Operation::MoveServer, "agent", COMPARED),
    // A disk that was extended stays so, which is as good at every point.
    leaves(
        Operation::Resynchronise,
        "fit",
        &["vcenter/vmdks/*/bytes", "vcenter/datastores/*/free", "items/{}/item/disks/*/size"],
    ),
    leaves(Operation::Resynchronise, "agent", COMPARED),
    // Seeds of disks that came since, which the next attempt uses.
    leaves(Operation::ReprotectForward, "seeds", &["azure/blobs/*"]),
    // The item itself, as one that could not be protected; see `agreed_session`.
    leaves(Operation::EnableProtection, "identify", &["items/{}"]),
    // A policy stays known once a machine was protected under it.
    leaves(Operation::EnableProtection, "row", &["cs/database/policies/*"]),
    // Seeds, which the next attempt uses.
    leaves(Operation::EnableProtection, "seeds", &["azure/blobs/*"]),
    // The source is shut down, its replication stopped (C6). What it would have written and sent since, and
    // the memory it would use, is what the other world has more.
    leaves(
        Operation::Failover,
        "shut-down-source",
        &[
            "vcenter/vms/{}/powered_on",
            "vcenter/hosts/*/free_mb",
            "vcenter/vmdks/*/root",
            "guests/copies/{}@on-premises",
            "items/{}/item/notes/drained",
            "azure/blobs/*/content",
            "azure/blobs/*/snapshots",
            "azure/sessions/*/view",
            "servers/*/sessions/*/view",
        ],
    ),
    // What was found out about virtual machine and disks, for the next attempt.
    leaves(Operation::Reprotect, "locate", &["items/{}/item/notes"]),
    // Whatever the session brought until it was forgotten, the old disks at home have taken.
    leaves(Operation::Reprotect, "agent", &["vcenter/vmdks/*/root"]),
    leaves(Operation::Reprotect, "row", &["cs/database/policies/*"]),
    // The guest was down for a while, so it wrote less, and its agent registers again (P32). The session was
    // taken up in a higher epoch and has synchronised by checksum since.
    leaves(
        Operation::Failback,
        "stop-azure",
        &[
            "azure/disks/*/content",
            "guests/copies/{}@azure/registered",
            "items/{}/item/reverse/epoch",
            "items/{}/item/reverse/sync",
            "servers/*/sessions/*/kept",
            "servers/*/sessions/*/view/applied",
            "servers/*/sessions/*/view/disks",
            "servers/*/sessions/*/view/epoch",
            "servers/*/sessions/*/view/last_mark",
            "servers/*/sessions/*/view/points",
            "servers/*/sessions/*/view/received",
            "vcenter/vmdks/*/root",
        ],
    ),
    // The guest was down for a while, so it wrote less, and its agent registers again (P32). It may still boot.
    leaves(
        Operation::ChangePoint,
        "stop-azure",
        &["azure/disks/*/content", "guests/copies/{}@azure/registered", "guests/copies/{}@azure/up"],
    ),
    // A clean-up goes forward only: what it has deleted stays deleted, and the next one deletes the rest.
    leaves(
        Operation::CleanUpTest,
        "delete-test-vm",
        &["azure/vms/{}-test", "azure/disks/{}-test-{}-disk0/owner", "guests/foreign_running/{}-test"],
    ),
    leaves(Operation::CleanUpTest, "delete-test-disks", &["azure/disks/{}-test-{}-disk0"]),
    leaves(Operation::ReprotectForward, "seeds", &["items/{}/item/notes"]),
    // Whatever the session brought until it was forgotten, the seeds have taken; the next attempt uses them.
    leaves(Operation::ReprotectForward, "agent", &["azure/blobs/*/content", "azure/blobs/*/snapshots"]),
];

/// A job that failed because its rehearsal wanted it to, and the world it left.
pub struct Setback {
    /// What the job did.
    pub operation: Operation,
    /// Under which verb.
    pub verb: Verb,
    /// The step that failed.
    pub step: String,
    /// Members that are back where they were: nothing of the attempt may be left of them.
    pub taken_back: Vec<MachineName>,
    /// The other members: through, or past their point of no return.
    pub others: Vec<MachineName>,
    /// Number of the request that became the job.
    pub request: u64,
    /// When the world was looked at.
    pub at: VirtualMs,
    /// Steps that had begun for members that were taken back.
    begun: BTreeSet<String>,
    crashed: bool,
    observed: Value,
}

impl Setback {
    /// What the attempt left behind: `twin` is the world in which it was never asked for, at the same time.
    pub fn left_behind(&self, twin: &Value) -> Vec<Finding> {
        if self.taken_back.is_empty() {
            return Vec::new();
        }
        let (ours, theirs) = (by_name(&self.observed), by_name(twin));
        let mask = self.mask();
        let mask: Vec<&str> = mask.iter().map(String::as_str).collect();
        let others = self.of_others(twin);
        let of_others = |path: &str| others.iter().any(|other| path.contains(other.as_str()));
        let differences = twin::compare(&ours, &theirs, &mask);
        let differences = differences.into_iter().filter(|d| !of_others(&d.path)).map(|d| {
            let shown = |value: Option<&Value>| value.map_or("nothing".to_owned(), Value::to_string);
            self.finding(&d.path).compared(shown(d.b.as_ref()), shown(d.a.as_ref()))
        });
        differences.chain(self.agreed_session()).collect()
    }

    fn finding(&self, what: &str) -> Finding {
        let text = format!("{:?} failed at {} and left {what}", self.operation, self.step);
        Finding::new(FindingKind::InvariantBroken, text)
    }

    /// Without the attempt to protect it there is no item to compare with; it must know of no session.
    fn agreed_session(&self) -> impl Iterator<Item = Finding> {
        let is_new = self.operation == Operation::EnableProtection;
        let session = |name: &&MachineName| &self.observed["items"][name.as_str()]["item"]["forward"];
        let left = self.taken_back.iter().filter(move |name| is_new && !session(name).is_null());
        left.map(|name| self.finding(&format!("the session of {name}")))
    }

    /// What names what belongs to the other members of the plan: they went on, and are compared with nothing.
    fn of_others(&self, twin: &Value) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        for other in &self.others {
            names.insert(other.to_string());
            for (world, session) in
                [&self.observed, twin].into_iter().flat_map(|w| [(w, "forward"), (w, "reverse")])
            {
                let id = world["items"][other.as_str()]["item"][session]["session"].as_str();
                names.extend(id.map(str::to_owned));
            }
        }
        names
    }

    fn mask(&self) -> Vec<String> {
        let begun = LEAVES.iter().filter(|l| l.operation == self.operation && self.begun.contains(l.step));
        let legitimate = ATTEMPTED.iter().chain(begun.flat_map(|l| l.patterns));
        let of_crash = CRASHED.iter().filter(|_| self.crashed);
        let shared = SHARED.iter().filter(|_| !self.others.is_empty());
        let named = legitimate
            .chain(of_crash)
            .chain(shared)
            .flat_map(|pattern| self.taken_back.iter().map(move |name| pattern.replace("{}", name.as_str())));
        named.chain(twin::MASK.iter().map(|pattern| (*pattern).to_owned())).collect()
    }
}

/// Lists of things that have names become tables by name: where a thing stands in a list says nothing, and
/// the path of a difference then tells whose it is.
fn by_name(value: &Value) -> Value {
    const NAMES: [&str; 6] = ["name", "path", "copy", "machine", "host_id", "id"];
    match value {
        Value::Object(fields) => fields.iter().map(|(key, value)| (key.clone(), by_name(value))).collect(),
        Value::Array(list) => {
            let name = |item: &Value| NAMES.iter().find_map(|key| item[*key].as_str().map(str::to_owned));
            let named: Option<_> = list.iter().map(|item| Some((name(item)?, by_name(item)))).collect();
            named.map_or_else(|| list.iter().map(by_name).collect(), Value::Object)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

fn rehearsed_step(job: &Job) -> Option<&str> {
    let mut failures = job.members.values().filter_map(|member| member.failed.as_ref());
    let rehearsed = failures.find(|failure| failure.report.code == REHEARSED.code);
    rehearsed.map(|failure| failure.step.as_str())
}

impl Driver<'_> {
    /// After a failure: true when the rehearsal wanted it, once. Then the oracle sweeps the world as at the
    /// end of a run, and the world is kept for comparing.
    pub(super) fn met_setback(&mut self) -> bool {
        let jobs = self.world.jobs();
        let rehearsed = jobs.iter().find_map(|job| Some((job, rehearsed_step(job)?)));
        let Some((job, step)) = rehearsed.filter(|_| self.setback.is_none()) else { return false };
        self.setback = Some(self.setback(job, step));
        self.sweep();
        true
    }

    fn setback(&self, job: &Job, step: &str) -> Setback {
        let is_back = |name: &&MachineName| {
            let ended = job.members.get(*name).and_then(|member| member.outcome);
            ended == Some(Outcome::Failed) && !self.world.is_halfway(name)
        };
        let (taken_back, others) = job.names().partition::<Vec<&MachineName>, _>(is_back);
        let of_back = |name: &&MachineName| job.members.get(*name).into_iter().flat_map(|m| m.steps.keys());
        let begun = taken_back.iter().flat_map(of_back).cloned().collect();
        Setback {
            operation: job.request.operation,
            verb: job.verb(),
            step: step.to_owned(),
            taken_back: taken_back.into_iter().cloned().collect(),
            others: others.into_iter().cloned().collect(),
            request: self.requests,
            at: self.world.clock.now(),
            begun,
            crashed: self.world.product_died().is_some(),
            observed: self.world.observe(),
        }
    }

    /// Where a crash or a rehearsal disturbs the run: the job has ended within two hours of that, and its items
    /// are at named states of rest. The journal's times count, not how long the operator was ready to wait.
    pub(super) fn judge_rest(&mut self, at: At, job: &str) {
        if self.script.crash.is_none() && self.script.rehearsal.fail_step.is_none() {
            return;
        }
        let jobs = self.world.jobs();
        let Some(job) = jobs.iter().find(|known| known.request.job.as_str() == job) else { return };
        if job.paused().is_some() {
            return;
        }
        let failures = job.members.values().filter_map(|member| member.failed.as_ref().map(|f| f.at));
        let died = self.world.product_died().filter(|died| *died >= job.accepted);
        let late = |then: &VirtualMs| job.ended.is_none_or(|ended| ended.since(*then) > PATIENCE);
        if let Some(disturbed) = failures.chain(died).min().filter(late) {
            let text = format!("job {} was disturbed at {disturbed}", job.request.job);
            let ended = job.ended.map_or("still runs".to_owned(), |ended| format!("ended at {ended}"));
            self.note_broken(at, text, "ended within 2 hours".to_owned(), ended);
        }
        let mut items = self.world.observation().items;
        items.retain(|item| job.names().any(|name| *name == item.item));
        for item in items.into_iter().filter(|item| !STATES_OF_REST.contains(&item.state.as_str())) {
            self.note_broken(at, item.item.to_string(), "a state of rest".to_owned(), item.state);
        }
    }

    fn note_broken(&mut self, at: At, what: String, wanted: String, shown: String) {
        let (step, line) = at.step();
        let finding = Finding::new(FindingKind::ExpectationFailed, what).compared(wanted, shown);
        self.findings.push(finding.at(step, line));
    }
}
