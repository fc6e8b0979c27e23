//! The command line.

mod args;
mod audit;
#[cfg(unix)]
mod disk;
mod explain;
mod explore;
mod fuzz;
mod inspect;
mod output;
mod pool;
mod rules;
mod run;

use crate::report::outcome::Exit;
use args::{Arguments, Command};
use clap::Parser as _;
use output::Output;
use std::process::ExitCode;
use tracing_subscriber::filter::LevelFilter;

/// Reads the arguments, does what they say, and tells by the exit code how it went.
pub fn main() -> ExitCode {
    // Wrong usage ends here, with 2.
    let arguments = Arguments::parse();
    arguments.refuse_contradictions();
    // Whoever breaks things thousands of times knows that they break.
    let quiet = matches!(arguments.command, Command::Explore(_) | Command::Fuzz(_) | Command::Audit(_));
    log_to_standard_error(if quiet { LevelFilter::OFF } else { LevelFilter::ERROR });
    let mut out = Output::of_process();
    let exit = match arguments.command {
        Command::Run(args) => run::run(&args, &mut out),
        Command::Audit(args) => audit::audit(&args, &mut out),
        Command::Explore(args) => explore::explore(&args, &mut out),
        Command::Fuzz(args) => fuzz::fuzz(&args, &mut out),
        Command::List(args) => inspect::list(&args, &mut out),
        Command::Check(args) => inspect::check(&args, &mut out),
        Command::Schema(args) => inspect::schema(args.what, &mut out),
        Command::Rules(args) => rules::rules(&args, &mut out),
        Command::Explain(args) => explain::explain(&args, &mut out),
        #[cfg(unix)]
        Command::Disk(args) => disk::disk(&args, &mut out),
    };
    ExitCode::from(exit.worst(out.exit()).code())
}

/// `FAILBACK_LAB_LOG=debug` shows every call and what the parts say about themselves. Never part of a hash.
fn log_to_standard_error(default: LevelFilter) {
    let level = std::env::var("FAILBACK_LAB_LOG").ok().and_then(|v| v.parse::<LevelFilter>().ok());
    let level = level.unwrap_or(default);
    // Virtual time stands in the lines; a wall clock would say nothing.
    tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr).without_time().init();
}

/// How many runs at once: as many as asked for, or as there are cores.
fn jobs(asked: Option<u16>) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    asked.map_or(cores, usize::from)
}

/// Says on standard error what kept files from being used, and what that means for the exit code.
fn complain(loaded: &crate::scenario::load::Loaded, out: &mut Output) -> Exit {
    let mut exit = Exit::Held;
    for problem in &loaded.problems {
        out.error(&format!("{}\n", problem.render(out.colour_errors())));
        exit = exit.worst(Exit::Invalid);
    }
    for unread in &loaded.unread {
        out.error(&format!("error: cannot read {unread}"));
        exit = exit.worst(Exit::Io);
    }
    exit
}
