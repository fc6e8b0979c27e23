//! The invariants. Each has a file of its own and a line in [`CHECKS`].

mod azure_kept;
mod boot_order;
mod chosen_point;
mod disk_content;
mod effects_in_job;
mod failback_order;
mod foreign_untouched;
mod group_marks;
mod item_states;
mod jobs_end;
mod last_point_usable;
mod loss;
mod no_leftovers;
mod no_open_job;
mod one_copy_on;
mod one_job_per_item;
mod point_after_failure;
mod points_complete;
mod refusal_touches_nothing;
mod rolled_to_choice;
mod running_vm;
mod stream_true;
mod vmdk_holder;
mod world;
mod write_own_vmdk;

pub(crate) use world::World;

use crate::facts::Facts;
use crate::violation::Report;
use failback_wire::event::Event;

/// When an invariant is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// After every event.
    Always,
    /// When no job is open.
    AtRest,
    /// When the run is over.
    End,
}

/// How an invariant is judged. Checks hold no state of their own: all of it is in the facts.
pub(crate) trait Check: Sync {
    /// Judges an event against the facts before it (scope `Always`).
    fn on(&self, facts: &Facts, event: &Event, report: &mut Report<'_>) {
        let _ = (facts, event, report);
    }
    /// Judges a moment. For scope `Always`: what was left open since the last moment.
    fn settle(&self, world: &World<'_>, report: &mut Report<'_>) {
        let _ = (world, report);
    }
}

/// One invariant.
pub struct Invariant {
    /// Name, stable.
    pub name: &'static str,
    /// Keys of the domain facts and engine properties behind it.
    pub keys: &'static [&'static str],
    /// When it is judged.
    pub scope: Scope,
    pub(crate) check: &'static dyn Check,
}

macro_rules! checks {
    ($($name:literal $scope:ident [$($key:literal),*] $check:expr;)*) => {
        /// All invariants.
        pub static CHECKS: &[Invariant] =
            &[$(Invariant { name: $name, keys: &[$($key),*], scope: Scope::$scope, check: &$check }),*];
    };
}

checks! {
    "vmdk-holder" Always ["I4", "C12", "P20"] vmdk_holder::VmdkHolder;
    "one-copy-on" Always ["I2", "C4", "C19"] one_copy_on::OneCopyOn;
    "failback-order" Always ["I2", "C16", "E18"] failback_order::FailbackOrder;
    "azure-kept" Always ["I1", "C17", "C20"] azure_kept::AzureKept;
    "write-own-vmdk" Always ["I3", "P21", "E18"] write_own_vmdk::WriteOwnVmdk;
    "running-vm" Always ["I3", "C12", "E18"] running_vm::RunningVm;
    "foreign-untouched" Always ["I3", "I7", "P17", "P37"] foreign_untouched::ForeignUntouched;
    "points-complete" Always ["R2", "E1", "E4", "E11"] points_complete::PointsComplete;
    "group-marks" Always ["P29", "R4", "E2", "E3"] group_marks::GroupMarks;
    "chosen-point" Always ["R3", "R6", "E12"] chosen_point::ChosenPoint;
    "rolled-to-choice" Always ["C16", "E11", "E20"] rolled_to_choice::RolledToChoice;
    "refusal-touches-nothing" Always ["I8", "C15", "R6"] refusal_touches_nothing::RefusalTouchesNothing;
    "boot-order" Always ["L2"] boot_order::BootOrder;
    "effects-in-job" Always ["I7", "I8"] effects_in_job::EffectsInJob;
    "jobs-end" Always ["I7"] jobs_end::JobsEnd;
    "one-job-per-item" Always ["I7"] one_job_per_item::OneJobPerItem;
    "point-after-failure" Always ["I5", "E20"] point_after_failure::PointAfterFailure;
    "no-open-job" AtRest ["I7"] no_open_job::NoOpenJob;
    "item-states" AtRest ["I6"] item_states::ItemStates;
    "no-leftovers" AtRest ["I4", "I7"] no_leftovers::NoLeftovers;
    "last-point-usable" AtRest ["I5", "R6", "E11"] last_point_usable::LastPointUsable;
    "stream-true" AtRest ["I6"] stream_true::StreamTrue;
    "disk-content" End ["I3", "I5", "E1", "E16"] disk_content::DiskContent;
    "loss" End ["R4", "R5", "E1", "E2"] loss::LossWithinPoint;
}
