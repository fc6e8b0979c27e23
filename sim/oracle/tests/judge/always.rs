//! Every invariant of scope `Always`: the faultless cycle holds it, and one spoiled event breaks it.

use crate::common::*;
use failback_oracle::{CHECKS, Scope};
use failback_wire::event::{DiskRef, PointKind, What};
use std::collections::{BTreeMap, BTreeSet};

/// Cases that break exactly the invariants named.
fn cases() -> Vec<(&'static str, Script, &'static [&'static str])> {
    let mut all = copies();
    all.extend(disks());
    all.extend(points());
    all.extend(jobs());
    all
}

fn copies() -> Vec<(&'static str, Script, &'static [&'static str])> {
    let off = power(azure(), false);
    let delete = What::VmDeleted { vm: azure(), by: Product };
    let home = power(onprem(), true);
    vec![
        (
            "the source lives on and nobody is warned",
            cycle().without(&power(onprem(), false)).until(&ended("j1", "Succeeded")),
            &["one-copy-on"],
        ),
        ("on-premises powered on while Azure runs", cycle().without(&off), &["failback-order"]),
        (
            "powered on before Azure is off",
            cycle().without(&off).after(&home, off.clone()),
            &["failback-order"],
        ),
        (
            "powered on while the master target holds a disk",
            cycle().without(&detach(vmdk(1), target())).without(&attach(vmdk(1), onprem())),
            &["failback-order"],
        ),
        (
            "Azure's virtual machine deleted at failback",
            cycle().without(&delete).before(&ended("j4", "Succeeded"), delete.clone()),
            // Its disks are deleted in the commit, where that is allowed.
            &["azure-kept"],
        ),
        (
            "Azure's disk deleted at failback",
            cycle().before(&ended("j4", "Succeeded"), What::DiskDeleted { disk: managed(0), by: Product }),
            &["azure-kept"],
        ),
        ("Azure's disk overwritten", cycle().before(&off, written(managed(0))), &["azure-kept"]),
        (
            "the disks were never rolled",
            cycle().without(&rolled("web01-rev", "r2", 2)),
            &["rolled-to-choice"],
        ),
        (
            "rolled to another point than chosen",
            cycle().replace(&rolled("web01-rev", "r2", 2), rolled("web01-rev", "r1", 1)),
            &["rolled-to-choice"],
        ),
        (
            "rolled to a point that is gone",
            cycle().before(&rolled("web01-rev", "r2", 2), pruned("web01-rev", "r2")),
            &["rolled-to-choice"],
        ),
    ]
}

fn disks() -> Vec<(&'static str, Script, &'static [&'static str])> {
    let reprotected = ended("j3", "Succeeded");
    let alien = DiskRef::Vmdk("6000C29a-stranger".into());
    let unknown = DiskRef::Vmdk("6000C29a-extra".into());
    vec![
        (
            "attached to the master target before it is detached",
            cycle().without(&detach(vmdk(0), onprem())).until(&reprotected),
            &["vmdk-holder"],
        ),
        (
            "detached and attached nowhere",
            cycle().without(&attach(vmdk(1), target())).until(&reprotected),
            &["vmdk-holder"],
        ),
        ("written, but nobody's", cycle().before(&written(vmdk(0)), written(unknown)), &["write-own-vmdk"]),
        (
            "written, but a stranger's",
            cycle().before(&written(vmdk(0)), written(alien.clone())),
            &["foreign-untouched", "write-own-vmdk"],
        ),
        (
            "written before the master target has it",
            cycle().before(&detach(vmdk(0), onprem()), written(vmdk(0))),
            &["write-own-vmdk"],
        ),
        (
            "written while the machine is home and runs",
            cycle().then([written(vmdk(0))]),
            &["running-vm", "write-own-vmdk"],
        ),
        (
            "taken away from a running machine",
            cycle().then([
                accepted("ReverseReplicate", "web01", "j6"),
                started("j6", "web01"),
                detach(vmdk(0), onprem()),
                attach(vmdk(0), onprem()),
            ]),
            &["running-vm"],
        ),
        ("a stranger is powered off", cycle().then([power(stranger(), false)]), &["foreign-untouched"]),
        (
            "a stranger's disk is attached",
            cycle().before(&reprotected, attach(alien, target())),
            &["foreign-untouched"],
        ),
        (
            "the master target's snapshot is removed",
            cycle().before(
                &reprotected,
                What::SnapshotRemoved { vm: target(), name: "weekly".into(), by: Product },
            ),
            &["foreign-untouched"],
        ),
    ]
}

fn points() -> Vec<(&'static str, Script, &'static [&'static str])> {
    use PointKind::{Application, Crash};
    let (fwd, rev) = ("web01-fwd", "web01-rev");
    let to_azure = chosen(fwd, "p2", 2, Azure);
    vec![
        (
            "stored without a mark",
            cycle().before(&to_azure, stored(fwd, "p9", 9, Crash)),
            &["points-complete"],
        ),
        (
            "stored as application-consistent, cut as crash-consistent",
            cycle().before(&to_azure, stored(fwd, "p9", 1, Application)),
            &["points-complete"],
        ),
        ("offered without being stored", cycle().without(&stored(rev, "r1", 1, Crash)), &["points-complete"]),
        (
            "offered as another mark",
            cycle().before(&to_azure, offered(fwd, "p2", 1, Crash)),
            &["points-complete"],
        ),
        (
            "one mark cut twice, with a write between",
            cycle().before(&to_azure, cut(OnPremises, fwd, 2, Application)),
            &["points-complete"],
        ),
        (
            "a mark for a group it is no member of",
            cycle().before(
                &to_azure,
                What::MarkCut {
                    copy: failback_wire::ids::MachineCopy::new("web01", OnPremises),
                    session: fwd.into(),
                    mark: failback_wire::event::Mark(3),
                    kind: Crash,
                    group: Some("shop".into()),
                },
            ),
            &["group-marks"],
        ),
        (
            "chosen after it was withdrawn",
            cycle().before(&chosen(rev, "r2", 2, OnPremises), withdrawn("r2")),
            &["chosen-point"],
        ),
        (
            "chosen as another mark",
            cycle().replace(&to_azure, chosen(fwd, "p2", 1, Azure)).until(&ended("j1", "Succeeded")),
            &["chosen-point"],
        ),
        (
            "chosen though no target holds it",
            cycle().replace(&to_azure, chosen(fwd, "p7", 2, Azure)).until(&ended("j1", "Succeeded")),
            &["chosen-point"],
        ),
    ]
}

fn jobs() -> Vec<(&'static str, Script, &'static [&'static str])> {
    let end = ended("j4", "Succeeded");
    vec![
        (
            "a machine of a later boot group started first",
            cycle().then([
                accepted("failback", "shop-plan", "j9"),
                started("j9", "shop-plan"),
                power(vm(OnPremises, "app01"), true),
                power(vm(OnPremises, "db01"), true),
                ended("j9", "Succeeded"),
            ]),
            &["boot-order"],
        ),
        (
            "a refused request powers off",
            cycle().then([refused("UnplannedFailover", "web01"), power(onprem(), false)]),
            &["refusal-touches-nothing"],
        ),
        (
            "a refused plan powers a member off",
            cycle().then([refused("UnplannedFailover", "shop-plan"), power(vm(OnPremises, "db01"), false)]),
            &["refusal-touches-nothing"],
        ),
        ("an effect after the job", cycle().then([power(onprem(), false)]), &["effects-in-job"]),
        ("a job ends twice", cycle().after(&end, end.clone()), &["jobs-end"]),
        ("a job ends that never was", cycle().then([ended("j9", "Succeeded")]), &["jobs-end"]),
        ("a job goes on after its end", cycle().after(&end, started("j4", "web01")), &["jobs-end"]),
        (
            "a task after its job",
            cycle().after(&end, What::TaskStarted { job: "j4".into(), task: "late".into() }),
            &["jobs-end"],
        ),
        (
            "two requests at once on one item",
            cycle().after(&started("j4", "web01"), accepted("Commit", "web01", "j8")).until(&end),
            &["one-job-per-item"],
        ),
        (
            "a plan and a member of it at once",
            Script(vec![
                accepted("UnplannedFailover", "shop-plan", "j1"),
                accepted("Commit", "/vaults/v/items/db01", "j2"),
            ]),
            &["one-job-per-item"],
        ),
        (
            "a failed failback lost the points",
            cycle().until(&power(azure(), false)).then([
                withdrawn("r1"),
                withdrawn("r2"),
                ended("j4", "Failed"),
            ]),
            &["point-after-failure"],
        ),
    ]
}

#[test]
fn the_faultless_cycle_breaks_nothing() {
    let oracle = cycle().oracle();
    assert_eq!(oracle.violations(), []);
    let tally = oracle.tally();
    assert_eq!((tally.writes, tally.unplaced_writes, tally.marks), (8, 0, 4));
}

#[test]
fn every_spoiled_stream_breaks_what_it_should_and_nothing_else() {
    for (name, script, expected) in cases() {
        let oracle = script.oracle();
        let expected: BTreeSet<_> = expected.iter().copied().collect();
        assert_eq!(names(&oracle), expected, "{name}: {:#?}", oracle.violations());
    }
}

#[test]
fn every_always_invariant_has_a_case_that_breaks_it() {
    let mut broken: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, _, names) in cases() {
        for name in names {
            *broken.entry(name).or_default() += 1;
        }
    }
    for check in CHECKS.iter().filter(|c| c.scope == Scope::Always) {
        assert!(broken.contains_key(check.name), "no case breaks {}", check.name);
    }
}

#[test]
fn a_violation_names_the_event() {
    let delete = What::VmDeleted { vm: azure(), by: Product };
    let script = cycle().without(&delete).before(&ended("j4", "Succeeded"), delete.clone());
    let oracle = script.oracle();
    let [violation] = oracle.violations() else { panic!("{:?}", oracle.violations()) };
    let event = violation.event.as_ref().expect("an event broke it");
    assert_eq!(event.what, delete);
    assert_eq!(violation.at, event.at);
    assert!(violation.to_string().contains("[azure-kept] the Azure virtual machine of web01 was deleted"));
}

/// What looks like a break and is none.
#[test]
fn exceptions_among_copies_pass() {
    let source_on = cycle().without(&power(onprem(), false)).until(&ended("j1", "Succeeded"));
    let delete = What::VmDeleted { vm: azure(), by: Product };
    let cases = [
        ("warned after", source_on.clone().before(&ended("j1", "Succeeded"), warned("FB2102"))),
        ("warned before", source_on.before(&power(azure(), true), warned("split-brain"))),
        (
            "the operator powers on-premises on",
            cycle()
                .after(&ended("j2", "Succeeded"), What::PowerChanged { vm: onprem(), on: true, by: Operator })
                .until(&ended("j2", "Succeeded")),
        ),
        ("a fault powers the stranger off", {
            cycle().then([What::PowerChanged { vm: stranger(), on: false, by: Fault }])
        }),
        (
            "rebuilt for another recovery point",
            cycle().until(&ended("j1", "Succeeded")).then([
                accepted("ChangePit", "web01", "j6"),
                started("j6", "web01"),
                delete.clone(),
                chosen("web01-fwd", "p1", 1, Azure),
                What::VmCreated { vm: azure(), by: Product },
                power(azure(), true),
                booted(Azure),
                ended("j6", "Succeeded"),
            ]),
        ),
        (
            "a machine whose guest never came up is taken back",
            cycle().until(&power(azure(), true)).then([delete, ended("j1", "Failed")]),
        ),
    ];
    hold(&cases);
}

#[test]
fn exceptions_among_jobs_pass() {
    let between = cycle()
        .without(&attach(vmdk(0), onprem()))
        .without(&attach(vmdk(1), onprem()))
        .without(&power(onprem(), true))
        .without(&booted(OnPremises))
        .replace(&ended("j4", "Succeeded"), ended("j4", "Failed"))
        .until(&ended("j4", "Failed"));
    let cases = [
        ("failed between detaching and attaching, and said why", between.clone()),
        (
            "and taken up again",
            between.then([
                accepted("PlannedFailover", "web01", "j6"),
                started("j6", "web01"),
                attach(vmdk(0), onprem()),
                attach(vmdk(1), onprem()),
                power(onprem(), true),
                booted(OnPremises),
                ended("j6", "Succeeded"),
            ]),
        ),
        ("a job taken up after a restart", cycle().after(&started("j4", "web01"), started("j4", "web01"))),
        (
            "refused, then accepted",
            cycle().before(&accepted("PlannedFailover", "web01", "j4"), refused("PlannedFailover", "web01")),
        ),
        (
            "refused while another request works",
            cycle().before(&power(azure(), false), refused("Commit", "web01")),
        ),
        (
            "a plan's own jobs for its members",
            Script(vec![
                accepted("UnplannedFailover", "shop-plan", "j1"),
                started("j1", "shop-plan"),
                started("j1-app", "app01"),
                power(vm(OnPremises, "app01"), false),
                ended("j1-app", "Succeeded"),
                ended("j1", "Succeeded"),
            ]),
        ),
    ];
    hold(&cases);
}

fn hold(cases: &[(&str, Script)]) {
    for (name, script) in cases {
        let oracle = script.oracle();
        assert_eq!(oracle.violations(), [], "{name}");
    }
}

#[test]
fn a_group_moves_to_one_instant_or_says_that_it_did_not() {
    let shop = || Some("shop".into());
    for (apart, group, warn, holds) in [
        (0, shop(), false, true),
        (1, shop(), false, false),
        (1, shop(), true, true),
        (0, None, false, false),
        (0, None, true, true),
    ] {
        let mut oracle = failback_oracle::Oracle::new(&setup());
        group_failover(&mut oracle, apart, group.clone(), warn);
        let broken: &[&str] = if holds { &[] } else { &["group-marks"] };
        let expected: BTreeSet<_> = broken.iter().copied().collect();
        assert_eq!(names(&oracle), expected, "{apart} ms apart, {group:?}, warned: {warn}");
    }
}

#[test]
fn a_refusal_by_a_jobs_own_preconditions_is_judged_over_the_whole_job() {
    let refusal = |touch: Option<What>| {
        let mut script = cycle().then([accepted("failover", "web01", "j6"), started("j6", "web01")]);
        script = script.then(touch).then([refused("failover", "web01")]);
        let code = Some("FB1601".to_owned());
        script.then([What::JobEnded { job: "j6".into(), state: "Failed".into(), code }])
    };
    assert_eq!(names(&refusal(None).oracle()), BTreeSet::new());
    let touched = refusal(Some(power(onprem(), false)));
    assert_eq!(names(&touched.oracle()), BTreeSet::from(["refusal-touches-nothing"]));
    // A refused commit releases nothing.
    let late =
        refusal(None).replace(&accepted("failover", "web01", "j6"), accepted("commit-back", "web01", "j6"));
    let late = late.replace(&refused("failover", "web01"), refused("commit-back", "web01"));
    let again = late.without(&What::VmDeleted { vm: azure(), by: Product });
    let again = again.then([
        accepted("reprotect", "web01", "j7"),
        started("j7", "web01"),
        What::VmDeleted { vm: azure(), by: Product },
    ]);
    assert_eq!(names(&again.oracle()), BTreeSet::from(["azure-kept"]));
}

#[test]
fn what_a_crash_swallowed_is_not_held_against_the_product() {
    let crash = || What::NodeCrashed { node: "test".into() };
    // The end of a job: the next request is taken, nothing is left open.
    let lost = cycle().replace(&ended("j5", "Succeeded"), crash());
    let mut oracle =
        lost.clone().then([accepted("reprotect", "web01", "j6"), ended("j6", "Failed")]).oracle();
    oracle.at_rest(failback_wire::clock::VirtualMs(1), &home());
    assert_eq!(oracle.violations(), []);
    // Without a crash the same is an error.
    let silent = cycle().without(&ended("j5", "Succeeded")).then([accepted("reprotect", "web01", "j6")]);
    assert_eq!(names(&silent.oracle()), BTreeSet::from(["one-job-per-item"]));
    // The choice of the way home: the roll tells it.
    let mut rolled = cycle().replace(&chosen("web01-rev", "r2", 2, OnPremises), crash()).oracle();
    rolled.end(failback_wire::clock::VirtualMs(1), &home());
    assert_eq!(rolled.violations(), []);
    // The choice of the way there: nothing else tells it, and the end says so.
    let mut blind = cycle().without(&chosen("web01-fwd", "p2", 2, Azure)).until(&booted(Azure)).oracle();
    let mut seen = home();
    seen.vms.push(seen_vm(azure(), true, vec![managed(0), managed(1)]));
    blind.end(failback_wire::clock::VirtualMs(1), &seen);
    assert!(blind.violations()[0].text.contains("nobody told which recovery point"));
}

#[test]
fn the_product_may_know_of_points_a_little_late() {
    let (pruned, withdrawn) = (pruned("web01-rev", "r1"), withdrawn("r1"));
    let offer = offered("web01-rev", "r1", 1, PointKind::Crash);
    let stream = cycle().before(&offer, pruned).after(&offer, withdrawn);
    assert_eq!(names(&stream.oracle()), BTreeSet::new());
    let mut strict = setup();
    strict.sight_lag_ms = 999;
    let mut oracle = failback_oracle::Oracle::new(&strict);
    for (n, what) in stream.0.iter().enumerate() {
        oracle.take(&event(n as u64 * 1000, n as u64, what.clone()));
    }
    assert_eq!(names(&oracle), BTreeSet::from(["points-complete"]));
}

#[test]
fn a_session_that_its_keeper_forgot_holds_no_points() {
    let phase = |node: &str| failback_wire::event::Event {
        at: failback_wire::clock::VirtualMs(1_000_000),
        node: node.into(),
        seq: 0,
        what: What::SessionPhase {
            session: "web01-rev".into(),
            machine: "web01".into(),
            phase: "ended".into(),
        },
    };
    let mut oracle = cycle().until(&wrote(Azure, 0, 4, 22)).oracle();
    oracle.take(&phase("ps-azure"));
    assert_eq!(oracle.usable_points(&web01()).len(), 2, "the relay holds none");
    oracle.take(&phase("test"));
    assert_eq!(oracle.usable_points(&web01()).len(), 0);
}

#[test]
fn a_commit_lets_the_points_go_even_when_it_fails() {
    let committing = cycle().until(&pruned("web01-fwd", "p2"));
    assert_eq!(names(&committing.then([ended("j2", "Failed")]).oracle()), BTreeSet::new());
}

#[test]
fn a_reprotect_home_that_fails_may_have_committed_first() {
    let reprotecting = cycle().until(&ended("j1", "Succeeded"));
    let reprotecting = reprotecting.then([accepted("reprotect", "web01", "j9"), started("j9", "web01")]);
    let over =
        What::SessionPhase { session: "web01-fwd".into(), machine: "web01".into(), phase: "ended".into() };
    let committed = reprotecting.clone().then([over, ended("j9", "Failed")]);
    assert_eq!(names(&committed.oracle()), BTreeSet::new());
    let points = ["p1", "p2"].map(|point| pruned("web01-fwd", point));
    let lost = reprotecting.then(points).then([ended("j9", "Failed")]).oracle();
    assert!(names(&lost).contains("point-after-failure"));
}

#[test]
fn a_way_out_that_fails_may_have_ended_the_sessions_but_not_taken_their_points() {
    let leaving = cycle().until(&wrote(Azure, 0, 4, 22));
    let leaving = leaving.then([accepted("disable-protection", "web01", "j9"), started("j9", "web01")]);
    let ended_session = |session: &str| What::SessionPhase {
        session: session.into(),
        machine: "web01".into(),
        phase: "ended".into(),
    };
    let gone = leaving.clone().then(["web01-fwd", "web01-rev"].map(ended_session));
    assert_eq!(names(&gone.then([ended("j9", "Failed")]).oracle()), BTreeSet::new());
    let points = ["r1", "r2"].map(|point| pruned("web01-rev", point));
    let lost = leaving.then(points).then([ended("j9", "Failed")]).oracle();
    assert!(names(&lost).contains("point-after-failure"));
}
