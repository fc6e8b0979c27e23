//! What the account in vCenter must be allowed to do (P8), privilege by privilege.

use super::{HOME, Rule, own};

/// Rules of this topic.
#[rustfmt::skip]
pub(super) static RULES: &[Rule] = &[
    // An account that may only read is another matter: see FB1002.
    own!(Refuse "P8" "the vCenter account has every privilege" HOME;
        "FB1021" Operator "the vCenter account lacks privileges";
        "its role was made for discovery, or lacks some of what reprotect and failback need",
        "the role is not propagated from the datacenter"
        => "Give the account's role the privileges that are named, propagated from the datacenter; then try again.";
        |f| {
            let missing = &f.vcenter.known()?.missing;
            (!missing.is_empty()).then(|| ("vCenter".to_owned(), missing.join(", ")))
        }),
];

/// Privileges that reprotect and failback need, as vCenter names them.
#[rustfmt::skip]
pub static NEEDED: &[&str] = &[
    // Datastores: allocate space, browse, low-level operations, remove files, update machines' files.
    "Datastore.AllocateSpace", "Datastore.Browse", "Datastore.FileManagement", "Datastore.DeleteFile",
    "Datastore.UpdateVirtualMachineFiles",
    "Network.Assign",
    // Resources: assign a machine to a pool, migrate it off and on.
    "Resource.AssignVMToPool", "Resource.ColdMigrate", "Resource.HotMigrate",
    "Task.Create", "Task.Update",
    // Configuration of machines.
    "VirtualMachine.Config.AddExistingDisk", "VirtualMachine.Config.AddNewDisk",
    "VirtualMachine.Config.AddRemoveDevice", "VirtualMachine.Config.AdvancedConfig",
    "VirtualMachine.Config.CPUCount", "VirtualMachine.Config.DiskExtend", "VirtualMachine.Config.EditDevice",
    "VirtualMachine.Config.Memory", "VirtualMachine.Config.RawDevice", "VirtualMachine.Config.RemoveDisk",
    "VirtualMachine.Config.Rename", "VirtualMachine.Config.Settings",
    // Interaction.
    "VirtualMachine.Interact.AnswerQuestion", "VirtualMachine.Interact.DeviceConnection",
    "VirtualMachine.Interact.SetCDMedia", "VirtualMachine.Interact.SetFloppyMedia",
    "VirtualMachine.Interact.PowerOff", "VirtualMachine.Interact.PowerOn", "VirtualMachine.Interact.ToolsInstall",
    // Inventory, provisioning, snapshots.
    "VirtualMachine.Inventory.Create", "VirtualMachine.Inventory.Register", "VirtualMachine.Inventory.Unregister",
    "VirtualMachine.Provisioning.GetVmFiles", "VirtualMachine.Provisioning.PutVmFiles",
    "VirtualMachine.State.RemoveSnapshot",
];
