//! The orchestrator's Azure client against the fake Azure: one life of a failed-over machine, and lost
//! replies at every call of it.

#![expect(clippy::unwrap_used, reason = "the helpers of a test may panic like the test")]

use axum::Router;
use axum::body::{Body, to_bytes};
use bytes::Bytes;
use failback_fakes::azure::{Azure, AzureConfig, AzureFault, AzureOperation, Denial, GuestPower};
use failback_fakes::net::Network;
use failback_orchestrator::clients::azure::{
    AzureClient, AzureError, DiskFacts, NewDisk, NewVm, Power, Provisioning,
};
use failback_replication::disk::{Disk, Page};
use failback_wire::arm::blob::BlobClient;
use failback_wire::clock::{Clock, VirtualMs};
use failback_wire::env::Env;
use failback_wire::event::{Actor, EventSink, Events, VmRef, What};
use failback_wire::http::{BoxFuture, Call, Http, HttpError, MAX_BODY, Response, Transport};
use failback_wire::ids::NodeName;
use failback_wire::node::{Ctx, Fence};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What happens to one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    /// The request never arrives.
    Refused,
    /// It takes effect, and the reply is lost.
    ReplyLost,
    /// It arrives twice.
    Twice,
}

/// Carries calls to routers, and troubles the n-th.
#[derive(Default)]
struct Wire {
    hosts: Mutex<BTreeMap<String, Router>>,
    calls: Mutex<Vec<&'static str>>,
    trouble: Mutex<Option<(usize, Trouble)>>,
}

impl Network for Wire {
    fn bind(&self, host: &str, _: Fence, router: Router) {
        self.hosts.lock().unwrap().insert(host.to_owned(), router);
    }
    fn unbind(&self, host: &str) {
        self.hosts.lock().unwrap().remove(host);
    }
    fn start_node(&self, _: &NodeName) -> Ctx {
        unreachable!("these tests make their own nodes")
    }
}

async fn deliver(router: Router, request: axum::http::Request<Bytes>) -> Response<Bytes> {
    let reply = tower::ServiceExt::oneshot(router, request.map(Body::from)).await.unwrap();
    let (parts, body) = reply.into_parts();
    Response::from_parts(parts, to_bytes(body, MAX_BODY).await.unwrap())
}

impl Transport for Wire {
    fn call(&self, _: &Fence, call: Call) -> BoxFuture<'static, Result<Response<Bytes>, HttpError>> {
        let host = call.request.uri().host().unwrap_or_default().to_owned();
        let router = self.hosts.lock().unwrap().get(&host).cloned();
        let mut calls = self.calls.lock().unwrap();
        let trouble = self.trouble.lock().unwrap().filter(|(n, _)| *n == calls.len()).map(|(_, t)| t);
        calls.push(call.operation);
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(1)).await;
            let router = router.ok_or_else(|| HttpError::Unreachable { host: host.clone() })?;
            match trouble {
                None => Ok(deliver(router, call.request).await),
                Some(Trouble::Refused) => Err(HttpError::Unreachable { host }),
                Some(Trouble::ReplyLost) => {
                    deliver(router, call.request).await;
                    tokio::time::sleep(call.timeout).await;
                    Err(HttpError::TimedOut { host, after: call.timeout })
                }
                Some(Trouble::Twice) => {
                    let mut again = axum::http::Request::new(call.request.body().clone());
                    *again.method_mut() = call.request.method().clone();
                    *again.uri_mut() = call.request.uri().clone();
                    *again.headers_mut() = call.request.headers().clone();
                    let reply = deliver(router.clone(), call.request).await;
                    deliver(router, again).await;
                    Ok(reply)
                }
            }
        })
    }
}

#[derive(Default)]
struct Guests(Mutex<BTreeMap<String, u32>>);
impl GuestPower for Guests {
    fn tools_enabled(&self, _: &VmRef) -> bool {
        true
    }
    fn power_on(&self, vm: &VmRef, _: Vec<Disk>) {
        assert!(self.0.lock().unwrap().insert(vm.name.clone(), 1).is_none(), "{vm:?} is powered on twice");
    }
    fn power_off(&self, vm: &VmRef) {
        self.0.lock().unwrap().remove(&vm.name);
    }
    fn shut_down<'a>(&'a self, vm: &VmRef) -> BoxFuture<'a, ()> {
        let vm = vm.clone();
        Box::pin(async move {
            tokio::time::sleep(Duration::from_secs(10)).await;
            self.power_off(&vm);
        })
    }
    fn is_running(&self, vm: &VmRef) -> bool {
        self.0.lock().unwrap().contains_key(&vm.name)
    }
}

#[derive(Default)]
struct Recorder(Mutex<Vec<What>>);
impl EventSink for Recorder {
    fn take(&self, _: VirtualMs, _: &NodeName, what: What) {
        self.0.lock().unwrap().push(what);
    }
}

struct World {
    azure: Arc<Azure>,
    wire: Arc<Wire>,
    events: Arc<Recorder>,
    clock: Clock,
    http: Http,
    client: AzureClient,
}

impl World {
    fn new(trouble: Option<(usize, Trouble)>) -> Self {
        let (wire, events) = (Arc::new(Wire::default()), Arc::new(Recorder::default()));
        *wire.trouble.lock().unwrap() = trouble;
        let config = AzureConfig::default();
        let azure = Azure::new(config.clone(), Arc::new(Guests::default()));
        let clock = Clock::default();
        let fence = Fence::new("azure".into(), 1);
        let http = Http::new(fence.clone(), wire.clone());
        let events_out = Events::new(events.clone());
        azure.boot(Ctx { fence, clock, env: Env::new(1), http, events: events_out }, wire.as_ref());
        let http = Http::new(Fence::new("orchestrator".into(), 1), wire.clone());
        let (host, sub) = (config.arm_host.as_str(), config.subscription.as_str());
        let client = AzureClient::new(http.clone(), host, sub, "recovery", "product-token");
        Self { azure, wire, events, clock, http, client }
    }
    fn config(&self) -> &AzureConfig {
        self.azure.config()
    }
}

fn web01() -> NewVm {
    NewVm {
        name: "web01".into(),
        location: "westeurope".into(),
        size: "Standard_D2s_v5".into(),
        os_type: "Windows".into(),
        os_disk: "web01-disk0".into(),
        data_disks: Vec::new(),
        subnet: None,
        address: None,
        prepare: false,
    }
}

/// A seed blob with a snapshot; its bare URL.
async fn seed(world: &World) -> String {
    let seed = Disk::new(8);
    seed.write(3, Page::new(&[7; 4096]));
    let setup = world.azure.console(Actor::Setup);
    setup.put_blob("seeds", "web01-disk0", seed);
    let url = setup.sas_url("seeds", Some("web01-disk0"), "rc");
    // Taken before the wire is troubled: it is not the client's call.
    let trouble = world.wire.trouble.lock().unwrap().take();
    let blob = BlobClient::new(world.http.clone(), &url);
    let point = blob.snapshot(&[]).await.unwrap();
    world.wire.calls.lock().unwrap().clear();
    *world.wire.trouble.lock().unwrap() = trouble;
    blob.at_snapshot(&point).bare_url()
}

/// Fail over, stop, start, fail back, commit: as a workflow calls the client.
async fn life(world: &World, source: &str) -> Result<DiskFacts, AzureError> {
    let client = &world.client;
    let disk = NewDisk {
        name: "web01-disk0".into(),
        location: "westeurope".into(),
        source: source.to_owned(),
        os_type: Some("Windows".into()),
    };
    let made = client.create_disk_from_blob_snapshot(&disk, "k1").await?;
    let vm = client.create_vm(&web01(), "k2").await?;
    assert_eq!((vm.power, vm.provisioning, vm.disks.len()), (Power::Running, Provisioning::Succeeded, 1));
    assert_eq!(client.disk("web01-disk0").await?.and_then(|d| d.attached_to).as_deref(), Some("web01"));
    client.stop_vm("web01", true, "k3").await?;
    client.start_vm("web01", "k4").await?;
    client.stop_vm("web01", false, "k5").await?;
    client.deallocate_vm("web01", "k6").await?;
    client.delete_vm("web01", "k7").await?;
    client.delete_disk("web01-disk0", "k8").await?;
    Ok(made)
}

#[tokio::test(start_paused = true)]
async fn a_machine_lives_and_leaves_nothing_behind() {
    let world = World::new(None);
    let source = seed(&world).await;
    let before = world.azure.observe();
    let made = life(&world, &source).await.unwrap();
    assert_eq!((made.bytes, made.source.as_deref()), (8 * 4096, Some(source.as_str())));
    assert_eq!(world.azure.observe(), before);
    assert!(world.client.vm_names().await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn trouble_at_any_one_call_changes_nothing_in_the_world() {
    let quiet = World::new(None);
    let source = seed(&quiet).await;
    quiet.events.0.lock().unwrap().clear();
    life(&quiet, &source).await.unwrap();
    let calls = quiet.wire.calls.lock().unwrap().clone();
    let want = quiet.events.0.lock().unwrap().clone();
    for trouble in [Trouble::Refused, Trouble::ReplyLost, Trouble::Twice] {
        for (n, operation) in calls.iter().enumerate() {
            let world = World::new(Some((n, trouble)));
            let source = seed(&world).await;
            world.events.0.lock().unwrap().clear();
            life(&world, &source).await.unwrap_or_else(|e| panic!("{trouble:?} at {n} {operation}: {e}"));
            assert_eq!(*world.events.0.lock().unwrap(), want, "{trouble:?} at {n} {operation}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_client_with_the_same_keys_joins_what_the_first_began() {
    let world = World::new(None);
    let source = seed(&world).await;
    let disk = NewDisk { name: "web01-disk0".into(), location: "we".into(), source, os_type: None };
    world.client.create_disk_from_blob_snapshot(&disk, "k1").await.unwrap();
    let vm = web01();
    // The first orchestrator dies while the machine is being made.
    let cut = tokio::time::timeout(Duration::from_secs(30), world.client.create_vm(&vm, "k2")).await;
    assert!(cut.is_err());
    let facts = world.client.create_vm(&vm, "k2").await.unwrap();
    assert_eq!(facts.power, Power::Running);
    let created = |what: &&What| matches!(what, What::VmCreated { .. });
    assert_eq!(world.events.0.lock().unwrap().iter().filter(created).count(), 1);
    assert!(world.clock.now().0 < 120_000, "it did not begin anew: {}", world.clock.now());
}

#[tokio::test(start_paused = true)]
async fn a_key_whose_effect_was_undone_makes_a_new_operation() {
    let world = World::new(None);
    let source = seed(&world).await;
    let disk = NewDisk { name: "web01-disk0".into(), location: "we".into(), source, os_type: None };
    world.client.create_disk_from_blob_snapshot(&disk, "k1").await.unwrap();
    world.client.create_vm(&web01(), "k2").await.unwrap();
    world.client.stop_vm("web01", true, "stop").await.unwrap();
    world.azure.console(Actor::Operator).start_vm("web01").await.unwrap();
    world.client.stop_vm("web01", true, "stop").await.unwrap();
    assert_eq!(world.azure.console(Actor::Operator).power("web01"), Some("stopped"));
}

#[tokio::test(start_paused = true)]
async fn refusals_and_failures_come_back_with_azures_codes() {
    let world = World::new(None);
    let source = seed(&world).await;
    let disk = |source: &str| NewDisk {
        name: "web01-disk0".into(),
        location: "we".into(),
        source: source.to_owned(),
        os_type: None,
    };
    let missing =
        world.client.create_disk_from_blob_snapshot(&disk(&source.replace("web01", "db")), "k").await;
    let missing = missing.unwrap_err();
    assert!(matches!(&missing, AzureError::Refused { status: 404, .. }), "{missing}");
    world.client.create_disk_from_blob_snapshot(&disk(&source), "k").await.unwrap();
    let other = world.client.create_disk_from_blob_snapshot(&disk("https://x/y/z"), "k").await.unwrap_err();
    assert!(matches!(&other, AzureError::Refused { status: 409, .. }), "{other}");

    let apply = |fault| world.azure.apply_fault(&fault, Actor::Fault).unwrap();
    apply(AzureFault::DenyMachines { by: Denial::CoreQuota });
    let refused = world.client.create_vm(&web01(), "v1").await.unwrap_err();
    assert!(
        matches!(&refused, AzureError::Refused { code, .. } if code == "OperationNotAllowed"),
        "{refused}"
    );
    apply(AzureFault::AllowMachines);
    let fail = |operation| {
        let (code, message) = ("AllocationFailed".to_owned(), "no room".to_owned());
        let fault = AzureFault::FailNext { operation: Some(operation), code, message, times: 1 };
        world.azure.apply_fault(&fault, Actor::Fault).unwrap();
    };
    fail(AzureOperation::CreateVm);
    let failed = world.client.create_vm(&web01(), "v1").await.unwrap_err();
    assert!(
        matches!(&failed, AzureError::OperationFailed { code, .. } if code == "AllocationFailed"),
        "{failed}"
    );
    assert_eq!(world.client.vm("web01").await.unwrap().unwrap().provisioning, Provisioning::Failed);
    let facts = world.client.create_vm(&web01(), "v1").await.unwrap();
    assert_eq!(facts.power, Power::Running, "the same step again makes it");
    let held = world.client.delete_disk("web01-disk0", "d").await.unwrap_err();
    assert!(matches!(&held, AzureError::Refused { status: 409, .. }) && !held.is_transient(), "{held}");
    fail(AzureOperation::DeleteVm);
    world.client.delete_vm("web01", "d").await.unwrap_err();
    world.client.delete_vm("web01", "d").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_signature_from_arm_opens_the_seed() {
    let world = World::new(None);
    let host = world.config().blob_host.clone();
    let until = world.clock.dotnet(VirtualMs(3_600_000));
    let url = world.client.blob_sas(&host, "seeds", Some("web01 disk0"), "rcw", &until).await.unwrap();
    let blob = BlobClient::new(world.http.clone(), &url);
    blob.create_page_blob(8192, None).await.unwrap();
    blob.put_pages(0, vec![1; 512].into()).await.unwrap();
    let point = blob.snapshot(&[("point", "p1")]).await.unwrap();
    let url = world.client.blob_sas(&host, "seeds", None, "l", &until).await.unwrap();
    let listed = BlobClient::new(world.http.clone(), &url).list("web01").await.unwrap();
    assert_eq!(listed[0].snapshot.as_deref(), Some(point.as_str()));
    let refused = world.client.blob_sas("other.blob.core.windows.net", "seeds", None, "l", &until).await;
    assert!(matches!(refused, Err(AzureError::Refused { status: 404, .. })));
}
