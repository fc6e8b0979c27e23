//! The fuzzer: cases drawn from a seed, played with faults at drawn points, and shrunk where they fail.
//!
//! A **case** ([`case`]) is an estate, the steps of an operator who asks again until faults are over, sensible and
//! foolish ones, and what must hold in the end. It has few features, drawn first ([`features`]): swarm testing. It is
//! played once as it is, which shows where faults can strike, and then several times with one to four of them
//! ([`trial`]). Two phases in one run: while faults and foolish requests come, anything may fail; they all pass, and then
//! every machine must come to where the steps lead it. The oracle judges as in any other run. What fails is made smaller
//! for as long as the same check fails ([`shrink`]) and written as a scenario file ([`file`]).
//!
//! Nothing here starts a thread, reads a clock or writes a file: the command line does.

mod ask;
pub mod case;
pub mod draw;
pub mod estate;
pub mod features;
pub mod file;
pub mod mishap;
pub mod shrink;
pub mod tally;
pub mod trial;
pub mod walk;

#[cfg(test)]
mod tests;
