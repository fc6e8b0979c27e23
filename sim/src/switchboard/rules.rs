//! What can befall a call on its way: links that are cut and rules keyed by (caller, callee, operation, k-th).

use bytes::{Bytes, BytesMut};
use failback_fakes::net::Reach;
use failback_wire::http::Request;
use failback_wire::ids::NodeName;
use http::Uri;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What agents ask of a process server at its data port.
const DATA_PORT: &[&str] = &["ps.frames", "ps.hashes", "ps.session", "ps.take-up"];

/// Where a node stands. The VPN (or ExpressRoute) joins the first two; the cloud reaches both over the internet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Zone {
    /// The site of vCenter.
    OnPremises,
    /// The virtual network of the failed-over machines.
    AzureNetwork,
    /// Public endpoints of Azure and Site Recovery.
    #[default]
    Cloud,
}

/// What is done to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nobody listens.
    Refuse,
    /// The request never arrives; the caller's deadline passes.
    LoseRequest,
    /// The request takes effect; its reply never arrives.
    LoseReply,
    /// The request arrives later.
    Delay(Duration),
    /// The request arrives, and takes effect, once the caller has given up.
    Late,
    /// Something in between answers as the callee did the last time it was asked for the same.
    Stale,
    /// Something in between answers with this status; the request has no effect.
    Status(u16),
    /// The request arrives twice.
    Duplicate,
    /// The reply ends after so many bytes.
    Truncate(usize),
    /// What comes back is not HTTP.
    Garble,
    /// A byte in the middle of the request's body arrives wrong.
    GarbleRequest,
}

/// Matches some calls of one kind.
#[derive(Clone, Debug)]
pub struct CallRule {
    /// Name in the ledger.
    pub fault: String,
    /// Only calls of this node.
    pub from: Option<NodeName>,
    /// Only calls to this node.
    pub to: NodeName,
    /// Only this operation; every one when `None`.
    pub operation: Option<String>,
    /// The first matching call that is hit, from 1, counted from when the rule was made.
    pub nth: u64,
    /// How many are hit from then on.
    pub times: u64,
    /// What is done.
    pub effect: Effect,
    seen: u64,
    hit: u64,
}

impl CallRule {
    /// A rule that has seen nothing yet.
    pub fn new(
        fault: String,
        from: Option<NodeName>,
        to: NodeName,
        operation: Option<String>,
        effect: Effect,
    ) -> Self {
        Self { fault, from, to, operation, nth: 1, times: 1, effect, seen: 0, hit: 0 }
    }
}

/// What was settled about a call when it left.
pub struct Route {
    /// The callee's node.
    pub to: NodeName,
    /// The call is the `nth` of its (caller, callee, operation).
    pub nth: u64,
    /// What befalls it.
    pub effect: Option<Effect>,
    /// A cut link swallows it.
    pub cut: bool,
    /// A cut link swallows its reply.
    pub cut_back: bool,
    /// Its reply may be needed once more.
    pub remember: bool,
}

/// A node's place in the network.
#[derive(Default)]
struct Place {
    /// Where it stands; nodes nobody placed are in the public cloud.
    zone: Zone,
    /// The virtual network it is in, in Azure (P12).
    network: Option<String>,
    /// What it can reach.
    reach: Reach,
    /// A process server whose data port a firewall has closed, and what fault that is.
    closed: Option<String>,
    /// The calls it has made, by callee and operation.
    calls: BTreeMap<(NodeName, &'static str), u64>,
}

impl Place {
    /// True when both are in virtual networks, and not in one: nobody has joined these.
    fn is_apart(&self, other: &Self) -> bool {
        match (&self.network, &other.network) {
            (Some(here), Some(there)) => !here.eq_ignore_ascii_case(there),
            (None, _) | (_, None) => false,
        }
    }
    /// True when no route leads from here to that place.
    fn has_no_route(&self, to: Zone) -> bool {
        match self.reach {
            Reach::Site => false,
            Reach::Azure => to == Zone::OnPremises,
            Reach::Nothing => true,
        }
    }
}

/// All links and rules, and the counts they are keyed by.
#[derive(Default)]
pub struct Rules {
    /// Nobody has built a private link (P11).
    no_link: bool,
    /// The fault that took the link away.
    vpn_down: Option<String>,
    places: BTreeMap<NodeName, Place>,
    /// Pairs of nodes between which packets are lost, one way, and by which fault.
    cuts: BTreeMap<(NodeName, NodeName), String>,
    rules: Vec<CallRule>,
    /// Faults that hit a call, or took the way from one.
    fired: BTreeSet<String>,
}

impl Rules {
    /// Cuts the link between the site and Azure's virtual network, by this fault, or joins it.
    pub fn set_vpn(&mut self, down_by: Option<&str>) {
        self.vpn_down = down_by.map(str::to_owned);
    }
    /// Says whether there is a private link at all: without one no packet crosses, and no fault is to blame.
    pub fn set_link(&mut self, built: bool) {
        self.no_link = !built;
    }
    /// Closes the data port of a process server, by this fault, so that what agents send there is dropped; or opens it.
    pub fn set_port(&mut self, server: &NodeName, closed_by: Option<&str>) {
        self.place(server).closed = closed_by.map(str::to_owned);
    }
    /// What a node can reach, and be reached from.
    pub fn set_reach(&mut self, node: &NodeName, reach: Reach) {
        self.place(node).reach = reach;
    }
    /// The virtual network that a node in Azure is in.
    pub fn set_network(&mut self, node: NodeName, network: &str) {
        self.place(&node).network = Some(network.to_owned());
    }
    /// Says where a node stands.
    pub(super) fn set_zone(&mut self, node: &NodeName, zone: Zone) {
        self.place(node).zone = zone;
    }
    fn place(&mut self, node: &NodeName) -> &mut Place {
        self.places.entry(node.clone()).or_default()
    }
    /// Packets from one node to another are lost by this fault, or arrive again. The other way is another pair.
    pub fn set_cut(&mut self, from: NodeName, to: NodeName, cut_by: Option<&str>) {
        match cut_by {
            Some(fault) => drop(self.cuts.insert((from, to), fault.to_owned())),
            None => drop(self.cuts.remove(&(from, to))),
        }
    }
    /// Whether packets from one node to another are lost by a cut.
    pub(super) fn is_severed(&mut self, from: &NodeName, to: &NodeName) -> bool {
        if self.cuts.is_empty() {
            return false;
        }
        let severed = self.cuts.get(&(from.clone(), to.clone()));
        self.fired.extend(severed.cloned());
        severed.is_some()
    }
    /// Adds a rule.
    pub fn add(&mut self, rule: CallRule) {
        self.rules.push(rule);
    }
    /// Takes away the rules of this fault.
    pub fn remove(&mut self, fault: &str) {
        self.rules.retain(|r| r.fault != fault);
    }
    /// Names of the faults that hit a call, or took the way from one.
    pub fn fired(&self) -> &BTreeSet<String> {
        &self.fired
    }
    /// True when no packet of it arrives.
    fn is_cut(&mut self, from: &NodeName, to: &NodeName, operation: &'static str) -> bool {
        let nowhere = Place::default();
        let place = |node| self.places.get(node).unwrap_or(&nowhere);
        let (here, there) = (place(from), place(to));
        let zones = (here.zone, there.zone);
        let over_vpn =
            matches!(zones, (Zone::OnPremises, Zone::AzureNetwork) | (Zone::AzureNetwork, Zone::OnPremises));
        let down = self.vpn_down.as_ref().filter(|_| over_vpn);
        let dropped = there.closed.as_ref().filter(|_| DATA_PORT.contains(&operation));
        let lost = here.has_no_route(zones.1) || there.has_no_route(zones.0) || here.is_apart(there);
        let by: Vec<String> = down.into_iter().chain(dropped).cloned().collect();
        let cut = !by.is_empty() || lost || (over_vpn && self.no_link);
        self.fired.extend(by);
        cut
    }

    /// The call is the how-manieth of its caller, callee and operation.
    fn count(&mut self, from: &NodeName, to: &NodeName, operation: &'static str) -> u64 {
        let count = self.place(from).calls.entry((to.clone(), operation)).or_default();
        *count += 1;
        *count
    }

    pub(super) fn route(&mut self, from: &NodeName, to: &NodeName, operation: &'static str) -> Route {
        let (cut, nth) = (self.is_cut(from, to, operation), self.count(from, to, operation));
        let cut = cut || self.is_severed(from, to);
        let cut_back = !cut && self.is_severed(to, from);
        let (mut effect, mut remember) = (None, false);
        for rule in &mut self.rules {
            let matches = rule.to == *to
                && rule.from.as_ref().is_none_or(|f| f == from)
                && rule.operation.as_deref().is_none_or(|o| o == operation);
            if !matches {
                continue;
            }
            rule.seen += 1;
            remember |= rule.effect == Effect::Stale && rule.hit < rule.times;
            if effect.is_none() && rule.seen >= rule.nth && rule.hit < rule.times {
                rule.hit += 1;
                effect = Some(rule.effect);
                self.fired.insert(rule.fault.clone());
            }
        }
        Route { to: to.clone(), nth, effect, cut, cut_back, remember }
    }
}

/// The same bytes but for one in the middle.
pub(super) fn damaged(body: Bytes) -> Bytes {
    let mut bytes = BytesMut::from(body);
    let middle = bytes.len() / 2;
    if let Some(byte) = bytes.get_mut(middle) {
        *byte ^= 0x20;
    }
    bytes.freeze()
}

/// Path and query of an absolute URI.
pub(super) fn origin_form(uri: &Uri) -> Uri {
    uri.path_and_query().map_or_else(|| Uri::from_static("/"), |pq| Uri::from(pq.clone()))
}

/// The request as it stands on an HTTP/1.1 wire: origin form, with the host in its header.
pub(super) fn on_the_wire<B>(mut request: Request<B>, host: &str) -> Request<B> {
    if let Ok(value) = http::HeaderValue::from_str(host) {
        request.headers_mut().insert(http::header::HOST, value);
    }
    *request.uri_mut() = origin_form(request.uri());
    request
}
