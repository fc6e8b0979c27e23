//! Resource Manager: long-running operations, disks and who holds them, power.

use super::*;
use failback_wire::event::DiskRef;

fn vm(name: &str) -> VmRef {
    VmRef { site: Site::Azure, name: name.to_owned() }
}

#[tokio::test(start_paused = true)]
async fn a_request_needs_a_known_token_and_an_api_version() {
    let lab = Lab::new();
    let url = format!("{VMS}/web01?api-version=2026-04-01");
    let reply = lab.send("GET", &url, &[], Bytes::new()).await;
    assert_eq!(code(&reply), (401, "AuthenticationFailed".into()));
    let reply = lab.send("GET", &url, &[("authorization", "Bearer stolen")], Bytes::new()).await;
    assert_eq!(reply.status(), 401);
    let token = [("authorization", "Bearer product-token")];
    let reply = lab.send("GET", &format!("{VMS}/web01"), &token, Bytes::new()).await;
    assert_eq!(code(&reply), (400, "MissingApiVersionParameter".into()));
    let reply = lab.send("GET", &url, &token, Bytes::new()).await;
    assert_eq!(code(&reply), (404, "ResourceNotFound".into()));
    let other = VMS.replace("recovery", "elsewhere");
    assert_eq!(
        code(&lab.arm("GET", &format!("{other}/x"), Value::Null).await),
        (404, "ResourceGroupNotFound".into())
    );
    let other = VMS.replace("fb1a", "fb1b");
    assert_eq!(
        code(&lab.arm("GET", &format!("{other}/x"), Value::Null).await),
        (404, "SubscriptionNotFound".into())
    );
}

#[tokio::test(start_paused = true)]
async fn a_disk_is_accepted_runs_and_becomes_the_resource() {
    let lab = Lab::new();
    let body = json!({"location": "westeurope", "sku": {"name": "Premium_LRS"},
        "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": 1}});
    let reply = lab.arm("PUT", &format!("{DISKS}/d1"), body.clone()).await;
    assert_eq!(reply.status(), 202);
    assert_eq!(json_of(&reply)["properties"]["provisioningState"], "Updating");
    let (status_url, result_url) = (header(&reply, "azure-asyncoperation"), header(&reply, "location"));
    assert!(lab.events().is_empty(), "the disk is not there yet");

    let status = json_of(&lab.arm("GET", &status_url, Value::Null).await);
    assert_eq!(
        (&status["status"], &status["endTime"], &status["error"]),
        (&json!("InProgress"), &Value::Null, &Value::Null)
    );
    assert_eq!(status["startTime"], "2026-01-05T08:00:00.0000000Z");
    let result = lab.arm("GET", &result_url, Value::Null).await;
    assert_eq!((result.status().as_u16(), header(&result, "location")), (202, result_url.clone()));

    tokio::time::sleep(Duration::from_secs(6)).await;
    let status = json_of(&lab.arm("GET", &status_url, Value::Null).await);
    assert_eq!(
        (&status["status"], &status["endTime"]),
        (&json!("Succeeded"), &json!("2026-01-05T08:00:05.0000000Z"))
    );
    let result = json_of(&lab.arm("GET", &result_url, Value::Null).await);
    assert_eq!(result, json_of(&lab.arm("GET", &format!("{DISKS}/D1"), Value::Null).await));
    assert_eq!(result["id"], format!("{DISKS}/d1"));
    assert_eq!(result["sku"]["name"], "Premium_LRS");
    let properties = &result["properties"];
    assert_eq!(
        (&properties["diskState"], &properties["diskSizeBytes"]),
        (&json!("Unattached"), &json!(1u64 << 30))
    );
    assert_eq!(lab.events(), [What::DiskCreated { disk: DiskRef::Managed("d1".into()), by: Actor::Product }]);

    let again = lab.arm("PUT", &format!("{DISKS}/d1"), body).await;
    assert_eq!(again.status(), 200, "the same document changes nothing");
    let list = json_of(&lab.arm("GET", DISKS, Value::Null).await);
    assert_eq!((list["value"].as_array().unwrap().len(), &list["nextLink"]), (1, &Value::Null));
}

#[tokio::test(start_paused = true)]
async fn a_disk_boots_windows_or_linux() {
    let lab = Lab::new();
    for (os, status) in [("Windows", 202), ("Linux", 202), ("linux-x64", 400)] {
        let mut body = created(json!({"createOption": "Empty"}));
        body["properties"]["diskSizeGB"] = json!(1);
        body["properties"]["osType"] = json!(os);
        assert_eq!(lab.arm("PUT", &format!("{DISKS}/{os}"), body).await.status(), status, "{os}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_machine_boots_from_its_disks_in_order_after_ninety_seconds() {
    let lab = Lab::new();
    let setup = lab.azure.console(Actor::Setup);
    setup.put_disk("os", disk(8, 1)).unwrap();
    setup.put_disk("data", disk(4, 2)).unwrap();
    lab.events();
    let reply = lab.arm("PUT", &format!("{VMS}/Web01"), vm_body("os", &["data"])).await;
    assert_eq!(reply.status(), 201);
    assert_eq!(json_of(&reply)["properties"]["provisioningState"], "Creating");
    assert!(!lab.guest_runs("Web01"));
    tokio::time::sleep(Duration::from_secs(89)).await;
    assert!(!lab.guest_runs("Web01"));
    assert_eq!(lab.follow(&reply).await["status"], "Succeeded");
    assert_eq!(lab.ctx.now(), VirtualMs(90_000));
    assert!(lab.guest_runs("Web01"));
    let given = lab.guests.running.lock().unwrap()["Web01"].clone();
    assert!(
        given[0].is_same(&lab.azure.disk("os").unwrap())
            && given[1].is_same(&lab.azure.disk("DATA").unwrap())
    );

    let document = json_of(&lab.arm("GET", &format!("{VMS}/WEB01?$expand=instanceView"), Value::Null).await);
    let codes: Vec<&Value> = document["properties"]["instanceView"]["statuses"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| &s["code"])
        .collect();
    assert_eq!(codes, ["ProvisioningState/succeeded", "PowerState/running"]);
    let plain = json_of(&lab.arm("GET", &format!("{VMS}/web01"), Value::Null).await);
    assert_eq!(plain["properties"].get("instanceView"), None);
    let view = json_of(&lab.arm("GET", &format!("{VMS}/web01/instanceView"), Value::Null).await);
    assert_eq!(view, document["properties"]["instanceView"]);
    let disk = json_of(&lab.arm("GET", &format!("{DISKS}/os"), Value::Null).await);
    assert_eq!(
        (&disk["properties"]["diskState"], &disk["managedBy"]),
        (&json!("Attached"), &json!(format!("{VMS}/Web01")))
    );
    let (vm, by) = (vm("Web01"), Actor::Product);
    let attached = |d: &str| What::DiskAttached { disk: DiskRef::Managed(d.into()), vm: vm.clone(), by };
    let created = What::VmCreated { vm: vm.clone(), by };
    let on = What::PowerChanged { vm: vm.clone(), on: true, by };
    assert_eq!(lab.events(), [created, attached("os"), attached("data"), on]);
}

#[tokio::test(start_paused = true)]
async fn a_held_disk_is_leased() {
    let lab = Lab::new().with_vm();
    let path = format!("{DISKS}/web01-os");
    assert_eq!(code(&lab.arm("DELETE", &path, Value::Null).await), (409, "OperationNotAllowed".into()));
    let over =
        json!({"location": "we", "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": 2}});
    let copy = created(json!({"createOption": "Copy", "sourceResourceId": path}));
    assert_eq!(code(&lab.arm("PUT", &path, copy).await), (409, "OperationNotAllowed".into()));
    let second = lab.arm("PUT", &format!("{VMS}/web02"), vm_body("web01-os", &[])).await;
    assert_eq!(code(&second), (409, "ConflictingUserInput".into()));
    let read = json!({"access": "Read", "durationInSeconds": 600});
    assert_eq!(
        code(&lab.arm("POST", &format!("{path}/beginGetAccess"), read).await),
        (409, "OperationNotAllowed".into())
    );
    assert!(lab.events().is_empty());
    // Free again once the machine is gone; an Empty disk is not overwritten even then.
    assert_eq!(lab.change("DELETE", &format!("{VMS}/web01"), Value::Null).await["status"], "Succeeded");
    let upload = created(json!({"createOption": "Upload", "uploadSizeBytes": 4608}));
    assert_eq!(code(&lab.arm("PUT", &path, upload).await), (409, "PropertyChangeNotAllowed".into()));
    assert_eq!(lab.arm("PUT", &path, over).await.status(), 200);
    assert_eq!(lab.change("DELETE", &path, Value::Null).await["status"], "Succeeded");
    assert_eq!(lab.arm("DELETE", &path, Value::Null).await.status(), 204);
}

#[tokio::test(start_paused = true)]
async fn deleting_a_machine_keeps_its_disks_unless_told_otherwise() {
    let lab = Lab::new();
    let setup = lab.azure.console(Actor::Setup);
    setup.put_disk("os", disk(8, 1)).unwrap();
    setup.put_disk("data", disk(4, 2)).unwrap();
    let mut body = vm_body("os", &["data"]);
    body["properties"]["storageProfile"]["dataDisks"][0]["deleteOption"] = json!("Delete");
    lab.change("PUT", &format!("{VMS}/web01"), body).await;
    lab.events();
    let started = lab.ctx.now();
    lab.change("DELETE", &format!("{VMS}/web01"), Value::Null).await;
    assert_eq!(lab.ctx.now().since(started), Duration::from_secs(30));
    assert!(lab.azure.disk("os").is_some() && lab.azure.disk("data").is_none());
    assert!(!lab.guest_runs("web01"));
    assert_eq!(lab.arm("GET", &format!("{VMS}/web01"), Value::Null).await.status(), 404);
    let (vm, by) = (vm("web01"), Actor::Product);
    let data = DiskRef::Managed("data".into());
    let detached = |disk: DiskRef| What::DiskDetached { disk, vm: vm.clone(), by };
    assert_eq!(
        lab.events(),
        [
            What::PowerChanged { vm: vm.clone(), on: false, by },
            detached(DiskRef::Managed("os".into())),
            detached(data.clone()),
            What::VmDeleted { vm: vm.clone(), by },
            What::DiskDeleted { disk: data, by }
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_graceful_stop_waits_for_the_guest_and_a_hard_one_does_not() {
    let lab = Lab::new().with_vm();
    let reply = lab.arm("POST", &format!("{VMS}/web01/powerOff"), Value::Null).await;
    assert_eq!((reply.status().as_u16(), reply.body().len()), (202, 0));
    tokio::time::sleep(Duration::from_secs(14)).await;
    let view = text(&lab.arm("GET", &format!("{VMS}/web01/instanceView"), Value::Null).await);
    assert!(view.contains("PowerState/stopping") && lab.guest_runs("web01"), "{view}");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(!lab.guest_runs("web01"), "the guest is down after 15 s");
    assert_eq!(lab.follow(&reply).await["status"], "Succeeded");
    assert_eq!((lab.ctx.now(), lab.power("web01")), (VirtualMs(35_000), Some("stopped")));
    assert_eq!(lab.events(), [What::PowerChanged { vm: vm("web01"), on: false, by: Actor::Product }]);

    assert_eq!(lab.change("POST", &format!("{VMS}/web01/start"), Value::Null).await["status"], "Succeeded");
    assert!(lab.guest_runs("web01"));
    let started = lab.ctx.now();
    lab.change("POST", &format!("{VMS}/web01/powerOff?skipShutdown=true"), Value::Null).await;
    assert_eq!(lab.ctx.now().since(started), Duration::from_secs(20));
    assert!(!lab.guest_runs("web01"));
    lab.change("POST", &format!("{VMS}/web01/deallocate"), Value::Null).await;
    assert_eq!(lab.power("web01"), Some("deallocated"));
    let disk = json_of(&lab.arm("GET", &format!("{DISKS}/web01-os"), Value::Null).await);
    assert_eq!(disk["properties"]["diskState"], "Reserved");
    assert_eq!(
        code(&lab.arm("POST", &format!("{VMS}/web01/restart"), Value::Null).await),
        (409, "OperationNotAllowed".into())
    );
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_does_not_shut_down_loses_its_power_after_five_minutes() {
    let lab = Lab::new().with_vm();
    *lab.guests.shutdown.lock().unwrap() = Duration::from_secs(3600);
    assert_eq!(
        lab.change("POST", &format!("{VMS}/web01/powerOff"), Value::Null).await["status"],
        "Succeeded"
    );
    assert_eq!(lab.ctx.now(), VirtualMs(320_000));
    assert!(!lab.guest_runs("web01"));
}

#[tokio::test(start_paused = true)]
async fn one_operation_at_a_time_and_a_repeat_joins_it() {
    let lab = Lab::new().with_vm();
    let url = format!("{VMS}/web01/powerOff?api-version=1");
    let named = |id| [("authorization", "Bearer product-token"), ("x-ms-client-request-id", id)];
    let first = lab.send("POST", &url, &named("a"), Bytes::new()).await;
    assert_eq!(header(&first, "x-ms-client-request-id"), "a");
    let again = lab.send("POST", &url, &named("a"), Bytes::new()).await;
    assert_eq!(header(&first, "azure-asyncoperation"), header(&again, "azure-asyncoperation"));
    let other = lab.send("POST", &url, &named("b"), Bytes::new()).await;
    assert_eq!(code(&other), (409, "Conflict".into()));
    let other =
        lab.send("POST", &format!("{VMS}/web01/start?api-version=1"), &named("a"), Bytes::new()).await;
    assert_eq!(code(&other), (409, "Conflict".into()), "the same id for another request is another request");
    lab.follow(&first).await;
    let late = lab.send("POST", &url, &named("a"), Bytes::new()).await;
    assert_eq!(header(&first, "azure-asyncoperation"), header(&late, "azure-asyncoperation"));
    assert_eq!(lab.events().len(), 1, "it was stopped once");
}

#[tokio::test(start_paused = true)]
async fn a_repeated_put_shows_the_document_again() {
    let lab = Lab::new();
    lab.azure.console(Actor::Setup).put_disk("os", disk(8, 1)).unwrap();
    let headers = [("authorization", "Bearer product-token"), ("x-ms-client-request-id", "k")];
    let url = format!("{VMS}/web01?api-version=1");
    let body = Bytes::from(vm_body("os", &[]).to_string());
    let first = lab.send("PUT", &url, &headers, body.clone()).await;
    let again = lab.send("PUT", &url, &headers, body).await;
    assert_eq!((first.status().as_u16(), again.status().as_u16()), (201, 200));
    assert_eq!(first.body(), again.body());
    assert_eq!(header(&first, "azure-asyncoperation"), header(&again, "azure-asyncoperation"));
}

#[tokio::test(start_paused = true)]
async fn operations_survive_a_crash_of_the_software() {
    let mut lab = Lab::new().with_vm();
    let reply = lab.arm("POST", &format!("{VMS}/web01/powerOff"), Value::Null).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    lab.crash_and_boot();
    assert_eq!(lab.follow(&reply).await["status"], "Succeeded");
    assert_eq!(lab.power("web01"), Some("stopped"));
    let start = lab.arm("POST", &format!("{VMS}/web01/start"), Value::Null).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    lab.crash_and_boot();
    let begun = lab.ctx.now();
    assert_eq!(lab.follow(&start).await["status"], "Succeeded");
    assert_eq!(lab.ctx.now().since(begun), Duration::from_secs(55), "it takes what was left");
    assert_eq!(lab.events().len(), 2, "off once, on once");
}

#[tokio::test(start_paused = true)]
async fn data_disks_are_attached_and_detached_but_the_os_disk_stays() {
    let lab = Lab::new().with_vm();
    lab.azure.console(Actor::Setup).put_disk("extra", disk(4, 3)).unwrap();
    lab.events();
    let path = format!("{VMS}/web01");
    assert_eq!(lab.change("PUT", &path, vm_body("web01-os", &["extra"])).await["status"], "Succeeded");
    let names: Vec<String> = lab.azure.vm_disks("web01").into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["web01-os", "extra"]);
    let (vm, by) = (vm("web01"), Actor::Product);
    let detached = What::DiskDetached { disk: DiskRef::Managed("web01-data".into()), vm: vm.clone(), by };
    let attached = What::DiskAttached { disk: DiskRef::Managed("extra".into()), vm, by };
    assert_eq!(lab.events(), [detached, attached]);
    let other = lab.arm("PUT", &path, vm_body("web01-data", &[])).await;
    assert_eq!(code(&other), (409, "PropertyChangeNotAllowed".into()));
    for (body, want) in [
        (json!({"location": "we", "properties": {}}), (400, "InvalidParameter")),
        (vm_body("nothing", &[]), (404, "ResourceNotFound")),
        (vm_body("web01-data", &["web01-data"]), (400, "InvalidParameter")),
        (json!("nonsense"), (400, "InvalidRequestContent")),
    ] {
        let reply = lab.arm("PUT", &format!("{VMS}/new"), body).await;
        assert_eq!(code(&reply), (want.0, want.1.to_owned()));
    }
}

#[tokio::test(start_paused = true)]
async fn snapshots_hold_the_content_of_their_moment() {
    let lab = Lab::new().with_vm();
    let before = lab.azure.disk("web01-os").unwrap().root_hash();
    let body = json!({"location": "we", "properties": {"incremental": true,
        "creationData": {"createOption": "Copy", "sourceResourceId": format!("{DISKS}/web01-os")}}});
    let reply = lab.arm("PUT", &format!("{SNAPSHOTS}/s1"), body).await;
    lab.azure.disk("web01-os").unwrap().write(0, Page::new(&[9; 4096]));
    lab.follow(&reply).await;
    let copy = json!({"location": "we", "properties": {
        "creationData": {"createOption": "Copy", "sourceResourceId": format!("{SNAPSHOTS}/s1")}}});
    lab.change("PUT", &format!("{DISKS}/copy"), copy).await;
    assert_eq!(lab.azure.disk("copy").unwrap().root_hash(), before);
    assert_ne!(lab.azure.disk("web01-os").unwrap().root_hash(), before);
    let snapshot = json_of(&lab.arm("GET", &format!("{SNAPSHOTS}/s1"), Value::Null).await);
    assert_eq!(
        (&snapshot["type"], &snapshot["properties"]["incremental"]),
        (&json!("Microsoft.Compute/snapshots"), &json!(true))
    );
}

#[tokio::test(start_paused = true)]
async fn granted_access_opens_a_disk_and_ends() {
    let lab = Lab::new();
    lab.azure.console(Actor::Setup).put_disk("d", disk(4, 7)).unwrap();
    let path = format!("{DISKS}/d");
    let grant = json!({"access": "Read", "durationInSeconds": 600});
    let reply = lab.arm("POST", &format!("{path}/beginGetAccess"), grant).await;
    let status = lab.follow(&reply).await;
    let result = json_of(&lab.arm("GET", &header(&reply, "location"), Value::Null).await);
    assert_eq!(status["properties"]["output"], result);
    let url = result["accessSAS"].as_str().unwrap().to_owned();
    let reply = lab.send("GET", &url, &[("x-ms-range", "bytes=0-511")], Bytes::new()).await;
    assert_eq!((reply.status().as_u16(), reply.body().as_ref()), (206, &[7u8; 512][..]));
    let page = [("x-ms-range", "bytes=0-511"), ("x-ms-page-write", "clear")];
    assert_eq!(lab.send("PUT", &format!("{url}&comp=page"), &page, Bytes::new()).await.status(), 403);
    let state = |v: Value| v["properties"]["diskState"].clone();
    assert_eq!(state(json_of(&lab.arm("GET", &path, Value::Null).await)), "ActiveSAS");
    assert_eq!(lab.arm("DELETE", &path, Value::Null).await.status(), 409);
    lab.change("POST", &format!("{path}/endGetAccess"), Value::Null).await;
    assert_eq!(lab.send("GET", &url, &[], Bytes::new()).await.status(), 403);
    assert_eq!(state(json_of(&lab.arm("GET", &path, Value::Null).await)), "Unattached");
}

#[tokio::test(start_paused = true)]
async fn an_uploaded_disk_is_written_through_its_signature() {
    let lab = Lab::new();
    let path = format!("{DISKS}/up");
    let body = created(json!({"createOption": "Upload", "uploadSizeBytes": 8192 + 512}));
    lab.change("PUT", &path, body).await;
    let grant = json!({"access": "Write", "durationInSeconds": 600});
    let reply = lab.arm("POST", &format!("{path}/beginGetAccess"), grant.clone()).await;
    let url = lab.follow(&reply).await["properties"]["output"]["accessSAS"].as_str().unwrap().to_owned();
    lab.events();
    let page = [("x-ms-range", "bytes=4096-4607"), ("x-ms-page-write", "update")];
    let reply = lab.send("PUT", &format!("{url}&comp=page"), &page, vec![5; 512].into()).await;
    assert_eq!(reply.status(), 201, "{}", text(&reply));
    assert_eq!(lab.azure.disk("up").unwrap().read(1).bytes()[..512], [5; 512]);
    let disk = DiskRef::Managed("up".into());
    assert_eq!(lab.events(), [What::DiskWritten { disk, writer: "azure".into(), blocks: 1 }]);
    lab.change("POST", &format!("{path}/endGetAccess"), Value::Null).await;
    assert_eq!(lab.arm("POST", &format!("{path}/beginGetAccess"), grant).await.status(), 409);
}
