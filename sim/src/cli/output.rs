//! Standard output and standard error: colour where it is wanted, no panic when nobody reads.

use crate::report::outcome::Exit;
use std::env;
use std::io::{self, ErrorKind, IsTerminal as _, Write as _};

/// The process's two streams.
#[derive(Debug)]
pub(super) struct Output {
    colour: bool,
    colour_errors: bool,
    /// Nobody reads standard output any more, as behind `| head`.
    closed: bool,
    failed: bool,
}

impl Output {
    /// Colour when it goes to a terminal and `NO_COLOR` does not forbid it.
    pub(super) fn of_process() -> Self {
        let forbidden = env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty())
            || env::var_os("TERM").is_some_and(|v| v == "dumb");
        Self {
            colour: !forbidden && io::stdout().is_terminal(),
            colour_errors: !forbidden && io::stderr().is_terminal(),
            closed: false,
            failed: false,
        }
    }
    /// Whether standard output shows colour.
    pub(super) fn colour(&self) -> bool {
        self.colour
    }
    /// Whether standard error shows colour.
    pub(super) fn colour_errors(&self) -> bool {
        self.colour_errors
    }
    /// One line or several on standard output.
    pub(super) fn line(&mut self, text: &str) {
        if self.closed {
            return;
        }
        let mut stdout = io::stdout().lock();
        if let Err(error) = writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
            // A reader that has seen enough is no failure.
            self.closed = true;
            self.failed = error.kind() != ErrorKind::BrokenPipe;
        }
    }
    /// One line or several on standard error. When that fails there is nobody to tell.
    pub(super) fn error(&mut self, text: &str) {
        let _ = writeln!(io::stderr().lock(), "{text}");
    }
    /// What the streams themselves mean for the exit code.
    pub(super) fn exit(&self) -> Exit {
        if self.failed { Exit::Io } else { Exit::Held }
    }
}

/// Whether a progress bar would be in the way: no terminal, or a build server.
pub(super) fn quiet() -> bool {
    !io::stderr().is_terminal() || env::var_os("CI").is_some_and(|v| !v.is_empty() && v != "false")
}
