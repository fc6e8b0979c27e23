//! Sessions, privileges, outages, crashes, and waiting for updates.

use crate::support::*;
use failback_fakes::vcenter::{DatastoreAccess, Privileges, VcenterFault};
use failback_wire::event::Actor;
use failback_wire::vim::*;
use http::StatusCode;
use std::time::Duration;

fn collector() -> MoRef {
    MoRef::new("PropertyCollector", "propertyCollector")
}
fn instance() -> MoRef {
    MoRef::new("ServiceInstance", "ServiceInstance")
}

#[tokio::test(start_paused = true)]
async fn nothing_is_told_without_a_session() {
    let lab = Lab::new();
    let mut soap = lab.soap();
    soap.call("RetrieveServiceContent", &instance(), vec![]).await.unwrap();
    let refused = soap.call("CurrentTime", &instance(), vec![]).await.unwrap_err();
    assert_eq!((refused.kind.as_str(), refused.message.is_empty()), ("NotAuthenticated", false));
    assert_eq!(soap.login("user", "wrong").await.unwrap_err().kind, "InvalidLogin");
    assert!(soap.cookie.is_none());
    soap.login("user", "secret").await.unwrap();
    let now = soap.call("CurrentTime", &instance(), vec![]).await.unwrap();
    assert_eq!(now[0].xsi_type, None);
    assert!(now[0].text.starts_with("2026-01-05T08:00:00"));
    assert_eq!(lab.vcenter.observe()["sessions"], 1);
    soap.call("Logout", &MoRef::new("SessionManager", "SessionManager"), vec![]).await.unwrap();
    assert_eq!(lab.vcenter.observe()["sessions"], 0);
    assert_eq!(soap.call("CurrentTime", &instance(), vec![]).await.unwrap_err().kind, "NotAuthenticated");
}

#[tokio::test(start_paused = true)]
async fn an_idle_session_ends() {
    let lab = Lab::new();
    let soap = lab.login("user").await;
    tokio::time::sleep(Duration::from_secs(29 * 60)).await;
    soap.call("CurrentTime", &instance(), vec![]).await.unwrap();
    tokio::time::sleep(Duration::from_secs(31 * 60)).await;
    assert_eq!(lab.vcenter.observe()["sessions"], 0);
    assert_eq!(soap.call("CurrentTime", &instance(), vec![]).await.unwrap_err().kind, "NotAuthenticated");
}

#[tokio::test(start_paused = true)]
async fn a_reader_reads_and_changes_nothing() {
    let lab = Lab::new();
    let soap = lab.login("viewer").await;
    let vm = soap.vm("web01").await;
    let before = lab.vcenter.observe();
    for method in
        ["PowerOnVM_Task", "Destroy_Task", "RemoveAllSnapshots_Task", "ShutdownGuest", "UnregisterVM"]
    {
        assert_eq!(soap.call(method, &vm, vec![]).await.unwrap_err().kind, "NoPermission", "{method}");
    }
    let spec = VmConfigSpec { devices: vec![detach(2000)], ..Default::default() }.element("spec");
    let refused = soap.call("ReconfigVM_Task", &vm, vec![spec]).await.unwrap_err();
    assert_eq!(refused.field("privilegeId"), Some("VirtualMachine.Config.RemoveDisk"));
    assert_eq!(lab.vcenter.observe(), before);
    let role = soap.fetch(&MoRef::new("Folder", "group-d1"), "effectiveRole").await.unwrap();
    assert_eq!(role.children[0].text, "-2");
}

#[tokio::test(start_paused = true)]
async fn an_account_loses_and_regains_its_privileges() {
    let lab = Lab::new();
    let soap = lab.login("user").await;
    let vm = soap.vm("web01").await;
    let change = |privileges| VcenterFault::AccountPrivileges { user: "user".into(), privileges };
    lab.vcenter.apply_fault(&change(Privileges::ReadOnly), Actor::Fault).unwrap();
    assert_eq!(soap.call("PowerOnVM_Task", &vm, vec![]).await.unwrap_err().kind, "NoPermission");
    let again = lab.login("user").await;
    assert_eq!(again.call("PowerOnVM_Task", &vm, vec![]).await.unwrap_err().kind, "NoPermission");
    lab.vcenter.apply_fault(&change(Privileges::Full), Actor::Operator).unwrap();
    soap.call("PowerOnVM_Task", &vm, vec![]).await.unwrap();
    let nobody = VcenterFault::AccountPrivileges { user: "nobody".into(), privileges: Privileges::Full };
    assert!(lab.vcenter.apply_fault(&nobody, Actor::Fault).unwrap_err().contains("nobody"));
}

#[tokio::test(start_paused = true)]
async fn what_is_unknown_is_refused_in_the_right_words() {
    let lab = Lab::new();
    let soap = lab.login("user").await;
    let vm = soap.vm("web01").await;
    assert_eq!(soap.call("NoSuchMethod", &vm, vec![]).await.unwrap_err().kind, "InvalidRequest");
    assert_eq!(soap.call("NoSuch_Task", &vm, vec![]).await.unwrap_err().kind, "InvalidRequest");
    let prop = |p: &str| vec![Element::leaf("prop", p)];
    assert_eq!(soap.call("Fetch", &vm, prop("noSuchThing")).await.unwrap_err().kind, "InvalidProperty");
    assert_eq!(soap.call("Fetch", &vm, prop("runtime.noSuch")).await.unwrap_err().kind, "InvalidProperty");
    assert_eq!(soap.call("Fetch", &vm, prop("runtime.question")).await.unwrap(), []);
    assert_eq!(soap.call("Fetch", &vm, prop("snapshot")).await.unwrap(), []);
    let gone = MoRef::new("VirtualMachine", "vm-999");
    assert_eq!(soap.call("Fetch", &gone, prop("name")).await.unwrap_err().kind, "ManagedObjectNotFound");
    let broken = soap.raw("POST", "/sdk", b"<not xml".to_vec()).await;
    assert_eq!(broken.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let versions = soap.raw("GET", "/sdk/vimServiceVersions.xml", vec![]).await;
    assert!(String::from_utf8_lossy(versions.body()).contains("<version>7.0.3.0</version>"));
}

#[tokio::test(start_paused = true)]
async fn while_the_service_is_down_all_is_503_but_tasks_complete() {
    let lab = Lab::new();
    let soap = lab.login("user").await;
    let vm = soap.vm("web01").await;
    soap.call("PowerOnVM_Task", &vm, vec![]).await.unwrap();
    lab.vcenter.apply_fault(&VcenterFault::Disconnect, Actor::Fault).unwrap();
    let request = VimRequest::new("CurrentTime", instance()).encode();
    assert_eq!(soap.raw("POST", "/sdk", request).await.status(), StatusCode::SERVICE_UNAVAILABLE);
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(lab.guests.running.lock().unwrap().contains_key("web01"));
    lab.vcenter.apply_fault(&VcenterFault::Reconnect, Actor::Fault).unwrap();
    assert_eq!(soap.call("CurrentTime", &instance(), vec![]).await.unwrap_err().kind, "NotAuthenticated");
    let soap = lab.login("user").await;
    assert_eq!(soap.text(&vm, "runtime.powerState").await, "poweredOn");
}

#[tokio::test(start_paused = true)]
async fn a_crash_ends_sessions_but_not_the_work() {
    let mut lab = Lab::new();
    let soap = lab.login("user").await;
    let (web, mt) = (soap.vm("web01").await, soap.vm("mt").await);
    let task = MoRef::read(&soap.call("PowerOnVM_Task", &web, vec![]).await.unwrap()[0]).unwrap();
    soap.call("ShutdownGuest", &mt, vec![]).await.unwrap();
    lab.fence.kill();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(lab.vcenter.observe()["vms"][0]["powered_on"], false);
    lab.events();
    lab.restart();
    let soap = lab.login("user").await;
    soap.ended(&task).await.unwrap();
    assert_eq!(soap.text(&web, "runtime.powerState").await, "poweredOn");
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(soap.text(&mt, "runtime.powerState").await, "poweredOff");
    assert_eq!(lab.events().len(), 2, "nothing is told twice");
}

#[tokio::test(start_paused = true)]
async fn updates_wait_for_a_change_and_survive_a_lost_reply() {
    let lab = Lab::new();
    let soap = lab.login("user").await;
    let vm = soap.vm("web01").await;
    let spec = FilterSpec::of_object(&vm, &["runtime.powerState", "name", "snapshot"]);
    let args = vec![spec.element("spec"), Element::leaf("partialUpdates", false)];
    soap.call("CreateFilter", &collector(), args).await.unwrap();
    let wait = |version: &str, seconds: u64| {
        let options = Element::new("options").with(Element::leaf("maxWaitSeconds", seconds));
        let args = vec![Element::leaf("version", version), options];
        let soap = soap.clone();
        async move { soap.call("WaitForUpdatesEx", &collector(), args).await }
    };
    let first = wait("", 10).await.unwrap().remove(0);
    assert_eq!(first.text_at("version"), Some("1"));
    assert_eq!(first.text_at("filterSet.objectSet.kind"), Some("enter"));
    assert_eq!(first.at("filterSet.objectSet").unwrap().all("changeSet").count(), 2);
    // Nothing changes: nothing is told when the time is over.
    let begun = tokio::time::Instant::now();
    assert_eq!(wait("1", 10).await.unwrap(), []);
    assert_eq!(begun.elapsed(), Duration::from_secs(10));
    // A change wakes the waiter at once.
    let (second, ()) = tokio::join!(wait("1", 100), async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        lab.vcenter.console(Actor::Fault).power_on("web01").unwrap();
    });
    let second = second.unwrap().remove(0);
    assert_eq!(begun.elapsed(), Duration::from_secs(13));
    let change = second.at("filterSet.objectSet.changeSet").unwrap();
    assert_eq!(change.child("val").unwrap().text, "poweredOn");
    assert_eq!(change.child("val").unwrap().xsi_type.as_deref(), Some("VirtualMachinePowerState"));
    // Its reply is lost: the same is told again, and more.
    lab.vcenter.console(Actor::Fault).take_snapshot("web01", "s").unwrap();
    let again = wait("1", 0).await.unwrap().remove(0);
    assert_eq!(again.text_at("version"), Some("3"));
    assert_eq!(again.at("filterSet.objectSet").unwrap().all("changeSet").count(), 2);
    assert_eq!(wait("3", 0).await.unwrap(), []);
    assert_eq!(wait("7", 0).await.unwrap_err().kind, "InvalidCollectorVersion");
    lab.vcenter.console(Actor::Fault).delete_vm("web01").unwrap();
    let last = wait("3", 0).await.unwrap().remove(0);
    assert_eq!(last.text_at("filterSet.objectSet.kind"), Some("leave"));
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_with_its_session_or_when_cancelled() {
    let lab = Lab::new();
    let soap = lab.login("user").await;
    let made = soap.call("CreatePropertyCollector", &collector(), vec![]).await.unwrap();
    let own = MoRef::read(&made[0]).unwrap();
    let wait = || soap.call("WaitForUpdatesEx", &own, vec![]);
    let (ended, ()) = tokio::join!(wait(), async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        soap.call("CancelWaitForUpdates", &own, vec![]).await.unwrap();
    });
    assert_eq!(ended.unwrap_err().kind, "RequestCanceled");
    let (ended, ()) = tokio::join!(wait(), async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        soap.call("Logout", &MoRef::new("SessionManager", "SessionManager"), vec![]).await.unwrap();
    });
    assert_eq!(ended.unwrap_err().kind, "NotAuthenticated");
}

#[tokio::test(start_paused = true)]
async fn views_and_pages_show_the_whole_inventory() {
    let lab = Lab::new();
    let soap = lab.login("user").await;
    let args = vec![
        MoRef::new("Folder", "group-d1").element("container"),
        Element::leaf("type", "ManagedEntity"),
        Element::leaf("recursive", true),
    ];
    let view =
        soap.call("CreateContainerView", &MoRef::new("ViewManager", "ViewManager"), args).await.unwrap();
    let view = MoRef::read(&view[0]).unwrap();
    let spec = FilterSpec::of_view(&view, "ManagedEntity", &["name"]);
    let options = Element::new("options").with(Element::leaf("maxObjects", 7));
    let args = vec![spec.element("specSet"), options];
    let page = soap.call("RetrievePropertiesEx", &collector(), args).await.unwrap().remove(0);
    assert_eq!(page.all("objects").count(), 7);
    let token = vec![Element::leaf("token", page.text_at("token").unwrap())];
    let rest = soap.call("ContinueRetrievePropertiesEx", &collector(), token).await.unwrap().remove(0);
    assert_eq!(rest.child("token"), None);
    let names: Vec<_> =
        page.all("objects").chain(rest.all("objects")).filter_map(|o| o.text_at("propSet.val")).collect();
    for name in ["DC0", "vm", "cluster", "esx02", "Resources", "ds-nfs", "web01", "mt"] {
        assert!(names.contains(&name), "{name} is missing in {names:?}");
    }
    soap.call("DestroyView", &view, vec![]).await.unwrap();
    assert_eq!(soap.call("DestroyView", &view, vec![]).await.unwrap_err().kind, "ManagedObjectNotFound");
}

#[tokio::test(start_paused = true)]
async fn every_fault_changes_the_world_or_says_why_not() {
    let lab = Lab::new();
    let before = lab.vcenter.observe();
    let text = |s: &str| s.to_owned();
    let faults = [
        VcenterFault::Snapshot { vm: text("web01"), name: text("s") },
        VcenterFault::RemoveSnapshots { vm: text("web01") },
        VcenterFault::PowerOn { vm: text("web01") },
        VcenterFault::PowerOff { vm: text("web01") },
        VcenterFault::DisconnectHost { host: text("esx01") },
        VcenterFault::ReconnectHost { host: text("esx01") },
        VcenterFault::DatastoreAccess {
            datastore: text("ds-nfs"),
            access: DatastoreAccess::ReadOnly,
            host: None,
        },
        VcenterFault::DatastoreFree { datastore: text("ds-nfs"), free_mb: 1 },
        VcenterFault::HostMemory { host: text("esx02"), free_mb: 1 },
        VcenterFault::StorageVmotion { vm: text("web01"), datastore: text("ds-vsan") },
        VcenterFault::DeleteVm { vm: text("web01") },
    ];
    let mut last = before;
    for fault in faults {
        lab.vcenter.apply_fault(&fault, Actor::Fault).unwrap();
        let now = lab.vcenter.observe();
        assert_ne!(now, last, "{fault:?} changes nothing");
        last = now;
    }
    let none = VcenterFault::PowerOn { vm: text("web01") };
    let error = lab.vcenter.apply_fault(&none, Actor::Fault).unwrap_err();
    assert!(error.contains("web01"), "{error}");
    let json = r#"{"host-memory": {"host": "esx01", "free-mb": 512}}"#;
    let fault: VcenterFault = serde_json::from_str(json).unwrap();
    assert_eq!(fault, VcenterFault::HostMemory { host: text("esx01"), free_mb: 512 });
    assert!(serde_json::from_str::<VcenterFault>(r#"{"power-on": {"vm": "a", "x": 1}}"#).is_err());
    assert_eq!(serde_json::from_str::<VcenterFault>("\"disconnect\"").unwrap(), VcenterFault::Disconnect);
}
