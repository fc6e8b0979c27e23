//! Codes that are documented for Site Recovery, with their documented numbers.

use super::entries;

entries! {
    HYDRATION "170010" Operator ["C4"] "the machine could not be prepared for Azure";
        "boot drivers that Azure needs are disabled in the guest",
        "the guest has no DHCP service"
        => "Set the start type of the drivers the guest needs, then fail over again.";
    AZURE_VM_CREATE "28031" Operator ["C4"] "the virtual machine could not be created in Azure";
        "a quota of the subscription is exhausted",
        "the size is not offered where the machine must run",
        "a policy of the subscription forbids it",
        "Azure refused or did not answer"
        => "Correct quota, size or policy, then fail over again.";
    AZURE_NIC_CREATE "28092" Operator ["C4"] "the network interface could not be created in Azure";
        "the quota of network interfaces is exhausted"
        => "Raise the quota, then fail over again.";
    AZURE_NETWORK_MISSING "70038" Operator ["C4"] "the network chosen for the machine does not exist in Azure";
        "the network was deleted or renamed"
        => "Create the network (for a test failover name another one), then fail over again.";
    MT_HEARTBEAT "78022" Operator ["P30"] "no heartbeat from the master target";
        "the master target is powered off",
        "the mobility service (svagents) on the master target is stopped",
        "the master target cannot reach the configuration server"
        => "Start the master target and its services, wait for a heartbeat, then try again.";
    PS_UPLOAD_BLOCKED "78028" Operator ["P12"] "the upload from the source to the process server is blocked";
        "a firewall, proxy or antivirus product interrupts the upload",
        "the process server is short of cache"
        => "Fix the way from the machine to the process server; recovery points resume by themselves.";
    VM_NAME_TAKEN "78052" Operator ["P36"] "protection could not be completed: a machine of this name exists on the host";
        "a virtual machine of the same name is on the master target's ESXi host"
        => "Use a master target on another host, move it there (never with Storage vMotion), or rename the stray machine.";
    AZURE_VM_DOWN "78093" Operator ["P31"] "the virtual machine is not running, hangs or cannot be reached";
        "the Azure virtual machine is stopped or deallocated",
        "it is on the wrong network, so that its agent cannot register",
        "its guest hangs"
        => "Start or restart the Azure virtual machine, or put its network card back where it belongs, wait up to 15 minutes, then reprotect again.";
    APP_POINT_MISSING "78144" Operator ["R1"] "no application-consistent recovery point was made";
        "the VSS provider is missing or disabled",
        "the mobility agent is too old"
        => "Repair the VSS provider, or update the agent; crash-consistent points go on meanwhile.";
    INITIAL_SYNC_PROBLEM "78169" Operator ["C11"] "the initial replication has a problem";
        "connectivity or bandwidth between machine and process server",
        "clocks that differ",
        "antivirus products that interfere"
        => "Fix connectivity, time and exclusions; the replication goes on from where it is.";
    AGENT_HEARTBEAT "78174" Operator ["P32"] "no heartbeat from the source machine";
        "the machine is down",
        "the mobility service (svagents) or the InMage Scout Application service is stopped",
        "the machine cannot reach the configuration server"
        => "Start the machine and its services, check the way to the configuration server, then try again.";
    PS_UNREACHABLE "78186" Operator ["P12"] "the process server cannot be reached from the source machine";
        "port 9443 is blocked",
        "the services of the process server are stopped",
        "a proxy interferes"
        => "Fix the connection to the process server, or start its services; crash- and application-consistent points resume by themselves.";
    HIGH_CHURN "78188" Wait ["R8"] "the machine changes data faster than it can be replicated";
        "a spike of writes",
        "a lasting rate above the limit of the disk type"
        => "Wait until the spike is over, or use a faster disk type.";
    POLICY_UNUSABLE "78253" Operator ["P10"] "protection could not be enabled";
        "the replication policy is invalid",
        "the policy is not associated with the configuration server"
        => "Create a policy, associate it with the configuration server, then enable protection again.";
    HOST_MEMORY "8038" Operator ["P39"] "the on-premises virtual machine could not be brought up";
        "its host lacks memory"
        => "Add memory to the host or move the virtual machine to another one, then fail back again.";
    PS_HEARTBEAT "806" Operator ["P13"] "no heartbeat from the process server for 15 minutes";
        "the process server is powered off",
        "its services do not reach the configuration server"
        => "Start the process server and its services, wait for a heartbeat, then try again.";
    DATASTORE_INACCESSIBLE "8061" Operator ["P24"] "the datastore is not accessible from the master target's ESXi host";
        "the datastore is not mounted there",
        "it is mounted read-only",
        "its type is not supported"
        => "Mount the datastore read/write on the master target's host, then reprotect again.";
    CS_UNREACHABLE_FROM_AZURE "95226" Operator ["P9", "P11", "P32"]
        "the Azure virtual machine cannot reach the configuration server";
        "there is no VPN or ExpressRoute private peering between the networks",
        "the configuration server is down or unreachable",
        "the InMage Scout Application service is stopped in the machine"
        => "Fix the connection, start the service and set it to Automatic, then reprotect again.";
}
