//! Failback Lab: worlds in virtual time, faults, scenario files, reports and the command line.

pub mod cli;
pub mod driver;
pub mod explore;
pub mod fault;
pub mod fuzz;
pub mod recorder;
pub mod report;
pub mod scenario;
pub mod switchboard;
pub mod world;
