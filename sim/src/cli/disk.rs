//! `failback-lab disk`: the replication engine on real images.

pub(super) mod args;
mod show;

use super::output::Output;
use super::pool;
use crate::report::outcome::Exit;
use args::{DiskArgs, DiskCommand, MapArgs, SyncArgs, Threads, VerifyArgs};
use failback_replication::image::map::{self, ChangeMap};
use failback_replication::image::{self, Error, Mode, Options, Report};
use show::{Show, size};
use std::path::Path;
use std::time::Duration;

/// Does what the arguments name.
pub(super) fn disk(args: &DiskArgs, out: &mut Output) -> Exit {
    let done = match &args.command {
        DiskCommand::Sync(args) => sync(args, out),
        DiskCommand::Verify(args) => verify(args, out),
        DiskCommand::Map(args) => map(args, out),
    };
    done.unwrap_or_else(|error| {
        out.error(&format!("error: {error}"));
        if let Some(hint) = error.hint() {
            out.error(&format!("  hint: {hint}"));
        }
        exit_of(&error)
    })
}

fn exit_of(error: &Error) -> Exit {
    match error {
        Error::Refused(_) => Exit::Usage,
        Error::SourceChanged(_) | Error::Differs(_) => Exit::DisksDiffer,
        Error::Io { .. } => Exit::Io,
        // Nobody here stops anything.
        Error::Stopped => Exit::LabBug,
    }
}

fn options(threads: &Threads) -> Options {
    let default = Options::default();
    Options { threads: threads.threads.map_or(default.threads, usize::from), ..default }
}

fn sync(args: &SyncArgs, out: &mut Output) -> Result<Exit, Error> {
    let options = options(&args.threads);
    let window = args.window.unwrap_or(options.window);
    let options = Options { verify: args.verify, force: args.force, window, ..options };
    let mode = match (&args.map, args.checksum, args.full) {
        (Some(map), _, _) => Some(Mode::Map(map)),
        (None, true, _) => Some(Mode::Checksum),
        (None, false, true) => Some(Mode::Full),
        (None, false, false) => None,
    };
    let mut show = Show::new(args.hold_at);
    let started = pool::wall();
    let done = image::sync(&args.source, &args.destination, mode, &options, &mut |step| show.step(step));
    show.finish();
    tell(&done?, &args.destination, pool::wall().saturating_sub(started), out);
    Ok(Exit::Held)
}

fn tell(report: &Report, destination: &Path, wall: Duration, out: &mut Output) {
    let Report { mode, read, written, cleared, .. } = report;
    let (total, read, written, cleared) = (size(report.size), size(*read), size(*written), size(*cleared));
    let wall = wall.as_secs_f64();
    out.line(&format!(
        "{mode}: {total} in sync; {read} read, {written} written, {cleared} turned into holes, in {wall:.2} s"
    ));
    if let Some(crc) = report.crc32c {
        out.line(&format!("crc32c of the source as it was read: {crc:08x}"));
    }
    if let Some(root) = report.root {
        out.line(&format!("verified: both sides have root hash {:032x}", root.0));
    }
    if report.beyond > 0 {
        let beyond = size(report.beyond);
        let name = destination.display();
        out.line(&format!("note: {name} is {beyond} larger; what lies beyond the source is left as it was"));
    }
}

fn verify(args: &VerifyArgs, out: &mut Output) -> Result<Exit, Error> {
    let mut show = Show::new(None);
    let told = image::verify(&args.a, &args.b, &options(&args.threads), &mut |step| show.step(step));
    show.finish();
    let Some(difference) = told? else {
        out.line("equal");
        return Ok(Exit::Held);
    };
    let image::Difference { first, blocks, sizes: (a, b) } = difference;
    let plural = if blocks == 1 { "" } else { "s" };
    out.line(&format!("they differ, first at byte {first}; {blocks} block{plural} of 4 KiB in all"));
    if a != b {
        out.line(&format!("sizes differ: {} has {a} bytes, {} has {b}", args.a.display(), args.b.display()));
    }
    Ok(Exit::DisksDiffer)
}

fn map(args: &MapArgs, out: &mut Output) -> Result<Exit, Error> {
    let Some(image) = &args.image else { return describe(&args.base, out) };
    if let Some(file) = &args.out {
        // Whoever waits for a long comparison wants to know before it.
        ChangeMap::writable(file)?;
    }
    let mut show = Show::new(None);
    let map = map::compare(&args.base, image, &options(&args.threads), &mut |step| show.step(step));
    show.finish();
    let map = map?;
    if let Some(file) = &args.out {
        map.save(file)?;
    }
    out.line(&summary(&map));
    Ok(Exit::Held)
}

fn describe(path: &Path, out: &mut Output) -> Result<Exit, Error> {
    if map::is_map(path) {
        out.line(&summary(&ChangeMap::load(path)?));
        return Ok(Exit::Held);
    }
    let image = image::allocated(path)?;
    let (bytes, total) = (size(image.bytes), size(image.size));
    out.line(&format!("image: {bytes} of {total} allocated, in {} extents", image.extents));
    Ok(Exit::Held)
}

fn summary(map: &ChangeMap) -> String {
    let (bytes, total, extents) = (size(map.bytes()), size(map.size), map.extents().count());
    format!(
        "map: {bytes} of {total} changed, in {extents} extents of {} blocks of 4 KiB",
        map.changed.count()
    )
}
