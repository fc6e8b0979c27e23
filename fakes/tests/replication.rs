//! Agent, process server and target together, over a network in memory, in virtual time: what survives
//! crashes, stopped services, lost disks and full volumes, and what every point then holds.

// `cfg(test)` tells the lints that helpers in these modules are tests as well.
#[cfg(test)]
mod support;

#[cfg(test)]
mod replication {
    mod home;
    mod retention;
    mod rig;
    mod to_azure;
}
