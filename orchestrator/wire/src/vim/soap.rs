//! Envelopes: requests and replies as bytes.

use super::{Element, Fault, MoRef, Ns, XmlError};
use std::borrow::Cow;

const HEAD: &str = concat!(
    r#"<?xml version="1.0" encoding="UTF-8"?>"#,
    "\n",
    r#"<soapenv:Envelope xmlns:soapenc="http://schemas.xmlsoap.org/soap/encoding/" "#,
    r#"xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" "#,
    r#"xmlns:xsd="http://www.w3.org/2001/XMLSchema" "#,
    r#"xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">"#,
    "\n<soapenv:Body>"
);
const TAIL: &str = "</soapenv:Body>\n</soapenv:Envelope>";

/// Versions of the API a vCenter 8.0 U3 speaks, newest first. Clients pick by string equality, so all are
/// listed.
const VERSIONS: &[&str] = &[
    "8.0.3.0", "8.0.2.0", "8.0.1.0", "8.0.0.1", "7.0.3.0", "7.0.2.0", "7.0.1.0", "7.0.0.0", "6.9.1", "6.8.7",
    "6.7.3", "6.7.1", "6.7", "6.5", "6.0", "5.5",
];

/// A call of a method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VimRequest {
    /// The method: `PowerOnVM_Task`.
    pub method: Cow<'static, str>,
    /// The object it is called on.
    pub this: MoRef,
    /// Its arguments, in the order of the WSDL.
    pub args: Vec<Element>,
}

impl VimRequest {
    /// A call without arguments.
    pub fn new(method: impl Into<Cow<'static, str>>, this: MoRef) -> Self {
        Self { method: method.into(), this, args: Vec::new() }
    }
    /// The same call with one more argument.
    #[must_use]
    pub fn arg(mut self, argument: Element) -> Self {
        self.args.push(argument);
        self
    }
    /// Reads a request.
    ///
    /// # Errors
    /// When it is no SOAP request, or `_this` is missing.
    pub fn parse(bytes: &[u8]) -> Result<Self, XmlError> {
        let method = body(bytes)?;
        if method.ns != Ns::Vim {
            return Err(XmlError::Shape(format!("{} is not in the namespace urn:vim25", method.name)));
        }
        let mut args = method.children;
        let at = args.iter().position(|a| a.name == "_this");
        let this = at.map(|i| args.remove(i)).ok_or_else(|| XmlError::Shape("_this is missing".into()))?;
        Ok(Self { method: method.name, this: MoRef::read(&this)?, args })
    }
    /// Writes the request.
    pub fn encode(&self) -> Vec<u8> {
        envelope(&Element::new(self.method.clone()).with(self.this.element("_this")), &self.args)
    }
    /// The first argument of this name.
    pub fn get(&self, name: &str) -> Option<&Element> {
        self.args.iter().find(|a| a.name == name)
    }
    /// All arguments of this name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.args.iter().filter(move |a| a.name == name)
    }
    /// Text of the first argument of this name.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).map(|a| a.text.as_str())
    }
    /// A boolean argument; false when it is absent.
    pub fn flag(&self, name: &str) -> bool {
        self.get(name).and_then(Element::as_bool).unwrap_or(false)
    }
    /// A reference argument; `None` when it is absent or none.
    pub fn moref(&self, name: &str) -> Option<MoRef> {
        self.get(name).and_then(|a| MoRef::read(a).ok())
    }
}

/// Why a reply brings no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    /// The method was refused.
    #[error("{0}")]
    Fault(Fault),
    /// The reply makes no sense.
    #[error("{0}")]
    Garbled(#[from] XmlError),
}

/// The body goes around `args`, after what it holds already.
fn envelope(body: &Element, args: &[Element]) -> Vec<u8> {
    let mut out = String::from(HEAD);
    body.write_around(args, Ns::None, &mut out);
    out.push_str(TAIL);
    out.into_bytes()
}

fn body(bytes: &[u8]) -> Result<Element, XmlError> {
    let envelope = Element::parse(bytes)?;
    if envelope.ns != Ns::Soap || envelope.name != "Envelope" {
        return Err(XmlError::Shape(format!("{} is no SOAP envelope", envelope.name)));
    }
    let body = envelope.children.into_iter().find(|c| c.ns == Ns::Soap && c.name == "Body");
    body.and_then(|b| b.children.into_iter().next())
        .ok_or_else(|| XmlError::Shape("the envelope has no body".into()))
}

/// Writes a reply: the values a method returned, each named `returnval`, or its fault.
pub fn reply(method: &str, result: Result<Vec<Element>, Fault>) -> Vec<u8> {
    match result {
        Ok(values) => envelope(&Element::new(format!("{method}Response")), &values),
        Err(fault) => envelope(&fault.body(), &[]),
    }
}

/// Reads the reply to `method`: its `returnval`s.
///
/// # Errors
/// The fault, or what is wrong with the reply.
pub fn parse_reply(method: &str, bytes: &[u8]) -> Result<Vec<Element>, ReplyError> {
    let body = body(bytes)?;
    if body.ns == Ns::Soap && body.name == "Fault" {
        return Err(ReplyError::Fault(Fault::read_body(&body)?));
    }
    if body.ns != Ns::Vim || body.name.strip_suffix("Response") != Some(method) {
        return Err(XmlError::Shape(format!("{} does not answer {method}", body.name)).into());
    }
    Ok(body.children.into_iter().filter(|c| c.name == "returnval").collect())
}

/// What `GET /sdk/vimServiceVersions.xml` answers.
pub fn service_versions() -> String {
    let mut prior = String::new();
    for version in &VERSIONS[1..] {
        prior.push_str(&format!("   <version>{version}</version>\n"));
    }
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<namespaces version=\"1.0\">\n <namespace>\n  \
         <name>urn:vim25</name>\n  <version>{}</version>\n  <priorVersions>\n{prior}  </priorVersions>\n \
         </namespace>\n</namespaces>\n",
        VERSIONS[0]
    )
}
