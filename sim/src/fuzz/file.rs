//! What failed, as a scenario file that shows it again.

use super::shrink::Shrunk;
use super::trial::Failure;
use crate::scenario::load::SCENARIO;
use crate::scenario::write;

/// Name and text of the file for a failure that was made smaller.
///
/// # Errors
/// When the scenario is none that a file could hold.
pub fn file(failure: &Failure, shrunk: &Shrunk) -> Result<(String, String), String> {
    let Failure { seed, number, finding, .. } = failure;
    let variant = failure.variant.map(|variant| format!("-{variant}")).unwrap_or_default();
    let mut scenario = shrunk.scenario.clone();
    scenario.name.value = format!("regressions/fuzz-{seed}-{number}{variant}");
    scenario.about = "Drawn at random and made smaller for as long as the same check failed.".to_owned();
    let mut story =
        vec![format!("Case {number} of `failback-lab fuzz --seed {seed}` failed:"), format!("  {finding}")];
    match failure.variant {
        Some(variant) => {
            story.push(format!("in its run {} with faults:", variant + 1));
            story.extend(failure.blows.iter().map(|blow| format!("  {blow}")));
        }
        None => story.push("in its run without faults at points.".to_owned()),
    }
    let steps = |scenario: &crate::scenario::model::Scenario| scenario.steps.len();
    story.push(format!(
        "Made smaller in {} runs, from {} steps to {}. It showed last:",
        shrunk.runs,
        steps(&failure.checked.scenario),
        steps(&scenario)
    ));
    story.push(format!("  {}", shrunk.finding));
    let text = write::text(&scenario, &story)?;
    Ok((format!("fuzz-{seed}-{number}{variant}{SCENARIO}"), text))
}
