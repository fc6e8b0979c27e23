//! Invariants of scope `AtRest` and `End`, on the world after the faultless cycle and on spoiled ones.

use crate::common::*;
use failback_oracle::{BLOCK, Content, ItemSeen, Loss, Observation, Oracle};
use failback_wire::clock::VirtualMs;
use failback_wire::event::{Mark, What};
use std::collections::{BTreeMap, BTreeSet};

const NOW: VirtualMs = VirtualMs(1_000_000);

fn at_rest(script: &Script, seen: &Observation) -> Oracle {
    let mut oracle = script.oracle();
    assert_eq!(oracle.violations(), [], "the stream itself must hold");
    oracle.at_rest(NOW, seen);
    oracle
}
fn at_end(script: &Script, seen: &Observation) -> Oracle {
    let mut oracle = script.oracle();
    assert_eq!(oracle.violations(), [], "the stream itself must hold");
    oracle.end(NOW, seen);
    oracle
}
fn with(change: impl FnOnce(&mut Observation)) -> Observation {
    let mut seen = home();
    change(&mut seen);
    seen
}
fn set(names: &[&'static str]) -> BTreeSet<&'static str> {
    names.iter().copied().collect()
}

#[test]
fn the_world_after_the_cycle_holds_everything() {
    let mut oracle = at_rest(&cycle(), &home());
    oracle.end(NOW, &home());
    assert_eq!(oracle.violations(), []);
    let tally = oracle.tally();
    assert_eq!((tally.disks_compared, tally.blocks_hashed), (6, 11), "three machines, two disks each");
}

#[test]
fn what_is_wrong_at_rest_is_found() {
    let cases: Vec<(&str, Script, Observation, &[&str])> = vec![
        (
            "a point the target let go long ago",
            cycle().before(&withdrawn("r1"), pruned("web01-rev", "r1")),
            with(|s| s.items[0].points.push("r1".into())),
            &["last-point-usable"],
        ),
        ("an open job is shown", cycle(), with(|s| s.open_jobs.push("j5".into())), &["no-open-job"]),
        (
            "a job never ended",
            cycle().then([accepted("Commit", "web01", "j6"), started("j6", "web01")]),
            home(),
            &["no-open-job"],
        ),
        ("no state", cycle(), with(|s| s.items[0].state.clear()), &["item-states"]),
        ("unrest", cycle(), with(|s| s.items[0].state = "FailbackInProgress".into()), &["item-states"]),
        ("nothing allowed", cycle(), with(|s| s.items[0].allowed.clear()), &["item-states"]),
        (
            "an operation allowed twice",
            cycle(),
            with(|s| s.items[0].allowed.push("DisableProtection".into())),
            &["item-states"],
        ),
        (
            "a session is left",
            cycle(),
            with(|s| s.leftovers.push("session web01-rev on mt-windows".into())),
            &["no-leftovers"],
        ),
        (
            "a replication home is left",
            cycle(),
            with(|s| s.sessions.push("web01-rev".into())),
            &["no-leftovers"],
        ),
        (
            "a point of the product's that nobody holds",
            cycle(),
            with(|s| s.items[0].points.push("r9".into())),
            &["last-point-usable"],
        ),
        (
            "protected without a point",
            cycle(),
            with(|s| s.items[0].state = "Protected".into()),
            &["last-point-usable"],
        ),
        ("power that no event told", cycle(), with(|s| s.vms[0].on = false), &["stream-true"]),
        ("a holder that no event told", cycle(), with(|s| s.vms[0].disks.truncate(1)), &["stream-true"]),
    ];
    for (name, script, seen, expected) in cases {
        let oracle = at_rest(&script, &seen);
        let expected = expected.iter().copied().collect();
        assert_eq!(names(&oracle), expected, "{name}: {:#?}", oracle.violations());
    }
}

#[test]
fn what_could_not_be_asked_for_is_shown_as_it_was() {
    let script = cycle().before(&withdrawn("r1"), pruned("web01-rev", "r1"));
    let asked = |at: u64| {
        with(|s| {
            s.items[0].points.push("r1".into());
            s.asked_in_vain.push(("web01-rev".into(), VirtualMs(at)));
        })
    };
    assert_eq!(names(&at_rest(&script, &asked(NOW.0 - 1000))), set(&[]));
    assert_eq!(names(&at_rest(&script, &asked(1000))), set(&["last-point-usable"]), "long ago");
}

#[test]
fn disks_and_snapshots_left_behind_are_found() {
    let snapshot = |by| What::SnapshotTaken { vm: onprem(), name: "asr".into(), by };
    let seen = with(|s| s.vms[0].snapshots.push("asr".into()));
    let taken = |by| cycle().before(&ended("j5", "Succeeded"), snapshot(by));
    assert_eq!(names(&at_rest(&taken(Product), &seen)), set(&["no-leftovers"]));
    assert_eq!(names(&at_rest(&taken(Operator), &seen)), set(&[]), "an operator's snapshot is not ours");

    // The machine is home, one disk still hangs on the master target.
    let forgotten = cycle()
        .before(&ended("j5", "Succeeded"), power(onprem(), false))
        .before(&ended("j5", "Succeeded"), detach(vmdk(1), onprem()))
        .before(&ended("j5", "Succeeded"), attach(vmdk(1), target()));
    let seen = with(|s| {
        s.vms[0].on = false;
        s.vms[0].disks.truncate(1);
        s.vms[1].disks.push(vmdk(1));
    });
    assert_eq!(names(&at_rest(&forgotten, &seen)), set(&["no-leftovers"]));
}

#[test]
fn states_of_rest_can_be_listed() {
    let mut setup = setup();
    setup.rest_states = vec!["Protected".into()];
    let mut oracle = Oracle::new(&setup);
    oracle.at_rest(NOW, &Observation { items: vec![seen_item("Protectd", &[])], ..Observation::default() });
    assert!(names(&oracle).contains("item-states"));
}

#[test]
fn only_an_item_that_could_not_be_enabled_may_rest_with_nothing_allowed() {
    let resting = |state: &str| {
        let mut oracle = Oracle::new(&setup());
        let items = vec![ItemSeen { allowed: Vec::new(), ..seen_item(state, &[]) }];
        oracle.at_rest(NOW, &Observation { items, ..Observation::default() });
        names(&oracle).contains("item-states")
    };
    assert!(!resting("EnablingFailed"));
    assert!(resting("ReprotectFailed"));
}

#[test]
fn usable_points_are_fine() {
    let protected = cycle().until(&wrote(Azure, 0, 4, 22));
    let seen = with(|s| {
        s.vms[0] = seen_vm(onprem(), false, Vec::new());
        s.vms[1].disks = vec![vmdk(0), vmdk(1)];
        s.vms.push(seen_vm(azure(), true, vec![managed(0), managed(1)]));
        s.items = vec![seen_item("Protected", &["r1", "r2"])];
    });
    let oracle = at_rest(&protected, &seen);
    assert_eq!(oracle.violations(), []);
    assert_eq!(oracle.usable_points(&web01()).len(), 2);
}

#[test]
fn a_vmdk_that_the_product_lost_is_found_at_rest() {
    // Failed without a word: no code that would tell the operator.
    let silent = cycle()
        .without(&attach(vmdk(1), onprem()))
        .without(&power(onprem(), true))
        .without(&booted(OnPremises))
        .until(&attach(vmdk(0), onprem()));
    let mut oracle = silent.oracle();
    let end = What::JobEnded { job: "j4".into(), state: "Cancelled".into(), code: None };
    oracle.take(&event(900_000, 0, end));
    assert_eq!(names(&oracle), set(&["vmdk-holder"]));
}

#[test]
fn a_vmdk_that_a_failure_left_between_may_stay_there_when_the_vault_alone_is_asked() {
    let failed = cycle()
        .without(&attach(vmdk(1), onprem()))
        .without(&power(onprem(), true))
        .without(&booted(OnPremises))
        .until(&attach(vmdk(0), onprem()));
    let removed = |operation: &str| {
        let mut oracle = failed.oracle();
        let [j4, j9] = ["j4", "j9"].map(failback_wire::ids::JobId::from);
        let (operation, target) = (operation.to_owned(), "web01".to_owned());
        let events = [
            What::JobEnded { job: j4, state: "Failed".to_owned(), code: Some("FB2002".to_owned()) },
            What::RequestAccepted { operation: operation.clone(), target: target.clone(), job: j9.clone() },
            What::JobStarted { job: j9.clone(), scenario: operation, target },
            What::JobEnded { job: j9, state: "Succeeded".to_owned(), code: None },
        ];
        for (at, what) in (900_000..).zip(events) {
            oracle.take(&event(at, 0, what));
        }
        names(&oracle)
    };
    assert_eq!(removed("remove-protection"), set(&[]));
    assert_eq!(removed("disable-protection"), set(&["vmdk-holder"]), "who asks vCenter gives it back");
}

#[test]
fn wrong_bytes_are_found_and_explained() {
    type Case = (&'static str, Vec<(u64, u8)>, &'static [&'static str], &'static str);
    let cases: Vec<Case> = vec![
        ("right", HOME_0.to_vec(), &[], ""),
        ("zeros written out", [HOME_0, &[(9, 0)]].concat(), &[], ""),
        (
            "a write is missing",
            vec![(0, 1), (1, 10), (3, 20), (7, 30)],
            &["disk-content", "loss"],
            "differs in 1 blocks (1 too old, 0 too new, 0 of other origin); first is block 1",
        ),
        (
            "a block never arrived",
            vec![(0, 1), (1, 11), (7, 30)],
            &["disk-content", "loss"],
            "(1 too old, 0 too new, 0 of other origin); first is block 3",
        ),
        (
            "a write that the first failover lost is still there",
            [HOME_0, &[(2, 13)]].concat(),
            &["disk-content"],
            "(0 too old, 1 too new, 0 of other origin); first is block 2",
        ),
        (
            "a write after the point is there",
            [HOME_0, &[(4, 22)]].concat(),
            &["disk-content"],
            "(0 too old, 1 too new, 0 of other origin); first is block 4",
        ),
        (
            "a stranger's bytes",
            vec![(0, 99), (1, 11), (3, 20), (7, 30)],
            &["disk-content"],
            "(0 too old, 0 too new, 1 of other origin); first is block 0: expected",
        ),
    ];
    for (name, content, expected, text) in cases {
        let seen = with(|s| s.disks[0] = seen_disk(vmdk(0), &content));
        let oracle = at_end(&cycle(), &seen);
        assert_eq!(names(&oracle), expected.iter().copied().collect(), "{name}");
        if let Some(first) = oracle.violations().first() {
            assert!(first.text.contains(text), "{name}: {}", first.text);
        }
    }
}

#[test]
fn swapped_missing_and_truncated_disks_are_found() {
    let swapped = with(|s| {
        s.disks[0] = seen_disk(vmdk(0), HOME_1);
        s.disks[1] = seen_disk(vmdk(1), HOME_0);
    });
    assert!(names(&at_end(&cycle(), &swapped)).contains("disk-content"));
    let short = with(|s| s.disks[0].blocks = 63);
    let oracle = at_end(&cycle(), &short);
    assert!(oracle.violations()[0].text.contains("is cut to 63 of 64 blocks"), "{:?}", oracle.violations());
    let gone = with(|s| s.vms[0].disks.truncate(1));
    let oracle = at_end(&cycle(), &gone);
    assert!(oracle.violations()[0].text.contains("has no such disk"), "{:?}", oracle.violations());
    let no_vm = with(|s| s.vms.retain(|v| v.vm != onprem()));
    assert_eq!(at_end(&cycle(), &no_vm).violations().len(), 2, "one for each disk");
    let unlisted = with(|s| s.disks.retain(|d| d.disk != vmdk(1)));
    assert!(at_end(&cycle(), &unlisted).violations()[0].text.contains("is in no inventory"));
}

#[test]
fn what_others_took_away_is_not_the_products_fault() {
    let taken = cycle().then([What::VmDeleted { vm: onprem(), by: Operator }]);
    let seen = with(|s| s.vms.retain(|v| v.vm != onprem()));
    assert_eq!(at_end(&taken, &seen).violations(), []);
    let pulled = cycle().then([What::DiskDetached { disk: vmdk(1), vm: onprem(), by: Fault }]);
    let seen = with(|s| s.vms[0].disks.truncate(1));
    assert_eq!(at_end(&pulled, &seen).violations(), []);
}

#[test]
fn new_disks_of_an_alternate_location_are_judged_by_place() {
    let fresh = |n: usize| failback_wire::event::DiskRef::Vmdk(format!("6000C29b-new-{n}").into());
    let seen = with(|s| {
        s.vms[0].disks = vec![fresh(0), fresh(1)];
        s.disks[0] = seen_disk(fresh(0), HOME_0);
        s.disks[1] = seen_disk(fresh(1), HOME_1);
    });
    assert_eq!(at_end(&cycle(), &seen).violations(), []);
    let crossed = with(|s| {
        s.vms[0].disks = vec![fresh(1), fresh(0)];
        s.disks[0] = seen_disk(fresh(0), HOME_0);
        s.disks[1] = seen_disk(fresh(1), HOME_1);
    });
    assert!(names(&at_end(&cycle(), &crossed)).contains("disk-content"));
}

#[test]
fn azures_disks_are_judged_while_production_is_there() {
    let away = cycle().until(&wrote(Azure, 0, 3, 20));
    let seen = |first: &[(u64, u8)]| {
        with(|s| {
            s.vms[0].on = false;
            s.vms.push(seen_vm(azure(), true, vec![managed(0), managed(1)]));
            s.disks.push(seen_disk(managed(0), first));
            s.disks.push(seen_disk(managed(1), &[(0, 2), (5, 12)]));
        })
    };
    assert_eq!(at_end(&away, &seen(&[(0, 1), (1, 11), (3, 20)])).violations(), []);
    // Block 2 was written after the chosen point.
    let oracle = at_end(&away, &seen(&[(0, 1), (1, 11), (2, 13), (3, 20)]));
    assert_eq!(names(&oracle), set(&["disk-content"]));
    assert!(oracle.violations()[0].text.contains("1 too new"));
}

#[test]
fn a_copy_that_is_made_anew_is_excused_while_its_point_is_held_and_holds_that_point() {
    let deleted = What::VmDeleted { vm: azure(), by: Product };
    let changing = cycle().until(&booted(Azure)).then([ended("j1", "Succeeded"), wrote(Azure, 0, 3, 20)]);
    let changing = changing.then([accepted("change-recovery-point", "web01", "j8"), started("j8", "web01")]);
    let changing = changing.then([chosen("web01-fwd", "p1", 1, Azure), deleted, ended("j8", "Failed")]);
    let away = with(|s| s.vms[0].on = false);
    assert_eq!(at_end(&changing, &away).violations(), [], "p1 is held");
    let lost = changing.clone().then([pruned("web01-fwd", "p1")]);
    assert!(names(&at_end(&lost, &away)).contains("disk-content"), "nothing is left to make it of");
    let made = |first: &[(u64, u8)]| {
        with(|s| {
            s.vms[0].on = false;
            s.vms.push(seen_vm(azure(), true, vec![managed(0), managed(1)]));
            s.disks.push(seen_disk(managed(0), first));
            s.disks.push(seen_disk(managed(1), &[(0, 2)]));
        })
    };
    assert!(!names(&at_end(&changing, &made(&[(0, 1), (1, 10)]))).contains("disk-content"), "it holds p1");
    let wrong = made(&[(0, 1), (1, 10), (3, 20)]);
    assert!(names(&at_end(&changing, &wrong)).contains("disk-content"), "block 3 is of the copy before");
}

#[test]
fn loss_is_what_the_old_copy_wrote_after_the_point() {
    let away = cycle().until(&booted(Azure)).oracle();
    let one = Loss { writes: 1, blocks: 1, bytes: BLOCK, ms: 3000, seconds: 3 };
    assert_eq!(away.loss(&web01()), Some(one));
    assert_eq!(cycle().oracle().loss(&web01()), Some(one), "after the way home: block 4");
    assert_eq!(cycle().oracle().loss(&"db01".into()), None, "nothing was chosen");
    // The source outlives the failover and goes on writing: twice the same block.
    let lives =
        cycle().until(&booted(Azure)).then([wrote(OnPremises, 0, 9, 40), wrote(OnPremises, 0, 9, 41)]);
    let loss = lives.oracle().loss(&web01()).expect("chosen");
    assert_eq!((loss.writes, loss.blocks, loss.bytes), (3, 2, 2 * BLOCK));
    let exact = cycle().without(&wrote(OnPremises, 0, 2, 13)).oracle();
    assert_eq!(exact.loss(&web01()).map(|l| l.writes), Some(1));
}

#[test]
fn a_choice_that_never_came_up_moves_nothing() {
    let failed = cycle().until(&chosen("web01-fwd", "p2", 2, Azure)).then([
        ended("j1", "Failed"),
        What::PowerChanged { vm: onprem(), on: true, by: Operator },
        booted(OnPremises),
        wrote(OnPremises, 1, 8, 50),
    ]);
    let oracle = failed.oracle();
    assert_eq!(oracle.production(&web01()), Some(OnPremises));
    let content = oracle.production_content(&web01()).expect("known");
    assert_eq!(content[&disk(0)], expected(&[(0, 1), (1, 11), (2, 13)]));
    assert_eq!(content[&disk(1)], expected(&[(0, 2), (5, 12), (8, 50)]));
}

#[test]
fn a_choice_said_again_after_a_restart_keeps_the_copys_own_writes() {
    let again = cycle().after(&wrote(OnPremises, 0, 7, 30), chosen("web01-rev", "r2", 2, OnPremises));
    let again =
        again.after(&chosen("web01-rev", "r2", 2, OnPremises), chosen("web01-rev", "r2", 2, OnPremises));
    let oracle = again.then([booted(OnPremises)]).oracle();
    assert_eq!(oracle.production_content(&web01()).expect("known")[&disk(0)], expected(HOME_0));
}

#[test]
fn content_at_a_mark_is_a_prefix() {
    let oracle = cycle().oracle();
    let at = |session: &str, mark| oracle.content_at(&web01(), &session.into(), Mark(mark));
    let p1 = at("web01-fwd", 1).expect("cut");
    assert_eq!(p1[&disk(0)], expected(&[(0, 1), (1, 10)]));
    assert_eq!(p1[&disk(1)], expected(&[(0, 2)]));
    let r2 = at("web01-rev", 2).expect("cut");
    assert_eq!(r2[&disk(0)], expected(&[(0, 1), (1, 11), (3, 20)]));
    assert_eq!(at("web01-rev", 3), None);
}

fn expected(content: &[(u64, u8)]) -> Content {
    content.iter().map(|(block, v)| (*block, hash(*v))).collect::<BTreeMap<_, _>>()
}
