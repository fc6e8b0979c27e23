//! The blob service: page blobs and their snapshots, and managed disks by granted access.

use super::Azure;
use super::blobs::{self, Blob, BlobName, Metadata};
use super::model::{Model, Target, key};
use super::refusal::Refusal;
use super::sas;
use bytes::Bytes;
use failback_replication::disk::{BLOCK, Disk};
use failback_wire::arm::page_blob::{self as wire, BlobItem, ByteRange};
use failback_wire::arm::{CLIENT_REQUEST_ID, date, query_value};
use failback_wire::event::{Actor, DiskRef, What};
use failback_wire::http::{HeaderMap, Method, Request, Response, StatusCode, header};
use failback_wire::node::Ctx;
use std::collections::BTreeMap;

/// Containers that stand for managed disks and snapshots.
const DISK_CONTAINERS: [&str; 2] = ["$disks", "$snapshots"];

/// A request to the blob service, read.
struct Asked<'a> {
    ctx: &'a Ctx,
    name: BlobName,
    snapshot: Option<String>,
    query: Option<&'a str>,
    headers: &'a HeaderMap,
    body: Bytes,
    by: Actor,
    /// Letters of the signature; `None` for a bearer token, which may do everything.
    permissions: Option<String>,
}

impl Asked<'_> {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|v| v.to_str().ok())
    }
    fn must(&self, letters: &str) -> Result<(), Refusal> {
        match &self.permissions {
            Some(own) if !letters.chars().any(|l| own.contains(l)) => Err(Refusal::new(
                StatusCode::FORBIDDEN,
                "AuthorizationPermissionMismatch",
                format!("This needs one of the permissions '{letters}'."),
            )),
            Some(_) | None => Ok(()),
        }
    }
    /// The range asked for, within `length` bytes; the whole when none was.
    fn range(&self, length: u64) -> Result<Option<ByteRange>, Refusal> {
        let Some(text) = self.header(wire::RANGE).or_else(|| self.header(header::RANGE.as_str())) else {
            return Ok(None);
        };
        let range = ByteRange::parse(text, length.saturating_sub(1));
        let range = range.ok_or_else(|| Refusal::bad("InvalidHeaderValue", format!("No range: {text}")))?;
        if range.start >= length {
            return Err(invalid_range("The range lies beyond the end of the blob."));
        }
        Ok(Some(ByteRange { end: range.end.min(length - 1), ..range }))
    }
    fn metadata(&self) -> Metadata {
        let texts = self.headers.iter().filter_map(|(k, v)| Some((k.as_str(), v.to_str().ok()?)));
        let noted = texts.filter_map(|(k, v)| Some((k.strip_prefix(wire::META)?.to_owned(), v.to_owned())));
        noted.collect::<BTreeMap<_, _>>().into_iter().collect()
    }
}

fn invalid_range(message: &str) -> Refusal {
    Refusal::new(StatusCode::RANGE_NOT_SATISFIABLE, "InvalidRange", message)
}

/// What a blob (or snapshot, or managed disk) is to a reader.
struct Content {
    disk: Disk,
    length: u64,
    etag: u64,
    modified: failback_wire::clock::VirtualMs,
}

impl Azure {
    /// Answers one request to the blob service.
    pub(super) fn blob_request(&self, ctx: &Ctx, request: Request<Bytes>) -> Response<Bytes> {
        let (parts, body) = request.into_parts();
        let head = parts.method == Method::HEAD;
        let query = parts.uri.query();
        let mut reply = self
            .authorised(ctx, parts.uri.path(), query, &parts.headers, body)
            .and_then(|asked| self.with(|m| self.blob_call(m, &parts.method, &asked)))
            .unwrap_or_else(|refusal| refusal.blob(head));
        for name in [wire::VERSION, CLIENT_REQUEST_ID] {
            if let Some(value) = parts.headers.get(name) {
                reply.headers_mut().insert(header::HeaderName::from_static(name), value.clone());
            }
        }
        reply
    }

    fn authorised<'a>(
        &self,
        ctx: &'a Ctx,
        path: &str,
        query: Option<&'a str>,
        headers: &'a HeaderMap,
        body: Bytes,
    ) -> Result<Asked<'a>, Refusal> {
        let listing = query_value(query, "restype").as_deref() == Some("container");
        let bad = || Refusal::bad("InvalidUri", format!("No blob has the path {path}."));
        let name = if listing {
            BlobName { container: path.trim_matches('/').to_owned(), blob: "".into() }
        } else {
            BlobName::from_path(path).ok_or_else(bad)?
        };
        let bearer = self.bearer(headers);
        let (by, permissions) = if query_value(query, "sig").is_some() {
            let grant = sas::verify(query, &name.canonical(&self.config), &ctx.clock, ctx.now())?;
            (grant.by, Some(grant.permissions))
        } else {
            let unknown = || {
                let message = "The request carries neither a signature nor a known token.";
                Refusal::new(StatusCode::UNAUTHORIZED, "NoAuthenticationInformation", message)
            };
            (bearer.ok_or_else(unknown)?, None)
        };
        let snapshot = query_value(query, "snapshot");
        Ok(Asked { ctx, name, snapshot, query, headers, body, by, permissions })
    }

    fn blob_call(
        &self,
        m: &mut Model,
        method: &Method,
        asked: &Asked<'_>,
    ) -> Result<Response<Bytes>, Refusal> {
        let comp = query_value(asked.query, "comp");
        let writes = *method == Method::PUT || *method == Method::DELETE;
        let managed = DISK_CONTAINERS.contains(&asked.name.container.as_str());
        if writes && managed && comp.as_deref() != Some("page") {
            return Err(Refusal::conflict(
                "OperationNotAllowedOnManagedDisk",
                "Disks are changed through ARM.",
            ));
        }
        match (method.as_str(), comp.as_deref()) {
            ("GET", Some("list")) => self.list_blobs(m, asked),
            ("GET", Some("pagelist")) => self.pages(m, asked),
            ("GET", None) => self.download(m, asked),
            ("HEAD", None) => self.properties(m, asked),
            ("PUT", Some("page")) => self.write_pages(m, asked),
            ("PUT", Some("snapshot")) => self.take_snapshot(m, asked),
            ("PUT", None) if asked.header(wire::COPY_SOURCE).is_some() => self.copy(m, asked),
            ("PUT", None) => self.create(m, asked),
            ("DELETE", None) => self.delete(m, asked),
            (verb, comp) => {
                let comp = comp.unwrap_or_default();
                Err(Refusal::bad("UnsupportedOperation", format!("{verb} comp={comp} is not modelled.")))
            }
        }
    }

    /// The content of what is asked for. Managed disks need granted access that has not run out.
    fn content(
        &self,
        m: &Model,
        asked: &Asked<'_>,
        name: &BlobName,
        snapshot: Option<&str>,
        write: bool,
    ) -> Result<Content, Refusal> {
        let target = match name.container.as_str() {
            "$disks" => Target::Disk(key(name.blob.as_str())),
            "$snapshots" => Target::Snapshot(key(name.blob.as_str())),
            _ => {
                let blob = m.blobs.get(name)?;
                let kept = match snapshot {
                    None => None,
                    Some(id) => Some(blob.snapshots.get(id).ok_or_else(|| blobs::not_found(name))?),
                };
                let disk = kept.map_or(&blob.content, |k| &k.content).clone();
                let length = kept.map_or(blob.length, |k| k.length);
                return Ok(Content { disk, length, etag: blob.version, modified: blob.modified });
            }
        };
        let volume = m.volume(&target).map_err(|_| blobs::not_found(name))?;
        let open = volume.access.as_ref().is_some_and(|a| asked.ctx.now() < a.until && (a.write || !write));
        if !open {
            let message = "No access to this disk is granted (any more).";
            return Err(Refusal::new(StatusCode::FORBIDDEN, "AuthenticationFailed", message));
        }
        let disk = volume.content.clone();
        Ok(Content { length: disk.bytes(), disk, etag: 1, modified: volume.created })
    }

    fn create(&self, m: &mut Model, asked: &Asked<'_>) -> Result<Response<Bytes>, Refusal> {
        asked.must("cw")?;
        not_a_snapshot(asked)?;
        if asked.header(wire::BLOB_TYPE) != Some("PageBlob") {
            return Err(Refusal::bad("InvalidHeaderValue", "Only page blobs are modelled."));
        }
        let length = asked.header(wire::CONTENT_LENGTH).and_then(|l| l.parse::<u64>().ok());
        let length = length.filter(|l| l.is_multiple_of(wire::PAGE) && *l <= 8 << 40);
        let length = length
            .ok_or_else(|| Refusal::bad("InvalidHeaderValue", "The size must be a multiple of 512."))?;
        meets_conditions(asked, m.blobs.0.get(&asked.name))?;
        let disk = DiskRef::Blob(asked.name.label());
        let mut blob = Blob::new(length, asked.ctx.now());
        blob.metadata = asked.metadata();
        if let Some(old) = m.blobs.0.remove(&asked.name) {
            blob.version = old.version + 1;
            blob.snapshots = old.snapshots;
            let blocks = old.content.allocated().len() as u64;
            self.written(m, asked, disk, blocks);
        } else {
            m.emit(What::DiskCreated { disk, by: asked.by });
        }
        let reply = changed(StatusCode::CREATED, asked, &blob);
        m.blobs.0.insert(asked.name.clone(), blob);
        Ok(reply)
    }

    fn write_pages(&self, m: &mut Model, asked: &Asked<'_>) -> Result<Response<Bytes>, Refusal> {
        asked.must("w")?;
        not_a_snapshot(asked)?;
        let content = self.content(m, asked, &asked.name, None, true)?;
        let text = asked.header(wire::RANGE).or_else(|| asked.header(header::RANGE.as_str()));
        let range = text.and_then(|t| ByteRange::parse(t, content.length.saturating_sub(1)));
        let range = range.ok_or_else(|| Refusal::bad("InvalidHeaderValue", "A page write needs a range."))?;
        if !range.is_aligned() || range.end >= content.length {
            let message = "The page range is not aligned to 512 bytes, or beyond the end.";
            return Err(Refusal::new(StatusCode::RANGE_NOT_SATISFIABLE, "InvalidPageRange", message));
        }
        let data = match asked.header(wire::PAGE_WRITE) {
            Some("update") => Some(&asked.body),
            Some("clear") if asked.body.is_empty() => None,
            Some(_) | None => {
                return Err(Refusal::bad("InvalidHeaderValue", "x-ms-page-write must be update or clear."));
            }
        };
        if let Some(data) = data {
            if range.len() > wire::MAX_PAGE_WRITE {
                let message = "A page write carries at most 4 MiB.";
                return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "RequestBodyTooLarge", message));
            }
            if data.len() as u64 != range.len() {
                return Err(Refusal::bad("InvalidInput", "The body is not as long as the range."));
            }
        }
        let blocks = blobs::write(&content.disk, range, data);
        if DISK_CONTAINERS.contains(&asked.name.container.as_str()) {
            self.written(m, asked, DiskRef::Managed(asked.name.blob.to_string()), blocks);
            return Ok(empty(StatusCode::CREATED));
        }
        self.written(m, asked, DiskRef::Blob(asked.name.label()), blocks);
        let blob = m.blobs.get_mut(&asked.name)?;
        blob.touch(asked.ctx.now());
        let mut reply = changed(StatusCode::CREATED, asked, blob);
        reply.headers_mut().insert("x-ms-blob-sequence-number", header::HeaderValue::from_static("0"));
        Ok(reply)
    }

    fn take_snapshot(&self, m: &mut Model, asked: &Asked<'_>) -> Result<Response<Bytes>, Refusal> {
        asked.must("cw")?;
        not_a_snapshot(asked)?;
        let blob = m.blobs.get_mut(&asked.name)?;
        let id = blob.snapshot(&asked.ctx.clock.dotnet(asked.ctx.now()), asked.metadata());
        let mut reply = changed(StatusCode::CREATED, asked, blob);
        set(&mut reply, wire::SNAPSHOT_HEADER, &id);
        Ok(reply)
    }

    /// Copy within the account: done when the reply leaves.
    fn copy(&self, m: &mut Model, asked: &Asked<'_>) -> Result<Response<Bytes>, Refusal> {
        asked.must("cw")?;
        not_a_snapshot(asked)?;
        let url = asked.header(wire::COPY_SOURCE).unwrap_or_default();
        let foreign = || Refusal::new(StatusCode::NOT_FOUND, "CannotVerifyCopySource", "No such source.");
        let (source, snapshot) = BlobName::from_url(&self.config, url).ok_or_else(foreign)?;
        if asked.permissions.is_some() {
            let query = url.split_once('?').map(|(_, q)| q);
            let scope = source.canonical(&self.config);
            let grant = sas::verify(query, &scope, &asked.ctx.clock, asked.ctx.now())?;
            if !grant.permissions.contains('r') {
                return Err(foreign());
            }
        }
        let from = self.content(m, asked, &source, snapshot.as_deref(), false)?;
        let disk = DiskRef::Blob(asked.name.label());
        let now = asked.ctx.now();
        if !m.blobs.0.contains_key(&asked.name) {
            m.emit(What::DiskCreated { disk: disk.clone(), by: asked.by });
            m.blobs.0.insert(asked.name.clone(), Blob::new(from.length, now));
        }
        let blob = m.blobs.get_mut(&asked.name)?;
        let blocks = blobs::differing(&blob.content, &from.disk);
        blob.content = from.disk.fork();
        blob.length = from.length;
        blob.touch(now);
        let mut reply = changed(StatusCode::ACCEPTED, asked, blob);
        set(&mut reply, "x-ms-copy-status", "success");
        self.written(m, asked, disk, blocks);
        Ok(reply)
    }

    fn delete(&self, m: &mut Model, asked: &Asked<'_>) -> Result<Response<Bytes>, Refusal> {
        asked.must("d")?;
        let blob = m.blobs.get_mut(&asked.name)?;
        if let Some(id) = &asked.snapshot {
            blob.snapshots.remove(id).ok_or_else(|| blobs::not_found(&asked.name))?;
            return Ok(empty(StatusCode::ACCEPTED));
        }
        match asked.header("x-ms-delete-snapshots") {
            Some("only") => {
                blob.snapshots.clear();
                return Ok(empty(StatusCode::ACCEPTED));
            }
            Some("include") => {}
            Some(_) | None if !blob.snapshots.is_empty() => {
                return Err(Refusal::conflict("SnapshotsPresent", "The blob has snapshots."));
            }
            Some(_) | None => {}
        }
        m.blobs.0.remove(&asked.name);
        m.emit(What::DiskDeleted { disk: DiskRef::Blob(asked.name.label()), by: asked.by });
        Ok(empty(StatusCode::ACCEPTED))
    }

    fn pages(&self, m: &Model, asked: &Asked<'_>) -> Result<Response<Bytes>, Refusal> {
        asked.must("r")?;
        let content = self.content(m, asked, &asked.name, asked.snapshot.as_deref(), false)?;
        let gone = || Refusal::conflict("PreviousSnapshotNotFound", "The previous snapshot is not found.");
        let previous =
            match (query_value(asked.query, "prevsnapshot"), asked.header(wire::PREVIOUS_SNAPSHOT_URL)) {
                (Some(id), _) => {
                    Some(self.content(m, asked, &asked.name, Some(&id), false).map_err(|_| gone())?)
                }
                (None, Some(url)) => {
                    let (name, id) = BlobName::from_url(&self.config, url).ok_or_else(gone)?;
                    Some(self.content(m, asked, &name, id.as_deref(), false).map_err(|_| gone())?)
                }
                (None, None) => None,
            };
        let whole = ByteRange { start: 0, end: content.length.saturating_sub(1) };
        let range = asked.range(content.length)?.unwrap_or(whole);
        let list = blobs::page_list(&content.disk, previous.as_ref().map(|p| &p.disk), range);
        let number = |name| query_value(asked.query, name).and_then(|v| v.parse::<u64>().ok());
        let max = number("maxresults").map_or(usize::MAX, |n| n.max(1) as usize);
        let list = blobs::one_page(list, number("marker").unwrap_or(0), max);
        let mut reply = described(StatusCode::OK, asked, &content);
        *reply.body_mut() = Bytes::from(list.to_xml());
        set(&mut reply, header::CONTENT_TYPE.as_str(), "application/xml");
        Ok(reply)
    }

    fn download(&self, m: &Model, asked: &Asked<'_>) -> Result<Response<Bytes>, Refusal> {
        asked.must("r")?;
        let content = self.content(m, asked, &asked.name, asked.snapshot.as_deref(), false)?;
        let range = asked.range(content.length)?;
        let status = if range.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
        let mut reply = described(status, asked, &content);
        if let Some(range) = range.or_else(|| ByteRange::of(0, content.length)) {
            *reply.body_mut() = Bytes::from(blobs::read(&content.disk, range));
            if status == StatusCode::PARTIAL_CONTENT {
                let text = format!("bytes {}-{}/{}", range.start, range.end, content.length);
                set(&mut reply, header::CONTENT_RANGE.as_str(), &text);
            }
        }
        set(&mut reply, header::CONTENT_TYPE.as_str(), "application/octet-stream");
        Ok(reply)
    }

    fn properties(&self, m: &Model, asked: &Asked<'_>) -> Result<Response<Bytes>, Refusal> {
        asked.must("r")?;
        let content = self.content(m, asked, &asked.name, asked.snapshot.as_deref(), false)?;
        let mut reply = described(StatusCode::OK, asked, &content);
        set(&mut reply, header::CONTENT_LENGTH.as_str(), &content.length.to_string());
        Ok(reply)
    }

    fn list_blobs(&self, m: &Model, asked: &Asked<'_>) -> Result<Response<Bytes>, Refusal> {
        asked.must("l")?;
        let prefix = query_value(asked.query, "prefix").unwrap_or_default();
        let include = query_value(asked.query, "include").unwrap_or_default();
        let mut items = Vec::new();
        let found = m.blobs.0.iter().filter(|(n, _)| n.container == asked.name.container);
        for (name, blob) in found.filter(|(n, _)| n.blob.as_str().starts_with(&prefix)) {
            let item = |snapshot: Option<&String>, length, metadata: &Metadata| BlobItem {
                name: name.blob.to_string(),
                snapshot: snapshot.cloned(),
                length,
                metadata: metadata.iter().filter(|_| include.contains("metadata")).cloned().collect(),
            };
            if include.contains("snapshots") {
                items.extend(blob.snapshots.iter().map(|(id, s)| item(Some(id), s.length, &s.metadata)));
            }
            items.push(item(None, blob.length, &blob.metadata));
        }
        let mut reply = empty(StatusCode::OK);
        *reply.body_mut() = Bytes::from(wire::blobs_to_xml(&asked.name.container, &items));
        set(&mut reply, header::CONTENT_TYPE.as_str(), "application/xml");
        Ok(reply)
    }

    /// Reports replicated data; the service cannot tell which machine's software sent it.
    fn written(&self, m: &mut Model, asked: &Asked<'_>, disk: DiskRef, blocks: u64) {
        if blocks > 0 {
            m.emit(What::DiskWritten { disk, writer: asked.ctx.node().clone(), blocks });
        }
    }
}

fn not_a_snapshot(asked: &Asked<'_>) -> Result<(), Refusal> {
    match asked.snapshot {
        Some(_) => Err(Refusal::bad("InvalidOperation", "Snapshots cannot be changed.")),
        None => Ok(()),
    }
}

fn empty(status: StatusCode) -> Response<Bytes> {
    let mut reply = Response::new(Bytes::new());
    *reply.status_mut() = status;
    reply
}

fn set(reply: &mut Response<Bytes>, name: &str, value: &str) {
    if let (Ok(name), Ok(value)) = (name.parse::<header::HeaderName>(), value.parse::<header::HeaderValue>())
    {
        reply.headers_mut().insert(name, value);
    }
}

/// A reply to a change of `blob`.
fn changed(status: StatusCode, asked: &Asked<'_>, blob: &Blob) -> Response<Bytes> {
    let mut reply = empty(status);
    set(&mut reply, header::ETAG.as_str(), &etag(blob.version));
    let modified = asked.ctx.clock.calendar(blob.modified);
    set(&mut reply, header::LAST_MODIFIED.as_str(), &date::http_date(modified));
    reply
}

/// The entity tag of a version.
fn etag(version: u64) -> String {
    format!("\"0x{version:X}\"")
}

/// `If-None-Match: *` wants no blob there; `If-Match` one that has not changed.
fn meets_conditions(asked: &Asked<'_>, there: Option<&Blob>) -> Result<(), Refusal> {
    let header = |name: header::HeaderName| asked.header(name.as_str());
    if header(header::IF_NONE_MATCH) == Some("*") && there.is_some() {
        return Err(Refusal::conflict(wire::ALREADY_EXISTS, "The specified blob already exists."));
    }
    let is = |wanted: &str| there.is_some_and(|blob| wanted == "*" || wanted == etag(blob.version));
    match header(header::IF_MATCH).is_none_or(is) {
        true => Ok(()),
        false => {
            let message = "The condition specified using HTTP conditional header(s) is not met.";
            Err(Refusal::new(StatusCode::PRECONDITION_FAILED, "ConditionNotMet", message))
        }
    }
}

/// A reply to a read of `content`.
fn described(status: StatusCode, asked: &Asked<'_>, content: &Content) -> Response<Bytes> {
    let mut reply = empty(status);
    set(&mut reply, header::ETAG.as_str(), &etag(content.etag));
    let modified = asked.ctx.clock.calendar(content.modified);
    set(&mut reply, header::LAST_MODIFIED.as_str(), &date::http_date(modified));
    set(&mut reply, wire::BLOB_TYPE, "PageBlob");
    set(&mut reply, wire::CONTENT_LENGTH, &content.length.to_string());
    set(&mut reply, header::ACCEPT_RANGES.as_str(), "bytes");
    debug_assert!(content.disk.blocks() == content.length.div_ceil(BLOCK as u64), "length and content agree");
    reply
}
