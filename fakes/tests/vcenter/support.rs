//! A small estate, guests that do as they are told, and a client that speaks SOAP by hand.

use axum::Router;
use axum::body::Body;
use failback_fakes::net::Network;
use failback_fakes::vcenter::*;
use failback_replication::disk::{BLOCK, Disk, Page};
use failback_wire::clock::{Clock, VirtualMs};
use failback_wire::env::Env;
use failback_wire::event::{Actor, EventSink, Events, VmRef, What};
use failback_wire::http::{BoxFuture, Call, Http, HttpError, Transport};
use failback_wire::ids::{NodeName, VmdkUuid};
use failback_wire::node::{Ctx, Fence};
use failback_wire::vim::*;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tower::ServiceExt;

/// Guests: they run while powered, have tools unless told otherwise, and take five seconds to shut down
/// unless they hang.
#[derive(Default)]
pub(crate) struct Guests {
    pub(crate) running: Mutex<BTreeMap<String, Vec<Disk>>>,
    pub(crate) without_tools: Mutex<BTreeSet<String>>,
    pub(crate) hanging: Mutex<BTreeSet<String>>,
}

impl GuestPower for Guests {
    fn power_on(&self, vm: &VmRef, disks: Vec<Disk>) {
        self.running.lock().unwrap().insert(vm.name.clone(), disks);
    }
    fn power_off(&self, vm: &VmRef) {
        self.running.lock().unwrap().remove(&vm.name);
    }
    fn shut_down<'a>(&'a self, vm: &VmRef) -> BoxFuture<'a, ()> {
        let name = vm.name.clone();
        Box::pin(async move {
            tokio::time::sleep(Duration::from_secs(5)).await;
            if !self.hanging.lock().unwrap().contains(&name) {
                self.running.lock().unwrap().remove(&name);
            }
        })
    }
    fn is_running(&self, vm: &VmRef) -> bool {
        self.running.lock().unwrap().contains_key(&vm.name)
    }
    fn tools_enabled(&self, vm: &VmRef) -> bool {
        !self.without_tools.lock().unwrap().contains(&vm.name)
    }
}

/// Remembers what happened.
#[derive(Default)]
pub(crate) struct Log(pub(crate) Mutex<Vec<What>>);

impl EventSink for Log {
    fn take(&self, _: VirtualMs, _: &NodeName, what: What) {
        self.0.lock().unwrap().push(what);
    }
}

struct NoWay;
impl Transport for NoWay {
    fn call(&self, _: &Fence, call: Call) -> BoxFuture<'static, Result<Response<bytes::Bytes>, HttpError>> {
        let host = call.request.uri().host().unwrap_or_default().to_owned();
        Box::pin(async { Err(HttpError::Unreachable { host }) })
    }
}

#[derive(Default)]
struct Net(Mutex<Option<Router>>);

impl Network for Net {
    fn bind(&self, host: &str, _: Fence, router: Router) {
        assert_eq!(host, "vcenter.lab");
        *self.0.lock().unwrap() = Some(router);
    }
    fn unbind(&self, _: &str) {}
    fn start_node(&self, _: &NodeName) -> Ctx {
        unreachable!("no node is started here")
    }
}

/// A disk of 4 MiB whose first block holds `mark`.
pub(crate) fn disk(mark: u8) -> Disk {
    let disk = Disk::new(1024);
    disk.write(0, Page::new(&[mark; BLOCK]));
    disk
}

/// First byte of a disk.
pub(crate) fn mark(disk: &Disk) -> u8 {
    disk.read(0).bytes()[0]
}

fn vm(name: &str, uuid: &str, disks: &[&str], powered_on: bool) -> VmConfig {
    VmConfig {
        name: name.into(),
        uuid: uuid.into(),
        host: "esx01".into(),
        datastore: "ds-prod".into(),
        memory_mb: 4096,
        cpus: 2,
        guest_id: "windows2019srv_64Guest".into(),
        uefi: false,
        tools_installed: true,
        extra_config: vec![("disk.enableUUID".into(), "TRUE".into())],
        controller: ScsiController::LsiLogicSas,
        disks: disks
            .iter()
            .map(|u| VmDiskConfig { uuid: (*u).into(), disk: disk(1), path: None, rdm: false })
            .collect(),
        powered_on,
    }
}

pub(crate) const WEB_UUID: &str = "42000000-0000-0000-0000-000000000001";
pub(crate) const DISK0: &str = "6000C29a-0000-0000-0000-000000000001";
pub(crate) const DISK1: &str = "6000C29a-0000-0000-0000-000000000002";

/// Two hosts, two datastores, `web01` (two disks, off), `mt` (one disk, on), three accounts.
pub(crate) fn config() -> VcenterConfig {
    let mut config = VcenterConfig::new("vcenter.lab");
    let host = |name: &str| HostConfig {
        name: name.into(),
        memory_mb: 16_384,
        connected: true,
        hypervisor: Hypervisor::Esxi,
        licence: Licence::Paid,
    };
    config.hosts = vec![host("esx01"), host("esx02")];
    let store = |name: &str, kind| DatastoreConfig {
        name: name.into(),
        kind,
        capacity: 1 << 40,
        free: 1 << 30,
        access: DatastoreAccess::ReadWrite,
        hosts: None,
    };
    config.datastores = vec![
        store("ds-prod", DatastoreKind::Vmfs),
        store("ds-nfs", DatastoreKind::Nfs),
        store("ds-vsan", DatastoreKind::Vsan),
    ];
    config.vms = vec![
        vm("web01", WEB_UUID, &[DISK0, DISK1], false),
        vm("mt", "42000000-0000-0000-0000-000000000002", &["6000C29a-0000-0000-0000-00000000000f"], true),
    ];
    let user = |name: &str, actor, privileges| UserConfig {
        name: name.into(),
        password: "secret".into(),
        actor,
        privileges,
    };
    config.users = vec![
        user("user", Actor::Product, Privileges::Full),
        user("viewer", Actor::Product, Privileges::ReadOnly),
        user(
            "no-snapshots",
            Actor::Operator,
            Privileges::Without(vec!["VirtualMachine.State.RemoveSnapshot".into()]),
        ),
    ];
    config
}

pub(crate) struct Lab {
    pub(crate) vcenter: Arc<Vcenter>,
    pub(crate) guests: Arc<Guests>,
    pub(crate) log: Arc<Log>,
    pub(crate) fence: Fence,
    router: Router,
    clock: Clock,
}

impl Lab {
    pub(crate) fn new() -> Self {
        Self::of(config())
    }
    pub(crate) fn of(config: VcenterConfig) -> Self {
        let guests = Arc::new(Guests::default());
        let vcenter = Vcenter::new(config, guests.clone());
        let log = Arc::new(Log::default());
        let (fence, router, clock) = start(&vcenter, &log, 1, Clock::default());
        Self { vcenter, guests, log, fence, router, clock }
    }
    /// The software dies and starts again.
    pub(crate) fn restart(&mut self) {
        self.fence.kill();
        let epoch = self.fence.epoch() + 1;
        (self.fence, self.router, _) = start(&self.vcenter, &self.log, epoch, self.clock);
    }
    pub(crate) fn soap(&self) -> Soap {
        Soap { router: self.router.clone(), cookie: None }
    }
    pub(crate) async fn login(&self, user: &str) -> Soap {
        let mut soap = self.soap();
        soap.login(user, "secret").await.unwrap();
        soap
    }
    /// What happened since this was asked last.
    pub(crate) fn events(&self) -> Vec<What> {
        std::mem::take(&mut *self.log.0.lock().unwrap())
    }
}

fn start(vcenter: &Arc<Vcenter>, log: &Arc<Log>, epoch: u64, clock: Clock) -> (Fence, Router, Clock) {
    let fence = Fence::new("vcenter".into(), epoch);
    let ctx = Ctx {
        fence: fence.clone(),
        clock,
        env: Env::new(7),
        http: Http::new(fence.clone(), Arc::new(NoWay)),
        events: Events::new(log.clone()),
    };
    let net = Net::default();
    vcenter.boot(ctx, &net);
    (fence, net.0.into_inner().unwrap().unwrap(), clock)
}

#[derive(Clone)]
pub(crate) struct Soap {
    router: Router,
    pub(crate) cookie: Option<String>,
}

pub(crate) type Answer = Result<Vec<Element>, Fault>;

impl Soap {
    pub(crate) async fn raw(&self, method: &str, path: &str, body: Vec<u8>) -> Response<bytes::Bytes> {
        let mut request = Request::builder().method(method).uri(format!("https://vcenter.lab{path}"));
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        let reply = self.router.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
        let (parts, body) = reply.into_parts();
        Response::from_parts(parts, body.collect().await.unwrap().to_bytes())
    }
    pub(crate) async fn send(&self, request: &VimRequest) -> Answer {
        let reply = self.raw("POST", "/sdk", request.encode()).await;
        match parse_reply(&request.method, reply.body()) {
            Ok(values) => {
                assert_eq!(reply.status(), StatusCode::OK);
                Ok(values)
            }
            Err(ReplyError::Fault(fault)) => {
                assert_eq!(reply.status(), StatusCode::INTERNAL_SERVER_ERROR);
                Err(fault)
            }
            Err(ReplyError::Garbled(error)) => panic!("{error}: {:?}", reply.body()),
        }
    }
    pub(crate) async fn call(&self, method: &'static str, this: &MoRef, args: Vec<Element>) -> Answer {
        let request = VimRequest::new(method, this.clone());
        self.send(&args.into_iter().fold(request, VimRequest::arg)).await
    }
    pub(crate) async fn login(&mut self, user: &str, password: &str) -> Answer {
        let request = VimRequest::new("Login", MoRef::new("SessionManager", "SessionManager"))
            .arg(Element::leaf("userName", user))
            .arg(Element::leaf("password", password));
        let reply = self.raw("POST", "/sdk", request.encode()).await;
        let cookie = reply.headers().get("set-cookie").map(|c| c.to_str().unwrap().to_owned());
        // As pyVmomi does: the whole string, attributes and all.
        self.cookie = cookie.or(self.cookie.take());
        parse_reply("Login", reply.body()).map_err(|e| match e {
            ReplyError::Fault(fault) => fault,
            ReplyError::Garbled(error) => panic!("{error}"),
        })
    }
    pub(crate) async fn vm(&self, name: &str) -> MoRef {
        let path = Element::leaf("inventoryPath", format!("DC0/vm/{name}"));
        let this = MoRef::new("SearchIndex", "SearchIndex");
        MoRef::read(&self.call("FindByInventoryPath", &this, vec![path]).await.unwrap()[0]).unwrap()
    }
    pub(crate) async fn host(&self, name: &str) -> MoRef {
        let path = Element::leaf("inventoryPath", format!("DC0/host/cluster/{name}"));
        let this = MoRef::new("SearchIndex", "SearchIndex");
        MoRef::read(&self.call("FindByInventoryPath", &this, vec![path]).await.unwrap()[0]).unwrap()
    }
    pub(crate) async fn fetch(&self, object: &MoRef, path: &str) -> Option<Element> {
        self.call("Fetch", object, vec![Element::leaf("prop", path)]).await.unwrap().pop()
    }
    pub(crate) async fn text(&self, object: &MoRef, path: &str) -> String {
        self.fetch(object, path).await.map(|e| e.text).unwrap_or_default()
    }
    /// Starts a task and waits until it has ended.
    pub(crate) async fn task(
        &self,
        method: &'static str,
        this: &MoRef,
        args: Vec<Element>,
    ) -> Result<Option<Element>, Fault> {
        let task = MoRef::read(&self.call(method, this, args).await?[0]).unwrap();
        self.ended(&task).await
    }
    pub(crate) async fn ended(&self, task: &MoRef) -> Result<Option<Element>, Fault> {
        loop {
            let info = self.fetch(task, "info").await.unwrap();
            match info.text_at("state").unwrap() {
                "success" => return Ok(info.child("result").cloned()),
                "error" => return Err(Fault::read_localized(info.child("error").unwrap()).unwrap()),
                _ => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }
    pub(crate) async fn reconfigure(&self, vm: &MoRef, devices: Vec<DeviceChange>) -> Result<(), Fault> {
        let spec = VmConfigSpec { devices, ..VmConfigSpec::default() };
        self.task("ReconfigVM_Task", vm, vec![spec.element("spec")]).await.map(drop)
    }
}

pub(crate) fn attach(path: &str) -> DeviceChange {
    DeviceChange {
        op: DeviceOp::Add,
        file_op: None,
        device: DeviceSpec {
            kind: "VirtualDisk".into(),
            key: -100,
            backing: Some("VirtualDiskFlatVer2BackingInfo".into()),
            file: Some(path.into()),
            controller: Some(1000),
            ..DeviceSpec::default()
        },
    }
}

pub(crate) fn create(path: &str, capacity_kb: i64) -> DeviceChange {
    let mut change = attach(path);
    change.file_op = Some(FileOp::Create);
    change.device.capacity_kb = Some(capacity_kb);
    change
}

pub(crate) fn detach(key: i32) -> DeviceChange {
    DeviceChange {
        op: DeviceOp::Remove,
        file_op: None,
        device: DeviceSpec { kind: "VirtualDisk".into(), key, ..DeviceSpec::default() },
    }
}

pub(crate) fn uuids(of: &[(VmdkUuid, Disk)]) -> Vec<String> {
    of.iter().map(|(uuid, _)| uuid.to_string()).collect()
}
