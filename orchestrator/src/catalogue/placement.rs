//! vCenter's accounts, hosts and licences, and where machines may come home to: FB102.

use super::entries;

entries! {
    NOT_ESXI "FB1020" Operator ["P34"] "the host that the machine would come home to is no ESXi host";
        "the master target stands on Hyper-V, or on another hypervisor than VMware ESXi"
        => "Use a master target on an ESXi host.";
}
