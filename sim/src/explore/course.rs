//! The course of things: a scenario as a persistent operator plays it.

use crate::scenario::CheckedScenario;
use crate::scenario::expect::{DataExpect, Equals, Expect, ItemExpect, Power, VmExpect};
use crate::scenario::inventory::Inventory;
use crate::scenario::model::{Ending, Health, Operator, Step, Wire};
use crate::scenario::step::OperationKind;
use crate::scenario::text::Spanned;
use std::collections::{BTreeMap, BTreeSet};

/// What becomes of a scenario's own faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Own {
    /// They are left out, and so is what mends them.
    Left,
    /// They are part of the course of things: without them it would not end as it says.
    Kept,
    /// So is what they let fail: it is asked for until it ends as the scenario says, and at last whatever comes of it.
    Tried,
}

/// The scenario as a persistent operator plays it: what is looked at on the way is left out, as are the scenario's own
/// faults unless they are part of it, what mends them and what they let fail; and of what must hold in the end remains
/// where production is and what its disks hold.
pub(super) fn persistent(original: &CheckedScenario, own: Own) -> CheckedScenario {
    let mut checked = original.clone();
    let scenario = &mut checked.scenario;
    scenario.operator = Operator::Persistent;
    // What people do besides is part of the course of things where it cannot be the mending of a fault.
    let calm = !scenario.steps.iter().any(|step| matches!(step.value, Step::Inject(_) | Step::Arm(_)));
    scenario.steps.retain(|step| {
        belongs(&step.value)
            || (calm && matches!(step.value, Step::Operator(_)))
            || (own != Own::Left && changes_the_world(&step.value))
            || (own == Own::Tried && asks_in_vain(&step.value))
    });
    // Whoever asks again waits until it has succeeded, and confirms what it waits for.
    scenario.steps.retain(|step| !matches!(step.value, Step::Confirm(_)));
    let cancelled = if own == Own::Tried { cancelled(&scenario.steps) } else { BTreeSet::new() };
    for (n, step) in scenario.steps.iter_mut().enumerate() {
        if let Some(ending) = step.value.ending_mut() {
            *ending = match ending {
                Ending::Refused(_) | Ending::Failed(_) => continue,
                Ending::Started if cancelled.contains(&n) => Ending::Started,
                Ending::Succeeded | Ending::Started | Ending::Paused(_) | Ending::Anything => {
                    Ending::Succeeded
                }
            };
        }
        if let Step::WaitUntil(wait) = &mut step.value {
            wait.health = wait.health.filter(|health| *health == Health::Normal);
        }
    }
    scenario.wire = Wire::Direct;
    scenario.expect = home(&scenario.expect);
    let undecided = undecided(&scenario.steps, &checked.inventory, &cancelled);
    scenario.expect.vms.retain(|vm, _| !undecided.contains(&vm.value));
    scenario.expect.data.retain(|vm, _| !undecided.contains(&vm.value));
    for (name, data) in &mut scenario.expect.data {
        let mut machines = checked.inventory.machines.iter().filter(|machine| machine.name == name.value);
        // Of a group that point counts which all have in common; a fault may have kept one from making its newest. What
        // is tried in vain may choose the point, or fail before it does.
        let grouped = machines.any(|machine| machine.group.is_some());
        if own == Own::Tried || grouped && data.equals == Equals::AppConsistent {
            data.equals = Equals::Point;
        }
    }
    checked
}

/// True for a step that belongs to the course of things when nothing goes wrong.
fn belongs(step: &Step) -> bool {
    match step.operation() {
        Some(operation) => {
            matches!(operation.expect, Ending::Succeeded | Ending::Started | Ending::Paused(_))
        }
        None => matches!(step, Step::Wait(_) | Step::WaitUntil(_) | Step::Write(_)),
    }
}

/// Steps that begin what a later one cancels.
fn cancelled(steps: &[Spanned<Step>]) -> BTreeSet<usize> {
    let item = |n: usize| Some(&steps[n].value.operation()?.item?.value);
    let cancels = (0..steps.len()).filter(|n| matches!(steps[*n].value, Step::Cancel(_)));
    let begun = cancels.filter_map(|cancel| {
        let name = item(cancel)?;
        (0..cancel).rfind(|n| item(*n) == Some(name))
    });
    begun.collect()
}

/// Machines whose last way to another site, or under protection, fails or is cancelled: how far it comes before, or whether
/// it comes to its end instead, is for the fault to say.
fn undecided(
    steps: &[Spanned<Step>],
    inventory: &Inventory,
    cancelled: &BTreeSet<usize>,
) -> BTreeSet<String> {
    const MOVES: [OperationKind; 4] = [
        OperationKind::Failover,
        OperationKind::Failback,
        OperationKind::EnableProtection,
        OperationKind::Restart,
    ];
    let mut last: BTreeMap<&str, bool> = BTreeMap::new();
    for (n, step) in steps.iter().enumerate() {
        let Some(operation) = step.value.operation().filter(|asked| MOVES.contains(&asked.kind)) else {
            continue;
        };
        let open = cancelled.contains(&n) || asks_in_vain(&step.value);
        last.extend(operation.machines(inventory).into_iter().map(|machine| (machine, open)));
    }
    last.into_iter().filter(|(_, open)| *open).map(|(machine, _)| machine.to_owned()).collect()
}

fn asks_in_vain(step: &Step) -> bool {
    step.operation()
        .is_some_and(|operation| matches!(operation.expect, Ending::Refused(_) | Ending::Failed(_)))
}

fn changes_the_world(step: &Step) -> bool {
    matches!(
        step,
        Step::Inject(_)
            | Step::Arm(_)
            | Step::Clear(_)
            | Step::Operator(_)
            | Step::Crash(_)
            | Step::Restart(_)
    )
}

fn home(expect: &Expect) -> Expect {
    let item =
        |seen: &ItemExpect| ItemExpect { state: seen.state, active: seen.active, ..ItemExpect::default() };
    // What an unplanned failover cannot shut down runs on, and the item says so, until a reprotect (C4, C19).
    let outlived = |seen: &VmExpect| seen.azure != Some(Power::Off) && seen.on_premises == Some(Power::Off);
    let vm = |seen: &VmExpect| {
        let on_premises = seen.on_premises.filter(|_| !outlived(seen));
        VmExpect { on_premises, azure: seen.azure, ..VmExpect::default() }
    };
    // Where the source could not be shut down, what it wrote last stays with it (C4).
    let data = |seen: &DataExpect| {
        let equals = if seen.equals == Equals::Source { Equals::Latest } else { seen.equals };
        DataExpect { equals, lost: None }
    };
    Expect {
        items: each(&expect.items, item),
        vms: each(&expect.vms, vm),
        data: each(&expect.data, data),
        ..Expect::default()
    }
}

fn each<K: Clone + Ord, V, T>(map: &BTreeMap<K, V>, f: impl Fn(&V) -> T) -> BTreeMap<K, T> {
    map.iter().map(|(key, value)| (key.clone(), f(value))).collect()
}
