//! How a piece of work on images shows: a bar on a terminal, plain lines off it.

use super::super::output::quiet;
use failback_replication::image::Step;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{Read as _, Write as _};
use std::ops::ControlFlow;

/// Watches one piece of work.
pub(super) struct Show {
    bar: ProgressBar,
    /// Lines instead of a bar.
    plain: bool,
    total: u64,
    /// Tenths that have been told.
    tenths: u64,
    hold_at: Option<u64>,
}

impl Show {
    pub(super) fn new(hold_at: Option<u64>) -> Self {
        let plain = quiet();
        let target = if plain { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let bar = ProgressBar::with_draw_target(Some(0), target);
        let template =
            "{msg:9} {bar:30} {binary_bytes}/{binary_total_bytes}, {binary_bytes_per_sec}, {eta} left";
        let bar = match ProgressStyle::with_template(template) {
            Ok(style) => bar.with_style(style),
            Err(_) => bar,
        };
        Self { bar, plain, total: 0, tenths: 0, hold_at }
    }
    /// Takes the bar away.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
    pub(super) fn step(&mut self, step: Step<'_>) -> ControlFlow<()> {
        match step {
            Step::Begun { what, why, total, resumed } => {
                self.total = total;
                self.bar.set_length(total);
                self.bar.set_message(what.to_owned());
                self.begun(what, why, resumed);
            }
            Step::Done(bytes) => {
                self.bar.set_position(bytes);
                self.told(bytes);
                if self.hold_at.is_some_and(|at| bytes >= at) {
                    hold();
                }
            }
            Step::Durable(_) => {}
            Step::Verifying => {
                self.tenths = 0;
                self.bar.set_position(0);
                self.bar.set_length(self.total);
                self.bar.set_message("verify");
                self.say("verifying: reading both sides again");
            }
        }
        ControlFlow::Continue(())
    }
    fn begun(&self, what: &str, why: &str, resumed: u64) {
        match resumed {
            0 => self.say(&format!("{what}: {why}")),
            at => self.say(&format!("{what}: {why}; an earlier one got to {}", size(at))),
        }
    }
    /// Off a terminal, every tenth of work worth waiting for is a line.
    fn told(&mut self, bytes: u64) {
        let tenths = bytes * 10 / self.total.max(1);
        if self.plain && self.total >= WORTH_TELLING && tenths > self.tenths && tenths < 10 {
            self.tenths = tenths;
            self.say(&format!("{:>3} % of {}", tenths * 10, size(self.total)));
        }
    }
    fn say(&self, text: &str) {
        self.bar.suspend(|| {
            // When that fails there is nobody to tell.
            let _ = writeln!(std::io::stderr().lock(), "{text}");
        });
    }
}

/// Bytes below which nobody waits long enough for lines of progress.
const WORTH_TELLING: u64 = 4 << 30;

/// Waits for the end of this process, or of standard input.
fn hold() {
    let _ = writeln!(std::io::stderr().lock(), "held");
    let _ = std::io::stdin().lock().read(&mut [0]);
}

/// Bytes as people read them.
pub(super) fn size(bytes: u64) -> String {
    indicatif::BinaryBytes(bytes).to_string()
}
