//! Planted bugs ("canaries"): known mistakes that one test build can make, one in a world, to see who notices.
//!
//! Each is a row of the table below and a site in the product, its engine or a fake: `env.planted(Canary::…)` in one
//! line, beside the right code. A site without a row does not compile; a row without a site, or one that nothing finds,
//! turns a test red (`tests/tests/canaries.rs`). Without the feature `canaries` the answer is a constant, and nothing of
//! a site is left in the program.

/// What kind of mistake it is: where scenarios are that are likely to meet it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mistake {
    /// Touches what is not the product's, or not any more.
    Ownership,
    /// Takes more than it was asked for, or less.
    Scope,
    /// Does what it ought to refuse, or something of it.
    Refusal,
    /// Does the right things at the wrong time.
    Order,
    /// Does not reckon with a second time: lost replies, repetitions, restarts.
    Again,
    /// Believes what was true once.
    Trust,
    /// Leaves something behind, or takes away too much.
    CleanUp,
    /// Settles on the wrong recovery point, or keeps the wrong ones.
    Point,
    /// Gets several machines wrong that belong together.
    Together,
    /// Loses or mixes up blocks on their way.
    Blocks,
    /// Tells something that is not so, or keeps it to itself.
    Telling,
    /// Gets the life of a job wrong.
    Jobs,
}

macro_rules! canaries {
    ($($canary:ident $name:literal $mistake:ident $about:literal;)*) => {
        /// A planted bug.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Canary {
            $(#[doc = $about] $canary,)*
        }

        impl Canary {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$canary),*];
            /// Its name, stable.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$canary => $name),* }
            }
            /// The same as sites write it.
            pub const fn variant(self) -> &'static str {
                match self { $(Self::$canary => stringify!($canary)),* }
            }
            /// What kind of mistake it is.
            pub const fn mistake(self) -> Mistake {
                match self { $(Self::$canary => Mistake::$mistake),* }
            }
            /// What it does wrong, in one sentence.
            pub const fn about(self) -> &'static str {
                match self { $(Self::$canary => $about),* }
            }
        }
    };
}

canaries! {
    UndoesWithoutOwnership "undo-without-ownership" Ownership
        "The undo of an attachment takes every disk off the master target.";
    AttachesByName "attach-by-name" Ownership
        "Disks go home to the virtual machine of the name that was known, whatever its UUID.";
    CommitDeletesAll "commit-deletes-a-foreign-disk" Scope
        "The commit of a failback deletes every disk that hangs on the machine in Azure.";
    MergesForeignSnapshots "merges-foreign-snapshots" Ownership
        "Who finds a snapshot in the way removes it, also on a master target.";
    WritesLeftOutDisks "reprotect-writes-a-foreign-vmdk" Scope
        "A reprotect sends home what it was asked to leave out.";
    DeletesAtFailback "delete-at-failback" Order
        "A failback deletes the machine in Azure as soon as the other one runs.";
    PowersOnUnconfirmed "power-on-before-off-is-confirmed" Order
        "A failback powers on without asking Azure whether the other copy is off.";
    ShutdownTakenForDone "shutdown-taken-for-done" Order
        "A source that was asked to shut down counts as off.";
    ChecksAfterEffects "checks-after-side-effects" Refusal
        "A job begins with its first step while its preconditions are looked at.";
    RecordsAfterwards "journal-after-the-effect" Order
        "A step is journalled when it is over, not when it begins.";
    WorksInBackground "works-in-the-background" Order
        "A commit does not wait for the deletion of disks.";
    CutsPowerInAzure "cuts-the-power" Order
        "A failback cuts the power of the machine in Azure instead of shutting it down.";
    LeavesDisksUndrained "drain-not-awaited" Order
        "A failback does not wait until all that was received is applied.";
    RetriesBlindly "retry-without-idempotency" Again
        "What may have taken effect is asked for again without a look.";
    RequestsTwice "request-taken-twice" Again
        "The same request sent again becomes another job.";
    ForgetsOpenJobs "open-jobs-forgotten" Again
        "A product that starts again does not go on with its jobs.";
    AgentForgets "agent-forgets-across-a-boot" Again
        "A guest that boots does not take its replication up again.";
    DuplicateApplied "duplicate-applied" Again
        "A frame that comes again is applied again.";
    StaleInventory "stale-inventory" Trust
        "A reprotect believes that the source is still as off as the failover left it.";
    RollTakenForDone "roll-taken-for-done" Trust
        "A failback believes that the disks are at the point that it chose.";
    StalePoints "stale-points" Point
        "Points that are gone are still shown.";
    SessionLeftOpen "session-left-open" CleanUp
        "A job does not close its session at vCenter.";
    RefusalLeavesSession "refusal-leaves-session" CleanUp
        "A job that its preconditions refuse does not close its session at vCenter.";
    ReplicationLeft "replication-left-behind" CleanUp
        "The commit of a failback does not end the session at master target and process server.";
    FailureDropsPoints "failure-drops-points" CleanUp
        "A failover that fails lets its points go.";
    RetentionPrunesNewest "retention-prunes-the-newest" Point
        "Thinning counts from the wrong end.";
    RollsToNewest "rolls-to-another-point" Point
        "Whatever point is asked for, the master target rolls to the newest.";
    MarkOfNewest "mark-of-another-point" Point
        "A choice has the id of one point and the mark of another.";
    PointTooEarly "point-before-the-last-disk" Point
        "A point is published before every disk has come through.";
    KindMixedUp "kind-mixed-up" Point
        "Every point is stored as application-consistent.";
    ProtectedTooEarly "protected-without-a-point" Point
        "A machine counts as protected once its session is there.";
    GroupMarkMissing "group-mark-of-one-missing" Together
        "A group takes the newest group mark that one member has.";
    BootOrderIgnored "boot-order-ignored" Together
        "All machines of a plan start at once.";
    LaterGroupsGoOn "later-groups-go-on" Together
        "Later boot groups start although an earlier one did not come up.";
    DiskByPlace "disk-by-place" Together
        "A master target finds the disks of a session by their place.";
    AttachesOne "attaches-one-disk" Blocks
        "Of several disks the first is attached.";
    ChecksumNotVerified "checksum-not-verified" Blocks
        "Disks that are not what they ought to be are rolled and served.";
    BitmapClearedEarly "bitmap-cleared-early" Blocks
        "When the change log is full what it held is let go of unmarked.";
    ClearedBeforeApplied "bitmap-cleared-before-apply" Blocks
        "A block counts as sent once it is queued: what never left is not marked again.";
    BusyCounts "throttle-loses-frames" Blocks
        "What a full cache has no room for counts as received.";
    ComparesNothing "resync-compares-nothing" Blocks
        "A resynchronisation finds all blocks equal.";
    AppliesInPart "frame-applied-in-part" Blocks
        "Of a frame with several runs of blocks the first is written to the seed.";
    SplitBrainUntold "split-brain-untold" Telling
        "Nobody is warned of a source that still runs.";
    HealthOnlySet "health-set-and-never-derived" Telling
        "Health that became worse never becomes better.";
    PowerUntold "power-untold" Telling
        "A machine of vCenter loses its power without an event.";
    EndUntold "end-of-a-job-untold" Telling
        "The end of a job that was refused is not told.";
    TwoAtOnce "two-operations-on-one-item" Jobs
        "A request is taken while another one works on the item.";
    EndsTwice "job-ends-twice" Jobs
        "A job that has ended with its member ends once more.";
    RestsInProgress "no-state-of-rest" Jobs
        "A job that fails leaves its item in the state that it had on the way.";
}

/// The bug that is planted in a world, if one is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Planted {
    #[cfg(feature = "canaries")]
    canary: Option<Canary>,
}

impl Planted {
    /// True in a build that can make mistakes on purpose.
    pub const POSSIBLE: bool = cfg!(feature = "canaries");

    /// This one, and no other.
    #[cfg(feature = "canaries")]
    pub const fn only(canary: Canary) -> Self {
        Self { canary: Some(canary) }
    }
    /// True when this one is planted.
    #[cfg(feature = "canaries")]
    pub fn is(self, canary: Canary) -> bool {
        self.canary == Some(canary)
    }
    /// True when this one is planted: never, in this build.
    #[cfg(not(feature = "canaries"))]
    pub const fn is(self, canary: Canary) -> bool {
        let _ = canary;
        false
    }
}

// What does not fit into nothing costs something.
#[cfg(not(feature = "canaries"))]
const _: () = assert!(size_of::<Planted>() == 0 && !Planted {}.is(Canary::ALL[0]));
