//! What the oracle is told about the world before the run begins.

use failback_wire::event::{ContentHash, DiskRef, VmRef};
use failback_wire::ids::{DiskId, GroupName, MachineName, Site, VmdkUuid};
use failback_wire::proto::cs::OsFamily;
use serde::Serialize;

/// The world at the start of a run.
#[derive(Clone, Debug, Serialize)]
pub struct Setup {
    /// Protected machines.
    pub machines: Vec<MachineSetup>,
    /// Virtual machines that are nobody's business here; the product must not touch them.
    pub foreign_vms: Vec<VmRef>,
    /// Disks that are nobody's business here.
    pub foreign_disks: Vec<DiskRef>,
    /// Master targets: virtual machines that hold replicated machines' VMDKs for a while.
    pub infrastructure_vms: Vec<VmRef>,
    /// Recovery plans with their members. A job on a plan that is not listed counts for every machine.
    pub plans: Vec<PlanSetup>,
    /// Codes of [`What::Warned`](failback_wire::event::What::Warned) that say "two copies may be running".
    /// A code that contains `split` always counts.
    pub split_brain_codes: Vec<String>,
    /// Codes of warnings that say "the members of the group are at different times" (R4).
    pub group_codes: Vec<String>,
    /// States of rest the product knows. Empty: any that does not end in `InProgress`, and
    /// `InitialReplicationInProgress`, which needs no job.
    pub rest_states: Vec<String>,
    /// How old the product's knowledge of recovery points may be, in ms: it learns of them by asking.
    pub sight_lag_ms: u64,
}

impl Default for Setup {
    /// An empty world; points may be known 10 minutes late (the product looks every 5).
    fn default() -> Self {
        Self {
            machines: Vec::new(),
            foreign_vms: Vec::new(),
            foreign_disks: Vec::new(),
            infrastructure_vms: Vec::new(),
            plans: Vec::new(),
            split_brain_codes: Vec::new(),
            group_codes: Vec::new(),
            rest_states: Vec::new(),
            sight_lag_ms: 600_000,
        }
    }
}

/// A recovery plan.
#[derive(Clone, Debug, Serialize)]
pub struct PlanSetup {
    /// Name, as jobs' targets give it.
    pub name: String,
    /// Members by boot group, in order.
    pub groups: Vec<Vec<MachineName>>,
}

/// A protected machine.
#[derive(Clone, Debug, Serialize)]
pub struct MachineSetup {
    /// Name.
    pub name: MachineName,
    /// Operating system family.
    pub os: OsFamily,
    /// Replication group, if it is in one.
    pub group: Option<GroupName>,
    /// Protected disks, in the machine's order.
    pub disks: Vec<DiskSetup>,
    /// How many of them, the last ones, its guest at home reaches by itself: they are no VMDKs until it has come home.
    pub outside: usize,
    /// Its other disks, which the first protection leaves out (P37).
    pub excluded: Vec<DiskSetup>,
    /// It is a physical machine: vCenter holds none of its disks, until it comes home as a virtual one (P35).
    pub physical: bool,
    /// Its virtual machine on premises, or the physical one in whose place that one will be.
    pub onprem_vm: VmRef,
    /// Its virtual machine in Azure, there or to come.
    pub azure_vm: VmRef,
    /// The side its production copy runs on at the start.
    pub runs_at: Site,
    /// True when that copy is powered on at the start.
    pub powered_on: bool,
}

/// A protected disk.
#[derive(Clone, Debug, Serialize)]
pub struct DiskSetup {
    /// Id, the same for both copies.
    pub id: DiskId,
    /// The VMDK on premises.
    pub vmdk: VmdkUuid,
    /// Size in blocks of 4 KiB.
    pub blocks: u64,
    /// Content of the production copy at the start: its blocks that are not zero.
    pub content: Vec<(u64, ContentHash)>,
}
