//! A scripted world for tests of the core: steps that set and clear flags at a server that survives
//! crashes, and preconditions and looks that say what the test wants.

use crate::config::Config;
use crate::journal::{Fact, Item, ItemDisk, Leg, Operation, ProtectionState, Rest, ServerRef, Verb};
use crate::service::{Familiar, Orchestrator, Roll, Services};
use crate::workflow::{
    Book, Checked, Finding, Glance, Recovery, Request, Step, StepCtx, StepError, StepResult, Workflow,
};
use axum::body::Body;
use bytes::Bytes;
use failback_wire::clock::{Clock, VirtualMs};
use failback_wire::env::Env;
use failback_wire::error::{Class, ErrorDoc, Report};
use failback_wire::event::{Event, EventSink, Events, Mark, PointKind, What};
use failback_wire::http::{BoxFuture, Call, Http, HttpError, Method, Response, StatusCode, Transport};
use failback_wire::ids::{DiskId, MachineName, NodeName, PointId, SessionId, Site, VmdkUuid};
use failback_wire::node::{Ctx, Fence};
use failback_wire::proto::session::{
    Direction, DiskProgress, Phase, Point, SessionDisk, SessionSpec, SessionView, SyncMode, TargetDisk,
};
use failback_wire::store::{CommitHook, NoHook};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tower::ServiceExt;

pub(crate) static BROKEN: ErrorDoc = ErrorDoc {
    code: "T1",
    title: "the demo refuses",
    causes: &["the test says so"],
    action: "Change the test.",
    class: Class::Operator,
    keys: &[],
};

/// The server that steps act on. It outlives every epoch of the orchestrator.
#[derive(Default)]
pub(crate) struct Demo {
    /// What is set: `web01/reserve`.
    pub(crate) set: Mutex<BTreeSet<String>>,
    /// Every call: `PUT web01/reserve`, with its time.
    pub(crate) calls: Mutex<Vec<(String, u64)>>,
    /// Answers to give instead, by call, and how many times.
    pub(crate) faults: Mutex<BTreeMap<String, (u16, u32)>>,
    clock: Mutex<Option<Clock>>,
}

impl Transport for Demo {
    fn call(&self, _: &Fence, call: Call) -> BoxFuture<'static, Result<Response<Bytes>, HttpError>> {
        let name = call.request.uri().path().trim_start_matches('/').to_owned();
        let text = format!("{} {name}", call.request.method());
        let now = self.clock.lock().unwrap().map_or(0, |clock| clock.now().0);
        self.calls.lock().unwrap().push((text.clone(), now));
        let fault = match self.faults.lock().unwrap().get_mut(&text) {
            Some((status, left)) if *left > 0 => {
                *left -= 1;
                Some(*status)
            }
            Some(_) | None => None,
        };
        if fault.is_none() {
            let mut set = self.set.lock().unwrap();
            if call.request.method() == Method::DELETE {
                set.remove(&name)
            } else {
                set.insert(name)
            };
        }
        let mut reply = Response::new(Bytes::new());
        *reply.status_mut() = StatusCode::from_u16(fault.unwrap_or(200)).unwrap();
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(1)).await;
            Ok(reply)
        })
    }
}

/// What the test says about preconditions and sessions.
#[derive(Default)]
pub(crate) struct Script {
    /// Codes to refuse with, by machine.
    pub(crate) refuse: Mutex<BTreeMap<String, Vec<Report>>>,
    /// What looks bring, by machine.
    pub(crate) glances: Mutex<BTreeMap<String, Glance>>,
}

async fn ask(c: &StepCtx<'_>, method: Method) -> Result<(), StepError> {
    let step = c.key.rsplit('/').next().unwrap();
    let request =
        ::http::Request::builder().method(method).uri(format!("http://demo/{}/{step}", c.item.name));
    let call = Call {
        operation: "demo",
        timeout: Duration::from_secs(60),
        request: request.body(Bytes::new()).unwrap(),
    };
    let error = |class| StepError::new(&BROKEN, c.item.name.as_str(), step).with_class(class);
    match c.services.ctx.http.send(call).await.map(|reply| reply.status().as_u16()) {
        Ok(200) => Ok(()),
        Ok(503) => Err(error(Class::Retry)),
        Ok(425) => Err(error(Class::Wait)),
        Ok(500) => panic!("the demo step has a defect"),
        Ok(504) => {
            std::future::pending::<()>().await;
            Ok(())
        }
        Ok(_) | Err(_) => Err(error(Class::Operator)),
    }
}

fn run<'a>(c: &'a StepCtx<'a>) -> BoxFuture<'a, StepResult> {
    Box::pin(async move {
        ask(c, Method::PUT).await?;
        Ok(vec![Fact::Note { key: c.key.rsplit('/').next().unwrap().into(), value: c.id("x") }])
    })
}

fn undo<'a>(c: &'a StepCtx<'a>) -> BoxFuture<'a, StepResult> {
    Box::pin(async move {
        ask(c, Method::DELETE).await?;
        Ok(vec![Fact::NoteCleared(c.key.rsplit('/').next().unwrap().into())])
    })
}

fn open<'a>(c: &'a StepCtx<'a>) -> BoxFuture<'a, StepResult> {
    Box::pin(async move {
        ask(c, Method::PUT).await?;
        // Whatever runs on-premises replicates to Azure next.
        let forward = c.item.active == Site::OnPremises;
        let disk = DiskId::new(format!("{}-disk0", c.item.name));
        let vmdk = VmdkUuid::new("6000C29a-0");
        let spec = spec(&c.item.name, forward, c.item.epoch + 1);
        Ok(vec![
            Fact::Decided { disk: disk.clone(), decision: "all of it: it is new".into(), gives_up: !forward },
            Fact::Disks(vec![ItemDisk { disk, size: 1 << 20, vmdk, rdm: false }]),
            Fact::ProcessServer(ServerRef { id: "ps-1".into(), address: "ps".into() }),
            Fact::SessionOpened(spec),
        ])
    })
}

pub(crate) fn spec(name: &MachineName, forward: bool, epoch: u64) -> SessionSpec {
    SessionSpec {
        session: SessionId::new(format!("{name}-{epoch}")),
        machine: name.clone(),
        direction: if forward { Direction::Forward } else { Direction::Reverse },
        epoch,
        disks: vec![SessionDisk {
            disk: DiskId::new(format!("{name}-disk0")),
            size: 1 << 20,
            target: TargetDisk::SeedBlob("http://blob".into()),
        }],
        sync: SyncMode::Full,
        relay: "ps".into(),
        target: "service".into(),
        crash_interval_s: 300,
        app_interval_s: 3600,
        retention_s: 86_400,
        resync: Default::default(),
        compress: false,
        group: None,
    }
}

const fn step(id: &'static str, task: &'static str, recovery: Recovery) -> Step {
    Step { id, task, title: task, run, recovery }
}

const STEPS: &[Step] = &[
    step("look", "PrepareTask", Recovery::Nothing),
    step("reserve", "PrepareTask", Recovery::Undo(undo)),
    step("claim", "ClaimTask", Recovery::Undo(undo)),
    step("switch", "SwitchTask", Recovery::Forward),
    step("boot", "StartVmOnSecondary", Recovery::Forward),
];
const OPEN: &[Step] = &[
    step("reserve", "PrepareTask", Recovery::Undo(undo)),
    Step {
        id: "open",
        task: "ProtectReplicaTask",
        title: "Reprotecting",
        run: open,
        recovery: Recovery::Undo(undo),
    },
];
const COMMIT: &[Step] = &[step("commit", "VmCommit", Recovery::Forward)];

const fn flow(
    operation: Operation,
    scenario: &'static str,
    states: (ProtectionState, ProtectionState, Option<ProtectionState>),
    leg: Leg,
    active: Site,
    steps: &'static [Step],
) -> Workflow {
    let boot_from = if steps.len() == 5 { Some("boot") } else { None };
    Workflow {
        operation,
        scenario,
        friendly: "Demo",
        precheck: ("PreflightTask", "Prerequisite check"),
        running: states.0,
        success: Rest { state: states.1, leg, active },
        failure: states.2,
        boot_from,
        steps,
    }
}

use ProtectionState as P;
const FAILOVER: (P, P, Option<P>) = (
    P::UnplannedFailoverInProgress,
    P::UnplannedFailoverCommitPendingStatesBegin,
    Some(P::UnplannedFailoverFailed),
);
const REPROTECT: (P, P, Option<P>) =
    (P::ReprotectInProgress, P::InitialReplicationInProgress, Some(P::ReprotectFailed));
const COMMITTED: (P, P, Option<P>) = (P::CommitInProgress, P::UnplannedFailoverCommitted, None);
const ENABLED: (P, P, Option<P>) =
    (P::EnablingInProgress, P::InitialReplicationInProgress, Some(P::EnablingFailed));

const LEFT: (P, P, Option<P>) = (P::DisablingInProgress, P::UnprotectedStatesBegin, Some(P::DisablingFailed));

static FLOWS: [Workflow; 10] = [
    flow(Operation::EnableProtection, "EnableDr", ENABLED, Leg::Forward, Site::OnPremises, OPEN),
    flow(Operation::Failover, "UnplannedFailover", FAILOVER, Leg::Forward, Site::Azure, STEPS),
    flow(Operation::Commit, "CommitFailover", COMMITTED, Leg::Forward, Site::Azure, COMMIT),
    flow(
        Operation::Reprotect,
        "SwitchReplicationGroupProtection",
        REPROTECT,
        Leg::Reverse,
        Site::Azure,
        OPEN,
    ),
    flow(Operation::Failback, "UnplannedFailover", FAILOVER, Leg::Reverse, Site::OnPremises, STEPS),
    flow(Operation::CommitBack, "CommitFailover", COMMITTED, Leg::Reverse, Site::OnPremises, COMMIT),
    flow(
        Operation::ReprotectForward,
        "SwitchReplicationGroupProtection",
        REPROTECT,
        Leg::Forward,
        Site::OnPremises,
        OPEN,
    ),
    flow(Operation::Disable, "DisableDr", LEFT, Leg::Forward, Site::OnPremises, COMMIT),
    flow(Operation::Purge, "DisableDr", LEFT, Leg::Forward, Site::OnPremises, COMMIT),
    flow(Operation::CompleteMigration, "DisableDr", LEFT, Leg::Forward, Site::OnPremises, COMMIT),
];

impl Book for Script {
    fn workflow(&self, operation: Operation, _: Verb) -> &'static Workflow {
        FLOWS.iter().find(|flow| flow.operation == operation).unwrap()
    }
    fn precheck<'a>(&'a self, _: &'a Services, request: &'a Request) -> BoxFuture<'a, Checked> {
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(1)).await;
            let refuse = self.refuse.lock().unwrap();
            let mut refusals = Vec::new();
            for (name, member) in &request.members {
                refusals.extend(refuse.get(name.as_str()).cloned().unwrap_or_default());
                refusals.extend(
                    member
                        .errors
                        .iter()
                        .filter(|_| member.health == crate::journal::Health::Critical)
                        .cloned(),
                );
            }
            Checked { refusals, ..Checked::default() }
        })
    }
    fn glance<'a>(
        &'a self,
        _: &'a Services,
        item: &'a Item,
        _: &'a Familiar<'a>,
        _: &'a Roll,
    ) -> BoxFuture<'a, Glance> {
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(1)).await;
            let mut glance =
                self.glances.lock().unwrap().get(item.name.as_str()).cloned().unwrap_or_default();
            if let (Some(view), Some(spec)) = (&mut glance.view, item.session()) {
                view.session = spec.session.clone();
            }
            glance
        })
    }
}

/// A session's answer with points at these times (in ms), all disks synchronised.
pub(crate) fn seen(machine: &str, points: &[u64]) -> Glance {
    let point = |time: &u64| Point {
        point: PointId::new(format!("{machine}-p{time}")),
        mark: Mark(*time),
        kind: PointKind::Crash,
        time: VirtualMs(*time),
        group: false,
        snapshots: Vec::new(),
    };
    let disk = DiskId::new(format!("{machine}-disk0"));
    let view = SessionView {
        session: SessionId::new("replaced"),
        epoch: 1,
        phase: Phase::Replicating,
        applied: 0,
        received: 0,
        last_mark: points.last().map(|time| VirtualMs(*time)),
        points: points.iter().map(point).map(Arc::new).collect(),
        disks: vec![DiskProgress { disk: Some(disk), synced: true, ..DiskProgress::default() }],
        rolled_to: None,
        resync_required: None,
        refuses: None,
        thinned: Vec::new(),
        kept: None,
    };
    Glance { view: Some(view), findings: Vec::new() }
}

/// Silence of the session's end.
pub(crate) fn silence(code_of: &'static ErrorDoc) -> Glance {
    let report = Report::new(code_of, "ps-1", "");
    let health = crate::journal::Health::Critical;
    Glance { view: None, findings: vec![Finding { report, health, since: None, at_once: false }] }
}

/// Events, in order.
#[derive(Default)]
pub(crate) struct Log(pub(crate) Mutex<Vec<Event>>);

impl EventSink for Log {
    fn take(&self, at: VirtualMs, node: &NodeName, what: What) {
        let mut log = self.0.lock().unwrap();
        let seq = log.len() as u64;
        log.push(Event { at, node: node.clone(), seq, what });
    }
}

/// The world of one test.
pub(crate) struct World {
    pub(crate) demo: Arc<Demo>,
    pub(crate) script: Arc<Script>,
    pub(crate) log: Arc<Log>,
    clock: Clock,
    epoch: Mutex<u64>,
}

impl World {
    pub(crate) fn new() -> Self {
        let clock = Clock::default();
        let demo = Demo { clock: Mutex::new(Some(clock)), ..Demo::default() };
        Self {
            demo: Arc::new(demo),
            script: Arc::default(),
            log: Arc::default(),
            clock,
            epoch: Mutex::new(0),
        }
    }
    /// Starts the next epoch.
    pub(crate) fn start(&self, image: Option<&[u8]>, hook: Arc<dyn CommitHook>) -> Node {
        self.start_with(Config::default(), image, hook)
    }
    fn start_with(&self, config: Config, image: Option<&[u8]>, hook: Arc<dyn CommitHook>) -> Node {
        let mut epoch = self.epoch.lock().unwrap();
        *epoch += 1;
        let fence = Fence::new(NodeName::new("orchestrator"), *epoch);
        let ctx = Ctx {
            fence: fence.clone(),
            clock: self.clock,
            env: Env::new(7),
            http: Http::new(fence.clone(), self.demo.clone()),
            events: Events::new(self.log.clone()),
        };
        let node = Orchestrator::start_with(ctx, config, image, hook, self.script.clone()).unwrap();
        Node { node, fence }
    }
    /// Starts the next epoch, in which the n-th step from now on fails.
    pub(crate) fn rehearse(&self, before: Node, nth: u64) -> Node {
        let done =
            |job: &crate::journal::Job| job.members.values().map(|m| m.steps.len() as u64).sum::<u64>();
        let steps = before.node.journal().read(|state| state.jobs.values().map(done).sum::<u64>());
        before.fence.kill();
        let mut config = Config::default();
        config.knobs.rehearsal.fail_step = Some(steps + nth);
        self.start_with(config, Some(&before.node.image().unwrap()), Arc::new(NoHook))
    }
    pub(crate) fn fresh(&self) -> Node {
        self.start(None, Arc::new(NoHook))
    }
    /// The demo answers this call with `status`, `times` times.
    pub(crate) fn fault(&self, call: &str, status: u16, times: u32) {
        self.demo.faults.lock().unwrap().insert(call.into(), (status, times));
    }
    pub(crate) fn is_set(&self, name: &str) -> bool {
        self.demo.set.lock().unwrap().contains(name)
    }
    pub(crate) fn events(&self) -> Vec<What> {
        self.log.0.lock().unwrap().iter().map(|event| event.what.clone()).collect()
    }
    /// Looks at this machine bring points at these times from now on.
    pub(crate) fn points(&self, machine: &str, times: &[u64]) {
        self.script.glances.lock().unwrap().insert(machine.into(), seen(machine, times));
    }
}

/// One epoch of the orchestrator under test.
pub(crate) struct Node {
    pub(crate) node: Arc<Orchestrator>,
    pub(crate) fence: Fence,
}

/// A reply of the API.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: axum::http::HeaderMap,
    pub(crate) body: Value,
}

pub(crate) const VAULT: &str = "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/lab-rg/\
                                providers/Microsoft.RecoveryServices/vaults/lab-vault";

pub(crate) fn item_path(name: &str) -> String {
    format!(
        "{VAULT}/replicationFabrics/lab-cs/replicationProtectionContainers/lab-container/\
         replicationProtectedItems/{name}"
    )
}

impl Node {
    /// One call with a token and an api-version; `id` is the client's name of the request.
    pub(crate) async fn call(&self, method: &str, path: &str, body: Value, id: Option<&str>) -> Reply {
        let glue = if path.contains('?') { '&' } else { '?' };
        let mut request = axum::http::Request::builder()
            .method(method)
            .uri(format!("http://orchestrator{path}{glue}api-version=2025-08-01"))
            .header("authorization", "Bearer x");
        if let Some(id) = id {
            request = request.header("x-ms-client-request-id", id);
        }
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        self.raw(request.body(body).unwrap()).await
    }
    pub(crate) async fn raw(&self, request: axum::http::Request<Body>) -> Reply {
        let reply = self.node.router().oneshot(request).await.unwrap();
        let (head, body) = reply.into_parts();
        let bytes = axum::body::to_bytes(body, 1 << 24).await.unwrap();
        let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
        Reply { status: head.status.as_u16(), headers: head.headers, body }
    }
    pub(crate) async fn get(&self, path: &str) -> Value {
        let reply = self.call("GET", path, Value::Null, None).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.body);
        reply.body
    }
    pub(crate) async fn post(&self, path: &str, body: Value) -> Reply {
        self.call("POST", path, body, None).await
    }
    pub(crate) fn item(&self, name: &str) -> Arc<Item> {
        self.node.journal().read(|state| state.items[&MachineName::new(name)].clone())
    }
    /// Waits until no job is open, or the node is dead, or 3 hours have passed.
    pub(crate) async fn settle(&self) {
        for _ in 0..3 * 3600 {
            let open = |state: &crate::journal::State| state.jobs.values().any(crate::journal::Job::is_open);
            if !self.fence.alive() || !self.node.journal().read(open) {
                return;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        panic!("a job is still open");
    }
    /// Sends an operation, expects 202, waits for its end, returns the job as clients see it.
    pub(crate) async fn done(&self, path: &str, body: Value) -> Value {
        let reply = self.post(path, body).await;
        assert_eq!(reply.status, 202, "{path}: {}", reply.body);
        self.settle().await;
        let job = reply.headers["x-ms-request-id"].to_str().unwrap().to_owned();
        self.get(&job).await
    }
    /// Brings machines under protection, up to their first recovery point.
    pub(crate) async fn protect(&self, world: &World, names: &[&str]) {
        for name in names {
            let body = serde_json::json!({"properties": {
                "policyId": "p", "providerSpecificDetails": {"instanceType": "InMageAzureV2"}}});
            let reply = self.call("PUT", &item_path(name), body, None).await;
            assert_eq!(reply.status, 202, "{}", reply.body);
            world.points(name, &[1]);
        }
        self.settle().await;
        tokio::time::sleep(Duration::from_secs(301)).await;
        for name in names {
            assert_eq!(self.item(name).state, P::Protected);
        }
    }
}
