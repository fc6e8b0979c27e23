//! Failback: fail over from Azure to on-premises (C15 to C18). Both verbs do the same; only the names of
//! their tasks differ.
//!
//! Order: wait until every disk is synchronised, shut the Azure virtual machine down and have Azure confirm
//! that it is off, wait until everything received has been applied, stop the session, settle on a recovery
//! point, roll the master target's disks to it, verify, move the disks by UUID back to the on-premises
//! virtual machine, confirm once more that Azure is off, power on, enable VMware Tools in a Windows guest.
//!
//! Until the roll, failure starts the Azure virtual machine again and takes the replication up in a higher
//! epoch. The roll is the point of no return: from there on a failed attempt is repeated and goes on where
//! it stopped, with the point once chosen (C18). The Azure virtual machine stays, stopped, until commit.

use super::ops::vcenter::{self, own_vm, target_vm};
use super::ops::{agent, azure, defect, note, peer_error, points, session};
use super::step::Recovery::{Forward, Nothing, Undo};
use super::step::{Step, StepCtx, StepError, StepResult, Workflow};
use crate::catalogue::control::CS_DISCONNECTED;
use crate::catalogue::execution::{
    ATTACH_FAILED, AZURE_START_FAILED, AZURE_STOP_FAILED, DETACH_FAILED, DRAIN_TIMEOUT, POWER_ON_FAILED,
    ROLL_FAILED,
};
use crate::catalogue::guest::NOT_SYNCHRONISED;
use crate::catalogue::machine::ONPREM_VM_MISSING;
use crate::catalogue::protection::REPLICATION_ENDED;
use crate::catalogue::target::{MT_DISKS_GONE, MT_SNAPSHOT};
use crate::catalogue::warning::{SOURCE_NOT_DRAINED, SOURCE_NOT_SHUT_DOWN, SPLIT_BRAIN};
use crate::clients::vcenter::{VcenterClient, VmFacts};
use crate::config::{DetachedDisks, FinalChanges};
use crate::journal::{Fact, Leg, Operation, PointChoice, ProtectionState, Rest};
use failback_wire::canary::Canary;
use failback_wire::clock::VirtualMs;
use failback_wire::error::{Class, ErrorDoc, Report};
use failback_wire::ids::Site;
use failback_wire::proto::cs::OsFamily;
use failback_wire::proto::session::{Phase, SessionSpec, SessionView};

/// Note: when the shutdown of the Azure virtual machine began, in virtual ms; empty when it was off already.
const STOPPING: &str = "stopping";

/// A point that was asked for by its id was offered then, and stays while the machine is shut down and drained: the master
/// target keeps points for so many seconds more, until the session stops or is taken up anew (ours).
const CHOOSING_S: u64 = 4 * 3600;

/// Task ids and titles of one verb, in the order in which their steps come.
struct Tasks {
    prepare: (&'static str, &'static str),
    stop: (&'static str, &'static str),
    synchronise: (&'static str, &'static str),
    disks: (&'static str, &'static str),
    start: (&'static str, &'static str),
}

const UNPLANNED_TASKS: Tasks = Tasks {
    prepare: ("ShutdownVmOnPrimaryForUFO", "Shut down the Azure virtual machine"),
    stop: ("ShutdownVmOnPrimaryForUFO", "Shut down the Azure virtual machine"),
    synchronise: ("PrepareForUnPlannedFailoverTask", "Synchronizing the latest changes"),
    disks: ("FailoverTask", "Start failover"),
    start: ("StartVmOnSecondary", "Start the on-premises virtual machine"),
};

const PLANNED_TASKS: Tasks = Tasks {
    prepare: ("PrepareForFailoverTask", "Synchronizing the latest changes"),
    stop: ("FailoverTask", "Shut down the Azure virtual machine"),
    synchronise: ("FailoverTask", "Shut down the Azure virtual machine"),
    disks: ("PrepareProtectedEntitiesTask", "Preparing on-premise virtual machine"),
    start: ("StartVmOnSecondary", "Start the on-premises virtual machine"),
};

static UNPLANNED_STEPS: [Step; 11] = steps(&UNPLANNED_TASKS);
static PLANNED_STEPS: [Step; 11] = steps(&PLANNED_TASKS);

/// The workflow under `unplannedFailover`.
pub static UNPLANNED: Workflow = Workflow {
    operation: Operation::Failback,
    scenario: "UnplannedFailover",
    friendly: "Failover",
    precheck: ("UnplannedFailoverPreflightChecksTask", "Prerequisites check for failover"),
    running: ProtectionState::UnplannedFailoverInProgress,
    success: Rest {
        state: ProtectionState::UnplannedFailoverCommitPendingStatesBegin,
        leg: Leg::Reverse,
        active: Site::OnPremises,
    },
    failure: Some(ProtectionState::UnplannedFailoverFailed),
    boot_from: Some("power-on"),
    steps: &UNPLANNED_STEPS,
};

/// The workflow under `plannedFailover`.
pub static PLANNED: Workflow = Workflow {
    scenario: "PlannedFailover",
    friendly: "Planned failover",
    precheck: ("PlannedFailoverPreflightChecksTask", "Prerequisites check for planned failover"),
    running: ProtectionState::PlannedFailoverInProgress,
    success: Rest {
        state: ProtectionState::CommitPendingStatesBegin,
        leg: Leg::Reverse,
        active: Site::OnPremises,
    },
    failure: Some(ProtectionState::PlannedFailoverFailed),
    steps: &PLANNED_STEPS,
    ..UNPLANNED
};

const fn steps(t: &Tasks) -> [Step; 11] {
    [
        Step::new("prepare", t.prepare, |c| Box::pin(prepare(c)), Nothing),
        Step::new("stop-azure", t.stop, |c| Box::pin(stop_azure(c)), Undo(|c| Box::pin(undo_stop(c)))),
        Step::new("drain", t.synchronise, |c| Box::pin(drain(c)), Undo(|c| Box::pin(undo_drain(c)))),
        Step::new("choose-point", t.synchronise, |c| Box::pin(choose(c)), Undo(|c| Box::pin(undo_choice(c)))),
        Step::new("roll", t.disks, |c| Box::pin(roll(c)), Forward),
        Step::new("verify", t.disks, |c| Box::pin(verify(c)), Forward),
        Step::new("map-disks", t.disks, |c| Box::pin(map_disks(c)), Forward),
        Step::new("detach", t.disks, |c| Box::pin(detach(c)), Forward),
        Step::new("attach", t.disks, |c| Box::pin(attach(c)), Forward),
        Step::new("power-on", t.start, |c| Box::pin(power_on(c)), Forward),
        Step::new("enable-tools", t.start, |c| Box::pin(enable_tools(c)), Nothing),
    ]
}

fn spec<'a>(c: &'a StepCtx<'_>) -> Result<&'a SessionSpec, StepError> {
    c.item.reverse.as_ref().ok_or_else(|| defect(c, "the session to on-premises"))
}

fn azure_name<'a>(c: &'a StepCtx<'_>) -> Result<&'a str, StepError> {
    let vm = c.item.azure.as_ref().ok_or_else(|| defect(c, "the Azure virtual machine"))?;
    Ok(&vm.name)
}

/// True while an earlier attempt stands past the point of no return: session and point are settled.
fn resuming(c: &StepCtx<'_>) -> bool {
    c.item.halfway.is_some()
}

/// How the session stands at the master target.
async fn target_state(c: &StepCtx<'_>) -> Result<SessionView, StepError> {
    let spec = spec(c)?;
    session::state(c, &spec.target, spec).await
}

/// Waits until nothing but the latest changes is missing: what a disk lacks when its source is shut down in
/// the middle of a synchronisation is lost. A source that is off already has nothing more to give.
async fn prepare(c: &StepCtx<'_>) -> StepResult {
    let name = azure_name(c)?;
    let vm = c.services.azure.vm(name).await.map_err(|e| azure::error(&AZURE_STOP_FAILED, name, &e))?;
    let is_off = vm.is_none_or(|vm| vm.power.is_off());
    if resuming(c) {
        // The point is settled: what a machine that somebody started again has written since is not in it.
        let lost = || Fact::Warning(Report::new(&SOURCE_NOT_DRAINED, c.item.name.as_str(), ""));
        return Ok(if is_off { Vec::new() } else { vec![lost()] });
    }
    if is_off {
        return Ok(vec![note(STOPPING, "")]);
    }
    if left_stopped(c).await? {
        let why = "an attempt that failed has stopped the replication, and could not take it up again";
        return Err(StepError::new(&NOT_SYNCHRONISED, c.item.name.as_str(), why).with_class(Class::Operator));
    }
    let view = target_state(c).await?;
    let missing: Vec<_> = view.disks.iter().filter(|disk| !disk.synced).collect();
    if let Some(why) = &view.resync_required {
        return Err(wait(c, why));
    }
    if !missing.is_empty() {
        return Err(wait(c, &format!("{} disks are not synchronised", missing.len())));
    }
    // Silent for longer than points are apart.
    let spec = spec(c)?;
    let silent = |mark: VirtualMs| c.ctx.now().since(mark).as_secs() > spec.crash_interval_s;
    if view.last_mark.is_some_and(silent) && session::ended(c, spec).await {
        return Err(ended(c));
    }
    if let PointChoice::Custom(_) = c.input.point {
        let longer = SessionSpec { retention_s: spec.retention_s + CHOOSING_S, ..spec.clone() };
        session::open(c, &spec.target, &longer).await?;
    }
    Ok(vec![note(STOPPING, c.ctx.now().0.to_string())])
}

/// True when an earlier attempt could not be taken back, and nobody has resynchronised the machine since: what a machine
/// that runs again writes is not replicated.
async fn left_stopped(c: &StepCtx<'_>) -> Result<bool, StepError> {
    if c.item.notes.get(STOPPING).is_none_or(String::is_empty) {
        return Ok(false);
    }
    let spec = spec(c)?;
    let seen = c.services.sessions.state(&spec.relay, &spec.session).await;
    Ok(seen.is_ok_and(|relay| relay.phase == Phase::Stopped))
}

fn wait(c: &StepCtx<'_>, why: &str) -> StepError {
    StepError::new(&NOT_SYNCHRONISED, c.item.name.as_str(), why).with_class(Class::Wait)
}

/// The process server has ended the replication: while the machine runs in Azure, what it writes is lost (C23).
fn ended(c: &StepCtx<'_>) -> StepError {
    StepError::new(&REPLICATION_ENDED, c.item.name.as_str(), c.item.name.as_str())
}

/// Graceful: the guest flushes, its agent cuts a last mark and sends what is left. Then nothing on-premises
/// may go on before Azure itself says that the machine is off (I2).
async fn stop_azure(c: &StepCtx<'_>) -> StepResult {
    let name = azure_name(c)?;
    let fail = |e| azure::error(&AZURE_STOP_FAILED, name, &e);
    if c.services.azure.vm(name).await.map_err(fail)?.is_some() {
        let graceful = !c.ctx.env.planted(Canary::CutsPowerInAzure);
        c.services.azure.stop_vm(name, graceful, &c.id("stop")).await.map_err(fail)?;
        c.services.azure.deallocate_vm(name, &c.id("deallocate")).await.map_err(fail)?;
    }
    azure::confirm_off(c, &AZURE_STOP_FAILED).await?;
    Ok(Vec::new())
}

/// Starts the machine again, if it ran before: production first, whatever becomes of the rest. Then the replication is
/// taken up in a higher epoch.
async fn undo_stop(c: &StepCtx<'_>) -> StepResult {
    if c.item.notes.get(STOPPING).is_none_or(String::is_empty) {
        return Ok(Vec::new());
    }
    let (name, spec) = (azure_name(c)?, spec(c)?);
    let started = c.services.azure.start_vm(name, &c.id("start-again")).await;
    started.map_err(|e| azure::error(&AZURE_START_FAILED, name, &e))?;
    if session::ended(c, spec).await {
        return Ok(vec![Fact::NoteCleared(STOPPING.to_owned())]);
    }
    let renewed = session::renew(c, spec).await?;
    for host in session::servers(&renewed) {
        session::open(c, host, &renewed).await?;
    }
    agent::start(c, Site::Azure, &renewed).await?;
    Ok(vec![Fact::SessionOpened(renewed), Fact::NoteCleared(STOPPING.to_owned())])
}

/// Waits until the process server has passed on, and the master target applied, all that was received; then
/// neither takes any more.
async fn drain(c: &StepCtx<'_>) -> StepResult {
    if resuming(c) {
        return Ok(Vec::new());
    }
    let spec = spec(c)?;
    let source_was_on = c.item.notes.get(STOPPING).is_some_and(|at| !at.is_empty());
    let mut facts = Vec::new();
    match session::stop_relay(c, spec).await? {
        Some(view) if !session::drained(&view) && !c.ctx.env.planted(Canary::LeavesDisksUndrained) => {
            let detail = format!("{} of {} frames applied", view.applied, view.received);
            return Err(StepError::new(&DRAIN_TIMEOUT, spec.relay.as_str(), detail).with_class(Class::Retry));
        }
        Some(_) => {}
        None if source_was_on => return Err(ended(c)),
        // Somebody shut the machine down and gives up what it wrote since.
        None => facts.push(Fact::Warning(Report::new(&SOURCE_NOT_DRAINED, c.item.name.as_str(), ""))),
    }
    let view = session::stop(c, &spec.target, spec).await?;
    // What the target lacks, or holds wrongly, its source can still repair, if it was there to be stopped.
    if let Some(why) = view.resync_required.filter(|_| source_was_on) {
        return Err(StepError::new(&ROLL_FAILED, &spec.target, why));
    }
    facts.push(note(points::DRAINED, view.applied.to_string()));
    Ok(facts)
}

async fn undo_drain(_: &StepCtx<'_>) -> StepResult {
    Ok(vec![Fact::NoteCleared(points::DRAINED.to_owned())])
}

async fn choose(c: &StepCtx<'_>) -> StepResult {
    let spec = spec(c)?;
    // The disks already are at, or between, points: the choice stands.
    if resuming(c) && c.item.chosen.as_ref().is_some_and(|chosen| chosen.session == spec.session) {
        return Ok(Vec::new());
    }
    cs_connected(c).await?;
    let mut view = session::settled(c, spec, c.item.notes.get(points::DRAINED)).await?;
    let stopping = c.item.notes.get(STOPPING).and_then(|at| at.parse().ok()).unwrap_or(0);
    if c.services.config.knobs.settings.final_changes == FinalChanges::Leave && stopping > 0 {
        view.points.retain(|point| point.time.0 < stopping);
    }
    let mut facts = points::choose(c, spec, &view.points, Site::OnPremises).await?;
    let newest = view.points.iter().map(|point| point.time.0).max().unwrap_or(0);
    if newest < stopping {
        let report = Report::new(&SOURCE_NOT_DRAINED, c.item.name.as_str(), "");
        facts.push(Fact::Warning(report));
    }
    Ok(facts)
}

/// The configuration server is needed all the way to the point of no return, and asked right before it (P2). What comes
/// behind is finished without it (ours): disks and machine are vCenter's.
async fn cs_connected(c: &StepCtx<'_>) -> Result<(), StepError> {
    if c.ctx.env.holds("P2") {
        let silent = |e| peer_error(&CS_DISCONNECTED, c.services.config.cs.host.as_str(), &e);
        c.services.cs.status().await.map_err(silent)?;
    }
    Ok(())
}

async fn undo_choice(c: &StepCtx<'_>) -> StepResult {
    Ok(points::unchoose(c, spec(c)?))
}

/// True when the master target says that its disks hold exactly the chosen point.
fn holds(c: &StepCtx<'_>, view: &SessionView) -> bool {
    let chosen = c.item.chosen.as_ref().map(|chosen| &chosen.point);
    let rolled = view.phase == Phase::Rolled && chosen.is_some() && view.rolled_to.as_ref() == chosen;
    rolled || c.ctx.env.planted(Canary::RollTakenForDone)
}

async fn roll(c: &StepCtx<'_>) -> StepResult {
    let chosen = c.item.chosen.as_ref().ok_or_else(|| defect(c, "the recovery point"))?;
    if !holds(c, &target_state(c).await?) {
        session::roll(c, spec(c)?, &chosen.point).await?;
    }
    Ok(Vec::new())
}

async fn verify(c: &StepCtx<'_>) -> StepResult {
    let view = target_state(c).await?;
    if holds(c, &view) {
        return Ok(Vec::new());
    }
    let held = view.rolled_to.map_or("no point".to_owned(), |point| point.to_string());
    let detail = format!("the master target holds {held} ({:?})", view.phase);
    Err(StepError::new(&ROLL_FAILED, c.item.name.as_str(), detail))
}

fn master_target<'a>(c: &'a StepCtx<'_>) -> Result<&'a str, StepError> {
    let server = c.item.master_target.as_ref().ok_or_else(|| defect(c, "the master target"))?;
    Ok(&server.id)
}

/// The machine the disks go home to.
async fn home(c: &StepCtx<'_>, v: &VcenterClient, doc: &ErrorDoc) -> Result<VmFacts, StepError> {
    let name = c.item.name.as_str();
    own_vm(c, v, doc).await?.ok_or_else(|| StepError::new(&ONPREM_VM_MISSING, name, name))
}

/// Notes where the disks' files lie while somebody still holds them; a crash between detaching and attaching
/// would lose that else (I4).
async fn map_disks(c: &StepCtx<'_>) -> StepResult {
    let v = vcenter::of(c);
    let own = home(c, v, &DETACH_FAILED).await?;
    let target = target_vm(v, master_target(c)?, &DETACH_FAILED).await?;
    where_they_were(c, &target)?;
    vcenter::note_paths(c, &[(&target, Some(&MT_SNAPSHOT)), (&own, None)], &MT_DISKS_GONE)
}

/// Disks are detached by the files that were noted when they were attached. Somebody has moved them since, with the
/// master target: then the detach finds nothing, and a person must attach them to their machine (P20). While there is a
/// snapshot what is attached is a delta: the detach says so.
fn where_they_were(c: &StepCtx<'_>, target: &VmFacts) -> Result<(), StepError> {
    if !target.snapshots.is_empty() || !c.ctx.env.holds("P20") {
        return Ok(());
    }
    let moved = c.item.disks.iter().filter_map(|disk| {
        let (now, then) = (target.disk(&disk.vmdk)?, c.item.attached.get(&disk.disk)?);
        (now.path != *then).then(|| format!("{} was {then}, is {}", disk.disk, now.path))
    });
    let moved: Vec<_> = moved.collect();
    match moved.is_empty() {
        true => Ok(()),
        false => Err(StepError::new(&MT_DISKS_GONE, c.item.name.as_str(), moved.join(", "))),
    }
}

async fn detach(c: &StepCtx<'_>) -> StepResult {
    let v = vcenter::of(c);
    let target = target_vm(v, master_target(c)?, &DETACH_FAILED).await?;
    vcenter::detach(c, v, &target, &DETACH_FAILED, &MT_SNAPSHOT).await?;
    Ok(Vec::new())
}

async fn attach(c: &StepCtx<'_>) -> StepResult {
    if c.services.config.knobs.settings.detached_disks == DetachedDisks::Stay {
        return attach_home(c).await;
    }
    // An earlier attempt may have put them back.
    detach(c).await?;
    let done = attach_home(c).await;
    if done.is_err() {
        // What went wrong is told, whatever becomes of this: it is tried again with the next attempt.
        let _ = put_back(c).await;
    }
    done
}

/// Gives the master target back what the machine could not take. While the machine holds a disk nothing is moved.
async fn put_back(c: &StepCtx<'_>) -> StepResult {
    let v = vcenter::of(c);
    let own = home(c, v, &ATTACH_FAILED).await?;
    let target = target_vm(v, master_target(c)?, &ATTACH_FAILED).await?;
    if c.item.disks.iter().all(|disk| own.disk(&disk.vmdk).is_none()) {
        vcenter::attach(c, v, &target, &ATTACH_FAILED).await?;
    }
    Ok(Vec::new())
}

async fn attach_home(c: &StepCtx<'_>) -> StepResult {
    let v = vcenter::of(c);
    let own = home(c, v, &ATTACH_FAILED).await?;
    let own = vcenter::attach(c, v, &own, &ATTACH_FAILED).await?;
    leave_out(c, v, &own).await?;
    Ok(Vec::new())
}

/// Disks that were excluded from protection are not the machine's any more: it comes home without them, and their files
/// stay where they are (P37). That it is done here, and not by the reprotect, is ours.
async fn leave_out(c: &StepCtx<'_>, v: &VcenterClient, own: &VmFacts) -> Result<(), StepError> {
    let left = c.item.left.iter().map(|disk| &disk.vmdk);
    let held: Vec<_> =
        c.item.excluded.iter().chain(left).filter(|uuid| own.disk(uuid).is_some()).cloned().collect();
    if held.is_empty() || !c.ctx.env.holds("P37") {
        return Ok(());
    }
    let done = v.detach_disks(own, &held).await;
    done.map_err(|e| vcenter::error(&ATTACH_FAILED, &own.name, &e))
}

/// Somebody may have started the Azure virtual machine in the meantime: asked right before, every time (I2).
async fn power_on(c: &StepCtx<'_>) -> StepResult {
    azure::confirm_off(c, &AZURE_STOP_FAILED).await?;
    let v = vcenter::of(c);
    let own = home(c, v, &POWER_ON_FAILED).await?;
    let done = v.power_on(&own).await;
    done.map_err(|e| vcenter::error(&POWER_ON_FAILED, &own.name, &e))?;
    if c.ctx.env.planted(Canary::DeletesAtFailback) {
        let name = azure_name(c)?;
        let done = c.services.azure.delete_vm(name, &c.id("delete")).await;
        done.map_err(|e| azure::error(&AZURE_STOP_FAILED, name, &e))?;
    }
    // A physical machine is off for good now (P35).
    let cleared = [SPLIT_BRAIN.code, SOURCE_NOT_SHUT_DOWN.code].into_iter();
    let cleared = cleared.filter(|_| c.item.platform.physical);
    Ok(cleared.map(|code| Fact::WarningCleared(code.to_owned())).collect())
}

async fn enable_tools(c: &StepCtx<'_>) -> StepResult {
    match c.item.os {
        Some(OsFamily::Windows) => agent::switch_tools(c, Site::OnPremises, true).await,
        Some(OsFamily::Linux) => agent::look_at_address(c).await,
        None => Ok(Vec::new()),
    }
}
