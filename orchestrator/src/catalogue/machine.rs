//! Machine and agent, recovery points, plans and groups, state and requests: FB15 to FB18.

use super::entries;

entries! {
    AGENT_NOT_INSTALLED "FB1501" Wait ["P32", "C21"] "agent not installed";
        "the machine booted less than 15 minutes ago and its agent has not registered yet"
        => "Wait until the agent has registered (up to 15 minutes after boot), then try again.";
    AZURE_VM_MISSING "FB1502" Fatal ["P33"] "the Azure virtual machine does not exist";
        "it was deleted"
        => "There is nothing to replicate back from; protect the on-premises machine anew.";
    ONPREM_VM_MISSING "FB1503" Operator ["C12", "C20", "P36"] "the on-premises virtual machine does not exist";
        "it was deleted or unregistered after reprotect, or after the failback"
        => "Register the virtual machine again, or reprotect to an alternate location.";
    ONPREM_HOST_DOWN "FB1504" Operator ["P39"] "the ESXi host of the virtual machine is not connected";
        "the host is powered off",
        "vCenter lost its connection to the host"
        => "Bring the host back, then try again.";
    DISK_MISMATCH "FB1505" Operator ["P21", "I3"] "the machine's disks do not match its virtual machine";
        "a disk was removed from the on-premises virtual machine, or replaced",
        "the virtual machine was restored from elsewhere, with other disk UUIDs"
        => "Restore the original disks, or delete the virtual machine to fail back to an alternate location.";
    ONPREM_VM_ON "FB1506" Operator ["C12", "I2"] "the on-premises virtual machine is powered on";
        "somebody powered it on after reprotect"
        => "Power it off; its disks are about to be replaced.";
    MIGRATED "FB1507" Fatal ["P33", "C23"] "the migration of this machine is complete";
        "complete migration was chosen after failover"
        => "A migrated machine cannot fail back. To have it at home again, as it was before the failover, delete its copy in Azure, start the machine at home and protect it anew.";
    DISK_RESIZED "FB1508" Operator ["E21", "C2"] "a disk on-premises and its copy in Azure differ in size";
        "the disk was made larger in Azure after the failover",
        "the on-premises disk was extended while the machine ran in Azure"
        => "Extend the smaller of the two, on-premises (without snapshots) or in Azure, or delete the on-premises virtual machine to fail back to an alternate location with new disks.";
    AZURE_LIMITS "FB1531" Operator ["C4"] "Azure could not run this machine";
        "its first disk is larger than 2048 GB, or another larger than 8192 GB",
        "it has more than 64 disks beside the first",
        "its name in Azure is longer than 63 characters, or has others than letters, digits and hyphens"
        => "Leave those disks out, or choose another name in Azure; then enable protection again.";
    AZURE_VM_MOVED "FB1530" Operator ["P33"] "the Azure virtual machine is in another resource group";
        "it was moved, with its disks"
        => "A machine that was moved cannot fail back: move it back to the group it was made in, then try again.";
    NO_POINT "FB1601" Wait ["R6", "C15"] "there is no recovery point";
        "replication has only just begun",
        "a disk lags behind, so that no point is complete on every disk",
        "the points were pruned"
        => "Wait for a recovery point, then try again.";
    NO_POINT_OF_TYPE "FB1602" Wait ["R3"] "there is no recovery point of the requested type";
        "no application-consistent point was made yet, or the last one was pruned"
        => "Choose the latest point, or wait for an application-consistent one.";
    POINT_UNKNOWN "FB1603" Operator ["R3"] "the requested recovery point does not exist";
        "it was pruned",
        "it belongs to another machine or to an earlier protection"
        => "Choose a recovery point that is offered.";
    NO_COMMON_POINT "FB1604" Wait ["R4", "P29"] "the members of the replication group have no common point";
        "a member lags behind or its last mark did not reach the target",
        "the members use different master targets"
        => "Choose the latest point, or wait for a common application-consistent one.";
    GROUP_ONLY_BY_PLAN "FB1701" Operator ["G2"] "a member of a replication group is moved only by a recovery plan";
        "the machine belongs to a multi-VM consistency group"
        => "Put all members into a recovery plan and run the plan.";
    PLAN_TOO_LARGE "FB1702" Operator ["L1"] "the plan has more than 100 machines";
        "too many machines in one plan"
        => "Split the plan.";
    PLAN_TOO_MANY_GROUPS "FB1703" Operator ["L1"] "the plan has more than 7 groups";
        "too many groups in one plan"
        => "Merge groups, or split the plan.";
    PLAN_MEMBER_FAILS "FB1704" Operator ["I8", "C15"] "the plan is refused because a member is";
        "at least one member fails its prerequisites; nothing was touched on any"
        => "Correct what the members report, then run the plan again.";
    PLAN_GROUP_INCOMPLETE "FB1705" Operator ["G2", "P29"] "the plan lacks members of a replication group";
        "not all members of the group are in the plan"
        => "Add the missing members, then run the plan again.";
    PLAN_INPUT_MISSING "FB1706" Operator ["G3", "C9"] "the plan lacks inputs for a machine";
        "master target, process server, retention drive or datastore were not given for every machine"
        => "Give the inputs for every machine of the plan.";
    GROUP_MIXED "FB1707" Operator ["P29"] "the members of the replication group differ in system or master target";
        "Windows and Linux machines are in one group",
        "different master targets were chosen"
        => "Use one operating system family and one master target for all members.";
    PLAN_DUPLICATE "FB1708" Operator ["L1"] "a machine is in more than one group of the plan";
        "the machine was added twice"
        => "Keep the machine in one group of the plan.";
    PLAN_EMPTY "FB1709" Operator ["L1"] "the plan has no machines";
        "no machine was added"
        => "Add machines to the plan.";
    GROUP_FIXED "FB1710" Fatal ["G1"] "the replication group of a machine is fixed when it is protected";
        "the machine already replicates, alone or in another group"
        => "Disable its protection and protect it anew, in the group.";
    GROUP_FULL "FB1711" Operator ["G1"] "the replication group is full";
        "it has as many machines as a group may hold"
        => "Protect the machine in another group, or alone.";
    PLAN_BOTH_WAYS "FB1712" Operator ["L1"] "the machines of the plan have not one source and one target";
        "some of them replicate to Azure, others replicate home"
        => "Make a plan for each direction, or wait until all of them replicate the same way.";
    PLAN_ACTION_UNFIT "FB1713" Operator ["L3"] "an action of the plan could never take place";
        "it has no name, or the name of another one",
        "it is neither a manual action nor a script nor a runbook",
        "it names no failover type or no direction to which it belongs",
        "its group has no machines"
        => "Correct the action, or leave it out.";
    NOT_WAITING "FB1714" Operator ["L3"] "the job does not wait for anybody";
        "it has no manual action that is due",
        "somebody else confirmed it already",
        "the job has ended"
        => "Look at the job; nothing needs to be confirmed.";
    PLAN_DIVIDES_GROUP "FB1715" Operator ["L1"] "the plan divides a replication group";
        "members of the group are in different boot groups"
        => "Keep all members of a replication group in one group of the plan.";
    PLAN_BUSY "FB1716" Wait ["L1"] "a job of the recovery plan has not ended";
        "it runs, or waits for somebody"
        => "Wait until the job ends, confirm what it waits for, or cancel it; then delete the plan.";
    NOT_ALLOWED "FB1801" Operator ["C7", "C8", "C20"] "the operation is not allowed in this state";
        "the item is not where the operation begins",
        "an earlier operation must be completed or committed first"
        => "Look at the allowed operations of the item.";
    HEALTH_CRITICAL "FB1802" Operator ["C15"] "the replication health is critical";
        "see the item's health errors"
        => "Resolve the health errors, wait until the health is normal, then try again.";
    BUSY "FB1803" Wait ["I7"] "another operation runs on this item";
        "a job of this item has not ended"
        => "Wait until the job ends, then try again.";
    NOT_FOUND "FB1804" Operator [] "there is no such resource";
        "its name is misspelt",
        "it was removed",
        "the machine was born in Azure, or never protected: only what was failed over can fail back (P33)"
        => "Check the name.";
    BAD_REQUEST "FB1805" Operator [] "the request makes no sense";
        "a required field is missing or has a wrong type",
        "the direction or the provider does not fit the item"
        => "Correct the request.";
    CANNOT_CANCEL "FB1806" Operator ["C18"] "the job cannot be cancelled";
        "a classic failback cannot be cancelled once it has begun",
        "the job has passed its point of no return, or has ended"
        => "Let the job end.";
    CANNOT_RESTART "FB1820" Operator [] "the job cannot be restarted";
        "it still runs, or it has done its work",
        "something else was asked for since"
        => "Ask for the operation itself.";
}
