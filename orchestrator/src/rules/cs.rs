//! Rules about the identity of the configuration server.

use crate::catalogue::control as doc;
use crate::facts::Facts;
use failback_wire::error::Report;

/// What the configuration server is called in reports.
const CS: &str = "configuration server";

/// A server that was set up anew has the address of the one before it at best, never its identity.
pub(super) fn same_installation(f: &Facts) -> Option<Report> {
    let (status, before) = (&f.cs.known()?.status, f.item.cs.as_deref()?);
    (status.instance != before).then(|| {
        let detail = format!("{} is protected under {before}, {} answers", f.item.name, status.instance);
        Report::new(&doc::CS_NOT_THE_SAME, CS, detail)
    })
}

pub(super) fn no_clone(f: &Facts) -> Option<Report> {
    let clones = &f.cs.known()?.status.clones;
    (!clones.is_empty()).then(|| Report::new(&doc::CS_CLONED, CS, clones.join(", ")))
}
