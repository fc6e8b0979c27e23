//! What the world can do to a vCenter and what it manages.

use super::Vcenter;
use super::config::{DatastoreAccess, Licence, Privileges, ScsiController};
use super::operation::Trouble;
use failback_wire::event::Actor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A change of state that nobody asked the product about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case", deny_unknown_fields)]
pub enum VcenterFault {
    /// vCenter's service goes down: every call is answered 503, as by its reverse proxy (P1).
    Disconnect,
    /// vCenter's service comes back.
    Reconnect,
    /// A snapshot is taken of a virtual machine (P17).
    Snapshot {
        /// Name of the virtual machine.
        vm: String,
        /// Name of the snapshot.
        name: String,
    },
    /// All snapshots of a virtual machine are removed.
    RemoveSnapshots {
        /// Name of the virtual machine.
        vm: String,
    },
    /// vCenter loses a host; the host's virtual machines run on.
    DisconnectHost {
        /// Name of the host.
        host: String,
    },
    /// vCenter finds a lost host again.
    ReconnectHost {
        /// Name of the host.
        host: String,
    },
    /// Hosts may from now on do this with a datastore (P24).
    DatastoreAccess {
        /// Name of the datastore.
        datastore: String,
        /// What they may do.
        access: DatastoreAccess,
        /// Only this host; `none` then means that it does not mount the datastore. Default: every host.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        host: Option<String>,
    },
    /// A datastore fills up and leaves this much free.
    DatastoreFree {
        /// Name of the datastore.
        datastore: String,
        /// What is left, MiB.
        free_mb: u64,
    },
    /// The disks of a virtual machine move to another datastore: their files get other paths (P20).
    StorageVmotion {
        /// Name of the virtual machine.
        vm: String,
        /// Name of the datastore they move to.
        datastore: String,
    },
    /// A person detaches a disk from a virtual machine; its file stays (P20).
    DetachDisk {
        /// Name of the virtual machine.
        vm: String,
        /// The file: `[fast] mt-windows/web01.vmdk`.
        file: String,
    },
    /// A person attaches an existing disk to a virtual machine (P20).
    AttachDisk {
        /// Name of the virtual machine.
        vm: String,
        /// The file.
        file: String,
    },
    /// A person sets an option of a virtual machine, such as `disk.EnableUUID` (P21): only while it is off.
    SetOption {
        /// Name of the virtual machine.
        vm: String,
        /// Name of the option.
        option: String,
        /// Its value; empty takes the option away.
        value: String,
    },
    /// A person gives a virtual machine SCSI controllers of another type (P18): only while it is off.
    Controller {
        /// Name of the virtual machine.
        vm: String,
        /// The type.
        controller: ScsiController,
    },
    /// A person gives a virtual machine memory and processor cores (P28): only while it is off.
    Hardware {
        /// Name of the virtual machine.
        vm: String,
        /// Memory it has then, MiB; default: as before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        memory_mb: Option<i64>,
        /// Cores it has then; default: as before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cores: Option<i32>,
    },
    /// VMware Tools are installed in a virtual machine, or removed from it (P22).
    Tools {
        /// Name of the virtual machine.
        vm: String,
        /// Installed from now on.
        installed: bool,
    },
    /// An account may from now on do this (P8).
    AccountPrivileges {
        /// Name of the account.
        user: String,
        /// What it may do.
        privileges: Privileges,
    },
    /// An account gets another password (P8).
    AccountPassword {
        /// Name of the account.
        user: String,
        /// The password it has from now on.
        password: String,
    },
    /// A host gets another licence (P34).
    HostLicence {
        /// Name of the host.
        host: String,
        /// Its licence from now on.
        licence: Licence,
    },
    /// Somebody makes a virtual machine without disks, and leaves it off (P36).
    CreateVm {
        /// Its name, which must be free on that host.
        name: String,
        /// Name of the host.
        host: String,
    },
    /// A virtual machine gets another name; its files keep theirs.
    RenameVm {
        /// Its name until now.
        vm: String,
        /// Its name from now on.
        name: String,
    },
    /// A virtual machine moves to another host, its disks stay where they lie (P36, P39).
    Vmotion {
        /// Name of the virtual machine.
        vm: String,
        /// Name of the host it moves to.
        host: String,
    },
    /// Something else takes a host's memory and leaves this much free.
    HostMemory {
        /// Name of the host.
        host: String,
        /// What is left, MiB.
        free_mb: u64,
    },
    /// A disk of a virtual machine is extended; what is new reads as zeros (E21).
    ExtendDisk {
        /// Name of the virtual machine.
        vm: String,
        /// Which of its disks: 0 is the first, which it boots from.
        disk: usize,
        /// Its new size in bytes; a multiple of 4096.
        bytes: u64,
    },
    /// An empty disk is made and attached to the virtual machine; the guest of one that runs begins to use it (P37).
    AddDisk {
        /// Name of the virtual machine.
        vm: String,
        /// Its size in bytes; a multiple of 4096.
        bytes: u64,
    },
    /// A virtual machine is deleted with its disks.
    DeleteVm {
        /// Name of the virtual machine.
        vm: String,
    },
    /// A virtual machine that is off is taken out of the inventory; its files stay.
    UnregisterVm {
        /// Name of the virtual machine.
        vm: String,
    },
    /// One that was taken out is registered again; it has to be discovered anew (P25).
    RegisterVm {
        /// Name it had.
        vm: String,
    },
    /// A virtual machine's configuration is copied and registered as if it had been moved: the copy keeps its
    /// instance UUID (P40).
    CopyVm {
        /// Name of the virtual machine.
        vm: String,
        /// Name of the copy.
        name: String,
    },
    /// A person clones a virtual machine; the clone is another machine, with disks of its own, and is off.
    CloneVm {
        /// Name of the virtual machine.
        vm: String,
        /// Name of the clone.
        name: String,
        /// As it was when this snapshot was taken; default: as it is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        snapshot: Option<String>,
    },
    /// A person gives a virtual machine an instance UUID of its own (P40).
    OwnInstanceUuid {
        /// Name of the virtual machine.
        vm: String,
    },
    /// A virtual machine is powered on.
    PowerOn {
        /// Name of the virtual machine.
        vm: String,
    },
    /// A virtual machine is powered off.
    PowerOff {
        /// Name of the virtual machine.
        vm: String,
    },
    /// The next task that a client asks for gets stuck half-way; what is asked of the same object waits behind it.
    StickTask,
    /// The next task that a client asks for fails at its end, without effect.
    FailTask,
    /// Tasks that are stuck go on.
    ReleaseTasks,
}

impl Vcenter {
    /// Lets a fault happen, now.
    ///
    /// # Errors
    /// Names what does not exist, or why it cannot happen; then nothing has happened.
    pub fn apply_fault(&self, fault: &VcenterFault, by: Actor) -> Result<(), String> {
        let console = self.console(by);
        match fault {
            VcenterFault::Disconnect => console.service_down(),
            VcenterFault::Reconnect => console.service_up(),
            VcenterFault::Snapshot { vm, name } => console.take_snapshot(vm, name)?,
            VcenterFault::RemoveSnapshots { vm } => console.remove_snapshots(vm)?,
            VcenterFault::DisconnectHost { host } => console.disconnect_host(host)?,
            VcenterFault::ReconnectHost { host } => console.reconnect_host(host)?,
            VcenterFault::DatastoreAccess { datastore, access, host } => match host {
                Some(host) => console.set_datastore_access_on(datastore, host, *access)?,
                None => console.set_datastore_access(datastore, *access)?,
            },
            VcenterFault::DatastoreFree { datastore, free_mb } => {
                console.set_datastore_free(datastore, free_mb << 20)?;
            }
            VcenterFault::StorageVmotion { vm, datastore } => console.storage_vmotion(vm, datastore)?,
            VcenterFault::DetachDisk { vm, file } => console.detach_disk(vm, file)?,
            VcenterFault::AttachDisk { vm, file } => console.attach_disk(vm, file)?,
            VcenterFault::SetOption { vm, option, value } => console.set_option(vm, option, value)?,
            VcenterFault::Controller { vm, controller } => console.set_controller(vm, *controller)?,
            VcenterFault::Hardware { vm, memory_mb, cores } => {
                console.set_hardware(vm, *memory_mb, *cores)?
            }
            VcenterFault::Tools { vm, installed } => console.set_tools(vm, *installed)?,
            VcenterFault::AccountPrivileges { user, privileges } => {
                console.set_privileges(user, privileges)?;
            }
            VcenterFault::AccountPassword { user, password } => console.set_password(user, password)?,
            VcenterFault::HostLicence { host, licence } => console.set_licence(host, *licence)?,
            VcenterFault::CreateVm { name, host } => console.create_vm(name, host)?,
            VcenterFault::RenameVm { vm, name } => console.rename_vm(vm, name)?,
            VcenterFault::Vmotion { vm, host } => console.vmotion(vm, host)?,
            VcenterFault::HostMemory { host, free_mb } => console.set_host_free_memory(host, *free_mb)?,
            VcenterFault::ExtendDisk { vm, disk, bytes } => console.extend_disk(vm, *disk, *bytes)?,
            VcenterFault::AddDisk { vm, bytes } => console.add_disk(vm, *bytes)?,
            VcenterFault::DeleteVm { vm } => console.delete_vm(vm)?,
            VcenterFault::UnregisterVm { vm } => console.unregister_vm(vm)?,
            VcenterFault::RegisterVm { vm } => console.register_vm(vm)?,
            VcenterFault::CopyVm { vm, name } => console.copy_vm(vm, name)?,
            VcenterFault::CloneVm { vm, name, snapshot } => {
                console.clone_vm(vm, name, snapshot.as_deref())?;
            }
            VcenterFault::OwnInstanceUuid { vm } => console.own_instance_uuid(vm)?,
            VcenterFault::PowerOn { vm } => console.power_on(vm)?,
            VcenterFault::PowerOff { vm } => console.power_off(vm)?,
            VcenterFault::StickTask => self.trouble_next(Trouble::Stuck),
            VcenterFault::FailTask => self.trouble_next(Trouble::Fails),
            VcenterFault::ReleaseTasks => self.release_tasks(),
        }
        Ok(())
    }
}
