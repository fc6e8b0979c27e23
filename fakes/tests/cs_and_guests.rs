//! Configuration server and guests together, over a network in memory, in virtual time.

// `cfg(test)` tells the lints that helpers in these modules are tests as well.
#[cfg(test)]
mod support;

#[cfg(test)]
mod cs_and_guests {
    mod guests;
    mod identity;
    mod replicate;
    mod restore;
    mod rows;
    mod set;
}
