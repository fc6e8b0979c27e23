//! Results for people: one line per scenario, failures in full, a summary.

use super::outcome::{Finding, FindingKind, Outcome};
use crate::scenario::units::Size;
use failback_orchestrator::catalogue::{self, machine::HEALTH_CRITICAL};
use failback_wire::error::{ErrorDoc, Report};
use failback_wire::event::Event;
use std::fmt::Write as _;
use std::time::Duration;

/// How results look on a terminal, or off it.
#[derive(Clone, Copy, Debug)]
pub struct Terminal {
    colour: bool,
    checked: bool,
}

/// What a summary sums up.
#[derive(Clone, Copy, Debug)]
pub struct Summary<'a> {
    /// Everything that ran.
    pub outcomes: &'a [Outcome],
    /// How many scenario files could not run.
    pub invalid: usize,
    /// Wall time of all together.
    pub wall: Duration,
}

const GREEN: &str = "32;1";
const RED: &str = "31;1";
const DIM: &str = "2";
const BOLD: &str = "1";

impl Terminal {
    /// How many of the last events a failure shows.
    pub const LAST_EVENTS: usize = 16;

    /// With colour or without; `checked` when everything ran twice.
    pub fn new(colour: bool, checked: bool) -> Self {
        Self { colour, checked }
    }

    fn paint(&self, style: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{style}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// The line of one scenario.
    pub fn line(&self, outcome: &Outcome) -> String {
        let status = match (outcome.passed(), self.checked) {
            (true, false) => self.paint(GREEN, "PASS"),
            (true, true) => self.paint(GREEN, "PASS x2"),
            (false, _) => self.paint(RED, "FAIL"),
        };
        let (virtual_time, wall) = (virtual_time(outcome), outcome.wall.as_secs_f64());
        let times = format!("[virtual {virtual_time}, wall {wall:.3}s{}]", lost(outcome));
        let kinds = match outcome.findings.as_slice() {
            [] => String::new(),
            [first, ..] => format!(": {}", self.paint(RED, first.kind.title())),
        };
        format!("{status} {} {}{kinds}", self.paint(DIM, &times), outcome.name)
    }

    /// All about one failure.
    pub fn failure(&self, outcome: &Outcome) -> String {
        let mut out = format!("\n{} {}", self.paint(RED, "FAIL"), self.paint(BOLD, &outcome.name));
        let _ = writeln!(out, " (exit {})", outcome.exit().code());
        for finding in &outcome.findings {
            out.push_str(&self.finding(outcome, finding));
        }
        let last = last_lines(outcome);
        if !last.is_empty() {
            out.push_str("\n  the last events\n");
        }
        for line in last {
            let _ = writeln!(out, "    {line}");
        }
        let twice = self.checked || outcome.findings.iter().any(|f| f.kind == FindingKind::Nondeterminism);
        let _ = write!(out, "\n  to see it again\n    {}", self.paint(BOLD, &reproduce(outcome, twice)));
        out
    }

    /// One finding, from its kind to the error beneath it.
    fn finding(&self, outcome: &Outcome, finding: &Finding) -> String {
        let mut out = format!("\n  {}: {}\n", self.paint(RED, finding.kind.title()), finding.message);
        match finding.step {
            // Before the first line that a step stands on: while the estate comes under protection.
            Some((_, 0)) => out.push_str("    step      none yet\n"),
            Some((step, line)) => {
                let _ = writeln!(out, "    step      {step}, {}:{line}", outcome.path);
            }
            None => {}
        }
        for (name, value) in [("expected", &finding.expected), ("actual  ", &finding.actual)] {
            if let Some(value) = value {
                let _ = writeln!(out, "    {name}  {}", value.replace('\n', "\n              "));
            }
        }
        if let Some(error) = &finding.error {
            out.push_str(&portal(error));
        }
        out
    }

    /// The last line of all.
    pub fn summary(&self, summary: &Summary<'_>) -> String {
        let outcomes = summary.outcomes;
        let failed = outcomes.iter().filter(|o| !o.passed()).count();
        let virtual_ms: u64 = outcomes.iter().map(|o| o.virtual_ms).sum();
        let events: u64 = outcomes.iter().map(|o| o.events).sum();
        let calls: u64 = outcomes.iter().map(|o| o.calls).sum();
        let passed = format!("{} passed", outcomes.len() - failed);
        let mut counts = vec![self.paint(if failed == 0 { GREEN } else { BOLD }, &passed)];
        if failed > 0 {
            counts.push(self.paint(RED, &format!("{failed} failed")));
        }
        if summary.invalid > 0 {
            counts.push(self.paint(RED, &format!("{} invalid", summary.invalid)));
        }
        format!(
            "\n{} scenario{}: {}; {} of virtual time in {:.2}s, {calls} calls, {events} events",
            outcomes.len(),
            if outcomes.len() == 1 { "" } else { "s" },
            counts.join(", "),
            hours(virtual_ms),
            summary.wall.as_secs_f64(),
        )
    }
}

/// An error as the portal shows it.
fn portal(error: &Report) -> String {
    let mut out = format!("    error {} ({})\n      {}\n", error.code, error.entity, error.message);
    let mut section = |title: &str, lines: &mut dyn Iterator<Item = &str>| {
        let lines: Vec<&str> = lines.filter(|line| !line.trim().is_empty()).collect();
        if !lines.is_empty() {
            let _ = writeln!(out, "      {title}");
        }
        for line in lines {
            let _ = writeln!(out, "        {line}");
        }
    };
    section("Possible causes", &mut error.possible_causes.lines());
    section("Recommended action", &mut error.recommended_action.lines());
    section("Beneath it", &mut error.inner.iter().map(String::as_str));
    let behind: Vec<String> =
        behind(error).map(|doc| format!("{}: {}. {}", doc.code, doc.title, doc.action)).collect();
    section("Behind it", &mut behind.iter().map(String::as_str));
    out
}

/// The findings that make a health critical: the error names their codes alone.
fn behind(error: &Report) -> impl Iterator<Item = &'static ErrorDoc> + '_ {
    let words = error.message.split(|c: char| !c.is_ascii_alphanumeric());
    let words = words.filter(|_| error.code == HEALTH_CRITICAL.code);
    words.filter_map(catalogue::lookup)
}

/// What was lost: all bytes, and the longest time.
fn lost(outcome: &Outcome) -> String {
    let bytes: u64 = outcome.lost.iter().map(|lost| lost.bytes).sum();
    match outcome.lost.iter().map(|lost| lost.seconds).max() {
        None => String::new(),
        Some(seconds) => format!(", lost {} of {seconds} s", Size(bytes)),
    }
}

/// The end of the story, in the words of the timeline; of the raw events when it tells nothing.
fn last_lines(outcome: &Outcome) -> Vec<String> {
    let from = |len: usize| len.saturating_sub(Terminal::LAST_EVENTS);
    match outcome.timeline.len() {
        0 => outcome.tail[from(outcome.tail.len())..].iter().map(event_line).collect(),
        told => outcome.timeline[from(told)..].to_vec(),
    }
}

/// One event on one line: time, node, what.
pub fn event_line(event: &Event) -> String {
    let what = serde_json::to_string(&event.what).unwrap_or_default();
    let what: String =
        if what.chars().count() > 150 { what.chars().take(149).chain(['…']).collect() } else { what };
    format!("{} {} {what}", event.at, event.node)
}

/// The command that runs this again, exactly.
pub fn reproduce(outcome: &Outcome, twice: bool) -> String {
    let wire = match outcome.wire {
        crate::scenario::model::Wire::Direct => "direct",
        crate::scenario::model::Wire::Http1 => "http1",
    };
    let check = if twice { " --check" } else { "" };
    let path = quoted(&outcome.path);
    format!("failback-lab run {path} --seed {} --wire {wire}{check}", outcome.seed)
}

/// As a shell reads it back.
fn quoted(path: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-+@:,".contains(c);
    if !path.is_empty() && path.chars().all(plain) && !path.starts_with('-') {
        path.to_owned()
    } else {
        let guard = if path.starts_with('-') { "./" } else { "" };
        format!("'{guard}{}'", path.replace('\'', r"'\''"))
    }
}

/// `26:40:00`
fn virtual_time(outcome: &Outcome) -> String {
    let s = outcome.virtual_ms / 1000;
    format!("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
}

fn hours(ms: u64) -> String {
    let minutes = ms / 60_000;
    format!("{}h{:02}m", minutes / 60, minutes % 60)
}
