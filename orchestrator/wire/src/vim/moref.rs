//! References to managed objects.

use super::{Element, XmlError};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;

/// A reference to a managed object: its type and its id within the server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MoRef {
    /// `VirtualMachine`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `vm-42`.
    pub id: String,
}

impl MoRef {
    /// The object `id` of type `kind`.
    pub fn new(kind: impl Into<String>, id: impl Into<String>) -> Self {
        Self { kind: kind.into(), id: id.into() }
    }
    /// `<name type="VirtualMachine">vm-42</name>`
    pub fn element(&self, name: impl Into<Cow<'static, str>>) -> Element {
        Element::leaf(name, &self.id).attr("type", &self.kind)
    }
    /// Reads such an element.
    ///
    /// # Errors
    /// When it has no type or no id.
    pub fn read(element: &Element) -> Result<Self, XmlError> {
        match (element.attribute("type"), element.text.trim()) {
            (Some(kind), id) if !id.is_empty() => Ok(Self::new(kind, id)),
            (Some(_) | None, _) => Err(XmlError::Shape(format!("{} is no reference", element.name))),
        }
    }
}

impl fmt::Display for MoRef {
    /// `VirtualMachine:vm-42`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind, self.id)
    }
}
