//! Changing the inventory. Every method begins with what its caller has just seen, and looks again after each attempt: what
//! is as it should be is a success, whoever made it so. What was seen too long ago does no harm: vCenter refuses a change
//! made up from an older state, and that there is nothing to do is never taken from there.

use super::{NewVm, Power, Result, VcenterClient, VcenterError, VmFacts, VmdkFacts};
use failback_wire::canary::Canary;
use failback_wire::ids::VmdkUuid;
use failback_wire::vim::{
    DeviceChange, DeviceOp, DeviceSpec, Element, FileOp, MoRef, VimRequest, VmConfigSpec,
};
use std::collections::BTreeMap;
use std::time::Duration;

/// How often an effect is asked for before its failure is believed.
const TRIES: u32 = 4;
/// Pause before asking again.
const PAUSE: Duration = Duration::from_secs(2);
/// Units of a SCSI controller; number 7 is its own.
const UNITS: i32 = 16;
const OWN_UNIT: i32 = 7;
const CONTROLLERS: usize = 4;

/// True when asking again may help although the state is not as it should be.
fn worth_repeating(error: &VcenterError) -> bool {
    match error {
        VcenterError::Ambiguous(_) => true,
        VcenterError::TaskFailed { fault, .. } | VcenterError::Fault { fault, .. } => {
            matches!(fault.as_str(), "ConcurrentAccess" | "TaskInProgress")
        }
        VcenterError::Unavailable(_)
        | VcenterError::NotAuthenticated
        | VcenterError::InvalidLogin { .. }
        | VcenterError::NoPermission { .. }
        | VcenterError::NotFound(_)
        | VcenterError::Snapshots { .. }
        | VcenterError::Garbled(_) => false,
    }
}

impl VcenterClient {
    /// Asks for a task until `reached` holds, believing the state rather than replies. What the task is told,
    /// and whether it may be asked for, follows from the newest state, which at first is what the caller has `seen`.
    async fn converge(
        &self,
        seen: &VmFacts,
        method: &'static str,
        reached: impl Fn(&VmFacts) -> bool,
        arguments: impl Fn(&VmFacts) -> Result<Vec<Element>>,
    ) -> Result<VmFacts> {
        let vm = &seen.moref;
        let (_turn, waited) = self.turns.take(vm).await;
        let mut seen = Some(seen.clone()).filter(|seen| !waited && !reached(seen));
        let mut failure = None;
        for _ in 0..TRIES {
            if failure.is_some() {
                tokio::time::sleep(PAUSE).await;
            }
            let facts = match seen.take() {
                Some(seen) => seen,
                None => self.vm(vm).await?,
            };
            let looks = failure.is_none() || !self.planted.is(Canary::RetriesBlindly);
            if looks && reached(&facts) {
                return Ok(facts);
            }
            match failure.take() {
                Some(error) if !worth_repeating(&error) => return Err(error),
                Some(_) | None => {}
            }
            let arguments = arguments(&facts)?;
            let request = |_: &super::link::Service| {
                let request = VimRequest::new(method, vm.clone());
                arguments.iter().cloned().fold(request, VimRequest::arg)
            };
            failure = self.run(method, request).await.err();
            // What cannot have been done need not be looked for.
            if let Some(error @ (VcenterError::NoPermission { .. } | VcenterError::InvalidLogin { .. })) =
                failure
            {
                return Err(error);
            }
        }
        let facts = self.vm(vm).await?;
        if reached(&facts) {
            return Ok(facts);
        }
        Err(failure.unwrap_or_else(|| VcenterError::TaskFailed {
            operation: method.to_owned(),
            fault: "NotConverged".into(),
            message: "the task succeeds, but the state is changed back".into(),
        }))
    }

    /// Powers a virtual machine on; succeeds when it already runs.
    ///
    /// # Errors
    /// `TaskFailed` with `InsufficientHostMemoryCapacityFault`, `FileLocked`, `HostNotConnected` …
    pub async fn power_on(&self, vm: &VmFacts) -> Result<()> {
        let on = |facts: &VmFacts| facts.power == Power::On;
        self.converge(vm, "PowerOnVM_Task", on, |_| Ok(Vec::new())).await.map(drop)
    }

    /// Cuts a virtual machine's power; succeeds when it is off.
    ///
    /// # Errors
    /// See [`VcenterError`].
    pub async fn power_off(&self, vm: &VmFacts) -> Result<()> {
        let off = |facts: &VmFacts| facts.power == Power::Off;
        self.converge(vm, "PowerOffVM_Task", off, |_| Ok(Vec::new())).await.map(drop)
    }

    /// Asks the guest to shut down; returns at once. Succeeds when the machine is off.
    ///
    /// # Errors
    /// `Fault` with `ToolsUnavailable` when VMware Tools do not run.
    pub async fn shutdown_guest(&self, vm: &MoRef) -> Result<()> {
        // Asking twice is asking once, so that a lost reply does no harm.
        let asked = self.link.read("ShutdownGuest", |_| VimRequest::new("ShutdownGuest", vm.clone())).await;
        match asked {
            Ok(_) => Ok(()),
            Err(error) if error.fault() == Some("InvalidPowerState") => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Detaches these disks, keeping their files; those not attached are passed over. Nothing is detached while
    /// the machine has a snapshot: what is attached then is a delta, and its parent would be left behind (P17).
    ///
    /// # Errors
    /// `Snapshots`, also when one is taken while this is going on.
    pub async fn detach_disks(&self, vm: &VmFacts, disks: &[VmdkUuid]) -> Result<()> {
        let gone = |facts: &VmFacts| !disks.iter().any(|uuid| facts.disk(uuid).is_some());
        let spec = |facts: &VmFacts| {
            if !facts.snapshots.is_empty() {
                let (vm, names) = (facts.name.clone(), facts.snapshots.join(", "));
                return Err(VcenterError::Snapshots { vm, names });
            }
            let attached = disks.iter().filter_map(|uuid| facts.disk(uuid));
            Ok(reconfigure(facts, attached.map(|disk| removal(disk, None)).collect()))
        };
        self.converge(vm, "ReconfigVM_Task", gone, spec).await.map(drop)
    }

    /// Attaches these disks by their files; those already attached are passed over. Nothing is attached
    /// when a file's UUID is not the one given (I3). Answers what the machine is like then.
    ///
    /// # Errors
    /// `NotFound` when a file does not exist or is another disk's, `TaskFailed` with `FileLocked` …
    pub async fn attach_disks(&self, vm: &VmFacts, disks: &[(VmdkUuid, String)]) -> Result<VmFacts> {
        for (uuid, path) in disks {
            self.check_uuid(uuid, path).await?;
        }
        let attached = |facts: &VmFacts| disks.iter().all(|(uuid, _)| facts.disk(uuid).is_some());
        let spec = |facts: &VmFacts| {
            let missing = disks.iter().filter(|(uuid, _)| facts.disk(uuid).is_none());
            let files: Vec<&str> = missing.map(|(_, path)| path.as_str()).collect();
            Ok(reconfigure(facts, place(facts, &files)))
        };
        self.converge(vm, "ReconfigVM_Task", attached, spec).await
    }

    /// Gives the machine new, empty disks of so many bytes, each at its path; answers their UUIDs in this order. One that
    /// hangs there already was made before.
    ///
    /// # Errors
    /// `TaskFailed` with `NoDiskSpace`, `FileAlreadyExists` …
    pub async fn add_disks(&self, vm: &VmFacts, disks: &[(String, u64)]) -> Result<Vec<VmdkUuid>> {
        let at = |facts: &VmFacts, path: &str| {
            facts.disks.iter().find(|disk| disk.path == path).map(|disk| disk.uuid.clone())
        };
        let there = |facts: &VmFacts| disks.iter().all(|(path, _)| at(facts, path).is_some());
        let spec = |facts: &VmFacts| {
            let missing: Vec<_> = disks.iter().filter(|(path, _)| at(facts, path).is_none()).collect();
            let files: Vec<&str> = missing.iter().map(|(path, _)| path.as_str()).collect();
            let mut devices = place(facts, &files);
            for device in devices.iter_mut().filter(|device| device.device.kind == "VirtualDisk") {
                let file = device.device.file.as_ref();
                let bytes =
                    missing.iter().find(|(path, _)| Some(path) == file).map_or(0, |(_, bytes)| *bytes);
                device.file_op = Some(FileOp::Create);
                device.device.capacity_kb = i64::try_from(bytes / 1024).ok();
            }
            Ok(reconfigure(facts, devices))
        };
        let facts = self.converge(vm, "ReconfigVM_Task", there, spec).await?;
        Ok(disks.iter().filter_map(|(path, _)| at(&facts, path)).collect())
    }

    /// Makes these disks of the machine at least so many bytes large; what is new reads as zeros. Answers what the machine
    /// is like then.
    ///
    /// # Errors
    /// `TaskFailed` with `NoDiskSpace`, `InvalidState` while the machine has a snapshot …
    pub async fn extend_disks(&self, vm: &VmFacts, disks: &[(VmdkUuid, u64)]) -> Result<VmFacts> {
        let small = |facts: &VmFacts, (uuid, bytes): &(VmdkUuid, u64)| {
            facts.disk(uuid).filter(|disk| disk.capacity < *bytes).cloned()
        };
        let done = |facts: &VmFacts| disks.iter().all(|wanted| small(facts, wanted).is_none());
        let spec = |facts: &VmFacts| {
            let edit = |wanted| Some(extension(&small(facts, wanted)?, wanted.1));
            Ok(reconfigure(facts, disks.iter().filter_map(edit).collect()))
        };
        self.converge(vm, "ReconfigVM_Task", done, spec).await
    }

    /// Takes the disks at these paths off the machine and deletes their files; those that are not attached are passed
    /// over.
    ///
    /// # Errors
    /// See [`VcenterError`].
    pub async fn delete_disks(&self, vm: &VmFacts, paths: &[String]) -> Result<()> {
        let gone = |facts: &VmFacts| !facts.disks.iter().any(|disk| paths.contains(&disk.path));
        let spec = |facts: &VmFacts| {
            let attached = facts.disks.iter().filter(|disk| paths.contains(&disk.path));
            Ok(reconfigure(facts, attached.map(|disk| removal(disk, Some(FileOp::Destroy))).collect()))
        };
        self.converge(vm, "ReconfigVM_Task", gone, spec).await.map(drop)
    }

    async fn check_uuid(&self, uuid: &VmdkUuid, path: &str) -> Result<()> {
        let found = self.link.read("QueryVirtualDiskUuid", |service| {
            VimRequest::new("QueryVirtualDiskUuid", service.disks.clone()).arg(Element::leaf("name", path))
        });
        let found = found.await?.first().map(|e| e.text.clone()).unwrap_or_default();
        let digits = |text: &str| -> String {
            text.chars().filter(char::is_ascii_hexdigit).map(|c| c.to_ascii_lowercase()).collect()
        };
        if digits(&found) == digits(uuid.as_str()) {
            return Ok(());
        }
        Err(VcenterError::NotFound(format!("disk {uuid} at {path} (that file is disk {found})")))
    }

    /// Removes (merges) all snapshots; succeeds when there are none.
    ///
    /// # Errors
    /// See [`VcenterError`].
    pub async fn remove_all_snapshots(&self, vm: &VmFacts) -> Result<()> {
        let none = |facts: &VmFacts| facts.snapshots.is_empty();
        self.converge(vm, "RemoveAllSnapshots_Task", none, |_| Ok(Vec::new())).await.map(drop)
    }

    /// Creates a virtual machine with new disks; finds it when it was created before. Its disks' UUIDs
    /// and files are in the facts, in the order of the spec.
    ///
    /// # Errors
    /// `TaskFailed` with `DuplicateName`, `NoDiskSpace` …
    pub async fn create_vm(&self, spec: &NewVm) -> Result<VmFacts> {
        let mut failure: Option<VcenterError> = None;
        for _ in 0..TRIES {
            if failure.is_some() {
                tokio::time::sleep(PAUSE).await;
            }
            match self.vm_by_uuid(&spec.uuid).await {
                Err(VcenterError::NotFound(_)) => {}
                found => return found,
            }
            match failure.take() {
                Some(error) if !worth_repeating(&error) => return Err(error),
                Some(_) | None => {}
            }
            let (folder, pool) = self.placement(&spec.host).await?;
            let config = new_vm(spec);
            let request = |_: &super::link::Service| {
                VimRequest::new("CreateVM_Task", folder.clone())
                    .arg(config.element("config"))
                    .arg(pool.element("pool"))
                    .arg(spec.host.element("host"))
            };
            failure = self.run("CreateVM_Task", request).await.err();
            if failure.is_none() {
                return self.vm_by_uuid(&spec.uuid).await;
            }
        }
        match self.vm_by_uuid(&spec.uuid).await {
            Err(VcenterError::NotFound(name)) => Err(failure.unwrap_or(VcenterError::NotFound(name))),
            found => found,
        }
    }

    /// The folder of virtual machines and the resource pool for a host.
    async fn placement(&self, host: &MoRef) -> Result<(MoRef, MoRef)> {
        let cluster = self.one(host, &["parent"]).await?.reference("parent")?;
        let pool = self.one(&cluster, &["resourcePool"]).await?.reference("resourcePool")?;
        let mut at = cluster;
        while at.kind != "Datacenter" {
            at = self.one(&at, &["parent"]).await?.reference("parent")?;
        }
        let folder = self.one(&at, &["vmFolder"]).await?.reference("vmFolder")?;
        Ok((folder, pool))
    }

    /// Deletes a virtual machine with its attached disks; succeeds when it is gone.
    ///
    /// # Errors
    /// `TaskFailed` with `InvalidPowerState` when it runs.
    pub async fn destroy_vm(&self, vm: &VmFacts) -> Result<()> {
        let gone = self.converge(vm, "Destroy_Task", |_| false, |_| Ok(Vec::new())).await;
        match gone {
            Ok(_) | Err(VcenterError::NotFound(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn reconfigure(facts: &VmFacts, devices: Vec<DeviceChange>) -> Vec<Element> {
    let change_version = Some(facts.change_version.clone()).filter(|v| !v.is_empty());
    vec![VmConfigSpec { change_version, devices, ..VmConfigSpec::default() }.element("spec")]
}

fn removal(disk: &VmdkFacts, file_op: Option<FileOp>) -> DeviceChange {
    DeviceChange {
        op: DeviceOp::Remove,
        file_op,
        device: DeviceSpec {
            kind: "VirtualDisk".into(),
            key: disk.key,
            backing: Some("VirtualDiskFlatVer2BackingInfo".into()),
            file: Some(disk.path.clone()),
            controller: Some(disk.controller),
            unit: Some(disk.unit),
            capacity_kb: i64::try_from(disk.capacity / 1024).ok(),
            ..DeviceSpec::default()
        },
    }
}

fn extension(disk: &VmdkFacts, bytes: u64) -> DeviceChange {
    let mut change = removal(disk, None);
    change.op = DeviceOp::Edit;
    change.device.capacity_kb = i64::try_from(bytes / 1024).ok();
    change
}

fn controller(key: i32, kind: &str, bus: i32) -> DeviceChange {
    let device = DeviceSpec { kind: kind.to_owned(), key, bus: Some(bus), ..DeviceSpec::default() };
    DeviceChange { op: DeviceOp::Add, file_op: None, device }
}

/// Finds a controller and a unit for each file; adds controllers when all units are taken.
fn place(facts: &VmFacts, files: &[&str]) -> Vec<DeviceChange> {
    let mut free: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    for key in facts.controllers.keys() {
        let used = |unit: &i32| facts.disks.iter().any(|d| d.controller == *key && d.unit == *unit);
        free.insert(*key, (0..UNITS).rev().filter(|u| *u != OWN_UNIT && !used(u)).collect());
    }
    let kind = facts.controllers.values().next().map_or("VirtualLsiLogicController", String::as_str);
    let mut controllers = facts.controllers.len();
    let mut changes = Vec::new();
    for (i, file) in files.iter().enumerate() {
        let slot = free.iter_mut().find_map(|(key, units)| units.pop().map(|unit| (*key, Some(unit))));
        let (key, unit) = slot.unwrap_or_else(|| {
            let bus = controllers as i32;
            let key = -200 - bus;
            if controllers < CONTROLLERS {
                changes.push(controller(key, kind, bus));
                controllers += 1;
                free.insert(key, (1..UNITS).rev().filter(|u| *u != OWN_UNIT).collect());
            }
            (key, Some(0))
        });
        changes.push(DeviceChange {
            op: DeviceOp::Add,
            file_op: None,
            device: DeviceSpec {
                kind: "VirtualDisk".into(),
                key: -100 - i as i32,
                backing: Some("VirtualDiskFlatVer2BackingInfo".into()),
                file: Some((*file).to_owned()),
                mode: Some("persistent".into()),
                controller: Some(key),
                unit,
                ..DeviceSpec::default()
            },
        });
    }
    changes
}

fn new_vm(spec: &NewVm) -> VmConfigSpec {
    let datastore = format!("[{}]", spec.datastore);
    let mut devices = Vec::new();
    for (i, bytes) in spec.disks.iter().enumerate() {
        let at = i as i32;
        let (bus, slot) = (at / (UNITS - 1), at % (UNITS - 1));
        if slot == 0 {
            devices.push(controller(-200 - bus, "VirtualLsiLogicController", bus));
        }
        devices.push(DeviceChange {
            op: DeviceOp::Add,
            file_op: Some(FileOp::Create),
            device: DeviceSpec {
                kind: "VirtualDisk".into(),
                key: -100 - at,
                backing: Some("VirtualDiskFlatVer2BackingInfo".into()),
                file: Some(datastore.clone()),
                mode: Some("persistent".into()),
                controller: Some(-200 - bus),
                unit: Some(if slot >= OWN_UNIT { slot + 1 } else { slot }),
                capacity_kb: i64::try_from(bytes / 1024).ok(),
                ..DeviceSpec::default()
            },
        });
    }
    VmConfigSpec {
        name: Some(spec.name.clone()),
        uuid: Some(spec.uuid.clone()),
        instance_uuid: Some(spec.uuid.clone()),
        guest_id: Some(spec.guest_id.clone()),
        vm_path: Some(datastore),
        cpus: Some(2),
        memory_mb: i64::try_from(spec.memory_mb).ok(),
        devices,
        extra: spec.extra_config.iter().map(|(k, v)| (k.clone(), v.clone())).collect(),
        ..VmConfigSpec::default()
    }
}
