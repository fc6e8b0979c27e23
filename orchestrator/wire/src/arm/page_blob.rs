//! Page blobs on the wire: header names, ranges, and the XML of page lists, snapshot lists and errors.

use quick_xml::escape::escape;
use quick_xml::events::Event;
use quick_xml::{Reader, XmlVersion};
use std::collections::BTreeMap;
use std::fmt;

/// Grain of page blob writes, in bytes.
pub const PAGE: u64 = 512;
/// The most one page write may carry, in bytes.
pub const MAX_PAGE_WRITE: u64 = 4 << 20;
/// Names the snapshot in a query and in the reply that created it.
pub const SNAPSHOT_HEADER: &str = "x-ms-snapshot";
/// Says what kind of blob it is.
pub const BLOB_TYPE: &str = "x-ms-blob-type";
/// Size of a page blob, in bytes.
pub const CONTENT_LENGTH: &str = "x-ms-blob-content-length";
/// `update` or `clear`.
pub const PAGE_WRITE: &str = "x-ms-page-write";
/// A range of bytes, inclusive at both ends.
pub const RANGE: &str = "x-ms-range";
/// Code of a refusal, beside the XML body.
pub const ERROR_CODE: &str = "x-ms-error-code";
/// Code of the refusal to make a blob that is there, where it was to be made only if it is not.
pub const ALREADY_EXISTS: &str = "BlobAlreadyExists";
/// Where a copy takes its content from.
pub const COPY_SOURCE: &str = "x-ms-copy-source";
/// Diff of a managed disk: URL of the earlier snapshot.
pub const PREVIOUS_SNAPSHOT_URL: &str = "x-ms-previous-snapshot-url";
/// Prefix of user metadata.
pub const META: &str = "x-ms-meta-";
/// Version of the protocol; replies echo it.
pub const VERSION: &str = "x-ms-version";

/// Bytes `start..=end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteRange {
    /// First byte.
    pub start: u64,
    /// Last byte.
    pub end: u64,
}

impl ByteRange {
    /// `len` bytes from `offset`; `None` when there are none, or too many to count.
    pub fn of(offset: u64, len: u64) -> Option<Self> {
        let end = offset.checked_add(len.checked_sub(1)?)?;
        Some(Self { start: offset, end })
    }
    /// How many bytes: at least one.
    #[expect(clippy::len_without_is_empty, reason = "a range holds at least one byte")]
    pub fn len(&self) -> u64 {
        self.end - self.start + 1
    }
    /// True when both ends lie on pages of 512 bytes.
    pub fn is_aligned(&self) -> bool {
        self.start.is_multiple_of(PAGE) && self.len().is_multiple_of(PAGE)
    }
    /// Reads `bytes=a-b`; `bytes=a-` ends at `last`.
    pub fn parse(text: &str, last: u64) -> Option<Self> {
        let (start, end) = text.trim().strip_prefix("bytes=")?.split_once('-')?;
        let start = start.parse().ok()?;
        let end = if end.is_empty() { last } else { end.parse().ok()? };
        (start <= end && end < u64::MAX).then_some(Self { start, end })
    }
}

impl fmt::Display for ByteRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bytes={}-{}", self.start, self.end)
    }
}

/// What of a page blob holds data; or, against an earlier snapshot, what was written and what cleared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageList {
    /// Pages with data, or written since; ascending, not touching each other.
    pub pages: Vec<ByteRange>,
    /// Pages cleared since; empty without an earlier snapshot.
    pub cleared: Vec<ByteRange>,
    /// Where the list goes on, when it was cut.
    pub next_marker: Option<String>,
}

impl PageList {
    /// The XML body.
    pub fn to_xml(&self) -> String {
        let mut xml = String::from("<?xml version=\"1.0\" encoding=\"utf-8\"?><PageList>");
        // Both kinds come in one order, by where they start, as the service sends them.
        let mut all: Vec<(&ByteRange, &str)> = self.pages.iter().map(|r| (r, "PageRange")).collect();
        all.extend(self.cleared.iter().map(|r| (r, "ClearRange")));
        all.sort();
        for (range, tag) in all {
            xml += &format!("<{tag}><Start>{}</Start><End>{}</End></{tag}>", range.start, range.end);
        }
        if let Some(marker) = &self.next_marker {
            xml += &format!("<NextMarker>{}</NextMarker>", escape(marker.as_str()));
        }
        xml + "</PageList>"
    }
    /// Reads the XML body.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn from_xml(body: &[u8]) -> Result<Self, String> {
        let root = Element::parse(body)?.named("PageList")?;
        let mut list = Self::default();
        for child in &root.children {
            match child.name.as_str() {
                "PageRange" => list.pages.push(child.range()?),
                "ClearRange" => list.cleared.push(child.range()?),
                "NextMarker" if !child.text.is_empty() => list.next_marker = Some(child.text.clone()),
                // Unknown elements are tolerated, as the SDKs do.
                _ => {}
            }
        }
        Ok(list)
    }
}

/// One line of a container's list: a blob, or a snapshot of one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlobItem {
    /// Name within the container.
    pub name: String,
    /// The snapshot; `None` is the blob itself.
    pub snapshot: Option<String>,
    /// Size in bytes.
    pub length: u64,
    /// User metadata.
    pub metadata: BTreeMap<String, String>,
}

/// The XML body of a list of blobs; one page holds all.
pub fn blobs_to_xml(container: &str, items: &[BlobItem]) -> String {
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults ContainerName=\"{}\"><Blobs>",
        escape(container)
    );
    for item in items {
        xml += &format!("<Blob><Name>{}</Name>", escape(item.name.as_str()));
        if let Some(snapshot) = &item.snapshot {
            xml += &format!("<Snapshot>{}</Snapshot>", escape(snapshot.as_str()));
        }
        let length = item.length;
        xml += &format!("<Properties><Content-Length>{length}</Content-Length>");
        xml += "<BlobType>PageBlob</BlobType></Properties><Metadata>";
        for (key, value) in &item.metadata {
            xml += &format!("<{key}>{}</{key}>", escape(value.as_str()));
        }
        xml += "</Metadata></Blob>";
    }
    xml + "</Blobs><NextMarker/></EnumerationResults>"
}

/// Reads the XML body of a list of blobs.
///
/// # Errors
/// What is wrong with it.
pub fn blobs_from_xml(body: &[u8]) -> Result<Vec<BlobItem>, String> {
    let root = Element::parse(body)?.named("EnumerationResults")?;
    let blobs = root.child("Blobs").ok_or("no <Blobs>")?;
    blobs.children.iter().filter(|c| c.name == "Blob").map(Element::blob).collect()
}

/// The XML body of a refusal.
pub fn error_to_xml(code: &str, message: &str) -> String {
    let (code, message) = (escape(code), escape(message));
    let body = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
    format!("<?xml version=\"1.0\" encoding=\"utf-8\"?>{body}")
}

/// Code and message of a refusal's XML body.
pub fn error_from_xml(body: &[u8]) -> Option<(String, String)> {
    let root = Element::parse(body).ok()?.named("Error").ok()?;
    Some((root.child("Code")?.text.clone(), root.child("Message")?.text.clone()))
}

/// An XML element: as much of XML as these bodies use (no attributes, no mixed content).
#[derive(Default)]
struct Element {
    name: String,
    text: String,
    children: Vec<Element>,
}

impl Element {
    fn parse(body: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(body).map_err(|e| e.to_string())?;
        // The service's own lists begin with a byte order mark.
        let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
        let mut open = vec![Self::default()];
        loop {
            match reader.read_event().map_err(|e| e.to_string())? {
                Event::Start(start) => {
                    open.push(Self { name: start.name().into_inner().to_owned(), ..Self::default() })
                }
                Event::Empty(start) => {
                    let empty = Self { name: start.name().into_inner().to_owned(), ..Self::default() };
                    top(&mut open)?.children.push(empty);
                }
                Event::End(_) => {
                    let done = open.pop().ok_or("an end without a start")?;
                    top(&mut open)?.children.push(done);
                }
                Event::Text(text) => top(&mut open)?.text += &text.xml_content(XmlVersion::Implicit1_0),
                Event::CData(text) => top(&mut open)?.text += &text.xml_content(XmlVersion::Implicit1_0),
                Event::GeneralRef(name) => {
                    let named = quick_xml::escape::resolve_predefined_entity(&name);
                    let numbered = name.resolve_char_ref().map_err(|e| e.to_string())?;
                    let top = top(&mut open)?;
                    match (named, numbered) {
                        (Some(text), _) => top.text += text,
                        (None, Some(c)) => top.text.push(c),
                        (None, None) => return Err(format!("unknown entity &{};", &*name)),
                    }
                }
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
                Event::Eof => break,
            }
        }
        let mut root = open.pop().filter(|_| open.is_empty()).ok_or("the document ends too early")?;
        match (root.children.pop(), root.children.is_empty()) {
            (Some(only), true) => Ok(only),
            (Some(_) | None, _) => Err("not one root element".to_owned()),
        }
    }
    fn named(self, name: &str) -> Result<Self, String> {
        if self.name == name { Ok(self) } else { Err(format!("<{}> where <{name}> was expected", self.name)) }
    }
    fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|c| c.name == name)
    }
    fn number(&self, name: &str) -> Result<u64, String> {
        let child = self.child(name).ok_or_else(|| format!("<{}> without <{name}>", self.name))?;
        child.text.trim().parse().map_err(|_| format!("<{name}> is not a number"))
    }
    fn range(&self) -> Result<ByteRange, String> {
        let range = ByteRange { start: self.number("Start")?, end: self.number("End")? };
        if range.start <= range.end { Ok(range) } else { Err(format!("a range that ends early: {range}")) }
    }
    fn blob(&self) -> Result<BlobItem, String> {
        let properties = self.child("Properties").ok_or("a blob without properties")?;
        let metadata = self.child("Metadata").map(|m| m.children.as_slice()).unwrap_or_default();
        Ok(BlobItem {
            name: self.child("Name").ok_or("a blob without a name")?.text.clone(),
            snapshot: self.child("Snapshot").map(|s| s.text.clone()),
            length: properties.number("Content-Length")?,
            metadata: metadata.iter().map(|m| (m.name.clone(), m.text.clone())).collect(),
        })
    }
}

fn top(open: &mut [Element]) -> Result<&mut Element, String> {
    open.last_mut().ok_or_else(|| "content after the end".to_owned())
}
