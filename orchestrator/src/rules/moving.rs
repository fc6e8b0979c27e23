//! Rules of a move to another process server (P13): what is asked of the way home, or of the way to Azure, is asked of
//! the process server that a machine is moved to.

use super::{Rule, control, cs, rule};
use crate::catalogue::beside::NOT_SERVED;
use crate::facts::Facts;
use crate::journal::Leg;
use crate::journal::Operation::MoveServer;
use failback_wire::error::Report;

/// Rules of this topic, in check order.
pub(super) static RULES: &[Rule] = &[
    rule("P13", "the machine is served by the process server it leaves", &[MoveServer], served_there),
    rule("P11", "a private link leads from the new process server to the site", &[MoveServer], private_link),
    rule("P11", "the new process server of the way to Azure is on-premises", &[MoveServer], at_the_site),
    rule("P12", "a new process server in Azure is in the machine's network", &[MoveServer], in_network),
    rule("P7", "the new process server stands in Azure where addresses were kept", &[MoveServer], in_azure),
];

/// The operator names where from: of two who move the same machine, one is told.
fn served_there(f: &Facts) -> Option<Report> {
    let (from, name) = (f.request.from_server.as_deref()?, f.item.name.as_str());
    let serves = f.item.process_server.as_deref().unwrap_or("no process server");
    (from != serves).then(|| Report::new(&NOT_SERVED, name, format!("{serves} serves {name}, not {from}")))
}

fn on(leg: Leg, f: &Facts, check: fn(&Facts) -> Option<Report>) -> Option<Report> {
    if f.item.leg == leg { check(f) } else { None }
}

fn private_link(f: &Facts) -> Option<Report> {
    on(Leg::Reverse, f, control::private_link)
}

fn in_azure(f: &Facts) -> Option<Report> {
    on(Leg::Reverse, f, cs::relay_in_azure)
}

fn in_network(f: &Facts) -> Option<Report> {
    on(Leg::Reverse, f, control::relay_in_network)
}

fn at_the_site(f: &Facts) -> Option<Report> {
    on(Leg::Forward, f, control::relay_at_the_site)
}
