//! Managed disks.

use super::call::Ask;
use super::vms::Provisioning;
use super::{AzureClient, AzureError};
use failback_wire::arm::ResourceId;
use failback_wire::arm::compute::{CreationData, DiskProperties, ManagedDisk};
use failback_wire::http::Method;

/// A managed disk as Azure shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskFacts {
    /// Name.
    pub name: String,
    /// ARM id.
    pub id: String,
    /// Unique id: another disk of the same name has another.
    pub unique_id: String,
    /// Size in bytes.
    pub bytes: u64,
    /// `Unattached`, `Attached`, `Reserved` (its machine is deallocated) …
    pub state: String,
    /// Name of the virtual machine that holds it.
    pub attached_to: Option<String>,
    /// Where it stands.
    pub provisioning: Provisioning,
    /// The blob it was made from, when it was.
    pub source: Option<String>,
}

/// A managed disk to be made from a page blob or from a snapshot of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDisk {
    /// Name.
    pub name: String,
    /// Region.
    pub location: String,
    /// URL of the blob or snapshot, without a SAS: ARM reads it with its own rights.
    pub source: String,
    /// `Windows` or `Linux` on a disk to boot from.
    pub os_type: Option<String>,
}

fn facts(disk: &ManagedDisk) -> Result<DiskFacts, AzureError> {
    let missing = |what: &str| AzureError::Garbled(format!("a disk without {what}"));
    let properties = &disk.properties;
    Ok(DiskFacts {
        name: disk.name.clone().ok_or_else(|| missing("a name"))?,
        id: disk.id.clone().ok_or_else(|| missing("an id"))?,
        unique_id: properties.unique_id.clone().unwrap_or_default(),
        bytes: properties.disk_size_bytes.ok_or_else(|| missing("a size"))?,
        state: properties.disk_state.clone().unwrap_or_default(),
        attached_to: disk
            .managed_by
            .as_ref()
            .map(|id| {
                ResourceId::parse(id).map(|id| id.name().to_owned()).ok_or_else(|| missing("a good owner"))
            })
            .transpose()?,
        provisioning: Provisioning::read(properties.provisioning_state.as_deref()),
        source: properties.creation_data.source_uri.clone(),
    })
}

impl AzureClient {
    /// The managed disk of this name; `None` when there is none.
    ///
    /// # Errors
    /// [`AzureError`].
    pub async fn disk(&self, name: &str) -> Result<Option<DiskFacts>, AzureError> {
        let disk: Option<ManagedDisk> = self.read("Disks_Get", self.disk_id(name).to_string()).await?;
        disk.as_ref().map(facts).transpose()
    }
    /// Makes a disk from a blob or blob snapshot; fine when it is there already, from the same source.
    ///
    /// # Errors
    /// [`AzureError`]; a disk of this name from another source is [`AzureError::Refused`] with 409.
    pub async fn create_disk_from_blob_snapshot(
        &self,
        disk: &NewDisk,
        key: &str,
    ) -> Result<DiskFacts, AzureError> {
        let seen = self.disk(&disk.name).await?;
        if let Some(facts) = self.usable(disk, seen)? {
            return Ok(facts);
        }
        let document = ManagedDisk {
            location: disk.location.clone(),
            properties: DiskProperties {
                creation_data: CreationData {
                    create_option: "Import".to_owned(),
                    source_uri: Some(disk.source.clone()),
                    ..CreationData::default()
                },
                os_type: disk.os_type.clone(),
                ..DiskProperties::default()
            },
            ..ManagedDisk::default()
        };
        let path = self.disk_id(&disk.name).to_string();
        let done =
            self.change(&Ask::change("Disks_CreateOrUpdate", Method::PUT, path, key).with(&document)?).await;
        let seen = self.disk(&disk.name).await?;
        match (self.usable(disk, seen)?, done) {
            (Some(facts), _) => Ok(facts),
            (None, Err(error)) => Err(error),
            (None, Ok(())) => {
                Err(AzureError::Garbled(format!("{} is reported made, but is not there", disk.name)))
            }
        }
    }
    /// Deletes the disk; fine when there is none.
    ///
    /// # Errors
    /// [`AzureError`]; 409 while a virtual machine holds it.
    pub async fn delete_disk(&self, name: &str, key: &str) -> Result<(), AzureError> {
        if self.disk(name).await?.is_none() {
            return Ok(());
        }
        let path = self.disk_id(name).to_string();
        let done = self.change(&Ask::change("Disks_Delete", Method::DELETE, path, key)).await;
        match (self.disk(name).await?, done) {
            (None, _) => Ok(()),
            (Some(_), Err(error)) => Err(error),
            (Some(_), Ok(())) => {
                Err(AzureError::Garbled(format!("{name} is reported deleted, but is there")))
            }
        }
    }

    /// The disk seen, when it is what `wanted` asks for and ready; an error when it is another disk.
    fn usable(&self, wanted: &NewDisk, seen: Option<DiskFacts>) -> Result<Option<DiskFacts>, AzureError> {
        let Some(seen) = seen else { return Ok(None) };
        if seen.source.as_deref() == Some(wanted.source.as_str()) {
            return Ok(Some(seen).filter(|d| d.provisioning == Provisioning::Succeeded));
        }
        let source = seen.source.as_deref().unwrap_or("something else");
        let message = format!("{} exists and was made from {source}", seen.name);
        Err(AzureError::Refused { status: 409, code: "ResourceExists".to_owned(), message })
    }
}
