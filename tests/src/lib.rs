//! What tests that cross crates share: the repository's scenarios, loaded, and the sweeps of rehearsed failures,
//! and what such a sweep must cover.

pub mod coverage;
pub mod rehearsals;
pub mod remedies;

use failback_lab::scenario::CheckedScenario;
use failback_lab::scenario::load::load;
use std::path::{Path, PathBuf};

/// The repository's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// All scenario files, checked.
///
/// # Panics
/// When one has a problem: `failback-lab check` says which.
pub fn scenarios() -> Vec<CheckedScenario> {
    let loaded = load(&[root().join("scenarios")], true);
    assert!(loaded.unread.is_empty(), "{:?}", loaded.unread);
    assert!(loaded.problems.is_empty(), "{} problems: run `failback-lab check`", loaded.problems.len());
    loaded.scenarios
}

/// The scenario of this name.
///
/// # Panics
/// When there is none.
pub fn scenario(name: &str) -> CheckedScenario {
    let found = scenarios().into_iter().find(|s| s.scenario.name.value == name);
    found.unwrap_or_else(|| panic!("there is no scenario {name}"))
}
