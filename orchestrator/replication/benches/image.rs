//! Real images against the raw loop of the same work, and against rsync, qemu-img and dd where they are installed.
//!
//! Contestants take turns, so that what else the machine does hits all of them alike; ratios of the medians are
//! what counts. `FAILBACK_BENCH_MIB` sets the size of the images (1024), `FAILBACK_BENCH_ROUNDS` the rounds (7),
//! `FAILBACK_BENCH_DIR` the folder (tmpfs, where there is one with room).

#[path = "image/loops.rs"]
mod loops;
#[path = "image/place.rs"]
mod place;
#[path = "image/table.rs"]
mod table;

use criterion::{BenchmarkId, Criterion, criterion_group};
use place::Place;
use std::time::Duration;
use table::{Contestant, full, map, resync};

/// The same work under criterion, for those who compare runs with each other.
fn measured(c: &mut Criterion, place: &Place) {
    for (name, contestants) in [("full", full(place)), ("map", map(place)), ("checksum", resync(place))] {
        let mut group = c.benchmark_group(format!("{name} {} MiB", place.size >> 20));
        group.sample_size(10).measurement_time(Duration::from_secs(2));
        for contestant in contestants.iter().filter(|c| c.ours) {
            group.bench_function(BenchmarkId::from_parameter(&contestant.name), |b| {
                b.iter_custom(|n| (0..n).map(|_| once(contestant)).sum());
            });
        }
        group.finish();
    }
}

fn once(contestant: &Contestant<'_>) -> Duration {
    contestant.time().expect("what is part of this crate is installed")
}

fn images(c: &mut Criterion) {
    let place = Place::new();
    table::print(&place);
    measured(c, &place);
}

criterion_group!(benches, images);

fn main() {
    if place::is_child() {
        return place::child();
    }
    benches();
    Criterion::default().configure_from_args().final_summary();
}
