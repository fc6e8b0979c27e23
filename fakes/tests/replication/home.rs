//! Azure to on-premises, through a process server to a master target.

use super::rig::{MT, PS, Rig, disk_id, minutes};
use failback_fakes::master_target::MasterTargetFault;
use failback_fakes::process_server::ProcessServerFault;
use failback_wire::event::{Actor, PointKind, What};
use failback_wire::http::{Method, StatusCode};
use failback_wire::proto::session::{Phase, SyncMode};
use serde_json::Value;
use std::time::Duration;

fn cuts(rig: &Rig) -> usize {
    rig.lab.count(|what| matches!(what, What::MarkCut { .. }))
}

#[tokio::test(start_paused = true)]
async fn marks_come_every_five_minutes_and_hourly_ones_are_application_consistent() {
    let mut rig = Rig::home();
    let initial = rig.forks();
    rig.start().await;
    rig.work(121).await;
    let view = rig.view(MT).await;
    assert_eq!(view.phase, Phase::Replicating);
    assert_eq!(view.points.len(), 25, "one at once, then one every five minutes");
    let kinds: Vec<usize> = (0..25).filter(|n| view.points[*n].kind == PointKind::Application).collect();
    assert_eq!(kinds, [0, 12, 24]);
    assert!(view.points.windows(2).all(|p| p[1].time.0 - p[0].time.0 == 300_000));
    assert_eq!(rig.every_point_is_true(&initial).await, 25);
}

#[tokio::test(start_paused = true)]
async fn a_checksum_synchronisation_moves_what_differs_and_a_full_one_what_is_not_zero() {
    let rig = Rig::home();
    rig.start().await;
    minutes(4).await;
    let (_, checksum) = rig.agent.progress();
    let differing = (0..2048u64).filter(|b| b % 4 == 0 && (b % 8 != 0 || b % 16 != 0)).count() as u64;
    assert_eq!(checksum[0].sync_transferred, differing * 4096);
    assert_eq!(checksum[0].sync_processed, 2048 * 4096);

    let mut rig = Rig::home();
    rig.spec.sync = SyncMode::Full;
    let empty = failback_replication::disk::Disk::new(2048);
    rig.slots.lock().unwrap().iter().for_each(|(_, disk)| disk.become_copy_of(&empty));
    rig.start().await;
    minutes(4).await;
    let (_, full) = rig.agent.progress();
    assert_eq!(full[1].sync_transferred, 512 * 4096);
    assert_eq!(rig.target(1).root_hash(), rig.disks[&disk_id(1)].root_hash());
}

#[tokio::test(start_paused = true)]
async fn a_full_synchronisation_onto_a_disk_that_is_not_empty_heals_itself() {
    let mut rig = Rig::home();
    rig.spec.sync = SyncMode::Full;
    rig.target(0).write(1, failback_replication::disk::Page::new(&[3; 4096]));
    rig.start().await;
    minutes(12).await;
    let view = rig.view(MT).await;
    assert_eq!((view.epoch, view.resync_required), (2, None));
    assert_eq!(rig.target(0).root_hash(), rig.disks[&disk_id(0)].root_hash());
}

#[tokio::test(start_paused = true)]
async fn crashes_of_both_servers_lose_nothing() {
    let mut rig = Rig::home();
    let initial = rig.forks();
    rig.start().await;
    rig.work(31).await;
    rig.lab.crash("mt");
    rig.work(22).await;
    let cached: u64 = rig.view(PS).await.disks.iter().map(|d| d.in_relay).sum();
    assert!(cached > 0, "what the master target does not take waits in the cache");
    rig.lab.crash("ps");
    rig.work(17).await;
    rig.boot_mt();
    rig.boot_ps();
    rig.work(10).await;
    let view = rig.view(MT).await;
    assert_eq!(view.points.len(), cuts(&rig), "every mark that was cut became a point");
    assert_eq!(view.epoch, 1);
    rig.every_point_is_true(&initial).await;
}

#[tokio::test(start_paused = true)]
async fn stopped_services_are_silent_and_catch_up() {
    let mut rig = Rig::home();
    let initial = rig.forks();
    rig.start().await;
    rig.work(11).await;
    rig.mt.apply_fault(&MasterTargetFault::StopServices, Actor::Fault).unwrap();
    rig.ps.apply_fault(&ProcessServerFault::StopServices, Actor::Fault).unwrap();
    let url = format!("{PS}/v1/sessions/s-1");
    let (status, refusal): (_, Value) =
        rig.lab.call(Method::GET, &url, crate::support::SECRET, None::<&()>).await.unwrap();
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refusal["code"], "service-stopped");
    rig.work(30).await;
    rig.mt.apply_fault(&MasterTargetFault::StartServices, Actor::Fault).unwrap();
    rig.ps.apply_fault(&ProcessServerFault::StartServices, Actor::Fault).unwrap();
    rig.work(5).await;
    assert_eq!(rig.view(MT).await.points.len(), cuts(&rig));
    rig.every_point_is_true(&initial).await;
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_is_gone_holds_the_whole_machine_back_until_it_returns() {
    let mut rig = Rig::home();
    let initial = rig.forks();
    rig.start().await;
    rig.work(11).await;
    let taken = rig.slots.lock().unwrap().remove(1);
    let before = rig.view(MT).await.points.len();
    let content = (rig.target(0).root_hash(), taken.1.root_hash());
    rig.work(5).await;
    let other = rig.target(0).root_hash();
    assert_ne!(content.0, other, "its sister still takes data");
    rig.work(25).await;
    assert_eq!(rig.target(0).root_hash(), other, "but never beyond the mark that cannot be reached");
    assert_eq!(taken.1.root_hash(), content.1);
    assert_eq!(rig.view(MT).await.points.len(), before, "no point without all disks");
    rig.slots.lock().unwrap().push(taken);
    rig.work(6).await;
    assert_eq!(rig.view(MT).await.points.len(), cuts(&rig));
    rig.every_point_is_true(&initial).await;
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_starts_again_compares_anew_and_keeps_its_points() {
    let mut rig = Rig::home();
    let initial = rig.forks();
    rig.start().await;
    rig.work(22).await;
    let before = rig.view(MT).await.points;
    rig.reboot_guest();
    rig.work(22).await;
    let view = rig.view(MT).await;
    assert_eq!((view.epoch, view.resync_required), (2, None));
    assert_eq!(view.points[..before.len()], before[..], "earlier points stay");
    assert!(view.points.len() >= before.len() + 4);
    assert!(view.points.windows(2).all(|p| p[0].mark < p[1].mark));
    rig.every_point_is_true(&initial).await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_cache_means_a_new_epoch_and_no_wrong_point() {
    let mut rig = Rig::home();
    let initial = rig.forks();
    rig.start().await;
    rig.work(11).await;
    rig.lab.crash("mt");
    rig.work(11).await;
    rig.ps.apply_fault(&ProcessServerFault::CacheLost, Actor::Fault).unwrap();
    rig.boot_mt();
    rig.work(22).await;
    let view = rig.view(MT).await;
    assert_eq!((view.epoch, view.resync_required), (2, None));
    assert!(view.points.len() < cuts(&rig), "marks that were only in the cache are gone");
    rig.every_point_is_true(&initial).await;
    let empty = rig.ps.apply_fault(&ProcessServerFault::CacheLost, Actor::Fault);
    assert!(empty.is_err(), "there is nothing to lose now");
}

#[tokio::test(start_paused = true)]
async fn a_drain_brings_the_last_write_home_and_proves_it() {
    let mut rig = Rig::home();
    let initial = rig.forks();
    rig.start().await;
    rig.work(13).await;
    rig.write(0, 2000);
    assert!(rig.agent.drain(Duration::from_secs(180)).await);
    minutes(1).await;
    let view = rig.view(MT).await;
    assert_eq!(view.points.len(), cuts(&rig));
    for n in 0..2 {
        assert_eq!(rig.target(n as usize).root_hash(), rig.disks[&disk_id(n)].root_hash());
    }
    minutes(30).await;
    assert_eq!(rig.view(MT).await.points.len(), view.points.len(), "no mark follows the last one");
    rig.every_point_is_true(&initial).await;
}

#[tokio::test(start_paused = true)]
async fn a_drain_that_cannot_send_gives_up_in_time() {
    let mut rig = Rig::home();
    rig.start().await;
    rig.work(3).await;
    rig.lab.crash("ps");
    rig.write(0, 5);
    let before = rig.lab.now();
    assert!(!rig.agent.drain(Duration::from_secs(180)).await);
    assert_eq!(rig.lab.now().since(before), Duration::from_secs(180));
}

#[tokio::test(start_paused = true)]
async fn a_block_that_rots_at_the_target_is_found_at_the_end_and_healed() {
    let mut rig = Rig::home();
    rig.start().await;
    rig.work(6).await;
    let rot = MasterTargetFault::CorruptBlock { vmdk: "vmdk-1".to_owned(), block: 40 };
    rig.mt.apply_fault(&rot, Actor::Fault).unwrap();
    assert_ne!(rig.target(1).root_hash(), rig.disks[&disk_id(1)].root_hash());
    assert!(rig.agent.drain(Duration::from_secs(180)).await, "the process server has everything");
    minutes(10).await;
    let view = rig.view(MT).await;
    assert!(view.resync_required.is_some(), "the comparison failed and the guest writes no more");
    let newest = view.points.last().unwrap().clone();
    // The guest goes on instead of ending: its next words are answered with the wish for a new epoch.
    rig.reboot_guest();
    rig.work(12).await;
    let view = rig.view(MT).await;
    assert_eq!((view.epoch, view.resync_required), (2, None));
    assert!(view.points.last().unwrap().mark > newest.mark);
}

#[tokio::test(start_paused = true)]
async fn a_failed_quiesce_is_told_and_leaves_a_crash_consistent_mark() {
    let mut rig = Rig::home();
    *rig.quiet.lock().unwrap() = false;
    rig.start().await;
    rig.work(70).await;
    let points = rig.view(MT).await.points;
    assert!(points.iter().all(|p| p.kind == PointKind::Crash));
    let told = rig.lab.count(|what| matches!(what, What::Note { text } if text.contains("quiescing failed")));
    assert_eq!(told, 2);
}

#[tokio::test(start_paused = true)]
async fn a_stopped_and_a_forgotten_session_take_nothing_more() {
    let mut rig = Rig::home();
    rig.start().await;
    rig.work(7).await;
    let stopped: failback_wire::proto::session::SessionView =
        rig.call(Method::POST, &format!("{PS}/v1/sessions/s-1/stop"), None).await;
    assert_eq!(stopped.phase, Phase::Stopped);
    let points = rig.view(MT).await.points.len();
    rig.work(20).await;
    assert_eq!(rig.view(MT).await.points.len(), points);
    for host in [MT, PS, MT] {
        let _: Value = rig.call(Method::DELETE, &format!("{host}/v1/sessions/s-1"), None).await;
    }
    rig.agent.stop(&rig.spec.session);
    assert_eq!(rig.agent.progress().0, None);
    let ended = |what: &What| matches!(what, What::SessionPhase { phase, .. } if phase == "ended");
    assert_eq!(rig.lab.count(ended), 2);
    let cut = cuts(&rig);
    minutes(30).await;
    assert_eq!(cuts(&rig), cut);
    assert_eq!(rig.ps.observe()["sessions"], serde_json::json!({}));
}

#[tokio::test(start_paused = true)]
async fn members_of_a_group_cut_at_the_same_instants() {
    let mut rig = Rig::home();
    rig.spec.group = Some("erp".into());
    minutes(7).await;
    rig.start().await;
    rig.work(130).await;
    let events = rig.lab.events();
    let cuts = events.iter().filter_map(|(at, what)| {
        if let What::MarkCut { group: Some(_), kind, .. } = what { Some((at.0, *kind)) } else { None }
    });
    let cuts: Vec<_> = cuts.collect();
    assert!(cuts.iter().all(|(at, _)| at % 300_000 == 0), "the grid is everyone's, whenever one began");
    let app: Vec<_> = cuts.iter().filter(|(_, kind)| *kind == PointKind::Application).collect();
    let app: Vec<_> = app.iter().map(|(at, _)| at / 60_000).collect();
    assert_eq!(app, [10, 60, 120], "the first one on the first common instant, then on the hour");
    let points = rig.view(MT).await.points;
    assert_eq!(points.iter().filter(|p| p.group).count(), cuts.len());
    assert!(!points[0].group, "the first mark is the machine's own");
}

#[tokio::test(start_paused = true)]
async fn an_epoch_prepared_for_a_guest_that_comes_back_is_the_one_it_uses() {
    let mut rig = Rig::home();
    rig.start().await;
    rig.work(6).await;
    rig.lab.crash("web01@azure");
    rig.spec.epoch = 5;
    let body = serde_json::to_value(&rig.spec).unwrap();
    for host in [MT, PS] {
        let _: Value = rig.call(Method::PUT, &format!("{host}/v1/sessions/s-1"), Some(&body)).await;
    }
    rig.reboot_guest();
    minutes(1).await;
    rig.agent.start(rig.spec.clone()).unwrap();
    rig.work(6).await;
    let view = rig.view(MT).await;
    assert_eq!((view.epoch, view.phase, view.resync_required), (5, Phase::Replicating, None));
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_comes_back_after_its_session_ended_lets_go() {
    let mut rig = Rig::home();
    rig.start().await;
    rig.work(6).await;
    for host in [MT, PS] {
        let _: Value = rig.call(Method::DELETE, &format!("{host}/v1/sessions/s-1"), None).await;
    }
    rig.reboot_guest();
    minutes(1).await;
    assert_eq!(rig.agent.progress().0, None);
    assert_eq!(rig.mt.observe()["sessions"], serde_json::json!({}), "nobody brings it back");
}
