//! The ARM wire against what was recorded of the real service.

use super::compute::{ManagedDisk, VirtualMachine};
use super::page_blob::{BlobItem, ByteRange, PageList};
use super::*;
use crate::http::StatusCode;
use serde_json::{Value, json};

#[test]
fn resource_ids_compare_case_insensitively_and_keep_their_spelling() {
    let ours = ResourceId::new("S", "g", "Microsoft.Compute", "virtualMachines", "web01");
    let theirs = "/Subscriptions/S/resourcegroups/G/Providers/microsoft.compute/VirtualMachines/WEB01";
    let parsed = ResourceId::parse(theirs).unwrap();
    assert_eq!(ours, parsed);
    assert_eq!(parsed.name(), "WEB01");
    assert!(parsed.is("Microsoft.Compute/virtualMachines"));
    assert_eq!(
        ours.to_string(),
        "/subscriptions/S/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/web01"
    );
}

#[test]
fn resource_ids_of_children_collections_and_nonsense() {
    let vault = ResourceId::new("S", "g", "Microsoft.RecoveryServices", "vaults", "v");
    let item = vault.child("replicationFabrics", "f").child("replicationProtectionContainers", "c");
    assert_eq!(ResourceId::parse(&item.to_string()), Some(item.clone()));
    assert_eq!(
        item.resource_type(),
        "Microsoft.RecoveryServices/vaults/replicationFabrics/replicationProtectionContainers"
    );
    let list =
        ResourceId::parse("/subscriptions/S/resourceGroups/g/providers/Microsoft.Compute/disks").unwrap();
    assert!(!list.is("Microsoft.Compute/disks"), "a collection is no resource");
    let op =
        ResourceId::parse("/subscriptions/S/providers/Microsoft.Compute/locations/we/operations/1").unwrap();
    assert_eq!(op.group, None);
    for bad in [
        "",
        "/",
        "/subscriptions/S",
        "/subscriptions//providers/N/t",
        "/a/b/c/d/e/f",
        "/subscriptions/S/providers/N/t//x",
    ] {
        assert!(ResourceId::parse(bad).is_none(), "{bad:?}");
    }
}

#[test]
fn the_recorded_status_document_reads_and_writes_the_same() {
    let recorded = json!({"error":null,"id":null,"name":"1dd6","properties":null,"status":"InProgress",
        "startTime":"2023-08-24T08:54:09.7772027Z","endTime":null,"percentComplete":null});
    let status: OperationStatus = serde_json::from_value(recorded.clone()).unwrap();
    assert_eq!(status.status, OperationState::InProgress);
    assert_eq!(serde_json::to_value(&status).unwrap(), recorded);
}

#[test]
fn only_three_words_end_an_operation() {
    for (word, terminal) in
        [("Succeeded", true), ("failed", true), ("Canceled", true), ("Cancelled", false), ("Updating", false)]
    {
        let state: OperationState = serde_json::from_value(Value::from(word)).unwrap();
        assert_eq!(state.is_terminal(), terminal, "{word}");
    }
    assert_eq!(OperationState::Canceled.to_string(), "Canceled");
}

#[test]
fn the_202_reply_has_both_headers_an_integer_delay_and_no_body() {
    let accepted = Accepted {
        status_url: "https://m/op".into(),
        result_url: Some("https://m/result".into()),
        retry_after: Some(30),
        request_id: Some("/Subscriptions/S/job".into()),
    };
    let reply = accepted.reply();
    assert_eq!((reply.status(), reply.body().len()), (StatusCode::ACCEPTED, 0));
    assert_eq!(reply.headers()["Azure-AsyncOperation"], "https://m/op");
    assert_eq!(reply.headers()["Location"], "https://m/result");
    assert_eq!(reply.headers()["Retry-After"], "30");
    assert_eq!(Accepted::from_headers(reply.headers()), Some(accepted));
}

#[test]
fn site_recoverys_error_body_keeps_its_details() {
    let body = json!({"error":{"code":"28031","message":"m","details":[{"code":"28031","message":"m",
        "possibleCauses":"c","recommendedAction":"a","activityId":"x","clientRequestId":"y","target":"t"}]}});
    let error = ArmError::parse(body.to_string().as_bytes()).unwrap();
    assert_eq!(error.details[0].possible_causes.as_deref(), Some("c"));
    let reply = error.reply(StatusCode::CONFLICT);
    assert_eq!(serde_json::from_slice::<Value>(reply.body()).unwrap(), body);
}

#[test]
fn dates_read_in_all_recorded_forms() {
    let at = date::parse("2023-08-24T08:54:09.7772027Z").unwrap();
    assert_eq!(date::format(at), "2023-08-24T08:54:09.7772027Z");
    assert_eq!(date::parse(date::UNSET), None);
    assert!(date::parse(date::NO_SCENARIO).is_some());
    assert_eq!(date::parse("tomorrow"), None);
    assert_eq!(
        date::http_date(date::parse("2026-01-05T08:00:00Z").unwrap()),
        "Mon, 05 Jan 2026 08:00:00 GMT"
    );
}

#[test]
fn compute_documents_lose_nothing() {
    let vm = json!({"id":"/x","location":"westeurope","tags":{"a":"b"},"zones":["1"],"properties":{
        "hardwareProfile":{"vmSize":"Standard_D2s_v5"},"networkProfile":{"networkInterfaces":[]},
        "storageProfile":{"osDisk":{"osType":"Linux","createOption":"Attach",
                "managedDisk":{"id":"/d"},"caching":"ReadWrite"},
            "dataDisks":[{"lun":0,"createOption":"Attach","managedDisk":{"id":"/e"},
                "deleteOption":"Detach"}]}}});
    let typed: VirtualMachine = serde_json::from_value(vm.clone()).unwrap();
    assert_eq!(typed.properties.storage_profile.data_disks[0].lun, Some(0));
    assert_eq!(serde_json::to_value(&typed).unwrap(), vm);
    let disk = json!({"location":"we","sku":{"name":"Premium_LRS"},"properties":{"diskSizeGB":1,
        "creationData":{"createOption":"Import","sourceUri":"https://b/c?snapshot=1"}}});
    let typed: ManagedDisk = serde_json::from_value(disk.clone()).unwrap();
    assert_eq!(serde_json::to_value(&typed).unwrap(), disk);
}

#[test]
fn page_lists_survive_the_wire_in_the_services_order() {
    let range = |start, end| ByteRange { start, end };
    let list = PageList {
        pages: vec![range(0, 511), range(2048, 4095)],
        cleared: vec![range(512, 1023)],
        next_marker: Some("a<b".into()),
    };
    let xml = list.to_xml();
    let tags: Vec<usize> =
        ["<Start>0<", "<ClearRange><Start>512<", "<Start>2048<"].map(|t| xml.find(t).unwrap()).into();
    assert!(tags.is_sorted());
    assert_eq!(PageList::from_xml(xml.as_bytes()).unwrap(), list);
    // As the SDK's documentation shows it, with a byte order mark, white space and an empty marker.
    let foreign = concat!(
        "\u{feff}<?xml version='1.0'?>\n<PageList>\n<PageRange> <Start>0</Start> <End>511</End> </PageRange>",
        "\n <NextMarker/></PageList>"
    );
    assert_eq!(PageList::from_xml(foreign.as_bytes()).unwrap().pages, [range(0, 511)]);
}

#[test]
fn broken_page_lists_are_told_apart_from_empty_ones() {
    assert_eq!(PageList::from_xml(b"<PageList/>").unwrap(), PageList::default());
    for bad in [
        "",
        "<PageList>",
        "<Other/>",
        "<PageList><PageRange><Start>1</Start></PageRange></PageList>",
        "<PageList><PageRange><Start>9</Start><End>1</End></PageRange></PageList>",
        "<PageList/><PageList/>",
        "<PageList>&x;</PageList>",
    ] {
        assert!(PageList::from_xml(bad.as_bytes()).is_err(), "{bad:?}");
    }
}

#[test]
fn blob_lists_and_errors_survive_the_wire() {
    let item = BlobItem {
        name: "web01-disk0".into(),
        snapshot: Some("2026-01-05T08:00:00.0000000Z".into()),
        length: 4096,
        metadata: [("point".to_owned(), "p&1".to_owned())].into(),
    };
    let blob = BlobItem { snapshot: None, metadata: Default::default(), ..item.clone() };
    let xml = page_blob::blobs_to_xml("seeds", &[item.clone(), blob.clone()]);
    assert_eq!(page_blob::blobs_from_xml(xml.as_bytes()).unwrap(), [item, blob]);
    let xml = page_blob::error_to_xml("BlobNotFound", "no \"x\" & <y>");
    assert_eq!(
        page_blob::error_from_xml(xml.as_bytes()).unwrap(),
        ("BlobNotFound".into(), "no \"x\" & <y>".into())
    );
}

#[test]
fn ranges_read_as_http_writes_them() {
    assert_eq!(ByteRange::parse("bytes=512-1023", 9999), ByteRange::of(512, 512));
    assert_eq!(ByteRange::parse("bytes=512-", 1023), ByteRange::of(512, 512));
    for bad in ["bytes=5-1", "512-1023", "bytes=-5", "bytes=0-18446744073709551615", "bytes=a-b"] {
        assert_eq!(ByteRange::parse(bad, 9999), None, "{bad}");
    }
    assert_eq!(ByteRange::of(0, 0), None);
}

#[test]
fn queries_are_decoded_and_names_compare_in_any_case() {
    assert_eq!(query_value(Some("a=1&Api-Version=2025%2D01&c"), API_VERSION).as_deref(), Some("2025-01"));
    assert_eq!(query_value(Some("c"), "c").as_deref(), Some(""));
    let text = "2026-01-05T08:00:00.0000000Z &+é%";
    assert_eq!(percent_decode(&percent_encode(text)), text);
    assert_eq!(percent_decode("100%"), "100%");
}
