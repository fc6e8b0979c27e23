//! Expectations of guest systems.

use super::differs;
use crate::report::outcome::Finding;
use crate::scenario::expect::{Addressing, GuestExpect, Tools};
use failback_fakes::guest::SystemSeen;
use failback_wire::proto::agent;

/// What of `wanted` is not so.
pub(super) fn judge(machine: &str, wanted: &GuestExpect, seen: &SystemSeen) -> Vec<Finding> {
    let mut out = Vec::new();
    let mut compare = |what: &str, wanted: Option<String>, shown: String| {
        if let Some(wanted) = wanted.filter(|wanted| *wanted != shown) {
            out.push(differs(format!("{what} of {machine}"), wanted, shown));
        }
    };
    let tools = if seen.tools { Tools::Enabled } else { Tools::Disabled };
    compare("VMware Tools", wanted.tools.map(|t| format!("{t:?}")), format!("{tools:?}"));
    let addressing = match seen.addressing {
        agent::Addressing::Static => Addressing::Static,
        agent::Addressing::Dhcp => Addressing::Dhcp,
    };
    compare("addressing", wanted.addressing.map(|a| format!("{a:?}")), format!("{addressing:?}"));
    let manager = seen.network_manager.to_string();
    compare("Network Manager", wanted.network_manager.map(|m| m.to_string()), manager);
    compare("events", wanted.events.as_ref().map(|e| format!("{e:?}")), format!("{:?}", seen.events));
    out
}
