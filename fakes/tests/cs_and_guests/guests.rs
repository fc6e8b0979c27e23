//! Guests: boot, registration, writes, power, shutdown, Tools, faults.

use super::set::{Set, address, minutes, protection, vm, web01};
use crate::support::SECRET;
use failback_fakes::guest::{GuestFault, GuestPower, fill, written_page};
use failback_replication::disk::Disk;
use failback_wire::event::{Actor, VmRef, What};
use failback_wire::http::{HttpError, Method, StatusCode};
use failback_wire::ids::{MachineCopy, Site};
use failback_wire::proto::Refusal;
use failback_wire::proto::agent::{AgentStatus, Tools};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use tokio::time::{Duration, sleep};

const HERE: Site = Site::OnPremises;

fn fault(set: &Set, json: &str) -> Result<(), String> {
    set.guests.apply_fault(&serde_json::from_str::<GuestFault>(json).unwrap(), Actor::Fault)
}

async fn set_tools(set: &Set, site: Site, enabled: bool) -> AgentStatus {
    let url = format!("{}/v1/tools", address(site));
    set.lab.call(Method::POST, &url, SECRET, Some(&Tools { enabled })).await.unwrap().1
}

#[tokio::test(start_paused = true)]
async fn an_agent_registers_within_fifteen_minutes_of_power_on_and_not_at_once() {
    let mut delays = BTreeSet::new();
    for seed in 0..20 {
        let set = Set::new(seed);
        set.guests.power_on(&vm(HERE), set.disks.clone());
        minutes(15).await;
        let registered: Vec<_> = set
            .lab
            .events()
            .into_iter()
            .filter(|(_, what)| matches!(what, What::AgentRegistered { .. }))
            .map(|(at, _)| at.0)
            .collect();
        assert_eq!(registered.len(), 1, "seed {seed}");
        assert!((160_000..900_000).contains(&registered[0]), "seed {seed}: {registered:?}");
        delays.insert(registered[0]);
        assert!(set.status(HERE).await.registered);
    }
    assert!(delays.len() > 10, "the delay is drawn: {delays:?}");
}

#[tokio::test(start_paused = true)]
async fn an_agent_tries_every_minute_until_the_server_is_there() {
    let set = Set::new(5);
    set.cs.stop();
    set.guests.power_on(&vm(HERE), set.disks.clone());
    minutes(40).await;
    assert_eq!(set.registrations(), 0);
    assert!(!set.status(HERE).await.registered);
    set.cs.start().unwrap();
    minutes(1).await;
    assert_eq!(set.registrations(), 1);
    assert!(set.status(HERE).await.registered);
}

#[tokio::test(start_paused = true)]
async fn a_guest_writes_each_minute_on_each_disk_until_its_power_goes() {
    let set = Set::new(5);
    set.guests.power_on(&vm(HERE), set.disks.clone());
    minutes(61).await;
    let writes = set.writes();
    assert!((118..=122).contains(&writes), "{writes}");
    for (_, what) in set.lab.events() {
        if let What::GuestWrote { disk, block, .. } = what {
            let disk = &set.disks[usize::from(disk.as_str() == "web01-disk1")];
            assert!(block < disk.blocks());
        }
    }
    let hashes: Vec<_> = set.disks.iter().map(Disk::root_hash).collect();
    set.guests.power_off(&vm(HERE));
    set.guests.power_off(&vm(HERE));
    let stopped = What::GuestStopped { copy: MachineCopy::new("web01", HERE), clean: false };
    assert_eq!(set.lab.events().last().map(|(_, what)| what.clone()), Some(stopped));
    minutes(60).await;
    assert_eq!(set.writes(), writes);
    assert_eq!(set.disks.iter().map(Disk::root_hash).collect::<Vec<_>>(), hashes);
    let gone = set.lab.call::<Value>(Method::GET, "10.0.0.21/v1/status", SECRET, None::<&()>).await;
    assert_eq!(gone, Err(HttpError::Unreachable { host: address(HERE).to_owned() }));
    assert!(!set.guests.is_running(&vm(HERE)));
}

#[tokio::test(start_paused = true)]
async fn heartbeats_end_with_the_power() {
    let set = Set::new(5);
    set.cs.put_machine(&web01(), &protection()).unwrap();
    set.guests.power_on(&vm(HERE), set.disks.clone());
    minutes(60).await;
    let last = async || set.row().await.1.unwrap().registrations[0].last_heartbeat;
    let before = last().await;
    assert!(set.lab.now().since(before).as_secs() <= 301);
    set.guests.power_off(&vm(HERE));
    minutes(30).await;
    assert_eq!(last().await, before);
}

#[tokio::test(start_paused = true)]
async fn what_the_events_say_is_what_the_disks_hold() {
    let set = Set::new(8);
    set.guests.power_on(&vm(HERE), set.disks.clone());
    minutes(120).await;
    fault(&set, r#"{"burst": {"machine": "web01", "blocks": 50}}"#).unwrap();
    let mut contents = BTreeSet::new();
    let mut last = BTreeMap::new();
    for (_, what) in set.lab.events() {
        if let What::GuestWrote { disk, block, content, .. } = what {
            assert!(contents.insert(content), "each write differs from all others");
            last.insert((disk, block), content);
        }
    }
    assert!(last.len() > 150);
    for ((disk, block), content) in last {
        let disk = &set.disks[usize::from(disk.as_str() == "web01-disk1")];
        assert_eq!(disk.read(block).hash(), content);
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_person_copies_lies_where_the_other_disk_was_empty() {
    let set = Set::new(8);
    let copy = |from: usize, to: usize| {
        let asked = json!({ "copy-disk": { "machine": "web01", "from": from, "to": to } });
        fault(&set, &asked.to_string())
    };
    assert!(copy(1, 0).is_err(), "nothing runs");
    set.guests.power_on(&vm(HERE), set.disks.clone());
    minutes(2).await;
    let (source, target) = (&set.disks[1], &set.disks[0]);
    let (before, held) = (target.allocated(), source.allocated());
    assert!(!held.is_empty());
    set.lab.events();
    copy(1, 0).unwrap();
    let written =
        set.lab.count(|what| matches!(what, What::GuestWrote { disk, .. } if disk.as_str() == "web01-disk0"));
    assert!(written >= held.len(), "all of it is told");
    let after: BTreeMap<_, _> = target.allocated().into_iter().collect();
    assert_eq!(after.len(), before.len() + held.len());
    assert!(before.iter().all(|(block, page)| after.get(block) == Some(page)), "nothing is written over");
    assert!(held.iter().all(|(_, page)| after.values().any(|other| other == page)));
    assert!(copy(2, 0).is_err(), "there is no such disk");
    let mut fits = 0;
    while copy(0, 1).is_ok() {
        fits += 1;
        assert!(fits < 100, "no disk is endless");
    }
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_lost_power_while_booting_never_comes_up() {
    let set = Set::new(5);
    set.guests.power_on(&vm(HERE), set.disks.clone());
    assert!(set.guests.is_running(&vm(HERE)));
    sleep(Duration::from_secs(39)).await;
    set.guests.power_off(&vm(HERE));
    minutes(60).await;
    assert_eq!(set.lab.events().len(), 0);
    // Power that comes back within the old boot time starts a boot of its own.
    set.guests.power_on(&vm(HERE), set.disks.clone());
    sleep(Duration::from_secs(20)).await;
    set.guests.reset(&vm(HERE));
    sleep(Duration::from_secs(30)).await;
    assert!(!set.guests.is_up(&vm(HERE)));
    sleep(Duration::from_secs(11)).await;
    assert!(set.guests.is_up(&vm(HERE)));
    assert_eq!(set.lab.count(|what| matches!(what, What::GuestBooted { .. })), 1);
}

#[tokio::test(start_paused = true)]
async fn a_clean_shutdown_flushes_once_per_disk_and_then_stops() {
    let set = Set::new(5);
    set.guests.power_on(&vm(HERE), set.disks.clone());
    minutes(20).await;
    let before = set.writes();
    let shutting = set.guests.shut_down(&vm(HERE));
    assert_eq!(set.writes(), before + 2, "what applications flush on their way out");
    assert_eq!(set.guests.write_now(&web01(), HERE, 1).ok(), None, "nothing is written after that");
    shutting.await;
    assert!(!set.guests.is_running(&vm(HERE)));
    let stopped = What::GuestStopped { copy: MachineCopy::new("web01", HERE), clean: true };
    assert_eq!(set.lab.events().last().map(|(_, what)| what.clone()), Some(stopped));
    set.guests.shut_down(&vm(HERE)).await;
    minutes(10).await;
    assert_eq!(set.writes(), before + 2);
    assert_eq!(set.lab.count(|what| matches!(what, What::GuestStopped { .. })), 1);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_goes_on_when_nobody_waits_and_ends_when_the_plug_is_pulled() {
    let set = Set::new(5);
    set.guests.power_on(&vm(HERE), set.disks.clone());
    minutes(2).await;
    drop(set.guests.shut_down(&vm(HERE)));
    minutes(4).await;
    assert!(!set.guests.is_running(&vm(HERE)));
    set.guests.power_on(&vm(HERE), set.disks.clone());
    minutes(2).await;
    let shutting = set.guests.shut_down(&vm(HERE));
    set.guests.power_off(&vm(HERE));
    shutting.await;
    let ends: Vec<_> = set
        .lab
        .events()
        .into_iter()
        .filter_map(|(_, what)| if let What::GuestStopped { clean, .. } = what { Some(clean) } else { None })
        .collect();
    assert_eq!(ends, [true, false]);
}

#[tokio::test(start_paused = true)]
async fn a_crashed_guest_is_silent_until_it_is_reset() {
    let set = Set::new(5);
    set.guests.power_on(&vm(HERE), set.disks.clone());
    minutes(20).await;
    let writes = set.writes();
    set.lab.crash("web01@on-premises");
    minutes(20).await;
    assert_eq!(set.writes(), writes);
    assert!(set.guests.write_now(&web01(), HERE, 1).is_err());
    assert!(set.guests.is_running(&vm(HERE)), "the virtual machine has power all the same");
    set.guests.shut_down(&vm(HERE)).await;
    assert!(!set.guests.is_running(&vm(HERE)), "nobody in there can delay the shutdown");
    set.guests.power_on(&vm(HERE), set.disks.clone());
    minutes(20).await;
    assert!(set.writes() > writes);
    assert_eq!(set.registrations(), 2);
    assert_eq!(set.lab.count(|what| matches!(what, What::GuestStopped { .. })), 1);
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_guest_that_hangs_gives_up() {
    let set = Set::new(5);
    set.guests.power_on(&vm(HERE), set.disks.clone());
    minutes(2).await;
    let (shutting, asked) = (set.guests.shut_down(&vm(HERE)), set.lab.now());
    set.lab.crash("web01@on-premises");
    shutting.await;
    assert_eq!(set.lab.now().since(asked), Duration::from_secs(240));
    assert!(set.guests.is_running(&vm(HERE)));
    set.guests.power_off(&vm(HERE));
    assert!(!set.guests.is_running(&vm(HERE)));
}

#[tokio::test(start_paused = true)]
async fn tools_are_the_machines_and_move_with_it() {
    let set = Set::new(5);
    assert!(set.guests.tools_enabled(&vm(HERE)));
    set.guests.power_on(&vm(Site::Azure), set.disks.clone());
    minutes(1).await;
    assert!(!set_tools(&set, Site::Azure, false).await.tools_enabled);
    assert!(!set_tools(&set, Site::Azure, false).await.tools_enabled);
    let changes = set.lab.count(|what| matches!(what, What::ToolsChanged { .. }));
    assert_eq!(changes, 1, "only a change is a change");
    set.guests.power_off(&vm(Site::Azure));
    assert!(!set.guests.tools_enabled(&vm(HERE)));
    set.guests.power_on(&vm(HERE), set.disks.clone());
    minutes(1).await;
    assert!(!set.status(HERE).await.tools_enabled);
    assert!(set_tools(&set, HERE, true).await.tools_enabled);
    assert!(set.guests.tools_enabled(&vm(HERE)));
}

#[tokio::test(start_paused = true)]
async fn an_agent_refuses_strangers() {
    let set = Set::new(5);
    set.guests.power_on(&vm(HERE), set.disks.clone());
    minutes(1).await;
    let url = format!("{}/v1/tools", address(HERE));
    let (status, no): (_, Refusal) =
        set.lab.call(Method::POST, &url, "guess", Some(&Tools { enabled: false })).await.unwrap();
    assert_eq!((status, no.code.as_str()), (StatusCode::UNAUTHORIZED, "wrong-passphrase"));
    assert!(set.guests.tools_enabled(&vm(HERE)));
}

#[tokio::test(start_paused = true)]
async fn a_stopped_agent_is_silent_while_its_guest_goes_on() {
    let set = Set::new(5);
    fault(&set, r#"{"stop-agent": {"machine": "web01", "site": "on-premises"}}"#).unwrap();
    set.guests.power_on(&vm(HERE), set.disks.clone());
    minutes(30).await;
    assert_eq!(set.registrations(), 0);
    assert!(set.writes() > 50);
    let url = format!("{}/v1/status", address(HERE));
    let silent = set.lab.call::<Value>(Method::GET, &url, SECRET, None::<&()>).await;
    assert!(matches!(silent, Err(HttpError::Unreachable { .. })));
    fault(&set, r#"{"start-agent": {"machine": "web01", "site": "on-premises"}}"#).unwrap();
    minutes(1).await;
    assert!(set.status(HERE).await.registered);
    fault(&set, r#"{"stop-agent": {"machine": "web01", "site": "on-premises"}}"#).unwrap();
    let silent = set.lab.call::<Value>(Method::GET, &url, SECRET, None::<&()>).await;
    assert!(matches!(silent, Err(HttpError::Unreachable { .. })));
    assert!(fault(&set, r#"{"stop-agent": {"machine": "db9", "site": "azure"}}"#).is_err());
}

#[tokio::test(start_paused = true)]
async fn a_delayed_registration_is_late_once() {
    let set = Set::new(5);
    fault(&set, r#"{"delay-registration": {"machine": "web01", "minutes": 40}}"#).unwrap();
    set.guests.power_on(&vm(HERE), set.disks.clone());
    minutes(40).await;
    assert_eq!(set.registrations(), 0);
    minutes(1).await;
    assert_eq!(set.registrations(), 1);
    set.guests.reset(&vm(HERE));
    minutes(15).await;
    assert_eq!(set.registrations(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_foreign_machine_just_runs() {
    let set = Set::new(5);
    let mt = VmRef { site: HERE, name: "mt-windows".to_owned() };
    set.guests.power_on(&mt, vec![Disk::new(8)]);
    minutes(20).await;
    assert!(set.guests.is_running(&mt) && set.guests.tools_enabled(&mt));
    assert_eq!(set.lab.events(), []);
    set.guests.shut_down(&mt).await;
    assert!(!set.guests.is_running(&mt));
}

#[tokio::test(start_paused = true)]
async fn one_seed_tells_one_story() {
    let mut stories = Vec::new();
    for seed in [11, 11, 12] {
        let set = Set::new(seed);
        set.guests.power_on(&vm(HERE), set.disks.clone());
        minutes(90).await;
        fault(&set, r#"{"burst": {"machine": "web01", "blocks": 3}}"#).unwrap();
        set.guests.shut_down(&vm(HERE)).await;
        stories.push((set.lab.events(), set.guests.observe(), set.lab.now()));
    }
    assert_eq!(stories[0], stories[1]);
    assert_ne!(stories[0].0, stories[2].0);
}

#[test]
fn a_filled_disk_looks_like_one_and_is_a_quarter_full() {
    for blocks in [1, 2, 9, 64, 1024, 4096] {
        let (disk, twin) = (Disk::new(blocks), Disk::new(blocks));
        fill(&disk, 7, blocks.div_ceil(4));
        fill(&twin, 7, blocks.div_ceil(4));
        assert_eq!(disk.root_hash(), twin.root_hash());
        let share = disk.allocated().len() as f64 / blocks as f64;
        assert!(share >= 0.25, "{blocks} blocks: {share}");
        assert!(blocks < 64 || share < 0.30, "{blocks} blocks: {share}");
        let last = disk.read(blocks - 1);
        assert_eq!(&last.bytes()[4096 - 512..][..8], b"EFI PART");
        if blocks > 1 {
            assert_eq!(&disk.read(0).bytes()[510..520], b"\x55\xaaEFI PART");
        }
    }
    let huge = Disk::new(62 << 28);
    fill(&huge, 7, 1000);
    assert_eq!((huge.allocated().len(), huge.next_held(huge.blocks() - 1)), (1000, Some((62 << 28) - 1)));
    let (full, other) = (Disk::new(100), Disk::new(100));
    fill(&full, 7, 900);
    assert_eq!(full.allocated().len(), 100);
    fill(&other, 8, 900);
    assert_ne!(full.root_hash(), other.root_hash());
}

#[test]
fn every_part_of_a_writes_name_changes_its_content() {
    let (machine, disk) = (web01(), "web01-disk0".into());
    let base = written_page(1, &machine, &disk, 5, 9);
    assert_eq!(base, written_page(1, &machine, &disk, 5, 9));
    for other in [
        written_page(2, &machine, &disk, 5, 9),
        written_page(1, &"web02".into(), &disk, 5, 9),
        written_page(1, &machine, &"web01-disk1".into(), 5, 9),
        written_page(1, &machine, &disk, 6, 9),
        written_page(1, &machine, &disk, 5, 10),
    ] {
        assert_ne!(base.hash(), other.hash());
    }
}
