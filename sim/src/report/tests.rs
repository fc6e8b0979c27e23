//! Tests of exit codes and of how results look.

use super::jsonl::EventLines;
use super::junit;
use super::outcome::{Exit, Finding, FindingKind, Outcome};
use super::terminal::{Summary, Terminal, reproduce};
use crate::scenario::diagnostic::Problem;
use crate::scenario::model::Wire;
use failback_wire::clock::VirtualMs;
use failback_wire::error::Report;
use failback_wire::event::{Event, What};
use failback_wire::ids::NodeName;
use std::time::Duration;

fn failed() -> Outcome {
    let mut outcome =
        Outcome::new("vcenter/flapping", "scenarios/vcenter/flapping.scenario.yaml", 7, Wire::Http1);
    outcome.virtual_ms = 96_000_000;
    outcome.wall = Duration::from_millis(12);
    (outcome.events, outcome.calls, outcome.hash) = (4211, 960, 0xabc);
    let note = |n: u64| Event {
        at: VirtualMs(n * 60_000),
        node: NodeName::new("orchestrator"),
        seq: n,
        what: What::Note { text: format!("note {n}") },
    };
    outcome.tail = (0..20).map(note).collect();
    let error = Report {
        code: "FB2002".to_owned(),
        message: "a disk could not be attached: web01-disk0".to_owned(),
        possible_causes: "vCenter is not connected\nanother machine holds the disk".to_owned(),
        recommended_action: "Connect vCenter, then repeat the failback.".to_owned(),
        entity: "web01".to_owned(),
        inner: vec!["vcenter: 503 Service Unavailable".to_owned()],
        beneath: Vec::new(),
    };
    let finding = Finding::new(FindingKind::ExpectationFailed, "the failback of web01 failed");
    outcome.findings.push(finding.at(6, 21).compared("succeeded", "failed with FB2002").because(Some(error)));
    outcome.findings.push(Finding::new(FindingKind::FaultUnfired, "fault `up-2` never struck"));
    outcome
}

#[test]
fn the_worst_wins_in_the_documented_order() {
    let order = [70, 74, 3, 16, 12, 11, 10, 13, 14, 15];
    let all = [
        Exit::Held,
        Exit::TimelineDiffers,
        Exit::GateBreached,
        Exit::FaultUnfired,
        Exit::ExpectationFailed,
        Exit::InvariantBroken,
        Exit::Nondeterminism,
        Exit::ShardMissing,
        Exit::Invalid,
        Exit::Io,
        Exit::LabBug,
    ];
    let rank = |exit: Exit| order.iter().position(|code| *code == exit.code()).unwrap_or(order.len());
    for a in all {
        for b in all {
            let expected = if rank(a) <= rank(b) { a } else { b };
            assert_eq!(a.worst(b), expected, "{a:?} and {b:?}");
        }
    }
    assert_eq!(failed().exit(), Exit::ExpectationFailed);
}

#[test]
fn a_failure_says_everything() {
    let outcome = failed();
    let terminal = Terminal::new(false, false);
    let summary =
        Summary { outcomes: std::slice::from_ref(&outcome), invalid: 1, wall: Duration::from_millis(20) };
    let lines = [terminal.line(&outcome), terminal.failure(&outcome), terminal.summary(&summary)];
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn colour_only_paints() {
    let outcome = failed();
    let painted = Terminal::new(true, false).failure(&outcome);
    let plain: String = painted.split('\x1b').enumerate().fold(String::new(), |mut out, (index, part)| {
        out.push_str(if index == 0 { part } else { part.split_once('m').expect("a code ends in m").1 });
        out
    });
    assert_eq!(plain, Terminal::new(false, false).failure(&outcome));
}

#[test]
fn the_story_is_told_in_its_own_words() {
    let mut outcome = failed();
    outcome.timeline = (0..40).map(|n| format!("t+00:{n:02}:00.000 vcenter        line {n}")).collect();
    outcome.findings[0].step = Some((1, 0));
    let told = Terminal::new(false, false).failure(&outcome);
    assert!(told.contains("line 39") && told.contains("line 24") && !told.contains("line 23"), "{told}");
    assert!(!told.contains("note 19") && told.contains("step      none yet"), "{told}");
}

#[test]
fn commands_survive_the_shell() {
    let mut outcome = failed();
    outcome.path = "my files/it's.scenario.yaml".to_owned();
    let expected = r"failback-lab run 'my files/it'\''s.scenario.yaml' --seed 7 --wire http1 --check";
    assert_eq!(reproduce(&outcome, true), expected);
}

#[test]
fn build_servers_get_junit() {
    let passed = Outcome::new("happy/a", "a.scenario.yaml", 1, Wire::Direct);
    let mut out = Vec::new();
    let invalid = Problem::of_file("b.scenario.yaml", "the file is empty");
    junit::write(&mut out, &[passed, failed()], &[invalid]).unwrap();
    insta::assert_snapshot!(String::from_utf8(out).unwrap());
}

#[test]
fn events_are_lines() {
    let mut out = Vec::new();
    let mut lines = EventLines::new(&mut out);
    lines.write(&failed()).unwrap();
    lines.finish().unwrap();
    let text = String::from_utf8(out).unwrap();
    assert_eq!(text.lines().count(), 20);
    insta::assert_snapshot!(text.lines().next().unwrap());
}
