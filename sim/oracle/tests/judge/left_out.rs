//! Disks that a way home leaves out (P37): excused at home and from then on, from the reprotect that was accepted until one
//! that takes them along, and nowhere else.

use crate::common::*;
use failback_oracle::{Observation, Oracle};
use failback_wire::clock::VirtualMs;
use failback_wire::event::{DiskRef, Mark, PointKind, What};
use failback_wire::ids::JobId;

const NOW: VirtualMs = VirtualMs(1_000_000);

/// What the operator asks, before the event of that number: the disks of `web01` that stay in Azure.
type Asked<'a> = (usize, &'a [usize]);

/// Judges the end of a stream in which a reprotect home is the product's own operation.
fn at_end(stream: &[What], asked: &[Asked<'_>], seen: &Observation) -> Vec<String> {
    let mut oracle = Oracle::new(&setup());
    for (n, what) in stream.iter().enumerate() {
        if let Some((_, left)) = asked.iter().find(|(before, _)| *before == n) {
            let left: Vec<_> = left.iter().map(|n| disk(*n)).collect();
            oracle.asks_home_without(&web01(), &left);
        }
        oracle.take(&event(n as u64 * 1000, n as u64, what.clone()));
    }
    oracle.end(NOW, seen);
    oracle.violations().iter().map(|v| format!("{}: {}", v.invariant, v.text)).collect()
}

/// The cycle with `reprotect` in place of its request, and the number of that request.
fn stream(until: &What) -> (Vec<What>, usize) {
    let request = accepted("ReverseReplicate", "web01", "j3");
    let stream = cycle().replace(&request, accepted("reprotect", "web01", "j3")).until(until).0;
    let n = stream.iter().position(|what| *what == accepted("reprotect", "web01", "j3"));
    (stream, n.expect("the cycle has a reprotect"))
}

/// The same without what happens to the second VMDK: it stays where it is, and comes off its machine on the way home.
fn without_second(until: &What) -> (Vec<What>, usize) {
    let (mut stream, n) = stream(until);
    let moves =
        [attach(vmdk(1), target()), detach(vmdk(1), target()), attach(vmdk(1), onprem()), written(vmdk(1))];
    stream.retain(|what| !moves.contains(what));
    (stream, n)
}

fn in_azure(disks: Vec<DiskRef>) -> Observation {
    let mut seen = home();
    seen.vms[0] = seen_vm(onprem(), false, Vec::new());
    seen.vms.push(seen_vm(azure(), true, disks));
    seen.disks.push(seen_disk(managed(0), &[(0, 1), (1, 11), (3, 20), (4, 22)]));
    seen.disks.push(seen_disk(managed(1), &[(0, 2), (5, 12), (6, 21)]));
    seen
}

fn at_home(disks: Vec<DiskRef>) -> Observation {
    let mut seen = home();
    seen.vms[0] = seen_vm(onprem(), true, disks);
    seen
}

#[test]
fn a_disk_that_was_left_out_is_missed_in_azure_but_not_at_home() {
    let in_reverse = wrote(Azure, 0, 4, 22);
    let (stream, n) = without_second(&in_reverse);
    assert_eq!(at_end(&stream, &[(n, &[1])], &in_azure(vec![managed(0), managed(1)])), [] as [String; 0]);
    let lost = at_end(&stream, &[(n, &[1])], &in_azure(vec![managed(0)]));
    assert!(
        matches!(lost.as_slice(), [why] if why.starts_with("disk-content") && why.contains("no such disk")),
        "{lost:?}"
    );

    let (stream, n) = without_second(&ended("j5", "Succeeded"));
    assert_eq!(at_end(&stream, &[(n, &[1])], &at_home(vec![vmdk(0)])), [] as [String; 0]);
    let unasked = at_end(&stream, &[], &at_home(vec![vmdk(0)]));
    assert!(unasked.iter().any(|why| why.contains("no such disk")), "{unasked:?}");
}

/// The product died between noting the request and telling of it: that its job begins tells the same.
#[test]
fn a_reprotect_that_nobody_told_of_counts_from_its_start() {
    let (mut stream, n) = without_second(&ended("j5", "Succeeded"));
    stream.remove(n);
    let begins =
        stream.iter_mut().find(|what| matches!(what, What::JobStarted { job, .. } if *job == "j3".into()));
    let Some(What::JobStarted { scenario, .. }) = begins else { panic!("the reprotect begins") };
    *scenario = "SwitchReplicationGroupProtection".to_owned();
    assert_eq!(at_end(&stream, &[(n, &[1])], &at_home(vec![vmdk(0)])), [] as [String; 0]);
    let unasked = at_end(&stream, &[], &at_home(vec![vmdk(0)]));
    assert!(unasked.iter().any(|why| why.contains("no such disk")), "{unasked:?}");
}

#[test]
fn a_later_reprotect_takes_the_disk_along() {
    let (mut stream, n) = stream(&ended("j5", "Succeeded"));
    let first = [accepted("reprotect", "web01", "j0"), started("j0", "web01"), ended("j0", "Failed")];
    stream.splice(n..n, first);
    let asked: &[Asked<'_>] = &[(n, &[1]), (n + 3, &[])];
    assert_eq!(at_end(&stream, asked, &home()), [] as [String; 0], "its VMDK may be written again");
    stream.retain(|what| *what != attach(vmdk(1), onprem()));
    let lost = at_end(&stream, asked, &at_home(vec![vmdk(0)]));
    assert!(lost.iter().any(|why| why.starts_with("disk-content")), "{lost:?}");
}

#[test]
fn what_a_refused_reprotect_leaves_out_comes_home() {
    let (mut stream, _) = stream(&ended("j5", "Succeeded"));
    let refused = [
        accepted("reprotect", "web01", "j0"),
        started("j0", "web01"),
        What::RequestRefused {
            operation: "reprotect".into(),
            target: "web01".into(),
            codes: vec!["FB0000".into()],
        },
        ended("j0", "Failed"),
    ];
    let at = stream
        .iter()
        .position(|what| *what == accepted("PlannedFailover", "web01", "j4"))
        .expect("it is there");
    stream.splice(at..at, refused);
    assert_eq!(at_end(&stream, &[(at, &[1])], &home()), [] as [String; 0]);
    stream.retain(|what| *what != attach(vmdk(1), onprem()));
    let lost = at_end(&stream, &[(at, &[1])], &at_home(vec![vmdk(0)]));
    assert!(lost.iter().any(|why| why.starts_with("disk-content")), "{lost:?}");
}

#[test]
fn nobody_writes_to_a_disk_that_stays_or_deletes_it() {
    let (mut stream, n) = without_second(&wrote(Azure, 0, 4, 22));
    stream.push(written(vmdk(1)));
    stream.push(What::DiskDeleted { disk: vmdk(1), by: Product });
    let seen = in_azure(vec![managed(0), managed(1)]);
    let said = at_end(&stream, &[(n, &[1])], &seen).join("\n");
    assert!(said.contains("write-own-vmdk") && said.contains("foreign-untouched"), "{said}");
}

/// Home without its first disk, to Azure again, where the second is the only one, and it is to come home by itself.
#[test]
fn the_next_copy_has_none_of_it_and_its_other_disks_take_their_places() {
    let (mut stream, n) = stream(&ended("j5", "Succeeded"));
    let moves =
        [attach(vmdk(0), target()), detach(vmdk(0), target()), attach(vmdk(0), onprem()), written(vmdk(0))];
    stream.retain(|what| !moves.contains(what) && *what != wrote(OnPremises, 0, 7, 30));
    let again = "web01-again";
    stream.extend([
        wrote(OnPremises, 1, 9, 40),
        cut(OnPremises, again, 1, PointKind::Crash),
        stored(again, "a1", 1, PointKind::Crash),
        accepted("failover", "web01", "j6"),
        started("j6", "web01"),
        power(onprem(), false),
        stopped(OnPremises),
        What::PointChosen {
            item: web01(),
            session: again.into(),
            point: "a1".into(),
            mark: Mark(1),
            to: Azure,
        },
        What::VmCreated { vm: azure(), by: Product },
        What::DiskCreated { disk: managed(7), by: Product },
        attach(managed(7), azure()),
        power(azure(), true),
        booted(Azure),
        ended("j6", "Succeeded"),
    ]);
    let mut seen = in_azure(vec![managed(7)]);
    seen.open_jobs = Vec::<JobId>::new();
    seen.disks.push(seen_disk(managed(7), &[(0, 2), (5, 12), (6, 21), (9, 40)]));
    assert_eq!(at_end(&stream, &[(n, &[0])], &seen), [] as [String; 0]);
    seen.vms.pop();
    seen.vms.push(seen_vm(azure(), true, Vec::new()));
    let lost = at_end(&stream, &[(n, &[0])], &seen);
    assert!(lost.iter().any(|why| why.starts_with("disk-content")), "{lost:?}");
}

/// The second disk was excluded at first. Protected with all its disks it is the machine's: it is written on the way home,
/// and missed in Azure. Asked for without it, it stays foreign to the product.
#[test]
fn an_excluded_disk_belongs_to_the_machine_once_it_is_protected() {
    let run = |left: &[usize], disks: Vec<DiskRef>| {
        let mut setup = setup();
        let second = setup.machines[0].disks.pop().expect("it has two");
        setup.machines[0].excluded.push(second);
        let mut oracle = Oracle::new(&setup);
        let left: Vec<_> = left.iter().map(|n| disk(*n)).collect();
        oracle.asks_protection_without(&web01(), &left);
        let enable = [
            accepted("enable-protection", "web01", "j0"),
            started("j0", "web01"),
            What::SessionPhase { session: "web01-fwd".into(), machine: web01(), phase: "waiting".into() },
            ended("j0", "Succeeded"),
        ];
        let script = Script(enable.to_vec()).then(cycle().until(&wrote(Azure, 0, 4, 22)).0);
        for (n, what) in script.0.iter().enumerate() {
            oracle.take(&event(n as u64 * 1000, n as u64, what.clone()));
        }
        oracle.end(NOW, &in_azure(disks));
        names(&oracle)
    };
    assert_eq!(run(&[], vec![managed(0), managed(1)]), [].into());
    assert_eq!(run(&[], vec![managed(0)]), ["disk-content"].into());
    assert_eq!(run(&[1], vec![managed(0)]), ["write-own-vmdk"].into());
}
