//! The vocabulary of changes to the world: what `inject`, `arm` and `operator` steps can do.
//!
//! A fault and its remedy are the same kind of thing, a change of state; who makes it differs. Only
//! link and call faults are not states of a fake; they are the switchboard's.

use super::text::{Name, Spanned};
use super::units::Period;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use failback_fakes::azure::AzureFault;
pub use failback_fakes::cs::ConfigurationServerFault;
pub use failback_fakes::guest::GuestFault;
pub use failback_fakes::master_target::MasterTargetFault;
pub use failback_fakes::process_server::ProcessServerFault;
pub use failback_fakes::vcenter::VcenterFault;

/// A change to the world.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// vCenter, its hosts, datastores and virtual machines (master targets' included).
    Vcenter(Spanned<VcenterFault>),
    /// The configuration server and its database.
    ConfigurationServer(Spanned<ConfigurationServerFault>),
    /// The software of a master target.
    MasterTarget(OnMasterTarget),
    /// The software of a process server.
    ProcessServer(OnProcessServer),
    /// Azure: virtual machines, disks, quotas.
    Azure(Spanned<AzureFault>),
    /// A guest and its mobility agent.
    Guest(Spanned<GuestFault>),
    /// The private link between the sites.
    Link(Spanned<LinkChange>),
    /// Calls from one node to another.
    Call(CallFault),
}

/// A change at one master target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct OnMasterTarget {
    /// Its id.
    pub name: Name,
    /// What changes.
    pub change: Spanned<MasterTargetFault>,
}

/// A change at one process server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct OnProcessServer {
    /// Its id.
    pub name: Name,
    /// What changes.
    pub change: Spanned<ProcessServerFault>,
}

/// The private link between the sites (P11).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case", deny_unknown_fields)]
pub enum LinkChange {
    /// No packet crosses it.
    VpnDown,
    /// Packets cross it again.
    VpnUp,
    /// Where there was no private link, one is built: a VPN, or private peering for the ExpressRoute circuit.
    Build,
    /// A firewall before a process server drops what agents send to its data port (P12).
    BlockPort {
        /// The process server.
        server: Name,
    },
    /// The firewall lets it through again.
    OpenPort {
        /// The process server.
        server: Name,
    },
    /// Packets from one node to another are lost; those the other way are not.
    Cut {
        /// Who sends them.
        from: Name,
        /// Whom they do not reach.
        to: Name,
    },
    /// They arrive again.
    Join {
        /// Who sends them.
        from: Name,
        /// Whom they reach.
        to: Name,
    },
}

/// Something happens to calls from one node to another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct CallFault {
    /// The caller's node; default: anyone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Name>,
    /// The callee's node.
    pub to: Name,
    /// The operation, in the words of its protocol: `PowerOnVM_Task`.
    #[schemars(extend("enum" = operations()))]
    pub operation: Name,
    /// Which matching call, from 1; default 1.
    #[serde(default = "first")]
    pub nth: Spanned<u32>,
    /// How many calls from that one on; default 1.
    #[serde(default = "first")]
    pub times: Spanned<u32>,
    /// What happens to them.
    #[serde(rename = "do")]
    pub action: CallAction,
}

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CallAction {
    /// The connection is refused; the callee sees nothing.
    Refuse,
    /// The request is lost; the caller runs into its timeout, the callee sees nothing.
    TimeOut,
    /// The callee acts, its reply is lost; the caller runs into its timeout.
    LoseReply,
    /// The reply arrives this much later.
    Delay(Period),
    /// The callee acts once the caller has given up.
    Late,
    /// The callee sees nothing; the caller gets the answer of the last time it asked for the same since the fault was
    /// armed. Where it never did, nothing happens to the call.
    Stale,
    /// The callee sees nothing; the caller gets this HTTP status.
    Status(u16),
    /// The callee gets the request twice; the caller gets the first reply.
    Duplicate,
    /// The reply's body ends after this many bytes.
    Truncate(u32),
    /// The reply's body is damaged.
    Garble,
    /// The request's body arrives damaged: a byte in its middle is wrong.
    GarbleRequest,
}

/// When an armed fault strikes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum When {
    /// This long after the step that arms it.
    After(Spanned<Period>),
    /// This long after another armed fault struck.
    AfterFault(FaultMoment),
    /// Just before a call reaches its callee.
    BeforeCall(CallMoment),
    /// Just after a call took effect, before its reply goes back.
    AfterCall(CallMoment),
    /// Just before the orchestrator commits a write to its journal.
    BeforeWrite(WriteMoment),
    /// Just after it has.
    AfterWrite(WriteMoment),
    /// When a task of a job starts.
    AtTask(TaskMoment),
    /// When a task of a job has ended.
    AfterTask(TaskMoment),
}

/// Another fault, as a moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct FaultMoment {
    /// The id of the other fault.
    pub id: Name,
    /// How long after it.
    pub by: Spanned<Period>,
}

/// A call, as a moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct CallMoment {
    /// The caller's node; default: anyone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Name>,
    /// The callee's node.
    pub to: Name,
    /// The operation, in the words of its protocol.
    #[schemars(extend("enum" = operations()))]
    pub operation: Name,
    /// Which matching call since the fault was armed, from 1; default 1.
    #[serde(default = "first")]
    pub nth: Spanned<u32>,
}

/// A write to the orchestrator's journal, as a moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct WriteMoment {
    /// The kind of record.
    #[schemars(extend("enum" = failback_orchestrator::journal::KINDS))]
    pub kind: Name,
    /// Which write of this kind since the fault was armed, from 1; default 1.
    #[serde(default = "first")]
    pub nth: Spanned<u32>,
}

/// A task of a job, as a moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TaskMoment {
    /// The task's id, as the job page shows it; in a plan's job with its machine before it:
    /// `web01/FailoverTask`. A later step must run it.
    #[schemars(extend("examples" = super::check::tasks()))]
    pub task: Name,
    /// Only in jobs about this item or plan; default: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Name>,
    /// Which such task since the fault was armed, from 1; default 1.
    #[serde(default = "first")]
    pub nth: Spanned<u32>,
}

/// What editors offer as an operation.
fn operations() -> Vec<&'static str> {
    failback_wire::operation::names().collect()
}

fn first() -> Spanned<u32> {
    Spanned::unplaced(1)
}
