//! Shared access signatures: what opens a seed blob for the process server.

use super::call::{Ask, parse};
use super::{AzureClient, AzureError};
use failback_wire::arm::compute::{ServiceSas, ServiceSasRequest};
use failback_wire::arm::{ResourceId, percent_encode};
use failback_wire::http::Method;

impl AzureClient {
    /// The URL, SAS included, that opens `container/blob` (or the whole container) of the storage account
    /// at `blob_host` (`storage.blob.core.windows.net`) with `permissions` (letters of `racwdl`) until
    /// `expires` (a date as [`failback_wire::clock::Clock::dotnet`] writes it).
    ///
    /// # Errors
    /// [`AzureError`].
    pub async fn blob_sas(
        &self,
        blob_host: &str,
        container: &str,
        blob: Option<&str>,
        permissions: &str,
        expires: &str,
    ) -> Result<String, AzureError> {
        let (scheme, host) = blob_host.split_once("://").unwrap_or(("https", blob_host));
        let account = host.split('.').next().unwrap_or(host);
        let name = match blob {
            Some(blob) => format!("{container}/{blob}"),
            None => container.to_owned(),
        };
        let request = ServiceSasRequest {
            canonicalized_resource: format!("/blob/{account}/{name}"),
            signed_resource: if blob.is_some() { "b" } else { "c" }.to_owned(),
            signed_permission: permissions.to_owned(),
            signed_expiry: expires.to_owned(),
        };
        let id =
            ResourceId::new(&self.subscription, &self.group, "Microsoft.Storage", "storageAccounts", account);
        let path = format!("{id}/listServiceSas");
        let ask = Ask { operation: "StorageAccounts_ListServiceSAS", ..Ask::get("", path) };
        let ask = Ask { method: Method::POST, ..ask }.with(&request)?;
        let reply = self.ask(&ask, self.deadline()).await?;
        let sas: ServiceSas = parse(&reply)?;
        let path: Vec<String> = name.split('/').map(percent_encode).collect();
        Ok(format!("{scheme}://{host}/{}?{}", path.join("/"), sas.service_sas_token))
    }
}
