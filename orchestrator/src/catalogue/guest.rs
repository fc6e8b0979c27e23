//! Guests and agents while a machine replicates: FB2050 to FB2054, FB2135 to FB2139.

use super::entries;

entries! {
    NOT_SYNCHRONISED "FB2050" Wait ["C16"] "the machine is not synchronised";
        "a synchronisation is still going on",
        "the target asks for a new one",
        "a failed attempt stopped the replication, and nothing has taken it up again"
        => "Wait until every disk is synchronised, or resynchronise a machine whose replication has stopped, then fail back again.";
    ADDRESS_NOT_CHANGED "FB2135" Operator ["C5"] "the guest's network could not be prepared for Azure";
        "the guest did not answer in time",
        "its mobility agent is stopped"
        => "Let the guest take its address from DHCP by hand, and remove Network Manager.";
    RESYNC_REQUIRED "FB2136" Operator ["C2"] "the machine must be synchronised again";
        "the target found that its disks differ from the source",
        "the retention volume ran full",
        "frames were lost on their way"
        => "Take the cause away; the disks are compared and what differs is sent.";
    RESYNC_FAILED "FB2137" Operator ["C2"] "the resynchronisation that began by itself failed";
        "transfers failed while blocks were compared",
        "the process server lost what it held"
        => "Take the cause away, then begin the resynchronisation by hand.";
}
