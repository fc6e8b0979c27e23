//! Operations: what the operator asks of the product, and how it must end.

use super::client::Answer;
use super::persist::PATIENCE;
use super::play::{Driver, Refusal};
use super::requests::Request;
use super::steps::{At, LOOK, Stop, until_next_look};
use super::view::JobView;
use crate::report::outcome::{Finding, FindingKind};
use crate::scenario::model::{Ending, Step};
use crate::scenario::text::Name;
use failback_wire::error::Report;
use failback_wire::ids::{DiskId, GroupName, MachineName};
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

impl Ended {
    /// Codes of its errors.
    pub(super) fn codes(&self) -> Vec<String> {
        match self {
            Self::Refused(codes, _) => codes.clone(),
            Self::Failed(errors) | Self::Cancelled(errors) => {
                errors.iter().map(|(_, report)| report.code.clone()).collect()
            }
            Self::Succeeded | Self::Paused(_) | Self::Started | Self::NotInTime(_) => Vec::new(),
        }
    }
}

impl Driver<'_> {
    /// Sends a request until it is answered: the product may be down for a moment.
    pub(super) async fn request(&mut self, at: At, request: &Request) -> Result<Answer, Stop> {
        let Request { method, path, body } = request;
        self.requests += 1;
        if let Some(twin) = self.script.twin.clone().filter(|twin| twin.omit == self.requests) {
            for look in twin.looks {
                sleep_until(self.world.clock.instant(look)).await;
                self.observed.push(self.world.observe());
            }
            return Err(Stop::Twin);
        }
        let id = format!("request-{}", self.requests);
        let patience = if self.persists() { PATIENCE } else { Duration::from_secs(15 * 60) };
        let deadline = Instant::now() + patience;
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
    pub(super) async fn job(&self, job: &str, within: Duration) -> Option<JobView> {
        let began = Instant::now();
        let deadline = began + within;
        loop {
            match self.client.job(job).await {
                Ok(view) if view.over() => return Some(view),
                Ok(_) | Err(_) if Instant::now() >= deadline => return None,
                Ok(_) | Err(_) => sleep(until_next_look(began.elapsed())).await,
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

    /// Sends all of these, which must succeed, then waits for each.
    pub(super) async fn all_succeed(
        &mut self,
        at: At,
        requests: &[Request],
        within: Duration,
    ) -> Result<(), Stop> {
        if let [request] = requests {
            return self.carry_out(at, request, &Ending::Succeeded, within).await;
        }
        let mut answers = Vec::with_capacity(requests.len());
        for request in requests {
            answers.push(self.request(at, request).await?);
        }
        for answer in answers {
            let ended = self.ended(answer, within).await;
            self.judge_ending(at, &Ending::Succeeded, ended)?;
        }
        Ok(())
    }

    /// Asks for what a step wants, and tells the oracle what follows from it.
    pub(super) async fn operate(&mut self, at: At, step: &Step) -> Result<(), Stop> {
        let (Some(operation), Some(request)) = (step.operation(), self.ask(step).await) else {
            let text = "the lab does not know what this step asks for";
            return Err(self.fail(at, Finding::new(FindingKind::LabBug, text)));
        };
        if let Step::EnableProtection(protect) = step {
            let named = request.body["properties"]["providerSpecificDetails"]["multiVmGroupName"].as_str();
            let (item, group) = (MachineName::from(protect.item.as_str()), named.map(GroupName::from));
            let included = request.body["properties"]["providerSpecificDetails"]["disksToInclude"].as_array();
            let machine = self.checked.inventory.machines.iter().find(|m| m.name == item.as_str());
            let all = (0..machine.map_or(0, |m| m.disks.len())).map(|n| format!("{item}-disk{n}"));
            let stays = |disk: &String| included.is_some_and(|named| !named.contains(&disk.as_str().into()));
            let left: Vec<DiskId> = all.filter(stays).map(DiskId::new).collect();
            self.world.recorder.oracle(|oracle| {
                oracle.asks_group(&item, group);
                oracle.asks_protection_without(&item, &left);
            });
        }
        if let Step::Reprotect(reprotect) = step {
            self.tell_what_stays(reprotect);
        }
        self.tell_whether_newest(step, &operation);
        let within = operation.within.duration();
        match operation.expect {
            Ending::Succeeded if self.persists() => self.insist(at, step, &operation, request).await?,
            Ending::Refused(_) | Ending::Failed(_) if self.persists() => {
                self.provoke(at, step, &operation, request).await?;
            }
            Ending::Succeeded
            | Ending::Refused(_)
            | Ending::Failed(_)
            | Ending::Started
            | Ending::Paused(_)
            | Ending::Anything => self.carry_out(at, &request, operation.expect, within).await?,
        }
        if let Some(save) = step.saves() {
            self.saved(save);
        }
        Ok(())
    }

    /// Asks, waits, judges. What failed in a rehearsal is looked at, then the same is asked a second time.
    pub(super) async fn carry_out(
        &mut self,
        at: At,
        request: &Request,
        expect: &Ending,
        within: Duration,
    ) -> Result<(), Stop> {
        let mut ended = self.attempt(at, request, expect, within).await?;
        if matches!(ended, Ended::Failed(_)) && self.met_setback() {
            ended = self.attempt(at, request, expect, within).await?;
        }
        self.conclude(at, expect, ended)
    }

    pub(super) async fn attempt(
        &mut self,
        at: At,
        request: &Request,
        expect: &Ending,
        within: Duration,
    ) -> Result<Ended, Stop> {
        let answer = self.request(at, request).await?;
        if let (Answer::Accepted(job), Some(target)) = (&answer, self.target_at(at)) {
            self.jobs.insert(target, job.clone());
        }
        if matches!(expect, Ending::Started) {
            return Ok(self.started(answer, within).await);
        }
        let ended = self.ended(answer.clone(), within).await;
        if let Answer::Accepted(job) = &answer {
            self.judge_rest(at, job);
        }
        Ok(ended)
    }

    /// Judges how it ended. What was refused is looked at: a twin run without the request must look the same.
    pub(super) fn conclude(&mut self, at: At, expect: &Ending, ended: Ended) -> Result<(), Stop> {
        if matches!(ended, Ended::Refused(..)) {
            let observed = self.world.observe();
            self.refusals.push(Refusal::new(self.requests, at.step(), self.world.clock.now(), observed));
        }
        self.judge_ending(at, expect, ended)
    }

    pub(super) fn judge_ending(&mut self, at: At, expect: &Ending, ended: Ended) -> Result<(), Stop> {
        if self.persists() {
            return Ok(());
        }
        let wanted = match expect {
            Ending::Anything => return Ok(()),
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

    /// The item or plan of the operation that a step asks for.
    fn target_at(&self, at: At) -> Option<String> {
        let step = self.checked.scenario.steps.get(at.index).filter(|_| self.current.is_some())?;
        let operation = step.operation()?;
        operation.item.or(operation.plan).map(|name| name.value.clone())
    }

    /// Waits until the job is past its preconditions, or over.
    async fn started(&mut self, answer: Answer, within: Duration) -> Ended {
        let Answer::Accepted(job) = &answer else { return self.ended(answer, within).await };
        let began = Instant::now();
        let deadline = began + within;
        loop {
            match self.client.job(job).await {
                Ok(view) if view.over() => return self.ended(answer, within).await,
                Ok(view) if view.begun() => return Ended::Started,
                Ok(_) | Err(_) if Instant::now() >= deadline => {
                    return Ended::NotInTime(self.not_in_time(within));
                }
                Ok(_) | Err(_) => sleep(GLANCE).await,
            }
        }
    }
}

fn stands_for(codes: &BTreeSet<&str>) -> String {
    if codes.is_empty() {
        return String::new();
    }
    format!(", which stands for {}", codes.iter().copied().collect::<Vec<_>>().join(", "))
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
