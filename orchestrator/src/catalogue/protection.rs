//! How protection begins and ends, and the policies it follows: FB1807 to FB1815.

use super::entries;

entries! {
    POLICY_FIXED "FB1807" Fatal ["P10"] "a failback policy cannot be created, edited or deleted";
        "it comes with its forward policy, and goes with it"
        => "Leave it as it is; for other intervals towards Azure edit the forward policy.";
    POLICY_IN_USE "FB1808" Operator ["P10"] "the replication policy is in use";
        "machines are protected under it",
        "it is to be deleted while the configuration server has it"
        => "Disable their protection, or protect them under another policy, first; before a policy is deleted, take its association away.";
    POLICY_INVALID "FB1809" Operator ["P10", "R1"] "the replication policy makes no sense";
        "application-consistent points are not more frequent than the retention is long",
        "points are to be kept longer than 15 days, or made at another interval than is offered"
        => "Correct the policy.";
    UNFINISHED "FB1810" Operator ["C23", "I4"] "another operation on this machine stands half-way";
        "a failover or failback failed past its point of no return"
        => "Ask for that operation again until it ends; or remove the machine from the vault alone, and put its disks and copies right by hand.";
    DISABLED "FB1811" Fatal ["C23", "P33"] "the protection of this machine was disabled";
        "somebody disabled or removed its protection"
        => "Protect the on-premises machine anew; a machine that runs in Azure cannot fail back any more.";
    CS_ELSEWHERE "FB1812" Operator ["C23"] "the configuration server is registered in another vault";
        "somebody registered it there; replication of everything under it has stopped"
        => "Register it in this vault again, then disable the protection of its machines and protect them anew.";
    REPLICATION_ENDED "FB1760" Operator ["C23", "I5"] "the process server has ended the machine's replication";
        "the configuration server was registered in another vault for a while"
        => "On the way to Azure: disable the protection and protect the machine anew. On the way home: disable it and keep the machine in Azure, or shut it down there, which gives up what it wrote after its last recovery point, and fail back.";
    COPY_LEFT "FB1813" Operator ["C23", "I2"] "an earlier copy of the machine is left in Azure";
        "its protection was disabled, or its migration completed, while it ran there"
        => "Delete the virtual machine in Azure if the one on-premises is to take its place, then protect that anew.";
}
