//! Reading and writing a page blob: for tools and tests. The product makes seed blobs and names their snapshots;
//! what is in them the recovery service writes.

use super::{BlobClient, BlobError, header_text};
use crate::arm::page_blob::{self as wire, BlobItem, ByteRange, PageList};
use crate::arm::percent_encode;
use crate::http::{Method, StatusCode};
use bytes::Bytes;

impl BlobClient {
    /// Writes `data` at `offset`, both multiples of 512, in calls of at most 4 MiB.
    ///
    /// # Errors
    /// [`BlobError`]; what was written before stays written.
    pub async fn put_pages(&self, offset: u64, data: Bytes) -> Result<(), BlobError> {
        let mut at = 0;
        while at < data.len() {
            let end = data.len().min(at + wire::MAX_PAGE_WRITE as usize);
            let part = data.slice(at..end);
            let range = range_of(offset + at as u64, part.len() as u64)?;
            let headers = [(wire::PAGE_WRITE, "update"), (wire::RANGE, range.as_str())];
            self.send("PageBlob_UploadPages", Method::PUT, "comp=page", &headers, part).await?;
            at = end;
        }
        Ok(())
    }
    /// Makes `len` bytes at `offset` zeros; both multiples of 512.
    ///
    /// # Errors
    /// [`BlobError`].
    pub async fn clear_pages(&self, offset: u64, len: u64) -> Result<(), BlobError> {
        let range = range_of(offset, len)?;
        let headers = [(wire::PAGE_WRITE, "clear"), (wire::RANGE, range.as_str())];
        self.send("PageBlob_ClearPages", Method::PUT, "comp=page", &headers, Bytes::new()).await.map(|_| ())
    }
    /// Reads `len` bytes at `offset`.
    ///
    /// # Errors
    /// [`BlobError`]; a reply of another length is [`BlobError::Garbled`].
    pub async fn get_range(&self, offset: u64, len: u64) -> Result<Bytes, BlobError> {
        let range = range_of(offset, len)?;
        let headers = [(wire::RANGE, range.as_str())];
        let reply = self.send("Blob_Download", Method::GET, "", &headers, Bytes::new()).await?;
        if reply.status() != StatusCode::PARTIAL_CONTENT || reply.body().len() as u64 != len {
            let got = reply.body().len();
            return Err(BlobError::Garbled(format!("{got} bytes with {} for {range}", reply.status())));
        }
        Ok(reply.into_body())
    }
    /// Pages that hold data; with `previous`, pages written and pages cleared since that snapshot.
    ///
    /// # Errors
    /// [`BlobError`].
    pub async fn page_list(
        &self,
        previous: Option<&str>,
        range: Option<ByteRange>,
    ) -> Result<PageList, BlobError> {
        let mut query = String::from("comp=pagelist");
        if let Some(previous) = previous {
            query += &format!("&prevsnapshot={}", percent_encode(previous));
        }
        let range = range.map(|r| r.to_string());
        let headers: Vec<(&str, &str)> = range.iter().map(|r| (wire::RANGE, r.as_str())).collect();
        let operation =
            if previous.is_some() { "PageBlob_GetPageRangesDiff" } else { "PageBlob_GetPageRanges" };
        let mut all = PageList::default();
        let mut marker = String::new();
        loop {
            let reply =
                self.send(operation, Method::GET, &(query.clone() + &marker), &headers, Bytes::new()).await?;
            let page = PageList::from_xml(reply.body()).map_err(BlobError::Garbled)?;
            all.pages.extend(page.pages);
            all.cleared.extend(page.cleared);
            match page.next_marker {
                Some(next) => marker = format!("&marker={}", percent_encode(&next)),
                None => return Ok(all),
            }
        }
    }
    /// Takes a snapshot with this metadata and returns its name. After [`BlobError::Ambiguous`] there may
    /// be one: look for the metadata with [`BlobClient::list`].
    ///
    /// # Errors
    /// [`BlobError`].
    pub async fn snapshot(&self, metadata: &[(&str, &str)]) -> Result<String, BlobError> {
        let named: Vec<(String, &str)> =
            metadata.iter().map(|(k, v)| (format!("{}{k}", wire::META), *v)).collect();
        let headers: Vec<(&str, &str)> = named.iter().map(|(k, v)| (k.as_str(), *v)).collect();
        let reply =
            self.send("Blob_CreateSnapshot", Method::PUT, "comp=snapshot", &headers, Bytes::new()).await?;
        header_text(&reply, wire::SNAPSHOT_HEADER)
            .ok_or_else(|| BlobError::Garbled("no x-ms-snapshot in the reply".to_owned()))
    }
    /// Deletes the blob with its snapshots, or, on a snapshot, just that. Gone already is fine.
    ///
    /// # Errors
    /// [`BlobError`].
    pub async fn delete(&self) -> Result<(), BlobError> {
        let with_snapshots = [("x-ms-delete-snapshots", "include")];
        let headers: &[(&str, &str)] = if self.snapshot.is_some() { &[] } else { &with_snapshots };
        match self.send("Blob_Delete", Method::DELETE, "", headers, Bytes::new()).await {
            Err(error) if !error.is_not_found() => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }
    /// Makes the blob's content that of `source` (a URL with its SAS, of the same account): how a snapshot
    /// is promoted.
    ///
    /// # Errors
    /// [`BlobError`].
    pub async fn copy_from(&self, source: &str) -> Result<(), BlobError> {
        let headers = [(wire::COPY_SOURCE, source)];
        self.send("Blob_CopyFromURL", Method::PUT, "", &headers, Bytes::new()).await.map(|_| ())
    }
    /// On a container's SAS URL: blobs and snapshots whose names begin with `prefix`, oldest snapshot first.
    ///
    /// # Errors
    /// [`BlobError`].
    pub async fn list(&self, prefix: &str) -> Result<Vec<BlobItem>, BlobError> {
        let prefix = percent_encode(prefix);
        let query = format!("restype=container&comp=list&include=snapshots,metadata&prefix={prefix}");
        let reply = self.send("Container_ListBlobs", Method::GET, &query, &[], Bytes::new()).await?;
        wire::blobs_from_xml(reply.body()).map_err(BlobError::Garbled)
    }
}

fn range_of(offset: u64, len: u64) -> Result<String, BlobError> {
    let range = ByteRange::of(offset, len).ok_or_else(|| BlobError::Garbled("an empty range".to_owned()))?;
    Ok(range.to_string())
}
