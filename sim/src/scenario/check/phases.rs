//! Follows every item through the steps: a step that can never happen is a mistake of the file.
//!
//! Only successes move an item; a refused or failed operation leaves it where it was.

use super::Subject;
use crate::scenario::diagnostic::Problem;
use crate::scenario::estate::BeforeCommit;
use crate::scenario::inventory::Inventory;
use crate::scenario::model::{Ending, ItemState, Step, WaitUntil};
use crate::scenario::step::{Operation, OperationKind};
use crate::scenario::text::Place;
use std::collections::BTreeMap;

/// Where an item rests between operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Unprotected,
    Protected,
    FailedOver,
    FailoverCommitted,
    ReverseProtected,
    FailedBack,
    FailbackCommitted,
    ForwardReprotected,
}

/// From where, by which operation, to where. What leads on through the cycle comes first for each phase: it is
/// what a mistake is answered with.
#[rustfmt::skip]
static WAYS: &[(&[Phase], OperationKind, Phase)] = &[
    (&[Phase::Unprotected], OperationKind::EnableProtection, Phase::Protected),
    (&[Phase::Protected, Phase::ForwardReprotected], OperationKind::Failover, Phase::FailedOver),
    (&[Phase::FailedOver], OperationKind::Commit, Phase::FailoverCommitted),
    (&[Phase::FailoverCommitted], OperationKind::ReprotectHome, Phase::ReverseProtected),
    (&[Phase::ReverseProtected], OperationKind::Failback, Phase::FailedBack),
    // A machine that was deleted at home replicates there anew (C12).
    (&[Phase::ReverseProtected], OperationKind::ReprotectHome, Phase::ReverseProtected),
    (&[Phase::FailedBack], OperationKind::Commit, Phase::FailbackCommitted),
    (&[Phase::FailbackCommitted], OperationKind::ReprotectAzure, Phase::ForwardReprotected),
    (&[Phase::FailedOver, Phase::FailoverCommitted], OperationKind::CompleteMigration, Phase::Unprotected),
    (Phase::UNDER_PROTECTION, OperationKind::DisableProtection, Phase::Unprotected),
    (Phase::UNDER_PROTECTION, OperationKind::RemoveProtection, Phase::Unprotected),
];

/// States in which an item may stay.
const AT_REST: [ItemState; 9] = [
    ItemState::Unprotected,
    ItemState::ForwardSyncing,
    ItemState::Protected,
    ItemState::FailedOver,
    ItemState::FailoverCommitted,
    ItemState::ReverseSyncing,
    ItemState::ReverseProtected,
    ItemState::FailedBack,
    ItemState::FailbackCommitted,
];

/// The states that tell that an operation has come to its end; none for one that leaves items where they are.
pub fn led_to(kind: OperationKind) -> impl Iterator<Item = ItemState> {
    let ways = WAYS.iter().filter(move |(_, by, _)| *by == kind);
    ways.flat_map(|(_, _, to)| to.shows()).copied().filter(|state| AT_REST.contains(state))
}

/// What leaves an item where it is, and where it can be asked for.
#[rustfmt::skip]
static STAYS: &[(OperationKind, &[Phase])] = &[
    (OperationKind::TestFailover, &[Phase::Protected, Phase::ForwardReprotected]),
    (OperationKind::CleanUpTest, Phase::ALL),
    (OperationKind::ChangePoint, &[Phase::FailedOver]),
    (OperationKind::MoveServer, Phase::REPLICATES),
    (OperationKind::Resynchronise, Phase::REPLICATES),
    // Nothing was asked for yet.
    (OperationKind::Restart, &[]),
];

impl Phase {
    const REPLICATES: &[Self] = &[Self::Protected, Self::ReverseProtected, Self::ForwardReprotected];
    const UNDER_PROTECTION: &[Self] = Self::ALL.split_at(1).1;
    const ALL: &[Self] = &[
        Self::Unprotected,
        Self::Protected,
        Self::FailedOver,
        Self::FailoverCommitted,
        Self::ReverseProtected,
        Self::FailedBack,
        Self::FailbackCommitted,
        Self::ForwardReprotected,
    ];

    fn words(self) -> &'static str {
        match self {
            Self::Unprotected => "is not under protection",
            Self::Protected => "replicates to Azure",
            Self::FailedOver => "has failed over, uncommitted",
            Self::FailoverCommitted => "runs in Azure, committed and unprotected",
            Self::ReverseProtected => "replicates home",
            Self::FailedBack => "has failed back, uncommitted",
            Self::FailbackCommitted => "runs at home, committed and unprotected",
            Self::ForwardReprotected => "replicates to Azure again",
        }
    }
    /// Where an operation leads from here, if it can happen.
    fn after(self, operation: OperationKind) -> Option<Self> {
        let way = WAYS.iter().find(|(from, by, _)| *by == operation && from.contains(&self));
        way.map(|(.., to)| *to)
    }
    /// What leads on from here.
    fn next(self) -> Option<OperationKind> {
        WAYS.iter().find(|(from, ..)| from.contains(&self)).map(|(_, by, _)| *by)
    }
    /// States an item can show in this phase, an operation that failed under way included.
    pub(super) fn shows(self) -> &'static [ItemState] {
        use ItemState as S;
        match self {
            Self::Unprotected => &[S::Unprotected, S::Enabling, S::EnablingFailed],
            Self::Protected => &[S::ForwardSyncing, S::Protected, S::FailingOver, S::FailoverFailed],
            Self::FailedOver => &[S::FailedOver],
            Self::FailoverCommitted => &[S::FailoverCommitted, S::Reprotecting, S::ReprotectFailed],
            Self::ReverseProtected => {
                &[S::Reprotecting, S::ReverseSyncing, S::ReverseProtected, S::FailingBack, S::FailbackFailed]
            }
            Self::FailedBack => &[S::FailedBack],
            Self::FailbackCommitted => &[S::FailbackCommitted, S::ForwardReprotecting, S::ReprotectFailed],
            Self::ForwardReprotected => {
                &[S::ForwardReprotecting, S::ForwardSyncing, S::Protected, S::FailingOver, S::FailoverFailed]
            }
        }
    }
}

/// Where an item is and since which step.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing {
    pub(super) phase: Phase,
    /// The step that brought it there; unknown for the start.
    pub(super) since: Place,
    /// True once an operation moved production.
    pub(super) moved: bool,
    /// True when an operation has failed or been cut short: the item may be on its way.
    pub(super) unsure: bool,
    /// Where it stood before the operation that a step has started and not waited for.
    pub(super) before: Option<Phase>,
    /// What was asked for last: a restart asks for it again.
    pub(super) last: Option<OperationKind>,
}

impl Standing {
    /// True once it left protection (C23).
    fn left(&self) -> bool {
        self.phase == Phase::Unprotected && self.last.is_some_and(OperationKind::leaves)
    }
    /// Where an operation leads from here, if it can happen. What could not be protected has something to leave.
    fn after(&self, kind: OperationKind) -> Option<Phase> {
        let leaves = self.phase == Phase::Unprotected && self.unsure && kind.leaves();
        self.phase.after(kind).or_else(|| leaves.then_some(Phase::Unprotected))
    }
}

/// Where each item stands at the end of the steps.
pub(super) type Standings = BTreeMap<String, Standing>;

pub(super) fn check(subject: &Subject<'_>, out: &mut Vec<Problem>) -> Standings {
    let start = |protected| {
        let phase = if protected { Phase::Protected } else { Phase::Unprotected };
        Standing { phase, since: Place::default(), moved: false, unsure: false, before: None, last: None }
    };
    let mut standings: Standings =
        subject.inventory.machines.iter().map(|m| (m.name.clone(), start(m.protected))).collect();
    let mut inventory = subject.inventory.clone();
    inventory.plans.retain(|plan| plan.from_the_start);
    // What plans are in the middle of, while they wait for a person.
    let mut paused: BTreeMap<&str, OperationKind> = BTreeMap::new();
    for step in &subject.scenario.steps {
        if let Some(mut operation) = step.operation() {
            if operation.kind == OperationKind::Confirm {
                let Some(kind) = confirmed(subject, &operation, &paused, out) else { continue };
                operation.kind = kind;
            }
            advance(subject, step.at, &operation, &inventory, &mut standings, out);
            if let (Some(plan), Ending::Paused(_)) = (operation.plan, operation.expect) {
                paused.insert(plan, operation.kind);
            }
        }
        if let Some(save) = step.saves() {
            let plan = inventory.plan(save);
            inventory.plans.retain(|known| known.name != plan.name);
            inventory.plans.push(plan);
        }
        if let Step::WaitUntil(wait) = &step.value {
            waits(subject, wait, &standings, out);
        }
        if let Step::Check(expect) = &step.value {
            super::expects::states(subject, expect, &standings, out);
        }
    }
    standings
}

/// What the plan is in the middle of that a step confirms something of.
fn confirmed(
    subject: &Subject<'_>,
    operation: &Operation<'_>,
    paused: &BTreeMap<&str, OperationKind>,
    out: &mut Vec<Problem>,
) -> Option<OperationKind> {
    let plan = operation.plan?;
    let kind = paused.get(plan.as_str()).copied();
    if kind.is_none() && !matches!(operation.expect, Ending::Refused(_)) {
        let title = format!("plan `{plan}` waits for nobody here");
        let problem = Problem::at(subject.file, plan.at, title, "nothing to confirm");
        out.push(problem.help("an earlier step of it has to `expect: {paused: …}`"));
    }
    kind
}

fn advance(
    subject: &Subject<'_>,
    at: Place,
    operation: &Operation<'_>,
    inventory: &Inventory,
    standings: &mut Standings,
    out: &mut Vec<Problem>,
) {
    let machines = operation.machines(inventory);
    if *operation.expect == Ending::Anything {
        // Where they stand is anybody's guess from here on.
        for machine in machines {
            standings.remove(machine);
        }
        return;
    }
    let fits = |name: &&str| standings.get(*name).is_some_and(|s| s.phase.after(operation.kind).is_some());
    let some_fit = machines.iter().any(fits);
    for machine in machines {
        let Some(standing) = standings.get_mut(machine) else { continue };
        // What left protection is in no plan any more.
        if operation.plan.is_some() && standing.left() {
            continue;
        }
        if operation.kind == OperationKind::Cancel {
            cancelled(subject, at, machine, operation.expect, standing, out);
            continue;
        }
        let kind = match (operation.kind, standing.last) {
            (OperationKind::Restart, Some(last)) => last,
            (kind, _) => kind,
        };
        let last = Some(kind);
        standing.last = last;
        if let Some(fits) = beside(kind, standing.phase) {
            stays(subject, at, machine, (kind, operation.expect, fits), standing, out);
            continue;
        }
        let next = standing.after(kind).or_else(|| commits_first(subject, kind, standing.phase));
        // A plan passes over those that are there already (L1).
        let reached = settled(kind, standing.phase, at).phase;
        let committed = reached.after(OperationKind::Commit) == Some(standing.phase);
        let there = next.is_none() && (reached == standing.phase || committed);
        if operation.plan.is_some() && some_fit && there {
            continue;
        }
        match (operation.expect, next) {
            (Ending::Refused(_) | Ending::Anything, _) => {}
            (Ending::Succeeded | Ending::Started | Ending::Failed(_) | Ending::Paused(_), None) => {
                let title = format!("the {kind} of `{machine}` can never happen here");
                let label = format!("`{machine}` {}", standing.phase.words());
                let problem = Problem::at(subject.file, at, title, label);
                let problem = problem.and(subject.file, standing.since, "since this step");
                out.push(match standing.phase.next() {
                    Some(fitting) => problem.help(format!(
                        "the next operation of `{machine}` is a {fitting}; or expect `refused`"
                    )),
                    None => problem,
                });
                // Taken as if it had worked, so that one slip is not reported at every later step.
                *standing = settled(kind, standing.phase, at);
            }
            (Ending::Succeeded, Some(phase)) => {
                let moved = standing.moved || kind.moves();
                *standing = Standing { phase, since: at, moved, unsure: false, before: None, last };
            }
            // It may come to its end, or be cancelled.
            (Ending::Started, Some(phase)) => {
                let (moved, before) = (standing.moved || kind.moves(), Some(standing.phase));
                *standing = Standing { phase, since: at, moved, unsure: true, before, last };
            }
            (Ending::Failed(_), Some(_)) => standing.unsure = true,
            // It may be confirmed, or cancelled.
            (Ending::Paused(_), Some(_)) => {
                (standing.unsure, standing.before) = (true, Some(standing.phase));
            }
        }
    }
}

/// Where a setting lets it, a reprotect commits the failover before it (C8).
fn commits_first(subject: &Subject<'_>, kind: OperationKind, phase: Phase) -> Option<Phase> {
    let lets = subject.inventory.settings.reprotect_before_commit == BeforeCommit::Commit;
    let committed = phase.after(OperationKind::Commit).filter(|_| lets && phase == Phase::FailedOver)?;
    committed.after(kind).filter(|_| kind == OperationKind::ReprotectHome)
}

/// A cancellation takes back what a step has only started.
fn cancelled(
    subject: &Subject<'_>,
    at: Place,
    machine: &str,
    expect: &Ending,
    standing: &mut Standing,
    out: &mut Vec<Problem>,
) {
    match (expect, standing.before.take()) {
        (Ending::Refused(_) | Ending::Anything, before) => standing.before = before,
        (Ending::Succeeded | Ending::Started | Ending::Failed(_) | Ending::Paused(_), Some(before)) => {
            (standing.phase, standing.unsure) = (before, true);
        }
        (Ending::Succeeded | Ending::Started | Ending::Failed(_) | Ending::Paused(_), None) => {
            let title = format!("nothing runs on `{machine}` that could be cancelled");
            let problem = Problem::at(subject.file, at, title, standing.phase.words());
            out.push(problem.help("let an operation `expect: started` before this"));
        }
    }
}

/// An operation that leaves the item where it is, if it fits there.
fn stays(
    subject: &Subject<'_>,
    at: Place,
    machine: &str,
    (kind, expect, fits): (OperationKind, &Ending, bool),
    standing: &mut Standing,
    out: &mut Vec<Problem>,
) {
    if matches!(expect, Ending::Refused(_)) {
        return;
    }
    if !fits {
        let title = format!("the {kind} of `{machine}` can never happen here");
        let label = format!("`{machine}` {}", standing.phase.words());
        out.push(Problem::at(subject.file, at, title, label).help("or expect `refused`"));
    }
    standing.unsure |= matches!(expect, Ending::Failed(_));
}

/// For operations that leave an item where it is: whether they can happen there.
fn beside(kind: OperationKind, phase: Phase) -> Option<bool> {
    let way = STAYS.iter().find(|(by, _)| *by == kind);
    way.map(|(_, phases)| phases.contains(&phase))
}

/// Where an operation would have led, wherever it began.
fn settled(kind: OperationKind, from: Phase, at: Place) -> Standing {
    let mut ways = WAYS.iter().filter(|(_, by, _)| *by == kind).map(|(.., to)| *to);
    // A commit leads to one place or the other.
    let phase = if kind == OperationKind::Commit { from } else { ways.next().unwrap_or(from) };
    Standing { phase, since: at, moved: true, unsure: false, before: None, last: Some(kind) }
}

fn waits(subject: &Subject<'_>, wait: &WaitUntil, standings: &Standings, out: &mut Vec<Problem>) {
    let (Some(state), Some(standing)) = (wait.state, standings.get(&wait.item.value)) else { return };
    if standing.unsure || standing.phase.shows().contains(&state) {
        return;
    }
    let title = format!("`{}` can never become {} here", wait.item, word(state));
    let problem = Problem::at(subject.file, wait.item.at, title, standing.phase.words());
    out.push(problem.and(subject.file, standing.since, "since this step"));
}

/// The state as files write it.
pub(super) fn word(state: ItemState) -> String {
    serde_json::to_value(state).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}
