//! Failures while a job runs: FB20.

use super::entries;

entries! {
    DETACH_FAILED "FB2001" Operator ["C16", "P1"] "a disk could not be detached from the master target";
        "vCenter is not connected",
        "the master target has a snapshot or is busy",
        "the disk was moved by Storage vMotion"
        => "Correct the cause and repeat the operation; it goes on where it stopped.";
    ATTACH_FAILED "FB2002" Operator ["C16", "P1"] "a disk could not be attached";
        "vCenter is not connected",
        "another virtual machine holds the disk",
        "the disk file was moved"
        => "Correct the cause and repeat the operation; it goes on where it stopped.";
    POWER_ON_FAILED "FB2003" Operator ["C16"] "the on-premises virtual machine could not be powered on";
        "vCenter or the host is not connected",
        "a disk is missing or locked"
        => "Correct the cause and repeat the operation; it goes on where it stopped.";
    AZURE_STOP_FAILED "FB2004" Operator ["C16", "I2"] "the Azure virtual machine could not be shut down";
        "Azure refused or did not answer",
        "the guest hangs"
        => "Check the virtual machine in Azure, then fail back again; nothing on-premises was powered on.";
    AZURE_DELETE_FAILED "FB2005" Operator ["C20"] "the Azure virtual machine or one of its disks could not be deleted";
        "a lock on the resource group",
        "Azure refused or did not answer"
        => "Remove the lock and commit again.";
    MERGE_FAILED "FB2006" Operator ["C11", "P17"] "the snapshots of the on-premises virtual machine could not be merged";
        "the vCenter account may not remove snapshots",
        "the datastore is full",
        "vCenter is not connected"
        => "Remove the snapshots by hand or correct the cause, then reprotect again.";
    POWER_OFF_FAILED "FB2007" Operator ["C11", "I2"] "the on-premises virtual machine could not be powered off";
        "vCenter or the host is not connected"
        => "Correct the cause, then try again.";
    VM_CREATE_FAILED "FB2008" Operator ["P36"] "the virtual machine could not be created on-premises";
        "the datastore is full or not accessible",
        "the vCenter account may not create virtual machines"
        => "Correct the cause, then reprotect again.";
    SESSION_FAILED "FB2009" Operator ["C11"] "the replication session could not be set up";
        "the process server or the master target does not answer",
        "a disk is not attached to the master target"
        => "Check process server and master target, then try again.";
    AGENT_FAILED "FB2010" Operator ["C11", "P32"] "the mobility agent did not accept the replication";
        "the machine or its agent does not answer",
        "the agent's services are stopped"
        => "Check the machine and its agent, then try again.";
    DRAIN_TIMEOUT "FB2011" Operator ["C16", "P11"] "what was received could not be processed in time";
        "the process server or the master target does not answer",
        "the link between them is down or slow"
        => "Check process server, master target and link, then try again.";
    ROLL_FAILED "FB2012" Operator ["C16", "I5"] "the disks could not be brought to the recovery point";
        "the master target does not answer",
        "its retention volume is damaged"
        => "Check the master target, then fail back again; its recovery points are kept.";
    AZURE_DISK_FAILED "FB2014" Operator ["C4"] "a disk could not be made in Azure";
        "a quota of the subscription is exhausted",
        "the seed or its recovery point cannot be read",
        "Azure refused or did not answer"
        => "Correct the cause, then fail over again.";
    CS_UPDATE_FAILED "FB2015" Operator ["P2", "P3"] "the configuration server did not take the change";
        "the configuration server is not connected",
        "the machine's row is missing"
        => "Bring the configuration server back, then try again.";
    UNDO_FAILED "FB2016" Operator ["I5"] "the job failed and could not be undone completely";
        "the system to be put back does not answer"
        => "Correct the cause; what is left is named in the error. Then repeat the operation.";
    AZURE_START_FAILED "FB2017" Operator ["C4", "C16"] "the Azure virtual machine could not be started";
        "Azure refused or did not answer",
        "the region lacks capacity"
        => "Start the virtual machine in Azure.";
    NO_ANSWER "FB2018" Retry ["I7"] "a system did not answer";
        "the system is down or unreachable",
        "the request or its reply was lost"
        => "Check the system, then try again.";
    STOP_FAILED "FB2019" Operator ["C4", "C16"] "the replication could not be stopped";
        "the process server or the master target does not answer"
        => "Check process server and master target, then try again.";
    CANCELLED "FB2022" Operator ["C6"] "the job was cancelled";
        "somebody asked for it"
        => "Repeat the operation if it is still wanted; a replication that it had stopped stays so.";
    EARLIER_GROUP_FAILED "FB2023" Operator ["L2"] "a machine of an earlier boot group did not come up";
        "the error of that machine says why"
        => "Correct the cause there, then run the plan again; it goes on where it stopped.";
    RELEASE_FAILED "FB2024" Operator ["C11", "P1"] "a disk could not be detached from the on-premises virtual machine";
        "vCenter or the host is not connected",
        "the virtual machine is busy with another task"
        => "Correct the cause, then reprotect again.";
    LICENCE_FORBIDS "FB2035" Operator ["P34"] "the licence of the ESXi host does not allow the change";
        "the host has the free licence, under which programs may look and change nothing",
        "an evaluation licence has run out"
        => "Assign a paid or an evaluation licence to the host, then try again; nothing is lost meanwhile.";
    TEST_NOT_CLEANED "FB2065" Operator [] "what a test failover made could not be deleted";
        "a lock on the resource group",
        "Azure refused or did not answer"
        => "Correct the cause, then clean up again; it goes on where it stopped.";
    REHEARSED "FB2098" Operator [] "the step failed because a rehearsal wanted it to";
        "a test of the product runs"
        => "Repeat the operation.";
    DEFECT "FB2099" Bug [] "the product has a defect";
        "a step ended in a way that it must not"
        => "Repeat the operation, and report the defect with the events of the run.";
}
