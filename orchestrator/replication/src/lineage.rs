//! Which way a disk may be copied and how, decided by the generations of its two copies (E8, E21).
//!
//! A copy begins a generation when it becomes the one that is written to: protection begins, a failover or
//! failback comes up with it, or somebody starts it although it is not its turn. A copy that follows another one
//! takes over its lineage. So two lineages say what happened: one leads to the other, or both went on from a
//! common ancestor (a split brain), or they have nothing in common. [`decide`] says what to do about it, and why.

use failback_wire::ids::DiskId;
use serde::{Deserialize, Serialize};
use std::fmt;
use xxhash_rust::xxh3::xxh3_64;

/// Generations a lineage remembers behind the current one. What is older is forgotten: a copy that only has such
/// an ancestor in common counts as unrelated, which is refused, and never as known.
const KEPT: usize = 16;

/// One life of a disk's copy as the one that is written to. No two are ever the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Generation(pub u64);

impl Generation {
    /// The generation that began by what bears this name, which nothing else may bear: a job, a boot.
    pub fn named(name: &str) -> Self {
        Self(xxh3_64(name.as_bytes()))
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// The generation a copy's content is of, and those that led to it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lineage {
    current: Option<Generation>,
    /// Newest first, at most [`KEPT`].
    history: Vec<Generation>,
}

impl Lineage {
    /// That of a copy whose content is of `first` and has no past.
    pub fn of(first: Generation) -> Self {
        Self { current: Some(first), history: Vec::new() }
    }
    /// The generation of the content; `None` while the copy is blank.
    pub fn current(&self) -> Option<Generation> {
        self.current
    }
    /// The generations that led to it, newest first.
    pub fn history(&self) -> &[Generation] {
        &self.history
    }
    /// The copy is written to as `new` from now on; what was current moves into the history. Converges.
    pub fn begin(&mut self, new: Generation) {
        if let Some(old) = self.current.replace(new).filter(|old| *old != new) {
            self.history.insert(0, old);
            self.history.truncate(KEPT);
        }
    }
    fn all(&self) -> impl Iterator<Item = &Generation> {
        self.current.iter().chain(&self.history)
    }
    fn common(&self, other: &Self) -> Option<Generation> {
        self.all().find(|own| other.all().any(|others| others == *own)).copied()
    }
}

/// A copy of a disk (E21).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The disk, the same wherever its copies lie.
    pub disk: DiskId,
    /// What tells this copy from all others, also from an earlier one of the same name: UUID of the VMDK, unique id
    /// of the managed disk, URL of the blob. Empty when it is not known.
    pub unique: String,
    /// Bytes.
    pub size: u64,
    /// What its content is.
    pub lineage: Lineage,
}

/// What a map of changes covers: all that was written on one copy between two generations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tracked {
    /// Unique id of the copy that was written to.
    pub on: String,
    /// What it held when the map began.
    pub from: Generation,
    /// What it has held since.
    pub to: Generation,
}

impl Tracked {
    /// True when the map leads exactly from what the target holds to what this very source does.
    fn fits(&self, source: &Identity, held: Generation) -> bool {
        let ends = Some(self.to) == source.lineage.current && self.from == held;
        ends && !self.on.is_empty() && self.on == source.unique
    }
}

/// How the content gets to the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// Blocks that the map names.
    Map,
    /// Blocks whose hashes differ; right whatever the target holds.
    Checksum,
    /// All blocks but zeros; right only when the target is blank.
    Full,
}

/// Why it gets there so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Why {
    /// There is no target yet.
    NoTarget,
    /// The target holds nothing.
    Blank,
    /// The map covers exactly what the target lacks.
    Tracked,
    /// The target holds an earlier copy, and there is no map.
    NoMap,
    /// The target holds an earlier copy; the map is of something else (E7).
    ForeignMap,
    /// The target's content came after the source's; it is given up.
    NewerGivenUp,
    /// Both went on from this generation; what the target wrote since is given up.
    SplitBrainGivenUp(Generation),
    /// Nothing is known in common; all that the target holds is given up.
    UnrelatedGivenUp,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Decision {
    /// How.
    pub mode: Mode,
    /// Why.
    pub why: Why,
}

/// Why nothing is to be done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Both went on from a common ancestor; one side's writes would be lost.
    #[error("split brain: both copies of {disk} went on from generation {ancestor}")]
    SplitBrain {
        /// The disk.
        disk: DiskId,
        /// The newest generation both know.
        ancestor: Generation,
    },
    /// The target's content came after the source's.
    #[error(
        "the target's copy of {0} is newer than the source: it would be overwritten by what it came from"
    )]
    TargetNewer(DiskId),
    /// The target is another disk, or nothing is known in common.
    #[error("the target of {source_disk} is {target_disk}, and holds nothing that came from it")]
    Unrelated {
        /// The source's disk.
        source_disk: DiskId,
        /// The target's disk.
        target_disk: DiskId,
    },
    /// The sizes differ: the target would have to be cut or stretched.
    #[error("{disk} has {source_bytes} bytes at the source and {target_bytes} at the target")]
    Resized {
        /// The disk.
        disk: DiskId,
        /// Bytes at the source.
        source_bytes: u64,
        /// Bytes at the target.
        target_bytes: u64,
    },
    /// Source and target are one and the same copy (P26).
    #[error("source and target of {0} are the same copy")]
    Itself(DiskId),
}

/// Decides how the content of `source` gets to `target`, where `map` tells what changed, if anything does.
/// `discard_target` gives up what only the target holds; another disk is not overwritten even then.
///
/// # Errors
/// [`Refusal`]; then nothing may be written.
pub fn decide(
    source: &Identity,
    target: Option<&Identity>,
    map: Option<&Tracked>,
    discard_target: bool,
) -> Result<Decision, Refusal> {
    let full = |why| Ok(Decision { mode: Mode::Full, why });
    let Some(target) = target else { return full(Why::NoTarget) };
    same_disk(source, target)?;
    let Some(held) = target.lineage.current else { return full(Why::Blank) };
    let relation = relation(&source.lineage, &target.lineage);
    if relation == Relation::Follows {
        return Ok(match map {
            Some(map) if map.fits(source, held) => Decision { mode: Mode::Map, why: Why::Tracked },
            Some(_) => Decision { mode: Mode::Checksum, why: Why::ForeignMap },
            None => Decision { mode: Mode::Checksum, why: Why::NoMap },
        });
    }
    let disk = source.disk.clone();
    let (refusal, why) = match relation {
        Relation::Leads => (Refusal::TargetNewer(disk), Why::NewerGivenUp),
        Relation::Parted(ancestor) => {
            (Refusal::SplitBrain { disk, ancestor }, Why::SplitBrainGivenUp(ancestor))
        }
        Relation::Follows | Relation::Strange => {
            let target_disk = target.disk.clone();
            (Refusal::Unrelated { source_disk: disk, target_disk }, Why::UnrelatedGivenUp)
        }
    };
    if discard_target { Ok(Decision { mode: Mode::Checksum, why }) } else { Err(refusal) }
}

/// What holds of any pair, whatever it contains.
fn same_disk(source: &Identity, target: &Identity) -> Result<(), Refusal> {
    let disk = source.disk.clone();
    if source.disk != target.disk {
        return Err(Refusal::Unrelated { source_disk: disk, target_disk: target.disk.clone() });
    }
    if source.unique == target.unique && !source.unique.is_empty() {
        return Err(Refusal::Itself(disk));
    }
    if source.size != target.size {
        return Err(Refusal::Resized { disk, source_bytes: source.size, target_bytes: target.size });
    }
    Ok(())
}

/// How a target's content stands to the source's.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Relation {
    /// It is of the same generation, or of one that led to the source's.
    Follows,
    /// The source's is of one that led to it.
    Leads,
    /// Both came from this one.
    Parted(Generation),
    /// Nothing is known in common.
    Strange,
}

fn relation(source: &Lineage, target: &Lineage) -> Relation {
    let leads = |to: &Lineage, from: &Lineage| from.current.is_some_and(|held| to.history.contains(&held));
    if source.current == target.current {
        return Relation::Follows;
    }
    match (leads(source, target), leads(target, source), source.common(target)) {
        (true, false, _) => Relation::Follows,
        (false, true, _) => Relation::Leads,
        // Each claims to come from the other: nothing that may be relied on.
        (true, true, Some(common)) | (false, false, Some(common)) => Relation::Parted(common),
        (_, _, None) => Relation::Strange,
    }
}

impl Why {
    /// True when something that only the target holds is lost by it.
    pub fn gives_up(self) -> bool {
        match self {
            Self::NewerGivenUp | Self::SplitBrainGivenUp(_) | Self::UnrelatedGivenUp => true,
            Self::NoTarget | Self::Blank | Self::Tracked | Self::NoMap | Self::ForeignMap => false,
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Map => "only changed blocks are copied",
            Self::Checksum => "all blocks are compared, those that differ are copied",
            Self::Full => "all data is copied",
        })
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTarget => f.write_str("there is no copy at the target yet"),
            Self::Blank => f.write_str("the disk at the target is blank"),
            Self::Tracked => f.write_str("every change since the target's copy is on record"),
            Self::NoMap => {
                f.write_str("the target holds an earlier copy, and no record says what changed since")
            }
            Self::ForeignMap => {
                f.write_str("the target holds an earlier copy, but the record of changes is not about it")
            }
            Self::NewerGivenUp => f.write_str(
                "the target's copy is newer than the source; what was written to it since is given up",
            ),
            Self::SplitBrainGivenUp(ancestor) => write!(
                f,
                "split brain: both copies went on from generation {ancestor}; what the target wrote since is given up"
            ),
            Self::UnrelatedGivenUp => {
                f.write_str("nothing is known of what the target holds; all of it is given up")
            }
        }
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.mode, self.why)
    }
}

#[cfg(test)]
mod tests;
