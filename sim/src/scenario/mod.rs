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
pub mod write;

use diagnostic::{Problem, SourceFile};
use estate::Estate;
use inventory::Inventory;
use model::Scenario;
use std::sync::Arc;

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

impl CheckedScenario {
    /// A scenario with its estate in it that was never in a file, after the checks that a file gets.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn inline(path: &str, scenario: Scenario) -> Result<Self, Vec<Problem>> {
        let file = Arc::new(SourceFile { path: path.to_owned(), text: String::new() });
        let Some(estate) = scenario.inline_estate.clone() else {
            return Err(vec![Problem::of_file(path, "the scenario has no estate")]);
        };
        let mut problems = check::head(&file, &scenario);
        problems.extend(check::estate(&file, &estate, false));
        if !problems.is_empty() {
            return Err(problems);
        }
        let inventory = Inventory::from(&estate).saving(&scenario.steps);
        let (estate_file, whole) = (&file, true);
        let subject = check::Subject {
            file: &file,
            scenario: &scenario,
            estate_file,
            estate: &estate,
            inventory: &inventory,
            whole,
        };
        let problems = check::scenario(&subject);
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self { path: path.to_owned(), scenario, estate, inventory })
    }
}

#[cfg(test)]
mod tests;
