//! One look at what carries an item's replication: its session, its servers, the agent of its source.

use super::roll::{Called, Familiar, Roll};
use super::{Health, Services, telling, way_home};
use crate::catalogue::control::{AZURE_UNREACHABLE, CS_DISCONNECTED};
use crate::catalogue::documented::{
    AGENT_HEARTBEAT, INITIAL_SYNC_PROBLEM, MT_HEARTBEAT, PS_HEARTBEAT, PS_UNREACHABLE, PS_UPLOAD_BLOCKED,
};
use crate::catalogue::guest::{NOT_SYNCHRONISED, RESYNC_REQUIRED};
use crate::catalogue::protection::{CS_ELSEWHERE, REPLICATION_ENDED};
use crate::catalogue::target::MT_VERSION;
use crate::catalogue::warning::{CERTIFICATE_EXPIRES_SOON, MT_DISKS_LOST, MT_DISKS_RESIZED, MT_KERNEL};
use crate::clients::cs::OTHER_VAULT;
use crate::journal::{Item, Leg, ProtectionState, ServerRef};
use crate::rules::cs::{WARNING_TIME, expired};
use crate::workflow::{Finding, Glance, UNKNOWN_SESSION, agent_address};
use failback_wire::clock::VirtualMs;
use failback_wire::error::{ErrorDoc, Report};
use failback_wire::proto::agent::{Trouble, TroubleKind};
use failback_wire::proto::cs::{AgentBeat, Component, ServerBeat};
use failback_wire::proto::session::{DiskProgress, Phase, SessionSpec, SessionView};
use failback_wire::proto::target::Refusing;

/// Looks; touches nothing. Silence becomes a finding, which counts once it has lasted.
pub(crate) async fn glance(services: &Services, item: &Item, known: &Familiar<'_>, roll: &Roll) -> Glance {
    let Some(spec) = item.session() else { return Glance::default() };
    let mut glance = session(services, item, spec, known, roll).await;
    // Whoever is about to decide asks only where something is wrong for sure.
    let late = |view: &SessionView| {
        let threshold = services.config.knobs.rpo_threshold;
        view.last_mark.is_some_and(|mark| services.ctx.now().since(mark) > threshold)
    };
    let asks = |view: &SessionView| if roll.backlog { is_behind(view, known) } else { late(view) };
    if let Some(view) = glance.view.as_mut().filter(|view| asks(view)) {
        glance.findings.extend(backlog(services, item, spec, view).await);
    }
    match roll.call(services).await {
        Ok(called) => {
            servers(services, called, item, &mut glance);
            agent(services, called, item, known, &mut glance);
            glance.findings.extend(certificate(services, called.certificate_expires));
        }
        Err(error) => {
            let elsewhere = error.is_refusal(OTHER_VAULT);
            let doc = if elsewhere { &CS_ELSEWHERE } else { &CS_DISCONNECTED };
            let mut report = Report::new(doc, services.config.cs.host.as_str(), "");
            report.inner.push(error.to_string());
            glance.findings.push(lasting(report, None));
        }
    }
    glance
}

/// True when not all that was marked has arrived, as far as can be told: no mark came since the last look, or a disk is
/// still being synchronised.
fn is_behind(view: &SessionView, known: &Familiar<'_>) -> bool {
    let before = known.newest.map(|(_, time)| time);
    view.last_mark <= before || view.disks.iter().any(|disk| !disk.synced)
}

/// Asks the machine and its process server what waits there; who does not answer tells nothing (E19).
async fn backlog(
    services: &Services,
    item: &Item,
    spec: &SessionSpec,
    view: &mut SessionView,
) -> Vec<Finding> {
    let host = agent_address(services, &item.name, item.leg.source()).await;
    let status = services.agents.status(&host).await.ok();
    let trouble = status.as_ref().and_then(|status| status.trouble.as_ref());
    let trouble = trouble.map(|trouble| sending(item, trouble)).unwrap_or_default();
    let source = status.map(|status| status.disks).unwrap_or_default();
    let relay = services.sessions.state(&spec.relay, &spec.session).await;
    let told = |report, health| Some(Finding { report, health, since: None, at_once: true });
    let over = match &relay {
        Ok(view) if view.phase == Phase::Stopped => {
            let why = "an attempt that failed has stopped the replication, and could not take it up again";
            told(Report::new(&NOT_SYNCHRONISED, item.name.as_str(), why), Health::Warning)
        }
        Err(error) if error.is_refusal(UNKNOWN_SESSION) => {
            told(Report::new(&REPLICATION_ENDED, item.name.as_str(), item.name.as_str()), Health::Critical)
        }
        Ok(_) | Err(_) => None,
    };
    let relay = relay.map(|view| view.disks).unwrap_or_default();
    for disk in &mut view.disks {
        let of = |all: &[DiskProgress]| all.iter().find(|other| other.disk == disk.disk).cloned();
        if let Some(seen) = of(&source) {
            disk.at_source = seen.at_source;
            disk.resized = seen.resized;
            disk.sync_processed = disk.sync_processed.max(seen.sync_processed);
        }
        if let Some(seen) = of(&relay) {
            disk.in_relay = seen.in_relay;
        }
    }
    over.map_or(trouble, |over| vec![over])
}

/// What the agent says keeps it from sending. During the first copy also that this one does not get on (78169), which names
/// connectivity among its causes; that both are shown is ours.
fn sending(item: &Item, trouble: &Trouble) -> Vec<Finding> {
    let doc = match trouble.kind {
        TroubleKind::Unreachable => &PS_UNREACHABLE,
        TroubleKind::Blocked => &PS_UPLOAD_BLOCKED,
    };
    let mut report = Report::new(doc, item.name.as_str(), format!("since {}", trouble.since));
    report.inner.push(trouble.why.clone());
    let first_copy = (item.state == ProtectionState::InitialReplicationInProgress).then(|| {
        let report = Report::new(&INITIAL_SYNC_PROBLEM, item.name.as_str(), trouble.why.as_str());
        Finding { report, health: Health::Warning, since: Some(trouble.since), at_once: false }
    });
    [lasting(report, Some(trouble.since))].into_iter().chain(first_copy).collect()
}

/// The end of the session that holds its recovery points: the master target on the way home, the recovery
/// service on the way to Azure.
async fn session(
    services: &Services,
    item: &Item,
    spec: &SessionSpec,
    known: &Familiar<'_>,
    roll: &Roll,
) -> Glance {
    let doc = match item.leg {
        Leg::Reverse => &MT_HEARTBEAT,
        Leg::Forward => &AZURE_UNREACHABLE,
    };
    match roll.view(services, spec, known).await {
        Ok(view) => {
            let refuses = view.refuses.as_ref().map(|why| refusing(item, why));
            let resync = view.resync_required.as_ref().map(|why| {
                let report = Report::new(&RESYNC_REQUIRED, item.name.as_str(), why.as_str());
                Finding { report, health: Health::Warning, since: None, at_once: true }
            });
            Glance { view: Some(view), findings: refuses.into_iter().chain(resync).collect() }
        }
        Err(error) => {
            let server = item.master_target.as_ref().filter(|_| item.leg == Leg::Reverse);
            let entity = server.map_or(spec.target.as_str(), |server| server.id.as_str());
            let mut report = Report::new(doc, entity, "its session does not answer");
            report.inner.push(error.to_string());
            Glance { view: None, findings: vec![lasting(report, None)] }
        }
    }
}

/// The master target runs and answers, but takes nothing: no points until somebody acts.
fn refusing(item: &Item, why: &Refusing) -> Finding {
    let doc: &ErrorDoc = match why {
        Refusing::NewerThanServers { .. } => &MT_VERSION,
        Refusing::DisksGone(_) => &MT_DISKS_LOST,
        Refusing::DisksResized(_) => &MT_DISKS_RESIZED,
        Refusing::KernelUpdated => &MT_KERNEL,
    };
    let server = item.master_target.as_ref().map_or("master target", |server| server.id.as_str());
    let report = Report::new(doc, server, why.to_string());
    Finding { report, health: Health::Critical, since: None, at_once: true }
}

fn lasting(report: Report, since: Option<VirtualMs>) -> Finding {
    Finding { report, health: Health::Critical, since, at_once: false }
}

/// Heartbeats of the process server and, on the way home, of the master target.
fn servers(services: &Services, called: &Called, item: &Item, glance: &mut Glance) {
    let beat = |component, server: &Option<ServerRef>| {
        heartbeat(services, &called.servers, component, server.as_ref())
    };
    glance.findings.extend(beat(Component::ProcessServer, &item.process_server));
    if item.leg == Leg::Reverse {
        glance.findings.extend(beat(Component::MasterTarget, &item.master_target));
        glance.findings.extend(way_home::findings(services, &called.servers, item));
    }
}

/// Most heartbeats are young, and nothing need be said about them.
fn is_young(services: &Services, heard: VirtualMs) -> bool {
    services.ctx.now().since(heard) <= services.config.knobs.silent_after
}

fn heartbeat(
    services: &Services,
    rows: &[ServerBeat],
    component: Component,
    server: Option<&ServerRef>,
) -> Option<Finding> {
    let server = server?;
    let row = rows.iter().find(|row| row.component == component && row.id == server.id);
    if row.is_some_and(|row| is_young(services, row.last_heartbeat)) {
        return None;
    }
    let doc: &ErrorDoc = match component {
        Component::MasterTarget => &MT_HEARTBEAT,
        Component::ProcessServer => &PS_HEARTBEAT,
        Component::Agent => &AGENT_HEARTBEAT,
    };
    let detail = row.map_or_else(
        || "the configuration server does not list it".to_owned(),
        |row| format!("last heard at {}", row.last_heartbeat),
    );
    Some(lasting(Report::new(doc, server.id.as_str(), detail), row.map(|row| row.last_heartbeat)))
}

/// The agent in the copy that is the source, and what it tells. A missing row is told elsewhere.
fn agent(services: &Services, called: &Called, item: &Item, known: &Familiar<'_>, glance: &mut Glance) {
    if let Some(AgentBeat { last_heartbeat, facts, .. }) =
        called.agents.get(&(item.name.clone(), item.leg.source()))
    {
        if !is_young(services, *last_heartbeat) {
            let detail = format!("last heard at {last_heartbeat}");
            let report = Report::new(&AGENT_HEARTBEAT, item.name.as_str(), detail);
            glance.findings.push(lasting(report, Some(*last_heartbeat)));
        }
        glance.findings.extend(telling::findings(services, item, facts, known.disk_tier));
    }
}

/// The certificate ran out, or will soon (P6).
fn certificate(services: &Services, expires: VirtualMs) -> Option<Finding> {
    let now = services.ctx.now();
    if !services.ctx.env.holds("P6") || expires > now.plus(WARNING_TIME) {
        return None;
    }
    let (report, health) = match expired(now, expires) {
        Some(report) => (report, Health::Critical),
        None => {
            let detail = format!("at {expires}");
            (Report::new(&CERTIFICATE_EXPIRES_SOON, "configuration server", detail), Health::Warning)
        }
    };
    Some(Finding { report, health, since: None, at_once: true })
}
