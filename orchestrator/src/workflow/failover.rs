//! Failover to Azure (C3 to C7).
//!
//! Order: shut the source down if asked to (best effort: a failed shutdown does not stop the failover, it
//! warns of a split brain until reprotect powers the source off), stop the replication and process what was
//! received, settle on a recovery point, make managed disks from the seeds' snapshots, make and start the
//! Azure virtual machine (its system is prepared for Azure on the way, where it needs that: 8 to 10 minutes more),
//! disable VMware Tools in a Windows guest, let a Linux guest take its address from DHCP.
//!
//! A source that was shut down and a replication that was stopped stay so (C6): only an operator starts the
//! source again. Choice and disks are taken back. The point of no return is the virtual machine: once it was
//! asked for, only a further attempt leads on, so that no running copy is ever deleted.

use super::ops::{agent, azure, defect, note, points, session, vcenter};
use super::step::Recovery::{Forward, Nothing, Operator, Undo};
use super::step::{Step, StepCtx, StepError, StepResult, Workflow};
use crate::catalogue::choice::REPLICA_IP_INVALID;
use crate::catalogue::documented::{AZURE_NETWORK_MISSING, AZURE_NIC_CREATE, AZURE_VM_CREATE, HYDRATION};
use crate::catalogue::execution::{AZURE_DISK_FAILED, AZURE_START_FAILED, DRAIN_TIMEOUT};
use crate::catalogue::warning::{SOURCE_NOT_DRAINED, SOURCE_NOT_SHUT_DOWN, SPLIT_BRAIN};
use crate::clients::azure::{AzureError, NewDisk, NewVm, Power as AzurePower};
use crate::clients::vcenter::{Power, VcenterClient, VcenterError, VmFacts};
use crate::journal::{AzureVm, Fact, Leg, Operation, PointChoice, ProtectionState, Rest};
use failback_wire::canary::Canary;
use failback_wire::error::{Class, ErrorDoc, Report};
use failback_wire::ids::{DiskId, PointId, Site};
use failback_wire::proto::cs::OsFamily;
use failback_wire::proto::session::{SessionSpec, TargetDisk};
use std::time::Duration;
use tokio::time::sleep;

/// How long a source may take to shut down before its power is cut.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(10 * 60);
/// Between two looks at it.
const SHUTDOWN_PAUSE: Duration = Duration::from_secs(10);
/// Size of machines in Azure.
const VM_SIZE: &str = "Standard_D2s_v5";

const SHUT_DOWN: (&str, &str) = ("ShutdownVmOnPrimaryForUFO", "Shut down the on-premises virtual machine");
const PREPARE: (&str, &str) = ("PrepareForUnPlannedFailoverTask", "Synchronizing the latest changes");
const FAILOVER: (&str, &str) = ("FailoverTask", "Start failover");
const START: (&str, &str) = ("StartVmOnSecondary", "Start the virtual machine");

/// The workflow.
pub static WORKFLOW: Workflow = Workflow {
    operation: Operation::Failover,
    scenario: "UnplannedFailover",
    friendly: "Failover",
    precheck: ("UnplannedFailoverPreflightChecksTask", "Prerequisites check for failover"),
    running: ProtectionState::UnplannedFailoverInProgress,
    success: Rest {
        state: ProtectionState::UnplannedFailoverCommitPendingStatesBegin,
        leg: Leg::Forward,
        active: Site::Azure,
    },
    failure: Some(ProtectionState::UnplannedFailoverFailed),
    boot_from: Some("create-vm"),
    steps: &[
        Step::new("shut-down-source", SHUT_DOWN, |c| Box::pin(shut_down_source(c)), Operator),
        Step::new("stop-replication", PREPARE, |c| Box::pin(stop_replication(c)), Operator),
        Step::new(
            "choose-point",
            FAILOVER,
            |c| Box::pin(choose_point(c)),
            Undo(|c| Box::pin(undo_choice(c))),
        ),
        Step::new("create-disks", FAILOVER, |c| Box::pin(create_disks(c)), Undo(|c| Box::pin(undo_disks(c)))),
        Step::new("create-vm", START, |c| Box::pin(create_vm(c)), Forward),
        Step::new("adapt-guest", START, |c| Box::pin(adapt_guest(c)), Nothing),
    ],
};

pub(super) fn spec<'a>(c: &'a StepCtx<'_>) -> Result<&'a SessionSpec, StepError> {
    c.item.forward.as_ref().ok_or_else(|| defect(c, "the session to Azure"))
}

async fn shut_down_source(c: &StepCtx<'_>) -> StepResult {
    let name = c.item.name.as_str();
    let warn = |why: &str| {
        let mut facts = vec![Fact::Warning(Report::new(&SPLIT_BRAIN, name, why))];
        if c.ctx.env.planted(Canary::SplitBrainUntold) {
            return Vec::new();
        }
        if c.input.shutdown {
            facts.insert(0, Fact::Warning(Report::new(&SOURCE_NOT_SHUT_DOWN, name, why)));
        }
        facts
    };
    // Only a person switches a physical machine off, and whether that was done nobody can see from here (P35).
    if c.item.platform.physical && c.item.vm.is_none() {
        return Ok(warn("it is a physical machine"));
    }
    Ok(match shut_down(c, c.services.vcenter_at(vcenter::is_elsewhere(c))).await {
        Ok(true) => Vec::new(),
        Ok(false) => warn("the on-premises virtual machine is powered on"),
        Err(error) => warn(&error.to_string()),
    })
}

/// Shuts the source down if that was asked for; true when it is off, or gone.
async fn shut_down(c: &StepCtx<'_>, vcenter: &VcenterClient) -> Result<bool, VcenterError> {
    let Some(known) = &c.item.vm else { return Ok(true) };
    let is_on = |vm: &VmFacts| vm.power == Power::On;
    let Some(vm) = vcenter::found(vcenter.vm_by_uuid(&known.uuid).await)?.filter(is_on) else {
        return Ok(true);
    };
    if !c.input.shutdown {
        return Ok(false);
    }
    // Without VMware Tools there is nobody to ask: then the power is cut at once.
    if vcenter.shutdown_guest(&vm.moref).await.is_ok() {
        if c.ctx.env.planted(Canary::ShutdownTakenForDone) {
            return Ok(true);
        }
        let deadline = c.ctx.now().plus(SHUTDOWN_PATIENCE);
        while c.ctx.now() < deadline {
            sleep(SHUTDOWN_PAUSE).await;
            if !is_on(&vcenter.vm(&vm.moref).await?) {
                return Ok(true);
            }
        }
    }
    vcenter.power_off(&vm).await?;
    Ok(true)
}

/// The latest processed point takes what there is; any other choice waits until all that was received has been
/// processed, which makes new points of it (R5).
fn processes_all(c: &StepCtx<'_>) -> bool {
    !c.input.point.is_processed() && c.ctx.env.holds("R5")
}

/// A source that is out of reach cannot be told to stop; the process server then refuses what it sends.
async fn stop_replication(c: &StepCtx<'_>) -> StepResult {
    let spec = spec(c)?;
    // An answer is welcome, but the failover does not depend on it: the source may be gone.
    let told = agent::stop(c, Site::OnPremises, spec).await;
    tracing::debug!(item = %c.item.name, told = told.is_ok(), "the source was told to stop replicating");
    let mut facts = Vec::new();
    match session::unless_gone(c, session::stop_relay(c, spec).await)?.flatten() {
        Some(view) if processes_all(c) && !session::drained(&view) => {
            let detail = format!("{} of {} frames processed", view.applied, view.received);
            return Err(StepError::new(&DRAIN_TIMEOUT, spec.relay.as_str(), detail).with_class(Class::Retry));
        }
        Some(_) => {}
        // Lost with its site, or with its vault (C23), and with it what it still held.
        None => facts.push(Fact::Warning(Report::new(&SOURCE_NOT_DRAINED, c.item.name.as_str(), ""))),
    }
    let view = match c.input.point == PointChoice::Latest && c.ctx.env.holds("R5") {
        true => session::process(c, spec).await?,
        false => session::stop(c, &spec.target, spec).await?,
    };
    facts.push(note(points::DRAINED, view.applied.to_string()));
    Ok(facts)
}

async fn choose_point(c: &StepCtx<'_>) -> StepResult {
    let spec = spec(c)?;
    // An attempt that came as far as the virtual machine goes on with the point it settled on.
    if c.item.halfway.is_some() && c.item.chosen.as_ref().is_some_and(|chosen| chosen.session == spec.session)
    {
        return Ok(Vec::new());
    }
    let view = session::settled(c, spec, c.item.notes.get(points::DRAINED)).await?;
    points::choose(c, spec, &view.points, Site::Azure).await
}

async fn undo_choice(c: &StepCtx<'_>) -> StepResult {
    if c.ctx.env.planted(Canary::FailureDropsPoints) {
        session::forget(c, spec(c)?).await?;
    }
    Ok(points::unchoose(c, spec(c)?))
}

/// The disks of this point, as Azure shall make them under these names.
pub(super) async fn disks_of(
    c: &StepCtx<'_>,
    chosen: &PointId,
    name: impl Fn(&DiskId) -> String,
) -> Result<Vec<NewDisk>, StepError> {
    let spec = spec(c)?;
    let view = session::view(c, &spec.target, spec).await?;
    let point = view.points.iter().find(|point| point.point == *chosen);
    let mut disks = Vec::new();
    for (index, disk) in spec.disks.iter().enumerate() {
        let snapshot = point.and_then(|point| point.snapshot_of(&disk.disk));
        let (TargetDisk::SeedBlob(seed), Some(snapshot)) = (&disk.target, snapshot) else {
            let detail = format!("{} has no snapshot at {chosen}", disk.disk);
            return Err(StepError::new(&AZURE_DISK_FAILED, disk.disk.as_str(), detail));
        };
        disks.push(NewDisk {
            name: name(&disk.disk),
            location: c.services.config.azure.location.clone(),
            source: azure::snapshot_url(c, seed, snapshot),
            os_type: (index == 0).then(|| os_type(c)),
        });
    }
    Ok(disks)
}

/// The disks of the chosen point.
async fn wanted_disks(c: &StepCtx<'_>) -> Result<Vec<NewDisk>, StepError> {
    let chosen = c.item.chosen.as_ref().ok_or_else(|| defect(c, "the recovery point"))?;
    disks_of(c, &chosen.point, |disk| azure::managed_disk(c.item, disk)).await
}

fn os_type(c: &StepCtx<'_>) -> String {
    match c.item.os {
        Some(OsFamily::Linux) => "Linux",
        Some(OsFamily::Windows) | None => "Windows",
    }
    .to_owned()
}

async fn create_disks(c: &StepCtx<'_>) -> StepResult {
    make_disks(c, &wanted_disks(c).await?).await?;
    Ok(Vec::new())
}

/// Makes these disks.
pub(super) async fn make_disks(c: &StepCtx<'_>, disks: &[NewDisk]) -> Result<(), StepError> {
    for disk in disks {
        let done = c.services.azure.create_disk_from_blob_snapshot(disk, &c.id(&disk.name)).await;
        done.map_err(|e| azure::error(&AZURE_DISK_FAILED, &disk.name, &e))?;
    }
    Ok(())
}

async fn undo_disks(c: &StepCtx<'_>) -> StepResult {
    unmake_disks(c, &wanted_disks(c).await?).await?;
    Ok(Vec::new())
}

/// Deletes the disks this attempt made: those made from the same point that no machine holds.
pub(super) async fn unmake_disks(c: &StepCtx<'_>, disks: &[NewDisk]) -> Result<(), StepError> {
    for disk in disks {
        let seen = c.services.azure.disk(&disk.name).await;
        let seen = seen.map_err(|e| azure::error(&AZURE_DISK_FAILED, &disk.name, &e))?;
        let ours = seen.is_some_and(|seen| {
            seen.attached_to.is_none() && seen.source.as_deref() == Some(disk.source.as_str())
        });
        if ours {
            let key = c.id(&format!("undo/{}", disk.name));
            let done = c.services.azure.delete_disk(&disk.name, &key).await;
            done.map_err(|e| azure::error(&AZURE_DISK_FAILED, &disk.name, &e))?;
        }
    }
    Ok(())
}

/// ARM id of the subnet of this network that machines are put into.
pub(super) fn subnet_of(c: &StepCtx<'_>, network: &str) -> String {
    c.services.azure.subnet_id(network, &c.services.config.azure.subnet).to_string()
}

/// What is wrong when Azure does not make a machine.
fn not_made(error: &AzureError) -> &'static ErrorDoc {
    match error.code() {
        Some("InvalidResourceReference") => &AZURE_NETWORK_MISSING,
        Some("NetworkInterfaceCountLimitReached") => &AZURE_NIC_CREATE,
        Some("HydrationFailed") => &HYDRATION,
        Some("PrivateIPAddressInUse") => &REPLICA_IP_INVALID,
        Some(_) | None => &AZURE_VM_CREATE,
    }
}

/// ARM id of the subnet that the item's machine comes up in.
pub(super) fn own_subnet(c: &StepCtx<'_>) -> String {
    subnet_of(c, c.item.network.as_deref().unwrap_or(&c.services.config.azure.network))
}

async fn create_vm(c: &StepCtx<'_>) -> StepResult {
    let subnet = own_subnet(c);
    let made = make_vm(c, &c.item.azure_name, Some(subnet), |disk| azure::managed_disk(c.item, disk)).await;
    Ok(vec![Fact::AzureVm(made?)])
}

/// Makes and starts a virtual machine of this name in this subnet, or in none, from disks of these names.
pub(super) async fn make_vm(
    c: &StepCtx<'_>,
    name: &str,
    subnet: Option<String>,
    disk_name: impl Fn(&DiskId) -> String,
) -> Result<AzureVm, StepError> {
    let mut names = c.item.disks.iter().map(|disk| disk_name(&disk.disk));
    let vm = NewVm {
        name: name.to_owned(),
        location: c.services.config.azure.location.clone(),
        size: VM_SIZE.to_owned(),
        os_type: os_type(c),
        os_disk: names.next().ok_or_else(|| defect(c, "the disk to boot from"))?,
        data_disks: names.collect(),
        subnet,
        address: c.input.address.clone(),
        prepare: c.ctx.env.holds("C4"),
    };
    let made = c.services.azure.create_vm(&vm, &c.id("vm")).await;
    let made = made.map_err(|e| azure::error(not_made(&e), name, &e))?;
    if made.power != AzurePower::Running {
        let done = c.services.azure.start_vm(name, &c.id("start")).await;
        done.map_err(|e| azure::error(&AZURE_START_FAILED, name, &e))?;
    }
    let disks = c.item.disks.iter().map(|disk| (disk.disk.clone(), disk_name(&disk.disk))).collect();
    Ok(AzureVm { name: name.to_owned(), disks })
}

/// What the guest has from its site and Azure has otherwise (C5).
pub(super) async fn adapt_guest(c: &StepCtx<'_>) -> StepResult {
    match c.item.os {
        Some(OsFamily::Windows) => agent::switch_tools(c, Site::Azure, false).await,
        Some(OsFamily::Linux) => agent::address_by_dhcp(c).await,
        None => Ok(Vec::new()),
    }
}
