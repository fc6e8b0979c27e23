//! Control plane, process server and network: FB10 to FB12.

use super::entries;

entries! {
    VCENTER_DISCONNECTED "FB1001" Operator ["P1"] "vCenter is not connected";
        "vCenter is down or unreachable",
        "the configuration server lost its connection to vCenter"
        => "Bring vCenter back, wait until it shows as connected, then try again.";
    VCENTER_READ_ONLY "FB1002" Operator ["P8"] "the vCenter account may only read";
        "the account was set up for discovery only",
        "privileges were taken from its role"
        => "Give the account the privileges that reprotect and failback need, then try again.";
    CS_DISCONNECTED "FB1003" Operator ["P2", "P4"] "the configuration server is not connected";
        "the configuration server is down or unreachable",
        "its services are stopped",
        "its database was lost",
        "it was restored onto another address than the one it was registered with"
        => "Bring the configuration server back, or restore it from backup at its registered address; then try again.";
    CS_ROW_MISSING "FB1004" Operator ["P3"] "the machine is not in the configuration server's database";
        "the database was lost",
        "it was restored from a backup older than the machine's protection"
        => "Restore a backup of the configuration server that knows the machine, then try again.";
    CS_ADDRESS_CHANGED "FB1005" Operator ["P4"] "the configuration server does not have its registered address";
        "it was restored onto a machine with another IP address",
        "its address was changed"
        => "Give the configuration server the address it was registered with, then try again.";
    VCENTER_LOGIN "FB1006" Operator ["P8"] "vCenter refused the login";
        "the password of the account was changed",
        "the account is locked"
        => "Correct the credentials on the configuration server, then try again.";
    AZURE_UNREACHABLE "FB1007" Retry ["C16"] "Azure does not answer";
        "an outage of the region or of its control plane",
        "no way from here to Azure"
        => "Wait until Azure answers, then try again.";
    CS_NOT_THE_SAME "FB1008" Operator ["P4"] "this is not the configuration server the machine is protected under";
        "a new configuration server was set up instead of restoring the old one",
        "the old one was deleted from the vault"
        => "Restore the configuration server from its backup; where there is none, disable protection of the machine and protect it anew with the new server.";
    CS_CLONED "FB1009" Operator ["P4"] "a clone of the configuration server is connected to the vault";
        "its virtual machine was cloned, and the clone was started"
        => "Shut the clone down: cloning a configuration server is not supported; then try again.";
    CERTIFICATE_EXPIRED "FB1010" Operator ["P6"] "the certificate of the configuration server has expired";
        "it lives for three years, for one on servers set up before May 2016, and nobody renewed it"
        => "Run RenewCerts on the configuration server; agents and servers are heard of again within 15 minutes.";
    CERTIFICATE_NOT_RENEWABLE "FB1011" Operator ["P6"] "the certificate of the configuration server cannot be renewed from the portal";
        "it has expired already"
        => "Run RenewCerts on the configuration server.";
    CS_ONE_ADAPTER "FB1012" Operator ["P7"] "the configuration server needs a second network adapter for machines that kept their addresses";
        "the machine has its on-premises address in Azure, and the configuration server has one adapter only",
        "an adapter was added after the configuration server was registered"
        => "Add a network adapter for the traffic to Azure, register the configuration server again, then try again.";
    PS_NOT_IN_AZURE "FB1013" Operator ["P7"] "machines that kept their addresses need a process server in Azure";
        "the chosen process server stands on-premises"
        => "Set a process server up in the Azure network of the machine, choose it, then try again.";
    DUPLICATE_REGISTRATION "FB1014" Operator ["P40"] "a copy of the machine is registered more than once";
        "the machine was cloned with its agent, and the clone registered under the same name",
        "a stale registration was left behind"
        => "Delete the registrations of the machine on the configuration server; the agent that lives registers again within 5 minutes; then try again.";
    WRONG_REGISTRATION "FB1015" Operator ["C14"] "the registration of the machine is that of its other copy";
        "the configuration server takes the copy at home for the one in Azure, or the other way round"
        => "Delete the registrations of the machine on the configuration server; the agent that lives registers again within 5 minutes; then try again.";
    VM_NOT_DISCOVERED "FB1016" Wait ["P25"] "the virtual machine has not been discovered yet";
        "it came into vCenter less than 20 minutes ago"
        => "Wait until it is discovered, or refresh the configuration server; then try again.";
    VM_DUPLICATE "FB1017" Operator ["P40"] "there is more than one virtual machine with this instance UUID";
        "a virtual machine was copied and registered as moved",
        "a stale entry was left behind"
        => "Remove the copy from vCenter, or give it an instance UUID of its own; then try again.";
    STALE_ROW "FB1018" Operator ["P40", "C23"] "the configuration server's database has a stale row of the machine";
        "its protection was removed while the configuration server could not be reached"
        => "Delete the row from the configuration server's database, then try again.";
    PS_UNKNOWN "FB1101" Operator ["P13"] "the process server is not registered with the configuration server";
        "it never registered",
        "the configuration server's database lost it"
        => "Register the process server, or choose one that is listed; then try again.";
    PS_SILENT "FB1102" Operator ["P12", "P13"] "the process server does not answer";
        "the process server is down",
        "its services are stopped"
        => "Start the process server and its services, then try again.";
    PS_ADDRESS "FB1103" Operator ["P12"] "the process server has no static address of its own";
        "its IPv4 address comes from DHCP",
        "its address is translated between it and the machines"
        => "Give the process server a static IPv4 address that is not translated, then try again.";
    NO_PRIVATE_LINK "FB1201" Operator ["P11"] "there is no private connection between Azure and the site";
        "the site-to-site VPN is down",
        "ExpressRoute has no private peering"
        => "Bring the VPN or the private peering up, then try again.";
    PS_FORWARD_IN_AZURE "FB1202" Operator ["P11"] "the process server cannot be used towards Azure";
        "it stands in Azure: what replicates to Azure must not cross the private link"
        => "Choose a process server on-premises.";
}
