//! The persistent operator: asks again for what was to succeed and did not, until faults are over and it does.
//!
//! What it does is what the texts of errors say one always may: wait, look, ask for the same again, confirm what a plan
//! waits for, begin a resynchronisation that did not begin by itself. Whatever still does not come home is broken.

use super::operate::Ended;
use super::play::Driver;
use super::remedy;
use super::requests::Request;
use super::steps::{At, Stop};
use crate::report::outcome::{Finding, FindingKind};
use crate::scenario::check::led_to;
use crate::scenario::fault::Change;
use crate::scenario::model::{Ending, MoveProcessServer, Operator, Step};
use crate::scenario::step::{Operation, OperationKind};
use crate::scenario::text::Name;
use failback_orchestrator::catalogue::guest::NOT_SYNCHRONISED;
use failback_orchestrator::catalogue::machine::CANNOT_RESTART;
use failback_orchestrator::catalogue::warning::CERTIFICATE_EXPIRES_SOON;
use failback_wire::error::Report;
use failback_wire::event::Actor;
use failback_wire::http::Method;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// All faults are over, and everything has come through, within this time beyond what a step may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(24 * 3600);
/// Between one attempt and the next: agents register within 15 minutes (P32), servers count as gone after as long (P13).
const PAUSE: Duration = Duration::from_secs(16 * 60);
/// A replication that got nowhere for this long is looked after by hand.
const IDLE: Duration = Duration::from_secs(2 * 3600);
/// How often the operator looks whether everything has come to rest in the end.
const LOOK: Duration = Duration::from_secs(10 * 60);

/// What an operator had to do that no step says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Toil {
    /// Times it asked for the same again.
    pub again: u32,
    /// Other things it did: confirmed, resynchronised.
    pub by_hand: u32,
}

impl Toil {
    /// What is more than this.
    #[must_use]
    pub fn beyond(self, usual: Self) -> Self {
        Self {
            again: self.again.saturating_sub(usual.again),
            by_hand: self.by_hand.saturating_sub(usual.by_hand),
        }
    }
}

impl Driver<'_> {
    /// True when the operator asks again.
    pub(super) fn persists(&self) -> bool {
        self.checked.scenario.operator == Operator::Persistent
    }

    /// Asks for what a step wants until it has succeeded, or is found to have succeeded.
    pub(super) async fn insist(
        &mut self,
        at: At,
        step: &Step,
        operation: &Operation<'_>,
        mut request: Request,
    ) -> Result<(), Stop> {
        let within = operation.within.duration();
        let deadline = Instant::now() + within + PATIENCE;
        let mut again = false;
        loop {
            let mut ended = self.attempt(at, &request, &Ending::Succeeded, within).await?;
            while let (Ended::NotInTime(_) | Ended::Paused(_), true) = (&ended, Instant::now() < deadline) {
                ended = self.wait_longer(at, operation, ended, within).await?;
            }
            let restarts = operation.kind == OperationKind::Restart;
            let says = |codes: &[String], word: &str| codes.iter().any(|code| code == word);
            let refused =
                matches!(&ended, Ended::Refused(codes, _) if !restarts || says(codes, CANNOT_RESTART.code));
            let (codes, machines) = (ended.codes(), operation.machines(&self.checked.inventory));
            self.mend(&codes, &machines).await;
            // Nothing takes up a replication that a failed attempt stopped.
            let stopped = again && says(&codes, NOT_SYNCHRONISED.code);
            for machine in machines.into_iter().filter(|_| stopped) {
                self.resynchronise(at, machine).await?;
            }
            let (shown, error) = told(ended);
            if shown.is_none() || (refused || again) && self.is_there(step, operation, refused && again).await
            {
                return Ok(());
            }
            if Instant::now() >= deadline {
                let text = format!("the {} never came through, though faults were over", operation.kind);
                let finding = Finding::new(FindingKind::ExpectationFailed, text);
                let shown = shown.unwrap_or_default();
                return Err(self.fail(at, finding.compared("it succeeds", shown).because(error)));
            }
            let Some(next) = self.ask_again(step).await else { return Ok(()) };
            (request, again) = (next, true);
        }
    }

    /// After a while, the same once more, as it is asked for then.
    async fn ask_again(&mut self, step: &Step) -> Option<Request> {
        sleep(PAUSE).await;
        let request = self.ask(step).await?;
        self.toil.again += 1;
        Some(request)
    }

    /// Asks for what is to come to nothing until it does as the step says, or succeeds; after a while whatever comes of it.
    pub(super) async fn provoke(
        &mut self,
        at: At,
        step: &Step,
        operation: &Operation<'_>,
        mut request: Request,
    ) -> Result<(), Stop> {
        let wanted = operation.expect.codes();
        let deadline = Instant::now() + IDLE;
        loop {
            let ended = self.attempt(at, &request, operation.expect, operation.within.duration()).await?;
            let other = matches!(ended, Ended::Refused(..) | Ended::Failed(_))
                && !ended.codes().iter().any(|code| wanted.iter().any(|wanted| wanted.value == *code));
            if !other || Instant::now() >= deadline {
                return self.conclude(at, operation.expect, ended);
            }
            let Some(again) = self.ask_again(step).await else { return Ok(()) };
            request = again;
        }
    }

    /// Does what the text of an error or an alert asks of a person, where no waiting helps.
    async fn mend(&mut self, codes: &[String], machines: &[&str]) {
        for change in remedy::of(codes, machines, &self.checked.inventory) {
            self.toil.by_hand += 1;
            if let Err(error) = self.by_hand(&change).await {
                tracing::debug!(%error, "what a person does comes to nothing");
            }
        }
    }

    /// A person changes the world; one who persists tries for a while.
    pub(super) async fn by_hand(&mut self, change: &Change) -> Result<(), String> {
        let deadline = Instant::now() + IDLE;
        loop {
            let changed = self.world.change("operator", change, Actor::Operator);
            if changed.is_ok() || !self.persists() || Instant::now() >= deadline {
                return changed;
            }
            for first in remedy::before(change, &self.checked.inventory) {
                let done = self.world.change("operator", &first, Actor::Operator);
                self.toil.by_hand += u32::from(done.is_ok());
            }
            sleep(PAUSE).await;
            self.toil.again += 1;
        }
    }

    /// The job still runs, or waits for a person.
    async fn wait_longer(
        &mut self,
        at: At,
        operation: &Operation<'_>,
        ended: Ended,
        within: Duration,
    ) -> Result<Ended, Stop> {
        let target = operation.item.or(operation.plan).map(|name| name.value.clone()).unwrap_or_default();
        let Some(job) = self.jobs.get(&target).cloned() else { return Ok(ended) };
        if let Ended::Paused(_) = ended {
            let body = json!({ "properties": { "comments": "done" } });
            let path = format!("{}/resume", self.client.job_path(&job));
            self.toil.by_hand += 1;
            self.request(at, &Request { method: Method::POST, path, body }).await?;
        }
        Ok(self.ended(super::client::Answer::Accepted(job), within).await)
    }

    /// What was asked for before has come to its end meanwhile: its items are where it leads. One that leaves items where
    /// they are has been done when it is refused and nobody may ask for it any more.
    async fn is_there(&self, step: &Step, operation: &Operation<'_>, refused: bool) -> bool {
        let states: Vec<_> = led_to(operation.kind).collect();
        let word = ALLOWED_AS.iter().find(|(kind, _)| *kind == operation.kind).map(|(_, word)| *word);
        if let Step::MoveProcessServer(step) = step {
            return self.has_moved(step).await;
        }
        if states.is_empty() && (!refused || word.is_none()) {
            return refused;
        }
        for machine in operation.machines(&self.checked.inventory) {
            let seen = self.state_of(machine).await;
            let there = seen.is_ok_and(|seen| match word.filter(|_| states.is_empty()) {
                Some(word) => !seen.allows(word),
                None => seen.is_one_of(&states),
            });
            if !there {
                return false;
            }
        }
        true
    }

    /// The server that was to give up a machine, or all, serves it no more.
    async fn has_moved(&self, step: &MoveProcessServer) -> bool {
        let asked = |name: &str| step.item.as_ref().is_none_or(|item| item.value == name);
        for machine in self.checked.inventory.machines.iter().filter(|machine| asked(&machine.name)) {
            let seen = self.state_of(&machine.name).await;
            if !seen.is_ok_and(|seen| !seen.is_served_by(&step.from.value)) {
                return false;
            }
        }
        true
    }

    /// Does what its alerts ask for, and begins a resynchronisation, of an item that has waited for long.
    pub(super) async fn lend_a_hand(&mut self, at: At, item: &Name) -> Result<(), Stop> {
        if !self.persists() || self.helped.is_some_and(|last| last.elapsed() < IDLE) {
            return Ok(());
        }
        let first = self.helped.is_none();
        self.helped = Some(Instant::now());
        let Ok(seen) = self.state_of(item).await else { return Ok(()) };
        if !first {
            let alerts = seen.alerts();
            self.mend(&alerts, &[item.value.as_str()]).await;
            // A database that was restored may have brought an old certificate back.
            if alerts.iter().any(|code| code == CERTIFICATE_EXPIRES_SOON.code) {
                self.toil.by_hand += 1;
                let answer = self.request(at, &self.renew_certificate()).await?;
                self.ended(answer, IDLE).await;
            }
        }
        if !first && seen.wants_resynchronisation() {
            self.resynchronise(at, &item.value).await?;
        }
        Ok(())
    }

    async fn resynchronise(&mut self, at: At, item: &str) -> Result<(), Stop> {
        self.toil.by_hand += 1;
        let request = self.of_item(item, "repairReplication", Value::Null);
        let answer = self.request(at, &request).await?;
        self.ended(answer, IDLE).await;
        Ok(())
    }

    /// Waits until the end is as the file says and nothing is open, or patience is over; answers what is otherwise.
    pub(super) async fn come_home(&mut self) -> Vec<Finding> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let findings = self.judge(&self.checked.scenario.expect).await;
            let open = !self.world.observation().open_jobs.is_empty();
            if Instant::now() >= deadline || (findings.is_empty() && !open) {
                return findings;
            }
            sleep(LOOK).await;
        }
    }
}

/// What leaves an item where it is, and how its allowed operations call that.
const ALLOWED_AS: [(OperationKind, &str); 4] = [
    (OperationKind::TestFailover, "TestFailover"),
    (OperationKind::CleanUpTest, "TestFailoverCleanup"),
    (OperationKind::ChangePoint, "ChangePit"),
    (OperationKind::Resynchronise, "RepairReplication"),
];

/// Why it did not succeed; nothing when it did.
fn told(ended: Ended) -> (Option<String>, Option<Report>) {
    match ended {
        Ended::Succeeded => (None, None),
        Ended::Refused(codes, report) => (Some(format!("refused with {}", codes.join(", "))), report),
        Ended::Failed(errors) | Ended::Cancelled(errors) => {
            let first = errors.into_iter().next().map(|(_, report)| report);
            let code = first.as_ref().map_or("no error", |report| report.code.as_str());
            (Some(format!("the job ended with {code}")), first)
        }
        Ended::Paused(action) => (Some(format!("the job waits for {action}")), None),
        Ended::Started => (Some("the job runs".to_owned()), None),
        Ended::NotInTime(shown) => (Some(shown), None),
    }
}
