//! Events as JSON lines, written as scenarios end: one object a line, with scenario and seed.

use super::outcome::Outcome;
use failback_wire::event::Event;
use serde::Serialize;
use std::io::{self, Write};

/// Writes events to wherever lines go.
#[derive(Debug)]
pub struct EventLines<W> {
    to: W,
}

#[derive(Serialize)]
struct Line<'a> {
    scenario: &'a str,
    seed: u64,
    wire: crate::scenario::model::Wire,
    event: &'a Event,
}

impl<W: Write> EventLines<W> {
    /// Lines go to `to`.
    pub fn new(to: W) -> Self {
        Self { to }
    }
    /// Writes the events an outcome kept.
    ///
    /// # Errors
    /// When writing fails.
    pub fn write(&mut self, outcome: &Outcome) -> io::Result<()> {
        for event in &outcome.tail {
            let (scenario, seed, wire) = (outcome.name.as_str(), outcome.seed, outcome.wire);
            serde_json::to_writer(&mut self.to, &Line { scenario, seed, wire, event })?;
            self.to.write_all(b"\n")?;
        }
        self.to.flush()
    }
    /// Makes sure that everything is out.
    ///
    /// # Errors
    /// When writing fails.
    pub fn finish(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}
