//! The subscription as ARM shows it: documents made from the model.

use super::GuestPower;
use super::config::AzureConfig;
use super::model::{Model, Operation, Plan, Target, Vm, Volume};
use failback_wire::arm::compute::{
    DiskProperties, InstanceStatus, InstanceView, ManagedDisk, NAMESPACE, SubResource, VIRTUAL_MACHINES,
    VirtualMachine, VmAgent, VmDisk,
};
use failback_wire::arm::lro::Output;
use failback_wire::arm::{ArmError, OperationState, OperationStatus, ResourceId};
use failback_wire::clock::Clock;

impl Model {
    /// The word after `PowerState/`: what is under way, else what is.
    fn power_word(&self, own: &Target, vm: &Vm) -> &'static str {
        match self.running(own).map(|op| &op.plan) {
            Some(Plan::CreateVm | Plan::StartVm) => "starting",
            Some(Plan::StopVm { deallocate: true, .. }) => "deallocating",
            Some(Plan::StopVm { deallocate: false, .. }) => "stopping",
            Some(
                Plan::UpdateVm
                | Plan::RestartVm
                | Plan::DeleteVm
                | Plan::CreateVolume
                | Plan::DeleteVolume
                | Plan::GrantAccess { .. }
                | Plan::RevokeAccess,
            )
            | None => vm.power.word(),
        }
    }

    fn provisioning_word(&self, own: &Target, failed: bool) -> &'static str {
        match self.running(own).map(|op| &op.plan) {
            Some(Plan::CreateVm) => "Creating",
            Some(Plan::DeleteVm | Plan::DeleteVolume) => "Deleting",
            Some(
                Plan::UpdateVm
                | Plan::StartVm
                | Plan::StopVm { .. }
                | Plan::RestartVm
                | Plan::CreateVolume
                | Plan::GrantAccess { .. }
                | Plan::RevokeAccess,
            ) => "Updating",
            None if failed => "Failed",
            None => "Succeeded",
        }
    }

    /// How a machine is right now.
    pub(super) fn instance_view(&self, key: &str, vm: &Vm, guests: &dyn GuestPower) -> InstanceView {
        let own = Target::Vm(key.to_owned());
        let status = |code: String, display: &str, error: bool| InstanceStatus {
            code,
            level: if error { "Error" } else { "Info" }.to_owned(),
            display_status: display.to_owned(),
            message: None,
            time: None,
        };
        let provisioning = self.provisioning_word(&own, vm.failed.is_some());
        let mut code = format!("ProvisioningState/{}", provisioning.to_ascii_lowercase());
        if let (Some(failure), "Failed") = (&vm.failed, provisioning) {
            code += &format!("/{failure}");
        }
        let power = self.power_word(&own, vm);
        let agent = match guests.answers(&vm.reference()) {
            true => status("ProvisioningState/succeeded".to_owned(), "Ready", false),
            false => status("ProvisioningState/Unavailable".to_owned(), "Not Ready", true),
        };
        InstanceView {
            statuses: vec![
                status(
                    code,
                    &format!("Provisioning {}", provisioning.to_ascii_lowercase()),
                    provisioning == "Failed",
                ),
                status(format!("PowerState/{power}"), &format!("VM {power}"), false),
            ],
            vm_agent: (power == "running").then(|| VmAgent { statuses: vec![agent] }),
        }
    }

    /// The document of a machine; with its instance view when guests can be asked.
    pub(super) fn vm_document(
        &self,
        config: &AzureConfig,
        clock: &Clock,
        key: &str,
        vm: &Vm,
        expand: Option<&dyn GuestPower>,
    ) -> VirtualMachine {
        let id = ResourceId::new(&config.subscription, &vm.group, NAMESPACE, VIRTUAL_MACHINES, &vm.name);
        let mut document = vm.document.clone();
        document.id = Some(id.to_string());
        document.name = Some(vm.name.clone());
        document.kind = Some(format!("{NAMESPACE}/{VIRTUAL_MACHINES}"));
        if document.location.is_empty() {
            document.location.clone_from(&config.location);
        }
        let properties = &mut document.properties;
        properties.vm_id = Some(vm.unique.clone());
        properties.time_created = Some(clock.dotnet(vm.created));
        let own = Target::Vm(key.to_owned());
        properties.provisioning_state = Some(self.provisioning_word(&own, vm.failed.is_some()).to_owned());
        properties.instance_view = expand.map(|guests| self.instance_view(key, vm, guests));
        let slots = properties.storage_profile.os_disk.iter_mut();
        for disk in slots.chain(&mut properties.storage_profile.data_disks) {
            self.name_slot(config, disk);
        }
        document
    }

    fn name_slot(&self, config: &AzureConfig, disk: &mut VmDisk) {
        let id = disk.managed_disk.as_ref().and_then(|d| ResourceId::parse(&d.id));
        let Some(volume) = id.and_then(|id| self.disks.get(&id.name().to_ascii_lowercase())) else { return };
        let id = self.disk_id(config, volume);
        disk.name = Some(volume.name.clone());
        let extra = disk.managed_disk.take().map(|d| d.extra).unwrap_or_default();
        disk.managed_disk = Some(SubResource { id, extra });
    }

    fn disk_id(&self, config: &AzureConfig, volume: &Volume) -> String {
        let kind = failback_wire::arm::compute::DISKS;
        ResourceId::new(&config.subscription, &volume.group, NAMESPACE, kind, &volume.name).to_string()
    }

    fn disk_state(&self, volume: &Volume) -> &'static str {
        let upload = volume.creation.create_option.eq_ignore_ascii_case("Upload");
        match (&volume.access, &volume.owner) {
            (Some(access), _) if access.write => "ActiveUpload",
            (Some(_), _) => "ActiveSAS",
            (None, Some(vm)) => match self.vms.get(vm).map(|vm| vm.power) {
                Some(super::model::Power::Deallocated) => "Reserved",
                Some(super::model::Power::Running | super::model::Power::Stopped) | None => "Attached",
            },
            (None, None) if upload => "ReadyToUpload",
            (None, None) => "Unattached",
        }
    }

    /// The document of a disk or snapshot.
    pub(super) fn volume_document(
        &self,
        config: &AzureConfig,
        clock: &Clock,
        target: &Target,
        volume: &Volume,
    ) -> ManagedDisk {
        let kind = target.kind();
        let id = ResourceId::new(&config.subscription, &volume.group, NAMESPACE, kind, &volume.name);
        let owner = volume.owner.as_ref().and_then(|vm| self.vms.get(vm)).map(|vm| {
            ResourceId::new(&config.subscription, &vm.group, NAMESPACE, VIRTUAL_MACHINES, &vm.name)
                .to_string()
        });
        let bytes = volume.content.bytes();
        ManagedDisk {
            id: Some(id.to_string()),
            name: Some(volume.name.clone()),
            kind: Some(format!("{NAMESPACE}/{kind}")),
            location: match volume.location.is_empty() {
                true => config.location.clone(),
                false => volume.location.clone(),
            },
            tags: volume.tags.clone(),
            managed_by: owner,
            properties: DiskProperties {
                creation_data: volume.creation.clone(),
                disk_size_gb: Some(bytes.div_ceil(1 << 30)),
                disk_size_bytes: Some(bytes),
                provisioning_state: Some(self.provisioning_word(target, false).to_owned()),
                disk_state: Some(self.disk_state(volume).to_owned()),
                unique_id: Some(volume.unique.clone()),
                time_created: Some(clock.dotnet(volume.created)),
                os_type: volume.os_type.clone(),
                incremental: volume.incremental,
                ..DiskProperties::default()
            },
            extra: volume.extra.clone(),
        }
    }
}

/// The status document of an operation.
pub(super) fn status(
    clock: &Clock,
    operation: &Operation,
    output: Option<serde_json::Value>,
) -> OperationStatus {
    let state = match (operation.is_running(), &operation.error) {
        (true, _) => OperationState::InProgress,
        (false, None) => OperationState::Succeeded,
        (false, Some(_)) => OperationState::Failed,
    };
    OperationStatus {
        id: None,
        name: operation.id.clone(),
        status: state,
        start_time: Some(clock.dotnet(operation.started)),
        end_time: operation.ended.map(|at| clock.dotnet(at)),
        percent_complete: None,
        properties: output.map(|output| Output { output }),
        error: operation.error.as_ref().map(|(code, message)| ArmError::new(code, message)),
    }
}
