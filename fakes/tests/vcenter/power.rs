//! Power, hosts, memory, and what the guests see of it.

use crate::support::*;
use failback_fakes::vcenter::DatastoreAccess;
use failback_wire::event::{Actor, What};
use failback_wire::vim::*;
use std::time::Duration;

fn powers(events: Vec<What>) -> Vec<(String, bool, Actor)> {
    let power = |what| match what {
        What::PowerChanged { vm, on, by } => Some((vm.name, on, by)),
        _ => None,
    };
    events.into_iter().filter_map(power).collect()
}

#[tokio::test(start_paused = true)]
async fn power_follows_tasks_and_drives_the_guest() {
    let lab = Lab::new();
    assert_eq!(powers(lab.events()), [("mt".into(), true, Actor::Setup)]);
    let soap = lab.login("user").await;
    let vm = soap.vm("web01").await;
    assert_eq!(soap.text(&vm, "runtime.powerState").await, "poweredOff");
    assert_eq!(soap.text(&vm, "guest.toolsRunningStatus").await, "guestToolsNotRunning");

    let task = soap.call("PowerOnVM_Task", &vm, vec![]).await.unwrap();
    let task = MoRef::read(&task[0]).unwrap();
    assert_eq!(soap.text(&task, "info.state").await, "queued");
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(soap.text(&task, "info.state").await, "running");
    assert!(!lab.guests.running.lock().unwrap().contains_key("web01"));
    soap.ended(&task).await.unwrap();
    assert_eq!(soap.text(&task, "info.entityName").await, "web01");
    assert_eq!(soap.text(&vm, "guest.toolsRunningStatus").await, "guestToolsRunning");
    // The guest runs on the disks the registry owns.
    let disks = lab.guests.running.lock().unwrap()["web01"].clone();
    assert_eq!(disks.len(), 2);
    assert!(disks[0].is_same(&lab.vcenter.disk(&DISK0.into()).unwrap()));

    let again = soap.task("PowerOnVM_Task", &vm, vec![]).await.unwrap_err();
    assert_eq!(again.kind, "InvalidPowerState");
    soap.task("PowerOffVM_Task", &vm, vec![]).await.unwrap();
    assert!(!lab.guests.running.lock().unwrap().contains_key("web01"));
    let expected = [("web01".into(), true, Actor::Product), ("web01".into(), false, Actor::Product)];
    assert_eq!(powers(lab.events()), expected);
}

#[tokio::test(start_paused = true)]
async fn a_guest_shuts_down_in_its_own_time_and_only_with_tools() {
    let lab = Lab::new();
    let soap = lab.login("user").await;
    let (mt, web) = (soap.vm("mt").await, soap.vm("web01").await);
    lab.guests.without_tools.lock().unwrap().insert("mt".into());
    assert_eq!(soap.call("ShutdownGuest", &mt, vec![]).await.unwrap_err().kind, "ToolsUnavailable");
    assert_eq!(soap.call("ShutdownGuest", &web, vec![]).await.unwrap_err().kind, "InvalidPowerState");
    lab.guests.without_tools.lock().unwrap().clear();
    soap.call("ShutdownGuest", &mt, vec![]).await.unwrap();
    soap.call("ShutdownGuest", &mt, vec![]).await.unwrap();
    assert_eq!(soap.text(&mt, "runtime.powerState").await, "poweredOn");
    lab.events();
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(soap.text(&mt, "runtime.powerState").await, "poweredOff");
    assert_eq!(powers(lab.events()), [("mt".into(), false, Actor::Product)]);
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_hangs_keeps_its_power() {
    let lab = Lab::new();
    let soap = lab.login("user").await;
    let mt = soap.vm("mt").await;
    lab.guests.hanging.lock().unwrap().insert("mt".into());
    soap.call("ShutdownGuest", &mt, vec![]).await.unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(soap.text(&mt, "runtime.powerState").await, "poweredOn");
    lab.guests.hanging.lock().unwrap().clear();
    soap.call("ShutdownGuest", &mt, vec![]).await.unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(soap.text(&mt, "runtime.powerState").await, "poweredOff");
}

#[tokio::test(start_paused = true)]
async fn a_host_without_memory_refuses_to_power_on() {
    let lab = Lab::new();
    let soap = lab.login("user").await;
    let vm = soap.vm("web01").await;
    lab.vcenter.console(Actor::Fault).set_host_free_memory("esx01", 4000).unwrap();
    let refused = soap.task("PowerOnVM_Task", &vm, vec![]).await.unwrap_err();
    assert_eq!(refused.kind, "InsufficientHostMemoryCapacityFault");
    assert_eq!(refused.field("unreserved"), Some((4000_u64 << 20).to_string().as_str()));
    lab.vcenter.console(Actor::Operator).set_host_free_memory("esx01", 4096).unwrap();
    soap.task("PowerOnVM_Task", &vm, vec![]).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_lost_host_loses_its_machines_but_they_run_on() {
    let lab = Lab::new();
    let soap = lab.login("user").await;
    let (vm, host) = (soap.vm("mt").await, soap.host("esx01").await);
    assert_eq!(soap.task("ReconnectHost_Task", &host, vec![]).await.unwrap_err().kind, "InvalidState");
    soap.task("DisconnectHost_Task", &host, vec![]).await.unwrap();
    assert_eq!(soap.text(&vm, "runtime.connectionState").await, "disconnected");
    assert_eq!(soap.text(&host, "runtime.connectionState").await, "disconnected");
    assert!(lab.guests.running.lock().unwrap().contains_key("mt"));
    let refused = soap.task("PowerOffVM_Task", &vm, vec![]).await.unwrap_err();
    assert_eq!(refused.kind, "HostNotConnected");
    assert!(refused.message.starts_with("Unable to communicate with the remote host"));
    let err = lab.vcenter.console(Actor::Operator).power_off("mt").unwrap_err();
    assert!(err.contains("HostNotConnected"), "{err}");
    soap.task("ReconnectHost_Task", &host, vec![]).await.unwrap();
    assert_eq!(soap.text(&vm, "runtime.connectionState").await, "connected");
    soap.task("PowerOffVM_Task", &vm, vec![]).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_machine_does_not_start_from_a_datastore_it_cannot_write() {
    let lab = Lab::new();
    let soap = lab.login("user").await;
    let vm = soap.vm("web01").await;
    let console = lab.vcenter.console(Actor::Fault);
    console.set_datastore_access("ds-prod", DatastoreAccess::ReadOnly).unwrap();
    assert_eq!(soap.task("PowerOnVM_Task", &vm, vec![]).await.unwrap_err().kind, "FileNotWritable");
    console.set_datastore_access("ds-prod", DatastoreAccess::None).unwrap();
    assert_eq!(soap.task("PowerOnVM_Task", &vm, vec![]).await.unwrap_err().kind, "CannotAccessFile");
    assert!(console.set_datastore_access("ds-none", DatastoreAccess::None).is_err());
}

#[tokio::test(start_paused = true)]
async fn tasks_of_one_machine_run_one_after_another() {
    let lab = Lab::new();
    let soap = lab.login("user").await;
    let vm = soap.vm("web01").await;
    let on = MoRef::read(&soap.call("PowerOnVM_Task", &vm, vec![]).await.unwrap()[0]).unwrap();
    let off = MoRef::read(&soap.call("PowerOffVM_Task", &vm, vec![]).await.unwrap()[0]).unwrap();
    soap.ended(&on).await.unwrap();
    assert_ne!(soap.text(&off, "info.state").await, "success");
    soap.ended(&off).await.unwrap();
    assert_eq!(soap.text(&vm, "runtime.powerState").await, "poweredOff");
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_task_has_no_effect() {
    let lab = Lab::new();
    let soap = lab.login("user").await;
    let vm = soap.vm("web01").await;
    let on = MoRef::read(&soap.call("PowerOnVM_Task", &vm, vec![]).await.unwrap()[0]).unwrap();
    soap.call("CancelTask", &on, vec![]).await.unwrap();
    assert_eq!(soap.call("CancelTask", &on, vec![]).await.unwrap_err().kind, "InvalidState");
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(soap.ended(&on).await.unwrap_err().kind, "RequestCanceled");
    assert_eq!(soap.text(&vm, "runtime.powerState").await, "poweredOff");
}
