//! What a simulated day costs: one full cycle of 24 hours for one machine, and the cost per call as the
//! estate grows. Ratios and counts are what counts; milliseconds depend on the machine.

use criterion::{Criterion, criterion_group, criterion_main};
use failback_lab::driver::{Played, Script, play};
use failback_lab::scenario::CheckedScenario;
use failback_lab::scenario::load::load;
use failback_lab::scenario::model::Wire;
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn scenario(file: &str) -> CheckedScenario {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches").join(file);
    let loaded = load(&[path], false);
    assert!(loaded.problems.is_empty(), "{:?}", loaded.problems);
    loaded.scenarios.into_iter().next().expect("one scenario")
}

fn once(checked: &CheckedScenario, wire: Wire) -> Played {
    let played = play(&Script { seed: 1, wire, ..Script::new(checked) });
    assert!(played.findings.is_empty(), "{:?}", played.findings);
    played
}

/// The same estate with `n` machines; the steps are left out: they only replicate.
fn grown(checked: &CheckedScenario, n: usize) -> CheckedScenario {
    let mut grown = checked.clone();
    let first = grown.inventory.machines[0].clone();
    grown.inventory.machines = (0..n)
        .map(|i| {
            let mut machine = first.clone();
            machine.name = format!("vm{i:04}");
            machine
        })
        .collect();
    grown.inventory.hosts[0].memory.0 = 1 << 50;
    grown
}

/// The middle one of three runs, after one that warms up: a machine's first touch of so much memory costs more than
/// the work in it.
fn timed(checked: &CheckedScenario) -> (Duration, Played) {
    let played = once(checked, Wire::Direct);
    let mut walls: [Duration; 3] = std::array::from_fn(|_| {
        #[expect(clippy::disallowed_methods, reason = "a benchmark measures wall time")]
        let start = Instant::now();
        black_box(once(checked, Wire::Direct));
        start.elapsed()
    });
    walls.sort();
    (walls[1], played)
}

fn cycle(c: &mut Criterion) {
    let day = scenario("day.scenario.yaml");
    let played = once(&day, Wire::Direct);
    println!(
        "a cycle of {}: {} calls, {} events, {} guest writes of 4 KiB ({} MiB), {} journal writes",
        played.ended,
        played.calls,
        played.recording.events,
        played.guest_writes,
        played.guest_writes / 256,
        played.writes.len()
    );
    let mut group = c.benchmark_group("full cycle of 24 h, one VM, two 16 MiB disks");
    group.sample_size(20);
    group.bench_function("direct", |b| b.iter(|| black_box(once(&day, Wire::Direct))));
    group.bench_function("http1", |b| b.iter(|| black_box(once(&day, Wire::Http1))));
    group.finish();
}

fn growth(_: &mut Criterion) {
    let hour = scenario("hour.scenario.yaml");
    println!("cost per call while an estate replicates for an hour:");
    let mut first = None;
    for n in [1, 10, 100, 1000] {
        let checked = grown(&hour, n);
        let (wall, played) = timed(&checked);
        let per_call = wall.as_secs_f64() * 1e6 / played.calls as f64;
        let ratio = per_call / *first.get_or_insert(per_call);
        println!("  {n:>5} VMs: {:>8} calls, {per_call:>7.1} us a call, {ratio:.2} x", played.calls);
    }
}

criterion_group!(benches, cycle, growth);
criterion_main!(benches);
