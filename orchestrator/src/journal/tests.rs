//! The fold: one record at a time, any prefix, and the same from the image as live.

use super::*;
use crate::config::Settings;
use crate::testing::spec;
use failback_wire::clock::VirtualMs;
use failback_wire::error::Report;
use failback_wire::ids::{JobId, MachineName, NodeName, Site};
use failback_wire::store::NoHook;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

fn name(machine: u8) -> MachineName {
    MachineName::new(format!("m{machine}"))
}

fn job(id: u8) -> JobId {
    JobId::new(format!("j{id}"))
}

fn accepted(id: u8, machines: &[u8]) -> Record {
    let request = Accepted {
        actions: Vec::new(),
        job: job(id),
        operation: Operation::Failover,
        target: Target::Item(name(machines[0])),
        groups: vec![machines.iter().map(|machine| name(*machine)).collect()],
        inputs: BTreeMap::new(),
        skipped: Vec::new(),
        client_request: None,
        dedupe: Some(format!("key-{id}")),
    };
    Record::Accepted { at: VirtualMs(1), request }
}

fn report() -> Report {
    Report::new(&crate::testing::BROKEN, "m", "x")
}

fn prechecked(id: u8) -> Record {
    Record::Prechecked {
        at: VirtualMs(2),
        job: job(id),
        scenario: "UnplannedFailover".into(),
        running: ProtectionState::UnplannedFailoverInProgress,
        warnings: BTreeMap::new(),
    }
}

fn step_of(id: u8, machine: u8, kind: u8) -> Record {
    let (at, job, member, step) = (VirtualMs(3), job(id), name(machine), format!("s{}", kind % 3));
    match kind % 5 {
        0 => Record::StepStarted { at, job, member, step, key: "k".into() },
        1 => {
            let facts =
                vec![Fact::SessionOpened(spec(&name(machine), kind.is_multiple_of(2), u64::from(kind)))];
            Record::StepDone { at, job, member, step, facts }
        }
        2 => Record::StepFailed { at, job, member, step, report: report() },
        3 => Record::StepUndone { at, job, member, step, facts: vec![Fact::Warning(report())] },
        _ => Record::UndoFailed { at, job, member, step, report: report() },
    }
}

fn ended(id: u8, machine: u8, outcome: Outcome, halfway: bool) -> Record {
    let rest = Rest {
        state: ProtectionState::UnplannedFailoverFailed,
        leg: Leg::Forward,
        active: if halfway { Site::Azure } else { Site::OnPremises },
    };
    Record::MemberEnded { at: VirtualMs(4), job: job(id), member: name(machine), outcome, rest, halfway }
}

fn any_record() -> impl Strategy<Value = Record> {
    let small = 0u8..3;
    let outcome = prop_oneof![Just(Outcome::Succeeded), Just(Outcome::Failed), Just(Outcome::Cancelled)];
    prop_oneof![
        (small.clone(), proptest::collection::vec(small.clone(), 1..3)).prop_map(|(id, m)| accepted(id, &m)),
        small.clone().prop_map(prechecked),
        small.clone().prop_map(|id| Record::CancelAsked {
            at: VirtualMs(2),
            job: job(id),
            dedupe: Some(format!("cancel-{id}"))
        }),
        small.clone().prop_map(|id| Record::Refused {
            at: VirtualMs(2),
            job: job(id),
            reports: vec![report()]
        }),
        (small.clone(), small.clone(), any::<u8>())
            .prop_map(|(id, machine, kind)| step_of(id, machine, kind)),
        (small.clone(), small.clone(), outcome.clone(), any::<bool>())
            .prop_map(|(id, machine, outcome, halfway)| ended(id, machine, outcome, halfway)),
        (small.clone(), outcome).prop_map(|(id, outcome)| Record::JobEnded {
            at: VirtualMs(5),
            job: job(id),
            outcome
        }),
        small.prop_map(|machine| Record::ItemChanged {
            at: VirtualMs(6),
            item: name(machine),
            state: ProtectionState::Protected,
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    /// Any journal folds, whatever is in it; an open journal shows the same state as one read from its image.
    #[test]
    fn the_image_tells_the_same_as_the_living_journal(
        records in proptest::collection::vec(any_record(), 0..40), batch in 1usize..4,
    ) {
        let open = |image: Option<&[u8]>| {
            Journal::open(Fence::new(NodeName::new("n"), 1), Arc::new(NoHook), image).unwrap()
        };
        let journal = open(None);
        for some in records.chunks(batch) {
            journal.append::<_, JournalError>(|_| Ok((some.to_vec(), ()))).unwrap();
        }
        let live = journal.read(Clone::clone);
        prop_assert_eq!(&live, &State::fold(&records));
        prop_assert_eq!(&live, &open(Some(&journal.image().unwrap())).read(Clone::clone));
        for (item, working) in &live.working {
            prop_assert!(live.jobs[working].is_open(), "{item} is held by an ended job");
        }
    }
}

#[test]
fn a_job_takes_its_item_from_state_to_state() {
    let mut state = State::default();
    let mut see = |record: &Record| {
        apply(&mut state, record);
        let item = state.items.get(&name(0));
        (
            item.map(|item| item.state),
            state.busy(&name(0)).is_some(),
            state.allowed(&name(0), &Settings::default()).len(),
        )
    };
    use ProtectionState as P;
    assert_eq!(see(&accepted(0, &[0])), (None, true, 0), "nothing exists before the preconditions hold");
    assert_eq!(see(&prechecked(0)), (Some(P::UnplannedFailoverInProgress), true, 0));
    assert_eq!(see(&ended(0, 0, Outcome::Failed, true)), (Some(P::UnplannedFailoverFailed), true, 0));
    let end = Record::JobEnded { at: VirtualMs(9), job: job(0), outcome: Outcome::Failed };
    assert_eq!(see(&end), (Some(P::UnplannedFailoverFailed), false, 3));
    let item = state.items[&name(0)].clone();
    assert_eq!(item.halfway, Some(Operation::Failover));
    assert_eq!(item.last_failover, Some(VirtualMs(4)));
}

#[test]
fn a_refusal_leaves_no_trace_in_the_item() {
    let known = [accepted(0, &[0]), prechecked(0), ended(0, 0, Outcome::Failed, false)];
    let end = Record::JobEnded { at: VirtualMs(5), job: job(0), outcome: Outcome::Failed };
    let mut state = State::fold(known.iter().chain([&end]));
    let before = state.items.clone();
    apply(&mut state, &accepted(1, &[0]));
    assert!(!state.allowed(&name(0), &Settings::default()).is_empty(), "looking changes nothing");
    apply(&mut state, &Record::Refused { at: VirtualMs(7), job: job(1), reports: vec![report()] });
    assert_eq!(state.items, before);
    assert_eq!(state.busy(&name(0)), None);
}

#[test]
fn every_state_of_rest_but_the_last_is_a_way_on() {
    let words: BTreeSet<&str> = ProtectionState::ALL.iter().map(|state| state.as_str()).collect();
    assert_eq!(words.len(), ProtectionState::ALL.len());
    for (state, leg) in ProtectionState::ALL.into_iter().flat_map(|s| [(s, Leg::Forward), (s, Leg::Reverse)])
    {
        let allowed = |state: ProtectionState| state.allowed(leg);
        assert!(state.is_rest() || allowed(state).is_empty(), "{state} allows something while a job runs");
        let last = state == ProtectionState::UnprotectedStatesBegin;
        assert!(!state.is_rest() || last || !allowed(state).is_empty(), "{state} is a dead end");
        assert_eq!(state.under(Verb::Planned).is_rest(), state.is_rest());
        // A recorded sample names one verb alone after an unplanned failover that failed.
        let sampled = (state, leg) == (ProtectionState::UnplannedFailoverFailed, Leg::Forward);
        assert!(sampled || allowed(state.under(Verb::Planned)) == allowed(state));
        assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
    }
}

#[test]
fn active_location_swaps_its_meaning_after_reprotect() {
    let mut item = Item::new(name(0), VirtualMs(0));
    let mut seen = Vec::new();
    for (leg, active) in [
        (Leg::Forward, Site::OnPremises),
        (Leg::Forward, Site::Azure),
        (Leg::Reverse, Site::Azure),
        (Leg::Reverse, Site::OnPremises),
    ] {
        (item.leg, item.active) = (leg, active);
        seen.push((item.leg.instance_type(), item.active_location()));
    }
    let expected = [
        ("InMageAzureV2", "Primary"),
        ("InMageAzureV2", "Recovery"),
        ("InMage", "Primary"),
        ("InMage", "Recovery"),
    ];
    assert_eq!(seen, expected);
}

#[test]
fn every_kind_of_record_is_listed() {
    let source = include_str!("record.rs");
    let arms = source.split("pub fn kind(&self) -> &'static str").nth(1).unwrap_or_default();
    let said: std::collections::BTreeSet<&str> = arms.split('"').skip(1).step_by(2).collect();
    assert_eq!(said, super::KINDS.into_iter().collect());
}
