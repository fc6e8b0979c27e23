//! A network in memory for tests of fakes: every host a router, every call a task on the server's side,
//! one millisecond each way.

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use failback_fakes::net::Network;
use failback_wire::clock::{Clock, VirtualMs};
use failback_wire::env::Env;
use failback_wire::event::{EventSink, Events, What};
use failback_wire::http::{
    BoxFuture, Call, Http, HttpError, MAX_BODY, Method, Request, Response, StatusCode, Transport,
};
use failback_wire::ids::NodeName;
use failback_wire::node::{Ctx, Fence};
use failback_wire::proto::PASSPHRASE;
use http_body_util::{BodyExt, Limited};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, Weak};
use tokio::sync::oneshot;
use tokio::time::{Duration, sleep, timeout};
use tower::ServiceExt;

/// What all components of these tests share.
pub(crate) const SECRET: &str = "correct horse battery staple";

/// Everything that happened, in order.
#[derive(Default)]
pub(crate) struct Log(Mutex<Vec<(VirtualMs, NodeName, What)>>);

impl EventSink for Log {
    fn take(&self, at: VirtualMs, node: &NodeName, what: What) {
        self.0.lock().unwrap().push((at, node.clone(), what));
    }
}

/// The network, the clock and the log of one test.
pub(crate) struct Lab {
    me: Weak<Self>,
    clock: Clock,
    env: Env,
    log: Arc<Log>,
    hosts: Mutex<BTreeMap<String, (Fence, Router)>>,
    nodes: Mutex<BTreeMap<NodeName, Fence>>,
}

impl Lab {
    pub(crate) fn new(seed: u64) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            me: me.clone(),
            clock: Clock::default(),
            env: Env::new(seed),
            log: Arc::default(),
            hosts: Mutex::default(),
            nodes: Mutex::default(),
        })
    }

    pub(crate) fn now(&self) -> VirtualMs {
        self.clock.now()
    }

    /// Events so far, with their times.
    pub(crate) fn events(&self) -> Vec<(VirtualMs, What)> {
        self.log.0.lock().unwrap().iter().map(|(at, _, what)| (*at, what.clone())).collect()
    }

    /// Events that `pick` wants.
    pub(crate) fn count(&self, pick: impl Fn(&What) -> bool) -> usize {
        self.events().iter().filter(|(_, what)| pick(what)).count()
    }

    /// Ends the node's epoch, as a crash does.
    pub(crate) fn crash(&self, node: &str) {
        self.nodes.lock().unwrap()[&NodeName::from(node)].kill();
    }

    /// A call of a tester; `host/path`, JSON both ways.
    pub(crate) async fn call<R: DeserializeOwned>(
        &self,
        method: Method,
        url: &str,
        passphrase: &str,
        body: Option<&impl Serialize>,
    ) -> Result<(StatusCode, R), HttpError> {
        let body = body.map_or_else(Vec::new, |body| serde_json::to_vec(body).unwrap());
        let request = Request::builder()
            .method(method)
            .uri(format!("http://{url}"))
            .header(PASSPHRASE, passphrase)
            .body(Bytes::from(body))
            .unwrap();
        let call = Call { operation: "test", timeout: Duration::from_secs(60), request };
        let tester = Fence::new(NodeName::from("tester"), 1);
        let reply = Transport::call(self, &tester, call).await?;
        Ok((reply.status(), serde_json::from_slice(reply.body()).unwrap()))
    }
}

impl Network for Lab {
    fn bind(&self, host: &str, fence: Fence, router: Router) {
        self.hosts.lock().unwrap().insert(host.to_owned(), (fence, router));
    }
    fn unbind(&self, host: &str) {
        self.hosts.lock().unwrap().remove(host);
    }
    fn start_node(&self, node: &NodeName) -> Ctx {
        let mut nodes = self.nodes.lock().unwrap();
        let epoch = nodes.get(node).map_or(1, |old| {
            old.kill();
            old.epoch() + 1
        });
        let fence = Fence::new(node.clone(), epoch);
        nodes.insert(node.clone(), fence.clone());
        let transport: Arc<dyn Transport> = self.me.upgrade().unwrap();
        Ctx {
            http: Http::new(fence.clone(), transport),
            fence,
            clock: self.clock,
            env: self.env,
            events: Events::new(self.log.clone()),
        }
    }
}

impl Transport for Lab {
    fn call(&self, _from: &Fence, call: Call) -> BoxFuture<'static, Result<Response<Bytes>, HttpError>> {
        let host = call.request.uri().authority().unwrap().as_str().to_owned();
        let found = self.hosts.lock().unwrap().get(&host).cloned();
        Box::pin(async move {
            sleep(Duration::from_millis(1)).await;
            let Some((fence, router)) = found.filter(|(fence, _)| fence.alive()) else {
                return Err(HttpError::Unreachable { host });
            };
            let (answer, answered) = oneshot::channel();
            let request = call.request.map(Body::from);
            let handled = async move {
                let reply = router.oneshot(request).await.unwrap();
                let (head, body) = reply.into_parts();
                let body = Limited::new(body, MAX_BODY).collect().await.unwrap().to_bytes();
                answer.send(Response::from_parts(head, body)).ok();
            };
            spawn(fence.guard(handled));
            let reply = match timeout(call.timeout, answered).await {
                Ok(Ok(reply)) => reply,
                Ok(Err(_)) => return Err(HttpError::Closed { host }),
                Err(_) => return Err(HttpError::TimedOut { host, after: call.timeout }),
            };
            sleep(Duration::from_millis(1)).await;
            Ok(reply)
        })
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the network: the task is guarded by the server's fence"
)]
fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(task);
}
