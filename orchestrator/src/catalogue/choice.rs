//! What a request chooses, and may not: FB1730 to FB1739.

use super::entries;

entries! {
    POINT_NOT_OFFERED "FB1730" Operator ["R3", "R5"] "this choice of a recovery point is not offered here";
        "on the way home there are the latest point and the latest application-consistent one, nothing else",
        "a plan takes no single point by its id",
        "multi-VM points are for failovers of plans that have machines of replication groups"
        => "Choose the latest point, or the latest application-consistent one.";
    REPLICA_IP_INVALID "FB1731" Operator ["C4"] "the replica's IP address is invalid";
        "the machine of a test failover that was not cleaned up has the address",
        "another machine in the network has it"
        => "Clean the test failover up, or choose another address, then fail over again.";
}
