//! The recovery service's half on the way to Azure: applies a session's log to the seed disks, and keeps a
//! snapshot of each of them as a recovery point (C1, R2, R7).
//!
//! In the field a process server leaves its logs in a cache storage account, from where the service takes them.
//! Here they land at the service itself, which answers for what it applied. Sessions and points are part of the
//! subscription: they outlive its software.

use super::Azure;
use super::blobs::{BlobName, Blobs};
use super::config::AzureConfig;
use super::model::{Effect, Model};
use super::sas;
use crate::session_api::{Denied, Range, SessionHost, marks, phase_name};
use bytes::Bytes;
use failback_replication::disk::Page;
use failback_replication::frame::{self, Body, Content, Frame, Run};
use failback_replication::journal::thinned;
use failback_replication::target::{Due, Intake, TargetError};
use failback_wire::canary::Canary;
use failback_wire::clock::VirtualMs;
use failback_wire::event::{ContentHash, DiskRef, Mark, PointKind, What};
use failback_wire::http::StatusCode;
use failback_wire::ids::{DiskId, SessionId};
use failback_wire::node::Ctx;
use failback_wire::proto::known::Kept;
use failback_wire::proto::session::{
    Ack, Hashes, Phase, Point, Roll, SeedSnapshot, SessionSpec, SessionView, TargetDisk,
};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// One session's target.
#[derive(Debug)]
pub(super) struct Replica {
    intake: Intake,
    /// Where each disk's seed lies.
    seeds: BTreeMap<DiskId, BlobName>,
    /// Points, oldest first.
    points: VecDeque<Held>,
    /// Points let go of lately, each with the newest mark there was then; at most [`REMEMBERED`].
    thinned: VecDeque<(Mark, Mark)>,
}

/// A point, with what is looked at every time beside the pointer.
#[derive(Debug)]
struct Held {
    mark: Mark,
    time: VirtualMs,
    kind: PointKind,
    point: Arc<Point>,
}

/// How many points a session remembers to have let go of. Whoever has not looked for longer asks for all of them anew.
const REMEMBERED: usize = 64;

impl From<super::Refusal> for Denied {
    fn from(refusal: super::Refusal) -> Self {
        Self::new(refusal.status, &refusal.code, refusal.message)
    }
}

fn missing(name: &BlobName) -> Denied {
    Denied::new(StatusCode::CONFLICT, "seed-blob-missing", format!("there is no blob {}", name.label()))
}

/// The seeds that a session names. Whoever names one must hold a signature that lets it be written.
fn seeds(config: &AzureConfig, ctx: &Ctx, spec: &SessionSpec) -> Result<BTreeMap<DiskId, BlobName>, Denied> {
    let seed = |disk: &failback_wire::proto::session::SessionDisk| {
        let bad = || Denied::bad_request("on the way to Azure every disk needs a seed blob");
        let TargetDisk::SeedBlob(url) = &disk.target else { return Err(bad()) };
        let (name, _) = BlobName::from_url(config, url).ok_or_else(bad)?;
        let query = url.split_once('?').map(|(_, query)| query);
        let grant = sas::verify(query, &name.canonical(config), &ctx.clock, ctx.now())?;
        match grant.permissions.contains('w') {
            true => Ok((disk.disk.clone(), name)),
            false => Err(Denied::new(StatusCode::FORBIDDEN, "seed-blob-not-writable", "it may only be read")),
        }
    };
    spec.disks.iter().map(seed).collect()
}

/// The parts of the subscription that a frame touches, and when and where that is.
struct Work<'a> {
    ctx: &'a Ctx,
    blobs: &'a mut Blobs,
    out: &'a mut Vec<Effect>,
}

impl Work<'_> {
    fn emit(&mut self, what: What) {
        self.out.push(Effect::Emit(what));
    }
    fn phase(&mut self, intake: &Intake) {
        self.emit(What::SessionPhase {
            session: intake.spec.session.clone(),
            machine: intake.spec.machine.clone(),
            phase: phase_name(intake.phase).to_owned(),
        });
    }
}

impl Replica {
    fn view(&self) -> SessionView {
        let view = self.intake.view(self.points.iter().map(|held| held.point.clone()).collect());
        SessionView { thinned: self.thinned.iter().copied().collect(), ..view }
    }
    fn view_after(&self, after: Mark) -> SessionView {
        let marks = self.points.iter().map(|held| held.mark);
        let kept = Kept::of(marks, self.thinned.iter().copied(), after);
        let first = self.points.partition_point(|held| held.mark <= after);
        let new = self.points.range(first..).map(|held| held.point.clone());
        SessionView { kept: Some(kept), ..self.intake.view(new.collect()) }
    }
    fn seed(&self, disk: &DiskId) -> Result<&BlobName, Denied> {
        Ok(self.seeds.get(disk).ok_or_else(|| TargetError::UnknownDisk(disk.clone()))?)
    }

    /// Applies a frame if it is due; one that is refused changes nothing.
    fn apply(&mut self, work: &mut Work<'_>, frame: &Frame) -> Result<(), Denied> {
        if self.intake.due(&frame.session, frame.epoch, frame.seq)? != Due::Now {
            return Ok(());
        }
        match &frame.body {
            Body::Data { disk, runs } => self.write(work, disk, runs)?,
            Body::SyncDone { .. } | Body::Seam { .. } => {}
            Body::Mark { roots, .. } => self.compare(work, roots)?,
        }
        let stored = match self.intake.point(frame) {
            Some(point) => Some(self.keep(work, point)?),
            None => None,
        };
        if self.intake.advance(frame) {
            work.phase(&self.intake);
        }
        if let Some(point) = stored {
            self.stored(work, &point);
        }
        Ok(())
    }

    fn stored(&mut self, work: &mut Work<'_>, point: &Point) {
        let (session, id) = (self.intake.spec.session.clone(), point.point.clone());
        work.emit(What::PointStored { session, point: id, mark: point.mark, kind: point.kind });
        self.prune(work);
    }

    /// Makes a point of what came after the last one, as far as it is whole; nothing when nothing came (R5).
    fn process(&mut self, work: &mut Work<'_>) -> Result<(), Denied> {
        let made = |point: &Point| self.points.back().is_some_and(|newest| newest.mark >= point.mark);
        let Some(point) = self.intake.received_point().filter(|point| !made(point)) else { return Ok(()) };
        let point = self.keep(work, point)?;
        self.stored(work, &point);
        Ok(())
    }

    fn write(&self, work: &mut Work<'_>, disk: &DiskId, runs: &[Run]) -> Result<(), Denied> {
        let name = self.seed(disk)?;
        let blob = work.blobs.0.get_mut(name).ok_or_else(|| missing(name))?;
        if runs.iter().any(|run| run.first.saturating_add(run.count()) > blob.content.blocks()) {
            return Err(TargetError::OutOfRange(disk.clone()).into());
        }
        let few = self.intake.planted.is(Canary::AppliesInPart) && self.intake.phase == Phase::Replicating;
        for run in runs.iter().take(if few { 1 } else { usize::MAX }) {
            let blocks = run.first..run.first + run.count();
            match &run.content {
                Content::Zero(_) => blocks.for_each(|block| blob.content.write(block, Page::zero())),
                Content::Pages(pages) => {
                    blocks.zip(pages).for_each(|(block, page)| blob.content.write(block, page.clone()));
                }
            }
        }
        blob.touch(work.ctx.now());
        let (disk, blocks) = (DiskRef::Blob(name.label()), runs.iter().map(Run::count).sum());
        work.emit(What::DiskWritten { disk, writer: work.ctx.node().clone(), blocks });
        Ok(())
    }

    /// Compares the seeds with the source's root hashes (E16). Where they differ, only a new epoch helps.
    fn compare(&mut self, work: &Work<'_>, roots: &[(DiskId, ContentHash)]) -> Result<(), Denied> {
        for (disk, root) in roots {
            let name = self.seed(disk)?;
            let blob = work.blobs.0.get(name).ok_or_else(|| missing(name))?;
            if blob.content.root_hash() != *root {
                let why = format!("the seed blob of disk {disk} differs from its source");
                self.intake.resync_required = Some(why.clone());
                return Err(TargetError::ResyncRequired(why).into());
            }
        }
        Ok(())
    }

    /// The seeds are this point: takes the snapshots that hold it, all or none.
    fn keep(&mut self, work: &mut Work<'_>, point: Point) -> Result<Arc<Point>, Denied> {
        if let Some(gone) = self.seeds.values().find(|name| !work.blobs.0.contains_key(name)) {
            return Err(missing(gone));
        }
        let date = work.ctx.clock.dotnet(work.ctx.now());
        let about = vec![
            ("mark".to_owned(), point.mark.0.to_string()),
            ("session".to_owned(), self.intake.spec.session.to_string()),
        ];
        let mut snapshots = Vec::with_capacity(self.seeds.len());
        for (disk, name) in &self.seeds {
            if let Some(blob) = work.blobs.0.get_mut(name) {
                let snapshot = blob.snapshot(&date, about.clone());
                snapshots.push(SeedSnapshot { disk: disk.clone(), snapshot });
            }
        }
        let point = Arc::new(Point { snapshots, ..point });
        let (mark, time, kind) = (point.mark, point.time, point.kind);
        self.points.push_back(Held { mark, time, kind, point: point.clone() });
        Ok(point)
    }

    /// Lets go of points past their retention, or off its grid (R7). Once it is stopped all of them stay: somebody is
    /// choosing one, or has chosen one and may have to go on from there (E12).
    fn prune(&mut self, work: &mut Work<'_>) {
        if self.intake.phase == Phase::Stopped || !work.ctx.env.holds("R7") {
            return;
        }
        let Some(newest) = self.points.back().map(|held| held.mark) else { return };
        let ages = self.points.iter().map(|held| (held.time, held.kind));
        let gone = thinned(ages, work.ctx.now(), self.intake.spec.retention_s);
        for (dropped, place) in gone.into_iter().enumerate() {
            let place = match self.intake.planted.is(Canary::RetentionPrunesNewest) {
                true => self.points.len() - 1,
                false => place - dropped,
            };
            let Some(held) = self.points.remove(place) else { continue };
            self.thinned.push_back((newest, held.mark));
            self.forget(work.blobs, &held.point);
            let (session, reason) = (self.intake.spec.session.clone(), "past its retention".to_owned());
            work.emit(What::PointPruned { session, point: held.point.point.clone(), reason });
        }
        self.thinned.drain(..self.thinned.len().saturating_sub(REMEMBERED));
    }

    /// Seeds become as large as the disks are now; the points keep the sizes they had (P37).
    fn grow(&self, work: &mut Work<'_>) {
        for disk in &self.intake.spec.disks {
            let blob = self.seeds.get(&disk.disk).and_then(|name| work.blobs.0.get_mut(name));
            if blob.is_some_and(|blob| blob.grow(disk.size)) {
                let text = format!("the seed of {} has {} bytes now", disk.disk, disk.size);
                work.emit(What::Note { text });
            }
        }
    }

    fn forget(&self, blobs: &mut Blobs, point: &Point) {
        for SeedSnapshot { disk, snapshot } in &point.snapshots {
            if let Some(blob) = self.seeds.get(disk).and_then(|name| blobs.0.get_mut(name)) {
                blob.snapshots.remove(snapshot);
            }
        }
    }
}

impl Azure {
    /// Works on one session while the software runs.
    fn replica<T>(
        &self,
        id: &SessionId,
        act: impl FnOnce(&mut Replica, &mut Work<'_>) -> Result<T, Denied>,
    ) -> Result<T, Denied> {
        let ctx = self.running()?;
        self.with(|m| {
            let Model { replicas, blobs, out, .. } = m;
            let replica = replicas.get_mut(id).ok_or_else(|| Denied::unknown_session(id))?;
            act(replica, &mut Work { ctx: &ctx, blobs, out })
        })
    }
    fn running(&self) -> Result<Ctx, Denied> {
        let down = || Denied::new(StatusCode::SERVICE_UNAVAILABLE, "service-stopped", "it does not run");
        self.ctx().ok_or_else(down)
    }
}

impl SessionHost for Azure {
    fn serving(&self) -> bool {
        true
    }

    fn put(self: &Arc<Self>, spec: SessionSpec) -> Result<SessionView, Denied> {
        let ctx = self.running()?;
        let seeds = seeds(&self.config, &ctx, &spec)?;
        self.with(|m| {
            let Model { replicas, blobs, out, .. } = m;
            let mut work = Work { ctx: &ctx, blobs, out };
            match replicas.get_mut(&spec.session) {
                Some(replica) => {
                    if replica.intake.take_up(spec)? {
                        replica.seeds = seeds;
                        replica.grow(&mut work);
                        work.phase(&replica.intake);
                    }
                    Ok(replica.view())
                }
                None => {
                    let id = spec.session.clone();
                    let intake = Intake { covered: marks(&ctx), planted: ctx.env.bug(), ..Intake::new(spec) };
                    let replica =
                        Replica { intake, seeds, points: VecDeque::new(), thinned: VecDeque::new() };
                    work.phase(&replica.intake);
                    let view = replica.view();
                    replicas.insert(id, replica);
                    Ok(view)
                }
            }
        })
    }

    fn view(&self, id: &SessionId) -> Result<SessionView, Denied> {
        self.replica(id, |replica, _| Ok(replica.view()))
    }

    fn view_after(&self, id: &SessionId, after: Mark) -> Result<SessionView, Denied> {
        self.replica(id, |replica, _| Ok(replica.view_after(after)))
    }

    fn frames(&self, id: &SessionId, body: Bytes) -> Result<Ack, Denied> {
        self.replica(id, |replica, work| {
            let mut rest = body;
            while !rest.is_empty() {
                let corrupt = |e: frame::FrameError| {
                    Denied::new(StatusCode::BAD_REQUEST, "corrupt-frame", e.to_string())
                };
                let (frame, len) = frame::decode(&rest).map_err(corrupt)?;
                replica.apply(work, &frame)?;
                rest = rest.slice(len..);
            }
            Ok(replica.intake.ack())
        })
    }

    async fn hashes(&self, id: SessionId, disk: DiskId, range: Range) -> Result<Hashes, Denied> {
        self.replica(&id, |replica, work| {
            replica.intake.check_epoch(range.epoch)?;
            let name = replica.seed(&disk)?;
            let blob = work.blobs.0.get(name).ok_or_else(|| missing(name))?;
            Ok(blob.content.hashes(range.first, range.count))
        })
    }

    fn stop(&self, id: &SessionId, process: bool) -> Result<SessionView, Denied> {
        self.replica(id, |replica, work| {
            if process {
                replica.process(work)?;
            }
            if replica.intake.phase != Phase::Stopped {
                replica.intake.phase = Phase::Stopped;
                work.phase(&replica.intake);
            }
            Ok(replica.view())
        })
    }

    fn roll(&self, id: &SessionId, _: &Roll) -> Result<SessionView, Denied> {
        self.view(id)?;
        let text = "its points are snapshots of seed disks: disks are made of them, nothing is rolled";
        Err(Denied::new(StatusCode::CONFLICT, "roll-not-supported", text))
    }

    fn delete(&self, id: &SessionId) {
        self.with(|m| {
            let Some(replica) = m.replicas.remove(id) else { return };
            replica.points.iter().for_each(|held| replica.forget(&mut m.blobs, &held.point));
            let machine = replica.intake.spec.machine.clone();
            m.emit(What::SessionPhase { session: id.clone(), machine, phase: "ended".to_owned() });
        });
    }
}

/// How the sessions stand, for comparing worlds.
pub(super) fn observe(model: &Model) -> BTreeMap<String, serde_json::Value> {
    let seen = |(id, replica): (&SessionId, &Replica)| {
        (id.to_string(), serde_json::json!({ "view": replica.view() }))
    };
    model.replicas.iter().map(seen).collect()
}
