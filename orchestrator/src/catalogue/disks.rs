//! Disks that change under a machine that replicates, and what does not go together: FB1770 to FB1779.

use super::entries;

entries! {
    NOT_REPLICATED_HOME "FB1770" Operator ["P37"] "a disk that was added in Azure does not replicate home yet";
        "it was attached to a Linux machine after the reprotect"
        => "Resynchronise the machine: the disk gets a VMDK at home and is copied; only points that cover it are offered then.";
    NOT_PROTECTED "FB1771" Operator ["P37"] "a disk of the machine is not protected";
        "it was added after protection was enabled"
        => "Disable protection and enable it again: a disk cannot join a machine that is protected.";
    NOT_FITTED "FB1772" Operator ["P37"] "the disks at home could not be made to fit those in Azure";
        "the datastore has no room",
        "the master target has a snapshot, so that its disks cannot be extended"
        => "Make room, or remove the snapshot, then resynchronise again; the points from before stay.";
    ISCSI_AS_VMDK "FB1775" Operator ["P37"] "a disk that was reached over iSCSI comes home as a VMDK";
        "the machine's guest had it by itself, beside the disks of the virtual machine"
        => "Make sure that the datastore has room for it; the volume on the iSCSI target stays as it was, and nobody uses it.";
    MT_OS_OLDER "FB1773" Operator ["P15"] "the master target's operating system is older than the machine's";
        "the machine was upgraded, or the master target was set up with what was at hand"
        => "Use a master target with the same or a higher version of the operating system.";
    PS_IN_OTHER_NETWORK "FB1774" Operator ["P12"] "the process server is in another Azure network than the machine";
        "machines were failed over into more than one virtual network"
        => "Set up a process server in each network that machines are in, and use the one in the machine's.";
}
