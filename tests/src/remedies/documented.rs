//! What the texts of codes that Site Recovery documents ask for.

use super::Entry;

/// These codes.
pub(super) const DOCUMENTED: &[Entry] = &[
    (
        "170010",
        &[
            ("Set the start type of the drivers", "operator/guest/set-driver"),
            ("fail over again", "failover"),
        ],
    ),
    (
        "28031",
        &[
            ("Correct quota, size or policy", "operator/azure/allow-machines"),
            ("fail over again", "failover"),
        ],
    ),
    ("28092", &[("Raise the quota", "operator/azure/card-quota"), ("fail over again", "failover")]),
    (
        "70038",
        &[
            ("Create the network", "operator/azure/create-network"),
            ("for a test failover name another one", "test-failover/network/failover-vnet"),
            ("fail over again", "failover"),
        ],
    ),
    (
        "78022",
        &[
            ("Start the master target", "operator/vcenter/power-on"),
            ("its services", "operator/master-target/change/start-services"),
            ("wait for a heartbeat", "wait"),
        ],
    ),
    ("78028", &[("Fix the way", "operator/process-server/change/allow-uploads")]),
    (
        "78052",
        &[
            ("Use a master target on another host", "reprotect/using/master-target"),
            ("move it there", "operator/vcenter/vmotion"),
            ("rename the stray machine", "operator/vcenter/rename-vm"),
        ],
    ),
    (
        "78093",
        &[
            ("Start", "operator/azure/start-vm"),
            ("restart the Azure virtual machine", "operator/azure/restart-vm"),
            ("put its network card back", "operator/azure/move-subnet/subnet/default"),
            ("reprotect again", "reprotect"),
        ],
    ),
    (
        "78144",
        &[
            ("Repair the VSS provider", "operator/guest/vss-broken/broken/false"),
            ("update the agent", "operator/guest/update-agent"),
        ],
    ),
    (
        "78169",
        &[
            ("Fix connectivity", "operator/link/open-port"),
            ("time", "operator/guest/time-skew"),
            ("exclusions", "operator/guest/antivirus/interferes/false"),
        ],
    ),
    (
        "78174",
        &[
            ("Start the machine", "operator/azure/restart-vm"),
            ("its services", "operator/guest/start-agent"),
            ("check the way to the configuration server", "operator/azure/move-subnet/subnet/default"),
        ],
    ),
    (
        "78186",
        &[
            ("Fix the connection", "operator/link/open-port"),
            ("start its services", "operator/process-server/change/start-service"),
        ],
    ),
    (
        "78188",
        &[
            ("Wait until the spike is over", "wait"),
            ("use a faster disk type", "policy/change/edit/disk-tier"),
        ],
    ),
    (
        "78253",
        &[
            ("Create a policy", "policy/change/create"),
            ("associate it with the configuration server", "policy/change/associate"),
            ("enable protection again", "enable-protection/policy/gold"),
        ],
    ),
    (
        "8038",
        &[
            ("Add memory to the host", "operator/vcenter/host-memory"),
            ("move the virtual machine to another one", "operator/vcenter/vmotion"),
            ("fail back again", "failback"),
        ],
    ),
    (
        "806",
        &[
            ("Start the process server", "restart/node/ps-azure"),
            ("its services", "operator/process-server/change/start-services"),
            ("wait for a heartbeat", "wait"),
        ],
    ),
    (
        "8061",
        &[
            ("Mount the datastore read/write", "operator/vcenter/datastore-access/access/read-write"),
            ("reprotect again", "reprotect"),
        ],
    ),
    (
        "95226",
        &[
            ("Fix the connection", "operator/link/vpn-up"),
            ("start the service", "operator/guest/start-service"),
            ("reprotect again", "reprotect"),
        ],
    ),
];
