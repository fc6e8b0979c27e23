//! Southbound clients, one file per system. Each turns lost, late and garbled replies into typed errors.

pub mod agent;
pub mod azure;
pub mod component;
pub mod cs;
pub mod session;
pub mod vcenter;
