//! Which rules give a change of the world its consequences. Without the rule the change changes nothing: so tests learn
//! which scenarios prove it.

use crate::scenario::fault::{
    AzureFault, Change, ConfigurationServerFault, GuestFault, LinkChange, MasterTargetFault,
    ProcessServerFault, VcenterFault,
};

/// Keys of the rules by which this change matters; none for what is no rule's business, such as a remedy.
/// `is_target` tells the virtual machines of master targets.
pub(super) fn of(change: &Change, is_target: impl Fn(&str) -> bool) -> &'static [&'static str] {
    match change {
        Change::Vcenter(fault) => vcenter(fault, is_target),
        Change::ConfigurationServer(fault) => configuration_server(fault),
        Change::MasterTarget(on) => match &*on.change {
            MasterTargetFault::StopServices => &["P30"],
            MasterTargetFault::RetentionMissing
            | MasterTargetFault::RetentionFree { .. }
            | MasterTargetFault::RetentionUnfit { .. } => &["P27"],
            MasterTargetFault::KernelUpdate => &["P28"],
            MasterTargetFault::AuthenticatedProxy { used: true } => &["P9"],
            MasterTargetFault::StartServices
            | MasterTargetFault::RetentionFit
            | MasterTargetFault::ApplyCustomChanges
            | MasterTargetFault::AuthenticatedProxy { used: false }
            | MasterTargetFault::CompleteHostsFile
            | MasterTargetFault::NicOnboot
            | MasterTargetFault::RetentionBack
            | MasterTargetFault::RetentionCapacity { .. }
            | MasterTargetFault::SystemDisk { .. }
            | MasterTargetFault::AutomaticUpdates { .. }
            | MasterTargetFault::Update { .. }
            | MasterTargetFault::CorruptBlock { .. } => &[],
        },
        Change::ProcessServer(on) => match &*on.change {
            ProcessServerFault::StopServices | ProcessServerFault::StopService { .. } => &["P13"],
            ProcessServerFault::CacheSize { .. }
            | ProcessServerFault::Throttle { .. }
            | ProcessServerFault::Load { .. } => &["P14"],
            ProcessServerFault::StartService { .. }
            | ProcessServerFault::Hardware { .. }
            | ProcessServerFault::Address { .. }
            | ProcessServerFault::BlockUploads
            | ProcessServerFault::AllowUploads
            | ProcessServerFault::StartServices
            | ProcessServerFault::Unthrottle
            | ProcessServerFault::Update { .. }
            | ProcessServerFault::CacheLost => &[],
        },
        Change::Azure(fault) => azure(fault),
        Change::Guest(fault) => match &**fault {
            GuestFault::StopAgent { .. }
            | GuestFault::StopService { .. }
            | GuestFault::DelayRegistration { .. } => &["P32"],
            GuestFault::VssBroken { .. } => &["R1"],
            GuestFault::GroupPort { .. } => &["G1"],
            GuestFault::StartAgent { .. }
            | GuestFault::StartService { .. }
            | GuestFault::SetAddress { .. }
            | GuestFault::SetTools { .. }
            | GuestFault::SetDriver { .. }
            | GuestFault::Antivirus { .. }
            | GuestFault::TimeSkew { .. }
            | GuestFault::UpdateAgent { .. }
            | GuestFault::SwitchOff { .. }
            | GuestFault::SwitchOn { .. }
            | GuestFault::CopyDisk { .. }
            | GuestFault::Burst { .. } => &[],
        },
        Change::Link(link) => match &**link {
            LinkChange::VpnDown => &["P11"],
            LinkChange::BlockPort { .. } => &["P12"],
            LinkChange::VpnUp
            | LinkChange::Build
            | LinkChange::OpenPort { .. }
            | LinkChange::Cut { .. }
            | LinkChange::Join { .. } => &[],
        },
        Change::Call(_) => &[],
    }
}

fn vcenter(fault: &VcenterFault, is_target: impl Fn(&str) -> bool) -> &'static [&'static str] {
    match fault {
        VcenterFault::Snapshot { vm, .. } | VcenterFault::RemoveSnapshots { vm } if is_target(vm) => &["P17"],
        VcenterFault::Disconnect => &["P1"],
        VcenterFault::DisconnectHost { .. }
        | VcenterFault::ReconnectHost { .. }
        | VcenterFault::HostMemory { .. } => &["P39"],
        VcenterFault::DatastoreAccess { .. } => &["P24"],
        VcenterFault::StorageVmotion { .. } => &["P20"],
        VcenterFault::AccountPrivileges { .. } | VcenterFault::AccountPassword { .. } => &["P8"],
        VcenterFault::HostLicence { .. } => &["P34"],
        VcenterFault::DeleteVm { .. } | VcenterFault::UnregisterVm { .. } => &["C12"],
        VcenterFault::PowerOff { vm } if is_target(vm) => &["P30"],
        VcenterFault::PowerOn { vm } if is_target(vm) => &[],
        VcenterFault::PowerOn { .. } => &["C12", "C19"],
        VcenterFault::Tools { installed: false, .. } => &["P22"],
        VcenterFault::CopyVm { .. } => &["P40"],
        VcenterFault::Reconnect
        | VcenterFault::Snapshot { .. }
        | VcenterFault::RemoveSnapshots { .. }
        | VcenterFault::DatastoreFree { .. }
        | VcenterFault::ExtendDisk { .. }
        | VcenterFault::AddDisk { .. }
        | VcenterFault::CreateVm { .. }
        | VcenterFault::CloneVm { .. }
        | VcenterFault::RegisterVm { .. }
        | VcenterFault::RenameVm { .. }
        | VcenterFault::Vmotion { .. }
        | VcenterFault::SetOption { .. }
        | VcenterFault::Controller { .. }
        | VcenterFault::Hardware { .. }
        | VcenterFault::OwnInstanceUuid { .. }
        | VcenterFault::DetachDisk { .. }
        | VcenterFault::AttachDisk { .. }
        | VcenterFault::Tools { installed: true, .. }
        | VcenterFault::StickTask
        | VcenterFault::FailTask
        | VcenterFault::ReleaseTasks
        | VcenterFault::PowerOff { .. } => &[],
    }
}

fn configuration_server(fault: &ConfigurationServerFault) -> &'static [&'static str] {
    match fault {
        ConfigurationServerFault::Stop
        | ConfigurationServerFault::LoseDatabase
        | ConfigurationServerFault::Delete => &["P2"],
        ConfigurationServerFault::Initialise | ConfigurationServerFault::DeleteMachine { .. } => &["P3"],
        ConfigurationServerFault::RegisterElsewhere => &["C23"],
        // Where a restore or a clone stands is looked at, so the rule itself tells.
        ConfigurationServerFault::Restore { .. }
        | ConfigurationServerFault::Clone { .. }
        | ConfigurationServerFault::RemoveClone
        | ConfigurationServerFault::Refresh
        | ConfigurationServerFault::ConfuseRegistrations { .. }
        | ConfigurationServerFault::DuplicateRegistration { .. }
        | ConfigurationServerFault::DeleteRegistrations { .. }
        | ConfigurationServerFault::RenewCerts
        | ConfigurationServerFault::AddAdapter
        | ConfigurationServerFault::RegisterAgain
        | ConfigurationServerFault::Start
        | ConfigurationServerFault::Update { .. }
        | ConfigurationServerFault::RegisterHere
        | ConfigurationServerFault::BackupNow => &[],
    }
}

fn azure(fault: &AzureFault) -> &'static [&'static str] {
    match fault {
        AzureFault::StopVm { .. } | AzureFault::HangVm { .. } | AzureFault::MoveSubnet { .. } => &["P31"],
        AzureFault::DeleteVm { .. } => &["P33"],
        AzureFault::MoveGroup { .. } => &["P33", "P41"],
        AzureFault::GrowDisk { .. } => &["P37"],
        AzureFault::StartVm { .. }
        | AzureFault::RestartVm { .. }
        | AzureFault::FailNext { .. }
        | AzureFault::StickNext
        | AzureFault::ReleaseOperations
        | AzureFault::DenyMachines { .. }
        | AzureFault::AllowMachines
        | AzureFault::AddDisk { .. }
        | AzureFault::AttachDisk { .. }
        | AzureFault::CardQuota { .. }
        | AzureFault::DeleteNetwork { .. }
        | AzureFault::CreateNetwork { .. }
        | AzureFault::DeleteLock { .. } => &[],
    }
}
