//! Snapshots make deltas, a revert restores, a removal merges.

use crate::support::*;
use failback_replication::disk::{BLOCK, Page};
use failback_wire::event::{Actor, What};
use failback_wire::ids::VmdkUuid;
use failback_wire::vim::*;
use std::collections::BTreeSet;

async fn paths(soap: &Soap, vm: &MoRef) -> Vec<String> {
    let devices = soap.fetch(vm, "config.hardware.device").await.unwrap();
    let disks = devices.children.iter().filter_map(|d| d.text_at("backing.fileName"));
    disks.map(str::to_owned).collect()
}

fn write(lab: &Lab, mark: u8) {
    lab.vcenter.disk(&DISK0.into()).unwrap().write(0, Page::new(&[mark; BLOCK]));
}

fn take(name: &str) -> Vec<Element> {
    let flag = |name| Element::leaf(name, false);
    vec![Element::leaf("name", name), flag("memory"), flag("quiesce")]
}

#[tokio::test(start_paused = true)]
async fn a_revert_brings_back_content_and_configuration() {
    let lab = Lab::new();
    let soap = lab.login("user").await;
    let vm = soap.vm("web01").await;
    soap.task("PowerOnVM_Task", &vm, vec![]).await.unwrap();
    let live = lab.vcenter.disk(&DISK0.into()).unwrap();
    let taken = soap.task("CreateSnapshot_Task", &vm, take("before")).await.unwrap().unwrap();
    let snapshot = MoRef::read(&taken).unwrap();
    assert_eq!(paths(&soap, &vm).await[0], "[ds-prod] web01/web01-000001.vmdk");
    let devices = soap.fetch(&vm, "config.hardware.device").await.unwrap();
    let parent = devices.children.iter().find_map(|d| d.text_at("backing.parent.fileName"));
    assert_eq!(parent, Some("[ds-prod] web01/web01.vmdk"));
    // The guest writes on through the handle it has.
    live.write(0, Page::new(&[2; BLOCK]));
    assert_eq!(mark(&lab.vcenter.disk(&DISK0.into()).unwrap()), 2);
    soap.reconfigure(&vm, vec![detach(2001)]).await.unwrap();

    soap.task("RevertToSnapshot_Task", &snapshot, vec![]).await.unwrap();
    assert_eq!(soap.text(&vm, "runtime.powerState").await, "poweredOff");
    assert!(!lab.guests.running.lock().unwrap().contains_key("web01"));
    assert_eq!(uuids(&lab.vcenter.scsi("web01")), [DISK0, DISK1]);
    assert_eq!(mark(&lab.vcenter.disk(&DISK0.into()).unwrap()), 1);
    assert_eq!(mark(&live), 1, "whoever holds the disk sees the revert");
    // And once more, from the same snapshot.
    write(&lab, 3);
    soap.task("RevertToCurrentSnapshot_Task", &vm, vec![]).await.unwrap();
    assert_eq!(mark(&live), 1);
    let files = lab.vcenter.observe()["vmdks"].as_array().unwrap().len();
    assert_eq!(files, 6, "two bases, two deltas, the delta that was detached, and the disk of mt");
}

#[tokio::test(start_paused = true)]
async fn removing_all_snapshots_merges_into_the_base_file() {
    let lab = Lab::new();
    let soap = lab.login("user").await;
    let vm = soap.vm("web01").await;
    let before = lab.vcenter.observe();
    for (name, mark) in [("one", 2), ("two", 3), ("three", 4)] {
        soap.task("CreateSnapshot_Task", &vm, take(name)).await.unwrap();
        write(&lab, mark);
    }
    let tree = soap.fetch(&vm, "snapshot").await.unwrap();
    let deepest = tree.at("rootSnapshotList.childSnapshotList.childSnapshotList.name").unwrap();
    assert_eq!(deepest.text, "three");
    lab.events();
    soap.task("RemoveAllSnapshots_Task", &vm, vec![]).await.unwrap();
    assert_eq!(soap.fetch(&vm, "snapshot").await, None);
    assert_eq!(paths(&soap, &vm).await[0], "[ds-prod] web01/web01.vmdk");
    assert_eq!(mark(&lab.vcenter.disk(&DISK0.into()).unwrap()), 4);
    let removed = lab.events().into_iter().filter(|w| matches!(w, What::SnapshotRemoved { .. })).count();
    assert_eq!(removed, 3);
    // But for the content everything is as it was.
    write(&lab, 1);
    assert_eq!(lab.vcenter.observe(), before);
}

#[tokio::test(start_paused = true)]
async fn removing_one_snapshot_keeps_the_others_revertable() {
    let lab = Lab::new();
    let soap = lab.login("user").await;
    let vm = soap.vm("web01").await;
    let mut taken = Vec::new();
    for (name, mark) in [("one", 2), ("two", 3)] {
        let snapshot = soap.task("CreateSnapshot_Task", &vm, take(name)).await.unwrap().unwrap();
        taken.push(MoRef::read(&snapshot).unwrap());
        write(&lab, mark);
    }
    let children = |yes: bool| vec![Element::leaf("removeChildren", yes)];
    soap.task("RemoveSnapshot_Task", &taken[0], children(false)).await.unwrap();
    assert_eq!(mark(&lab.vcenter.disk(&DISK0.into()).unwrap()), 3);
    soap.task("RevertToSnapshot_Task", &taken[1], vec![]).await.unwrap();
    assert_eq!(mark(&lab.vcenter.disk(&DISK0.into()).unwrap()), 2);
    let gone = soap.call("RevertToSnapshot_Task", &taken[0], vec![]).await.unwrap_err();
    assert_eq!(gone.kind, "ManagedObjectNotFound");
    soap.task("RemoveSnapshot_Task", &taken[1], children(true)).await.unwrap();
    assert_eq!(soap.call("RevertToCurrentSnapshot_Task", &vm, vec![]).await.unwrap_err().kind, "NotFound");
    assert_eq!(paths(&soap, &vm).await[0], "[ds-prod] web01/web01.vmdk");
}

#[tokio::test(start_paused = true)]
async fn branches_keep_their_content() {
    let lab = Lab::new();
    let console = lab.vcenter.console(Actor::Operator);
    console.take_snapshot("web01", "root").unwrap();
    write(&lab, 2);
    console.take_snapshot("web01", "left").unwrap();
    write(&lab, 3);
    let soap = lab.login("user").await;
    let vm = soap.vm("web01").await;
    let tree = soap.fetch(&vm, "snapshot").await.unwrap();
    let root = MoRef::read(tree.at("rootSnapshotList.snapshot").unwrap()).unwrap();
    let left = MoRef::read(tree.at("rootSnapshotList.childSnapshotList.snapshot").unwrap()).unwrap();
    soap.task("RevertToSnapshot_Task", &root, vec![]).await.unwrap();
    write(&lab, 9);
    console.take_snapshot("web01", "right").unwrap();
    soap.task("RevertToSnapshot_Task", &left, vec![]).await.unwrap();
    assert_eq!(mark(&lab.vcenter.disk(&DISK0.into()).unwrap()), 2);
    console.remove_snapshots("web01").unwrap();
    assert_eq!(mark(&lab.vcenter.disk(&DISK0.into()).unwrap()), 2);
    assert_eq!(soap.fetch(&vm, "snapshot").await, None);
}

#[tokio::test(start_paused = true)]
async fn one_privilege_may_be_missing() {
    let lab = Lab::new();
    lab.vcenter.console(Actor::Fault).take_snapshot("mt", "backup").unwrap();
    let soap = lab.login("no-snapshots").await;
    let vm = soap.vm("mt").await;
    soap.task("CreateSnapshot_Task", &vm, take("mine")).await.unwrap();
    let refused = soap.call("RemoveAllSnapshots_Task", &vm, vec![]).await.unwrap_err();
    assert_eq!(refused.kind, "NoPermission");
    assert_eq!(refused.field("privilegeId"), Some("VirtualMachine.State.RemoveSnapshot"));
}

#[tokio::test(start_paused = true)]
async fn disks_move_to_another_datastore_with_their_snapshots() {
    let lab = Lab::new();
    let soap = lab.login("user").await;
    let vm = soap.vm("web01").await;
    let console = lab.vcenter.console(Actor::Fault);
    console.take_snapshot("web01", "one").unwrap();
    write(&lab, 7);
    console.storage_vmotion("web01", "ds-nfs").unwrap();
    assert_eq!(paths(&soap, &vm).await[0], "[ds-nfs] web01/web01-000001.vmdk");
    assert_eq!(mark(&lab.vcenter.disk(&DISK0.into()).unwrap()), 7);
    soap.task("RevertToCurrentSnapshot_Task", &vm, vec![]).await.unwrap();
    assert_eq!(mark(&lab.vcenter.disk(&DISK0.into()).unwrap()), 1);
    console.remove_snapshots("web01").unwrap();
    assert_eq!(paths(&soap, &vm).await, ["[ds-nfs] web01/web01.vmdk", "[ds-nfs] web01/web01_1.vmdk"]);
    assert!(console.storage_vmotion("web01", "nowhere").is_err());
}

#[tokio::test(start_paused = true)]
async fn a_clone_of_a_snapshot_holds_what_the_machine_held_then() {
    let lab = Lab::new();
    let soap = lab.login("user").await;
    let console = lab.vcenter.console(Actor::Operator);
    let clone = |snapshot: Option<&str>, name: &str| console.clone_vm("web01", name, snapshot);
    console.take_snapshot("web01", "before").unwrap();
    write(&lab, 7);
    assert!(clone(Some("never"), "web02").is_err());
    assert!(clone(None, "mt").is_err(), "the name is taken");
    clone(Some("before"), "as-it-was").unwrap();
    clone(None, "as-it-is").unwrap();
    write(&lab, 8);
    let held =
        |name: &str| -> Vec<u8> { lab.vcenter.scsi(name).iter().map(|(_, disk)| mark(disk)).collect() };
    assert_eq!((held("as-it-was")[0], held("as-it-is")[0], held("web01")[0]), (1, 7, 8));
    assert_eq!(held("as-it-was").len(), 2, "with all disks");
    let all: BTreeSet<VmdkUuid> = ["as-it-was", "as-it-is", "web01"]
        .into_iter()
        .flat_map(|name| lab.vcenter.scsi(name).into_iter().map(|(uuid, _)| uuid))
        .collect();
    assert_eq!(all.len(), 6, "none is another one's");
    let vm = soap.vm("as-it-was").await;
    assert_eq!(soap.text(&vm, "runtime.powerState").await, "poweredOff");
    console.remove_snapshots("web01").unwrap();
    assert_eq!(held("as-it-was")[0], 1, "it outlives the snapshot");
}
