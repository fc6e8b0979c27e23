//! Everything wrong at once: all violations are reported, in check order.

use super::build::{known, min, sound};
use super::refusals;
use crate::catalogue::documented::AGENT_HEARTBEAT;
use crate::facts::{Facts, Seen};
use crate::journal::Operation::{Failback, Reprotect};
use failback_wire::error::Report;
use failback_wire::proto::cs::OsFamily;

pub(super) fn spoil_all(f: &mut Facts) {
    f.item.allowed = false;
    f.item.group = Some("g".into());
    f.item.critical = vec![Report::new(&AGENT_HEARTBEAT, "web01", "")];
    let cs = known(&mut f.cs);
    cs.status.address = "10.0.0.9".into();
    cs.servers.iter_mut().for_each(|server| server.last_heartbeat = min(1));
    let target = known(&mut f.target);
    target.os = OsFamily::Linux;
    target.retention = None;
    target.attached = (0..60).map(|n| format!("x{n}").into()).collect();
    let vcenter = known(&mut f.vcenter);
    vcenter.can_write = false;
    vcenter.datastores[0].writable = false;
    let vm = vcenter.vm.as_mut().unwrap();
    vm.on = true;
    vm.disks.clear();
    let target_vm = vcenter.target_vm.as_mut().unwrap();
    target_vm.snapshots = vec!["backup".into()];
    target_vm.controllers.clear();
    target_vm.enable_uuid = false;
    target_vm.tools = false;
    known(&mut f.azure).running = false;
    known(&mut f.azure).sizes.insert("web01-disk0".into(), 1);
    known(&mut f.points).clear();
}

#[test]
fn reprotect_reports_all() {
    let mut facts = sound(Reprotect);
    spoil_all(&mut facts);
    let expected = [
        "FB1801", "FB1701", "FB1005", "806", "FB1002", "8061", "FB1505", "FB1508", "78022", "FB1301",
        "FB1303", "FB1304", "FB1306", "FB1307", "FB1305", "FB1402", "78093",
    ];
    assert_eq!(refusals(&facts), expected);
}

#[test]
fn failback_reports_all() {
    let mut facts = sound(Failback);
    spoil_all(&mut facts);
    let expected = [
        "FB1801", "FB1701", "FB1802", "FB1005", "806", "FB1002", "FB1506", "78022", "FB1301", "FB1303",
        "FB1601",
    ];
    assert_eq!(refusals(&facts), expected);
}

#[test]
fn when_nothing_answers_each_system_is_named_once() {
    let mut facts = sound(Failback);
    facts.cs = Seen::Silent("down".into());
    facts.vcenter = Seen::Silent("down".into());
    facts.target = Seen::Silent("down".into());
    facts.relay = Seen::Silent("down".into());
    facts.azure = Seen::Silent("down".into());
    facts.points = Seen::Silent("down".into());
    assert_eq!(refusals(&facts), ["FB1003", "FB1102", "FB1001", "FB1310", "FB1007"]);
}
