//! Operations: what the operator asks of the product, and how it must end.

use super::client::{Answer, JobView, body};
use super::play::{Driver, Refusal};
use super::points;
use super::steps::{At, LOOK, ProtectUnder, Stop};
use crate::report::outcome::{Finding, FindingKind};
use crate::scenario::estate::{Os, Side};
use crate::scenario::inventory::{Inventory, Machine};
use crate::scenario::model::{
    EnableProtection, Ending, Leave, MemberInputs, MoveProcessServer, PolicyChange, PolicyStep, Reprotect,
    ReprotectInputs, Step, Verb,
};
use crate::scenario::text::Name;
use crate::world::BUILT_IN_PROCESS_SERVER;
use failback_wire::error::Report;
use failback_wire::http::Method;
use failback_wire::ids::{DiskId, GroupName, MachineName};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until};

/// How often the operator looks whether a job runs.
const GLANCE: Duration = Duration::from_secs(1);

/// How an operation ended.
pub(super) enum Ended {
    Succeeded,
    /// Codes, and the first error in full.
    Refused(Vec<String>, Option<Report>),
    /// Waits for a person to do this.
    Paused(String),
    /// The errors with their tasks.
    Failed(Vec<(String, Report)>),
    /// Somebody asked the job to stop; the errors with their tasks.
    Cancelled(Vec<(String, Report)>),
    /// The job runs.
    Started,
    /// It runs for longer than it may: what it was last seen at.
    NotInTime(String),
}

/// What is asked: method, path, body, how it must end.
pub(super) struct Asked<'a> {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) body: Value,
    pub(super) expect: &'a Ending,
    pub(super) within: Duration,
}

impl Driver<'_> {
    /// Sends a request until it is answered: the product may be down for a moment.
    pub(super) async fn request(
        &mut self,
        at: At,
        method: Method,
        path: &str,
        body: &Value,
    ) -> Result<Answer, Stop> {
        self.requests += 1;
        if let Some(twin) = self.script.twin.clone().filter(|twin| twin.omit == self.requests) {
            for look in twin.looks {
                sleep_until(self.world.clock.instant(look)).await;
                self.observed.push(self.world.observe());
            }
            return Err(Stop::Twin);
        }
        let id = format!("request-{}", self.requests);
        let deadline = Instant::now() + Duration::from_secs(15 * 60);
        loop {
            match self.client.operate(method.clone(), path, &id, body).await {
                Ok(answer) => return Ok(answer),
                Err(error) if Instant::now() >= deadline => {
                    let text = format!("{path}: {error}");
                    return Err(self.fail(at, Finding::new(FindingKind::ExpectationFailed, text)));
                }
                Err(_) => sleep(LOOK).await,
            }
        }
    }

    /// Waits for the job to be over.
    async fn job(&self, job: &str, within: Duration) -> Option<JobView> {
        let deadline = Instant::now() + within;
        loop {
            match self.client.job(job).await {
                Ok(view) if view.over() => return Some(view),
                Ok(_) | Err(_) if Instant::now() >= deadline => return None,
                Ok(_) | Err(_) => sleep(LOOK).await,
            }
        }
    }

    pub(super) async fn ended(&self, answer: Answer, within: Duration) -> Ended {
        let job = match answer {
            Answer::Done => return Ended::Succeeded,
            Answer::Refused(codes, report) => return Ended::Refused(codes, report),
            Answer::Accepted(job) => job,
        };
        let Some(view) = self.job(&job, within).await else {
            return Ended::NotInTime(self.not_in_time(within));
        };
        if let Some(action) = view.paused() {
            return Ended::Paused(action.to_owned());
        }
        if view.state == "Succeeded" {
            return Ended::Succeeded;
        }
        if view.state == "Cancelled" {
            return Ended::Cancelled(view.errors);
        }
        if view.refused() {
            let codes = view.errors.iter().map(|(_, report)| report.code.clone()).collect();
            return Ended::Refused(codes, view.errors.into_iter().next().map(|(_, report)| report));
        }
        Ended::Failed(view.errors)
    }

    pub(super) async fn expect_success(
        &mut self,
        at: At,
        method: Method,
        path: String,
        body: Value,
        within: Duration,
    ) -> Result<(), Stop> {
        let asked = Asked { method, path, body, expect: &Ending::Succeeded, within };
        self.carry_out(at, &asked).await
    }

    /// The same of several requests, given by path, body and time: all are sent, then all are waited for.
    pub(super) async fn expect_successes(
        &mut self,
        at: At,
        method: &Method,
        asked: Vec<(String, Value, Duration)>,
    ) -> Result<(), Stop> {
        let [(path, body, within)] = asked.as_slice() else {
            let mut answers = Vec::with_capacity(asked.len());
            for (path, body, within) in asked {
                answers.push((self.request(at, method.clone(), &path, &body).await?, within));
            }
            for (answer, within) in answers {
                let ended = self.ended(answer, within).await;
                self.judge_ending(at, &Ending::Succeeded, ended)?;
            }
            return Ok(());
        };
        self.expect_success(at, method.clone(), path.clone(), body.clone(), *within).await
    }

    pub(super) async fn operate(&mut self, at: At, step: &Step) -> Result<(), Stop> {
        let mut asked = self.asked(step);
        self.fill_in_point(step, &mut asked.body).await;
        if let Step::EnableProtection(protect) = step {
            let named = asked.body["properties"]["providerSpecificDetails"]["multiVmGroupName"].as_str();
            let (item, group) = (MachineName::from(protect.item.value.as_str()), named.map(GroupName::from));
            self.world.recorder.oracle(|oracle| oracle.asks_group(&item, group));
        }
        if let Step::Reprotect(reprotect) = step {
            self.tell_what_stays(reprotect);
        }
        self.carry_out(at, &asked).await
    }

    /// Tells the oracle which disks a reprotect home leaves out, of every machine that it is asked for.
    fn tell_what_stays(&self, step: &Reprotect) {
        if step.to != Side::OnPremises {
            return;
        }
        let plan = step.plan.as_ref().and_then(|plan| self.plan_now(&plan.value));
        let members: Vec<&str> = match (&step.item, &plan) {
            (Some(item), _) => vec![item.value.as_str()],
            (None, plan) => plan.iter().flat_map(|plan| plan.members()).collect(),
        };
        let inventory = &self.checked.inventory;
        let asked = |name: &str| members.iter().any(|member| inventory.names(member, name));
        for machine in inventory.machines.iter().filter(|machine| asked(&machine.name)) {
            let Some(using) = self.inputs_of(step, &machine.name) else { continue };
            let all = (0..machine.disks.len()).map(|n| format!("{}-disk{n}", machine.name));
            let stays = |disk: &String| {
                using.disks.as_ref().is_some_and(|named| named.iter().all(|name| name.value != *disk))
            };
            let left: Vec<DiskId> = all.filter(stays).map(DiskId::new).collect();
            let item = machine.name.as_str().into();
            self.world.recorder.oracle(|oracle| oracle.asks_home_without(&item, &left));
        }
    }

    /// Asks, waits, judges. What failed in a rehearsal is looked at, then the same is asked a second time.
    pub(super) async fn carry_out(&mut self, at: At, asked: &Asked<'_>) -> Result<(), Stop> {
        let mut ended = self.attempt(at, asked).await?;
        if matches!(ended, Ended::Failed(_)) && self.met_setback() {
            ended = self.attempt(at, asked).await?;
        }
        if matches!(ended, Ended::Refused(..)) {
            let observed = self.world.observe();
            self.refusals.push(Refusal::new(self.requests, at.step(), self.world.clock.now(), observed));
        }
        self.judge_ending(at, asked.expect, ended)
    }

    async fn attempt(&mut self, at: At, asked: &Asked<'_>) -> Result<Ended, Stop> {
        let answer = self.request(at, asked.method.clone(), &asked.path, &asked.body).await?;
        if let (Answer::Accepted(job), Some(target)) = (&answer, self.target_at(at)) {
            self.jobs.insert(target, job.clone());
        }
        if matches!(asked.expect, Ending::Started) {
            return Ok(self.started(asked, answer).await);
        }
        let ended = self.ended(answer.clone(), asked.within).await;
        if let Answer::Accepted(job) = &answer {
            self.judge_rest(at, job);
        }
        Ok(ended)
    }

    pub(super) fn judge_ending(&mut self, at: At, expect: &Ending, ended: Ended) -> Result<(), Stop> {
        let wanted = match expect {
            Ending::Succeeded => "the job succeeds".to_owned(),
            Ending::Refused(r) if r.codes.is_empty() => {
                format!("refused with at least {}", sorted(r.includes.iter().map(|c| &c.value)))
            }
            Ending::Refused(r) => {
                let codes = sorted(r.codes.iter().map(|c| &c.value));
                let beneath = r.beneath.iter().map(|c| c.value.as_str()).collect();
                format!("refused with {codes}{}", stands_for(&beneath))
            }
            Ending::Failed(f) => {
                let wanted = failed(&f.code.value, f.task.as_ref().map(|t| t.value.as_str()));
                f.also.iter().fold(wanted, |wanted, code| format!("{wanted}, and shows {code}"))
            }
            Ending::Started => "the job runs".to_owned(),
            Ending::Paused(p) => format!("the job waits for {}", p.action),
        };
        let names_task = matches!(expect, Ending::Failed(f) if f.task.is_some());
        let (shown, error) = match ended {
            Ended::Succeeded => ("the job succeeds".to_owned(), None),
            Ended::Refused(codes, _) if included(expect, &codes) => (wanted.clone(), None),
            Ended::Refused(codes, error) => {
                let asked = matches!(expect, Ending::Refused(r) if !r.beneath.is_empty());
                let beneath = error.iter().flat_map(|error| &error.beneath).filter(|_| asked);
                let beneath = stands_for(&beneath.map(|report| report.code.as_str()).collect());
                (format!("refused with {}{beneath}", sorted(codes.iter())), error)
            }
            Ended::Failed(mut errors) if !errors.is_empty() => {
                let (task, error) = errors.remove(0);
                let shown = failed(&error.code, names_task.then_some(task.as_str()));
                (also(expect, shown, &errors), Some(error))
            }
            Ended::Paused(action) => (format!("the job waits for {action}"), None),
            Ended::Failed(_) => ("the job fails without an error".to_owned(), None),
            Ended::Cancelled(_) => ("the job is cancelled".to_owned(), None),
            Ended::Started => ("the job runs".to_owned(), None),
            Ended::NotInTime(shown) => (shown, None),
        };
        if wanted == shown {
            return Ok(());
        }
        let finding = Finding::new(FindingKind::ExpectationFailed, "the operation ended otherwise");
        Err(self.fail(at, finding.compared(wanted, shown).because(error)))
    }

    fn asked<'a>(&self, step: &'a Step) -> Asked<'a> {
        let path = |item: &Option<Name>, plan: &Option<Name>, verb: &str| self.target_path(item, plan, verb);
        let verb = |verb: Verb| match verb {
            Verb::Planned => "plannedFailover",
            Verb::Unplanned => "unplannedFailover",
        };
        match step {
            Step::Failover(s) => Asked {
                method: Method::POST,
                path: path(&s.item, &s.plan, verb(s.verb)),
                body: body::failover(
                    s.verb == Verb::Planned,
                    &points::to(s.point, &self.address(s.item.as_ref(), s.address.as_ref())),
                    s.shutdown_source,
                ),
                expect: &s.expect,
                within: s.within.duration(),
            },
            Step::Failback(s) => Asked {
                method: Method::POST,
                path: path(&s.item, &s.plan, verb(s.verb)),
                body: body::failback(s.plan.is_some(), &points::backward(s.point)),
                expect: &s.expect,
                within: s.within.duration(),
            },
            Step::Reprotect(s) => Asked {
                method: Method::POST,
                path: path(&s.item, &s.plan, "reProtect"),
                body: self.reprotect_body(s),
                expect: &s.expect,
                within: s.within.duration(),
            },
            Step::Commit(s) => Asked {
                method: Method::POST,
                path: path(&s.item, &s.plan, "failoverCommit"),
                body: Value::Null,
                expect: &s.expect,
                within: s.within.duration(),
            },
            Step::EnableProtection(s) => self.enable(s),
            Step::DisableProtection(s) => self.leave(s, Some("NotSpecified")),
            Step::CompleteMigration(s) => self.leave(s, Some("MigrationComplete")),
            Step::RemoveProtection(s) => self.leave(s, None),
            Step::Policy(s) => self.policy(s),
            Step::RenewCertificate(s) => Asked {
                method: Method::POST,
                path: self.client.fabric_path("renewCertificate"),
                body: json!({ "properties": { "renewCertificateType": "Cloud" } }),
                expect: &s.expect,
                within: Duration::from_secs(600),
            },
            Step::TestFailover(_)
            | Step::CleanUpTestFailover(_)
            | Step::ChangeRecoveryPoint(_)
            | Step::MoveProcessServer(_)
            | Step::Resynchronise(_)
            | Step::RestartJob(_) => self.asked_beside(step),
            Step::Cancel(_)
            | Step::SavePlan(_)
            | Step::Confirm(_)
            | Step::Wait(_)
            | Step::WaitUntil(_)
            | Step::Write(_)
            | Step::Inject(_)
            | Step::Arm(_)
            | Step::Clear(_)
            | Step::Operator(_)
            | Step::Crash(_)
            | Step::Restart(_)
            | Step::Check(_) => unreachable!("only operations are asked of the product"),
        }
    }

    /// The same of what leaves production where it is.
    #[expect(clippy::wildcard_enum_match_arm, reason = "only these steps come here")]
    fn asked_beside<'a>(&self, step: &'a Step) -> Asked<'a> {
        let path = |item: &Option<Name>, plan: &Option<Name>, verb: &str| self.target_path(item, plan, verb);
        match step {
            Step::TestFailover(s) => Asked {
                method: Method::POST,
                path: path(&s.item, &s.plan, "testFailover"),
                body: {
                    // In no network there is no card that could have an address.
                    let item = s.item.as_ref().filter(|_| s.network.is_some());
                    let point = points::to(s.point, &self.address(item, s.address.as_ref()));
                    body::test_failover(&point, Self::network(s))
                },
                expect: &s.expect,
                within: s.within.duration(),
            },
            Step::CleanUpTestFailover(s) => Asked {
                method: Method::POST,
                path: path(&s.item, &s.plan, "testFailoverCleanup"),
                body: json!({ "properties": { "comments": "done" } }),
                expect: &s.expect,
                within: s.within.duration(),
            },
            Step::ChangeRecoveryPoint(s) => Asked {
                method: Method::POST,
                path: path(&s.item, &None, "applyRecoveryPoint"),
                body: body::change_point(),
                expect: &s.expect,
                within: s.within.duration(),
            },
            Step::MoveProcessServer(s) => Asked {
                method: Method::POST,
                path: self.client.fabric_path("reassociateGateway"),
                body: self.move_body(s),
                expect: &s.expect,
                within: s.within.duration(),
            },
            Step::Resynchronise(s) => Asked {
                method: Method::POST,
                path: format!("{}/repairReplication", self.client.item_path(&s.item.value)),
                body: Value::Null,
                expect: &s.expect,
                within: s.within.duration(),
            },
            Step::RestartJob(s) => {
                let name = s.item.as_ref().or(s.plan.as_ref()).map(|name| name.value.as_str());
                let job = name.and_then(|name| self.jobs.get(name)).map(String::as_str);
                Asked {
                    method: Method::POST,
                    path: format!("{}/restart", self.client.job_path(job.unwrap_or("none"))),
                    body: Value::Null,
                    expect: &s.expect,
                    within: s.within.duration(),
                }
            }
            _ => unreachable!("only such operations are asked for here"),
        }
    }

    fn move_body(&self, step: &MoveProcessServer) -> Value {
        let machines: Vec<String> = step.item.iter().map(|item| self.client.item_path(&item.value)).collect();
        json!({ "properties": {
            "sourceProcessServerId": step.from.value,
            "targetProcessServerId": step.to.value,
            "vmsToMigrate": machines,
            "updateType": if machines.is_empty() { "ServerLevel" } else { "VmLevel" },
        }})
    }

    /// The path of what is asked of an item or a plan.
    fn target_path(&self, item: &Option<Name>, plan: &Option<Name>, verb: &str) -> String {
        match (item, plan) {
            (Some(item), _) => format!("{}/{verb}", self.client.item_path(&item.value)),
            (None, plan) => {
                let plan = plan.as_ref().map(|p| p.value.as_str()).unwrap_or_default();
                format!("{}/{verb}", self.client.plan_path(plan))
            }
        }
    }

    /// The item or plan of the operation that a step asks for.
    fn target_at(&self, at: At) -> Option<String> {
        let step = self.checked.scenario.steps.get(at.index).filter(|_| self.current.is_some())?;
        let operation = step.operation()?;
        operation.item.or(operation.plan).map(|name| name.value.clone())
    }

    /// Waits until the job is past its preconditions, or over.
    async fn started(&mut self, asked: &Asked<'_>, answer: Answer) -> Ended {
        let Answer::Accepted(job) = &answer else { return self.ended(answer, asked.within).await };
        let deadline = Instant::now() + asked.within;
        loop {
            match self.client.job(job).await {
                Ok(view) if view.over() => return self.ended(answer, asked.within).await,
                Ok(view) if view.begun() => return Ended::Started,
                Ok(_) | Err(_) if Instant::now() >= deadline => {
                    return Ended::NotInTime(self.not_in_time(asked.within));
                }
                Ok(_) | Err(_) => sleep(GLANCE).await,
            }
        }
    }

    fn enable<'a>(&self, step: &'a EnableProtection) -> Asked<'a> {
        let (path, body) = (self.client.item_path(&step.item.value), self.enable_step_body(step));
        Asked { method: Method::PUT, path, body, expect: &step.expect, within: step.within.duration() }
    }

    fn enable_step_body(&self, step: &EnableProtection) -> Value {
        let inventory = &self.checked.inventory;
        let under = ProtectUnder {
            policy: step.policy.as_ref().map(|name| name.value.as_str()),
            group: step.group.as_ref().map(|name| name.value.as_str()),
            process_server: step.process_server.as_ref().map(|name| name.value.as_str()),
            every_disk: step.every_disk,
        };
        let machine = inventory.machines.iter().find(|m| m.name == step.item.value);
        machine.map(|machine| self.enable_body(machine, &under)).unwrap_or_default()
    }

    /// Ends the protection for a reason, or without one in the vault alone.
    fn leave<'a>(&self, step: &'a Leave, reason: Option<&str>) -> Asked<'a> {
        let item = self.client.item_path(&step.item.value);
        let (expect, within) = (&step.expect, step.within.duration());
        let Some(reason) = reason else {
            return Asked { method: Method::DELETE, path: item, body: Value::Null, expect, within };
        };
        let input = json!({ "instanceType": "InMageAzureV2" });
        let properties = json!({ "disableProtectionReason": reason, "replicationProviderInput": input });
        let body = json!({ "properties": properties });
        Asked { method: Method::POST, path: format!("{item}/remove"), body, expect, within }
    }

    fn policy<'a>(&self, step: &'a PolicyStep) -> Asked<'a> {
        let policy = self.client.policy_path(&step.name.value);
        let mapping = self.client.mapping_path(&step.name.value);
        let (method, path, body) = match &step.change {
            PolicyChange::Create(settings) => (Method::PUT, policy, body::policy(settings)),
            PolicyChange::Edit(settings) => (Method::PATCH, policy, body::policy(settings)),
            PolicyChange::Delete => (Method::DELETE, policy, Value::Null),
            PolicyChange::Associate => {
                (Method::PUT, mapping, json!({ "properties": { "policyId": policy } }))
            }
            PolicyChange::Dissociate => (Method::POST, format!("{mapping}/remove"), Value::Null),
        };
        Asked { method, path, body, expect: &step.expect, within: Duration::from_secs(600) }
    }

    /// What a reprotect is asked to use for this machine, were it asked for it.
    fn inputs_of<'s>(&self, step: &'s Reprotect, name: &str) -> Option<&'s ReprotectInputs> {
        let own = step.members.iter().find(|(member, _)| self.checked.inventory.names(&member.value, name));
        match own {
            Some((_, MemberInputs::None)) => None,
            Some((_, MemberInputs::Given(inputs))) => Some(inputs),
            None => Some(&step.using),
        }
    }

    fn reprotect_body(&self, step: &Reprotect) -> Value {
        let inventory = &self.checked.inventory;
        let input = |name: &str| {
            let using = self.inputs_of(step, name)?;
            let machine = inventory.machines.iter().find(|m| m.name == name);
            let mut details = details(inventory, step.to, machine, using, &self.client);
            details["replicatedItem"] = json!(self.client.item_path(name));
            Some(details)
        };
        let direction = match step.to {
            Side::OnPremises => "RecoveryToPrimary",
            Side::Azure => "PrimaryToRecovery",
        };
        let details: Value = match (&step.item, &step.plan) {
            (Some(item), _) => input(&item.value).into(),
            (None, plan) => {
                let plan = plan.as_ref().and_then(|plan| self.plan_now(&plan.value));
                let given = |name: &str| step.members.keys().any(|member| inventory.names(member, name));
                let there = |name: &&str| given(name) || !self.left_plan(step.plan.as_ref(), name);
                let inputs = plan.map(|p| p.members().filter(there).filter_map(input).collect::<Vec<_>>());
                inputs.unwrap_or_default().into()
            }
        };
        json!({ "properties": { "failoverDirection": direction, "providerSpecificDetails": details } })
    }
}

fn stands_for(codes: &BTreeSet<&str>) -> String {
    if codes.is_empty() {
        return String::new();
    }
    format!(", which stands for {}", codes.iter().copied().collect::<Vec<_>>().join(", "))
}

/// In place of a name: this input is left out of the request.
const LEFT_OUT: &str = "none";

/// Inputs of a reprotect for one machine: what the file says, else what fits the machine.
fn details(
    inventory: &Inventory,
    to: Side,
    machine: Option<&Machine>,
    using: &ReprotectInputs,
    client: &super::client::Client,
) -> Value {
    let given = |name: &Option<Name>| name.as_ref().map(|n| n.value.clone());
    let left_out = |name: &Option<Name>| name.as_ref().is_some_and(|n| n.value == LEFT_OUT);
    let or = |name: &Option<Name>, else_: Option<String>| match left_out(name) {
        true => None,
        false => given(name).or(else_),
    };
    match to {
        Side::OnPremises => {
            let os = machine.map_or(Os::Windows, |m| m.os);
            let named = given(&using.master_target).filter(|_| !left_out(&using.master_target));
            let fits = |id: &String, mt_os: Os| named.as_ref().map_or(mt_os == os, |n| n == id);
            let mt = inventory.master_targets.iter().find(|mt| fits(&mt.id, mt.os));
            let in_azure = inventory.process_servers.iter().find(|p| p.location == Side::Azure);
            let ps = in_azure.or(inventory.process_servers.first()).map(|p| p.id.clone());
            let ps = or(&using.process_server, ps);
            // A client that is given no master target names the process server in its place (C9).
            let target = or(&using.master_target, mt.map(|mt| mt.id.clone())).or_else(|| ps.clone());
            json!({
                "instanceType": "InMage",
                "masterTargetId": target,
                "processServerId": ps,
                "retentionDrive": or(&using.retention, mt.map(|mt| mt.retention_mount.clone())),
                "disksToInclude": using.disks.as_ref().map(|ids| ids.iter().map(|id| id.as_str()).collect::<Vec<_>>()),
                "profileId": client.policy_path("lab-policy-failback"),
                "datastoreName": or(&using.datastore, machine.map(|m| m.datastore.clone())),
                // Clients always leave Azure's temporary disk out.
                "diskExclusionInput": { "volumeOptions": [
                    { "volumeLabel": "Temporary Storage", "onlyExcludeIfSingleVolume": "Yes" },
                ]},
            })
        }
        Side::Azure => json!({
            "instanceType": "InMageAzureV2",
            "masterTargetId": BUILT_IN_PROCESS_SERVER,
            "processServerId": given(&using.process_server).unwrap_or_else(|| BUILT_IN_PROCESS_SERVER.to_owned()),
            "policyId": client.policy_path("lab-policy"),
            "storageAccountId": "labcache",
            "logStorageAccountId": "labcache",
        }),
    }
}

/// The same with those of the further codes that were asked about and are there.
fn also(expect: &Ending, shown: String, errors: &[(String, Report)]) -> String {
    let Ending::Failed(wanted) = expect else { return shown };
    let there = |code: &&Name| errors.iter().any(|(_, error)| error.code == code.value);
    wanted.also.iter().filter(there).fold(shown, |shown, code| format!("{shown}, and shows {code}"))
}

/// Every code that must be among those of a refusal is.
fn included(expect: &Ending, codes: &[String]) -> bool {
    let Ending::Refused(wanted) = expect else { return false };
    wanted.codes.is_empty() && wanted.includes.iter().all(|code| codes.contains(&code.value))
}

fn failed(code: &str, task: Option<&str>) -> String {
    let task = task.map(|t| format!(" in {t}")).unwrap_or_default();
    format!("the job fails with {code}{task}")
}

fn sorted<'a>(codes: impl Iterator<Item = &'a String>) -> String {
    let mut codes: Vec<&str> = codes.map(String::as_str).collect();
    codes.sort_unstable();
    codes.join(", ")
}
