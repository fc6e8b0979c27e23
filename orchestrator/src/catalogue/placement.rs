//! vCenter's accounts, hosts and licences, and where machines may come home to: FB102.

use super::entries;

entries! {
    NOT_ESXI "FB1020" Operator ["P34"] "the host that the machine would come home to is no ESXi host";
        "the master target stands on Hyper-V, or on another hypervisor than VMware ESXi"
        => "Use a master target on an ESXi host.";
    PRIVILEGES_MISSING "FB1021" Operator ["P8"] "the vCenter account lacks privileges";
        "its role was made for discovery, or lacks some of what reprotect and failback need",
        "the role is not propagated from the datacenter"
        => "Give the account's role the privileges that are named, propagated from the datacenter; then try again.";
    OTHER_VCENTER "FB1022" Operator ["P5"] "the master target is in another vCenter than the machine came from";
        "the master target was set up at another site, or in a vCenter that was added for the failback"
        => "Use a master target in the original vCenter.";
    SYSTEM_STAYS "FB1510" Fatal ["P33"] "the machine's operating system cannot come home from a physical machine";
        "Windows Server 2008 R2 SP1 was protected as a physical machine"
        => "Keep it in Azure, or upgrade its operating system there and protect it anew.";
    FIRMWARE_STAYS "FB1511" Fatal ["P33"] "a machine that boots by UEFI cannot come home";
        "its replication is for a migration to Azure only"
        => "Keep the machine in Azure.";
    PHYSICAL_PLANNED "FB1512" Operator ["P35"] "a physical machine cannot be failed over planned";
        "planned failover was asked for"
        => "Ask for an unplanned failover; it does the same.";
    PHYSICAL_RUNS "FB1513" Operator ["C12", "P35", "I2"] "the physical machine still runs";
        "nobody has switched it off since the failover, or somebody has switched it on again"
        => "Switch it off, wait 15 minutes until it counts as gone, then fail back again.";
    RAW_DEVICE "FB1515" Fatal ["P36"] "a raw device mapping cannot be recovered to an alternate location";
        "the virtual machine on-premises was deleted, and one of its disks was a raw device mapping"
        => "Register the original virtual machine with its raw devices again; production goes on in Azure meanwhile.";
    VM_SNAPSHOT "FB1516" Operator ["P17"] "the on-premises virtual machine has snapshots";
        "somebody, or a backup product, took a snapshot of it"
        => "Remove all its snapshots, then reprotect again.";
}
