//! How the disks of an item will be synchronised: the engine decides by the identities of both copies (E8, E21);
//! here these are put together from what the journal, vCenter and Azure say.

use super::super::{StepCtx, StepError};
use super::added::{self, Added};
use super::{azure, note};
use crate::catalogue::execution::SESSION_FAILED;
use crate::catalogue::machine::{DISK_MISMATCH, DISK_RESIZED};
use crate::catalogue::warning::{DISK_LEFT_OUT, SPLIT_BRAIN};
use crate::clients::vcenter::VmFacts;
use crate::journal::{Fact, ItemDisk};
use failback_replication::lineage::{Decision, Generation, Identity, Lineage, Mode, Refusal, decide};
use failback_wire::canary::Canary;
use failback_wire::ids::DiskId;
use failback_wire::proto::session::SyncMode;
use std::collections::BTreeMap;

/// Note: `full` or `checksum`, as the session home will begin.
const SYNC: &str = "sync";

/// Both copies of a disk; no target stands for one that is yet to be made.
struct Pair {
    source: Identity,
    target: Option<Identity>,
}

/// Decides for a way home: from the managed disks to the VMDKs of `own`, or to those of a machine that is yet to
/// be created. The disks have the size that Azure's have from now on. The direction was the operator's choice, so
/// what only the VMDKs hold is given up, and the job says so.
///
/// # Errors
/// Another size or another disk, before any effect; Azure's silence.
pub(in crate::workflow) async fn decide_home(
    c: &StepCtx<'_>,
    own: Option<&VmFacts>,
    added: Added,
) -> Result<Vec<Fact>, StepError> {
    let (mut disks, mut pairs) = (Vec::new(), Vec::new());
    let mut copies = c.item.copies.clone();
    let home_ran = own.is_some() && c.item.warnings.contains_key(SPLIT_BRAIN.code);
    if home_ran {
        copies.home_ran(c.job);
    }
    let mut facts = Vec::new();
    let (asked, left) = asked_for(c);
    for disk in asked.iter().chain(&added.new) {
        let (unique, size) = managed(c, disk, &added.managed).await?;
        if own.is_some_and(|own| added::needs_extra(c, own, disk)) {
            facts.push(added::lost(disk));
            pairs.push(Pair { source: identity(disk, &unique, size, &copies.azure), target: None });
            disks.push(ItemDisk { size, vmdk: "".into(), ..disk.clone() });
            continue;
        }
        let held = |vm: &VmFacts| vm.disk(&disk.vmdk).map_or(size, |vmdk| vmdk.capacity);
        let target = own.map(|vm| identity(disk, disk.vmdk.as_str(), held(vm), &copies.home));
        pairs.push(Pair { source: identity(disk, &unique, size, &copies.azure), target });
        disks.push(ItemDisk { size, ..disk.clone() });
    }
    let (sync, decisions) = decided(&pairs)?;
    facts.extend(decisions);
    facts.extend([Fact::Disks(disks), note(SYNC, if sync == SyncMode::Full { "full" } else { "checksum" })]);
    facts.extend(home_ran.then(|| Fact::HomeRan(c.job.clone())));
    facts.extend((!added.new.is_empty()).then_some(Fact::Added(added.managed)));
    let all_come = left.is_empty() && c.item.warnings.contains_key(DISK_LEFT_OUT.code);
    facts.extend(all_come.then(|| Fact::WarningCleared(DISK_LEFT_OUT.code.to_owned())));
    facts.extend((left != c.item.left).then_some(Fact::Left(left)));
    Ok(facts)
}

/// The protected disks that a reprotect home is asked for, and those that it leaves out. Every attempt chooses anew: an
/// earlier one may have left out others (P37).
fn asked_for(c: &StepCtx<'_>) -> (Vec<ItemDisk>, Vec<ItemDisk>) {
    let asked = |disk: &ItemDisk| {
        let named =
            |include: &Vec<DiskId>| include.contains(&disk.disk) || c.item.added.contains_key(&disk.disk);
        c.input.include.as_ref().is_none_or(named) || c.ctx.env.planted(Canary::WritesLeftOutDisks)
    };
    let mut all: Vec<ItemDisk> = c.item.disks.iter().chain(&c.item.left).cloned().collect();
    // In the machine's order; what was added comes last.
    all.sort_by_key(|disk| (disk.disk.number().is_none(), disk.disk.number()));
    all.into_iter().partition(asked)
}

/// Unique id and bytes of the managed disk; what the journal knows of the size while Azure has none.
pub(in crate::workflow) async fn managed(
    c: &StepCtx<'_>,
    disk: &ItemDisk,
    added: &BTreeMap<DiskId, String>,
) -> Result<(String, u64), StepError> {
    let name = c.item.azure.as_ref().and_then(|vm| vm.disks.get(&disk.disk)).or(added.get(&disk.disk));
    let Some(name) = name else { return Ok((String::new(), disk.size)) };
    let seen = c.services.azure.disk(name).await.map_err(|e| azure::error(&SESSION_FAILED, name, &e))?;
    Ok(seen.map_or((String::new(), disk.size), |seen| (seen.unique_id, seen.bytes)))
}

/// Decides for the way to Azure: onto seed blobs, of which `is_new` says whether they were made just now. The
/// product alone writes to blobs of these names; what an attempt that failed left in them may be given up.
///
/// # Errors
/// None of a seed's size, which follows the disk's; another disk is a defect.
pub(in crate::workflow) fn decide_to_azure(
    c: &StepCtx<'_>,
    is_new: impl Fn(&DiskId) -> bool,
) -> Result<(SyncMode, Vec<Fact>), StepError> {
    let held = match c.item.copies.seeds.current() {
        Some(_) => c.item.copies.seeds.clone(),
        // Something that the journal does not know of.
        None => Lineage::of(Generation::named(&c.id("unknown"))),
    };
    let pair = |disk: &ItemDisk| {
        let lineage = if is_new(&disk.disk) { Lineage::default() } else { held.clone() };
        let seed = identity(disk, &azure::seed_blob(&disk.disk), disk.size, &lineage);
        let source = identity(disk, disk.vmdk.as_str(), disk.size, &c.item.copies.home);
        Pair { source, target: Some(seed) }
    };
    decided(&c.item.disks.iter().map(pair).collect::<Vec<_>>())
}

fn identity(disk: &ItemDisk, unique: &str, size: u64, lineage: &Lineage) -> Identity {
    Identity { disk: disk.disk.clone(), unique: unique.to_owned(), size, lineage: lineage.clone() }
}

/// A session begins in one way for all its disks. Comparing is right for every one of them. No map of changes
/// outlives a failover, so none is offered.
fn decided(pairs: &[Pair]) -> Result<(SyncMode, Vec<Fact>), StepError> {
    let decide = |pair: &Pair| decide(&pair.source, pair.target.as_ref(), None, true);
    let decisions: Result<Vec<Decision>, Refusal> = pairs.iter().map(decide).collect();
    let decisions = decisions.map_err(|refusal| refused(&refusal))?;
    let all_full = decisions.iter().all(|decision| decision.mode == Mode::Full);
    let (mode, sync) =
        if all_full { (Mode::Full, SyncMode::Full) } else { (Mode::Checksum, SyncMode::Checksum) };
    let fact = |(pair, decision): (&Pair, Decision)| Fact::Decided {
        disk: pair.source.disk.clone(),
        decision: Decision { mode, ..decision }.to_string(),
        gives_up: decision.why.gives_up(),
    };
    Ok((sync, pairs.iter().zip(decisions).map(fact).collect()))
}

fn refused(refusal: &Refusal) -> StepError {
    let (doc, disk) = match refusal {
        Refusal::Resized { disk, .. } => (&DISK_RESIZED, disk),
        Refusal::SplitBrain { disk, .. }
        | Refusal::TargetNewer(disk)
        | Refusal::Itself(disk)
        | Refusal::Unrelated { source_disk: disk, .. } => (&DISK_MISMATCH, disk),
    };
    StepError::new(doc, disk.as_str(), refusal.to_string())
}

/// As it was decided for the way home. Comparing is right where nothing was: how much it sends nobody can tell (C13).
pub(in crate::workflow) fn sync_mode(c: &StepCtx<'_>) -> SyncMode {
    let full = c.item.notes.get(SYNC).is_some_and(|sync| sync == "full");
    match full || !c.ctx.env.holds("C13") {
        true => SyncMode::Full,
        false => SyncMode::Checksum,
    }
}
