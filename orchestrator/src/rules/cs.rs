//! Rules about the configuration server itself: its identity, its certificate, its place in the network.

use super::{CONTROL, HOME, Rule, SHOWN, rule};
use crate::catalogue::control as doc;
use crate::facts::Facts;
use crate::journal::Operation::EnableProtection;
use failback_wire::clock::VirtualMs;
use failback_wire::error::Report;
use failback_wire::ids::Site;
use std::time::Duration;

/// Rules of this topic, in check order.
pub(super) static RULES: &[Rule] = &[
    rule("P4", "it is the configuration server the machine is protected under", CONTROL, same_installation),
    rule("P4", "the configuration server has no clone", CONTROL, no_clone),
    rule("P6", "the configuration server's certificate is valid", CONTROL, certificate),
    rule("P7", "the configuration server has an adapter for addresses that were kept", HOME, second_adapter),
    rule("P7", "the process server stands in Azure where addresses were kept", HOME, relay_in_azure),
    rule("P40", "the database has no stale row of the machine", &[EnableProtection], no_stale_row),
    rule("P25", "the virtual machine has been discovered", &[EnableProtection], discovered),
    rule("P40", "no other virtual machine has its instance UUID", SHOWN, no_twin),
];

/// What the configuration server is called in reports.
const CS: &str = "configuration server";

/// This long before the certificate runs out, everybody is warned (P6).
pub(crate) const WARNING_TIME: Duration = Duration::from_secs(60 * 86_400);

/// A server that was set up anew has the address of the one before it at best, never its identity.
fn same_installation(f: &Facts) -> Option<Report> {
    let (status, before) = (&f.cs.known()?.status, f.item.cs.as_deref()?);
    (status.instance != before).then(|| {
        let detail = format!("{} is protected under {before}, {} answers", f.item.name, status.instance);
        Report::new(&doc::CS_NOT_THE_SAME, CS, detail)
    })
}

fn no_clone(f: &Facts) -> Option<Report> {
    let clones = &f.cs.known()?.status.clones;
    (!clones.is_empty()).then(|| Report::new(&doc::CS_CLONED, CS, clones.join(", ")))
}

/// Says when the certificate ran out.
pub(crate) fn expired(now: VirtualMs, expires: VirtualMs) -> Option<Report> {
    (expires <= now).then(|| Report::new(&doc::CERTIFICATE_EXPIRED, CS, format!("since {expires}")))
}

fn certificate(f: &Facts) -> Option<Report> {
    expired(f.now, f.cs.known()?.status.certificate_expires)
}

/// The networks of both sides overlap then: what Azure sends home finds the server over an adapter of its own.
fn second_adapter(f: &Facts) -> Option<Report> {
    let status = &f.cs.known()?.status;
    if !f.item.keeps_address || status.registered_adapters >= 2 {
        return None;
    }
    let detail = format!("{} registered, {} installed", status.registered_adapters, status.adapters);
    Some(Report::new(&doc::CS_ONE_ADAPTER, CS, detail))
}

pub(super) fn relay_in_azure(f: &Facts) -> Option<Report> {
    let id = f.request.process_server.as_deref()?;
    let stands = f.cs.known()?.server(id)?.facts.get("location")?;
    let report = || Report::new(&doc::PS_NOT_IN_AZURE, id, format!("{id} stands {stands}"));
    (f.item.keeps_address && *stands != Site::Azure.to_string()).then(report)
}

/// A machine that the vault does not know, and the database does.
fn no_stale_row(f: &Facts) -> Option<Report> {
    let cs = f.cs.known()?;
    let name = f.item.name.as_str();
    (f.item.unknown && cs.row.is_some()).then(|| Report::new(&doc::STALE_ROW, name, name))
}

fn discovered(f: &Facts) -> Option<Report> {
    let vm = f.item.vm_name.as_str();
    let unseen = f.cs.known()?.status.hidden.iter().any(|hidden| hidden.vm == vm && hidden.twin.is_none());
    unseen.then(|| Report::new(&doc::VM_NOT_DISCOVERED, vm, vm))
}

/// Of two, only the first discovered is shown, and is greyed out too once it is protected.
fn no_twin(f: &Facts) -> Option<Report> {
    let vm = f.item.vm_name.as_str();
    let twins = f.cs.known()?.status.hidden.iter().filter_map(|h| Some((h.vm.as_str(), h.twin.as_deref()?)));
    let mut other = twins.filter_map(|(copy, first)| match (copy == vm, first == vm) {
        (true, _) => Some(first),
        (false, true) if !f.item.unknown => Some(copy),
        (false, true | false) => None,
    });
    other.next().map(|other| Report::new(&doc::VM_DUPLICATE, vm, format!("{vm} and {other}")))
}
