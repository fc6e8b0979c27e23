//! Disks that change under a machine that replicates: FB1770 to FB1779.

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
}
