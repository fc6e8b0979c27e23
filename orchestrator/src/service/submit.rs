//! Requests on their way to becoming jobs. What is refused here is refused at once and leaves no trace in
//! the journal: unknown, busy, not allowed in this state.

use super::{Orchestrator, Services};
use crate::catalogue::machine::{
    BAD_REQUEST, BUSY, GROUP_FIXED, GROUP_FULL, MIGRATED, NOT_ALLOWED, NOT_FOUND, PLAN_EMPTY,
    PLAN_MEMBER_FAILS,
};
use crate::catalogue::protection::DISABLED;
use crate::config::Settings;
use crate::journal::{
    Accepted, Allowed, Input, Item, Job, JournalError, Leaving, Leg, Operation, ProtectionState, Record,
    State, Target, Verb,
};
use crate::workflow::runner;
use failback_wire::canary::Canary;
use failback_wire::env::Env;
use failback_wire::error::{ErrorDoc, Report};
use failback_wire::http::StatusCode;
use failback_wire::ids::{GroupName, JobId, MachineName, Site};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What an operator may ask for. Which workflow it is follows from the item's leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// `PUT` of a replicated item.
    Enable,
    /// Fail over, or back, under a verb.
    Failover(Verb),
    /// Commit a failover, or a failback.
    Commit,
    /// Reprotect, either way.
    Reprotect,
    /// Disable protection and clean up.
    Disable,
    /// Remove it from the vault alone.
    Purge,
    /// Complete the migration.
    CompleteMigration,
    /// Bring up a copy beside the replication.
    TestFailover,
    /// Delete that copy.
    CleanUpTest,
    /// Another recovery point, before the commit of a failover to Azure.
    ChangePoint,
    /// Another process server.
    MoveServer,
    /// Compare everything with the target again.
    Resynchronise,
}

impl Action {
    fn wants(self) -> Option<Allowed> {
        match self {
            Self::Enable | Self::MoveServer => None,
            Self::Resynchronise => Some(Allowed::RepairReplication),
            Self::Failover(Verb::Unplanned) => Some(Allowed::UnplannedFailover),
            Self::Failover(Verb::Planned) => Some(Allowed::PlannedFailover),
            Self::Commit => Some(Allowed::Commit),
            Self::Reprotect => Some(Allowed::SwitchProtection),
            Self::Disable | Self::Purge => Some(Allowed::DisableProtection),
            Self::CompleteMigration => Some(Allowed::CompleteMigration),
            Self::TestFailover => Some(Allowed::TestFailover),
            Self::CleanUpTest => Some(Allowed::TestFailoverCleanup),
            Self::ChangePoint => Some(Allowed::ChangePit),
        }
    }
    /// The operation this action means for an item on `leg` whose production runs at `active`.
    pub fn operation(self, leg: Leg, active: Site) -> Operation {
        match (self, leg) {
            (Self::Enable, _) => Operation::EnableProtection,
            (Self::Failover(_), Leg::Forward) => Operation::Failover,
            (Self::Failover(_), Leg::Reverse) => Operation::Failback,
            (Self::Commit, Leg::Forward) => Operation::Commit,
            (Self::Commit, Leg::Reverse) => Operation::CommitBack,
            (Self::Reprotect, Leg::Forward) => Operation::Reprotect,
            (Self::Reprotect, Leg::Reverse) => match active {
                // Anew: whether it may be is for the rules to say.
                Site::Azure => Operation::Reprotect,
                Site::OnPremises => Operation::ReprotectForward,
            },
            (Self::Disable, _) => Operation::Disable,
            (Self::Purge, _) => Operation::Purge,
            (Self::CompleteMigration, _) => Operation::CompleteMigration,
            (Self::TestFailover, _) => Operation::TestFailover,
            (Self::CleanUpTest, _) => Operation::CleanUpTest,
            (Self::ChangePoint, _) => Operation::ChangePoint,
            (Self::MoveServer, _) => Operation::MoveServer,
            (Self::Resynchronise, _) => Operation::Resynchronise,
        }
    }
    /// True when the item is already where this action would bring it: a plan passes over it (L1).
    pub(crate) fn already(self, item: &Item) -> bool {
        match self {
            Self::Enable | Self::Disable | Self::Purge | Self::CompleteMigration => false,
            Self::Failover(_) => matches!(
                item.state,
                ProtectionState::UnplannedFailoverCommitPendingStatesBegin
                    | ProtectionState::CommitPendingStatesBegin
                    | ProtectionState::UnplannedFailoverCommitted
                    | ProtectionState::ReprotectFailed
            ),
            Self::Commit => item.state == ProtectionState::UnplannedFailoverCommitted,
            Self::Reprotect => item.state.is_replicating(),
            Self::TestFailover => item.test.is_some(),
            Self::CleanUpTest => item.test.is_none(),
            Self::ChangePoint | Self::MoveServer | Self::Resynchronise => false,
        }
    }
}

/// One request.
#[derive(Clone, Debug)]
pub struct Ask {
    /// What is asked for.
    pub action: Action,
    /// Of what.
    pub target: Target,
    /// What was asked for each machine.
    pub inputs: BTreeMap<MachineName, Input>,
    /// `x-ms-client-request-id`.
    pub client_request: Option<String>,
    /// Key under which the same request, sent again, finds its job.
    pub dedupe: Option<String>,
}

/// A request that became no job.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// Status of the reply; always 4xx, unless the journal failed.
    pub status: StatusCode,
    /// Why, each reason once.
    pub reports: Vec<Report>,
}

impl Refusal {
    /// One reason.
    pub fn new(status: StatusCode, doc: &ErrorDoc, entity: &str, detail: impl Into<String>) -> Self {
        Self { status, reports: vec![Report::new(doc, entity, detail)] }
    }
    /// 400 with what is wrong.
    pub fn bad(entity: &str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, &BAD_REQUEST, entity, detail)
    }
    /// 404.
    pub fn missing(entity: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, &NOT_FOUND, entity, entity)
    }
}

impl From<JournalError> for Refusal {
    fn from(error: JournalError) -> Self {
        let doc = &crate::catalogue::execution::DEFECT;
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, doc, "journal", error.to_string())
    }
}

impl Orchestrator {
    /// Makes a job of the request, or finds the one it already became.
    ///
    /// # Errors
    /// [`Refusal`]: nothing was journalled and nothing will happen.
    pub fn submit(self: &Arc<Self>, ask: &Ask) -> Result<JobId, Refusal> {
        let at = self.now();
        let result = self.journal().append(|state| {
            let known = ask.dedupe.as_ref().and_then(|key| state.requests.get(key));
            if let Some(job) = known.filter(|_| !self.services().ctx.env.planted(Canary::RequestsTwice)) {
                return Ok((Vec::new(), (job.clone(), None)));
            }
            let request = self.accept(state, ask)?;
            let record = Record::Accepted { at, request: request.clone() };
            Ok((vec![record.clone()], (request.job, Some(record))))
        });
        match result {
            Ok((job, Some(record))) => {
                self.announce(&[record]);
                self.services().ctx.spawn(runner::drive(self.clone(), job.clone()));
                Ok(job)
            }
            Ok((job, None)) => Ok(job),
            Err(refusal) => {
                self.refused(ask.action, ask.target.name(), &refusal);
                Err(refusal)
            }
        }
    }

    /// Tells of a request that was refused at once.
    pub(crate) fn refused(&self, action: Action, target: &str, refusal: &Refusal) {
        let (leg, active) = self.journal().read(|state| {
            let member = state.plans.get(target).and_then(|plan| plan.groups.iter().flatten().next());
            let name = member.cloned().unwrap_or_else(|| MachineName::new(target));
            state.items.get(&name).map_or((Leg::Forward, Site::OnPremises), |item| (item.leg, item.active))
        });
        let codes = refusal.reports.iter().map(|report| report.code.clone()).collect();
        self.announce_refusal(action.operation(leg, active).as_str(), target, codes);
    }

    fn accept(&self, state: &State, ask: &Ask) -> Result<Accepted, Refusal> {
        let (groups, actions) = match &ask.target {
            Target::Item(name) => (vec![vec![name.clone()]], Vec::new()),
            Target::Plan(name) => {
                let plan = state.plans.get(name).ok_or_else(|| Refusal::missing(name))?;
                (plan.groups.clone(), plan.actions.clone())
            }
            // Its machines are those it was asked for.
            Target::ProcessServer(_) => (vec![ask.inputs.keys().cloned().collect()], Vec::new()),
        };
        let names: Vec<&MachineName> = groups.iter().flatten().collect();
        if !self.services().ctx.env.planted(Canary::TwoAtOnce) {
            busy(state, &names)?;
        }
        let (operation, skipped) = if ask.action == Action::Enable {
            (enable(state, self.services(), ask, &names)?, Vec::new())
        } else {
            sort(state, self.services(), ask, &names)?
        };
        Ok(Accepted {
            job: JobId::new(self.ids.guid()),
            operation,
            target: ask.target.clone(),
            groups,
            inputs: ask.inputs.clone(),
            skipped,
            actions,
            client_request: ask.client_request.clone(),
            dedupe: ask.dedupe.clone(),
        })
    }
}

/// Why there is no item of this name: it never was one, or it left protection (C23, P33).
pub(crate) fn unknown(state: &State, env: &Env, name: &MachineName) -> Report {
    let doc = match state.gone.get(name).filter(|_| env.holds("C23")).map(|gone| gone.how) {
        Some(Leaving::Migrated) => &MIGRATED,
        Some(Leaving::Disabled | Leaving::Removed) => &DISABLED,
        None => &NOT_FOUND,
    };
    Report::new(doc, name.as_str(), name.as_str())
}

/// One operation per item at a time.
fn busy(state: &State, names: &[&MachineName]) -> Result<(), Refusal> {
    let report = |name: &&MachineName| {
        let job = state.busy(name)?;
        Some(Report::new(&BUSY, name.as_str(), format!("job {job}")))
    };
    let reports: Vec<Report> = names.iter().filter_map(report).collect();
    if reports.is_empty() { Ok(()) } else { Err(Refusal { status: StatusCode::CONFLICT, reports }) }
}

/// A machine is brought under protection once, in a group that has room; a failed attempt may be repeated.
fn enable(
    state: &State,
    services: &Services,
    ask: &Ask,
    names: &[&MachineName],
) -> Result<Operation, Refusal> {
    let mut reports = Vec::new();
    for name in names {
        let group = ask.inputs.get(*name).and_then(|input| input.group.as_ref());
        let known = state.items.get(*name).filter(|item| item.state != ProtectionState::EnablingFailed);
        if let Some(item) = known {
            let detail = format!("{name} is already under protection");
            reports.push(Report::new(&NOT_ALLOWED, name.as_str(), detail));
            if group.is_some() && group != item.group.as_ref() && services.ctx.env.holds("G1") {
                reports.push(Report::new(&GROUP_FIXED, name.as_str(), name.as_str()));
            }
        }
        let full =
            |group: &&GroupName| in_group(state, group, name) >= services.config.knobs.settings.group_size;
        if let Some(group) = group.filter(full).filter(|_| known.is_none() && services.ctx.env.holds("G1")) {
            reports.push(Report::new(&GROUP_FULL, group.as_str(), group.as_str()));
        }
    }
    if reports.is_empty() {
        return Ok(Operation::EnableProtection);
    }
    Err(Refusal { status: StatusCode::CONFLICT, reports })
}

/// Machines in the group, or about to be, but for this one.
fn in_group(state: &State, group: &GroupName, but: &MachineName) -> usize {
    let asked = |job: &&Job| job.is_open() && job.request.operation == Operation::EnableProtection;
    let coming = state.jobs.values().filter(asked).flat_map(|job| &job.request.inputs);
    let coming = coming.filter(|(_, input)| input.group.as_ref() == Some(group)).map(|(name, _)| name);
    let inside = state.items.values().filter(|item| item.group.as_ref() == Some(group));
    let all: BTreeSet<&MachineName> = inside.map(|item| &item.name).chain(coming).collect();
    all.into_iter().filter(|name| *name != but).count()
}

/// Who takes part, in which operation, and who is already there. Everything that stands against it is told.
fn sort(
    state: &State,
    services: &Services,
    ask: &Ask,
    names: &[&MachineName],
) -> Result<(Operation, Vec<MachineName>), Refusal> {
    let (env, settings) = (&services.ctx.env, &services.config.knobs.settings);
    let single = ask.target.plan().is_none();
    let (mut reports, mut skipped, mut chosen) = (Vec::new(), Vec::new(), None);
    let mut status = StatusCode::BAD_REQUEST;
    for name in names {
        let Some(item) = state.items.get(*name) else {
            status = StatusCode::NOT_FOUND;
            reports.push(unknown(state, env, name));
            continue;
        };
        let operation = ask.action.operation(item.leg, item.active);
        let of_replication = matches!(ask.action, Action::MoveServer | Action::Resynchronise);
        // Shown or not: whoever wants a replication changed may have it (ours).
        let allowed = of_replication && item.replicates()
            || ask.action.wants().is_some_and(|wanted| item.allowed(settings).contains(&wanted));
        let allowed = allowed && (single || item.leg == Leg::Forward || env.holds("L4"));
        // Without a recovery point the rules have more to say than the state: they are asked (R6).
        let moves = matches!(ask.action, Action::Failover(_));
        let no_point_yet = moves && item.state == ProtectionState::InitialReplicationInProgress;
        let anew = single && operation == Operation::Reprotect && item.may_replicate_home_anew();
        if !allowed && !no_point_yet && !anew && env.holds("C7") {
            if !single && ask.action.already(item) && env.holds("L1") {
                skipped.push(((*name).clone(), operation));
            } else {
                reports.push(not_allowed(name, item, settings));
            }
        } else if *chosen.get_or_insert(operation) != operation {
            let detail = format!("{name} replicates the other way than the machines before it");
            reports.push(Report::new(&NOT_ALLOWED, name.as_str(), detail));
        }
    }
    if chosen.is_none() && reports.is_empty() {
        let doc = if names.is_empty() { &PLAN_EMPTY } else { &NOT_ALLOWED };
        let detail = "every machine is already there";
        reports.push(Report::new(doc, ask.target.name(), detail));
    }
    // One that came to Azure is not there when the others go home.
    let astray =
        skipped.iter().filter(|(_, way)| matches!(ask.action, Action::Failover(_)) && Some(*way) != chosen);
    let astray = astray.filter(|_| chosen.is_some());
    reports.extend(astray.filter_map(|(name, _)| Some(not_allowed(name, state.items.get(name)?, settings))));
    match chosen.filter(|_| reports.is_empty()) {
        Some(operation) => Ok((operation, skipped.into_iter().map(|(name, _)| name).collect())),
        None if single || names.is_empty() => Err(Refusal { status, reports }),
        None => {
            let entities: BTreeSet<&str> = reports.iter().map(|report| report.entity.as_str()).collect();
            let entities: Vec<&str> = entities.into_iter().collect();
            let whole = Report::new(&PLAN_MEMBER_FAILS, ask.target.name(), entities.join(", "));
            reports.insert(0, whole.standing_for(reports.clone()));
            Err(Refusal { status, reports })
        }
    }
}

/// What is asked for is not what the item's state allows.
pub(crate) fn not_allowed(name: &MachineName, item: &Item, settings: &Settings) -> Report {
    let allowed: Vec<&str> = item.allowed(settings).iter().map(|allowed| allowed.as_str()).collect();
    let detail = format!("{name} is in state {}, allowed: [{}]", item.state, allowed.join(", "));
    Report::new(&NOT_ALLOWED, name.as_str(), detail)
}
