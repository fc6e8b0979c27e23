//! Mobility agents: where they listen, what they feed, VMware Tools in their guests.

use super::super::{StepCtx, StepError, StepResult};
use super::{peer_error, session};
use crate::catalogue::execution::AGENT_FAILED;
use crate::catalogue::guest::ADDRESS_NOT_CHANGED;
use crate::catalogue::warning::{ADDRESS_BY_DHCP, TOOLS_NOT_CHANGED};
use crate::clients::agent::{AgentClient, AgentError};
use crate::journal::Fact;
use crate::service::Services;
use failback_wire::error::{Class, ErrorDoc, Report};
use failback_wire::ids::{MachineName, Site};
use failback_wire::proto::agent::{Addressing, AgentStatus};
use failback_wire::proto::cs::{MachineRow, RegistrationRow};
use failback_wire::proto::session::{SessionSpec, SyncMode};
use std::time::Duration;
use tokio::time::sleep;

/// How long a guest that boots may take until its Tools can be switched.
const TOOLS_PATIENCE: Duration = Duration::from_secs(10 * 60);
/// How often an agent is told to stop on the way back.
const STOP_ATTEMPTS: u32 = 3;
/// Between two attempts to switch them.
const TOOLS_PAUSE: Duration = Duration::from_secs(15);

/// The newest registration of the copy at `site`.
pub(crate) fn registered(row: &MachineRow, site: Site) -> Option<&RegistrationRow> {
    let rows = row.registrations.iter().filter(|row| row.site == site);
    rows.max_by_key(|row| row.registered_at)
}

/// Where a copy's agent listens before anybody has seen it registered: the name its site's DNS gives it.
pub fn default_address(machine: &MachineName, site: Site) -> String {
    format!("{machine}.{site}")
}

/// Where the agent of the copy at `site` listens, as far as the configuration server tells; it may be down.
pub(crate) async fn address(services: &Services, machine: &MachineName, site: Site) -> String {
    let row = services.cs.machine(machine).await.ok().flatten();
    // The wrong one of a machine's two registrations would be the wrong source (C14).
    let known = match services.ctx.env.holds("C14") {
        true => row.as_ref().and_then(|row| registered(row, site)),
        false => row.as_ref().and_then(|row| row.registrations.iter().max_by_key(|row| row.registered_at)),
    };
    known.map(|row| row.address.clone()).unwrap_or_else(|| default_address(machine, site))
}

/// Starts (or takes up) replication in the copy at `site`. One that already runs in a later epoch goes on.
pub(in crate::workflow) async fn start(
    c: &StepCtx<'_>,
    site: Site,
    spec: &SessionSpec,
) -> Result<(), StepError> {
    let host = address(c.services, &c.item.name, site).await;
    match c.services.agents.start_replication(&host, spec).await {
        Ok(_) => Ok(()),
        Err(error) if error.is_refusal("stale-epoch") => Ok(()),
        Err(error) => Err(peer_error(&AGENT_FAILED, c.item.name.as_str(), &error)),
    }
}

/// Lets the agent of the copy at `site` take the session up through the spec's process server, unless it sends
/// there already.
pub(in crate::workflow) async fn take_up(
    c: &StepCtx<'_>,
    site: Site,
    spec: &SessionSpec,
) -> Result<SessionSpec, StepError> {
    let host = address(c.services, &c.item.name, site).await;
    let status = c.services.agents.status(&host).await;
    let status = status.map_err(|error| peer_error(&AGENT_FAILED, c.item.name.as_str(), &error))?;
    let there = status.relay.as_ref() == Some(&spec.relay) && status.session.as_ref() == Some(&spec.session);
    match status.epoch.filter(|_| there) {
        Some(epoch) => Ok(SessionSpec { epoch: epoch.max(spec.epoch), ..spec.clone() }),
        None => begin_anew(c, site, spec).await,
    }
}

/// Lets the agent of the copy at `site` begin a new epoch, in which it compares everything with the target: one above
/// that of every party that answers.
pub(in crate::workflow) async fn begin_anew(
    c: &StepCtx<'_>,
    site: Site,
    spec: &SessionSpec,
) -> Result<SessionSpec, StepError> {
    let host = address(c.services, &c.item.name, site).await;
    let fail = |error| peer_error(&AGENT_FAILED, c.item.name.as_str(), &error);
    let mine = c.services.agents.status(&host).await.map_err(fail)?.epoch.unwrap_or_default();
    let mut epoch = mine.max(c.item.epoch).max(spec.epoch);
    for host in session::servers(spec) {
        // Who does not answer learns of the epoch with the first frame.
        epoch = epoch.max(session::state(c, host, spec).await.map_or(0, |view| view.epoch));
    }
    let spec = SessionSpec { epoch: epoch + 1, sync: SyncMode::Checksum, ..spec.clone() };
    c.services.agents.start_replication(&host, &spec).await.map_err(fail)?;
    Ok(spec)
}

/// Stops replication in the copy at `site`.
pub(in crate::workflow) async fn stop(
    c: &StepCtx<'_>,
    site: Site,
    spec: &SessionSpec,
) -> Result<(), StepError> {
    let host = address(c.services, &c.item.name, site).await;
    let done = c.services.agents.stop_replication(&host, &spec.session).await;
    done.map(drop).map_err(|error| peer_error(&AGENT_FAILED, c.item.name.as_str(), &error))
}

/// Stops replication in the copy at `site` on the way back. An agent that cannot be told costs nothing: its
/// session is about to be forgotten, so nobody takes what it sends, and its next session replaces this one.
pub(in crate::workflow) async fn stop_if_reachable(
    c: &StepCtx<'_>,
    site: Site,
    spec: &SessionSpec,
) -> Result<(), StepError> {
    match stop(c, site, spec).await {
        Err(error) if c.attempt < STOP_ATTEMPTS => Err(error.with_class(Class::Retry)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Asks the agent of the copy at `site` once its guest answers, for ten minutes.
async fn once_up<F>(
    c: &StepCtx<'_>,
    site: Site,
    ask: impl Fn(AgentClient, String) -> F,
) -> Result<AgentStatus, AgentError>
where
    F: Future<Output = Result<AgentStatus, AgentError>>,
{
    let deadline = c.ctx.now().plus(TOOLS_PATIENCE);
    loop {
        let host = address(c.services, &c.item.name, site).await;
        match ask(c.services.agents.clone(), host).await {
            Err(_) if c.ctx.now() < deadline => sleep(TOOLS_PAUSE).await,
            answer @ (Ok(_) | Err(_)) => return answer,
        }
    }
}

/// Warnings that hold as long as the guest is as it is.
pub(in crate::workflow) static GUEST: [&ErrorDoc; 3] =
    [&TOOLS_NOT_CHANGED, &ADDRESS_NOT_CHANGED, &ADDRESS_BY_DHCP];

/// Enables or disables VMware Tools in the copy at `site` once its guest answers. A guest that does not
/// answer in time costs a warning, not the failover (C5).
pub(in crate::workflow) async fn switch_tools(c: &StepCtx<'_>, site: Site, enabled: bool) -> StepResult {
    let ask = |agents: AgentClient, host: String| async move { agents.set_tools(&host, enabled).await };
    Ok(vec![match once_up(c, site, ask).await {
        Ok(_) => Fact::WarningCleared(TOOLS_NOT_CHANGED.code.to_owned()),
        Err(e) => Fact::Warning(Report::new(&TOOLS_NOT_CHANGED, c.item.name.as_str(), e.to_string())),
    }])
}

/// Prepares a Linux guest's network for Azure: DHCP, without Network Manager. A guest that does not answer in time
/// costs a warning (C5).
pub(in crate::workflow) async fn address_by_dhcp(c: &StepCtx<'_>) -> StepResult {
    let ask = |agents: AgentClient, host: String| async move {
        agents.set_addressing(&host, Addressing::Dhcp).await
    };
    Ok(vec![match once_up(c, Site::Azure, ask).await {
        Ok(_) => Fact::WarningCleared(ADDRESS_NOT_CHANGED.code.to_owned()),
        Err(e) => Fact::Warning(Report::new(&ADDRESS_NOT_CHANGED, c.item.name.as_str(), e.to_string())),
    }])
}

/// Warnings about the guest of the copy at `site` that hold no more, for somebody has seen to it by hand. The guest is
/// asked only where there are any.
pub(in crate::workflow) async fn seen_to(c: &StepCtx<'_>, site: Site) -> Vec<Fact> {
    let noted = |doc: &ErrorDoc| c.item.warnings.contains_key(doc.code);
    if !GUEST.into_iter().any(noted) {
        return Vec::new();
    }
    let host = address(c.services, &c.item.name, site).await;
    let Ok(status) = c.services.agents.status(&host).await else { return Vec::new() };
    let (at_home, by_dhcp) = (site == Site::OnPremises, status.addressing == Addressing::Dhcp);
    let over = [
        (&TOOLS_NOT_CHANGED, status.tools_enabled == at_home),
        (&ADDRESS_NOT_CHANGED, at_home || by_dhcp),
        (&ADDRESS_BY_DHCP, !at_home || !by_dhcp),
    ];
    let over = over.into_iter().filter(|(doc, over)| *over && noted(doc));
    over.map(|(doc, _)| Fact::WarningCleared(doc.code.to_owned())).collect()
}

/// Says so when a guest that came home still gets its address from DHCP (P38). One that does not answer may.
pub(in crate::workflow) async fn look_at_address(c: &StepCtx<'_>) -> StepResult {
    let ask = |agents: AgentClient, host: String| async move { agents.status(&host).await };
    let detail = match once_up(c, Site::OnPremises, ask).await {
        Ok(status) if status.addressing == Addressing::Static => return Ok(Vec::new()),
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    };
    Ok(vec![Fact::Warning(Report::new(&ADDRESS_BY_DHCP, c.item.name.as_str(), detail))])
}
