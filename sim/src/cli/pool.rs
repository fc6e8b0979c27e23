//! The one place where the lab starts threads and processes: each runs whole scenarios, each scenario in a world and on
//! a runtime of its own, so that threads share nothing and cannot race.

use crate::driver::{self, RunOptions};
use crate::report::outcome::{Finding, FindingKind, Outcome};
use crate::scenario::CheckedScenario;
use std::cell::RefCell;
use std::collections::BTreeMap;
#[cfg(unix)]
use std::io::{BufRead, BufReader, PipeWriter};
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Once, mpsc};
use std::thread::Builder;
use std::time::Duration;

/// Deep recursion of a debug build must not end a run.
const STACK: usize = 16 << 20;

/// How to run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// How many at once.
    pub(super) jobs: usize,
    /// Run everything twice and compare.
    pub(super) twice: bool,
    /// For each run.
    pub(super) options: RunOptions,
}

/// Runs all scenarios; calls `ready` in their order, each as soon as it and all before it are done.
pub(super) fn run_all(
    scenarios: &[CheckedScenario],
    plan: Plan,
    mut ready: impl FnMut(&CheckedScenario, Outcome),
) {
    each(
        scenarios.len(),
        plan.jobs,
        |index| run_one(&scenarios[index], plan),
        |index, outcome| ready(&scenarios[index], outcome),
    );
}

/// Does `work` for each number below `count`, `jobs` at once; calls `ready` in their order, each as soon as it and all
/// before it are done.
pub(super) fn each<T: Send>(
    count: usize,
    jobs: usize,
    work: impl Fn(usize) -> T + Sync,
    ready: impl FnMut(usize, T),
) {
    until(count, jobs, |index| Some(work(index)), ready);
}

/// The same, until `work` answers nothing: then no further number is begun.
#[expect(clippy::disallowed_methods, reason = "whole runs, each in a world of its own, share nothing")]
pub(super) fn until<T: Send>(
    count: usize,
    jobs: usize,
    work: impl Fn(usize) -> Option<T> + Sync,
    mut ready: impl FnMut(usize, T),
) {
    let next = AtomicUsize::new(0);
    let (sender, receiver) = mpsc::channel();
    std::thread::scope(|scope| {
        for worker in 0..jobs.clamp(1, count.max(1)) {
            let (sender, next, work) = (sender.clone(), &next, &work);
            let work = move || {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(done) = Some(index).filter(|index| *index < count).and_then(work) else { break };
                    if sender.send((index, done)).is_err() {
                        break;
                    }
                }
            };
            let thread = Builder::new().name(format!("run-{worker}")).stack_size(STACK);
            // The system may refuse the second thread and later ones; those that run do all the work.
            if thread.spawn_scoped(scope, work).is_err() && worker == 0 {
                break;
            }
        }
        drop(sender);
        let mut waiting = BTreeMap::new();
        let mut expected = 0;
        for (index, outcome) in receiver {
            waiting.insert(index, outcome);
            while let Some(outcome) = waiting.remove(&expected) {
                ready(expected, outcome);
                expected += 1;
            }
        }
    });
}

/// Does `work` in so many processes, each with its number and a pipe to write lines to; calls `ready` with each line, until
/// all have come to their end. There must be no other thread: a process that forks takes only its own along.
#[cfg(unix)]
#[expect(clippy::disallowed_methods, reason = "they only read what other processes write")]
pub(super) fn processes(
    count: usize,
    work: impl Fn(usize, &PipeWriter),
    mut ready: impl FnMut(String),
) -> std::io::Result<()> {
    let mut children = Vec::new();
    for number in 0..count {
        let (reader, writer) = std::io::pipe()?;
        match fork::fork()? {
            fork::Fork::Child => {
                drop(reader);
                // Else the others could not tell that nobody reads any more.
                children.clear();
                work(number, &writer);
                std::process::exit(0);
            }
            fork::Fork::Parent(child) => children.push((child, reader)),
        }
    }
    let (sender, receiver) = mpsc::channel();
    std::thread::scope(|scope| {
        for (_, reader) in &children {
            let sender = sender.clone();
            scope.spawn(move || {
                let lines = BufReader::new(reader).lines();
                lines.map_while(Result::ok).try_for_each(|line| sender.send(line))
            });
        }
        drop(sender);
        receiver.into_iter().for_each(&mut ready);
    });
    for (child, _) in children {
        // What one that died has not told is missed where its lines are read.
        let _ = fork::waitpid(child);
    }
    Ok(())
}

/// Does this on a thread of its own; nothing when it could not be started, or panicked.
#[expect(clippy::disallowed_methods, reason = "whole runs, each in a world of its own, share nothing")]
pub(super) fn elsewhere<T: Send>(work: impl FnOnce() -> T + Send) -> Option<T> {
    std::thread::scope(|scope| {
        let thread = Builder::new().name("run-elsewhere".to_owned()).stack_size(STACK);
        thread.spawn_scoped(scope, work).ok()?.join().ok()
    })
}

#[expect(clippy::disallowed_methods, reason = "whole runs, each in a world of its own, share nothing")]
fn run_one(scenario: &CheckedScenario, plan: Plan) -> Outcome {
    if !plan.twice {
        return caught(scenario, &plan.options);
    }
    std::thread::scope(|scope| {
        let second = Builder::new().name("run-twin".to_owned()).stack_size(STACK);
        let second = second.spawn_scoped(scope, || caught(scenario, &plan.options));
        let mut first = caught(scenario, &plan.options);
        match second.map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(second)) => compare(&mut first, &second),
            Ok(Err(_)) | Err(_) => {
                let message = "the second run could not be started on another thread";
                first.findings.push(Finding::new(FindingKind::LabBug, message));
            }
        }
        first
    })
}

/// Two runs of one seed must be one run.
fn compare(first: &mut Outcome, second: &Outcome) {
    if first.hash == second.hash && first.events == second.events && first.virtual_ms == second.virtual_ms {
        return;
    }
    let told = |o: &Outcome| format!("hash {:032x}, {} events, {} ms", o.hash, o.events, o.virtual_ms);
    let lines = first.timeline.iter().zip(&second.timeline);
    let split = lines.enumerate().find(|(_, (a, b))| a != b);
    let finding = Finding::new(FindingKind::Nondeterminism, "two runs of one seed differ");
    let finding = match split {
        Some((line, (a, b))) => finding.compared(
            format!("{} (line {}: {a})", told(first), line + 1),
            format!("{} (line {}: {b})", told(second), line + 1),
        ),
        None => finding.compared(told(first), told(second)),
    };
    first.findings.push(finding);
}

thread_local! {
    /// The first panic of the run on this thread. Tasks swallow theirs; the hook sees all of them.
    static PANIC: RefCell<Option<Option<String>>> = const { RefCell::new(None) };
}

/// From now on a panic inside a run is kept for its report instead of being printed.
fn hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let kept = PANIC.with_borrow_mut(|slot| match slot {
                Some(first) => {
                    let place = info.location().map(|l| format!(" ({}:{})", l.file(), l.line()));
                    let text = info.payload_as_str().unwrap_or("a panic without words");
                    first.get_or_insert_with(|| format!("{text}{}", place.unwrap_or_default()));
                    true
                }
                None => false,
            });
            if !kept {
                before(info);
            }
        }));
    });
}

fn caught(scenario: &CheckedScenario, options: &RunOptions) -> Outcome {
    let nothing = || {
        let file = &scenario.scenario;
        let (seed, wire) = (options.seed.unwrap_or(file.seed), options.wire.unwrap_or(file.wire));
        Outcome::new(file.name.value.clone(), scenario.path.clone(), seed, wire)
    };
    kept(|| driver::run(scenario, options), nothing)
}

/// What `run` came to, or `nothing` when it panicked; a panic becomes a finding.
fn kept(run: impl FnOnce() -> Outcome, nothing: impl FnOnce() -> Outcome) -> Outcome {
    let started = wall();
    let (run, panicked) = quietly(run);
    let mut outcome = run.unwrap_or_else(nothing);
    if let Some(text) = panicked {
        outcome.findings.push(Finding::new(FindingKind::LabBug, format!("panic: {text}")));
    }
    outcome.wall = wall().saturating_sub(started);
    outcome
}

/// What `run` came to, if it did not panic, and the text of the first panic in it, which is printed nowhere.
pub(super) fn quietly<T>(run: impl FnOnce() -> T) -> (Option<T>, Option<String>) {
    hook();
    PANIC.set(Some(None));
    // Whatever a panic leaves half-done belongs to this run's world, which ends with it.
    let run = panic::catch_unwind(AssertUnwindSafe(run));
    (run.ok(), PANIC.take().flatten())
}

/// Wall time, for reports only: nothing simulated sees it.
pub(super) fn wall() -> Duration {
    use std::sync::OnceLock;
    use std::time::Instant;
    static START: OnceLock<Instant> = OnceLock::new();
    #[expect(clippy::disallowed_methods, reason = "wall time of runs, shown and never hashed")]
    let now = Instant::now();
    now.saturating_duration_since(*START.get_or_init(|| now))
}

#[cfg(test)]
mod tests;
