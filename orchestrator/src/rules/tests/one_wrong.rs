//! A table: one thing wrong, the operation, the codes it is refused with.

use super::build::{known, min, point, sound};
use super::refusals;
use crate::catalogue::documented::AGENT_HEARTBEAT;
use crate::config::{AlternateVcenter, Uefi, VmSnapshots};
use crate::facts::{Facts, Seen};
use crate::journal::Operation::{self, *};
use crate::journal::{Platform, PointChoice, Verb};
use failback_wire::error::Report;
use failback_wire::event::PointKind;
use failback_wire::ids::Site;
use failback_wire::proto::cs::{Hidden, OsFamily, RegistrationRow};

type Spoil = fn(&mut Facts);
/// What is wrong, how, for which operations, and the codes that must come out.
type Case = (&'static str, Spoil, &'static [Operation], &'static [&'static str]);

/// The copy registered then; in an earlier life it was not heard of since.
fn register_at(f: &mut Facts, site: Site, at: u64) {
    let since = f.item.registered_after.unwrap_or_default();
    let row = known(&mut f.cs).row.as_mut().unwrap();
    for registration in row.registrations.iter_mut().filter(|r| r.site == site) {
        registration.registered_at = min(at);
        if min(at) < since {
            registration.last_heartbeat = min(at);
        }
    }
}

fn heartbeat(f: &mut Facts, server: &str, at: u64) {
    for row in known(&mut f.cs).servers.iter_mut().filter(|row| row.id == server) {
        row.last_heartbeat = min(at);
    }
}

fn hide(f: &mut Facts, vm: &str, twin: Option<&str>) {
    let hidden = Hidden { vm: vm.to_owned(), twin: twin.map(str::to_owned) };
    known(&mut f.cs).status.hidden.push(hidden);
}

const SITE: &[Operation] = &[Reprotect, Failback];
const BACK: &[Operation] = &[Reprotect, Failback, ReprotectForward];

#[rustfmt::skip]
const CASES: &[Case] = &[
    ("the first disk left out of a reprotect", |f| { f.request.include = Some(vec!["web01-disk1".into()]); f.item.left_out = vec!["web01-disk0".into()] }, &[Reprotect], &["FB1721"]),
    ("another disk left out of a reprotect", |f| { f.request.include = Some(vec!["web01-disk0".into()]); f.item.left_out = vec!["web01-disk1".into()] }, &[Reprotect], &[]),
    ("a disk too many for a reprotect", |f| f.request.include = Some(["0", "1", "2"].map(|n| format!("web01-disk{n}").into()).into()), &[Reprotect], &["FB1721"]),
    ("all disks named for a reprotect", |f| f.request.include = Some(["0", "1"].map(|n| format!("web01-disk{n}").into()).into()), &[Reprotect], &[]),
    ("moved from another process server", |f| { f.request.from_server = Some("ps-2".into()); f.item.process_server = Some("ps".into()) }, &[MoveServer], &["FB1720"]),
    ("state", |f| f.item.allowed = false, &Operation::ALL, &["FB1801"]),
    ("group member alone", |f| f.item.group = Some("g".into()), &[Failover, Reprotect, Failback, ReprotectForward], &["FB1701"]),
    ("group member by plan", |f| { f.item.group = Some("g".into()); f.request.by_plan = true }, BACK, &[]),
    ("health", |f| f.item.critical = vec![Report::new(&AGENT_HEARTBEAT, "web01", "")], &[Failback], &["FB1802"]),
    ("health, another operation", |f| f.item.critical = vec![Report::new(&AGENT_HEARTBEAT, "web01", "")], &[Failover, Reprotect], &[]),
    ("health, second attempt", |f| { f.item.critical = vec![Report::new(&AGENT_HEARTBEAT, "web01", "")]; f.item.resuming = true }, &[Failback], &[]),
    ("CS silent", |f| f.cs = Seen::Silent("down".into()), &[EnableProtection, Reprotect, Failback, ReprotectForward], &["FB1003"]),
    ("CS silent, not needed", |f| f.cs = Seen::Silent("down".into()), &[Failover, Commit, CommitBack], &[]),
    ("CS address", |f| known(&mut f.cs).status.address = "10.0.0.9".into(), BACK, &["FB1005"]),
    ("CS set up anew", |f| known(&mut f.cs).status.instance = "cs-2".into(), BACK, &["FB1008"]),
    ("CS cloned", |f| known(&mut f.cs).status.clones = vec!["10.0.0.11".into()], BACK, &["FB1009"]),
    ("CS certificate", |f| known(&mut f.cs).status.certificate_expires = min(600), BACK, &["FB1010"]),
    ("address kept, one adapter", |f| f.item.keeps_address = true, SITE, &["FB1012"]),
    ("address kept, adapter not registered", |f| { f.item.keeps_address = true; known(&mut f.cs).status.adapters = 2 }, SITE, &["FB1012"]),
    ("address kept, one adapter, not needed", |f| f.item.keeps_address = true, &[Failover, ReprotectForward], &[]),
    ("registrations mixed up", |f| f.item.home_host = Some(format!("host-{}", Site::Azure)), &[Reprotect, ReprotectForward], &["FB1015"]),
    ("registered twice", |f| { let rows = &mut known(&mut f.cs).row.as_mut().unwrap().registrations; let more: Vec<_> = rows.iter().cloned().map(|row| RegistrationRow { host_id: "clone".into(), ..row }).collect(); rows.extend(more) }, &[Reprotect, ReprotectForward], &["FB1014"]),
    ("a copy with its instance UUID", |f| hide(f, "copy", Some("web01")), BACK, &["FB1017"]),
    ("it is itself the copy", |f| hide(f, "web01", Some("old")), BACK, &["FB1017"]),
    ("not discovered", |f| hide(f, "web01", None), &[EnableProtection], &["FB1016"]),
    ("a stale row", |f| f.item.unknown = true, &[EnableProtection], &["FB1018"]),
    ("CS row", |f| known(&mut f.cs).row = None, BACK, &["FB1004"]),
    ("vCenter silent", |f| f.vcenter = Seen::Silent("down".into()), &[EnableProtection, Reprotect, Failback], &["FB1001"]),
    ("vCenter silent, not needed", |f| f.vcenter = Seen::Silent("down".into()), &[Failover, Commit, CommitBack, ReprotectForward], &[]),
    ("vCenter login", |f| f.vcenter = Seen::Refused("InvalidLogin".into()), SITE, &["FB1006"]),
    ("read-only account", |f| known(&mut f.vcenter).can_write = false, SITE, &["FB1002"]),
    ("a privilege missing", |f| known(&mut f.vcenter).missing = vec!["Network.Assign".into()], SITE, &["FB1021"]),
    ("MT on Hyper-V", |f| known(&mut f.vcenter).target_vm.as_mut().unwrap().hypervisor = "Microsoft Hyper-V".into(), &[Reprotect], &["FB1020"]),
    ("replicates home already", |f| f.item.anew = true, &[Reprotect], &["FB1801"]),
    ("replicates home already, machine gone", |f| { f.item.anew = true; known(&mut f.vcenter).vm = None }, &[Reprotect], &[]),
    ("a raw device", |f| f.item.disks[1].rdm = true, SITE, &[]),
    ("a raw device, alternate location", |f| { f.item.disks[1].rdm = true; known(&mut f.vcenter).vm = None }, &[Reprotect], &["FB1515"]),
    ("a snapshot that is merged", |f| known(&mut f.vcenter).vm.as_mut().unwrap().snapshots = vec!["old".into()], SITE, &[]),
    ("a snapshot that is not merged", |f| { f.settings.vm_snapshots = VmSnapshots::Fail; known(&mut f.vcenter).vm.as_mut().unwrap().snapshots = vec!["old".into()] }, &[Reprotect], &["FB1516"]),
    ("2008 R2 SP1, physical", |f| f.item.platform = Platform { physical: true, os_version: Some("windows-server-2008-R2-SP1".into()), uefi: false, memory_mb: None }, &[Reprotect], &["FB1510"]),
    ("a master target with an older system", |f| { known(&mut f.agent).os_version = Some("windows-server-2019".into()); known(&mut f.target).os_version = Some("windows-server-2016".into()) }, &[Reprotect], &["FB1773"]),
    ("2008 R2 SP1, virtual", |f| f.item.platform.os_version = Some("windows-server-2008-r2-sp1".into()), &[Reprotect], &[]),
    ("UEFI", |f| f.item.platform.uefi = true, &[Reprotect], &["FB1511"]),
    ("UEFI, allowed", |f| { f.item.platform.uefi = true; f.settings.uefi = Uefi::Allow }, &[Reprotect], &[]),
    ("planned, physical", |f| { f.item.platform.physical = true; f.request.verb = Verb::Planned }, &[Failover], &["FB1512"]),
    ("planned, virtual", |f| f.request.verb = Verb::Planned, &[Failover, Failback], &[]),
    ("a physical machine that runs", |f| f.item.platform.physical = true, &[Failback], &["FB1513"]),
    ("MT in another vCenter", |f| { let v = known(&mut f.vcenter); v.target_vm = None; v.elsewhere = true }, SITE, &["FB1022"]),
    ("another vCenter, allowed, machine there", |f| { f.settings.alternate_vcenter = AlternateVcenter::Allow; known(&mut f.vcenter).elsewhere = true }, SITE, &["FB1022"]),
    ("another vCenter, allowed, machine gone", |f| { f.settings.alternate_vcenter = AlternateVcenter::Allow; let v = known(&mut f.vcenter); v.elsewhere = true; v.vm = None }, &[Reprotect], &[]),
    ("MT not registered", |f| known(&mut f.cs).servers.retain(|s| s.id != "mt"), SITE, &["FB1312"]),
    ("MT heartbeat", |f| heartbeat(f, "mt", 585), SITE, &["78022"]),
    ("MT heartbeat and silent", |f| { heartbeat(f, "mt", 585); f.target = Seen::Silent("down".into()) }, SITE, &["78022"]),
    ("MT silent", |f| f.target = Seen::Silent("down".into()), SITE, &["FB1310"]),
    ("MT no VM", |f| known(&mut f.vcenter).target_vm = None, SITE, &["FB1308"]),
    ("MT family", |f| known(&mut f.target).os = OsFamily::Linux, SITE, &["FB1301"]),
    ("MT snapshot", |f| known(&mut f.vcenter).target_vm.as_mut().unwrap().snapshots = vec!["backup".into()], SITE, &["FB1303"]),
    ("MT snapshot, not needed", |f| known(&mut f.vcenter).target_vm.as_mut().unwrap().snapshots = vec!["backup".into()], &[Failover, ReprotectForward], &[]),
    ("MT controller", |f| known(&mut f.vcenter).target_vm.as_mut().unwrap().controllers = vec!["ParaVirtualSCSIController".into()], &[Reprotect], &["FB1304"]),
    ("MT EnableUUID", |f| known(&mut f.vcenter).target_vm.as_mut().unwrap().enable_uuid = false, &[Reprotect], &["FB1306"]),
    ("MT Tools", |f| known(&mut f.vcenter).target_vm.as_mut().unwrap().tools = false, &[Reprotect], &["FB1307"]),
    ("MT 59 disks", |f| known(&mut f.target).attached = (0..59).map(|n| format!("x{n}").into()).collect(), &[Reprotect], &["FB1305"]),
    ("MT 58 disks", |f| known(&mut f.target).attached = (0..58).map(|n| format!("x{n}").into()).collect(), &[Reprotect], &[]),
    ("one template", |f| known(&mut f.vcenter).target_vm.as_mut().unwrap().disks.push("u1".into()), &[Reprotect], &["FB1309"]),
    ("retention", |f| known(&mut f.target).retention = None, &[Reprotect], &["FB1402"]),
    ("another retention drive", |f| f.request.retention_drive = Some("S:".into()), &[Reprotect], &["FB1402"]),
    ("NFS only", |f| { known(&mut f.vcenter).datastores[0].kind = "NFS".into() }, &[Reprotect], &["FB1401"]),
    ("datastore read-only", |f| known(&mut f.vcenter).datastores[0].writable = false, &[Reprotect], &["8061"]),
    ("datastore of the VM not mounted", |f| known(&mut f.vcenter).vm.as_mut().unwrap().datastores = vec!["ds9".into()], &[Reprotect], &["8061"]),
    ("unknown datastore, ignored", |f| f.request.datastore = Some("ds9".into()), &[Reprotect], &[]),
    ("unknown datastore, no VM", |f| { f.request.datastore = Some("ds9".into()); known(&mut f.vcenter).vm = None }, &[Reprotect], &["FB1403"]),
    ("name taken", |f| { let v = known(&mut f.vcenter); v.vm = None; v.names_on_host = vec!["web01".into()] }, &[Reprotect], &["78052"]),
    ("a disk between holders", |f| { known(&mut f.vcenter).vm.as_mut().unwrap().disks.clear(); f.item.disks.iter_mut().for_each(|d| d.noted = true) }, &[Reprotect], &[]),
    ("a disk replaced", |f| known(&mut f.vcenter).vm.as_mut().unwrap().disks = vec!["u0".into(), "u9".into()], &[Reprotect], &["FB1505"]),
    ("a disk left at the MT", |f| { let v = known(&mut f.vcenter); v.vm.as_mut().unwrap().disks.pop(); v.target_vm.as_mut().unwrap().disks.push("u1".into()) }, &[Reprotect], &[]),
    ("a disk grown in Azure", |f| { known(&mut f.azure).sizes.insert("web01-disk1".into(), 32 << 20); }, &[Reprotect], &["FB1508"]),
    ("a disk grown in Azure, alternate location", |f| { known(&mut f.azure).sizes.insert("web01-disk1".into(), 32 << 20); known(&mut f.vcenter).vm = None }, &[Reprotect], &[]),
    ("a disk extended on-premises", |f| { known(&mut f.vcenter).sizes.insert("u0".into(), 32 << 20); }, &[Reprotect], &["FB1508"]),
    ("a size nobody knows", |f| known(&mut f.azure).sizes.clear(), &[Reprotect], &[]),
    ("on-premises VM gone", |f| known(&mut f.vcenter).vm = None, &[Failback, CommitBack], &["FB1503"]),
    ("on-premises VM gone, alternate location", |f| known(&mut f.vcenter).vm = None, &[Reprotect], &[]),
    ("host down", |f| known(&mut f.vcenter).vm.as_mut().unwrap().host_connected = false, SITE, &["FB1504"]),
    ("on-premises VM on", |f| known(&mut f.vcenter).vm.as_mut().unwrap().on = true, &[Failback], &["FB1506"]),
    ("on-premises VM on, reprotect powers it off", |f| known(&mut f.vcenter).vm.as_mut().unwrap().on = true, &[Reprotect], &[]),
    ("PS not registered", |f| known(&mut f.cs).servers.retain(|s| s.id != "ps"), BACK, &["FB1101"]),
    ("PS heartbeat", |f| heartbeat(f, "ps", 585), BACK, &["806"]),
    ("PS silent", |f| f.relay = Seen::Silent("down".into()), &[EnableProtection, Reprotect, Failback, ReprotectForward], &["FB1102"]),
    ("Azure silent", |f| f.azure = Seen::Silent("down".into()), &[EnableProtection, Failover, Reprotect, Failback, CommitBack], &["FB1007"]),
    ("Azure VM gone", |f| { let a = known(&mut f.azure); a.exists = false; a.running = false }, &[Reprotect], &["FB1502"]),
    ("Azure VM gone, with a point", |f| { let a = known(&mut f.azure); a.exists = false; a.running = false }, &[Failback], &[]),
    ("Azure VM gone, without a point", |f| { let a = known(&mut f.azure); a.exists = false; known(&mut f.points).clear() }, &[Failback], &["FB1502", "FB1601"]),
    ("a first disk of 3 TiB", |f| { known(&mut f.vcenter).sizes.insert("u0".into(), 3 << 40); }, &[EnableProtection], &["FB1531"]),
    ("a second disk of 3 TiB", |f| { known(&mut f.vcenter).sizes.insert("u1".into(), 3 << 40); }, &[EnableProtection], &[]),
    ("disks of 2 and 8 TiB", |f| { let sizes = &mut known(&mut f.vcenter).sizes; sizes.insert("u0".into(), 2 << 40); sizes.insert("u1".into(), 8 << 40); }, &[EnableProtection], &[]),
    ("a second disk of 9 TiB", |f| { known(&mut f.vcenter).sizes.insert("u1".into(), 9 << 40); }, &[EnableProtection], &["FB1531"]),
    ("a second disk of 9 TiB, left out", |f| { known(&mut f.vcenter).sizes.insert("u1".into(), 9 << 40); f.request.include = Some(vec!["web01-disk0".into()]) }, &[EnableProtection], &[]),
    ("66 disks", |f| known(&mut f.vcenter).vm.as_mut().unwrap().disks = (0..66).map(|n| format!("u{n}").into()).collect(), &[EnableProtection], &["FB1531"]),
    ("a name with a dot", |f| f.request.azure_name = Some("web.01".into()), &[EnableProtection], &["FB1531"]),
    ("Azure VM moved", |f| { let a = known(&mut f.azure); a.exists = false; a.moved_to = Some("other".into()) }, &[Reprotect, Failback, CommitBack], &["FB1530"]),
    ("Azure VM stopped", |f| known(&mut f.azure).running = false, &[Reprotect], &["78093"]),
    ("Azure VM stopped, failback", |f| known(&mut f.azure).running = false, &[Failback], &[]),
    ("agent not registered yet", |f| { register_at(f, Site::Azure, 400); f.item.source_since = Some(min(597)) }, &[Reprotect], &["FB1501"]),
    ("agent not registered, its grace just over", |f| { register_at(f, Site::Azure, 400); f.item.source_since = Some(min(585)) }, &[Reprotect], &["78174"]),
    ("agent never registered", |f| register_at(f, Site::Azure, 400), &[Reprotect], &["78174"]),
    ("agent never registered, and knows why", |f| { register_at(f, Site::Azure, 400); known(&mut f.agent).unheard_because = Some("no way".into()) }, &[Reprotect], &["95226"]),
    ("in another subnet", |f| known(&mut f.azure).misplaced = Some("lab".into()), &[Reprotect], &[]),
    ("in another subnet, silent", |f| { known(&mut f.azure).misplaced = Some("lab".into()); f.agent = Seen::Silent("no".into()) }, &[Reprotect], &["78093"]),
    ("in another subnet, nearby", |f| { let azure = known(&mut f.azure); (azure.misplaced, azure.nearby) = (Some("lab".into()), true); f.agent = Seen::Silent("no".into()) }, &[Reprotect], &["95226"]),
    ("agent lost its way", |f| known(&mut f.agent).unheard_because = Some("no way".into()), &[Reprotect], &["95226"]),
    ("Azure guest hangs", |f| known(&mut f.azure).answers = false, &[Reprotect], &["78093"]),
    ("agent silent", |f| f.agent = Seen::Silent("down".into()), &[Reprotect, ReprotectForward], &["78174"]),
    ("agent never registered, silent", |f| { register_at(f, Site::Azure, 400); f.agent = Seen::Silent("down".into()) }, &[Reprotect], &["95226"]),
    ("the other copy's registration", |f| register_at(f, Site::OnPremises, 400), &[Reprotect, Failback], &[]),
    ("agent not registered yet, forward", |f| { register_at(f, Site::OnPremises, 400); f.item.source_since = Some(min(597)) }, &[ReprotectForward], &["FB1501"]),
    ("agent never registered, forward", |f| register_at(f, Site::OnPremises, 400), &[ReprotectForward], &["78174"]),
    ("agent lost", |f| known(&mut f.cs).row.as_mut().unwrap().registrations.iter_mut().for_each(|r| r.last_heartbeat = min(580)), &[Reprotect, ReprotectForward], &["78174"]),
    ("no point", |f| known(&mut f.points).clear(), &[Failover, Failback], &["FB1601"]),
    ("no application point", |f| { known(&mut f.points).remove(0); f.request.choice = PointChoice::Application }, &[Failover, Failback], &["FB1602"]),
    ("an application point", |f| f.request.choice = PointChoice::Application, &[Failover, Failback], &[]),
    ("unknown point", |f| f.request.choice = PointChoice::Custom("p9".into()), &[Failover, Failback], &["FB1603"]),
    ("a processed point on the way home", |f| f.request.choice = PointChoice::LatestProcessed, &[Failback], &["FB1730"]),
    ("a multi-VM point for one machine", |f| f.request.choice = PointChoice::MultiVmProcessed, &[Failover, Failback], &["FB1730"]),
    ("a known point", |f| { f.request.choice = PointChoice::Custom("p3".into()); known(&mut f.points).push(point("p3", PointKind::Crash, 599)) }, &[Failover, Failback], &[]),
];

#[test]
fn one_thing_wrong_gives_exactly_its_code() {
    for (what, spoil, operations, codes) in CASES {
        for operation in *operations {
            let mut facts = sound(*operation);
            spoil(&mut facts);
            assert_eq!(&refusals(&facts), codes, "{what}, {}", operation.as_str());
        }
    }
}

#[test]
fn a_newer_master_target_only_warns() {
    let mut facts = sound(Reprotect);
    known(&mut facts.target).version = "9.63".into();
    let verdict = super::super::check(&facts);
    assert!(verdict.refusals.is_empty());
    let codes: Vec<_> = verdict.warnings.iter().map(|report| report.code.as_str()).collect();
    assert_eq!(codes, ["FB1302"]);
}

#[test]
fn versions_compare_as_numbers() {
    let mut facts = sound(Reprotect);
    known(&mut facts.target).version = "9.7".into();
    assert!(super::super::check(&facts).warnings.is_empty(), "9.7 is older than 9.62");
}

#[test]
fn a_machine_at_home_that_ran_since_the_failover_is_a_warning() {
    let warnings = |facts: &Facts| {
        let verdict = super::super::check(facts);
        assert!(verdict.refusals.is_empty(), "{:?}", verdict.refusals);
        verdict.warnings.into_iter().map(|report| report.code).collect::<Vec<_>>()
    };
    let mut on = sound(Reprotect);
    known(&mut on.vcenter).vm.as_mut().unwrap().on = true;
    assert_eq!(warnings(&on), ["FB2102"]);
    let mut registered = sound(Reprotect);
    register_at(&mut registered, Site::OnPremises, 501);
    assert_eq!(warnings(&registered), ["FB2102"], "it ran long enough for its agent to register");
    register_at(&mut registered, Site::OnPremises, 500);
    assert!(warnings(&registered).is_empty(), "the failover itself ended then");
}
