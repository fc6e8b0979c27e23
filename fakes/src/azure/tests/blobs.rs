//! Page blobs: pages, snapshots and their differences, copies, signatures, and disks made from them.

use super::*;
use failback_wire::arm::blob::{BlobClient, BlobError};
use failback_wire::arm::page_blob::ByteRange;
use failback_wire::event::DiskRef;
use proptest::prelude::*;

fn client(lab: &Lab, blob: Option<&str>, permissions: &str) -> BlobClient {
    let url = lab.azure.console(Actor::Product).sas_url("seeds", blob, permissions);
    BlobClient::new(lab.ctx.http.clone(), &url)
}
fn seed(lab: &Lab) -> BlobClient {
    client(lab, Some("web01-disk0"), "rcwd")
}
fn range(offset: u64, len: u64) -> ByteRange {
    ByteRange::of(offset, len).unwrap()
}
fn refused(error: BlobError) -> (u16, String) {
    match &error {
        BlobError::Refused { status, code, .. } => (*status, code.clone()),
        BlobError::Unavailable(_) | BlobError::Ambiguous(_) | BlobError::Garbled(_) => panic!("{error}"),
    }
}

#[tokio::test(start_paused = true)]
async fn pages_are_written_cleared_read_and_listed() {
    let lab = Lab::new();
    let blob = seed(&lab);
    assert_eq!(blob.properties().await.unwrap().map(|found| found.length), None);
    blob.create_page_blob(64 * 1024, None).await.unwrap();
    assert_eq!(blob.properties().await.unwrap().map(|found| found.length), Some(64 * 1024));
    blob.put_pages(3584, vec![1; 1024].into()).await.unwrap();
    blob.put_pages(8192, vec![2; 512].into()).await.unwrap();
    assert_eq!(blob.page_list(None, None).await.unwrap().pages, [range(3584, 1024), range(8192, 512)]);
    let read = blob.get_range(3072, 2048).await.unwrap();
    assert_eq!(
        (&read[..512], &read[512..1536], &read[1536..]),
        (&[0; 512][..], &[1; 1024][..], &[0; 512][..])
    );
    blob.clear_pages(3584, 512).await.unwrap();
    assert_eq!(blob.page_list(None, Some(range(0, 8192))).await.unwrap().pages, [range(4096, 512)]);
    let disk = DiskRef::Blob("seeds/web01-disk0".into());
    let written = |blocks| What::DiskWritten { disk: disk.clone(), writer: "azure".into(), blocks };
    let created = What::DiskCreated { disk: disk.clone(), by: Actor::Product };
    assert_eq!(lab.events(), [created, written(2), written(1), written(1)]);
    blob.delete().await.unwrap();
    assert_eq!(lab.events(), [What::DiskDeleted { disk, by: Actor::Product }]);
    blob.delete().await.unwrap();
}

/// A request to make a blob that comes late makes nothing, once the blob is there or has been written to.
#[tokio::test(start_paused = true)]
async fn a_blob_is_made_only_where_nobody_made_or_changed_it_since() {
    let lab = Lab::new();
    let blob = seed(&lab);
    blob.create_page_blob(4096, None).await.unwrap();
    blob.put_pages(0, vec![1; 512].into()).await.unwrap();
    let again = blob.create_page_blob(4096, None).await.unwrap_err();
    assert_eq!(refused(again.clone()), (409, "BlobAlreadyExists".to_owned()));
    let seen = blob.properties().await.unwrap().unwrap();
    blob.put_pages(512, vec![2; 512].into()).await.unwrap();
    let late = blob.create_page_blob(8192, Some(&seen.etag)).await.unwrap_err();
    assert_eq!(refused(late.clone()), (412, "ConditionNotMet".to_owned()));
    assert!(again.is_outdated() && late.is_outdated());
    assert_eq!(blob.get_range(0, 1024).await.unwrap(), [[1; 512], [2; 512]].concat());
    let seen = blob.properties().await.unwrap().unwrap();
    blob.create_page_blob(8192, Some(&seen.etag)).await.unwrap();
    assert_eq!(blob.get_range(0, 512).await.unwrap(), vec![0; 512]);
    blob.delete().await.unwrap();
    let gone = blob.create_page_blob(8192, Some(&seen.etag)).await.unwrap_err();
    assert_eq!(refused(gone), (412, "ConditionNotMet".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn writes_larger_than_four_megabytes_go_in_parts() {
    let lab = Lab::new();
    let blob = seed(&lab);
    blob.create_page_blob(9 << 20, None).await.unwrap();
    let data: Vec<u8> = (0..9 << 20).map(|i: u32| (i / 4096 + 1) as u8).collect();
    blob.put_pages(0, data.clone().into()).await.unwrap();
    assert_eq!(lab.events().len(), 4, "created, and written three times");
    assert_eq!(blob.get_range(0, 9 << 20).await.unwrap(), data);
}

#[tokio::test(start_paused = true)]
async fn snapshots_keep_the_past_and_tell_the_difference() {
    let lab = Lab::new();
    let blob = seed(&lab);
    blob.create_page_blob(16384, None).await.unwrap();
    blob.put_pages(0, vec![1; 8192].into()).await.unwrap();
    let first = blob.snapshot(&[("point", "p1")]).await.unwrap();
    let second = blob.snapshot(&[]).await.unwrap();
    assert_ne!(first, second, "two snapshots of one moment have two names");
    blob.clear_pages(512, 512).await.unwrap();
    blob.put_pages(12288, vec![3; 512].into()).await.unwrap();
    blob.put_pages(0, vec![1; 512].into()).await.unwrap();
    let diff = blob.page_list(Some(&first), None).await.unwrap();
    assert_eq!((diff.pages, diff.cleared), (vec![range(12288, 512)], vec![range(512, 512)]));
    let past = blob.at_snapshot(&first);
    assert_eq!(past.get_range(512, 512).await.unwrap(), vec![1; 512]);
    assert_eq!(past.properties().await.unwrap().map(|found| found.length), Some(16384));
    let none = past.page_list(Some(&second), None).await.unwrap();
    assert_eq!((none.pages, none.cleared), (vec![], vec![]));
    assert_eq!(
        refused(blob.page_list(Some("1999"), None).await.unwrap_err()),
        (409, "PreviousSnapshotNotFound".into())
    );
    assert_eq!(
        refused(past.put_pages(0, vec![0; 512].into()).await.unwrap_err()),
        (400, "InvalidOperation".into())
    );

    blob.copy_from(&past.sas_url()).await.unwrap();
    let diff = blob.page_list(Some(&first), None).await.unwrap();
    assert_eq!((diff.pages, diff.cleared), (vec![], vec![]), "the snapshot was promoted");
    past.delete().await.unwrap();
    assert_eq!(refused(past.get_range(0, 512).await.unwrap_err()), (404, "BlobNotFound".into()));
    blob.delete().await.unwrap();
    assert_eq!(
        blob.at_snapshot(&second).properties().await.unwrap().map(|found| found.length),
        None,
        "snapshots go with the blob"
    );
}

#[tokio::test(start_paused = true)]
async fn snapshots_are_found_by_their_metadata() {
    let lab = Lab::new();
    let blob = seed(&lab);
    blob.create_page_blob(4096, None).await.unwrap();
    let id = blob.snapshot(&[("point", "p 1")]).await.unwrap();
    client(&lab, Some("web02-disk0"), "c").create_page_blob(4096, None).await.unwrap();
    let listed = client(&lab, None, "l").list("web01").await.unwrap();
    assert_eq!(listed.len(), 2);
    assert_eq!(
        (listed[0].snapshot.as_deref(), listed[0].metadata["point"].as_str()),
        (Some(id.as_str()), "p 1")
    );
    assert_eq!((listed[1].snapshot.as_deref(), listed[1].length), (None, 4096));
}

#[tokio::test(start_paused = true)]
async fn signatures_open_what_they_name_and_no_more() {
    let lab = Lab::new();
    seed(&lab).create_page_blob(4096, None).await.unwrap();
    let reader = client(&lab, Some("web01-disk0"), "r");
    assert_eq!(reader.get_range(0, 512).await.unwrap().len(), 512);
    let write = reader.put_pages(0, vec![0; 512].into()).await;
    assert_eq!(refused(write.unwrap_err()), (403, "AuthorizationPermissionMismatch".into()));
    let url = reader.sas_url();
    for (url, want) in [
        (url.replace("web01", "web02"), (403, "AuthenticationFailed")),
        (url.replace("sp=r", "sp=rw"), (403, "AuthenticationFailed")),
        (url.replace("product", "operator"), (403, "AuthenticationFailed")),
        (url.replace("9999", "9998"), (403, "AuthenticationFailed")),
        (reader.bare_url(), (401, "NoAuthenticationInformation")),
    ] {
        let error = BlobClient::new(lab.ctx.http.clone(), &url).get_range(0, 512).await.unwrap_err();
        assert_eq!(refused(error), (want.0, want.1.to_owned()), "{url}");
    }
    let bearer = lab
        .send("HEAD", &reader.bare_url(), &[("authorization", "Bearer product-token")], Bytes::new())
        .await;
    assert_eq!((bearer.status().as_u16(), header(&bearer, "x-ms-blob-type").as_str()), (200, "PageBlob"));
    assert_eq!((header(&bearer, "content-length").as_str(), bearer.body().len()), ("4096", 0));
}

#[tokio::test(start_paused = true)]
async fn arm_signs_until_the_date_it_is_told() {
    let lab = Lab::new();
    seed(&lab).create_page_blob(4096, None).await.unwrap();
    let account =
        VMS.replace("Microsoft.Compute/virtualMachines", "Microsoft.Storage/storageAccounts/storage");
    let until = lab.ctx.clock.dotnet(VirtualMs(3_600_000));
    let body = |resource: &str| {
        json!({"canonicalizedResource": resource, "signedResource": "b",
            "signedPermission": "r", "signedExpiry": until})
    };
    let sas = json_of(
        &lab.arm("POST", &format!("{account}/listServiceSas"), body("/blob/storage/seeds/web01-disk0")).await,
    );
    let url = format!(
        "https://storage.blob.core.windows.net/seeds/web01-disk0?{}",
        sas["serviceSasToken"].as_str().unwrap()
    );
    let blob = BlobClient::new(lab.ctx.http.clone(), &url);
    blob.get_range(0, 512).await.unwrap();
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(refused(blob.get_range(0, 512).await.unwrap_err()), (403, "AuthenticationFailed".into()));
    let reply = lab.arm("POST", &format!("{account}/listServiceSas"), body("/blob/other/seeds/x")).await;
    assert_eq!(code(&reply), (400, "InvalidParameter".into()));
}

#[tokio::test(start_paused = true)]
async fn requests_that_make_no_sense_are_refused_in_xml() {
    let lab = Lab::new();
    let blob = seed(&lab);
    blob.create_page_blob(4096, None).await.unwrap();
    let url = blob.sas_url();
    type Case<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], usize, (u16, &'a str));
    let cases: [Case<'_>; 8] = [
        (
            "PUT",
            "&comp=page",
            &[("x-ms-range", "bytes=0-511"), ("x-ms-page-write", "update")],
            100,
            (400, "InvalidInput"),
        ),
        (
            "PUT",
            "&comp=page",
            &[("x-ms-range", "bytes=1-512"), ("x-ms-page-write", "update")],
            512,
            (416, "InvalidPageRange"),
        ),
        (
            "PUT",
            "&comp=page",
            &[("x-ms-range", "bytes=4096-4607"), ("x-ms-page-write", "update")],
            512,
            (416, "InvalidPageRange"),
        ),
        ("PUT", "&comp=page", &[("x-ms-range", "bytes=0-511")], 512, (400, "InvalidHeaderValue")),
        (
            "PUT",
            "",
            &[("x-ms-blob-type", "PageBlob"), ("x-ms-blob-content-length", "100")],
            0,
            (400, "InvalidHeaderValue"),
        ),
        ("PUT", "", &[("x-ms-blob-type", "BlockBlob")], 0, (400, "InvalidHeaderValue")),
        ("GET", "", &[("x-ms-range", "bytes=4096-5000")], 0, (416, "InvalidRange")),
        ("PUT", "&comp=tier", &[], 0, (400, "UnsupportedOperation")),
    ];
    for (method, query, headers, body, (status, want)) in cases {
        let reply = lab.send(method, &format!("{url}{query}"), headers, vec![1; body].into()).await;
        assert_eq!(
            (reply.status().as_u16(), header(&reply, "x-ms-error-code").as_str()),
            (status, want),
            "{query} {headers:?}"
        );
        assert!(text(&reply).contains(&format!("<Error><Code>{want}</Code>")), "{}", text(&reply));
    }
    blob.snapshot(&[]).await.unwrap();
    assert_eq!(lab.send("DELETE", &url, &[], Bytes::new()).await.status(), 409, "it has snapshots");
    let big = [("x-ms-range", "bytes=0-8388607"), ("x-ms-page-write", "update")];
    blob.create_page_blob(8 << 20, Some("*")).await.unwrap();
    let reply = lab.send("PUT", &format!("{url}&comp=page"), &big, vec![1; 8 << 20].into()).await;
    assert_eq!(reply.status(), 413);
}

#[tokio::test(start_paused = true)]
async fn a_disk_is_made_from_a_blob_snapshot_and_lives_on_its_own() {
    let lab = Lab::new();
    let blob = seed(&lab);
    blob.create_page_blob(16384, None).await.unwrap();
    blob.put_pages(0, vec![1; 4096].into()).await.unwrap();
    let point = blob.snapshot(&[]).await.unwrap();
    blob.put_pages(0, vec![2; 4096].into()).await.unwrap();
    let source = blob.at_snapshot(&point).bare_url();
    let body = |uri: &str| created(json!({"createOption": "Import", "sourceUri": uri}));
    assert_eq!(lab.change("PUT", &format!("{DISKS}/os"), body(&source)).await["status"], "Succeeded");
    let os = lab.azure.disk("os").unwrap();
    assert_eq!((os.bytes(), os.read(0).bytes()), (16384, &[1; 4096]));
    os.write(1, Page::new(&[9; 4096]));
    assert!(lab.azure.blob("seeds", "web01-disk0", Some(&point)).unwrap().read(1).is_zero());
    let document = json_of(&lab.arm("GET", &format!("{DISKS}/os"), Value::Null).await);
    assert_eq!(document["properties"]["creationData"]["sourceUri"], source);
    for gone in
        [source.replace("2026", "2025"), source.replace("web01", "web09"), "https://elsewhere/a/b".to_owned()]
    {
        let reply = lab.arm("PUT", &format!("{DISKS}/new"), body(&gone)).await;
        assert_eq!(code(&reply), (404, "ImportSourceBlobNotFound".into()), "{gone}");
    }
}

#[tokio::test(start_paused = true)]
async fn long_page_lists_come_in_pages() {
    let lab = Lab::new();
    let blob = seed(&lab);
    blob.create_page_blob(65536, None).await.unwrap();
    for at in [0, 8192, 16384] {
        blob.put_pages(at, vec![1; 512].into()).await.unwrap();
    }
    let url = format!("{}&comp=pagelist&maxresults=2", blob.sas_url());
    let reply = lab.send("GET", &url, &[("x-ms-version", "2026-10-06")], Bytes::new()).await;
    assert!(text(&reply).contains("<NextMarker>16384</NextMarker>"), "{}", text(&reply));
    assert_eq!(
        (header(&reply, "x-ms-blob-content-length").as_str(), header(&reply, "x-ms-version").as_str()),
        ("65536", "2026-10-06")
    );
    let reply = lab.send("GET", &format!("{url}&marker=16384"), &[], Bytes::new()).await;
    assert!(text(&reply).contains("<Start>16384</Start>") && !text(&reply).contains("NextMarker"));
}

#[derive(Clone, Debug)]
struct Write {
    sector: u64,
    sectors: u64,
    fill: u8,
}

fn writes() -> impl Strategy<Value = Vec<Write>> {
    let one = (0u64..60, 1u64..5, 0u8..4).prop_map(|(sector, sectors, fill)| Write { sector, sectors, fill });
    prop::collection::vec(one, 0..12)
}

fn apply(disk: &Disk, model: &mut [u8], writes: &[Write]) {
    for w in writes {
        let at = range(w.sector * 512, w.sectors * 512);
        let data = bytes::Bytes::from(vec![w.fill; at.len() as usize]);
        super::super::blobs::write(disk, at, (w.fill != 0).then_some(&data));
        model[at.start as usize..=at.end as usize].copy_from_slice(&data);
    }
}

proptest! {
    #[test]
    fn a_difference_applied_to_the_past_gives_the_present(before in writes(), after in writes()) {
        let disk = Disk::new(8);
        let mut model = vec![0u8; 8 * 4096];
        apply(&disk, &mut model, &before);
        let (past, past_model) = (disk.fork(), model.clone());
        apply(&disk, &mut model, &after);
        let whole = range(0, 8 * 4096);
        prop_assert_eq!(super::super::blobs::read(&disk, whole), model.clone());
        let diff = super::super::blobs::page_list(&disk, Some(&past), whole);
        let mut patched = past_model;
        for r in &diff.pages {
            patched[r.start as usize..=r.end as usize].copy_from_slice(&super::super::blobs::read(&disk, *r));
        }
        for r in &diff.cleared {
            patched[r.start as usize..=r.end as usize].fill(0);
        }
        prop_assert_eq!(&patched, &model);
        let listed = super::super::blobs::page_list(&disk, None, whole).pages;
        for (sector, bytes) in model.chunks(512).enumerate() {
            let at = sector as u64 * 512;
            let held = listed.iter().any(|r| r.start <= at && at <= r.end);
            prop_assert_eq!(held, bytes.iter().any(|b| *b != 0));
        }
    }
}
