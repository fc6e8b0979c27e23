//! The orchestrator's vCenter client against the fake vCenter, over a wire that loses requests and replies.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use failback_fakes::net::Network;
use failback_fakes::vcenter::*;
use failback_orchestrator::clients::vcenter::*;
use failback_replication::disk::Disk;
use failback_wire::clock::Clock;
use failback_wire::env::Env;
use failback_wire::event::{Actor, Events, VmRef};
use failback_wire::http::{BoxFuture, Call, Http, HttpError, Transport};
use failback_wire::ids::{NodeName, VmdkUuid};
use failback_wire::node::{Ctx, Fence};
use http::Response;
use http_body_util::BodyExt;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tower::ServiceExt;

#[derive(Default)]
struct Guests(Mutex<BTreeSet<String>>);

impl GuestPower for Guests {
    fn power_on(&self, vm: &VmRef, _: Vec<Disk>) {
        self.0.lock().unwrap().insert(vm.name.clone());
    }
    fn power_off(&self, vm: &VmRef) {
        self.0.lock().unwrap().remove(&vm.name);
    }
    fn shut_down<'a>(&'a self, vm: &VmRef) -> BoxFuture<'a, ()> {
        let vm = vm.clone();
        Box::pin(async move {
            tokio::time::sleep(Duration::from_secs(5)).await;
            self.power_off(&vm);
        })
    }
    fn is_running(&self, vm: &VmRef) -> bool {
        self.0.lock().unwrap().contains(&vm.name)
    }
    fn tools_enabled(&self, _: &VmRef) -> bool {
        true
    }
}

/// What goes wrong with one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Loss {
    /// The request never arrives.
    Request,
    /// The call takes effect, but its reply never arrives.
    Reply,
}

/// The k-th call of an operation, counted from 1.
type Moment = (&'static str, u32);

#[derive(Default)]
struct Wire {
    router: Mutex<Option<Router>>,
    calls: Mutex<BTreeMap<&'static str, u32>>,
    loss: Mutex<Option<(Moment, Loss)>>,
}

impl Network for Wire {
    fn bind(&self, _: &str, _: Fence, router: Router) {
        *self.router.lock().unwrap() = Some(router);
    }
    fn unbind(&self, _: &str) {}
    fn start_node(&self, _: &NodeName) -> Ctx {
        unreachable!("no node is started here")
    }
}

struct Plug(Arc<Wire>);

impl Transport for Plug {
    fn call(&self, _: &Fence, call: Call) -> BoxFuture<'static, Result<Response<Bytes>, HttpError>> {
        let k = {
            let mut calls = self.0.calls.lock().unwrap();
            let k = calls.entry(call.operation).or_default();
            *k += 1;
            *k
        };
        let host = call.request.uri().host().unwrap_or_default().to_owned();
        let loss = self.0.loss.lock().unwrap().filter(|(at, _)| *at == (call.operation, k)).map(|(_, l)| l);
        let router = self.0.router.lock().unwrap().clone();
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(1)).await;
            if loss == Some(Loss::Request) {
                tokio::time::sleep(call.timeout).await;
                return Err(HttpError::TimedOut { host, after: call.timeout });
            }
            let Some(router) = router else { return Err(HttpError::Unreachable { host }) };
            let answered = tokio::time::timeout(call.timeout, router.oneshot(call.request.map(Body::from)));
            let Ok(reply) = answered.await else {
                return Err(HttpError::TimedOut { host, after: call.timeout });
            };
            let (parts, body) = reply.unwrap().into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            if loss == Some(Loss::Reply) {
                return Err(HttpError::Closed { host });
            }
            Ok(Response::from_parts(parts, body))
        })
    }
}

const WEB: &str = "42000000-0000-0000-0000-000000000001";

fn uuid(n: u32) -> VmdkUuid {
    VmdkUuid::new(format!("6000C29a-0000-0000-0000-{n:012}"))
}

fn vm(name: &str, id: &str, disks: &[u32], powered_on: bool) -> VmConfig {
    let disks =
        disks.iter().map(|n| VmDiskConfig { uuid: uuid(*n), disk: Disk::new(256), path: None, rdm: false });
    VmConfig {
        name: name.into(),
        uuid: id.into(),
        host: "esx01".into(),
        datastore: "ds-prod".into(),
        memory_mb: 4096,
        cpus: 2,
        guest_id: "rhel8_64Guest".into(),
        uefi: false,
        tools_installed: true,
        extra_config: vec![("disk.EnableUUID".into(), "true".into())],
        controller: ScsiController::LsiLogic,
        disks: disks.collect(),
        powered_on,
    }
}

struct Lab {
    vcenter: Arc<Vcenter>,
    wire: Arc<Wire>,
    clock: Clock,
    fence: Mutex<Fence>,
}

impl Lab {
    fn new() -> Self {
        let mut config = VcenterConfig::new("vcenter.lab");
        config.hosts = vec![HostConfig {
            name: "esx01".into(),
            memory_mb: 16_384,
            connected: true,
            hypervisor: Hypervisor::Esxi,
            licence: Licence::Paid,
        }];
        config.datastores = vec![DatastoreConfig {
            name: "ds-prod".into(),
            kind: DatastoreKind::Vmfs,
            capacity: 1 << 40,
            free: 1 << 39,
            access: DatastoreAccess::ReadWrite,
            hosts: None,
        }];
        config.vms = vec![
            vm("web01", WEB, &[1, 2], false),
            vm("mt", "42000000-0000-0000-0000-000000000002", &[9], true),
        ];
        let user = |name: &str, privileges| UserConfig {
            name: name.into(),
            password: "secret".into(),
            actor: Actor::Product,
            privileges,
        };
        config.users = vec![user("asr", Privileges::Full), user("viewer", Privileges::ReadOnly)];
        let vcenter = Vcenter::new(config, Arc::new(Guests::default()));
        let fence = Mutex::new(Fence::new("vcenter".into(), 0));
        let lab = Self { vcenter, wire: Arc::new(Wire::default()), clock: Clock::default(), fence };
        lab.restart();
        lab
    }
    /// vCenter's software dies and starts again.
    fn restart(&self) {
        let mut fence = self.fence.lock().unwrap();
        fence.kill();
        *fence = Fence::new("vcenter".into(), fence.epoch() + 1);
        let ctx = Ctx {
            fence: fence.clone(),
            clock: self.clock,
            env: Env::new(1),
            http: Http::new(fence.clone(), Arc::new(Plug(self.wire.clone()))),
            events: Events::discard(),
        };
        self.vcenter.boot(ctx, self.wire.as_ref());
    }
    fn client_of(&self, user: &str) -> VcenterClient {
        let http = Http::new(Fence::new("orchestrator".into(), 1), Arc::new(Plug(self.wire.clone())));
        VcenterClient::new(http, "vcenter.lab", user, "secret")
    }
    fn client(&self) -> VcenterClient {
        self.client_of("asr")
    }
    fn sessions(&self) -> u64 {
        self.vcenter.observe()["sessions"].as_u64().unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn the_facts_are_those_of_the_inventory() {
    let lab = Lab::new();
    lab.vcenter.console(Actor::Operator).take_snapshot("mt", "one").unwrap();
    lab.vcenter.console(Actor::Operator).take_snapshot("mt", "two").unwrap();
    let client = lab.client();
    assert!(!client.check_connected().await.unwrap().read_only);
    let web = client.vm_by_uuid(&WEB.to_uppercase()).await.unwrap();
    assert_eq!(web, client.vm_by_name("web01").await.unwrap());
    assert_eq!((web.power, web.host.as_str(), web.host_connected), (Power::Off, "esx01", true));
    assert_eq!(web.disks.iter().map(|d| d.uuid.clone()).collect::<Vec<_>>(), [uuid(1), uuid(2)]);
    assert_eq!(web.disks[0].path, "[ds-prod] web01/web01.vmdk");
    assert_eq!(web.disks[0].capacity, 1 << 20);
    assert!(web.enable_uuid() && !web.paravirtual() && !web.tools_running && web.snapshots.is_empty());
    let mt = client.vm_by_name("mt").await.unwrap();
    assert_eq!((mt.power, mt.tools_running), (Power::On, true));
    assert_eq!(mt.snapshots, ["one", "two"]);
    assert_eq!(client.vms().await.unwrap(), [web, mt]);
    let hosts = client.hosts().await.unwrap();
    assert_eq!((hosts[0].memory_mb, hosts[0].used_mb, hosts[0].connected), (16_384, 4096, true));
    let stores = client.datastores().await.unwrap();
    let mount = &stores[0].mounts[0];
    assert_eq!((stores[0].kind.as_str(), mount.accessible, mount.writable), ("VMFS", true, true));
    lab.vcenter.console(Actor::Fault).set_datastore_access("ds-prod", DatastoreAccess::ReadOnly).unwrap();
    assert!(!client.datastores().await.unwrap()[0].mounts[0].writable);
    lab.vcenter.console(Actor::Fault).disconnect_host("esx01").unwrap();
    let web = client.vm_by_name("web01").await.unwrap();
    assert_eq!((web.connection_state.as_str(), web.host_connected), ("disconnected", false));
    assert!(matches!(client.vm_by_name("nobody").await, Err(VcenterError::NotFound(_))));
    assert!(matches!(client.vm_by_uuid("nobody").await, Err(VcenterError::NotFound(_))));
    assert_eq!(lab.sessions(), 1);
    client.logout().await.unwrap();
    assert_eq!(lab.sessions(), 0);
}

#[tokio::test(start_paused = true)]
async fn no_session_stays_behind_once_nobody_has_its_client() {
    let lab = Lab::new();
    let client = lab.client_of("viewer");
    let other = client.apart();
    assert!(client.check_connected().await.unwrap().read_only);
    assert!(other.check_connected().await.unwrap().read_only);
    assert_eq!(lab.sessions(), 2);
    let refused = other.clone().power_on(&other.vm_by_name("web01").await.unwrap()).await;
    assert!(matches!(refused, Err(VcenterError::NoPermission { .. })), "{refused:?}");
    assert_eq!(lab.sessions(), 2);
    drop(other);
    // Takes some milliseconds, in which the other one says good-bye.
    client.vm_by_name("web01").await.unwrap();
    assert_eq!(lab.sessions(), 1, "the last of its clients closes it");
    client.leave().await;
    assert_eq!(lab.sessions(), 0);
    client.leave().await;
    assert_eq!(lab.sessions(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_wrong_password_is_told_without_it() {
    let wrong = Lab::new().client_of("nobody").check_connected().await;
    assert_eq!(wrong, Err(VcenterError::InvalidLogin { user: "nobody".into() }));
    assert!(!format!("{wrong:?}").contains("secret"));
}

#[tokio::test(start_paused = true)]
async fn disks_go_to_the_master_target_and_back() {
    let lab = Lab::new();
    let vc = lab.client();
    let (web, mt) = (vc.vm_by_name("web01").await.unwrap(), vc.vm_by_name("mt").await.unwrap());
    let before = lab.vcenter.observe();
    let files: Vec<_> = web.disks.iter().map(|d| (d.uuid.clone(), d.path.clone())).collect();
    let ids: Vec<_> = files.iter().map(|(uuid, _)| uuid.clone()).collect();
    for _ in 0..2 {
        vc.detach_disks(&web, &ids).await.unwrap();
        vc.attach_disks(&mt, &files).await.unwrap();
    }
    assert_eq!(lab.vcenter.scsi("mt").len(), 3);
    // Another disk's file is not taken for this one (I3); nothing is attached.
    let crossed = [(uuid(1), files[1].1.clone())];
    vc.detach_disks(&mt, &ids).await.unwrap();
    let seen = lab.vcenter.observe();
    assert!(matches!(vc.attach_disks(&mt, &crossed).await, Err(VcenterError::NotFound(_))));
    let missing = [(uuid(1), "[ds-prod] moved/web01.vmdk".to_owned())];
    assert!(matches!(vc.attach_disks(&mt, &missing).await, Err(VcenterError::NotFound(_))));
    assert_eq!(lab.vcenter.observe(), seen);
    vc.attach_disks(&web, &files).await.unwrap();
    assert_eq!(lab.vcenter.observe(), before);
}

#[tokio::test(start_paused = true)]
async fn a_master_target_gets_controllers_as_it_needs_them() {
    let lab = Lab::new();
    let vc = lab.client();
    let mt = vc.vm_by_name("mt").await.unwrap();
    let host = vc.hosts().await.unwrap().remove(0).moref;
    let mut files = Vec::new();
    for n in 0..3 {
        let spec = NewVm {
            name: format!("big{n}"),
            uuid: format!("42000000-0000-0000-0000-00000000010{n}"),
            host: host.clone(),
            datastore: "ds-prod".into(),
            guest_id: "rhel8_64Guest".into(),
            memory_mb: 1024,
            disks: vec![1 << 20; 20],
            extra_config: BTreeMap::new(),
        };
        let made = vc.create_vm(&spec).await.unwrap();
        assert_eq!(made.disks.len(), 20);
        files.extend(made.disks.into_iter().map(|d| (d.uuid, d.path)));
    }
    let last = files.split_off(59);
    vc.attach_disks(&mt, &files).await.unwrap();
    let facts = vc.vm(&mt.moref).await.unwrap();
    assert_eq!((facts.disks.len(), facts.controllers.len()), (60, 4));
    let full = vc.attach_disks(&mt, &last).await.unwrap_err();
    assert_eq!(full.fault(), Some("InvalidDeviceSpec"));
}

#[tokio::test(start_paused = true)]
async fn a_refused_task_says_why() {
    let lab = Lab::new();
    let vc = lab.client();
    let web = vc.vm_by_name("web01").await.unwrap();
    lab.vcenter.console(Actor::Fault).set_host_free_memory("esx01", 100).unwrap();
    let refused = vc.power_on(&web).await.unwrap_err();
    assert_eq!(refused.fault(), Some("InsufficientHostMemoryCapacityFault"));
    assert!(matches!(refused, VcenterError::TaskFailed { .. }));
    lab.vcenter.console(Actor::Fault).disconnect_host("esx01").unwrap();
    assert_eq!(vc.power_on(&web).await.unwrap_err().fault(), Some("HostNotConnected"));
    let mt = vc.vm_by_name("mt").await.unwrap();
    assert_eq!(vc.destroy_vm(&mt).await.unwrap_err().fault(), Some("HostNotConnected"));
}

#[tokio::test(start_paused = true)]
async fn a_guest_is_asked_to_shut_down() {
    let lab = Lab::new();
    let vc = lab.client();
    let mt = vc.vm_by_name("mt").await.unwrap().moref;
    vc.shutdown_guest(&mt).await.unwrap();
    assert_eq!(vc.vm(&mt).await.unwrap().power, Power::On);
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(vc.vm(&mt).await.unwrap().power, Power::Off);
    vc.shutdown_guest(&mt).await.unwrap();
}

/// What is done in the sweep; every step must converge.
async fn work(vc: &VcenterClient, lab: &Lab) -> Result<(), VcenterError> {
    let web = vc.vm_by_uuid(WEB).await?;
    let mt = vc.vm_by_name("mt").await?;
    let files: Vec<_> = web.disks.iter().map(|d| (d.uuid.clone(), d.path.clone())).collect();
    let ids: Vec<_> = files.iter().map(|(uuid, _)| uuid.clone()).collect();
    let on = lab.vcenter.console(Actor::Operator);
    on.take_snapshot("web01", "old").unwrap();
    vc.remove_all_snapshots(&web).await?;
    vc.power_on(&web).await?;
    vc.power_off(&web).await?;
    let web = vc.vm(&web.moref).await?;
    vc.detach_disks(&web, &ids).await?;
    vc.attach_disks(&mt, &files).await?;
    let spec = NewVm {
        name: "new01".into(),
        uuid: "42000000-0000-0000-0000-00000000000c".into(),
        host: web.host_ref.clone(),
        datastore: "ds-prod".into(),
        guest_id: web.guest_id.clone(),
        memory_mb: 1024,
        disks: vec![1 << 20],
        extra_config: web.extra_config.clone(),
    };
    let made = vc.create_vm(&spec).await?;
    assert_eq!(made.disks.len(), 1);
    vc.destroy_vm(&web).await?;
    vc.logout().await
}

/// The final state, without what a file's place in the order of requests decides.
fn end(lab: &Lab) -> serde_json::Value {
    let mut seen = lab.vcenter.observe();
    seen.as_object_mut().unwrap().remove("sessions");
    for vmdk in seen["vmdks"].as_array_mut().unwrap() {
        let path = vmdk["path"].as_str().unwrap_or_default().to_owned();
        if path.contains("new01") {
            vmdk["uuid"] = "new".into();
        }
    }
    for vm in seen["vms"].as_array_mut().unwrap() {
        if vm["name"] == "new01" {
            vm["disks"][0]["uuid"] = "new".into();
        }
    }
    seen
}

#[tokio::test(start_paused = true)]
async fn whatever_gets_lost_the_work_converges() {
    let lab = Lab::new();
    work(&lab.client(), &lab).await.unwrap();
    assert_eq!(lab.sessions(), 0);
    let expected = end(&lab);
    let calls = lab.wire.calls.lock().unwrap().clone();
    assert!(calls["ReconfigVM_Task"] == 2 && calls["WaitForUpdatesEx"] > 7, "{calls:?}");
    let mut runs = 0;
    for (operation, count) in calls {
        for k in 1..=count {
            for loss in [Loss::Request, Loss::Reply] {
                let lab = Lab::new();
                *lab.wire.loss.lock().unwrap() = Some(((operation, k), loss));
                let done = work(&lab.client(), &lab).await;
                assert_eq!(done, Ok(()), "{operation} {k} {loss:?}");
                assert_eq!(end(&lab), expected, "{operation} {k} {loss:?}");
                runs += 1;
            }
        }
    }
    assert!(runs > 150, "{runs}");
}

#[tokio::test(start_paused = true)]
async fn a_task_is_followed_through_an_outage_and_a_crash() {
    for crash in [false, true] {
        let lab = Lab::new();
        let vc = lab.client();
        let web = vc.vm_by_name("web01").await.unwrap();
        let ((), done) = tokio::join!(
            async {
                tokio::time::sleep(Duration::from_millis(500)).await;
                if crash {
                    lab.restart();
                } else {
                    lab.vcenter.console(Actor::Fault).service_down();
                    tokio::time::sleep(Duration::from_secs(20)).await;
                    lab.vcenter.console(Actor::Fault).service_up();
                }
            },
            vc.power_on(&web)
        );
        done.unwrap();
        assert_eq!(vc.vm(&web.moref).await.unwrap().power, Power::On);
        vc.logout().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_vcenter_that_stays_away_is_unavailable_and_the_next_try_finds_the_work_done() {
    let lab = Lab::new();
    let vc = lab.client();
    let web = vc.vm_by_name("web01").await.unwrap();
    let ((), failed) = tokio::join!(
        async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            lab.vcenter.console(Actor::Fault).service_down();
        },
        vc.power_on(&web)
    );
    assert!(matches!(failed, Err(VcenterError::Unavailable(_))), "{failed:?}");
    assert!(matches!(vc.check_connected().await, Err(VcenterError::Unavailable(_))));
    lab.vcenter.console(Actor::Fault).service_up();
    vc.power_on(&vc.vm(&web.moref).await.unwrap()).await.unwrap();
    assert_eq!(lab.wire.calls.lock().unwrap()["PowerOnVM_Task"], 1);
}

#[tokio::test(start_paused = true)]
async fn the_deadline_of_a_task_is_kept() {
    let lab = Lab::new();
    let vc = lab.client().with_task_deadline(Duration::from_secs(1));
    let web = vc.vm_by_name("web01").await.unwrap();
    let begun = tokio::time::Instant::now();
    // The first wait ends too early; the state tells that the work went on.
    vc.power_on(&web).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(10));
}
