//! JUnit XML, for build servers: one case per scenario, one error per file that could not be used.

use super::outcome::{Exit, Outcome};
use super::terminal::{Terminal, reproduce};
use crate::scenario::diagnostic::Problem;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use std::io::{self, Write};
use std::time::Duration;

/// Writes the report.
///
/// # Errors
/// When writing fails.
pub fn write(to: &mut impl Write, outcomes: &[Outcome], problems: &[Problem]) -> io::Result<()> {
    let mut report = Report::new("failback-lab");
    let mut suite = TestSuite::new("scenarios");
    let total = outcomes.iter().map(|o| o.wall).sum::<Duration>();
    suite.set_time(total);
    report.set_time(total);
    suite.add_test_cases(outcomes.iter().map(case));
    suite.add_test_cases(problems.iter().map(invalid));
    report.add_test_suite(suite);
    report.serialize(&mut *to).map_err(io::Error::other)?;
    to.flush()
}

fn case(outcome: &Outcome) -> TestCase {
    let status = match (outcome.findings.first(), outcome.exit()) {
        (None, _) => TestCaseStatus::success(),
        (Some(first), exit) => {
            let kind = if exit == Exit::LabBug { NonSuccessKind::Error } else { NonSuccessKind::Failure };
            let mut status = TestCaseStatus::non_success(kind);
            status.set_type(first.kind.title()).set_message(first.message.as_str());
            status.set_description(Terminal::new(false, false).failure(outcome));
            status
        }
    };
    let mut case = TestCase::new(outcome.name.as_str(), status);
    case.set_classname(outcome.path.as_str()).set_time(outcome.wall);
    let properties = [
        ("seed", outcome.seed.to_string()),
        ("virtual-ms", outcome.virtual_ms.to_string()),
        ("events", outcome.events.to_string()),
        ("calls", outcome.calls.to_string()),
        ("hash", format!("{:032x}", outcome.hash)),
        ("reproduce", reproduce(outcome, false)),
    ];
    case.add_properties(properties.iter().map(|(name, value)| (*name, value.as_str())));
    case
}

fn invalid(problem: &Problem) -> TestCase {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
    status.set_type("invalid file").set_message(problem.title.as_str());
    status.set_description(problem.render(false));
    let mut case = TestCase::new(problem.place(), status);
    case.set_classname("invalid");
    case
}
