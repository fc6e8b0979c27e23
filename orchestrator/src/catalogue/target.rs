//! Master target, datastores and retention: FB13 and FB14.

use super::entries;

entries! {
    MT_OS_FAMILY "FB1301" Operator ["P15"] "the master target runs another operating system family than the machine";
        "a Windows machine needs a Windows master target, a Linux machine a Linux one"
        => "Choose a master target of the machine's operating system family.";
    MT_VERSION "FB1302" Operator ["P16"] "the master target is newer than the configuration server or the process server";
        "the master target was updated first"
        => "Update the configuration server and the process server, in this order; else replication fails.";
    MT_SNAPSHOT "FB1303" Operator ["P17"] "the master target has a snapshot";
        "somebody, or a backup product, took a snapshot of the master target"
        => "Remove all snapshots of the master target, then try again.";
    MT_CONTROLLER "FB1304" Operator ["P18"] "the master target's SCSI controller is not supported";
        "the controller is VMware Paravirtual, or another one than LSI Logic"
        => "Give the master target an LSI Logic controller, then try again.";
    MT_FULL "FB1305" Operator ["P19"] "the master target would hold more than 60 disks";
        "too many machines fail back through one master target"
        => "Use another master target, or complete failbacks that are under way.";
    MT_ENABLE_UUID "FB1306" Operator ["P21", "I3"] "disk.EnableUUID is not TRUE on the master target";
        "the setting was never made, or was lost when the machine was rebuilt"
        => "Power the master target off, set disk.EnableUUID to TRUE, power it on, then try again.";
    MT_NO_TOOLS "FB1307" Operator ["P22"] "VMware Tools are not running on the master target";
        "VMware Tools or open-vm-tools are not installed, or stopped"
        => "Install and start them; the datastores of its host then appear.";
    MT_NOT_A_VM "FB1308" Operator ["P25"] "the master target is not a virtual machine of this vCenter";
        "it is a physical machine",
        "it was removed from the inventory or belongs to another vCenter",
        "discovery has not seen it yet (up to 30 minutes)"
        => "Use a master target that is a virtual machine in the connected vCenter, or register it there again and refresh the configuration server; then try again.";
    MT_UUID_CLASH "FB1309" Operator ["P26"] "a disk of the machine has the same UUID as a disk of the master target";
        "both were made from one template"
        => "Use a master target that was made from another template.";
    MT_SILENT "FB1310" Operator ["P30"] "the master target does not answer";
        "the master target is powered off or unreachable",
        "its services are stopped"
        => "Start the master target and its services, then try again.";
    MT_DISKS_GONE "FB1311" Operator ["P20"] "disks of the machine are not where they were attached to the master target";
        "the master target was moved with Storage vMotion",
        "somebody detached the disks by hand"
        => "Find the disks by UUID, detach them from the master target and attach them to the machine, then try again.";
    MT_UNKNOWN "FB1312" Operator ["P25", "P30"] "the master target is not registered with the configuration server";
        "it never registered",
        "the configuration server's database lost it"
        => "Register the master target, or choose one that is listed; then try again.";
    MT_PROXY "FB1313" Operator ["P9"] "the master target cannot register: curl: (35) TLS connect error";
        "its calls go through a proxy that asks for a login"
        => "Let the master target pass the proxy by, or disable the proxy; it registers within minutes.";
    MT_HOSTS_FILE "FB1314" Operator ["P9"] "the master target cannot register: its host name is not in /etc/hosts";
        "the entries were not made before it was installed",
        "a network card was added later"
        => "Map its host name to the address of every network card in /etc/hosts; it registers within minutes.";
    MT_LVM "FB1315" Operator ["P28"] "the master target's root or retention volume lies on LVM";
        "the system was installed with the installer's default layout"
        => "Use another master target, installed without LVM.";
    MT_KERNEL_OLD "FB1316" Operator ["P28"] "the master target takes no data: its kernel was updated";
        "its system updates the kernel by itself"
        => "Run ApplyCustomChanges.sh on the master target, turn automatic updates off, then try again.";
    NO_DATASTORE "FB1401" Operator ["P23"] "the master target's ESXi host has no usable datastore";
        "the host has no VMFS or vSAN datastore, only NFS",
        "the datastores are not mounted read/write"
        => "Give the host a VMFS datastore that is mounted read/write, then try again.";
    NO_RETENTION "FB1402" Operator ["P27"] "the master target has no usable retention volume";
        "the volume is missing, locked, FAT, empty, or not dedicated (the target of a replication, the cache)",
        "it was added less than 15 minutes ago"
        => "Add a dedicated volume for retention, refresh the configuration server, then try again.";
    DATASTORE_UNKNOWN "FB1403" Operator ["C9", "P36"] "the chosen datastore does not exist";
        "its name is misspelt",
        "it was removed"
        => "Choose a datastore that the master target's host lists.";
    VSAN_REFUSED "FB1404" Operator ["P23"] "the lab's settings keep the machine's disks off vSAN";
        "vSAN is a supported target by some of the documentation only"
        => "Choose, or move the disks to, a VMFS datastore; then try again.";
}
