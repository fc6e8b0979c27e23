//! On-premises to Azure: seed page blobs, and snapshots as recovery points.

use super::rig::{BLOCKS, PS, Rig, disk_id, minutes, spec};
use crate::support::SECRET;
use failback_fakes::azure::{Azure, AzureConfig, GuestPower};
use failback_fakes::net::Network;
use failback_replication::disk::Disk;
use failback_wire::event::{Actor, VmRef, What};
use failback_wire::http::{BoxFuture, Method, StatusCode};
use failback_wire::ids::NodeName;
use failback_wire::proto::session::{Direction, Phase, SessionSpec, SessionView, TargetDisk};
use serde_json::Value;
use std::sync::Arc;

/// Only storage is used: no machine has a guest.
struct NoMachines;
impl GuestPower for NoMachines {
    fn power_on(&self, _: &VmRef, _: Vec<Disk>) {}
    fn power_off(&self, _: &VmRef) {}
    fn shut_down<'a>(&'a self, _: &VmRef) -> BoxFuture<'a, ()> {
        Box::pin(async {})
    }
    fn is_running(&self, _: &VmRef) -> bool {
        false
    }
    fn tools_enabled(&self, _: &VmRef) -> bool {
        false
    }
}

fn rig() -> (Rig, Arc<Azure>) {
    let placeholder = || TargetDisk::SeedBlob(String::new());
    let config = AzureConfig { passphrase: SECRET.to_owned(), ..AzureConfig::default() };
    let spec = spec(Direction::Forward, &config.replication_host, [placeholder(), placeholder()]);
    let mut rig = Rig::new(spec, 64 << 20);
    let azure = Azure::new(config, Arc::new(NoMachines));
    azure.boot(rig.lab.start_node(&NodeName::from("azure")), &*rig.lab);
    let console = azure.console(Actor::Product);
    for (n, disk) in rig.spec.disks.iter_mut().enumerate() {
        // The copy that an earlier failover left: it is older, and differs.
        let name = format!("asrseeddisk-{n}");
        console.put_blob("seed", &name, rig.slots.lock().unwrap()[n].1.fork());
        disk.target = TargetDisk::SeedBlob(console.sas_url("seed", Some(&name), "racwd"));
    }
    (rig, azure)
}

/// The session as the recovery service sees it.
async fn service(rig: &Rig) -> SessionView {
    rig.view(&rig.spec.target).await
}

fn blob(azure: &Azure, n: u64, snapshot: Option<&str>) -> Option<Disk> {
    azure.blob("seed", &format!("asrseeddisk-{n}"), snapshot)
}

#[tokio::test(start_paused = true)]
async fn every_point_is_a_snapshot_of_every_seed_blob() {
    let (mut rig, azure) = rig();
    let initial = rig.forks();
    rig.start().await;
    rig.work(61).await;
    let view = service(&rig).await;
    assert_eq!((view.phase, view.points.len()), (Phase::Replicating, 13));
    assert_eq!(view.resync_required, None);
    for point in &view.points {
        let model = rig.at_mark(&initial, point.mark);
        for n in 0..2 {
            let content = blob(&azure, n, point.snapshot_of(&disk_id(n))).unwrap();
            assert_eq!(content.root_hash(), model[&disk_id(n)].root_hash(), "disk {n} at {point:?}");
        }
    }
    let (_, progress) = rig.agent.progress();
    assert!(progress[0].sync_transferred < 512 * 4096, "only what differs was moved");
}

#[tokio::test(start_paused = true)]
async fn crashes_of_process_server_and_azure_lose_nothing() {
    let (mut rig, azure) = rig();
    let initial = rig.forks();
    rig.start().await;
    rig.work(12).await;
    rig.lab.crash("azure");
    rig.work(11).await;
    rig.lab.crash("ps");
    rig.work(6).await;
    rig.boot_ps();
    azure.boot(rig.lab.start_node(&NodeName::from("azure")), &*rig.lab);
    rig.work(12).await;
    let points = service(&rig).await.points;
    let cuts = rig.lab.count(|what| matches!(what, What::MarkCut { .. }));
    assert_eq!(points.len(), cuts);
    for point in &points {
        let model = rig.at_mark(&initial, point.mark);
        for n in 0..2 {
            let content = blob(&azure, n, point.snapshot_of(&disk_id(n))).unwrap();
            assert_eq!(content.root_hash(), model[&disk_id(n)].root_hash());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn after_two_hours_one_point_an_hour_stays_and_the_others_snapshots_go() {
    let (mut rig, azure) = rig();
    rig.start().await;
    rig.work(6 * 60).await;
    let now = rig.lab.now();
    let points = service(&rig).await.points;
    let age = |p: &failback_wire::proto::session::Point| now.since(p.time).as_secs();
    assert_eq!(points.iter().filter(|p| age(p) <= 7200).count(), 24);
    let old = points.iter().filter(|p| age(p) > 7500).count();
    assert!((4..=5).contains(&old), "{old} old points of four hours");
    let pruned =
        rig.lab.events().into_iter().filter_map(|(_, what)| {
            if let What::PointPruned { point, .. } = what { Some(point) } else { None }
        });
    let kept: Vec<_> = points.iter().map(|p| &p.point).collect();
    assert!(pruned.clone().count() > 30 && pruned.clone().all(|p| !kept.contains(&&p)));
    let snapshots: Vec<String> =
        points.iter().flat_map(|p| p.snapshots.iter().map(|s| s.snapshot.clone())).collect();
    assert!(snapshots.iter().all(|s| blob(&azure, 0, Some(s)).or(blob(&azure, 1, Some(s))).is_some()));
    let _: Value = rig.call(Method::DELETE, &format!("{}/v1/sessions/s-1", rig.spec.target), None).await;
    assert!(snapshots.iter().all(|s| blob(&azure, 0, Some(s)).or(blob(&azure, 1, Some(s))).is_none()));
    assert!(blob(&azure, 0, None).is_some(), "the seed itself is not the session's to delete");
}

#[tokio::test(start_paused = true)]
async fn what_lies_in_the_cache_is_still_processed_after_a_stop() {
    let (mut rig, azure) = rig();
    rig.start().await;
    rig.work(7).await;
    rig.lab.crash("azure");
    rig.write(1, 77);
    assert!(rig.agent.drain(std::time::Duration::from_secs(60)).await);
    let _: Value = rig.call(Method::POST, &format!("{PS}/v1/sessions/s-1/stop"), None).await;
    let waiting = rig.view(PS).await;
    assert!(waiting.applied < waiting.received);
    azure.boot(rig.lab.start_node(&NodeName::from("azure")), &*rig.lab);
    minutes(3).await;
    let view = rig.view(PS).await;
    assert_eq!((view.phase, view.applied), (Phase::Stopped, view.received));
    let points = service(&rig).await.points;
    let newest = points.last().unwrap();
    for n in 0..2 {
        let content = blob(&azure, n, newest.snapshot_of(&disk_id(n))).unwrap();
        assert_eq!(content.root_hash(), rig.disks[&disk_id(n)].root_hash());
    }
}

#[tokio::test(start_paused = true)]
async fn seeds_that_are_not_what_their_source_was_are_no_recovery_point() {
    let (mut rig, azure) = rig();
    rig.start().await;
    rig.work(12).await;
    let before = service(&rig).await;
    // Somebody wrote to the blob behind the service's back.
    let seed = blob(&azure, 1, None).unwrap();
    let wrong = (0..BLOCKS).find(|block| seed.read(*block) != seed.read(0)).unwrap();
    seed.write(wrong, seed.read(0));
    assert!(rig.agent.drain(std::time::Duration::from_secs(60)).await);
    minutes(5).await;
    let view = service(&rig).await;
    let why = "the seed blob of disk web01-disk1 differs from its source";
    assert_eq!(view.resync_required.as_deref(), Some(why));
    assert_eq!(view.points, before.points, "those from before are as good as they were");
    assert!(rig.view(PS).await.resync_required.is_some(), "the process server was told");
}

#[tokio::test(start_paused = true)]
async fn a_session_needs_the_passphrase_and_signatures_that_let_its_seeds_be_written() {
    let (rig, azure) = rig();
    let url = format!("{}/v1/sessions/s-1", rig.spec.target);
    let put = async |passphrase: &str, spec: &SessionSpec| -> (StatusCode, Value) {
        let body = serde_json::to_value(spec).unwrap();
        rig.lab.call(Method::PUT, &url, passphrase, Some(&body)).await.unwrap()
    };
    let with = |seed: String| {
        let mut spec = rig.spec.clone();
        spec.disks[1].target = TargetDisk::SeedBlob(seed);
        spec
    };
    let console = azure.console(Actor::Product);
    let readable = console.sas_url("seed", Some("asrseeddisk-1"), "r");
    let other = console.sas_url("seed", Some("asrseeddisk-0"), "racwd").replace("disk-0", "disk-1");
    let foreign = "https://elsewhere.blob.core.windows.net/seed/asrseeddisk-1".to_owned();
    for (spec, code) in [
        (with(readable), "seed-blob-not-writable"),
        (with(other), "AuthenticationFailed"),
        (with(foreign), "bad-request"),
    ] {
        let (status, refusal) = put(SECRET, &spec).await;
        assert!(status.is_client_error() && refusal["code"] == code, "{code}: {status} {refusal}");
    }
    assert_eq!(put("wrong", &rig.spec).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(put(SECRET, &rig.spec).await.0, StatusCode::OK);
}
