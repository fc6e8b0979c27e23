//! Properties of virtual machines and their snapshots.

use super::Eyes;
use crate::vcenter::model::{
    Controller, DiskDevice, Hardware, SCSI_OWN_UNIT, Snapshot, Vm, datastore_ref, fixed, host_ref,
    snapshot_ref, vm_ref,
};
use failback_wire::vim::{MoRef, Obj, Value};
use std::collections::BTreeSet;

/// Its own properties, in order.
pub(super) const PROPERTIES: &[&str] = &[
    "config",
    "layoutEx",
    "resourcePool",
    "runtime",
    "guest",
    "summary",
    "datastore",
    "network",
    "snapshot",
    "rootSnapshot",
    "guestHeartbeatStatus",
];

fn power(on: bool) -> Value {
    Value::of_enum("VirtualMachinePowerState", if on { "poweredOn" } else { "poweredOff" })
}
fn description(label: impl Into<Value>, summary: impl Into<Value>) -> Obj {
    Obj::narrow("Description").set("label", label).set("summary", summary)
}
fn option_value(key: &str, value: &str) -> Obj {
    Obj::narrow("OptionValue").set("key", key).set("value", Value::any_of(value))
}
/// `10,485,760 KB`
fn grouped_kb(kb: u64) -> String {
    let digits = kb.to_string();
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out + " KB"
}

impl Eyes<'_> {
    pub(super) fn vm_property(&self, id: u64, name: &str) -> Option<Value> {
        let vm = self.model.vms.get(&id)?;
        Some(match name {
            "parent" => MoRef::new("Folder", fixed::VMS).into(),
            "overallStatus" | "configStatus" => Self::status(true),
            "effectiveRole" => self.effective_role(),
            "name" => vm.name.as_str().into(),
            "recentTask" => self.recent_tasks(Some(&vm_ref(id))),
            "tag" => Value::List("Tag", Vec::new()),
            "config" => self.config(vm, &vm.hardware).into(),
            "layoutEx" => self.layout(vm).into(),
            "resourcePool" => MoRef::new("ResourcePool", fixed::POOL).into(),
            "runtime" => self.runtime(vm).into(),
            "guest" => self.guest(vm).into(),
            "summary" => self.summary(id, vm).into(),
            "datastore" => self.datastores_of(vm),
            "network" => Value::refs([]),
            "snapshot" => return self.snapshot_info(id, vm).map(Value::Obj),
            "rootSnapshot" => {
                let roots = vm.snapshots.iter().filter(|(_, s)| s.parent.is_none());
                Value::refs(roots.map(|(id, _)| snapshot_ref(*id)))
            }
            "guestHeartbeatStatus" => {
                let status = if self.tools_run(vm) { "green" } else { "gray" };
                Value::of_enum("ManagedEntityStatus", status)
            }
            _ => return None,
        })
    }

    fn connected(&self, vm: &Vm) -> bool {
        self.model.hosts.get(&vm.host).is_some_and(|h| h.connected)
    }
    /// Whether VMware Tools run: the guest says.
    pub(in crate::vcenter) fn tools_run(&self, vm: &Vm) -> bool {
        let name = vm.reference();
        vm.powered && vm.tools_installed && self.guests.is_running(&name) && self.guests.tools_enabled(&name)
    }
    fn tools_status(&self, vm: &Vm) -> [(&'static str, Value); 3] {
        let (status, version) = match (vm.tools_installed, self.tools_run(vm)) {
            (false, _) => ("toolsNotInstalled", "guestToolsNotInstalled"),
            (true, false) => ("toolsNotRunning", "guestToolsCurrent"),
            (true, true) => ("toolsOk", "guestToolsCurrent"),
        };
        let running = if self.tools_run(vm) { "guestToolsRunning" } else { "guestToolsNotRunning" };
        [
            ("toolsStatus", Value::of_enum("VirtualMachineToolsStatus", status)),
            ("toolsVersionStatus2", version.into()),
            ("toolsRunningStatus", running.into()),
        ]
    }

    fn config(&self, vm: &Vm, hardware: &Hardware) -> Obj {
        let directory = vm.directory().trim_end_matches('/');
        let files = Obj::new("VirtualMachineFileInfo")
            .set("vmPathName", &vm.vmx)
            .set("snapshotDirectory", directory)
            .set("suspendDirectory", directory)
            .set("logDirectory", directory);
        let devices = Obj::new("VirtualHardware")
            .set("numCPU", hardware.cpus)
            .set("numCoresPerSocket", 1)
            .set("memoryMB", hardware.memory_mb as i32)
            .set("device", Value::objects("VirtualDevice", self.devices(hardware)));
        let extra = hardware.extra.iter().map(|(k, v)| option_value(k, v));
        Obj::new("VirtualMachineConfigInfo")
            .set("changeVersion", vm.version.to_string())
            .set("modified", self.time(vm.modified))
            .set("name", &vm.name)
            .set("guestFullName", &vm.guest_id)
            .set("version", "vmx-20")
            .set("uuid", &vm.uuid)
            .set("createDate", self.time(vm.created))
            .set("instanceUuid", &vm.instance_uuid)
            .set("template", false)
            .set("guestId", &vm.guest_id)
            .set("alternateGuestName", "")
            .set("files", files)
            .set("tools", Obj::new("ToolsConfigInfo"))
            .set("flags", Obj::new("VirtualMachineFlagInfo"))
            .set("defaultPowerOps", Obj::new("VirtualMachineDefaultPowerOpInfo"))
            .set("hardware", devices)
            .set("cpuAllocation", allocation())
            .set("memoryAllocation", allocation())
            .set("latencySensitivity", latency())
            .set("extraConfig", Value::objects("OptionValue", extra))
            .set("bootOptions", Obj::new("VirtualMachineBootOptions"))
            .set("firmware", if vm.uefi { "efi" } else { "bios" })
    }

    fn devices(&self, hardware: &Hardware) -> Vec<Obj> {
        let controller = |kind, key: i32, label: &str, bus: i32| {
            Obj::narrow(kind)
                .set("key", key)
                .set("deviceInfo", description(label, label))
                .set("busNumber", bus)
        };
        let mut devices = vec![
            controller("VirtualIDEController", 200, "IDE 0", 0),
            controller("VirtualIDEController", 201, "IDE 1", 1),
            controller("VirtualPS2Controller", 300, "PS2 controller 0", 0),
            controller("VirtualPCIController", 100, "PCI controller 0", 0),
            controller("VirtualSIOController", 400, "SIO controller 0", 0),
        ];
        for (key, c) in &hardware.controllers {
            devices.push(scsi_controller(*key, c, hardware));
        }
        devices.extend(hardware.disks.iter().filter_map(|d| self.disk_device(d)));
        devices
    }

    fn disk_device(&self, device: &DiskDevice) -> Option<Obj> {
        let bytes = self.model.vmdks.get(&device.path)?.disk.bytes();
        let shares =
            Obj::new("SharesInfo").set("shares", 1000).set("level", Value::of_enum("SharesLevel", "normal"));
        let io = Obj::new("StorageIOAllocationInfo").set("limit", -1_i64).set("shares", shares.clone());
        Some(
            Obj::narrow("VirtualDisk")
                .set("key", device.key)
                .set(
                    "deviceInfo",
                    description(format!("Hard disk {}", device.label), grouped_kb(bytes / 1024)),
                )
                .set("backing", self.backing(&device.path, &device.mode)?)
                .set("controllerKey", device.controller)
                .set("unitNumber", device.unit)
                .set("capacityInKB", (bytes / 1024) as i64)
                .set("capacityInBytes", bytes as i64)
                .set("shares", shares)
                .set("storageIOAllocation", io),
        )
    }

    /// A disk's file, with the chain of files it is a delta of.
    fn backing(&self, path: &str, mode: &str) -> Option<Obj> {
        let vmdk = self.model.vmdks.get(path)?;
        let parent = vmdk.parent.as_deref().and_then(|p| self.backing(p, mode)).map(|mut parent| {
            parent.narrow = false;
            parent
        });
        let kind = match vmdk.rdm {
            true => "VirtualDiskRawDiskMappingVer1BackingInfo",
            false => "VirtualDiskFlatVer2BackingInfo",
        };
        Some(
            Obj::narrow(kind)
                .set("fileName", path)
                .opt("datastore", self.model.datastore_of(path).map(datastore_ref))
                .set("diskMode", mode)
                .set("split", false)
                .set("writeThrough", false)
                .set("thinProvisioned", false)
                .set("eagerlyScrub", false)
                .set("uuid", vmdk.uuid.as_str())
                .opt("parent", parent)
                .set("digestEnabled", false),
        )
    }

    fn layout(&self, vm: &Vm) -> Obj {
        let mut files: Vec<(&str, &str, u64)> = vec![(&vm.vmx, "config", 4096)];
        let mut seen = BTreeSet::new();
        for device in &vm.hardware.disks {
            let mut at = Some(device.path.as_str());
            while let Some((path, vmdk)) = at.and_then(|p| self.model.vmdks.get_key_value(p)) {
                if seen.insert(path) {
                    files.push((path, "diskExtent", vmdk.disk.bytes()));
                }
                at = vmdk.parent.as_deref();
            }
        }
        let files = files.into_iter().enumerate().map(|(key, (name, kind, size))| {
            Obj::new("VirtualMachineFileLayoutExFileInfo")
                .set("key", key as i32)
                .set("name", name)
                .set("type", kind)
                .set("size", size as i64)
                .set("accessible", true)
        });
        Obj::new("VirtualMachineFileLayoutEx")
            .set("file", Value::objects("VirtualMachineFileLayoutExFileInfo", files))
            .set("timestamp", self.time(vm.modified))
    }

    fn runtime(&self, vm: &Vm) -> Obj {
        let state = if self.connected(vm) { "connected" } else { "disconnected" };
        let deltas = vm.hardware.disks.iter().filter_map(|d| self.model.vmdks.get(&d.path));
        let has_delta = deltas.into_iter().any(|v| v.parent.is_some());
        Obj::new("VirtualMachineRuntimeInfo")
            .set("host", host_ref(vm.host))
            .set("connectionState", Value::of_enum("VirtualMachineConnectionState", state))
            .set("powerState", power(vm.powered))
            .set("faultToleranceState", Value::of_enum("VirtualMachineFaultToleranceState", "notConfigured"))
            .set("toolsInstallerMounted", false)
            .opt("bootTime", vm.booted.map(|at| self.time(at)))
            .set("numMksConnections", 0)
            .set("consolidationNeeded", has_delta && vm.snapshots.is_empty())
    }

    fn guest(&self, vm: &Vm) -> Obj {
        let mut guest = Obj::new("GuestInfo");
        for (name, value) in self.tools_status(vm) {
            guest = guest.set(name, value);
        }
        guest
            .set("guestId", &vm.guest_id)
            .opt("hostName", self.tools_run(vm).then_some(vm.name.as_str()))
            .set("guestState", if self.tools_run(vm) { "running" } else { "notRunning" })
    }

    fn summary(&self, id: u64, vm: &Vm) -> Obj {
        let mut guest = Obj::new("VirtualMachineGuestSummary").set("guestId", &vm.guest_id);
        for (name, value) in self.tools_status(vm) {
            guest = guest.set(name, value);
        }
        let config = Obj::new("VirtualMachineConfigSummary")
            .set("name", &vm.name)
            .set("template", false)
            .set("vmPathName", &vm.vmx)
            .set("memorySizeMB", vm.hardware.memory_mb as i32)
            .set("numCpu", vm.hardware.cpus)
            .set("numEthernetCards", 0)
            .set("numVirtualDisks", vm.hardware.disks.len() as i32)
            .set("uuid", &vm.uuid)
            .set("instanceUuid", &vm.instance_uuid)
            .set("guestId", &vm.guest_id)
            .set("guestFullName", &vm.guest_id);
        Obj::new("VirtualMachineSummary")
            .set("vm", vm_ref(id))
            .set("runtime", self.runtime(vm))
            .set("guest", guest)
            .set("config", config)
            .set("quickStats", Obj::new("VirtualMachineQuickStats"))
            .set("overallStatus", Self::status(true))
    }

    fn datastores_of(&self, vm: &Vm) -> Value {
        let paths = vm.hardware.disks.iter().map(|d| d.path.as_str()).chain([vm.vmx.as_str()]);
        let stores: BTreeSet<u64> = paths.filter_map(|p| self.model.datastore_of(p)).collect();
        Value::refs(stores.into_iter().map(datastore_ref))
    }

    fn snapshot_info(&self, id: u64, vm: &Vm) -> Option<Obj> {
        if vm.snapshots.is_empty() {
            return None;
        }
        let roots = self.snapshot_tree(id, vm, None);
        Some(
            Obj::new("VirtualMachineSnapshotInfo")
                .opt("currentSnapshot", vm.current.map(snapshot_ref))
                .set("rootSnapshotList", Value::objects("VirtualMachineSnapshotTree", roots)),
        )
    }

    fn snapshot_tree(&self, id: u64, vm: &Vm, parent: Option<u64>) -> Vec<Obj> {
        let children = vm.snapshots.iter().filter(|(_, s)| s.parent == parent);
        let tree = |(snapshot, s): (&u64, &Snapshot)| {
            let below = self.snapshot_tree(id, vm, Some(*snapshot));
            Obj::new("VirtualMachineSnapshotTree")
                .set("snapshot", snapshot_ref(*snapshot))
                .set("vm", vm_ref(id))
                .set("name", &s.name)
                .set("description", &s.description)
                .set("id", s.number)
                .set("createTime", self.time(s.created))
                .set("state", power(false))
                .set("quiesced", s.quiesced)
                .set("childSnapshotList", Value::objects("VirtualMachineSnapshotTree", below))
                .set("replaySupported", false)
        };
        children.map(tree).collect()
    }

    pub(super) fn snapshot_property(&self, snapshot: u64, name: &str) -> Option<Value> {
        let id = self.model.vm_of_snapshot(snapshot)?;
        let vm = self.model.vms.get(&id)?;
        let taken = vm.snapshots.get(&snapshot)?;
        Some(match name {
            "config" => self.config(vm, &taken.hardware).into(),
            "childSnapshot" => {
                let children = vm.snapshots.iter().filter(|(_, s)| s.parent == Some(snapshot));
                Value::refs(children.map(|(id, _)| snapshot_ref(*id)))
            }
            "vm" => vm_ref(id).into(),
            _ => return None,
        })
    }
}

fn allocation() -> Obj {
    let shares =
        Obj::new("SharesInfo").set("shares", 1000).set("level", Value::of_enum("SharesLevel", "normal"));
    Obj::new("ResourceAllocationInfo")
        .set("reservation", 0_i64)
        .set("expandableReservation", true)
        .set("limit", -1_i64)
        .set("shares", shares)
}

fn latency() -> Obj {
    Obj::new("LatencySensitivity")
        .set("level", Value::of_enum("LatencySensitivitySensitivityLevel", "normal"))
}

fn scsi_controller(key: i32, controller: &Controller, hardware: &Hardware) -> Obj {
    let label = format!("SCSI controller {}", controller.bus);
    let summary = match controller.kind {
        "ParaVirtualSCSIController" => "VMware paravirtual SCSI",
        "VirtualLsiLogicSASController" => "LSI Logic SAS",
        "VirtualBusLogicController" => "Bus Logic",
        _ => "LSI Logic",
    };
    let disks = hardware.disks.iter().filter(|d| d.controller == key).map(|d| Value::Int(d.key));
    Obj::narrow(controller.kind)
        .set("key", key)
        .set("deviceInfo", description(label, summary))
        .set("controllerKey", 100)
        .set("unitNumber", 3 + controller.bus)
        .set("busNumber", controller.bus)
        .set("device", Value::List("int", disks.collect()))
        .set("hotAddRemove", true)
        .set("sharedBus", Value::of_enum("VirtualSCSISharing", "noSharing"))
        .set("scsiCtlrUnitNumber", SCSI_OWN_UNIT)
}
