//! Azure: errors, names of what the product makes there, power.

use super::super::{StepCtx, StepError};
use crate::clients::azure::{AzureError, Power};
use crate::config::Config;
use crate::journal::{Item, ItemDisk};
use failback_wire::arm::blob::{BlobClient, BlobError};
use failback_wire::canary::Canary;
use failback_wire::error::{Class, ErrorDoc};
use failback_wire::ids::DiskId;

/// A call to Azure failed during what `doc` describes.
pub(in crate::workflow) fn error(doc: &ErrorDoc, entity: &str, error: &AzureError) -> StepError {
    let class = if error.is_transient() { Class::Retry } else { Class::Operator };
    StepError::new(doc, entity, error.to_string()).with_class(class)
}

/// Host of a storage account's blobs: as given when it is a host already, else under the public suffix.
pub fn blob_host(account: &str) -> String {
    if account.contains('.') { account.to_owned() } else { format!("{account}.blob.core.windows.net") }
}

/// Name of the seed blob of a disk.
pub(in crate::workflow) fn seed_blob(disk: &DiskId) -> String {
    format!("asrseeddisk-{disk}.vhd")
}

/// Name of the managed disk a failover makes for a disk.
pub(in crate::workflow) fn managed_disk(item: &Item, disk: &DiskId) -> String {
    format!("{}-{disk}", item.azure_name)
}

/// A URL that opens the seed blob of `disk` for writing, for a year.
pub(in crate::workflow) async fn seed_url(
    c: &StepCtx<'_>,
    account: &str,
    disk: &DiskId,
    doc: &ErrorDoc,
) -> Result<String, StepError> {
    let config: &Config = &c.services.config;
    let year = std::time::Duration::from_secs(365 * 24 * 3600);
    let expires = c.ctx.clock.dotnet(c.ctx.now().plus(year));
    let (host, container) = (blob_host(account), config.azure.container.as_str());
    let made = c.services.azure.blob_sas(&host, container, Some(&seed_blob(disk)), "racwd", &expires).await;
    made.map_err(|e| error(doc, disk.as_str(), &e))
}

/// Makes the seed blob of `disk` unless it is there with the right size; true when it had to be made.
pub(in crate::workflow) async fn make_seed(
    c: &StepCtx<'_>,
    account: &str,
    disk: &ItemDisk,
    doc: &ErrorDoc,
) -> Result<bool, StepError> {
    let url = seed_url(c, account, &disk.disk, doc).await?;
    let blob = BlobClient::new(c.ctx.http.clone(), &url);
    let fail = |e: BlobError| {
        let class = if e.is_transient() || e.is_outdated() { Class::Retry } else { Class::Operator };
        StepError::new(doc, disk.disk.as_str(), e.to_string()).with_class(class)
    };
    let found = blob.properties().await.map_err(fail)?;
    if found.as_ref().is_some_and(|found| found.length == disk.size) {
        return Ok(false);
    }
    let instead_of = found.as_ref().map(|found| found.etag.as_str());
    blob.create_page_blob(disk.size, instead_of).await.map_err(fail)?;
    Ok(true)
}

/// The snapshot of a seed that a recovery point lies in, as Azure reads it: without the signature.
pub(in crate::workflow) fn snapshot_url(c: &StepCtx<'_>, seed: &str, snapshot: &str) -> String {
    BlobClient::new(c.ctx.http.clone(), seed).at_snapshot(snapshot).bare_url()
}

/// Makes sure that the machine's guest cannot run in Azure (I2); fails when Azure does not confirm it.
pub(in crate::workflow) async fn confirm_off(c: &StepCtx<'_>, doc: &ErrorDoc) -> Result<(), StepError> {
    let Some(vm) = c.item.azure.as_ref().filter(|_| !c.ctx.env.planted(Canary::PowersOnUnconfirmed)) else {
        return Ok(());
    };
    let seen = c.services.azure.vm(&vm.name).await.map_err(|e| error(doc, &vm.name, &e))?;
    match seen.map(|seen| seen.power) {
        Some(Power::Stopped | Power::Deallocated) => Ok(()),
        // Not where it was made: it may run elsewhere.
        None => match c.services.azure.group_of(&vm.name).await.map_err(|e| error(doc, &vm.name, &e))? {
            None => Ok(()),
            Some(group) => Err(StepError::new(doc, vm.name.as_str(), format!("it was moved to {group}"))),
        },
        Some(power) => {
            let detail = format!("{} is {power:?}", vm.name);
            Err(StepError::new(doc, vm.name.as_str(), detail).with_class(Class::Retry))
        }
    }
}
