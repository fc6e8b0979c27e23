//! What each text of the catalogue asks people to do, and the step of a scenario that does it.
//!
//! A text that names three ways out has three lines. A new entry of the catalogue needs its lines here, and a scenario
//! that takes each way after the code was shown: `tests/remedies.rs` holds it.

mod documented;
mod servers;

use documented::DOCUMENTED;
use servers::OF_SERVERS;

/// What a text asks for: its words, and the path of the step that does it, key by key as scenario files write it.
pub type Remedy = (&'static str, &'static str);

/// A text that asks for nothing: it tells what has happened, or only what not to do.
pub const TELLS: &str = "";

/// A code of the catalogue, with what its text asks for.
pub type Entry = (&'static str, &'static [Remedy]);

/// Every code of the catalogue.
pub fn all() -> impl Iterator<Item = Entry> {
    DOCUMENTED.iter().chain(OF_SERVERS).chain(REMEDIES).copied()
}

/// Those of machines, recovery points, plans and what goes wrong on the way.
const REMEDIES: &[Entry] = &[
    ("FB1501", &[("Wait until the agent has registered", "wait")]),
    ("FB1502", &[("protect the on-premises machine anew", "enable-protection")]),
    (
        "FB1503",
        &[
            ("Register the virtual machine again", "operator/vcenter/register-vm"),
            ("reprotect to an alternate location", "reprotect/to/on-premises"),
        ],
    ),
    ("FB1504", &[("Bring the host back", "operator/vcenter/reconnect-host")]),
    (
        "FB1505",
        &[
            ("Restore the original disks", "operator/vcenter/attach-disk"),
            ("delete the virtual machine", "operator/vcenter/delete-vm"),
        ],
    ),
    ("FB1506", &[("Power it off", "operator/vcenter/power-off")]),
    (
        "FB1507",
        &[
            ("delete its copy in Azure", "operator/azure/delete-vm"),
            ("start the machine at home", "operator/vcenter/power-on"),
            ("protect it anew", "enable-protection"),
        ],
    ),
    (
        "FB1508",
        &[
            ("Extend the smaller of the two", "operator/vcenter/extend-disk"),
            ("in Azure", "operator/azure/grow-disk"),
            ("delete the on-premises virtual machine", "operator/vcenter/delete-vm"),
        ],
    ),
    ("FB1510", &[("complete its migration", "complete-migration")]),
    ("FB1511", &[("complete its migration", "complete-migration")]),
    ("FB1512", &[("Ask for an unplanned failover", "failover")]),
    ("FB1513", &[("Switch it off", "operator/guest/switch-off"), ("wait 15 minutes", "wait")]),
    (
        "FB1515",
        &[
            ("Register the original virtual machine", "operator/vcenter/register-vm"),
            ("leave the raw devices out", "reprotect/using/disks"),
        ],
    ),
    ("FB1516", &[("Remove all its snapshots", "operator/vcenter/remove-snapshots")]),
    ("FB1530", &[("move it back", "operator/azure/move-group")]),
    (
        "FB1531",
        &[
            ("Leave those disks out", "enable-protection/every-disk/false"),
            ("choose another name in Azure", "enable-protection/azure-name/web-shop"),
        ],
    ),
    ("FB1601", &[("Wait for a recovery point", "wait-until/points")]),
    (
        "FB1602",
        &[
            ("Choose the latest point", "failback/point/latest"),
            ("wait for an application-consistent one", "wait-until/app-points"),
        ],
    ),
    ("FB1603", &[("Choose a recovery point that is offered", "failover/point/custom")]),
    (
        "FB1604",
        &[
            ("Choose the latest point", "failback/point/latest"),
            ("wait for a common application-consistent one", "wait"),
        ],
    ),
    ("FB1701", &[("Put all members into a recovery plan", "save-plan"), ("run the plan", "failover/plan")]),
    ("FB1702", &[("Split the plan", "save-plan/name/rest")]),
    ("FB1703", &[("Merge groups", "save-plan/name/all"), ("split the plan", "save-plan/name/eighth")]),
    (
        "FB1704",
        &[
            ("Correct what the members report", "operator/guest/start-agent"),
            ("run the plan again", "failback/plan"),
        ],
    ),
    ("FB1705", &[("Add the missing members", "save-plan"), ("run the plan again", "failover/plan")]),
    ("FB1706", &[("Give the inputs", "reprotect/plan")]),
    ("FB1707", &[("Use one operating system family and one master target", "reprotect/using/master-target")]),
    ("FB1708", &[("Keep the machine in one group of the plan", "save-plan")]),
    ("FB1709", &[("Add machines to the plan", "save-plan")]),
    ("FB1710", &[("Disable its protection", "disable-protection"), ("protect it anew", "enable-protection")]),
    (
        "FB1711",
        &[
            ("Protect the machine in another group", "enable-protection/group/tills"),
            ("or alone", "enable-protection"),
        ],
    ),
    (
        "FB1712",
        &[
            ("Make a plan for each direction", "save-plan/name/eighth"),
            ("wait until all of them replicate the same way", "wait-until/state/reverse-protected"),
        ],
    ),
    ("FB1713", &[("Correct the action", "save-plan/name/all"), ("leave it out", "save-plan/name/seven")]),
    ("FB1714", &[("nothing needs to be confirmed", TELLS)]),
    ("FB1715", &[("Keep all members", "save-plan")]),
    ("FB1720", &[("name that one as the source", "move-process-server/from/ps-two")]),
    ("FB1721", &[("Name the disk", "reprotect/using/disks"), ("or no disk at all", "reprotect")]),
    (
        "FB1730",
        &[
            ("Choose the latest point", "failback/point/latest"),
            ("the latest application-consistent one", "failback/point/app-consistent"),
        ],
    ),
    (
        "FB1731",
        &[
            ("Clean the test failover up", "clean-up-test-failover"),
            ("choose another address", "failover/address"),
        ],
    ),
    (
        "FB1760",
        &[
            ("disable the protection", "disable-protection"),
            ("protect the machine anew", "enable-protection"),
            ("keep the machine in Azure", "disable-protection"),
            ("shut it down there", "operator/azure/stop-vm"),
            ("fail back", "failback"),
        ],
    ),
    (
        "FB1761",
        &[
            ("resynchronise a Linux machine", "resynchronise"),
            ("copy what it holds to a protected disk", "operator/guest/copy-disk"),
            ("attach it to another machine in Azure", "operator/azure/attach-disk"),
        ],
    ),
    ("FB1770", &[("Resynchronise the machine", "resynchronise")]),
    ("FB1771", &[("Disable protection", "disable-protection"), ("enable it again", "enable-protection")]),
    (
        "FB1772",
        &[
            ("Make room", "operator/vcenter/datastore-free"),
            ("remove the snapshot", "operator/vcenter/remove-snapshots"),
            ("resynchronise again", "resynchronise"),
        ],
    ),
    ("FB1773", &[("Use a master target", "reprotect/using/master-target")]),
    (
        "FB1774",
        &[
            ("Set up a process server", "restart/node/ps-dmz"),
            ("use the one in the machine's", "reprotect/using/process-server"),
        ],
    ),
    ("FB1775", &[("Make sure that the datastore has room for it", "operator/vcenter/datastore-free")]),
    ("FB1801", &[("Look at the allowed operations of the item", TELLS)]),
    (
        "FB1802",
        &[
            ("Resolve the health errors", "operator/process-server/change/start-services"),
            ("wait until the health is normal", "wait-until/health/normal"),
        ],
    ),
    ("FB1803", &[("Wait until the job ends", "wait-until/state/failed-over")]),
    ("FB1804", &[("Check the name", "save-plan/name/seven")]),
    ("FB1805", &[("Correct the request", "reprotect/using/datastore/no-such-datastore")]),
    ("FB1806", &[("Let the job end", "wait-until/state/failed-back")]),
    ("FB1807", &[("edit the forward policy", "policy/change/edit")]),
    (
        "FB1808",
        &[
            ("Disable their protection", "disable-protection"),
            ("protect them under another policy", "enable-protection/policy"),
            ("take its association away", "policy/change/dissociate"),
        ],
    ),
    ("FB1809", &[("Correct the policy", "policy/change/create/app-consistent-every")]),
    (
        "FB1810",
        &[
            ("Ask for that operation again", "failback/item"),
            ("remove the machine from the vault alone", "remove-protection"),
        ],
    ),
    ("FB1811", &[("Protect the on-premises machine anew", "enable-protection")]),
    (
        "FB1812",
        &[
            ("Register it in this vault again", "operator/configuration-server/register-here"),
            ("disable the protection of its machines", "disable-protection"),
            ("protect them anew", "enable-protection"),
        ],
    ),
    (
        "FB1813",
        &[
            ("Delete the virtual machine in Azure", "operator/azure/delete-vm"),
            ("protect that anew", "enable-protection"),
        ],
    ),
    ("FB1820", &[("Ask for the operation itself", "failback")]),
    (
        "FB2001",
        &[("Correct the cause", "operator/vcenter/account-privileges"), ("repeat the operation", "failback")],
    ),
    ("FB2002", &[("Correct the cause", "operator/vcenter/reconnect"), ("repeat the operation", "failback")]),
    ("FB2003", &[("Correct the cause", "operator/vcenter/reconnect"), ("repeat the operation", "failback")]),
    (
        "FB2004",
        &[("Check the virtual machine in Azure", "operator/azure/stop-vm"), ("fail back again", "failback")],
    ),
    ("FB2005", &[("Remove the lock", "operator/azure/delete-lock/on/false"), ("commit again", "commit")]),
    (
        "FB2006",
        &[
            ("Remove the snapshots by hand", "operator/vcenter/remove-snapshots"),
            ("correct the cause", "operator/vcenter/account-privileges"),
            ("reprotect again", "reprotect/to/on-premises"),
        ],
    ),
    (
        "FB2007",
        &[("Correct the cause", "operator/vcenter/reconnect"), ("try again", "reprotect/to/on-premises")],
    ),
    (
        "FB2008",
        &[
            ("Correct the cause", "operator/vcenter/datastore-free"),
            ("reprotect again", "reprotect/to/on-premises"),
        ],
    ),
    (
        "FB2009",
        &[
            ("Check process server and master target", "operator/master-target/change/start-services"),
            ("try again", "reprotect/to/on-premises"),
        ],
    ),
    (
        "FB2010",
        &[
            ("Check the machine and its agent", "operator/guest/start-agent"),
            ("try again", "reprotect/to/on-premises"),
        ],
    ),
    (
        "FB2011",
        &[
            ("Check process server", "operator/process-server/change/unthrottle"),
            ("link", "operator/link/vpn-up"),
            ("try again", "failback"),
        ],
    ),
    ("FB2012", &[("fail back again", "failback")]),
    ("FB2014", &[("fail over again", "failover")]),
    (
        "FB2015",
        &[
            ("Bring the configuration server back", "operator/configuration-server/restore"),
            ("try again", "commit"),
        ],
    ),
    ("FB2016", &[("Correct the cause", "operator/vcenter/reconnect"), ("repeat the operation", "failback")]),
    ("FB2017", &[("Start the virtual machine in Azure", "operator/azure/start-vm")]),
    ("FB2018", &[("try again", "failover")]),
    (
        "FB2019",
        &[
            ("Check process server and master target", "operator/process-server/change/start-services"),
            ("try again", "failover"),
        ],
    ),
    ("FB2022", &[("Repeat the operation", "failover")]),
    (
        "FB2023",
        &[
            ("Correct the cause there", "operator/vcenter/host-memory"),
            ("run the plan again", "failback/plan"),
        ],
    ),
    (
        "FB2024",
        &[
            ("Correct the cause", "operator/vcenter/reconnect"),
            ("reprotect again", "reprotect/to/on-premises"),
        ],
    ),
    (
        "FB2035",
        &[
            ("Assign a paid or an evaluation licence", "operator/vcenter/host-licence"),
            ("try again", "failback"),
        ],
    ),
    (
        "FB2050",
        &[
            ("Wait until every disk is synchronised", "wait"),
            ("resynchronise a machine whose replication has stopped", "resynchronise"),
            ("fail back again", "failback"),
        ],
    ),
    (
        "FB2065",
        &[
            ("Correct the cause", "operator/azure/delete-lock/on/false"),
            ("clean up again", "clean-up-test-failover"),
        ],
    ),
    ("FB2098", &[("Repeat the operation", TELLS)]),
    ("FB2099", &[("report the defect", TELLS)]),
    (
        "FB2101",
        &[
            ("Keep the on-premises machine off", "operator/vcenter/power-off"),
            ("reprotect powers it off", "reprotect/to/on-premises"),
        ],
    ),
    (
        "FB2102",
        &[
            ("Power the on-premises machine off", "operator/vcenter/power-off"),
            ("reprotect does so", "reprotect/to/on-premises"),
        ],
    ),
    (
        "FB2103",
        &[
            ("Disable them by hand in Azure", "operator/guest/set-tools/enabled/false"),
            ("enable them by hand on-premises", "operator/guest/set-tools/enabled/true"),
        ],
    ),
    ("FB2104", &[("Choose application-consistent", "failback/point/app-consistent")]),
    ("FB2105", &[("Nothing stops", TELLS)]),
    ("FB2106", &[("Set the address by hand", "operator/guest/set-address/dhcp/false")]),
    ("FB2107", &[("Data written after the last recovery point is only on the source", TELLS)]),
    (
        "FB2108",
        &[
            ("Set up a process server in Azure's network", "restart/node/ps-azure"),
            ("use that one", "move-process-server/to/ps-azure"),
        ],
    ),
    (
        "FB2110",
        &[
            ("Move machines to another process server", "move-process-server/to"),
            ("add processors", "operator/process-server/change/hardware/cpus"),
        ],
    ),
    (
        "FB2111",
        &[
            ("Move machines to another process server", "move-process-server/to"),
            ("add memory", "operator/process-server/change/hardware/memory-gb"),
        ],
    ),
    (
        "FB2112",
        &[
            ("Free the volume", "operator/process-server/change/cache-size"),
            ("widen the way out", "operator/process-server/change/unthrottle"),
        ],
    ),
    ("FB2113", &[("Raise the limit", "operator/process-server/change/unthrottle"), ("or wait", "wait")]),
    (
        "FB2114",
        &[
            ("Start the services", "operator/process-server/change/start-service"),
            ("set them to start automatically", "operator/process-server/change/start-service"),
        ],
    ),
    ("FB2115", &[("clone the machine as it was then", "operator/vcenter/clone-vm/snapshot")]),
    (
        "FB2120",
        &[
            ("Run ApplyCustomChanges.sh", "operator/master-target/change/apply-custom-changes"),
            ("turn automatic updates off", "operator/master-target/change/automatic-updates/on/false"),
        ],
    ),
    ("FB2121", &[("Give it what it lacks", "operator/vcenter/hardware")]),
    (
        "FB2122",
        &[
            ("Mount the datastore read/write", "operator/vcenter/datastore-access"),
            ("attach the disks again", "operator/vcenter/attach-disk"),
        ],
    ),
    (
        "FB2123",
        &[
            ("Make room", "operator/master-target/change/retention-free"),
            ("use a larger volume", "operator/master-target/change/retention-capacity"),
        ],
    ),
    ("FB2130", &[("Renew it in the portal", "renew-certificate")]),
    (
        "FB2135",
        &[
            ("Let the guest take its address from DHCP by hand", "operator/guest/set-address/dhcp/true"),
            ("remove Network Manager", "operator/guest/set-address/dhcp/true"),
        ],
    ),
    (
        "FB2136",
        &[
            ("Take the cause away", "operator/master-target/change/retention-free"),
            ("the disks are compared", "resynchronise"),
        ],
    ),
    (
        "FB2137",
        &[
            ("Take the cause away", "operator/process-server/change/unthrottle"),
            ("begin the resynchronisation by hand", "resynchronise"),
        ],
    ),
    ("FB2140", &[("look at what came home", TELLS), ("then commit", "commit")]),
    (
        "FB2141",
        &[
            ("Copy what it holds to a protected disk", "operator/guest/copy-disk"),
            ("attach it to another machine", "operator/azure/attach-disk"),
        ],
    ),
    ("FB2142", &[("Make sure that the datastore has room for it", "operator/vcenter/datastore-free")]),
    (
        "FB2145",
        &[
            ("Delete the stale rows", "operator/configuration-server/delete-machine"),
            ("before the machine is protected anew", "enable-protection"),
        ],
    ),
    (
        "FB2146",
        &[
            ("Detach the disks from the master target", "operator/vcenter/detach-disk"),
            ("attach them to their virtual machine", "operator/vcenter/attach-disk"),
            ("before the machine is protected anew", "enable-protection"),
        ],
    ),
    ("FB2155", &[("Set disk.EnableUUID on the machine", "operator/vcenter/set-option")]),
    (
        "FB2170",
        &[
            ("make the machine's disk in Azure as large", "operator/azure/grow-disk"),
            ("resynchronise", "resynchronise"),
        ],
    ),
    (
        "FB1716",
        &[
            ("Wait until the job ends", "wait"),
            ("confirm what it waits for", "confirm"),
            ("cancel it", "cancel"),
            ("delete the plan", "delete-plan"),
        ],
    ),
    (
        "FB2172",
        &[
            ("Update the server", "operator/process-server/change/update"),
            ("a master target never beyond", "operator/master-target/change/update"),
        ],
    ),
    (
        "FB2180",
        &[
            ("attach its managed disk to another machine", "operator/azure/attach-disk"),
            ("copy what it holds", "operator/guest/copy-disk"),
        ],
    ),
];
