//! Faults: why a method was refused, or why a task failed.

use super::{Element, Ns, Obj, Value, XmlError};
use std::fmt;

/// A fault: its type, what it says to people, and its fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Its type: `InvalidPowerState`.
    pub kind: String,
    /// For people: the `faultstring`, or a task's `localizedMessage`.
    pub message: String,
    /// Its fields, in the order of the WSDL.
    pub fields: Vec<Element>,
}

impl Fault {
    /// A fault without fields.
    pub fn new(kind: impl Into<String>, message: impl Into<String>) -> Self {
        Self { kind: kind.into(), message: message.into(), fields: Vec::new() }
    }
    /// The same fault with one more field.
    #[must_use]
    pub fn with(mut self, field: Element) -> Self {
        self.fields.push(field);
        self
    }
    /// Text of a field.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|f| f.name == name).map(|f| f.text.as_str())
    }
    /// The body of a SOAP fault. Both names of the type are given: some clients take it from the element,
    /// others from `xsi:type`.
    pub fn body(&self) -> Element {
        let detail = Element::new(format!("{}Fault", self.kind))
            .typed(self.kind.clone())
            .with_all(self.fields.iter().cloned());
        Element::new("Fault")
            .in_ns(Ns::Soap)
            .with(Element::leaf("faultcode", "ServerFaultCode").in_ns(Ns::None))
            .with(Element::leaf("faultstring", &self.message).in_ns(Ns::None))
            .with(Element::new("detail").in_ns(Ns::None).with(detail))
    }
    /// Reads such a body. Without a detail it is a `RuntimeFault`.
    ///
    /// # Errors
    /// When it is no fault.
    pub fn read_body(body: &Element) -> Result<Self, XmlError> {
        if body.ns != Ns::Soap || body.name != "Fault" {
            return Err(XmlError::Shape(format!("{} is no SOAP fault", body.name)));
        }
        let message = body.text_at("faultstring").unwrap_or_default().to_owned();
        let Some(detail) = body.child("detail").and_then(|d| d.children.first()) else {
            return Ok(Self::new("RuntimeFault", message));
        };
        let kind = match &detail.xsi_type {
            Some(kind) => kind.clone().into_owned(),
            None => detail.name.strip_suffix("Fault").unwrap_or(&detail.name).to_owned(),
        };
        Ok(Self { kind, message, fields: detail.children.clone() })
    }
    /// As a task's error, or a missing property's: a `LocalizedMethodFault` named `name`.
    pub fn localized(&self, name: &'static str) -> Element {
        let fault = Element::new("fault").typed(self.kind.clone()).with_all(self.fields.iter().cloned());
        Element::new(name).with(fault).with(Element::leaf("localizedMessage", &self.message))
    }
    /// Reads such an error.
    ///
    /// # Errors
    /// When the fault's type is missing.
    pub fn read_localized(element: &Element) -> Result<Self, XmlError> {
        let fault =
            element.child("fault").ok_or_else(|| XmlError::Shape("an error without a fault".into()))?;
        let kind = fault.xsi_type.clone().ok_or_else(|| XmlError::Shape("a fault without a type".into()))?;
        let message = element.text_at("localizedMessage").unwrap_or_default().to_owned();
        Ok(Self { kind: kind.into_owned(), message, fields: fault.children.clone() })
    }
    /// As the value of a task's `info.error`.
    pub fn value(&self) -> Value {
        Value::Obj(
            Obj::new("LocalizedMethodFault")
                .set(
                    "fault",
                    Value::Raw(Element::new("fault").typed(self.kind.clone()).with_all(self.fields.clone())),
                )
                .set("localizedMessage", &self.message),
        )
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.message)
    }
}
