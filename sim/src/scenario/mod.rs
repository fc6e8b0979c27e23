//! The scenario format: reading files, checking them, pointing at what is wrong.

mod asks;
pub mod beside;
pub mod check;
pub mod diagnostic;
pub mod estate;
pub mod expect;
pub mod fault;
pub mod inventory;
pub mod load;
pub mod model;
pub mod parse;
pub mod plans;
pub mod points;
pub mod protection;
mod salvage;
pub mod schema;
pub mod step;
pub mod text;
pub mod units;

use estate::Estate;
use inventory::Inventory;
use model::Scenario;

/// A scenario without any problem, with its inventory. What the driver runs.
#[derive(Clone, Debug)]
pub struct CheckedScenario {
    /// Its file, as the command line found it.
    pub path: String,
    /// The scenario as written.
    pub scenario: Scenario,
    /// The estate as written.
    pub estate: Estate,
    /// The estate with every default filled in.
    pub inventory: Inventory,
}
#[cfg(test)]
mod tests;
