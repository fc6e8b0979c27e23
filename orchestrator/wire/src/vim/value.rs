//! Typed values, as properties hold them: they know how they look where the schema says `anyType` and where
//! it names a type.

use super::{Element, MoRef};
use std::borrow::Cow;

/// A value of a property or of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// `xsd:string`
    Text(String),
    /// `xsd:boolean`
    Bool(bool),
    /// `xsd:int`
    Int(i32),
    /// `xsd:long`
    Long(i64),
    /// `xsd:dateTime`
    Time(String),
    /// A value of an enumeration: its type and the value.
    Enum(&'static str, String),
    /// A reference.
    Ref(MoRef),
    /// A data object.
    Obj(Obj),
    /// A list: the type of its items (`VirtualDevice`, `string`, `ManagedObjectReference`) and the items.
    List(&'static str, Vec<Value>),
    /// A value in a field that is declared `anyType` (`OptionValue.value`, `TaskInfo.result`).
    Any(Box<Value>),
    /// An element as it is; only its name is set by the field that holds it.
    Raw(Element),
}

/// A data object: its type and its fields that are set, in the order of the WSDL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obj {
    /// Its type: `VirtualDisk`.
    pub kind: &'static str,
    /// True when the type is narrower than what the field that holds it declares.
    pub narrow: bool,
    /// Its fields.
    pub fields: Vec<(&'static str, Value)>,
}

/// What lies at a property path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// This value.
    Found(Value),
    /// A field that exists, but is not set.
    Unset,
    /// No such field.
    Invalid,
}

impl Obj {
    /// An object of the declared type.
    pub fn new(kind: &'static str) -> Self {
        Self { kind, narrow: false, fields: Vec::new() }
    }
    /// An object of a type narrower than the declared one.
    pub fn narrow(kind: &'static str) -> Self {
        Self { kind, narrow: true, fields: Vec::new() }
    }
    /// The same object with one more field.
    #[must_use]
    pub fn set(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.fields.push((name, value.into()));
        self
    }
    /// The same object with one more field, when there is a value.
    #[must_use]
    pub fn opt<V: Into<Value>>(self, name: &'static str, value: Option<V>) -> Self {
        match value {
            Some(value) => self.set(name, value),
            None => self,
        }
    }
    /// The field of this name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.fields.iter().find(|(n, _)| *n == name).map(|(_, v)| v)
    }
    /// What lies at `path` (`config.hardware.device[2000]`). `declared` knows the fields an object may have.
    pub fn lookup(&self, path: &str, declared: &dyn Fn(&str, &str) -> bool) -> Lookup {
        let (step, rest) = match path.split_once('.') {
            Some((step, rest)) => (step, Some(rest)),
            None => (path, None),
        };
        let (name, key) = match step.split_once('[') {
            Some((name, key)) => (name, Some(key.trim_end_matches(']').trim_matches('"'))),
            None => (step, None),
        };
        let Some(value) = self.get(name) else {
            return if declared(self.kind, name) { Lookup::Unset } else { Lookup::Invalid };
        };
        let value = match (key, value) {
            (None, value) => value,
            (Some(key), Value::List(_, items)) => match items.iter().find(|i| i.has_key(key)) {
                Some(item) => item,
                None => return Lookup::Unset,
            },
            (Some(_), _) => return Lookup::Invalid,
        };
        match (rest, value) {
            (None, value) => Lookup::Found(value.clone()),
            (Some(rest), Value::Obj(obj)) => obj.lookup(rest, declared),
            (Some(_), _) => Lookup::Invalid,
        }
    }
    /// Its fields as elements.
    pub fn elements(&self) -> Vec<Element> {
        self.fields.iter().flat_map(|(name, value)| value.field(name)).collect()
    }
}

impl Value {
    /// An enumeration's value.
    pub fn of_enum(kind: &'static str, value: impl Into<String>) -> Self {
        Self::Enum(kind, value.into())
    }
    /// A value for a field declared `anyType`.
    pub fn any_of(value: impl Into<Value>) -> Self {
        Self::Any(Box::new(value.into()))
    }
    /// A list of references.
    pub fn refs(refs: impl IntoIterator<Item = MoRef>) -> Self {
        Self::List("ManagedObjectReference", refs.into_iter().map(Value::Ref).collect())
    }
    /// A list of objects of the declared type `kind`.
    pub fn objects(kind: &'static str, objects: impl IntoIterator<Item = Obj>) -> Self {
        Self::List(kind, objects.into_iter().map(Value::Obj).collect())
    }
    fn has_key(&self, key: &str) -> bool {
        let Value::Obj(obj) = self else { return false };
        match obj.get("key") {
            Some(Value::Int(k)) => k.to_string() == key,
            Some(Value::Text(k)) => k == key,
            Some(_) | None => false,
        }
    }
    fn text(&self) -> String {
        match self {
            Self::Text(t) | Self::Time(t) | Self::Enum(_, t) => t.clone(),
            Self::Bool(b) => b.to_string(),
            Self::Int(i) => i.to_string(),
            Self::Long(l) => l.to_string(),
            Self::Ref(r) => r.id.clone(),
            Self::Obj(_) | Self::List(..) => String::new(),
            Self::Any(inner) => inner.text(),
            Self::Raw(element) => element.text.clone(),
        }
    }
    fn xsi_type(&self) -> Cow<'static, str> {
        match self {
            Self::Text(_) => "xsd:string".into(),
            Self::Bool(_) => "xsd:boolean".into(),
            Self::Int(_) => "xsd:int".into(),
            Self::Long(_) => "xsd:long".into(),
            Self::Time(_) => "xsd:dateTime".into(),
            Self::Enum(kind, _) => (*kind).into(),
            Self::Ref(_) => "ManagedObjectReference".into(),
            Self::Obj(obj) => obj.kind.into(),
            Self::Any(inner) => inner.xsi_type(),
            Self::Raw(element) => element.xsi_type.clone().unwrap_or_default(),
            Self::List(kind, _) => {
                let (first, rest) = kind.split_at(1);
                format!("ArrayOf{}{rest}", first.to_uppercase()).into()
            }
        }
    }
    /// As it looks where the schema declares `anyType`.
    pub fn any(&self, name: &'static str) -> Element {
        let element = match self {
            Self::Ref(r) => r.element(name),
            Self::Obj(obj) => Element::new(name).with_all(obj.elements()),
            Self::Any(inner) => return inner.any(name),
            Self::Raw(_) => return self.one(name),
            Self::List(kind, items) => Element::new(name).with_all(items.iter().map(|i| i.item(kind))),
            Self::Text(_) | Self::Bool(_) | Self::Int(_) | Self::Long(_) | Self::Time(_) | Self::Enum(..) => {
                Element::leaf(name, self.text())
            }
        };
        element.typed(self.xsi_type())
    }
    /// As an item of an `ArrayOf…`.
    fn item(&self, kind: &'static str) -> Element {
        match self {
            Self::Ref(r) => r.element(kind).typed("ManagedObjectReference"),
            Self::Obj(_) | Self::List(..) | Self::Any(_) | Self::Raw(_) => self.one(kind),
            Self::Text(_) | Self::Bool(_) | Self::Int(_) | Self::Long(_) | Self::Time(_) | Self::Enum(..) => {
                Element::leaf(kind, self.text())
            }
        }
    }
    fn one(&self, name: &'static str) -> Element {
        match self {
            Self::Ref(r) => r.element(name),
            Self::Obj(obj) => {
                let element = Element::new(name).with_all(obj.elements());
                if obj.narrow { element.typed(obj.kind) } else { element }
            }
            Self::List(..) | Self::Any(_) => self.any(name),
            Self::Raw(element) => Element { name: name.into(), ..element.clone() },
            Self::Text(_) | Self::Bool(_) | Self::Int(_) | Self::Long(_) | Self::Time(_) | Self::Enum(..) => {
                Element::leaf(name, self.text())
            }
        }
    }
    /// As it looks where the schema declares its type: a list is the field repeated.
    pub fn field(&self, name: &'static str) -> Vec<Element> {
        if let Self::List(_, items) = self {
            return items.iter().map(|i| i.one(name)).collect();
        }
        vec![self.one(name)]
    }
}

impl From<&str> for Value {
    fn from(v: &str) -> Self {
        Self::Text(v.into())
    }
}
impl From<String> for Value {
    fn from(v: String) -> Self {
        Self::Text(v)
    }
}
impl From<&String> for Value {
    fn from(v: &String) -> Self {
        Self::Text(v.clone())
    }
}
impl From<bool> for Value {
    fn from(v: bool) -> Self {
        Self::Bool(v)
    }
}
impl From<i32> for Value {
    fn from(v: i32) -> Self {
        Self::Int(v)
    }
}
impl From<i64> for Value {
    fn from(v: i64) -> Self {
        Self::Long(v)
    }
}
impl From<MoRef> for Value {
    fn from(v: MoRef) -> Self {
        Self::Ref(v)
    }
}
impl From<&MoRef> for Value {
    fn from(v: &MoRef) -> Self {
        Self::Ref(v.clone())
    }
}
impl From<Obj> for Value {
    fn from(v: Obj) -> Self {
        Self::Obj(v)
    }
}
