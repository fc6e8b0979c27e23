//! Guests and agents while a machine replicates: FB2135 to FB2139.

use super::entries;

entries! {
    ADDRESS_NOT_CHANGED "FB2135" Operator ["C5"] "the guest's network could not be prepared for Azure";
        "the guest did not answer in time",
        "its mobility agent is stopped"
        => "Let the guest take its address from DHCP by hand, and remove Network Manager.";
}
