//! Rules about the configuration server and the process server.

use super::target::late;
use crate::catalogue::{control as doc, documented};
use crate::facts::{Facts, Seen};
use failback_wire::error::Report;

/// What the configuration server is called in reports.
const CS: &str = "configuration server";

pub(super) fn cs_connected(f: &Facts) -> Option<Report> {
    match &f.cs {
        Seen::Silent(why) | Seen::Refused(why) => Some(Report::new(&doc::CS_DISCONNECTED, CS, why.as_str())),
        Seen::Unasked | Seen::Known(_) => None,
    }
}

pub(super) fn cs_address(f: &Facts) -> Option<Report> {
    let status = &f.cs.known()?.status;
    (status.address != status.registered_address).then(|| {
        let detail = format!("{} instead of {}", status.address, status.registered_address);
        Report::new(&doc::CS_ADDRESS_CHANGED, CS, detail)
    })
}

pub(super) fn cs_row(f: &Facts) -> Option<Report> {
    let cs = f.cs.known()?;
    let name = f.item.name.as_str();
    cs.row.is_none().then(|| Report::new(&doc::CS_ROW_MISSING, name, name))
}

pub(super) fn relay_known(f: &Facts) -> Option<Report> {
    let (cs, id) = (f.cs.known()?, f.request.process_server.as_deref()?);
    cs.server(id).is_none().then(|| Report::new(&doc::PS_UNKNOWN, id, id))
}

pub(super) fn relay_heartbeat(f: &Facts) -> Option<Report> {
    let (cs, id) = (f.cs.known()?, f.request.process_server.as_deref()?);
    let detail = late(f.now, cs.server(id)?.last_heartbeat)?;
    Some(Report::new(&documented::PS_HEARTBEAT, id, detail))
}

/// Quiet when the heartbeat is missing too: one cause, one report.
pub(super) fn relay_answers(f: &Facts) -> Option<Report> {
    let why = f.relay.silent()?;
    if relay_heartbeat(f).is_some() || relay_known(f).is_some() {
        return None;
    }
    let id = f.request.process_server.as_deref().unwrap_or("process server");
    Some(Report::new(&doc::PS_SILENT, id, why))
}
