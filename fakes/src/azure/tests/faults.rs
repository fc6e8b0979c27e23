//! Faults, the console, and what an observer sees.

use super::*;

fn fault(text: Value) -> AzureFault {
    serde_json::from_value(text).unwrap()
}

#[test]
fn faults_are_written_as_scenario_files_write_them() {
    assert_eq!(fault(json!({"stop-vm": {"vm": "web01"}})), AzureFault::StopVm { vm: "web01".into() });
    let next = fault(json!({"fail-next": {"operation": "delete-vm"}}));
    let code = "InternalExecutionError".to_owned();
    assert_eq!(
        next,
        AzureFault::FailNext {
            operation: Some(AzureOperation::DeleteVm),
            code,
            message: String::new(),
            times: 1
        }
    );
    for bad in [
        json!({"stop-vm": {"vm": "a", "x": 1}}),
        json!({"stop": {"vm": "a"}}),
        json!({"fail-next": {"operation": "fly"}}),
    ] {
        assert!(serde_json::from_value::<AzureFault>(bad.clone()).is_err(), "{bad}");
    }
    let schema = schemars::schema_for!(AzureFault).to_value().to_string();
    assert!(schema.contains("hang-vm") && schema.contains("deallocate-vm"), "{schema}");
}

#[tokio::test(start_paused = true)]
async fn power_and_deletion_strike_at_once() {
    let lab = Lab::new().with_vm();
    let by = Actor::Fault;
    let apply = |text: Value| lab.azure.apply_fault(&fault(text), by);
    apply(json!({"stop-vm": {"vm": "web01"}})).unwrap();
    assert!(!lab.guest_runs("web01") && lab.power("web01") == Some("stopped"));
    assert!(apply(json!({"stop-vm": {"vm": "web01"}})).is_err());
    apply(json!({"start-vm": {"vm": "WEB01"}})).unwrap();
    assert!(lab.guest_runs("web01"));
    assert!(apply(json!({"start-vm": {"vm": "web01"}})).is_err());
    let reference = VmRef { site: Site::Azure, name: "web01".into() };
    let power = |on| What::PowerChanged { vm: reference.clone(), on, by };
    assert_eq!(lab.events(), [power(false), power(true)]);
    apply(json!({"delete-vm": {"vm": "web01"}})).unwrap();
    assert!(!lab.guest_runs("web01") && lab.power("web01").is_none() && lab.azure.disk("web01-os").is_some());
    assert!(apply(json!({"hang-vm": {"vm": "web01"}})).unwrap_err().contains("not found"));
}

#[tokio::test(start_paused = true)]
async fn a_data_disk_goes_from_one_machine_to_another() {
    let lab = Lab::new().with_vm();
    let apply = |text: Value| lab.azure.apply_fault(&fault(text), Actor::Operator);
    let attach = |disk: &str, vm: &str| apply(json!({"attach-disk": {"disk": disk, "vm": vm}}));
    apply(json!({"add-disk": {"vm": "web01", "bytes": 8192}})).unwrap();
    assert!(attach("web01-added0", "WEB01").unwrap_err().contains("has web01-added0 already"));
    assert!(attach("web01-added0", "web02").unwrap_err().contains("not found"));
    assert!(attach("nothing", "web01").unwrap_err().contains("there is no disk nothing"));
    let disks = vec![("web02-os".to_owned(), disk(2, 1))];
    let other = NewVm { name: "web02".to_owned(), os_type: "Linux".to_owned(), disks, running: true };
    lab.azure.console(Actor::Setup).put_vm(other).unwrap();
    assert!(attach("web01-os", "web02").unwrap_err().contains("web01 boots from web01-os"));
    let disks = |vm: &str| lab.azure.vm_disks(vm).into_iter().map(|(disk, _)| disk).collect::<Vec<_>>();
    let before = disks("web01").len();
    attach("WEB01-added0", "web02").unwrap();
    assert!(disks("web02").contains(&"web01-added0".to_owned()));
    assert_eq!(disks("web01").len(), before - 1);
    apply(json!({"delete-vm": {"vm": "web02"}})).unwrap();
    attach("web01-added0", "web01").unwrap();
    assert_eq!(disks("web01").len(), before);
}

#[tokio::test(start_paused = true)]
async fn a_hung_guest_still_shows_as_running_and_takes_its_time_to_stop() {
    let lab = Lab::new().with_vm();
    lab.azure.apply_fault(&fault(json!({"hang-vm": {"vm": "web01"}})), Actor::Fault).unwrap();
    assert!(!lab.guest_runs("web01"));
    let view = text(&lab.arm("GET", &format!("{VMS}/web01/instanceView"), Value::Null).await);
    assert!(view.contains("PowerState/running"), "{view}");
    lab.azure.console(Actor::Operator).restart_vm("web01").await.unwrap();
    assert!(lab.guest_runs("web01"), "a restart helps");
    lab.azure.apply_fault(&fault(json!({"hang-vm": {"vm": "web01"}})), Actor::Fault).unwrap();
    let begun = lab.ctx.now();
    lab.change("POST", &format!("{VMS}/web01/powerOff"), Value::Null).await;
    assert_eq!(lab.ctx.now().since(begun), Duration::from_secs(320));
}

#[tokio::test(start_paused = true)]
async fn a_failed_operation_says_so_and_has_no_effect() {
    let lab = Lab::new().with_vm();
    let arm = |operation: &str| {
        let (code, message) = ("AllocationFailed", "no room");
        json!({"fail-next": {"operation": operation, "code": code, "message": message}})
    };
    lab.azure.apply_fault(&fault(arm("delete-vm")), Actor::Fault).unwrap();
    let reply = lab.arm("DELETE", &format!("{VMS}/web01"), Value::Null).await;
    let status = lab.follow(&reply).await;
    assert_eq!(
        (&status["status"], &status["error"]),
        (&json!("Failed"), &json!({"code": "AllocationFailed", "message": "no room"}))
    );
    assert_eq!(code(&lab.arm("GET", &header(&reply, "location"), Value::Null).await).1, "AllocationFailed");
    assert!(lab.guest_runs("web01") && lab.events().is_empty());
    let document = json_of(&lab.arm("GET", &format!("{VMS}/web01"), Value::Null).await);
    assert_eq!(document["properties"]["provisioningState"], "Failed");
    assert_eq!(lab.change("DELETE", &format!("{VMS}/web01"), Value::Null).await["status"], "Succeeded");

    lab.azure.apply_fault(&fault(arm("create-disk")), Actor::Fault).unwrap();
    let body =
        json!({"location": "we", "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": 1}});
    assert_eq!(lab.change("PUT", &format!("{DISKS}/d"), body).await["status"], "Failed");
    assert_eq!(lab.arm("GET", &format!("{DISKS}/d"), Value::Null).await.status(), 404);

    lab.azure.apply_fault(&fault(arm("create-vm")), Actor::Fault).unwrap();
    assert_eq!(
        lab.change("PUT", &format!("{VMS}/web02"), vm_body("web01-os", &[])).await["status"],
        "Failed"
    );
    assert!(!lab.guest_runs("web02"));
    assert_eq!(
        lab.change("PUT", &format!("{VMS}/web02"), vm_body("web01-os", &[])).await["status"],
        "Succeeded"
    );
    assert!(lab.guest_runs("web02"), "the same request again makes it");
}

#[tokio::test(start_paused = true)]
async fn a_request_that_failed_is_not_replayed() {
    let lab = Lab::new().with_vm();
    let fail = json!({"fail-next": {"operation": "stop-vm"}});
    lab.azure.apply_fault(&fault(fail), Actor::Fault).unwrap();
    let headers = [("authorization", "Bearer product-token"), ("x-ms-client-request-id", "k")];
    let url = format!("{VMS}/web01/powerOff?api-version=1");
    let first = lab.send("POST", &url, &headers, Bytes::new()).await;
    assert_eq!(lab.follow(&first).await["status"], "Failed");
    let second = lab.send("POST", &url, &headers, Bytes::new()).await;
    assert_eq!(lab.follow(&second).await["status"], "Succeeded");
}

#[tokio::test(start_paused = true)]
async fn without_quota_new_machines_are_refused_before_anything_happens() {
    let lab = Lab::new().with_vm();
    lab.azure.console(Actor::Setup).put_disk("os2", disk(4, 1)).unwrap();
    lab.events();
    lab.azure.apply_fault(&fault(json!({"deny-machines": {"by": "core-quota"}})), Actor::Fault).unwrap();
    let before = lab.azure.observe();
    let reply = lab.arm("PUT", &format!("{VMS}/web02"), vm_body("os2", &[])).await;
    assert_eq!(code(&reply), (409, "OperationNotAllowed".into()));
    assert_eq!(lab.azure.observe(), before);
    assert!(lab.events().is_empty());
    lab.azure.apply_fault(&fault(json!("allow-machines")), Actor::Fault).unwrap();
    assert_eq!(lab.arm("PUT", &format!("{VMS}/web02"), vm_body("os2", &[])).await.status(), 201);
}

#[tokio::test(start_paused = true)]
async fn the_console_acts_as_who_is_signed_in_and_waits() {
    let lab = Lab::new().with_vm();
    let console = lab.azure.console(Actor::Operator);
    console.stop_vm("web01", true).await.unwrap();
    assert_eq!((console.power("web01"), lab.ctx.now()), (Some("stopped"), VirtualMs(35_000)));
    console.start_vm("web01").await.unwrap();
    console.delete_vm("web01").await.unwrap();
    console.delete_disk("web01-data").await.unwrap();
    assert!(
        lab.events().iter().all(|what| serde_json::to_string(what).unwrap().contains(r#""by":"operator""#))
    );
    assert_eq!(console.start_vm("web01").await.unwrap_err().code, "ResourceNotFound");
    lab.ctx.fence.kill();
    assert_eq!(console.delete_disk("web01-os").await.unwrap_err().status, 503);
}

#[tokio::test(start_paused = true)]
async fn an_observer_sees_content_holders_power_and_what_is_under_way() {
    let lab = Lab::new().with_vm();
    let before = lab.azure.observe();
    assert_eq!(lab.azure.observe(), before, "looking changes nothing");
    assert_eq!(before["disks"]["web01-os"]["owner"], "web01");
    let content = |seen: &Value| seen["disks"]["web01-os"]["content"].clone();
    lab.azure.disk("web01-os").unwrap().write(5, Page::new(&[1; 4096]));
    assert_ne!(content(&lab.azure.observe()), content(&before));
    let reply = lab.arm("POST", &format!("{VMS}/web01/powerOff"), Value::Null).await;
    assert_eq!(lab.azure.observe()["operations"].as_array().unwrap().len(), 1);
    lab.follow(&reply).await;
    let after = lab.azure.observe();
    assert_eq!((&after["operations"], &after["vms"]["web01"]["power"]), (&json!([]), &json!("stopped")));
    let setup = lab.azure.console(Actor::Setup);
    setup.put_blob("seeds", "x", disk(4, 1));
    assert!(lab.azure.observe()["blobs"]["seeds/x"]["content"].is_string());
}

#[tokio::test(start_paused = true)]
async fn what_is_set_up_before_the_first_boot_happens_at_boot() {
    let (wire, guests, events) =
        (Arc::new(Wire::default()), Arc::new(Guests::default()), Arc::new(Recorder::default()));
    let azure = Azure::new(AzureConfig::default(), guests.clone());
    let disks = vec![("os".to_owned(), disk(4, 1))];
    let vm = NewVm { name: "web01".to_owned(), os_type: "Linux".to_owned(), disks, running: true };
    azure.console(Actor::Setup).put_vm(vm).unwrap();
    assert!(guests.running.lock().unwrap().is_empty());
    azure.boot(Lab::epoch(&wire, &events, Clock::default(), 1), wire.as_ref());
    assert_eq!(guests.running.lock().unwrap().len(), 1);
    assert_eq!(events.0.lock().unwrap().len(), 4, "disk, machine, attached, on");
}
