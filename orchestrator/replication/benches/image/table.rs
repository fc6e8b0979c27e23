//! Who takes part in what, and the table that comes of it.

use crate::loops;
use crate::place::{Place, rounds};
use failback_replication::image::{Mode, Options, sync};
use std::hint::black_box;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// One way to do some work.
pub(crate) struct Contestant<'a> {
    pub(crate) name: String,
    /// Part of this crate, or the loop it is measured against.
    pub(crate) ours: bool,
    /// Whether it must leave the destination equal to the source.
    copies: bool,
    place: &'a Place,
    /// What is timed; false when it is not installed.
    work: Box<dyn Fn() -> bool + 'a>,
}

impl<'a> Contestant<'a> {
    fn new(place: &'a Place, name: &str, work: impl Fn() + 'a) -> Self {
        let work = Box::new(move || {
            work();
            true
        });
        Self { name: name.to_owned(), ours: true, copies: true, place, work }
    }
    fn tool(place: &'a Place, line: &str) -> Self {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let source = place.source().display().to_string();
        let destination = place.destination().display().to_string();
        let work = Box::new(move || {
            let arguments = words[1..].iter().map(|w| w.replace("SRC", &source).replace("DST", &destination));
            let mut command = Command::new(&words[0]);
            command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
            command.status().is_ok_and(|status| status.success())
        });
        Self { name: line.to_owned(), ours: false, copies: true, place, work }
    }
    fn engine(place: &'a Place, mode: Mode<'_>, threads: usize) -> Self {
        let (by_map, checksum) = (matches!(mode, Mode::Map(_)), mode == Mode::Checksum);
        let flag = if by_map {
            "--map"
        } else if checksum {
            "--checksum"
        } else {
            "--full"
        };
        let name = format!("failback-lab disk sync {flag} --threads {threads}");
        Self::new(place, &name, move || {
            let map = place.map();
            let mode = if by_map {
                Mode::Map(&map)
            } else if checksum {
                Mode::Checksum
            } else {
                Mode::Full
            };
            // The destination was put back behind the map's back.
            let options = Options { threads, force: true, ..Options::default() };
            let go = &mut |_: failback_replication::image::Step<'_>| ControlFlow::Continue(());
            sync(&place.source(), &place.destination(), Some(mode), &options, go).expect("a sync");
        })
    }
    fn only_reads(mut self) -> Self {
        self.copies = false;
        self
    }
    /// How long it takes on a stale destination; `None` when it is not installed.
    pub(crate) fn time(&self) -> Option<Duration> {
        self.place.stale();
        #[expect(clippy::disallowed_methods, reason = "a benchmark measures wall time")]
        let start = Instant::now();
        let worked = (self.work)();
        let took = start.elapsed();
        worked.then_some(took)
    }
}

/// Copying all of an image over another one.
pub(crate) fn full(place: &Place) -> Vec<Contestant<'_>> {
    vec![
        Contestant::new(place, "a plain pread/pwrite loop, 1 MiB at a time", || {
            loops::copy(&place.source(), &place.destination(), place.size);
        }),
        Contestant::engine(place, Mode::Full, 1),
        Contestant::engine(place, Mode::Full, 2),
        Contestant::tool(place, "qemu-img convert -n -f raw -O raw SRC DST"),
        Contestant::tool(place, "qemu-img convert -n -W -m 8 -f raw -O raw SRC DST"),
        Contestant::tool(place, "dd if=SRC of=DST bs=1M conv=notrunc"),
        Contestant::tool(place, "rsync --inplace --whole-file -I SRC DST"),
    ]
}

/// Copying the 5 % that a map names.
pub(crate) fn map(place: &Place) -> Vec<Contestant<'_>> {
    vec![
        Contestant::new(place, "a loop that copies exactly those extents", || {
            loops::extents(&place.source(), &place.destination(), &place.dirty);
        }),
        Contestant::engine(place, Mode::Map(Path::new("")), 1),
        Contestant::engine(place, Mode::Map(Path::new("")), 2),
        scan(place, 1),
        scan(place, 2),
        Contestant::tool(place, "rsync --inplace --no-whole-file -I SRC DST"),
    ]
}

/// Finding and copying the 5 % without a map.
pub(crate) fn resync(place: &Place) -> Vec<Contestant<'_>> {
    vec![
        scan(place, 2),
        Contestant::engine(place, Mode::Checksum, 1),
        Contestant::engine(place, Mode::Checksum, 2),
        Contestant::tool(place, "rsync --inplace --no-whole-file -I SRC DST"),
    ]
}

fn scan(place: &Place, threads: usize) -> Contestant<'_> {
    let name = format!("an xxh3 scan of both sides, {threads} thread{}", if threads == 1 { "" } else { "s" });
    let work = move || {
        black_box(loops::scan(&place.source(), &place.destination(), place.size, threads));
    };
    Contestant::new(place, &name, work).only_reads()
}

/// Runs everybody in turns and prints medians, and ratios to the first one.
pub(crate) fn print(place: &Place) {
    let mib = place.size >> 20;
    println!(
        "images of {mib} MiB, {} rounds, median (and best) wall time; the ratio is to the first line",
        rounds()
    );
    let works = [
        ("full sync over an image of the same size", full(place)),
        ("delta by map, 5 % dirty in 4 to 64 KiB extents", map(place)),
        ("resync by checksum, 5 % different", resync(place)),
    ];
    for (title, contestants) in works {
        println!("\n{title}");
        let mut times: Vec<Vec<Duration>> = vec![Vec::new(); contestants.len()];
        // The first round warms up and checks.
        for round in 0..=rounds() {
            for (contestant, times) in contestants.iter().zip(&mut times) {
                let took = contestant.time();
                if round == 0 && took.is_some() && contestant.copies {
                    assert!(place.equal(), "{} left another image", contestant.name);
                }
                times.extend(took.filter(|_| round > 0));
            }
        }
        let first = median(&mut times[0]);
        for (contestant, times) in contestants.iter().zip(&mut times) {
            line(&contestant.name, times, first);
        }
    }
    println!("\nmemory of a sync --verify of a sparse 1 TiB image with {mib} MiB of data");
    match place.resident() {
        Some(kib) => println!("  {:>7.1} MiB resident at most", kib as f64 / 1024.0),
        None => println!("  this file system or system does not say"),
    }
    println!();
}

fn line(name: &str, times: &mut [Duration], first: Duration) {
    if times.is_empty() {
        return println!("  {:>41}  {name}", "not installed");
    }
    let (median, best) = (median(times), times[0]);
    let ratio = median.as_secs_f64() / first.as_secs_f64();
    let ms = |d: Duration| d.as_secs_f64() * 1e3;
    println!("  {:>9.1} ms ({:>8.1} ms) {ratio:>8.2} x   {name}", ms(median), ms(best));
}

/// Sorts, too.
fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
