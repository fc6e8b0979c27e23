//! One look at what carries an item's replication: its session, its servers, the agent of its source.

use super::{Health, Services};
use crate::catalogue::control::CS_DISCONNECTED;
use crate::catalogue::documented::{AGENT_HEARTBEAT, INITIAL_SYNC_PROBLEM, MT_HEARTBEAT, PS_HEARTBEAT};
use crate::journal::{Item, Leg, ServerRef};
use crate::workflow::{Finding, Glance};
use failback_wire::clock::VirtualMs;
use failback_wire::error::{ErrorDoc, Report};
use failback_wire::proto::cs::{Component, ServerRow};
use failback_wire::proto::session::{Point, SessionSpec};

/// Looks; touches nothing. Silence becomes a finding, which counts once it has lasted.
pub(crate) async fn glance(services: &Services, item: &Item, known: &[Point]) -> Glance {
    let Some(spec) = item.session() else { return Glance::default() };
    let mut glance = session(services, item, spec, known).await;
    servers(services, item, &mut glance).await;
    agent(services, item, &mut glance).await;
    glance
}

/// The end of the session that holds its recovery points: the master target on the way home, the process
/// server on the way to Azure.
async fn session(services: &Services, item: &Item, spec: &SessionSpec, known: &[Point]) -> Glance {
    let (host, doc, server) = match (&spec.target, item.leg) {
        (Some(target), Leg::Reverse) => (target, &MT_HEARTBEAT, &item.master_target),
        (Some(_) | None, Leg::Forward) | (None, Leg::Reverse) => {
            (&spec.relay, &PS_HEARTBEAT, &item.process_server)
        }
    };
    match services.sessions.watch(host, &spec.session, known).await {
        Ok(view) => {
            let resync = view.resync_required.as_ref().map(|why| {
                let report = Report::new(&INITIAL_SYNC_PROBLEM, item.name.as_str(), why.as_str());
                Finding { report, health: Health::Warning, since: None, at_once: true }
            });
            Glance { view: Some(view), findings: resync.into_iter().collect() }
        }
        Err(error) => {
            let entity = server.as_ref().map_or(host.as_str(), |server| server.id.as_str());
            let mut report = Report::new(doc, entity, "its session does not answer");
            report.inner.push(error.to_string());
            Glance { view: None, findings: vec![lasting(report, None)] }
        }
    }
}

fn lasting(report: Report, since: Option<VirtualMs>) -> Finding {
    Finding { report, health: Health::Critical, since, at_once: false }
}

/// Heartbeats of the process server and, on the way home, of the master target.
async fn servers(services: &Services, item: &Item, glance: &mut Glance) {
    match services.cs.servers().await {
        Ok(rows) => {
            glance.findings.extend(heartbeat(&rows, Component::ProcessServer, item.process_server.as_ref()));
            if item.leg == Leg::Reverse {
                glance.findings.extend(heartbeat(
                    &rows,
                    Component::MasterTarget,
                    item.master_target.as_ref(),
                ));
            }
        }
        Err(error) => {
            let mut report = Report::new(&CS_DISCONNECTED, services.config.cs.host.as_str(), "");
            report.inner.push(error.to_string());
            glance.findings.push(lasting(report, None));
        }
    }
}

fn heartbeat(rows: &[ServerRow], component: Component, server: Option<&ServerRef>) -> Option<Finding> {
    let server = server?;
    let doc: &ErrorDoc = match component {
        Component::MasterTarget => &MT_HEARTBEAT,
        Component::ProcessServer => &PS_HEARTBEAT,
        Component::Agent => &AGENT_HEARTBEAT,
    };
    let row = rows.iter().find(|row| row.component == component && row.id == server.id);
    let detail = row.map_or_else(
        || "the configuration server does not list it".to_owned(),
        |row| format!("last heard at {}", row.last_heartbeat),
    );
    // A young heartbeat is a finding too, one that has not lasted yet: its age decides.
    Some(lasting(Report::new(doc, server.id.as_str(), detail), row.map(|row| row.last_heartbeat)))
}

/// The agent in the copy that is the source.
async fn agent(services: &Services, item: &Item, glance: &mut Glance) {
    // A missing row or a silent configuration server is told elsewhere.
    let Ok(Some(row)) = services.cs.machine(&item.name).await else { return };
    let site = item.leg.source();
    let copies = row.registrations.iter().filter(|registration| registration.site == site);
    if let Some(newest) = copies.max_by_key(|registration| registration.last_heartbeat) {
        let detail = format!("last heard at {}", newest.last_heartbeat);
        let report = Report::new(&AGENT_HEARTBEAT, item.name.as_str(), detail);
        glance.findings.push(lasting(report, Some(newest.last_heartbeat)));
    }
}
