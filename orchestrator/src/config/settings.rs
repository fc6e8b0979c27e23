//! What the public documentation leaves open or says in two ways: a choice for each, the cautious one or the one of
//! its newest page by default.

/// The choices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Whether disks may come home to vSAN.
    pub vsan: Vsan,
    /// Snapshots of the machine itself at reprotect (P17).
    pub vm_snapshots: VmSnapshots,
    /// A way home to another vCenter than the original one (P5).
    pub alternate_vcenter: AlternateVcenter,
    /// Machines that boot by UEFI (P33).
    pub uefi: Uefi,
    /// Most machines a replication group may hold (G1). Only another provider's limit is documented, which is taken.
    pub group_size: usize,
    /// What a machine in Azure wrote last, at a failback.
    pub final_changes: FinalChanges,
    /// A reprotect of a failover that nobody committed (C8).
    pub reprotect_before_commit: BeforeCommit,
    /// Disks that a failback has detached and cannot attach (P20).
    pub detached_disks: DetachedDisks,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            vsan: Vsan::default(),
            vm_snapshots: VmSnapshots::default(),
            alternate_vcenter: AlternateVcenter::default(),
            uefi: Uefi::default(),
            group_size: 16,
            final_changes: FinalChanges::default(),
            reprotect_before_commit: BeforeCommit::default(),
            detached_disks: DetachedDisks::default(),
        }
    }
}

/// Whether disks may come home to vSAN (P23). One page shows it in the list and lets the job fail, another one supports
/// it; a private cloud of Azure has nothing else, so it is allowed by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Vsan {
    /// Yes.
    #[default]
    Allow,
    /// Only disks that lie there already.
    OriginalOnly,
    /// No.
    Refuse,
}

/// Whether a machine may come home to another vCenter than the one it came from: the pages say both (P5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AlternateVcenter {
    /// It may not.
    #[default]
    Refuse,
    /// It may, when both that vCenter and its master target were discovered, and the original machine is gone.
    Allow,
}

/// Whether a machine that boots by UEFI may come home: the matrix of 2019 says no (P33).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Uefi {
    /// It stays in Azure.
    #[default]
    Refuse,
    /// It may.
    Allow,
}

/// Whether a failback still takes what the agent sends while its machine in Azure shuts down: only the modernized pages
/// say so (section 1.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FinalChanges {
    /// It does, so that nothing is lost.
    #[default]
    Drain,
    /// It goes to the newest point from before the shutdown.
    Leave,
}

/// What a reprotect does about snapshots of the machine itself: the pages say both (P17).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VmSnapshots {
    /// It merges them.
    #[default]
    Merge,
    /// It is refused.
    Fail,
}

/// Whether a failed-over machine may be reprotected before its failover was committed (C8). The pages tell to commit
/// first; a recorded item offers it at once, and its job then commits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BeforeCommit {
    /// It may not: whoever has not decided on a recovery point yet shall not give the others up by the way.
    #[default]
    Refuse,
    /// It may: the job commits the failover first.
    Commit,
}

/// What becomes of disks when a failback fails after it detached them from the master target, and before they are
/// attached to their machine. Only what a person does then is documented (P20).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DetachedDisks {
    /// Nobody holds them, and so nobody writes to them, until another attempt or a person attaches them.
    #[default]
    Stay,
    /// They go back to the master target, as far as vCenter lets them.
    Return,
}
