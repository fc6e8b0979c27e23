//! Enable protection: from an unprotected machine on-premises to one that replicates to Azure.
//!
//! Order: look at the virtual machine (its disks and their UUIDs become the item's identity), make the row
//! in the configuration server's database, make the seed blobs, agree on a session, set it up at the process
//! server, start the agent. The agent may have to register first; the job waits for it.
//!
//! No point of no return: every effect is the product's own and is taken back when a later step fails, except
//! seeds, which the next attempt uses. The virtual machine itself is never touched.

use super::ops::{agent, azure, copies, note, peer_error, put_row, session, vcenter};
use super::step::Recovery::{Nothing, Operator, Undo};
use super::step::{Step, StepCtx, StepError, StepResult, Workflow};
use crate::catalogue::control::PS_UNKNOWN;
use crate::catalogue::execution::{AGENT_FAILED, CS_UPDATE_FAILED, SESSION_FAILED};
use crate::catalogue::machine::{AGENT_NOT_INSTALLED, ONPREM_VM_MISSING};
use crate::journal::{Fact, Item, ItemDisk, Leg, OnPremVm, Operation, Platform, ProtectionState, Rest};
use failback_wire::ids::{DiskId, Site, VmdkUuid};
use failback_wire::proto::cs::{Component, OsFamily};
use failback_wire::proto::session::{Direction, SessionDisk, SessionSpec, TargetDisk};

const ENABLE: (&str, &str) = ("EnableDr", "Enabling replication");

/// The workflow.
pub static WORKFLOW: Workflow = Workflow {
    operation: Operation::EnableProtection,
    scenario: "EnableDr",
    friendly: "Enable replication",
    precheck: ("EnableDrPreflightTask", "Prerequisite check"),
    running: ProtectionState::EnablingInProgress,
    success: Rest {
        state: ProtectionState::InitialReplicationInProgress,
        leg: Leg::Forward,
        active: Site::OnPremises,
    },
    failure: Some(ProtectionState::EnablingFailed),
    boot_from: None,
    steps: &[
        Step::new(
            "identify",
            ("IdentifyVmTask", "Identifying the virtual machine"),
            |c| Box::pin(identify(c)),
            Nothing,
        ),
        Step::new("row", ENABLE, |c| Box::pin(row(c)), Undo(|c| Box::pin(undo_row(c)))),
        Step::new("seeds", ENABLE, |c| Box::pin(make_seeds(c)), Operator),
        Step::new("plan-session", ENABLE, |c| Box::pin(plan_session(c)), Undo(|c| Box::pin(undo_plan(c)))),
        Step::new("session", ENABLE, |c| Box::pin(open_session(c)), Undo(|c| Box::pin(undo_session(c)))),
        Step::new("agent", ENABLE, |c| Box::pin(start_agent(c)), Undo(|c| Box::pin(undo_agent(c)))),
    ],
};

/// The disk's id: it names the disk wherever its copies lie.
pub(super) fn disk_id(item: &Item, index: usize) -> DiskId {
    DiskId::nth(&item.name, index)
}

async fn identify(c: &StepCtx<'_>) -> StepResult {
    let name = c.input.vm_name.clone().unwrap_or_else(|| c.item.name.to_string());
    let vm = vcenter::found(c.services.vcenter.vm_by_name(&name).await);
    let vm = vm.map_err(|e| vcenter::error(&ONPREM_VM_MISSING, &name, &e))?;
    let Some(vm) = vm else { return identify_physical(c).await };
    let windows = vm.guest_id.to_ascii_lowercase().starts_with("win");
    let disks = vm.disks.iter().enumerate().map(|(index, vmdk)| ItemDisk {
        disk: disk_id(c.item, index),
        size: vmdk.capacity,
        vmdk: vmdk.uuid.clone(),
        rdm: vmdk.rdm,
    });
    let disks = disks.chain(over_iscsi(c, vm.disks.len()).await?);
    let (disks, excluded): (Vec<ItemDisk>, Vec<ItemDisk>) = disks.partition(|disk| included(c, disk));
    let mut facts = vec![
        Fact::Os(if windows { OsFamily::Windows } else { OsFamily::Linux }),
        Fact::Disks(disks),
        Fact::Vm(OnPremVm { name: vm.name, uuid: vm.uuid, alternate: false }),
    ];
    if !excluded.is_empty() {
        facts.push(Fact::Excluded(excluded.into_iter().map(|disk| disk.vmdk).collect()));
    }
    let memory_mb = Some(vm.memory_mb);
    facts.push(Fact::Platform(Platform { uefi: vm.uefi, memory_mb, ..Platform::default() }));
    Ok(facts)
}

/// The disk is to be protected: all are, unless the request names some (P37).
fn included(c: &StepCtx<'_>, disk: &ItemDisk) -> bool {
    c.input.include.as_ref().is_none_or(|include| include.contains(&disk.disk))
}

/// Disks that the guest reaches over iSCSI, which vCenter does not know of. Its agent is asked about them when the request
/// names more disks than the virtual machine has. They have no VMDK: each comes home as a new one (P37).
async fn over_iscsi(c: &StepCtx<'_>, known: usize) -> Result<Vec<ItemDisk>, StepError> {
    let is_known = |disk: &DiskId| (0..known).any(|index| disk_id(c.item, index) == *disk);
    let named = c.input.include.as_deref().unwrap_or_default();
    if named.iter().all(is_known) {
        return Ok(Vec::new());
    }
    let host = agent::address(c.services, &c.item.name, Site::OnPremises).await;
    let status = c.services.agents.status(&host).await;
    let status = status.map_err(|e| peer_error(&AGENT_FAILED, c.item.name.as_str(), &e))?;
    let disk = |(n, size): (usize, &u64)| ItemDisk {
        disk: disk_id(c.item, known + n),
        size: *size,
        vmdk: VmdkUuid::new(""),
        rdm: false,
    };
    Ok(status.iscsi.iter().enumerate().map(disk).collect())
}

/// What vCenter does not know is a physical machine, when its agent has registered and says so (P35). Its disks have no
/// VMDKs: they go by their ids.
async fn identify_physical(c: &StepCtx<'_>) -> StepResult {
    let name = c.item.name.as_str();
    let host = agent::address(c.services, &c.item.name, Site::OnPremises).await;
    let status = c.services.agents.status(&host).await;
    let status = status.map_err(|e| peer_error(&ONPREM_VM_MISSING, name, &e))?;
    let hardware = status.hardware.filter(|_| status.registered);
    let hardware = hardware.ok_or_else(|| StepError::new(&ONPREM_VM_MISSING, name, name))?;
    let disk = |(index, size): (usize, &u64)| {
        let disk = disk_id(c.item, index);
        ItemDisk { vmdk: VmdkUuid::new(disk.as_str()), disk, size: *size, rdm: false }
    };
    // What is left out has no place at home that anybody would have to keep: it stays in the physical machine.
    let disks = hardware.disks.iter().enumerate().map(disk).filter(|disk| included(c, disk)).collect();
    let platform =
        Platform { physical: true, os_version: hardware.os_version, uefi: hardware.uefi, memory_mb: None };
    Ok(vec![Fact::Os(hardware.os), Fact::Disks(disks), Fact::Platform(platform)])
}

async fn row(c: &StepCtx<'_>) -> StepResult {
    let policy = c.input.policy.clone().unwrap_or_else(|| c.services.config.vault.policy.clone());
    let filed = put_row(c, "forward", &policy).await?;
    Ok(vec![Fact::ProtectedUnder(filed.instance)])
}

async fn undo_row(c: &StepCtx<'_>) -> StepResult {
    let done = c.services.cs.delete_machine(&c.item.name).await;
    done.map_err(|e| peer_error(&CS_UPDATE_FAILED, c.item.name.as_str(), &e))?;
    Ok(Vec::new())
}

/// Name of the note that says whether a disk's seed was made just now: `new` or `old`.
fn seed_key(disk: &DiskId) -> String {
    format!("seed/{disk}")
}

fn account<'a>(c: &'a StepCtx<'_>) -> &'a str {
    c.input.storage_account.as_deref().unwrap_or(&c.services.config.azure.storage_account)
}

/// Seeds of an earlier cycle, or of an attempt that failed, still hold an older copy and are used again.
pub(super) async fn make_seeds(c: &StepCtx<'_>) -> StepResult {
    let mut facts = Vec::new();
    for disk in &c.item.disks {
        let is_new = azure::make_seed(c, account(c), disk, &SESSION_FAILED).await?;
        facts.push(note(seed_key(&disk.disk), if is_new { "new" } else { "old" }));
    }
    Ok(facts)
}

/// Agrees on the session before anybody hears of it, so that every attempt sets up the same one.
pub(super) async fn plan_session(c: &StepCtx<'_>) -> StepResult {
    session::forget_leftover(c, c.item.forward.as_ref()).await?;
    let known = c.item.process_server.as_ref().map(|server| server.id.clone());
    let id = c.input.process_server.clone().or(known);
    let id = id.ok_or_else(|| StepError::new(&PS_UNKNOWN, c.item.name.as_str(), "none was chosen"))?;
    let relay = session::server(c, Component::ProcessServer, &id).await?;
    let mut disks = Vec::new();
    for disk in &c.item.disks {
        let url = azure::seed_url(c, account(c), &disk.disk, &SESSION_FAILED).await?;
        let target = TargetDisk::SeedBlob(url);
        disks.push(SessionDisk { disk: disk.disk.clone(), size: disk.size, target });
    }
    let is_new = |disk: &DiskId| c.item.notes.get(&seed_key(disk)).is_some_and(|seed| seed == "new");
    let (sync, decided) = copies::decide_to_azure(c, is_new)?;
    let service = &c.services.config.azure.replication_host;
    let spec = session::plan(c, Direction::Forward, sync, disks, &relay, service);
    Ok(decided.into_iter().chain(session::planned(c, spec, relay)).collect())
}

pub(super) async fn undo_plan(c: &StepCtx<'_>) -> StepResult {
    Ok(session::unplanned(c, Direction::Forward))
}

fn spec<'a>(c: &'a StepCtx<'_>) -> Result<&'a SessionSpec, StepError> {
    c.item.forward.as_ref().ok_or_else(|| super::ops::defect(c, "the session to Azure"))
}

pub(super) async fn open_session(c: &StepCtx<'_>) -> StepResult {
    let spec = spec(c)?;
    for host in session::servers(spec) {
        session::open(c, host, spec).await?;
    }
    Ok(Vec::new())
}

pub(super) async fn undo_session(c: &StepCtx<'_>) -> StepResult {
    if let Some(spec) = &c.item.forward {
        session::forget(c, spec).await?;
    }
    Ok(Vec::new())
}

/// Waits for the agent's registration: machines may be protected right after they boot.
pub(super) async fn start_agent(c: &StepCtx<'_>) -> StepResult {
    let name = c.item.name.as_str();
    let row = c.services.cs.machine(&c.item.name).await;
    let row = row.map_err(|e| peer_error(&AGENT_FAILED, name, &e))?;
    let Some(home) = row.as_ref().and_then(|row| agent::registered(row, Site::OnPremises)) else {
        return Err(StepError::new(&AGENT_NOT_INSTALLED, name, name));
    };
    agent::start(c, Site::OnPremises, spec(c)?).await?;
    Ok(vec![Fact::HomeHost(home.host_id.clone())])
}

pub(super) async fn undo_agent(c: &StepCtx<'_>) -> StepResult {
    if let Some(spec) = &c.item.forward {
        agent::stop_if_reachable(c, Site::OnPremises, spec).await?;
    }
    Ok(Vec::new())
}
