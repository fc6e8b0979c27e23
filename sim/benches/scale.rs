//! What a large estate costs: machines under protection for 24 simulated hours with points every five minutes, one in a
//! hundred of them writing in each interval, oracle on, one thread.
//!
//! `cargo bench -p failback-lab --bench scale` runs 100, 1,000 and 10,000 machines; `-- 1000` runs only so many.

use failback_lab::driver::{Script, play};
use failback_lab::scenario::CheckedScenario;
use failback_lab::scenario::inventory::Machine;
use failback_lab::scenario::load::load;
use std::path::Path;
use std::time::Instant;

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn day_of_protection() -> CheckedScenario {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches").join("scale.scenario.yaml");
    let loaded = load(&[path], false);
    assert!(loaded.problems.is_empty(), "{:?}", loaded.problems);
    loaded.scenarios.into_iter().next().expect("one scenario")
}

/// `n` machines for a day: every hundredth of them writes, in each interval. Writes are the guests' own: a step of the
/// scenario would have the driver look at the whole estate each time.
fn grown(checked: &CheckedScenario, n: usize) -> CheckedScenario {
    let mut grown = checked.clone();
    let first = grown.inventory.machines[0].clone();
    let machine = |i: usize| Machine {
        name: format!("vm{i:05}"),
        writes_per_minute: u32::from(i.is_multiple_of(100)),
        ..first.clone()
    };
    grown.inventory.machines = (0..n).map(machine).collect();
    grown.inventory.hosts[0].memory.0 = 1 << 50;
    grown
}

/// The most memory this process has held, in MiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
    kib.unwrap_or_default() / 1024
}

fn main() {
    let wanted: Vec<usize> = std::env::args().filter_map(|arg| arg.parse().ok()).collect();
    let sizes = if wanted.is_empty() { vec![100, 1000, 10_000] } else { wanted };
    let (base, mut first) = (day_of_protection(), None);
    for n in sizes {
        let checked = grown(&base, n);
        #[expect(clippy::disallowed_methods, reason = "a benchmark measures wall time")]
        let start = Instant::now();
        let played = play(&Script::new(&checked));
        let wall = start.elapsed().as_secs_f64();
        assert!(played.findings.is_empty(), "{:?}", played.findings);
        let each = wall * 1e3 / n as f64;
        let ratio = each / *first.get_or_insert(each);
        println!(
            "{n:>6} VMs, {} virtual: {wall:>7.1} s, {each:.2} ms a VM ({ratio:.2} x), {} calls, {} events, peak {} MiB",
            played.ended,
            played.calls,
            played.recording.events,
            peak()
        );
    }
}
