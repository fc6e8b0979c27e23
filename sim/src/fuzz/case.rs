//! A case: a scenario drawn from a seed and a number.

use super::draw::Draw;
use super::estate::estate;
use super::features::Features;
use super::walk::walk;
use crate::driver::Rehearsal;
use crate::explore::kind::{at, name};
use crate::scenario::CheckedScenario;
use crate::scenario::diagnostic::Problem;
use crate::scenario::inventory::Inventory;
use crate::scenario::model::{Operator, SCHEMA, Scenario, Wire};
use crate::scenario::units::Period;

/// A case.
#[derive(Clone, Debug)]
pub struct Case {
    /// The seed that it is drawn from.
    pub seed: u64,
    /// Its number.
    pub number: u64,
    /// What it has.
    pub features: Features,
    /// It as a scenario, without faults at points.
    pub checked: CheckedScenario,
    /// What is rehearsed whenever it is played.
    pub rehearsal: Rehearsal,
    pub(super) draw: Draw,
}

impl Case {
    /// The case of this number.
    ///
    /// # Errors
    /// When it is none that a file could hold: a bug of the fuzzer.
    pub fn new(seed: u64, number: u64) -> Result<Self, Vec<Problem>> {
        let draw = Draw::new(seed, number);
        let features = Features::draw(&draw);
        let estate = estate(&draw, &features);
        let inventory = Inventory::from(&estate);
        let (steps, expect) = walk(&draw, &features, &inventory);
        let scenario = Scenario {
            schema: name(SCHEMA),
            name: name(&format!("regressions/fuzz-{seed}-{number}")),
            about: "Drawn at random.".to_owned(),
            dead_end: None,
            covers: Vec::new(),
            estate: None,
            inline_estate: Some(estate),
            seed: 1 + draw.below("seed", 1000),
            wire: if features.http1 { Wire::Http1 } else { Wire::Direct },
            operator: Operator::Persistent,
            horizon: at(Period::hours(72)),
            steps: steps.into_iter().map(at).collect(),
            expect,
        };
        let checked = CheckedScenario::inline(&format!("case {number} of seed {seed}"), scenario)?;
        Ok(Self { seed, number, features, checked, rehearsal: Rehearsal::default(), draw })
    }

    /// The same, to be played while the product rehearses something.
    #[must_use]
    pub fn rehearsing(self, rehearsal: Rehearsal) -> Self {
        Self { rehearsal, ..self }
    }
}
