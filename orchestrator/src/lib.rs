//! The product under test. It plays Azure Site Recovery: workflows, domain rules, journal, jobs, and the
//! ARM-shaped northbound API; southbound it speaks vim25, ARM Compute and our own protocol.

pub mod api;
pub mod catalogue;
pub mod clients;
pub mod config;
pub mod facts;
pub mod journal;
pub mod rules;
pub mod service;
pub mod workflow;

#[cfg(test)]
mod testing;
