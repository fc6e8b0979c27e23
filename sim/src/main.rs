//! The command line.

use std::process::ExitCode;

/// A run is many small, short-lived pieces; the system's allocator takes a tenth of it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    failback_lab::cli::main()
}
