//! The faults vCenter refuses with, in its words.

use failback_wire::vim::{Element, Fault, MoRef};

/// The session is missing or over.
pub(super) fn not_authenticated(object: &MoRef) -> Fault {
    Fault::new("NotAuthenticated", "The session is not authenticated.")
        .with(object.element("object"))
        .with(Element::leaf("privilegeId", "System.View"))
}
/// The account lacks a privilege.
pub(super) fn no_permission(object: &MoRef, privilege: &str) -> Fault {
    Fault::new("NoPermission", "Permission to perform this operation was denied.")
        .with(object.element("object"))
        .with(Element::leaf("privilegeId", privilege))
}
/// Wrong user or password.
pub(super) fn invalid_login() -> Fault {
    Fault::new("InvalidLogin", "Cannot complete login due to an incorrect user name or password.")
}
/// No such method on this object.
pub(super) fn no_method(method: &str) -> Fault {
    Fault::new("InvalidRequest", format!("Unable to resolve WSDL method name {method}"))
}
/// The request makes no sense.
pub(super) fn invalid_request(why: impl std::fmt::Display) -> Fault {
    Fault::new("InvalidRequest", why.to_string())
}
/// An argument is missing or makes no sense.
pub(super) fn invalid_argument(name: &str) -> Fault {
    Fault::new("InvalidArgument", format!("A specified parameter was not correct: {name}"))
        .with(Element::leaf("invalidProperty", name))
}
/// The object is gone, or never was.
pub(super) fn gone(object: &MoRef) -> Fault {
    let text = "The object has already been deleted or has not been completely created";
    Fault::new("ManagedObjectNotFound", text).with(object.element("obj"))
}
/// Something asked for does not exist.
pub(super) fn not_found(what: &str) -> Fault {
    Fault::new("NotFound", format!("{what} could not be found."))
}
/// No such property.
pub(super) fn invalid_property(name: &str) -> Fault {
    Fault::new("InvalidProperty", format!("The property {name} is invalid")).with(Element::leaf("name", name))
}
/// No filter was told of this version.
pub(super) fn invalid_version() -> Fault {
    Fault::new("InvalidCollectorVersion", "The version of the collector is not known.")
}
/// The task came to nothing, and nobody can say why.
pub(super) fn went_wrong(task: &str) -> Fault {
    let text = format!("A general system error occurred: {task} timed out at the host");
    Fault::new("SystemError", text).with(Element::leaf("reason", "timed out at the host"))
}
/// The wait was cancelled.
pub(super) fn cancelled() -> Fault {
    Fault::new("RequestCanceled", "The task was canceled by a user.")
}
/// The machine is on where it must be off, or the other way round.
pub(super) fn invalid_power_state(requested_on: bool, on: bool) -> Fault {
    let name = |on: bool| if on { "poweredOn" } else { "poweredOff" };
    let text = format!(
        "The attempted operation cannot be performed in the current state ({}).",
        if on { "Powered on" } else { "Powered off" }
    );
    Fault::new("InvalidPowerState", text)
        .with(Element::leaf("requestedState", name(requested_on)))
        .with(Element::leaf("existingState", name(on)))
}
/// The licence of the host does not allow it.
pub(super) fn restricted_version() -> Fault {
    let text = "Current license or ESXi version prohibits execution of the requested operation.";
    Fault::new("RestrictedVersion", text)
}
/// The object is in no state for that.
pub(super) fn invalid_state() -> Fault {
    Fault::new("InvalidState", "The operation is not allowed in the current state.")
}
/// The host is lost.
pub(super) fn host_not_connected() -> Fault {
    let text = "Unable to communicate with the remote host, since it is disconnected.";
    Fault::new("HostNotConnected", text)
}
/// VMware Tools do not run.
pub(super) fn tools_unavailable() -> Fault {
    let text = "Cannot complete operation because VMware Tools is not running in this virtual machine.";
    Fault::new("ToolsUnavailable", text)
}
/// Someone else changed the machine meanwhile.
pub(super) fn concurrent_access() -> Fault {
    let text = "The object has been modified since the change version given.";
    Fault::new("ConcurrentAccess", text)
}
/// The device at `index` of a change makes no sense.
pub(super) fn invalid_device(index: usize, property: &str) -> Fault {
    Fault::new("InvalidDeviceSpec", format!("Invalid configuration for device '{index}'."))
        .with(Element::leaf("property", format!("virtualDeviceSpec.{property}")))
        .with(Element::leaf("deviceIndex", index))
}
/// The machine has more SCSI controllers than it can.
pub(super) fn too_many_devices(index: usize) -> Fault {
    Fault::new("TooManyDevices", format!("Device '{index}' exceeds the number of devices of its kind."))
        .with(Element::leaf("property", "virtualDeviceSpec.device"))
        .with(Element::leaf("deviceIndex", index))
}
fn message(key: &str, text: &str) -> Element {
    Element::new("faultMessage").with(Element::leaf("key", key)).with(Element::leaf("message", text))
}
/// Another running machine holds the file.
pub(super) fn file_locked(path: &str) -> Fault {
    let open = format!("Cannot open the disk '{path}' or one of the snapshot disks it depends on.");
    Fault::new("FileLocked", format!("Failed to lock the file. {open} Module 'Disk' power on failed."))
        .with(message("msg.fileio.lock", "Failed to lock the file"))
        .with(message("msg.disk.noBackEnd", &open))
        .with(message("msg.moduletable.powerOnFailed", "Module 'Disk' power on failed."))
        .with(Element::leaf("file", path))
}
/// There is no such file.
pub(super) fn file_not_found(path: &str) -> Fault {
    Fault::new("FileNotFound", format!("File {path} was not found")).with(Element::leaf("file", path))
}
/// The same to a person, with the files that there are.
pub(super) fn file_not_found_among<'a>(path: &str, there: impl Iterator<Item = &'a str>) -> Fault {
    let there: Vec<&str> = there.collect();
    let text = format!("File {path} was not found; there are {}", there.join(", "));
    Fault::new("FileNotFound", text).with(Element::leaf("file", path))
}
/// The file exists already.
pub(super) fn file_exists(path: &str) -> Fault {
    let text = format!("Cannot complete the operation because the file or folder {path} already exists");
    Fault::new("FileAlreadyExists", text).with(Element::leaf("file", path))
}
/// The file's datastore is not accessible.
pub(super) fn cannot_access(path: &str) -> Fault {
    Fault::new("CannotAccessFile", format!("Unable to access file {path}")).with(Element::leaf("file", path))
}
/// The file's datastore is mounted read-only.
pub(super) fn not_writable(path: &str) -> Fault {
    let text = format!("File {path} cannot be written: its datastore is mounted read-only");
    Fault::new("FileNotWritable", text).with(Element::leaf("file", path))
}
/// The datastore is full.
pub(super) fn no_space(datastore: &str) -> Fault {
    Fault::new("NoDiskSpace", format!("Insufficient disk space on datastore '{datastore}'."))
        .with(Element::leaf("file", format!("[{datastore}]")))
        .with(Element::leaf("datastore", datastore))
}
/// No such datastore.
pub(super) fn invalid_datastore(path: &str) -> Fault {
    Fault::new("InvalidDatastorePath", format!("Invalid datastore path '{path}'."))
        .with(Element::leaf("datastorePath", path))
}
/// The name is taken.
pub(super) fn duplicate_name(name: &str, object: &MoRef) -> Fault {
    Fault::new("DuplicateName", format!("The name '{name}' already exists."))
        .with(Element::leaf("name", name))
        .with(object.element("object"))
}
/// The host has too little memory.
pub(super) fn no_memory(free_mb: u64, wanted_mb: u64) -> Fault {
    let text = "The host does not have sufficient memory capacity to power on the virtual machine.";
    Fault::new("InsufficientHostMemoryCapacityFault", text)
        .with(Element::leaf("unreserved", free_mb << 20))
        .with(Element::leaf("requested", wanted_mb << 20))
}
