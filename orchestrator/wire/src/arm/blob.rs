//! A thin client of one page blob, opened by a SAS URL.

mod pages;

use super::page_blob as wire;
use super::{percent_encode, query_value};
use crate::http::{Call, DEFAULT_TIMEOUT, Http, HttpError, Method, Request, Response, header};
use bytes::Bytes;

/// The version of the storage protocol this client speaks.
const PROTOCOL: &str = "2026-10-06";

/// How a call on a blob can fail.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlobError {
    /// Nothing reached the service: asking again is safe.
    #[error("the blob service did not answer: {0}")]
    Unavailable(HttpError),
    /// No usable reply; the request may have taken effect. All calls but [`BlobClient::snapshot`] can be
    /// repeated without harm.
    #[error("the blob service's answer was lost: {0}")]
    Ambiguous(HttpError),
    /// The service said no.
    #[error("the blob service refused with {status} {code}: {message}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// `BlobNotFound`, `InvalidRange` …
        code: String,
        /// For people.
        message: String,
    },
    /// The reply is not what the protocol promises.
    #[error("the blob service's answer makes no sense: {0}")]
    Garbled(String),
}

impl From<HttpError> for BlobError {
    fn from(error: HttpError) -> Self {
        if error.is_ambiguous() { Self::Ambiguous(error) } else { Self::Unavailable(error) }
    }
}

impl BlobError {
    /// True when the same call may succeed later: the service was out of reach or overloaded.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unavailable(error) => *error != HttpError::Dead,
            Self::Ambiguous(_) | Self::Garbled(_) => true,
            Self::Refused { status, .. } => *status >= 500 || *status == 408 || *status == 429,
        }
    }
    /// True when the blob is not what the request was made for: made or changed since.
    pub fn is_outdated(&self) -> bool {
        matches!(self, Self::Refused { status: 412, .. })
            || matches!(self, Self::Refused { status: 409, code, .. } if code == wire::ALREADY_EXISTS)
    }
    /// True when the blob or its snapshot does not exist.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { status: 404, .. })
    }
}

/// What is known of a blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Properties {
    /// Size in bytes.
    pub length: u64,
    /// Entity tag: another one after every change.
    pub etag: String,
}

/// A page blob, or a snapshot of one, behind its SAS URL.
#[derive(Clone)]
pub struct BlobClient {
    http: Http,
    base: String,
    query: Option<String>,
    snapshot: Option<String>,
}

impl BlobClient {
    /// The blob at `sas_url`; its query goes along with every request. A `snapshot=` in it is honoured.
    pub fn new(http: Http, sas_url: &str) -> Self {
        let (base, query) = match sas_url.split_once('?') {
            Some((base, query)) => (base, Some(query)),
            None => (sas_url, None),
        };
        let rest: Option<Vec<&str>> =
            query.map(|q| q.split('&').filter(|p| !p.starts_with("snapshot=")).collect());
        Self {
            http,
            base: base.to_owned(),
            query: rest.map(|r| r.join("&")).filter(|q| !q.is_empty()),
            snapshot: query_value(query, "snapshot"),
        }
    }
    /// The same blob as it was at `snapshot`.
    #[must_use]
    pub fn at_snapshot(&self, snapshot: &str) -> Self {
        Self { snapshot: Some(snapshot.to_owned()), ..self.clone() }
    }
    /// The URL without the SAS, with the snapshot if this is one: how others name this blob.
    pub fn bare_url(&self) -> String {
        match &self.snapshot {
            Some(snapshot) => format!("{}?snapshot={}", self.base, percent_encode(snapshot)),
            None => self.base.clone(),
        }
    }
    /// The whole URL, SAS included: what opens this blob (or snapshot) for someone else.
    pub fn sas_url(&self) -> String {
        self.url("")
    }

    /// Creates the blob with `length` bytes of zeros; or makes the existing one so that has the entity tag `instead_of`
    /// (its snapshots stay). A request that arrives late, when the blob has been made or written to since, changes nothing.
    ///
    /// # Errors
    /// [`BlobError`]; [`BlobError::is_outdated`] where the blob is another one by now.
    pub async fn create_page_blob(&self, length: u64, instead_of: Option<&str>) -> Result<(), BlobError> {
        let length = length.to_string();
        let condition = match instead_of {
            Some(etag) => (header::IF_MATCH.as_str(), etag),
            None => (header::IF_NONE_MATCH.as_str(), "*"),
        };
        let headers = [(wire::BLOB_TYPE, "PageBlob"), (wire::CONTENT_LENGTH, length.as_str()), condition];
        self.send("PageBlob_Create", Method::PUT, "", &headers, Bytes::new()).await.map(|_| ())
    }
    /// What is known of the blob; `None` when there is no such blob.
    ///
    /// # Errors
    /// [`BlobError`].
    pub async fn properties(&self) -> Result<Option<Properties>, BlobError> {
        match self.send("Blob_GetProperties", Method::HEAD, "", &[], Bytes::new()).await {
            Ok(reply) => {
                let length = header_text(&reply, wire::CONTENT_LENGTH)
                    .or_else(|| header_text(&reply, header::CONTENT_LENGTH.as_str()));
                let length = length.and_then(|l| l.parse().ok());
                let properties = length.zip(header_text(&reply, header::ETAG.as_str()));
                let properties = properties.map(|(length, etag)| Properties { length, etag });
                let garbled = || BlobError::Garbled("no length or entity tag in the reply".to_owned());
                properties.map(Some).ok_or_else(garbled)
            }
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn url(&self, query: &str) -> String {
        let snapshot = self.snapshot.as_ref().map(|s| format!("snapshot={}", percent_encode(s)));
        let parts = [Some(query), snapshot.as_deref(), self.query.as_deref()];
        let parts: Vec<&str> = parts.into_iter().flatten().filter(|p| !p.is_empty()).collect();
        if parts.is_empty() { self.base.clone() } else { format!("{}?{}", self.base, parts.join("&")) }
    }

    async fn send(
        &self,
        operation: &'static str,
        method: Method,
        query: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Result<Response<Bytes>, BlobError> {
        let mut request =
            Request::builder().method(method).uri(self.url(query)).header(wire::VERSION, PROTOCOL);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request = request.header(header::CONTENT_LENGTH, body.len());
        let request = request.body(body).map_err(|e| BlobError::Garbled(format!("no request: {e}")))?;
        let reply = self.http.send(Call { operation, timeout: DEFAULT_TIMEOUT, request }).await?;
        if reply.status().is_success() {
            return Ok(reply);
        }
        let (code, message) = wire::error_from_xml(reply.body()).unwrap_or_default();
        let code = header_text(&reply, wire::ERROR_CODE).unwrap_or(code);
        Err(BlobError::Refused { status: reply.status().as_u16(), code, message })
    }
}

fn header_text(reply: &Response<Bytes>, name: &str) -> Option<String> {
    reply.headers().get(name).and_then(|v| v.to_str().ok()).map(str::to_owned)
}
