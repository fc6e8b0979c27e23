//! What the retention volume and the cache can hold.

use super::rig::{MT, PS, Rig, minutes};
use failback_fakes::master_target::MasterTargetFault;
use failback_fakes::process_server::ProcessServerFault;
use failback_wire::event::{Actor, What};
use failback_wire::http::Method;
use failback_wire::proto::session::ServerHealth;

/// Points within 24 hours of the last look at their ages.
const KEPT: usize = 289;

#[tokio::test(start_paused = true)]
async fn points_are_kept_for_a_day_and_the_newest_for_ever() {
    let mut rig = Rig::home();
    let initial = rig.forks();
    rig.start().await;
    rig.work(26 * 60 + 2).await;
    let view = rig.view(MT).await;
    assert_eq!(view.points.len(), KEPT, "24 hours of five minutes");
    let newest = view.points.last().unwrap().clone();
    assert!(newest.time.0 - view.points[0].time.0 <= 86_400_000);
    let pruned = rig.lab.count(|w| matches!(w, What::PointPruned { reason, .. } if reason.contains("past")));
    let cuts = rig.lab.count(|what| matches!(what, What::MarkCut { .. }));
    assert_eq!(pruned, cuts - KEPT);
    rig.every_point_is_true(&initial).await;
}

#[tokio::test(start_paused = true)]
async fn all_but_the_newest_point_grow_old_when_nothing_comes_any_more() {
    let mut rig = Rig::home();
    rig.start().await;
    rig.work(60).await;
    let newest = rig.view(MT).await.points.last().unwrap().clone();
    rig.lab.crash("web01@azure");
    minutes(49 * 60).await;
    assert_eq!(rig.view(MT).await.points, [newest]);
}

#[tokio::test(start_paused = true)]
async fn a_stopped_session_keeps_its_points_however_long() {
    let mut rig = Rig::home();
    let initial = rig.forks();
    rig.start().await;
    rig.work(60).await;
    // Rolls to each of them, to and fro: the session is stopped for that.
    rig.every_point_is_true(&initial).await;
    let points = rig.view(MT).await.points;
    minutes(49 * 60).await;
    assert_eq!(rig.view(MT).await.points, points);
}

#[tokio::test(start_paused = true)]
async fn a_small_volume_shortens_history_and_says_so() {
    let mut rig = Rig::home();
    let initial = rig.forks();
    rig.start().await;
    rig.work(6).await;
    // Ten old blocks an interval, most of them zeros: room for about four intervals.
    let bytes = 55_000;
    let small = MasterTargetFault::RetentionFree { bytes };
    rig.mt.apply_fault(&small, Actor::Fault).unwrap();
    rig.work(60).await;
    let points = rig.view(MT).await.points.len();
    assert!((4..=6).contains(&points), "{points}");
    let full = |w: &What| matches!(w, What::PointPruned { reason, .. } if reason.contains("full"));
    assert!(rig.lab.count(full) >= 5);
    let health: ServerHealth = rig.call(Method::GET, &format!("{MT}/v1/health"), None).await;
    assert!(health.retention.unwrap().free < bytes);
    rig.every_point_is_true(&initial).await;
}

#[tokio::test(start_paused = true)]
async fn a_full_or_missing_volume_stops_mirroring_and_keeps_the_newest_point() {
    let mut rig = Rig::home();
    let initial = rig.forks();
    rig.start().await;
    rig.work(11).await;
    for fault in [MasterTargetFault::RetentionFree { bytes: 4000 }, MasterTargetFault::RetentionMissing] {
        rig.mt.apply_fault(&fault, Actor::Fault).unwrap();
        let newest = rig.view(MT).await.points.last().unwrap().clone();
        rig.work(15).await;
        let kept = rig.view(MT).await.points;
        assert_eq!(kept.last(), Some(&newest), "{fault:?}: nothing is mirrored, nothing usable is lost");
    }
    rig.mt.apply_fault(&MasterTargetFault::RetentionBack, Actor::Fault).unwrap();
    let newest = rig.view(MT).await.points.last().unwrap().clone();
    rig.work(6).await;
    let view = rig.view(MT).await;
    assert_eq!((view.epoch, view.resync_required), (2, None), "one resynchronisation brings the rest");
    assert!(view.points.last().unwrap().mark > newest.mark);
    rig.every_point_is_true(&initial).await;
}

#[tokio::test(start_paused = true)]
async fn a_missing_volume_holds_frames_back_and_the_backlog_comes_after_all() {
    let mut rig = Rig::home();
    let initial = rig.forks();
    rig.start().await;
    rig.work(11).await;
    rig.mt.apply_fault(&MasterTargetFault::RetentionMissing, Actor::Fault).unwrap();
    rig.work(20).await;
    assert_eq!(rig.view(MT).await.points.len(), 3);
    rig.mt.apply_fault(&MasterTargetFault::RetentionBack, Actor::Fault).unwrap();
    rig.work(6).await;
    let view = rig.view(MT).await;
    assert!(view.points.len() > 6 && view.epoch == 1, "{view:?}");
    rig.every_point_is_true(&initial).await;
}

#[tokio::test(start_paused = true)]
async fn a_volume_that_stays_full_costs_one_look_a_minute_and_no_epochs() {
    let mut rig = Rig::home();
    let initial = rig.forks();
    rig.start().await;
    rig.work(11).await;
    rig.mt.apply_fault(&MasterTargetFault::RetentionFree { bytes: 4000 }, Actor::Fault).unwrap();
    rig.work(240).await;
    let view = rig.view(MT).await;
    assert_eq!((view.epoch, view.points.len()), (2, 3), "history is not given up in vain");
    assert!(view.resync_required.unwrap().contains("full"));
    assert!(view.disks.iter().any(|disk| disk.at_target > 0), "what was refused is marked");
    let waiting: u64 = rig.agent.progress().1.iter().map(|d| d.at_source).sum();
    assert_eq!((waiting, rig.view(PS).await.received), (0, 0), "nothing piles up anywhere");
    // A little more room: the resynchronisation begins, does not fit, and waits again.
    rig.mt.apply_fault(&MasterTargetFault::RetentionFree { bytes: 120_000 }, Actor::Fault).unwrap();
    rig.work(60).await;
    assert_eq!(rig.view(MT).await.epoch, 3);
    rig.mt.apply_fault(&MasterTargetFault::RetentionFree { bytes: 8 << 20 }, Actor::Fault).unwrap();
    rig.work(12).await;
    let view = rig.view(MT).await;
    assert_eq!((view.epoch, view.resync_required), (3, None));
    assert!(rig.every_point_is_true(&initial).await > 2);
}

#[tokio::test(start_paused = true)]
async fn a_full_cache_holds_the_agent_off_until_it_drains() {
    let mut rig = Rig::home();
    let initial = rig.forks();
    rig.start().await;
    rig.work(6).await;
    rig.lab.crash("mt");
    rig.ps.apply_fault(&ProcessServerFault::CacheSize { bytes: 60_000 }, Actor::Fault).unwrap();
    rig.work(40).await;
    let observed = rig.ps.observe();
    assert!(observed["cached"].as_u64().unwrap() <= 60_000);
    let waiting: u64 = rig.agent.progress().1.iter().map(|d| d.at_source).sum();
    assert!(waiting > 40 * 4096, "the rest waits at the source");
    rig.boot_mt();
    rig.work(6).await;
    assert_eq!(rig.view(PS).await.disks.iter().map(|d| d.in_relay).sum::<u64>(), 0);
    let cuts = rig.lab.count(|what| matches!(what, What::MarkCut { .. }));
    assert_eq!(rig.view(MT).await.points.len(), cuts);
    rig.every_point_is_true(&initial).await;
}
