//! Operations beside the cycle, which leave production where it is, and inputs beside the usual: FB1720 to FB1729.

use super::entries;

entries! {
    NOT_SERVED "FB1720" Operator ["P13"] "the machine is not served by the process server it is to leave";
        "it was moved to another process server already",
        "another process server was named when it was protected or reprotected"
        => "Look up on the machine's page which process server serves it, and name that one as the source.";
    DISKS_UNFIT "FB1721" Operator ["P37", "C9"] "a reprotect cannot replicate these disks";
        "disksToInclude leaves out the disk that the machine boots from",
        "it names a disk that is not protected"
        => "Name the disk that the machine boots from and what else shall come home, or no disk at all, which means every protected one.";
}
