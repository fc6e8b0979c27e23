//! The fake subscription, asked over its own wire.

mod arm;
mod blobs;
mod faults;

use super::*;
use crate::net::Network;
use bytes::Bytes;
use failback_replication::disk::Page;
use failback_wire::clock::Clock;
use failback_wire::env::Env;
use failback_wire::event::{Actor, EventSink, Events, VmRef, What};
use failback_wire::http::{BoxFuture, Call, Http, HttpError, Method, Transport};
use failback_wire::ids::{NodeName, Site};
use failback_wire::node::Fence;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use tower::ServiceExt;

/// Hosts and their routers; carries calls directly.
#[derive(Default)]
struct Wire(Mutex<BTreeMap<String, Router>>);

impl Network for Wire {
    fn bind(&self, host: &str, _: Fence, router: Router) {
        self.0.lock().unwrap().insert(host.to_owned(), router);
    }
    fn unbind(&self, host: &str) {
        self.0.lock().unwrap().remove(host);
    }
    fn start_node(&self, _: &NodeName) -> Ctx {
        unreachable!("these tests make their own nodes")
    }
}

impl Transport for Wire {
    fn call(&self, _: &Fence, call: Call) -> BoxFuture<'static, Result<Response<Bytes>, HttpError>> {
        let host = call.request.uri().host().unwrap_or_default().to_owned();
        let router = self.0.lock().unwrap().get(&host).cloned();
        Box::pin(async move {
            let router = router.ok_or(HttpError::Unreachable { host })?;
            let reply = router.oneshot(call.request.map(Body::from)).await.unwrap();
            let (parts, body) = reply.into_parts();
            Ok(Response::from_parts(parts, to_bytes(body, MAX_BODY).await.unwrap()))
        })
    }
}

/// Guests that take a while to shut down, and note what is done to them.
#[derive(Default)]
struct Guests {
    running: Mutex<BTreeMap<String, Vec<Disk>>>,
    shutdown: Mutex<Duration>,
}

impl GuestPower for Guests {
    fn tools_enabled(&self, _: &VmRef) -> bool {
        true
    }
    fn power_on(&self, vm: &VmRef, disks: Vec<Disk>) {
        let before = self.running.lock().unwrap().insert(vm.name.clone(), disks);
        assert!(before.is_none(), "{} is powered on twice", vm.name);
    }
    fn power_off(&self, vm: &VmRef) {
        self.running.lock().unwrap().remove(&vm.name);
    }
    fn shut_down<'a>(&'a self, vm: &VmRef) -> BoxFuture<'a, ()> {
        let (name, length) = (vm.name.clone(), *self.shutdown.lock().unwrap());
        Box::pin(async move {
            tokio::time::sleep(length).await;
            self.running.lock().unwrap().remove(&name);
        })
    }
    fn is_running(&self, vm: &VmRef) -> bool {
        self.running.lock().unwrap().contains_key(&vm.name)
    }
}

#[derive(Default)]
struct Recorder(Mutex<Vec<What>>);
impl EventSink for Recorder {
    fn take(&self, _: VirtualMs, _: &NodeName, what: What) {
        self.0.lock().unwrap().push(what);
    }
}

struct Lab {
    azure: Arc<Azure>,
    wire: Arc<Wire>,
    guests: Arc<Guests>,
    events: Arc<Recorder>,
    ctx: Ctx,
}

const VMS: &str = concat!(
    "/subscriptions/00000000-0000-4000-8000-00000000fb1a/resourceGroups/recovery",
    "/providers/Microsoft.Compute/virtualMachines"
);
const DISKS: &str = concat!(
    "/subscriptions/00000000-0000-4000-8000-00000000fb1a/resourceGroups/recovery",
    "/providers/Microsoft.Compute/disks"
);
const SNAPSHOTS: &str = concat!(
    "/subscriptions/00000000-0000-4000-8000-00000000fb1a/resourceGroups/recovery",
    "/providers/Microsoft.Compute/snapshots"
);

impl Lab {
    fn new() -> Self {
        let (wire, guests, events) =
            (Arc::new(Wire::default()), Arc::new(Guests::default()), Arc::new(Recorder::default()));
        *guests.shutdown.lock().unwrap() = Duration::from_secs(15);
        let azure = Azure::new(AzureConfig::default(), guests.clone());
        let ctx = Self::epoch(&wire, &events, Clock::default(), 1);
        azure.boot(ctx.clone(), wire.as_ref());
        Self { azure, wire, guests, events, ctx }
    }
    fn epoch(wire: &Arc<Wire>, events: &Arc<Recorder>, clock: Clock, epoch: u64) -> Ctx {
        let fence = Fence::new("azure".into(), epoch);
        let http = Http::new(fence.clone(), wire.clone());
        Ctx { fence, clock, env: Env::new(1), http, events: Events::new(events.clone()) }
    }
    /// The software dies and comes back on the same state.
    fn crash_and_boot(&mut self) {
        self.ctx.fence.kill();
        self.ctx = Self::epoch(&self.wire, &self.events, self.ctx.clock, self.ctx.fence.epoch() + 1);
        self.azure.boot(self.ctx.clone(), self.wire.as_ref());
    }
    /// One call with these headers; the URL's host may be left out for ARM.
    async fn send(&self, method: &str, url: &str, headers: &[(&str, &str)], body: Bytes) -> Response<Bytes> {
        let url = match url.contains("://") {
            true => url.to_owned(),
            false => format!("https://management.azure.com{url}"),
        };
        let mut request = Request::builder().method(Method::from_bytes(method.as_bytes()).unwrap()).uri(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let call = Call {
            operation: "test",
            timeout: Duration::from_secs(60),
            request: request.body(body).unwrap(),
        };
        self.ctx.http.send(call).await.unwrap()
    }
    /// One call to ARM as the product.
    async fn arm(&self, method: &str, path: &str, body: Value) -> Response<Bytes> {
        let joint = if path.contains('?') { '&' } else { '?' };
        let url = if path.contains("api-version") {
            path.to_owned()
        } else {
            format!("{path}{joint}api-version=2026-04-01")
        };
        let body = if body.is_null() { Bytes::new() } else { body.to_string().into() };
        self.send(method, &url, &[("authorization", "Bearer product-token")], body).await
    }
    /// One change, followed to its end: the last status document.
    async fn change(&self, method: &str, path: &str, body: Value) -> Value {
        let reply = self.arm(method, path, body).await;
        assert!(reply.status().is_success(), "{method} {path}: {} {}", reply.status(), text(&reply));
        self.follow(&reply).await
    }
    async fn follow(&self, reply: &Response<Bytes>) -> Value {
        let url = header(reply, "azure-asyncoperation");
        loop {
            let status = json_of(&self.arm("GET", &url, Value::Null).await);
            if status["status"] != "InProgress" {
                return status;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
            // What is due at this very instant goes first.
            tokio::task::yield_now().await;
        }
    }
    fn power(&self, vm: &str) -> Option<&'static str> {
        self.azure.console(Actor::Operator).power(vm)
    }
    fn guest_runs(&self, vm: &str) -> bool {
        self.guests.is_running(&VmRef { site: Site::Azure, name: vm.to_owned() })
    }
    /// Events since the last call.
    fn events(&self) -> Vec<What> {
        std::mem::take(&mut *self.events.0.lock().unwrap())
    }
    /// A running machine `web01` with an OS disk and a data disk, there from the beginning.
    fn with_vm(self) -> Self {
        let disks = vec![("web01-os".to_owned(), disk(8, 1)), ("web01-data".to_owned(), disk(4, 2))];
        let vm = NewVm { name: "web01".to_owned(), os_type: "Linux".to_owned(), disks, running: true };
        self.azure.console(Actor::Setup).put_vm(vm).unwrap();
        self.events();
        self
    }
}

/// A disk of `blocks`, the first half filled with `fill`.
fn disk(blocks: u64, fill: u8) -> Disk {
    let disk = Disk::new(blocks);
    (0..blocks / 2).for_each(|b| disk.write(b, Page::new(&[fill; 4096])));
    disk
}
fn header(reply: &Response<Bytes>, name: &str) -> String {
    let value = reply.headers().get(name).unwrap_or_else(|| panic!("no {name} in {:?}", reply.headers()));
    value.to_str().unwrap().to_owned()
}
fn text(reply: &Response<Bytes>) -> String {
    String::from_utf8_lossy(reply.body()).into_owned()
}
fn json_of(reply: &Response<Bytes>) -> Value {
    serde_json::from_slice(reply.body()).unwrap_or_else(|e| panic!("{e}: {}", text(reply)))
}
fn code(reply: &Response<Bytes>) -> (u16, String) {
    (reply.status().as_u16(), json_of(reply)["error"]["code"].as_str().unwrap().to_owned())
}
/// The body of a PUT of a disk made like this.
fn created(creation: Value) -> Value {
    json!({"location": "westeurope", "properties": {"creationData": creation}})
}
fn vm_body(os: &str, data: &[&str]) -> Value {
    let data: Vec<Value> = data
        .iter()
        .enumerate()
        .map(|(lun, d)| (lun, json!({"id": format!("{DISKS}/{d}")})))
        .map(|(lun, id)| json!({"lun": lun, "createOption": "Attach", "managedDisk": id}))
        .collect();
    json!({"location": "westeurope", "properties": {
        "hardwareProfile": {"vmSize": "Standard_D2s_v5"},
        "storageProfile": {"osDisk": {"osType": "Linux", "createOption": "Attach",
            "managedDisk": {"id": format!("{DISKS}/{os}")}}, "dataDisks": data}}})
}
