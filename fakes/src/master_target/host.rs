//! The master target's side of the session interface.

use super::{MasterTarget, State};
use crate::session_api::{Denied, Range, Server, SessionHost, marks, phase_name};
use bytes::Bytes;
use failback_replication::disk::Disk;
use failback_replication::frame;
use failback_replication::target::{Applied, Attached, Target};
use failback_wire::canary::{Canary, Planted};
use failback_wire::event::{DiskRef, What};
use failback_wire::http::StatusCode;
use failback_wire::ids::{DiskId, SessionId, VmdkUuid};
use failback_wire::node::Ctx;
use failback_wire::proto::cs::OsFamily;
use failback_wire::proto::cs::{Component, Heard, Heartbeat};
use failback_wire::proto::session::{
    Ack, Hashes, Phase, Roll, ServerHealth, SessionDisk, SessionSpec, SessionView, TargetDisk,
};
use failback_wire::proto::target::Refusing;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The session's disks as far as they hang on this machine now, found by UUID alone (P21).
fn attached(spec: &SessionSpec, scsi: &[(VmdkUuid, Disk)]) -> Attached {
    let find = |uuid: &VmdkUuid| scsi.iter().find(|(u, _)| u == uuid).map(|(_, disk)| disk.clone());
    let disk = |d: &SessionDisk| match &d.target {
        TargetDisk::Vmdk(uuid) => find(uuid).map(|disk| (d.disk.clone(), disk)),
        TargetDisk::SeedBlob(_) => None,
    };
    spec.disks.iter().filter_map(disk).collect()
}

/// A planted bug: behind the machine's own disk they hang in the session's order.
fn in_place(spec: &SessionSpec, scsi: &[(VmdkUuid, Disk)]) -> Attached {
    let disks = scsi.iter().skip(1).map(|(_, disk)| disk.clone());
    spec.disks.iter().map(|disk| disk.disk.clone()).zip(disks).collect()
}

fn vmdk_of(spec: &SessionSpec, disk: &DiskId) -> Option<DiskRef> {
    spec.disks.iter().find(|d| d.disk == *disk).and_then(|d| match &d.target {
        TargetDisk::Vmdk(uuid) => Some(DiskRef::Vmdk(uuid.clone())),
        TargetDisk::SeedBlob(_) => None,
    })
}

/// Disks that a session which takes data needs, and does not find or does not find as they were agreed on.
fn gone(target: &Target, scsi: &[(VmdkUuid, Disk)]) -> Option<Refusing> {
    let intake = target.intake();
    if matches!(intake.phase, Phase::Stopped | Phase::Rolled) {
        return None;
    }
    let held = attached(&intake.spec, scsi);
    let missing = intake.spec.disks.iter().map(|d| &d.disk).filter(|disk| !held.contains_key(*disk));
    let missing: Vec<DiskId> = missing.cloned().collect();
    if !missing.is_empty() {
        return Some(Refusing::DisksGone(missing));
    }
    let resized = |d: &&SessionDisk| held.get(&d.disk).is_some_and(|disk| disk.bytes() != d.size);
    let resized: Vec<DiskId> = intake.spec.disks.iter().filter(resized).map(|d| d.disk.clone()).collect();
    (!resized.is_empty()).then_some(Refusing::DisksResized(resized))
}

/// Blocks of each session that are verified with every sign of life: more than 1 GiB of disk a day.
const VERIFY: u64 = 1024;

impl State {
    /// The bug that is planted in this world.
    fn planted(&self) -> Planted {
        self.ctx.as_ref().map(|ctx| ctx.env.bug()).unwrap_or_default()
    }

    fn target(&mut self, id: &SessionId) -> Result<&mut Target, Denied> {
        self.sessions.get_mut(id).ok_or_else(|| Denied::unknown_session(id))
    }

    /// What this session's journal may use of the retention volume.
    fn budget(&self, id: &SessionId) -> Result<u64, Denied> {
        let missing = || {
            let text = "the retention volume is not there";
            Denied::new(StatusCode::CONFLICT, "retention-missing", text)
        };
        let volume = self.retention.as_ref().ok_or_else(missing)?;
        let own = self.sessions.get(id).map_or(0, |t| t.journal().used());
        Ok(volume.free.saturating_sub(self.used() - own))
    }

    fn report_written(&self, spec: &SessionSpec, disk: &DiskId, blocks: u64) {
        if let (Some(ctx), Some(vmdk)) = (&self.ctx, vmdk_of(spec, disk))
            && blocks > 0
        {
            ctx.emit(What::DiskWritten { disk: vmdk, writer: ctx.node().clone(), blocks });
        }
    }

    fn report_phase(&self, target: &Target) {
        let spec = &target.intake().spec;
        self.emit(What::SessionPhase {
            session: spec.session.clone(),
            machine: spec.machine.clone(),
            phase: phase_name(target.intake().phase).to_owned(),
        });
    }

    /// Applies one frame and tells the world.
    fn apply(&mut self, id: &SessionId, frame: &frame::Frame, disks: &Attached) -> Result<(), Denied> {
        let budget = self.budget(id)?;
        let applied = self.target(id)?.apply(frame, disks, budget)?;
        let Applied { written, stored, pruned, phase_changed, repaired, lost } = applied;
        let Some(target) = self.sessions.get(id) else { return Ok(()) };
        for point in pruned {
            let reason = "the retention volume is full".to_owned();
            self.emit(What::PointPruned { session: id.clone(), point, reason });
        }
        if let Some((disk, blocks)) = written {
            self.report_written(&target.intake().spec, &disk, blocks);
        }
        if phase_changed {
            self.report_phase(target);
        }
        let machine = &target.intake().spec.machine;
        if repaired > 0 {
            let text = format!("{machine}: {repaired} rotten blocks are repaired from the source");
            self.emit(What::Note { text });
        }
        if lost > 0 {
            let text = format!("{machine}: {lost} rotten blocks are overwritten: older points lack them");
            self.emit(What::Note { text });
        }
        if let Some(p) = stored {
            let (point, mark, kind) = (p.point.clone(), p.mark, p.kind);
            self.emit(What::PointStored { session: id.clone(), point, mark, kind });
            self.prune(id);
        }
        Ok(())
    }

    /// Lets go of what is past the session's retention.
    fn prune(&mut self, id: &SessionId) {
        let (Some(now), Some(target)) = (self.ctx.as_ref().map(|c| c.now()), self.sessions.get_mut(id))
        else {
            return;
        };
        for point in target.prune(now) {
            let reason = "past its retention".to_owned();
            self.emit(What::PointPruned { session: id.clone(), point, reason });
        }
    }

    /// Opens a session again from its journal, and completes what was interrupted.
    pub(super) fn reopen(&mut self, id: SessionId, target: Target, scsi: &[(VmdkUuid, Disk)]) {
        let spec = target.intake().spec.clone();
        let disks = attached(&spec, scsi);
        let Ok((mut target, damaged)) = Target::open(spec, target.into_journal().into_volume()) else {
            self.emit(What::Note { text: format!("the journal of session {id} cannot be read") });
            return;
        };
        target = target.with_planted(self.planted());
        // Without its disks the roll stays open; whoever asked for it asks again.
        let rolled = target.recover(&disks).ok().flatten();
        let mark = rolled.as_ref().and_then(|point| Some(target.journal().point(point)?.mark));
        self.sessions.insert(id.clone(), target);
        for point in damaged {
            let reason = "its records have rotted".to_owned();
            self.emit(What::PointPruned { session: id.clone(), point, reason });
        }
        if let (Some(point), Some(mark)) = (rolled, mark) {
            self.emit(What::Rolled { session: id, point, mark });
        }
    }

    /// Looks at the next blocks of the session's disks; at all of them with `u64::MAX`.
    fn verify(&mut self, id: &SessionId, scsi: &[(VmdkUuid, Disk)], limit: u64) {
        let Some(target) = self.sessions.get_mut(id) else { return };
        let disks = attached(&target.intake().spec, scsi);
        // A disk of another size is refused when it is written to.
        let Ok(seen) = target.verify(&disks, limit) else { return };
        let mut found = BTreeMap::<DiskId, u64>::new();
        for (disk, _) in seen.rotten {
            *found.entry(disk).or_default() += 1;
        }
        for (disk, blocks) in found {
            let text = format!("{blocks} blocks of disk {disk} do not hold what was written");
            self.emit(What::Note { text });
        }
    }
}

impl SessionHost for MasterTarget {
    fn serving(&self) -> bool {
        self.lock().serving
    }

    fn put(self: &Arc<Self>, spec: SessionSpec) -> Result<SessionView, Denied> {
        if spec.disks.iter().any(|d| matches!(d.target, TargetDisk::SeedBlob(_))) {
            return Err(Denied::bad_request("a master target writes VMDKs only"));
        }
        let mut state = self.lock();
        let id = spec.session.clone();
        let fresh = match state.sessions.get_mut(&id) {
            Some(target) => target.take_up(spec)?,
            None => {
                let covered = state.ctx.as_ref().map(marks).unwrap_or_default();
                let planted = state.planted();
                let target = Target::new(spec).covering(covered).with_planted(planted);
                state.sessions.insert(id.clone(), target);
                true
            }
        };
        let target = state.sessions.get(&id).ok_or_else(|| Denied::unknown_session(&id))?;
        if fresh {
            state.report_phase(target);
        }
        Ok(target.view())
    }

    fn view(&self, id: &SessionId) -> Result<SessionView, Denied> {
        let scsi = (self.scsi)();
        let mut state = self.lock();
        let refuses = state.refusing();
        let target = state.target(id)?;
        let refuses = refuses.or_else(|| gone(target, &scsi));
        Ok(SessionView { refuses, ..target.view() })
    }

    fn frames(&self, id: &SessionId, body: Bytes) -> Result<Ack, Denied> {
        let scsi = (self.scsi)();
        let mut state = self.lock();
        let disks = attached(&state.target(id)?.intake().spec, &scsi);
        state.takes_data()?;
        let by_place = state.planted().is(Canary::DiskByPlace);
        let disks = if by_place { in_place(&state.target(id)?.intake().spec, &scsi) } else { disks };
        let mut rest = body;
        while !rest.is_empty() {
            let corrupt =
                |e: frame::FrameError| Denied::new(StatusCode::BAD_REQUEST, "corrupt-frame", e.to_string());
            let (frame, len) = frame::decode(&rest).map_err(corrupt)?;
            state.apply(id, &frame, &disks)?;
            rest = rest.slice(len..);
        }
        Ok(state.target(id)?.intake().ack())
    }

    async fn hashes(&self, id: SessionId, disk: DiskId, range: Range) -> Result<Hashes, Denied> {
        let scsi = (self.scsi)();
        let mut state = self.lock();
        state.target(&id)?.intake().check_epoch(range.epoch)?;
        state.takes_data()?;
        if state.target(&id)?.stalled() {
            // No resynchronisation begins before it can end (E12).
            let budget = state.budget(&id)?;
            state.target(&id)?.resume(budget)?;
        }
        let target = state.target(&id)?;
        let disks = attached(&target.intake().spec, &scsi);
        Ok(target.hashes(range.epoch, &disk, range.first, range.count, &disks)?)
    }

    fn stop(&self, id: &SessionId, _: bool) -> Result<SessionView, Denied> {
        let scsi = (self.scsi)();
        let mut state = self.lock();
        let target = state.target(id)?;
        let before = target.intake().phase;
        target.stop();
        if before != target.intake().phase {
            if let Some(target) = state.sessions.get(id) {
                state.report_phase(target);
            }
            // From here on a disk that rotted can only be refused; now its source can still repair it.
            state.verify(id, &scsi, u64::MAX);
        }
        Ok(state.target(id)?.view())
    }

    fn roll(&self, id: &SessionId, roll: &Roll) -> Result<SessionView, Denied> {
        let scsi = (self.scsi)();
        let mut state = self.lock();
        let target = state.target(id)?;
        let disks = attached(&target.intake().spec, &scsi);
        let written = target.roll(&roll.point, &disks)?;
        let mark = target.journal().point(&roll.point).map(|p| p.mark).unwrap_or_default();
        let (spec, view) = (target.intake().spec.clone(), target.view());
        for (disk, blocks) in written {
            state.report_written(&spec, &disk, blocks);
        }
        state.emit(What::Rolled { session: id.clone(), point: roll.point.clone(), mark });
        Ok(view)
    }

    fn delete(&self, id: &SessionId) {
        let mut state = self.lock();
        if let Some(target) = state.sessions.remove(id) {
            let machine = target.intake().spec.machine.clone();
            state.emit(What::SessionPhase { session: id.clone(), machine, phase: "ended".to_owned() });
        }
    }
}

impl Server for MasterTarget {
    fn health(&self) -> ServerHealth {
        let attached = (self.scsi)().into_iter().map(|(uuid, _)| uuid).collect();
        let state = self.lock();
        ServerHealth {
            id: self.config.id.clone(),
            os: self.config.os,
            os_version: state.setup.os_version.clone(),
            version: state.version.clone(),
            attached,
            retention: state.retention_now(),
            unreached: Vec::new(),
            unregistered: state.obstacle(),
            refuses: state.refusing(),
            lvm: state.setup.lvm,
        }
    }

    fn heard(&self, heard: Heard) {
        self.lock().oldest = heard.oldest;
    }

    fn software(&self) -> Option<Ctx> {
        self.lock().ctx.clone()
    }

    fn heartbeat(&self) -> Option<Heartbeat> {
        let (scsi, machine) = ((self.scsi)(), (self.machine)());
        let disks = scsi.len();
        let mut state = self.lock();
        if state.obstacle().is_some() {
            return None;
        }
        let ids: Vec<SessionId> = state.sessions.keys().cloned().collect();
        for id in &ids {
            state.prune(id);
            state.verify(id, &scsi, VERIFY);
        }
        let mut facts = BTreeMap::from([
            ("attached_disks".to_owned(), disks.to_string()),
            ("vm_name".to_owned(), self.config.vm_name.clone()),
        ]);
        if self.config.os == OsFamily::Linux {
            facts.insert("system_disk".to_owned(), state.setup.system_disk.to_string());
        }
        if let Some((memory, cores)) = machine.filter(|_| self.config.os == OsFamily::Linux) {
            facts.insert("memory_mb".to_owned(), memory.to_string());
            facts.insert("cores".to_owned(), cores.to_string());
        }
        if let Some(volume) = state.retention_now() {
            if let Some(why) = volume.unfit {
                facts.insert("retention_unfit".to_owned(), why.to_string());
            }
            facts.insert("retention_mount".to_owned(), volume.mount);
            facts.insert("retention_capacity".to_owned(), volume.capacity.to_string());
            facts.insert("retention_free".to_owned(), volume.free.to_string());
        }
        Some(Heartbeat {
            component: Component::MasterTarget,
            id: self.config.id.clone(),
            address: self.config.host.clone(),
            version: state.version.clone(),
            os: self.config.os,
            facts,
        })
    }
}
