//! The `…_Task` methods: the operation behind each, its name in tasks and the privileges it needs.

use super::operation::Operation;
use super::props::number;
use super::refusal;
use failback_wire::vim::{DeviceOp, Fault, FileOp, VimRequest, VmConfigSpec};

pub(super) fn id_of(request: &VimRequest, kind: &str, prefix: &str) -> Result<u64, Fault> {
    let this = &request.this;
    let id = number(&this.id, prefix).filter(|_| this.kind == kind);
    id.ok_or_else(|| refusal::no_method(&request.method))
}

pub(super) fn required<'a>(request: &'a VimRequest, name: &str) -> Result<&'a str, Fault> {
    request.text(name).ok_or_else(|| refusal::invalid_argument(name))
}

fn vm_spec(request: &VimRequest, name: &str) -> Result<Box<VmConfigSpec>, Fault> {
    let spec = request.get(name).ok_or_else(|| refusal::invalid_argument(name))?;
    VmConfigSpec::read(spec).map(Box::new).map_err(refusal::invalid_request)
}

fn host_argument(request: &VimRequest) -> Result<Option<u64>, Fault> {
    match request.moref("host") {
        None => Ok(None),
        Some(host) => number(&host.id, "host").map(Some).ok_or_else(|| refusal::gone(&host)),
    }
}

/// What a method means: its name in tasks, the privileges it needs, the operation.
type Meaning = (&'static str, Vec<&'static str>, Operation);

/// The operation behind a `…_Task` method.
pub(super) fn operation(request: &VimRequest) -> Result<Meaning, Fault> {
    let vm = || id_of(request, "VirtualMachine", "vm");
    let host = || id_of(request, "HostSystem", "host");
    let (description, privilege, operation) = match &*request.method {
        "PowerOnVM_Task" => {
            ("VirtualMachine.powerOn", "VirtualMachine.Interact.PowerOn", Operation::PowerOn { vm: vm()? })
        }
        "PowerOffVM_Task" => {
            ("VirtualMachine.powerOff", "VirtualMachine.Interact.PowerOff", Operation::PowerOff { vm: vm()? })
        }
        "ReconfigVM_Task" => {
            let spec = vm_spec(request, "spec")?;
            let privileges = needed(&spec);
            let operation = Operation::Reconfigure { vm: vm()?, spec };
            return Ok(("VirtualMachine.reconfigure", privileges, operation));
        }
        "CreateVM_Task" => {
            let spec = vm_spec(request, "config")?;
            let operation = Operation::CreateVm { spec, host: host_argument(request)? };
            ("Folder.createVm", "VirtualMachine.Inventory.Create", operation)
        }
        "Destroy_Task" => {
            ("VirtualMachine.destroy", "VirtualMachine.Inventory.Delete", Operation::Destroy { vm: vm()? })
        }
        "RegisterVM_Task" => {
            let operation = Operation::Register {
                path: required(request, "path")?.to_owned(),
                name: request.text("name").map(str::to_owned),
                host: host_argument(request)?,
            };
            ("Folder.registerVm", "VirtualMachine.Inventory.Register", operation)
        }
        "DisconnectHost_Task" => {
            ("HostSystem.disconnect", "Host.Config.Connection", Operation::DisconnectHost { host: host()? })
        }
        "ReconnectHost_Task" => {
            ("HostSystem.reconnect", "Host.Config.Connection", Operation::ReconnectHost { host: host()? })
        }
        "SearchDatastore_Task" | "SearchDatastoreSubFolders_Task" => {
            id_of(request, "HostDatastoreBrowser", "datastoreBrowser")?;
            let patterns = request.get("searchSpec").into_iter().flat_map(|s| s.all("matchPattern"));
            let operation = Operation::Search {
                directory: required(request, "datastorePath")?.to_owned(),
                patterns: patterns.map(|p| p.text.clone()).collect(),
                deep: request.method == "SearchDatastoreSubFolders_Task",
            };
            ("DatastoreBrowser.search", "Datastore.Browse", operation)
        }
        _ => return snapshot_operation(request),
    };
    Ok((description, vec![privilege], operation))
}

fn snapshot_operation(request: &VimRequest) -> Result<Meaning, Fault> {
    let vm = || id_of(request, "VirtualMachine", "vm");
    let snapshot = || id_of(request, "VirtualMachineSnapshot", "snapshot");
    let (description, privilege, operation) = match &*request.method {
        "CreateSnapshot_Task" => {
            let operation = Operation::CreateSnapshot {
                vm: vm()?,
                name: required(request, "name")?.to_owned(),
                description: request.text("description").unwrap_or_default().to_owned(),
                quiesce: request.flag("quiesce"),
            };
            ("VirtualMachine.createSnapshot", "VirtualMachine.State.CreateSnapshot", operation)
        }
        "RemoveSnapshot_Task" => {
            let children = request.flag("removeChildren");
            let operation = Operation::RemoveSnapshot { snapshot: snapshot()?, children };
            ("vm.Snapshot.remove", "VirtualMachine.State.RemoveSnapshot", operation)
        }
        "RemoveAllSnapshots_Task" => {
            let operation = Operation::RemoveAllSnapshots { vm: vm()? };
            ("VirtualMachine.removeAllSnapshots", "VirtualMachine.State.RemoveSnapshot", operation)
        }
        "RevertToCurrentSnapshot_Task" => {
            let operation = Operation::Revert { vm: vm()?, snapshot: None };
            ("VirtualMachine.revertToCurrentSnapshot", "VirtualMachine.State.RevertToSnapshot", operation)
        }
        "RevertToSnapshot_Task" => {
            // The machine is filled in by who knows the inventory.
            let operation = Operation::Revert { vm: 0, snapshot: Some(snapshot()?) };
            ("vm.Snapshot.revert", "VirtualMachine.State.RevertToSnapshot", operation)
        }
        other => return Err(refusal::no_method(other)),
    };
    Ok((description, vec![privilege], operation))
}

/// The privileges a change of configuration needs.
fn needed(spec: &VmConfigSpec) -> Vec<&'static str> {
    let mut privileges: Vec<&'static str> = Vec::new();
    for change in &spec.devices {
        privileges.push(match (change.op, change.file_op, change.device.kind.as_str()) {
            (DeviceOp::Add, Some(FileOp::Create), "VirtualDisk") => "VirtualMachine.Config.AddNewDisk",
            (DeviceOp::Add, _, "VirtualDisk") => "VirtualMachine.Config.AddExistingDisk",
            (DeviceOp::Remove, _, "VirtualDisk") => "VirtualMachine.Config.RemoveDisk",
            (DeviceOp::Add | DeviceOp::Remove, _, _) => "VirtualMachine.Config.AddRemoveDevice",
            (DeviceOp::Edit, _, _) => "VirtualMachine.Config.EditDevice",
        });
    }
    if spec.memory_mb.is_some() {
        privileges.push("VirtualMachine.Config.Memory");
    }
    if !spec.extra.is_empty() {
        privileges.push("VirtualMachine.Config.AdvancedConfig");
    }
    if privileges.is_empty() {
        privileges.push("VirtualMachine.Config.Settings");
    }
    privileges
}

pub(super) const METHODS: &[&str] = &[
    "PowerOnVM_Task",
    "PowerOffVM_Task",
    "ReconfigVM_Task",
    "CreateVM_Task",
    "Destroy_Task",
    "RegisterVM_Task",
    "CreateSnapshot_Task",
    "RemoveSnapshot_Task",
    "RemoveAllSnapshots_Task",
    "RevertToCurrentSnapshot_Task",
    "RevertToSnapshot_Task",
    "DisconnectHost_Task",
    "ReconnectHost_Task",
    "SearchDatastore_Task",
    "SearchDatastoreSubFolders_Task",
];
