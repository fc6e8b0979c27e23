//! Making a destination equal to its source.

use super::copy::{Done, Pair};
use super::crew::Crew;
use super::error::{Error, Refusal};
use super::file::{Identity, Image};
use super::map::ChangeMap;
use super::plan::{Plan, Work};
use super::state::{self, Found, Kind, Record, State, Task};
use super::{Options, Step, Watch, sum, verify};
use failback_wire::event::ContentHash;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// How to bring a destination up to date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode<'a> {
    /// Copy the blocks of a change map, and trust it for the others.
    Map(&'a Path),
    /// Read both sides, write what differs. The name is the field's: where the sides are far apart they compare
    /// checksums; here both are at hand, so the bytes themselves are compared, which costs less than hashing
    /// them and cannot collide.
    Checksum,
    /// Copy everything that is no hole.
    Full,
}

/// What a sync did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// `full`, `checksum` or `map`.
    pub mode: &'static str,
    /// Size of the source in bytes.
    pub size: u64,
    /// Bytes read at the source, by this process.
    pub read: u64,
    /// Bytes written to the destination, by this process.
    pub written: u64,
    /// Bytes of the destination turned from data into holes, by this process.
    pub cleared: u64,
    /// Where it went on after an earlier one that did not end; 0 for a fresh start.
    pub resumed: u64,
    /// Bytes by which the destination is larger; they are left as they are.
    pub beyond: u64,
    /// crc32c of the source as it was read, holes as zeros; only of a full copy.
    pub crc32c: Option<u32>,
    /// Root hash of both sides, when they were verified.
    pub root: Option<ContentHash>,
}

/// A sync that may begin: all questions are answered, nothing has been touched.
struct Ready {
    source: Image,
    /// `None`: it must be created.
    destination: Option<Image>,
    map: Option<ChangeMap>,
    found: Found,
}

/// Makes `destination` equal to `source` as far as that goes; creates it when there is none. Without a mode:
/// goes on with a sync that did not end, or else copies in full to what is missing or empty and compares with
/// what is not.
///
/// Until it is complete a file beside the destination, `*.failback-sync`, says so. A sync killed at any moment
/// is taken up by the next one with the same source and mode, behind the last window that was durable (E9).
///
/// # Errors
/// [`Error::Refused`] with nothing touched; [`Error::Io`], [`Error::SourceChanged`], [`Error::Differs`] and
/// [`Error::Stopped`] leave the destination marked as incomplete.
pub fn sync(
    source: &Path,
    destination: &Path,
    mode: Option<Mode<'_>>,
    options: &Options,
    watch: Watch<'_>,
) -> Result<Report, Error> {
    let ready = ready(source, destination, mode, options)?;
    let (kind, why) = decide(&ready, mode)?;
    let begun = begin(ready, destination, kind)?;
    let (from, total) = (begun.record.cursor, begun.total());
    let step = Step::Begun { what: kind.name(), why, total, resumed: from };
    if watch(step).is_break() {
        return Err(Error::Stopped);
    }
    let mut running = begun;
    let done = running.work(options, watch)?;
    running.complete(done, from, options, watch)
}

/// Asks everything that could be a reason to refuse.
fn ready(
    source: &Path,
    destination: &Path,
    mode: Option<Mode<'_>>,
    options: &Options,
) -> Result<Ready, Error> {
    let source = Image::open(source, options.force)?;
    if state::find(&state::beside(&source.path))? != Found::Nothing {
        return Err(Refusal::SourceUnfinished(source.path).into());
    }
    let map = match mode {
        Some(Mode::Map(path)) => Some(usable(path, &source, options)?),
        Some(Mode::Checksum | Mode::Full) | None => None,
    };
    let meta = match fs::metadata(destination) {
        Ok(meta) => meta,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
            if map.is_some() {
                return Err(Refusal::NoBase(destination.to_path_buf()).into());
            }
            let found = state::find(&state::beside(destination))?;
            return Ok(Ready { source, destination: None, map, found });
        }
        Err(cause) => return Err(Error::io("read", destination)(cause)),
    };
    let here = source.file.metadata().map_err(Error::io("read", &source.path))?;
    if (meta.dev(), meta.ino()) == (here.dev(), here.ino()) {
        return Err(Refusal::SameFile(destination.to_path_buf()).into());
    }
    let image = Image::open_to_write(destination, options.force)?;
    if image.identity.place == source.identity.place {
        return Err(Refusal::SameFile(image.path).into());
    }
    // An empty file is one that somebody made room for by name only.
    if image.size < source.size && !(image.size == 0 && meta.is_file()) {
        return Err(Refusal::Smaller { path: image.path, size: image.size, needed: source.size }.into());
    }
    let found = state::find(&state::beside(destination))?;
    let ready = Ready { source, destination: Some(image), map, found };
    if let (Some(map), Some(image)) = (&ready.map, &ready.destination) {
        fits(map, image, &ready, options)?;
    }
    Ok(ready)
}

/// A sound map of this source as it is (E7, E21).
fn usable(path: &Path, source: &Image, options: &Options) -> Result<ChangeMap, Error> {
    let map = ChangeMap::load(path)?;
    if map.size != source.size {
        let (path, mapped) = (path.to_path_buf(), map.size);
        return Err(Refusal::MapSize { path, mapped, size: source.size }.into());
    }
    if !options.force && !map.image.same_content(&source.identity) {
        return Err(Refusal::MapStale(source.path.clone()).into());
    }
    Ok(map)
}

/// Whether the destination is the base of the map, untouched but for this very sync.
fn fits(map: &ChangeMap, image: &Image, ready: &Ready, options: &Options) -> Result<(), Refusal> {
    let refused = |refusal: fn(std::path::PathBuf) -> Refusal| Err(refusal(image.path.clone()));
    match &ready.found {
        Found::Record(record) if record.task == ready.task(Kind::Map, image) => Ok(()),
        Found::Record(_) | Found::Torn => refused(Refusal::Unfinished),
        Found::Nothing if image.size < map.size => refused(Refusal::NoBase),
        Found::Nothing if options.force || map.base.same_content(&image.identity) => Ok(()),
        Found::Nothing => refused(Refusal::MapStale),
    }
}

/// How to go about it, and why.
fn decide(ready: &Ready, mode: Option<Mode<'_>>) -> Result<(Kind, &'static str), Error> {
    match mode {
        Some(Mode::Map(_)) => return Ok((Kind::Map, "as asked for")),
        Some(Mode::Checksum) => return Ok((Kind::Checksum, "as asked for")),
        Some(Mode::Full) => return Ok((Kind::Full, "as asked for")),
        None => {}
    }
    let Some(image) = &ready.destination else {
        return Ok((Kind::Full, "the destination does not exist yet"));
    };
    if let Found::Record(record) = &ready.found {
        for kind in [Kind::Full, Kind::Checksum] {
            if record.task == ready.task(kind, image) {
                return Ok((kind, "an earlier sync did not end"));
            }
        }
    }
    Ok(match image.next_data(0)? {
        None => (Kind::Full, "the destination is empty"),
        Some(_) => (Kind::Checksum, "the destination holds data, and no map says what differs"),
    })
}

impl Ready {
    fn task(&self, kind: Kind, destination: &Image) -> Task {
        Task {
            kind,
            source: self.source.identity,
            place: destination.identity.place,
            size: destination.size.max(self.source.size),
            map: self.map.as_ref().filter(|_| kind == Kind::Map).map_or(0, ChangeMap::name),
        }
    }
}

/// From here on the destination is marked as incomplete.
struct Running {
    source: Image,
    destination: Image,
    map: Option<ChangeMap>,
    state: State,
    record: Record,
}

fn begin(ready: Ready, destination: &Path, kind: Kind) -> Result<Running, Error> {
    let (created, found) = (ready.destination.is_none(), ready.found);
    let mut ready = ready;
    let mut image = match ready.destination.take() {
        Some(image) => image,
        None => Image::create(destination)?,
    };
    let task = ready.task(kind, &image);
    let fresh = Record { task, cursor: 0, crc: 0 };
    let record = match found {
        // What grew from nothing a moment ago holds nothing, whatever lies beside it.
        Found::Record(record) if record.task == task && image.size >= ready.source.size && !created => record,
        Found::Record(_) | Found::Torn | Found::Nothing => fresh,
    };
    // First the mark, then the size: an image that is as large as the source but for the mark would look whole.
    let state = State::begin(state::beside(destination), &record)?;
    if image.size < ready.source.size {
        image.file.set_len(ready.source.size).map_err(Error::io("resize", destination))?;
        image.size = ready.source.size;
    }
    let Ready { source, map, .. } = ready;
    Ok(Running { source, destination: image, map, state, record })
}

impl Running {
    /// Bytes of work in all.
    fn total(&self) -> u64 {
        self.map.as_ref().map_or(self.source.size, ChangeMap::bytes)
    }
    /// Does what is left, window by window.
    fn work(&mut self, options: &Options, watch: Watch<'_>) -> Result<Done, Error> {
        let from = self.record.cursor;
        // The work that earlier syncs did counts as done.
        let mut behind = match &self.map {
            Some(map) => map.extents().map(|r| r.end.min(from).saturating_sub(r.start)).sum(),
            None => from,
        };
        let mut plan = match &self.map {
            Some(map) => Plan::of_extents(map.extents(), from),
            None => Plan::of_image(&self.source, from),
        };
        let kind = self.record.task.kind;
        let pair = Pair { source: &self.source, destination: &self.destination, kind };
        let crew = Crew::new(options.threads);
        let mut sum = Done::default();
        while let Some(works) = plan.window(options.window)? {
            let perform = |work: &Work, buffers: &mut super::crew::Buffers| pair.perform(work, buffers);
            let results = crew.each(&works, &perform, &mut |done| watch(Step::Done(behind + done)))?;
            for (work, done) in works.iter().zip(&results) {
                let range = work.range();
                behind += range.end - range.start;
                self.record.cursor = range.end;
                sum.read += done.read;
                sum.written += done.written;
                sum.cleared += done.cleared;
                if kind == Kind::Full {
                    self.record.crc = grown(self.record.crc, work, done);
                }
            }
            self.destination.file.sync_data().map_err(Error::io("write", &self.destination.path))?;
            self.state.note(&self.record)?;
            if watch(Step::Durable(self.record.cursor)).is_break() {
                return Err(Error::Stopped);
            }
        }
        Ok(sum)
    }
    /// Checks what was asked to be checked and takes the mark away.
    fn complete(
        mut self,
        done: Done,
        resumed: u64,
        options: &Options,
        watch: Watch<'_>,
    ) -> Result<Report, Error> {
        let root = if options.verify { Some(self.verified(options, watch)?) } else { None };
        let now: Identity = self.source.identity_now()?;
        if now != self.source.identity {
            return Err(Error::SourceChanged(self.source.path));
        }
        // An image without data has had no window.
        self.destination.file.sync_data().map_err(Error::io("write", &self.destination.path))?;
        state::sync_folder(&self.destination.path)?;
        let kind = self.record.task.kind;
        self.state.end()?;
        Ok(Report {
            mode: kind.name(),
            size: self.source.size,
            read: done.read,
            written: done.written,
            cleared: done.cleared,
            resumed,
            beyond: self.destination.size - self.source.size,
            crc32c: (kind == Kind::Full).then_some(self.record.crc),
            root,
        })
    }
    /// The root hash of both sides, read again (E16).
    fn verified(&mut self, options: &Options, watch: Watch<'_>) -> Result<ContentHash, Error> {
        if watch(Step::Verifying).is_break() {
            return Err(Error::Stopped);
        }
        let size = self.source.size;
        let source = verify::root(&self.source, size, options, &mut |done| watch(Step::Done(done / 2)))?;
        let half = size / 2;
        let mut second = |done: u64| watch(Step::Done(half + done / 2));
        let destination = verify::root(&self.destination, size, options, &mut second)?;
        if source == destination {
            return Ok(source);
        }
        // Nothing of it is to be believed.
        (self.record.cursor, self.record.crc) = (0, 0);
        self.state.note(&self.record)?;
        Err(Error::Differs(self.destination.path.clone()))
    }
}

/// The checksum of the source up to the end of this work.
fn grown(crc: u32, work: &Work, done: &Done) -> u32 {
    let range = work.range();
    let len = range.end - range.start;
    match work {
        Work::Hole(_) => sum::zeros_behind(crc, len),
        Work::Data(_) => sum::bytes_behind(crc, done.crc, len),
    }
}
