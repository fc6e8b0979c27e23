//! Managed disks and snapshots: what is asked of them, and what comes of it.

use super::blobs::BlobName;
use super::config::AzureConfig;
use super::model::{Access, Key, Model, Operation, Plan, Power, Target, Volume, key};
use super::operations::{Asked, Begun};
use super::refusal::Refusal;
use super::sas::{self, Grant};
use failback_replication::disk::{BLOCK, Disk};
use failback_wire::arm::ResourceId;
use failback_wire::arm::compute::{
    AccessUri, CreationData, DISKS, GrantAccess, ManagedDisk, NAMESPACE, SNAPSHOTS,
};
use failback_wire::event::{DiskRef, What};
use failback_wire::http::StatusCode;
use serde_json::Value;

/// Bytes of the footer a VHD ends with; the lab's disks are raw, only `uploadSizeBytes` counts it.
const FOOTER: u64 = 512;
/// The largest disk the fake makes: 32 TiB, as Azure.
const MAX_BYTES: u64 = 32 << 40;

impl Target {
    /// The disk or snapshot of this name.
    pub(super) fn volume(kind: &str, name: &str) -> Self {
        if kind.eq_ignore_ascii_case(SNAPSHOTS) { Self::Snapshot(key(name)) } else { Self::Disk(key(name)) }
    }
    /// The type segment of its ARM id.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Vm(_) => failback_wire::arm::compute::VIRTUAL_MACHINES,
            Self::Disk(_) => DISKS,
            Self::Snapshot(_) => SNAPSHOTS,
        }
    }
}

fn volume_id(config: &AzureConfig, group: &str, target: &Target, name: &str) -> String {
    ResourceId::new(&config.subscription, group, NAMESPACE, target.kind(), name).to_string()
}

fn sized(bytes: u64) -> Result<Disk, Refusal> {
    if bytes == 0 || bytes > MAX_BYTES {
        let message = format!("A disk of {bytes} bytes cannot be made.");
        return Err(Refusal::bad("InvalidParameter", message));
    }
    Ok(Disk::new(bytes.div_ceil(BLOCK as u64)))
}

/// A disk says of no system but these two that it boots it.
fn known_os(document: &ManagedDisk) -> Result<(), Refusal> {
    match document.properties.os_type.as_deref() {
        None | Some("Windows" | "Linux") => Ok(()),
        Some(other) => {
            let message = format!("The value '{other}' of parameter 'osType' is invalid.");
            Err(Refusal::bad("InvalidParameter", message))
        }
    }
}

/// Equal when a disk made by one is the disk the other asks for.
fn same_source(a: &CreationData, b: &CreationData) -> bool {
    let ids = |c: &CreationData| c.source_resource_id.as_ref().map(|id| id.to_ascii_lowercase());
    a.create_option.eq_ignore_ascii_case(&b.create_option)
        && a.source_uri == b.source_uri
        && ids(a) == ids(b)
        && a.upload_size_bytes == b.upload_size_bytes
}

impl Model {
    /// Creates a disk or snapshot; its content is that of its source now. The same document again changes
    /// nothing.
    pub(super) fn put_volume(
        &mut self,
        config: &AzureConfig,
        asked: &Asked<'_>,
        (group, target, name): (&str, Target, &str),
        document: ManagedDisk,
    ) -> Result<Begun, Refusal> {
        self.must_be_idle(&target, name)?;
        let creation = document.properties.creation_data.clone();
        if let Ok(volume) = self.volume(&target) {
            if let Some(owner) = volume.owner.as_ref().filter(|_| !same_source(&volume.creation, &creation)) {
                let message = format!("Disk {name} is attached to VM {owner}: it cannot be overwritten.");
                return Err(Refusal::conflict("OperationNotAllowed", message));
            }
            if same_source(&volume.creation, &creation) {
                return Ok(Begun::Nothing);
            }
            let message = "Changing property 'creationData' is not allowed.";
            return Err(Refusal::conflict("PropertyChangeNotAllowed", message));
        }
        known_os(&document)?;
        let (content, os_type) = self.source(config, &document)?;
        let volume = Volume {
            name: name.to_owned(),
            group: group.to_owned(),
            location: document.location,
            unique: self.guid(),
            content,
            creation,
            os_type: document.properties.os_type.or(os_type),
            incremental: document.properties.incremental,
            tags: document.tags,
            extra: document.extra,
            ready: false,
            owner: None,
            access: None,
            created: asked.now,
        };
        match &target {
            Target::Snapshot(key) => self.snapshots.insert(key.clone(), volume),
            Target::Disk(key) | Target::Vm(key) => self.disks.insert(key.clone(), volume),
        };
        let id = volume_id(config, group, &target, name);
        Ok(self.begin(asked, Plan::CreateVolume, target, id, asked.timing.create_disk))
    }

    /// What a new disk begins with.
    fn source(
        &self,
        config: &AzureConfig,
        document: &ManagedDisk,
    ) -> Result<(Disk, Option<String>), Refusal> {
        let properties = &document.properties;
        let creation = &properties.creation_data;
        let missing =
            |what: &str| Refusal::bad("InvalidParameter", format!("Required parameter '{what}' is missing."));
        match creation.create_option.to_ascii_lowercase().as_str() {
            "empty" => {
                let bytes = properties.disk_size_bytes.or(properties.disk_size_gb.map(|gb| gb << 30));
                Ok((sized(bytes.ok_or_else(|| missing("diskSizeGB"))?)?, None))
            }
            "upload" => {
                let bytes = creation.upload_size_bytes.ok_or_else(|| missing("uploadSizeBytes"))?;
                Ok((sized(bytes.saturating_sub(FOOTER))?, None))
            }
            "copy" => {
                let id = creation.source_resource_id.as_ref().ok_or_else(|| missing("sourceResourceId"))?;
                let id = ResourceId::parse(id).ok_or_else(|| missing("sourceResourceId"))?;
                let kind = id.path.first().map_or("", String::as_str);
                let source = Target::volume(kind, id.name());
                let volume = self.volume(&source)?;
                if !volume.ready {
                    return Err(Refusal::busy(&volume.name));
                }
                Ok((volume.content.fork(), volume.os_type.clone()))
            }
            "import" => {
                let uri = creation.source_uri.as_ref().ok_or_else(|| missing("sourceUri"))?;
                let not_found = || {
                    let message = format!("The source blob {uri} does not exist.");
                    Refusal::new(StatusCode::NOT_FOUND, "ImportSourceBlobNotFound", message)
                };
                let (name, snapshot) = BlobName::from_url(config, uri).ok_or_else(not_found)?;
                let content = self.blobs.content(&name, snapshot.as_deref()).ok_or_else(not_found)?;
                Ok((content.fork(), None))
            }
            other => {
                Err(Refusal::bad("InvalidParameter", format!("createOption '{other}' is not modelled.")))
            }
        }
    }

    /// Deletes a disk or snapshot that nobody holds.
    pub(super) fn delete_volume(
        &mut self,
        config: &AzureConfig,
        asked: &Asked<'_>,
        target: Target,
    ) -> Result<Begun, Refusal> {
        let Ok(volume) = self.volume(&target) else { return Ok(Begun::Nothing) };
        let name = &volume.name;
        if let Some(owner) = &volume.owner {
            let message = format!("Disk {name} is attached to VM {owner}.");
            return Err(Refusal::conflict("OperationNotAllowed", message));
        }
        if volume.access.is_some() {
            let message = format!("Disk {name} has an active shared access signature.");
            return Err(Refusal::conflict("OperationNotAllowed", message));
        }
        self.must_be_unlocked(name)?;
        self.must_be_idle(&target, name)?;
        let id = volume_id(config, &volume.group, &target, name);
        Ok(self.begin(asked, Plan::DeleteVolume, target, id, asked.timing.delete_disk))
    }

    /// Grants (`Some`) or takes back access to a disk or snapshot from outside.
    pub(super) fn access_volume(
        &mut self,
        config: &AzureConfig,
        asked: &Asked<'_>,
        target: Target,
        grant: Option<&GrantAccess>,
    ) -> Result<Begun, Refusal> {
        let volume = self.volume(&target)?;
        let name = &volume.name;
        self.must_be_idle(&target, name)?;
        if !volume.ready {
            return Err(Refusal::busy(name));
        }
        let not_allowed = |message: String| Refusal::conflict("OperationNotAllowed", message);
        let plan = match grant {
            None => Plan::RevokeAccess,
            Some(grant) => {
                let write = grant.access.eq_ignore_ascii_case("Write");
                let runs = volume.owner.as_ref().and_then(|vm| self.vms.get(vm));
                if runs.is_some_and(|vm| vm.power == Power::Running) {
                    return Err(not_allowed(format!("Disk {name} is attached to a running VM.")));
                }
                if write && !volume.creation.create_option.eq_ignore_ascii_case("Upload") {
                    return Err(not_allowed(format!("Disk {name} was not created for upload.")));
                }
                if volume.access.as_ref().is_some_and(|a| a.write != write) {
                    return Err(not_allowed(format!("Disk {name} has an active shared access signature.")));
                }
                Plan::GrantAccess { write, seconds: grant.duration_in_seconds }
            }
        };
        let id = volume_id(config, &volume.group, &target, name);
        Ok(self.begin(asked, plan, target, id, asked.timing.access))
    }

    /// What an operation on a disk or snapshot does when it ends.
    pub(super) fn volume_effect(
        &mut self,
        target: &Target,
        plan: &Plan,
        asked: &Asked<'_>,
    ) -> Result<Option<Value>, Refusal> {
        let name = self.volume(target)?.name.clone();
        let disk = DiskRef::Managed(name.clone());
        match plan {
            Plan::CreateVolume => {
                if let Some(volume) = self.volume_mut(target) {
                    volume.ready = true;
                }
                self.emit(What::DiskCreated { disk, by: asked.by });
                Ok(None)
            }
            Plan::DeleteVolume => {
                match target {
                    Target::Disk(key) => self.disks.remove(key),
                    Target::Snapshot(key) => self.snapshots.remove(key),
                    Target::Vm(_) => None,
                };
                self.emit(What::DiskDeleted { disk, by: asked.by });
                Ok(None)
            }
            Plan::GrantAccess { write, seconds } => {
                let until = asked.now.plus(std::time::Duration::from_secs(*seconds));
                if let Some(volume) = self.volume_mut(target) {
                    volume.access = Some(Access { write: *write, until });
                }
                Ok(None)
            }
            Plan::RevokeAccess => {
                if let Some(volume) = self.volume_mut(target) {
                    let uploaded = volume.access.take().is_some_and(|a| a.write);
                    if uploaded {
                        // An uploaded disk takes no second upload.
                        volume.creation.create_option = "Empty".to_owned();
                    }
                }
                Ok(None)
            }
            Plan::CreateVm
            | Plan::UpdateVm
            | Plan::StartVm
            | Plan::StopVm { .. }
            | Plan::RestartVm
            | Plan::DeleteVm => Ok(None),
        }
    }

    /// The URL by which granted access is used.
    pub(super) fn access_uri(
        &self,
        config: &AzureConfig,
        operation: &Operation,
        calendar: impl Fn(failback_wire::clock::VirtualMs) -> String,
    ) -> Option<AccessUri> {
        let Plan::GrantAccess { write, seconds } = operation.plan else { return None };
        let until = operation.ended?.plus(std::time::Duration::from_secs(seconds));
        let volume: (&str, &Key) = match &operation.target {
            Target::Disk(key) => ("$disks", key),
            Target::Snapshot(key) => ("$snapshots", key),
            Target::Vm(_) => return None,
        };
        let name = BlobName { container: volume.0.to_owned(), blob: volume.1.as_str().into() };
        let grant = Grant {
            by: operation.by,
            scope: name.canonical(config),
            container: false,
            permissions: if write { "rw" } else { "r" }.to_owned(),
            expires: calendar(until),
        };
        Some(AccessUri { access_sas: format!("{}?{}", name.url(config), sas::sign(&grant)) })
    }
}
