//! What the texts about servers ask for: vCenter, the configuration server, process servers, master targets.

use super::Entry;

/// These codes.
pub(super) const OF_SERVERS: &[Entry] = &[
    (
        "FB1001",
        &[("Bring vCenter back", "operator/vcenter/reconnect"), ("wait until it shows as connected", "wait")],
    ),
    ("FB1002", &[("Give the account the privileges", "operator/vcenter/account-privileges/privileges/full")]),
    (
        "FB1003",
        &[
            ("Bring the configuration server back", "operator/configuration-server/start"),
            ("restore it from backup", "operator/configuration-server/restore"),
        ],
    ),
    ("FB1004", &[("Restore a backup of the configuration server", "operator/configuration-server/restore")]),
    (
        "FB1005",
        &[(
            "Give the configuration server the address",
            "operator/configuration-server/restore/address/10.0.0.10",
        )],
    ),
    ("FB1006", &[("Correct the credentials", "operator/vcenter/account-password")]),
    ("FB1007", &[("Wait until Azure answers", "clear")]),
    (
        "FB1008",
        &[
            ("Restore the configuration server from its backup", "operator/configuration-server/restore"),
            ("disable protection of the machine", "disable-protection"),
            ("protect it anew with the new server", "enable-protection"),
        ],
    ),
    ("FB1009", &[("Shut the clone down", "operator/configuration-server/remove-clone")]),
    ("FB1010", &[("Run RenewCerts", "operator/configuration-server/renew-certs")]),
    ("FB1011", &[("Run RenewCerts", "operator/configuration-server/renew-certs")]),
    (
        "FB1012",
        &[
            ("Add a network adapter", "operator/configuration-server/add-adapter"),
            ("register the configuration server again", "operator/configuration-server/register-again"),
        ],
    ),
    (
        "FB1013",
        &[
            ("Set a process server up in the Azure network", "restart/node/ps-azure"),
            ("choose it", "reprotect/using/process-server/ps-azure"),
        ],
    ),
    ("FB1014", &[("Delete the registrations", "operator/configuration-server/delete-registrations")]),
    ("FB1015", &[("Delete the registrations", "operator/configuration-server/delete-registrations")]),
    (
        "FB1016",
        &[
            ("Wait until it is discovered", "wait"),
            ("refresh the configuration server", "operator/configuration-server/refresh"),
        ],
    ),
    (
        "FB1017",
        &[
            ("Remove the copy from vCenter", "operator/vcenter/delete-vm"),
            ("give it an instance UUID of its own", "operator/vcenter/own-instance-uuid"),
        ],
    ),
    ("FB1018", &[("Delete the row", "operator/configuration-server/delete-machine")]),
    ("FB1020", &[("Use a master target on an ESXi host", "reprotect/using/master-target")]),
    (
        "FB1021",
        &[("Give the account's role the privileges", "operator/vcenter/account-privileges/privileges/full")],
    ),
    ("FB1022", &[("Use a master target in the original vCenter", "reprotect/using/master-target")]),
    (
        "FB1101",
        &[
            ("Register the process server", "restart/node/ps-dmz"),
            ("choose one that is listed", "reprotect/using/process-server/ps-azure"),
        ],
    ),
    (
        "FB1102",
        &[
            ("Start the process server", "restart/node/ps-azure"),
            ("its services", "operator/process-server/change/start-services"),
        ],
    ),
    (
        "FB1103",
        &[(
            "Give the process server a static IPv4 address",
            "operator/process-server/change/address/static/true",
        )],
    ),
    (
        "FB1201",
        &[("Bring the VPN", "operator/link/vpn-up"), ("the private peering up", "operator/link/build")],
    ),
    ("FB1202", &[("Choose a process server on-premises", "reprotect/using/process-server/ps-cs")]),
    ("FB1301", &[("Choose a master target", "reprotect/using/master-target")]),
    (
        "FB1302",
        &[
            ("Update the configuration server", "operator/configuration-server/update"),
            ("the process server", "operator/process-server/change/update"),
        ],
    ),
    ("FB1303", &[("Remove all snapshots", "operator/vcenter/remove-snapshots")]),
    (
        "FB1304",
        &[(
            "Give the master target an LSI Logic controller",
            "operator/vcenter/controller/controller/lsi-logic",
        )],
    ),
    (
        "FB1305",
        &[
            ("Use another master target", "reprotect/using/master-target/mt-two"),
            ("complete failbacks that are under way", "failback"),
        ],
    ),
    (
        "FB1306",
        &[
            ("Power the master target off", "operator/vcenter/power-off"),
            ("set disk.EnableUUID to TRUE", "operator/vcenter/set-option"),
            ("power it on", "operator/vcenter/power-on"),
        ],
    ),
    ("FB1307", &[("Install and start them", "operator/vcenter/tools/installed/true")]),
    (
        "FB1308",
        &[
            ("Use a master target that is a virtual machine", "reprotect/using/master-target"),
            ("register it there again", "operator/vcenter/register-vm"),
            ("refresh the configuration server", "operator/configuration-server/refresh"),
        ],
    ),
    (
        "FB1309",
        &[("Use a master target that was made from another template", "reprotect/using/master-target")],
    ),
    (
        "FB1310",
        &[
            ("Start the master target", "operator/vcenter/power-on"),
            ("its services", "operator/master-target/change/start-services"),
        ],
    ),
    (
        "FB1311",
        &[
            ("detach them from the master target", "operator/vcenter/detach-disk"),
            ("attach them to the machine", "operator/vcenter/attach-disk"),
        ],
    ),
    (
        "FB1312",
        &[
            ("Register the master target", "operator/vcenter/power-on"),
            ("choose one that is listed", "reprotect/using/master-target"),
        ],
    ),
    (
        "FB1313",
        &[
            (
                "Let the master target pass the proxy by",
                "operator/master-target/change/authenticated-proxy/used/false",
            ),
            ("disable the proxy", "operator/master-target/change/authenticated-proxy/used/false"),
        ],
    ),
    ("FB1314", &[("Map its host name", "operator/master-target/change/complete-hosts-file")]),
    ("FB1315", &[("Use another master target", "reprotect/using/master-target")]),
    (
        "FB1316",
        &[
            ("Run ApplyCustomChanges.sh", "operator/master-target/change/apply-custom-changes"),
            ("turn automatic updates off", "operator/master-target/change/automatic-updates/on/false"),
        ],
    ),
    ("FB1401", &[("mounted read/write", "operator/vcenter/datastore-access/access/read-write")]),
    (
        "FB1402",
        &[
            ("Add a dedicated volume for retention", "operator/master-target/change/retention-back"),
            ("refresh the configuration server", "operator/configuration-server/refresh"),
        ],
    ),
    ("FB1403", &[("Choose a datastore", "reprotect/using/datastore")]),
    (
        "FB1404",
        &[
            ("Choose", "reprotect/using/datastore"),
            ("move the disks to, a VMFS datastore", "operator/vcenter/storage-vmotion"),
        ],
    ),
];
