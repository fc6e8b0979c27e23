//! Makes a failing scenario smaller for as long as the same check fails.
//!
//! What a change leaves must still be a fair scenario: one that passes the checks of files, also without what is foolish
//! in it, and in which whatever is broken is mended. Else an operator who never comes home would be made out of one who
//! was kept from it.

use super::trial::{Check, Failure, TWINS, compared, red, run};
use crate::driver::Played;
use crate::report::outcome::{Finding, FindingKind};
use crate::scenario::CheckedScenario;
use crate::scenario::expect::Expect;
use crate::scenario::fault::{AzureFault, Change, ConfigurationServerFault, GuestFault, VcenterFault, When};
use crate::scenario::model::{Arm, Ending, Scenario, Step};
use crate::scenario::step::OperationKind;
use crate::scenario::text::{Name, Spanned};
use crate::scenario::units::{Period, Size};
use crate::scenario::write;
use serde_json::Value;

/// At most so many runs.
pub const MOST: u32 = 500;

/// A failing scenario that could not be made smaller.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The scenario, with its estate in it.
    pub scenario: Scenario,
    /// What failed in it.
    pub finding: Finding,
    /// How many runs it took.
    pub runs: u32,
}

/// Makes a scenario smaller that fails; as it is when it does not. `go_on` is asked before every run.
pub fn shrink(failure: &Failure, go_on: &mut dyn FnMut() -> bool) -> Shrunk {
    let failing = &failure.checked;
    let scenario =
        Scenario { estate: None, inline_estate: Some(failing.estate.clone()), ..failing.scenario.clone() };
    let finding = failure.finding.clone();
    let mut smaller = Smaller { scenario, finding, failure, runs: 0, unfired: Vec::new(), go_on };
    // Once as it is, for what it says of faults that never struck.
    smaller.tries(smaller.scenario.clone());
    loop {
        let before = smaller.scenario.clone();
        smaller.unfired();
        smaller.ends();
        smaller.steps();
        smaller.machines();
        smaller.disks();
        smaller.parts();
        smaller.amounts();
        if smaller.scenario == before || smaller.is_over() {
            break;
        }
    }
    Shrunk { scenario: smaller.scenario, finding: smaller.finding, runs: smaller.runs }
}

struct Smaller<'a> {
    scenario: Scenario,
    finding: Finding,
    failure: &'a Failure,
    runs: u32,
    /// Faults that never struck when it was played last.
    unfired: Vec<String>,
    go_on: &'a mut dyn FnMut() -> bool,
}

impl Smaller<'_> {
    fn is_over(&mut self) -> bool {
        self.runs >= MOST || !(self.go_on)()
    }

    /// Takes this instead, if it fails in the same way.
    fn tries(&mut self, candidate: Scenario) -> bool {
        let Some(checked) = fair(candidate) else { return false };
        if self.is_over() {
            return false;
        }
        self.runs += 1;
        let (findings, unfired) = self.failure.played(&checked);
        let Some(same) =
            findings.into_iter().find(|found| Check::of(found, &checked.inventory) == self.failure.check)
        else {
            return false;
        };
        (self.scenario, self.finding, self.unfired) = (checked.scenario, same, unfired);
        true
    }

    /// Leaves out faults that did nothing.
    fn unfired(&mut self) {
        let idle = std::mem::take(&mut self.unfired);
        let mut candidate = self.scenario.clone();
        candidate.steps.retain(|step| {
            !matches!(&step.value, Step::Arm(arm)
            if arm.id.as_ref().is_some_and(|id| idle.contains(&id.value)))
        });
        if candidate.steps.len() < self.scenario.steps.len() {
            self.tries(candidate);
        }
    }

    /// Asks less of the end.
    fn ends(&mut self) {
        let less: [fn(&mut Expect); 4] = [
            |expect| *expect = Expect::default(),
            |expect| expect.items.clear(),
            |expect| expect.vms.clear(),
            |expect| expect.data.clear(),
        ];
        for less in less {
            let mut candidate = self.scenario.clone();
            less(&mut candidate.expect);
            if candidate != self.scenario {
                self.tries(candidate);
            }
        }
    }

    /// Leaves out steps: halves, quarters … single ones.
    fn steps(&mut self) {
        let mut size = self.scenario.steps.len() / 2;
        while size > 0 {
            // From the end: what comes late is less often needed.
            let mut end = self.scenario.steps.len();
            while end > 0 && !self.is_over() {
                let begin = end.saturating_sub(size);
                let mut candidate = self.scenario.clone();
                candidate.steps.drain(begin..end.min(candidate.steps.len()));
                self.tries(candidate);
                end = begin;
            }
            size /= 2;
        }
    }

    fn machines(&mut self) {
        let names = |scenario: &Scenario| -> Vec<String> {
            let machines = scenario.inline_estate.iter().flat_map(|estate| &estate.machines);
            machines.map(|machine| machine.name.value.clone()).collect()
        };
        for machine in names(&self.scenario) {
            if names(&self.scenario).len() > 1 {
                let candidate = without(&self.scenario, &machine);
                self.tries(candidate);
            }
        }
    }

    /// Leaves out disks, the last one first; a machine keeps the one it boots from.
    fn disks(&mut self) {
        let machines = |scenario: &Scenario| scenario.inline_estate.as_ref().map_or(0, |e| e.machines.len());
        for index in 0..machines(&self.scenario) {
            loop {
                let mut candidate = self.scenario.clone();
                let machine = candidate.inline_estate.as_mut().and_then(|e| e.machines.get_mut(index));
                let disks = machine.and_then(|machine| machine.disks.as_mut()).filter(|d| d.len() > 1);
                let Some(disks) = disks else { break };
                disks.pop();
                if !self.tries(candidate) {
                    break;
                }
            }
        }
    }

    /// Leaves out every part that a file could do without.
    fn parts(&mut self) {
        let Ok(tree) = write::tree(&self.scenario) else { return };
        let mut paths = write::places(&tree);
        // Places behind one that goes away stay what they are.
        paths.reverse();
        for path in paths {
            if self.is_over() {
                return;
            }
            let stays = path.iter().any(|key| STAYS.contains(&key.as_str()));
            let is_step = path.len() == 2 && path[0] == "steps";
            let Ok(mut tree) = write::tree(&self.scenario) else { return };
            if stays || is_step || write::take(&mut tree, &path).is_none() {
                continue;
            }
            if let Some(candidate) = write::read(&tree).filter(|read| *read != self.scenario) {
                self.tries(candidate);
            }
        }
    }

    /// Less of everything.
    fn amounts(&mut self) {
        for index in 0..self.scenario.steps.len() {
            for less in [true, false] {
                let mut candidate = self.scenario.clone();
                let Some(step) = candidate.steps.get_mut(index) else { return };
                if lessen(&mut step.value, less) {
                    self.tries(candidate);
                }
            }
        }
        // All disks as small as can be; where that is too small, half as large.
        for size in [|_| Size::mib(1), |size: Size| Size::mib((size.0 >> 21).max(1))] {
            let mut small = self.scenario.clone();
            let machines = small.inline_estate.iter_mut().flat_map(|estate| &mut estate.machines);
            for disk in machines.flat_map(|machine| machine.disks.iter_mut().flatten()) {
                disk.size.value = size(disk.size.value);
            }
            if small != self.scenario && self.tries(small) {
                break;
            }
        }
    }
}

/// What a smaller scenario keeps: whoever persists, and what ends a fault.
const STAYS: [&str; 9] =
    ["schema", "name", "about", "operator", "horizon", "disks", "ends", "restart-after", "when"];

/// Less of a step; true when there is less.
fn lessen(step: &mut Step, least: bool) -> bool {
    let (now, low) = if let Step::Wait(period) = step {
        (&mut period.value.0, 60_000)
    } else if let Step::Write(write) = step {
        let less = if least { 1 } else { write.blocks.value.div_ceil(2) };
        return std::mem::replace(&mut write.blocks.value, less) != less;
    } else {
        return false;
    };
    let less = if least { low } else { (*now / 2).max(low) };
    *now > less && std::mem::replace(now, less) != less
}

impl Failure {
    /// What another scenario finds, played so that this failure would show; and which faults never struck in it.
    fn played(&self, checked: &CheckedScenario) -> (Vec<Finding>, Vec<String>) {
        if self.check.kind() == FindingKind::Nondeterminism {
            return (compared(checked, self.rehearsal).into_iter().collect(), Vec::new());
        }
        match run(checked, self.rehearsal, false, TWINS) {
            Ok(played) => (red(&played), unfired(&played)),
            Err(finding) => (vec![*finding], Vec::new()),
        }
    }
}

fn unfired(played: &Played) -> Vec<String> {
    played.ledger.iter().filter(|entry| !entry.fired).map(|entry| entry.id.clone()).collect()
}

/// The scenario without a machine, and without what is about it.
fn without(scenario: &Scenario, machine: &str) -> Scenario {
    let mut less = scenario.clone();
    let is = |name: &Name| name.value == machine;
    if let Some(estate) = &mut less.inline_estate {
        estate.machines.retain(|known| !is(&known.name));
        for plan in &mut estate.plans {
            plan.groups.iter_mut().for_each(|group| group.retain(|member| !is(member)));
            plan.groups.retain(|group| !group.is_empty());
        }
    }
    less.steps.retain(|step| !mentions(&step.value, machine));
    less.expect.items.retain(|name, _| !is(name));
    less.expect.vms.retain(|name, _| !is(name));
    less.expect.data.retain(|name, _| !is(name));
    less
}

fn mentions(step: &Step, machine: &str) -> bool {
    fn within(value: &Value, machine: &str) -> bool {
        match value {
            Value::String(text) => text == machine || text.starts_with(&format!("{machine}@")),
            Value::Array(list) => list.iter().any(|one| within(one, machine)),
            Value::Object(map) => map.values().any(|one| within(one, machine)),
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }
    serde_json::to_value(step).is_ok_and(|value| within(&value, machine))
}

/// The scenario checked, when whoever plays it has a fair chance.
pub(super) fn fair(scenario: Scenario) -> Option<CheckedScenario> {
    let sensible = |step: &Spanned<Step>| {
        let expect = step.operation().map(|operation| operation.expect.clone());
        !matches!(expect, Some(Ending::Anything | Ending::Started))
    };
    let mended = cleans_up(&scenario) && keeps_a_backup(&scenario) && ends_in_time(&scenario);
    if !mended || scenario.steps.is_empty() {
        return None;
    }
    if !scenario.steps.iter().all(sensible) {
        let mut skeleton = scenario.clone();
        skeleton.steps.retain(sensible);
        if !skeleton.steps.is_empty() {
            CheckedScenario::inline("the sensible part", skeleton).ok()?;
        }
    }
    CheckedScenario::inline("a smaller one", scenario).ok()
}

/// What a test failover brought up goes away again.
fn cleans_up(scenario: &Scenario) -> bool {
    let count = |kind| {
        let steps = scenario.steps.iter().filter_map(|step| step.operation());
        steps.filter(|asked| asked.kind == kind && *asked.expect == Ending::Succeeded).count()
    };
    count(OperationKind::TestFailover) <= count(OperationKind::CleanUpTest)
}

/// A database that is lost can be restored as the first step left it.
fn keeps_a_backup(scenario: &Scenario) -> bool {
    let is = |step: &Spanned<Step>, wanted: fn(&ConfigurationServerFault) -> bool| matches!(step.change(), Some(Change::ConfigurationServer(change)) if wanted(&change.value));
    let lost = scenario.steps.iter().any(|step| is(step, |c| *c == ConfigurationServerFault::LoseDatabase));
    let kept = scenario.steps.iter().any(|step| is(step, |c| *c == ConfigurationServerFault::BackupNow));
    kept || !lost
}

/// Who switches something off or on by hand takes that back before anything else is asked for.
fn ends_in_time(scenario: &Scenario) -> bool {
    scenario.steps.iter().enumerate().all(|(n, step)| {
        let Step::Arm(arm) = &step.value else { return true };
        let Some(lasts) = by_hand(arm) else { return true };
        let next = scenario.steps.get(n + 1).map(|step| &step.value);
        matches!(next, Some(Step::Wait(wait)) if wait.value.0 >= lasts.0 + 10_000)
    })
}

/// How long it is until what somebody switched by hand is switched back.
fn by_hand(arm: &Arm) -> Option<Period> {
    let (Some(When::After(after)), Some(ends)) = (&arm.when, &arm.ends) else { return None };
    let power = match &arm.fault {
        Some(Change::Vcenter(change)) => {
            matches!(change.value, VcenterFault::PowerOff { .. } | VcenterFault::PowerOn { .. })
        }
        Some(Change::Azure(change)) => {
            matches!(change.value, AzureFault::StopVm { .. } | AzureFault::HangVm { .. })
        }
        Some(Change::Guest(change)) => matches!(change.value, GuestFault::StopAgent { .. }),
        Some(
            Change::ConfigurationServer(_)
            | Change::MasterTarget(_)
            | Change::ProcessServer(_)
            | Change::Link(_)
            | Change::Call(_),
        )
        | None => false,
    };
    power.then(|| Period(after.value.0 + ends.after.value.0)).filter(|_| after.value.0 <= 1000)
}
