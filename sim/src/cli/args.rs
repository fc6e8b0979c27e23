//! What the command line understands.

use crate::driver::Crash;
use crate::explore::kind::Kind;
use crate::scenario::model::Wire;
use crate::scenario::units::Period;
use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};
use std::path::{Path, PathBuf};

const EXIT_CODES: &str = "\
Exit codes, the worst one wins (in the order 70, 74, 3, 16, 12, 11, 10, 13, 14, 15):
   0  all held
   2  wrong usage
   3  a scenario file is invalid
   4  nothing ran
  10  an expectation failed, or a run got stuck
  11  an invariant broke
  12  two runs of one seed differed
  13  a fault of a scenario never struck
  14  a gate was breached
  15  a timeline or replay differs
  16  a shard is missing or torn
  20  disks differ
  70  a bug of the lab
  74  input or output failed";

const EXAMPLES: &str = "\
Examples:
  failback-lab run                                   run everything below scenarios/
  failback-lab run scenarios/vcenter --filter flap   run what has `flap` in its name
  failback-lab run --check --wire http1              run everything twice over HTTP/1.1, compare hashes
  failback-lab run --junit out.xml --events out.jsonl
  failback-lab check                                 read every file, report every mistake
  failback-lab rules P17                             what a rule says and which scenarios prove it
  failback-lab explain 95226                         what an error code means and what to do
  failback-lab fuzz --for 60s                        play drawn cases with drawn faults
  failback-lab disk sync a.img b.img                 make one disk image equal to another";

/// A lab for failing back from Azure to VMware: the real orchestrator and replication engine against
/// simulated data centres, in virtual time.
#[derive(Debug, Parser)]
#[command(name = "failback-lab", version, max_term_width = 100)]
#[command(after_help = EXAMPLES, after_long_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Command,
}

const ESTATES: &str = "\
A scenario names its estate relative to its own file. The estate must lie in the scenarios' folder: the
nearest one above the scenario that is named `scenarios`, or else the current directory or the folder
above the scenario's own, whichever is wider.";

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run scenarios and say what held.
    #[command(after_long_help = format!("{ESTATES}\n\n{EXIT_CODES}"))]
    Run(RunArgs),
    /// Play scenarios again and again, once with each kind of fault at each point where it can strike.
    ///
    /// A scenario is played once without a fault, by an operator who asks again for what failed; that gives every call
    /// and every journal write. Then it is played with each fault at each of them: the fault ends, the operator asks
    /// again, and what the scenario expects in the end must come true. The oracle watches as in any other run. Faults
    /// of its own it keeps only where it would not end as it says without them.
    #[command(after_long_help = EXIT_CODES)]
    Explore(ExploreArgs),
    /// Run every scenario twice and show the first event that differs.
    ///
    /// The second run is on another thread, with other seeds of the standard library's hash tables, at another time of
    /// day and over the other wire. Whatever of these a run depends on shows. What scenarios expect is not judged.
    #[command(after_long_help = EXIT_CODES)]
    Audit(AuditArgs),
    /// Play cases drawn from a seed, with drawn faults, and make what fails smaller until it is a scenario file.
    ///
    /// A case is a small estate, an operator who asks again for what failed, and also asks for what makes no sense, and
    /// things that befall the world. Each is played once as it is, and eight times with one to four faults at points of
    /// that run. In the end every machine must be where the steps lead it. The same seed gives the same cases, each by
    /// its number.
    #[command(after_long_help = EXIT_CODES)]
    Fuzz(FuzzArgs),
    /// List scenarios with the facts they cover.
    List(ListArgs),
    /// Read scenarios and estates and report every mistake, without running anything.
    #[command(after_help = "Ends with 0 when there is no mistake, with 3 when there is one.", after_long_help = ESTATES)]
    Check(CheckArgs),
    /// Print the JSON Schema of scenario or estate files, for editors.
    #[command(after_help = "\
In an editor with the YAML language server, begin a scenario file with
  # yaml-language-server: $schema=../scenario.schema.json
after
  failback-lab schema scenario > scenarios/scenario.schema.json")]
    Schema(SchemaArgs),
    /// List the rules of failback: what each says, where it strikes, which errors and scenarios belong to it.
    Rules(RulesArgs),
    /// Explain an error code: what it means, what may have caused it, what to do.
    Explain(ExplainArgs),
    /// Sync, compare and map real disk images with the replication engine.
    #[cfg(unix)]
    Disk(super::disk::args::DiskArgs),
}

/// Which scenarios, and how they are played.
#[derive(Debug, Args)]
pub(super) struct Which {
    /// Scenario files, or folders with all below them.
    #[arg(default_value = "scenarios")]
    pub(super) paths: Vec<PathBuf>,
    /// Only scenarios whose name or path contains this.
    #[arg(long, value_name = "TEXT")]
    pub(super) filter: Option<String>,
    /// Play with this seed instead of the files' own.
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u64>,
    /// Play this many at once; default: as many as there are cores.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(super) jobs: Option<u16>,
}

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    pub(super) which: Which,
    /// Let calls travel this way instead of the files' own.
    #[arg(long, value_name = "WIRE", value_enum)]
    pub(super) wire: Option<WireArg>,
    /// Crash the orchestrator right before (or after) its N-th journal write; it is started again after 30 s.
    #[arg(long, value_name = "before:N|after:N")]
    pub(super) crash_at: Option<Crash>,
    /// Run everything twice, the second time on another thread, and compare the hashes.
    #[arg(long)]
    pub(super) check: bool,
    /// Write a JUnit report.
    #[arg(long, value_name = "FILE")]
    pub(super) junit: Option<PathBuf>,
    /// Write all events, one JSON object a line.
    #[arg(long, value_name = "FILE")]
    pub(super) events: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct AuditArgs {
    #[command(flatten)]
    pub(super) which: Which,
}

#[derive(Debug, Args)]
pub(super) struct ExploreArgs {
    /// Scenario files, or folders with all below them.
    #[arg(required = true)]
    pub(super) paths: Vec<PathBuf>,
    /// Explore only scenarios whose name or path contains this.
    #[arg(long, value_name = "TEXT")]
    pub(super) filter: Option<String>,
    /// How many faults a run has: one, or a second one after each that did not break it.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=2))]
    pub(super) depth: u8,
    /// Only these kinds of faults; `--kinds help` lists them.
    #[arg(long, value_name = "KIND,...", value_delimiter = ',')]
    pub(super) kinds: Vec<Kind>,
    /// Take every point, not one of each class.
    #[arg(long)]
    pub(super) no_prune: bool,
    /// At most so many runs of each scenario, spread over all there could be; with two faults, half of them for first ones.
    #[arg(long, value_name = "RUNS", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) budget: Option<u32>,
    /// Play every run twice, the second time from its beginning and over the other wire, and compare the hashes.
    #[arg(long)]
    pub(super) check: bool,
    /// List the classes of points.
    #[arg(long)]
    pub(super) classes: bool,
    /// Run this many at once; default: as many as there are cores.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(super) jobs: Option<u16>,
    /// Write the reports as JSON.
    #[arg(long, value_name = "FILE")]
    pub(super) json: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct FuzzArgs {
    /// At least so many runs: cases are played whole; default 2000.
    #[arg(long, value_name = "N", conflicts_with = "time", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) runs: Option<u64>,
    /// As many as fit into this time: 60s, 1h.
    #[arg(long = "for", value_name = "TIME", id = "time")]
    pub(super) time: Option<Period>,
    /// The seed; default: a new one, which is printed.
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u64>,
    /// Play every case twice, the second time on another thread and over the other wire, and compare the hashes.
    #[arg(long)]
    pub(super) check: bool,
    /// Only the case of this number.
    #[arg(long, value_name = "N", conflicts_with_all = ["runs", "time"])]
    pub(super) case: Option<u64>,
    /// Run this many at once; default: as many as there are cores.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(super) jobs: Option<u16>,
    /// Where scenario files for failures go.
    #[arg(long, value_name = "DIR", default_value = "scenarios/regressions")]
    pub(super) save: PathBuf,
}

impl Arguments {
    /// Ends with 2 when two arguments cannot go together.
    pub(super) fn refuse_contradictions(&self) {
        let Command::Run(run) = &self.command else { return };
        let (Some(junit), Some(events)) = (&run.junit, &run.events) else { return };
        let special = std::fs::metadata(junit).is_ok_and(|meta| !meta.is_file());
        if !special && resolved(junit) == resolved(events) {
            let text = format!("--junit and --events would both write {}", junit.display());
            Self::command().error(clap::error::ErrorKind::ArgumentConflict, text).exit();
        }
    }
}

/// The file that a path names, whether it exists already or not.
fn resolved(path: &Path) -> PathBuf {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let beside = || Some(std::fs::canonicalize(folder).ok()?.join(path.file_name()?));
    std::fs::canonicalize(path).ok().or_else(beside).unwrap_or_else(|| path.to_path_buf())
}

/// How calls travel.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum WireArg {
    /// Straight into the callee's router.
    Direct,
    /// As HTTP/1.1 over a pipe in memory.
    Http1,
}

impl From<WireArg> for Wire {
    fn from(wire: WireArg) -> Self {
        match wire {
            WireArg::Direct => Self::Direct,
            WireArg::Http1 => Self::Http1,
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// Scenario files, or folders with all below them.
    #[arg(default_value = "scenarios")]
    pub(super) paths: Vec<PathBuf>,
    /// List only scenarios whose name or path contains this.
    #[arg(long, value_name = "TEXT")]
    pub(super) filter: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// Scenario and estate files, or folders with all below them.
    #[arg(default_value = "scenarios")]
    pub(super) paths: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct SchemaArgs {
    /// Of which files.
    #[arg(value_enum, default_value = "scenario")]
    pub(super) what: SchemaOf,
}

/// Which format's schema.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum SchemaOf {
    /// `*.scenario.yaml`
    Scenario,
    /// `*.estate.yaml`
    Estate,
}

#[derive(Debug, Args)]
pub(super) struct RulesArgs {
    /// Only the rules of these keys: P17, C16.
    pub(super) keys: Vec<String>,
    /// Where the scenarios are that prove them.
    #[arg(long = "scenarios", value_name = "PATH", default_value = "scenarios")]
    pub(super) paths: Vec<PathBuf>,
    /// How to list them.
    #[arg(long, value_enum, default_value = "text")]
    pub(super) format: Format,
}

/// How something is listed.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Format {
    /// For people.
    Text,
    /// For programs: a list of objects with `key`, `rule`, `strikes`, `errors`, `scenarios`.
    Json,
}

#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// The code, as jobs and refusals show it: 95226, FB1303.
    #[arg(required_unless_present = "list", conflicts_with = "list")]
    pub(super) code: Option<String>,
    /// List every code with what it means.
    #[arg(long)]
    pub(super) list: bool,
    /// Where the scenarios are that show it.
    #[arg(long = "scenarios", value_name = "PATH", default_value = "scenarios")]
    pub(super) paths: Vec<PathBuf>,
}
