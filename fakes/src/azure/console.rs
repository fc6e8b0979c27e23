//! The portal, in process: what a person does to the subscription, and how the world is set up.

use super::Azure;
use super::blobs::{Blob, BlobName};
use super::model::{Model, Plan, Power, Slot, Target, Vm, Volume, key};
use super::operations::{Asked, Begun};
use super::refusal::Refusal;
use failback_replication::disk::Disk;
use failback_wire::arm::compute::{
    CreationData, DISKS, HardwareProfile, NAMESPACE, StorageProfile, SubResource, VirtualMachine, VmDisk,
    VmProperties,
};
use failback_wire::arm::{ResourceId, date};
use failback_wire::event::{Actor, DiskRef, What};
use failback_wire::http::StatusCode;
use failback_wire::node::Ctx;
use serde_json::Map;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

/// A virtual machine that is there from the beginning.
#[derive(Clone, Debug)]
pub struct NewVm {
    /// Name.
    pub name: String,
    /// `Windows` or `Linux`.
    pub os_type: String,
    /// Names and contents of its disks, the OS disk first; they become managed disks.
    pub disks: Vec<(String, Disk)>,
    /// Whether it runs.
    pub running: bool,
}

/// The portal, signed in as somebody. What it does takes the time it takes through ARM.
pub struct Console {
    azure: Arc<Azure>,
    by: Actor,
}

impl Azure {
    /// The portal, signed in as `by`.
    pub fn console(self: &Arc<Self>, by: Actor) -> Console {
        Console { azure: Arc::clone(self), by }
    }
}

impl Console {
    /// Starts a machine; returns when it runs.
    ///
    /// # Errors
    /// Azure's refusal.
    pub async fn start_vm(&self, name: &str) -> Result<(), Refusal> {
        self.change(|m, a| m.power_vm(&self.azure.config, a, name, Plan::StartVm)).await
    }
    /// Stops a machine, gracefully or at once; returns when it is off.
    ///
    /// # Errors
    /// Azure's refusal.
    pub async fn stop_vm(&self, name: &str, graceful: bool) -> Result<(), Refusal> {
        let plan = Plan::StopVm { deallocate: false, graceful };
        self.change(|m, a| m.power_vm(&self.azure.config, a, name, plan)).await
    }
    /// Restarts a machine, also one that hangs; returns when it runs again.
    ///
    /// # Errors
    /// Azure's refusal.
    pub async fn restart_vm(&self, name: &str) -> Result<(), Refusal> {
        self.change(|m, a| m.power_vm(&self.azure.config, a, name, Plan::RestartVm)).await
    }
    /// Deletes a machine, not its disks; returns when it is gone.
    ///
    /// # Errors
    /// Azure's refusal.
    pub async fn delete_vm(&self, name: &str) -> Result<(), Refusal> {
        self.change(|m, a| m.delete_vm(&self.azure.config, a, name)).await
    }
    /// Deletes a managed disk; returns when it is gone.
    ///
    /// # Errors
    /// Azure's refusal.
    pub async fn delete_disk(&self, name: &str) -> Result<(), Refusal> {
        let target = Target::Disk(key(name));
        self.change(|m, a| m.delete_volume(&self.azure.config, a, target)).await
    }
    /// The word after `PowerState/` without regard to operations: `running`, `stopped`, `deallocated`;
    /// `None` when there is no such machine.
    pub fn power(&self, name: &str) -> Option<&'static str> {
        self.azure.with(|m| m.vm(name).ok().map(|vm| vm.power.word()))
    }
    /// Makes a managed disk with this content, at once.
    ///
    /// # Errors
    /// When a disk of this name exists.
    pub fn put_disk(&self, name: &str, content: Disk) -> Result<(), Refusal> {
        let now = self.azure.now();
        let group = self.group();
        self.azure.with(|m| {
            if m.disks.contains_key(&key(name)) {
                return Err(Refusal::conflict("ResourceExists", format!("Disk {name} exists.")));
            }
            let unique = m.guid();
            let creation = CreationData { create_option: "Empty".to_owned(), ..CreationData::default() };
            let volume = Volume {
                name: name.to_owned(),
                group,
                location: self.azure.config.location.clone(),
                unique,
                content,
                creation,
                os_type: None,
                incremental: None,
                tags: BTreeMap::new(),
                extra: Map::new(),
                ready: true,
                owner: None,
                access: None,
                created: now,
            };
            m.disks.insert(key(name), volume);
            m.emit(What::DiskCreated { disk: DiskRef::Managed(name.to_owned()), by: self.by });
            Ok(())
        })
    }
    /// Makes a page blob with this content, at once; one that exists gets the content.
    pub fn put_blob(&self, container: &str, blob: &str, content: Disk) {
        let now = self.azure.now();
        let name = BlobName { container: container.to_owned(), blob: blob.into() };
        self.azure.with(|m| {
            let mut new = Blob::new(content.bytes(), now);
            new.content = content;
            match m.blobs.0.insert(name.clone(), new) {
                None => m.emit(What::DiskCreated { disk: DiskRef::Blob(name.label()), by: self.by }),
                Some(old) => {
                    if let Ok(new) = m.blobs.get_mut(&name) {
                        new.snapshots = old.snapshots;
                    }
                }
            }
        });
    }
    /// Makes a machine from its disks, at once.
    ///
    /// # Errors
    /// When it or one of its disks exists, or it has no disk.
    pub fn put_vm(&self, new: NewVm) -> Result<(), Refusal> {
        let own = key(&new.name);
        if self.azure.with(|m| m.vms.contains_key(&own)) {
            return Err(Refusal::conflict("ResourceExists", format!("VM {} exists.", new.name)));
        }
        let names: Vec<String> = new.disks.iter().map(|(name, _)| name.clone()).collect();
        let Some((os, data)) = names.split_first() else {
            return Err(Refusal::bad("InvalidParameter", "Required parameter 'osDisk' is missing."));
        };
        for (name, content) in new.disks {
            self.put_disk(&name, content)?;
        }
        let now = self.azure.now();
        let document = self.document(&new.os_type, os, data);
        let slot = |name: &String| Slot { disk: key(name), delete: false };
        self.azure.with(|m| {
            let vm = Vm {
                known_as: m.guest_of(&new.name),
                name: new.name,
                group: self.group(),
                unique: m.guid(),
                document,
                os: slot(os),
                data: (0..).zip(data.iter().map(slot)).collect(),
                card: None,
                power: Power::Stopped,
                hung: false,
                failed: None,
                created: now,
            };
            m.insert_vm(vm, self.by);
            if new.running {
                m.power_up(&own, self.by);
            }
        });
        Ok(())
    }
    /// The URL that opens `container/blob` (or the whole container) with these permissions (`racwdl`) for
    /// the rest of the run: what the portal's "generate SAS" gives.
    pub fn sas_url(&self, container: &str, blob: Option<&str>, permissions: &str) -> String {
        let config = &self.azure.config;
        let name = BlobName { container: container.to_owned(), blob: blob.unwrap_or_default().into() };
        let url = name.url(config).trim_end_matches('/').to_owned();
        let grant = super::sas::Grant {
            by: self.by,
            scope: name.canonical(config).trim_end_matches('/').to_owned(),
            container: blob.is_none(),
            permissions: permissions.to_owned(),
            expires: "9999-12-30T00:00:00Z".to_owned(),
        };
        debug_assert!(date::parse(&grant.expires).is_some(), "the far future is a date");
        format!("{url}?{}", super::sas::sign(&grant))
    }

    fn group(&self) -> String {
        self.azure.config.groups.first().cloned().unwrap_or_default()
    }

    fn document(&self, os_type: &str, os: &str, data: &[String]) -> VirtualMachine {
        let config = &self.azure.config;
        let disk = |name: &str, lun: Option<u32>| VmDisk {
            lun,
            os_type: lun.is_none().then(|| os_type.to_owned()),
            name: Some(name.to_owned()),
            create_option: "Attach".to_owned(),
            managed_disk: Some(SubResource {
                id: ResourceId::new(&config.subscription, &self.group(), NAMESPACE, DISKS, name).to_string(),
                extra: Map::new(),
            }),
            ..VmDisk::default()
        };
        let storage_profile = StorageProfile {
            os_disk: Some(disk(os, None)),
            data_disks: data.iter().zip(0..).map(|(name, lun)| disk(name, Some(lun))).collect(),
        };
        VirtualMachine {
            location: config.location.clone(),
            properties: VmProperties {
                hardware_profile: Some(HardwareProfile { vm_size: "Standard_D2s_v5".to_owned() }),
                storage_profile,
                ..VmProperties::default()
            },
            ..VirtualMachine::default()
        }
    }

    async fn change(
        &self,
        change: impl FnOnce(&mut Model, &Asked<'_>) -> Result<Begun, Refusal>,
    ) -> Result<(), Refusal> {
        let azure = &self.azure;
        let ctx: Option<Ctx> = azure.ctx.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(ctx) = ctx.filter(|c| c.fence.alive()) else {
            let message = "Azure does not answer.";
            return Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", message));
        };
        let asked = Asked { now: ctx.now(), by: self.by, timing: &azure.config.timing };
        match azure.with(|m| change(m, &asked))? {
            Begun::Nothing => Ok(()),
            Begun::Operation(id) => {
                azure.drive(&ctx, id.clone());
                azure.wait(&id).await
            }
        }
    }
}
