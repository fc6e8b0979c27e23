//! The VMDK registry: attaching, detaching, creating, locking.

use crate::support::*;
use failback_wire::event::{Actor, DiskRef, What};
use failback_wire::vim::*;

const PATH0: &str = "[ds-prod] web01/web01.vmdk";
const PATH1: &str = "[ds-prod] web01/web01_1.vmdk";

#[tokio::test(start_paused = true)]
async fn disks_move_from_machine_to_machine_with_their_content() {
    let lab = Lab::new();
    let soap = lab.login("user").await;
    let (web, mt) = (soap.vm("web01").await, soap.vm("mt").await);
    lab.events();
    soap.reconfigure(&web, vec![detach(2000), detach(2001)]).await.unwrap();
    assert!(lab.vcenter.scsi("web01").is_empty());
    assert_eq!(mark(&lab.vcenter.disk(&DISK0.into()).unwrap()), 1, "the file stays");
    soap.reconfigure(&mt, vec![attach(PATH0), attach(PATH1)]).await.unwrap();
    let attached = lab.vcenter.scsi("mt");
    assert_eq!(uuids(&attached)[1..], [DISK0, DISK1]);
    assert!(attached[1].1.is_same(&lab.vcenter.disk(&DISK0.into()).unwrap()));
    let devices = soap.fetch(&mt, "config.hardware.device").await.unwrap();
    let disk = devices.children.iter().find(|d| d.text_at("backing.uuid") == Some(DISK0)).unwrap();
    // The capacity is that of the file, not what the request said (it said nothing).
    assert_eq!(disk.text_at("capacityInBytes"), Some("4194304"));
    assert_eq!(disk.text_at("deviceInfo.label"), Some("Hard disk 2"));
    let moves: Vec<String> = lab
        .events()
        .into_iter()
        .map(|what| match what {
            What::DiskDetached { disk: DiskRef::Vmdk(u), vm, .. } => format!("-{u} {}", vm.name),
            What::DiskAttached { disk: DiskRef::Vmdk(u), vm, .. } => format!("+{u} {}", vm.name),
            other => format!("{other:?}"),
        })
        .collect();
    let expected = [
        format!("-{DISK0} web01"),
        format!("-{DISK1} web01"),
        format!("+{DISK0} mt"),
        format!("+{DISK1} mt"),
    ];
    assert_eq!(moves, expected);
}

#[tokio::test(start_paused = true)]
async fn a_change_is_made_whole_or_not_at_all() {
    let lab = Lab::new();
    let soap = lab.login("user").await;
    let web = soap.vm("web01").await;
    let before = lab.vcenter.observe();
    let fails = [
        (vec![detach(2000), detach(2999)], "InvalidDeviceSpec"),
        (vec![create("[ds-prod] web01/new.vmdk", 1024), attach("[ds-prod] no/such.vmdk")], "FileNotFound"),
        (vec![create("[ds-prod] web01/new.vmdk", 1024), create(PATH0, 1024)], "FileAlreadyExists"),
        (vec![create("[ds-prod] web01/new.vmdk", 2 << 20)], "NoDiskSpace"),
        (vec![create("[ds-prod] web01/new.vmdk", 0)], "InvalidDeviceSpec"),
        (vec![create("[ds-none] web01/new.vmdk", 1024)], "InvalidDatastorePath"),
        (vec![attach(PATH0)], "InvalidDeviceSpec"),
    ];
    for (change, kind) in fails {
        assert_eq!(soap.reconfigure(&web, change).await.unwrap_err().kind, kind);
        assert_eq!(lab.vcenter.observe(), before);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stale_version_is_refused() {
    let lab = Lab::new();
    let soap = lab.login("user").await;
    let web = soap.vm("web01").await;
    let version = soap.text(&web, "config.changeVersion").await;
    let spec =
        |devices| VmConfigSpec { change_version: Some(version.clone()), devices, ..Default::default() };
    let first = spec(vec![detach(2000)]).element("spec");
    soap.task("ReconfigVM_Task", &web, vec![first]).await.unwrap();
    let second = spec(vec![detach(2001)]).element("spec");
    let refused = soap.task("ReconfigVM_Task", &web, vec![second]).await.unwrap_err();
    assert_eq!(refused.kind, "ConcurrentAccess");
    assert_eq!(uuids(&lab.vcenter.scsi("web01")), [DISK1]);
}

#[tokio::test(start_paused = true)]
async fn a_running_machine_locks_its_disks() {
    let lab = Lab::new();
    let soap = lab.login("user").await;
    let (web, mt) = (soap.vm("web01").await, soap.vm("mt").await);
    // Both are named by two machines as long as neither runs ...
    soap.task("PowerOffVM_Task", &mt, vec![]).await.unwrap();
    soap.reconfigure(&mt, vec![attach(PATH0)]).await.unwrap();
    soap.task("PowerOnVM_Task", &mt, vec![]).await.unwrap();
    // ... but only one of them runs.
    let refused = soap.task("PowerOnVM_Task", &web, vec![]).await.unwrap_err();
    assert_eq!(refused.kind, "FileLocked");
    assert_eq!(refused.field("file"), Some(PATH0));
    let keys: Vec<_> = refused.fields.iter().filter_map(|f| f.text_at("key")).collect();
    assert_eq!(keys[0], "msg.fileio.lock");
    assert!(!lab.guests.running.lock().unwrap().contains_key("web01"));
    // A disk in use is not attached to a second machine.
    let lost = "[ds-prod] mt/mt.vmdk";
    assert_eq!(soap.reconfigure(&web, vec![attach(lost)]).await.unwrap_err().kind, "FileLocked");
    soap.task("PowerOffVM_Task", &mt, vec![]).await.unwrap();
    soap.task("PowerOnVM_Task", &web, vec![]).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_full_controller_takes_no_more_and_a_new_one_does() {
    let lab = Lab::new();
    let soap = lab.login("user").await;
    let web = soap.vm("web01").await;
    let many = |from: i32, to: i32| -> Vec<DeviceChange> {
        (from..to).map(|n| create(&format!("[ds-prod] web01/x{n}.vmdk"), 1024)).collect()
    };
    soap.reconfigure(&web, many(0, 13)).await.unwrap();
    assert_eq!(soap.reconfigure(&web, many(13, 14)).await.unwrap_err().kind, "InvalidDeviceSpec");
    let controller = DeviceChange {
        op: DeviceOp::Add,
        file_op: None,
        device: DeviceSpec {
            kind: "ParaVirtualSCSIController".into(),
            key: -7,
            bus: Some(1),
            ..DeviceSpec::default()
        },
    };
    let mut disk = many(13, 14);
    disk[0].device.controller = Some(-7);
    disk.insert(0, controller.clone());
    soap.reconfigure(&web, disk).await.unwrap();
    assert_eq!(lab.vcenter.scsi("web01").len(), 16);
    soap.reconfigure(&web, vec![controller.clone(), controller.clone()]).await.unwrap();
    assert_eq!(soap.reconfigure(&web, vec![controller]).await.unwrap_err().kind, "TooManyDevices");
}

#[tokio::test(start_paused = true)]
async fn machines_are_created_registered_and_deleted_with_their_files() {
    let lab = Lab::new();
    let soap = lab.login("user").await;
    let folder = MoRef::new("Folder", "group-v3");
    let mut disk = create("[ds-nfs]", 8192);
    disk.device.unit = Some(0);
    let spec = VmConfigSpec {
        name: Some("web02".into()),
        uuid: Some("42000000-0000-0000-0000-00000000000a".into()),
        vm_path: Some("[ds-nfs]".into()),
        memory_mb: Some(2048),
        devices: vec![disk],
        ..VmConfigSpec::default()
    };
    let args = || vec![spec.element("config"), MoRef::new("ResourcePool", "resgroup-8").element("pool")];
    lab.events();
    let made = soap.task("CreateVM_Task", &folder, args()).await.unwrap().unwrap();
    let vm = MoRef::read(&made).unwrap();
    assert_eq!(soap.vm("web02").await, vm);
    let devices = soap.fetch(&vm, "config.hardware.device").await.unwrap();
    let disk = devices.children.iter().find(|d| d.xsi_type.as_deref() == Some("VirtualDisk")).unwrap();
    assert_eq!(disk.text_at("backing.fileName"), Some("[ds-nfs] web02/web02.vmdk"));
    assert!(disk.text_at("backing.uuid").unwrap().starts_with("6000C29"));
    let kinds: Vec<_> =
        lab.events().iter().map(|w| format!("{w:?}").split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(kinds, ["VmCreated", "DiskCreated", "DiskAttached"]);
    assert_eq!(soap.task("CreateVM_Task", &folder, args()).await.unwrap_err().kind, "DuplicateName");

    soap.call("UnregisterVM", &vm, vec![]).await.unwrap();
    let path = || vec![Element::leaf("path", "[ds-nfs] web02/web02.vmx"), Element::leaf("asTemplate", false)];
    let vm = soap.task("RegisterVM_Task", &folder, path()).await.unwrap().unwrap();
    let vm = MoRef::read(&vm).unwrap();
    assert_eq!(soap.text(&vm, "config.uuid").await, "42000000-0000-0000-0000-00000000000a");

    soap.task("PowerOnVM_Task", &vm, vec![]).await.unwrap();
    assert_eq!(soap.task("Destroy_Task", &vm, vec![]).await.unwrap_err().kind, "InvalidPowerState");
    soap.task("PowerOffVM_Task", &vm, vec![]).await.unwrap();
    lab.events();
    soap.task("Destroy_Task", &vm, vec![]).await.unwrap();
    let kinds: Vec<_> =
        lab.events().iter().map(|w| format!("{w:?}").split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(kinds, ["DiskDetached", "DiskDeleted", "VmDeleted"]);
    assert_eq!(soap.call("PowerOnVM_Task", &vm, vec![]).await.unwrap_err().kind, "ManagedObjectNotFound");
}

#[tokio::test(start_paused = true)]
async fn a_deleted_machine_does_not_take_detached_disks_with_it() {
    let lab = Lab::new();
    let soap = lab.login("user").await;
    let (web, mt) = (soap.vm("web01").await, soap.vm("mt").await);
    soap.reconfigure(&web, vec![detach(2000)]).await.unwrap();
    soap.reconfigure(&mt, vec![attach(PATH0)]).await.unwrap();
    lab.vcenter.console(Actor::Fault).delete_vm("web01").unwrap();
    assert!(lab.vcenter.disk(&DISK0.into()).is_some());
    assert!(lab.vcenter.disk(&DISK1.into()).is_none());
}

#[tokio::test(start_paused = true)]
async fn the_disk_manager_and_the_browser_know_the_files() {
    let lab = Lab::new();
    let soap = lab.login("user").await;
    let disks = MoRef::new("VirtualDiskManager", "virtualDiskManager");
    let uuid = soap.call("QueryVirtualDiskUuid", &disks, vec![Element::leaf("name", PATH0)]).await.unwrap();
    assert_eq!(uuid[0].text, "60 00 C2 9a 00 00 00 00-00 00 00 00 00 00 00 01");
    let none =
        soap.call("QueryVirtualDiskUuid", &disks, vec![Element::leaf("name", "[ds-prod] x.vmdk")]).await;
    assert_eq!(none.unwrap_err().kind, "FileNotFound");
    let store = soap.fetch(&soap.vm("web01").await, "datastore").await.unwrap();
    let store = MoRef::read(&store.children[0]).unwrap();
    let browser = MoRef::read(&soap.fetch(&store, "browser").await.unwrap()).unwrap();
    let search = |pattern: &str, path: &str| {
        let spec = Element::new("searchSpec").with(Element::leaf("matchPattern", pattern));
        vec![Element::leaf("datastorePath", path), spec]
    };
    let found = soap.task("SearchDatastore_Task", &browser, search("*.vm?k", "[ds-prod] web01")).await;
    let found = found.unwrap().unwrap();
    let files: Vec<_> = found.all("file").map(|f| f.text_at("path").unwrap()).collect();
    assert_eq!(files, ["web01.vmdk", "web01_1.vmdk"]);
    let deep = soap.task("SearchDatastoreSubFolders_Task", &browser, search("*.vmx", "[ds-prod]")).await;
    let deep = deep.unwrap().unwrap();
    let folders: Vec<_> = deep.children.iter().map(|r| r.text_at("folderPath").unwrap()).collect();
    assert_eq!(folders, ["[ds-prod] mt/", "[ds-prod] web01/"]);
    let none = soap.task("SearchDatastore_Task", &browser, search("*", "[ds-prod] nowhere")).await;
    assert_eq!(none.unwrap_err().kind, "FileNotFound");
}

#[tokio::test(start_paused = true)]
async fn a_disk_is_extended_and_never_cut_and_not_under_a_snapshot() {
    let lab = Lab::new();
    let console = lab.vcenter.console(Actor::Operator);
    let disk = lab.vcenter.disk(&DISK0.into()).unwrap();
    let (before, root) = (disk.bytes(), disk.read(0));
    assert!(console.extend_disk("web01", 0, before - 4096).is_err(), "a disk never shrinks");
    assert!(console.extend_disk("web01", 0, before + 1024).is_err(), "half a block");
    assert!(console.extend_disk("web01", 9, 2 * before).is_err(), "there is no such disk");
    console.take_snapshot("web01", "one").unwrap();
    assert!(console.extend_disk("web01", 0, 2 * before).is_err(), "a snapshot keeps the size");
    assert_eq!(lab.vcenter.disk(&DISK0.into()).unwrap().bytes(), before);
    console.remove_snapshots("web01").unwrap();
    lab.events();
    console.extend_disk("web01", 0, 2 * before).unwrap();
    let disk = lab.vcenter.disk(&DISK0.into()).unwrap();
    assert_eq!((disk.bytes(), disk.read(0)), (2 * before, root));
    assert!(disk.read(before / 4096).is_zero());
    assert!(matches!(&lab.events()[..], [What::DiskExtended { bytes, .. }] if *bytes == 2 * before));
}
