//! Rules about the configuration server and the process server.

use super::target::late;
use super::{CONTROL, DATABASE, FORWARD, HOME, RELAY, ROW, Rule, SERVED, rule};
use crate::catalogue::disks::PS_IN_OTHER_NETWORK;
use crate::catalogue::protection::CS_ELSEWHERE;
use crate::catalogue::{control as doc, documented};
use crate::facts::{Facts, Seen};
use crate::journal::Operation::{Disable, Reprotect};
use failback_wire::error::Report;

/// Rules of this topic, in check order.
pub(super) static RULES: &[Rule] = &[
    rule("P2", "the configuration server is connected", CONTROL, cs_connected),
    rule("C23", "the configuration server is connected", &[Disable], cs_connected),
    rule("C23", "the configuration server is registered in this vault", DATABASE, cs_in_this_vault),
    rule("P4", "the configuration server has its registered address", CONTROL, cs_address),
    rule("P3", "the machine's row is in the database", ROW, cs_row),
    rule("P11", "a private link leads from the process server to the site", HOME, private_link),
    rule("P13", "the configuration server knows the process server", SERVED, relay_known),
    rule("P13", "the process server has a heartbeat", SERVED, relay_heartbeat),
    rule("P12", "the process server answers", RELAY, relay_answers),
    rule("P11", "the process server of the way to Azure is on-premises", FORWARD, relay_at_the_site),
    rule("P12", "the process server has a static address", CONTROL, relay_address),
    rule("P12", "a process server in Azure is in the machine's network", &[Reprotect], relay_in_network),
];

/// What the configuration server is called in reports.
const CS: &str = "configuration server";

fn cs_connected(f: &Facts) -> Option<Report> {
    match &f.cs {
        Seen::Silent(why) => Some(Report::new(&doc::CS_DISCONNECTED, CS, why.as_str())),
        Seen::Unasked | Seen::Refused(_) | Seen::Known(_) => None,
    }
}

fn cs_in_this_vault(f: &Facts) -> Option<Report> {
    match &f.cs {
        Seen::Refused(why) => Some(Report::new(&CS_ELSEWHERE, CS, why.as_str())),
        Seen::Unasked | Seen::Silent(_) | Seen::Known(_) => None,
    }
}

fn cs_address(f: &Facts) -> Option<Report> {
    let status = &f.cs.known()?.status;
    (status.address != status.registered_address).then(|| {
        let detail = format!("{} instead of {}", status.address, status.registered_address);
        Report::new(&doc::CS_ADDRESS_CHANGED, CS, detail)
    })
}

fn cs_row(f: &Facts) -> Option<Report> {
    let cs = f.cs.known()?;
    let name = f.item.name.as_str();
    cs.row.is_none().then(|| Report::new(&doc::CS_ROW_MISSING, name, name))
}

/// Of what the process server tried to reach, what it did not, though it answers here: no way leads there from the
/// process server's network (P11).
pub(super) fn private_link(f: &Facts) -> Option<Report> {
    let (cs, relay) = (f.cs.known()?, f.relay.known()?);
    let target = f.request.master_target.as_deref().and_then(|id| cs.server(id));
    let target = target.filter(|_| f.target.known().is_some()).map(|row| row.address.as_str());
    let alive = |address: &&String| **address == cs.status.address || Some(address.as_str()) == target;
    let cut: Vec<&str> = relay.unreached.iter().filter(alive).map(String::as_str).collect();
    let detail = format!("{} does not reach {}", relay.id, cut.join(" and "));
    (!cut.is_empty()).then(|| Report::new(&doc::NO_PRIVATE_LINK, &relay.id, detail))
}

/// A fact of the last heartbeat of the process server.
fn relay_fact<'a>(f: &'a Facts, fact: &str) -> Option<&'a str> {
    let id = f.request.process_server.as_deref()?;
    f.cs.known()?.server(id)?.facts.get(fact).map(String::as_str)
}

/// What replicates to Azure takes public endpoints: the process server stands beside the machines (P11).
pub(super) fn relay_at_the_site(f: &Facts) -> Option<Report> {
    let id = f.request.process_server.as_deref()?;
    (relay_fact(f, "location")? == "azure").then(|| Report::new(&doc::PS_FORWARD_IN_AZURE, id, id))
}

fn relay_address(f: &Facts) -> Option<Report> {
    let id = f.request.process_server.as_deref()?;
    let dynamic = (relay_fact(f, "static_address")? == "false").then_some("its address is not static");
    let nat = (relay_fact(f, "nat")? == "true").then_some("its address is translated");
    let wrong: Vec<&str> = dynamic.into_iter().chain(nat).collect();
    (!wrong.is_empty()).then(|| Report::new(&doc::PS_ADDRESS, id, wrong.join(" and ")))
}

/// Each network in Azure that machines are in needs a process server of its own (P12). One on-premises is reached from
/// all of them.
pub(super) fn relay_in_network(f: &Facts) -> Option<Report> {
    let id = f.request.process_server.as_deref()?;
    let (machine, relay) = (f.azure.known()?.network.as_deref()?, relay_fact(f, "network")?);
    let elsewhere = relay_fact(f, "location")? == "azure" && !relay.eq_ignore_ascii_case(machine);
    let detail = format!("{id} is in {relay}, {} is in {machine}", f.item.name);
    elsewhere.then(|| Report::new(&PS_IN_OTHER_NETWORK, id, detail))
}

/// Quiet when no way leads to the site: then it could not register.
fn relay_known(f: &Facts) -> Option<Report> {
    let (cs, id) = (f.cs.known()?, f.request.process_server.as_deref()?);
    if private_link(f).is_some() {
        return None;
    }
    cs.server(id).is_none().then(|| Report::new(&doc::PS_UNKNOWN, id, id))
}

/// Quiet when no way leads to the site: the cause is told.
fn relay_heartbeat(f: &Facts) -> Option<Report> {
    if private_link(f).is_some() {
        return None;
    }
    let (cs, id) = (f.cs.known()?, f.request.process_server.as_deref()?);
    let detail = late(f.now, cs.server(id)?.last_heartbeat)?;
    Some(Report::new(&documented::PS_HEARTBEAT, id, detail))
}

/// Quiet when the heartbeat is missing too: one cause, one report.
fn relay_answers(f: &Facts) -> Option<Report> {
    let why = f.relay.silent()?;
    if relay_heartbeat(f).is_some() || relay_known(f).is_some() {
        return None;
    }
    let id = f.request.process_server.as_deref().unwrap_or("process server");
    Some(Report::new(&doc::PS_SILENT, id, why))
}
