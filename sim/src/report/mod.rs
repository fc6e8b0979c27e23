//! Results: what runs found out, and the ways to show it.

pub mod jsonl;
pub mod junit;
pub mod outcome;
pub mod terminal;

#[cfg(test)]
mod tests;
