//! What can be wrong with single steps, apart from their faults.

use super::Subject;
use super::names::{Kind, Names};
use crate::scenario::diagnostic::Problem;
use crate::scenario::inventory::Plan;
use crate::scenario::model::{Ending, MemberInputs, Reprotect, ReprotectInputs, SavePlan, Step, WaitUntil};
use crate::scenario::step::{Operation, OperationKind};
use crate::scenario::text::{Name, Place, Spanned};
use crate::scenario::units::Period;
use failback_fakes::guest::MAX_BURST;

pub(super) fn check(subject: &Subject<'_>, names: &Names, out: &mut Vec<Problem>) {
    let mut check = Check { subject, names, out };
    if subject.scenario.steps.is_empty() {
        let problem = Problem::of_file(&subject.file.path, "the scenario has no steps");
        check.out.push(problem.help("list at least one under `steps:`"));
    }
    check.positive(&subject.scenario.horizon, "horizon");
    for step in &subject.scenario.steps {
        check.step(step);
    }
    check.horizon();
}

struct Check<'a, 'b> {
    subject: &'a Subject<'a>,
    names: &'a Names,
    out: &'b mut Vec<Problem>,
}

impl Check<'_, '_> {
    fn wrong(&mut self, at: Place, title: impl Into<String>, label: &str) {
        self.out.push(Problem::at(self.subject.file, at, title, label));
    }
    fn need(&mut self, kind: Kind, name: &Name) {
        self.names.need(self.subject.file, kind, name, name.at, self.out);
    }
    fn positive(&mut self, period: &Spanned<Period>, what: &str) {
        if period.value == Period(0) {
            self.wrong(period.at, format!("`{what}` of no time"), "must be longer than 0s");
        }
    }

    fn step(&mut self, step: &Spanned<Step>) {
        if let Some(operation) = step.operation() {
            self.operation(step.at, &operation);
        }
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "the others are looked at as operations or as faults"
        )]
        match &step.value {
            Step::Reprotect(reprotect) => self.reprotect(reprotect),
            Step::SavePlan(save) => self.save_plan(save),
            Step::DeletePlan(s) => self.need(Kind::Plan, &s.name),
            Step::Wait(period) => self.positive(period, "wait"),
            Step::WaitUntil(wait) => self.wait_until(step.at, wait),
            Step::Write(write) => {
                self.need(Kind::Machine, &write.machine);
                if write.blocks.value == 0 {
                    self.wrong(write.blocks.at, "a write of nothing", "at least 1");
                }
                if write.blocks.value > MAX_BURST {
                    let title = format!("a guest does not write {} blocks at once", write.blocks);
                    self.wrong(write.blocks.at, title, &format!("at most {MAX_BURST}"));
                }
            }
            Step::Crash(s) => self.need(Kind::Node, &s.node),
            Step::Restart(s) => self.need(Kind::Node, &s.node),
            Step::EnableProtection(s) => {
                s.process_server.iter().for_each(|ps| self.need(Kind::ProcessServer, ps));
            }
            Step::MoveProcessServer(s) => {
                self.need(Kind::ProcessServer, &s.from);
                self.need(Kind::ProcessServer, &s.to);
            }
            _ => {}
        }
    }

    fn operation(&mut self, at: Place, operation: &Operation<'_>) {
        match (operation.item, operation.plan) {
            // Whoever asks for a machine that never was under protection is told so.
            (Some(item), None) => match operation.expect {
                Ending::Refused(_) if self.names.has(Kind::AzureVm, item) => {}
                Ending::Refused(_)
                | Ending::Succeeded
                | Ending::Started
                | Ending::Failed(_)
                | Ending::Paused(_)
                | Ending::Anything => {
                    self.need(Kind::Machine, item);
                }
            },
            (None, Some(plan)) => self.need(Kind::Plan, plan),
            (Some(_), Some(plan)) => {
                let title = format!("a {} is of an item or of a plan", operation.kind);
                self.wrong(plan.at, title, "there is an `item` too");
            }
            (None, None) if operation.kind.stands_alone() => {}
            (None, None) => {
                let title = format!("the {} of what?", operation.kind);
                self.wrong(at, title, "give it `item` or `plan`");
            }
        }
        self.positive(operation.within, "within");
        let pauses = operation.kind.moves() || operation.kind == OperationKind::Confirm;
        self.ending(at, operation.plan.filter(|_| pauses), operation.expect);
    }

    /// What machines a plan may have is for the product to say; one that is saved has machines of the estate.
    fn save_plan(&mut self, save: &SavePlan) {
        super::estates::actions(self.subject.file, &save.actions, save.groups.len(), self.out);
        if save.expect != Ending::Succeeded {
            return;
        }
        for machine in save.groups.iter().flatten() {
            if !self.subject.inventory.sets.contains_key(&machine.value) {
                self.need(Kind::Machine, machine);
            }
        }
    }

    /// `plan` is the one that may come to wait for somebody.
    fn ending(&mut self, at: Place, plan: Option<&Name>, expect: &Ending) {
        expect.codes().into_iter().for_each(|code| super::code(self.subject.file, code, "error", self.out));
        match expect {
            Ending::Succeeded | Ending::Started | Ending::Failed(_) | Ending::Anything => {}
            Ending::Refused(refused) => match (refused.codes.as_slice(), refused.includes.as_slice()) {
                ([], []) => {
                    let title = "a refusal has at least one code";
                    let problem = Problem::at(self.subject.file, at, title, "none is given");
                    self.out.push(problem.help("`codes` lists all that are shown, `includes` some of them"));
                }
                ([_, ..], [included, ..]) => {
                    let title = "all codes of a refusal, or some of them?";
                    self.wrong(included.at, title, "either `codes` or `includes`");
                }
                ([_, ..], []) | ([], [_, ..]) => {}
            },
            Ending::Paused(paused) => {
                let plans = self.subject.inventory.plans.iter();
                let mut plans = plans.filter(|known| plan.is_some_and(|name| name.value == known.name));
                let action = &paused.action;
                if !plans.any(|plan| plan.actions.iter().any(|known| known.name == *action)) {
                    let title = format!("nothing waits for `{action}` here");
                    self.wrong(action.at, title, "no such action of a plan that fails over or back");
                }
            }
        }
    }

    fn reprotect(&mut self, reprotect: &Reprotect) {
        self.inputs(&reprotect.using);
        for (member, inputs) in &reprotect.members {
            let inventory = self.subject.inventory;
            if !inventory.sets.contains_key(&member.value) {
                self.need(Kind::Machine, member);
            }
            let plan = reprotect.plan.as_ref().filter(|plan| self.names.has(Kind::Plan, plan));
            let of = |known: &&Plan| plan.is_some_and(|plan| plan.value == known.name);
            let mut members = inventory.plans.iter().filter(of).flat_map(Plan::members);
            match plan {
                Some(_) if members.any(|m| inventory.names(member, m)) => {}
                Some(plan) => {
                    let title = format!("`{member}` is no member of plan `{plan}`");
                    self.wrong(member.at, title, "not in the plan");
                }
                None => self.wrong(member.at, "only plans have members", "use `using` for an item"),
            }
            if let MemberInputs::Given(inputs) = inputs {
                self.inputs(inputs);
            }
        }
    }

    fn inputs(&mut self, inputs: &ReprotectInputs) {
        let named = |name: &&Name| name.value != "none";
        if let Some(mt) = inputs.master_target.as_ref().filter(named) {
            self.need(Kind::MasterTarget, mt);
        }
        if let Some(ps) = inputs.process_server.as_ref().filter(named) {
            self.need(Kind::ProcessServer, ps);
        }
    }

    fn wait_until(&mut self, at: Place, wait: &WaitUntil) {
        self.need(Kind::Machine, &wait.item);
        self.positive(&wait.within, "within");
        let nothing = wait.state.is_none()
            && wait.health.is_none()
            && wait.points.is_none()
            && wait.app_points.is_none();
        if nothing {
            self.wrong(at, "waits for nothing", "give it `state`, `health`, `points` or `app-points`");
        }
    }

    /// A step that begins after the horizon never happens.
    fn horizon(&mut self) {
        let horizon = &self.subject.scenario.horizon;
        let mut total = Period(0);
        for step in &self.subject.scenario.steps {
            if let Step::Wait(period) = &step.value {
                total = Period(total.0.saturating_add(period.value.0));
                if total > horizon.value {
                    let title = format!("the steps wait {total} by here; the run ends at {}", horizon.value);
                    let label = "the steps after this can never happen";
                    let problem = Problem::at(self.subject.file, period.at, title, label);
                    let problem = problem.and(self.subject.file, horizon.at, "the end of the run");
                    self.out.push(problem.help("raise `horizon`"));
                    return;
                }
            }
        }
    }
}
