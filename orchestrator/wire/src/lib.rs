//! What every part of Failback Lab agrees on: ids, units, error documents, events, the seams to the
//! outside (transport, clock, randomness, store) and the messages both ends of a wire speak.
//!
//! This crate is a leaf: it knows neither the product nor the fakes nor the lab.

pub mod arm;
pub mod canary;
pub mod clock;
pub mod env;
pub mod error;
pub mod event;
pub mod http;
pub mod ids;
pub mod json;
pub mod node;
pub mod operation;
pub mod proto;
pub mod store;
pub mod vim;
