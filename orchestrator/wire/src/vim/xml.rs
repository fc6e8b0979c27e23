//! A small namespace-aware element tree, bounded in size and depth; no entity is ever expanded but the
//! five of XML itself.

use quick_xml::NsReader;
use quick_xml::XmlVersion;
use quick_xml::escape::{escape, resolve_xml_entity};
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{Namespace, NamespaceResolver, QName, ResolveResult};
use std::borrow::Cow;

const MAX_BYTES: usize = 32 << 20;
const MAX_DEPTH: usize = 96;
const MAX_ELEMENTS: usize = 1_000_000;
/// Of one element.
const MAX_ATTRIBUTES: usize = 32;

const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";
const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";
const XSD: &str = "http://www.w3.org/2001/XMLSchema";

/// The namespaces this protocol knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ns {
    /// None.
    None,
    /// `urn:vim25`, and what counts as it (`urn:internalvim25` and the like).
    Vim,
    /// SOAP 1.1's envelope.
    Soap,
    /// Any other.
    Other,
}

impl Ns {
    fn of(resolved: &ResolveResult<'_>) -> Self {
        match resolved {
            ResolveResult::Bound(Namespace(SOAP)) => Self::Soap,
            ResolveResult::Bound(Namespace(uri)) if uri.starts_with("urn:") => Self::Vim,
            ResolveResult::Bound(_) | ResolveResult::Unknown(_) => Self::Other,
            ResolveResult::Unbound => Self::None,
        }
    }
}

/// Why a document is not one we read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum XmlError {
    /// It is not well-formed.
    #[error("not well-formed: {0}")]
    Malformed(String),
    /// It is longer, deeper or richer than any message of this protocol.
    #[error("too large: more than {0}")]
    TooLarge(&'static str),
    /// It brings a document type or entities of its own.
    #[error("document types and entities are not accepted")]
    Forbidden,
    /// It is XML, but not what the protocol promises.
    #[error("{0}")]
    Shape(String),
}

/// An element. Text is kept for leaves only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    /// Its namespace.
    pub ns: Ns,
    /// Its local name.
    pub name: Cow<'static, str>,
    /// Its `xsi:type`: `VirtualDisk`, or `xsd:string` for the types of XML Schema.
    pub xsi_type: Option<Cow<'static, str>>,
    /// Its attributes without a namespace.
    pub attrs: Vec<(Cow<'static, str>, String)>,
    /// Its text.
    pub text: String,
    /// Its children.
    pub children: Vec<Element>,
}

impl Element {
    /// An empty element of vim25.
    pub fn new(name: impl Into<Cow<'static, str>>) -> Self {
        Self {
            ns: Ns::Vim,
            name: name.into(),
            xsi_type: None,
            attrs: Vec::new(),
            text: String::new(),
            children: Vec::new(),
        }
    }
    /// An element of vim25 with this text.
    pub fn leaf(name: impl Into<Cow<'static, str>>, text: impl ToString) -> Self {
        Self { text: text.to_string(), ..Self::new(name) }
    }
    /// The same element in another namespace.
    #[must_use]
    pub fn in_ns(mut self, ns: Ns) -> Self {
        self.ns = ns;
        self
    }
    /// The same element with this `xsi:type`.
    #[must_use]
    pub fn typed(mut self, xsi_type: impl Into<Cow<'static, str>>) -> Self {
        self.xsi_type = Some(xsi_type.into());
        self
    }
    /// The same element with one more attribute.
    #[must_use]
    pub fn attr(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Self {
        self.attrs.push((name.into(), value.into()));
        self
    }
    /// The same element with one more child.
    #[must_use]
    pub fn with(mut self, child: Element) -> Self {
        self.children.push(child);
        self
    }
    /// The same element with more children.
    #[must_use]
    pub fn with_all(mut self, children: impl IntoIterator<Item = Element>) -> Self {
        self.children.extend(children);
        self
    }
    /// The first child of this name.
    pub fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|c| c.name == name)
    }
    /// All children of this name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.children.iter().filter(move |c| c.name == name)
    }
    /// The descendant at this dotted path.
    pub fn at(&self, path: &str) -> Option<&Element> {
        path.split('.').try_fold(self, |e, name| e.child(name))
    }
    /// Text of the descendant at this dotted path.
    pub fn text_at(&self, path: &str) -> Option<&str> {
        self.at(path).map(|e| e.text.as_str())
    }
    /// Value of an attribute without a namespace.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attrs.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }
    /// Its text as a boolean; `0` and `1` count.
    pub fn as_bool(&self) -> Option<bool> {
        match self.text.trim() {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        }
    }

    /// Reads a document.
    ///
    /// # Errors
    /// [`XmlError`], never a panic, whatever the bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, XmlError> {
        if bytes.len() > MAX_BYTES {
            return Err(XmlError::TooLarge("32 MiB"));
        }
        let text = std::str::from_utf8(bytes).map_err(|e| XmlError::Malformed(e.to_string()))?;
        let mut reader = NsReader::from_str(text.trim_start_matches('\u{feff}'));
        let mut open: Vec<Element> = Vec::new();
        let mut root = None;
        let mut count = 0;
        loop {
            let event = reader.read_event().map_err(malformed)?;
            match event {
                Event::Start(ref start) | Event::Empty(ref start) => {
                    count += 1;
                    if count > MAX_ELEMENTS {
                        return Err(XmlError::TooLarge("1,000,000 elements"));
                    }
                    if open.len() >= MAX_DEPTH {
                        return Err(XmlError::TooLarge("96 levels"));
                    }
                    if root.is_some() {
                        return Err(XmlError::Malformed("more than one root element".into()));
                    }
                    let element = opened(start, reader.resolver())?;
                    if matches!(event, Event::Empty(_)) {
                        close(element, &mut open, &mut root);
                    } else {
                        open.push(element);
                    }
                }
                Event::End(_) => {
                    let Some(element) = open.pop() else {
                        return Err(XmlError::Malformed("an end without a start".into()));
                    };
                    close(element, &mut open, &mut root);
                }
                Event::Text(t) => push_text(&mut open, &t.xml10_content()),
                Event::CData(t) => push_text(&mut open, &t.xml10_content()),
                Event::GeneralRef(entity) => match entity.resolve_char_ref().map_err(malformed)? {
                    Some(c) => push_text(&mut open, c.encode_utf8(&mut [0; 4])),
                    None => {
                        let known = resolve_xml_entity(&entity).ok_or(XmlError::Forbidden)?;
                        push_text(&mut open, known);
                    }
                },
                Event::DocType(_) => return Err(XmlError::Forbidden),
                Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
                Event::Eof => break,
            }
        }
        if !open.is_empty() {
            return Err(XmlError::Malformed("the document ends inside an element".into()));
        }
        root.ok_or_else(|| XmlError::Malformed("there is no element".into()))
    }

    /// Writes the element as vCenter does; prefixes are declared by the envelope.
    pub(super) fn write(&self, default_ns: Ns, out: &mut String) {
        self.write_around(&[], default_ns, out);
    }

    /// Writes it with more children, after its own.
    pub(super) fn write_around(&self, more: &[Self], default_ns: Ns, out: &mut String) {
        let prefix = if self.ns == Ns::Soap { "soapenv:" } else { "" };
        out.push('<');
        out.push_str(prefix);
        out.push_str(&self.name);
        let mut inner_ns = default_ns;
        if self.ns == Ns::Vim && default_ns != Ns::Vim {
            out.push_str(" xmlns=\"urn:vim25\"");
            inner_ns = Ns::Vim;
        }
        for (name, value) in &self.attrs {
            write_attr(name, value, out);
        }
        if let Some(xsi_type) = &self.xsi_type {
            write_attr("xsi:type", xsi_type, out);
        }
        out.push('>');
        out.push_str(&escape(self.text.as_str()));
        for child in self.children.iter().chain(more) {
            child.write(inner_ns, out);
        }
        out.push_str("</");
        out.push_str(prefix);
        out.push_str(&self.name);
        out.push('>');
    }
}

fn write_attr(name: &str, value: &str, out: &mut String) {
    out.push(' ');
    out.push_str(name);
    out.push_str("=\"");
    out.push_str(&escape(value));
    out.push('"');
}

fn malformed(e: impl std::fmt::Display) -> XmlError {
    XmlError::Malformed(e.to_string())
}

fn push_text(open: &mut [Element], text: &str) {
    if let Some(top) = open.last_mut() {
        top.text.push_str(text);
    }
}

fn close(mut element: Element, open: &mut [Element], root: &mut Option<Element>) {
    if !element.children.is_empty() {
        element.text.clear();
    }
    match open.last_mut() {
        Some(parent) => parent.children.push(element),
        None => *root = Some(element),
    }
}

fn opened(start: &BytesStart<'_>, resolver: &NamespaceResolver) -> Result<Element, XmlError> {
    let (ns, local) = resolver.resolve_element(start.name());
    let mut element = Element::new(local.into_inner().to_owned()).in_ns(Ns::of(&ns));
    for (n, attribute) in start.attributes().with_checks(false).enumerate() {
        if n >= MAX_ATTRIBUTES {
            return Err(XmlError::TooLarge("32 attributes"));
        }
        let attribute = attribute.map_err(malformed)?;
        // The library's own check allocates for each element.
        let mut others = start.attributes();
        if others.with_checks(false).take(n).flatten().any(|other| other.key == attribute.key) {
            return Err(malformed(format_args!("two attributes {}", attribute.key.into_inner())));
        }
        if attribute.key.as_namespace_binding().is_some() {
            continue;
        }
        let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(malformed)?;
        match resolver.resolve_attribute(attribute.key) {
            (ResolveResult::Unbound, name) => {
                element.attrs.push((name.into_inner().to_owned().into(), value.into_owned()));
            }
            (ResolveResult::Bound(Namespace(XSI)), name) if name.into_inner() == "type" => {
                element.xsi_type = Some(type_name(value.trim(), resolver).into());
            }
            (ResolveResult::Bound(_) | ResolveResult::Unknown(_), _) => {}
        }
    }
    Ok(element)
}

/// `xsd:string` whatever its prefix was, else the local name.
fn type_name(value: &str, resolver: &NamespaceResolver) -> String {
    let (ns, local) = resolver.resolve_element(QName(value));
    match ns {
        ResolveResult::Bound(Namespace(XSD)) => format!("xsd:{}", local.into_inner()),
        ResolveResult::Bound(_) | ResolveResult::Unbound | ResolveResult::Unknown(_) => {
            local.into_inner().to_owned()
        }
    }
}
