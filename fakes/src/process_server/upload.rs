//! The target's half on the way to Azure: frames become pages of seed blobs, marks become snapshots.
//!
//! Every step can be repeated: pages are written again with the same content, and snapshots already taken
//! for a mark are remembered until the mark is complete.

use super::{ProcessServer, Session, State};
use crate::session_api::{Denied, Range};
use failback_replication::disk::{BLOCK, Page, RootHasher, hash_unless_zero};
use failback_replication::frame::{self, Body, Content, Frame, Run};
use failback_replication::journal::thinned;
use failback_replication::target::{Due, Intake, TargetError, zero_hash};
use failback_wire::arm::blob::{BlobClient, BlobError};
use failback_wire::arm::page_blob::ByteRange;
use failback_wire::event::{ContentHash, DiskRef, What};
use failback_wire::http::StatusCode;
use failback_wire::ids::{DiskId, PointId, SessionId};
use failback_wire::node::Ctx;
use failback_wire::proto::session::{Point, SessionSpec, TargetDisk};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Weak};
use tokio::time::Duration;

/// Bytes of a blob that are looked at together.
const READ: u64 = 4 << 20;
/// Bytes that one read asks for, at most: few enough to stay in a core's cache while they are hashed.
const PIECE: u64 = 1 << 20;

/// Where the uploader of a session stands.
#[derive(Clone, Debug)]
pub(super) struct Upload {
    pub(super) intake: Intake,
    /// Points, oldest first.
    pub(super) points: VecDeque<Arc<Point>>,
    /// Snapshots already taken for the mark at hand.
    taken: BTreeMap<DiskId, String>,
    /// Snapshots of points let go of that still exist.
    doomed: Vec<(DiskId, String)>,
    /// True while a frame is on its way into a blob.
    writing: bool,
}

/// A step that must be tried again, with a wait that grows up to `patience`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Failure {
    pub(super) patience: Duration,
}

const RETRY: Failure = Failure { patience: Duration::from_secs(60) };

impl From<BlobError> for Denied {
    fn from(error: BlobError) -> Self {
        let (status, code) = match error.is_not_found() {
            true => (StatusCode::CONFLICT, "seed-blob-missing"),
            false => (StatusCode::BAD_GATEWAY, "target-unreachable"),
        };
        Self::new(status, code, error.to_string())
    }
}

fn client(ctx: &Ctx, spec: &SessionSpec, disk: &DiskId) -> Option<BlobClient> {
    let stated = spec.disks.iter().find(|d| d.disk == *disk)?;
    match &stated.target {
        TargetDisk::SeedBlob(sas) => Some(BlobClient::new(ctx.http.clone(), sas)),
        TargetDisk::Vmdk(_) => None,
    }
}

/// `container/name` of a blob.
fn blob_name(client: &BlobClient) -> String {
    let url = client.bare_url();
    let path = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
    path.split_once('/').map_or(path, |(_, name)| name).to_owned()
}

/// Holes up to this many bytes are read along: cheaper than another request.
const READ_ALONG: u64 = 256 << 10;

/// The hashes of the blocks of a blob within a range that are not all zeros; asks only for pages that hold data and for
/// the small holes between them.
async fn read(blob: &BlobClient, offset: u64, len: u64) -> Result<Vec<(u64, ContentHash)>, BlobError> {
    let list = blob.page_list(None, ByteRange::of(offset, len)).await?;
    let mut spans: Vec<(u64, u64)> = Vec::new();
    for range in list.pages {
        // Whole blocks, though the service counts pages of 512 bytes.
        let start = range.start.max(offset) / BLOCK as u64 * BLOCK as u64;
        let end = (range.end + 1).next_multiple_of(BLOCK as u64).min(offset + len);
        match spans.last_mut() {
            _ if start >= end => {}
            Some((_, last)) if start <= *last + READ_ALONG => *last = end,
            Some(_) | None => spans.push((start, end)),
        }
    }
    let mut out = Vec::new();
    let pieces = spans.into_iter().flat_map(|(start, end)| {
        (start..end).step_by(PIECE as usize).map(move |at| (at, end.min(at + PIECE)))
    });
    for (start, end) in pieces {
        let bytes = blob.get_range(start, end - start).await?;
        let hashes = bytes.as_chunks().0.iter().map(hash_unless_zero);
        out.extend((start / BLOCK as u64..).zip(hashes).filter_map(|(block, hash)| Some((block, hash?))));
    }
    Ok(out)
}

impl Upload {
    pub(super) fn new(spec: SessionSpec) -> Self {
        Self {
            intake: Intake::new(spec),
            points: VecDeque::new(),
            taken: BTreeMap::new(),
            doomed: Vec::new(),
            writing: false,
        }
    }

    pub(super) fn take_up(&mut self, spec: SessionSpec) -> Result<bool, TargetError> {
        let fresh = self.intake.take_up(spec)?;
        if fresh {
            self.doomed.extend(std::mem::take(&mut self.taken));
        }
        Ok(fresh)
    }

    /// A crash ended whatever was on its way.
    pub(super) fn rebooted(&mut self) {
        self.writing = false;
    }

    /// Hashes of the blob's blocks.
    pub(super) async fn hashes(
        &self,
        ctx: &Ctx,
        disk: &DiskId,
        range: Range,
    ) -> Result<Vec<ContentHash>, Denied> {
        self.intake.check_epoch(range.epoch)?;
        if self.writing {
            let text = "the last frame of an earlier epoch is still being written";
            return Err(Denied::new(StatusCode::SERVICE_UNAVAILABLE, "busy", text));
        }
        let stated = self.intake.spec.disks.iter().find(|d| d.disk == *disk);
        let stated = stated.ok_or_else(|| TargetError::UnknownDisk(disk.clone()))?;
        let blob =
            client(ctx, &self.intake.spec, disk).ok_or_else(|| Denied::bad_request("not a seed blob"))?;
        let end = range.first.saturating_add(range.count).min(stated.size / BLOCK as u64);
        if range.first >= end {
            return Ok(Vec::new());
        }
        let held = read(&blob, range.first * BLOCK as u64, (end - range.first) * BLOCK as u64).await?;
        let mut hashes = vec![zero_hash(); (end - range.first) as usize];
        for (block, hash) in held {
            hashes[(block - range.first) as usize] = hash;
        }
        Ok(hashes)
    }

    /// Deletes the snapshots of all points, as far as the service lets it: the session is over.
    pub(super) async fn forget_points(&self, ctx: &Ctx) {
        let points = self.points.iter().flat_map(|p| &p.snapshots).map(|(d, s)| (d.clone(), s.clone()));
        let all: Vec<_> = points.chain(self.taken.clone()).chain(self.doomed.clone()).collect();
        delete_snapshots(ctx, &self.intake.spec, all).await;
    }

    /// Lets go of points past their retention, or off its grid (R7).
    fn prune(&mut self, now: failback_wire::clock::VirtualMs) -> Vec<PointId> {
        let gone = thinned(self.points.iter(), now, self.intake.spec.retention_s);
        let (dropped, kept) = self.points.drain(..).partition(|p| gone.contains(&p.point));
        self.points = kept;
        let dropped: VecDeque<Arc<Point>> = dropped;
        self.doomed.extend(dropped.into_iter().flat_map(|p| p.snapshots.clone()));
        gone
    }
}

/// Deletes snapshots; what is left could not be deleted now.
async fn delete_snapshots(
    ctx: &Ctx,
    spec: &SessionSpec,
    doomed: Vec<(DiskId, String)>,
) -> Vec<(DiskId, String)> {
    let mut left = Vec::new();
    for (disk, snapshot) in doomed {
        let Some(blob) = client(ctx, spec, &disk) else { continue };
        if blob.at_snapshot(&snapshot).delete().await.is_err() {
            left.push((disk, snapshot));
        }
    }
    left
}

/// Uploads the frame at the front of the session's queue.
pub(super) async fn step(server: &Weak<ProcessServer>, ctx: &Ctx, id: &SessionId) -> Result<(), Failure> {
    let Some(server) = server.upgrade() else { return Ok(()) };
    let Some((frame, spec)) = server.begin_upload(id)? else { return Ok(()) };
    let outcome = match &frame.body {
        Body::Data { disk, runs } => write(ctx, &spec, disk, runs).await,
        Body::SyncDone { .. } => Ok(()),
        Body::Mark { roots, .. } => match compare(ctx, &spec, roots).await {
            Ok(None) => server.snapshot(ctx, &spec, &frame).await,
            Ok(Some(differs)) => {
                server.end_upload(ctx, &spec, None);
                server.differs(&spec, &differs);
                return Err(RETRY);
            }
            Err(error) => Err(error),
        },
    };
    server.end_upload(ctx, &spec, outcome.is_ok().then_some(&frame));
    if outcome.is_ok() && matches!(frame.body, Body::Mark { .. }) {
        let doomed = server.doomed(id);
        let left = delete_snapshots(ctx, &spec, doomed.clone()).await;
        server.forget_doomed(id, |snapshot| doomed.contains(snapshot) && !left.contains(snapshot));
    }
    outcome.map_err(|_| RETRY)
}

/// Writes the runs of one frame into a seed blob.
async fn write(ctx: &Ctx, spec: &SessionSpec, disk: &DiskId, runs: &[Run]) -> Result<(), BlobError> {
    let Some(blob) = client(ctx, spec, disk) else { return Ok(()) };
    for run in runs {
        let offset = run.first * BLOCK as u64;
        match &run.content {
            Content::Zero(count) => blob.clear_pages(offset, u64::from(*count) * BLOCK as u64).await?,
            Content::Pages(pages) => blob.put_pages(offset, Page::joined(pages)).await?,
        }
    }
    let blocks = runs.iter().map(Run::count).sum();
    let disk = DiskRef::Blob(blob_name(&blob));
    ctx.emit(What::DiskWritten { disk, writer: ctx.node().clone(), blocks });
    Ok(())
}

/// Compares the seed blobs with the source's root hashes; the first disk that differs.
async fn compare(
    ctx: &Ctx,
    spec: &SessionSpec,
    roots: &[(DiskId, ContentHash)],
) -> Result<Option<DiskId>, BlobError> {
    for (id, root) in roots {
        let (Some(blob), Some(stated)) = (client(ctx, spec, id), spec.disks.iter().find(|d| d.disk == *id))
        else {
            return Ok(Some(id.clone()));
        };
        let mut copy = RootHasher::new(stated.size / BLOCK as u64);
        let mut offset = 0;
        while offset < stated.size {
            for (block, hash) in read(&blob, offset, READ.min(stated.size - offset)).await? {
                copy.add(block, hash);
            }
            offset += READ;
        }
        if copy.finish() != *root {
            return Ok(Some(id.clone()));
        }
    }
    Ok(None)
}

impl State {
    fn uploading(&mut self, spec: &SessionSpec) -> Option<(&mut Session, bool)> {
        let session = self.sessions.get_mut(&spec.session)?;
        let current = session.relay.spec().epoch == spec.epoch;
        Some((session, current))
    }
}

impl ProcessServer {
    /// The frame to upload next, if the session still is there.
    fn begin_upload(&self, id: &SessionId) -> Result<Option<(Frame, SessionSpec)>, Failure> {
        let mut state = self.lock();
        let Some(session) = state.sessions.get_mut(id) else { return Ok(None) };
        let (Some(bytes), Some(upload)) = (session.relay.front(), &mut session.upload) else {
            return Ok(None);
        };
        let spec = session.relay.spec().clone();
        // What lies in the cache was verified when it came in.
        let (frame, _) = frame::decode(&bytes).map_err(|_| RETRY)?;
        match upload.intake.due(&frame.session, frame.epoch, frame.seq) {
            Ok(Due::Now) => upload.writing = true,
            Ok(Due::Already) => {
                session.relay.on_applied(spec.epoch, upload.intake.applied);
                return Ok(None);
            }
            Ok(Due::NotYet) | Err(_) => return Err(RETRY),
        }
        Ok(Some((frame, spec)))
    }

    /// The frame, if given, is in the blobs now.
    fn end_upload(&self, ctx: &Ctx, spec: &SessionSpec, done: Option<&Frame>) {
        let mut state = self.lock();
        let Some((session, current)) = state.uploading(spec) else { return };
        let Some(upload) = &mut session.upload else { return };
        upload.writing = false;
        let Some(frame) = done.filter(|_| current) else { return };
        let stored = upload.intake.point(frame);
        let changed = upload.intake.advance(frame);
        let phase = upload.intake.phase;
        let mut pruned = Vec::new();
        let stored = stored.map(|point| {
            let point = Arc::new(Point { snapshots: std::mem::take(&mut upload.taken), ..point });
            upload.points.push_back(point.clone());
            pruned = upload.prune(ctx.now());
            point
        });
        session.relay.on_applied(spec.epoch, frame.seq);
        if changed {
            state.report_phase(&state.sessions[&spec.session], phase);
        }
        let session = spec.session.clone();
        if let Some(stored) = stored {
            let (point, mark, kind) = (stored.point.clone(), stored.mark, stored.kind);
            ctx.emit(What::PointStored { session: session.clone(), point, mark, kind });
        }
        for point in pruned {
            let (session, reason) = (session.clone(), "past its retention".to_owned());
            ctx.emit(What::PointPruned { session, point, reason });
        }
    }

    /// Takes the snapshots of a mark, as far as they are not taken yet.
    async fn snapshot(&self, ctx: &Ctx, spec: &SessionSpec, frame: &Frame) -> Result<(), BlobError> {
        let Body::Mark { mark, .. } = &frame.body else { return Ok(()) };
        let (session, mark) = (spec.session.to_string(), mark.0.to_string());
        for stated in &spec.disks {
            let taken = |state: &mut State| {
                let session = state.uploading(spec).map(|(s, _)| s);
                session.and_then(|s| s.upload.as_mut()).is_none_or(|u| u.taken.contains_key(&stated.disk))
            };
            if taken(&mut self.lock()) {
                continue;
            }
            let Some(blob) = client(ctx, spec, &stated.disk) else { continue };
            let name = blob.snapshot(&[("session", &session), ("mark", &mark)]).await?;
            let mut state = self.lock();
            if let Some((Session { upload: Some(upload), .. }, current)) = state.uploading(spec) {
                match current {
                    true => drop(upload.taken.insert(stated.disk.clone(), name)),
                    false => upload.doomed.push((stated.disk.clone(), name)),
                }
            }
        }
        Ok(())
    }

    /// A seed blob is not what its source is: only a new epoch helps.
    fn differs(&self, spec: &SessionSpec, disk: &DiskId) {
        let mut state = self.lock();
        if let Some((session, true)) = state.uploading(spec) {
            session.relay.require_resync(&format!("the seed blob of disk {disk} differs from its source"));
        }
    }

    fn doomed(&self, id: &SessionId) -> Vec<(DiskId, String)> {
        let state = self.lock();
        let upload = state.sessions.get(id).and_then(|s| s.upload.as_ref());
        upload.map(|u| u.doomed.clone()).unwrap_or_default()
    }

    fn forget_doomed(&self, id: &SessionId, gone: impl Fn(&(DiskId, String)) -> bool) {
        let mut state = self.lock();
        if let Some(upload) = state.sessions.get_mut(id).and_then(|s| s.upload.as_mut()) {
            upload.doomed.retain(|snapshot| !gone(snapshot));
        }
    }
}
