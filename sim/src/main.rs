//! The command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    failback_lab::cli::main()
}
