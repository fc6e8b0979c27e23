//! The lab's network: carries every call between nodes, in virtual time, and breaks it when told to.
//!
//! A call costs a whole number of milliseconds each way, drawn from the seed, the two ends and the instant,
//! never from a shared stream. Handlers are spawned on the server's side, so that a client that gives up does
//! not undo the work it asked for. What arrives at one place in the same millisecond is let in by [`gate`] in
//! the order of its senders, not of the scheduler, which is why both wires give one event log.

mod gate;
mod http1;
mod listen;
pub mod rules;

use crate::fault::Moments;
use crate::recorder::Recorder;
use axum::Router;
use bytes::Bytes;
use failback_fakes::net::{Network, Reach};
use failback_wire::clock::{Clock, VirtualMs};
use failback_wire::env::Env;
use failback_wire::event::{Events, What};
use failback_wire::http::{
    BoxFuture, Call, Http, HttpError, MAX_BODY, Request, Response, StatusCode, Transport,
};
use failback_wire::ids::{Label, NodeName};
use failback_wire::node::{Ctx, Fence};
use gate::{Gate, Ticket};
use listen::Listening;
use rules::{Effect, Route, Rules};
use std::collections::BTreeMap;
use std::hash::Hash as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;
use tower::ServiceExt;
use xxhash_rust::xxh3::{Xxh3, xxh3_64, xxh3_64_with_seed};

pub use listen::{Heard, Passed};
pub use rules::Zone;

/// How calls travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WireKind {
    /// The request value is handed to the callee's router, unless its reply's bytes are to be broken.
    Direct,
    /// The request crosses an in-memory pipe as HTTP/1.1 bytes, hyper at both ends.
    Http1,
}

type Reply = Result<Response<Bytes>, HttpError>;

struct State {
    hosts: BTreeMap<Label, (Fence, Router)>,
    nodes: BTreeMap<NodeName, Fence>,
    arrivals: BTreeMap<NodeName, Gate>,
    /// By epoch: who waits at a door does not leave it when its node dies.
    returns: BTreeMap<(NodeName, u64), Gate>,
    rules: Rules,
    calls: u64,
    failed: u64,
    /// When something last befell a call, by host.
    troubled: BTreeMap<Label, VirtualMs>,
    /// Last replies to what a rule may answer anew, by what was asked.
    replies: BTreeMap<u64, Response<Bytes>>,
    /// Every call since somebody listens, if anybody does.
    heard: Option<Listening>,
    /// Calls in flight, for the verdict "stuck": number → (from, to, operation, since).
    waiting: BTreeMap<u64, (NodeName, Label, &'static str, VirtualMs)>,
}

struct Inner {
    clock: Clock,
    env: Env,
    wire: WireKind,
    recorder: Arc<Recorder>,
    moments: Arc<dyn Moments>,
    state: Mutex<State>,
}

/// The network. Clones are the same network.
#[derive(Clone)]
pub struct Switchboard(Arc<Inner>);

impl Switchboard {
    /// An empty network. `moments` is told before and after every call, so that faults can strike there.
    pub fn new(
        clock: Clock,
        env: Env,
        wire: WireKind,
        recorder: Arc<Recorder>,
        moments: Arc<dyn Moments>,
    ) -> Self {
        let state = State {
            hosts: BTreeMap::new(),
            nodes: BTreeMap::new(),
            arrivals: BTreeMap::new(),
            returns: BTreeMap::new(),
            rules: Rules::default(),
            calls: 0,
            failed: 0,
            troubled: BTreeMap::new(),
            replies: BTreeMap::new(),
            heard: None,
            waiting: BTreeMap::new(),
        };
        Self(Arc::new(Inner { clock, env, wire, recorder, moments, state: Mutex::new(state) }))
    }

    /// Says where a node stands; nodes nobody placed are in the public cloud.
    pub fn place(&self, node: &NodeName, zone: Zone) {
        self.0.lock().rules.set_zone(node, zone);
    }

    /// Changes what the links and call rules do.
    pub fn rules<T>(&self, f: impl FnOnce(&mut Rules) -> T) -> T {
        f(&mut self.0.lock().rules)
    }

    /// True while an epoch of the node runs.
    pub fn is_up(&self, node: &NodeName) -> bool {
        self.0.lock().nodes.get(node).is_some_and(Fence::alive)
    }

    /// Ends the node's running epoch, as pulling the plug would.
    pub fn crash(&self, node: &NodeName) {
        if let Some(fence) = self.0.lock().nodes.get(node) {
            fence.kill();
        }
    }

    /// Lets go of everything that is bound to it: routers hold nodes, and nodes hold the network.
    pub fn close(&self) {
        let hosts = std::mem::take(&mut self.0.lock().hosts);
        // Not under the lock: the last holder of a node may unbind more.
        drop(hosts);
    }

    /// Calls made so far.
    pub fn calls(&self) -> u64 {
        self.0.lock().calls
    }

    /// From now on every call is noted; what was noted so far comes back.
    pub fn listen(&self) -> Vec<Heard> {
        self.0.lock().heard.get_or_insert_default().renew()
    }

    /// How many calls of this kind have come to which of their moments, while somebody listens.
    pub fn passed(&self, from: &NodeName, to: &NodeName, operation: &'static str) -> Passed {
        let state = self.0.lock();
        let kind = (from.clone(), to.clone(), operation);
        state.heard.as_ref().map(|all| all.passed(&kind)).unwrap_or_default()
    }

    /// Nobody listens any more.
    pub fn turn_away(&self) {
        self.0.lock().heard = None;
    }

    /// When something last befell a call of this host: it failed, or the network did something to it.
    pub fn last_trouble(&self, host: &str) -> Option<VirtualMs> {
        self.0.lock().troubled.get(&Label::from(host)).copied()
    }

    /// Calls that failed, or were answered that the callee failed.
    pub fn failed(&self) -> u64 {
        self.0.lock().failed
    }

    /// Who waits for whom, for the verdict "stuck".
    pub fn waiting(&self) -> Vec<String> {
        let state = self.0.lock();
        let line = |(from, to, operation, since): &(NodeName, Label, &str, VirtualMs)| {
            format!("{from} waits for {to} ({operation}) since {since}")
        };
        state.waiting.values().map(line).collect()
    }
}

impl Network for Switchboard {
    fn bind(&self, host: &str, fence: Fence, router: Router) {
        self.0.lock().hosts.insert(host.into(), (fence, router));
    }
    fn unbind(&self, host: &str) {
        self.0.lock().hosts.remove(&Label::from(host));
    }
    fn set_reach(&self, node: &NodeName, reach: Reach) {
        self.0.lock().rules.set_reach(node, reach);
    }
    fn start_node(&self, node: &NodeName) -> Ctx {
        let fence = {
            let mut state = self.0.lock();
            let epoch = state.nodes.get(node).map_or(1, |old| {
                old.kill();
                old.epoch() + 1
            });
            let fence = Fence::new(node.clone(), epoch);
            state.nodes.insert(node.clone(), fence.clone());
            fence
        };
        let ctx = Ctx {
            http: Http::new(fence.clone(), Arc::new(self.clone())),
            clock: self.0.clock,
            env: self.0.env,
            events: Events::new(self.0.recorder.clone()),
            fence,
        };
        ctx.emit(What::NodeStarted { node: node.clone(), epoch: ctx.fence.epoch() });
        ctx
    }
}

impl Transport for Switchboard {
    fn call(&self, from: &Fence, call: Call) -> BoxFuture<'static, Reply> {
        let (inner, from) = (self.0.clone(), from.clone());
        Box::pin(async move {
            let host: Label = call.request.uri().host().unwrap_or_default().into();
            let after = call.timeout;
            let (nth, route) = inner.depart(&from, &host, call.operation);
            let _waiting = Waiting { inner: inner.clone(), nth };
            let heard = inner.hear(&from, &host, &route.to, &call);
            let (caller, operation) = (from.node().clone(), call.operation);
            let meddled = route.effect.is_some();
            let exchange = inner.clone().exchange(from, host.clone(), call, route, heard);
            let reply = match tokio::time::timeout(after, exchange).await {
                Ok(reply) => reply,
                Err(_) => Err(HttpError::TimedOut { host: host.to_string(), after }),
            };
            inner.note_trouble(&host, &reply, meddled);
            if let (Some(_), Ok(reply)) = (heard, &reply) {
                inner.hear_reply(heard, reply);
            }
            match &reply {
                Ok(r) => {
                    tracing::debug!(at = %inner.clock.now(), %caller, %host, operation, status = r.status().as_u16())
                }
                Err(error) => tracing::debug!(at = %inner.clock.now(), %caller, %host, operation, %error),
            }
            reply
        })
    }
}

/// Takes the call off the list of those in flight when it ends, however it ends.
struct Waiting {
    inner: Arc<Inner>,
    nth: u64,
}
impl Drop for Waiting {
    fn drop(&mut self) {
        self.inner.lock().waiting.remove(&self.nth);
    }
}

/// Everything about one crossing that is settled when the call leaves.
struct Crossing {
    from: NodeName,
    to: NodeName,
    host: Label,
    operation: &'static str,
    what: u64,
    nth: u64,
    arrival: VirtualMs,
    ticket: Ticket,
    effect: Option<Effect>,
    heard: Option<usize>,
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts the call and settles what will befall it.
    fn depart(&self, from: &Fence, host: &Label, operation: &'static str) -> (u64, Route) {
        let now = self.clock.now();
        let mut state = self.lock();
        state.calls += 1;
        let nth = state.calls;
        state.waiting.insert(nth, (from.node().clone(), host.clone(), operation, now));
        let to = state
            .hosts
            .get(host)
            .map_or_else(|| NodeName::from(host.as_str()), |(fence, _)| fence.node().clone());
        let route = state.rules.route(from.node(), &to, operation);
        (nth, route)
    }

    /// Notes the call, if somebody listens; answers its number among those that were heard.
    fn hear(&self, from: &Fence, host: &Label, to: &NodeName, call: &Call) -> Option<usize> {
        self.lock().heard.as_ref()?;
        let (order, during) = self.recorder.occasion();
        let heard = Heard {
            at: self.clock.now(),
            from: from.node().clone(),
            to: to.clone(),
            operation: call.operation,
            order,
            during,
            arrived: None,
            done: None,
            asked: asked(host, &call.request),
            answered: None,
        };
        self.lock().heard.as_mut().map(|all| all.leaves(heard))
    }

    fn hear_passing(
        &self,
        heard: Option<usize>,
        from: &NodeName,
        to: &NodeName,
        operation: &'static str,
        done: bool,
    ) {
        if let Some(all) = &mut self.lock().heard {
            all.passes(heard, (from.clone(), to.clone(), operation), done);
        }
    }

    fn note_trouble(&self, host: &Label, reply: &Reply, meddled: bool) {
        // A fault of SOAP comes as 500 and says that the callee is well.
        let unwell = reply.as_ref().map_or(true, |reply| reply.status().as_u16() > 500);
        if unwell || meddled {
            let mut state = self.lock();
            state.failed += u64::from(unwell);
            state.troubled.insert(host.clone(), self.clock.now());
        }
    }

    fn hear_reply(&self, heard: Option<usize>, reply: &Response<Bytes>) {
        let answered = xxh3_64_with_seed(reply.body(), u64::from(reply.status().as_u16()));
        if let Some(all) = &mut self.lock().heard {
            all.answers(heard, answered);
        }
    }

    /// Milliseconds one way: 1 to 4, from the seed, the two ends and the instant.
    fn latency(&self, from: &str, to: &str) -> Duration {
        let mut key = [0_u8; 8 + 96];
        key[..8].copy_from_slice(&self.clock.now().0.to_le_bytes());
        for (at, byte) in key[8..].iter_mut().zip(from.bytes().chain([b'>']).chain(to.bytes())) {
            *at = byte;
        }
        Duration::from_millis(1 + xxh3_64_with_seed(&key, self.env.seed()) % 4)
    }

    async fn exchange(
        self: Arc<Self>,
        from: Fence,
        host: Label,
        call: Call,
        route: Route,
        heard: Option<usize>,
    ) -> Reply {
        let Route { to, nth, effect, cut, cut_back, remember } = route;
        let operation = call.operation;
        let what = number_of(&call.request);
        if cut || matches!(effect, Some(Effect::LoseRequest)) {
            // The packets are gone; only the caller's deadline ends this.
            return std::future::pending().await;
        }
        if let Some(Effect::Refuse) = effect {
            tokio::time::sleep(self.latency(from.node().as_str(), host.as_str())).await;
            return Err(HttpError::Unreachable { host: host.to_string() });
        }
        let mut arrival = self.clock.now().plus(self.latency(from.node().as_str(), host.as_str()));
        match effect {
            Some(Effect::Delay(d)) => arrival = arrival.plus(d),
            Some(Effect::Late) => arrival = arrival.plus(call.timeout + Duration::from_secs(1)),
            _ => {}
        }
        let asked = remember.then(|| asked(&host, &call.request));
        if let (Some(Effect::Stale), Some(before)) = (effect, asked.and_then(|asked| self.remembered(asked)))
        {
            let back = arrival.plus(self.latency(host.as_str(), from.node().as_str()));
            tokio::time::sleep_until(self.clock.instant(back)).await;
            return Ok(before);
        }
        let (caller, callee) = (from.node().clone(), to.clone());
        let (ticket, way_back, asked_meanwhile) = {
            let mut state = self.lock();
            let ticket = state.arrivals.entry(callee.clone()).or_default().ticket();
            let way_back = state.returns.entry((caller.clone(), from.epoch())).or_default().ticket();
            (ticket, way_back, state.arrivals.entry(caller.clone()).or_default().clone())
        };
        let crossing = Crossing {
            from: caller,
            to,
            host: host.clone(),
            operation,
            what,
            nth,
            arrival,
            ticket,
            effect,
            heard,
        };
        // What breaks a reply's bytes needs bytes to break.
        let as_bytes = matches!(effect, Some(Effect::Truncate(_) | Effect::Garble));
        let reply = match self.wire {
            WireKind::Direct if !as_bytes => self.direct(crossing, call.request).await,
            // Boxed, so that the direct wire does not carry its weight.
            WireKind::Direct | WireKind::Http1 => Box::pin(self.clone().http1(crossing, call.request)).await,
        };
        if cut_back {
            return std::future::pending().await;
        }
        if let (Some(asked), Ok(reply)) = (asked, &reply) {
            self.lock().replies.insert(asked, copy_of(reply));
        }
        let back = self.clock.now().plus(self.latency(host.as_str(), from.node().as_str()));
        way_back.pass_behind(&asked_meanwhile, &self.clock, back, (callee, operation, what, nth)).await;
        reply
    }

    fn is_severed(&self, from: &NodeName, to: &NodeName) -> bool {
        self.lock().rules.is_severed(from, to)
    }

    /// What the same was answered the last time.
    fn remembered(&self, asked: u64) -> Option<Response<Bytes>> {
        self.lock().replies.get(&asked).map(copy_of)
    }

    async fn direct(self: &Arc<Self>, crossing: Crossing, request: Request<Bytes>) -> Reply {
        let host = crossing.host.clone();
        let reply = self.serve(crossing, request).await;
        reply.unwrap_or_else(|_| Err(HttpError::Closed { host: host.to_string() }))
    }

    /// Starts the handler in a task of its own; the reply arrives on the channel.
    fn serve(self: &Arc<Self>, crossing: Crossing, request: Request<Bytes>) -> oneshot::Receiver<Reply> {
        let (tx, rx) = oneshot::channel();
        let inner = self.clone();
        #[expect(clippy::disallowed_methods, reason = "the network itself outlives every node")]
        tokio::spawn(async move {
            let reply = inner.handle(crossing, request).await;
            let _ = tx.send(reply);
        });
        rx
    }

    async fn handle(self: Arc<Self>, crossing: Crossing, request: Request<Bytes>) -> Reply {
        let Crossing { from, to, host, operation, what, nth, arrival, ticket, effect, heard } = crossing;
        ticket.pass(&self.clock, arrival, (from.clone(), operation, what, nth)).await;
        self.hear_passing(heard, &from, &to, operation, false);
        self.moments.before_call(&from, &to, operation);
        if self.is_severed(&from, &to) {
            // Cut while its packets were on their way.
            return std::future::pending().await;
        }
        if let Some(Effect::Status(code)) = effect {
            let mut reply = Response::new(Bytes::new());
            *reply.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
            return Ok(reply);
        }
        let bound = self.lock().hosts.get(&host).cloned();
        let Some((fence, router)) = bound.filter(|(fence, _)| fence.alive()) else {
            return Err(HttpError::Unreachable { host: host.to_string() });
        };
        let request = match effect {
            Some(Effect::GarbleRequest) => request.map(rules::damaged),
            _ => request,
        };
        let repeat = matches!(effect, Some(Effect::Duplicate)).then(|| clone_of(&request));
        let mut reply = fence.guard(answer(router.clone(), request, host.as_str())).await;
        if let Some(again) = repeat {
            reply = Box::pin(fence.guard(answer(router, again, host.as_str()))).await;
        }
        if effect.is_some() {
            // Maybe after the caller has given up.
            self.lock().troubled.insert(host, self.clock.now());
        }
        self.hear_passing(heard, &from, &to, operation, true);
        self.moments.after_call(&from, &to, operation);
        // Whether its way is cut is settled as it leaves: over a pipe it is under way for a few polls more.
        if effect == Some(Effect::LoseReply) || self.is_severed(&to, &from) {
            return std::future::pending().await;
        }
        reply
    }
}

/// A number that tells requests of one kind apart, by where they go and how they begin.
fn number_of(request: &Request<Bytes>) -> u64 {
    const ENOUGH: usize = 2048;
    let body = request.body();
    xxh3_64_with_seed(&body[..body.len().min(ENOUGH)], xxh3_64(request.uri().path().as_bytes()))
}

/// What is asked of whom: the same twice gives the same number.
fn asked(host: &Label, request: &Request<Bytes>) -> u64 {
    let mut hasher = Xxh3::new();
    (host.as_str(), request.method().as_str(), request.uri().to_string()).hash(&mut hasher);
    hasher.update(request.body());
    hasher.digest()
}

fn copy_of(reply: &Response<Bytes>) -> Response<Bytes> {
    let mut copy = Response::new(reply.body().clone());
    *copy.status_mut() = reply.status();
    *copy.headers_mut() = reply.headers().clone();
    copy
}

fn clone_of(request: &Request<Bytes>) -> Request<Bytes> {
    let mut again = Request::new(request.body().clone());
    *again.method_mut() = request.method().clone();
    *again.uri_mut() = request.uri().clone();
    *again.headers_mut() = request.headers().clone();
    again
}

/// Lets the router answer and gathers the whole reply.
async fn answer(router: Router, request: Request<Bytes>, host: &str) -> Reply {
    let (mut parts, body) = request.into_parts();
    // A server sees the origin form of the URI, with the host in its header.
    parts.headers.entry("host").or_insert_with(|| {
        http::HeaderValue::from_str(host).unwrap_or_else(|_| http::HeaderValue::from_static("lab"))
    });
    parts.uri = rules::origin_form(&parts.uri);
    let request = Request::from_parts(parts, axum::body::Body::from(body));
    let response = match router.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    let (parts, body) = response.into_parts();
    match axum::body::to_bytes(body, MAX_BODY).await {
        Ok(bytes) => Ok(Response::from_parts(parts, bytes)),
        Err(e) => Err(HttpError::Garbled { host: host.to_owned(), detail: e.to_string() }),
    }
}

#[cfg(test)]
mod tests;
