//! The clients of configuration server and agents against a server that works, one that is slow, and ones
//! that break HTTP: every failure has its own type.

// `cfg(test)` tells the lints that helpers in these modules are tests as well.
#[cfg(test)]
mod support;

#[cfg(test)]
mod component_clients {
    mod agent;
    mod broken;
    mod cs;
}
